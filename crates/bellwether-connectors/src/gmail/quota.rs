//! Google's quota units as a token bucket for one mailbox, with three lanes: sending never waits
//! for reading, and reading never waits for recounts. What a call costs is said where it is made.

use std::sync::{Arc, Mutex, PoisonError};

use bellwether_model::clock::Clock;
use bellwether_model::failure::Failure;
use bellwether_model::time::{Millis, Time};

/// What a call is for; each lane leaves a part of the bucket to the lanes above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Sending and finding out whether something was sent.
    Send,
    /// Reading new mail.
    Fetch,
    /// Recounts and resyncs.
    Sweep,
}

/// A call does not wait longer than this for units; the engine plans a longer wait better.
const WAIT_MAX: Millis = Millis::seconds(20);
/// The bucket holds a fifth of a minute's units and refills by four fifths, so that no minute can
/// exceed the limit.
const BURST_PART: u64 = 5;
/// Units are counted in thousandths, so that slow refills are not rounded away.
const SCALE: u64 = 1000;

/// The bucket.
#[derive(Debug)]
pub(super) struct Quota {
    clock: Arc<dyn Clock>,
    capacity: u64,
    per_minute: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    units: u64,
    filled_at: Time,
    /// Google asked us to be silent until then: for everything, and for sending.
    silent_until: Time,
    no_mail_until: Time,
}

impl Quota {
    /// A full bucket for a limit of `units` per minute.
    pub(super) fn new(units: u32, clock: Arc<dyn Clock>) -> Self {
        let limit = u64::from(units) * SCALE;
        let capacity = limit / BURST_PART;
        let state = State {
            units: capacity,
            filled_at: clock.now(),
            silent_until: Time::default(),
            no_mail_until: Time::default(),
        };
        Self {
            capacity,
            per_minute: limit - capacity,
            state: Mutex::new(state),
            clock,
        }
    }

    /// Takes `units`, waiting while the lane has none.
    ///
    /// # Errors
    /// `Retry` when the provider asked for silence or the wait would be too long.
    pub(super) async fn take(&self, lane: Lane, units: u32) -> Result<(), Failure> {
        let mut waited = Millis(0);
        loop {
            let now = self.clock.now();
            let Err(wait) = self.try_take(lane, units, now)? else {
                return Ok(());
            };
            waited = Millis(waited.0 + wait.0);
            if waited > WAIT_MAX {
                return Err(Failure::retry(
                    "quota_used_up",
                    "the mailbox's quota units of this minute are used up; it goes on by itself",
                    Some(wait),
                ));
            }
            self.clock.wait_until(now + wait).await;
        }
    }

    /// Takes the units now, or says how long to wait.
    fn try_take(&self, lane: Lane, units: u32, now: Time) -> Result<Result<(), Millis>, Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = match lane {
            Lane::Send => state.silent_until.max(state.no_mail_until),
            Lane::Fetch | Lane::Sweep => state.silent_until,
        };
        if now < silent {
            let message = format!("Google asked this mailbox to wait until {silent}");
            let after = Some(silent.since(now));
            return Err(Failure::retry("rate_limited", message, after));
        }
        let passed = now.since(state.filled_at).0;
        let refill = passed.saturating_mul(self.per_minute) / 60_000;
        if refill > 0 {
            state.units = state.units.saturating_add(refill).min(self.capacity);
            state.filled_at = now;
        } else if now < state.filled_at {
            // The clock was set back: count from here.
            state.filled_at = now;
        }
        let reserve = match lane {
            Lane::Send => 0,
            Lane::Fetch => self.capacity / 4,
            Lane::Sweep => self.capacity / 2,
        };
        let cost = u64::from(units) * SCALE;
        let needed = (cost + reserve).min(self.capacity);
        if state.units >= needed {
            state.units = state.units.saturating_sub(cost);
            return Ok(Ok(()));
        }
        let missing = (needed - state.units).saturating_mul(60_000);
        Ok(Err(Millis(missing.div_ceil(self.per_minute).max(1))))
    }

    /// Heeds a provider that asked for silence: all calls, or mail alone.
    pub(super) fn pause(&self, until: Time, mail_only: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let end = if mail_only {
            &mut state.no_mail_until
        } else {
            &mut state.silent_until
        };
        *end = until.max(*end);
    }
}
