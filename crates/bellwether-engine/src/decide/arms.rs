//! Finding steps by the path that a state keeps of them.

use crate::flow::fan::DO;
use crate::flow::{Block, Step, Verb};

/// The arm of a step by the name that paths use.
pub(super) fn arm_of<'f>(step: &'f Step, arm: &str) -> Option<&'f Block> {
    match &step.verb {
        Verb::If(branch) if arm == "then" => Some(&branch.then),
        Verb::If(branch) if arm == "else" => Some(&branch.otherwise),
        Verb::Ask(ask) => ask
            .then
            .iter()
            .find(|(name, _)| name == arm)
            .map(|(_, block)| block),
        Verb::Meanwhile(meanwhile) if arm == DO => Some(&meanwhile.steps),
        Verb::Digest(digest) | Verb::Gather(digest) if arm == "then" => Some(&digest.then),
        verb if arm == "on_error" => verb.on_error(),
        _ => None,
    }
}

/// The step at a path.
pub(super) fn find<'f>(block: &'f Block, at: &[String]) -> Option<&'f Step> {
    let (id, rest) = at.split_first()?;
    let step = block.steps.iter().find(|step| step.id == *id)?;
    match rest.split_first() {
        None => Some(step),
        Some((arm, inner)) => find(arm_of(step, arm)?, inner),
    }
}

pub(super) fn on_error_at<'f>(block: &'f Block, path: &[String]) -> Option<&'f Block> {
    find(block, path)?.verb.on_error()
}
