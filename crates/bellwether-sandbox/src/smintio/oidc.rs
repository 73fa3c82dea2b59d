//! Sign-in of a tenant: discovery, keys, the consent page, tokens, user info, revocation. What was
//! granted is in `grants.rs`.
//!
//! PKCE is checked when it was begun with; without it the code flow works too, as the vendor's two
//! clients differ in this. The client's secret may be in the body or in a Basic header.

use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use maud::{DOCTYPE, html};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::grants::{Code, Consent, Given};
use super::tenant::Tenant;
use super::{ids, refuse, signing};
use crate::clock::real_now;
use crate::world::World;

/// Scopes that can be asked for.
const SCOPES: [&str; 6] = [
    "smintio.full",
    "smintio.portals.frontend",
    "openid",
    "profile",
    "email",
    "offline_access",
];

pub(crate) fn router() -> Router<Arc<World>> {
    let discovery_path = "/{tenant}/.well-known/openid-configuration";
    Router::new()
        .route(discovery_path, get(discovery))
        .route(
            "/{tenant}/.well-known/openid-configuration/jwks",
            get(|| async { Json(signing::key_set()) }),
        )
        .route("/{tenant}/connect/authorize", get(ask).post(decide))
        .route("/{tenant}/connect/token", post(token))
        .route("/{tenant}/connect/userinfo", get(who).post(who))
        .route("/{tenant}/connect/revocation", post(revoke))
}

type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(n, _)| n == name);
    found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

fn issuer(world: &World, tenant: &Tenant) -> String {
    let own = || format!("{}/{}", world.addresses.url("smintio"), tenant.id);
    tenant.knobs.issuer.clone().unwrap_or_else(own)
}

async fn discovery(State(world): State<Arc<World>>, Path(tenant): Path<String>) -> Response {
    let base = format!("{}/{tenant}", world.addresses.url("smintio"));
    let named = world.smintio.with(&tenant, |t| issuer(&world, t));
    let at = |path: &str| format!("{base}{path}");
    Json(json!({
        "issuer": named, "authorization_endpoint": at("/connect/authorize"),
        "token_endpoint": at("/connect/token"), "userinfo_endpoint": at("/connect/userinfo"),
        "revocation_endpoint": at("/connect/revocation"),
        "jwks_uri": at("/.well-known/openid-configuration/jwks"),
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "response_types_supported": ["code"], "response_modes_supported": ["query", "form_post"],
        "scopes_supported": SCOPES, "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    }))
    .into_response()
}

/// What an application asks for, once it is sure whom to answer.
struct Request {
    redirect_uri: String,
    state: Option<String>,
    form_post: bool,
}

impl Request {
    /// Only a wrong client or address is told here; the rest goes back to the application.
    fn read(world: &World, tenant: &str, fields: &Fields) -> Result<Self, Box<Response>> {
        let client = world.smintio.with(tenant, |t| t.client_id.clone());
        let wrong = |message| Err(Box::new(refuse(400, "argument_invalid", message)));
        if client.as_deref() != field(fields, "client_id") {
            return wrong("The client is invalid");
        }
        let Some(uri) = field(fields, "redirect_uri") else {
            return wrong("The redirect URI is missing");
        };
        let web = uri.starts_with("http://") || uri.starts_with("https://");
        if !web || uri.contains('#') || uri.bytes().any(|b| b <= b' ') {
            return wrong("The redirect URI is invalid");
        }
        Ok(Self {
            redirect_uri: uri.to_owned(),
            state: field(fields, "state").map(str::to_owned),
            form_post: field(fields, "response_mode") == Some("form_post"),
        })
    }

    /// Sends the answer to the application by way of the browser.
    fn answer(&self, mut members: Vec<(&str, String)>) -> Response {
        if let Some(state) = &self.state {
            members.push(("state", state.clone()));
        }
        if self.form_post {
            let page = html! {
                (DOCTYPE)
                title { "Back to the application" }
                form method="post" action=(self.redirect_uri) {
                    @for (name, value) in &members {
                        input type="hidden" name=(name) value=(value);
                    }
                    button { "Back to the application" }
                }
            };
            return Html(page.into_string()).into_response();
        }
        let mut place = self.redirect_uri.clone();
        for (name, value) in &members {
            place.push(if place.contains('?') { '&' } else { '?' });
            place.push_str(&format!("{name}={}", escaped(value)));
        }
        match place.parse::<header::HeaderValue>() {
            Ok(place) => (StatusCode::FOUND, [(header::LOCATION, place)]).into_response(),
            Err(_) => refuse(400, "argument_invalid", "The redirect URI is invalid"),
        }
    }

    fn error(&self, error: &str, description: &str) -> Response {
        self.answer(vec![
            ("error", error.to_owned()),
            ("error_description", description.to_owned()),
        ])
    }
}

/// Text as it stands in an address.
pub(crate) fn escaped(words: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let write = |b: u8| match keep(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    words.bytes().map(write).collect()
}

async fn ask(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    Query(fields): Query<Fields>,
) -> Response {
    let request = match Request::read(&world, &tenant, &fields) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    if field(&fields, "response_type") != Some("code") {
        return request.error("unsupported_response_type", "Only code is supported.");
    }
    let scope = field(&fields, "scope").unwrap_or_default();
    if let Some(unknown) = scope.split_whitespace().find(|s| !SCOPES.contains(s)) {
        return request.error("invalid_scope", &format!("The scope {unknown} is unknown."));
    }
    let method = field(&fields, "code_challenge_method").unwrap_or("plain");
    if field(&fields, "code_challenge").is_some() && !["S256", "plain"].contains(&method) {
        return request.error("invalid_request", "The code challenge method is unknown.");
    }
    let auto = world.smintio.with(&tenant, |t| t.knobs.auto_consent);
    if auto == Some(true) {
        return grant(&world, &tenant, &fields, &request);
    }
    if field(&fields, "prompt") == Some("none") {
        return request.error("consent_required", "Somebody must consent.");
    }
    consent_page(&world, &tenant, &fields, scope)
}

fn consent_page(world: &World, tenant: &str, fields: &Fields, scope: &str) -> Response {
    let buyers = world.smintio.with(tenant, |t| t.buyers.clone());
    let client = field(fields, "client_id").unwrap_or_default();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { "Consent · " (tenant) " · stand-in" }
                style {
                    ":root{color-scheme:light dark}"
                    "body{max-width:32rem;margin:3rem auto;padding:0 16px;"
                    "font:16px/24px system-ui,sans-serif}"
                    "button,select{font:inherit;padding:8px 14px;min-height:44px}"
                }
            }
            body {
                h1 { "May " (client) " use " (tenant) "?" }
                p { "A stand-in for the sign-in of Smint.io; nobody's real data is here." }
                ul { @for scope in scope.split_whitespace() { li { code { (scope) } } } }
                form method="post" {
                    @for (name, value) in fields {
                        input type="hidden" name=(name) value=(value);
                    }
                    p {
                        label { "Sign in as "
                            select name="person" {
                                @for buyer in buyers.iter().flatten() {
                                    option value=(buyer.person) { (buyer.name) }
                                }
                            }
                        }
                    }
                    p {
                        button name="decision" value="allow" { "Allow" } " "
                        button name="decision" value="deny" { "Deny" }
                    }
                }
            }
        }
    };
    let no_cache = [(header::CACHE_CONTROL, "no-store")];
    (no_cache, Html(page.into_string())).into_response()
}

async fn decide(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    let request = match Request::read(&world, &tenant, &fields) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    if field(&fields, "decision") == Some("allow") {
        return grant(&world, &tenant, &fields, &request);
    }
    request.error("access_denied", "The user did not consent.")
}

fn grant(world: &World, tenant: &str, fields: &Fields, request: &Request) -> Response {
    let code = world.smintio.with(tenant, |t| {
        let asked = field(fields, "person");
        let known = t.buyers.iter().find(|b| Some(b.person.as_str()) == asked);
        let person = known.or(t.buyers.first()).map(|b| b.person.clone());
        let method = field(fields, "code_challenge_method").unwrap_or("plain");
        let challenge = field(fields, "code_challenge");
        let consent = Consent {
            person: person.unwrap_or_default(),
            scope: field(fields, "scope").unwrap_or("openid").to_owned(),
            nonce: field(fields, "nonce").map(str::to_owned),
        };
        let challenge = challenge.map(|c| (method.to_owned(), c.to_owned()));
        let uri = request.redirect_uri.clone();
        t.grants.code(consent, uri, challenge, real_now())
    });
    world.tell(
        "smintio",
        "",
        format!("{tenant} gave its consent."),
        Value::Null,
    );
    request.answer(vec![("code", code.unwrap_or_default())])
}

fn oauth_error(status: u16, error: &str, words: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = Json(json!({"error": error, "error_description": words}));
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Whether the caller is the tenant's client.
fn is_client(world: &World, tenant: &str, headers: &HeaderMap, fields: &Fields) -> bool {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let given = match basic.as_deref().and_then(|text| text.split_once(':')) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (field(fields, "client_id"), field(fields, "client_secret")),
    };
    let check = |t: &mut Tenant| given == (Some(&t.client_id), Some(&t.client_secret));
    world.smintio.with(tenant, check) == Some(true)
}

async fn token(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    if !is_client(&world, &tenant, &headers, &fields) {
        return oauth_error(401, "invalid_client", "The client is invalid");
    }
    let missing = |name: &str| oauth_error(400, "invalid_request", &format!("{name} is missing"));
    let given = match field(&fields, "grant_type") {
        Some("authorization_code") => {
            let Some(code) = field(&fields, "code") else {
                return missing("code");
            };
            let proven = |c: &Code| is_proven(c, &fields);
            let now = real_now();
            let exchange = |t: &mut Tenant| t.grants.exchange(code, now, proven);
            world.smintio.with(&tenant, exchange).flatten()
        }
        Some("refresh_token") => {
            let Some(refresh) = field(&fields, "refresh_token") else {
                return missing("refresh_token");
            };
            let renew = |t: &mut Tenant| t.grants.renew(refresh, real_now());
            world.smintio.with(&tenant, renew).flatten()
        }
        Some("client_credentials") => {
            let words = "The client may not ask for a token of its own";
            let own = |t: &mut Tenant| t.knobs.client_credentials.then(|| t.grants.own(real_now()));
            match world.smintio.with(&tenant, own).flatten() {
                Some(given) => Some(given),
                None => return oauth_error(400, "unauthorized_client", words),
            }
        }
        Some(_) => {
            let words = "The grant type is not supported";
            return oauth_error(400, "unsupported_grant_type", words);
        }
        None => return missing("grant_type"),
    };
    match given {
        Some(given) => give(&world, &tenant, &given),
        None => oauth_error(400, "invalid_grant", "The token or code is no longer valid"),
    }
}

/// Whether the one who exchanges a code is the one who asked for it.
fn is_proven(code: &Code, fields: &Fields) -> bool {
    let verifier = field(fields, "code_verifier");
    let same = match (&code.challenge, verifier) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((method, challenge)), Some(verifier)) if method == "S256" => {
            BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge
        }
        (Some((_, challenge)), Some(verifier)) => verifier == challenge,
    };
    same && field(fields, "redirect_uri") == Some(code.redirect_uri.as_str())
}

fn give(world: &World, tenant: &str, given: &Given) -> Response {
    let consent = &given.consent;
    let mut answer = json!({"access_token": given.access, "token_type": "Bearer",
        "expires_in": given.seconds, "scope": consent.scope});
    if let Some(refresh) = &given.refresh {
        answer["refresh_token"] = json!(refresh);
    }
    if consent.scope.split(' ').any(|scope| scope == "openid") {
        answer["id_token"] = json!(id_token(world, tenant, consent));
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

fn id_token(world: &World, tenant: &str, consent: &Consent) -> Option<String> {
    let now = real_now().as_second();
    let (mut claims, lasts, lately) = world.smintio.with(tenant, |t| {
        let mut claims = json!({"iss": issuer(world, t), "aud": t.client_id,
            "sub": ids::of_text("user", t.ledger.seed, &consent.person), "tenant_id": t.id});
        if let Some(nonce) = &consent.nonce {
            claims["nonce"] = json!(nonce);
        }
        let lately = t.grants.signed_lately(&claims.to_string(), now);
        (claims, t.grants.lifetimes.id, lately)
    })?;
    if lately.is_some() || lasts == 0 {
        return lately;
    }
    let whose = claims.to_string();
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + lasts);
    // Signing takes a while, so no lock is held meanwhile.
    let token = signing::token(&claims);
    let keep = |t: &mut Tenant| t.grants.keep_signed(whose, now, token.clone());
    world.smintio.with(tenant, keep);
    Some(token)
}

async fn who(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    match super::caller(&world, &tenant, &headers, "openid") {
        Ok(consent) => {
            let found = world.smintio.with(&tenant, |t| {
                let sub = ids::of_text("user", t.ledger.seed, &consent.person);
                let buyer = t.buyers.iter().find(|b| b.person == consent.person);
                json!({"sub": sub, "name": buyer.map(|b| &b.name), "tenant_id": t.id})
            });
            Json(found).into_response()
        }
        Err(refusal) => *refusal,
    }
}

async fn revoke(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    if !is_client(&world, &tenant, &headers, &fields) {
        return oauth_error(401, "invalid_client", "The client is invalid");
    }
    let Some(token) = field(&fields, "token") else {
        return oauth_error(400, "invalid_request", "token is missing");
    };
    world.smintio.with(&tenant, |t| t.grants.revoke(token));
    StatusCode::OK.into_response()
}
