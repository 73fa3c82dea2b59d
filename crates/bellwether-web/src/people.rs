//! Names for ids: journals and lists keep person ids only, pages show names. Reads the directory
//! document and keeps the parsed value until its version changes.

use std::sync::{Arc, Mutex, PoisonError};

use bellwether_engine::store::Registry;
use bellwether_model::directory::Directory;

/// The directory as last read.
#[derive(Debug, Default)]
pub(crate) struct People(Mutex<(u64, Arc<Directory>)>);

/// The names at one version of the directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Directory>);

impl People {
    /// The names now. When the directory cannot be read, ids stand for names: a page with ids is
    /// better than none.
    pub(crate) async fn names(&self, registry: &dyn Registry) -> Names {
        let document = match registry.get("directory", "people").await {
            Ok(Some(document)) => document,
            Ok(None) => return Names::default(),
            Err(error) => {
                tracing::warn!(%error, "the directory could not be read: ids are shown");
                return Names::default();
            }
        };
        let kept = |cell: &Mutex<(u64, Arc<Directory>)>| {
            let cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
            (cell.0 == document.version).then(|| cell.1.clone())
        };
        if let Some(directory) = kept(&self.0) {
            return Names(directory);
        }
        let directory = match serde_json::from_value::<Directory>(document.body) {
            Ok(directory) => Arc::new(directory),
            Err(error) => {
                tracing::warn!(%error, "the directory could not be understood: ids are shown");
                return Names::default();
            }
        };
        let mut cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *cell = (document.version, directory.clone());
        Names(directory)
    }
}

impl Names {
    /// The full name, else the id.
    pub(crate) fn full<'a>(&'a self, id: &'a str) -> &'a str {
        match self.0.people.get(id) {
            Some(person) if !person.name.is_empty() => &person.name,
            _ => id,
        }
    }

    /// The first name, else the id.
    pub(crate) fn first<'a>(&'a self, id: &'a str) -> &'a str {
        self.full(id).split_whitespace().next().unwrap_or(id)
    }

    /// Everybody who is active: id and name, in order of id.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let active = self.0.people.iter().filter(|(_, person)| !person.inactive);
        active.map(|(id, _)| (id.as_str(), self.full(id)))
    }

    /// The zone in which the console shows times: the owner's, else UTC.
    pub(crate) fn zone(&self) -> &str {
        let owner = self.0.owner.as_ref().and_then(|id| self.0.people.get(id));
        match owner {
            Some(person) if !person.zone.is_empty() => &person.zone,
            _ => "UTC",
        }
    }
}
