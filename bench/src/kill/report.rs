//! The result of the kill test as it is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Options;
use super::load::Tally;
use super::moment::Kills;
use super::verdict::{Accounts, Counts};
use crate::error::Fault;
use crate::stats::{Spread, round};

/// The most effects that one lane has in flight, as the product documents it.
const IN_FLIGHT_MAX: u64 = 64;

/// Everything that the kill test prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    cycles: usize,
    seed: u64,
    kills: Kills,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    tally: Tally,
    in_flight_limit: u64,
    recovery_ms: Spread,
    seconds: f64,
    examples: BTreeMap<&'static str, Vec<String>>,
    /// Nothing lost, nothing doubled but what is marked, everything settled.
    pub(crate) ok: bool,
    errors: Vec<String>,
}

impl Report {
    /// Puts the findings together and judges them.
    pub(super) fn new(
        options: &Options,
        kills: &Kills,
        tally: &Tally,
        accounts: &Accounts,
        faults: &[Fault],
        spent: Duration,
    ) -> Self {
        let mut errors: Vec<String> = faults.iter().map(|fault| fault.0.clone()).collect();
        errors.extend(complaints(&accounts.counts, tally, kills.at.len()));
        Self {
            cycles: kills.at.len(),
            seed: options.seed,
            kills: kills.clone(),
            counts: accounts.counts.clone(),
            tally: *tally,
            in_flight_limit: IN_FLIGHT_MAX,
            recovery_ms: Spread::of(&kills.recovery_ms),
            seconds: round(spent.as_secs_f64()),
            examples: accounts.examples.clone(),
            ok: errors.is_empty() && kills.at.len() >= options.cycles,
            errors,
        }
    }

    /// The result in a few lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (counts, tally) = (&self.counts, &self.tally);
        let mut lines = vec![
            format!(
                "{} kills (seed {}): {} while starting, {} under load, {} in a checkpoint",
                self.cycles,
                self.seed,
                self.kills.while_starting,
                self.kills.under_load,
                self.kills.in_checkpoint
            ),
            format!(
                "accepted {}, recorded {}, decided {}, lost {}, doubled inside {}",
                counts.accepted,
                counts.recorded,
                counts.decided,
                counts.lost,
                counts.doubled_inside
            ),
            format!(
                "sent once {}, twice and marked {}, twice and not marked {}, marked and not sent {}",
                counts.sent_once,
                counts.sent_twice_marked,
                counts.sent_twice_unmarked,
                counts.not_sent_marked
            ),
            format!(
                "sent again after a lost answer {} ({} known), repeated {} ({} recognised)",
                tally.resent, tally.resent_known, tally.repeats, tally.repeats_recognised
            ),
            format!(
                "ambiguous {} in all, at most {} per kill (limit {})",
                counts.ambiguous, counts.ambiguous_per_kill_max, self.in_flight_limit
            ),
        ];
        let examples = self.examples.values().flatten();
        lines.extend(examples.map(|example| format!("EXAMPLE {example}")));
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

fn complaints(counts: &Counts, tally: &Tally, kills: usize) -> Vec<String> {
    let limit = IN_FLIGHT_MAX * kills as u64;
    let zeros = [
        (counts.lost, "events were lost"),
        (
            counts.doubled_inside,
            "events were recorded or decided more than once",
        ),
        (
            counts.sent_twice_unmarked,
            "pushes came more often than the record shows attempts",
        ),
        (
            counts.unknown,
            "events are in the record that were never sent as a whole",
        ),
        (counts.unsettled, "notifications still wait"),
        (
            tally.repeats - tally.repeats_recognised,
            "repeated events were taken as new",
        ),
    ];
    let mut complaints: Vec<String> = zeros
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if counts.ambiguous > limit {
        complaints.push(format!(
            "{} notifications are ambiguous; {kills} kills explain at most {limit}",
            counts.ambiguous
        ));
    }
    if counts.accepted == 0 {
        complaints.push("nothing was accepted, so nothing was tested".to_owned());
    }
    if tally.repeats == 0 {
        complaints.push("nothing was repeated, so duplicates were not tested".to_owned());
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_or_wrong_run_is_not_ok() {
        let good = Counts {
            accepted: 10,
            ambiguous: 64,
            ..Counts::default()
        };
        let tally = Tally {
            repeats: 1,
            repeats_recognised: 1,
            ..Tally::default()
        };
        assert!(complaints(&good, &tally, 1).is_empty());
        assert_eq!(complaints(&good, &tally, 0).len(), 1);
        assert_eq!(
            complaints(&Counts::default(), &Tally::default(), 1).len(),
            2
        );
        let lost = Counts {
            lost: 2,
            ..good.clone()
        };
        assert_eq!(complaints(&lost, &tally, 1), ["2 events were lost"]);
    }
}
