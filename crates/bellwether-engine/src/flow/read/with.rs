//! Reads `with`: the thresholds that a trigger hands over to its event types. Whether an event
//! passed one of them is asked in `flow/set.rs`.

use bellwether_model::connector::ThresholdDef;
use serde_json::Value as Json;

use super::Reading;
use crate::flow::def::{Flow, Input, InputKind, Numbers, Wanted};
use crate::yaml::near::nearest;
use crate::yaml::{Key, Node};

/// The most numbers of one kind.
const NUMBERS_MAX: usize = 20;

/// Thresholds, ascending and each once.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn numbers(def: &ThresholdDef, json: &Json) -> Result<Vec<i64>, String> {
    let one = std::slice::from_ref(json);
    let all = json.as_array().map_or(one, Vec::as_slice);
    if all.len() > NUMBERS_MAX {
        return Err(format!("these are more than {NUMBERS_MAX} numbers"));
    }
    let mut out = Vec::new();
    for number in all {
        match number.as_i64() {
            Some(n) if (1..=def.most).contains(&n) => out.push(n),
            _ => {
                let most = def.most;
                return Err(format!("{number} is no whole number from 1 to {most}"));
            }
        }
    }
    out.sort_unstable();
    out.dedup();
    Ok(out)
}

/// Checks the inputs that triggers hand over; each problem with the name of its input.
pub(super) fn misfits(flow: &Flow, input: &str, json: &Json) -> Option<String> {
    let wanted = flow.when.iter().flat_map(|trigger| &trigger.thresholds);
    let mut used = wanted.filter(|wanted| wanted.numbers == Numbers::Input(input.to_owned()));
    used.find_map(|wanted| numbers(wanted.def, json).err())
}

impl Reading<'_> {
    /// What a trigger with these event types hears of.
    pub(super) fn thresholds(
        &mut self,
        node: Option<&Node>,
        events: &[String],
        inputs: &[Input],
    ) -> Vec<Wanted> {
        let connectors = self.catalog.connectors.iter();
        let all = connectors.flat_map(|def| def.thresholds);
        let mut out: Vec<Wanted> = all
            .filter(|def| events.iter().any(|event| def.events.contains(&&**event)))
            .map(|def| Wanted {
                def,
                numbers: Numbers::Default,
            })
            .collect();
        let Some(node) = node else { return out };
        let Some(entries) = node.entries() else {
            let hint = "write `with: { days: [30, 7] }`, or `with: { days: inputs.days }`";
            self.error(node.place(), "`with` is a group of thresholds", hint);
            return out;
        };
        for (key, value) in entries {
            let known: Vec<&str> = out.iter().map(|wanted| wanted.def.name).collect();
            let Some(at) = known.iter().position(|name| *name == key.name) else {
                self.no_such_threshold(key, &known);
                continue;
            };
            if let Some(numbers) = self.numbers(value, out[at].def, inputs) {
                out[at].numbers = numbers;
            }
        }
        out
    }

    fn no_such_threshold(&mut self, key: &Key, known: &[&str]) {
        let message = format!("these events have no thresholds `{}`", key.name);
        let hint = match nearest(&key.name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "take `with` away: nothing can be handed over".to_owned(),
            None => format!("there are: {}", known.join(", ")),
        };
        self.error(key.place(), message, &hint);
    }

    fn numbers(&mut self, node: &Node, def: &ThresholdDef, inputs: &[Input]) -> Option<Numbers> {
        let written = |input: &str| {
            format!(
                "write: {}: [30, 7], or {}: inputs.{input}",
                def.name, def.name
            )
        };
        if let Some(name) = node
            .text()
            .and_then(|text| text.trim().strip_prefix("inputs."))
        {
            let Some(input) = inputs.iter().find(|input| input.name == name) else {
                let near = nearest(name, inputs.iter().map(|input| input.name.as_str()));
                let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
                self.error(node.place(), format!("there is no input `{name}`"), &hint);
                return None;
            };
            if !matches!(input.kind, InputKind::Numbers | InputKind::Number) {
                let message = format!("`inputs.{name}` is not of type numbers");
                self.error(node.place(), message, "give the input `type: numbers`");
                return None;
            }
            if let Some(Err(message)) = input.default.as_ref().map(|json| numbers(def, json)) {
                let message = format!("the default of `inputs.{name}` does not fit: {message}");
                self.error(node.place(), message, "");
                return None;
            }
            return Some(Numbers::Input(name.to_owned()));
        }
        match numbers(def, &node.json()) {
            Ok(numbers) => Some(Numbers::Written(numbers)),
            Err(message) => {
                let message = format!("`{}` are numbers: {message}", def.name);
                self.error(node.place(), message, &written("days"));
                None
            }
        }
    }
}
