//! Lengths of time as people say them: `30 minutes`, `4 working hours`, `2 working days`.

use bellwether_model::time::Millis;

use crate::flow::def::Span;

/// No span is longer than this.
const DAYS_MAX: u64 = 3660;

/// A unit of time.
struct Unit {
    words: &'static [&'static str],
    length: Millis,
    /// Whether it can be counted in working time.
    works: bool,
}

const UNITS: [Unit; 5] = [
    Unit {
        words: &["second", "seconds", "s"],
        length: Millis::seconds(1),
        works: true,
    },
    Unit {
        words: &["minute", "minutes", "min", "m"],
        length: Millis::minutes(1),
        works: true,
    },
    Unit {
        words: &["hour", "hours", "h"],
        length: Millis::hours(1),
        works: true,
    },
    Unit {
        words: &["day", "days", "d"],
        length: Millis::days(1),
        works: true,
    },
    Unit {
        words: &["week", "weeks"],
        length: Millis::days(7),
        works: false,
    },
];

/// What a length of time looks like, as a regular expression for editors.
pub(crate) fn pattern() -> String {
    let words = |working: bool| {
        let units = UNITS.iter().filter(|unit| unit.works == working);
        let words: Vec<&str> = units.flat_map(|unit| unit.words).copied().collect();
        words.join("|")
    };
    let (both, clock) = (words(true), words(false));
    format!("^\\s*0*[1-9][0-9]*\\s*((working\\s+)?({both})|{clock})\\s*$")
}

/// Reads a length of time.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn span(text: &str) -> Result<Span, String> {
    let example = "write it as `30 minutes`, `4 working hours` or `2 working days`";
    let mut words = text.split_whitespace();
    let count = words.next().unwrap_or_default();
    let digits = count.len() - count.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, glued) = count.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` is not a length of time; {example}"))?;
    let mut rest: Vec<&str> = Some(glued)
        .filter(|glued| !glued.is_empty())
        .into_iter()
        .chain(words)
        .collect();
    let working = rest.first() == Some(&"working");
    if working {
        rest.remove(0);
    }
    let [unit] = rest.as_slice() else {
        return Err(format!("`{text}` is not a length of time; {example}"));
    };
    let known = UNITS.iter().find(|known| known.words.contains(unit));
    let Some(known) = known.filter(|known| known.works || !working) else {
        return Err(format!("`{unit}` is not a unit of time; {example}"));
    };
    let total = number
        .checked_mul(known.length.0)
        .filter(|total| (1..=Millis::days(DAYS_MAX).0).contains(total))
        .ok_or_else(|| format!("`{text}` is zero or longer than ten years"))?;
    Ok(match (working, known.length.0 >= Millis::days(1).0) {
        (true, true) => Span::WorkingDays(u32::try_from(number).unwrap_or(u32::MAX)),
        (true, false) => Span::Working(Millis(total)),
        (false, _) => Span::Clock(Millis(total)),
    })
}

/// About how long it is by the clock: for the order of a ladder, where a working day counts as a
/// day and a working hour as three.
pub(crate) fn roughly(span: Span) -> u64 {
    match span {
        Span::Clock(length) => length.0,
        Span::Working(length) => length.0.saturating_mul(3),
        Span::WorkingDays(days) => Millis::days(u64::from(days)).0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_say_them() {
        let cases = [
            ("30 minutes", Some(Span::Clock(Millis::minutes(30)))),
            ("4h", Some(Span::Clock(Millis::hours(4)))),
            ("1 day", Some(Span::Clock(Millis::days(1)))),
            ("2 weeks", Some(Span::Clock(Millis::days(14)))),
            ("4 working hours", Some(Span::Working(Millis::hours(4)))),
            ("1 working day", Some(Span::WorkingDays(1))),
            ("5 working days", Some(Span::WorkingDays(5))),
            ("PT4H", None),
            ("4", None),
            ("0 hours", None),
            ("4 working weeks", None),
            ("four hours", None),
            ("99999999999999999999 days", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(span(text).ok(), expected, "{text}");
        }
    }
}
