//! The result of the feed test, as it is judged and printed.

use serde::Serialize;

use crate::judge::{differ, too_large};
use crate::stats::{Spread, round};

/// By so much a change in the longer feed may cost more: a tree of ten times the size is one level
/// deeper at most, and a shared machine is not exact.
const GROWTH_MAX: f64 = 1.5;

/// Everything that the feed test prints.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Everything was counted right, within the memory that is allowed.
    pub(crate) ok: bool,
    /// The tenth first, then the whole.
    pub(super) sizes: Vec<Size>,
    /// A change's time in the longer feed by that in the shorter one: read together, read alone,
    /// and the server's own processor time.
    pub(super) change_growth: f64,
    pub(super) one_change_growth: f64,
    pub(super) change_cpu_growth: f64,
    /// Whether none of the last two grew; a missed target is no error.
    pub(super) growth_met: bool,
    pub(super) seconds: f64,
    /// What did not hold.
    pub(super) errors: Vec<String>,
}

/// One length of the feed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Size {
    pub(super) records: u64,
    /// The first read: kills, what a start after one took, and how long all of it took.
    pub(super) kills: u64,
    pub(super) restart_ms: Vec<f64>,
    pub(super) baseline_seconds: f64,
    pub(super) records_per_s: f64,
    /// Resident memory of the server: at its start, at most in the first read, at most at all.
    pub(super) idle_rss_mb: f64,
    pub(super) baseline_peak_rss_mb: f64,
    pub(super) peak_rss_mb: f64,
    /// Database and log after the first read.
    pub(super) database_mb: f64,
    /// Transactions that were not recorded, recorded twice, or not in the feed.
    pub(super) read_missing: u64,
    pub(super) read_twice: u64,
    pub(super) read_invented: u64,
    /// Events that say what was swallowed, and how many transactions the last of them names.
    pub(super) summaries: u64,
    pub(super) summary_transactions: u64,
    /// Everything else that the first read said.
    pub(super) said_by_baseline: u64,
    /// Changes, and what each took when hundreds were read at once.
    pub(super) changes: u64,
    pub(super) change_ms: f64,
    pub(super) change_cpu_us: f64,
    /// What a change took that was read alone: from the word to read to its record.
    pub(super) one_change_ms: Spread,
    /// Events that had to follow from the changes, those that did, and where they differ.
    pub(super) events_expected: u64,
    pub(super) events: u64,
    pub(super) missing: u64,
    pub(super) doubled: u64,
    pub(super) invented: u64,
    pub(super) failed: u64,
    pub(super) pending: u64,
    pub(super) dead_letters: u64,
    pub(super) panics: u64,
    pub(super) errors: Vec<String>,
}

impl Size {
    /// A length that is not measured yet.
    pub(super) fn of(records: u64) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    fn judge(&self) -> Vec<String> {
        let wanted = [
            ("read_missing", self.read_missing, 0),
            ("read_twice", self.read_twice, 0),
            ("read_invented", self.read_invented, 0),
            ("summaries", self.summaries, 1),
            (
                "summary_transactions",
                self.summary_transactions,
                self.records,
            ),
            ("said_by_baseline", self.said_by_baseline, 0),
            ("events", self.events, self.events_expected),
            ("missing", self.missing, 0),
            ("doubled", self.doubled, 0),
            ("invented", self.invented, 0),
            ("failed", self.failed, 0),
            ("pending", self.pending, 0),
            ("dead_letters", self.dead_letters, 0),
            ("panics", self.panics, 0),
        ];
        let mut errors = self.errors.clone();
        errors.extend(differ(wanted));
        if self.events_expected == 0 {
            errors.push("no event was expected, so nothing was tested".to_owned());
        }
        errors.extend(too_large(self.peak_rss_mb));
        errors
    }

    fn lines(&self) -> Vec<String> {
        vec![
            format!(
                "{} records: first read in {} s with {} kills, {} records/s; database {} MB",
                self.records,
                self.baseline_seconds,
                self.kills,
                self.records_per_s,
                self.database_mb
            ),
            format!(
                "  memory: idle {} MB, first read {} MB, peak {} MB; starts after a kill {:?} ms",
                self.idle_rss_mb, self.baseline_peak_rss_mb, self.peak_rss_mb, self.restart_ms
            ),
            format!(
                "  first read: missing {}, doubled {}, invented {}, said {} beside its summary of {}",
                self.read_missing,
                self.read_twice,
                self.read_invented,
                self.said_by_baseline,
                self.summary_transactions
            ),
            format!(
                "  {} changes: {} events of {}, missing {}, doubled {}, invented {}",
                self.changes,
                self.events,
                self.events_expected,
                self.missing,
                self.doubled,
                self.invented
            ),
            format!(
                "  a change: {} ms together, {} ms alone ({} to {}), {} us of processor time",
                self.change_ms,
                self.one_change_ms.median,
                self.one_change_ms.min,
                self.one_change_ms.max,
                self.change_cpu_us
            ),
        ]
    }
}

impl Report {
    /// Compares everything with what it must be, and the two lengths with each other.
    pub(super) fn judge(&mut self) {
        for size in &self.sizes {
            let named = |why| format!("{} records: {why}", size.records);
            self.errors.extend(size.judge().into_iter().map(named));
        }
        if let [small, large] = self.sizes.as_slice() {
            let growth = |small: f64, large: f64| {
                if small > 0.0 {
                    round(large / small)
                } else {
                    0.0
                }
            };
            self.change_growth = growth(small.change_ms, large.change_ms);
            let alone = (small.one_change_ms.median, large.one_change_ms.median);
            self.one_change_growth = growth(alone.0, alone.1);
            self.change_cpu_growth = growth(small.change_cpu_us, large.change_cpu_us);
        }
        self.growth_met =
            self.one_change_growth <= GROWTH_MAX && self.change_cpu_growth <= GROWTH_MAX;
        self.ok = self.errors.is_empty() && self.sizes.len() == 2;
    }

    /// The result in a few lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.sizes.iter().flat_map(Size::lines).collect();
        lines.push(format!(
            "a change in ten times the feed: {} times as long together, {} alone, {} of processor \
             time ({} {GROWTH_MAX}); all in all {} s",
            self.change_growth,
            self.one_change_growth,
            self.change_cpu_growth,
            if self.growth_met { "within" } else { "ABOVE" },
            self.seconds
        ));
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(records: u64) -> Size {
        Size {
            summaries: 1,
            summary_transactions: records,
            events: 5,
            events_expected: 5,
            change_ms: 2.0,
            change_cpu_us: 100.0,
            ..Size::of(records)
        }
    }

    #[test]
    fn each_wrong_number_is_named() {
        let judged = |spoil: fn(&mut Size)| {
            let mut report = Report {
                sizes: vec![good(10), good(100)],
                ..Report::default()
            };
            spoil(&mut report.sizes[1]);
            report.judge();
            report
        };
        let report = judged(|_| ());
        assert!(report.ok && report.growth_met, "{:?}", report.errors);
        let spoil: [fn(&mut Size); 7] = [
            |size| size.missing = 1,
            |size| size.doubled = 1,
            |size| size.invented = 1,
            |size| size.said_by_baseline = 1,
            |size| size.summary_transactions = 99,
            |size| size.events = 4,
            |size| size.peak_rss_mb = 121.0,
        ];
        for spoil in spoil {
            let report = judged(spoil);
            assert!(
                !report.ok && report.errors.len() == 1,
                "{:?}",
                report.errors
            );
        }
        let report = judged(|size| size.change_cpu_us = 1_000.0);
        assert!(report.ok && !report.growth_met);
        assert!(report.lines().iter().any(|line| line.contains("ABOVE")));
    }
}
