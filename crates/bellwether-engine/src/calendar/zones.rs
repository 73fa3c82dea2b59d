//! Lists, reminders and quiet hours in every zone of the database, over every change of its clock
//! in a usual year and in one of the oddest. What must come out is read off the wall clock minute
//! by minute, without the rules that are tested.

use std::collections::HashMap;

use bellwether_model::directory::{Hours, Quiet};
use jiff::civil::{Time as Clock, date, time};

use super::*;

/// Minutes on each side of a change.
const AROUND: i64 = 36 * 60;
const MINUTE: i64 = 60_000_000;

/// What the clock on the wall shows, minute by minute.
struct Wall {
    from: Time,
    shows: Vec<DateTime>,
    odd: Vec<bool>,
}

impl Wall {
    fn around(edge: Time, zone: &TimeZone) -> Self {
        let whole = edge.0.div_euclid(MINUTE) * MINUTE;
        let from = Time(whole - AROUND * MINUTE);
        let shows: Vec<DateTime> = (0..2 * AROUND)
            .map(|n| local(Time(from.0 + n * MINUTE), zone).datetime())
            .collect();
        let odd = odd(&shows);
        Self { from, shows, odd }
    }

    fn at(&self, n: usize) -> Time {
        Time(self.from.0 + i64::try_from(n).unwrap() * MINUTE)
    }

    fn end(&self) -> Time {
        self.at(self.shows.len())
    }

    /// The first minute that shows this.
    fn first(&self, shown: DateTime) -> Option<Time> {
        let n = self.shows.iter().position(|minute| *minute == shown)?;
        Some(self.at(n))
    }
}

/// Which minutes show what another one shows too, or come after an hour that was left out: what
/// "at half past two" means then is a convention.
fn odd(shows: &[DateTime]) -> Vec<bool> {
    let mut times: HashMap<DateTime, u32> = HashMap::new();
    for shown in shows {
        *times.entry(*shown).or_default() += 1;
    }
    let mut odd: Vec<bool> = shows.iter().map(|shown| times[shown] > 1).collect();
    for n in 1..shows.len() {
        let usual = shows[n - 1].checked_add(1.minute()).unwrap();
        if shows[n] > usual {
            let after = (n + 3 * 60).min(shows.len());
            odd[n..after].fill(true);
        }
    }
    odd
}

/// The changes of a zone's clock in these years, and a day on which nothing happens.
fn edges(zone: &TimeZone) -> Vec<Time> {
    let mut out = vec![Time::from(
        date(2026, 6, 10).in_tz("UTC").unwrap().timestamp(),
    )];
    for year in [2011, 2026] {
        let begins = date(year, 1, 1).in_tz("UTC").unwrap().timestamp();
        let ends = date(year + 1, 1, 2).in_tz("UTC").unwrap().timestamp();
        let changes = zone.following(begins).map(|change| change.timestamp());
        out.extend(changes.take_while(|at| *at < ends).map(Time::from));
    }
    out
}

fn anyone(zone: &str) -> Person {
    Person {
        zone: zone.to_owned(),
        ..Person::default()
    }
}

/// A list comes once for each day that there is, at its time if that is shown at all.
fn lists(wall: &Wall, person: &Person, about: &str) -> u64 {
    let mut looked = 0;
    for at in [(0, 0), (0, 30), (1, 30), (2, 30), (8, 30), (23, 59)] {
        let clock = Clock::constant(at.0, at.1, 0, 0);
        let schedule = Schedule {
            days: Days::All,
            time: clock,
        };
        let mut came = Vec::new();
        let mut now = wall.from;
        while now < wall.end() {
            let then = next(&schedule, now, person);
            assert!(then > now, "{about} {clock}");
            came.push(then);
            now = then;
        }
        came.retain(|at| *at < wall.end());
        let mut days: Vec<Date> = wall.shows.iter().map(|shown| shown.date()).collect();
        days.sort_unstable();
        days.dedup();
        for day in &days {
            looked += 1;
            if let Some(shown) = wall.first(day.to_datetime(clock))
                && shown > wall.from
            {
                assert!(came.contains(&shown), "{about} {day} {clock}: {came:?}");
            }
        }
        // None more than one for each day that there is; the first and the last may be cut off.
        assert!(came.len() <= days.len(), "{about} {clock}: {came:?}");
        assert!(came.len() + 2 >= days.len(), "{about} {clock}: {came:?}");
    }
    looked
}

/// A reminder is due when somebody has been at work for just so long.
fn reminders(wall: &Wall, person: &Person, about: &str) -> u64 {
    let person = Person {
        hours: Hours {
            from: time(0, 0, 0, 0),
            until: time(6, 0, 0, 0),
            days: vec![1, 2, 3, 4, 5, 6, 7],
        },
        ..person.clone()
    };
    let at_work = |n: usize| wall.shows[n].time() < person.hours.until;
    let mut looked = 0;
    for start in (0..wall.shows.len()).step_by(97) {
        for minutes in [10_u64, 240, 400] {
            let due = due(
                wall.at(start),
                Span::Working(Millis::minutes(minutes)),
                &person,
            );
            let end = usize::try_from((due.0 - wall.from.0) / MINUTE).unwrap();
            if end > wall.shows.len() {
                continue;
            }
            looked += 1;
            let worked = (start..end).filter(|n| at_work(*n)).count();
            assert_eq!(worked, usize::try_from(minutes).unwrap(), "{about} {start}");
            assert!(at_work(end - 1), "{about} {start}");
        }
    }
    looked
}

/// Quiet hours hold what the clock says, have an end, and nothing is quiet at that end.
fn quiet_hours(wall: &Wall, person: &Person, about: &str) -> u64 {
    let mut looked = 0;
    for (from, until) in [((22, 0), (7, 0)), ((0, 30), (2, 30)), ((1, 0), (5, 0))] {
        let quiet = Quiet {
            from: Clock::constant(from.0, from.1, 0, 0),
            until: Clock::constant(until.0, until.1, 0, 0),
        };
        let person = Person {
            quiet: Some(quiet),
            ..person.clone()
        };
        for n in (0..wall.shows.len()).step_by(13) {
            looked += 1;
            let (now, clock) = (wall.at(n), wall.shows[n].time());
            let says = if quiet.from < quiet.until {
                quiet.from <= clock && clock < quiet.until
            } else {
                quiet.from <= clock || clock < quiet.until
            };
            let found = is_quiet(now, &person);
            if !wall.odd[n] {
                assert_eq!(found.is_some(), says, "{about} {clock} {quiet:?}");
            }
            let Some(end) = found else { continue };
            assert!(end > now, "{about} {clock}");
            assert_eq!(is_quiet(end, &person), None, "{about} {clock} {end}");
            assert!(end.since(now) <= Millis::hours(12), "{about} {clock} {end}");
        }
    }
    looked
}

#[test]
fn lists_reminders_and_quiet_hours_hold_in_every_zone_over_every_change_of_its_clock() {
    let (mut zones, mut changes) = (0, 0);
    let mut looked = [0; 3];
    for name in jiff::tz::db().available() {
        zones += 1;
        let person = anyone(name.as_str());
        let zone = person.time_zone();
        for edge in edges(&zone) {
            changes += 1;
            let about = format!("{name} at {edge}");
            let wall = Wall::around(edge, &zone);
            looked[0] += lists(&wall, &person, &about);
            looked[1] += reminders(&wall, &person, &about);
            looked[2] += quiet_hours(&wall, &person, &about);
        }
    }
    println!(
        "{zones} zones, {changes} changes and usual days: {} days of lists, {} reminders, {} \
         minutes of quiet hours",
        looked[0], looked[1], looked[2]
    );
    assert!(zones > 400 && changes > 1_000, "{zones} {changes}");
}
