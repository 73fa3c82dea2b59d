//! The token endpoint: refresh tokens, service-account assertions, revocation, and the check of
//! access tokens. Assertions are checked for their shape only; no signature is verified.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::real_now;
use crate::people::Person;
use crate::world::{World, lock};

/// Access tokens that are valid at one time; the oldest die first.
const TOKENS_LIMIT: usize = 10_000;

pub(crate) const CLIENT_ID: &str = "sandbox-client.apps.googleusercontent.com";
pub(crate) const CLIENT_SECRET: &str = "sandbox-client-secret";
/// What every consent in the sandbox covers.
pub(crate) const SCOPES: &str = "https://mail.google.com/ \
    https://www.googleapis.com/auth/gmail.modify \
    https://www.googleapis.com/auth/gmail.compose https://www.googleapis.com/auth/gmail.send \
    https://www.googleapis.com/auth/pubsub";

/// The refresh token of a person's mailbox in a fresh sandbox.
pub(crate) fn refresh_token(person: &Person) -> String {
    format!("1//sandbox-refresh-{}", person.id)
}

/// An access token that was given.
#[derive(Clone)]
struct Token {
    text: String,
    address: String,
    scopes: String,
    expires: Timestamp,
}

/// Who may call: the valid access tokens and the dead consents.
#[derive(Default)]
pub(crate) struct Tokens {
    valid: VecDeque<Token>,
    revoked: Vec<String>,
    /// Lifetime of new access tokens in seconds; `None` = Google's 3,599.
    pub(crate) seconds: Option<i64>,
    /// Scopes of a mailbox's consent, where a test narrowed them.
    narrowed: Vec<(String, String)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("valid", &self.valid.len())
            .finish_non_exhaustive()
    }
}

/// Whose token a call carries.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) address: String,
    pub(crate) scopes: String,
}

impl Tokens {
    fn give(&mut self, text: String, address: &str, scopes: String) -> i64 {
        let seconds = self.seconds.unwrap_or(3_599);
        let expires = real_now().checked_add(SignedDuration::from_secs(seconds));
        if self.valid.len() == TOKENS_LIMIT {
            self.valid.pop_front();
        }
        self.valid.push_back(Token {
            text,
            address: address.to_owned(),
            scopes,
            expires: expires.unwrap_or(Timestamp::MAX),
        });
        seconds
    }

    /// Whose token this is, when it is still valid.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Option<Bearer> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, text) = value.split_once(' ')?;
        let token = self.valid.iter().rev().find(|t| t.text == text.trim())?;
        let good = scheme.eq_ignore_ascii_case("bearer") && token.expires > real_now();
        good.then(|| Bearer {
            address: token.address.clone(),
            scopes: token.scopes.clone(),
        })
    }

    /// Withdraws a mailbox's consent: its access tokens die too.
    pub(crate) fn revoke(&mut self, address: &str) {
        self.valid
            .retain(|t| !t.address.eq_ignore_ascii_case(address));
        if !self.is_revoked(address) {
            self.revoked.push(address.to_ascii_lowercase());
        }
    }

    /// Gives the consent back, as a person does who consents again.
    pub(crate) fn restore(&mut self, address: &str) {
        self.revoked.retain(|a| !a.eq_ignore_ascii_case(address));
    }

    fn is_revoked(&self, address: &str) -> bool {
        self.revoked.iter().any(|a| a.eq_ignore_ascii_case(address))
    }

    /// Narrows what later tokens of a mailbox may do.
    pub(crate) fn narrow(&mut self, address: &str, scopes: &str) {
        self.narrowed
            .retain(|(a, _)| !a.eq_ignore_ascii_case(address));
        self.narrowed
            .push((address.to_ascii_lowercase(), scopes.to_owned()));
        self.valid
            .retain(|t| !t.address.eq_ignore_ascii_case(address));
    }

    fn scopes(&self, address: &str) -> String {
        let found = self
            .narrowed
            .iter()
            .find(|(a, _)| a.eq_ignore_ascii_case(address));
        found.map_or_else(|| SCOPES.to_owned(), |(_, scopes)| scopes.clone())
    }
}

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/token", post(token))
        .route("/revoke", post(revoke))
        .with_state(Arc::clone(world))
}

fn refuse(status: u16, error: &str, description: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = json!({"error": error, "error_description": description});
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

type Form = Vec<(String, String)>;

fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

async fn token(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    axum::extract::Form(form): axum::extract::Form<Form>,
) -> Response {
    match field(&form, "grant_type") {
        Some("refresh_token") => refresh(&world, &headers, &form),
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => assertion(&world, &form),
        Some(other) => refuse(
            400,
            "unsupported_grant_type",
            &format!("Invalid grant_type: {other}"),
        ),
        None => refuse(
            400,
            "invalid_request",
            "Missing required parameter: grant_type",
        ),
    }
}

fn refresh(world: &World, headers: &HeaderMap, form: &Form) -> Response {
    let basic = basic_credentials(headers);
    let (id, secret) = match &basic {
        Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
        None => (field(form, "client_id"), field(form, "client_secret")),
    };
    match (id, secret) {
        (None, _) => return refuse(400, "invalid_request", "Could not determine client ID."),
        (Some(CLIENT_ID), Some(CLIENT_SECRET)) => {}
        (Some(CLIENT_ID), _) => return refuse(401, "invalid_client", "Unauthorized"),
        _ => return refuse(401, "invalid_client", "The OAuth client was not found."),
    }
    let Some(given) = field(form, "refresh_token") else {
        return refuse(
            400,
            "invalid_request",
            "Missing required parameter: refresh_token",
        );
    };
    let Some(person) = world.people.iter().find(|p| refresh_token(p) == given) else {
        return refuse(400, "invalid_grant", "Bad Request");
    };
    if lock(&world.google.tokens).is_revoked(&person.address) {
        return refuse(400, "invalid_grant", "Token has been expired or revoked.");
    }
    let scopes = lock(&world.google.tokens).scopes(&person.address);
    give(world, &person.address, scopes)
}

fn give(world: &World, address: &str, scopes: String) -> Response {
    let text = format!("ya29.sandbox-{}", world.google.ids.token());
    let seconds = lock(&world.google.tokens).give(text.clone(), address, scopes.clone());
    let body = json!({"access_token": text, "expires_in": seconds, "scope": scopes,
        "token_type": "Bearer"});
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let text = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// A service account's assertion, with delegation to the mailbox in `sub`.
fn assertion(world: &World, form: &Form) -> Response {
    let claims = field(form, "assertion").and_then(claims);
    let Some(claims) = claims else {
        return refuse(
            400,
            "invalid_grant",
            "Invalid JWT: the assertion cannot be read.",
        );
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default();
    let now = real_now().as_second();
    let (issued, expires) = (number("iat"), number("exp"));
    let ours = world.addresses.url("google") + "/token";
    let audience = text("aud");
    if audience != "https://oauth2.googleapis.com/token" && audience != ours {
        return refuse(400, "invalid_grant", "Invalid JWT: Failed audience check.");
    }
    if expires <= now || issued > now + 300 || expires - issued > 3_600 {
        let why = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a \
            reasonable timeframe. Check your iat and exp values in the JWT claim.";
        return refuse(400, "invalid_grant", why);
    }
    if text("iss").is_empty() || text("scope").is_empty() {
        return refuse(
            400,
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        );
    }
    let subject = if text("sub").is_empty() {
        text("iss")
    } else {
        text("sub")
    };
    let own_account = subject == text("iss");
    if !own_account && world.person(subject).is_none_or(|p| p.address != subject) {
        return refuse(400, "invalid_grant", "Invalid email or User ID");
    }
    give(world, subject, text("scope").to_owned())
}

fn claims(assertion: &str) -> Option<Value> {
    let mut parts = assertion.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()
}

async fn revoke(
    State(world): State<Arc<World>>,
    axum::extract::Form(form): axum::extract::Form<Form>,
) -> Response {
    let given = field(&form, "token").unwrap_or_default();
    let mut tokens = lock(&world.google.tokens);
    let of_access = tokens
        .valid
        .iter()
        .find(|t| t.text == given)
        .map(|t| t.address.clone());
    let of_refresh = || {
        let person = world.people.iter().find(|p| refresh_token(p) == given)?;
        Some(person.address.clone())
    };
    match of_access.or_else(of_refresh) {
        Some(address) => {
            tokens.revoke(&address);
            Json(json!({})).into_response()
        }
        None => refuse(400, "invalid_token", "Token expired or revoked"),
    }
}
