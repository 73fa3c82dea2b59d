//! `lint`: checks flow files and says everything that is wrong at once.

use std::path::PathBuf;

use bellwether_engine::flow::{Severity, check_inputs, read_checked};
use serde_json::{Value, json};

use super::Failed;
use crate::output;
use crate::server::{catalog, read_folder};

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

impl Lint {
    pub(super) fn run(self) -> Result<(), Failed> {
        let (mut flows, mut errors, mut warnings) = (0_usize, 0_usize, 0_usize);
        let mut listed = Vec::new();
        for path in &self.paths {
            for file in read_folder(path)? {
                flows += 1;
                let shown = file.shown();
                let (flow, mut problems) = read_checked(&file.text, &shown, &catalog());
                if let Some(flow) = flow {
                    problems.extend(default_problems(&flow, &file.files));
                }
                for problem in problems {
                    match problem.severity {
                        Severity::Error => errors += 1,
                        Severity::Warning => warnings += 1,
                    }
                    if self.json {
                        listed.push(json!({
                            "file": shown, "line": problem.line, "column": problem.column,
                            "severity": if problem.severity == Severity::Error { "error" } else { "warning" },
                            "message": problem.message, "hint": problem.hint,
                        }));
                    } else {
                        output::data(&problem.in_file(&shown));
                    }
                }
            }
        }
        if self.json {
            output::json(&json!({
                "flows": flows, "errors": errors, "warnings": warnings, "problems": listed,
            }));
        } else {
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

/// What is wrong with defaults, as far as it can be known before anything is filled in: tables that
/// stand in files next to the flow.
fn default_problems(
    flow: &bellwether_engine::flow::Flow,
    files: &std::collections::BTreeMap<String, String>,
) -> Vec<bellwether_engine::flow::Problem> {
    let file = |name: &str| files.get(name).cloned();
    let problems = check_inputs(flow, &Value::Null, &file)
        .err()
        .unwrap_or_default();
    problems
        .into_iter()
        .filter(|problem| !problem.message.contains("is missing"))
        .collect()
}
