//! What goes to the phone: the arguments of one push, the bodies of both profiles, and how a long
//! text is shortened until the push network takes it. Sending is in `mod.rs`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::failure::Failure;
use bellwether_model::id::{hex, key16};
use bellwether_model::time::Time;
use serde_json::{Value, json};

use super::template::{Fill, Template};

/// The most that Firebase takes as one message, in bytes.
pub(crate) const MESSAGE_MAX: usize = 4096;
/// Firebase keeps a message at most four weeks.
const TTL_MAX: u64 = 28 * 24 * 3600;
/// APNs takes a collapse id of at most this many bytes.
const COLLAPSE_MAX: usize = 64;
/// A title that is longer than this is cut before the text is.
const LONG_TITLE: usize = 512;

/// The names that may stand in a payload template, in the order of `Push::values`.
pub(crate) const NAMES: [&str; 18] = [
    "title",
    "text",
    "address",
    "person",
    "link",
    "notification",
    "token",
    "shown",
    "actions",
    "case",
    "kind",
    "collapse",
    "ttl",
    "ttl_seconds",
    "expires_unix",
    "importance",
    "priority",
    "effect",
];

/// The payload template of a connection that sets none: the shape of Firebase's HTTP v1 message.
/// The provider's own schema is not public, so this is our convention.
pub(crate) const STARTER: &str = r#"{"message": {
  "token": "{{ address }}",
  "notification": {"title": "{{ title }}", "body": "{{ text }}"},
  "data": {"notification": "{{ notification }}", "token": "{{ token }}", "link": "{{ link }}",
    "shown": "{{ shown }}", "actions": "{{ actions }}", "case": "{{ case }}", "kind": "{{ kind }}"},
  "android": {"collapse_key": "{{ collapse }}", "ttl": "{{ ttl }}", "priority": "{{ priority }}",
    "notification": {"tag": "{{ collapse }}"}},
  "apns": {"headers": {"apns-collapse-id": "{{ collapse }}",
    "apns-expiration": "{{ expires_unix }}"}}}}"#;

/// The arguments of one push, read from the action.
#[derive(Debug)]
pub(crate) struct Push<'a> {
    args: &'a Value,
    effect: String,
    collapse: String,
    ttl_seconds: u64,
    update: bool,
}

impl<'a> Push<'a> {
    /// Reads the arguments. `ttl` is the connection's own default.
    ///
    /// # Errors
    /// `Reject` when nobody is named to receive it: it must never go to everybody instead.
    pub(crate) fn read(args: &'a Value, effect: String, ttl: u64) -> Result<Self, Failure> {
        let mut push = Self {
            args,
            effect,
            collapse: String::new(),
            ttl_seconds: args["ttl_seconds"].as_u64().unwrap_or(ttl).min(TTL_MAX),
            update: args["kind"] == "update",
        };
        if push.text("address").is_empty() {
            let person = push.text("person");
            return Err(Failure::reject(
                "no_recipient",
                format!("`{person}` has no device to push to; add one to the directory"),
            ));
        }
        // Two pushes of one notification must replace each other, so there is always a key.
        let key = [push.text("collapse"), push.text("notification")]
            .into_iter()
            .find(|key| !key.is_empty())
            .unwrap_or(&push.effect);
        push.collapse = if key.len() <= COLLAPSE_MAX {
            key.to_owned()
        } else {
            hex(&key16(&[key.as_bytes()]))
        };
        Ok(push)
    }

    fn text(&self, name: &str) -> &'a str {
        self.args[name].as_str().unwrap_or_default()
    }

    /// Texts that were given in confidence: never repeated in a failure.
    pub(crate) fn confidential(&self) -> [&'a str; 2] {
        [self.text("token"), self.text("link")]
    }

    /// A text, or null when it is empty, so that its leaf is left out.
    fn some(&self, name: &str) -> Fill<'a> {
        match self.text(name) {
            "" => Fill::Absent,
            text => text.into(),
        }
    }

    fn importance(&self) -> &'a str {
        match self.text("importance") {
            "" => "normal",
            word => word,
        }
    }

    /// An update makes no sound, and what is unimportant may wait for the phone to wake up.
    fn priority(&self) -> &'static str {
        if self.update || self.importance() == "low" {
            "NORMAL"
        } else {
            "HIGH"
        }
    }

    /// The buttons as JSON text. An update has none: the matter is over.
    fn actions(&self) -> Option<String> {
        let actions = self.args["actions"].as_array()?;
        (!actions.is_empty() && !self.update).then(|| self.args["actions"].to_string())
    }

    fn expires_unix(&self) -> Option<String> {
        let at = Time::parse(self.text("expires_at")).ok()?;
        Some(at.seconds().to_string())
    }

    fn kind(&self) -> &'static str {
        if self.update { "update" } else { "notify" }
    }

    fn ttl(&self) -> String {
        format!("{}s", self.ttl_seconds)
    }

    /// The values of [`NAMES`], with the given title and text.
    fn values<'v>(&'v self, title: &'v str, text: &'v str) -> [Fill<'v>; NAMES.len()] {
        let maybe = |text: Option<String>| text.map_or(Fill::Absent, Fill::from);
        [
            title.into(),
            text.into(),
            self.text("address").into(),
            self.some("person"),
            self.some("link"),
            self.some("notification"),
            self.some("token"),
            self.some("shown"),
            maybe(self.actions()),
            self.some("case"),
            self.kind().into(),
            self.collapse.as_str().into(),
            self.ttl().into(),
            Fill::Number(self.ttl_seconds),
            maybe(self.expires_unix()),
            self.importance().into(),
            self.priority().into(),
            self.effect.as_str().into(),
        ]
    }

    /// A text of the connection's own, such as the name of the request file, filled.
    pub(crate) fn filled(&self, template: &Template) -> Option<String> {
        template.text(&self.values(self.text("title"), self.text("text")))
    }

    /// The inner request file of the messaging API, as JSON text.
    ///
    /// # Errors
    /// `Reject` when it does not fit even without a text.
    pub(crate) fn inner(&self, template: &Template) -> Result<String, Failure> {
        self.fitting(|title, text| template.json(&self.values(title, text)))
    }

    /// The body of the gateway's `fcm-push`. Broadcast is always said to be off, and the one
    /// recipient is a value of its own, whatever stands in the texts.
    ///
    /// # Errors
    /// `Reject` when it does not fit even without a text.
    pub(crate) fn otag(&self, app: &str, since: Time) -> Result<String, Failure> {
        let mut own = serde_json::Map::new();
        for name in ["notification", "token", "link", "shown", "case"] {
            if !self.text(name).is_empty() {
                own.insert(name.to_owned(), self.text(name).into());
            }
        }
        if let Some(actions) = self.actions() {
            own.insert("actions".to_owned(), actions.into());
        }
        own.insert("kind".to_owned(), self.kind().into());
        let mut headers = json!({ "apns-collapse-id": self.collapse });
        if let Some(at) = self.expires_unix() {
            headers["apns-expiration"] = at.into();
        }
        let mut data = json!({ "target": app, "created": since.millis() });
        data[app] = Value::Object(own);
        let mut body = json!({
            "broadcast": false, "clientIds": [], "users": [self.text("address")],
            "otdsGroups": [], "runtimes": [], "title": "", "summary": "", "data": data,
            "targetAppName": app, "collapseKey": self.collapse,
            "androidConfig": {"collapseKey": self.collapse, "priority": self.priority(),
                "ttl": self.ttl(), "notification": {"tag": self.collapse}},
            "apnsConfig": {"headers": headers},
        });
        self.fitting(|title, text| {
            body["title"] = title.into();
            body["summary"] = text.into();
            body.to_string()
        })
    }

    /// Renders with as much of title and text as fits into [`MESSAGE_MAX`]. The whole stands behind
    /// the link; a cut one ends with an ellipsis.
    fn fitting(&self, mut render: impl FnMut(&str, &str) -> String) -> Result<String, Failure> {
        let (title, text) = (self.text("title"), self.text("text"));
        let whole = render(title, text);
        if whole.len() <= MESSAGE_MAX {
            return Ok(whole);
        }
        let short = cut(title, LONG_TITLE);
        if let Some(body) = longest(text, |text| render(&short, text)) {
            return Ok(body);
        }
        longest(&short, |title| render(title, "")).ok_or_else(|| {
            let rest = render("", "").len();
            Failure::reject(
                "too_large",
                format!(
                    "the push has {rest} bytes even without title and text, and the push network \
                     takes {MESSAGE_MAX}: shorten the link or the payload template"
                ),
            )
        })
    }
}

/// The rendering with the most of `text` that fits, found by halving.
fn longest(text: &str, mut render: impl FnMut(&str) -> String) -> Option<String> {
    let mut fits = None;
    let (mut low, mut high) = (0, text.len().min(MESSAGE_MAX) + 1);
    while low < high {
        let middle = low.midpoint(high);
        let body = render(&cut(text, middle));
        if body.len() <= MESSAGE_MAX {
            fits = Some(body);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    fits
}

/// At most `max` bytes of a text, ending with an ellipsis when something is missing.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let Some(room) = max.checked_sub('…'.len_utf8()) else {
        return String::new();
    };
    let mut out = text[..text.floor_char_boundary(room)].to_owned();
    out.push('…');
    out
}

/// How the `data` of the envelope begins: an answer that holds this repeats our request.
pub(crate) fn beginning(inner: &str) -> String {
    BASE64_STANDARD.encode(&inner.as_bytes()[..inner.len().min(24)])
}

/// The outer body of the messaging API's parser call.
pub(crate) fn outer(domain: &str, filename: &str, inner: &str) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut out = String::with_capacity(inner.len() * 4 / 3 + 128);
    out.push_str("{\"domain\":");
    out.push_str(&quoted(domain));
    out.push_str(",\"filename\":");
    out.push_str(&quoted(filename));
    out.push_str(",\"data\":\"");
    BASE64_STANDARD.encode_string(inner, &mut out);
    out.push_str("\"}");
    out
}
