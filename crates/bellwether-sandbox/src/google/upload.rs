//! Uploads of messages: `/upload/gmail/v1/..` with `uploadType` media, multipart or resumable. What
//! happens with the message is with `messages` and `drafts`.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{any, post};
use serde_json::Value;

use super::call::{Call, body};
use super::drafts::{self, DraftBody};
use super::errors::{Answer, GoogleError};
use super::messages::{self, Given, IMPORT_LIMIT, MessageBody};
use crate::world::{World, lock};

/// Resumable uploads that are open at one time; the oldest are forgotten.
const SESSIONS_LIMIT: usize = 100;

/// Open resumable uploads: id, JSON part, bytes so far.
#[derive(Debug, Default)]
pub(crate) struct Sessions(VecDeque<(String, Bytes, Vec<u8>)>);

pub(crate) fn routes() -> Router<Arc<World>> {
    let mut router = Router::new();
    for prefix in [
        "/upload/gmail/v1/users/{user}",
        "/resumable/upload/gmail/v1/users/{user}",
    ] {
        router = router
            .route(&format!("{prefix}/messages/send"), any(upload))
            .route(&format!("{prefix}/messages/import"), any(upload))
            .route(&format!("{prefix}/messages"), any(upload))
            .route(&format!("{prefix}/drafts"), any(upload))
            .route(&format!("{prefix}/drafts/send"), post(upload).put(upload))
            .route(&format!("{prefix}/drafts/{{id}}"), any(upload));
    }
    router
}

async fn upload(call: Call, method: Method, uri: Uri, headers: HeaderMap, bytes: Bytes) -> Answer {
    let kind = call.param("uploadType").unwrap_or("media");
    let (json, raw) = match kind {
        "media" => (Bytes::new(), bytes.to_vec()),
        "multipart" => related(&headers, &bytes)?,
        "resumable" => match call.param("upload_id") {
            None => return start(&call, &uri, bytes),
            Some(id) => match resume(&call, id, &headers, &bytes)? {
                Progress::Done(json, raw) => (json, raw),
                Progress::More(so_far) => {
                    let range = format!("bytes=0-{}", so_far.saturating_sub(1));
                    let status = StatusCode::PERMANENT_REDIRECT;
                    return Ok((status, [(header::RANGE, range)]).into_response());
                }
            },
        },
        other => return Err(GoogleError::invalid(format!("Invalid uploadType: {other}"))),
    };
    finish(&call, &method, uri.path(), &json, raw)
}

fn finish(call: &Call, method: &Method, path: &str, json: &[u8], raw: Vec<u8>) -> Answer {
    let (_, what) = path.split_once("/users/").unwrap_or_default();
    let what = what.split_once('/').map_or("", |(_, what)| what);
    if what.starts_with("drafts") {
        let draft: DraftBody = body(json)?;
        let given = draft.message.with(raw)?;
        return match (what, method.as_str()) {
            ("drafts", "POST" | "PUT") => drafts::create(call, given),
            ("drafts/send", _) => drafts::send(call, &draft.id.unwrap_or_default(), some(given)),
            (_, "PUT") => drafts::update(call, given),
            _ => Err(GoogleError::not_found()),
        };
    }
    let given = body::<MessageBody>(json)?.with(raw)?;
    match what {
        "messages/send" => messages::send(call, given),
        "messages/import" => messages::import(call, given),
        "messages" => messages::insert(call, given),
        _ => Err(GoogleError::not_found()),
    }
}

fn some(given: Given) -> Option<Given> {
    (!given.raw.is_empty()).then_some(given)
}

/// Splits a `multipart/related` body into its JSON and its message.
fn related(headers: &HeaderMap, bytes: &Bytes) -> Result<(Bytes, Vec<u8>), GoogleError> {
    let bad = || GoogleError::invalid("Malformed multipart body.");
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let boundary = kind.and_then(boundary).ok_or_else(bad)?;
    let parts = split(bytes, &boundary);
    match parts[..] {
        [json, raw] => Ok((bytes.slice_ref(content(json)), content(raw).to_vec())),
        _ => Err(bad()),
    }
}

/// The boundary of a multipart content type.
pub(crate) fn boundary(kind: &str) -> Option<String> {
    let tag = kind.split(';').map(str::trim).find_map(|t| {
        let (name, value) = t.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    Some(tag.trim_matches(['"', '\'']).to_owned()).filter(|b| !b.is_empty())
}

/// The parts of a multipart body, headers included, without the line end before each boundary.
pub(crate) fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let mark = format!("--{boundary}");
    let mut marks = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let end = body[at..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(body.len(), |n| at + n + 1);
        let line = body[at..end].trim_ascii_end();
        let closing = line
            .strip_suffix(b"--")
            .is_some_and(|l| l == mark.as_bytes());
        if line == mark.as_bytes() || closing {
            marks.push((at, end));
        }
        at = end;
    }
    let parts = marks.windows(2).map(|pair| {
        let part = &body[pair[0].1..pair[1].0];
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        part.strip_suffix(b"\r").unwrap_or(part)
    });
    parts.collect()
}

/// What follows the headers of a part.
pub(crate) fn content(part: &[u8]) -> &[u8] {
    let mut at = 0;
    while at < part.len() {
        let end = part[at..]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(part.len(), |n| at + n + 1);
        let empty = part[at..end].trim_ascii().is_empty();
        at = end;
        if empty {
            return &part[at..];
        }
    }
    &part[at..]
}

fn start(call: &Call, uri: &Uri, json: Bytes) -> Answer {
    // A bad JSON part is refused now, as the real service does.
    let _checked: Value = body(&json)?;
    let id = call.world.google.ids.token();
    let mut sessions = lock(&call.world.google.sessions);
    if sessions.0.len() == SESSIONS_LIMIT {
        sessions.0.pop_front();
    }
    sessions.0.push_back((id.clone(), json, Vec::new()));
    drop(sessions);
    let query = uri.query().unwrap_or_default();
    let place = format!(
        "{}{}?{query}&upload_id={id}",
        call.world.addresses.url("google"),
        uri.path()
    );
    Ok((StatusCode::OK, [(header::LOCATION, place)]).into_response())
}

enum Progress {
    Done(Bytes, Vec<u8>),
    More(usize),
}

fn resume(
    call: &Call,
    id: &str,
    headers: &HeaderMap,
    bytes: &[u8],
) -> Result<Progress, GoogleError> {
    let range = headers
        .get(header::CONTENT_RANGE)
        .and_then(|v| v.to_str().ok());
    let total = range
        .and_then(|r| r.rsplit_once('/'))
        .map(|(_, total)| total);
    let mut sessions = lock(&call.world.google.sessions);
    let at = sessions.0.iter().position(|(known, ..)| known == id);
    let at = at.ok_or_else(GoogleError::not_found)?;
    let (_, _, so_far) = &mut sessions.0[at];
    if so_far.len() + bytes.len() > IMPORT_LIMIT {
        sessions.0.remove(at);
        return Err(GoogleError::too_large());
    }
    so_far.extend_from_slice(bytes);
    let complete = match total {
        None => true,
        Some(total) => total
            .parse::<usize>()
            .is_ok_and(|total| so_far.len() >= total),
    };
    if !complete {
        return Ok(Progress::More(so_far.len()));
    }
    match sessions.0.remove(at) {
        Some((_, json, raw)) => Ok(Progress::Done(json, raw)),
        None => Err(GoogleError::not_found()),
    }
}
