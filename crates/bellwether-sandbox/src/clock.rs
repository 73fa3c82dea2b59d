//! The flow clock: time as the flows see it, which may run faster than the wall clock. This is the
//! only file of the crate that reads the system's time.

use std::sync::RwLock;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The fastest rate a flow clock accepts: flow seconds in one real second.
pub const RATE_LIMIT: f64 = 1_000_000.0;

/// Where a flow clock stands: flow now = `start` + `rate` * (real now - `real_start`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockSetting {
    /// Flow time at `real_start`.
    pub start: Timestamp,
    /// Flow seconds in one real second.
    pub rate: f64,
    /// Real time at which the flow time was `start`.
    pub real_start: Timestamp,
}

impl Default for ClockSetting {
    /// Flow time equal to real time.
    fn default() -> Self {
        let now = real_now();
        Self {
            start: now,
            rate: 1.0,
            real_start: now,
        }
    }
}

/// A flow clock that can be set while the sandbox runs.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    setting: RwLock<ClockSetting>,
}

impl Clock {
    pub(crate) fn new(setting: ClockSetting) -> Self {
        Self {
            setting: RwLock::new(setting),
        }
    }

    /// Flow time now. Stamps shown to people and the dates of mail use it.
    pub(crate) fn now(&self) -> Timestamp {
        let set = self.setting();
        let real = real_now().duration_since(set.real_start).as_secs_f64();
        let flow = SignedDuration::try_from_secs_f64(real * set.rate).unwrap_or_default();
        set.start.checked_add(flow).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn setting(&self) -> ClockSetting {
        *self
            .setting
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn set(&self, setting: ClockSetting) {
        *self
            .setting
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = setting;
    }
}

/// Real time now. Only what concerns the wire (tokens, deadlines) uses it, never what people see.
pub(crate) fn real_now() -> Timestamp {
    Timestamp::now()
}
