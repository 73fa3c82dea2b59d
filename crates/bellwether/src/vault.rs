//! Where connectors keep secrets that the provider changes: sealed documents of the registry, of a
//! kind that stays out of the audit trail.

use std::sync::Arc;

use bellwether_engine::store::Registry as _;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::Vault;
use bellwether_model::failure::Failure;
use bellwether_model::secret::Secret;
use serde_json::{Value, json};

use crate::secrets::SealedRegistry;

/// The vault over the registry.
#[derive(Debug)]
pub(crate) struct RegistryVault {
    pub(crate) registry: SealedRegistry,
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
            let full = name_of(connection, name);
            let found = self.registry.get("secret", &full).await;
            let found = found.map_err(|error| unavailable(&error.to_string()))?;
            let Some(document) = found else {
                return Ok(None);
            };
            // Asking again opens nothing: somebody has to look at the keys or set it again.
            let body = self.registry.open("secret", &full, document.body);
            let body = body.map_err(|why| Failure::misconfigured("sealed", why))?;
            let text = body.get("secret").and_then(Value::as_str);
            Ok(text.map(Secret::new))
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
