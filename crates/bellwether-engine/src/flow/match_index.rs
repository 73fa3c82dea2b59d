//! Which flows an event could start, without asking each: by its type, then by one literal test per
//! trigger (`body.kind == 'order'`, `in: inputs.mailbox`) that is looked up in a table. What the
//! index lets through is still tested in full.

use std::collections::HashMap;

use bellwether_model::event::NewEvent;
use serde_json::Value as Json;

use crate::flow::def::{Flow, Trigger};
use crate::lang::Value;
use crate::lang::ast::{Ast, Comparison, Kind, Path};

/// The most literals that one trigger may be filed under.
const LITERALS_MAX: usize = 64;

/// Triggers by event type and literal test. A trigger is known by the number that it was added
/// with.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatchIndex {
    types: HashMap<String, TypeIndex>,
}

#[derive(Clone, Debug, Default)]
struct TypeIndex {
    /// Triggers without a literal test.
    always: Vec<u32>,
    /// One table per tested path.
    tables: Vec<(Tested, HashMap<String, Vec<u32>>)>,
}

/// What a literal is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tested {
    /// The connection that the event came from.
    Source,
    /// A text in the payload.
    Payload(Vec<String>),
}

impl MatchIndex {
    /// Files a trigger under its number.
    pub(crate) fn add(&mut self, number: u32, flow: &Flow, trigger: &Trigger, inputs: &Value) {
        let test = literal_test(flow, trigger, inputs);
        for event in &trigger.events {
            let index = self.types.entry(event.clone()).or_default();
            let Some((tested, literals)) = &test else {
                index.always.push(number);
                continue;
            };
            let known = index.tables.iter().position(|(known, _)| known == tested);
            let place = known.unwrap_or_else(|| {
                index.tables.push((tested.clone(), HashMap::new()));
                index.tables.len() - 1
            });
            for literal in literals {
                let table = &mut index.tables[place].1;
                table.entry(literal.clone()).or_default().push(number);
            }
        }
    }

    /// The numbers of the triggers that the event could fire, in the order in which they were
    /// added.
    pub(crate) fn candidates(&self, event: &NewEvent) -> Vec<u32> {
        let Some(index) = self.types.get(&event.kind) else {
            return Vec::new();
        };
        let mut out = index.always.clone();
        for (tested, table) in &index.tables {
            let text = match tested {
                Tested::Source => Some(event.source.as_str()),
                Tested::Payload(path) => payload_text(&event.data, path),
            };
            if let Some(numbers) = text.and_then(|text| table.get(text)) {
                out.extend(numbers);
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

fn payload_text<'a>(data: &'a Json, path: &[String]) -> Option<&'a str> {
    let mut at = data;
    for key in path {
        at = at.get(key)?;
    }
    at.as_str()
}

/// The trigger's best literal test: one in the payload, else its connection.
fn literal_test(flow: &Flow, trigger: &Trigger, inputs: &Value) -> Option<(Tested, Vec<String>)> {
    let conditions = match trigger.condition.as_ref().map(|expr| expr.ast()) {
        None => Vec::new(),
        Some(ast) => match &ast.kind {
            Kind::And(all) => all.iter().collect(),
            _ => vec![ast],
        },
    };
    let mut tests = conditions
        .into_iter()
        .filter_map(|ast| equality(flow, ast, inputs));
    if let Some((path, literals)) = tests.next() {
        return Some((Tested::Payload(path), literals));
    }
    Some((Tested::Source, vec![source(trigger, inputs)?]))
}

/// The one connection that a trigger listens to, when it is fixed.
pub(super) fn source(trigger: &Trigger, inputs: &Value) -> Option<String> {
    literal(trigger.source.as_ref()?.ast(), inputs)
}

/// `path == 'literal'` in either order, or `path in ['a', 'b']`.
fn equality(flow: &Flow, ast: &Ast, inputs: &Value) -> Option<(Vec<String>, Vec<String>)> {
    match &ast.kind {
        Kind::Compare(Comparison::Equal, a, b) => {
            let one = |path: &Ast, other: &Ast| {
                Some((payload_path(flow, path)?, vec![literal(other, inputs)?]))
            };
            one(a, b).or_else(|| one(b, a))
        }
        Kind::In(item, list) => {
            let Kind::List(all) = &list.kind else {
                return None;
            };
            let literals: Option<Vec<String>> =
                all.iter().map(|ast| literal(ast, inputs)).collect();
            let literals = literals.filter(|all| all.len() <= LITERALS_MAX)?;
            Some((payload_path(flow, item)?, literals))
        }
        _ => None,
    }
}

/// A path that reads the payload and nothing else.
fn payload_path(flow: &Flow, ast: &Ast) -> Option<Vec<String>> {
    let Path { root, fields, .. } = ast.as_path()?;
    let own = matches!(&*root, "inputs" | "trigger" | "case");
    if own || flow.lets.iter().any(|(name, _)| **name == *root) {
        return None;
    }
    let fields = fields.into_iter().map(|(name, _)| Some(name?.to_string()));
    std::iter::once(Some(root.to_string()))
        .chain(fields)
        .collect()
}

/// A fixed text: written, or filled in as an input.
fn literal(ast: &Ast, inputs: &Value) -> Option<String> {
    if let Kind::Literal(value) = &ast.kind {
        return value.as_str().map(str::to_owned);
    }
    let Path { root, fields, .. } = ast.as_path()?;
    if &*root != "inputs" {
        return None;
    }
    let mut value = inputs.clone();
    for (name, _) in fields {
        value = value.get_attr(&name?).ok()?;
    }
    value.as_str().map(str::to_owned)
}
