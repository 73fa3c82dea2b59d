//! People as rows of a table, for lists that people keep in spreadsheets: how each column is
//! written and read. Reading CSV itself, and applying what was read, is done elsewhere.

use serde_json::{Map, Value, json};

use super::{AwaySource, Directory, Person};

/// The columns of a table of people, in order.
pub const COLUMNS: [&str; 19] = [
    "id",
    "name",
    "emails",
    "zone",
    "language",
    "manager",
    "deputy",
    "team",
    "roles",
    "push",
    "away",
    "hours",
    "days",
    "quiet",
    "holidays",
    "calendars",
    "privacy",
    "start",
    "inactive",
];

/// A cell that takes away what was there; an empty one leaves it.
pub const NOTHING: &str = "-";

/// The person's id and fields of a row, as a change of the directory takes them.
///
/// # Errors
/// What is wrong with a cell, in a sentence with the column and what to write.
pub fn of_row(row: &Map<String, Value>) -> Result<(String, Value), Vec<String>> {
    let mut wrong = Vec::new();
    let mut fields = Map::new();
    let mut id = String::new();
    for (column, cell) in row {
        let column = column.trim().to_lowercase();
        let cell = cell.as_str().unwrap_or_default().trim();
        match (column.as_str(), cell) {
            (_, "") => {}
            ("id", _) => cell.clone_into(&mut id),
            ("email", _) => drop(fields.insert("emails".to_owned(), list(cell))),
            ("days", NOTHING) => {}
            (known, NOTHING) if COLUMNS.contains(&known) => {
                fields.insert(known.to_owned(), Value::Null);
            }
            ("hours" | "days", _) => {}
            (known, _) if COLUMNS.contains(&known) => match read(known, cell) {
                Ok(value) => drop(fields.insert(column, value)),
                Err(why) => wrong.push(format!("{column}: {why}")),
            },
            _ => {
                let all = COLUMNS.join(", ");
                wrong.push(format!("there is no column {column}; there are: {all}"));
            }
        }
    }
    match hours(row) {
        Ok(Some(hours)) => drop(fields.insert("hours".to_owned(), hours)),
        Ok(None) => {}
        Err(why) => wrong.push(why),
    }
    if id.is_empty() {
        wrong.insert(
            0,
            "the column id is empty: it names the person, such as alice".to_owned(),
        );
    }
    if wrong.is_empty() {
        return Ok((id, Value::Object(fields)));
    }
    Err(wrong)
}

fn list(cell: &str) -> Value {
    let all = cell.split([';', ',', '\n']).map(str::trim);
    all.filter(|one| !one.is_empty()).collect()
}

fn read(column: &str, cell: &str) -> Result<Value, String> {
    Ok(match column {
        "emails" | "roles" | "push" | "calendars" => list(cell),
        "holidays" => {
            let days = list(cell);
            for day in days.as_array().into_iter().flatten() {
                date(day.as_str().unwrap_or_default())?;
            }
            days
        }
        "start" => json!(date(cell)?),
        "inactive" => json!(matches!(
            cell.to_lowercase().as_str(),
            "yes" | "true" | "1" | "x" | "ja"
        )),
        "privacy" if !["full", "brief", "hidden"].contains(&cell) => {
            return Err(format!("`{cell}` is none of full, brief and hidden"));
        }
        "quiet" => {
            let (from, until) = times(cell)?;
            json!({ "from": from, "until": until })
        }
        "away" => {
            let mut all = Vec::new();
            for one in cell.split(';').map(str::trim).filter(|one| !one.is_empty()) {
                let (from, until) = one.split_once("..").unwrap_or((one, one));
                let source = AwaySource::Csv;
                all.push(json!({ "from": date(from)?, "until": date(until)?, "source": source }));
            }
            Value::Array(all)
        }
        _ => json!(cell),
    })
}

fn date(text: &str) -> Result<jiff::civil::Date, String> {
    let text = text.trim();
    let read = text.parse();
    read.map_err(|_| format!("`{text}` is not a day: write it as 2026-03-02"))
}

fn times(cell: &str) -> Result<(jiff::civil::Time, jiff::civil::Time), String> {
    let wrong = || format!("`{cell}` is not a span of the day: write it as 09:00-17:30");
    let (from, until) = cell.split_once('-').ok_or_else(wrong)?;
    let time = |text: &str| text.trim().parse().map_err(|_| wrong());
    Ok((time(from)?, time(until)?))
}

/// Working hours, which stand in two columns.
fn hours(row: &Map<String, Value>) -> Result<Option<Value>, String> {
    let cell = |name: &str| {
        let found = row.get(name).and_then(Value::as_str).map(str::trim);
        found.filter(|text| !text.is_empty() && *text != NOTHING)
    };
    let mut out = Map::new();
    if let Some(span) = cell("hours") {
        let (from, until) = times(span).map_err(|why| format!("hours: {why}"))?;
        out.insert("from".to_owned(), json!(from));
        out.insert("until".to_owned(), json!(until));
    }
    if let Some(days) = cell("days") {
        let mut all = Vec::new();
        for sign in days.chars().filter(|sign| !matches!(sign, ' ' | ',' | ';')) {
            let day = sign.to_digit(10).filter(|day| (1..=7).contains(day));
            let wrong = || format!("days: `{days}` must be digits such as 12345: 1 is Monday");
            all.push(day.ok_or_else(wrong)?);
        }
        out.insert("days".to_owned(), json!(all));
    }
    Ok((!out.is_empty()).then_some(Value::Object(out)))
}

impl Directory {
    /// Everybody as rows with the cells of [`COLUMNS`], in order of id. What [`of_row`] reads from
    /// them is what stands here.
    pub fn rows(&self) -> Vec<[String; 19]> {
        self.people
            .iter()
            .map(|(id, person)| cells(id, person))
            .collect()
    }
}

fn cells(id: &str, person: &Person) -> [String; 19] {
    let or_nothing = |text: &str| {
        if text.is_empty() {
            NOTHING.to_owned()
        } else {
            text.to_owned()
        }
    };
    let optional = |text: Option<&String>| or_nothing(text.map_or("", String::as_str));
    let join = |all: &[String]| or_nothing(&all.join(";"));
    let span = |from: jiff::civil::Time, until: jiff::civil::Time| {
        format!("{}-{}", from.strftime("%H:%M"), until.strftime("%H:%M"))
    };
    let away: Vec<String> = person
        .away
        .iter()
        .map(|a| format!("{}..{}", a.from, a.until))
        .collect();
    let holidays: Vec<String> = person.holidays.iter().map(ToString::to_string).collect();
    let days: String = person.hours.days.iter().map(ToString::to_string).collect();
    let privacy = person.privacy.map(|privacy| json!(privacy));
    [
        id.to_owned(),
        or_nothing(&person.name),
        join(&person.emails),
        or_nothing(&person.zone),
        or_nothing(&person.language),
        optional(person.manager.as_ref()),
        optional(person.deputy.as_ref()),
        optional(person.team.as_ref()),
        join(&person.roles),
        join(&person.push),
        join(&away),
        span(person.hours.from, person.hours.until),
        or_nothing(&days),
        person
            .quiet
            .map_or_else(|| NOTHING.to_owned(), |quiet| span(quiet.from, quiet.until)),
        join(&holidays),
        join(&person.calendars),
        or_nothing(privacy.as_ref().and_then(Value::as_str).unwrap_or_default()),
        person
            .start
            .map_or_else(|| NOTHING.to_owned(), |day| day.to_string()),
        if person.inactive { "yes" } else { "no" }.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[(&str, &str)]) -> Map<String, Value> {
        let cells = cells.iter();
        cells
            .map(|(key, cell)| ((*key).to_owned(), json!(cell)))
            .collect()
    }

    #[test]
    fn a_row_says_what_is_wrong_with_its_cells() {
        let wrong = of_row(&row(&[
            ("name", "Ann"),
            ("holidays", "26.12.2026"),
            ("hours", "nine to five"),
            ("days", "189"),
            ("privacy", "secret"),
            ("fax", "1"),
        ]));
        let wrong = wrong.unwrap_err();
        for words in [
            "column id is empty",
            "26.12.2026",
            "09:00-17:30",
            "secret",
            "no column fax",
        ] {
            assert!(
                wrong.iter().any(|line| line.contains(words)),
                "{words}: {wrong:?}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let json = json!({"people": {
            "ann": {"name": "Ann Arnold", "zone": "Europe/Vienna", "emails": ["ann@x.example", "a@x.example"],
                "roles": ["legal", "brand"], "away": [{"from": "2026-03-02", "until": "2026-03-06", "source": "csv"}],
                "hours": {"from": "08:00", "until": "16:30", "days": [1, 2, 3, 4]},
                "quiet": {"from": "21:00", "until": "06:30"}, "holidays": ["2026-12-24"],
                "privacy": "hidden", "start": "2026-01-01", "deputy": "ben", "team": "brand"},
            "ben": {"zone": "UTC", "push": ["ben"], "inactive": true},
        }});
        let directory: Directory = serde_json::from_value(json).unwrap();
        let mut again = Directory::default();
        let mut people = Map::new();
        for cells in directory.rows() {
            let cells: Vec<(&str, &str)> = COLUMNS
                .iter()
                .copied()
                .zip(cells.iter().map(String::as_str))
                .collect();
            let (id, fields) = of_row(&row(&cells)).unwrap();
            people.insert(id, fields);
        }
        again = again.changed(&json!({ "people": people })).unwrap();
        let mut want = directory.clone();
        want.settle();
        assert_eq!(again.people, want.people);
    }

    #[test]
    fn an_empty_cell_leaves_and_a_dash_takes_away() {
        let (id, fields) = of_row(&row(&[
            ("id", "ann"),
            ("team", "-"),
            ("name", ""),
            ("email", "a@x.example"),
        ]))
        .unwrap();
        assert_eq!(
            (id.as_str(), fields),
            ("ann", json!({"team": null, "emails": ["a@x.example"]}))
        );
    }
}
