//! Faults on the wire: a registry of what shall go wrong, and the layer that lets it go wrong for a
//! stand-in's routes. Faults of meaning (history that expires, revoked grants) are with the
//! stand-in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::recorder::Call;
use crate::server::Wire;
use crate::world::World;

/// Most faults that may be registered at one time.
const FAULTS_LIMIT: usize = 1_000;
/// Longest delay a `slow` fault may ask for.
const DELAY_LIMIT: Duration = Duration::from_secs(600);
/// Largest request any stand-in reads: an upload for Gmail import (157,286,400) and its envelope.
pub(crate) const REQUEST_LIMIT: usize = 160 * 1024 * 1024;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// The given status is answered; the call is not handled.
    Status,
    /// The call is handled fully, then the given status is answered instead.
    StatusAfter,
    /// The connection is reset before the call is handled.
    ResetBefore,
    /// The call is handled fully, then the connection is reset without an answer.
    ResetAfter,
    /// The answer comes late.
    Slow,
    /// The call is handled twice; the answer of the first handling is given.
    Duplicate,
    /// Half of the answer's body is given.
    Truncate,
    /// An outage page in HTML is answered with status 200 or the given one; nothing is handled.
    Html,
}

impl FaultKind {
    fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::StatusAfter => "status_after",
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::Slow => "slow",
            Self::Duplicate => "duplicate",
            Self::Truncate => "truncate",
            Self::Html => "html",
        }
    }
}

/// One registered fault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    #[serde(default)]
    pub(crate) id: u64,
    /// Which door it hits, for example `google.gmail`.
    pub(crate) target: String,
    /// Only calls whose path and query contain this text.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub(crate) matching: Option<String>,
    pub(crate) kind: FaultKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Seconds for the header `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
    /// Body to answer instead of the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// How many calls it hits; 0 = until it is cleared.
    #[serde(default = "once")]
    pub(crate) times: u64,
    /// How many calls it has hit.
    #[serde(default)]
    pub(crate) hits: u64,
}

fn once() -> u64 {
    1
}

/// The registered faults, oldest first. Used-up ones stay listed with their count.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    registered: Mutex<(u64, Vec<Fault>)>,
}

impl Faults {
    /// Registers a fault and gives its id; `None` when too many are registered.
    pub(crate) fn add(&self, mut fault: Fault) -> Option<u64> {
        let mut all = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if all.1.len() >= FAULTS_LIMIT {
            all.1.retain(|f| f.times == 0 || f.hits < f.times);
        }
        if all.1.len() >= FAULTS_LIMIT {
            return None;
        }
        all.0 += 1;
        fault.id = all.0;
        fault.hits = 0;
        let id = fault.id;
        all.1.push(fault);
        Some(id)
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// Removes one fault, or all; false when there was no such fault.
    pub(crate) fn clear(&self, id: Option<u64>) -> bool {
        let mut all = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = all.1.len();
        all.1.retain(|f| id.is_some_and(|id| f.id != id));
        id.is_none() || all.1.len() < before
    }

    /// The first fault that is due for a call, counted as a hit.
    fn take(&self, target: &str, path: &str) -> Option<Fault> {
        let mut all = self
            .registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let due = all.1.iter_mut().find(|f| {
            f.target == target
                && (f.times == 0 || f.hits < f.times)
                && f.matching.as_deref().is_none_or(|m| path.contains(m))
        })?;
        due.hits += 1;
        Some(due.clone())
    }
}

/// Puts a stand-in's routes behind the faults of `target` and records each call.
pub(crate) fn guard(router: Router, world: &Arc<World>, target: &'static str) -> Router {
    router.layer(middleware::from_fn_with_state(
        (Arc::clone(world), target),
        apply,
    ))
}

async fn apply(
    State((world, target)): State<(Arc<World>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let method = request.method().to_string();
    let wire = request.extensions().get::<Wire>().cloned();
    let fault = world.faults.take(target, &path);
    let kind = fault.as_ref().map(|f| f.kind.name());
    if let Some(kind) = kind {
        world.tell(
            "fault",
            "",
            format!("{kind} on {target} {method}"),
            json!({"path": path}),
        );
    }
    let answer = match fault {
        None => Some(next.run(request).await),
        Some(fault) => hit(&fault, request, next).await,
    };
    world.recorder.record(Call {
        number: 0,
        target,
        method,
        path,
        status: answer.as_ref().map(|a| a.status().as_u16()),
        fault: kind,
        at: world.clock.now(),
    });
    match (answer, wire) {
        (Some(answer), _) => answer,
        (None, Some(wire)) => {
            wire.reset();
            // The connection is torn down from outside; this future is dropped with it.
            std::future::pending().await
        }
        (None, None) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Applies a fault; `None` means that the connection is to be reset.
async fn hit(fault: &Fault, request: Request, next: Next) -> Option<Response> {
    if fault.kind != FaultKind::Slow && fault.delay_ms > 0 {
        pause(fault).await;
    }
    match fault.kind {
        FaultKind::Status => Some(instead(fault, request).await),
        FaultKind::Html => Some(outage(fault)),
        FaultKind::ResetBefore => None,
        FaultKind::StatusAfter => {
            handle(request, next).await;
            Some(answer_status(fault))
        }
        FaultKind::ResetAfter => {
            handle(request, next).await;
            None
        }
        FaultKind::Slow => {
            pause(fault).await;
            Some(next.run(request).await)
        }
        FaultKind::Duplicate => Some(twice(request, next).await),
        FaultKind::Truncate => Some(half(next.run(request).await).await),
    }
}

async fn pause(fault: &Fault) {
    let delay = if fault.delay_ms == 0 {
        1_000
    } else {
        fault.delay_ms
    };
    tokio::time::sleep(Duration::from_millis(delay).min(DELAY_LIMIT)).await;
}

/// Handles a call fully and throws its answer away.
async fn handle(request: Request, next: Next) {
    let answer = next.run(request).await;
    // Handled fully means: the body of the answer was made too.
    drop(axum::body::to_bytes(answer.into_body(), REQUEST_LIMIT).await);
}

async fn instead(fault: &Fault, request: Request) -> Response {
    // The body is read first, as a real server behind a proxy would; an unread body would make the
    // client see a reset instead of the status.
    drop(axum::body::to_bytes(request.into_body(), REQUEST_LIMIT).await);
    answer_status(fault)
}

fn answer_status(fault: &Fault) -> Response {
    let status = fault.status.and_then(|s| StatusCode::from_u16(s).ok());
    let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = fault.body.clone().unwrap_or_else(|| default_body(status));
    let mut answer = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(seconds) = fault.retry_after {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// An error body that both Google's and common JSON clients understand.
fn default_body(status: StatusCode) -> String {
    let (reason, name) = match status.as_u16() {
        400 => ("badRequest", "INVALID_ARGUMENT"),
        401 => ("authError", "UNAUTHENTICATED"),
        403 => ("rateLimitExceeded", "PERMISSION_DENIED"),
        404 => ("notFound", "NOT_FOUND"),
        429 => ("rateLimitExceeded", "RESOURCE_EXHAUSTED"),
        500 => ("backendError", "INTERNAL"),
        _ => ("backendError", "UNAVAILABLE"),
    };
    let message = "Fault set in the sandbox.";
    json!({"error": {"code": status.as_u16(), "message": message, "status": name,
        "errors": [{"message": message, "domain": "global", "reason": reason}]}})
    .to_string()
}

fn outage(fault: &Fault) -> Response {
    let status = fault
        .status
        .and_then(|s| StatusCode::from_u16(s).ok())
        .unwrap_or(StatusCode::OK);
    let page = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>\
        <h1>We will be back soon</h1><p>The service is being maintained.</p></body></html>";
    let page = fault.body.clone().unwrap_or_else(|| page.to_owned());
    let mut answer = (status, axum::response::Html(page)).into_response();
    if let Some(seconds) = fault.retry_after {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

async fn twice(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, REQUEST_LIMIT)
        .await
        .unwrap_or_else(|_| Bytes::new());
    let first = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let answer = next.clone().run(first).await;
    drop(
        next.run(Request::from_parts(parts, Body::from(bytes)))
            .await,
    );
    answer
}

async fn half(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let bytes = axum::body::to_bytes(body, REQUEST_LIMIT)
        .await
        .unwrap_or_else(|_| Bytes::new());
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}
