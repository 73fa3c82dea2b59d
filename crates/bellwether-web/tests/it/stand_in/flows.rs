//! The flows of the stand-in: one recipe, saved into the fake registry.

use std::sync::LazyLock;

use bellwether_engine::flow::{Position, Problem};
use bellwether_engine::seam::*;
use bellwether_engine::story::StoryResult;
use bellwether_model::BoxFuture;
use serde_json::{Value, json};

use super::fake::{Fake, document, done, lock};

const TEXT: &str = "\
bellwether: 1
flow: opened-late
about: Whoever opens a push late is named to the one who wants to know.
inputs:
  tell: { type: who, label: Who wants to know }
  limit: { type: money, label: From this amount, default: 50 EUR }
  loud: { type: bool, label: Also at night, default: false }
  rows: { type: table, columns: { kind: text, who: who }, default: [] }
when: { event: push.opened }
steps:
  - push: inputs.tell
    title: \"{{ push.title }} was opened late\"
";

static RECIPES: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
    vec![Recipe {
        name: "opened-late",
        document: FlowDocument {
            file: "recipes/opened-late.yaml".to_owned(),
            text: TEXT.to_owned(),
            files: [].into(),
            inputs: Value::Null,
            position: Position::Off,
        },
    }]
});

impl Flows for Fake {
    fn recipes(&self) -> &[Recipe] {
        &RECIPES
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        saved: FlowDocument,
        seen: u64,
        _: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotSaved>> {
        let mut documents = lock(&self.documents);
        let is_it =
            |one: &bellwether_engine::store::Document| one.kind == "flow" && one.name == name;
        let there = documents.iter().find(|one| is_it(one));
        let version = there.map_or(0, |one| one.version);
        if version != seen {
            return done(Err(NotSaved::Conflict));
        }
        let mut new = document("flow", name, json!(saved));
        new.version = version + 1;
        documents.retain(|one| !is_it(one));
        documents.push(new);
        done(Ok(version + 1))
    }

    fn sample(&self, filled: FlowDocument) -> BoxFuture<'_, Result<Sample, Vec<Problem>>> {
        done(Ok(Sample {
            came: "push.opened".to_owned(),
            at: *lock(&self.now),
            sent: vec![Sampled {
                what: "push",
                who: filled.inputs["tell"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                title: "<b>Lamps</b> was opened late".to_owned(),
                text: String::new(),
                after: 7_200,
            }],
        }))
    }

    fn play(&self, _: FlowDocument) -> BoxFuture<'_, Result<Vec<StoryResult>, Vec<Problem>>> {
        let story = |name: &str, problems: Vec<Problem>| StoryResult {
            name: name.to_owned(),
            line: 14,
            passed: problems.is_empty(),
            problems,
            micros: 900,
        };
        let missing = Problem::error((15, 3), "a push to alice was expected");
        done(Ok(vec![
            story("told once", Vec::new()),
            story("silent at night", vec![missing]),
        ]))
    }
}
