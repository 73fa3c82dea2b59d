//! Reads the inputs that a flow declares, and checks what is filled in when it is switched on:
//! plain data in, typed values out. Tables may come as rows or as CSV.

use serde_json::Value as Json;

use super::Reading;
use super::header::is_name;
use super::schedule::schedule;
use super::span::span;
use super::with::misfits;
use crate::flow::def::{Flow, Input, InputKind};
use crate::flow::language::{self, FORBIDDEN, INPUT, INPUT_TYPES};
use crate::lang::{Money, Value, money_value, value_of};
use crate::yaml::near::nearest;
use crate::yaml::{Node, Problem, Reader};

/// The most inputs, and the most columns of a table.
const INPUTS_MAX: usize = 50;
/// The most rows of a table.
pub const ROWS_MAX: usize = 2000;

pub(super) fn read_inputs(reading: &mut Reading<'_>, node: &Node) -> Vec<Input> {
    let Some(entries) = node.entries() else {
        let hint = "write `inputs:` and below it `name: { type: text }`";
        reading.error(node.place(), "`inputs` is a group of named inputs", hint);
        return Vec::new();
    };
    let mut out = Vec::new();
    let known = language::names(&INPUT);
    for (key, value) in entries.iter().take(INPUTS_MAX) {
        let name = key.name.as_str();
        if FORBIDDEN.contains(&name) || !is_name(name, '_') {
            let hint = "small letters, digits and _, beginning with a letter; not yes, no, on, off";
            reading.error(key.place(), format!("`{name}` cannot be a name"), hint);
        }
        let mut reader = Reader::new(value, "an input", &known, &mut reading.problems);
        let label = reader.text("label").map(str::to_owned);
        let (kind, of) = (reader.need("type"), reader.get("of"));
        let columns = reader.get("columns");
        let default = reader.get("default").map(Node::json);
        let Some(kind) = kind.and_then(|node| read_type(reading, node, of, columns)) else {
            continue;
        };
        let at = value.get("default").map_or(value.place(), Node::place);
        if let Some(default) = &default
            && !is_file(&kind, default)
            && let Err(message) = input_value(&kind, default)
        {
            let message = format!("this default does not fit: {message}");
            reading.error(at, message, "");
        }
        out.push(Input {
            name: name.to_owned(),
            kind,
            label,
            default,
        });
    }
    out
}

fn read_type(
    reading: &mut Reading<'_>,
    node: &Node,
    of: Option<&Node>,
    columns: Option<&Node>,
) -> Option<InputKind> {
    let kind = match node.text().unwrap_or_default() {
        "connection" => {
            connector_exists(reading, of);
            InputKind::Connection(of.and_then(Node::text).map(str::to_owned))
        }
        "who" => InputKind::Who,
        "text" => InputKind::Text,
        "number" => InputKind::Number,
        "numbers" => InputKind::Numbers,
        "bool" => InputKind::Bool,
        "duration" => InputKind::Duration,
        "time" => InputKind::Time,
        "schedule" => InputKind::Schedule,
        "money" => InputKind::Money,
        "table" => {
            let Some(entries) = columns.and_then(Node::entries) else {
                let hint = "columns: { kind: text, up_to: money, approver: who }";
                reading.error(node.place(), "a table needs `columns`", hint);
                return None;
            };
            let columns = entries.iter().take(INPUTS_MAX).filter_map(|(key, node)| {
                let kind = read_type(reading, node, None, None)?;
                Some((key.name.clone(), kind))
            });
            InputKind::Table(columns.collect())
        }
        other => {
            let hint = match nearest(other, INPUT_TYPES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", INPUT_TYPES.join(", ")),
            };
            reading.error(
                node.place(),
                format!("there is no input type `{other}`"),
                &hint,
            );
            return None;
        }
    };
    Some(kind)
}

fn connector_exists(reading: &mut Reading<'_>, node: Option<&Node>) {
    let Some(node) = node else { return };
    let of = node.text().unwrap_or_default();
    let names: Vec<&str> = reading
        .catalog
        .connectors
        .iter()
        .map(|def| def.name)
        .collect();
    if !names.contains(&of) {
        let hint = match nearest(of, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", names.join(", ")),
        };
        reading.error(node.place(), format!("there is no connector `{of}`"), &hint);
    }
}

fn is_file(kind: &InputKind, default: &Json) -> bool {
    let table = matches!(kind, InputKind::Table(_));
    table
        && default
            .as_str()
            .is_some_and(|text| text.ends_with(".csv") && !text.contains('\n'))
}

/// Checks what is filled in for a flow and makes it the value that expressions see as `inputs`.
/// `file` reads a file that stands next to the flow, for tables whose default is a CSV file.
///
/// # Errors
/// Everything that is missing or does not fit, each named by its input. Lines and columns are those
/// of the flow's own file where there is nothing better, so 1.
pub fn check_inputs(
    flow: &Flow,
    given: &Json,
    file: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Vec<Problem>> {
    filled_in(flow, given, file).map_err(|problems| {
        let problems = problems.into_iter().map(|(name, problem)| {
            let is_bare = !problem.message.contains(&format!("`{name}`"));
            let message = match is_bare {
                true => format!("`{name}`: {}", problem.message),
                false => problem.message.clone(),
            };
            Problem { message, ..problem }
        });
        problems.collect()
    })
}

/// The same with each problem beside the name of its input, for a form that shows it there.
///
/// # Errors
/// As for [`check_inputs`].
pub fn filled_in(
    flow: &Flow,
    given: &Json,
    file: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, Vec<(String, Problem)>> {
    let mut problems = Vec::new();
    let mut report = |name: &str, message: String, hint: String| {
        let problem = Problem::error((1, 1), message).hint(hint);
        problems.push((name.to_owned(), problem));
    };
    let empty = serde_json::Map::new();
    let given = given.as_object().unwrap_or(&empty);
    for name in given.keys() {
        if !flow.inputs.iter().any(|input| input.name == *name) {
            let near = nearest(name, flow.inputs.iter().map(|input| input.name.as_str()));
            let hint = near.map_or(String::new(), |near| format!("did you mean `{near}`?"));
            report(name, format!("this flow has no input `{name}`"), hint);
        }
    }
    let mut out = Vec::new();
    for input in &flow.inputs {
        let name = &input.name;
        let filled = given.get(name).filter(|value| !value.is_null());
        let Some(json) = filled.or(input.default.as_ref()) else {
            report(
                name,
                format!("the input `{name}` is missing"),
                String::new(),
            );
            continue;
        };
        let loaded = match (is_file(&input.kind, json), json.as_str()) {
            (true, Some(path)) => match file(path) {
                Some(text) => Json::from(text),
                None => {
                    let hint = "put it next to the flow, or fill the table in".to_owned();
                    report(name, format!("the file {path} is not there"), hint);
                    continue;
                }
            },
            _ => json.clone(),
        };
        let value = input_value(&input.kind, &loaded);
        let value = value.and_then(|value| match misfits(flow, name, &loaded) {
            Some(message) => Err(message),
            None => Ok(value),
        });
        match value {
            Ok(value) => out.push((name.clone(), value)),
            Err(message) => report(name, message, String::new()),
        }
    }
    if problems.is_empty() {
        return Ok(Value::from_pairs(out));
    }
    Err(problems)
}

/// The rows of a table as plain data, each a group of columns: from rows or from CSV. `file` is as
/// for [`check_inputs`].
///
/// # Errors
/// It is no table, in a sentence.
pub fn plain_rows(
    columns: &[(String, InputKind)],
    json: &Json,
    file: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Json>, String> {
    match json {
        Json::Array(rows) => Ok(rows.clone()),
        Json::String(text) if !text.contains('\n') && text.ends_with(".csv") => {
            let found = file(text).ok_or_else(|| format!("the file {text} is not there"))?;
            csv_rows(columns, &found)
        }
        Json::String(text) => csv_rows(columns, text),
        _ => Err("a table is a list of rows, or CSV".to_owned()),
    }
}

/// One value of a kind, from plain data.
fn input_value(kind: &InputKind, json: &Json) -> Result<Value, String> {
    let text = |what: &str| {
        json.as_str()
            .ok_or_else(|| format!("{what} is written as a text"))
    };
    match kind {
        InputKind::Connection(_) => text("a connection's name").map(Value::from),
        InputKind::Text => match json {
            Json::Number(number) => Ok(Value::from(number.to_string())),
            _ => text("this").map(Value::from),
        },
        InputKind::Who => match json {
            Json::Array(all) if all.iter().all(Json::is_string) => Ok(value_of(json)),
            _ => text("who").map(Value::from),
        },
        InputKind::Number => match (json, json.as_str().map(str::parse::<f64>)) {
            (Json::Number(_), _) => Ok(value_of(json)),
            (_, Some(Ok(number))) => Ok(Value::from(number)),
            _ => Err("this is not a number".to_owned()),
        },
        InputKind::Numbers => match json.as_array() {
            Some(all) if all.iter().all(Json::is_number) => Ok(value_of(json)),
            _ => Err("this is a list of numbers".to_owned()),
        },
        InputKind::Bool => match (json, json.as_str()) {
            (Json::Bool(value), _) => Ok(Value::from(*value)),
            (_, Some("true")) => Ok(Value::from(true)),
            (_, Some("false")) => Ok(Value::from(false)),
            _ => Err("this is true or false".to_owned()),
        },
        InputKind::Duration => {
            let text = text("a length of time")?;
            span(text).map(|_| Value::from(text))
        }
        InputKind::Time => {
            let text = text("a time of day")?;
            match text.parse::<jiff::civil::Time>() {
                Ok(_) if text.contains(':') => Ok(Value::from(text)),
                _ => Err(format!("`{text}` is not a time of day such as \"08:30\"")),
            }
        }
        InputKind::Schedule => {
            let text = text("a time of day on certain days")?;
            schedule(text).map(|_| Value::from(text))
        }
        InputKind::Money => {
            let text = text("an amount")?;
            Money::parse(text)
                .map(money_value)
                .ok_or_else(|| format!("`{text}` is not a clear amount such as 5000 EUR"))
        }
        InputKind::Table(columns) => table(columns, json),
    }
}

/// Rows as maps, or as CSV with a first line of column names.
fn table(columns: &[(String, InputKind)], json: &Json) -> Result<Value, String> {
    let rows = match json {
        Json::String(text) => csv_rows(columns, text)?,
        Json::Array(rows) => rows.clone(),
        _ => return Err("a table is a list of rows, or CSV".to_owned()),
    };
    if rows.len() > ROWS_MAX {
        return Err(format!("a table has at most {ROWS_MAX} rows"));
    }
    let mut out = Vec::with_capacity(rows.len());
    for (number, row) in (1..).zip(&rows) {
        let row = row
            .as_object()
            .ok_or_else(|| format!("row {number} is not a group of columns"))?;
        if let Some(name) = row
            .keys()
            .find(|name| !columns.iter().any(|(c, _)| c == *name))
        {
            return Err(format!("row {number}: there is no column `{name}`"));
        }
        let mut cells = Vec::with_capacity(columns.len());
        for (name, kind) in columns {
            let cell = row
                .get(name)
                .filter(|cell| !cell.is_null() && cell.as_str() != Some(""));
            let value = match cell {
                None => Value::from(()),
                Some(cell) => input_value(kind, cell)
                    .map_err(|message| format!("row {number}, column {name}: {message}"))?,
            };
            cells.push((name.clone(), value));
        }
        out.push(Value::from_pairs(cells));
    }
    Ok(Value::from(out))
}

fn csv_rows(columns: &[(String, InputKind)], text: &str) -> Result<Vec<Json>, String> {
    let mut lines = csv(text)?.into_iter();
    let header = lines.next().unwrap_or_default();
    for name in &header {
        if !columns.iter().any(|(known, _)| known == name) {
            let known: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let known = known.join(",");
            return Err(format!(
                "the first line of the CSV names the columns: {known}"
            ));
        }
    }
    let mut out = Vec::new();
    for (number, cells) in (2..).zip(lines) {
        if cells.len() > header.len() {
            return Err(format!("line {number} of the CSV has too many columns"));
        }
        let pairs = header
            .iter()
            .cloned()
            .zip(cells.into_iter().map(Json::from));
        out.push(Json::Object(pairs.collect()));
    }
    Ok(out)
}

/// Lines of cells after RFC 4180; empty lines are skipped, space around cells is removed.
fn csv(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut out: Vec<Vec<String>> = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.trim_start_matches('\u{feff}').chars().peekable();
    loop {
        match chars.next() {
            Some('"') if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            Some('"') if quoted || cell.trim().is_empty() => quoted = !quoted,
            Some(',') if !quoted => row.push(std::mem::take(&mut cell).trim().to_owned()),
            end @ (Some('\n') | None) if !quoted => {
                row.push(std::mem::take(&mut cell).trim().to_owned());
                let row = std::mem::take(&mut row);
                if row.iter().any(|cell| !cell.is_empty()) {
                    out.push(row);
                }
                if end.is_none() || out.len() > ROWS_MAX + 1 {
                    return Ok(out);
                }
            }
            None => return Err("a quote in the CSV is never closed".to_owned()),
            Some(c) => cell.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_may_hold_commas_quotes_and_lines() {
        let text = "kind,words\r\nOrder,\"purchase order, bestellung\"\n\nQ,\"say \"\"hi\"\"\"\n";
        let rows = csv(text).unwrap();
        assert_eq!(rows[1], ["Order", "purchase order, bestellung"]);
        assert_eq!(rows[2], ["Q", "say \"hi\""]);
        assert!(csv("a,\"b").is_err());
    }

    #[test]
    fn a_table_is_typed_by_its_columns() {
        let columns = vec![
            ("words".to_owned(), InputKind::Text),
            ("up_to".to_owned(), InputKind::Money),
            ("approver".to_owned(), InputKind::Who),
        ];
        let rows = table(
            &columns,
            &Json::from("words,up_to,approver\norder,5000 EUR,role cfo\nx,,ann"),
        );
        let rows = rows.unwrap();
        let cell = |index: i64, name: &str| {
            let row = rows.get_item(&Value::from(index)).unwrap();
            row.get_attr(name).unwrap()
        };
        assert_eq!(cell(0, "up_to").to_string(), "5000.00 EUR");
        assert!(cell(1, "up_to").is_none());
        let wrong = table(&columns, &Json::from("words,up_to\norder,1.234 EUR"));
        assert!(wrong.unwrap_err().contains("row 1, column up_to"));
        assert!(table(&columns, &Json::from("wort\norder")).is_err());
    }
}
