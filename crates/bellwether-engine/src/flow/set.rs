//! The flows that are switched on, at one version, and which of them an event starts. Matching is
//! pure in event and flow set, so that "why not" can be answered later by asking again.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bellwether_model::connector::ThresholdDef;
use bellwether_model::event::{HOP_MAX, NewEvent};
use serde_json::Value as Json;

use super::calls::{CALLED, calls, is_callable};
use super::def::{Flow, Numbers, Trigger, Wanted};
use super::groups::taken_by;
use super::match_index::{self, MatchIndex};
use crate::lang::{EvalError, Scope, Value, World, json_of, value_of};

/// Whether a flow acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// It starts nothing.
    #[default]
    Off,
    /// It starts and decides, but nothing is sent.
    Shadow,
    /// It acts.
    On,
}

/// A flow with what was filled in when it was switched on.
#[derive(Clone, Debug)]
pub struct Active {
    /// The flow.
    pub flow: Arc<Flow>,
    /// Its inputs, checked.
    pub inputs: Value,
    /// Whether it acts.
    pub position: Position,
}

/// All flows at one version.
#[derive(Clone, Debug, Default)]
pub struct FlowSet {
    version: u64,
    flows: Vec<Active>,
    /// Trigger number → flow, trigger and what it hears of.
    triggers: Vec<Known>,
    index: MatchIndex,
    /// Every event type that starts a flow.
    heard: HashSet<String>,
    /// The flows that decide but send nothing.
    shadows: HashSet<String>,
    /// Whether one of those that may start looks for customers.
    asks_customers: bool,
    /// Flows that answer calls, but not here.
    elsewhere: HashSet<String>,
}

/// A trigger of a flow that acts.
#[derive(Clone, Debug)]
struct Known {
    flow: u32,
    trigger: u32,
    thresholds: Vec<(&'static ThresholdDef, Vec<i64>)>,
}

/// A flow that an event starts or continues.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The flow.
    pub flow: Arc<Flow>,
    /// Its inputs.
    pub inputs: Value,
    /// Whether it acts.
    pub position: Position,
    /// The trigger's name, when it has one.
    pub trigger: Option<String>,
    /// What counts as the same matter: the cell's key.
    pub key: String,
    /// What its expressions see.
    pub scope: Scope,
}

/// What an event starts.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// The flows, in the order of the set; each at most once.
    pub hits: Vec<Hit>,
    /// Flows whose condition or case could not be worked out, with the reason.
    pub failed: Vec<(String, EvalError)>,
}

impl FlowSet {
    /// A set of flows, each with what gathers the lines of its digests. Those that are off are
    /// known
    /// but start nothing.
    pub fn new(version: u64, flows: Vec<Active>) -> Self {
        let gatherers = flows.iter().flat_map(|active| {
            let all = active.flow.gatherers.iter();
            all.map(|flow| Active {
                flow: Arc::clone(flow),
                ..active.clone()
            })
        });
        let flows: Vec<Active> = flows.iter().cloned().chain(gatherers).collect();
        let silent = flows.iter().filter(|one| one.position == Position::Shadow);
        let shadows = silent.map(|active| active.flow.name.clone()).collect();
        let mut index = MatchIndex::default();
        let mut triggers = Vec::new();
        let mut heard = HashSet::new();
        for (flow_number, active) in (0..).zip(&flows) {
            if active.position == Position::Off {
                continue;
            }
            for (trigger_number, trigger) in (0..).zip(&active.flow.when) {
                let number = u32::try_from(triggers.len()).unwrap_or(u32::MAX);
                triggers.push(Known {
                    flow: flow_number,
                    trigger: trigger_number,
                    thresholds: resolved(trigger, &active.inputs),
                });
                heard.extend(trigger.events.iter().cloned());
                index.add(number, &active.flow, trigger, &active.inputs);
            }
        }
        let started = flows
            .iter()
            .filter(|active| active.position != Position::Off);
        let asks_customers = started.clone().any(|active| active.flow.asks_customers());
        Self {
            version,
            flows,
            triggers,
            index,
            heard,
            shadows,
            asks_customers,
            elsewhere: HashSet::new(),
        }
    }

    /// The same set, where calls of these flows are answered by somebody else.
    pub(crate) fn with_answers_from(mut self, elsewhere: HashSet<String>) -> Self {
        self.elsewhere = elsewhere;
        self
    }

    /// The flows whose calls somebody else answers.
    pub(crate) fn elsewhere(&self) -> &HashSet<String> {
        &self.elsewhere
    }

    /// The flows that do something when they are called.
    pub(crate) fn callable(&self) -> impl Iterator<Item = &str> {
        let on = self.flows.iter();
        let on = on.filter(|one| one.position != Position::Off && is_callable(&one.flow));
        on.map(|one| one.flow.name.as_str())
    }

    /// Whether a call of this flow is answered.
    pub(crate) fn answers(&self, name: &str) -> bool {
        self.elsewhere.contains(name) || self.callable().any(|one| one == name)
    }

    /// Whether a flow decides but must not send.
    pub(crate) fn is_shadow(&self, name: &str) -> bool {
        self.shadows.contains(name)
    }

    /// Whether any flow starts with events of this type.
    pub fn hears_of(&self, kind: &str) -> bool {
        self.heard.contains(kind)
    }

    /// Whether a flow that may start looks for customers.
    pub(crate) fn asks_customers(&self) -> bool {
        self.asks_customers
    }

    /// The version that events and turns record.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All flows.
    pub fn flows(&self) -> &[Active] {
        &self.flows
    }

    /// A flow by name.
    pub fn by_name(&self, name: &str) -> Option<&Active> {
        self.flows.iter().find(|active| active.flow.name == name)
    }

    /// A flow by the hash of its definition.
    pub fn by_hash(&self, hash: &[u8; 16]) -> Option<&Active> {
        self.flows.iter().find(|active| active.flow.hash == *hash)
    }

    /// Every threshold of this kind that a flow wants of a connection, ascending; the connector's
    /// own when none does.
    pub(crate) fn thresholds(&self, def: &'static ThresholdDef, source: &str) -> Vec<i64> {
        let mut all = BTreeSet::new();
        for known in &self.triggers {
            let active = &self.flows[known.flow as usize];
            let trigger = &active.flow.when[known.trigger as usize];
            if match_index::source(trigger, &active.inputs).is_some_and(|of| of != source) {
                continue;
            }
            let wanted = known.thresholds.iter().filter(|(known, _)| *known == def);
            all.extend(wanted.flat_map(|(_, numbers)| numbers));
        }
        if all.is_empty() {
            all.extend(def.default);
        }
        all.into_iter().collect()
    }

    /// The triggers that are asked about an event.
    #[cfg(test)]
    pub(super) fn asked(&self, event: &NewEvent) -> Vec<u32> {
        self.index.candidates(event)
    }

    /// The flows that the event starts or continues. An event that went through too many of our own
    /// hands starts nothing.
    pub fn matches(&self, event: &NewEvent, world: &Arc<World>) -> Matches {
        let mut out = Matches::default();
        if event.hop > HOP_MAX {
            return out;
        }
        let data = OnceCell::new();
        let mut done = None;
        // Flows that fit, and those of which nobody can say: none of their group may take it.
        let mut claims = Vec::new();
        for number in self.index.candidates(event) {
            let known = &self.triggers[number as usize];
            if done == Some(known.flow) || !known.hears(event) {
                continue;
            }
            let active = &self.flows[known.flow as usize];
            if event.kind == CALLED && !calls(event, &active.flow.name) {
                continue;
            }
            let trigger = &active.flow.when[known.trigger as usize];
            let data = data.get_or_init(|| value_of(&event.data)).clone();
            match attempt(active, trigger, event, data, world) {
                Ok(Some(hit)) => {
                    done = Some(known.flow);
                    claims.push(active);
                    out.hits.push(hit);
                }
                Ok(None) => {}
                Err(error) => {
                    claims.push(active);
                    out.failed.push((active.flow.name.clone(), error));
                }
            }
        }
        if claims.iter().filter(|one| one.flow.group.is_some()).count() > 1 {
            let left = |hit: &Hit| {
                let mut own = claims.iter().filter(|one| one.flow.hash == hit.flow.hash);
                own.all(|one| taken_by(one, claims.iter().copied()).is_none())
            };
            out.hits.retain(left);
        }
        out
    }
}

impl Known {
    /// Whether the event passed a threshold of this flow's. What lists none was not judged by
    /// thresholds.
    fn hears(&self, event: &NewEvent) -> bool {
        let of_it = self.thresholds.iter();
        let mut of_it = of_it.filter(|(def, _)| def.events.contains(&&*event.kind));
        of_it.all(|(def, wanted)| {
            let passed = event.data.pointer(def.passed).and_then(Json::as_array);
            passed.is_none_or(|passed| {
                let mut passed = passed.iter().filter_map(Json::as_i64);
                passed.any(|number| wanted.contains(&number))
            })
        })
    }
}

/// The thresholds of a trigger, with what was filled in.
fn resolved(trigger: &Trigger, inputs: &Value) -> Vec<(&'static ThresholdDef, Vec<i64>)> {
    let numbers = |wanted: &Wanted| match &wanted.numbers {
        Numbers::Default => wanted.def.default.to_vec(),
        Numbers::Written(numbers) => numbers.clone(),
        Numbers::Input(name) => match inputs.get_attr(name).map(|value| json_of(&value)) {
            // They were checked when the flow was switched on.
            Ok(Json::Array(all)) => all.iter().filter_map(Json::as_i64).collect(),
            Ok(one) => one.as_i64().into_iter().collect(),
            Err(_) => Vec::new(),
        },
    };
    let thresholds = trigger.thresholds.iter();
    thresholds
        .map(|wanted| (wanted.def, numbers(wanted)))
        .collect()
}

fn attempt(
    active: &Active,
    trigger: &Trigger,
    event: &NewEvent,
    data: Value,
    world: &Arc<World>,
) -> Result<Option<Hit>, EvalError> {
    let scope = Scope::of_value(
        &active.flow,
        &active.inputs,
        event,
        data,
        trigger.name.as_deref(),
        world.clone(),
    );
    if let Some(source) = &trigger.source {
        let source = scope.eval(source)?;
        if source.as_str().is_some_and(|name| name != event.source) {
            return Ok(None);
        }
    }
    if let Some(condition) = &trigger.condition
        && !scope.truthy(condition)?
    {
        return Ok(None);
    }
    Ok(Some(Hit {
        flow: active.flow.clone(),
        inputs: active.inputs.clone(),
        position: active.position,
        trigger: trigger.name.clone(),
        key: scope.case()?,
        scope,
    }))
}
