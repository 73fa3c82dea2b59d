//! Says which names of a flow the directory does not know: roles, groups, teams, rotas and people
//! that are written as fixed texts, in the flow or in what it was switched on with. Only a warning:
//! somebody may hold the role tomorrow, and until then the owner is told.

use std::sync::LazyLock;

use bellwether_model::directory::Directory;
use regex::Regex;
use serde_json::Value;

use super::def::{Flow, InputKind};
use crate::lang::names_meant;
use crate::yaml::Problem;
use crate::yaml::near::nearest;

/// The most warnings of one flow.
const WARNINGS_MAX: usize = 50;

/// A call with a fixed text, such as `role('legal')`.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(role|group|team|lead_of|on_duty|person)\(\s*['\x22]([^'\x22]+)['\x22]").ok()
});

/// A warning for each name in the flow or its inputs that means nobody.
pub fn unknown_names(flow: &Flow, inputs: &Value, directory: &Directory) -> Vec<Problem> {
    let mut out = Vec::new();
    for (line, text) in flow.source.lines().enumerate() {
        if text.trim_start().starts_with('#') {
            continue;
        }
        let calls = CALL.iter().flat_map(|call| call.captures_iter(text));
        for call in calls {
            let (Some(word), Some(name)) = (call.get(1), call.get(2)) else {
                continue;
            };
            let column = text[..word.start()].chars().count() + 1;
            let words = format!("{} {}", spoken(word.as_str()), name.as_str());
            out.extend(unknown(&words, (line + 1, column), directory));
        }
    }
    for input in &flow.inputs {
        let value = inputs.get(&input.name).or(input.default.as_ref());
        let texts = value.map(|value| texts_of(&input.kind, value));
        for text in texts.into_iter().flatten() {
            let found = unknown(&text, (1, 1), directory);
            out.extend(found.map(|problem| Problem {
                message: format!("the input {}: {}", input.name, problem.message),
                ..problem
            }));
        }
    }
    out.truncate(WARNINGS_MAX);
    out
}

/// The plain words for a function.
fn spoken(function: &str) -> &str {
    match function {
        "lead_of" => "lead of",
        "on_duty" => "on duty",
        other => other,
    }
}

/// The words for people in a value of an input.
fn texts_of(kind: &InputKind, value: &Value) -> Vec<String> {
    match (kind, value) {
        (InputKind::Who, Value::String(text)) => {
            text.split(',').map(|one| one.trim().to_owned()).collect()
        }
        (InputKind::Who, Value::Array(all)) => {
            all.iter().flat_map(|one| texts_of(kind, one)).collect()
        }
        (InputKind::Table(columns), Value::Array(rows)) => {
            let whos = columns.iter().filter(|(_, kind)| *kind == InputKind::Who);
            let cells = whos.flat_map(|(name, kind)| {
                let cells = rows.iter().filter_map(|row| row.get(name.as_str()));
                cells.flat_map(|cell| texts_of(kind, cell))
            });
            cells.collect()
        }
        _ => Vec::new(),
    }
}

fn unknown(words: &str, place: (usize, usize), directory: &Directory) -> Option<Problem> {
    // What needs an event, or is an address of anybody, is known when it comes.
    let words = words.trim();
    let (name, known) = names_meant(words, directory)?;
    let is_known = known.iter().any(|one| one.eq_ignore_ascii_case(name));
    if is_known || name.contains('@') {
        return None;
    }
    let near = nearest(name, known.iter().copied());
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "until somebody is meant by it, the owner of the directory is told".to_owned(),
    };
    let message = format!("the directory has nobody for `{words}`");
    Some(Problem::warning(place, message).hint(hint))
}
