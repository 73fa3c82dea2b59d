//! The rest of `users` in the Gmail API: profile, history, watch and stop, and the settings that a
//! client for mail automation reads.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Call, Needs, body};
use super::errors::{Answer, GoogleError};
use super::history::{Kind, Wanted};
use super::mailbox::Watch;
use crate::clock::real_now;
use crate::world::World;

/// Days a watch lasts. It is a lease between two programs, so it runs in real time.
const WATCH_DAYS: i64 = 7;
/// Records of one history page when the caller does not say, and at most.
const HISTORY_PAGE: (usize, usize) = (100, 500);

pub(crate) fn routes() -> Router<Arc<World>> {
    const USER: &str = "/gmail/v1/users/{user}";
    let under = |rest: &str| format!("{USER}/{rest}");
    Router::new()
        .route(&under("profile"), get(profile))
        .route(&under("history"), get(history))
        .route(&under("watch"), post(watch))
        .route(&under("stop"), post(stop))
        .route(&under("settings/sendAs"), get(send_as_list))
        .route(&under("settings/sendAs/{address}"), get(send_as))
        .route(&under("settings/vacation"), get(vacation))
}

async fn profile(call: Call) -> Answer {
    call.allow(Needs::Metadata, &[])?;
    let (messages, threads, history) = call.mailbox(|m| {
        let (messages, threads) = m.count();
        (messages, threads, m.history.current())
    });
    Ok(call.answer(
        json!({"emailAddress": call.address, "messagesTotal": messages,
        "threadsTotal": threads, "historyId": history.to_string()}),
    ))
}

async fn history(call: Call) -> Answer {
    let known = [
        "startHistoryId",
        "historyTypes",
        "labelId",
        "maxResults",
        "pageToken",
    ];
    call.allow(Needs::Metadata, &known)?;
    let start = call.param("startHistoryId").filter(|s| !s.is_empty());
    let start =
        start.ok_or_else(|| GoogleError::invalid("Missing/invalid parameter: startHistoryId"))?;
    let start: u64 = start.parse().map_err(|_| {
        GoogleError::invalid(format!(
            "Invalid value at 'start_history_id' (TYPE_UINT64), {start:?}"
        ))
    })?;
    let types: Vec<&str> = call.all("historyTypes");
    if let Some(unknown) = types.iter().find(|t| !Kind::is_type(t)) {
        let message = format!("Invalid value at 'history_types': \"{unknown}\"");
        return Err(GoogleError::invalid(message));
    }
    let after = match call.param("pageToken").filter(|t| !t.is_empty()) {
        None => start,
        Some(token) => token
            .parse()
            .map_err(|_| GoogleError::invalid("Invalid pageToken"))?,
    };
    let most = call.most(HISTORY_PAGE.0, HISTORY_PAGE.1)?;
    let wanted = Wanted {
        start: after.max(start),
        types,
        label: call.param("labelId"),
        most,
    };
    let page = call.mailbox(|m| m.history.list(&wanted, real_now()));
    let page = page.ok_or_else(GoogleError::not_found)?;
    let mut answer = Map::new();
    if !page.records.is_empty() {
        answer.insert("history".to_owned(), Value::Array(page.records));
    }
    if let Some(next) = page.next {
        answer.insert("nextPageToken".to_owned(), json!(next.to_string()));
    }
    answer.insert("historyId".to_owned(), json!(page.history_id.to_string()));
    Ok(call.answer(Value::Object(answer)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WatchBody {
    topic_name: String,
    label_ids: Vec<String>,
    label_filter_behavior: Option<String>,
    label_filter_action: Option<String>,
}

async fn watch(call: Call, bytes: Bytes) -> Answer {
    call.allow(Needs::Metadata, &[])?;
    let wanted: WatchBody = body(&bytes)?;
    let topic = wanted.topic_name;
    let parts: Vec<&str> = topic.split('/').collect();
    if !matches!(parts[..], ["projects", p, "topics", t] if !p.is_empty() && !t.is_empty()) {
        let message =
            format!("Invalid topicName does not match projects/sandbox/topics/*: {topic}");
        return Err(GoogleError::invalid(message));
    }
    let behavior = wanted.label_filter_behavior.or(wanted.label_filter_action);
    let exclude = match behavior.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("include") => false,
        Some("exclude") => true,
        Some(_) => {
            return Err(GoogleError::invalid(
                "Invalid value at 'label_filter_behavior'",
            ));
        }
    };
    super::messages::check_labels(&call, &wanted.label_ids, super::labels::Labels::known)?;
    if !call.world.google.pubsub.has_topic(&topic) {
        let name = parts[3];
        return Err(GoogleError::missing(format!(
            "Error sending test message to Cloud PubSub {topic} : Resource not found \
             (resource={name})."
        )));
    }
    let now = real_now();
    let lasts = SignedDuration::from_hours(24 * WATCH_DAYS);
    let expires = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
    let history = call.mailbox(|m| {
        let running = m
            .watch
            .as_ref()
            .filter(|w| w.expires > now && w.topic != topic);
        if running.is_some() {
            return None;
        }
        let history = m.history.current();
        let labels = wanted.label_ids;
        let watch = Watch {
            topic: topic.clone(),
            labels,
            exclude,
            expires,
            last: None,
        };
        m.watch = Some(watch);
        m.push_notice(topic, history);
        Some(history)
    });
    let history = history.ok_or_else(|| {
        GoogleError::invalid(
            "Only one user push notification client allowed per developer (call /stop then try \
             again)",
        )
    })?;
    Ok(call.answer(json!({"historyId": history.to_string(),
        "expiration": expires.as_millisecond().to_string()})))
}

async fn stop(call: Call) -> Answer {
    call.allow(Needs::Metadata, &[])?;
    call.mailbox(|m| m.watch = None);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The one address a mailbox of the sandbox sends as.
fn own_send_as(call: &Call) -> Value {
    let name = call
        .world
        .person(&call.address)
        .map(|p| p.name.clone())
        .unwrap_or_default();
    json!({"sendAsEmail": call.address, "displayName": name, "replyToAddress": "",
        "signature": "", "isPrimary": true, "isDefault": true})
}

async fn send_as_list(call: Call) -> Answer {
    call.allow(Needs::Settings, &[])?;
    Ok(call.answer(json!({"sendAs": [own_send_as(&call)]})))
}

async fn send_as(call: Call) -> Answer {
    call.allow(Needs::Settings, &[])?;
    if !call.path("address").eq_ignore_ascii_case(&call.address) {
        return Err(GoogleError::not_found());
    }
    Ok(call.answer(own_send_as(&call)))
}

async fn vacation(call: Call) -> Answer {
    call.allow(Needs::Settings, &[])?;
    Ok(call.answer(
        json!({"enableAutoReply": false, "restrictToContacts": false,
        "restrictToDomain": false}),
    ))
}
