//! Puts the concrete parts together: database, clocks, keys, connectors, engine, web.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bellwether_connectors::http::{HttpClient, Policy};
use bellwether_engine::flow::{Active, FlowSet, Position};
use bellwether_engine::run::{Engine, IN_FLIGHT, Keyring, Link, Parts, Program, Setup};
use bellwether_engine::seam::{App, Live, WebSettings};
use bellwether_engine::store::{Owner, Registry, Store, Views};
use bellwether_model::clock::Clock;
use bellwether_model::connector::{ConnectorDef, Host, Signer, Vault};
use bellwether_model::directory::Directory;
use bellwether_model::http::Http;
use bellwether_model::id::Id;
use bellwether_store::Database;

use super::backtest_desk::BacktestDesk;
use super::directory::Desk;
use super::flow_desk::FlowDesk;
use super::flows::{FlowDocument, parse_flow};
use super::metrics;
use crate::config::ConnectionConfig;
use crate::keys;
use crate::secrets::{Lost, SealedRegistry, Seals, admit, known_keys, seal_what_is_open};
use crate::vault::RegistryVault;

/// What a server is composed from.
#[derive(Debug)]
pub(crate) struct Options {
    /// The database's address.
    pub(crate) database: String,
    /// Where the keys are; made when a new database needs one.
    pub(crate) key_file: PathBuf,
    /// What to do about secrets whose key is lost.
    pub(crate) lost: Lost,
    /// Flow time.
    pub(crate) flow_clock: Arc<dyn Clock>,
    /// Transport time.
    pub(crate) transport_clock: Arc<dyn Clock>,
    /// What connections may reach.
    pub(crate) egress: Policy,
    /// Web addresses and token.
    pub(crate) web: WebSettings,
}

/// The parts, put together.
#[derive(Clone, Debug)]
pub(crate) struct Composed {
    pub(crate) database: Arc<Database>,
    pub(crate) engine: Engine,
    registry: SealedRegistry,
    http: Arc<dyn Http>,
    keys: Arc<Keyring>,
    vault: Arc<dyn Vault>,
    transport_clock: Arc<dyn Clock>,
    flow_clock: Arc<dyn Clock>,
    live: Live,
    web: WebSettings,
    /// One change of the set-up at a time: documents and engine must not pass each other.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// The connections with the versions of the documents that they were made from.
    made: Arc<Mutex<HashMap<String, (u64, Link)>>>,
}

impl Composed {
    /// Opens the database, checks that the keys are its keys and builds everything; nothing runs
    /// yet.
    ///
    /// # Errors
    /// A sentence that says what could not be opened and what to do.
    pub(crate) async fn build(options: Options) -> Result<Self, String> {
        let database =
            bellwether_store::open(&options.database).map_err(|error| error.to_string())?;
        let database = Arc::new(database);
        let http = HttpClient::new(options.egress).map_err(|failure| failure.to_string())?;
        let keys = Arc::new(keys_of(&options.key_file, database.as_ref()).await?);
        let below = Arc::clone(&database) as Arc<dyn Registry>;
        let registry = SealedRegistry::new(below, Arc::new(Seals::new(&keys)));
        let file = options.key_file.display().to_string();
        let at = options.transport_clock.now();
        admit(&registry, &file, options.lost, at).await?;
        let live = Live::default();
        let owner = Owner(Id(keys::fresh()?[..16].try_into().unwrap_or_default()));
        let engine = Engine::new(Parts {
            store: Arc::clone(&database) as Arc<dyn Store>,
            views: Arc::clone(&database) as Arc<dyn Views>,
            flow_clock: Arc::clone(&options.flow_clock),
            transport_clock: Arc::clone(&options.transport_clock),
            keys: Arc::clone(&keys),
            owner,
            public_url: options.web.public_url.clone(),
            live: live.clone(),
        });
        let clock = Arc::clone(&options.transport_clock);
        let vault = RegistryVault {
            registry: registry.clone(),
            clock,
        };
        Ok(Self {
            vault: Arc::new(vault),
            registry,
            database,
            engine,
            http: Arc::new(http),
            keys,
            transport_clock: options.transport_clock,
            flow_clock: options.flow_clock,
            live,
            web: options.web,
            turn: Arc::default(),
            made: Arc::default(),
        })
    }

    /// What the web gets.
    pub(crate) fn app(&self) -> App {
        let database = Arc::clone(&self.database);
        let metrics = metrics::Text::new(self.engine.clone(), Arc::clone(&self.database));
        App {
            intake: Arc::new(self.engine.clone()),
            inlets: Arc::new(self.engine.clone()),
            connections: Arc::new(self.engine.clone()),
            hosted: Arc::new(self.engine.clone()),
            directory: Arc::new(Desk {
                registry: self.registry.clone(),
                engine: self.engine.clone(),
                clock: Arc::clone(&self.transport_clock),
                turn: Arc::clone(&self.turn),
            }),
            flows: Arc::new(FlowDesk(self.clone())),
            explains: Arc::new(self.engine.clone()),
            seals: Arc::new(self.engine.clone()),
            backtests: Arc::new(BacktestDesk::new(self.engine.clone())),
            people: Arc::new(self.engine.clone()),
            views: Arc::clone(&self.database) as Arc<dyn Views>,
            registry: Arc::new(self.registry.clone()),
            catalog: bellwether_connectors::all(),
            live: self.live.clone(),
            flow_clock: Arc::clone(&self.flow_clock),
            transport_clock: Arc::clone(&self.transport_clock),
            web: self.web.clone(),
            metrics: Arc::new(move || metrics.render()),
            trouble: Arc::new(move || {
                let database = Arc::clone(&database);
                Box::pin(async move { database.trouble_now().await })
            }),
        }
    }

    /// The registry, which seals the secrets of what is put into it.
    pub(crate) fn registry(&self) -> &SealedRegistry {
        &self.registry
    }

    /// Seals with the newest key what is not, before anything reads it.
    ///
    /// # Errors
    /// A sentence that says what could not be done and what to do.
    pub(crate) async fn seal_secrets(&self, lost: Lost) -> Result<(), String> {
        let written = seal_what_is_open(&self.registry, lost, self.now()).await?;
        if written > 0 {
            let key = self.registry.seals().newest();
            tracing::info!(written, key, "secrets were sealed");
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> bellwether_model::time::Time {
        self.transport_clock.now()
    }

    /// Reads flows, directory and connections from the registry and hands them to the engine.
    ///
    /// # Errors
    /// What cannot be set up, each in a sentence; the rest is set up all the same.
    pub(crate) async fn reload(&self) -> Result<Vec<String>, String> {
        let _turn = self.turn.lock().await;
        self.reload_in_turn().await
    }

    /// The same for whoever holds the turn.
    pub(super) async fn reload_in_turn(&self) -> Result<Vec<String>, String> {
        let mut complaints = Vec::new();
        let links = self.links(&mut complaints).await?;
        let directory = self.directory().await?;
        let (programs, active) = self.programs(&mut complaints).await?;
        let version = self.flow_version().await?;
        let on = active.values().map(|(program, position)| Active {
            flow: Arc::clone(&program.flow),
            inputs: program.inputs.clone(),
            position: *position,
        });
        let flows = FlowSet::new(version, on.collect());
        let roles = Setup::roles_of(&links);
        let active = active
            .into_iter()
            .map(|(name, (program, _))| (name, program))
            .collect();
        self.engine.set_up(Setup {
            flows,
            programs,
            active,
            directory,
            links,
            roles,
        });
        let known = self.engine.read_identities().await;
        known.map_err(|error| error.to_string())?;
        Ok(complaints)
    }

    /// The connections as the registry has them. What did not change stays the connection that it
    /// is: its push channel stays open, and it keeps what it has learned of its provider.
    async fn links(&self, complaints: &mut Vec<String>) -> Result<BTreeMap<String, Link>, String> {
        let mut links = BTreeMap::new();
        let made = |name: &str, version: u64| {
            let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            let found = made.get(name).filter(|(from, _)| *from == version);
            found.map(|(_, link)| link.clone())
        };
        let mut now = HashMap::new();
        let documents = self
            .registry()
            .list("connection")
            .await
            .map_err(|e| e.to_string())?;
        for document in documents {
            let version = document.version;
            if let Some(link) = made(&document.name, version) {
                now.insert(document.name.clone(), (version, link.clone()));
                links.insert(document.name, link);
                continue;
            }
            let open = self
                .registry
                .open(&document.kind, &document.name, document.body);
            let read = open.and_then(|body| {
                serde_json::from_value::<ConnectionConfig>(body).map_err(|e| e.to_string())
            });
            let config = match read {
                Ok(config) => config,
                Err(error) => {
                    complaints.push(format!("connection {}: {error}", document.name));
                    continue;
                }
            };
            match self.link(&document.name, &config) {
                Ok(link) => {
                    now.insert(document.name.clone(), (version, link.clone()));
                    links.insert(document.name, link);
                }
                Err(complaint) => complaints.push(complaint),
            }
        }
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(links)
    }

    /// One connection.
    pub(crate) fn link(&self, name: &str, config: &ConnectionConfig) -> Result<Link, String> {
        let def: &'static ConnectorDef = bellwether_connectors::all()
            .iter()
            .copied()
            .find(|def| def.name == config.connector)
            .ok_or_else(|| {
                let known: Vec<_> = bellwether_connectors::all()
                    .iter()
                    .map(|def| def.name)
                    .collect();
                format!(
                    "connection {name}: there is no connector `{}`; known: {}",
                    config.connector,
                    known.join(", ")
                )
            })?;
        let settings = (def.settings)()
            .read(&config.settings)
            .map_err(|problems| {
                let list: Vec<String> = problems
                    .iter()
                    .map(|p| format!("{}: {}", p.field, p.message))
                    .collect();
                format!("connection {name}: {}", list.join("; "))
            })?;
        let host = Host {
            connection: name.to_owned(),
            http: Arc::clone(&self.http),
            clock: Arc::clone(&self.transport_clock),
            vault: Arc::clone(&self.vault),
            signer: Arc::clone(&self.keys) as Arc<dyn Signer>,
        };
        let connection = (def.connect)(settings, host)
            .map_err(|failure| format!("connection {name}: {failure}"))?;
        let slots = config.in_flight.unwrap_or(IN_FLIGHT);
        Ok(Link {
            name: name.to_owned(),
            def,
            connection,
            slots,
        })
    }

    async fn directory(&self) -> Result<Arc<Directory>, String> {
        let document = self.registry().get("directory", "people").await;
        let Some(document) = document.map_err(|error| error.to_string())? else {
            return Ok(Arc::new(Directory::default()));
        };
        let mut directory: Directory = serde_json::from_value(document.body)
            .map_err(|error| format!("the directory cannot be read: {error}"))?;
        directory.version = document.version;
        directory.settle();
        Ok(Arc::new(directory))
    }

    async fn flow_version(&self) -> Result<u64, String> {
        let documents = self
            .registry()
            .list("flow")
            .await
            .map_err(|error| error.to_string())?;
        Ok(documents.iter().map(|document| document.version).sum())
    }

    /// Every version of every flow that the registry keeps: cells keep the one they began with.
    async fn programs(
        &self,
        complaints: &mut Vec<String>,
    ) -> Result<
        (
            HashMap<[u8; 16], Arc<Program>>,
            BTreeMap<String, (Arc<Program>, Position)>,
        ),
        String,
    > {
        let mut programs = HashMap::new();
        let mut active = BTreeMap::new();
        let names = self.registry().names("flow").await;
        for name in names.map_err(|error| error.to_string())? {
            let versions = self.registry().history("flow", &name, 10_000).await;
            let versions = versions.map_err(|error| error.to_string())?;
            let latest = versions.iter().map(|version| version.version).max();
            // A removed flow starts nothing, but the cells that it began go on.
            for version in versions.into_iter().filter(|v| !v.body.is_null()) {
                let newest = Some(version.version) == latest;
                let Ok(body) = serde_json::from_value::<FlowDocument>(version.body) else {
                    continue;
                };
                match parse_flow(&body) {
                    Ok(program) => {
                        let program = Arc::new(program);
                        programs.insert(program.hash, Arc::clone(&program));
                        if newest {
                            let entry = (program, body.position);
                            active.insert(name.clone(), entry);
                        }
                    }
                    Err(problems) if newest => complaints.extend(problems),
                    Err(_) => {}
                }
            }
        }
        Ok((programs, active))
    }
}

/// The keys of a database. A database that has keys already gets no new one: what they sealed would
/// be lost, and nobody would notice before the next call to a provider.
async fn keys_of(file: &Path, database: &dyn Registry) -> Result<Keyring, String> {
    if let Some(keys) = keys::read(file)? {
        return Ok(keys);
    }
    let known = known_keys(database).await?;
    if known.is_empty() {
        return keys::make(file);
    }
    let known: Vec<String> = known.iter().map(u8::to_string).collect();
    Err(format!(
        "the key file {} is missing, and this database needs its key {}: put the file back (it is \
         kept apart from backups of the database), or name it with `key_file`. Nothing was changed.",
        file.display(),
        known.join(" and ")
    ))
}
