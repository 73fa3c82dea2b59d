//! A push as a phone knows it: what it says, what it offers, what the person did with it, what the
//! server answered. How a phone changes it is in `phone.rs`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The OpenText product through which a push came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Channel {
    /// The messaging REST API, `POST /mra/v1/utils/parser`.
    Mra,
    /// AppWorks Gateway, `POST /deployments/notifications/{app}/fcm-push`.
    Otag,
}

/// A push on its way to a phone, already free of the provider's wrapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Push {
    /// Through which product it came.
    pub(crate) channel: Channel,
    /// First line on the lock screen.
    pub(crate) title: String,
    /// Text under the title.
    pub(crate) body: String,
    /// What the app reads; keys of our convention are in the crate's documentation.
    pub(crate) data: BTreeMap<String, String>,
    /// A newer push with the same key takes the older one's place.
    pub(crate) collapse_key: Option<String>,
    /// Flow time after which the push is not shown any more.
    pub(crate) expires_at: Timestamp,
    /// Number of the call that brought it, so that its fate can be told there.
    pub(crate) origin: u64,
}

/// What became of one push on one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PushState {
    /// On the lock screen, untouched.
    Received,
    /// The person tapped it.
    Opened,
    /// The person pressed one of its buttons.
    Acted,
    /// The person swiped it away.
    Ignored,
    /// A newer push took its place before the person acted.
    Replaced,
    /// Its time had passed before the phone came on-line; it was never shown.
    Expired,
}

/// A button that the push offers, read from `data.actions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    /// What is reported, for example `approve`.
    pub(crate) id: String,
    /// What the person reads.
    pub(crate) label: String,
    /// `none`, `optional` or `required`.
    pub(crate) comment: String,
}

/// What the server said to a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// HTTP status; 0 when nobody answered.
    pub(crate) status: u16,
    /// `decided`, `already_decided`, .. or `unreachable`, `no_companion`, `queued` (ours).
    pub(crate) result: String,
    /// The sentence for the person.
    pub(crate) message: String,
}

/// One report of the companion app, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReportSeen {
    /// The report's own id, the same in every try.
    pub(crate) id: String,
    /// `received`, `opened`, `acted` or `dismissed`.
    pub(crate) event: String,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// The last answer; none while it is on its way.
    pub(crate) answer: Option<Answer>,
}

/// One push as the phone remembers it.
#[derive(Debug, Clone)]
pub(crate) struct OnPhone {
    /// The phone's own id of it, for example `alice-3`.
    pub(crate) id: String,
    pub(crate) push: Push,
    pub(crate) received_at: Timestamp,
    pub(crate) state: PushState,
    pub(crate) opened_at: Option<Timestamp>,
    pub(crate) acted_at: Option<Timestamp>,
    pub(crate) action: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) answer: Option<Answer>,
    /// How often the very same push arrived; the phone shows it once.
    pub(crate) times_received: u32,
    /// No longer on the lock screen because a newer one took its place.
    pub(crate) covered: bool,
    pub(crate) reports: Vec<ReportSeen>,
}

impl OnPhone {
    /// The notification's id, as its sender named it.
    pub(crate) fn notification(&self) -> Option<&str> {
        self.push.data.get("notification").map(String::as_str)
    }

    /// The buttons in `data.actions`; none when that is missing or malformed.
    pub(crate) fn buttons(&self) -> Vec<Button> {
        let text = self.push.data.get("actions").map_or("[]", String::as_str);
        let read: Value = serde_json::from_str(text).unwrap_or_default();
        let word =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let button = |value: &Value| {
            let id = word(value, "id")?;
            Some(Button {
                label: word(value, "label").unwrap_or_else(|| id.clone()),
                comment: word(value, "comment").unwrap_or_else(|| "none".to_owned()),
                id,
            })
        };
        read.as_array()
            .map(|list| list.iter().filter_map(button).collect())
            .unwrap_or_default()
    }

    /// On the lock screen now.
    pub(crate) fn visible(&self) -> bool {
        !self.covered && !matches!(self.state, PushState::Expired)
    }

    /// The very same push again: same notification, kind and content.
    pub(super) fn same_as(&self, push: &Push) -> bool {
        let key = |push: &Push, name: &str| push.data.get(name).cloned();
        let named = self.notification().is_some()
            && ["notification", "kind", "shown"]
                .iter()
                .all(|n| key(&self.push, n) == key(push, n));
        named && self.push.title == push.title && self.push.body == push.body
    }

    /// The shape that `GET /admin/phones/{person}` answers with.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "channel": self.push.channel, "notification": self.notification(),
            "title": self.push.title, "body": self.push.body, "data": self.push.data,
            "collapse_key": self.push.collapse_key, "expires_at": self.push.expires_at,
            "received_at": self.received_at, "state": self.state, "visible": self.visible(),
            "opened_at": self.opened_at, "acted_at": self.acted_at, "action": self.action,
            "comment": self.comment, "answer": self.answer,
            "times_received": self.times_received, "reports": self.reports,
        })
    }
}
