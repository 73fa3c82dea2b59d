//! Keeps mails within mails closed. The MIME library opens them level by level and copies the whole
//! mail for each level of an encoded one, so that a mail of two megabytes can take all memory, or
//! all of the stack when it is dropped. They are listed as attachments and never opened.

use std::borrow::Cow;

/// The subtypes that make the library open a part, each with what it reads instead. The lengths are
/// equal, so that offsets stay true.
const OPENING: [(&[u8; 6], &[u8; 6]); 3] = [
    (b"rfc822", b"rfc8x2"),
    (b"global", b"globa1"),
    (b"digest", b"diges1"),
];

/// The mail with those subtypes replaced wherever one could stand: behind a slash, or behind a
/// comment or quotation mark that a slash may precede. The library takes a subtype only as it
/// stands in the mail, in one piece.
pub(super) fn closed(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut copy: Option<Vec<u8>> = None;
    let mut last = 0;
    for (at, byte) in raw.iter().enumerate() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        if matches!(last, b'/' | b')' | b'"' | b'\\')
            && let Some(window) = raw.get(at..at + 6)
            && let Some((_, instead)) = OPENING
                .iter()
                .find(|(word, _)| window.eq_ignore_ascii_case(*word))
        {
            copy.get_or_insert_with(|| raw.to_vec())[at..at + 6].copy_from_slice(*instead);
        }
        last = *byte;
    }
    copy.map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// So many lines may begin as boundaries do. No mail of people comes near; each part takes memory.
const BOUNDARIES_MAX: usize = 20_000;

/// Whether a mail of several parts has more of them than can be held in memory.
pub(super) fn has_too_many_parts(raw: &[u8]) -> bool {
    raw.windows(3).filter(|three| *three == b"\n--").count() > BOUNDARIES_MAX
}

/// The words as they stood in the mail.
pub(super) fn restored(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for (word, instead) in OPENING {
        let (word, instead) = (
            String::from_utf8_lossy(word),
            String::from_utf8_lossy(instead),
        );
        if text.contains(instead.as_ref()) {
            text = Cow::Owned(text.replace(instead.as_ref(), &word));
        }
    }
    text
}
