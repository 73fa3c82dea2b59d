//! The readable text of a mail and the list of what is attached, from raw bytes or from the tree
//! that the provider parsed. Attached bytes are measured, never kept.

use std::borrow::Cow;
use std::collections::HashMap;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use serde::Serialize;

use super::{clean, html, nested};
use crate::gmail::client::decode;
use crate::gmail::wire::Part;

/// More attachments than this are not listed.
pub(super) const ATTACHMENTS_MAX: usize = 100;
/// More text than this is not kept; the reader opens the mail itself.
pub(super) const TEXT_MAX: usize = 32 * 1024;
const NAME_MAX: usize = 255;
/// A part number longer than this belongs to nesting that nobody can point at.
const PATH_MAX: usize = 32;
/// More parts than this are not looked at.
const PARTS_MAX: usize = 2000;
/// Text parts beyond this many bytes are not joined: more than is kept in any case.
const JOIN_MAX: usize = 4 * TEXT_MAX;

/// One attached file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::gmail) struct Attachment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) name: Option<String>,
    /// Bytes after decoding.
    pub(in crate::gmail) size: u64,
    #[serde(rename = "type")]
    pub(in crate::gmail) media: String,
    /// Where it stands in the mail, as the provider counts: `1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) part: Option<String>,
}

/// What a mail says and carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) text: String,
    pub(super) cut: bool,
    pub(super) html_only: bool,
    pub(super) attachments: Vec<Attachment>,
}

/// A text part.
enum Text<'a> {
    Plain(Cow<'a, str>),
    Html(Cow<'a, str>),
}

impl Text<'_> {
    fn is_blank(&self) -> bool {
        match self {
            Self::Plain(text) => text.trim().is_empty(),
            Self::Html(_) => false,
        }
    }
}

/// Joins text parts in their order, HTML converted: a list's footer must not hide what is above it.
fn finish(texts: &[Text<'_>], attachments: Vec<Attachment>) -> Body {
    let mut cut = false;
    let readable: Vec<_> = texts
        .iter()
        .filter(|text| !text.is_blank())
        .map(|text| match text {
            Text::Plain(text) => Cow::Borrowed(text.as_ref()),
            Text::Html(html) => {
                let (text, more) = html::text(html);
                cut |= more;
                Cow::Owned(text.trim_end().to_owned())
            }
        })
        .collect();
    let (joined, more) = join(readable.iter().map(Cow::as_ref));
    let (text, longer) = clean::body(&nested::restored(&joined), TEXT_MAX);
    let html_only = !readable.is_empty()
        && texts
            .iter()
            .all(|text| matches!(text, Text::Html(_)) || text.is_blank());
    Body {
        text,
        cut: cut || more || longer,
        html_only,
        attachments,
    }
}

fn join<'t>(texts: impl Iterator<Item = &'t str>) -> (String, bool) {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push_str("\n\n");
        }
        let end = text.floor_char_boundary(JOIN_MAX.saturating_sub(joined.len()));
        joined.push_str(&text[..end]);
        if end < text.len() {
            return (joined, true);
        }
    }
    (joined, false)
}

/// Reads a mail that was parsed from its raw bytes.
pub(super) fn from_message(message: &Message<'_>) -> Body {
    let mut texts: Vec<_> = message
        .text_bodies()
        .take(PARTS_MAX)
        .filter_map(|part| match &part.body {
            PartType::Text(text) => Some(Text::Plain(Cow::Borrowed(text.as_ref()))),
            PartType::Html(html) => Some(Text::Html(Cow::Borrowed(html.as_ref()))),
            _ => None,
        })
        .collect();
    if texts.iter().all(Text::is_blank) {
        let html = message.html_bodies().take(PARTS_MAX);
        texts.extend(html.filter_map(|part| match &part.body {
            PartType::Html(html) => Some(Text::Html(Cow::Borrowed(html.as_ref()))),
            _ => None,
        }));
    }
    let paths = paths(message);
    let attachments = message
        .attachments
        .iter()
        .take(ATTACHMENTS_MAX)
        .filter_map(|id| {
            let part = message.parts.get(usize::try_from(*id).ok()?)?;
            let media = part.content_type().map_or_else(
                || "application/octet-stream".to_owned(),
                |content| match content.subtype() {
                    Some(subtype) => format!("{}/{subtype}", content.ctype()),
                    None => content.ctype().to_owned(),
                },
            );
            let inner = MessageParser::default();
            let inner = media
                .starts_with("message/")
                .then(|| inner.parse_headers(part.contents()));
            let inner = inner.flatten().filter(|inner| !inner.parts.is_empty());
            // A mail that was attached is named by its subject.
            let subject = inner.as_ref().and_then(|inner| inner.subject());
            let name = part.attachment_name().or(subject);
            Some(Attachment {
                name: name
                    .map(|name| clean::line(name, NAME_MAX))
                    .filter(|name| !name.is_empty()),
                size: part.len() as u64,
                media: clean::line(&nested::restored(&media), NAME_MAX).to_ascii_lowercase(),
                part: paths.get(id).cloned(),
            })
        })
        .collect();
    finish(&texts, attachments)
}

/// The provider's part numbers: children count from 0, levels are joined with dots.
fn paths(message: &Message<'_>) -> HashMap<u32, String> {
    let mut paths = HashMap::new();
    let mut open = vec![(0_u32, String::new())];
    while let Some((id, path)) = open.pop() {
        let part = usize::try_from(id)
            .ok()
            .and_then(|id| message.parts.get(id));
        if let Some(PartType::Multipart(children)) = part.map(|part| &part.body) {
            for (index, child) in children.iter().enumerate() {
                let below = if path.is_empty() {
                    index.to_string()
                } else {
                    format!("{path}.{index}")
                };
                if below.len() <= PATH_MAX && paths.len() < PARTS_MAX {
                    open.push((*child, below));
                }
            }
        }
        if !path.is_empty() {
            paths.insert(id, path);
        }
    }
    paths
}

/// Reads the tree that the provider parsed; bodies of attached files are not in it.
pub(super) fn from_tree(root: &Part) -> Body {
    let mut texts = Vec::new();
    let mut attachments = Vec::new();
    let mut open = vec![(root, false)];
    let mut seen = 0;
    while let Some((part, has_plain)) = open.pop() {
        seen += 1;
        if seen > PARTS_MAX {
            break;
        }
        let alternative = part.mime_type.eq_ignore_ascii_case("multipart/alternative");
        let has_plain = has_plain || alternative && part.parts.iter().any(has_text);
        // In reverse, so that parts come off the stack in the order in which they stand.
        open.extend(part.parts.iter().rev().map(|below| (below, has_plain)));
        let media = part.mime_type.to_ascii_lowercase();
        let body = part.body.as_ref();
        match (media.as_str(), is_inline(part)) {
            ("text/plain", true) => texts.push(Text::Plain(Cow::Owned(text_of(part)))),
            ("text/html", true) if has_plain => {}
            ("text/html", true) => texts.push(Text::Html(Cow::Owned(text_of(part)))),
            (media, _) if media.starts_with("multipart/") => {}
            _ if attachments.len() < ATTACHMENTS_MAX && !std::ptr::eq(part, root) => {
                let name = clean::line(&part.filename, NAME_MAX);
                attachments.push(Attachment {
                    name: (!name.is_empty()).then_some(name),
                    size: body.map_or(0, |body| body.size),
                    media: clean::line(&media, NAME_MAX),
                    part: Some(part.part_id.clone())
                        .filter(|id| (1..=PATH_MAX).contains(&id.len())),
                });
            }
            _ => {}
        }
    }
    finish(&texts, attachments)
}

fn is_inline(part: &Part) -> bool {
    let body = part.body.as_ref();
    part.filename.is_empty()
        && body.is_some_and(|body| body.attachment_id.is_none() && body.data.is_some())
}

/// Whether the part, or one below it, is plain text with something in it. The depth is bounded by
/// what the JSON reader takes.
fn has_text(part: &Part) -> bool {
    let plain = part.mime_type.eq_ignore_ascii_case("text/plain");
    plain && is_inline(part) && !text_of(part).trim().is_empty() || part.parts.iter().any(has_text)
}

/// The text of one part. The provider undoes the transfer encoding and leaves the character set.
fn text_of(part: &Part) -> String {
    let data = part.body.as_ref().and_then(|body| body.data.as_deref());
    let bytes = data.and_then(decode).unwrap_or_default();
    let charset = part
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-type"))
        .and_then(|header| charset(&header.value));
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => charset
            .and_then(|name| mail_parser::decoders::charsets::map::charset_decoder(name.as_bytes()))
            .map_or_else(
                || String::from_utf8_lossy(error.as_bytes()).into_owned(),
                |decoder| decoder(error.as_bytes()),
            ),
    }
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}
