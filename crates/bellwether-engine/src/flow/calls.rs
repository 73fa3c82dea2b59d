//! What flows ask of each other by `call`: the two events of it, and what only shows when all flows
//! are looked at together. How a call is carried out is in `decide`.

use bellwether_model::connector::TriggerDef;
use bellwether_model::event::NewEvent;
use serde_json::{Value as Json, json};

use super::def::{Block, Flow, Step, Verb, Wait};
use crate::decide::ENGINE;
use crate::lang::Expr;
use crate::yaml::Problem;

/// A flow was asked to do a part of another's work. Only the flow that it names hears of it.
pub const CALLED: &str = "flow.called";
/// That part is over.
pub const RETURNED: &str = "flow.returned";
/// The space of names under which the answer finds who asked.
pub(crate) const CALLS: &str = "call";
/// The noun's own fields: what a call is given has other names.
pub(crate) const OWN_FIELDS: [&str; 2] = ["id", "flow"];
/// The ending of a run that asked nothing.
pub(crate) const DONE: &str = "done";
/// What comes back when the flow is not switched on.
pub(crate) const NOT_ON: &str = "not_on";

/// `call:`. The other flow has a run of its own; what came of it comes back as an event.
#[derive(Clone, Debug)]
pub struct Call {
    /// The flow.
    pub flow: String,
    /// What it is given, as the leaves of its noun `call`.
    pub with: Vec<(String, Expr)>,
    /// Waits for what comes back.
    pub back: Wait,
}

impl Verb {
    /// What a step waits for before the next one.
    pub(crate) fn waits_for(&self) -> Option<&Wait> {
        match self {
            Self::Wait(wait) => Some(wait),
            Self::Call(call) => Some(&call.back),
            _ => None,
        }
    }
}

/// Both, as triggers that can be named in a flow.
pub(crate) static TRIGGERS: [TriggerDef; 2] = [
    TriggerDef {
        event: CALLED,
        summary: "Another flow calls this one: `call: its-name`.",
        nouns: &["call"],
        schema: called_schema,
        sample: called_sample,
        sentence: "{{ call.flow }} was called",
        verified: true,
    },
    TriggerDef {
        event: RETURNED,
        summary: "A called flow is through.",
        nouns: &["call"],
        schema: returned_schema,
        sample: returned_sample,
        sentence: "{{ call.flow }} came back: {{ call.ending }}",
        verified: true,
    },
];

fn called_schema() -> Json {
    json!({
        "type": "object",
        "properties": { "call": {
            "type": "object",
            "description": "What the caller wrote below `with`.",
            "properties": {
                "id": { "type": "string", "description": "The call: one for each step of a run." },
                "flow": { "type": "string", "description": "The flow that is called." },
            },
            "additionalProperties": true,
        } },
    })
}

fn called_sample() -> Json {
    json!({ "call": {
        "id": "3f0c5b7e9a1d4c2f8e6b0a9d7c5f3e1b", "flow": "second-signature", "what": "PO-4711",
    } })
}

fn returned_schema() -> Json {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "properties": { "call": {
            "type": "object",
            "properties": {
                "id": text("The call."),
                "flow": text("The flow that was called."),
                "ending": text("The ending of its last question, `done` without one, `not_on`."),
                "choice": text("The button that was pressed; empty when none was."),
                "by": text("Who pressed it: the id of a person."),
                "comment": text("What was said with it."),
            },
        } },
    })
}

fn returned_sample() -> Json {
    json!({ "call": {
        "id": "3f0c5b7e9a1d4c2f8e6b0a9d7c5f3e1b", "flow": "second-signature",
        "ending": "approve", "choice": "approve", "by": "carl", "comment": "",
    } })
}

/// Whether an event is a call of this flow. Only a step says so: an event from outside does not.
pub(crate) fn calls(event: &NewEvent, flow: &str) -> bool {
    event.source == ENGINE && event.data["call"]["flow"] == flow
}

/// Whether a flow starts when it is called.
pub(crate) fn is_callable(flow: &Flow) -> bool {
    let mut events = flow.when.iter().flat_map(|trigger| &trigger.events);
    events.any(|event| event == CALLED)
}

/// The calls of a flow, wherever they stand.
pub(crate) fn of(flow: &Flow) -> Vec<(&Step, &Call)> {
    let mut out = Vec::new();
    gather(&flow.steps, &mut out);
    out
}

fn gather<'f>(block: &'f Block, out: &mut Vec<(&'f Step, &'f Call)>) {
    for step in &block.steps {
        if let Verb::Call(call) = &step.verb {
            out.push((step, call));
        }
        for (_, inner) in step.verb.endings() {
            gather(inner, out);
        }
    }
}

/// A warning for each call of a flow that is not there, or does not start when it is called, with
/// the number of the flow that calls.
pub fn unanswered(flows: &[&Flow]) -> Vec<(usize, Problem)> {
    let mut out = Vec::new();
    for (number, flow) in flows.iter().enumerate() {
        for (step, call) in of(flow) {
            let name = &call.flow;
            let (message, hint) = match flows.iter().find(|other| other.name == *name) {
                Some(other) if is_callable(other) => continue,
                Some(_) => (
                    format!("`{name}` does not start when it is called"),
                    format!("write `when: {{ event: {CALLED} }}` in {name}"),
                ),
                None => (
                    format!("there is no flow `{name}` among these"),
                    "look at both together, or correct the name".to_owned(),
                ),
            };
            let place = (step.line, flow.column_of(step.line));
            out.push((number, Problem::warning(place, message).hint(&hint)));
        }
    }
    out
}
