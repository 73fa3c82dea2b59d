//! One mailbox: messages as bytes, threads, labels, drafts, history and the watch. Every change
//! goes through here so that history and notifications never miss one. Bytes are bounded by named
//! limits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::history::{History, Kind, Record};
use super::ids::Ids;
use super::labels::Labels;
use super::letter::{self, Field};

/// Bytes of mail one mailbox keeps; when it is full, mail is refused as over quota.
pub const MAILBOX_BYTES_LIMIT: usize = 512 * 1024 * 1024;
/// Messages one mailbox keeps.
pub(crate) const MAILBOX_MESSAGES_LIMIT: usize = 100_000;
/// Bytes counted for a message besides its raw bytes.
const OVERHEAD: usize = 1_024;

/// Bytes that the headers stamped on a message may take.
pub(crate) const STAMPS: usize = 8 * 1024;

/// One message as it is kept. Cloning is cheap: the bytes are shared.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: u64,
    pub(crate) thread: u64,
    pub(crate) raw: Bytes,
    /// When Gmail took it, in milliseconds of flow time.
    pub(crate) internal_date: i64,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) history_id: u64,
    pub(crate) snippet: String,
    subject_key: String,
}

impl Stored {
    pub(crate) fn has(&self, label: &str) -> bool {
        self.labels.contains(label)
    }

    pub(crate) fn label_list(&self) -> Vec<String> {
        self.labels.iter().cloned().collect()
    }
}

/// A message on its way into a mailbox; made before the mailbox is locked.
#[derive(Debug)]
pub(crate) struct Arriving {
    raw: Bytes,
    fields: Vec<Field>,
    snippet: String,
    internal_date: i64,
    labels: BTreeSet<String>,
    thread: Option<u64>,
}

impl Arriving {
    pub(crate) fn new(raw: Vec<u8>, at: Timestamp, labels: &[&str]) -> Self {
        let fields = letter::fields(&raw);
        let snippet = letter::snippet(&raw);
        let labels = labels.iter().map(|l| (*l).to_owned()).collect();
        let internal_date = at.as_millisecond();
        Self {
            raw: Bytes::from(raw),
            fields,
            snippet,
            internal_date,
            labels,
            thread: None,
        }
    }

    /// Asks for a thread; it is joined when it exists and the subject is the same.
    pub(crate) fn in_thread(mut self, thread: Option<u64>) -> Self {
        self.thread = thread;
        self
    }
}

/// A notification to be published once the mailbox is unlocked.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) topic: String,
    pub(crate) data: String,
}

/// A watch that runs.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) topic: String,
    pub(crate) labels: Vec<String>,
    pub(crate) exclude: bool,
    /// Real time.
    pub(crate) expires: Timestamp,
    /// Real time of the last notification: Gmail sends at most one a second and drops the rest.
    pub(crate) last: Option<Timestamp>,
}

/// What tests ask for the next messages that arrive.
#[derive(Debug, Default)]
pub(crate) struct Tricks {
    pub(crate) hide: u64,
    pub(crate) delay: u64,
    pub(crate) delay_ms: i64,
}

/// The mailbox is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverQuota;

/// The mailbox of one address.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) address: String,
    messages: HashMap<u64, Stored>,
    order: BTreeSet<(i64, u64)>,
    threads: HashMap<u64, BTreeSet<u64>>,
    by_message_id: HashMap<String, u64>,
    pub(crate) drafts: BTreeMap<String, u64>,
    pub(crate) labels: Labels,
    pub(crate) history: History,
    pub(crate) watch: Option<Watch>,
    pub(crate) tricks: Tricks,
    pub(crate) notices: Vec<Notice>,
    bytes: usize,
    bytes_limit: usize,
}

impl Mailbox {
    pub(crate) fn new(address: &str, bytes_limit: usize) -> Self {
        Self {
            address: address.to_owned(),
            messages: HashMap::new(),
            order: BTreeSet::new(),
            threads: HashMap::new(),
            by_message_id: HashMap::new(),
            drafts: BTreeMap::new(),
            labels: Labels::default(),
            history: History::default(),
            watch: None,
            tricks: Tricks::default(),
            notices: Vec::new(),
            bytes: 0,
            bytes_limit,
        }
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Stored> {
        self.messages.get(&id)
    }

    pub(crate) fn count(&self) -> (usize, usize) {
        (self.messages.len(), self.threads.len())
    }

    /// All messages, newest first; equal times by id, descending.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Stored> {
        self.order
            .iter()
            .rev()
            .filter_map(|(_, id)| self.messages.get(id))
    }

    /// Messages older than a place in that order.
    pub(crate) fn older_than(&self, place: Option<(i64, u64)>) -> impl Iterator<Item = &Stored> {
        let end = place.unwrap_or((i64::MAX, u64::MAX));
        self.order
            .range(..end)
            .rev()
            .filter_map(|(_, id)| self.messages.get(id))
    }

    /// Messages of a thread, oldest first.
    pub(crate) fn thread(&self, id: u64) -> Vec<&Stored> {
        let ids = self.threads.get(&id);
        let mut all: Vec<&Stored> = ids
            .into_iter()
            .flatten()
            .filter_map(|id| self.messages.get(id))
            .collect();
        all.sort_by_key(|m| (m.internal_date, m.id));
        all
    }

    /// Whether `more` bytes still fit.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.messages.len() < MAILBOX_MESSAGES_LIMIT
            && self.bytes + more + OVERHEAD <= self.bytes_limit
    }

    /// Takes a message in: id, thread, history record, notification.
    pub(crate) fn add(
        &mut self,
        arriving: Arriving,
        ids: &Ids,
        now: Timestamp,
    ) -> Result<Stored, OverQuota> {
        if !self.has_room(arriving.raw.len()) {
            return Err(OverQuota);
        }
        let id = ids.message();
        let subject = letter::first(&arriving.fields, "Subject").unwrap_or_default();
        let subject_key = letter::subject_key(subject);
        let thread = self.thread_for(&arriving, &subject_key).unwrap_or(id);
        let message_id = letter::first(&arriving.fields, "Message-ID");
        if let Some(name) = message_id.and_then(|v| letter::message_ids(v).into_iter().next()) {
            self.by_message_id.entry(name).or_insert(id);
        }
        self.bytes += arriving.raw.len() + OVERHEAD;
        let stored = Stored {
            id,
            thread,
            raw: arriving.raw,
            internal_date: arriving.internal_date,
            labels: arriving.labels,
            history_id: self.history.advance(ids.history_gap()),
            snippet: arriving.snippet,
            subject_key,
        };
        self.order.insert((stored.internal_date, id));
        self.threads.entry(thread).or_default().insert(id);
        self.messages.insert(id, stored.clone());
        let visible_at = self.trick(id, now);
        self.record(Kind::Added, &stored, Vec::new(), visible_at);
        self.notify(&stored.labels, now);
        Ok(stored)
    }

    fn trick(&mut self, id: u64, now: Timestamp) -> Option<Timestamp> {
        if self.tricks.hide > 0 {
            self.tricks.hide -= 1;
            self.history.hide(id);
            return None;
        }
        if self.tricks.delay == 0 {
            return None;
        }
        self.tricks.delay -= 1;
        now.checked_add(jiff::SignedDuration::from_millis(self.tricks.delay_ms))
            .ok()
    }

    /// The thread a message belongs to: the one asked for, else that of a message it refers to; the
    /// subject must be the same in both cases.
    fn thread_for(&self, arriving: &Arriving, subject_key: &str) -> Option<u64> {
        let same = |thread: &u64| {
            let ids = self.threads.get(thread).into_iter().flatten();
            ids.filter_map(|id| self.messages.get(id))
                .any(|m| m.subject_key == subject_key)
        };
        if let Some(thread) = arriving.thread.filter(same) {
            return Some(thread);
        }
        let mut named = Vec::new();
        for header in ["In-Reply-To", "References"] {
            let value = letter::first(&arriving.fields, header).unwrap_or_default();
            named.extend(letter::message_ids(value).into_iter().rev());
        }
        let known = named.iter().filter_map(|name| self.by_message_id.get(name));
        let mut threads = known
            .filter_map(|id| self.messages.get(id))
            .map(|m| m.thread);
        threads.find(same)
    }

    fn record(
        &mut self,
        kind: Kind,
        of: &Stored,
        changed: Vec<String>,
        visible_at: Option<Timestamp>,
    ) {
        self.history.push(Record {
            id: self.history.current(),
            kind,
            message: of.id,
            thread: of.thread,
            labels: of.label_list(),
            changed,
            visible_at,
        });
    }

    /// Adds and removes labels of one message; true when something changed.
    pub(crate) fn relabel(
        &mut self,
        id: u64,
        add: &[String],
        remove: &[String],
        ids: &Ids,
        now: Timestamp,
    ) -> bool {
        let Some(message) = self.messages.get(&id) else {
            return false;
        };
        let before = message.labels.clone();
        let mut removed: Vec<String> = remove
            .iter()
            .filter(|l| before.contains(*l) && !add.contains(l))
            .cloned()
            .collect();
        let added: Vec<String> = add
            .iter()
            .filter(|l| !before.contains(*l))
            .cloned()
            .collect();
        let away = added.iter().any(|l| l == "TRASH" || l == "SPAM");
        if away && before.contains("INBOX") && !removed.iter().any(|l| l == "INBOX") {
            removed.push("INBOX".to_owned());
        }
        if removed.is_empty() && added.is_empty() {
            return false;
        }
        for (kind, changed) in [(Kind::LabelsRemoved, removed), (Kind::LabelsAdded, added)] {
            if changed.is_empty() {
                continue;
            }
            let history_id = self.history.advance(ids.history_gap());
            let Some(message) = self.messages.get_mut(&id) else {
                return false;
            };
            message.history_id = history_id;
            match kind {
                Kind::LabelsAdded => message.labels.extend(changed.iter().cloned()),
                _ => message.labels.retain(|l| !changed.contains(l)),
            }
            let message = message.clone();
            self.record(kind, &message, changed, None);
        }
        let after = self
            .messages
            .get(&id)
            .map(|m| m.labels.clone())
            .unwrap_or_default();
        self.notify(&after.union(&before).cloned().collect(), now);
        true
    }

    /// Removes a message for good; true when it was there.
    pub(crate) fn delete(&mut self, id: u64, ids: &Ids, now: Timestamp) -> bool {
        let Some(message) = self.messages.remove(&id) else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(message.raw.len() + OVERHEAD);
        self.order.remove(&(message.internal_date, id));
        if let Some(thread) = self.threads.get_mut(&message.thread) {
            thread.remove(&id);
            if thread.is_empty() {
                self.threads.remove(&message.thread);
            }
        }
        let fields = letter::fields(&message.raw);
        for name in letter::first(&fields, "Message-ID")
            .map(letter::message_ids)
            .into_iter()
            .flatten()
        {
            if self.by_message_id.get(&name) == Some(&id) {
                self.by_message_id.remove(&name);
            }
        }
        self.history.advance(ids.history_gap());
        self.record(Kind::Deleted, &message, Vec::new(), None);
        self.notify(&message.labels, now);
        true
    }

    /// Puts a notification aside when a watch runs, its filter lets it through, and the last one is
    /// a second ago.
    fn notify(&mut self, labels: &BTreeSet<String>, now: Timestamp) {
        let history_id = self.history.current();
        let Some(watch) = self.watch.as_mut().filter(|w| w.expires > now) else {
            return;
        };
        let named = watch.labels.iter().any(|l| labels.contains(l));
        if !watch.labels.is_empty() && named == watch.exclude {
            return;
        }
        if watch
            .last
            .is_some_and(|last| now.duration_since(last).as_millis() < 1_000)
        {
            return;
        }
        watch.last = Some(now);
        let topic = watch.topic.clone();
        self.push_notice(topic, history_id);
    }

    /// Puts a notification aside without asking the filter, as a new watch does.
    pub(crate) fn push_notice(&mut self, topic: String, history_id: u64) {
        let data = json!({"emailAddress": self.address, "historyId": history_id}).to_string();
        self.notices.push(Notice { topic, data });
    }

    /// Totals for a label: messages, unread messages, threads, unread threads.
    pub(crate) fn label_counts(&self, label: &str) -> [usize; 4] {
        let mut threads: HashMap<u64, bool> = HashMap::new();
        let (mut total, mut unread) = (0, 0);
        for message in self.messages.values().filter(|m| m.has(label)) {
            total += 1;
            unread += usize::from(message.has("UNREAD"));
            *threads.entry(message.thread).or_default() |= message.has("UNREAD");
        }
        [
            total,
            unread,
            threads.len(),
            threads.values().filter(|u| **u).count(),
        ]
    }

    pub(crate) fn message_of_draft(&self, draft: &str) -> Option<&Stored> {
        self.drafts.get(draft).and_then(|id| self.messages.get(id))
    }
}
