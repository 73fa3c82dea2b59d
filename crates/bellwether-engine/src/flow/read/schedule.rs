//! Times of day on certain days as people write them: `08:30`, `Fri 16:00`, `Mon, Thu 09:00`,
//! `every day 07:00`. When the next one is, is the calendar's.

use crate::flow::def::{Days, Schedule};

/// The days of the week by their first three letters, Monday first.
const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads a schedule. Without days it is on working days.
///
/// # Errors
/// A sentence that says what cannot be understood and how to write it.
pub(crate) fn schedule(text: &str) -> Result<Schedule, String> {
    let wrong = || {
        format!(
            "`{text}` is not a time of day on certain days; write \"08:30\" for working days, \
             \"Fri 16:00\", \"Mon, Thu 09:00\" or \"every day 07:00\""
        )
    };
    let (days, time) = match text.trim().rsplit_once(' ') {
        Some((days, time)) => (days.trim(), time),
        None => ("", text.trim()),
    };
    let time = match time.parse::<jiff::civil::Time>() {
        Ok(parsed) if time.contains(':') => parsed,
        _ => return Err(wrong()),
    };
    let days = match days.to_lowercase().as_str() {
        "" | "working days" => Days::Working,
        "every day" | "daily" => Days::All,
        names => {
            let day = |name: &str| {
                let name = name.trim();
                let found = WEEK.iter().position(|day| name.starts_with(day));
                found.and_then(|index| i8::try_from(index + 1).ok())
            };
            let days: Option<Vec<i8>> = names.split(',').map(day).collect();
            Days::Of(days.ok_or_else(wrong)?)
        }
    };
    Ok(Schedule { days, time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::time;

    #[test]
    fn schedules_are_read_as_people_write_them() {
        let at = |hour, minute, days| Schedule {
            days,
            time: time(hour, minute, 0, 0),
        };
        let cases = [
            ("08:30", at(8, 30, Days::Working)),
            ("working days 08:30", at(8, 30, Days::Working)),
            ("every day 07:00", at(7, 0, Days::All)),
            ("Fri 16:00", at(16, 0, Days::Of(vec![5]))),
            ("Monday, thu 09:00", at(9, 0, Days::Of(vec![1, 4]))),
        ];
        for (text, expected) in cases {
            assert_eq!(schedule(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "8",
            "Fri",
            "Fri 16",
            "Fritag 25:00",
            "Xyz 10:00",
            "Mon,, 10:00",
        ] {
            let said = schedule(text).unwrap_err();
            assert!(said.contains("08:30"), "{text}: {said}");
        }
    }
}
