//! The flows behind the pages: saved as documents and handed to the engine with each change, tried
//! in a store of their own. What a flow may say is the engine's business.

use std::sync::Arc;

use bellwether_engine::flow::Problem;
use bellwether_engine::seam::{Actor, FlowDocument, Flows, NotSaved, Recipe, Sample};
use bellwether_engine::store::{Registry as _, RegistryError, Store, Views};
use bellwether_engine::story::{self, Scene, Stored, StoryResult};
use bellwether_model::BoxFuture;
use bellwether_model::directory::Directory;
use serde_json::json;

use super::Composed;
use super::flows::{catalog, program};
use crate::recipes;

/// The flows of a running server.
#[derive(Debug)]
pub(super) struct FlowDesk(pub(super) Composed);

impl FlowDesk {
    async fn checked_save(
        &self,
        name: &str,
        document: &FlowDocument,
        seen: u64,
        actor: &Actor,
    ) -> Result<u64, NotSaved> {
        let flow = program(document).map_err(NotSaved::Wrong)?.flow;
        if flow.name != name {
            let message = format!("this text is the flow `{}`, not `{name}`", flow.name);
            let hint = "a flow keeps its name; save another one under its own";
            let problem = Problem::error((1, 1), message).hint(hint);
            return Err(NotSaved::Wrong(vec![problem]));
        }
        let _turn = self.0.turn.lock().await;
        let orphans = self.0.orphans_of(name, document).await;
        let orphans = orphans.map_err(NotSaved::Store)?;
        if !orphans.is_empty() {
            return Err(NotSaved::Wrong(orphans));
        }
        let store = |error: RegistryError| NotSaved::Store(error.to_string());
        let registry = self.0.registry();
        let latest = registry.history("flow", name, 1).await.map_err(store)?;
        let latest = latest.first();
        // A flow that was removed counts as none to whoever makes it anew.
        let there = latest.filter(|document| !document.body.is_null());
        let expected = match (seen, there) {
            (0, None) => latest.map_or(0, |document| document.version),
            _ => seen,
        };
        let (body, at) = (json!(document), self.0.now());
        let put = registry.put("flow", name, Some(expected), body, &actor.name, at);
        let version = put.await.map_err(|error| match error {
            RegistryError::Conflict { .. } => NotSaved::Conflict,
            RegistryError::Store(why) => NotSaved::Store(why),
        })?;
        let set_up = self.0.reload_in_turn().await.map_err(NotSaved::Store)?;
        for complaint in set_up {
            tracing::error!("not set up: {complaint}");
        }
        Ok(version)
    }
}

impl Flows for FlowDesk {
    fn recipes(&self) -> &[Recipe] {
        recipes::all()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        document: FlowDocument,
        seen: u64,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotSaved>> {
        Box::pin(async move { self.checked_save(name, &document, seen, actor).await })
    }

    fn sample(&self, document: FlowDocument) -> BoxFuture<'_, Result<Sample, Vec<Problem>>> {
        let people = Arc::clone(&self.0.engine.setup().directory);
        Box::pin(apart(move || {
            in_scene(&document, &people, |scene| story::sample(scene, &in_memory))?
        }))
    }

    fn play(
        &self,
        document: FlowDocument,
    ) -> BoxFuture<'_, Result<Vec<StoryResult>, Vec<Problem>>> {
        Box::pin(apart(move || {
            // Tests speak of their own people and fill in what they need.
            let document = FlowDocument {
                inputs: serde_json::Value::Null,
                ..document
            };
            let people = story::directory();
            in_scene(&document, &people, |scene| story::run(scene, &in_memory))
        }))
    }
}

/// Plays something with a document's flow, switched on.
fn in_scene<T>(
    document: &FlowDocument,
    people: &Directory,
    play: impl FnOnce(Scene<'_>) -> T,
) -> Result<T, Vec<Problem>> {
    let flow = bellwether_engine::flow::read(&document.text, &document.file, &catalog())?;
    let beside = |name: &str| document.files.get(name).cloned();
    Ok(play(Scene {
        flow: &Arc::new(flow),
        inputs: &document.inputs,
        file: &beside,
        catalog: catalog(),
        people,
        position: bellwether_engine::flow::Position::On,
    }))
}

/// What blocks, on a thread that may.
async fn apart<T: Send + 'static>(
    play: impl FnOnce() -> Result<T, Vec<Problem>> + Send + 'static,
) -> Result<T, Vec<Problem>> {
    let played = tokio::task::spawn_blocking(play).await;
    played.unwrap_or_else(|error| {
        let message = format!("this could not be played: {error}");
        Err(vec![Problem::error((1, 1), message)])
    })
}

/// A store for one story.
pub(crate) fn in_memory() -> Result<Stored, String> {
    let database = bellwether_store::open("sqlite::memory:").map_err(|error| error.to_string())?;
    let database = Arc::new(database);
    Ok((
        Arc::clone(&database) as Arc<dyn Store>,
        database as Arc<dyn Views>,
    ))
}
