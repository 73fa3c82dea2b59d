//! Lists for people and for the API. They read the read pool only, and may lag behind commits by
//! the projector's delay; nothing is ever decided on them.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::event::{Event, Position};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::Time;
use serde::Serialize;
use serde_json::Value;

use super::{
    CellStatus, CustomerCounts, CustomerQuery, CustomerRow, EffectRow, Identity, IdentityQuery,
    StoreError, UsageQuery, UsageRow,
};
use crate::decide::Waiting;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// How many there are in all, under the same filter.
    pub total: u64,
    /// This page.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; None at the end.
    pub next: Option<String>,
}

/// Which events to list: oldest first after a position, or the newest when `after` is None and
/// `newest` is set.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only this type.
    pub kind: Option<String>,
    /// Only after this position.
    pub after: Option<Position>,
    /// Newest first, from the end.
    pub newest: bool,
    /// At most this many; the store caps it at 1 000.
    pub limit: usize,
}

/// Which runs, notifications or dead letters to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only this flow.
    pub flow: Option<String>,
    /// Only this status word (`open`, `closed`; a delivery or effect word; `open`, `settled`).
    pub status: Option<String>,
    /// Only this person.
    pub person: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// At most this many; the store caps it at 1 000.
    pub limit: usize,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// The cell.
    pub id: CellId,
    /// The flow.
    pub flow: String,
    /// The definition's hash, hexadecimal.
    pub flow_hash: String,
    /// The key: what counts as the same matter.
    pub key: String,
    /// What its first notification is called; empty when nothing was sent or asked yet.
    pub title: String,
    /// Which epoch.
    pub epoch: u32,
    /// `open` or `closed`.
    pub status: &'static str,
    /// When it began.
    pub opened_at: Time,
    /// When it last took a turn.
    pub last_turn_at: Time,
    /// How many turns it took.
    pub turns: u64,
    /// The event that opened it.
    pub opened_by: Option<Position>,
    /// Whose answer it waits for, and since when; empty once it is closed.
    pub waits_for: Vec<Waiting>,
}

/// One journal entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnRow {
    /// The version after it.
    pub version: u64,
    /// The entry itself.
    pub body: Value,
}

/// A run with everything that the record has about it.
#[derive(Clone, Debug)]
pub struct RunDetail {
    /// The row.
    pub run: RunRow,
    /// Whether it is open.
    pub status: CellStatus,
    /// The state.
    pub state: Value,
    /// All turns, oldest first.
    pub journal: Vec<TurnRow>,
    /// All effects, oldest first.
    pub effects: Vec<EffectRow>,
    /// Timers that are set.
    pub timers: Vec<(String, Time)>,
    /// The event that opened it, unless pruned.
    pub opened_by: Option<Event>,
}

/// A notification in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotificationRow {
    /// The effect.
    pub id: EffectId,
    /// The run that made it.
    pub run: CellId,
    /// The flow.
    pub flow: String,
    /// `push`, `mail`, `reply`.
    pub channel: &'static str,
    /// The connection.
    pub connection: String,
    /// For whom.
    pub person: Option<String>,
    /// The effect's state word.
    pub state: &'static str,
    /// The delivery axis.
    pub delivery: bellwether_model::notification::Delivery,
    /// The engagement axis.
    pub engagement: bellwether_model::notification::Engagement,
    /// How many attempts began.
    pub attempts: u32,
    /// The title or subject.
    pub title: String,
    /// The provider's own id.
    pub reference: Option<String>,
    /// The latest failure in a sentence.
    pub failure: Option<String>,
    /// When it was made.
    pub made_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

/// A dead letter in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeadLetterRow {
    /// Its id.
    pub id: Id,
    /// The run concerned.
    pub run: Option<CellId>,
    /// The effect concerned.
    pub effect: Option<EffectId>,
    /// For whom that was.
    pub person: Option<String>,
    /// The event concerned.
    pub event: Option<Position>,
    /// A stable word.
    pub code: String,
    /// The sentence.
    pub reason: String,
    /// When.
    pub at: Time,
    /// When it was retried or closed.
    pub settled_at: Option<Time>,
}

/// What a connection's ledger says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerCounts {
    /// Items that became events (messages only, not read marks).
    pub received: u64,
    /// Of those, how many a flow took.
    pub matched: u64,
    /// Of those, how many no flow took.
    pub unmatched: u64,
    /// Items that could not be read in three attempts.
    pub failed: u64,
    /// Known, not yet read.
    pub pending: u64,
    /// Nothing for flows: drafts, our own mail.
    pub ignored: u64,
    /// Gone before they could be read.
    pub gone: u64,
    /// Missing at the latest recount.
    pub gaps: u64,
    /// The cursor.
    pub cursor: Option<String>,
    /// The latest recount.
    pub counted_at: Option<Time>,
}

/// The numbers of the overview.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Events in the record.
    pub events: u64,
    /// Runs that are open: matters that wait.
    pub open_runs: u64,
    /// When the oldest open run began.
    pub oldest_open: Option<Time>,
    /// Dead letters that nobody settled.
    pub dead_letters: u64,
    /// Missing items over all ledgers.
    pub gaps: u64,
    /// Effects queued, held or started.
    pub outstanding: u64,
    /// Events that came again and were recognised.
    pub duplicates: u64,
    /// How far the projector is behind, in milliseconds.
    pub lag_ms: u64,
}

/// Read access for pages and API.
pub trait Views: Send + Sync + Debug {
    /// Events.
    fn events(&self, query: EventQuery) -> BoxFuture<'_, Result<Page<Event>, StoreError>>;

    /// Runs, newest first.
    fn runs(&self, query: ListQuery) -> BoxFuture<'_, Result<Page<RunRow>, StoreError>>;

    /// The states of a flow's open runs, in order of id after `after`, at most `limit`; the store
    /// caps it at 1 000. Waits for the projector, so it has every run that was open at the call.
    fn open_states<'a>(
        &'a self,
        flow: &'a str,
        after: Option<CellId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(CellId, Value)>, StoreError>>;

    /// One run, read from the cells themselves (no lag).
    fn run(&self, id: CellId) -> BoxFuture<'_, Result<Option<RunDetail>, StoreError>>;

    /// Notifications, newest first.
    fn notifications(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, Result<Page<NotificationRow>, StoreError>>;

    /// Dead letters, newest first.
    fn dead_letters(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, Result<Page<DeadLetterRow>, StoreError>>;

    /// One dead letter, settled or not.
    fn dead_letter(&self, id: Id) -> BoxFuture<'_, Result<Option<DeadLetterRow>, StoreError>>;

    /// A connection's ledger in numbers.
    fn ledger<'a>(&'a self, connection: &'a str)
    -> BoxFuture<'a, Result<LedgerCounts, StoreError>>;

    /// Who uses which asset in which document. Read from the register itself (no lag).
    fn usages(&self, query: UsageQuery) -> BoxFuture<'_, Result<Page<UsageRow>, StoreError>>;

    /// The users of other systems and the people they are. Read from the register itself (no lag).
    fn identities(&self, query: IdentityQuery)
    -> BoxFuture<'_, Result<Page<Identity>, StoreError>>;

    /// Customers, in order of address. Read from the register itself (no lag).
    fn customers(
        &self,
        query: CustomerQuery,
    ) -> BoxFuture<'_, Result<Page<CustomerRow>, StoreError>>;

    /// How many customers there are, and how many may be reached.
    fn customer_counts(&self) -> BoxFuture<'_, Result<CustomerCounts, StoreError>>;

    /// Completes when lists show everything that was committed before the call.
    fn caught_up(&self) -> BoxFuture<'_, ()>;

    /// The overview's numbers.
    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>>;
}
