//! The event: a CloudEvents 1.0 envelope with our extensions (case, hop, cause, aliases). What is
//! in `data` is the connector's business; how events are stored is the store's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{CellId, hash, key16};
use crate::time::Time;

/// The most bytes that `data` may have as JSON text.
pub const DATA_MAX: usize = 64 * 1024;
/// An event that was caused by more hops than this starts nothing.
pub const HOP_MAX: u8 = 8;
/// Sources that are the server itself: no connection is called like them.
pub const OWN_SOURCES: [&str; 2] = ["people", "engine"];
/// Where an event stands in the record; grows, with holes.
pub type Position = i64;

/// A name under which later events find a cell: `("thread", "approvals/18c2…")`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Alias {
    /// What kind of name it is: `thread`, `message-id`, `reply`, `notification`, `case`.
    pub space: String,
    /// The name within the space.
    pub value: String,
}

impl Alias {
    /// An alias from its two parts.
    pub fn new(space: &str, value: impl Into<String>) -> Self {
        Self {
            space: space.to_owned(),
            value: value.into(),
        }
    }

    /// The 16 bytes under which the store keeps it.
    pub fn key(&self) -> [u8; 16] {
        key16(&[self.space.as_bytes(), self.value.as_bytes()])
    }
}

/// The turn that caused an event which we made ourselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The cell whose turn it was.
    pub cell: CellId,
    /// The cell's version after that turn.
    pub turn: u64,
}

/// An event as it arrives, before it has a place in the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// The source's own id: (source, id) is what makes two deliveries the same event.
    pub id: String,
    /// Who says it: a connection's name, `people`, or `engine`.
    pub source: String,
    /// The dotted type, such as `push.opened`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about, in the source's terms (a message id, a notification id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened according to the source.
    pub time: Time,
    /// The payload: an object whose top-level keys are the nouns that flows use (`mail`, `push`).
    pub data: Arc<Value>,
    /// The case that it belongs to, when the source could prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// How many of our own effects lie between this event and the outside world.
    #[serde(default)]
    pub hop: u8,
    /// The turn that emitted it, for our own events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The W3C trace context it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Names under which a cell may already wait for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
}

impl NewEvent {
    /// An event with the required fields; the rest is empty.
    pub fn new(source: &str, id: impl Into<String>, kind: &str, time: Time, data: Value) -> Self {
        Self {
            id: id.into(),
            source: source.to_owned(),
            kind: kind.to_owned(),
            subject: None,
            time,
            data: Arc::new(data),
            case: None,
            hop: 0,
            cause: None,
            traceparent: None,
            aliases: Vec::new(),
        }
    }

    /// The 16 bytes under which (source, id) is remembered for ever.
    pub fn seen_key(&self) -> [u8; 16] {
        Self::seen_key_of(&self.source, &self.id)
    }

    /// [`Self::seen_key`] of an event that is read from the record.
    pub fn seen_key_of(source: &str, id: &str) -> [u8; 16] {
        key16(&[source.as_bytes(), id.as_bytes()])
    }

    /// A hash of type and payload text: tells a true repeat from another body under the same id.
    pub fn body_hash(&self, data_text: &str) -> [u8; 16] {
        Self::body_hash_of(&self.kind, data_text)
    }

    /// [`Self::body_hash`] of an event that is read from the record.
    pub fn body_hash_of(kind: &str, data_text: &str) -> [u8; 16] {
        let digest = hash(&[kind.as_bytes(), data_text.as_bytes()]);
        let mut out = [0; 16];
        out.copy_from_slice(&digest[..16]);
        out
    }
}

/// An event in the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the record.
    pub position: Position,
    /// When we accepted it, in flow time.
    pub received_at: Time,
    /// The version of the flow set with which it was matched.
    pub flow_set: u64,
    /// The version of the directory at that moment.
    pub directory: u64,
    /// The envelope and payload.
    #[serde(flatten)]
    pub envelope: NewEvent,
}
