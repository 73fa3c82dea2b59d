//! Batches: many calls in one `multipart/mixed` request to `/batch` or `/batch/gmail/v1`. Each
//! inner call goes through the same router as a call of its own.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::errors::{Answer, GoogleError};
use super::upload::{boundary, content, split};
use crate::faults::REQUEST_LIMIT;

/// Calls in one batch.
const BATCH_LIMIT: usize = 100;

pub(crate) fn routes(inner: Router) -> Router {
    Router::new()
        .route("/batch", post(batch))
        .route("/batch/gmail/v1", post(batch))
        .with_state(inner)
}

async fn batch(State(inner): State<Router>, headers: HeaderMap, bytes: Bytes) -> Answer {
    let bad = || GoogleError::invalid("Failed to parse batch request.");
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let boundary = kind.and_then(boundary).ok_or_else(bad)?;
    let parts = split(&bytes, &boundary);
    if parts.is_empty() || parts.len() > BATCH_LIMIT {
        return Err(GoogleError::invalid(
            "The batch request must hold 1 to 100 calls.",
        ));
    }
    let mark = "batch_sandbox";
    let mut out = Vec::new();
    for part in parts {
        let id = line_value(&part[..part.len() - content(part).len()], "Content-ID");
        let call = inner_call(content(part), &headers).ok_or_else(bad)?;
        let answered = TowerToHyperService::new(inner.clone()).call(call).await;
        let answer = answered.unwrap_or_else(|never| match never {});
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, REQUEST_LIMIT)
            .await
            .unwrap_or_default();
        let reason = parts.status.canonical_reason().unwrap_or_default();
        let id = id.unwrap_or_default();
        let id = id.trim_start_matches('<').trim_end_matches('>');
        let head = format!(
            "--{mark}\r\nContent-Type: application/http\r\nContent-ID: <response-{id}>\r\n\r\n\
             HTTP/1.1 {} {reason}\r\nContent-Type: application/json; charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n",
            parts.status.as_u16(),
            body.len()
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{mark}--\r\n").as_bytes());
    let kind = format!("multipart/mixed; boundary={mark}");
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], out).into_response())
}

/// Reads the HTTP request inside a part; it takes the outer authorisation when it has none.
fn inner_call(text: &[u8], outer: &HeaderMap) -> Option<Request<Body>> {
    let body = content(text);
    let head = std::str::from_utf8(&text[..text.len() - body.len()]).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split_whitespace();
    let method: Method = words.next()?.parse().ok()?;
    let target = words.next()?;
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let mut request = Request::builder().method(method).uri(target);
    let mut authorised = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        authorised |= name.eq_ignore_ascii_case("authorization");
        if !name.eq_ignore_ascii_case("content-length") {
            request = request.header(name.trim(), value.trim());
        }
    }
    if !authorised && let Some(value) = outer.get(header::AUTHORIZATION) {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Body::from(body.trim_ascii().to_vec())).ok()
}

fn line_value(head: &[u8], name: &str) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}
