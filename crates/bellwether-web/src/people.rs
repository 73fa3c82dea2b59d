//! Names for ids: journals and lists keep person ids and names of connections, pages show people's
//! names and the companies behind connections. Reads the directory document and keeps the parsed
//! value until its version changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bellwether_engine::seam::ConnectionView;
use bellwether_engine::store::Registry;
use bellwether_model::connector::ConnectorDef;
use bellwether_model::directory::{Customer, Directory};

/// The directory as last read.
#[derive(Debug, Default)]
pub(crate) struct People(Mutex<(u64, Arc<Directory>)>);

/// The names at one version of the directory, and of the connections that there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    directory: Arc<Directory>,
    providers: Arc<Providers>,
}

/// The companies behind connections, as their connectors' definitions call them.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    by_connection: BTreeMap<String, &'static str>,
    /// By channel: that of the first connection, in order of name, that has an action for it.
    by_channel: BTreeMap<&'static str, &'static str>,
}

impl Providers {
    pub(crate) fn of(
        connections: &[ConnectionView],
        catalog: &'static [&'static ConnectorDef],
    ) -> Self {
        let mut out = Self::default();
        for view in connections {
            let Some(def) = catalog.iter().find(|def| def.name == view.connector) else {
                continue;
            };
            out.by_connection.insert(view.name.clone(), def.title);
            for action in def.actions {
                let channel = out.by_channel.entry(crate::api::role(action.role));
                channel.or_insert(def.title);
            }
        }
        out
    }
}

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
            return Names::of(directory);
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
        Names::of(directory)
    }
}

impl Names {
    fn of(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            ..Self::default()
        }
    }

    /// The same names with the companies behind connections.
    #[must_use]
    pub(crate) fn with(mut self, providers: Providers) -> Self {
        self.providers = Arc::new(providers);
        self
    }

    /// The company behind a connection, else the connection's name.
    pub(crate) fn provider<'a>(&'a self, connection: &'a str) -> &'a str {
        let found = self.providers.by_connection.get(connection);
        found.copied().unwrap_or(connection)
    }

    /// The company that a channel (`push`, `mail`, …) goes through.
    pub(crate) fn provider_of(&self, channel: &str) -> &'static str {
        let found = self.providers.by_channel.get(channel);
        found.copied().unwrap_or("the provider")
    }

    /// The full name, else the id.
    pub(crate) fn full<'a>(&'a self, id: &'a str) -> &'a str {
        match self.directory.people.get(id) {
            Some(person) if !person.name.is_empty() => &person.name,
            // The register of customers is not read for their names: an address says who it is.
            _ => Customer::address_of(id).unwrap_or(id),
        }
    }

    /// The reader of messages whom somebody means: by id, or by address, where an address that the
    /// directory does not know is a customer's.
    pub(crate) fn reader(&self, who: &str) -> String {
        if !who.contains('@') || Customer::address_of(who).is_some() {
            return who.to_owned();
        }
        match self.directory.by_email(who) {
            Some(person) => person.id.clone(),
            None => Customer {
                address: who.to_lowercase(),
                ..Customer::default()
            }
            .reader_id(),
        }
    }

    /// The first name, else the id.
    pub(crate) fn first<'a>(&'a self, id: &'a str) -> &'a str {
        self.full(id).split_whitespace().next().unwrap_or(id)
    }

    /// Everybody who is active: id and name, in order of id.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let active = self
            .directory
            .people
            .iter()
            .filter(|(_, person)| !person.inactive);
        active.map(|(id, _)| (id.as_str(), self.full(id)))
    }

    /// The zone in which the console shows times: the owner's, else UTC.
    pub(crate) fn zone(&self) -> &str {
        let owner = self
            .directory
            .owner
            .as_ref()
            .and_then(|id| self.directory.people.get(id));
        match owner {
            Some(person) if !person.zone.is_empty() => &person.zone,
            _ => "UTC",
        }
    }
}
