//! The result of the corpus test, as it is judged and printed.

use serde::Serialize;

use super::count::Ledger;
use crate::judge::differ;

/// Everything that the corpus test prints.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Everything held.
    pub(crate) ok: bool,
    /// Mails that the mail server took.
    pub(super) accepted: u64,
    /// Of those, from the folder.
    pub(super) corpus: u64,
    /// Of those, made here.
    pub(super) extremes: u64,
    /// Names of those that the mail server did not take.
    pub(super) turned_away: Vec<String>,
    /// Events of received mail.
    pub(super) events: u64,
    /// Mails with more than one event, or event ids that are there twice.
    pub(super) doubled: u64,
    /// Mails in the mailbox's own listing.
    pub(super) listed: u64,
    /// Missing at the end: by the server's recount, by ours.
    pub(super) gaps: Vec<u64>,
    /// Missing before anything was hidden.
    pub(super) recount_before: u64,
    /// One mail hidden: recount, ledger, recount again, our own recount.
    pub(super) hidden_seen: Vec<u64>,
    /// What the sweep found of it.
    pub(super) sweep_found: u64,
    /// After the sweep: recount, ledger, our own recount.
    pub(super) hidden_after_sweep: Vec<u64>,
    /// Mails given up without a cause.
    pub(super) failed: u64,
    /// Dead letters without a cause.
    pub(super) dead_letters_unexpected: u64,
    /// The one mail that the provider refused: given up, with a dead letter.
    pub(super) refused_failed: u64,
    pub(super) refused_dead_letters: u64,
    /// Mails read in part only, and why.
    pub(super) unreadable: Vec<String>,
    /// The server's ledger at the end.
    pub(super) ledger: Ledger,
    /// Panics in the server's log.
    pub(super) panics: u64,
    /// Resident memory of the server: before mail, at most by the extremes, at most.
    pub(super) idle_rss_mb: f64,
    pub(super) extremes_peak_rss_mb: f64,
    pub(super) peak_rss_mb: f64,
    /// The burst: calls that went wrong, first mail sent to last recorded, mails per second.
    pub(super) faults_hit: u64,
    pub(super) burst_seconds: f64,
    pub(super) burst_per_s: f64,
    pub(super) seconds: f64,
    /// What did not hold.
    pub(super) errors: Vec<String>,
}

impl Report {
    /// Compares everything with what it must be.
    pub(super) fn judge(&mut self) {
        let (accepted, ledger) = (self.accepted, &self.ledger);
        let wanted = [
            ("events", self.events, accepted),
            ("listed", self.listed, accepted),
            ("doubled", self.doubled, 0),
            ("recount_before", self.recount_before, 0),
            ("sweep_found", self.sweep_found, 1),
            ("failed", self.failed, 0),
            ("dead_letters_unexpected", self.dead_letters_unexpected, 0),
            ("refused_failed", self.refused_failed, 1),
            ("refused_dead_letters", self.refused_dead_letters, 1),
            ("panics", self.panics, 0),
            (
                "ledger.received + failed",
                ledger.received + ledger.failed,
                accepted,
            ),
            (
                "ledger.matched + unmatched",
                ledger.matched + ledger.unmatched,
                ledger.received,
            ),
            ("ledger.failed", ledger.failed, 1),
            ("ledger.pending", ledger.pending, 0),
            ("ledger.gone", ledger.gone, 0),
            ("ledger.gaps", ledger.gaps, 0),
        ];
        self.errors.extend(differ(wanted));
        let lists: [(_, &[u64], &[u64]); 3] = [
            ("gaps", &self.gaps, &[0, 0]),
            ("hidden_seen", &self.hidden_seen, &[1, 1, 1, 1]),
            ("hidden_after_sweep", &self.hidden_after_sweep, &[0, 0, 0]),
        ];
        self.errors.extend(differ(lists));
        if self.faults_hit == 0 {
            self.errors
                .push("no fault hit, so none was tested".to_owned());
        }
        if accepted == 0 || ledger.matched == 0 || ledger.unmatched == 0 {
            let error = "some mails must match and some must not, else nothing was tested";
            self.errors.push(error.to_owned());
        }
        self.ok = self.errors.is_empty();
    }

    /// The result in a few lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let ledger = &self.ledger;
        let mut lines = vec![
            format!(
                "accepted {} ({} of the folder, {} extremes, {} turned away), events {}, doubled {}",
                self.accepted,
                self.corpus,
                self.extremes,
                self.turned_away.len(),
                self.events,
                self.doubled
            ),
            format!(
                "ledger: received {}, matched {}, unmatched {}, failed {} (1 was refused on purpose)",
                ledger.received, ledger.matched, ledger.unmatched, ledger.failed
            ),
            format!(
                "gaps {:?}; one mail hidden {:?}, the sweep found {}, then {:?}",
                self.gaps, self.hidden_seen, self.sweep_found, self.hidden_after_sweep
            ),
            format!(
                "burst through {} faults: {} s, {} mails/s; all in all {} s",
                self.faults_hit, self.burst_seconds, self.burst_per_s, self.seconds
            ),
            format!(
                "memory: idle {} MB, extremes {} MB, peak {} MB; panics {}",
                self.idle_rss_mb, self.extremes_peak_rss_mb, self.peak_rss_mb, self.panics
            ),
        ];
        lines.extend(
            self.unreadable
                .iter()
                .map(|one| format!("PARTLY READ {one}")),
        );
        lines.extend(
            self.turned_away
                .iter()
                .map(|one| format!("TURNED AWAY {one}")),
        );
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        Report {
            accepted: 3,
            events: 3,
            listed: 3,
            gaps: vec![0, 0],
            hidden_seen: vec![1; 4],
            sweep_found: 1,
            hidden_after_sweep: vec![0; 3],
            refused_failed: 1,
            faults_hit: 1,
            refused_dead_letters: 1,
            ledger: Ledger {
                received: 2,
                matched: 1,
                unmatched: 1,
                failed: 1,
                ..Ledger::default()
            },
            ..Report::default()
        }
    }

    #[test]
    fn each_wrong_number_is_named() {
        let mut report = good();
        report.judge();
        assert!(report.ok, "{:?}", report.errors);
        let spoil: [fn(&mut Report); 5] = [
            |report| report.events = 2,
            |report| report.doubled = 1,
            |report| report.gaps[1] = 1,
            |report| report.hidden_seen[0] = 0,
            |report| report.panics = 1,
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
    }
}
