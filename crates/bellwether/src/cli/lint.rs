//! `lint`: checks flow files and says everything that is wrong at once.

use std::path::PathBuf;

use bellwether_engine::flow::calls::unanswered;
use bellwether_engine::flow::{Flow, Problem, Severity, check_inputs, circles};
use serde_json::{Value, json};

use super::Failed;
use crate::output;
use crate::server::{FlowFile, read_folder};

/// Arguments of `lint`.
#[derive(Debug, clap::Args)]
pub(super) struct Lint {
    /// Flow files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// A file and what was found in it.
struct Checked {
    shown: String,
    flow: Option<Flow>,
    problems: Vec<Problem>,
}

impl Checked {
    fn of(file: &FlowFile) -> Self {
        let (flow, mut problems) = file.checked();
        if let Some(flow) = &flow {
            problems.extend(default_problems(flow, file));
        }
        Self {
            shown: file.shown(),
            flow,
            problems,
        }
    }

    fn count(&self, severity: Severity) -> usize {
        let of_it = |problem: &&Problem| problem.severity == severity;
        self.problems.iter().filter(of_it).count()
    }

    fn listed(&self) -> impl Iterator<Item = Value> {
        self.problems.iter().map(|problem| {
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            json!({
                "file": self.shown, "line": problem.line, "column": problem.column,
                "severity": severity, "message": problem.message, "hint": problem.hint,
            })
        })
    }
}

impl Lint {
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut all: Vec<Checked> = Vec::new();
        for path in &self.paths {
            all.extend(read_folder(path)?.iter().map(Checked::of));
        }
        add_joint(&mut all);
        let count = |severity| all.iter().map(|one| one.count(severity)).sum::<usize>();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let flows = all.len();
        if self.json {
            let listed: Vec<Value> = all.iter().flat_map(Checked::listed).collect();
            output::json(&json!({
                "flows": flows, "errors": errors, "warnings": warnings, "problems": listed,
            }));
        } else {
            for one in &all {
                for problem in &one.problems {
                    output::data(&problem.in_file(&one.shown));
                }
            }
            output::say(&format!(
                "{flows} flows, {errors} errors, {warnings} warnings"
            ));
        }
        if errors > 0 {
            Err(Failed::Quietly)
        } else {
            Ok(())
        }
    }
}

/// What only shows when all flows are looked at together.
fn add_joint(all: &mut [Checked]) {
    let understood: Vec<usize> = (0..all.len())
        .filter(|at| all[*at].flow.is_some())
        .collect();
    let flows: Vec<&Flow> = all.iter().filter_map(|one| one.flow.as_ref()).collect();
    for (number, problem) in circles(&flows).into_iter().chain(unanswered(&flows)) {
        all[understood[number]].problems.push(problem);
    }
}

/// What is wrong with defaults, as far as it can be known before anything is filled in: tables that
/// stand in files next to the flow.
fn default_problems(flow: &Flow, file: &FlowFile) -> Vec<Problem> {
    let beside = |name: &str| file.files.get(name).cloned();
    let problems = check_inputs(flow, &Value::Null, &beside)
        .err()
        .unwrap_or_default();
    problems
        .into_iter()
        .filter(|problem| !problem.message.contains("is missing"))
        .collect()
}
