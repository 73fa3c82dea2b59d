//! The clock of the bench. Sender and sink are two processes on one machine, so both read the wall
//! clock in microseconds; a step of it during a run would show as an impossible latency.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
#[allow(
    clippy::disallowed_methods,
    reason = "this file is the bench's only clock; it measures, it does not decide"
)]
pub(crate) fn micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
}
