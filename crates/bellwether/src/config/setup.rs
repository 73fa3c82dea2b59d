//! The set-up file: connections, people, and which flows are on with which inputs. It is imported
//! into the registry when it changed, and recorded there as written by `file`.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_engine::flow::Position;
use bellwether_engine::yaml::{Node, Problem, Reader};
use bellwether_model::directory::{Directory, Person};
use bellwether_model::event::OWN_SOURCES;
use serde_json::{Map, Value};

use super::{in_file, load};

const KEYS: [&str; 9] = [
    "bellwether",
    "connections",
    "people",
    "groups",
    "teams",
    "calendars",
    "rotas",
    "owner",
    "flows",
];
/// How many effects of a connection may be in flight at most.
const SLOTS_MAX: u64 = 1024;
/// How long a connection's name may be, in bytes.
const NAME_MAX: usize = 64;

/// One connection. Debug shows which settings there are and none of their values.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct ConnectionConfig {
    /// The connector's name.
    pub(crate) connector: String,
    /// Its settings, secrets included.
    pub(crate) settings: Map<String, Value>,
    /// Effects in flight at most, if not the usual number.
    #[serde(default)]
    pub(crate) in_flight: Option<usize>,
}

impl std::fmt::Debug for ConnectionConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionConfig")
            .field("connector", &self.connector)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("in_flight", &self.in_flight)
            .finish()
    }
}

/// One flow: whether it is on, and its inputs.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct FlowConfig {
    /// Off, shadow or on.
    #[serde(default)]
    pub(crate) position: Option<Position>,
    /// The inputs.
    #[serde(default)]
    pub(crate) inputs: Value,
}

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetupFile {
    /// By name.
    pub(crate) connections: BTreeMap<String, ConnectionConfig>,
    /// Everybody.
    pub(crate) directory: Directory,
    /// By flow name.
    pub(crate) flows: BTreeMap<String, FlowConfig>,
}

impl SetupFile {
    /// Reads the file.
    ///
    /// # Errors
    /// Every mistake with file, line and column.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let (_, node) = load(path)?;
        let mut problems = Vec::new();
        let setup = Self::from_node(&node, &mut problems);
        if problems.is_empty() {
            return Ok(setup);
        }
        Err(in_file(&path.display().to_string(), &problems))
    }

    /// Reads the file's content.
    pub(crate) fn from_node(node: &Node, problems: &mut Vec<Problem>) -> Self {
        let mut setup = Self::default();
        let mut reader = Reader::new(node, "the set-up", &KEYS, problems);
        let owner = reader.text("owner").map(str::to_owned);
        let (connections, people, flows) = (
            reader.get("connections"),
            reader.get("people"),
            reader.get("flows"),
        );
        let parts = ["groups", "teams", "calendars", "rotas"].map(|part| (part, reader.get(part)));
        for (key, node) in entries(connections) {
            check_name(&key, node, problems);
            if let Some(connection) = connection(node, problems) {
                setup.connections.insert(key, connection);
            }
        }
        for (key, node) in entries(people) {
            match serde_json::from_value::<Person>(node.json()) {
                Ok(mut person) => {
                    check_person(&person, node, problems);
                    person.id.clone_from(&key);
                    if person.name.is_empty() {
                        person.name.clone_from(&key);
                    }
                    setup.directory.people.insert(key, person);
                }
                Err(error) => {
                    problems.push(Problem::error(node.place(), format!("{key}: {error}")));
                }
            }
        }
        for (key, node) in entries(flows) {
            match serde_json::from_value::<FlowConfig>(node.json()) {
                Ok(flow) => {
                    setup.flows.insert(key, flow);
                }
                Err(error) => {
                    problems.push(Problem::error(node.place(), format!("{key}: {error}")));
                }
            }
        }
        setup.directory.owner = owner;
        for (part, node) in parts {
            if let Some(node) = node {
                named_part(&mut setup.directory, part, node, problems);
            }
        }
        if problems.is_empty() {
            whole(&mut setup.directory, node, problems);
        }
        setup
    }
}

/// A connection is the source of its events: its name must not be one that we speak under, and it
/// stands in addresses.
fn check_name(name: &str, node: &Node, problems: &mut Vec<Problem>) {
    if OWN_SOURCES.contains(&name) {
        let message = format!("`{name}` is a name that the server itself speaks under");
        problems.push(Problem::error(node.place(), message).hint("choose another one"));
        return;
    }
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        let message = format!("`{name}` cannot be the name of a connection");
        let hint = format!("1 to {NAME_MAX} letters, digits, dots, dashes and underscores");
        problems.push(Problem::error(node.place(), message).hint(hint));
    }
}

fn connection(node: &Node, problems: &mut Vec<Problem>) -> Option<ConnectionConfig> {
    let keys = ["connector", "settings", "in_flight"];
    let mut reader = Reader::new(node, "a connection", &keys, problems);
    let connector = reader.need("connector").and_then(Node::text)?.to_owned();
    let in_flight = reader.number("in_flight").map(|n| n.clamp(1, SLOTS_MAX));
    let settings = reader.get("settings").map(Node::json);
    let settings = settings
        .and_then(|settings| settings.as_object().cloned())
        .unwrap_or_default();
    let in_flight = in_flight.and_then(|n| usize::try_from(n).ok());
    Some(ConnectionConfig {
        connector,
        settings,
        in_flight,
    })
}

/// Groups, teams, calendars or rotas, each under its name.
fn named_part(directory: &mut Directory, part: &str, node: &Node, problems: &mut Vec<Problem>) {
    fn read<T: serde::de::DeserializeOwned>(
        all: &mut BTreeMap<String, T>,
        node: &Node,
        problems: &mut Vec<Problem>,
    ) {
        for (name, node) in entries(Some(node)) {
            match serde_json::from_value(node.json()) {
                Ok(one) => drop(all.insert(name, one)),
                Err(error) => {
                    let message = format!("{name}: {error}");
                    problems.push(Problem::error(node.place(), message));
                }
            }
        }
    }
    match part {
        "groups" => read(&mut directory.groups, node, problems),
        "teams" => read(&mut directory.teams, node, problems),
        "calendars" => read(&mut directory.calendars, node, problems),
        _ => read(&mut directory.rotas, node, problems),
    }
}

/// What is wrong with groups, rotas and the like as a whole. What is wrong with a person alone was
/// never refused in a set-up, and is said when it is read.
fn whole(directory: &mut Directory, node: &Node, problems: &mut Vec<Problem>) {
    directory.settle();
    for finding in directory.findings() {
        let mut words = finding.about.splitn(2, ' ');
        let part = words
            .next()
            .map(|word| format!("{word}s"))
            .unwrap_or_default();
        let place = node
            .get(&part)
            .and_then(|part| part.get(words.next().unwrap_or_default()));
        match place {
            Some(place) if finding.is_error => {
                problems.push(Problem::error(place.place(), finding.message));
            }
            _ => tracing::warn!("the set-up: {}", finding.message),
        }
    }
}

fn check_person(person: &Person, node: &Node, problems: &mut Vec<Problem>) {
    let place = node.get("zone").map_or(node.place(), Node::place);
    if person.zone.is_empty() {
        let problem = Problem::error(node.place(), "a person needs a `zone`");
        problems.push(problem.hint("such as Europe/Vienna"));
    } else if jiff::tz::TimeZone::get(&person.zone).is_err() {
        let message = format!("there is no time zone `{}`", person.zone);
        problems.push(Problem::error(place, message).hint("such as Europe/Vienna"));
    }
}

fn entries(node: Option<&Node>) -> Vec<(String, &Node)> {
    let entries = node.and_then(Node::entries).unwrap_or_default();
    entries
        .iter()
        .map(|(key, node)| (key.name.clone(), node))
        .collect()
}
