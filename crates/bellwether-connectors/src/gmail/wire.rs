//! The JSON of the Gmail API as far as this connector reads it. Every field that an answer may lack
//! is optional here, because absent keys are how Gmail says "none". No behaviour lives here.

use serde::{Deserialize, Deserializer};

/// `users.getProfile`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    pub(super) email_address: String,
    #[serde(deserialize_with = "text_or_number")]
    pub(super) history_id: String,
}

/// `users.history.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryPage {
    #[serde(default)]
    pub(super) history: Vec<HistoryRecord>,
    pub(super) next_page_token: Option<String>,
    #[serde(default, deserialize_with = "text_or_number")]
    pub(super) history_id: String,
}

/// One change of a mailbox. The untyped `messages` list repeats the typed ones and is not read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryRecord {
    #[serde(default, deserialize_with = "text_or_number")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) messages_added: Vec<Change>,
    #[serde(default)]
    pub(super) labels_added: Vec<Change>,
    #[serde(default)]
    pub(super) labels_removed: Vec<Change>,
}

/// What happened to one message; `label_ids` are the labels that were added or removed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    pub(super) message: MessageRef,
    #[serde(default)]
    pub(super) label_ids: Vec<String>,
}

/// A message as lists name it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageRef {
    pub(super) id: String,
    #[serde(default)]
    pub(super) label_ids: Vec<String>,
}

/// `users.messages.list`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessagePage {
    #[serde(default)]
    pub(super) messages: Vec<MessageRef>,
    pub(super) next_page_token: Option<String>,
}

/// `users.messages.get` in any format.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) thread_id: String,
    pub(super) label_ids: Vec<String>,
    #[serde(deserialize_with = "text_or_number")]
    pub(super) internal_date: String,
    pub(super) size_estimate: u64,
    pub(super) payload: Option<Part>,
    pub(super) raw: Option<String>,
}

/// One node of the parsed MIME tree.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Part {
    pub(super) part_id: String,
    pub(super) mime_type: String,
    pub(super) filename: String,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Body>,
    pub(super) parts: Vec<Part>,
}

/// A header field; order and repetitions are kept as they arrived.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

/// The body of a part, or where it can be had.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body {
    pub(super) size: u64,
    pub(super) data: Option<String>,
    pub(super) attachment_id: Option<String>,
}

/// `users.drafts.create`, `users.drafts.get` and the items of `users.drafts.list`.
#[derive(Debug, Deserialize)]
pub(super) struct Draft {
    pub(super) id: String,
    #[serde(default)]
    pub(super) message: Message,
}

/// `users.drafts.list`.
#[derive(Debug, Deserialize)]
pub(super) struct DraftPage {
    #[serde(default)]
    pub(super) drafts: Vec<Draft>,
}

/// `users.threads.get`.
#[derive(Debug, Deserialize)]
pub(super) struct Thread {
    #[serde(default)]
    pub(super) messages: Vec<Message>,
}

/// `users.labels.list`.
#[derive(Debug, Deserialize)]
pub(super) struct LabelPage {
    #[serde(default)]
    pub(super) labels: Vec<Label>,
}

/// A label of the mailbox.
#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
}

/// The body of an error answer, in the old and the new shape.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    pub(super) error: ErrorBody,
}

/// What went wrong according to Google.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    pub(super) message: String,
    pub(super) status: String,
    pub(super) errors: Vec<ErrorReason>,
    pub(super) details: Vec<ErrorReason>,
}

/// One reason; entries of `details` without a reason read as the empty word.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorReason {
    pub(super) reason: String,
}

impl Message {
    /// The first header of that name in the payload.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let payload = self.payload.as_ref()?;
        let found = |header: &&Header| header.name.eq_ignore_ascii_case(name);
        payload
            .headers
            .iter()
            .find(found)
            .map(|header| header.value.as_str())
    }

    /// Whether the message carries the label.
    pub(super) fn has(&self, label: &str) -> bool {
        self.label_ids.iter().any(|have| have == label)
    }
}

/// Google's 64-bit numbers are texts; samples in the wild show bare numbers as well.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}
