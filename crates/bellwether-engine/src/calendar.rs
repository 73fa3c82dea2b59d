//! Working time and quiet hours of a person, in his zone: when something is due that is counted in
//! working hours or days, and until when somebody may not be disturbed. Wall-clock times that do
//! not exist move forward over the gap; those that exist twice mean the first.

use bellwether_model::directory::Person;
use bellwether_model::time::{Millis, Time};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

use crate::flow::def::{Days, Schedule, Span};

/// A calendar without any work within this many days has none at all.
const DAYS_MAX: u32 = 800;
/// How many days ago something may have been for that is put off until now.
const PUT_OFF_MAX: i32 = 30;

/// When a span that begins at `from` ends for this person.
///
/// * `4 hours` is counted by the clock.
/// * `4 working hours` is counted only while he works: not at night, on days off, on holidays or
///   when he is away.
/// * `2 working days` is the same time of day two working days later; what begins outside working
///   hours counts as if it began with the next ones.
///
/// For somebody who never works (no working days, away for years) working time is counted by the
/// clock, because something must happen in the end.
pub fn due(from: Time, span: Span, person: &Person) -> Time {
    match span {
        Span::Clock(length) => from + length,
        Span::Working(length) => after_working(from, length, person).unwrap_or(from + length),
        Span::WorkingDays(days) => after_days(from, days, person)
            .unwrap_or_else(|| from + Millis(u64::from(days).saturating_mul(Millis::days(1).0))),
    }
}

/// Whether the person may not be disturbed now, and until when.
pub fn is_quiet(now: Time, person: &Person) -> Option<Time> {
    let quiet = person.quiet?;
    let zone = person.time_zone();
    let today = local(now, &zone).date();
    // A quiet time that reaches over midnight began yesterday, or a day earlier where the zone left
    // out a day.
    let over_midnight = quiet.until <= quiet.from;
    if quiet.until == quiet.from {
        return None;
    }
    for back in [2, 1, 0] {
        let start = today.saturating_sub(back.days());
        let end = if over_midnight {
            start.tomorrow().ok()?
        } else {
            start
        };
        let begins = instant(start.to_datetime(quiet.from), &zone)?;
        let ends = instant(end.to_datetime(quiet.until), &zone)?;
        if begins <= now && now < ends {
            return Some(ends);
        }
    }
    None
}

/// The next instant after `after` at which something happens that comes again on a schedule. What
/// is for certain days of the week, and meets a day on which he does not work, waits for his next
/// working day. Leave counts as work here: somebody stands in.
pub fn next(schedule: &Schedule, after: Time, person: &Person) -> Time {
    let zone = person.time_zone();
    let today = local(after, &zone).date();
    // What was for an earlier day may have been put off until now.
    let first = today.saturating_sub(PUT_OFF_MAX.days());
    let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
    let works = |day: &Date| is_working_day(person, *day);
    let held_on = |day: Date| match &schedule.days {
        Days::All => Some(day),
        Days::Working => works(&day).then_some(day),
        Days::Of(wanted) if !wanted.contains(&weekday(day)) => None,
        Days::Of(_) => {
            let mut from = std::iter::successors(Some(day), |day| day.tomorrow().ok());
            from.by_ref().take(DAYS_MAX as usize).find(works)
        }
    };
    days.take(DAYS_MAX as usize)
        .filter_map(held_on)
        .filter_map(|day| instant(day.to_datetime(schedule.time), &zone))
        .find(|at| *at > after)
        // He never works: something must happen in the end.
        .unwrap_or(after + Millis::days(1))
}

fn weekday(day: Date) -> i8 {
    day.weekday().to_monday_one_offset()
}

/// Whether the person works on that day, if he is not on leave.
fn is_working_day(person: &Person, day: Date) -> bool {
    person.hours.days.contains(&weekday(day))
        && person.hours.from < person.hours.until
        && !person.has_holiday_on(day)
}

/// Whether the person works on that day.
pub fn works_on(person: &Person, day: Date) -> bool {
    is_working_day(person, day) && !person.is_away_on(day)
}

fn local(time: Time, zone: &TimeZone) -> Zoned {
    time.timestamp().to_zoned(zone.clone())
}

/// The instant of a wall-clock time: forward over a gap, the first of a fold.
fn instant(at: DateTime, zone: &TimeZone) -> Option<Time> {
    let found = zone.to_ambiguous_zoned(at).compatible().ok()?;
    Some(Time::from(found.timestamp()))
}

/// Whether a zone has a day: Samoa left out the 30th of December 2011.
fn is_there(day: Date, zone: &TimeZone) -> bool {
    let noon = instant(day.at(12, 0, 0, 0), zone);
    noon.is_some_and(|noon| local(noon, zone).date() == day)
}

/// The working times from a day on, at most [`DAYS_MAX`] days.
fn shifts<'a>(
    person: &'a Person,
    zone: &'a TimeZone,
    first: Date,
) -> impl Iterator<Item = (Date, Time, Time)> + 'a {
    let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
    days.take(DAYS_MAX as usize)
        .filter(|day| works_on(person, *day) && is_there(*day, zone))
        .filter_map(|day| {
            let begins = instant(day.to_datetime(person.hours.from), zone)?;
            let ends = instant(day.to_datetime(person.hours.until), zone)?;
            (begins < ends).then_some((day, begins, ends))
        })
}

fn after_working(from: Time, length: Millis, person: &Person) -> Option<Time> {
    let zone = person.time_zone();
    let mut left = i64::try_from(length.0).ok()?.checked_mul(1000)?;
    for (_, begins, ends) in shifts(person, &zone, local(from, &zone).date()) {
        let begins = begins.max(from);
        let worked = (ends.0 - begins.0).max(0);
        if worked > 0 && left <= worked {
            return Some(Time(begins.0 + left));
        }
        left -= worked;
    }
    None
}

fn after_days(from: Time, days: u32, person: &Person) -> Option<Time> {
    let zone = person.time_zone();
    let mut shifts = shifts(person, &zone, local(from, &zone).date());
    // Where it counts from: now if he works now, else the beginning of his next working time.
    let (_, begins, _) = shifts.find(|(_, _, ends)| *ends > from)?;
    let start = begins.max(from);
    if days == 0 {
        return Some(start);
    }
    let (day, begins, ends) = shifts.nth(usize::try_from(days).ok()?.checked_sub(1)?)?;
    let same_time = local(start, &zone).time();
    let at = instant(day.to_datetime(same_time), &zone)?;
    Some(at.clamp(begins, ends))
}

#[cfg(test)]
mod zones;

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::directory::{Away, Hours, Quiet};
    use jiff::civil::{date, time};
    use proptest::prelude::*;

    fn person(zone: &str) -> Person {
        Person {
            zone: zone.to_owned(),
            ..Person::default()
        }
    }

    fn at(text: &str) -> Time {
        Time::from(text.parse::<Zoned>().unwrap().timestamp())
    }

    #[test]
    fn working_time_stops_in_the_evening_and_over_the_weekend() {
        let mut alice = person("Europe/Berlin");
        alice.holidays = vec![date(2026, 3, 10)];
        let cases = [
            // Friday 16:00 + 4 working hours: one on Friday, three on Monday.
            (
                "2026-03-06T16:00",
                Span::Working(Millis::hours(4)),
                "2026-03-09T12:00",
            ),
            // Begun at night: counted from the morning.
            (
                "2026-03-05T22:00",
                Span::Working(Millis::minutes(30)),
                "2026-03-06T09:30",
            ),
            // Exactly a day's work ends with the day.
            (
                "2026-03-05T09:00",
                Span::Working(Millis::hours(8)),
                "2026-03-05T17:00",
            ),
            ("2026-03-06T16:00", Span::WorkingDays(1), "2026-03-09T16:00"),
            // Monday + 1: Tuesday is a holiday.
            ("2026-03-09T10:00", Span::WorkingDays(1), "2026-03-11T10:00"),
            // Saturday counts as Monday 09:00.
            ("2026-03-07T11:00", Span::WorkingDays(2), "2026-03-12T09:00"),
            (
                "2026-03-06T16:00",
                Span::Clock(Millis::hours(4)),
                "2026-03-06T20:00",
            ),
        ];
        for (from, span, expected) in cases {
            let zone = |text: &str| at(&format!("{text}[Europe/Berlin]"));
            assert_eq!(
                due(zone(from), span, &alice),
                zone(expected),
                "{from} {span:?}"
            );
        }
    }

    #[test]
    fn what_comes_again_comes_at_the_readers_own_time() {
        let mut maria = person("Europe/Vienna");
        maria.holidays = vec![date(2026, 3, 6), date(2026, 3, 9)];
        let cases = [
            ("08:30", "2026-03-02T02:00", "2026-03-02T08:30"),
            // Not again at the very instant.
            ("08:30", "2026-03-02T08:30", "2026-03-03T08:30"),
            // Friday is a holiday, then the weekend, then another one.
            ("08:30", "2026-03-05T09:00", "2026-03-10T08:30"),
            ("Fri 16:00", "2026-03-02T09:00", "2026-03-10T16:00"),
            // Put off, and begun meanwhile.
            ("Fri 16:00", "2026-03-08T09:00", "2026-03-10T16:00"),
            ("Fri 16:00", "2026-03-10T16:00", "2026-03-13T16:00"),
            ("every day 07:00", "2026-03-06T09:00", "2026-03-07T07:00"),
            // 02:30 does not exist on the night when clocks go forward.
            ("every day 02:30", "2026-03-29T00:00", "2026-03-29T03:30"),
            // It exists twice in October: the first, and once.
            ("every day 02:30", "2026-10-25T00:00", "2026-10-25T02:30"),
        ];
        for (text, after, expected) in cases {
            let zone = |text: &str| at(&format!("{text}[Europe/Vienna]"));
            let schedule = crate::flow::read::schedule::schedule(text).unwrap();
            let next = next(&schedule, zone(after), &maria);
            assert_eq!(next, zone(expected), "{text} after {after}");
        }
        let schedule = crate::flow::read::schedule::schedule("every day 02:30").unwrap();
        let first = next(&schedule, at("2026-10-25T00:00[Europe/Vienna]"), &maria);
        let second = next(&schedule, first, &maria);
        assert_eq!(second, at("2026-10-26T02:30[Europe/Vienna]"));
    }

    #[test]
    fn absences_stop_the_clock_and_an_absence_without_end_does_not() {
        let mut bob = person("Europe/Vienna");
        bob.away = vec![Away::new(date(2026, 3, 9), date(2026, 3, 13))];
        let from = at("2026-03-06T16:00[Europe/Vienna]");
        let expected = at("2026-03-16T10:00[Europe/Vienna]");
        assert_eq!(due(from, Span::Working(Millis::hours(2)), &bob), expected);
        bob.hours.days.clear();
        let by_the_clock = from + Millis::hours(2);
        assert_eq!(
            due(from, Span::Working(Millis::hours(2)), &bob),
            by_the_clock
        );
        assert_eq!(
            due(from, Span::WorkingDays(1), &bob),
            from + Millis::days(1)
        );
    }

    #[test]
    fn a_gap_moves_forward_and_a_fold_takes_the_first() {
        let mut night = person("Europe/Berlin");
        night.hours = Hours {
            from: time(2, 30, 0, 0),
            until: time(6, 0, 0, 0),
            days: vec![1, 2, 3, 4, 5, 6, 7],
        };
        // 29 March 2026, 02:30 does not exist: 03:30 summer time.
        let from = at("2026-03-28T12:00[Europe/Berlin]");
        let expected = at("2026-03-29T04:00[Europe/Berlin]");
        assert_eq!(
            due(from, Span::Working(Millis::minutes(30)), &night),
            expected
        );
        // 25 October 2026, 02:30 exists twice: the first.
        let from = at("2026-10-24T12:00[Europe/Berlin]");
        let expected = at("2026-10-25T02:40:00+02:00[Europe/Berlin]");
        assert_eq!(
            due(from, Span::Working(Millis::minutes(10)), &night),
            expected
        );
    }

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let mut carl = person("America/New_York");
        assert_eq!(
            is_quiet(at("2026-03-06T23:00[America/New_York]"), &carl),
            None
        );
        carl.quiet = Some(Quiet {
            from: time(22, 0, 0, 0),
            until: time(7, 0, 0, 0),
        });
        let morning = at("2026-03-07T07:00[America/New_York]");
        for now in ["2026-03-06T22:00", "2026-03-06T23:59", "2026-03-07T06:59"] {
            let now = at(&format!("{now}[America/New_York]"));
            assert_eq!(is_quiet(now, &carl), Some(morning));
        }
        assert_eq!(
            is_quiet(at("2026-03-07T07:00[America/New_York]"), &carl),
            None
        );
        assert_eq!(
            is_quiet(at("2026-03-06T21:59[America/New_York]"), &carl),
            None
        );
    }

    #[test]
    fn in_every_zone_working_time_ends_while_people_work() {
        let from = at("2026-03-27T15:00[UTC]");
        let spans = [
            Span::Working(Millis::hours(13)),
            Span::WorkingDays(1),
            Span::WorkingDays(3),
        ];
        let mut zones = 0;
        for name in jiff::tz::db().available() {
            zones += 1;
            let mut anyone = person(name.as_str());
            anyone.quiet = Some(Quiet {
                from: time(20, 0, 0, 0),
                until: time(6, 0, 0, 0),
            });
            let zone = anyone.time_zone();
            for hours in (0..9).map(|n| n * 26) {
                let from = from + Millis::hours(hours);
                for span in spans {
                    let due = due(from, span, &anyone);
                    let there = local(due, &zone);
                    assert!(due > from, "{name:?} {span:?}");
                    assert!(works_on(&anyone, there.date()), "{name:?} {span:?} {there}");
                    let working =
                        anyone.hours.from <= there.time() && there.time() <= anyone.hours.until;
                    assert!(working, "{name:?} {span:?} {there}");
                }
                if let Some(until) = is_quiet(from, &anyone) {
                    assert!(until > from);
                    assert_eq!(is_quiet(until, &anyone), None, "{name:?} {until}");
                }
            }
        }
        assert!(zones > 400, "{zones}");
    }

    const ZONES: [&str; 4] = [
        "Europe/Berlin",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "UTC",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn more_time_is_never_due_earlier(
            start in 0_i64..4_000_000_000,
            minutes in 1_u64..10_000,
            more in 0_u64..5_000,
            zone in prop::sample::select(ZONES.to_vec()),
        ) {
            let from = Time(start * 1_000_000);
            let anyone = person(zone);
            let short = due(from, Span::Working(Millis::minutes(minutes)), &anyone);
            let long = due(from, Span::Working(Millis::minutes(minutes + more)), &anyone);
            prop_assert!(from < short && short <= long);
            prop_assert!(short >= from + Millis::minutes(minutes));
        }
    }
}
