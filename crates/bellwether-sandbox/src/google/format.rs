//! A kept message in the formats of `messages.get`: minimal, metadata, full with its tree of parts,
//! raw. Attachment ids change between two calls, as those of Gmail do.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use mail_parser::{Header, Message, MessagePart, MimeHeaders, PartType};
use serde_json::{Value, json};

use super::ids::{Ids, hex};
use super::letter::{self, Field};
use super::mailbox::Stored;

/// How deep parts are shown; deeper ones are left out.
const DEPTH_LIMIT: usize = 30;

/// The formats of `messages.get`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Minimal,
    /// With only these headers, or all when empty.
    Metadata(Vec<String>),
    Full,
    Raw,
}

/// What a list shows: ids and labels.
pub(crate) fn brief(message: &Stored) -> Value {
    let mut shown = json!({"id": hex(message.id), "threadId": hex(message.thread)});
    if !message.labels.is_empty() {
        shown["labelIds"] = json!(message.label_list());
    }
    shown
}

/// The message in a format.
pub(crate) fn shown(message: &Stored, format: &Format, ids: &Ids) -> Value {
    let mut shown = brief(message);
    shown["snippet"] = json!(message.snippet);
    match format {
        Format::Minimal => {}
        Format::Metadata(wanted) => {
            let fields = letter::fields(&message.raw);
            let mime = letter::parse(&message.raw, |m| {
                m.and_then(|m| m.parts.first())
                    .map_or_else(|| "text/plain".to_owned(), mime_type)
            });
            shown["payload"] = json!({"mimeType": mime});
            let headers = headers(&fields, wanted);
            if !headers.is_empty() {
                shown["payload"]["headers"] = Value::Array(headers);
            }
        }
        Format::Full => shown["payload"] = payload(&message.raw, ids),
        Format::Raw => shown["raw"] = json!(URL_SAFE.encode(&message.raw)),
    }
    shown["sizeEstimate"] = json!(message.raw.len());
    shown["historyId"] = json!(message.history_id.to_string());
    shown["internalDate"] = json!(message.internal_date.to_string());
    shown
}

fn headers(fields: &[Field], wanted: &[String]) -> Vec<Value> {
    let named =
        |f: &&Field| wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(&f.name));
    let shown = fields.iter().filter(named);
    shown
        .map(|f| json!({"name": f.name, "value": f.value}))
        .collect()
}

/// The tree of parts. A message that cannot be parsed is one part of plain text.
fn payload(raw: &Bytes, ids: &Ids) -> Value {
    let fields = letter::fields(raw);
    let mut tree = letter::parse(raw, |message| match message {
        Some(message) => part(message, 0, "", 0, ids),
        None => json!({"partId": "", "mimeType": "text/plain", "filename": "",
            "body": body_data(raw)}),
    });
    // The header block as this crate reads it is the one the rules of the stand-in go by.
    tree["headers"] = Value::Array(headers(&fields, &[]));
    tree
}

fn mime_type(part: &MessagePart<'_>) -> String {
    match part.content_type() {
        Some(kind) => {
            let sub = kind.subtype().unwrap_or("plain");
            format!("{}/{sub}", kind.ctype()).to_lowercase()
        }
        None => "text/plain".to_owned(),
    }
}

fn part(message: &Message<'_>, index: usize, id: &str, depth: usize, ids: &Ids) -> Value {
    let Some(part) = message.parts.get(index) else {
        return json!({});
    };
    let filename = part.attachment_name().unwrap_or_default();
    let mut shown = json!({"partId": id, "mimeType": mime_type(part), "filename": filename});
    let headers: Vec<Value> = part
        .headers
        .iter()
        .filter_map(|h| header(&message.raw_message, h))
        .collect();
    if !headers.is_empty() {
        shown["headers"] = Value::Array(headers);
    }
    let (body, children) = match &part.body {
        PartType::Text(text) | PartType::Html(text) if filename.is_empty() => {
            (body_data(text.as_bytes()), Vec::new())
        }
        PartType::Text(text) | PartType::Html(text) => (attached(text.len(), id, ids), Vec::new()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            (attached(bytes.len(), id, ids), Vec::new())
        }
        PartType::Message(inner) if depth < DEPTH_LIMIT => {
            let child = self::part(inner, 0, &child_id(id, 0), depth + 1, ids);
            (attached(inner.raw_message().len(), id, ids), vec![child])
        }
        PartType::Multipart(parts) if depth < DEPTH_LIMIT => {
            let children = parts.iter().enumerate().map(|(n, child)| {
                self::part(message, *child as usize, &child_id(id, n), depth + 1, ids)
            });
            (json!({"size": 0}), children.collect())
        }
        PartType::Message(_) | PartType::Multipart(_) => (json!({"size": 0}), Vec::new()),
    };
    shown["body"] = body;
    if !children.is_empty() {
        shown["parts"] = Value::Array(children);
    }
    shown
}

fn child_id(parent: &str, n: usize) -> String {
    if parent.is_empty() {
        n.to_string()
    } else {
        format!("{parent}.{n}")
    }
}

fn header(raw: &[u8], header: &Header<'_>) -> Option<Value> {
    // Read again from the bytes, so that name and value look as they were sent.
    let line = raw.get(header.offset_field as usize..header.offset_end as usize)?;
    let field = letter::fields(line).into_iter().next()?;
    Some(json!({"name": field.name, "value": field.value}))
}

fn body_data(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return json!({"size": 0});
    }
    json!({"size": bytes.len(), "data": URL_SAFE.encode(bytes)})
}

fn attached(size: usize, id: &str, ids: &Ids) -> Value {
    let id = format!("{:016x}/{}", ids.random(), id);
    json!({"attachmentId": format!("ANGjdJ{}", URL_SAFE_NO_PAD.encode(id)), "size": size})
}

/// The bytes of an attachment by an id given before; `None` when there is no such part.
pub(crate) fn attachment(raw: &Bytes, attachment_id: &str) -> Option<Value> {
    let text = URL_SAFE_NO_PAD
        .decode(attachment_id.strip_prefix("ANGjdJ")?)
        .ok()?;
    let text = String::from_utf8(text).ok()?;
    let (_, part_id) = text.split_once('/')?;
    letter::parse(raw, |message| {
        let path = part_id.split('.').filter(|s| !s.is_empty());
        let path: Vec<usize> = path.map(str::parse).collect::<Result<_, _>>().ok()?;
        bytes_of(message?, 0, &path)
    })
}

fn bytes_of(message: &Message<'_>, index: usize, path: &[usize]) -> Option<Value> {
    let part = message.parts.get(index)?;
    let Some((next, rest)) = path.split_first() else {
        let bytes = match &part.body {
            PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes,
            PartType::Message(inner) => inner.raw_message(),
            PartType::Multipart(_) => return None,
        };
        return Some(body_data(bytes));
    };
    match &part.body {
        PartType::Message(inner) if *next == 0 => bytes_of(inner, 0, rest),
        PartType::Multipart(parts) => bytes_of(message, *parts.get(*next)? as usize, rest),
        _ => None,
    }
}
