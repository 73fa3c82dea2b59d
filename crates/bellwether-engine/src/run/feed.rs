//! Feeds: reading sources that hand out whole records behind a cursor. The cursor is committed
//! after everything of its batch; what comes again is a known repeat by its id. Once in a while
//! everything is read again, which finds what the cursor did not bring and moves no cursor.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use bellwether_model::failure::Failure;
use bellwether_model::feed::{Batch, Feed, Handed, Judging, Record};
use bellwether_model::id::{Id, hash, hex};
use bellwether_model::time::Millis;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::inlet::{Inlet, NotRead, is_ours};
use super::intake::Arriving;
use super::rhythm::Rhythm;
use super::{Engine, Link};
use crate::seam::{ConnectionHealth, IntakeError};
use crate::store::{
    DeadLetterWrite, InletState, InletStep, LedgerState, LedgerWrite, Member, StoreError, Verdict,
};

/// How many records of different subjects are taken in at the same time: they share commits.
const TOGETHER: usize = 64;
/// How many of them ask the provider for more at the same time.
const ASKING: usize = 8;

/// What reading a feed remembers between two reads, for as long as the process lives.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How often each record of the present batch was tried.
    attempts: HashMap<String, u32>,
    /// Where reading everything again has come to, and how it judges.
    again: Option<(Judging, String)>,
    /// What the link was said to be: None before the first read, else the failure's code.
    pub(super) link: Option<Option<String>>,
    /// How parts of the link are that are no reading.
    pub(super) parts: BTreeMap<&'static str, ConnectionHealth>,
}

impl Inlet {
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Starts two loops for every feed: one reads, one listens for hints.
    pub(crate) fn start_feeds(&self) {
        for link in self.setup().links.values() {
            for feed in link.connection.feeds() {
                let which = feed.name();
                let (engine, name) = (self.clone(), link.name.clone());
                tokio::spawn(async move { engine.feed_loop(&name, which).await });
                let (engine, name) = (self.clone(), link.name.clone());
                tokio::spawn(async move { engine.listen_loop(&name, which).await });
            }
        }
    }

    async fn feed_loop(&self, name: &str, which: &'static str) {
        let inlet = self.inlet_of(&place(name, which));
        let mut rhythm = Rhythm::default();
        while !self.stopping() {
            let Some(link) = self.setup().links.get(name).cloned() else {
                return;
            };
            let Some(feed) = named(&link, which) else {
                return;
            };
            let before = inlet.settled.load(Ordering::Relaxed);
            let result = match self.read_feed(&link, feed).await {
                Ok(()) => self.reread_if_due(&link, feed).await,
                failed => failed,
            };
            let settled = inlet.settled.load(Ordering::Relaxed) > before;
            let failed = result.is_err();
            let wait = rhythm.wait(name, result, settled, feed.poll_every());
            self.until_next_read(&inlet, &link, wait, failed).await;
        }
    }

    /// Reads a feed to its present end.
    pub(crate) async fn read_feed(&self, link: &Link, feed: &dyn Feed) -> Result<(), NotRead> {
        let inlet = self.inlet_of(&place(&link.name, feed.name()));
        let result = {
            let _reading = inlet.reading.lock().await;
            self.read_on(link, feed).await
        };
        self.feed_health(link, feed, &result).await;
        result
    }

    /// Lets a feed's loop read soon. A feed may have to wait for its provider for minutes: nobody
    /// who looks at a page waits with it.
    pub(crate) fn hint_feed(&self, link: &Link, feed: &dyn Feed) {
        let inlet = self.inlet_of(&place(&link.name, feed.name()));
        inlet.hint.notify_one();
    }

    async fn read_on(&self, link: &Link, feed: &dyn Feed) -> Result<(), NotRead> {
        let store = self.store();
        let key = place(&link.name, feed.name());
        let judging = self.judging(link, feed).await?;
        let mut state = store.inlet(&key, InletStep::TakeHint).await?;
        let mut expired = false;
        loop {
            match feed.read(state.cursor.as_deref(), &judging).await? {
                Handed::Batch(batch) => {
                    self.take_batch(link, feed, &batch).await?;
                    let (more, pause) = (batch.more, batch.pause);
                    state = self.move_cursor(&key, batch.cursor).await?;
                    expired = false;
                    if !more || self.stopping() {
                        return Ok(());
                    }
                    self.pause(pause).await;
                }
                Handed::Expired if expired => return Err(no_start(link)),
                Handed::Expired => {
                    tracing::warn!(
                        connection.name = %link.name,
                        "the cursor is no longer known; everything is read again"
                    );
                    state = self.move_cursor(&key, feed.start()).await?;
                    expired = true;
                }
            }
        }
    }

    /// Leaves the provider alone for so long, or until the engine stops.
    async fn pause(&self, pause: Millis) {
        let due = self.transport_now() + pause;
        while self.transport_now() < due && !self.stopping() {
            tokio::select! {
                () = self.inner.parts.transport_clock.wait_until(due) => {}
                () = self.stopped() => {}
            }
        }
    }

    /// By what records are judged now. Recorded before the first of them is read that way.
    async fn judging(&self, link: &Link, feed: &dyn Feed) -> Result<Judging, StoreError> {
        let setup = self.setup();
        let thresholds = link.def.thresholds.iter();
        let thresholds: BTreeMap<String, Vec<i64>> = thresholds
            .map(|def| (def.name.to_owned(), setup.flows.thresholds(def, &link.name)))
            .collect();
        let by = serde_json::json!([feed.judged_by(), thresholds]).to_string();
        let by = hex(&hash(&[by.as_bytes()])[..16]);
        let key = place(&link.name, feed.name());
        let mut state = self.store().inlet(&key, InletStep::Look).await?;
        if state.judged_by.as_ref() != Some(&by) {
            let step = InletStep::Judged { by };
            state = self.store().inlet(&key, step).await?;
        }
        Ok(Judging {
            generation: state.generation,
            thresholds,
        })
    }

    async fn move_cursor(&self, key: &str, cursor: String) -> Result<InletState, StoreError> {
        let step = InletStep::Discovered {
            ids: Vec::new(),
            cursor: Some(cursor),
            at: self.now(),
        };
        let state = self.store().inlet(key, step).await?;
        self.inlet_of(key).memory().attempts.clear();
        Ok(state)
    }

    /// Takes in what the ledger lacks of a batch; how many records that were. Different subjects
    /// go together, so that they share commits.
    async fn take_batch(
        &self,
        link: &Link,
        feed: &dyn Feed,
        batch: &Batch,
    ) -> Result<u64, NotRead> {
        let unknown = self.unknown(link, batch).await?;
        let mut rest = unknown.as_slice();
        while !rest.is_empty() {
            let mut subjects = BTreeSet::new();
            let together = rest
                .iter()
                .take(TOGETHER)
                .take_while(|record| subjects.insert(record.subject.as_str()))
                .count();
            let (group, later) = rest.split_at(together);
            let asking = Semaphore::new(ASKING);
            let takes = group
                .iter()
                .map(|one| self.take_record(link, feed, one, &asking));
            let taken = join_all(takes).await;
            taken.into_iter().collect::<Result<(), NotRead>>()?;
            rest = later;
        }
        Ok(unknown.len() as u64)
    }

    /// The records that the ledger lacks, each once.
    async fn unknown<'a>(
        &self,
        link: &Link,
        batch: &'a Batch,
    ) -> Result<Vec<&'a Record>, StoreError> {
        if batch.records.is_empty() {
            return Ok(Vec::new());
        }
        let ids = batch
            .records
            .iter()
            .map(|record| record.id.clone())
            .collect();
        let step = InletStep::Missing { ids };
        let state = self.store().inlet(&link.name, step).await?;
        let mut missing: HashSet<String> = state.missing.into_iter().collect();
        let unknown = batch.records.iter();
        Ok(unknown
            .filter(|record| missing.remove(&record.id))
            .collect())
    }

    async fn take_record(
        &self,
        link: &Link,
        feed: &dyn Feed,
        record: &Record,
        asking: &Semaphore,
    ) -> Result<(), NotRead> {
        let inlet = self.inlet_of(&place(&link.name, feed.name()));
        // Nobody closes it; without a permit it would merely be asked at once.
        let permit = asking.acquire().await.ok();
        let attempt = {
            let mut memory = inlet.memory();
            let count = memory.attempts.entry(record.id.clone()).or_default();
            *count += 1;
            *count
        };
        let made = AssertUnwindSafe(feed.event(record, attempt))
            .catch_unwind()
            .await;
        drop(permit);
        let why = match made {
            Ok(Ok(event)) => {
                let mut arriving = Arriving::of(event);
                arriving.ledger = Some(entry(link, record, LedgerState::Event, ""));
                match self.take_in(arriving).await {
                    Ok(_) => None,
                    Err(refused @ (IntakeError::TooLarge(_) | IntakeError::Malformed(_))) => {
                        Some(refused.to_string())
                    }
                    Err(error) => return Err(StoreError(error.to_string()).into()),
                }
            }
            Ok(Err(failure)) if is_ours(&failure) => Some(failure.message),
            Ok(Err(failure)) => return Err(failure.into()),
            Err(_) => Some("reading it failed inside the server".to_owned()),
        };
        if let Some(why) = why {
            self.give_up_record(link, feed, record, &why).await?;
        }
        inlet.settled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A record that cannot be read becomes an event with what is known, and a dead letter.
    async fn give_up_record(
        &self,
        link: &Link,
        feed: &dyn Feed,
        record: &Record,
        why: &str,
    ) -> Result<(), NotRead> {
        tracing::error!(connection.name = %link.name, record.id = %record.id, "a record could not be read: {why}");
        let now = self.now();
        let ledger = Some(entry(link, record, LedgerState::Failed, why));
        let dead = DeadLetterWrite {
            id: Id::derive(now, &[link.name.as_bytes(), record.id.as_bytes()]),
            cell: None,
            effect: None,
            event: None,
            code: "unreadable_item".to_owned(),
            reason: format!(
                "{} {}: {why}; look at it in the events, what came after it was taken in",
                link.name, record.id
            ),
            at: now,
        };
        let stub = std::panic::catch_unwind(AssertUnwindSafe(|| feed.stub(record, why, now)));
        if let Ok(stub) = stub {
            let mut arriving = Arriving::of(stub);
            arriving.ledger.clone_from(&ledger);
            arriving.dead_letters.push(dead.clone());
            match self.take_in(arriving).await {
                Ok(_) => return Ok(()),
                Err(IntakeError::TooLarge(_) | IntakeError::Malformed(_)) => {}
                Err(error) => return Err(StoreError(error.to_string()).into()),
            }
        }
        let member = Member {
            ledger,
            dead_letters: vec![dead],
            ..Member::default()
        };
        match self.commit_one(member).await {
            Verdict::Refused(reason) | Verdict::Unavailable(reason) => {
                Err(StoreError(reason).into())
            }
            _ => Ok(()),
        }
    }

    // ---- everything again ------------------------------------------------------------------

    async fn reread_if_due(&self, link: &Link, feed: &dyn Feed) -> Result<(), NotRead> {
        let Some(every) = feed.reread_every() else {
            return Ok(());
        };
        let key = place(&link.name, feed.name());
        let state = self.store().inlet(&key, InletStep::Look).await?;
        let begun = self.inlet_of(&key).memory().again.is_some();
        let now = self.now();
        let last = state.counted_at.or(state.since).unwrap_or(now);
        let judged_anew = state.reread < state.generation;
        if !begun && !judged_anew && now.since(last) < every {
            return Ok(());
        }
        self.reread(link, feed).await.map(|_| ())
    }

    /// Reads everything again and takes in what the ledger lacks; how many records that were. Goes
    /// on where an earlier try stopped. Hints are read in between.
    async fn reread(&self, link: &Link, feed: &dyn Feed) -> Result<u64, NotRead> {
        let key = place(&link.name, feed.name());
        let inlet = self.inlet_of(&key);
        let judging = self.judging(link, feed).await?;
        let begun = inlet.memory().again.take();
        // What was judged by other rules is judged again.
        let begun = begun.filter(|(before, _)| *before == judging);
        let mut cursor = begun.map_or_else(|| feed.start(), |(_, cursor)| cursor);
        let mut found = 0;
        loop {
            let step = self.reread_batch(link, feed, &cursor, &judging).await;
            let (taken, next) = match step {
                Ok(Some(step)) => step,
                // Where it had come to is no longer known; the next time begins at the start.
                Ok(None) => return Err(no_start(link)),
                Err(error) => {
                    inlet.memory().again = Some((judging, cursor));
                    return Err(error);
                }
            };
            found += taken;
            let Some((next, pause)) = next else { break };
            cursor = next;
            self.pause(pause).await;
            if self.stopping() {
                return Ok(found);
            }
            if inlet.hint.notified().now_or_never().is_some() {
                self.read_feed(link, feed).await.inspect_err(|_| {
                    inlet.memory().again = Some((judging.clone(), cursor.clone()));
                })?;
            }
        }
        if found > 0 {
            tracing::info!(connection.name = %link.name, found, "reading everything again found changes");
        }
        let at = self.now();
        let generation = judging.generation;
        let step = InletStep::Reread { generation, at };
        self.store().inlet(&key, step).await?;
        Ok(found)
    }

    /// One batch of it, with the next cursor and the wait before it if there is more; None when
    /// the cursor is not known.
    async fn reread_batch(
        &self,
        link: &Link,
        feed: &dyn Feed,
        cursor: &str,
        judging: &Judging,
    ) -> Result<Option<(u64, Option<(String, Millis)>)>, NotRead> {
        let inlet = self.inlet_of(&place(&link.name, feed.name()));
        let _reading = inlet.reading.lock().await;
        match feed.read(Some(cursor), judging).await? {
            Handed::Batch(batch) => {
                let taken = self.take_batch(link, feed, &batch).await?;
                inlet.memory().attempts.clear();
                let next = batch.more.then_some((batch.cursor, batch.pause));
                Ok(Some((taken, next)))
            }
            Handed::Expired => Ok(None),
        }
    }

    /// Reads on, then everything again; how much of it was missing. What reads everything each time
    /// is only told to do so.
    pub(crate) async fn sweep_feed(&self, link: &Link, feed: &dyn Feed) -> Result<u64, NotRead> {
        if feed.reread_every().is_none() {
            self.hint_feed(link, feed);
            return Ok(0);
        }
        self.read_feed(link, feed).await?;
        self.reread(link, feed).await
    }

    /// Counts what the ledger lacks of everything that the feed has, and repairs nothing.
    pub(crate) async fn count_feed_gaps(
        &self,
        link: &Link,
        feed: &dyn Feed,
    ) -> Result<u64, NotRead> {
        if feed.reread_every().is_none() {
            return Ok(0);
        }
        self.read_feed(link, feed).await?;
        let judging = self.judging(link, feed).await?;
        let mut cursor = feed.start();
        let mut gaps = 0;
        loop {
            let Handed::Batch(batch) = feed.read(Some(&cursor), &judging).await? else {
                return Err(no_start(link));
            };
            gaps += self.unknown(link, &batch).await?.len() as u64;
            if !batch.more {
                break;
            }
            cursor = batch.cursor;
            self.pause(batch.pause).await;
        }
        let at = self.now();
        let step = InletStep::Counted { gaps, at };
        let key = place(&link.name, feed.name());
        self.store().inlet(&key, step).await?;
        Ok(gaps)
    }
}

/// Under what the cursor of a feed is kept. Its records share the connection's ledger.
pub(super) fn place(connection: &str, feed: &str) -> String {
    match feed {
        "" => connection.to_owned(),
        feed => format!("{connection}/{feed}"),
    }
}

/// The feed of this name.
pub(super) fn named<'a>(link: &'a Link, which: &str) -> Option<&'a dyn Feed> {
    let mut feeds = link.connection.feeds().into_iter();
    feeds.find(|feed| feed.name() == which)
}

fn entry(link: &Link, record: &Record, state: LedgerState, reason: &str) -> LedgerWrite {
    LedgerWrite {
        connection: link.name.clone(),
        external_id: record.id.clone(),
        state,
        reason: reason.to_owned(),
    }
}

fn no_start(link: &Link) -> NotRead {
    let message = format!(
        "the feed of `{}` refuses to be read from its start; it is tried again",
        link.name
    );
    Failure::retry("no_cursor", message, None).into()
}
