//! Reads a date with time out of a text as people write it in mails: `9 March 2026, 18:40`,
//! `09.03.2026 18:40 Uhr`, `2026-03-09 6:40 pm`. What is not clear is nothing: a wrong deadline is
//! worse than none.

use std::sync::LazyLock;

use bellwether_model::time::Time;
use jiff::civil::{Date, Time as Clock};
use jiff::tz::TimeZone;

/// The longest text in which a moment is looked for.
const TEXT_MAX: usize = 1024;
/// Months by their first letters, in both languages.
const MONTHS: [(&str, i8); 16] = [
    ("jan", 1),
    ("jän", 1),
    ("feb", 2),
    ("mar", 3),
    ("mär", 3),
    ("apr", 4),
    ("may", 5),
    ("mai", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("sep", 9),
    ("oct", 10),
    ("okt", 10),
    ("nov", 11),
    ("de", 12),
];

static DATES: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    let iso = r"(?P<y1>\d{4})-(?P<m1>\d{2})-(?P<d1>\d{2})";
    let dotted = r"(?P<d2>\d{1,2})\.\s?(?P<m2>\d{1,2})\.\s?(?P<y2>\d{4})";
    let words = r"(?P<d3>\d{1,2})(?:\.|st|nd|rd|th)?\s+(?P<m3>\pL{3,9})\.?,?\s+(?P<y3>\d{4})";
    let american = r"(?P<m4>\pL{3,9})\s+(?P<d4>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<y4>\d{4})";
    regex::Regex::new(&format!(
        r"(?i)\b(?:{iso}|{dotted}|{words}|{american})(?:\D|$)"
    ))
    .ok()
});
static CLOCKS: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    regex::Regex::new(
        r"(?i)(?:^|[^\d:.])(?P<h>\d{1,2}):(?P<m>\d{2})(?::\d{2})?\s*(?P<half>[ap]m\b)?",
    )
    .ok()
});

/// The one moment in a text, in a zone. A time alone is today; a date alone is its last moment.
/// None when there is none, several that differ, or one that no calendar has.
pub(super) fn moment(text: &str, zone: &TimeZone, now: Time) -> Option<Time> {
    if text.len() > TEXT_MAX {
        return None;
    }
    // An instant of a machine says its zone itself.
    if let Some(time) = text.split_whitespace().find_map(|w| Time::parse(w).ok()) {
        return Some(time);
    }
    let date = the_one(DATES.as_ref()?.captures_iter(text).map(|c| date(&c)))?;
    let clock = the_one(CLOCKS.as_ref()?.captures_iter(text).map(|c| clock(&c)))?;
    let today = now.timestamp().to_zoned(zone.clone()).date();
    let at = match (date, clock) {
        (None, None) => return None,
        (date, Some(clock)) => date.unwrap_or(today).to_datetime(clock),
        (Some(date), None) => date.to_datetime(jiff::civil::time(23, 59, 59, 0)),
    };
    let zoned = at.to_zoned(zone.clone()).ok()?;
    Some(Time::from(zoned.timestamp()))
}

/// What all of them say: `Some(None)` when there are none; None when one is not to be understood or
/// they differ.
fn the_one<T: PartialEq>(found: impl Iterator<Item = Option<T>>) -> Option<Option<T>> {
    let mut one = None;
    for each in found {
        let each = each?;
        match &one {
            None => one = Some(each),
            Some(known) if *known == each => {}
            Some(_) => return None,
        }
    }
    Some(one)
}

fn date(found: &regex::Captures<'_>) -> Option<Date> {
    let part = |names: [&str; 4]| names.iter().find_map(|name| found.name(name));
    let year = part(["y1", "y2", "y3", "y4"])?.as_str().parse().ok()?;
    let day = part(["d1", "d2", "d3", "d4"])?.as_str().parse().ok()?;
    let month = part(["m1", "m2", "m3", "m4"])?.as_str().to_lowercase();
    let by_name = || {
        let known = MONTHS.iter().find(|(name, _)| month.starts_with(name));
        known.map(|(_, number)| *number)
    };
    let month = month.parse().ok().or_else(by_name)?;
    Date::new(year, month, day).ok()
}

fn clock(found: &regex::Captures<'_>) -> Option<Clock> {
    let number = |name: &str| found.name(name)?.as_str().parse::<i8>().ok();
    let hour = number("h")?;
    let half = found
        .name("half")
        .map(|half| half.as_str().to_ascii_lowercase());
    let hour = match half.as_deref() {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some("pm") => hour % 12 + 12,
        Some(_) => hour % 12,
    };
    Clock::new(hour, number("m")?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        let now = Time::parse("2026-03-02T12:00:00Z").unwrap();
        let cases = [
            ("9 March 2026, 18:40", "2026-03-09T17:40:00Z"),
            ("Mon 9th Mar 2026 6:40 pm", "2026-03-09T17:40:00Z"),
            ("March 9, 2026 at 12:05 am", "2026-03-08T23:05:00Z"),
            ("09.03.2026, 18:40 Uhr", "2026-03-09T17:40:00Z"),
            ("9. März 2026 um 18:40", "2026-03-09T17:40:00Z"),
            ("2026-07-09 18:40", "2026-07-09T16:40:00Z"),
            ("2026-03-09T18:40:00Z", "2026-03-09T18:40:00Z"),
            ("18:40", "2026-03-02T17:40:00Z"),
            ("2026-03-31", "2026-03-31T21:59:59Z"),
            ("2026-03-31 (that is 31.03.2026)", "2026-03-31T21:59:59Z"),
        ];
        for (text, expected) in cases {
            let found = moment(text, &zone, now);
            assert_eq!(found, Time::parse(expected).ok(), "{text}");
        }
        let unclear = [
            "",
            "soon",
            "03/09/2026",
            "9 March 2026 or 10 March 2026",
            "18:40 or 19:40",
            "30 February 2026",
            "25:10",
            "9 Smarch 2026",
            "13:10 pm",
        ];
        for text in unclear {
            assert_eq!(moment(text, &zone, now), None, "{text}");
        }
    }
}
