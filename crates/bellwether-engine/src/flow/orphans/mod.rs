//! Whether a flow that is saved would leave open cases at steps that it no longer has: a derived id
//! changes with the step's verb and object, and then needs to be written. Which ids open cases name
//! is in their states; where they come from is the store's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::decide::RunState;
use crate::flow::def::{Block, Flow, Step};
use crate::yaml::Problem;

/// How many open cases name each step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(BTreeMap<String, usize>);

impl Named {
    /// Counts the steps that one open case names in its state, as it is stored. A state that cannot
    /// be read names none.
    pub fn count(&mut self, state: &serde_json::Value) {
        let Ok(state) = serde_json::from_value::<RunState>(state.clone()) else {
            return;
        };
        for step in state.names_steps() {
            *self.0.entry(step).or_default() += 1;
        }
    }

    /// Whether no open case names any step.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A step with the ending that it stands under.
struct Placed<'f> {
    under: String,
    step: &'f Step,
}

/// What stands in the way of saving `new` over `old`: steps that open cases name and that would be
/// called otherwise, each with the line to add. A step that is gone altogether is none of them: its
/// cases end in the version that they began with.
pub fn orphans(old: &Flow, new: &Flow, named: &Named) -> Vec<Problem> {
    let (before, after) = (steps(old), steps(new));
    let has = |all: &[Placed<'_>], id: &str| all.iter().any(|one| one.step.id == id);
    let mut out = Vec::new();
    let mut renamed: Vec<&str> = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for one in &before {
        let id = one.step.id.as_str();
        let count = named.0.iter().filter(|(name, _)| is_in(name, id));
        let count = count.map(|(_, count)| *count).max().unwrap_or(0);
        // Steps below one that was renamed are called right again when it is.
        let below = renamed.iter().any(|outer| is_in(id, outer));
        if count == 0 || below || has(&after, id) {
            continue;
        }
        let same = std::mem::discriminant(&one.step.verb);
        let meant = after.iter().find(|other| {
            other.under == one.under
                && std::mem::discriminant(&other.step.verb) == same
                && !has(&before, &other.step.id)
                && !taken.contains(&other.step.id.as_str())
        });
        let Some(meant) = meant else { continue };
        renamed.push(id);
        taken.push(&meant.step.id);
        let cases = if count == 1 {
            "case names"
        } else {
            "cases name"
        };
        let message = format!(
            "{count} open {cases} the step `{id}`, which would be `{}` now",
            meant.step.id
        );
        let place = (meant.step.line, new.column_of(meant.step.line));
        let hint = format!("add this line to the step: id: {id}");
        out.push(Problem::error(place, message).hint(hint));
    }
    out
}

/// Whether a step is `outer` or stands below it.
fn is_in(id: &str, outer: &str) -> bool {
    id.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn steps(flow: &Flow) -> Vec<Placed<'_>> {
    let mut out = Vec::new();
    collect(&flow.steps, "", &mut out);
    out
}

fn collect<'f>(block: &'f Block, under: &str, out: &mut Vec<Placed<'f>>) {
    for step in &block.steps {
        let under = under.to_owned();
        out.push(Placed { under, step });
        for (ending, inner) in step.verb.endings() {
            collect(inner, &format!("{}.{ending}", step.id), out);
        }
    }
}
