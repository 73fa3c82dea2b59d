//! `test`: runs the stories that stand in flow files, on a virtual clock.

use std::path::PathBuf;
use std::sync::Arc;

use bellwether_engine::flow::Flow;
use bellwether_engine::story::{self, Scene, StoryResult};
use serde_json::{Value, json};

use super::Failed;
use crate::output;
use crate::server::{FlowFile, catalog, in_memory, read_folder};

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// A flow file, or a folder of them.
    path: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) fn run(self) -> Result<(), Failed> {
        let files = read_folder(&self.path)?;
        if files.is_empty() {
            return Err(format!("{}: there are no flow files here", self.path.display()).into());
        }
        let (mut passed, mut failed) = (0_usize, 0_usize);
        let mut listed = Vec::new();
        let bar = output::progress(files.len() as u64, "stories are played");
        for file in &files {
            let flow = Arc::new(readable(file)?);
            for result in play(file, &flow) {
                if result.passed {
                    passed += 1;
                } else {
                    failed += 1;
                }
                if self.json {
                    listed.push(entry(file, &flow, &result));
                } else {
                    show(file, &flow, &result);
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if self.json {
            output::json(&json!({ "passed": passed, "failed": failed, "tests": listed }));
        } else {
            output::data(&format!("{passed} passed, {failed} failed"));
        }
        if failed > 0 {
            Err(Failed::Quietly)
        } else {
            Ok(())
        }
    }
}

fn readable(file: &FlowFile) -> Result<Flow, Failed> {
    let shown = file.shown();
    let lines = |problems: Vec<bellwether_engine::flow::Problem>| -> Vec<String> {
        problems
            .iter()
            .map(|problem| problem.in_file(&shown))
            .collect()
    };
    file.flow()
        .map_err(|problems| Failed::Said(lines(problems)))
}

fn play(file: &FlowFile, flow: &Arc<Flow>) -> Vec<StoryResult> {
    let beside = |name: &str| file.files.get(name).cloned();
    let people = story::directory();
    let scene = Scene {
        flow,
        inputs: &Value::Null,
        file: &beside,
        catalog: catalog(),
        people: &people,
        position: bellwether_engine::flow::Position::On,
    };
    story::run(scene, &in_memory)
}

fn entry(file: &FlowFile, flow: &Flow, result: &StoryResult) -> Value {
    let problems: Vec<Value> = result
        .problems
        .iter()
        .map(
            |p| json!({ "line": p.line, "column": p.column, "message": p.message, "hint": p.hint }),
        )
        .collect();
    json!({
        "file": file.shown(), "flow": flow.name, "name": result.name, "line": result.line,
        "passed": result.passed, "micros": result.micros, "problems": problems,
    })
}

fn show(file: &FlowFile, flow: &Flow, result: &StoryResult) {
    let mark = if result.passed { "ok " } else { "BAD" };
    let ms = result.micros / 1000;
    output::data(&format!("{mark}  {}: {} ({ms} ms)", flow.name, result.name));
    for problem in &result.problems {
        output::data(&format!("     {}", problem.in_file(&file.shown())));
    }
}
