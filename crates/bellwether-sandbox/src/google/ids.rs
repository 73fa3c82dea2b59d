//! Identifiers and gaps: message ids that grow and never come twice, also after a restart, and the
//! random numbers behind history gaps, tokens and attachment ids. Nothing here is a secret worth
//! guarding.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::real_now;

/// Largest gap between two history ids; real ones jump by unpredictable amounts too.
const HISTORY_GAP: u64 = 97;

/// Gives ids. They start from real time, so a later run never repeats those of an earlier one.
#[derive(Debug)]
pub(crate) struct Ids {
    next_message: AtomicU64,
    drawn: AtomicU64,
    seed: RandomState,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            next_message: AtomicU64::new(start_of_history() << 10),
            drawn: AtomicU64::new(0),
            seed: RandomState::new(),
        }
    }
}

/// The history id a mailbox starts with: real microseconds, which no mailbox outruns, so that a
/// cursor of an earlier run is older than everything and draws the 404 that Gmail gives.
pub(crate) fn start_of_history() -> u64 {
    u64::try_from(real_now().as_microsecond()).unwrap_or(1)
}

impl Ids {
    /// A new message, thread or draft number.
    pub(crate) fn message(&self) -> u64 {
        let gap = 1 + self.random() % 0xffff;
        self.next_message.fetch_add(gap, Ordering::Relaxed) + gap
    }

    /// The step from one history id to the next.
    pub(crate) fn history_gap(&self) -> u64 {
        1 + self.random() % HISTORY_GAP
    }

    /// A number that cannot be foreseen by a test.
    pub(crate) fn random(&self) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(self.drawn.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }

    /// Text of 32 hexadecimal digits, different each time.
    pub(crate) fn token(&self) -> String {
        format!("{:016x}{:016x}", self.random(), self.random())
    }
}

/// A message or thread id as Gmail writes it.
pub(crate) fn hex(id: u64) -> String {
    format!("{id:016x}")
}

/// Reads a message or thread id; `None` when it cannot be one.
pub(crate) fn from_hex(text: &str) -> Option<u64> {
    (!text.is_empty() && text.len() <= 16).then(|| u64::from_str_radix(text, 16).ok())?
}
