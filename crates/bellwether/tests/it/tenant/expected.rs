//! What must be said of a licence, computed anew and simply: a second opinion on the connector's
//! memory. Days are those of UTC.

use std::collections::BTreeSet;

use bellwether_model::time::Time;
use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan as _};

/// Thresholds of the simulation.
const DAYS: [i64; 4] = [1, 7, 30, 90];
const PERCENTS: [i64; 3] = [80, 95, 100];
/// Every licence may be downloaded so often.
pub(super) const MAX: i64 = 10;

/// A licence at the provider.
#[derive(Clone, Debug)]
pub(super) struct Licence {
    pub(super) uuid: String,
    pub(super) state: String,
    pub(super) until: Option<Time>,
    /// When it was asked for; once it is let through, when that was.
    bought: Date,
    let_through: bool,
    pub(super) current: i64,
    pub(super) file: i64,
    pub(super) ai: bool,
    /// What the feed hands out next, and what only reading everything finds.
    pub(super) changed: bool,
    pub(super) silent: bool,
    /// Until when the licence reaches that takes over from it.
    cover: Option<Time>,
    covers: u64,
    told: Option<Told>,
    said: BTreeSet<String>,
    /// What was to be said, in order.
    pub(super) expected: Vec<String>,
}

/// What a reader knows of it.
#[derive(Clone, Debug, Default)]
struct Told {
    phase: Option<&'static str>,
    until: Option<Time>,
    /// Thresholds at or before this day were never ahead.
    from: Option<Date>,
    days: BTreeSet<i64>,
    over: bool,
    /// Whether somebody was told of this date.
    noticed: bool,
    current: i64,
    percents: BTreeSet<i64>,
    exceeded: bool,
    file: Option<i64>,
    reviewed: bool,
    failed: bool,
    ended_with: Option<i64>,
}

fn is_held(told: &Told) -> bool {
    !matches!(told.phase, Some("submitted" | "failed" | "cancelled"))
}

pub(super) fn day(at: Time) -> Date {
    at.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn phase_of(state: &str) -> Option<&'static str> {
    Some(match state {
        "purchase_phase_1" | "purchase_phase_2" => "submitted",
        "downloading" | "finalizing" => "approved",
        "completed" => "delivered",
        "error" => "failed",
        "cancelled" => "cancelled",
        _ => return None,
    })
}

fn is_let_through(state: &str) -> bool {
    matches!(state, "downloading" | "finalizing" | "completed")
}

fn last_day(until: Time) -> Date {
    let before = until.timestamp() - SignedDuration::from_micros(1);
    day(before.into())
}

impl Licence {
    pub(super) fn new(uuid: &str, state: &str, until: Option<Time>, now: Time, ai: bool) -> Self {
        Self {
            uuid: uuid.to_owned(),
            state: state.to_owned(),
            until,
            bought: day(now),
            let_through: is_let_through(state),
            current: 0,
            file: 1,
            ai,
            changed: true,
            silent: false,
            cover: None,
            covers: 0,
            told: None,
            said: BTreeSet::new(),
            expected: Vec::new(),
        }
    }

    /// The provider moves it to another state.
    pub(super) fn step(&mut self, state: &str, now: Time) {
        if is_let_through(state) && !self.let_through {
            self.let_through = true;
            self.bought = day(now);
        }
        state.clone_into(&mut self.state);
        self.changed = true;
    }

    fn say(&mut self, what: String, once: &str) {
        if once.is_empty() || self.said.insert(format!("{what} {once}")) {
            self.expected.push(what);
        }
    }

    /// A reader sees it as it is now.
    pub(super) fn seen(&mut self, now: Time, silently: bool) {
        (self.changed, self.silent) = (false, false);
        let before = self.expected.len();
        let first = self.told.is_none();
        let mut told = self.told.take().unwrap_or_default();
        if let Some(phase) = phase_of(&self.state)
            && told.phase != Some(phase)
        {
            let held = matches!(told.phase, Some("approved" | "delivered"));
            told.phase = Some(phase);
            self.say(format!("request.{phase}"), "");
            let failed = phase == "failed";
            if failed != told.failed && !(failed && silently) {
                told.failed = failed;
                let word = if failed { "failed" } else { "recovered" };
                self.say(format!("sync.{word}"), "");
            }
            if phase == "cancelled" && held && self.current > 0 {
                self.say("violation.cancelled_license".to_owned(), "");
            }
        }
        let lost = matches!(told.phase, Some("failed" | "cancelled"));
        if self.ai && !told.reviewed && (!lost || silently) {
            told.reviewed = true;
            self.say("review".to_owned(), "");
        }
        if self.state == "completed" {
            if told.file.is_some_and(|old| self.file > old) {
                self.say("updated".to_owned(), &self.file.to_string());
            }
            told.file = Some(self.file);
        }
        if told.until != self.until {
            let later = told
                .until
                .zip(self.until)
                .is_some_and(|(old, new)| new > old);
            told.from = match (later, first) {
                (true, _) => Some(day(now)),
                (false, true) => Some(self.bought),
                (false, false) => None,
            };
            let noticed = std::mem::take(&mut told.noticed);
            if later && noticed && is_held(&told) {
                let until = self.until.unwrap().to_string();
                self.say("renewed".to_owned(), &until);
            }
            (told.until, told.over) = (self.until, false);
            told.days.clear();
        }
        told.current = self.current;
        self.told = Some(told);
        self.dates(now);
        self.limits();
        if silently {
            self.expected.truncate(before);
            if let Some(told) = &mut self.told {
                told.noticed = false;
            }
        }
    }

    /// A licence that reaches until then takes over from it, or none does any longer.
    pub(super) fn cover(&mut self, until: Option<Time>, now: Time) {
        self.cover = until;
        self.covers += 1;
        self.dates(now);
    }

    pub(super) fn is_held(&self) -> bool {
        self.told.as_ref().is_some_and(is_held)
    }

    /// Whether a reader knows all there is.
    pub(super) fn is_known(&self) -> bool {
        self.told.is_some() && !self.changed && !self.silent
    }

    fn dates(&mut self, now: Time) {
        let held = self.is_held();
        let Some(mut told) = self.told.take() else {
            return;
        };
        let today = day(now);
        let covered = self
            .cover
            .zip(told.until)
            .is_some_and(|(cover, until)| cover > until);
        if held && covered {
            if std::mem::take(&mut told.noticed) {
                self.expected.push("renewed".to_owned());
                told.days.clear();
                told.over = false;
            }
        } else if let Some(until) = told.until.filter(|_| held && !told.over) {
            let last = last_day(until);
            if today > last {
                (told.over, told.ended_with) = (true, None);
                told.noticed = true;
                self.say("expired".to_owned(), &format!("{until} {}", self.covers));
            } else {
                let left = i64::from(today.until(last).unwrap().get_days());
                let passed = DAYS.into_iter().filter(|n| *n >= left);
                let new: Vec<i64> = passed.filter(|n| !told.days.contains(n)).collect();
                told.days.extend(&new);
                let ahead = |n: &i64| told.from.is_none_or(|from| last - n.days() > from);
                if let Some(n) = new.into_iter().filter(ahead).min() {
                    told.noticed = true;
                    self.say(format!("expiring {n}"), &format!("{until} {}", self.covers));
                }
            }
        }
        if !held || !told.over || covered {
            told.ended_with = None;
        } else if let Some(then) = told.ended_with {
            if told.current > then {
                let until = told.until.unwrap().to_string();
                self.say("violation.expired_license".to_owned(), &until);
            }
        } else {
            told.ended_with = Some(told.current);
        }
        self.told = Some(told);
    }

    fn limits(&mut self) {
        if !self.is_held() {
            return;
        }
        let Some(mut told) = self.told.take() else {
            return;
        };
        let percent = told.current * 100 / MAX;
        let passed = PERCENTS.into_iter().filter(|n| percent >= *n);
        let new: Vec<i64> = passed.filter(|n| !told.percents.contains(n)).collect();
        told.percents.extend(&new);
        if let Some(n) = new.into_iter().max() {
            self.say(format!("limit {n}"), "");
        }
        if told.current > MAX && !told.exceeded {
            told.exceeded = true;
            self.say("violation.limit_exceeded".to_owned(), "");
        }
        self.told = Some(told);
    }

    /// Time passes, day by day, and nobody reads.
    pub(super) fn pass(&mut self, from: Time, to: Time) {
        let mut today = day(from);
        while today < day(to) {
            today += 1.day();
            let midnight = today.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
            self.dates(midnight.timestamp().into());
        }
    }
}
