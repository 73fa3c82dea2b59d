//! Which one-time codes are good: only those that were asked for, until they were used or guessed
//! at too often. It is counted for each person, because whoever has a link may ask in his name.
//! What the codes are is in `tokens`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::id::EffectId;
use bellwether_model::time::{Millis, Time};

/// How many codes a person may ask for within an hour, and within a day.
const ASKED_PER_HOUR: usize = 5;
const ASKED_PER_DAY: usize = 20;
/// How many wrong codes make all codes of a person void.
const WRONG_MAX: u32 = 5;
/// How long after it was asked for a code may be entered; the mail may have been delayed.
const OPEN_FOR: Millis = Millis::minutes(30);

/// The codes of all people. A restart makes them void: then a new one is asked for.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<HashMap<String, OfPerson>>);

#[derive(Debug, Default)]
struct OfPerson {
    /// When codes were asked for, oldest first.
    asked: Vec<Time>,
    /// For which notifications one may be entered, and since when.
    open: Vec<(EffectId, Time)>,
    wrong: u32,
}

/// What may be done with a code that somebody enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be looked at.
    Open,
    /// None was asked for, or its time is over.
    NotAsked,
    /// Too many wrong ones were entered.
    Void,
}

impl Codes {
    fn with<T>(&self, person: &str, now: Time, act: impl FnOnce(&mut OfPerson) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |at: Time, span: Millis| now.since(at) < span;
        all.retain(|_, of| {
            of.asked
                .last()
                .is_some_and(|at| since(*at, Millis::days(1)))
        });
        let of = all.entry(person.to_owned()).or_default();
        of.asked.retain(|at| since(*at, Millis::days(1)));
        of.open.retain(|(_, at)| since(*at, OPEN_FOR));
        act(of)
    }

    /// Notes that a code is asked for; false when there were too many.
    pub(crate) fn ask(&self, person: &str, notification: EffectId, now: Time) -> bool {
        self.with(person, now, |of| {
            let hour = of
                .asked
                .iter()
                .filter(|at| now.since(**at) < Millis::hours(1));
            if hour.count() >= ASKED_PER_HOUR || of.asked.len() >= ASKED_PER_DAY {
                return false;
            }
            of.asked.push(now);
            of.open.retain(|(known, _)| *known != notification);
            of.open.push((notification, now));
            of.wrong = 0;
            true
        })
    }

    /// Whether a code for this notification may be entered now.
    pub(crate) fn standing(&self, person: &str, notification: EffectId, now: Time) -> Standing {
        self.with(person, now, |of| {
            if of.wrong >= WRONG_MAX {
                Standing::Void
            } else if of.open.iter().any(|(known, _)| *known == notification) {
                Standing::Open
            } else {
                Standing::NotAsked
            }
        })
    }

    /// Notes how it was: a right code is good once, and too many wrong ones make all void.
    pub(crate) fn entered(&self, person: &str, notification: EffectId, right: bool, now: Time) {
        self.with(person, now, |of| {
            if right {
                of.open.retain(|(known, _)| *known != notification);
                of.wrong = 0;
                return;
            }
            of.wrong += 1;
            if of.wrong >= WRONG_MAX {
                of.open.clear();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::id::Id;

    const HERS: EffectId = Id([1; 16]);

    #[test]
    fn a_code_is_good_once_after_it_was_asked_for() {
        let codes = Codes::default();
        let now = Time(1_000_000_000);
        assert_eq!(codes.standing("alice", HERS, now), Standing::NotAsked);
        assert!(codes.ask("alice", HERS, now));
        assert_eq!(codes.standing("alice", HERS, now), Standing::Open);
        assert_eq!(
            codes.standing("alice", Id([2; 16]), now),
            Standing::NotAsked
        );
        assert_eq!(
            codes.standing("alice", HERS, now + OPEN_FOR),
            Standing::NotAsked
        );
        assert!(codes.ask("alice", HERS, now));
        codes.entered("alice", HERS, true, now);
        assert_eq!(codes.standing("alice", HERS, now), Standing::NotAsked);
    }

    #[test]
    fn five_wrong_codes_make_all_void_until_a_new_one_is_asked_for() {
        let codes = Codes::default();
        let now = Time(1_000_000_000);
        assert!(codes.ask("alice", HERS, now));
        for _ in 0..5 {
            assert_eq!(codes.standing("alice", HERS, now), Standing::Open);
            codes.entered("alice", HERS, false, now);
        }
        assert_eq!(codes.standing("alice", HERS, now), Standing::Void);
        assert!(codes.ask("bob", HERS, now), "others are not locked out");
        assert!(codes.ask("alice", HERS, now));
        assert_eq!(codes.standing("alice", HERS, now), Standing::Open);
    }

    #[test]
    fn nobody_gets_a_heap_of_mails() {
        let codes = Codes::default();
        let mut now = Time(1_000_000_000);
        let mut sent = 0;
        for index in 0..40 {
            let notification = Id([u8::try_from(index).unwrap(); 16]);
            sent += u32::from(codes.ask("alice", notification, now));
            now = now + Millis::minutes(1);
        }
        assert_eq!(sent, 5);
        for _ in 0..40 {
            now = now + Millis::minutes(30);
            sent += u32::from(codes.ask("alice", HERS, now));
        }
        assert_eq!(sent, 20);
    }
}
