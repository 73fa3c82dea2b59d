//! Tables as CSV: a first line with the names of the columns, then rows. What the columns mean is
//! the business of whoever takes the rows.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// The most rows of one call.
pub(crate) const ROWS_MAX: usize = 500;

/// The rows as a list of objects of texts; empty cells are left out.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let wrong = |error: csv::Error| Problem::bad(format!("the body is not CSV: {error}"));
    // A byte order mark is what spreadsheets write first.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let columns = reader.headers().map_err(wrong)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let cells = columns.iter().zip(record.iter());
        let cells = cells.filter(|(_, cell)| !cell.is_empty());
        let row: Map<String, Value> = cells
            .map(|(name, cell)| (name.to_owned(), Value::from(cell)))
            .collect();
        rows.push(Value::Object(row));
        if rows.len() > ROWS_MAX {
            return Err(too_many());
        }
    }
    Ok(Value::Array(rows))
}

fn too_many() -> Problem {
    Problem::bad(format!("send at most {ROWS_MAX} entries in one call"))
}

/// The entries of a body: a list, an object with the list under `name`, or one entry alone. Each is
/// an object with no other keys than the known ones: a misspelt one must not be lost in silence.
pub(crate) fn entries(
    body: Value,
    name: &str,
    known: &[&str],
) -> Result<Vec<Map<String, Value>>, Problem> {
    let list = match body {
        Value::Array(list) => list,
        Value::Object(mut fields) => match fields.remove(name) {
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Problem::bad(format!("`{name}` must be a list"))),
            None => vec![Value::Object(fields)],
        },
        _ => {
            let message = format!("the body must be an object with a list `{name}`, or CSV");
            return Err(Problem::bad(message));
        }
    };
    if list.len() > ROWS_MAX {
        return Err(too_many());
    }
    let mut entries = Vec::with_capacity(list.len());
    for (at, value) in list.into_iter().enumerate() {
        let Value::Object(fields) = value else {
            return Err(Problem::bad(format!("entry {at} is not an object")));
        };
        if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            let message = format!(
                "entry {at}: there is no `{key}`; there are: {}",
                known.join(", ")
            );
            return Err(Problem::bad(message));
        }
        entries.push(fields);
    }
    Ok(entries)
}

/// A text of an entry; absent and null count as empty.
pub(crate) fn text(entry: &Map<String, Value>, key: &str) -> Result<String, String> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(_) => Err(format!("`{key}` must be a text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn csv_is_a_list_of_objects_and_says_what_is_wrong_with_it() {
        let table = "\u{feff}asset, document\nlogo,\"Flyer, \"\"A\"\"\"\nphoto,\n";
        let rows = read(table.as_bytes()).unwrap();
        let want = json!([{"asset": "logo", "document": "Flyer, \"A\""}, {"asset": "photo"}]);
        assert_eq!(rows, want);
        assert!(read(b"a,b\n1,2,3\n").unwrap_err().message.contains("CSV"));
        let many = format!("a\n{}", "1\n".repeat(ROWS_MAX + 1));
        assert!(read(many.as_bytes()).unwrap_err().message.contains("500"));
    }

    #[test]
    fn entries_come_alone_in_a_list_or_under_their_name() {
        let taken = |body| entries(body, "usages", &["asset"]).map(|list| list.len());
        assert_eq!(taken(json!({"asset": "a"})).unwrap(), 1);
        assert_eq!(taken(json!([{"asset": "a"}, {}])).unwrap(), 2);
        assert_eq!(taken(json!({"usages": [{"asset": "a"}]})).unwrap(), 1);
        for wrong in [
            json!(null),
            json!(7),
            json!([7]),
            json!({"usages": 7}),
            json!({"aset": 1}),
        ] {
            assert!(taken(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
