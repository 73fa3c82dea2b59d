//! Who wrote a mail that somebody passed on: read from the block that mail programs put above a
//! forwarded text. The block is plain text that anybody can type, so the result is never trusted.

use serde::Serialize;

use super::quote::{self, Label};

/// The original sender as the forwarded block says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::gmail) struct Forwarded {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) address: Option<String>,
    /// Always true: nothing proves what the block says.
    pub(in crate::gmail) unverified: bool,
}

/// What subjects of forwarded mails begin with: English, German (also `WTR`), French, Spanish.
const PREFIXES: &[&str] = &[
    "fwd:",
    "fw:",
    "wg:",
    "wtr:",
    "weitergeleitet:",
    "tr:",
    "rv:",
    "i:",
    "doorst:",
];

/// Whether the subject says that the mail was passed on.
pub(super) fn is_forward(subject: &str) -> bool {
    let lower = subject.trim_start().to_lowercase();
    PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// The original sender, when the subject or a divider says "forwarded" and a block names one.
pub(super) fn read(subject: &str, text: &str) -> Option<Forwarded> {
    let lines: Vec<&str> = text.lines().take(quote::LINES_MAX).collect();
    let divider = lines
        .iter()
        .position(|line| quote::is_forward_divider(line));
    let start = match divider {
        Some(at) => at,
        None if is_forward(subject) => 0,
        None => return None,
    };
    let at = (start..lines.len()).find(|at| quote::is_header_block(&lines, *at))?;
    let (label, value) = quote::label(lines[at])?;
    (label == Label::From).then(|| person(value))
}

/// Reads `Name <address>`, `Name [mailto:address]`, `"Name" address` or a bare address or name.
pub(super) fn person(value: &str) -> Forwarded {
    let value = value.trim().trim_matches('*').trim();
    let address = value
        .split(|c: char| c.is_whitespace() || "<>[]()\"',;".contains(c))
        .map(|word| word.trim_start_matches("mailto:"))
        .find(|word| looks_like_address(word))
        .map(str::to_ascii_lowercase);
    let name_end = value.find(['<', '[']).unwrap_or(value.len());
    let name = value[..name_end]
        .trim()
        .trim_matches(['"', '\'', '*'])
        .trim();
    let is_name = !name.is_empty() && !looks_like_address(name);
    Forwarded {
        name: is_name.then(|| super::headers::line(name)),
        address,
        unverified: true,
    }
}

fn looks_like_address(word: &str) -> bool {
    word.len() <= 254
        && word.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        })
}
