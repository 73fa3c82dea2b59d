//! Says where something is looked up too early: whether an event starts a flow, and which matter it
//! belongs to, is found out for each event and from it alone, without asking the store.

use crate::flow::def::Flow;
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
