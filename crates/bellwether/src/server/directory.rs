//! The directory behind the pages: kept as a document, handed to the engine with each change. What
//! may be in it is the model's business.

use std::sync::Arc;

use bellwether_engine::run::Engine;
use bellwether_engine::seam::{Actor, Directories, NotChanged};
use bellwether_engine::store::{Registry, RegistryError};
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::directory::{Customer, Directory};
use serde_json::json;

use crate::secrets::SealedRegistry;

/// The directory of a running server.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) registry: SealedRegistry,
    pub(super) engine: Engine,
    /// Transport time.
    pub(super) clock: Arc<dyn Clock>,
    /// One change of the set-up at a time.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl Directories for Desk {
    fn current(&self) -> Arc<Directory> {
        Arc::clone(&self.engine.setup().directory)
    }

    fn replace<'a>(
        &'a self,
        mut next: Directory,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotChanged>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let seen = next.version;
            // The document says it by its own version.
            next.version = 0;
            let (body, at) = (json!(next), self.clock.now());
            let put = self
                .registry
                .put("directory", "people", Some(seen), body, &actor.name, at);
            next.version = put.await.map_err(|error| match error {
                RegistryError::Conflict { .. } => NotChanged::Conflict,
                RegistryError::Store(why) => NotChanged::Store(why),
            })?;
            next.settle();
            let mut setup = (*self.engine.setup()).clone();
            next.outside = Arc::clone(&setup.directory.outside);
            let version = next.version;
            setup.directory = Arc::new(next);
            self.engine.set_up(setup);
            Ok(version)
        })
    }

    fn write_customers<'a>(
        &'a self,
        customers: Vec<(Customer, bool)>,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotChanged>> {
        Box::pin(self.engine.write_customers(customers, actor))
    }
}
