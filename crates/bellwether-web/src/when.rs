//! Instants in words, in the reader's zone and language. Callers name the zone; an unknown zone
//! reads as UTC.

use bellwether_model::time::Time;

/// The languages that pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    En,
    De,
}

const DAYS: [[&str; 7]; 2] = [
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
];
const MONTHS: [[&str; 12]; 2] = [
    [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ],
    [
        "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sep.", "Okt.", "Nov.",
        "Dez.",
    ],
];

/// An instant taken apart in a zone.
struct Parts {
    weekday: usize,
    day: i8,
    month: usize,
    year: i16,
    clock: String,
}

fn parts(at: Time, zone: &str) -> Parts {
    let utc = at.timestamp().in_tz("UTC");
    // UTC is always known; the fallback keeps a page alive if a zone table is ever missing.
    let zoned = at.timestamp().in_tz(zone).or(utc);
    match zoned {
        Ok(zoned) => Parts {
            weekday: usize::try_from(zoned.weekday().to_monday_zero_offset()).unwrap_or(0),
            day: zoned.day(),
            month: usize::try_from(zoned.month() - 1).unwrap_or(0),
            year: zoned.year(),
            clock: format!("{:02}:{:02}", zoned.hour(), zoned.minute()),
        },
        Err(_) => Parts {
            weekday: 0,
            day: 1,
            month: 0,
            year: 1970,
            clock: "00:00".to_owned(),
        },
    }
}

impl Language {
    /// The language of a person or of a browser's preference; English when neither is ours.
    pub(crate) fn of(tag: &str) -> Self {
        if tag.trim_start().to_ascii_lowercase().starts_with("de") {
            Self::De
        } else {
            Self::En
        }
    }

    /// The tag for `lang=`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    fn row(self) -> usize {
        usize::from(self == Self::De)
    }
}

/// "Mon 10:42" within a week of now, "Mon 2 Mar 10:42" farther away, with the year in other years.
pub(crate) fn moment(at: Time, now: Time, zone: &str, language: Language) -> String {
    let row = language.row();
    let there = parts(at, zone);
    let day = DAYS[row][there.weekday % 7];
    let near = at.seconds().abs_diff(now.seconds()) < 6 * 86_400;
    if near {
        return format!("{day} {}", there.clock);
    }
    let month = MONTHS[row][there.month % 12];
    let dot = if language == Language::De { "." } else { "" };
    let year = if there.year == parts(now, zone).year {
        String::new()
    } else {
        format!(" {}", there.year)
    };
    format!("{day} {}{dot} {month}{year} {}", there.day, there.clock)
}

/// "10:42" on the same day, else as [`moment`].
pub(crate) fn clock(at: Time, now: Time, zone: &str) -> String {
    let (there, here) = (parts(at, zone), parts(now, zone));
    if (there.year, there.month, there.day) == (here.year, here.month, here.day) {
        there.clock
    } else {
        moment(at, now, zone, Language::En)
    }
}

/// A length of time in its largest unit: "2 h", "5 min", "3 days".
pub(crate) fn span(seconds: i64, language: Language) -> String {
    let seconds = seconds.max(0);
    let (n, one, many) = match (seconds, language) {
        (0..60, Language::En) => return "less than a minute".to_owned(),
        (0..60, Language::De) => return "weniger als eine Minute".to_owned(),
        (60..3600, _) => (seconds / 60, "min", "min"),
        (3600..172_800, _) => (seconds / 3600, "h", "h"),
        (_, Language::En) => (seconds / 86_400, "day", "days"),
        (_, Language::De) => (seconds / 86_400, "Tag", "Tage"),
    };
    format!("{n} {}", if n == 1 { one } else { many })
}
