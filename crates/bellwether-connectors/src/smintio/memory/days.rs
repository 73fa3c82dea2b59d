//! Days in the connection's zone: the last day of a term, when thresholds before it begin, when it
//! ends. Only dates are computed here.

use bellwether_model::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};

/// The zone of a connection; UTC when its name is no longer known.
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The local day of an instant.
pub(super) fn day(at: Time, zone: &TimeZone) -> Date {
    at.timestamp().to_zoned(zone.clone()).date()
}

/// The last day on which something may be used that ends at `until`: an end at midnight is the end
/// of the day before.
pub(super) fn last_day(until: Time, zone: &TimeZone) -> Date {
    let before = until
        .timestamp()
        .checked_sub(SignedDuration::from_micros(1))
        .unwrap_or(until.timestamp());
    day(before.into(), zone)
}

/// The day so many days before another one.
pub(super) fn days_before(day: Date, days: i64) -> Date {
    day.checked_sub(days.days()).unwrap_or(Date::MIN)
}

/// When a day begins in the zone: at midnight, or at the first instant after it that there is.
pub(super) fn begins(day: Date, zone: &TimeZone) -> Time {
    let start = day.to_zoned(zone.clone()).and_then(|at| at.start_of_day());
    start.map_or(Time(i64::MAX), |at| at.timestamp().into())
}

/// When a day is over in the zone.
pub(super) fn ends(day: Date, zone: &TimeZone) -> Time {
    day.tomorrow()
        .map_or(Time(i64::MAX), |next| begins(next, zone))
}

/// How many days lie between; negative when `to` is earlier.
pub(super) fn between(from: Date, to: Date) -> i64 {
    let span = from.until(to).map(|span| span.get_days());
    span.map_or(0, i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_local_midnight_also_when_the_clock_is_put_forward() {
        let vienna = zone("Europe/Vienna");
        let at = |text: &str| Time::parse(text).expect("a time");
        let last = last_day(at("2026-03-29T10:00:00Z"), &vienna);
        assert_eq!(last.to_string(), "2026-03-29");
        assert_eq!(begins(last, &vienna), at("2026-03-28T23:00:00Z"));
        assert_eq!(ends(last, &vienna), at("2026-03-29T22:00:00Z"), "23 hours");
        // Midnight ends the day before; just before it is still that day.
        let midnight = at("2026-03-31T22:00:00Z");
        assert_eq!(last_day(midnight, &vienna).to_string(), "2026-03-31");
        let tokyo = zone("Asia/Tokyo");
        assert_eq!(last_day(midnight, &tokyo).to_string(), "2026-04-01");
        assert_eq!(between(last, days_before(last, 30)), -30);
        // Where midnight does not exist.
        let cairo = zone("Africa/Cairo");
        let gap = last_day(at("2026-04-24T10:00:00Z"), &cairo);
        assert_eq!(begins(gap, &cairo), at("2026-04-23T22:00:00Z"));
    }
}
