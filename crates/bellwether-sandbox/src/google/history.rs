//! The history of one mailbox: records with ids that grow by random gaps, a floor below which a
//! start is expired, and records that a test hides or delays. What changed the mailbox is not
//! decided here.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ids::{hex, start_of_history};

/// Records kept; older ones move the floor, as Gmail's retention does.
pub(crate) const RECORDS_LIMIT: usize = 100_000;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Added,
    Deleted,
    LabelsAdded,
    LabelsRemoved,
}

impl Kind {
    /// The value of `historyTypes` and the key of the record.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Added => ("messageAdded", "messagesAdded"),
            Self::Deleted => ("messageDeleted", "messagesDeleted"),
            Self::LabelsAdded => ("labelAdded", "labelsAdded"),
            Self::LabelsRemoved => ("labelRemoved", "labelsRemoved"),
        }
    }

    pub(crate) fn is_type(name: &str) -> bool {
        [
            "messageAdded",
            "messageDeleted",
            "labelAdded",
            "labelRemoved",
        ]
        .contains(&name)
    }
}

/// One change of one message.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) message: u64,
    pub(crate) thread: u64,
    /// Labels after the change.
    pub(crate) labels: Vec<String>,
    /// The labels that came or went.
    pub(crate) changed: Vec<String>,
    /// Real time before which the record is not to be seen.
    pub(crate) visible_at: Option<Timestamp>,
}

/// What a reader asks for.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) start: u64,
    pub(crate) types: Vec<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) most: usize,
}

/// One page of history.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Value>,
    /// Id after which the next page starts.
    pub(crate) next: Option<u64>,
    /// The id to store as cursor.
    pub(crate) history_id: u64,
}

/// The history of one mailbox.
#[derive(Debug)]
pub(crate) struct History {
    current: u64,
    floor: u64,
    records: VecDeque<Record>,
    /// Messages that history never mentions.
    hidden: HashSet<u64>,
}

impl Default for History {
    fn default() -> Self {
        let current = start_of_history();
        Self {
            current,
            floor: current,
            records: VecDeque::new(),
            hidden: HashSet::new(),
        }
    }
}

impl History {
    pub(crate) fn current(&self) -> u64 {
        self.current
    }

    /// Moves the id on without a record.
    pub(crate) fn advance(&mut self, gap: u64) -> u64 {
        self.current += gap;
        self.current
    }

    pub(crate) fn push(&mut self, record: Record) {
        if self.records.len() == RECORDS_LIMIT
            && let Some(old) = self.records.pop_front()
        {
            self.floor = old.id;
        }
        self.records.push_back(record);
    }

    /// Makes every start that was given out so far an expired one.
    pub(crate) fn expire(&mut self, gap: u64) {
        self.advance(gap);
        self.floor = self.current;
        self.records.clear();
    }

    /// Hides a message from history for ever.
    pub(crate) fn hide(&mut self, message: u64) {
        if self.hidden.len() < RECORDS_LIMIT {
            self.hidden.insert(message);
        }
    }

    /// Where history ends for a reader now: before the first record that is still delayed.
    fn horizon(&self, now: Timestamp) -> u64 {
        let delayed = self
            .records
            .iter()
            .find(|r| r.visible_at.is_some_and(|at| at > now));
        delayed.map_or(self.current, |r| r.id - 1)
    }

    /// A page of records after `wanted.start`; `None` when the start is expired or was never given.
    pub(crate) fn list(&self, wanted: &Wanted<'_>, now: Timestamp) -> Option<Page> {
        if wanted.start < self.floor || wanted.start > self.current {
            return None;
        }
        let horizon = self.horizon(now);
        let first = self.records.partition_point(|r| r.id <= wanted.start);
        let mut page = Page {
            records: Vec::new(),
            next: None,
            history_id: horizon,
        };
        let mut last = wanted.start;
        for record in self.records.range(first..) {
            if record.id > horizon {
                break;
            }
            if !self.matches(record, wanted) {
                continue;
            }
            if page.records.len() == wanted.most {
                page.next = Some(last);
                break;
            }
            last = record.id;
            page.records.push(shown(record));
        }
        Some(page)
    }

    fn matches(&self, record: &Record, wanted: &Wanted<'_>) -> bool {
        let typed = wanted.types.is_empty() || wanted.types.contains(&record.kind.names().0);
        let labelled = wanted.label.is_none_or(|label| {
            record
                .labels
                .iter()
                .chain(&record.changed)
                .any(|l| l.eq_ignore_ascii_case(label))
        });
        typed && labelled && !self.hidden.contains(&record.message)
    }
}

fn shown(record: &Record) -> Value {
    let brief = json!({"id": hex(record.message), "threadId": hex(record.thread)});
    let mut message = brief.clone();
    if record.kind != Kind::Deleted && !record.labels.is_empty() {
        message["labelIds"] = json!(record.labels);
    }
    let mut entry = json!({"message": message});
    if !record.changed.is_empty() {
        entry["labelIds"] = json!(record.changed);
    }
    let mut shown = json!({"id": record.id.to_string(), "messages": [brief]});
    shown[record.kind.names().1] = json!([entry]);
    shown
}
