//! Dates, ages and lists in the reader's language. Two languages so far; any other reads English.

use bellwether_model::time::Time;
use jiff::tz::TimeZone;

/// A language in which we can say dates and amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

/// What is said in a language: under its very tag, else under the same language of any region
/// (`de-AT` reads `de`).
pub(crate) fn in_language<'a, T>(said: &'a [(String, T)], tag: &str) -> Option<&'a T> {
    let exact = said
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(tag));
    let found = exact.or_else(|| {
        let same = |known: &str| main_tag(known).eq_ignore_ascii_case(main_tag(tag));
        said.iter().find(|(known, _)| same(known))
    });
    found.map(|(_, what)| what)
}

/// The language without its region: `de` of `de-AT`.
pub(crate) fn main_tag(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl Language {
    /// The language of a code such as `de` or `de-AT`.
    pub fn of(code: &str) -> Self {
        match code.get(..2) {
            Some(start) if start.eq_ignore_ascii_case("de") => Self::De,
            _ => Self::En,
        }
    }

    /// `2 March 2026, 10:05`, in the zone; in UTC it says so.
    pub(crate) fn date_time(self, time: Time, zone: &TimeZone) -> String {
        let at = time.timestamp().to_zoned(zone.clone());
        let month = usize::from(at.month().unsigned_abs().clamp(1, 12)) - 1;
        let utc = if zone.iana_name().is_none_or(|name| name == "UTC") {
            " UTC"
        } else {
            ""
        };
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::En => format!(
                "{day} {} {year}, {hour:02}:{minute:02}{utc}",
                MONTHS_EN[month]
            ),
            Self::De => format!(
                "{day}. {} {year}, {hour:02}:{minute:02} Uhr{utc}",
                MONTHS_DE[month]
            ),
        }
    }

    /// How long before `now` it was: `3 hours ago`.
    pub(crate) fn ago(self, time: Time, now: Time) -> String {
        let seconds = now.since(time).0 / 1000;
        let (count, unit) = match seconds {
            0..60 => return self.pick("just now", "gerade eben").to_owned(),
            60..3600 => (seconds / 60, 0),
            3600..86_400 => (seconds / 3600, 1),
            _ => (seconds / 86_400, 2),
        };
        let many = usize::from(count != 1);
        match self {
            Self::En => {
                let unit = [["minute", "minutes"], ["hour", "hours"], ["day", "days"]][unit][many];
                format!("{count} {unit} ago")
            }
            Self::De => {
                let unit = [
                    ["Minute", "Minuten"],
                    ["Stunde", "Stunden"],
                    ["Tag", "Tagen"],
                ][unit][many];
                format!("vor {count} {unit}")
            }
        }
    }

    /// `Alice, Bob and Carl`.
    pub(crate) fn and(self, names: &[String]) -> String {
        let word = self.pick("and", "und");
        match names {
            [] => String::new(),
            [one] => one.clone(),
            [all @ .., last] => format!("{} {word} {last}", all.join(", ")),
        }
    }

    /// `3 files` with the names.
    pub(crate) fn files(self, names: &[String]) -> String {
        let word = match (self, names.len()) {
            (Self::En, 1) => "file",
            (Self::En, _) => "files",
            (Self::De, 1) => "Datei",
            (Self::De, _) => "Dateien",
        };
        format!("{} {word}: {}", names.len(), names.join(", "))
    }

    /// The text in this language.
    pub(crate) fn pick(self, en: &'static str, de: &'static str) -> &'static str {
        match self {
            Self::En => en,
            Self::De => de,
        }
    }
}
