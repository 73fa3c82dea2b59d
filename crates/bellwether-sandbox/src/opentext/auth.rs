//! The token addresses: OpenText Cloud Platform (with its discovery document) and OTDS, on-premises
//! and cloud. Client credentials by form or JSON, by Basic or in the body; revocation by RFC 7009.
//!
//! The revocation path is our convention; everything else here is public.

use super::OpenText;
use super::tokens::basic;
use crate::world::World;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Routes under the root of the OpenText port.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route(
            "/tenants/{tenant}/.well-known/openid-configuration",
            get(discovery),
        )
        .route("/tenants/{tenant}/oauth2/token", post(tenant_token))
        .route("/tenants/{tenant}/oauth2/revoke", post(revoke))
        .route("/otdsws/oauth2/token", post(token))
        .route(
            "/otdsws/otdstenant/{tenant}/oauth2/token",
            post(tenant_token),
        )
        .route("/otdstenant/{tenant}/oauth2/token", post(tenant_token))
}

async fn discovery(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
) -> Response {
    if tenant != world.opentext.account.tenant {
        return unknown_tenant(&tenant);
    }
    let host = headers
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or("127.0.0.1");
    let base = format!("http://{host}/tenants/{tenant}");
    axum::Json(json!({
        "issuer": base,
        "token_endpoint": format!("{base}/oauth2/token"),
        "revocation_endpoint": format!("{base}/oauth2/revoke"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
    .into_response()
}

async fn tenant_token(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if tenant != world.opentext.account.tenant {
        return unknown_tenant(&tenant);
    }
    answer(&world.opentext, &headers, &body)
}

async fn token(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&world.opentext, &headers, &body)
}

fn answer(opentext: &OpenText, headers: &HeaderMap, body: &[u8]) -> Response {
    let fields = fields(body);
    let field = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let client = match known_client(opentext, headers, &fields) {
        Ok(client) => client,
        Err(refusal) => return *refusal,
    };
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return oauth_error(400, "unsupported_grant_type", "Use client_credentials."),
        None => return oauth_error(400, "invalid_request", "grant_type is missing."),
    }
    let (token, seconds) = opentext.state().tokens.issue(&client, Instant::now());
    let mut answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds});
    if let Some(scope) = field("scope") {
        answer["scope"] = json!(scope);
    }
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response()
}

async fn revoke(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if tenant != world.opentext.account.tenant {
        return unknown_tenant(&tenant);
    }
    let fields = fields(&body);
    if let Err(refusal) = known_client(&world.opentext, &headers, &fields) {
        return *refusal;
    }
    match fields.get("token").and_then(Value::as_str) {
        Some(token) => {
            world.opentext.state().tokens.revoke(token);
            StatusCode::OK.into_response()
        }
        None => oauth_error(400, "invalid_request", "token is missing."),
    }
}

/// The client that the Basic header or the body names, if its secret fits.
fn known_client(
    opentext: &OpenText,
    headers: &HeaderMap,
    fields: &Map<String, Value>,
) -> Result<String, Box<Response>> {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let from_header = header
        .and_then(|text| text.strip_prefix("Basic "))
        .and_then(basic);
    let field = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let given = from_header.or_else(|| Some((field("client_id")?, field("client_secret")?)));
    let account = &opentext.account;
    match given {
        Some((id, secret)) if id == account.client_id && secret == account.client_secret => Ok(id),
        Some(_) => Err(oauth_error(401, "invalid_client", "Client or secret is wrong.").into()),
        None => Err(oauth_error(401, "invalid_client", "No client credentials were sent.").into()),
    }
}

/// Reads a JSON object or, failing that, a form; OpenText's own starters send both, and one of
/// them labels a form as JSON, so the label is not trusted.
fn fields(body: &[u8]) -> Map<String, Value> {
    if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
        return fields;
    }
    let text = String::from_utf8_lossy(body);
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescape(name), Value::String(unescape(value))))
        .collect()
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn oauth_error(status: u16, error: &str, words: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = axum::Json(json!({"error": error, "error_description": words}));
    if status == StatusCode::UNAUTHORIZED {
        let realm = [(header::WWW_AUTHENTICATE, "Basic realm=\"opentext\"")];
        return (status, realm, body).into_response();
    }
    (status, body).into_response()
}

fn unknown_tenant(tenant: &str) -> Response {
    let words = format!("There is no tenant {tenant:?}.");
    let body = json!({"error": "invalid_request", "error_description": words});
    (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_forms_and_json_alike() {
        let form = fields(b"grant_type=client_credentials&client_id=a%20b&scope=x+y&bad=%zz");
        assert_eq!(form["client_id"], "a b");
        assert_eq!(form["scope"], "x y");
        assert_eq!(form["bad"], "%zz");
        assert_eq!(fields(b"{\"client_id\":\"c\"}")["client_id"], "c");
    }
}
