//! `users.drafts` of the Gmail API. Sending deletes the draft and its message and makes a new
//! message with the label SENT; updating gives the draft a new message.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Needs, body};
use super::delivery;
use super::errors::{Answer, GoogleError};
use super::format::{self, brief};
use super::ids::hex;
use super::listing::Search;
use super::mailbox::{Arriving, OverQuota, Stored};
use super::messages::{Given, MessageBody, SEND_LIMIT, check_raw, wanted_format};
use crate::clock::real_now;
use crate::world::World;

/// Drafts one mailbox keeps.
const DRAFTS_LIMIT: usize = 10_000;

pub(crate) fn routes() -> Router<Arc<World>> {
    const DRAFTS: &str = "/gmail/v1/users/{user}/drafts";
    let under = |rest: &str| format!("{DRAFTS}/{rest}");
    Router::new()
        .route(DRAFTS, get(list).post(create_json))
        .route(&under("send"), post(send_json))
        .route(
            &under("{id}"),
            get(get_one).put(update_json).delete(delete_one),
        )
}

/// A draft in a request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DraftBody {
    pub(crate) id: Option<String>,
    pub(crate) message: MessageBody,
}

fn shown(id: &str, message: &Stored) -> Value {
    json!({"id": id, "message": brief(message)})
}

async fn list(call: Call) -> Answer {
    call.allow(
        Needs::Metadata,
        &["q", "includeSpamTrash", "maxResults", "pageToken"],
    )?;
    let search = Search::new(&call)?;
    let (found, drafts) = call.mailbox(|m| {
        let of: std::collections::HashMap<u64, String> = m
            .drafts
            .iter()
            .map(|(id, message)| (*message, id.clone()))
            .collect();
        (search.only("DRAFT").messages(m), of)
    });
    let entry = |m: &Stored| {
        let message = json!({"id": hex(m.id), "threadId": hex(m.thread)});
        Some(json!({"id": drafts.get(&m.id)?, "message": message}))
    };
    Ok(call.answer(found.answer("drafts", entry)))
}

async fn get_one(call: Call) -> Answer {
    call.allow(Needs::Read, &["format"])?;
    let format = wanted_format(&call)?;
    let id = call.path("id");
    let message = call.mailbox(|m| m.message_of_draft(id).cloned());
    let message = message.ok_or_else(GoogleError::not_found)?;
    let message = format::shown(&message, &format, &call.world.google.ids);
    Ok(call.answer(json!({"id": id, "message": message})))
}

async fn create_json(call: Call, bytes: Bytes) -> Answer {
    let given = body::<DraftBody>(&bytes)?.message.given()?;
    create(&call, given)
}

fn arriving(call: &Call, given: Given) -> Result<Arriving, GoogleError> {
    check_raw(&given.raw, SEND_LIMIT)?;
    if let Some(thread) = given.thread
        && call.mailbox(|m| m.thread(thread).is_empty())
    {
        return Err(GoogleError::not_found());
    }
    let made = Arriving::new(given.raw, call.world.clock.now(), &["DRAFT"]);
    Ok(made.in_thread(given.thread))
}

pub(crate) fn create(call: &Call, given: Given) -> Answer {
    call.allow(Needs::Compose, &[])?;
    let arriving = arriving(call, given)?;
    let ids = &call.world.google.ids;
    let id = format!("r{}", ids.message());
    let kept = call.mailbox(|m| {
        if m.drafts.len() >= DRAFTS_LIMIT {
            return Err(OverQuota);
        }
        let kept = m.add(arriving, ids, real_now())?;
        m.drafts.insert(id.clone(), kept.id);
        Ok(kept)
    });
    let kept = kept.map_err(|OverQuota| GoogleError::over_quota())?;
    Ok(call.answer(shown(&id, &kept)))
}

async fn update_json(call: Call, bytes: Bytes) -> Answer {
    let given = body::<DraftBody>(&bytes)?.message.given()?;
    update(&call, given)
}

/// Replaces the draft's message: the old one is deleted and a new one, with a new id, takes its
/// place.
pub(crate) fn update(call: &Call, given: Given) -> Answer {
    call.allow(Needs::Compose, &[])?;
    let id = call.path("id").to_owned();
    let old = call.mailbox(|m| m.message_of_draft(&id).cloned());
    let old = old.ok_or_else(GoogleError::not_found)?;
    let given = Given {
        thread: given.thread.or(Some(old.thread)),
        ..given
    };
    let arriving = arriving(call, given)?;
    let ids = &call.world.google.ids;
    let kept = call.mailbox(|m| {
        let kept = m.add(arriving, ids, real_now())?;
        m.delete(old.id, ids, real_now());
        m.drafts.insert(id.clone(), kept.id);
        Ok(kept)
    });
    let kept = kept.map_err(|OverQuota| GoogleError::over_quota())?;
    Ok(call.answer(shown(&id, &kept)))
}

async fn send_json(call: Call, bytes: Bytes) -> Answer {
    let draft: DraftBody = body(&bytes)?;
    let has_raw = draft.message.raw.is_some();
    let id = draft.id.unwrap_or_default();
    let given = draft.message.given()?;
    send(&call, &id, has_raw.then_some(given))
}

/// Sends an existing draft, with a new content when one is given; or sends what is given when no
/// draft is named.
pub(crate) fn send(call: &Call, id: &str, given: Option<Given>) -> Answer {
    call.allow(Needs::Compose, &[])?;
    if id.is_empty() {
        return super::messages::send(call, given.unwrap_or_default());
    }
    let draft = call.mailbox(|m| m.message_of_draft(id).cloned());
    let draft = draft.ok_or_else(GoogleError::not_found)?;
    let given = given.unwrap_or_else(|| Given {
        raw: draft.raw.to_vec(),
        ..Given::default()
    });
    check_raw(&given.raw, SEND_LIMIT)?;
    let thread = given.thread.unwrap_or(draft.thread);
    let outgoing = delivery::ready(&call.world, &call.address, &given.raw)?;
    // Taken away first, so that of two calls at the same time one finds no draft.
    let taken = call.mailbox(|m| m.drafts.remove(id).is_some());
    if !taken {
        return Err(GoogleError::not_found());
    }
    let sent = delivery::send(&call.world, &outgoing, Some(thread));
    let ids = &call.world.google.ids;
    call.mailbox(|m| {
        if sent.is_ok() {
            m.delete(draft.id, ids, real_now());
        } else {
            m.drafts.insert(id.to_owned(), draft.id);
        }
    });
    Ok(call.answer(brief(&sent?)))
}

async fn delete_one(call: Call) -> Answer {
    call.allow(Needs::Compose, &[])?;
    let id = call.path("id");
    let ids = &call.world.google.ids;
    let gone = call.mailbox(|m| {
        m.drafts
            .remove(id)
            .map(|message| m.delete(message, ids, real_now()))
    });
    gone.ok_or_else(GoogleError::not_found)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
