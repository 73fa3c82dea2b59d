//! Where connectors keep secrets that the provider changes: documents of the registry, of a kind
//! that stays out of the audit trail.

use std::sync::Arc;

use bellwether_engine::store::Registry;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::Vault;
use bellwether_model::failure::Failure;
use bellwether_model::secret::Secret;
use serde_json::{Value, json};

/// The vault over the registry.
#[derive(Debug)]
pub(crate) struct RegistryVault {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) clock: Arc<dyn Clock>,
}

fn name_of(connection: &str, name: &str) -> String {
    format!("{connection}/{name}")
}

impl Vault for RegistryVault {
    fn get<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, Failure>> {
        Box::pin(async move {
            let found = self
                .registry
                .get("secret", &name_of(connection, name))
                .await;
            let document = found.map_err(|error| unavailable(&error.to_string()))?;
            let text = document.and_then(|document| {
                document
                    .body
                    .get("secret")
                    .and_then(Value::as_str)
                    .map(Secret::new)
            });
            Ok(text)
        })
    }

    fn put<'a>(
        &'a self,
        connection: &'a str,
        name: &'a str,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let body = json!({ "secret": secret.expose() });
            let full = name_of(connection, name);
            let put = self
                .registry
                .put("secret", &full, None, body, connection, self.clock.now());
            put.await
                .map(drop)
                .map_err(|error| unavailable(&error.to_string()))
        })
    }
}

fn unavailable(why: &str) -> Failure {
    Failure::retry(
        "vault",
        format!("the kept secret could not be reached: {why}"),
        None,
    )
}
