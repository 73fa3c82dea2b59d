//! The engine's only door to durable state, as three traits: [`Store`] (whole turns), [`Views`]
//! (lists for people, read pool only) and [`Registry`] (versioned documents). No SQL here.

mod customer;
mod effect;
mod inlet;
mod refusal;
mod register;
mod registry;
mod views;
mod write;

pub use customer::{CustomerCounts, CustomerQuery, CustomerRow, CustomerWrite};
pub use effect::{EffectRow, EffectState, EffectUpdate, EffectWrite, Outcome};
pub use inlet::{InletState, InletStep, LedgerState, LedgerWrite};
pub use refusal::{OTHER, REASONS_MAX, RefusalCount, RefusalSample, Refusals, SAMPLES_MAX};
pub use register::{
    DOCUMENT_MAX, How, Identity, IdentityQuery, Mapping, NAME_MAX, Proposal, RegisterWrite,
    Sighting, USERS_OF_MAX, UsageQuery, UsageRow, UsageWrite, Who,
};
pub use registry::{AuditRow, Document, Registry, RegistryError, Rewrite};
pub use views::{
    DeadLetterRow, EventQuery, LedgerCounts, ListQuery, NotificationRow, Overview, Page, RunDetail,
    RunRow, TurnRow, Views,
};
pub use write::{CellStatus, DeadLetterWrite, EventWrite, ItemWrite, Member, TurnWrite};

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::directory::{Customer, PersonId};
use bellwether_model::event::{Alias, Event, Position};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::{Millis, Time};

/// The number under which a state is stored: its place in the list of all.
fn code_in<T: Copy + PartialEq>(all: &[(T, &'static str)], state: T) -> u8 {
    let mut numbered = all.iter().zip(0u8..);
    let found = numbered.find(|((known, _), _)| *known == state);
    found.map_or(0, |(_, number)| number)
}

/// Who claims work: one value per started process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub Id);

/// What became of one member of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Committed, durably. Positions of the arrival (if any) and then of each emitted event.
    Done(Vec<Position>),
    /// The arrival was seen before and nothing of the member was written.
    Duplicate {
        /// Where the first one stands.
        position: Position,
        /// False when the same id came with another body: answered as duplicate, counted, shown.
        same_body: bool,
    },
    /// A cell's version, an effect's attempt or owner is no longer what the member expected;
    /// nothing of it was written. Load again and decide again.
    Stale,
    /// The database refused this member when it stood alone: something in it is against a rule of
    /// the schema, and will be so the next time. Nothing of it was written.
    Refused(String),
    /// The database as a whole could not write (full, unreadable, gone), whatever the member says.
    /// Nothing of it was written; it may be tried again.
    Unavailable(String),
}

/// The database could not be read or is gone. Nothing is known to have changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// How to find a cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellRef {
    /// This very cell, open or closed.
    Id(CellId),
    /// The latest epoch of (program, key): the open one, else the one that ended last.
    Latest {
        /// The program's name.
        program: String,
        /// The key.
        key: String,
    },
}

/// A cell as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub cell: CellId,
    /// The program's name (a flow, or `reduce:` and a connection).
    pub program: String,
    /// The hash of the definition it began with; 16 bytes.
    pub program_hash: [u8; 16],
    /// The key within the program.
    pub key: String,
    /// Which epoch of that key, from 1.
    pub epoch: u32,
    /// Grows by one with each turn.
    pub version: u64,
    /// Whether the epoch is still open.
    pub status: CellStatus,
    /// The state as JSON text with its format number.
    pub state: Vec<u8>,
    /// When the latest turn happened; a cell's time never goes back.
    pub last_turn_at: Time,
    /// The event that opened it.
    pub opened_by: Option<Event>,
    /// Whether deliveries wait in the inbox: then nothing may overtake them.
    pub has_inbox: bool,
    /// The timers that are set, by name.
    pub timers: Vec<(String, Time)>,
}

/// How to find an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRef {
    /// By position.
    At(Position),
    /// By its seen key.
    Key([u8; 16]),
}

/// A cell that has something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which.
    pub cell: CellId,
    /// Deliveries that wait, in order; at most 32.
    pub inbox: Vec<Position>,
    /// Timers that are due, in order of time.
    pub timers: Vec<(String, Time)>,
}

/// What [`Store::ready`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ready {
    /// Cells with deliveries or due timers.
    pub cells: Vec<Work>,
    /// Events that were emitted and not yet matched against the flows, in order.
    pub unrouted: Vec<Event>,
    /// The next timer after `now`, to sleep until.
    pub next_timer: Option<Time>,
}

/// Effects that may start, oldest first, and when the next one becomes due.
pub type DueEffects = (Vec<EffectRow>, Option<Time>);

/// A question that `decide` asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// The items of a window of a cell: keys and values.
    Items {
        /// The cell.
        cell: CellId,
        /// The window.
        window: String,
    },
    /// A counter's value in a window.
    Counter {
        /// What is counted.
        scope: String,
        /// Which window of time.
        window: String,
    },
    /// The people of the directory who use an asset now.
    UsersOf {
        /// The asset's id.
        asset: String,
    },
    /// A customer.
    Customer {
        /// His address in small letters.
        address: String,
    },
    /// What became of a message.
    Outcome {
        /// The message.
        effect: EffectId,
    },
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To `Items`: in order of key.
    Items(Vec<(String, String)>),
    /// To `Counter`: zero when nothing was counted.
    Counter(u64),
    /// To `UsersOf`: each once, in order; users whom nobody knows are left out.
    People(Vec<PersonId>),
    /// To `Customer`: None when nobody has that address.
    Customer(Option<Customer>),
    /// To `Outcome`: None when there is no such message any more.
    Outcome(Option<Outcome>),
}

/// Durable state of the engine. One implementation per database, one conformance suite for all.
pub trait Store: Send + Sync + Debug {
    /// Writes members, each atomically and independent of the others, and answers each once it is
    /// durable (synced). Members of concurrent calls share transactions (group commit). Within one
    /// call members are applied in order. After a crash either a member is wholly there or not.
    fn commit(&self, members: Vec<Member>) -> BoxFuture<'_, Vec<Verdict>>;

    /// Cells as last committed, in the order asked.
    fn load<'a>(
        &'a self,
        cells: &'a [CellRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, StoreError>>;

    /// The cell that each alias names; the latest one where several took the same name.
    fn resolve<'a>(
        &'a self,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>>;

    /// Events in the order asked; None for pruned or unknown ones.
    fn events<'a>(
        &'a self,
        refs: &'a [EventRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Event>>, StoreError>>;

    /// Effects in the order asked.
    fn effects<'a>(
        &'a self,
        ids: &'a [EffectId],
    ) -> BoxFuture<'a, Result<Vec<Option<EffectRow>>, StoreError>>;

    /// Answers to what `decide` asked, in the order asked.
    fn answer<'a>(&'a self, queries: &'a [Query])
    -> BoxFuture<'a, Result<Vec<Answer>, StoreError>>;

    /// Up to `limit` cells with deliveries or timers due at flow time `now`, and up to `limit`
    /// unrouted events. Leaves out nothing that was committed before the call.
    fn ready(&self, now: Time, limit: usize) -> BoxFuture<'_, Result<Ready, StoreError>>;

    /// Up to `limit` effects of a lane that may start: queued or held with `not_before` reached
    /// (transport time `now`), none whose order key has another effect in flight or an earlier one
    /// waiting, oldest first; and when the next one becomes due. With `owner`, instead: effects
    /// left `started` by other owners (ambiguous after a crash).
    fn due_effects<'a>(
        &'a self,
        lane: &'a str,
        now: Time,
        limit: usize,
        left_by_others: Option<Owner>,
    ) -> BoxFuture<'a, Result<DueEffects, StoreError>>;

    /// One step on a connection's inlet (cursor, hint, ledger), durable when it returns.
    fn inlet<'a>(
        &'a self,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>>;

    /// Takes or renews a named lease until `ttl` from transport time `now`; the fence grows with
    /// each change of holder. None while somebody else holds it.
    fn lease<'a>(
        &'a self,
        name: &'a str,
        owner: Owner,
        now: Time,
        ttl: Millis,
    ) -> BoxFuture<'a, Result<Option<u64>, StoreError>>;
}
