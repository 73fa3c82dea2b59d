//! Filters that pick: rows of a table, one field of each row, people whom the directory knows, and
//! whether a text is on a list. What else filters do is in `filters`.

use minijinja::Value;

use super::ast::Arguments;
use super::eval::{Fault, Worked, absent, is_absent, work_out};
use super::filters::fits;
use super::scope::Scope;
use super::values::{Sort, person_value};
use super::who::{self, PersonOrAddress};

/// The most rows, or elements, that are looked at.
const ROWS_MAX: usize = 10_000;

/// What a row must have, worked out once for all rows: column, value, the value in small letters.
type Wanted = Vec<(std::sync::Arc<str>, Value, Option<String>)>;

fn wanted(arguments: &Arguments, scope: &Scope) -> Result<Wanted, Box<Fault>> {
    let mut out = Vec::with_capacity(arguments.named.len());
    for (column, ast) in &arguments.named {
        let value = work_out(ast, scope)?;
        let lower = value.as_str().map(str::to_lowercase);
        out.push((column.clone(), value, lower));
    }
    Ok(out)
}

fn is_fitting(row: &Value, wanted: &Wanted) -> bool {
    wanted.iter().all(|(column, value, lower)| {
        let cell = row.get_attr(column).unwrap_or_default();
        fits(&cell, value, lower.as_deref())
    })
}

fn rows<'a>(
    value: &'a Value,
    filter: &str,
    at: usize,
) -> Result<impl Iterator<Item = Value> + 'a, Box<Fault>> {
    if Sort::of(value) != Sort::List {
        let sort = Sort::of(value).words();
        let message = format!("{filter} needs a table or a list, but this is {sort}");
        return Err(Fault::new(at, message));
    }
    Ok(value.try_iter().into_iter().flatten().take(ROWS_MAX))
}

/// The first row of a table in which every named column fits: an amount is a limit (`up to`), a
/// text is a list of words of which one must occur. An empty cell fits everything.
pub(super) fn first_row(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    if is_absent(value) {
        return Ok(absent());
    }
    let wanted = wanted(arguments, scope)?;
    let mut found = rows(value, "first_row", at)?.filter(|row| is_fitting(row, &wanted));
    Ok(found.next().unwrap_or_else(absent))
}

/// All rows that fit, as `first_row` has it.
pub(super) fn fitting(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    if is_absent(value) {
        return Ok(absent());
    }
    let wanted = wanted(arguments, scope)?;
    let found = rows(value, "where", at)?.filter(|row| is_fitting(row, &wanted));
    Ok(Value::from(found.collect::<Vec<_>>()))
}

/// One field of each row; rows that do not have it are left out.
pub(super) fn column(value: &Value, name: &Value, at: usize) -> Worked {
    let Some(name) = name.as_str() else {
        return Err(Fault::new(at, "column needs the name of a field in quotes"));
    };
    let cells = rows(value, "column", at)?
        .filter_map(|row| row.get_attr(name).ok())
        .filter(|cell| !is_absent(cell));
    Ok(Value::from(cells.collect::<Vec<_>>()))
}

/// Those of these people whom the directory knows; absent when it knows none, so that
/// `actor | known or inputs.owner` always means somebody.
pub(super) fn known(value: &Value, scope: &Scope) -> Value {
    let directory = &scope.world().directory;
    let known: Vec<Value> = who::people_or_addresses(value, scope)
        .into_iter()
        .filter_map(|who| match who {
            PersonOrAddress::Person(id) => directory.person(&id).map(person_value),
            PersonOrAddress::Address(_) => None,
        })
        .collect();
    if known.is_empty() {
        return absent();
    }
    Value::from(known)
}

/// Whether a text is one of those in a list: the whole of it, in small or capital letters. An
/// entry that begins with @ means every address of that domain, and of no other.
pub(super) fn is_one_of(text: &str, list: &Value) -> bool {
    let text = text.trim().to_lowercase();
    let is = |entry: &str| {
        let entry = entry.trim().to_lowercase();
        let domain = text.rfind('@').map(|at| &text[at..]);
        !entry.is_empty() && (entry == text || (entry.starts_with('@') && domain == Some(&*entry)))
    };
    match list.as_str() {
        Some(words) => words.split([',', ';']).any(is),
        None => {
            let entries = list.try_iter().into_iter().flatten().take(ROWS_MAX);
            entries
                .into_iter()
                .any(|entry| entry.as_str().is_some_and(is))
        }
    }
}
