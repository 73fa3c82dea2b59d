//! HTML as plain text: what is left for people and rules when a mail has no text part. Nothing is
//! fetched, nothing is rendered, no style is applied.

use html2text::config;
use html2text::render::TextDecorator;

/// HTML beyond this is not converted: the text that we keep is far shorter, and the converter's
/// time grows faster than the document.
const HTML_MAX: usize = 256 * 1024;
/// Elements nested deeper than this are read without structure, so that hostile nesting cannot
/// exhaust the stack of the converter.
const DEPTH_MAX: usize = 120;
/// Lines are not wrapped for a screen: a wrapped line would break the rules that read lines.
const WIDTH: usize = 400;

/// The text of an HTML document, and whether the document was cut.
pub(super) fn text(html: &str) -> (String, bool) {
    let end = html.floor_char_boundary(HTML_MAX);
    let (head, cut) = (&html[..end], end < html.len());
    if depth(head) > DEPTH_MAX {
        return (without_tags(head), cut);
    }
    let plain = without_spans(head);
    let converted = config::with_decorator(Plain)
        .no_table_borders()
        .allow_width_overflow()
        .string_from_read(plain.as_bytes(), WIDTH);
    (converted.unwrap_or_else(|_| without_tags(head)), cut)
}

/// The document without cells that claim several rows or columns: a few hundred of them that claim
/// millions keep the converter busy for minutes, and without them only columns shift. The words are
/// broken wherever they stand, because what is an attribute only the converter's own parser knows.
fn without_spans(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let mut out = String::with_capacity(html.len() + 64);
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = lower[from..].find("span") {
        let at = from + at;
        if lower[..at].ends_with("row") || lower[..at].ends_with("col") {
            out.push_str(&html[copied..at]);
            out.push('-');
            copied = at;
        }
        from = at + "span".len();
    }
    out.push_str(&html[copied..]);
    out
}

/// An upper bound of how deep elements nest, found without a parser: unclosed ones count.
fn depth(html: &str) -> usize {
    let bytes = html.as_bytes();
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'<' {
            continue;
        }
        match bytes.get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(next) if next.is_ascii_alphabetic() && !is_void(&bytes[at + 1..]) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => {}
        }
    }
    deepest
}

/// Elements that never contain others; mails are full of them, unclosed.
fn is_void(rest: &[u8]) -> bool {
    const VOID: [&[u8]; 12] = [
        b"br", b"img", b"hr", b"meta", b"link", b"input", b"col", b"area", b"base", b"wbr", b"p",
        b"li",
    ];
    let end = rest
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    VOID.iter()
        .any(|name| rest[..end].eq_ignore_ascii_case(name))
}

/// The linear reading: tags become nothing, block ends become line ends.
fn without_tags(html: &str) -> String {
    mail_parser::decoders::html::html_to_text(html)
}

/// Marks quotations and lists, which the reading of replies needs, and nothing else.
#[derive(Clone, Copy, Debug)]
struct Plain;

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, _url: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        String::new()
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _src: &str, _title: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "* ".to_owned()
    }
    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        *self
    }
}
