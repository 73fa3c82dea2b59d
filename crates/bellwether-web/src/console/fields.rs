//! The inputs of a flow as fields of a form, and the fields as inputs again. Whether a value fits
//! is the engine's business; here is only how it is written and read.

use bellwether_engine::flow::{Flow, Input, InputKind, Problem, plain_rows};
use bellwether_engine::seam::FlowDocument;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use crate::query::Fields;
use crate::text::clean;
use crate::words;

/// How many rows a grid shows; a longer table is edited as CSV.
const GRID_MAX: usize = 60;
/// The list of names that fields for people offer.
pub(super) const WHO_LIST: &str = "who";

/// What a form knows besides the flow.
#[derive(Debug)]
pub(super) struct Offers {
    /// How many empty rows stand below those of a table.
    pub(super) empty_rows: usize,
    /// Names of connections with their connectors.
    pub(super) connections: Vec<(String, String)>,
    /// Words that mean people: ids, roles, groups, teams.
    pub(super) who: Vec<String>,
}

/// The values of a document as the form shows them: what was filled in, else the default.
pub(super) fn values_of(flow: &Flow, document: &FlowDocument) -> Map<String, Value> {
    let mut out = Map::new();
    for input in &flow.inputs {
        let given = document.inputs.get(&input.name);
        let value = given.or(input.default.as_ref()).cloned();
        let value = match (&input.kind, value) {
            (InputKind::Table(columns), Some(value)) => {
                let beside = |name: &str| document.files.get(name).cloned();
                let rows = plain_rows(columns, &value, &beside);
                rows.map_or(value, Value::Array)
            }
            (_, value) => value.unwrap_or(Value::Null),
        };
        out.insert(input.name.clone(), value);
    }
    out
}

/// What a form says, as inputs. Empty fields are left out, so that the default holds.
pub(super) fn read(flow: &Flow, fields: &Fields) -> Map<String, Value> {
    let mut out = Map::new();
    for input in &flow.inputs {
        let value = match &input.kind {
            InputKind::Table(columns) => Some(read_table(&input.name, columns, fields)),
            InputKind::Bool => {
                let there = fields.get(&format!("{}.shown", input.name)).is_some();
                there.then(|| json!(fields.get(&input.name) == Some("true")))
            }
            kind => fields.get(&input.name).map(|text| plain(kind, text)),
        };
        if let Some(value) = value {
            out.insert(input.name.clone(), value);
        }
    }
    out
}

fn plain(kind: &InputKind, text: &str) -> Value {
    let text = text.trim();
    match kind {
        InputKind::Numbers => {
            let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
            let numbers = parts.map(|part| part.parse::<f64>().map_or(json!(part), number));
            Value::Array(numbers.collect())
        }
        InputKind::Who if text.contains(',') => {
            let parts = text.split(',').map(str::trim);
            Value::Array(
                parts
                    .filter(|part| !part.is_empty())
                    .map(Value::from)
                    .collect(),
            )
        }
        _ => Value::from(text),
    }
}

/// Whole numbers stay whole: thresholds are compared as such.
fn number(value: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only when nothing is cut off"
    )]
    let whole = value as i64;
    if (value - value.trunc()).abs() < f64::EPSILON && value.abs() < 1e15 {
        json!(whole)
    } else {
        json!(value)
    }
}

fn read_table(name: &str, columns: &[(String, InputKind)], fields: &Fields) -> Value {
    if let Some(text) = fields.get(&format!("{name}.csv")) {
        return Value::from(text);
    }
    let mut rows = Vec::new();
    for number in 0.. {
        let mut row = Map::new();
        let mut shown = false;
        for (column, _) in columns {
            let key = format!("{name}.{number}.{column}");
            shown |= fields.has(&key);
            if let Some(text) = fields.get(&key) {
                row.insert(column.clone(), Value::from(text.trim()));
            }
        }
        if !shown {
            break;
        }
        // A row without a word was emptied to be taken out, or never filled.
        if !row.is_empty() {
            rows.push(Value::Object(row));
        }
    }
    Value::Array(rows)
}

/// One input with its label, its field and what is wrong with it.
pub(super) fn field(input: &Input, value: &Value, wrong: &[Problem], offers: &Offers) -> Markup {
    let id = format!("in-{}", input.name);
    let label = input.label.clone();
    let label = label.unwrap_or_else(|| words::title(&input.name));
    let is_wrong = !wrong.is_empty();
    let said = format!("{id}-wrong");
    let control = Control {
        id: &id,
        name: &input.name,
        is_wrong,
        said: is_wrong.then_some(said.as_str()),
    };
    html! {
        @if let InputKind::Table(columns) = &input.kind {
            fieldset.grid {
                legend { (clean(&label)) }
                (errors(&said, wrong))
                (table(&input.name, columns, value, offers.empty_rows))
            }
        } @else {
            label for=(id) { (clean(&label)) @if let Some(help) = help(&input.kind) {
                " " span.meta { (help) }
            } }
            (errors(&said, wrong))
            (control.show(&input.kind, value, offers))
        }
    }
}

fn errors(id: &str, wrong: &[Problem]) -> Markup {
    html! {
        @if !wrong.is_empty() {
            p.wrong id=(id) {
                @for problem in wrong { (clean(&problem.message)) ". "
                    @if !problem.hint.is_empty() { (clean(&problem.hint)) ". " } }
            }
        }
    }
}

/// How something is written, where the field itself does not say it.
fn help(kind: &InputKind) -> Option<&'static str> {
    match kind {
        InputKind::Who => Some("alice · role legal · group partners · on duty it-ops"),
        InputKind::Numbers => Some("with commas"),
        InputKind::Duration => Some("30 minutes · 4 working hours · 2 days"),
        InputKind::Schedule => Some("08:30 · Fri 16:00"),
        InputKind::Money => Some("5000 EUR"),
        _ => None,
    }
}

struct Control<'a> {
    id: &'a str,
    name: &'a str,
    is_wrong: bool,
    said: Option<&'a str>,
}

impl Control<'_> {
    fn show(&self, kind: &InputKind, value: &Value, offers: &Offers) -> Markup {
        match kind {
            InputKind::Connection(of) => self.connection(of.as_deref(), value, offers),
            InputKind::Bool => {
                let on = value == &json!(true) || value.as_str() == Some("true");
                html! {
                    input type="hidden" name={ (self.name) ".shown" } value="1";
                    select id=(self.id) name=(self.name) {
                        option value="false" selected[!on] { "no" }
                        option value="true" selected[on] { "yes" }
                    }
                }
            }
            InputKind::Who => self.text(&written(value), Some(WHO_LIST)),
            _ => self.text(&written(value), None),
        }
    }

    fn text(&self, value: &str, list: Option<&str>) -> Markup {
        html! {
            input id=(self.id) name=(self.name) value=(clean(value)) list=[list] autocomplete="off"
                aria-invalid=[self.is_wrong.then_some("true")] aria-describedby=[self.said];
        }
    }

    fn connection(&self, of: Option<&str>, value: &Value, offers: &Offers) -> Markup {
        let fits = |connector: &str| of.is_none_or(|of| of == connector);
        let chosen = value.as_str().unwrap_or_default();
        let fitting: Vec<&str> = offers
            .connections
            .iter()
            .filter(|(_, connector)| fits(connector))
            .map(|(name, _)| name.as_str())
            .collect();
        html! {
            select id=(self.id) name=(self.name) aria-invalid=[self.is_wrong.then_some("true")]
                aria-describedby=[self.said] {
                @if fitting.len() != 1 { option value="" { "Choose a connection" } }
                @for name in &fitting {
                    option value=(clean(name)) selected[*name == chosen] { (clean(name)) }
                }
            }
            @if fitting.is_empty() {
                p.meta { "There is none yet. " a href="/connections" { "Connections" }
                    " says what there is." }
            }
        }
    }
}

/// A value as somebody would type it.
fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(written).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn table(name: &str, columns: &[(String, InputKind)], value: &Value, empty_rows: usize) -> Markup {
    let rows = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.len() > GRID_MAX || value.is_string() {
        let text = value
            .as_str()
            .map_or_else(|| csv(columns, rows), str::to_owned);
        return html! {
            p.meta { "As CSV; the first line names the columns." }
            textarea name={ (name) ".csv" } rows="12" spellcheck="false"
                aria-label={ (words::title(name)) " as CSV" } { (clean(&text)) }
        };
    }
    let empty = Value::Null;
    let shown: Vec<&Value> = rows
        .iter()
        .chain(std::iter::repeat_n(&empty, empty_rows))
        .collect();
    html! {
        table.rows.edit {
            thead { tr { @for (column, _) in columns { th { (words::title(column)) } } } }
            tbody {
                @for (number, row) in shown.iter().enumerate() {
                    tr { @for (column, kind) in columns {
                        (cell(name, number, column, kind, row.get(column)))
                    } }
                }
            }
        }
        p {
            button type="submit" name="do" value="rows" formnovalidate { "More rows" }
            " " span.meta { "A row that is emptied is taken out." }
        }
        details.raw {
            summary { "Paste a table instead" }
            p.meta { "CSV with the columns "
                (columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")) }
            textarea name={ (name) ".csv" } rows="4" spellcheck="false"
                aria-label={ (words::title(name)) " as CSV" } {}
        }
    }
}

fn cell(
    name: &str,
    number: usize,
    column: &str,
    kind: &InputKind,
    value: Option<&Value>,
) -> Markup {
    let list = (*kind == InputKind::Who).then_some(WHO_LIST);
    html! {
        td data-label=(words::title(column)) {
            input name={ (name) "." (number) "." (column) } list=[list] autocomplete="off"
                aria-label={ (words::title(column)) ", row " (number + 1) }
                value=(clean(&value.map(written).unwrap_or_default()));
        }
    }
}

fn csv(columns: &[(String, InputKind)], rows: &[Value]) -> String {
    let quoted = |text: String| {
        if text.contains([',', '"', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut out = names.join(",");
    for row in rows {
        out.push('\n');
        let cells = columns
            .iter()
            .map(|(name, _)| quoted(row.get(name).map(written).unwrap_or_default()));
        out.push_str(&cells.collect::<Vec<_>>().join(","));
    }
    out
}
