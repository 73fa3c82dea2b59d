//! Says what stands in the wrong place: `meanwhile` in a branch, and what is looked up too early.
//! Whether an event starts a flow, and which matter it belongs to, is found out for each event and
//! from it alone, without asking the store.

use crate::flow::def::{Block, Flow, Verb};
use crate::lang::Expr;
use crate::lang::ast::{Ast, Function, Kind};
use crate::yaml::Problem;

/// An error for each start condition, connection and case that looks something up.
pub(super) fn early_lookups(flow: &Flow) -> Vec<Problem> {
    let starts = flow.when.iter().flat_map(|trigger| {
        let condition = trigger.condition.iter().map(|expr| ("if", expr));
        condition.chain(trigger.source.iter().map(|expr| ("in", expr)))
    });
    let cases = flow.case.iter().map(|expr| ("case", expr));
    starts
        .chain(cases)
        .filter(|(_, expr)| looks_up(flow, expr, &mut Vec::new()))
        .map(|(key, expr)| {
            let message =
                format!("`{key}` looks something up in the record, which only steps can do");
            let hint = "begin with a step, such as - if: users_of(asset.id)";
            Problem::error((expr.line(), expr.column()), message).hint(hint)
        })
        .collect()
}

/// An error for each `meanwhile` in a branch: what belongs to the run as a whole is not heeded
/// once for each of its branches.
pub(super) fn heeding_branches(flow: &Flow) -> Vec<Problem> {
    let mut out = Vec::new();
    walk(&flow.steps, false, &mut out);
    out
}

fn walk(block: &Block, in_branch: bool, out: &mut Vec<Problem>) {
    for step in &block.steps {
        if in_branch && matches!(step.verb, Verb::Meanwhile(_)) {
            let message = "`meanwhile` cannot stand in a branch";
            let hint = "write it before `each` or `together`";
            out.push(Problem::error((step.line, 1), message).hint(hint));
        }
        let branches = matches!(step.verb, Verb::Each(_) | Verb::Together(_));
        for (_, inner) in step.verb.endings() {
            walk(inner, in_branch || branches, out);
        }
    }
}

/// Whether an expression looks something up, also by way of named values.
fn looks_up<'f>(flow: &'f Flow, expr: &'f Expr, seen: &mut Vec<&'f str>) -> bool {
    if calls(expr.ast()) {
        return true;
    }
    expr.ast().paths().iter().any(|path| {
        let named = flow.lets.iter().find(|(name, _)| **name == *path.root);
        let Some((name, inner)) = named else {
            return false;
        };
        if seen.contains(&name.as_str()) {
            return false;
        }
        seen.push(name);
        looks_up(flow, inner, seen)
    })
}

fn calls(ast: &Ast) -> bool {
    let here = matches!(
        &ast.kind,
        Kind::Call(Function::UsersOf | Function::OutcomeOf, _)
    );
    here || ast.children().into_iter().any(calls)
}
