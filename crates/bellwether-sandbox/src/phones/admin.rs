//! The phones on the control surface: what is on them, and what their people do.

use super::report::Companion;
use super::{Answer, Doing, Phone, PhoneError, Verb, do_it, set_online};
use crate::admin::refuse;
use crate::world::World;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/admin/phones", get(all))
        .route("/admin/phones/{person}", get(one))
        .route("/admin/phones/{person}/{doing}", post(doing))
        .route(
            "/admin/companion",
            get(companion).post(set_companion).delete(forget_companion),
        )
        .with_state(Arc::clone(world))
}

fn to_json(world: &World, phone: &Phone) -> Value {
    let person = world.person(&phone.person);
    json!({
        "person": phone.person, "name": person.map(|p| &p.name),
        "address": person.map(|p| &p.address), "device": phone.device, "online": phone.online,
        "waiting": phone.waiting.len(), "unsent_reports": world.phones.unsent(&phone.person),
        "pushes": phone.pushes.iter().rev().map(|p| p.to_json()).collect::<Vec<_>>(),
    })
}

async fn all(State(world): State<Arc<World>>) -> Json<Value> {
    let phones = world
        .people
        .iter()
        .filter_map(|p| world.phones.phone(&p.id));
    Json(Value::Array(
        phones.map(|phone| to_json(&world, &phone)).collect(),
    ))
}

async fn one(State(world): State<Arc<World>>, Path(person): Path<String>) -> Response {
    match world
        .person(&person)
        .and_then(|p| world.phones.phone(&p.id))
    {
        Some(phone) => Json(to_json(&world, &phone)).into_response(),
        None => no_phone(&person),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    notification: Option<String>,
    action: Option<String>,
    comment: Option<String>,
    #[serde(default)]
    force: bool,
}

async fn doing(
    State(world): State<Arc<World>>,
    Path((person, doing)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let Some(id) = world.person(&person).map(|p| p.id.clone()) else {
        return no_phone(&person);
    };
    let asked: Asked = if body.is_empty() {
        Asked::default()
    } else {
        match serde_json::from_slice(&body) {
            Ok(asked) => asked,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, format!("the body: {error}")),
        }
    };
    let verb = match doing.as_str() {
        "open" => Verb::Open,
        "act" => Verb::Act,
        "ignore" => Verb::Ignore,
        "online" | "offline" => {
            return match set_online(&world, &id, doing == "online") {
                Some(arrived) => {
                    Json(json!({"ok": true, "arrived": arrived.len()})).into_response()
                }
                None => no_phone(&person),
            };
        }
        other => {
            let words = format!("{other:?} is not open, act, ignore, offline or online");
            return refuse(StatusCode::NOT_FOUND, words);
        }
    };
    let doing = Doing {
        which: asked.notification.as_deref(),
        action: asked.action.as_deref(),
        comment: asked.comment.as_deref(),
        force: asked.force,
    };
    match do_it(&world, &id, verb, doing).await {
        Some(Ok((push, answer))) => {
            let ok = answer.as_ref().is_none_or(worked);
            Json(json!({"ok": ok, "answer": answer, "push": push.to_json()})).into_response()
        }
        Some(Err(error)) => refuse(status(&error), error.to_string()),
        None => no_phone(&person),
    }
}

/// The server took the report, or the phone will still bring it.
fn worked(answer: &Answer) -> bool {
    (200..300).contains(&answer.status) || answer.result == "queued"
}

fn status(error: &PhoneError) -> StatusCode {
    match error {
        PhoneError::NoSuchPush(_) => StatusCode::NOT_FOUND,
        PhoneError::NotVisible(_) => StatusCode::CONFLICT,
        PhoneError::NoSuchAction { .. } | PhoneError::CommentMissing(_) => StatusCode::BAD_REQUEST,
    }
}

fn no_phone(person: &str) -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        format!("{person:?} is nobody with a phone here"),
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetCompanion {
    engagement_url: String,
    app_key: String,
    #[serde(default = "yes")]
    received: bool,
}

fn yes() -> bool {
    true
}

async fn companion(State(world): State<Arc<World>>) -> Json<Value> {
    Json(match world.phones.companion() {
        Some(c) => json!({"engagement_url": c.url, "received": c.received}),
        None => json!({"engagement_url": null}),
    })
}

async fn set_companion(State(world): State<Arc<World>>, Json(set): Json<SetCompanion>) -> Response {
    match Companion::new(&set.engagement_url, &set.app_key, set.received) {
        Ok(companion) => {
            let text = format!("The companion app reports to {}.", companion.url);
            world.phones.set_companion(Some(companion));
            world.tell("admin", "", text, Value::Null);
            Json(json!({"ok": true})).into_response()
        }
        Err(words) => refuse(StatusCode::BAD_REQUEST, words),
    }
}

async fn forget_companion(State(world): State<Arc<World>>) -> Json<Value> {
    world.phones.set_companion(None);
    Json(json!({"ok": true}))
}
