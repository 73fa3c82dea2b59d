//! The smallest Pub/Sub that a Gmail client needs, over REST: topics, subscriptions, publish, pull,
//! acknowledge and ack deadlines. At least once, unordered by contract; no push delivery, no gRPC.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::errors::{Answer, GoogleError};
use crate::clock::real_now;
use crate::world::{World, lock};

/// Topics and subscriptions at most, each.
const NAMES_LIMIT: usize = 1_000;
/// Messages waiting in one subscription; the oldest go first.
const WAITING_LIMIT: usize = 10_000;
/// Messages of one pull.
const PULL_LIMIT: usize = 1_000;
/// How long an empty pull waits for a message.
const PULL_WAIT: Duration = Duration::from_secs(5);
/// Seconds a subscriber has to acknowledge when the subscription does not say.
const ACK_SECONDS: i64 = 10;

#[derive(Debug, Clone)]
struct Waiting {
    message: Value,
    /// The id under which it was last delivered.
    ack_id: Option<String>,
    /// Not to be delivered before this real time.
    after: Timestamp,
}

#[derive(Debug)]
struct Subscription {
    topic: String,
    ack_seconds: i64,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Default)]
struct Kept {
    topics: Vec<String>,
    subscriptions: BTreeMap<String, Subscription>,
    last: u64,
}

/// Topics, subscriptions and what waits in them.
#[derive(Debug, Default)]
pub(crate) struct PubSub {
    state: Mutex<Kept>,
    published: Notify,
}

impl PubSub {
    pub(crate) fn reset(&self) {
        *lock(&self.state) = Kept::default();
    }

    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        lock(&self.state).topics.iter().any(|t| t == topic)
    }

    /// Publishes to every subscription of the topic; gives the message's id, or `None` when there
    /// is no such topic.
    pub(crate) fn publish(&self, topic: &str, message: Map<String, Value>) -> Option<String> {
        let mut state = lock(&self.state);
        state.topics.iter().find(|t| *t == topic)?;
        state.last += 1;
        // Real ids are long numbers without order.
        let id = (2_070_443_601_311_540 + state.last * 7_919).to_string();
        let now = real_now();
        let mut message = message;
        message.insert("messageId".to_owned(), json!(id));
        message.insert("publishTime".to_owned(), json!(now));
        let message = Value::Object(message);
        for subscription in state
            .subscriptions
            .values_mut()
            .filter(|s| s.topic == topic)
        {
            if subscription.waiting.len() == WAITING_LIMIT {
                subscription.waiting.pop_front();
            }
            let message = message.clone();
            subscription.waiting.push_back(Waiting {
                message,
                ack_id: None,
                after: now,
            });
        }
        drop(state);
        self.published.notify_waiters();
        Some(id)
    }

    /// Publishes text, as Gmail does for a watch.
    pub(crate) fn publish_data(&self, topic: &str, data: &str) -> Option<String> {
        let mut message = Map::new();
        message.insert("data".to_owned(), json!(STANDARD.encode(data)));
        self.publish(topic, message)
    }

    fn take(&self, name: &str, most: usize) -> Result<Vec<Value>, GoogleError> {
        let mut state = lock(&self.state);
        let mut last = state.last;
        let subscription = state
            .subscriptions
            .get_mut(name)
            .ok_or_else(|| gone(name))?;
        let now = real_now();
        let seconds = subscription.ack_seconds;
        let until = now
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap_or(now);
        let due = subscription
            .waiting
            .iter_mut()
            .filter(|w| w.after <= now)
            .take(most);
        let mut taken = Vec::new();
        for waiting in due {
            last += 1;
            let ack_id = format!("ack-{last:016x}");
            waiting.ack_id = Some(ack_id.clone());
            waiting.after = until;
            taken.push(json!({"ackId": ack_id, "message": waiting.message}));
        }
        state.last = last;
        Ok(taken)
    }

    async fn pull(
        &self,
        name: &str,
        most: usize,
        at_once: bool,
    ) -> Result<Vec<Value>, GoogleError> {
        let end = tokio::time::Instant::now() + PULL_WAIT;
        loop {
            let published = self.published.notified();
            let taken = self.take(name, most)?;
            let now = tokio::time::Instant::now();
            if !taken.is_empty() || at_once || now >= end {
                return Ok(taken);
            }
            // Woken also without a message, since an ack deadline may have passed.
            let step = (end - now).min(Duration::from_millis(250));
            drop(tokio::time::timeout(step, published).await);
        }
    }
}

fn gone(name: &str) -> GoogleError {
    let name = name.rsplit('/').next().unwrap_or_default();
    GoogleError::missing(format!("Resource not found (resource={name})."))
}

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/v1/projects/{project}/{kind}", any(collection))
        .route("/v1/projects/{project}/{kind}/{name}", any(resource))
        .with_state(Arc::clone(world))
}

fn authorised(world: &World, headers: &HeaderMap) -> Result<(), GoogleError> {
    let bearer = lock(&world.google.tokens).check(headers);
    let bearer = bearer.ok_or_else(GoogleError::unauthenticated)?;
    let wide = ["/auth/pubsub", "/auth/cloud-platform"]
        .iter()
        .any(|s| bearer.scopes.contains(s));
    if wide {
        Ok(())
    } else {
        Err(GoogleError::scope())
    }
}

async fn collection(
    State(world): State<Arc<World>>,
    Path((project, kind)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    authorised(&world, &headers)?;
    let prefix = format!("projects/{project}/{kind}/");
    let state = lock(&world.google.pubsub.state);
    let listed: Vec<Value> = match kind.as_str() {
        "topics" => {
            let names = state.topics.iter().filter(|t| t.starts_with(&prefix));
            names.map(|t| json!({"name": t})).collect()
        }
        "subscriptions" => {
            let all = state
                .subscriptions
                .iter()
                .filter(|(name, _)| name.starts_with(&prefix));
            all.map(|(name, s)| shown(name, s)).collect()
        }
        _ => return Err(GoogleError::not_found()),
    };
    let mut answer = Map::new();
    if !listed.is_empty() {
        answer.insert(kind, Value::Array(listed));
    }
    Ok(Json(answer).into_response())
}

fn shown(name: &str, subscription: &Subscription) -> Value {
    json!({"name": name, "topic": subscription.topic, "pushConfig": {},
        "ackDeadlineSeconds": subscription.ack_seconds, "messageRetentionDuration": "604800s",
        "expirationPolicy": {"ttl": "2678400s"}, "state": "ACTIVE"})
}

async fn resource(
    State(world): State<Arc<World>>,
    method: Method,
    Path((project, kind, name)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    authorised(&world, &headers)?;
    let (name, verb) = name
        .split_once(':')
        .map_or((name.as_str(), ""), |(n, v)| (n, v));
    let full = format!("projects/{project}/{kind}/{name}");
    let body: Value = if body.iter().all(u8::is_ascii_whitespace) {
        json!({})
    } else {
        serde_json::from_slice(&body)
            .map_err(|e| GoogleError::invalid(format!("Invalid JSON payload received. {e}")))?
    };
    let hub = &world.google.pubsub;
    let answer = match (kind.as_str(), verb, method.as_str()) {
        ("topics", "", "PUT") => create_topic(hub, full)?,
        ("topics", "", "GET") if hub.has_topic(&full) => json!({"name": full}),
        ("topics", "", "DELETE") => delete_topic(hub, &full)?,
        ("topics", "publish", "POST") => publish(hub, &full, &body)?,
        ("subscriptions", "", "PUT") => create_subscription(hub, full, &body)?,
        ("subscriptions", "", "GET") => {
            let state = lock(&hub.state);
            shown(
                &full,
                state.subscriptions.get(&full).ok_or_else(|| gone(&full))?,
            )
        }
        ("subscriptions", "", "DELETE") => {
            lock(&hub.state)
                .subscriptions
                .remove(&full)
                .ok_or_else(|| gone(&full))?;
            json!({})
        }
        ("subscriptions", "pull", "POST") => {
            let most = body
                .get("maxMessages")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            if most == 0 {
                return Err(GoogleError::invalid(
                    "You have passed an invalid argument to the \
                    service (argument=max_messages).",
                ));
            }
            let most = usize::try_from(most).unwrap_or(PULL_LIMIT).min(PULL_LIMIT);
            let at_once = body.get("returnImmediately").and_then(Value::as_bool);
            let taken = hub.pull(&full, most, at_once.unwrap_or_default()).await?;
            if taken.is_empty() {
                json!({})
            } else {
                json!({"receivedMessages": taken})
            }
        }
        ("subscriptions", "acknowledge", "POST") => acknowledge(hub, &full, &body, None)?,
        ("subscriptions", "modifyAckDeadline", "POST") => {
            let seconds = body.get("ackDeadlineSeconds").and_then(Value::as_i64);
            let seconds = seconds.unwrap_or_default();
            if !(0..=600).contains(&seconds) {
                return Err(GoogleError::invalid("ackDeadlineSeconds must be 0 to 600."));
            }
            acknowledge(hub, &full, &body, Some(seconds))?
        }
        ("topics" | "subscriptions", "setIamPolicy" | "getIamPolicy", _) => {
            let policy = body.get("policy").cloned();
            policy.unwrap_or_else(|| json!({"version": 1, "etag": "ACAB"}))
        }
        _ => return Err(gone(&full)),
    };
    Ok(Json(answer).into_response())
}

fn create_topic(hub: &PubSub, name: String) -> Result<Value, GoogleError> {
    let mut state = lock(&hub.state);
    if state.topics.contains(&name) {
        return Err(GoogleError::exists(
            "Resource already exists in the project.",
        ));
    }
    if state.topics.len() >= NAMES_LIMIT {
        return Err(GoogleError::over_quota());
    }
    state.topics.push(name.clone());
    Ok(json!({"name": name}))
}

fn delete_topic(hub: &PubSub, name: &str) -> Result<Value, GoogleError> {
    let mut state = lock(&hub.state);
    let at = state
        .topics
        .iter()
        .position(|t| t == name)
        .ok_or_else(|| gone(name))?;
    state.topics.remove(at);
    Ok(json!({}))
}

fn publish(hub: &PubSub, topic: &str, body: &Value) -> Result<Value, GoogleError> {
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.filter(|m| !m.is_empty() && m.len() <= PULL_LIMIT);
    let messages = messages.ok_or_else(|| GoogleError::invalid("messages must be 1 to 1000."))?;
    let mut ids = Vec::with_capacity(messages.len());
    for message in messages {
        let message = message.as_object().cloned().unwrap_or_default();
        ids.push(hub.publish(topic, message).ok_or_else(|| gone(topic))?);
    }
    Ok(json!({"messageIds": ids}))
}

fn create_subscription(hub: &PubSub, name: String, body: &Value) -> Result<Value, GoogleError> {
    let topic = body
        .get("topic")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if !hub.has_topic(&topic) {
        return Err(gone(&topic));
    }
    let ack_seconds = body
        .get("ackDeadlineSeconds")
        .and_then(Value::as_i64)
        .filter(|s| *s > 0);
    let ack_seconds = ack_seconds.unwrap_or(ACK_SECONDS);
    if !(10..=600).contains(&ack_seconds) {
        return Err(GoogleError::invalid(
            "Invalid ack deadline given: 10 to 600 seconds.",
        ));
    }
    let mut state = lock(&hub.state);
    if state.subscriptions.contains_key(&name) {
        return Err(GoogleError::exists(
            "Resource already exists in the project.",
        ));
    }
    if state.subscriptions.len() >= NAMES_LIMIT {
        return Err(GoogleError::over_quota());
    }
    let made = Subscription {
        topic,
        ack_seconds,
        waiting: VecDeque::new(),
    };
    let answer = shown(&name, &made);
    state.subscriptions.insert(name, made);
    Ok(answer)
}

/// Acknowledges, or moves the deadline when `seconds` is given; unknown ids are no error.
fn acknowledge(
    hub: &PubSub,
    name: &str,
    body: &Value,
    seconds: Option<i64>,
) -> Result<Value, GoogleError> {
    let ids = body
        .get("ackIds")
        .and_then(Value::as_array)
        .filter(|ids| !ids.is_empty());
    let ids = ids.ok_or_else(|| GoogleError::invalid("No ack ids specified."))?;
    let named = |w: &Waiting| {
        let id = w.ack_id.as_deref();
        id.is_some() && ids.iter().any(|given| given.as_str() == id)
    };
    let mut state = lock(&hub.state);
    let subscription = state
        .subscriptions
        .get_mut(name)
        .ok_or_else(|| gone(name))?;
    match seconds {
        None => subscription.waiting.retain(|w| !named(w)),
        Some(seconds) => {
            let now = real_now();
            let until = now
                .checked_add(SignedDuration::from_secs(seconds))
                .unwrap_or(now);
            for waiting in subscription.waiting.iter_mut().filter(|w| named(w)) {
                waiting.after = until;
            }
        }
    }
    drop(state);
    hub.published.notify_waiters();
    Ok(json!({}))
}
