//! Rotas: who is on duty at an instant, who is next, and when it changes hands. A rule of
//! wall-clock times in one zone, so that summer time moves no hand-over; at every instant exactly
//! one member is on duty. Whether he is there is the directory's business.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time as Clock, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PersonId;
use crate::time::Time;

/// The most slots that one look at a rota gives.
pub const SLOTS_MAX: usize = 1_000;
/// How far around an instant its slot is looked for: every week has a change at least.
const AROUND_DAYS: i32 = 9;

/// A moment of the week (`Mon 09:00`), or of every day (`09:00`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The day; None: every day.
    pub day: Option<Weekday>,
    /// The time.
    pub time: Clock,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a moment of the week: write `Mon 09:00`, or `09:00`");
        let (day, time) = match text.trim().split_once(' ') {
            Some((day, time)) => (Some(day), time),
            None => (None, text),
        };
        let day = match day {
            None => None,
            Some(word) => {
                let start = word.get(..3).ok_or_else(wrong)?.to_ascii_lowercase();
                let found = DAYS.iter().find(|(known, _)| *known == start);
                Some(found.ok_or_else(wrong)?.1)
            }
        };
        let time = time.trim().parse::<Clock>().map_err(|_| wrong())?;
        Ok(Self { day, time })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = self.day {
            let (word, _) = DAYS[usize::from(day.to_monday_zero_offset().unsigned_abs())];
            write!(f, "{}{} ", word[..1].to_uppercase(), &word[1..])?;
        }
        write!(f, "{}", self.time.strftime("%H:%M"))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Part of the week, from its moment until the next shift begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// When it begins, each week or each day.
    pub from: Moment,
    /// Who takes it in turn; empty: the members of the rota.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<PersonId>,
}

/// Somebody else is on duty for a while. Of several that overlap, the last one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// From this wall-clock time in the rota's zone.
    pub from: DateTime,
    /// Until this one, itself not included.
    pub until: DateTime,
    /// Who.
    pub person: PersonId,
}

/// Who is on duty, by turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rota {
    /// The name that people read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// IANA zone name: in it all times are meant.
    pub zone: String,
    /// When the next member takes over; one moment or several.
    #[serde(deserialize_with = "one_or_more")]
    pub hand_over: Vec<Moment>,
    /// The members, in order.
    pub members: Vec<PersonId>,
    /// The parts of the week, where they are covered by different people; empty: one part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shifts: Vec<Shift>,
    /// A day of the week in which the first member is on duty; None: counted from 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// Exceptions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Moment>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        One(Moment),
        More(Vec<Moment>),
    }
    Ok(match Said::deserialize(from)? {
        Said::One(one) => vec![one],
        Said::More(more) => more,
    })
}

/// A stretch of time with one person on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Who.
    pub person: PersonId,
    /// Since when.
    pub from: Time,
    /// Until when, itself not included.
    pub until: Time,
    /// Whether an override says so.
    pub is_override: bool,
}

/// A change by the rule: when, and which shift (None: the rota has none) begins.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: DateTime,
    instant: Time,
    shift: Option<usize>,
}

impl Rota {
    /// The rota's zone; UTC when the name is unknown (the check refuses such names).
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Who is on duty at an instant. None for a rota without members, and at the ends of time.
    pub fn slot(&self, now: Time) -> Option<Slot> {
        let zone = self.time_zone();
        let changes = self.changes(now, &zone)?;
        // A gap of the clock can turn two changes round; the later one by the clock counts, so the
        // stretches follow one another without a hole.
        let here = changes.iter().rposition(|change| change.instant <= now)?;
        let change = changes[here];
        let ends = changes[here + 1..]
            .iter()
            .map(|later| later.instant)
            .min()?;
        let begins = changes[here..].iter().map(|c| c.instant).min()?;
        let mut slot = Slot {
            person: self.by_rule(change)?.clone(),
            from: begins,
            until: ends,
            is_override: false,
        };
        for over in &self.overrides {
            let (Some(from), Some(until)) = (instant(over.from, &zone), instant(over.until, &zone))
            else {
                continue;
            };
            if from <= now && now < until {
                slot.person.clone_from(&over.person);
                slot.is_override = true;
            }
            for edge in [from, until].into_iter().filter(|_| from < until) {
                if edge <= now {
                    slot.from = slot.from.max(edge);
                } else {
                    slot.until = slot.until.min(edge);
                }
            }
        }
        Some(slot)
    }

    /// The stretches between two instants, in order, without holes; at most [`SLOTS_MAX`].
    pub fn slots(&self, from: Time, until: Time) -> Vec<Slot> {
        let mut out: Vec<Slot> = Vec::new();
        let mut at = from;
        while at < until && out.len() < SLOTS_MAX {
            let Some(slot) = self.slot(at) else { break };
            at = slot.until;
            match out.last_mut() {
                Some(last) if last.person == slot.person && last.until == slot.from => {
                    last.until = slot.until;
                }
                _ => out.push(slot),
            }
        }
        out
    }

    /// The first stretch after the one at `now` with somebody else on duty.
    pub fn next(&self, now: Time) -> Option<Slot> {
        let here = self.slot(now)?;
        let mut at = here.until;
        for _ in 0..SLOTS_MAX {
            let slot = self.slot(at)?;
            if slot.person != here.person {
                return Some(slot);
            }
            at = slot.until;
        }
        None
    }

    /// Everybody who is ever on duty by this rota.
    pub fn everybody(&self) -> impl Iterator<Item = &PersonId> {
        let shifts = self.shifts.iter().flat_map(|shift| &shift.members);
        let overrides = self.overrides.iter().map(|over| &over.person);
        self.members.iter().chain(shifts).chain(overrides)
    }

    /// The changes around an instant, in order of the clock on the wall.
    fn changes(&self, now: Time, zone: &TimeZone) -> Option<Vec<Change>> {
        let today = now.timestamp().to_zoned(zone.clone()).date();
        let mut days = Vec::new();
        for offset in -AROUND_DAYS..=AROUND_DAYS {
            days.push(today.checked_add(offset.days()).ok()?);
        }
        let by_hand = self.hand_overs();
        let moments: Vec<(Moment, Option<usize>)> = if self.shifts.is_empty() {
            by_hand.into_iter().map(|moment| (moment, None)).collect()
        } else {
            let shifts = self.shifts.iter().enumerate();
            shifts.map(|(n, shift)| (shift.from, Some(n))).collect()
        };
        let mut changes = Vec::new();
        for day in days {
            for (moment, shift) in &moments {
                if moment.day.is_none_or(|wanted| wanted == day.weekday()) {
                    let at = day.to_datetime(moment.time);
                    let instant = instant(at, zone)?;
                    let shift = *shift;
                    changes.push(Change { at, instant, shift });
                }
            }
        }
        changes.sort_by_key(|change| change.at);
        Some(changes)
    }

    fn hand_overs(&self) -> Vec<Moment> {
        if self.hand_over.is_empty() {
            let (day, time) = (Some(Weekday::Monday), Clock::midnight());
            return vec![Moment { day, time }];
        }
        self.hand_over.clone()
    }

    fn by_rule(&self, change: Change) -> Option<&PersonId> {
        let own = change.shift.and_then(|n| self.shifts.get(n));
        let members = match own {
            Some(shift) if !shift.members.is_empty() => &shift.members,
            _ => &self.members,
        };
        let count = i64::try_from(members.len()).ok().filter(|n| *n > 0)?;
        let turn = self.turn(change.at).rem_euclid(count);
        members.get(usize::try_from(turn).ok()?)
    }

    /// How many hand-overs lie between the first of the week of `start` and a wall-clock time.
    fn turn(&self, at: DateTime) -> i64 {
        // A Monday, so that weeks are whole.
        let first = self.start.unwrap_or(jiff::civil::date(1970, 1, 5));
        let monday = |day: Date| day_number(day) - i64::from(day.weekday().to_monday_zero_offset());
        let mut moments = Vec::new();
        for moment in self.hand_overs() {
            let days = match moment.day {
                Some(day) => vec![day.to_monday_zero_offset()],
                None => (0..7).collect(),
            };
            moments.extend(days.into_iter().map(|day| (day, moment.time)));
        }
        let weeks = (monday(at.date()) - monday(first)).div_euclid(7);
        let here = (at.weekday().to_monday_zero_offset(), at.time());
        let each = i64::try_from(moments.len()).unwrap_or(1);
        let passed = moments.iter().filter(|moment| **moment <= here).count();
        weeks * each + i64::try_from(passed).unwrap_or(0) - 1
    }
}

/// Days since 1970-01-01.
fn day_number(day: Date) -> i64 {
    let since = day.since(jiff::civil::date(1970, 1, 1));
    since.map_or(0, |span| i64::from(span.get_days()))
}

/// The instant of a wall-clock time: forward over a gap, the first of a fold.
fn instant(at: DateTime, zone: &TimeZone) -> Option<Time> {
    let found = zone.to_ambiguous_zoned(at).compatible().ok()?;
    Some(Time::from(found.timestamp()))
}

#[cfg(test)]
mod tests;
