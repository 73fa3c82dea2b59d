//! `users.labels` of the Gmail API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Call, Needs, body};
use super::errors::{Answer, GoogleError};
use super::labels::{LabelRefused, SYSTEM, shown, system_shown};
use crate::clock::real_now;
use crate::world::World;

pub(crate) fn routes() -> Router<Arc<World>> {
    const LABELS: &str = "/gmail/v1/users/{user}/labels";
    let one = get(get_one).put(update).patch(update).delete(delete_one);
    Router::new()
        .route(LABELS, get(list).post(create))
        .route(&format!("{LABELS}/{{id}}"), one)
}

/// A label in a request. Counts and type are accepted and ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LabelBody {
    id: Option<String>,
    name: Option<String>,
    message_list_visibility: Option<String>,
    label_list_visibility: Option<String>,
    color: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<Value>,
    messages_total: Option<Value>,
    messages_unread: Option<Value>,
    threads_total: Option<Value>,
    threads_unread: Option<Value>,
}

impl LabelBody {
    fn extra(&self) -> Result<Value, GoogleError> {
        let mut extra = Map::new();
        let listed = ["labelShow", "labelShowIfUnread", "labelHide"];
        for (name, value, known) in [
            (
                "messageListVisibility",
                &self.message_list_visibility,
                &["show", "hide"][..],
            ),
            (
                "labelListVisibility",
                &self.label_list_visibility,
                &listed[..],
            ),
        ] {
            let Some(value) = value else { continue };
            if !known.contains(&value.as_str()) {
                return Err(GoogleError::invalid(format!(
                    "Invalid value at 'label.{name}'"
                )));
            }
            extra.insert(name.to_owned(), json!(value));
        }
        if let Some(color) = &self.color {
            extra.insert("color".to_owned(), color.clone());
        }
        Ok(Value::Object(extra))
    }
}

fn refused(why: LabelRefused) -> GoogleError {
    match why {
        LabelRefused::Name => GoogleError::invalid("Invalid label name"),
        LabelRefused::Exists => GoogleError::conflict("Label name exists or conflicts"),
        LabelRefused::TooMany => GoogleError::invalid("Label limit exceeded"),
        LabelRefused::System => GoogleError::invalid("Invalid update request"),
        LabelRefused::Unknown => GoogleError::not_found(),
    }
}

async fn list(call: Call) -> Answer {
    call.allow(Needs::Metadata, &[])?;
    let own = call.mailbox(|m| m.labels.own().iter().map(shown).collect::<Vec<_>>());
    let all: Vec<Value> = SYSTEM
        .iter()
        .map(|id| system_shown(id))
        .chain(own)
        .collect();
    Ok(call.answer(json!({"labels": all})))
}

async fn get_one(call: Call) -> Answer {
    call.allow(Needs::Metadata, &[])?;
    let id = call.path("id");
    let found = call.mailbox(|m| {
        let label = match m.labels.get(id) {
            Some(label) => shown(label),
            None if SYSTEM.contains(&id) => system_shown(id),
            None => return None,
        };
        Some((label, m.label_counts(id)))
    });
    let (mut label, counts) = found.ok_or_else(GoogleError::not_found)?;
    let names = [
        "messagesTotal",
        "messagesUnread",
        "threadsTotal",
        "threadsUnread",
    ];
    for (name, count) in names.iter().zip(counts) {
        label[*name] = json!(count);
    }
    Ok(call.answer(label))
}

async fn create(call: Call, bytes: Bytes) -> Answer {
    call.allow(Needs::Labels, &[])?;
    let wanted: LabelBody = body(&bytes)?;
    let extra = wanted.extra()?;
    let name = wanted.name.unwrap_or_default();
    let made = call
        .mailbox(|m| m.labels.create(&name, extra))
        .map_err(refused)?;
    Ok(call.answer(shown(&made)))
}

async fn update(call: Call, bytes: Bytes) -> Answer {
    call.allow(Needs::Labels, &[])?;
    let wanted: LabelBody = body(&bytes)?;
    let extra = wanted.extra()?;
    let id = call.path("id");
    if wanted.id.as_deref().is_some_and(|given| given != id) {
        return Err(GoogleError::invalid(
            "Label ID in the body and in the URL differ",
        ));
    }
    let made = call.mailbox(|m| m.labels.update(id, wanted.name.as_deref(), extra));
    Ok(call.answer(shown(&made.map_err(refused)?)))
}

async fn delete_one(call: Call) -> Answer {
    call.allow(Needs::Labels, &[])?;
    let id = call.path("id").to_owned();
    let ids = &call.world.google.ids;
    let done = call.mailbox(|m| {
        m.labels.delete(&id)?;
        let with: Vec<u64> = m
            .newest_first()
            .filter(|s| s.has(&id))
            .map(|s| s.id)
            .collect();
        for message in with {
            m.relabel(message, &[], std::slice::from_ref(&id), ids, real_now());
        }
        Ok(())
    });
    done.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
