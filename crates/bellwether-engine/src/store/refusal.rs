//! Requests at a connection's address that were not taken: counted by reason, with the newest few.
//! Both are bounded, because whoever has no secret may call as often as he likes. Nothing that he
//! sent is kept, only how long it was and a short hash by which a repeat is recognised.

use bellwether_model::time::Time;

/// The most reasons that are told apart for one connection; what comes beyond is counted as
/// [`OTHER`].
pub const REASONS_MAX: usize = 24;
/// The most refusals of one connection that are kept one by one, the newest.
pub const SAMPLES_MAX: usize = 20;
/// The reason of what has no word of its own.
pub const OTHER: &str = "other";

/// How often a connection refused for one reason. When it is written, what stands there is added
/// to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalCount {
    /// A stable word.
    pub reason: String,
    /// The latest sentence, as the sender got it.
    pub message: String,
    /// How many.
    pub count: u64,
    /// The first (transport time).
    pub first_at: Time,
    /// The latest (transport time).
    pub last_at: Time,
    /// The address that the latest came from; empty when it is not known.
    pub caller: String,
}

/// One request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalSample {
    /// When (transport time).
    pub at: Time,
    /// A stable word.
    pub reason: String,
    /// The answer's status.
    pub status: u16,
    /// The inlet that was called.
    pub inlet: String,
    /// The address that it came from; empty when it is not known.
    pub caller: String,
    /// How long the body was, as far as it was read or announced.
    pub bytes: u64,
    /// The beginning of the body's SHA-256 in hexadecimal; empty when it was not read.
    pub hash: String,
}

/// What one connection refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// By reason, the latest first.
    pub counts: Vec<RefusalCount>,
    /// One by one: newest first as they are read, oldest first as they are written.
    pub newest: Vec<RefusalSample>,
}

impl Refusals {
    /// How many in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|row| row.count).sum()
    }

    /// The latest.
    pub fn last_at(&self) -> Option<Time> {
        self.counts.iter().map(|row| row.last_at).max()
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Adds a count to the one of the same reason.
    pub fn add(&mut self, row: RefusalCount) {
        if let Some(known) = self.counts.iter_mut().find(|k| k.reason == row.reason) {
            known.count += row.count;
            known.first_at = known.first_at.min(row.first_at);
            if row.last_at >= known.last_at {
                known.last_at = row.last_at;
                known.message = row.message;
                known.caller = row.caller;
            }
        } else if self.counts.len() < REASONS_MAX || row.reason == OTHER {
            self.counts.push(row);
        } else {
            let reason = OTHER.to_owned();
            self.add(RefusalCount { reason, ..row });
        }
    }

    /// Keeps a sample as the newest, and no more than may be kept.
    pub fn keep(&mut self, sample: RefusalSample) {
        if self.newest.len() >= SAMPLES_MAX {
            self.newest.remove(0);
        }
        self.newest.push(sample);
    }
}
