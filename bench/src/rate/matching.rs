//! What an event costs that one flow takes, with few flows and with many: rounds of both, side by
//! side. All but one flow are not concerned, so the cost should not grow with them.

use serde::Serialize;

use super::round::{self, Durable};
use super::{Bench, Rated as _};
use crate::error::{Outcome, fault};
use crate::progress::Progress;
use crate::stats::{Spread, round};

/// Many flows may cost so many times what few do.
const WANTED: f64 = 1.3;
/// The flow that takes the event is the eighth.
const FLOWS_MIN: usize = 8;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Few flows.
    #[arg(long, default_value_t = 10)]
    pub(crate) few: usize,
    /// Many flows.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) many: usize,
    #[command(flatten)]
    pub(crate) rounds: super::Options,
}

/// What is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    few: usize,
    many: usize,
    /// Processor time of the server per event, microseconds.
    few_cpu_us: Spread,
    many_cpu_us: Spread,
    few_per_s: Spread,
    many_per_s: Spread,
    /// The middle of the pairs' ratios of processor time.
    cost_ratio: Spread,
    wanted: f64,
    /// Nothing failed and the ratio is as wanted.
    pub(crate) ok: bool,
    errors: Vec<String>,
}

/// Measures everything.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    if options.few < FLOWS_MIN || options.many < options.few {
        return fault(format!(
            "at least {FLOWS_MIN} flows are needed, and many must be more than few"
        ));
    }
    let (few, many) = (options.few, options.many);
    let pairs = options.rounds.pairs;
    let mut bench = Bench::set_up(options.rounds).await?;
    let mut progress = Progress::new(2 * pairs);
    progress.say("the first round");
    let mut all: [Vec<Durable>; 2] = [Vec::new(), Vec::new()];
    let mut errors = Vec::new();
    for pair in 0..pairs {
        // The order changes from pair to pair, so that a drift of the machine favours nobody.
        for which in [pair % 2, 1 - pair % 2] {
            let flows = [few, many][which];
            match round::durable(&mut bench, flows).await {
                Ok(round) => {
                    progress.step(&format!("{flows} flows: {:.0}/s", round.rate()));
                    all[which].push(round);
                }
                Err(why) => errors.push(format!("pair {}, {flows} flows: {why}", pair + 1)),
            }
        }
    }
    progress.end();
    Ok(Report::of([few, many], &all, errors))
}

impl Report {
    fn of([few, many]: [usize; 2], all: &[Vec<Durable>; 2], errors: Vec<String>) -> Self {
        let cpu = |rounds: &[Durable]| -> Vec<f64> {
            rounds.iter().map(|round| round.load.cpu_us).collect()
        };
        let rate = |rounds: &[Durable]| -> Vec<f64> {
            rounds.iter().map(|round| round.load.per_s).collect()
        };
        let (with_few, with_many) = (cpu(&all[0]), cpu(&all[1]));
        let pairs = with_few.iter().zip(&with_many);
        let ratios: Vec<f64> = pairs.map(|(few, many)| round(many / few)).collect();
        let cost_ratio = Spread::of(&ratios);
        Self {
            few,
            many,
            few_cpu_us: Spread::of(&with_few),
            many_cpu_us: Spread::of(&with_many),
            few_per_s: Spread::of(&rate(&all[0])),
            many_per_s: Spread::of(&rate(&all[1])),
            ok: errors.is_empty() && !ratios.is_empty() && cost_ratio.median <= WANTED,
            cost_ratio,
            wanted: WANTED,
            errors,
        }
    }

    /// The lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |flows: usize, cpu: &Spread, rate: &Spread| {
            format!(
                "{flows} flows: {} us of processor time per event ({} to {}), {} events/s",
                cpu.median, cpu.min, cpu.max, rate.median
            )
        };
        let mut out = vec![
            line(self.few, &self.few_cpu_us, &self.few_per_s),
            line(self.many, &self.many_cpu_us, &self.many_per_s),
            format!(
                "cost of an event with {} flows against {}: {} ({} to {}), wanted at most {}",
                self.many,
                self.few,
                self.cost_ratio.median,
                self.cost_ratio.min,
                self.cost_ratio.max,
                self.wanted
            ),
        ];
        out.extend(self.errors.iter().map(|why| format!("ERROR {why}")));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::round::Loaded;

    fn round_of(cpu_us: f64) -> Durable {
        Durable {
            load: Loaded {
                cpu_us,
                ..Loaded::default()
            },
            ..Durable::default()
        }
    }

    #[test]
    fn the_middle_of_the_pairs_is_held_against_what_is_wanted() {
        let few = vec![round_of(100.0), round_of(100.0), round_of(100.0)];
        let of = |many: [f64; 3]| {
            let all = [few.clone(), many.map(round_of).to_vec()];
            Report::of([10, 1_000], &all, Vec::new())
        };
        assert!(of([110.0, 120.0, 900.0]).ok);
        assert!(!of([110.0, 140.0, 150.0]).ok);
        let none = Report::of([10, 1_000], &[Vec::new(), Vec::new()], Vec::new());
        assert!(!none.ok);
    }
}
