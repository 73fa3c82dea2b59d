//! `/hooks/{connection}[/{inlet}]`: reads one body, asks the engine, answers. The busiest path of
//! the server, so it has no layer, no span and no copy that it does not need.

use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bellwether_engine::seam::TurnedAway;
use bellwether_model::http::{RAW_MAX, RawAnswer, RawRequest};

use crate::body;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::web::Web;

/// What a caller waits for when the engine names no time.
const RETRY_AFTER_S: u32 = 1;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/hooks/{connection}", post(plain))
        .route("/hooks/{connection}/{inlet}", post(named))
}

async fn plain(
    State(web): State<Web>,
    Path(connection): Path<String>,
    request: Request,
) -> Response {
    receive(&web, &connection, String::new(), request).await
}

async fn named(
    State(web): State<Web>,
    Path((connection, inlet)): Path<(String, String)>,
    request: Request,
) -> Response {
    receive(&web, &connection, inlet, request).await
}

async fn receive(web: &Web, connection: &str, inlet: String, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().lower();
    let body = match body::read(body, RAW_MAX).await {
        Ok(bytes) => bytes.into(),
        Err(problem) => {
            web.counters.hook(problem.status.as_u16());
            let away = unread(inlet, &parts, announced, &problem);
            web.app.inlets.turned_away(connection, away);
            return problem.into_response();
        }
    };
    let request = RawRequest {
        inlet,
        headers: plain_headers(&parts.headers),
        body,
    };
    let inlets = &web.app.inlets;
    let said = inlets
        .receive_from(connection, caller(&parts), request)
        .await;
    web.counters.hook(said.status);
    answer(said)
}

/// What is counted of a request whose body was not read to its end.
fn unread(inlet: String, parts: &Parts, announced: u64, problem: &Problem) -> TurnedAway {
    TurnedAway {
        inlet,
        caller: caller(parts),
        status: problem.status.as_u16(),
        code: problem.code.to_owned(),
        message: problem.message.clone(),
        bytes: announced,
    }
}

/// Where a request came from, for people to look at; nothing is decided by it. Behind a proxy of
/// our own network it is what that proxy says it passes on.
fn caller(parts: &Parts) -> Option<IpAddr> {
    let near = parts.extensions.get::<Peer>()?.address.ip().to_canonical();
    let inside = match near {
        IpAddr::V4(near) => near.is_loopback() || near.is_private(),
        IpAddr::V6(near) => near.is_loopback() || near.is_unique_local(),
    };
    let passed_on = || {
        let all = parts.headers.get("x-forwarded-for")?.to_str().ok()?;
        all.rsplit(',').next()?.trim().parse().ok()
    };
    Some(inside.then(passed_on).flatten().unwrap_or(near))
}

/// Headers as text. A value that is not ASCII text can be no signature and no token: left out.
fn plain_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn answer(said: RawAnswer) -> Response {
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry = matches!(said.status, 429 | 503).then(|| retry_after(&said.body));
    let mut answer = Response::new(Body::from(said.body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(seconds) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// The seconds that the answer itself names as `retry_after_s`, else one.
fn retry_after(body: &str) -> u32 {
    serde_json::from_str::<serde_json::Value>(body)
        .ok()
        .and_then(|body| body.get("retry_after_s")?.as_u64())
        .and_then(|seconds| u32::try_from(seconds).ok())
        .unwrap_or(RETRY_AFTER_S)
}
