//! The push services on the control surface: the calls they saw, and the knobs of the stand-in.

use super::pipeline;
use crate::admin::refuse;
use crate::world::World;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Calls given in one answer of `GET /admin/pushes`.
const CALLS_PAGE: usize = 1_000;
/// Longest lifetime of a token and longest delay that can be set.
const MAX_TOKEN_SECONDS: u64 = 24 * 3600;
const MAX_DELAY_MS: u64 = 60_000;

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/admin/pushes", get(pushes))
        .route("/admin/opentext", get(knobs).post(turn))
        .with_state(Arc::clone(world))
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn pushes(State(world): State<Arc<World>>, Query(asked): Query<After>) -> Json<Value> {
    Json(world.opentext.state().calls.after(asked.after, CALLS_PAGE))
}

async fn knobs(State(world): State<Arc<World>>) -> Json<Value> {
    let state = world.opentext.state();
    let knobs = &state.knobs;
    Json(json!({
        "hold": knobs.hold, "status_route": knobs.status_route, "delay_ms": knobs.delay_ms,
        "purge_seconds": knobs.purge_seconds, "token_seconds": state.tokens.seconds,
        "tokens_issued": state.tokens.issued(), "queued": state.queue.busy(),
    }))
}

/// Every field is optional; what is missing stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    hold: Option<bool>,
    status_route: Option<bool>,
    delay_ms: Option<u64>,
    purge_seconds: Option<i64>,
    token_seconds: Option<u64>,
    #[serde(default)]
    revoke_tokens: bool,
}

async fn turn(State(world): State<Arc<World>>, Json(turn): Json<Turn>) -> Response {
    let too_long = turn.token_seconds.is_some_and(|s| s > MAX_TOKEN_SECONDS)
        || turn.delay_ms.is_some_and(|ms| ms > MAX_DELAY_MS)
        || turn.purge_seconds.is_some_and(|s| s < 0);
    if too_long {
        let words = "token_seconds is at most a day, delay_ms at most a minute, nothing negative";
        return refuse(StatusCode::BAD_REQUEST, words);
    }
    let revoked = {
        let mut state = world.opentext.state();
        let knobs = &mut state.knobs;
        knobs.hold = turn.hold.unwrap_or(knobs.hold);
        knobs.status_route = turn.status_route.unwrap_or(knobs.status_route);
        knobs.delay_ms = turn.delay_ms.unwrap_or(knobs.delay_ms);
        knobs.purge_seconds = turn.purge_seconds.unwrap_or(knobs.purge_seconds);
        state.tokens.seconds = turn.token_seconds.unwrap_or(state.tokens.seconds);
        if turn.revoke_tokens {
            state.tokens.revoke_all()
        } else {
            0
        }
    };
    if let Some(hold) = turn.hold {
        set_hold(&world, hold);
    }
    if revoked > 0 {
        world.tell(
            "admin",
            "",
            format!("OpenText took {revoked} tokens back."),
            Value::Null,
        );
    }
    Json(json!({"ok": true, "revoked": revoked})).into_response()
}

/// Holds every push behind OpenText, or lets them go on.
pub(crate) fn set_hold(world: &Arc<World>, hold: bool) {
    world.opentext.state().knobs.hold = hold;
    pipeline::mark_held(world, hold);
    pipeline::start(world);
    let text = if hold {
        "OpenText holds all pushes."
    } else {
        "OpenText lets pushes go on."
    };
    world.tell("admin", "", text, Value::Null);
}
