//! What the page says once after a redirect, carried in a cookie of one minute: not in the address,
//! where anybody could put words into our mouth. Bound to the link that it belongs to.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether_model::id::{hash, hex};

use crate::guard::cookie;
use crate::text::short;

const COOKIE: &str = "bw_note";
/// The most characters of a reason that travel.
const TEXT_MAX: usize = 300;

/// A word of a fixed set, and a text for those that carry one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) word: String,
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn new(word: &str) -> Self {
        Self::with(word, "")
    }

    pub(crate) fn with(word: &str, text: &str) -> Self {
        Self {
            word: word.to_owned(),
            text: short(text, TEXT_MAX).into_owned(),
        }
    }

    /// The cookie that carries it to the page of `token`, a link's token or a console's place.
    pub(crate) fn cookie(&self, token: &str, path: &str) -> String {
        let text = URL_SAFE_NO_PAD.encode(&self.text);
        let (tag, word) = (tag(token), &self.word);
        format!("{COOKIE}={tag}.{word}.{text}; Path={path}; Max-Age=60; HttpOnly; SameSite=Lax")
    }

    /// The note that came with a request, if it is for this link.
    pub(crate) fn read(headers: &HeaderMap, token: &str) -> Option<Self> {
        let mut parts = cookie(headers, COOKIE)?.splitn(3, '.');
        if parts.next()? != tag(token) {
            return None;
        }
        let word = parts.next()?.to_owned();
        let text = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let text = String::from_utf8(text).ok()?;
        Some(Self { word, text })
    }
}

/// The cookie that ends it.
pub(crate) fn forget(path: &str) -> String {
    format!("{COOKIE}=; Path={path}; Max-Age=0; HttpOnly; SameSite=Lax")
}

fn tag(token: &str) -> String {
    hex(&hash(&[token.as_bytes()])[..6])
}
