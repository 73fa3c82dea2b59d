//! The AppWorks Gateway's notifications: `fcm-push`, the older `push`, and `seqBounds`. Bodies,
//! rules and the error shape are public; groups, clients and who is in them are the stand-in's.
//!
//! A gateway accepts a request although nobody is eligible: 200 is never delivery. Unknown fields
//! are refused, which is our guess at a strict reader and finds misspelt names early.

use super::calls::Call;
use super::fcm::{MAX_TTL_SECONDS, add_seconds, parse_ttl};
use super::pipeline::{self, What, Work};
use crate::phones::{Channel, Push};
use crate::world::World;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

const APP_KEY: HeaderName = HeaderName::from_static("otagappkey");
/// Notifications the gateway's table keeps; older sequence numbers are purged.
const TABLE_ROWS: u64 = 1_000;

const RECIPIENTS: &[&str] = &["clientIds", "users", "otdsGroups", "runtimes"];
const COMMON: &[&str] = &["broadcast", "title", "summary", "data", "geofence"];
const FCM_ONLY: &[&str] = &[
    "targetAppName",
    "collapseKey",
    "topicName",
    "topicDestinationProjectId",
    "androidConfig",
    "apnsConfig",
    "webpushConfig",
];
const ANDROID: &[&str] = &[
    "collapseKey",
    "priority",
    "ttl",
    "restrictedPackageName",
    "data",
    "notification",
];
const APNS: &[&str] = &["aps", "headers", "payload"];

/// OTDS groups of the stand-in's directory.
const GROUPS: &[(&str, &[&str])] = &[
    ("approvers", &["alice", "dora", "carl", "lena"]),
    ("purchasing", &["alice", "dora"]),
    ("finance", &["carl"]),
    ("legal", &["lena"]),
    ("it", &["ivan"]),
];

/// The groups and who is in them, for `GET /admin/info`.
pub(crate) fn groups() -> Value {
    GROUPS
        .iter()
        .map(|(group, people)| ((*group).to_owned(), json!(people)))
        .collect()
}

/// The gateway's table of notifications, as far as its numbers go.
#[derive(Debug, Default)]
pub(crate) struct Gateway {
    last: u64,
}

impl Gateway {
    fn bounds(&self) -> Value {
        let first = if self.last == 0 {
            0
        } else {
            self.last.saturating_sub(TABLE_ROWS) + 1
        };
        json!({"currentMinSeq": first, "currentMaxSeq": self.last})
    }
}

/// Routes under the root of the OpenText port.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/deployments/notifications/{app}/fcm-push", post(fcm_push))
        .route("/deployments/notifications/{app}/push", post(push))
        .route(
            "/deployments/notifications/{app}/seqBounds",
            get(seq_bounds),
        )
}

/// A refusal in the gateway's words.
#[derive(Debug)]
struct Refusal {
    status: u16,
    key: &'static str,
    message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            key: "bad.request",
            message: message.into(),
        }
    }

    fn body(&self, app: &str) -> Value {
        json!({"key": self.key, "errorMessage": self.message, "entity": app,
            "status": self.status})
    }
}

async fn fcm_push(
    state: State<Arc<World>>,
    app: Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    notify(&state.0, &app.0, "fcm-push", &headers, &body)
}

async fn push(
    state: State<Arc<World>>,
    app: Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    notify(&state.0, &app.0, "push", &headers, &body)
}

async fn seq_bounds(
    State(world): State<Arc<World>>,
    Path(app): Path<String>,
    headers: HeaderMap,
) -> Response {
    match known(&world, &app, &headers) {
        Ok(()) => Json(world.opentext.state().gateway.bounds()).into_response(),
        Err(refusal) => respond(refusal.status, &refusal.body(&app)),
    }
}

fn known(world: &World, app: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let account = &world.opentext.account;
    let given = headers.get(APP_KEY).and_then(|value| value.to_str().ok());
    let refuse = |status, key, message: &str| {
        Err(Refusal {
            status,
            key,
            message: message.to_owned(),
        })
    };
    match given {
        None => refuse(401, "unauthorized", "The header otagAppKey is missing."),
        Some(key) if key != account.otag_app_key => refuse(
            403,
            "forbidden",
            "The otagAppKey is not the one of this app.",
        ),
        Some(_) if app != account.otag_app => refuse(
            404,
            "app.not.found",
            "There is no such app on this gateway.",
        ),
        Some(_) => Ok(()),
    }
}

fn notify(
    world: &Arc<World>,
    app: &str,
    call: &'static str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let now = world.clock.now();
    let inner: Result<Value, _> = serde_json::from_slice(body);
    let read = known(world, app, headers).and_then(|()| match &inner {
        Ok(inner) => request(world, app, call, inner, now),
        Err(error) => Err(Refusal::bad(format!("not JSON: {error}"))),
    });
    let (status, answer) = {
        let mut state = world.opentext.state();
        let (status, answer) = match &read {
            Ok(_) if state.queue.full() => {
                let key = "internal";
                let busy = Refusal {
                    status: 500,
                    key,
                    message: "Too many wait.".to_owned(),
                };
                (500, busy.body(app))
            }
            Ok(_) => (200, Value::Null),
            Err(refusal) => (refusal.status, refusal.body(app)),
        };
        let number = state.calls.add(Call {
            number: 0,
            at: now,
            channel: Channel::Otag,
            path: format!("/deployments/notifications/{app}/{call}"),
            caller: (status != 401 && status != 403).then(|| app.to_owned()),
            submit_id: None,
            inner: inner.unwrap_or_default(),
            status,
            answer: answer.clone(),
            job_id: None,
            fates: Vec::new(),
        });
        if let (Ok((people, push)), 200) = (read, status) {
            state.gateway.last += 1;
            if people.is_empty() {
                state.calls.fate(number, "nobody", "undeliverable", now);
            }
            let due = Instant::now() + Duration::from_millis(state.knobs.delay_ms);
            state.queue.add(
                due,
                Work {
                    number,
                    what: What::Notification(people, push),
                },
            );
        }
        (status, answer)
    };
    pipeline::start(world);
    let text = match status {
        200 => "The AppWorks Gateway took a notification.".to_owned(),
        status => format!("The AppWorks Gateway refused a notification with {status}."),
    };
    world.tell("call", "", text, json!({"status": status}));
    respond(status, &answer)
}

fn respond(status: u16, answer: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if answer.is_null() {
        // What the gateway answers on success is not public; callers must live without a body.
        return status.into_response();
    }
    (status, Json(answer)).into_response()
}

/// Checks a body and says who shall see what.
fn request(
    world: &World,
    app: &str,
    call: &str,
    body: &Value,
    now: Timestamp,
) -> Result<(Vec<String>, Push), Refusal> {
    let fields = object(body, "the body")?;
    let fcm = call == "fcm-push";
    let allowed = |key: &str| {
        COMMON.contains(&key) || RECIPIENTS.contains(&key) || (fcm && FCM_ONLY.contains(&key))
    };
    only(fields, allowed, call)?;
    let people = recipients(world, fields, fcm)?;
    let text = |name: &str| text(fields, name);
    let (title, summary) = (text("title")?, text("summary")?);
    let data = match present(fields, "data") {
        Some(value) => Some(object(value, "data")?),
        None => None,
    };
    if title.is_none() && summary.is_none() && data.is_none() {
        return Err(Refusal::bad(
            "At least one of title, summary and data is needed.",
        ));
    }
    let mut push = Push {
        channel: Channel::Otag,
        title: title.unwrap_or_default(),
        body: summary.unwrap_or_default(),
        data: data.map(|data| flat(data, app)).unwrap_or_default(),
        collapse_key: text("collapseKey")?,
        expires_at: add_seconds(now, MAX_TTL_SECONDS),
        origin: 0,
    };
    if let Some(android) = present(fields, "androidConfig") {
        android_config(&mut push, object(android, "androidConfig")?, app, now)?;
    }
    if let Some(apns) = present(fields, "apnsConfig") {
        apns_config(&mut push, object(apns, "apnsConfig")?)?;
    }
    Ok((people, push))
}

/// The union of all recipient kinds, each person once.
fn recipients(
    world: &World,
    fields: &Map<String, Value>,
    fcm: bool,
) -> Result<Vec<String>, Refusal> {
    let broadcast = match present(fields, "broadcast") {
        None => false,
        Some(Value::Bool(yes)) => *yes,
        Some(_) => return Err(Refusal::bad("broadcast must be true or false.")),
    };
    let mut named = BTreeMap::new();
    for kind in RECIPIENTS {
        let list = match present(fields, kind) {
            None => Vec::new(),
            Some(Value::Array(list)) => list
                .iter()
                .map(|v| v.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| Refusal::bad(format!("{kind} must hold texts.")))?,
            Some(_) => return Err(Refusal::bad(format!("{kind} must be a list."))),
        };
        named.insert(*kind, list);
    }
    let any = named.values().any(|list| !list.is_empty());
    let topic = fcm && topic(fields)?;
    if broadcast && any {
        return Err(Refusal::bad(
            "broadcast and recipients contradict each other.",
        ));
    }
    if !broadcast && !any && !topic {
        return Err(Refusal::bad(
            "Recipients are needed unless broadcast is true.",
        ));
    }
    let is = |kind: &str, wanted: &str| {
        named
            .get(kind)
            .is_some_and(|list| list.iter().any(|n| n.eq_ignore_ascii_case(wanted)))
    };
    let in_group = |id: &str| {
        GROUPS
            .iter()
            .any(|(group, people)| people.contains(&id) && is("otdsGroups", group))
    };
    let wanted: BTreeSet<&String> = world
        .people
        .iter()
        .filter(|p| p.phone)
        .filter(|p| {
            broadcast
                || is("users", &p.id)
                || is("users", &p.address)
                || is("clientIds", &format!("client-{}", p.id))
                || is("runtimes", "mobile")
                || in_group(&p.id)
        })
        .map(|p| &p.id)
        .collect();
    Ok(wanted.into_iter().cloned().collect())
}

/// A topic counts only when both of its fields are set; nobody subscribes to one here.
fn topic(fields: &Map<String, Value>) -> Result<bool, Refusal> {
    let name = text(fields, "topicName")?;
    let project = text(fields, "topicDestinationProjectId")?;
    Ok(name.is_some() && project.is_some())
}

fn android_config(
    push: &mut Push,
    android: &Map<String, Value>,
    app: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    only(android, |key| ANDROID.contains(&key), "androidConfig")?;
    if let Some(key) = text(android, "collapseKey")? {
        push.collapse_key = Some(key);
    }
    if let Some(notification) = present(android, "notification") {
        let notification = object(notification, "androidConfig.notification")?;
        if let Some(tag) = text(notification, "tag")? {
            push.collapse_key = Some(tag);
        }
    }
    match present(android, "ttl") {
        None => {}
        Some(Value::String(ttl)) => {
            let seconds = parse_ttl(ttl).map_err(|e| Refusal::bad(e.message))?;
            push.expires_at = add_seconds(now, seconds);
        }
        // The SDK's type of ttl is not public beyond its name; a number is taken as seconds.
        Some(Value::Number(ttl)) => {
            let seconds = ttl.as_i64().filter(|s| (0..=MAX_TTL_SECONDS).contains(s));
            let seconds = seconds.ok_or_else(|| Refusal::bad("androidConfig.ttl is too long."))?;
            push.expires_at = add_seconds(now, seconds);
        }
        Some(_) => return Err(Refusal::bad("androidConfig.ttl must be like 3600s.")),
    }
    if let Some(data) = present(android, "data") {
        push.data
            .extend(flat(object(data, "androidConfig.data")?, app));
    }
    Ok(())
}

fn apns_config(push: &mut Push, apns: &Map<String, Value>) -> Result<(), Refusal> {
    only(apns, |key| APNS.contains(&key), "apnsConfig")?;
    let Some(headers) = present(apns, "headers") else {
        return Ok(());
    };
    let headers = object(headers, "apnsConfig.headers")?;
    if let Some(key) = text(headers, "apns-collapse-id")?
        && push.collapse_key.is_none()
    {
        push.collapse_key = Some(key);
    }
    if let Some(unix) = text(headers, "apns-expiration")? {
        let at = unix
            .parse()
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok());
        let at = at.ok_or_else(|| Refusal::bad("apns-expiration is not a unix time."))?;
        push.expires_at = push.expires_at.min(at);
    }
    Ok(())
}

/// Data as the phone reads it: texts as they are, other values as JSON text, and what stands under
/// the app's own name brought up beside them.
fn flat(data: &Map<String, Value>, app: &str) -> BTreeMap<String, String> {
    let mut read = BTreeMap::new();
    for (key, value) in data {
        match value {
            Value::String(text) => drop(read.insert(key.clone(), text.clone())),
            Value::Object(own) if key == app => read.extend(flat(own, app)),
            other => drop(read.insert(key.clone(), other.to_string())),
        }
    }
    read
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Refusal> {
    value
        .as_object()
        .ok_or_else(|| Refusal::bad(format!("{at} must be an object.")))
}

fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn only(
    fields: &Map<String, Value>,
    known: impl Fn(&str) -> bool,
    at: &str,
) -> Result<(), Refusal> {
    match fields.keys().find(|key| !known(key)) {
        Some(key) => Err(Refusal::bad(format!("Unrecognized field {key:?} in {at}."))),
        None => Ok(()),
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match present(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::bad(format!("{name} must be a text."))),
    }
}
