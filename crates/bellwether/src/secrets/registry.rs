//! The registry as everybody but the start sees it: whoever writes a document writes its secrets
//! sealed, whoever reads one reads them sealed, and few can open them.

use std::sync::Arc;

use bellwether_engine::store::{AuditRow, Document, Registry, RegistryError, Rewrite};
use bellwether_model::BoxFuture;
use bellwether_model::time::Time;
use serde_json::Value;

use super::fields;
use super::seal::{Envelope, Place, Seals};

type Answer<T> = Result<T, RegistryError>;

/// A registry in which no secret lies open.
#[derive(Clone, Debug)]
pub(crate) struct SealedRegistry {
    inner: Arc<dyn Registry>,
    seals: Arc<Seals>,
}

impl SealedRegistry {
    pub(crate) fn new(inner: Arc<dyn Registry>, seals: Arc<Seals>) -> Self {
        Self { inner, seals }
    }

    /// The keys.
    pub(crate) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// What is below: documents as they lie in the database.
    pub(crate) fn inner(&self) -> &dyn Registry {
        self.inner.as_ref()
    }

    /// A document's body with its secrets open.
    ///
    /// # Errors
    /// The first that cannot be opened, in a sentence that names it.
    pub(crate) fn open(&self, kind: &str, name: &str, mut body: Value) -> Result<Value, String> {
        for field in fields::of(kind, &mut body) {
            let place = Place {
                kind,
                name,
                field: field.name,
            };
            if let Some(envelope) = Envelope::of(field.value) {
                let opened = self.seals.open(place, &envelope);
                *field.value = opened.map_err(|why| format!("{place} cannot be opened: {why}"))?;
            }
        }
        Ok(body)
    }

    /// A body that is to be written, with every secret sealed by the newest key. An envelope of
    /// this very place stays what it is: somebody changes another field and cannot read this one.
    fn seal(&self, kind: &str, name: &str, body: Value) -> Result<Value, String> {
        let mut body = self.open(kind, name, body)?;
        for field in fields::of(kind, &mut body) {
            let place = Place {
                kind,
                name,
                field: field.name,
            };
            if field.secret {
                *field.value = self.seals.seal(place, field.value)?;
            }
        }
        Ok(body)
    }

    /// The version that says already what is to be written, if it is the latest. Sealing the same
    /// twice gives two envelopes, so bodies are compared open.
    async fn unchanged(&self, kind: &str, name: &str, body: &Value) -> Answer<Option<u64>> {
        let Some(latest) = self.inner.get(kind, name).await? else {
            return Ok(None);
        };
        let newest = self.seals.newest();
        let mut stored = latest.body.clone();
        let good = fields::of(kind, &mut stored).iter().all(|field| {
            let key = Envelope::of(field.value).map(|envelope| envelope.key);
            !field.secret || key == Some(newest)
        });
        let before = self.open(kind, name, latest.body);
        let wanted = self.open(kind, name, body.clone());
        let same = good && before.is_ok() && before == wanted;
        Ok(same.then_some(latest.version))
    }
}

impl Registry for SealedRegistry {
    fn get<'a>(&'a self, kind: &'a str, name: &'a str) -> BoxFuture<'a, Answer<Option<Document>>> {
        self.inner.get(kind, name)
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Answer<Vec<Document>>> {
        self.inner.list(kind)
    }

    fn names<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Answer<Vec<String>>> {
        self.inner.names(kind)
    }

    fn history<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Answer<Vec<Document>>> {
        self.inner.history(kind, name, limit)
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        expected: Option<u64>,
        body: Value,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Answer<u64>> {
        if !fields::KINDS.contains(&kind) {
            return self.inner.put(kind, name, expected, body, actor, at);
        }
        Box::pin(async move {
            if let Some(version) = self.unchanged(kind, name, &body).await?
                && expected.is_none_or(|seen| seen == version)
            {
                return Ok(version);
            }
            let body = self.seal(kind, name, body).map_err(RegistryError::Store)?;
            self.inner.put(kind, name, expected, body, actor, at).await
        })
    }

    fn audit(&self, after: u64, limit: usize) -> BoxFuture<'_, Answer<Vec<AuditRow>>> {
        self.inner.audit(after, limit)
    }

    fn versions<'a>(
        &'a self,
        kind: &'a str,
        after: (&'a str, u64),
        limit: usize,
    ) -> BoxFuture<'a, Answer<Vec<Document>>> {
        self.inner.versions(kind, after, limit)
    }

    fn rewrite<'a>(
        &'a self,
        changes: Vec<Rewrite>,
        what: &'a str,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let mut sealed = Vec::with_capacity(changes.len());
            for Rewrite { seen, body } in changes {
                let body = self.seal(&seen.kind, &seen.name, body);
                let body = body.map_err(RegistryError::Store)?;
                sealed.push(Rewrite { seen, body });
            }
            self.inner.rewrite(sealed, what, actor, at).await
        })
    }

    fn scrub(&self) -> BoxFuture<'_, Answer<bool>> {
        self.inner.scrub()
    }
}
