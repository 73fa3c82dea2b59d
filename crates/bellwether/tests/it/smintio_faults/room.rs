//! A tenant of the stand-in, and the real connector, engine and store that read it, with a clock
//! that the test moves. What is played and expected is in the file beside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_engine::run::{Engine, IN_FLIGHT, Link, Parts, Setup};
use bellwether_engine::seam::{ConnectionHealth, Live};
use bellwether_engine::store::{EventQuery, InletStep, Owner, Store as _, Views};
use bellwether_engine::story::StoryClock;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Connection, Host, Vault};
use bellwether_model::failure::Failure;
use bellwether_model::feed::Judging;
use bellwether_model::id::Id;
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use bellwether_sandbox::{Options, Sandbox};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::{Place, until};
use crate::world::keys;

pub(super) const NAME: &str = "licences";
pub(super) const TENANT: &str = "faults";
/// How often is looked when nothing hints, as the connection is set up here.
pub(super) const POLL: Millis = Millis::minutes(1);

/// Secrets in memory.
#[derive(Debug, Default)]
struct Kept(Mutex<BTreeMap<String, Secret>>);

impl Vault for Kept {
    fn get<'a>(
        &'a self,
        _: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Secret>, Failure>> {
        let found = self.0.lock().unwrap().get(name).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        name: &'a str,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.lock().unwrap().insert(name.to_owned(), secret);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A clock that is moved by hand and notes what is waited for.
#[derive(Debug)]
struct NotingClock {
    moved: StoryClock,
    dues: Mutex<Vec<Time>>,
}

impl Clock for NotingClock {
    fn now(&self) -> Time {
        self.moved.now()
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        self.dues.lock().unwrap().push(due);
        self.moved.wait_until(due)
    }
}

/// A tenant, and an engine whose loops read it on a clock that the test moves.
pub(super) struct Room {
    _sandbox: Sandbox,
    pub(super) at: Place,
    pub(super) info: Json,
    pub(super) database: Arc<Database>,
    vault: Arc<Kept>,
    clock: Arc<NotingClock>,
    http: Arc<HttpClient>,
    pub(super) engine: Engine,
    /// The licences that must be told, by uuid.
    pub(super) bought: BTreeSet<String>,
}

impl Room {
    pub(super) async fn start(settings: Json) -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.unwrap();
        let at = Place::of(&sandbox.addresses().url("page")).await;
        let tenant = json!({"id": TENANT, "seed": 3, "transactions": 0});
        let info = at.set("smintio", tenant).await;
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let clock = Arc::new(NotingClock {
            moved: StoryClock::at(Time::from(jiff::Timestamp::now())),
            dues: Mutex::default(),
        });
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        let engine = Engine::new(Parts {
            store: database.clone(),
            views: database.clone(),
            flow_clock: clock.clone(),
            transport_clock: clock.clone(),
            keys: Arc::new(keys()),
            owner: Owner(Id([1; 16])),
            public_url: "https://bellwether.example".to_owned(),
            live: Live::default(),
        });
        let room = Self {
            _sandbox: sandbox,
            at,
            info,
            database,
            vault: Arc::default(),
            clock,
            http: Arc::new(HttpClient::new(policy).unwrap()),
            engine,
            bought: BTreeSet::new(),
        };
        room.set_up(settings);
        room.engine.start().await;
        room.is_well().await;
        room
    }

    /// A connection of its own to the same tenant.
    pub(super) fn connect(&self, changes: Json) -> Arc<dyn Connection> {
        let def = definition();
        let one = |name: &str| self.info[name].clone();
        let mut settings = json!({
            "tenant": TENANT, "client_id": one("client_id"),
            "client_secret": one("client_secret"), "refresh_token": one("refresh_token"),
            "base_url": one("feed_url"), "token_url": one("token_url"), "zone": "UTC",
            "poll_seconds": POLL.0 / 1000, "limit": 2,
        });
        let given = settings.as_object_mut().unwrap();
        given.extend(changes.as_object().unwrap().clone());
        let host = Host {
            connection: NAME.to_owned(),
            http: self.http.clone(),
            clock: self.clock.clone(),
            vault: self.vault.clone(),
            signer: Arc::new(keys()),
        };
        let settings = (def.settings)().read(given).unwrap();
        (def.connect)(settings, host).unwrap()
    }

    pub(super) fn set_up(&self, settings: Json) {
        let link = Link {
            name: NAME.to_owned(),
            def: definition(),
            connection: self.connect(settings),
            slots: IN_FLIGHT,
        };
        let mut setup = Setup::empty();
        setup.links.insert(NAME.to_owned(), link);
        self.engine.set_up(setup);
    }

    pub(super) async fn deed(&self, deed: &str, body: Json) -> Json {
        let path = format!("smintio/{TENANT}/{deed}");
        self.at.set(&path, body).await
    }

    /// Buys so many licences, which must be told.
    pub(super) async fn buy_some(&mut self, count: usize) {
        for _ in 0..count {
            let order = json!({"state": "completed"});
            let uuid = self.deed("buy", order).await["uuid"].take();
            self.bought.insert(uuid.as_str().unwrap().to_owned());
        }
    }

    pub(super) fn health(&self) -> ConnectionHealth {
        self.engine.lane(NAME).unwrap().health()
    }

    pub(super) async fn is_well(&self) {
        until("it is well", async || {
            matches!(self.health(), ConnectionHealth::Ok { .. }).then_some(())
        })
        .await;
    }

    pub(super) async fn fails(&self) -> (bool, String) {
        until("it fails", async || match self.health() {
            ConnectionHealth::Failing { reason, .. } => Some((false, reason)),
            ConnectionHealth::NeedsYou { reason, .. } => Some((true, reason)),
            _ => None,
        })
        .await
    }

    /// Time passes; what was waited for before is no longer of interest.
    pub(super) fn pass(&self, time: Millis) {
        self.clock.dues.lock().unwrap().clear();
        self.clock.moved.move_to(self.clock.now() + time);
    }

    /// The wait that the reading loop began after its failure, between these two.
    pub(super) async fn waits(&self, least: Millis, most: Millis) -> Millis {
        let now = self.clock.now();
        until("the loop waits", async || {
            let dues = self.clock.dues.lock().unwrap();
            let mut waits = dues.iter().map(|due| due.since(now));
            waits.find(|wait| (least..=most).contains(wait))
        })
        .await
    }

    /// Passes the time until the reading loop, which waits, looks again.
    pub(super) async fn poll(&self) {
        self.waits(POLL, POLL).await;
        self.pass(POLL);
    }

    /// What was said of a kind since the start, oldest first.
    pub(super) async fn said(&self, kind: &str) -> Vec<Json> {
        self.database.projected().await;
        let query = EventQuery {
            kind: Some(format!("smintio.{kind}")),
            limit: 1_000,
            ..EventQuery::default()
        };
        let page = Views::events(&*self.database, query).await.unwrap();
        let data = page.items.into_iter().map(|event| event.envelope.data);
        data.map(|data| (*data).clone()).collect()
    }

    /// The licences whose delivery was told, each once and whole.
    pub(super) async fn told(&self) -> BTreeSet<String> {
        let all = self.said("request.delivered").await;
        let uuid = |data: &Json| data["transaction"]["uuid"].as_str().unwrap().to_owned();
        let told: BTreeSet<String> = all.iter().map(uuid).collect();
        assert_eq!(told.len(), all.len(), "one was told twice");
        assert!(all.iter().all(|data| !data["asset"]["id"].is_null()));
        told
    }

    /// What a connection of its own gets.
    pub(super) async fn read(&self, own: &dyn Connection) -> Result<(), Failure> {
        let state = self.database.inlet(NAME, InletStep::Look).await.unwrap();
        let read = own.feeds()[0]
            .read(state.cursor.as_deref(), &Judging::default())
            .await;
        read.map(|_| ())
    }
}

fn definition() -> &'static bellwether_model::connector::ConnectorDef {
    let mut all = bellwether_connectors::all().iter();
    all.find(|def| def.name == "smintio").unwrap()
}
