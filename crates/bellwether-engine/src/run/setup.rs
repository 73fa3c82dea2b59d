//! What the engine works with at one moment: flows, directory, connections. An immutable value that
//! is replaced as a whole when any of it changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bellwether_model::connector::{ActionDef, Connection, ConnectorDef, Role};
use bellwether_model::directory::Directory;
use bellwether_model::id::key16;

use crate::flow::{Block, Flow, FlowSet, Verb};
use crate::lang::Value;

/// A flow version with the inputs that it was switched on with: what cells keep.
#[derive(Clone, Debug)]
pub struct Program {
    /// The flow.
    pub flow: Arc<Flow>,
    /// Its inputs.
    pub inputs: Value,
    /// Hash over both.
    pub hash: [u8; 16],
    /// Whether people decide in it: then its journal is sealed.
    pub(crate) asks: bool,
}

impl Program {
    /// A flow with its inputs.
    pub fn new(flow: Arc<Flow>, inputs: Value) -> Self {
        let text = serde_json::to_string(&inputs).unwrap_or_default();
        let hash = key16(&[&flow.hash, text.as_bytes()]);
        let asks = asks(&flow.steps);
        Self {
            flow,
            inputs,
            hash,
            asks,
        }
    }
}

fn asks(block: &Block) -> bool {
    block.steps.iter().any(|step| {
        let mut inner = step.verb.endings().into_iter();
        matches!(step.verb, Verb::Ask(_)) || inner.any(|(_, block)| asks(block))
    })
}

/// A connection that is set up.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its connector.
    pub def: &'static ConnectorDef,
    /// The connection itself.
    pub connection: Arc<dyn Connection>,
    /// How many effects may be in flight at once.
    pub slots: usize,
}

impl Link {
    /// The action for a role.
    pub fn action(&self, role: Role) -> Option<&'static ActionDef> {
        self.def.actions.iter().find(|action| action.role == role)
    }
}

/// Everything at one version.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Flows that are on, indexed.
    pub flows: FlowSet,
    /// Every flow version that a cell may still keep, by hash.
    pub programs: HashMap<[u8; 16], Arc<Program>>,
    /// The version that is on, by flow name.
    pub active: HashMap<String, Arc<Program>>,
    /// People.
    pub directory: Arc<Directory>,
    /// Connections, by name.
    pub links: BTreeMap<String, Link>,
    /// Which connection serves a role when nothing else says so.
    pub roles: HashMap<Role, String>,
}

impl Setup {
    /// Nothing at all.
    pub fn empty() -> Self {
        Self {
            flows: FlowSet::new(0, Vec::new()),
            programs: HashMap::new(),
            active: HashMap::new(),
            directory: Arc::new(Directory::default()),
            links: BTreeMap::new(),
            roles: HashMap::new(),
        }
    }

    /// The same with the programs that gather the lines of digests.
    #[must_use]
    pub(crate) fn with_gatherers(mut self) -> Self {
        let gatherers = |program: &Program| -> Vec<Arc<Program>> {
            let all = program.flow.gatherers.iter();
            let made = |flow: &Arc<Flow>| Program::new(Arc::clone(flow), program.inputs.clone());
            all.map(|flow| Arc::new(made(flow))).collect()
        };
        let kept: Vec<_> = self
            .programs
            .values()
            .flat_map(|one| gatherers(one))
            .collect();
        let known = kept.into_iter().map(|program| (program.hash, program));
        self.programs.extend(known);
        let on: Vec<_> = self
            .active
            .values()
            .flat_map(|one| gatherers(one))
            .collect();
        let named = on
            .into_iter()
            .map(|program| (program.flow.name.clone(), program));
        self.active.extend(named);
        self
    }

    /// The connections for each role: the first, in order of name, that has an action for it.
    pub fn roles_of(links: &BTreeMap<String, Link>) -> HashMap<Role, String> {
        let mut roles = HashMap::new();
        for link in links.values() {
            for action in link.def.actions {
                roles
                    .entry(action.role)
                    .or_insert_with(|| link.name.clone());
            }
        }
        roles
    }
}
