//! The recorder: every call that a stand-in saw, in order, for counting by an independent party.
//! Headers and bodies are not kept, so no secret can leak from here.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// How many calls are remembered; older ones are forgotten and only counted.
pub(crate) const CALLS_LIMIT: usize = 20_000;

/// One call a stand-in saw.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    /// Number of the call, from 1, without holes.
    pub(crate) number: u64,
    pub(crate) target: &'static str,
    pub(crate) method: String,
    /// Path and query as they came.
    pub(crate) path: String,
    /// Status that was answered; `None` when the connection was cut instead.
    pub(crate) status: Option<u16>,
    /// Kind of the fault that was applied to the call.
    pub(crate) fault: Option<&'static str>,
    pub(crate) at: Timestamp,
}

/// Remembers calls, at most [`CALLS_LIMIT`].
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    total: u64,
    calls: VecDeque<Call>,
}

impl Recorder {
    /// Adds a call; its number is given here.
    pub(crate) fn record(&self, mut call: Call) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.total += 1;
        call.number = seen.total;
        if seen.calls.len() == CALLS_LIMIT {
            seen.calls.pop_front();
        }
        seen.calls.push_back(call);
    }

    /// The total of calls, and the remembered ones with a number above `after`.
    pub(crate) fn after(&self, after: u64, most: usize) -> (u64, Vec<Call>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = seen
            .calls
            .iter()
            .filter(|c| c.number > after)
            .take(most)
            .cloned()
            .collect();
        (seen.total, calls)
    }

    pub(crate) fn clear(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }
}
