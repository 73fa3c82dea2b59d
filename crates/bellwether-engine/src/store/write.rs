//! What one member of a commit may contain: an arrival, turns of cells, effect updates, dead
//! letters. Effects and ledger entries have files of their own.

use bellwether_model::event::{Alias, NewEvent, Position};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::Time;

use super::{EffectUpdate, EffectWrite, LedgerWrite, RegisterWrite};

/// One atomic unit of a commit. Everything in it is written, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Member {
    /// An event that arrives. When it was seen before, the verdict is `Duplicate`.
    pub arrival: Option<EventWrite>,
    /// The ledger entry that the arrival settles (or that is settled without an event).
    pub ledger: Option<LedgerWrite>,
    /// The arrival is not matched yet: a later member does it, with `routed`.
    pub unrouted: bool,
    /// An event, recorded earlier, that has now been matched: it leaves the unrouted list.
    pub routed: Option<Position>,
    /// Turns of cells, each with the version that it was decided on.
    pub turns: Vec<TurnWrite>,
    /// Cells that get the arrival (or the routed event) into their inbox.
    pub deliveries: Vec<CellId>,
    /// Events that the turns emitted: recorded, matched afterwards.
    pub emits: Vec<EventWrite>,
    /// Changes of effects: claims, outcomes, engagement.
    pub effects: Vec<EffectUpdate>,
    /// What could not be done, with its reason.
    pub dead_letters: Vec<DeadLetterWrite>,
    /// Changes of the register: who uses what, and who is who. When it is full, a member with an
    /// arrival or a routed event leaves them out and writes a dead letter `register_full`; any
    /// other is refused.
    pub register: Vec<RegisterWrite>,
    /// Dead letters that are settled (retried or closed) by this member.
    pub settled: Vec<Id>,
}

/// An event to record.
#[derive(Clone, Debug)]
pub struct EventWrite {
    /// The envelope.
    pub event: NewEvent,
    /// `event.data` as JSON text: what is stored.
    pub text: String,
    /// When we accepted it, in flow time.
    pub received_at: Time,
    /// The version of the flow set that matched it.
    pub flow_set: u64,
    /// The version of the directory.
    pub directory: u64,
    /// How many flows it matched; shown, never decided on.
    pub matched: u16,
}

/// Whether a cell's epoch is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellStatus {
    /// It may wait for events and timers.
    Open,
    /// It ended. It still answers late taps, but opens nothing.
    Closed,
}

/// One turn of one cell.
#[derive(Clone, Debug)]
pub struct TurnWrite {
    /// The cell.
    pub cell: CellId,
    /// The program's name.
    pub program: String,
    /// The hash of the definition.
    pub program_hash: [u8; 16],
    /// The key within the program.
    pub key: String,
    /// True when at most one open epoch per (program, key) may exist; false for programs whose key
    /// is the event's own id, which dedupe already makes unique.
    pub keyed: bool,
    /// Which epoch; the store refuses a second open one (`Stale`).
    pub epoch: u32,
    /// The version that the turn was decided on; 0 opens the cell.
    pub expects: u64,
    /// The event that opens the cell, when it is not this member's arrival (or routed event).
    pub opened_by: Option<Position>,
    /// Open or closed after this turn.
    pub status: CellStatus,
    /// The new state, JSON text, at most 64 KB.
    pub state: Vec<u8>,
    /// When the turn happens, in flow time.
    pub at: Time,
    /// The journal entry, JSON text.
    pub body: Vec<u8>,
    /// Inbox deliveries that it consumes.
    pub consumes: Vec<Position>,
    /// Timers set (Some) and removed (None), by name. Closing removes all.
    pub timers: Vec<(String, Option<Time>)>,
    /// Names under which later events find this cell. Kept after it closes, for late taps.
    pub aliases: Vec<Alias>,
    /// Effects that begin their life here.
    pub effects: Vec<EffectWrite>,
    /// Queued or held effects of this cell with these cancel keys are cancelled (not started ones).
    pub cancels: Vec<String>,
    /// Keyed items.
    pub items: Vec<ItemWrite>,
    /// Counters to add to: (scope, window, amount).
    pub counters: Vec<(String, String, u64)>,
}

/// A change of one keyed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemWrite {
    /// Which window of the cell.
    pub window: String,
    /// The key in it.
    pub key: String,
    /// The new value, or None to delete.
    pub value: Option<String>,
}

/// Something that could not be done.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetterWrite {
    /// Its id.
    pub id: Id,
    /// The cell concerned, if any.
    pub cell: Option<CellId>,
    /// The effect concerned, if any: a retry queues it again.
    pub effect: Option<EffectId>,
    /// The event concerned, if any. None in a member with an arrival means that arrival.
    pub event: Option<Position>,
    /// A stable word.
    pub code: String,
    /// What happened and what to do next, in a sentence without personal data beyond ids.
    pub reason: String,
    /// When, in flow time.
    pub at: Time,
}
