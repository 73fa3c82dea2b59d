//! The contract of a source that hands out whole records behind a cursor and has no reading by id:
//! the other way of reading beside `Source`. How often it is read, and what is committed when, is
//! the engine's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::BoxFuture;
use crate::event::NewEvent;
use crate::failure::Failure;
use crate::time::{Millis, Time};

/// A source of whole records, read in batches. A record that changed is handed out again.
pub trait Feed: Send + Sync {
    /// What tells the feeds of a connection apart: a word that stays, since the cursor is kept
    /// under it; empty for the one that hints from outside are about.
    fn name(&self) -> &'static str {
        ""
    }

    /// How often to look when nothing hints.
    fn poll_every(&self) -> Millis;

    /// How often to read everything again from the start, to find what the cursor did not bring;
    /// None when every read is of everything, so that there is nothing to find.
    fn reread_every(&self) -> Option<Millis>;

    /// What its settings say about how records are judged, as a text to compare: when it changes,
    /// everything is read again under a new generation.
    fn judged_by(&self) -> String {
        String::new()
    }

    /// The records behind `cursor`; without one this is the first read of all. The engine commits
    /// the new cursor only after every record of the batch, so a crash brings a batch again.
    ///
    /// # Errors
    /// As for any call; nothing is lost, the same cursor is asked again.
    fn read<'a>(
        &'a self,
        cursor: Option<&'a str>,
        judging: &'a Judging,
    ) -> BoxFuture<'a, Result<Handed, Failure>>;

    /// A cursor before all records, for somebody who has read them to the end before: what came
    /// since is news, also when the provider no longer knows the cursor.
    fn start(&self) -> String;

    /// The event that a record stands for, with whatever must be fetched for it. Asked only for
    /// records whose id the ledger lacks. `attempt` counts from 1 within this process; a connector
    /// that reads more than the record makes do without it in the end.
    ///
    /// # Errors
    /// `Reject` and `Bug` give this one record up with [`Feed::stub`] and stop nothing; every other
    /// class stops the batch, which is read again.
    fn event<'a>(
        &'a self,
        record: &'a Record,
        attempt: u32,
    ) -> BoxFuture<'a, Result<NewEvent, Failure>>;

    /// The event for a record that could not be read: what is known, marked as unreadable.
    fn stub(&self, record: &Record, reason: &str, now: Time) -> NewEvent;

    /// How the link to the provider is, as an event of the connection: None in `failure` when it
    /// was just read well. Asked when that changes and after a start.
    fn link(&self, failure: Option<&Failure>, now: Time) -> Option<NewEvent> {
        let _ = (failure, now);
        None
    }

    /// Listens for hints as long as it can. When it returns, it is begun again after a while.
    fn listen<'a>(&'a self, ear: &'a dyn Ear) -> BoxFuture<'a, ()> {
        let _ = ear;
        Box::pin(std::future::pending())
    }
}

/// By what records are judged besides themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judging {
    /// Grows with every change of settings or thresholds. A record judged anew is another record:
    /// the generation belongs into its id where the judgement depends on what follows.
    pub generation: u64,
    /// By name, ascending: every threshold that a flow wants, else the connector's defaults.
    pub thresholds: BTreeMap<String, Vec<i64>>,
}

/// Where a feed that listens says what it hears.
pub trait Ear: Send + Sync {
    /// Something new may be there: the feed is read soon. Several hints are one.
    fn hint(&self);

    /// Something happened to the channel itself. Recorded when this returns, or lost with a line
    /// in the log: a channel of hints promises nothing.
    fn say(&self, event: NewEvent) -> BoxFuture<'_, ()>;

    /// How a part of the link is that is no reading, such as a push channel: None in `failure` when
    /// it is well. Shown with the connection's health until it is said anew.
    fn health(&self, part: &'static str, failure: Option<&Failure>) {
        let _ = (part, failure);
    }

    /// Flow time, for what is said.
    fn now(&self) -> Time;
}

/// What a read handed out.
#[derive(Clone, Debug, PartialEq)]
pub enum Handed {
    /// Records and where to go on.
    Batch(Batch),
    /// The provider no longer knows the cursor: everything is read again from the start.
    Expired,
}

/// One batch of records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Oldest change first.
    pub records: Vec<Record>,
    /// The cursor that is right once they are recorded.
    pub cursor: String,
    /// Whether there is more to read.
    pub more: bool,
    /// How long the provider is to be left alone before it is read, in transport time: always the
    /// same while it works on an answer. Nothing else than reading this feed waits for it.
    pub pause: Millis,
}

/// One record as it was handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What makes two deliveries the same: the provider's id, its version, a hash of the content.
    pub id: String,
    /// What it is about: records of one subject are taken in one after the other.
    pub subject: String,
    /// The record, as the connector wants it back.
    pub body: Value,
}
