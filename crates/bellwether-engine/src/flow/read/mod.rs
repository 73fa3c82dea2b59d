//! Reads a flow file into a [`Flow`]: walks the positioned nodes by hand and collects every problem
//! instead of stopping at the first, each with line, column and what to write instead.

mod ask;
mod cost;
mod digest;
mod early;
mod expr;
mod fan;
mod header;
mod ids;
pub mod inputs;
mod names;
mod request;
mod sample;
pub(crate) mod schedule;
mod span;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod ways;
mod when;
mod with;

use std::sync::Arc;

use bellwether_model::connector::{ConnectorDef, TriggerDef};
use bellwether_model::id::hash;

use super::def::{Flow, Privacy};
use super::{calls, own_events};
use crate::yaml::reader::push;
use crate::yaml::{Kind, Node, PROBLEMS_MAX, Problem, Severity};
pub(crate) use header::ID_MAX;
use ids::Ids;
use names::Names;
pub(crate) use span::pattern as span_pattern;
pub use span::span;

/// What connectors there are: where event types, nouns and samples come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Catalog {
    /// All connectors.
    pub connectors: &'static [&'static ConnectorDef],
}

impl Catalog {
    /// An event type.
    pub fn trigger(&self, event: &str) -> Option<&'static TriggerDef> {
        self.triggers().find(|trigger| trigger.event == event)
    }

    /// All event types: those of the connectors, and the server's own.
    pub fn triggers(&self) -> impl Iterator<Item = &'static TriggerDef> {
        let all = self.connectors.iter().flat_map(|def| def.triggers);
        all.chain(&own_events::TRIGGERS).chain(&calls::TRIGGERS)
    }
}

/// Reads a flow. Warnings do not stand in its way.
///
/// # Errors
/// All problems that were found, warnings too, in the order of the file.
pub fn read(text: &str, file: &str, catalog: &Catalog) -> Result<Flow, Vec<Problem>> {
    match read_checked(text, file, catalog) {
        (Some(flow), _) => Ok(flow),
        (None, problems) => Err(problems),
    }
}

/// Reads a flow and says everything that is wrong or doubtful about it. There is a flow unless one
/// of the problems is an error. `file` is the name that problems are shown with; only its stem is
/// looked at here, which should be the flow's name.
pub fn read_checked(text: &str, file: &str, catalog: &Catalog) -> (Option<Flow>, Vec<Problem>) {
    let (root, mut problems) = crate::yaml::parse_shown(text);
    let broken = !problems.is_empty();
    let Some(root) = root else {
        return (None, problems);
    };
    let mut reading = Reading {
        catalog,
        problems: Vec::new(),
        names: Names::default(),
        input_names: Vec::new(),
        durations: Vec::new(),
        schedules: Vec::new(),
        connections: Vec::new(),
        discretion: Privacy::default(),
        ids: Ids::default(),
        depth: 0,
        steps: 0,
        remedy: None,
        unreached: None,
        asked: false,
    };
    let flow = reading.flow(&root, text, file);
    // What YAML could not make sense of is said once, not again by each key that it tore apart.
    let torn: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    reading
        .problems
        .retain(|problem| !torn.contains(&problem.line));
    problems.append(&mut reading.problems);
    problems.sort_by_key(|problem| (problem.line, problem.column));
    if let Some(flow) = &flow {
        let misplaced = early::early_lookups(flow).into_iter();
        for problem in misplaced.chain(early::heeding_branches(flow)) {
            push(&mut problems, problem);
        }
    }
    let error = broken || problems.iter().any(|p| p.severity == Severity::Error);
    let flow = flow.filter(|_| !error);
    if let Some(flow) = &flow {
        for problem in sample::long_titles(flow, catalog) {
            push(&mut problems, problem);
        }
        for problem in cost::costly_tests(flow, catalog) {
            push(&mut problems, problem);
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
    }
    problems.truncate(PROBLEMS_MAX);
    (flow, problems)
}

/// A file being read.
struct Reading<'a> {
    catalog: &'a Catalog,
    problems: Vec<Problem>,
    names: Names,
    input_names: Vec<String>,
    durations: Vec<String>,
    /// Inputs that may say when a list leaves.
    schedules: Vec<String>,
    /// Inputs for connections, each with the connector that it must be of.
    connections: Vec<(String, Option<String>)>,
    /// How discreet messages are that say nothing about it.
    discretion: Privacy,
    ids: Ids,
    depth: usize,
    steps: usize,
    /// The key under which these steps stand, where none of them may wait.
    remedy: Option<&'static str>,
    /// The steps for whoever a message does not reach, where it has none of its own.
    unreached: Option<Node>,
    /// Whether a question was read already, whose decision later steps may speak of.
    asked: bool,
}

impl Reading<'_> {
    fn report(&mut self, problem: Problem) {
        push(&mut self.problems, problem);
    }

    fn error(&mut self, place: (usize, usize), message: impl Into<String>, hint: &str) {
        self.report(Problem::error(place, message).hint(hint));
    }
}

/// The hash of what the flow does: the file's content without comments, layout and tests.
fn canonical_hash(root: &Node) -> [u8; 16] {
    let mut text = String::new();
    for (key, node) in root.entries().unwrap_or_default() {
        if key.name != "tests" {
            write_text(&key.name, &mut text);
            write_node(node, &mut text);
        }
    }
    let digest = hash(&[b"flow-1", text.as_bytes()]);
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&text.len().to_string());
    out.push(':');
    out.push_str(text);
}

fn write_node(node: &Node, out: &mut String) {
    match &node.kind {
        Kind::Scalar { text, .. } => write_text(text, out),
        Kind::List(elements) => {
            out.push('[');
            elements.iter().for_each(|element| write_node(element, out));
            out.push(']');
        }
        Kind::Map(entries) => {
            out.push('{');
            for (key, value) in entries {
                write_text(&key.name, out);
                write_node(value, out);
            }
            out.push('}');
        }
    }
}

/// The stem of a file name: `flows/approval-mail.yaml` → `approval-mail`.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.split('.').next().unwrap_or(name)
}

/// The file's text, kept with the flow.
fn source(text: &str) -> Arc<str> {
    Arc::from(text)
}
