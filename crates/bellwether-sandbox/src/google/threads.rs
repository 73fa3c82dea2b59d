//! `users.threads` of the Gmail API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::call::{Call, Needs};
use super::errors::{Answer, GoogleError};
use super::format::{self, brief};
use super::ids::hex;
use super::listing::{self, Search};
use super::mailbox::Stored;
use super::messages::{Modify, path_id, wanted_format};
use crate::clock::real_now;
use crate::world::World;

pub(crate) fn routes() -> Router<Arc<World>> {
    const THREADS: &str = "/gmail/v1/users/{user}/threads";
    let under = |rest: &str| format!("{THREADS}/{rest}");
    Router::new()
        .route(THREADS, get(list))
        .route(&under("{id}"), get(get_one).delete(delete_one))
        .route(&under("{id}/modify"), post(modify))
        .route(&under("{id}/trash"), post(trash))
        .route(&under("{id}/untrash"), post(untrash))
}

async fn list(call: Call) -> Answer {
    call.allow(Needs::Metadata, &listing::PARAMETERS)?;
    let search = Search::new(&call)?;
    let found = call.mailbox(|m| search.threads(m));
    let entry = |m: &Stored| {
        let history = m.history_id.to_string();
        Some(json!({"id": hex(m.thread), "snippet": m.snippet, "historyId": history}))
    };
    Ok(call.answer(found.answer("threads", entry)))
}

fn messages(call: &Call) -> Result<Vec<Stored>, GoogleError> {
    let id = path_id(call, "id")?;
    let messages: Vec<Stored> = call.mailbox(|m| m.thread(id).into_iter().cloned().collect());
    if messages.is_empty() {
        Err(GoogleError::not_found())
    } else {
        Ok(messages)
    }
}

async fn get_one(call: Call) -> Answer {
    call.allow(Needs::Metadata, &["format", "metadataHeaders"])?;
    let format = wanted_format(&call)?;
    if format == format::Format::Raw {
        return Err(GoogleError::invalid("Invalid value at 'format': raw"));
    }
    let messages = messages(&call)?;
    let newest = messages
        .iter()
        .map(|m| m.history_id)
        .max()
        .unwrap_or_default();
    let ids = &call.world.google.ids;
    let shown: Vec<Value> = messages
        .iter()
        .map(|m| format::shown(m, &format, ids))
        .collect();
    Ok(call.answer(
        json!({"id": call.path("id"), "historyId": newest.to_string(),
        "messages": shown}),
    ))
}

fn relabel(call: &Call, add: &[String], remove: &[String]) -> Answer {
    let ids = &call.world.google.ids;
    let all = messages(call)?;
    let shown: Vec<Value> = call.mailbox(|m| {
        for message in &all {
            m.relabel(message.id, add, remove, ids, real_now());
        }
        all.iter()
            .filter_map(|message| m.get(message.id))
            .map(brief)
            .collect()
    });
    Ok(call.answer(json!({"id": call.path("id"), "messages": shown})))
}

async fn modify(call: Call, bytes: Bytes) -> Answer {
    let wanted = Modify::read(&call, &bytes)?;
    relabel(&call, &wanted.add_label_ids, &wanted.remove_label_ids)
}

async fn trash(call: Call) -> Answer {
    call.allow(Needs::Modify, &[])?;
    relabel(&call, &["TRASH".to_owned()], &[])
}

async fn untrash(call: Call) -> Answer {
    call.allow(Needs::Modify, &[])?;
    relabel(&call, &[], &["TRASH".to_owned()])
}

async fn delete_one(call: Call) -> Answer {
    call.allow(Needs::Delete, &[])?;
    let ids = &call.world.google.ids;
    let all = messages(&call)?;
    call.mailbox(|m| {
        for message in &all {
            m.delete(message.id, ids, real_now());
        }
    });
    Ok(StatusCode::NO_CONTENT.into_response())
}
