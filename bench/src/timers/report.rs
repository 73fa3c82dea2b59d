//! The result of the timer test, as it is judged and printed.

use serde::Serialize;

use crate::judge::{differ, too_large};

/// How late the slowest hundredth may be.
const P99_MAX_MS: f64 = 1_000.0;

/// How late something was, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Lateness {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// What came due within a window.
#[derive(Debug, Default, Serialize)]
pub(super) struct Slice {
    pub(super) due: u64,
    pub(super) window_s: u64,
    /// How fast it was read before.
    pub(super) read_per_s: f64,
    /// New purchases beside it, and processors that the server took.
    pub(super) load: u64,
    pub(super) processors: f64,
    /// What was noticed, what a flow said of it, twice, and too early.
    pub(super) fired: u64,
    pub(super) told: u64,
    pub(super) doubled: u64,
    pub(super) early: u64,
    /// From the due instant to the turn that noticed it.
    pub(super) lateness_ms: Lateness,
}

/// Everything that the timer test prints.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Everything came once, and within the memory that is allowed.
    pub(crate) ok: bool,
    /// Licences with an end ahead, each with its timer.
    pub(super) armed: u64,
    pub(super) arm_seconds: f64,
    /// For each of them, from the page of the feed to the last sync: time, the server's processor
    /// time, and bytes in the database. The record, its event and its memory are in it.
    pub(super) arm_us: f64,
    pub(super) arm_cpu_us: f64,
    pub(super) arm_bytes: f64,
    /// Resident memory: at the start, with a tenth of them, with all, at most until then.
    pub(super) idle_rss_mb: f64,
    pub(super) tenth_rss_mb: f64,
    pub(super) armed_rss_mb: f64,
    pub(super) arm_peak_rss_mb: f64,
    /// A start after SIGKILL with all of them, and the memory then.
    pub(super) restart_ms: f64,
    pub(super) restarted_rss_mb: f64,
    /// Records in the ledger.
    pub(super) received: u64,
    /// Second by second within the window; then all at one instant.
    pub(super) slices: Vec<Slice>,
    /// Whether 99 of 100 in the window were noticed within a second; a missed target is no error.
    pub(super) lateness_met: bool,
    pub(super) failed: u64,
    pub(super) dead_letters: u64,
    pub(super) panics: u64,
    pub(super) peak_rss_mb: f64,
    pub(super) seconds: f64,
    /// What did not hold.
    pub(super) errors: Vec<String>,
}

impl Report {
    /// Compares everything with what it must be.
    pub(super) fn judge(&mut self) {
        let came: u64 = self.slices.iter().map(|one| one.due + one.load).sum();
        let mut wanted = vec![
            ("received", self.received, self.armed + 1 + came),
            ("slices", self.slices.len() as u64, 2),
            ("failed", self.failed, 0),
            ("dead_letters", self.dead_letters, 0),
            ("panics", self.panics, 0),
        ];
        for one in &self.slices {
            wanted.extend([
                ("fired", one.fired, one.due),
                ("told", one.told, one.due),
                ("doubled", one.doubled, 0),
                ("early", one.early, 0),
            ]);
        }
        self.errors.extend(differ(wanted));
        self.errors.extend(too_large(self.peak_rss_mb));
        let first = self.slices.first().map_or(0.0, |one| one.lateness_ms.p99);
        self.lateness_met = first <= P99_MAX_MS;
        self.ok = self.errors.is_empty();
    }

    /// The result in a few lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "armed {} licences in {} s: {} us each, {} us of processor time, {} bytes each",
                self.armed, self.arm_seconds, self.arm_us, self.arm_cpu_us, self.arm_bytes
            ),
            format!(
                "memory: idle {} MB, with a tenth {} MB, with all {} MB, peak while arming {} MB, \
                 peak {} MB",
                self.idle_rss_mb,
                self.tenth_rss_mb,
                self.armed_rss_mb,
                self.arm_peak_rss_mb,
                self.peak_rss_mb
            ),
            format!(
                "killed and started with all of them: ready after {} ms, {} MB",
                self.restart_ms, self.restarted_rss_mb
            ),
        ];
        for one in &self.slices {
            let late = one.lateness_ms;
            lines.push(format!(
                "{} due within {} s beside {} new purchases ({} processors): fired {}, told {}, \
                 doubled {}, early {}; lateness p50 {} ms, p99 {} ms, max {} ms",
                one.due,
                one.window_s,
                one.load,
                one.processors,
                one.fired,
                one.told,
                one.doubled,
                one.early,
                late.p50,
                late.p99,
                late.max
            ));
        }
        lines.push(format!(
            "99 of 100 in the window within a second: {}; all in all {} s",
            if self.lateness_met { "yes" } else { "NO" },
            self.seconds
        ));
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let slice = |load| Slice {
            due: 10,
            load,
            fired: 10,
            told: 10,
            ..Slice::default()
        };
        Report {
            armed: 100,
            received: 124,
            slices: vec![slice(2), slice(1)],
            ..Report::default()
        }
    }

    #[test]
    fn each_wrong_number_is_named() {
        let mut report = good();
        report.judge();
        assert!(report.ok && report.lateness_met, "{:?}", report.errors);
        let spoil: [fn(&mut Report); 5] = [
            |report| report.slices[0].fired = 9,
            |report| report.slices[1].told = 11,
            |report| report.slices[1].doubled = 1,
            |report| report.slices[0].early = 1,
            |report| report.peak_rss_mb = 121.0,
        ];
        for spoil in spoil {
            let mut report = good();
            spoil(&mut report);
            report.judge();
            assert!(
                !report.ok && report.errors.len() == 1,
                "{:?}",
                report.errors
            );
        }
        let mut late = good();
        late.slices[0].lateness_ms.p99 = 1_001.0;
        late.judge();
        assert!(late.ok && !late.lateness_met);
    }
}
