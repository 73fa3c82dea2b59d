//! A connection's inlet: cursor, hint and ledger of a source that is read by polling. Cursor and
//! new ids move together; each id is settled together with its event.

use bellwether_model::time::Time;

use super::Refusals;

/// What became of one external id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedgerState {
    /// Known, not yet read.
    Pending,
    /// An event stands for it.
    Event,
    /// Nothing for flows, with a reason.
    Ignored,
    /// Could not be read in three attempts: an event with what is known and a dead letter exist.
    Failed,
    /// Gone at the provider before it could be read.
    Gone,
}

impl LedgerState {
    /// All states with their stored numbers (the position) and names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Pending, "pending"),
        (Self::Event, "event"),
        (Self::Ignored, "ignored"),
        (Self::Failed, "failed"),
        (Self::Gone, "gone"),
    ];

    /// The number under which it is stored.
    pub fn code(self) -> u8 {
        super::code_in(&Self::ALL, self)
    }
}

/// Settles one id, in the same member as its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerWrite {
    /// The connection.
    pub connection: String,
    /// The source's id.
    pub external_id: String,
    /// What became of it.
    pub state: LedgerState,
    /// In a word, for ignored and failed ones.
    pub reason: String,
}

/// One durable step on an inlet. Each returns the [`InletState`] after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InletStep {
    /// Changes nothing.
    Look,
    /// Records ids as pending (known ones are left as they are) and, when given, the next cursor,
    /// in one transaction. The first cursor sets `since`.
    Discovered {
        /// The source's ids.
        ids: Vec<String>,
        /// The next cursor; None for ids that a sweep found.
        cursor: Option<String>,
        /// Flow time: the listing is asked for what came since then.
        at: Time,
    },
    /// Counts one more attempt of a pending id, before it is fetched.
    Attempt {
        /// Which.
        external_id: String,
    },
    /// Takes an attempt back that ended in an answer (the provider was away), not in a crash.
    Excuse {
        /// Which.
        external_id: String,
    },
    /// Asks for up to `limit` pending ids, oldest first.
    Pending {
        /// How many at most.
        limit: usize,
    },
    /// Asks which of these ids the ledger does not have.
    Missing {
        /// The provider's listing.
        ids: Vec<String>,
    },
    /// Notes a hint; several are one.
    Hint {
        /// Transport time.
        at: Time,
    },
    /// Takes the hint away, before reading what it hinted at.
    TakeHint,
    /// Notes by what records are judged from now on. When that is new, the generation grows.
    Judged {
        /// A text to compare.
        by: String,
    },
    /// Notes that everything was read again.
    Reread {
        /// The generation under which it was judged.
        generation: u64,
        /// Flow time.
        at: Time,
    },
    /// Notes the result of a recount: how many ids of the provider's listing the ledger lacks.
    Counted {
        /// Ids missing.
        gaps: u64,
        /// Flow time of the recount.
        at: Time,
    },
    /// Adds requests that were refused to those that are counted, and keeps the newest.
    Refused(Refusals),
    /// Asks what was refused.
    Refusals,
}

/// An inlet as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InletState {
    /// The cursor; None before the first read.
    pub cursor: Option<String>,
    /// Since when this source is watched (flow time).
    pub since: Option<Time>,
    /// The latest successful read (flow time).
    pub read_at: Option<Time>,
    /// The latest hint that was not yet taken.
    pub hinted_at: Option<Time>,
    /// The latest recount (flow time).
    pub counted_at: Option<Time>,
    /// What the latest recount found missing.
    pub gaps: u64,
    /// By what records are judged.
    pub judged_by: Option<String>,
    /// How often that changed.
    pub generation: u64,
    /// The generation under which everything was last read.
    pub reread: u64,
    /// To `Pending`: ids with the attempts made. To `Attempt`: the one id with its attempts.
    pub pending: Vec<(String, u32)>,
    /// To `Missing`: what the ledger does not have.
    pub missing: Vec<String>,
    /// To `Discovered`: how many ids were new.
    pub added: usize,
    /// To `Refusals`: what was refused.
    pub refusals: Refusals,
}
