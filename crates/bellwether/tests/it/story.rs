//! The recipes that are shipped pass the tests that they ship with, and stories fail when they should.

use std::path::Path;
use std::sync::Arc;

use bellwether_engine::flow::{self, Catalog, Flow};
use bellwether_engine::story::{self, Scene, Stored, StoryResult};
use serde_json::json;

fn recipes() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes"))
}

pub(crate) fn catalog() -> Catalog {
    Catalog {
        connectors: bellwether_connectors::all(),
    }
}

pub(crate) fn file(name: &str) -> Option<String> {
    std::fs::read_to_string(recipes().join(name)).ok()
}

pub(crate) fn memory() -> Result<Stored, String> {
    let database = bellwether_store::open("sqlite::memory:").map_err(|error| error.to_string())?;
    let database = Arc::new(database);
    Ok((Arc::clone(&database) as _, database as _))
}

pub(crate) fn flow(name: &str, text: &str) -> Arc<Flow> {
    match flow::read(text, name, &catalog()) {
        Ok(flow) => Arc::new(flow),
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(|p| p.in_file(name)).collect();
            panic!("{}", all.join("\n"));
        }
    }
}

fn play(name: &str, text: &str) -> Vec<StoryResult> {
    let flow = flow(name, text);
    let people = story::directory();
    let inputs = json!({});
    let scene = Scene {
        flow: &flow,
        inputs: &inputs,
        file: &file,
        catalog: catalog(),
        people: &people,
    };
    story::run(scene, &memory)
}

#[test]
fn shipped_recipes_pass_their_own_stories() {
    let mut played = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(recipes()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for result in play(&name, &text) {
            played += 1;
            println!("{:>8} µs  {}", result.micros, result.name);
            for problem in &result.problems {
                wrong.push(format!("{}\n    {}", result.name, problem.in_file(&name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played >= 12, "{played}");
}
