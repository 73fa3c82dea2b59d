//! The flows that are switched on, at one version, and which of them an event starts. Matching is
//! pure in event and flow set, so that "why not" can be answered later by asking again.

use std::cell::OnceCell;
use std::sync::Arc;

use bellwether_model::event::{HOP_MAX, NewEvent};

use super::def::{Flow, Trigger};
use super::match_index::MatchIndex;
use crate::lang::{EvalError, Scope, Value, World, value_of};

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
    /// Trigger number → flow and trigger.
    triggers: Vec<(u32, u32)>,
    index: MatchIndex,
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
    /// A set of flows. Those that are off are known but start nothing.
    pub fn new(version: u64, flows: Vec<Active>) -> Self {
        let mut index = MatchIndex::default();
        let mut triggers = Vec::new();
        for (flow_number, active) in (0..).zip(&flows) {
            if active.position == Position::Off {
                continue;
            }
            for (trigger_number, trigger) in (0..).zip(&active.flow.when) {
                let number = u32::try_from(triggers.len()).unwrap_or(u32::MAX);
                triggers.push((flow_number, trigger_number));
                index.add(number, &active.flow, trigger, &active.inputs);
            }
        }
        Self {
            version,
            flows,
            triggers,
            index,
        }
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
        for number in self.index.candidates(event) {
            let (flow_number, trigger_number) = self.triggers[number as usize];
            if done == Some(flow_number) {
                continue;
            }
            let active = &self.flows[flow_number as usize];
            let trigger = &active.flow.when[trigger_number as usize];
            let data = data.get_or_init(|| value_of(&event.data)).clone();
            match attempt(active, trigger, event, data, world) {
                Ok(Some(hit)) => {
                    done = Some(flow_number);
                    out.hits.push(hit);
                }
                Ok(None) => {}
                Err(error) => out.failed.push((active.flow.name.clone(), error)),
            }
        }
        out
    }
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
