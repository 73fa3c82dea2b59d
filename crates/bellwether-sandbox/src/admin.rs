//! The control surface of the sandbox that belongs to no single stand-in: info, clock, faults,
//! calls, reset and the stream of lines. Stand-ins add their own routes next to these.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use futures_util::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::clock::{ClockSetting, RATE_LIMIT, real_now};
use crate::faults::{Fault, FaultKind};
use crate::world::{Line, World};

/// Calls given in one answer of `GET /admin/calls`.
const CALLS_PAGE: usize = 1_000;

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/admin/info", get(info))
        .route("/admin/clock", get(clock).post(set_clock))
        .route(
            "/admin/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/admin/faults/{id}", delete(clear_fault))
        .route("/admin/calls", get(calls))
        .route("/admin/reset", post(reset))
        .route("/events", get(events))
        .with_state(Arc::clone(world))
}

/// A refusal of the control surface: a status and one sentence.
pub(crate) fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(json!({"error": message.into()}))).into_response()
}

async fn info(State(world): State<Arc<World>>) -> Json<Value> {
    let mut all = Map::new();
    for stand_in in crate::all() {
        all.extend((stand_in.info)(&world));
    }
    Json(Value::Object(all))
}

async fn clock(State(world): State<Arc<World>>) -> Json<Value> {
    let set = world.clock.setting();
    Json(
        json!({"start": set.start, "rate": set.rate, "real_start": set.real_start,
        "now": world.clock.now()}),
    )
}

#[derive(Debug, Deserialize)]
struct SetClock {
    start: Timestamp,
    #[serde(default = "real_time")]
    rate: f64,
    real_start: Option<Timestamp>,
}

fn real_time() -> f64 {
    1.0
}

async fn set_clock(State(world): State<Arc<World>>, Json(set): Json<SetClock>) -> Response {
    if !set.rate.is_finite() || set.rate < 0.0 || set.rate > RATE_LIMIT {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!("rate must be 0 to {RATE_LIMIT}"),
        );
    }
    let real_start = set.real_start.unwrap_or_else(real_now);
    world.clock.set(ClockSetting {
        start: set.start,
        rate: set.rate,
        real_start,
    });
    world.tell(
        "admin",
        "",
        "The flow clock was set.",
        json!({"rate": set.rate}),
    );
    clock(State(world)).await.into_response()
}

async fn faults(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"faults": world.faults.list()}))
}

async fn add_fault(State(world): State<Arc<World>>, Json(fault): Json<Fault>) -> Response {
    if !crate::fault_targets().any(|t| t == fault.target) {
        let known = crate::fault_targets().collect::<Vec<_>>().join(", ");
        let message = format!("target {:?} is not known; known are: {known}", fault.target);
        return refuse(StatusCode::BAD_REQUEST, message);
    }
    let allowed = fault.status.is_none_or(|s| (100..600).contains(&s));
    let needs = matches!(fault.kind, FaultKind::Status | FaultKind::StatusAfter);
    if !allowed || (needs && fault.status.is_none()) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "a status fault needs a status of 100 to 599",
        );
    }
    match world.faults.add(fault) {
        Some(id) => Json(json!({"id": id})).into_response(),
        None => refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "too many faults; clear some first",
        ),
    }
}

async fn clear_faults(State(world): State<Arc<World>>) -> Json<Value> {
    world.faults.clear(None);
    Json(json!({"ok": true}))
}

async fn clear_fault(State(world): State<Arc<World>>, Path(id): Path<u64>) -> Response {
    if world.faults.clear(Some(id)) {
        return Json(json!({"ok": true})).into_response();
    }
    refuse(StatusCode::NOT_FOUND, format!("there is no fault {id}"))
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn calls(State(world): State<Arc<World>>, Query(q): Query<After>) -> Json<Value> {
    let (total, items) = world.recorder.after(q.after, CALLS_PAGE);
    Json(json!({"total": total, "items": items}))
}

async fn reset(State(world): State<Arc<World>>) -> Json<Value> {
    world.faults.clear(None);
    world.recorder.clear();
    for stand_in in crate::all() {
        (stand_in.reset)(&world);
    }
    world.tell("admin", "", "Everything is back at the start.", Value::Null);
    Json(json!({"ok": true}))
}

async fn events(
    State(world): State<Arc<World>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (recent, receiver) = world.lines.listen();
    let later = stream::unfold(receiver, |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(line) => return Some((line, receiver)),
                // A page that fell behind goes on with what comes now.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let lines = stream::iter(recent)
        .chain(later)
        .map(|line| Ok(event(&line)));
    Sse::new(lines).keep_alive(KeepAlive::default())
}

fn event(line: &Line) -> Event {
    let text = serde_json::to_string(line).unwrap_or_default();
    Event::default()
        .id(line.number.to_string())
        .event(line.kind)
        .data(text)
}
