//! How long is waited between two reads of a source or feed. What is read is elsewhere.

use bellwether_model::time::Millis;

use super::inlet::NotRead;

/// The wait after a failed read; doubled up to a limit.
const BACKOFF: Millis = Millis::seconds(1);
const BACKOFF_MAX: Millis = Millis::minutes(2);

/// How long to wait between two reads: as asked for while all is well, longer after each failure.
#[derive(Debug)]
pub(super) struct Rhythm {
    backoff: Millis,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { backoff: BACKOFF }
    }
}

impl Rhythm {
    /// The wait after a read. `settled` says whether it came further than the one before.
    pub(super) fn wait(
        &mut self,
        name: &str,
        result: Result<(), NotRead>,
        settled: bool,
        every: Millis,
    ) -> Millis {
        let Err(error) = result else {
            self.backoff = BACKOFF;
            return every;
        };
        tracing::warn!(connection.name = name, "it could not be read: {error}");
        // A long backlog with a refusal now and then must not wait longer each time.
        if settled {
            self.backoff = BACKOFF;
        }
        let wait = self.backoff.max(error.asked_wait());
        self.backoff = Millis((self.backoff.0 * 2).min(BACKOFF_MAX.0));
        wait
    }
}
