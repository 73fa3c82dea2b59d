//! Says which start conditions read the whole of every item: what is worked out first in them is
//! not known from an item's header. A cheap test to the left spares that.

use serde_json::Value as Json;

use super::Catalog;
use crate::flow::def::{Flow, Trigger};
use crate::lang::Expr;
use crate::lang::ast::{Ast, Kind};
use crate::yaml::Problem;

/// The mark in an event's JSON Schema of what is only known once the whole item was read.
const WHOLE: &str = "x-whole";

/// A warning for each condition that reads the whole of every item.
pub(super) fn costly_tests(flow: &Flow, catalog: &Catalog) -> Vec<Problem> {
    let mut out = Vec::new();
    for trigger in &flow.when {
        let schemas: Vec<Json> = trigger
            .events
            .iter()
            .filter_map(|event| catalog.trigger(event))
            .map(|trigger| (trigger.schema)())
            .collect();
        out.extend(costly(flow, trigger, &schemas));
    }
    out
}

fn costly(flow: &Flow, trigger: &Trigger, schemas: &[Json]) -> Option<Problem> {
    let condition = trigger.condition.as_ref()?;
    for path in first(condition.ast()).paths() {
        let place = condition.place(path.at);
        let named = flow.lets.iter().find(|(name, _)| *name == *path.root);
        let used = match named {
            Some((name, expr)) => {
                let Some(path) = reads(flow, expr, schemas, &mut vec![name.as_str()]) else {
                    continue;
                };
                format!("`{name}` needs {path}")
            }
            None => {
                let field = path.fields.first().and_then(|(name, _)| name.as_deref());
                let Some(field) = field.filter(|field| is_whole(schemas, &path.root, field)) else {
                    continue;
                };
                format!("{}.{field} is in it", path.root)
            }
        };
        let noun = noun(schemas);
        let message = format!("this test reads every {noun}'s body: {used}");
        let hint = format!(
            "put a test of what its header says to the left: `{} and …`",
            cheap(schemas).unwrap_or_else(|| "…".to_owned())
        );
        return Some(Problem::warning(place, message).hint(hint));
    }
    None
}

/// What of an expression is worked out in any case, before anything else can end it.
fn first(ast: &Ast) -> &Ast {
    match &ast.kind {
        Kind::And(parts) | Kind::Or(parts) => parts.first().map_or(ast, first),
        Kind::Not(inner) => first(inner),
        Kind::Choice(_, test, _) => first(test),
        _ => ast,
    }
}

/// The first costly field that a named value reads, by way of other named values too.
fn reads<'f>(
    flow: &'f Flow,
    expr: &'f Expr,
    schemas: &[Json],
    seen: &mut Vec<&'f str>,
) -> Option<String> {
    for path in first(expr.ast()).paths() {
        let named = flow.lets.iter().find(|(name, _)| *name == *path.root);
        if let Some((name, inner)) = named {
            if !seen.contains(&name.as_str()) {
                seen.push(name);
                if let Some(found) = reads(flow, inner, schemas, seen) {
                    return Some(found);
                }
            }
            continue;
        }
        let field = path.fields.first().and_then(|(name, _)| name.as_deref());
        if let Some(field) = field.filter(|field| is_whole(schemas, &path.root, field)) {
            return Some(format!("{}.{field}", path.root));
        }
    }
    None
}

fn properties<'s>(schema: &'s Json, noun: &str) -> &'s Json {
    let found = &schema["properties"][noun];
    let target = found["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    let found = target.and_then(|to| schema.pointer(to)).unwrap_or(found);
    &found["properties"]
}

fn is_whole(schemas: &[Json], noun: &str, field: &str) -> bool {
    schemas
        .iter()
        .any(|schema| properties(schema, noun)[field][WHOLE] == true)
}

/// What the events bring, for messages.
fn noun(schemas: &[Json]) -> &str {
    let first = schemas
        .first()
        .and_then(|schema| schema["properties"].as_object());
    let name = first.and_then(|nouns| nouns.keys().next());
    name.map_or("item", String::as_str)
}

/// A test that the header answers: the first field that is true or false.
fn cheap(schemas: &[Json]) -> Option<String> {
    let noun = noun(schemas);
    let fields = properties(schemas.first()?, noun).as_object()?;
    let plain = fields
        .iter()
        .find(|(_, schema)| schema["type"] == "boolean" && schema[WHOLE] != true)?;
    Some(format!("not {noun}.{}", plain.0))
}
