//! Mail as bytes: reading and editing the header block of any message, however broken, and reading
//! its text leniently. The bytes of a message are never re-encoded; only whole header fields go or
//! come.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Message, MessageParser};

/// How much of a message is looked at for its snippet and for free-text search.
const TEXT_LOOKED_AT: usize = 256 * 1024;
/// Header fields that are read of one message; the rest stays in the bytes only.
const FIELDS_LIMIT: usize = 1_000;
/// Characters of a snippet before escaping.
const SNIPPET_CHARS: usize = 200;

/// One header field with its place in the bytes, line end included.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Name in the letter case in which it came.
    pub(crate) name: String,
    /// Unfolded and decoded value.
    pub(crate) value: String,
    start: usize,
    end: usize,
}

/// Reads the header block. A line of an mbox file is skipped; a line that cannot be a header ends
/// the block, as most servers see it.
pub(crate) fn fields(raw: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    while at < raw.len() && fields.len() < FIELDS_LIMIT {
        let line_end = line_end(raw, at);
        let line = trim_eol(&raw[at..line_end]);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b"From ") {
            at = line_end;
            continue;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            break;
        };
        let name = &line[..colon];
        let name = name.trim_ascii_end();
        if name.is_empty() || name.iter().any(|b| !b.is_ascii_graphic()) {
            break;
        }
        let mut end = line_end;
        while end < raw.len() && (raw[end] == b' ' || raw[end] == b'\t') {
            end = self::line_end(raw, end);
        }
        let value = unfold(&raw[at + colon + 1..end]);
        fields.push(Field {
            name: String::from_utf8_lossy(name).into_owned(),
            value: decode_words(value),
            start: at,
            end,
        });
        at = end;
    }
    fields
}

fn line_end(raw: &[u8], from: usize) -> usize {
    raw[from..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(raw.len(), |n| from + n + 1)
}

fn trim_eol(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Removes line ends but keeps the white space of folding, as Gmail shows it.
fn unfold(value: &[u8]) -> String {
    let kept: Vec<u8> = value
        .iter()
        .copied()
        .filter(|b| *b != b'\r' && *b != b'\n')
        .collect();
    latin(kept.trim_ascii())
}

/// Bytes as text: UTF-8, else one character for each byte.
fn latin(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(
        |_| bytes.iter().map(|b| char::from(*b)).collect(),
        str::to_owned,
    )
}

/// Decodes encoded words (`=?utf-8?Q?..?=`) when there are any.
fn decode_words(value: String) -> String {
    if !value.contains("=?") {
        return value;
    }
    let header = format!("Subject: {value}\r\n\r\n");
    parse(header.as_bytes(), |m| {
        m.and_then(|m| m.subject()).map(str::to_owned)
    })
    .unwrap_or(value)
}

/// The value of the first field with this name.
pub(crate) fn first<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|f| f.name.eq_ignore_ascii_case(name))
        .map(|f| f.value.as_str())
}

/// Values of all fields with this name, joined by a comma.
pub(crate) fn joined(fields: &[Field], name: &str) -> String {
    let all = fields.iter().filter(|f| f.name.eq_ignore_ascii_case(name));
    all.map(|f| f.value.as_str()).collect::<Vec<_>>().join(", ")
}

/// Takes the named fields out and puts `top` (complete lines) before everything else; every other
/// byte stays. A message without any header gets the empty line that ends the header block.
pub(crate) fn edit(raw: &[u8], drop: &[&str], top: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + top.len() + 2);
    out.extend_from_slice(top.as_bytes());
    let fields = fields(raw);
    let block_ended = raw.starts_with(b"\r\n") || raw.starts_with(b"\n");
    if fields.is_empty() && !top.is_empty() && !block_ended {
        out.extend_from_slice(b"\r\n");
    }
    let mut at = 0;
    for field in fields {
        if drop.iter().any(|d| field.name.eq_ignore_ascii_case(d)) {
            out.extend_from_slice(&raw[at..field.start]);
            at = field.end;
        }
    }
    out.extend_from_slice(&raw[at..]);
    out
}

/// Reads 8-bit bytes of the header block as Latin-1 and writes them as UTF-8. That is what the API
/// of Gmail is reported to do on sending, so a header that was not encoded arrives garbled.
pub(crate) fn garble_eight_bit_headers(raw: &[u8]) -> Vec<u8> {
    let end = fields(raw).last().map_or(0, |f| f.end);
    let head: String = raw[..end].iter().map(|b| char::from(*b)).collect();
    [head.as_bytes(), &raw[end..]].concat()
}

/// Parses a message without ever panicking and hands it to `read`.
pub(crate) fn parse<R>(raw: &[u8], read: impl FnOnce(Option<&Message<'_>>) -> R) -> R {
    // The parser promises not to panic; mail is hostile, so the promise is not relied upon.
    let parsed = catch_unwind(AssertUnwindSafe(|| MessageParser::default().parse(raw)));
    read(parsed.unwrap_or_default().as_ref())
}

/// An address out of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mailer {
    pub(crate) name: String,
    /// As written; may be anything.
    pub(crate) address: String,
}

/// The addresses of a header value, groups flattened.
pub(crate) fn addresses(value: &str) -> Vec<Mailer> {
    let header = format!("To: {value}\r\n\r\n");
    parse(header.as_bytes(), |m| {
        let Some(to) = m.and_then(|m| m.to()) else {
            return Vec::new();
        };
        let all = to.iter().filter_map(|a| {
            Some(Mailer {
                name: a.name.as_deref().unwrap_or_default().to_owned(),
                address: a.address.as_deref()?.trim().to_owned(),
            })
        });
        all.filter(|a| !a.address.is_empty()).collect()
    })
}

/// The address after `@`, in lower case.
pub(crate) fn domain(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// The ids in angle brackets, without the brackets.
pub(crate) fn message_ids(value: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((id, more)) = after.split_once('>') else {
            break;
        };
        ids.push(id.trim().to_owned());
        rest = more;
    }
    ids
}

/// The subject without `Re:` and the like, in lower case: what threads are compared by.
pub(crate) fn subject_key(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some((prefix, after)) = rest.split_once(':') {
        let word = prefix
            .split('[')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let known = ["re", "fw", "fwd", "aw", "wg", "antw", "sv", "tr", "rv", "r"];
        if !known.contains(&word.as_str()) {
            break;
        }
        rest = after.trim_start();
    }
    rest.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// The text a person reads, from the start of the message; never fails.
pub(crate) fn text(raw: &[u8]) -> String {
    let looked_at = &raw[..raw.len().min(TEXT_LOOKED_AT)];
    parse(looked_at, |m| {
        m.and_then(|m| m.body_text(0)).map(|t| t.into_owned())
    })
    .unwrap_or_default()
}

/// Gmail's snippet: the first words of the text, escaped for HTML.
pub(crate) fn snippet(raw: &[u8]) -> String {
    let mut out = String::new();
    let mut count = 0;
    for word in text(raw).split_whitespace() {
        count += word.chars().count() + 1;
        if count > SNIPPET_CHARS {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that often look like a mail.
    fn mail() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"Subject: x\r\n".to_vec()),
            Just(b"From: =?utf-8?Q?=C3=A9?= <a@b>\n".to_vec()),
            Just(b" folded\r\n".to_vec()),
            Just(b"Content-Type: multipart/mixed; boundary=b\r\n".to_vec()),
            Just(b"--b\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"From a@b\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn editing_keeps_every_other_byte(raw in mail()) {
            prop_assert_eq!(&edit(&raw, &[], ""), &raw);
            let edited = edit(&raw, &["subject"], "X-Top: 1\r\n");
            let taken: usize = fields(&raw)
                .iter()
                .filter(|f| f.name.eq_ignore_ascii_case("subject"))
                .map(|f| f.end - f.start)
                .sum();
            if fields(&raw).is_empty() {
                prop_assert!(edited.ends_with(&raw));
            } else {
                prop_assert_eq!(edited.len(), raw.len() - taken + 10);
            }
            let left = fields(&edited);
            prop_assert!(left.iter().all(|f| !f.name.eq_ignore_ascii_case("subject")));
        }

        #[test]
        fn anything_is_read_without_a_panic(raw in mail()) {
            let values = fields(&raw);
            for field in &values {
                addresses(&field.value);
                message_ids(&field.value);
                subject_key(&field.value);
            }
            snippet(&raw);
        }
    }

    #[test]
    fn subjects_are_compared_without_their_prefixes() {
        for text in ["Re: PO 1", "AW: RE[2]: po  1", "PO 1", " Fwd: WG: PO 1 "] {
            assert_eq!(subject_key(text), "po 1", "{text}");
        }
        assert_eq!(subject_key("Order: PO 1"), "order: po 1");
    }
}
