//! The two clocks of the server as one injected contract. Flow time drives timers, windows and
//! expiry of decisions; transport time drives timeouts, retries, token and signature age.

use std::fmt::Debug;

use crate::BoxFuture;
use crate::time::{Millis, Time};

/// A source of instants. Production reads the system; the demo scales flow time; tests stand still.
pub trait Clock: Send + Sync + Debug {
    /// The present instant.
    fn now(&self) -> Time;

    /// Completes when `now()` has reached `due`. May complete early after the clock was changed;
    /// callers look at `now()` again.
    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()>;

    /// How much transport time passes until `due`: less than the difference on a clock that runs
    /// faster than the world.
    fn real_delay(&self, due: Time) -> Millis {
        due.since(self.now())
    }
}
