//! Inlets: reading sources that are polled, in two steps (ids with the cursor, then one by one),
//! with a recount against the provider's own listing. One reader per connection at a time. What is
//! asked of the listing is flow time: it is compared with when mail came in, as people see it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use bellwether_model::connector::{Discovered, Fetched, Source};
use bellwether_model::event::NewEvent;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::id::Id;
use bellwether_model::time::{Millis, Time};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::{Mutex, Notify};

use super::intake::Arriving;
use super::rhythm::Rhythm;
use super::{Engine, Link};
use crate::store::{
    DeadLetterWrite, InletState, InletStep, LedgerState, LedgerWrite, Member, StoreError, Verdict,
};

/// How many items are fetched at the same time.
const FETCHES: usize = 4;
/// How many pending ids one look takes.
const PENDING: usize = 64;
/// After so many attempts that ended in a crash an item is given up.
const ATTEMPTS: u32 = 3;
/// How far a sweep looks back beyond the latest recount.
const OVERLAP: Millis = Millis::hours(1);
/// How many pages a recount reads at most.
const PAGES_MAX: usize = 2_000;
/// What the provider asks for is waited out up to this.
const ASKED_MAX: Millis = Millis::minutes(15);

/// One connection's inlet at work.
#[derive(Debug, Default)]
pub(crate) struct Inlet {
    /// Held by whoever reads.
    pub(super) reading: Mutex<()>,
    /// Read now.
    pub(crate) hint: Notify,
    /// Items that were settled since the start: whether a read came further than the one before.
    pub(super) settled: AtomicU64,
    /// What reading a feed remembers between two reads.
    pub(super) feed: std::sync::Mutex<super::feed::Memory>,
}

/// Why reading stopped.
#[derive(Debug)]
pub(crate) enum NotRead {
    Provider(Failure),
    Store(StoreError),
}

impl NotRead {
    /// How long the provider asked to be left alone.
    pub(super) fn asked_wait(&self) -> Millis {
        match self {
            Self::Provider(Failure {
                class: FailureClass::Retry { after: Some(after) },
                ..
            }) => (*after).min(ASKED_MAX),
            Self::Provider(_) | Self::Store(_) => Millis(0),
        }
    }
}

impl From<Failure> for NotRead {
    fn from(failure: Failure) -> Self {
        Self::Provider(failure)
    }
}

impl From<StoreError> for NotRead {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for NotRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(failure) => failure.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Engine {
    /// The inlet of a connection.
    pub(crate) fn inlet_of(&self, name: &str) -> Arc<Inlet> {
        let mut inlets = self
            .inner
            .inlets
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(inlets.entry(name.to_owned()).or_default())
    }

    /// Starts a loop for every connection that has a source.
    pub(crate) fn start_inlets(&self) {
        for link in self.setup().links.values() {
            if link.connection.source().is_some() {
                let (engine, name) = (self.clone(), link.name.clone());
                tokio::spawn(async move { engine.inlet_loop(&name).await });
            }
        }
    }

    async fn inlet_loop(&self, name: &str) {
        let inlet = self.inlet_of(name);
        let mut rhythm = Rhythm::default();
        while !self.stopping() {
            let Some(link) = self.setup().links.get(name).cloned() else {
                return;
            };
            let Some(source) = link.connection.source() else {
                return;
            };
            let before = inlet.settled.load(Ordering::Relaxed);
            let result = self.read(&link, source).await;
            if result.is_ok() {
                self.sweep_if_due(&link, source).await;
            }
            let settled = inlet.settled.load(Ordering::Relaxed) > before;
            let failed = result.is_err();
            let wait = rhythm.wait(name, result, settled, source.poll_every());
            self.until_next_read(&inlet, &link, wait, failed).await;
        }
    }

    /// Waits until it is time to read again, or a hint says that there is something. A provider
    /// that wants to be left alone is, whatever it hints; no hint is lost. Who connects again is
    /// not made to wait: another connection is read at once.
    pub(super) async fn until_next_read(
        &self,
        inlet: &Inlet,
        link: &Link,
        wait: Millis,
        failed: bool,
    ) {
        let due = self.transport_now() + wait;
        tokio::select! {
            () = self.inner.parts.transport_clock.wait_until(due) => {}
            () = inlet.hint.notified(), if !failed => {}
            () = self.replaced(link) => {}
            () = self.stopped() => {}
        }
    }

    /// Reads a source to its present end: new ids with the cursor, then every pending item.
    pub(crate) async fn read(&self, link: &Link, source: &dyn Source) -> Result<(), NotRead> {
        let inlet = self.inlet_of(&link.name);
        let _reading = inlet.reading.lock().await;
        let result = self.read_locked(link, source).await;
        if let Some(lane) = self.lane(&link.name) {
            let now = self.transport_now();
            match &result {
                Ok(()) => lane.ok(now),
                Err(NotRead::Provider(failure)) => lane.failed(failure, now),
                Err(NotRead::Store(_)) => {}
            }
        }
        result
    }

    async fn read_locked(&self, link: &Link, source: &dyn Source) -> Result<(), NotRead> {
        let store = self.store();
        let mut state = store.inlet(&link.name, InletStep::TakeHint).await?;
        // What an earlier process knew but did not read comes first.
        self.drain(link, source).await?;
        loop {
            match source.discover(state.cursor.as_deref()).await? {
                Discovered::New { ids, cursor, more } => {
                    let at = self.now();
                    let step = InletStep::Discovered {
                        ids,
                        cursor: Some(cursor),
                        at,
                    };
                    state = store.inlet(&link.name, step).await?;
                    self.drain(link, source).await?;
                    if !more {
                        return Ok(());
                    }
                }
                Discovered::Expired => state = self.resync(link, source, &state).await?,
            }
        }
    }

    /// The provider no longer knows the cursor. A new one is taken first, then everything since the
    /// last good read is listed: what comes in between is found by both, and recorded once.
    async fn resync(
        &self,
        link: &Link,
        source: &dyn Source,
        state: &InletState,
    ) -> Result<InletState, NotRead> {
        tracing::warn!(connection.name = %link.name, "the cursor expired; reading the listing instead");
        let Discovered::New { cursor, .. } = source.discover(None).await? else {
            let sentence = "the provider gives no new cursor";
            return Err(Failure::retry("no_cursor", sentence, None).into());
        };
        // The latest read may have ended in the middle of many pages; the latest recount had all.
        let since = state.read_at.min(state.counted_at).or(state.since);
        let since = since.unwrap_or_else(|| self.now());
        let ids = self.listed(source, since - OVERLAP).await?;
        let at = self.now();
        let step = InletStep::Discovered {
            ids,
            cursor: Some(cursor),
            at,
        };
        let state = self.store().inlet(&link.name, step).await?;
        self.drain(link, source).await?;
        Ok(state)
    }

    async fn listed(&self, source: &dyn Source, since: Time) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        let mut page: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let listing = source.listing(since, page.as_deref()).await?;
            ids.extend(listing.ids);
            match listing.next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        Ok(ids)
    }

    /// Reads every pending item. Fetches several at a time, takes them in in order. What was
    /// fetched is taken in even when a neighbour was refused: dropped, its counted attempts would
    /// add up until a healthy item is given up.
    async fn drain(&self, link: &Link, source: &dyn Source) -> Result<(), NotRead> {
        let inlet = self.inlet_of(&link.name);
        loop {
            let step = InletStep::Pending { limit: PENDING };
            let pending = self.store().inlet(&link.name, step).await?.pending;
            if pending.is_empty() {
                return Ok(());
            }
            for group in pending.chunks(FETCHES) {
                let fetched =
                    join_all(group.iter().map(|(id, _)| self.fetch(link, source, id))).await;
                let mut stopped = None;
                for result in fetched {
                    let settled = match result {
                        Ok(Settling::Later) => continue,
                        Ok(settling) => self.settle(settling).await,
                        Err(error) => Err(error),
                    };
                    match settled {
                        Ok(()) => {
                            inlet.settled.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            stopped.get_or_insert(error);
                        }
                    }
                }
                if let Some(error) = stopped {
                    return Err(error);
                }
                if self.stopping() {
                    return Ok(());
                }
            }
        }
    }

    /// Fetches one item. The attempt is counted before, so that an item that takes the process down
    /// is given up in the end instead of stopping the source for ever.
    async fn fetch(&self, link: &Link, source: &dyn Source, id: &str) -> Result<Settling, NotRead> {
        let step = InletStep::Attempt {
            external_id: id.to_owned(),
        };
        let counted = self.store().inlet(&link.name, step).await?;
        let attempts = counted.pending.first().map_or(1, |(_, attempts)| *attempts);
        if attempts > ATTEMPTS {
            return Ok(self.give_up_on(link, source, id, "reading it failed three times"));
        }
        let fetched = AssertUnwindSafe(source.fetch(id, attempts))
            .catch_unwind()
            .await;
        match fetched {
            Ok(Ok(fetched)) => Ok(self.settling(link, id, fetched)),
            Ok(Err(failure)) if is_ours(&failure) => {
                tracing::error!(connection.name = %link.name, "an item could not be read: {failure}");
                if attempts >= ATTEMPTS {
                    return Ok(self.give_up_on(link, source, id, &failure.message));
                }
                Ok(Settling::Later)
            }
            Ok(Err(failure)) => {
                let step = InletStep::Excuse {
                    external_id: id.to_owned(),
                };
                self.store().inlet(&link.name, step).await?;
                Err(failure.into())
            }
            Err(_) if attempts >= ATTEMPTS => {
                Ok(self.give_up_on(link, source, id, "reading it failed inside the server"))
            }
            Err(_) => Ok(Settling::Later),
        }
    }

    fn settling(&self, link: &Link, id: &str, fetched: Fetched) -> Settling {
        let entry = |state, reason: &str| LedgerWrite {
            connection: link.name.clone(),
            external_id: id.to_owned(),
            state,
            reason: reason.to_owned(),
        };
        match fetched {
            Fetched::Event(event) => {
                let mut arriving = Arriving::of(*event);
                arriving.ledger = Some(entry(LedgerState::Event, ""));
                Settling::Event(Box::new(arriving))
            }
            Fetched::Ignored(reason) => Settling::Entry(entry(LedgerState::Ignored, reason)),
            Fetched::Gone => Settling::Entry(entry(LedgerState::Gone, "")),
        }
    }

    fn give_up_on(&self, link: &Link, source: &dyn Source, id: &str, reason: &str) -> Settling {
        let event: NewEvent = source.stub(id, reason, self.now());
        let now = self.now();
        let mut arriving = Arriving::of(event);
        arriving.ledger = Some(LedgerWrite {
            connection: link.name.clone(),
            external_id: id.to_owned(),
            state: LedgerState::Failed,
            reason: reason.to_owned(),
        });
        arriving.dead_letters.push(DeadLetterWrite {
            id: Id::derive(now, &[link.name.as_bytes(), id.as_bytes()]),
            cell: None,
            effect: None,
            event: None,
            code: "unreadable_item".to_owned(),
            reason: format!("{} {id}: {reason}", link.name),
            at: now,
        });
        Settling::Event(Box::new(arriving))
    }

    async fn settle(&self, settling: Settling) -> Result<(), NotRead> {
        match settling {
            Settling::Event(arriving) => {
                let taken = self.take_in(*arriving).await;
                taken.map_err(|error| StoreError(error.to_string()))?;
            }
            Settling::Entry(entry) => {
                let member = Member {
                    ledger: Some(entry),
                    ..Member::default()
                };
                if let Verdict::Refused(reason) | Verdict::Unavailable(reason) =
                    self.commit_one(member).await
                {
                    return Err(StoreError(reason).into());
                }
            }
            Settling::Later => {}
        }
        Ok(())
    }

    // ---- recount and sweep -----------------------------------------------------------------

    async fn sweep_if_due(&self, link: &Link, source: &dyn Source) {
        let state = match self.store().inlet(&link.name, InletStep::Look).await {
            Ok(state) => state,
            Err(error) => {
                tracing::error!(connection.name = %link.name, "the ledger could not be read: {error}");
                return;
            }
        };
        let now = self.now();
        let last = state.counted_at.or(state.since).unwrap_or(now);
        if now.since(last) < source.sweep_every() {
            return;
        }
        // A recount that found gaps repaired nothing; they may be older than it looks back.
        let since = match state.counted_at {
            Some(at) if state.gaps == 0 => Some(at - OVERLAP),
            _ => state.since,
        };
        if let Err(error) = self.sweep_since(link, source, since.unwrap_or(now)).await {
            tracing::warn!(connection.name = %link.name, "the recount failed: {error}");
        }
    }

    /// Counts what the ledger lacks of the provider's listing since `since`, after reading the
    /// source to its end, so that what is merely on its way does not count.
    async fn missing(
        &self,
        link: &Link,
        source: &dyn Source,
        since: Time,
    ) -> Result<Vec<String>, NotRead> {
        self.read(link, source).await?;
        let ids = self.listed(source, since).await?;
        let step = InletStep::Missing { ids };
        let missing = self.store().inlet(&link.name, step).await?.missing;
        if missing.is_empty() {
            return Ok(missing);
        }
        // Something may have arrived while the listing was read.
        self.read(link, source).await?;
        let step = InletStep::Missing { ids: missing };
        Ok(self.store().inlet(&link.name, step).await?.missing)
    }

    /// Counts gaps over the whole watched period and repairs nothing.
    pub(crate) async fn count_gaps(
        &self,
        link: &Link,
        source: &dyn Source,
    ) -> Result<u64, NotRead> {
        let state = self.store().inlet(&link.name, InletStep::Look).await?;
        let since = state.since.unwrap_or_else(|| self.now());
        let missing = self.missing(link, source, since).await?;
        let gaps = missing.len() as u64;
        let at = self.now();
        let step = InletStep::Counted { gaps, at };
        self.store().inlet(&link.name, step).await?;
        Ok(gaps)
    }

    /// Takes in what the ledger lacks since `since`; how many were found.
    pub(crate) async fn sweep_since(
        &self,
        link: &Link,
        source: &dyn Source,
        since: Time,
    ) -> Result<u64, NotRead> {
        let missing = self.missing(link, source, since).await?;
        let found = missing.len() as u64;
        let at = self.now();
        if found > 0 {
            tracing::warn!(connection.name = %link.name, found, "items were missing; they are read now");
            let counted = InletStep::Counted { gaps: found, at };
            self.store().inlet(&link.name, counted).await?;
            let inlet = self.inlet_of(&link.name);
            let _reading = inlet.reading.lock().await;
            let step = InletStep::Discovered {
                ids: missing,
                cursor: None,
                at,
            };
            self.store().inlet(&link.name, step).await?;
            self.drain(link, source).await?;
        }
        self.store()
            .inlet(&link.name, InletStep::Counted { gaps: 0, at })
            .await?;
        Ok(found)
    }
}

/// What is to be committed for one item.
#[derive(Debug)]
enum Settling {
    /// An event with its ledger entry.
    Event(Box<Arriving>),
    /// A ledger entry alone.
    Entry(LedgerWrite),
    /// Nothing now: the next look tries again.
    Later,
}

/// Whether a failure is our own (the item cannot be read), not the provider's absence.
pub(crate) fn is_ours(failure: &Failure) -> bool {
    matches!(failure.class, FailureClass::Bug | FailureClass::Reject)
}
