//! What each life of the server says it found in flight when it started: every attempt is put down
//! to the one life that sent it. How the events fared is in `verdict.rs`.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

/// The field that only the lines about such attempts have besides `attempt` and `owner`.
pub(super) const EFFECT: &str = "effect.id";

/// One attempt: the effect and its number.
type Attempt = (String, u64);

/// What was in flight at each end, put down to the lives that sent it.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Who sent an attempt first; a life that clears it up owns it then, and may be killed too.
    senders: HashMap<Attempt, String>,
    /// The lives that sent an effect.
    by_effect: HashMap<String, HashSet<String>>,
    /// The figures.
    pub(super) figures: Figures,
}

/// The figures over all lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Figures {
    /// Attempts that had begun and of whose outcome nothing was recorded.
    pub(super) in_flight: u64,
    /// Lives whose end left any.
    pub(super) lives: usize,
    /// The most of one life.
    pub(super) in_flight_per_life_max: u64,
    /// The most that one start found.
    pub(super) found_per_start_max: u64,
    /// How often something was found that an earlier start had found already: it was killed before
    /// it had cleared up.
    pub(super) found_again: u64,
    /// Lives that were killed while they cleared up.
    pub(super) killed_clearing_up: usize,
}

impl Left {
    /// Reads what each life wrote into its log, in order.
    pub(super) fn read<'a>(lives: impl IntoIterator<Item = &'a str>) -> Self {
        let mut left = Self::default();
        // Which life found an attempt last; it has cleared it up unless another finds it again.
        let mut found_by = HashMap::<Attempt, usize>::new();
        let mut cut = HashSet::new();
        for (number, log) in lives.into_iter().enumerate() {
            let mut found = HashSet::new();
            for (attempt, owner) in log.lines().filter_map(entry) {
                let before = found_by.insert(attempt.clone(), number);
                if !found.insert(attempt.clone()) {
                    continue;
                }
                if let Some(before) = before {
                    left.figures.found_again += 1;
                    cut.insert(before);
                }
                left.sent(attempt, owner);
            }
            let most = &mut left.figures.found_per_start_max;
            *most = (*most).max(found.len() as u64);
        }
        let mut per_life = HashMap::<&str, u64>::new();
        for owner in left.senders.values() {
            *per_life.entry(owner).or_default() += 1;
        }
        left.figures.in_flight = left.senders.len() as u64;
        left.figures.lives = per_life.len();
        left.figures.in_flight_per_life_max = per_life.into_values().max().unwrap_or(0);
        left.figures.killed_clearing_up = cut.len();
        left
    }

    fn sent(&mut self, attempt: Attempt, owner: String) {
        if self.senders.contains_key(&attempt) {
            return;
        }
        let of_effect = self.by_effect.entry(attempt.0.clone()).or_default();
        of_effect.insert(owner.clone());
        self.senders.insert(attempt, owner);
    }

    /// The lives whose end left an attempt of this effect without an outcome; None: there is none.
    pub(super) fn senders(&self, effect: &str) -> Option<&HashSet<String>> {
        self.by_effect.get(effect)
    }
}

/// A line about one attempt that was found in flight, with the life that owned it.
fn entry(line: &str) -> Option<(Attempt, String)> {
    // Most lines say other things, and a kill may have cut the last one.
    let line: Value = line
        .contains(EFFECT)
        .then(|| serde_json::from_str(line))?
        .ok()?;
    let fields = &line["fields"];
    let owner = fields["owner"].as_str()?.to_owned();
    let attempt = fields["attempt"].as_u64()?;
    Some(((fields[EFFECT].as_str()?.to_owned(), attempt), owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(effect: &str, attempt: u64, owner: &str) -> String {
        let fields = serde_json::json!({
            "message": "in flight", EFFECT: effect, "attempt": attempt, "owner": owner,
        });
        serde_json::json!({ "level": "INFO", "fields": fields }).to_string() + "\n"
    }

    #[test]
    fn an_attempt_belongs_to_the_life_that_sent_it_however_often_it_is_found() {
        let first = "{\"fields\":{\"message\":\"started\"}}\n".to_owned();
        // The second life finds three of the first, takes over `a`, and is killed; it had sent `d`.
        let second = ["a", "b", "c"].map(|effect| line(effect, 1, "one"));
        let third = [
            line("a", 1, "two"),
            line("b", 1, "one"),
            line("c", 1, "one"),
            line("d", 1, "two"),
        ];
        // `b` was sent again by the third life, and that was cut off as well.
        let fourth = [line("b", 2, "three"), "{\"fields\":{\"eff".to_owned()];
        let lives = [first, second.concat(), third.concat(), fourth.concat()];
        let left = Left::read(lives.iter().map(String::as_str));
        let wanted = Figures {
            in_flight: 5,
            lives: 3,
            in_flight_per_life_max: 3,
            found_per_start_max: 4,
            found_again: 3,
            killed_clearing_up: 1,
        };
        assert_eq!(left.figures, wanted);
        let senders = |effect| {
            let mut all: Vec<&str> = left.senders(effect)?.iter().map(String::as_str).collect();
            all.sort_unstable();
            Some(all)
        };
        assert_eq!(senders("a"), Some(vec!["one"]), "not who cleared it up");
        assert_eq!(senders("b"), Some(vec!["one", "three"]));
        assert_eq!(senders("d"), Some(vec!["two"]));
        assert_eq!(senders("e"), None);
    }

    #[test]
    fn a_life_that_says_a_line_twice_counts_it_once() {
        let twice = line("a", 1, "one").repeat(2);
        let left = Left::read([twice.as_str()]);
        assert_eq!(left.figures.in_flight, 1);
        assert_eq!(
            (left.figures.found_again, left.figures.killed_clearing_up),
            (0, 0)
        );
    }
}
