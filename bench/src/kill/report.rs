//! The result of the kill test as it is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Options;
use super::left::Figures;
use super::load::Tally;
use super::moment::Kills;
use super::verdict::{Accounts, Counts};
use crate::error::Fault;
use crate::stats::{Spread, round};

/// The most effects that one lane has in flight, as the product documents it.
const IN_FLIGHT_MAX: u64 = 128;

/// After so many kills of a kind one must have been seen to hit what it was meant for.
const ENOUGH: usize = 10;

/// Everything that the kill test prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    cycles: usize,
    seed: u64,
    kills: Kills,
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    left: Figures,
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
        left: &Figures,
        faults: &[Fault],
        spent: Duration,
    ) -> Self {
        let mut errors: Vec<String> = faults.iter().map(|fault| fault.0.clone()).collect();
        errors.extend(complaints(&accounts.counts, tally, left, kills));
        Self {
            cycles: kills.at.len(),
            seed: options.seed,
            kills: kills.clone(),
            counts: accounts.counts.clone(),
            left: left.clone(),
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
                "{} kills (seed {}): {} while starting, {} while clearing up, {} under load, \
                 {} in a checkpoint",
                self.cycles,
                self.seed,
                self.kills.while_starting,
                self.kills.in_clear_up,
                self.kills.under_load,
                self.kills.in_checkpoint
            ),
            format!(
                "seen: {} before it listened, {} with the clearing up cut off, {} with a checkpoint cut off",
                self.kills.before_listening,
                self.left.killed_clearing_up,
                self.kills.checkpoint_cut_off
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
                "in flight when killed: {} in {} lives, at most {} per life (limit {}); \
                 at most {} found by one start, {} found again",
                self.left.in_flight,
                self.left.lives,
                self.left.in_flight_per_life_max,
                self.in_flight_limit,
                self.left.found_per_start_max,
                self.left.found_again
            ),
            format!(
                "ambiguous {} events, {} not explained by a kill; at most {} sent again between \
                 two kills, of {} lives",
                counts.ambiguous,
                counts.ambiguous_unexplained,
                counts.sent_again_between_kills_max,
                counts.sent_again_of_lives
            ),
        ];
        let examples = self.examples.values().flatten();
        lines.extend(examples.map(|example| format!("EXAMPLE {example}")));
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

fn complaints(counts: &Counts, tally: &Tally, left: &Figures, kills: &Kills) -> Vec<String> {
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
            counts.ambiguous_unexplained,
            "notifications are ambiguous and were in flight at no kill",
        ),
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
    let most = left.in_flight_per_life_max;
    if most > IN_FLIGHT_MAX {
        complaints.push(format!(
            "{most} attempts of one life were in flight when it was killed; the limit is \
             {IN_FLIGHT_MAX}"
        ));
    }
    if kills.in_clear_up >= ENOUGH && left.killed_clearing_up == 0 {
        complaints.push("no kill was seen to cut off the clearing up".to_owned());
    }
    if kills.in_checkpoint >= ENOUGH && kills.checkpoint_cut_off == 0 {
        complaints.push("no kill was seen to cut off a checkpoint".to_owned());
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
            ambiguous: IN_FLIGHT_MAX,
            ..Counts::default()
        };
        let tally = Tally {
            repeats: 1,
            repeats_recognised: 1,
            ..Tally::default()
        };
        let full = |most| Figures {
            in_flight_per_life_max: most,
            ..Figures::default()
        };
        let judge = |counts, left, kills| complaints(counts, &tally, left, kills);
        let (left, above, few) = (
            full(IN_FLIGHT_MAX),
            full(IN_FLIGHT_MAX + 1),
            Kills::default(),
        );
        assert!(judge(&good, &left, &few).is_empty());
        assert_eq!(judge(&good, &above, &few).len(), 1);
        let many = Kills {
            in_clear_up: ENOUGH,
            in_checkpoint: ENOUGH,
            ..Kills::default()
        };
        assert_eq!(judge(&good, &left, &many).len(), 2, "nothing was hit");
        let none = (Counts::default(), Tally::default());
        assert_eq!(complaints(&none.0, &none.1, &left, &few).len(), 2);
        let lost = Counts {
            lost: 2,
            ..good.clone()
        };
        assert_eq!(judge(&lost, &left, &few), ["2 events were lost"]);
    }
}
