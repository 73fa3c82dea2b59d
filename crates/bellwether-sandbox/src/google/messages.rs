//! `users.messages` of the Gmail API. Uploads come in through `upload`, which calls the same
//! functions.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Needs, body};
use super::delivery;
use super::errors::{Answer, GoogleError};
use super::format::{self, Format, brief};
use super::ids::{from_hex, hex};
use super::labels::Labels;
use super::letter;
use super::listing::{self, Search};
use super::mailbox::{Arriving, OverQuota, Stored};
use crate::clock::real_now;
use crate::world::World;

/// Largest message of send and drafts, in bytes.
pub(crate) const SEND_LIMIT: usize = 36_700_160;
/// Largest message of insert and import, in bytes.
pub(crate) const IMPORT_LIMIT: usize = 157_286_400;
/// Labels of one modify call, added and removed each.
const MODIFY_LABELS: usize = 100;
/// Messages of one batch call.
const BATCH_IDS: usize = 1_000;

pub(crate) fn routes() -> Router<Arc<World>> {
    const MESSAGES: &str = "/gmail/v1/users/{user}/messages";
    let under = |rest: &str| format!("{MESSAGES}/{rest}");
    Router::new()
        .route(MESSAGES, get(list).post(insert_json))
        .route(&under("send"), post(send_json))
        .route(&under("import"), post(import_json))
        .route(&under("batchModify"), post(batch_modify))
        .route(&under("batchDelete"), post(batch_delete))
        .route(&under("{id}"), get(get_one).delete(delete_one))
        .route(&under("{id}/modify"), post(modify))
        .route(&under("{id}/trash"), post(trash))
        .route(&under("{id}/untrash"), post(untrash))
        .route(&under("{id}/attachments/{attachment}"), get(attachment))
}

/// A message in a request. Fields that only Gmail sets are accepted and ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct MessageBody {
    pub(crate) raw: Option<String>,
    pub(crate) thread_id: Option<String>,
    pub(crate) label_ids: Vec<String>,
    pub(crate) id: Option<String>,
    snippet: Option<Value>,
    history_id: Option<Value>,
    internal_date: Option<Value>,
    payload: Option<Value>,
    size_estimate: Option<Value>,
    classification_label_values: Option<Value>,
}

/// A message that a client gives, however it came.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) raw: Vec<u8>,
    pub(crate) thread: Option<u64>,
    pub(crate) labels: Vec<String>,
}

impl MessageBody {
    /// Decodes `raw`, which may have either alphabet and padding or not.
    pub(crate) fn given(self) -> Result<Given, GoogleError> {
        let raw = match &self.raw {
            Some(text) => decode(text).ok_or_else(|| {
                GoogleError::invalid("Invalid value at 'message.raw' (TYPE_BYTES)")
            })?,
            None => Vec::new(),
        };
        self.with(raw)
    }

    /// Takes bytes that came beside the JSON.
    pub(crate) fn with(self, raw: Vec<u8>) -> Result<Given, GoogleError> {
        let thread = match self.thread_id.as_deref().filter(|t| !t.is_empty()) {
            None => None,
            Some(text) => {
                let thread = from_hex(text);
                Some(thread.ok_or_else(|| GoogleError::invalid("Invalid thread_id value"))?)
            }
        };
        Ok(Given {
            raw,
            thread,
            labels: self.label_ids,
        })
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let plain: Vec<u8> = text
        .bytes()
        .filter(|b| !b.is_ascii_whitespace())
        .map(|b| match b {
            b'+' => b'-',
            b'/' => b'_',
            b => b,
        })
        .collect();
    GeneralPurpose::new(&alphabet::URL_SAFE, lenient)
        .decode(plain)
        .ok()
}

/// Checks a message that came: something in it, and not too much.
pub(crate) fn check_raw(raw: &[u8], limit: usize) -> Result<(), GoogleError> {
    if raw.is_empty() {
        return Err(GoogleError::invalid(
            "'raw' RFC822 payload message string or uploading message via /upload/* URL required",
        ));
    }
    if raw.len() > limit {
        Err(GoogleError::too_large())
    } else {
        Ok(())
    }
}

/// The id of the path as a number; what cannot be an id is not found either.
pub(crate) fn path_id(call: &Call, name: &str) -> Result<u64, GoogleError> {
    from_hex(call.path(name)).ok_or_else(|| GoogleError::invalid("Invalid id value"))
}

async fn list(call: Call) -> Answer {
    call.allow(Needs::Metadata, &listing::PARAMETERS)?;
    let search = Search::new(&call)?;
    let found = call.mailbox(|m| search.messages(m));
    let entry = |m: &Stored| Some(json!({"id": hex(m.id), "threadId": hex(m.thread)}));
    Ok(call.answer(found.answer("messages", entry)))
}

/// Reads `format` and `metadataHeaders`.
pub(crate) fn wanted_format(call: &Call) -> Result<Format, GoogleError> {
    let format = match call
        .param("format")
        .unwrap_or("full")
        .to_ascii_lowercase()
        .as_str()
    {
        "minimal" => Format::Minimal,
        "full" => Format::Full,
        "raw" => Format::Raw,
        "metadata" => {
            let names = call.all("metadataHeaders").into_iter();
            Format::Metadata(names.map(str::to_owned).collect())
        }
        other => {
            return Err(GoogleError::invalid(format!(
                "Invalid value at 'format': {other}"
            )));
        }
    };
    if call.metadata_only() && matches!(format, Format::Full | Format::Raw) {
        let message = "Metadata scope doesn't allow format FULL or RAW";
        return Err(GoogleError::forbidden(message));
    }
    Ok(format)
}

async fn get_one(call: Call) -> Answer {
    call.allow(Needs::Metadata, &["format", "metadataHeaders"])?;
    let format = wanted_format(&call)?;
    let id = path_id(&call, "id")?;
    // The message is shown outside the lock: a big one takes time to parse.
    let message = call
        .mailbox(|m| m.get(id).cloned())
        .ok_or_else(GoogleError::not_found)?;
    Ok(call.answer(format::shown(&message, &format, &call.world.google.ids)))
}

async fn attachment(call: Call) -> Answer {
    call.allow(Needs::Read, &[])?;
    let id = path_id(&call, "id")?;
    let message = call
        .mailbox(|m| m.get(id).cloned())
        .ok_or_else(GoogleError::not_found)?;
    let found = format::attachment(&message.raw, call.path("attachment"));
    Ok(call.answer(found.ok_or_else(|| GoogleError::invalid("Invalid attachment token"))?))
}

async fn send_json(call: Call, bytes: Bytes) -> Answer {
    let given = body::<MessageBody>(&bytes)?.given()?;
    send(&call, given)
}

/// Sends a message: a new id, labels SENT, delivery to everybody named.
pub(crate) fn send(call: &Call, given: Given) -> Answer {
    call.allow(Needs::Send, &[])?;
    check_raw(&given.raw, SEND_LIMIT)?;
    if let Some(thread) = given.thread
        && call.mailbox(|m| m.thread(thread).is_empty())
    {
        return Err(GoogleError::not_found());
    }
    let outgoing = delivery::ready(&call.world, &call.address, &given.raw)?;
    let kept = delivery::send(&call.world, &outgoing, given.thread)?;
    Ok(call.answer(brief(&kept)))
}

const INSERT_PARAMS: [&str; 4] = [
    "internalDateSource",
    "deleted",
    "neverMarkSpam",
    "processForCalendar",
];

async fn insert_json(call: Call, bytes: Bytes) -> Answer {
    let given = body::<MessageBody>(&bytes)?.given()?;
    insert(&call, given)
}

/// Puts a message into the mailbox as it is, like IMAP APPEND.
pub(crate) fn insert(call: &Call, given: Given) -> Answer {
    call.allow(Needs::Insert, &INSERT_PARAMS)?;
    check_raw(&given.raw, IMPORT_LIMIT)?;
    let by_header = call.param("internalDateSource") == Some("dateHeader");
    take(call, given.raw, given.thread, &given.labels, by_header)
}

async fn import_json(call: Call, bytes: Bytes) -> Answer {
    let given = body::<MessageBody>(&bytes)?.given()?;
    import(&call, given)
}

/// Takes a message in as if it had come over SMTP from the client of this call, stamps included.
pub(crate) fn import(call: &Call, given: Given) -> Answer {
    call.allow(Needs::Insert, &INSERT_PARAMS)?;
    check_raw(&given.raw, IMPORT_LIMIT)?;
    let raw = delivery::import_stamp(&call.world, &given.raw, call.source, &call.address);
    let by_header = call.param("internalDateSource") != Some("receivedTime");
    let mut labels = given.labels;
    if labels.is_empty() {
        labels = vec!["INBOX".to_owned(), "UNREAD".to_owned()];
    }
    take(call, raw, given.thread, &labels, by_header)
}

fn take(
    call: &Call,
    raw: Vec<u8>,
    thread: Option<u64>,
    labels: &[String],
    by_header: bool,
) -> Answer {
    check_labels(call, labels, Labels::known)?;
    let now = call.world.clock.now();
    let at = if by_header {
        date_header(&raw).unwrap_or(now)
    } else {
        now
    };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let arriving = Arriving::new(raw, at, &labels).in_thread(thread);
    let ids = &call.world.google.ids;
    let kept = call.mailbox(|m| m.add(arriving, ids, real_now()));
    let kept = kept.map_err(|OverQuota| GoogleError::over_quota())?;
    Ok(call.answer(brief(&kept)))
}

fn date_header(raw: &[u8]) -> Option<Timestamp> {
    let fields = letter::fields(raw);
    let line = format!("Date: {}\r\n\r\n", letter::first(&fields, "Date")?);
    let seconds = letter::parse(line.as_bytes(), |m| Some(m?.date()?.to_timestamp()))?;
    Timestamp::from_second(seconds).ok()
}

/// Refuses labels that are not known, or not for clients to set.
pub(crate) fn check_labels(
    call: &Call,
    labels: &[String],
    good: fn(&Labels, &str) -> bool,
) -> Result<(), GoogleError> {
    let bad = call.mailbox(|m| labels.iter().find(|l| !good(&m.labels, l)).cloned());
    match bad {
        Some(bad) => Err(GoogleError::invalid(format!("Invalid label: {bad}"))),
        None => Ok(()),
    }
}

/// Labels to add and remove.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Modify {
    pub(crate) add_label_ids: Vec<String>,
    pub(crate) remove_label_ids: Vec<String>,
    ids: Vec<String>,
    add_classification_labels: Option<Value>,
    remove_classification_label_ids: Option<Value>,
}

impl Modify {
    pub(crate) fn read(call: &Call, bytes: &[u8]) -> Result<Self, GoogleError> {
        call.allow(Needs::Modify, &[])?;
        let read: Self = body(bytes)?;
        let (add, remove) = (&read.add_label_ids, &read.remove_label_ids);
        if add.len() > MODIFY_LABELS || remove.len() > MODIFY_LABELS {
            return Err(GoogleError::invalid("Too many labels: at most 100"));
        }
        if add.is_empty() && remove.is_empty() {
            return Err(GoogleError::invalid("No label add or removes specified"));
        }
        if let Some(both) = add.iter().find(|l| remove.contains(l)) {
            return Err(GoogleError::invalid(format!(
                "Cannot both add and remove label: {both}"
            )));
        }
        check_labels(call, add, Labels::settable)?;
        check_labels(call, remove, Labels::settable)?;
        Ok(read)
    }
}

async fn modify(call: Call, bytes: Bytes) -> Answer {
    let id = path_id(&call, "id")?;
    let wanted = Modify::read(&call, &bytes)?;
    let message = relabel(&call, id, &wanted.add_label_ids, &wanted.remove_label_ids)?;
    Ok(call.answer(brief(&message)))
}

fn relabel(call: &Call, id: u64, add: &[String], remove: &[String]) -> Result<Stored, GoogleError> {
    let ids = &call.world.google.ids;
    let message = call.mailbox(|m| {
        m.relabel(id, add, remove, ids, real_now());
        m.get(id).cloned()
    });
    message.ok_or_else(GoogleError::not_found)
}

async fn trash(call: Call) -> Answer {
    call.allow(Needs::Modify, &[])?;
    let id = path_id(&call, "id")?;
    Ok(call.answer(brief(&relabel(&call, id, &["TRASH".to_owned()], &[])?)))
}

async fn untrash(call: Call) -> Answer {
    call.allow(Needs::Modify, &[])?;
    let id = path_id(&call, "id")?;
    Ok(call.answer(brief(&relabel(&call, id, &[], &["TRASH".to_owned()])?)))
}

async fn delete_one(call: Call) -> Answer {
    call.allow(Needs::Delete, &[])?;
    let id = path_id(&call, "id")?;
    let ids = &call.world.google.ids;
    if call.mailbox(|m| m.delete(id, ids, real_now())) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(GoogleError::not_found())
}

fn batch_ids(ids: &[String]) -> Result<Vec<u64>, GoogleError> {
    if ids.is_empty() || ids.len() > BATCH_IDS {
        return Err(GoogleError::invalid("ids must be 1 to 1000"));
    }
    let all: Option<Vec<u64>> = ids.iter().map(|id| from_hex(id)).collect();
    all.ok_or_else(|| GoogleError::invalid("Invalid id value"))
}

async fn batch_modify(call: Call, bytes: Bytes) -> Answer {
    let wanted = Modify::read(&call, &bytes)?;
    let all = batch_ids(&wanted.ids)?;
    let ids = &call.world.google.ids;
    call.mailbox(|m| {
        for id in all {
            m.relabel(
                id,
                &wanted.add_label_ids,
                &wanted.remove_label_ids,
                ids,
                real_now(),
            );
        }
    });
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BatchDelete {
    ids: Vec<String>,
}

async fn batch_delete(call: Call, bytes: Bytes) -> Answer {
    call.allow(Needs::Delete, &[])?;
    let all = batch_ids(&body::<BatchDelete>(&bytes)?.ids)?;
    let ids = &call.world.google.ids;
    call.mailbox(|m| {
        for id in all {
            m.delete(id, ids, real_now());
        }
    });
    Ok(StatusCode::NO_CONTENT.into_response())
}
