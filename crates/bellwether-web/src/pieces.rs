//! The small parts that pages are made of: head, icons, pills, tables of links, empty states. No
//! page and no list is known here.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use bellwether_engine::store::ListQuery;
use bellwether_model::time::Time;
use maud::{Markup, html};

use crate::statics::VERSION;
use crate::text::clean;
use crate::when;

/// The cookie of the chosen theme.
pub(crate) const THEME_COOKIE: &str = "bw_theme";

/// Icons as paths in a box of 16 by 16, drawn with a line of 1.6.
const ICONS: [(&str, &str); 21] = [
    ("check", "M3 8.5l3.2 3.2L13 4.8"),
    ("alert", "M8 2.2L14.4 13.5H1.6zM8 6.4v3.4M8 11.8v.1"),
    ("cross", "M4 4l8 8M12 4l-8 8"),
    (
        "info",
        "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8M8 7.3v4M8 4.8v.1",
    ),
    (
        "clock",
        "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8M8 4.6V8l2.4 1.6",
    ),
    ("dot", "M8 4.2a3.8 3.8 0 1 0 0 7.6a3.8 3.8 0 1 0 0-7.6z"),
    ("stop", "M4.2 4.2h7.6v7.6H4.2z"),
    ("lock", "M3.5 7.2h9v6.3h-9zM5.4 7V5a2.6 2.6 0 0 1 5.2 0v2"),
    (
        "person",
        "M8 2.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6M2.6 14c.9-5.9 9.9-5.9 10.8 0",
    ),
    ("mail", "M1.8 3.6h12.4v8.8H1.8zM2 4l6 4.9L14 4"),
    ("phone", "M4.6 1.6h6.8v12.8H4.6zM7.2 12.2h1.6"),
    (
        "in",
        "M8 2v7.4M4.8 6.6L8 9.8l3.2-3.2M2.4 10.4v3.2h11.2v-3.2",
    ),
    ("flow", "M2 8h7.6M7 4.8L10.2 8L7 11.2M13.6 3v10"),
    (
        "eye",
        "M1.4 8q6.6-8.8 13.2 0q-6.6 8.8-13.2 0M8 6.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6",
    ),
    ("hold", "M5.4 3.4v9.2M10.6 3.4v9.2"),
    (
        "back",
        "M6.4 3.6L2.6 7.4l3.8 3.8M2.8 7.4h6.8a3.6 3.6 0 0 1 0 7.2",
    ),
    ("home", "M2.2 7.6L8 2.4l5.8 5.2M4 6.6v7h8v-7"),
    (
        "list",
        "M5.4 4h8.4M5.4 8h8.4M5.4 12h8.4M2.2 4h.1M2.2 8h.1M2.2 12h.1",
    ),
    (
        "plug",
        "M5.6 1.8v3.4M10.4 1.8v3.4M3.6 5.2h8.8v2.6a4.4 4.4 0 0 1-8.8 0zM8 12.2v2.4",
    ),
    (
        "cards",
        "M2.4 2.4h4.8v4.8H2.4zM8.8 2.4h4.8v4.8H8.8zM2.4 8.8h4.8v4.8H2.4zM8.8 8.8h4.8v4.8H8.8z",
    ),
    ("road", "M5.4 2L2 14M10.6 2L14 14M8 3v2M8 7.2v2M8 11.4v2"),
];

/// The head of every page.
pub(crate) fn head(title: &str) -> Markup {
    let version = VERSION.as_str();
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="robots" content="noindex, nofollow";
            meta name="color-scheme" content="light dark";
            title { (clean(title)) " · Bellwether" }
            link rel="icon" type="image/svg+xml" href={ "/static/icon.svg?v=" (version) };
            link rel="stylesheet" href={ "/static/style.css?v=" (version) };
        }
    }
}

/// An icon; decoration only, because the word stands beside it.
pub(crate) fn icon(name: &str) -> Markup {
    let found = ICONS.iter().find(|(known, _)| *known == name);
    let path = found.map_or("", |(_, path)| *path);
    html! {
        svg.icon.(format!("i-{name}")) viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            path d=(path) {}
        }
    }
}

/// A state: colour, icon and word, always all three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pill {
    /// `ok`, `warn`, `bad`, `info`, `plain`.
    pub(crate) tone: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) text: String,
}

impl Pill {
    pub(crate) fn new(tone: &'static str, icon: &'static str, text: impl Into<String>) -> Self {
        Self {
            tone,
            icon,
            text: text.into(),
        }
    }

    pub(crate) fn show(&self) -> Markup {
        html! { span.pill.(self.tone) { (icon(self.icon)) span { (clean(&self.text)) } } }
    }
}

/// An instant in the console's zone, exact in its title.
pub(crate) fn time(at: Time, now: Time, zone: &str) -> Markup {
    html! { time datetime=(at) title=(at) { (when::clock(at, now, zone)) } }
}

/// One line of a list of facts.
pub(crate) fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// A filter as a link.
pub(crate) fn chip(link: &str, chosen: bool, name: &str) -> Markup {
    html! { a href=(link) aria-current=[chosen.then_some("true")] { (clean(name)) } }
}

/// The head of a table.
pub(crate) fn columns(names: &[&str]) -> Markup {
    html! { thead { tr { @for name in names { th { (name) } } } } }
}

/// What a list says when nothing is in it.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// The link to the next page of a list, with the filters kept.
pub(crate) fn next(path: &str, query: &ListQuery, next: Option<&String>) -> Markup {
    html! {
        @if let Some(after) = next {
            nav.pager aria-label="Pages" {
                a href={ (path) "?" (pairs(query)) "after=" (encode(after)) } { "Older" }
            }
        }
    }
}

fn pairs(query: &ListQuery) -> String {
    let mut out = String::new();
    let filters = [
        ("flow", &query.flow),
        ("status", &query.status),
        ("person", &query.person),
    ];
    for (key, value) in filters {
        if let Some(value) = value {
            out.push_str(&format!("{key}={}&", encode(value)));
        }
    }
    out
}

/// Percent-encodes everything but letters, digits and `-._~`, for paths and queries.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The theme that a reader chose, if it is one that exists.
pub(crate) fn theme(chosen: Option<&str>) -> Option<&str> {
    chosen.filter(|theme| matches!(*theme, "dark" | "light"))
}

/// Adds a cookie to an answer.
pub(crate) fn set_cookie(answer: &mut Response, cookie: &str) {
    // A value that is no header text would only be our own mistake; pages work without it.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}
