//! What a connector makes of its own records over time: a pure function that the engine runs in
//! cells, one turn for each event of the connection or due timer. Keeping, waking and matching
//! belong to the engine; what a record means belongs to the connector.

use std::sync::Arc;

use serde_json::Value;

use crate::event::{Event, NewEvent};
use crate::time::Time;

/// A connector's memory, as two pure functions. The same input gives the same result: no clock, no
/// randomness, no I/O.
#[derive(Debug)]
pub struct Reducer {
    /// The number of the form of the state. A later form reads the earlier ones.
    pub format: u32,
    /// Which cell an event of the connection belongs to: the subject that is remembered, such as a
    /// licence term. None when the reducer takes no notice of the event.
    pub key: fn(&NewEvent) -> Option<String>,
    /// One turn of a cell.
    pub reduce: fn(&Memory<'_>) -> Reduced,
}

/// What a turn may look at.
#[derive(Debug)]
pub struct Memory<'a> {
    /// The connection's name: the source of what is emitted.
    pub connection: &'a str,
    /// The key of the cell.
    pub key: &'a str,
    /// What the latest turn kept, with the number of its form; None in the first turn.
    pub kept: Option<(u32, &'a Value)>,
    /// What the turn is about.
    pub cause: Cause<'a>,
    /// Flow time; never before the cell's latest turn.
    pub now: Time,
}

/// What a turn is about.
#[derive(Debug)]
pub enum Cause<'a> {
    /// An event of the connection that belongs to this cell.
    Event(&'a Event),
    /// A timer of this cell that fell due, by name. It is gone unless it is set again.
    Timer(&'a str),
}

/// What a turn says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reduced {
    /// What is kept: at most 64 KB as JSON text.
    pub keep: Value,
    /// Timers set (Some) and removed (None), by name. A time in the past is due at once.
    pub timers: Vec<(String, Option<Time>)>,
    /// What has happened, for flows.
    pub emits: Vec<Derived>,
    /// Nothing more is expected of the subject: the cell closes. What comes later begins anew.
    pub ends: bool,
}

/// An event that follows from what is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// The dotted type.
    pub kind: &'static str,
    /// What makes two of them the same: said once, it never happens again. It should name the
    /// subject, its version and the threshold, not the moment.
    pub id: String,
    /// When it happened, by the records.
    pub time: Time,
    /// The payload: an object of nouns.
    pub data: Arc<Value>,
}
