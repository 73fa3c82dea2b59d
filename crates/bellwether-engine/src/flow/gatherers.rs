//! What gathers the lines of a list: a flow of its own, made from the step, whose case is the
//! reader. It keeps lines until the list leaves, sends it and ends; what comes later opens the
//! next.

use std::sync::Arc;

use bellwether_model::id::key16;

use super::def::{Block, Digest, Flow, Step, Trigger, Verb};
use crate::lang::Expr;
use crate::yaml::Positions;

/// The timer by which a list leaves, before the step's id.
pub(crate) const LEAVES: &str = "leaves";
/// Where the lines of a list lie.
pub(crate) const LINES: &str = "lines";

const KIND: &str = "digest.";

/// The event by which a line comes to its gatherer.
pub(crate) fn kind(flow: &str, step: &str) -> String {
    format!("{KIND}{flow}/{step}")
}

/// Whether an event is a line on its way to its gatherer: of no interest to anybody else.
pub(crate) fn is_line(kind: &str) -> bool {
    kind.starts_with(KIND)
}

/// Whether a flow is one.
pub(crate) fn is_one(flow: &Flow) -> bool {
    let first = flow.steps.steps.first();
    first.is_some_and(|step| matches!(step.verb, Verb::Gather(_)))
}

/// The gatherers of a flow.
pub(crate) fn of(flow: &Flow) -> Vec<Arc<Flow>> {
    let mut out = Vec::new();
    digests(&flow.steps, &mut |step, digest| {
        out.extend(gatherer(flow, step, digest).map(Arc::new));
    });
    out
}

fn digests(block: &Block, found: &mut dyn FnMut(&Step, &Arc<Digest>)) {
    for step in &block.steps {
        match &step.verb {
            Verb::Digest(digest) => found(step, digest),
            Verb::Ask(ask) => ask.list.iter().for_each(|list| found(step, list)),
            _ => {}
        }
        for (_, inner) in step.verb.endings() {
            digests(inner, found);
        }
    }
}

fn gatherer(flow: &Flow, step: &Step, digest: &Arc<Digest>) -> Option<Flow> {
    let case = Expr::compile("line.person", Positions::plain(step.line, 1)).ok()?;
    Some(Flow {
        name: format!("{}/{}", flow.name, step.id),
        about: flow.about.clone(),
        hash: key16(&[&flow.hash, b"gatherer", step.id.as_bytes()]),
        source: Arc::clone(&flow.source),
        inputs: flow.inputs.clone(),
        when: vec![Trigger {
            name: None,
            events: vec![kind(&flow.name, &step.id)],
            source: None,
            condition: None,
            thresholds: Vec::new(),
        }],
        lets: Vec::new(),
        case: Some(case),
        only_once: false,
        group: None,
        at_most: super::AtMost::default(),
        steps: Block {
            steps: vec![Step {
                verb: Verb::Gather(Arc::clone(digest)),
                ..step.clone()
            }],
        },
        tests: Vec::new(),
        gatherers: Vec::new(),
    })
}
