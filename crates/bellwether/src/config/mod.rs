//! Configuration: the server's own file (addresses, database, keys) and the set-up file
//! (connections, people, which flows are on). Both are YAML, read with positions; every mistake is
//! reported at once.

mod server;
mod setup;

pub(crate) use server::ServerConfig;
pub(crate) use setup::{ConnectionConfig, FlowConfig, SetupFile};

use std::path::Path;

use bellwether_engine::yaml::{Node, Problem, Severity, parse};

/// Reads and parses a file.
pub(crate) fn load(path: &Path) -> Result<(String, Node), Vec<String>> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![format!(
            "{shown}: {error}; give the path of a file that exists"
        )]
    })?;
    let (node, problems) = parse(&text);
    match node {
        Some(node) if problems.iter().all(|p| p.severity == Severity::Warning) => Ok((text, node)),
        _ => Err(in_file(&shown, &problems)),
    }
}

/// Problems as lines.
pub(crate) fn in_file(file: &str, problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| problem.in_file(file))
        .collect()
}
