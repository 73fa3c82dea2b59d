//! Says what a flow's texts come to with the sample of its event, where that can be known: titles
//! that a phone would cut.

use std::sync::Arc;

use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::Value as Json;

use super::Catalog;
use super::inputs::check_inputs;
use crate::flow::def::{Block, Flow, InputKind, Verb};
use crate::lang::{Scope, Text, Value, World, value_of};
use crate::yaml::Problem;

/// Longer titles are cut by phones.
const TITLE_MAX: usize = 45;

/// Titles that are too long with the first event's sample. What cannot be rendered without a
/// directory and real inputs is not judged.
pub(super) fn long_titles(flow: &Flow, catalog: &Catalog) -> Vec<Problem> {
    let event = flow.when.iter().flat_map(|trigger| &trigger.events);
    let Some(trigger) = event.filter_map(|event| catalog.trigger(event)).next() else {
        return Vec::new();
    };
    let event = NewEvent::new("sample", "1", trigger.event, Time(0), (trigger.sample)());
    let shared = Arc::new(flow.clone());
    let inputs = sample_inputs(flow);
    let data = value_of(&event.data);
    let world = Arc::new(World::default());
    let scope = Scope::of_value(&shared, &inputs, &event, data, None, world);
    let mut out = Vec::new();
    walk(&flow.steps, &scope, &mut out);
    out
}

/// The defaults; what has none gets something of its kind.
fn sample_inputs(flow: &Flow) -> Value {
    let given = flow.inputs.iter().map(|input| {
        let value = match (&input.kind, &input.default) {
            (InputKind::Table(_), _) => Json::Array(Vec::new()),
            (_, Some(default)) => default.clone(),
            (InputKind::Number, None) => Json::from(1),
            (InputKind::Numbers, None) => Json::from(vec![1]),
            (InputKind::Bool, None) => Json::from(true),
            (InputKind::Duration, None) => Json::from("1 hour"),
            (InputKind::Time | InputKind::Schedule, None) => Json::from("08:30"),
            (InputKind::Money, None) => Json::from("1 EUR"),
            (_, None) => Json::from("sample"),
        };
        (input.name.clone(), value)
    });
    let given = Json::Object(given.collect());
    check_inputs(flow, &given, &|_| None).unwrap_or_default()
}

fn walk(block: &Block, scope: &Scope, out: &mut Vec<Problem>) {
    for step in &block.steps {
        match &step.verb {
            Verb::Push(message) => judge(&message.title, scope, out),
            Verb::Ask(ask) => {
                judge(&ask.title, scope, out);
                ask.then
                    .iter()
                    .for_each(|(_, block)| walk(block, scope, out));
            }
            Verb::If(both) => {
                walk(&both.then, scope, out);
                walk(&both.otherwise, scope, out);
            }
            _ => {}
        }
        let remedy = step.verb.on_error();
        remedy.iter().for_each(|block| walk(block, scope, out));
    }
}

fn judge(title: &Text, scope: &Scope, out: &mut Vec<Problem>) {
    for (language, version) in title.versions() {
        judge(version, &scope.for_reader(language, "UTC"), out);
    }
    if !title.versions().is_empty() {
        return;
    }
    let Ok(rendered) = scope.text(title) else {
        return;
    };
    let letters = rendered.chars().count();
    if letters > TITLE_MAX {
        let place = (title.line(), title.column());
        let message = format!("this title has {letters} letters with the sample: \"{rendered}\"");
        let hint = format!("phones cut after about {TITLE_MAX}");
        out.push(Problem::warning(place, message).hint(hint));
    }
}
