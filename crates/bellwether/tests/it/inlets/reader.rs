//! An engine that reads one mailbox of the stand-ins over HTTP, on clocks that are moved by hand.
//! What is expected of it is in the tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_engine::flow::FlowSet;
use bellwether_engine::run::{Engine, IN_FLIGHT, Link, Parts, Setup};
use bellwether_engine::seam::Live;
use bellwether_engine::store::{InletState, InletStep, LedgerCounts, Owner, Store, Views};
use bellwether_engine::story::{Between, StoryClock, Through};
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Connection, Host, Vault};
use bellwether_model::directory::Directory;
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use bellwether_sandbox::{Options, Sandbox};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::{Place, WATCHED, until};
use crate::world::keys;

/// The name of the connection.
const NAME: &str = "approvals";
/// When the flows' time begins.
pub(crate) const BEGINS: Time = Time::from_millis(1_772_442_000_000);
/// Transport time is another: what is taken for the other is far off.
const TRANSPORT_BEGINS: Time = Time::from_millis(1_600_000_000_000);
/// How often the engine looks when nothing hints.
pub(crate) const POLL: Millis = Millis::seconds(7);
/// The engine's other loops wait so long, so what waits otherwise is the reader.
const OTHERS_WAIT: Millis = Millis::seconds(30);

/// A clock that is moved by hand and knows who waits for it.
#[derive(Debug)]
struct WaitedFor {
    clock: StoryClock,
    next: AtomicU64,
    /// When each wait began and what it waits for.
    waits: Mutex<BTreeMap<u64, (Time, Time)>>,
}

/// One wait, as long as somebody waits.
struct Wait<'a>(&'a WaitedFor, u64);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.waits.lock().unwrap().remove(&self.1);
    }
}

impl Clock for WaitedFor {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let wait = (self.now(), due);
            self.waits.lock().unwrap().insert(number, wait);
            let _wait = Wait(self, number);
            self.clock.wait_until(due).await;
        })
    }
}

/// Nothing is kept: the provider changes no secret here.
#[derive(Debug)]
struct NoVault;

impl Vault for NoVault {
    fn get<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Secret>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn put<'a>(&'a self, _: &'a str, _: &'a str, _: Secret) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Nobody is between the engine and its store.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Between for Nobody {}

/// An engine with its world.
pub(crate) struct Reader<B> {
    pub(crate) engine: Engine,
    /// The stand-ins.
    pub(crate) at: Place,
    /// Its store.
    pub(crate) store: Arc<Through<B>>,
    database: Arc<Database>,
    flow_clock: Arc<StoryClock>,
    transport_clock: Arc<WaitedFor>,
    _sandbox: Sandbox,
}

impl<B: Between + 'static> Reader<B> {
    /// An engine whose mailbox is set up and that does nothing yet.
    pub(crate) async fn new(between: B, sweep: Millis) -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.unwrap();
        let at = Place::of(&sandbox.addresses().url("page")).await;
        let info = at.admin("info").await;
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let store = Arc::new(Through::new(Arc::clone(&database) as _, between));
        let flow_clock = Arc::new(StoryClock::at(BEGINS));
        let transport_clock = Arc::new(WaitedFor {
            clock: StoryClock::at(TRANSPORT_BEGINS),
            next: AtomicU64::new(0),
            waits: Mutex::default(),
        });
        let engine = Engine::new(Parts {
            store: Arc::clone(&store) as _,
            views: Arc::clone(&database) as _,
            flow_clock: Arc::clone(&flow_clock) as _,
            transport_clock: Arc::clone(&transport_clock) as _,
            keys: Arc::new(keys()),
            owner: Owner(Id::derive(BEGINS, &[b"reader"])),
            public_url: "https://bellwether.example".to_owned(),
            live: Live::default(),
        });
        let connectors = bellwether_connectors::all().iter();
        let def = connectors
            .into_iter()
            .find(|def| def.name == "gmail")
            .unwrap();
        let settings = settings(&info, sweep);
        let settings = (def.settings)()
            .read(settings.as_object().unwrap())
            .unwrap();
        let connection = (def.connect)(settings, host()).unwrap();
        engine.set_up(setup(def, connection));
        let reader = Self {
            engine,
            at,
            store,
            database,
            flow_clock,
            transport_clock,
            _sandbox: sandbox,
        };
        reader.flow_time(BEGINS).await;
        reader
    }

    /// Moves the flows' time, the stand-ins' with it.
    pub(crate) async fn flow_time(&self, time: Time) {
        self.flow_clock.move_to(time);
        let clock = json!({ "start": time.to_string(), "rate": 0.0 });
        self.at.set("clock", clock).await;
    }

    /// Waits until the reader waits; for how long it will.
    pub(crate) async fn waits(&self) -> Millis {
        until("the reader waits", async || {
            let now = self.transport_clock.now();
            let waits = self.transport_clock.waits.lock().unwrap();
            let lengths = waits.values().filter(|(_, due)| *due > now);
            let mut lengths = lengths.map(|(begun, due)| due.since(*begun));
            lengths.find(|length| *length != OTHERS_WAIT)
        })
        .await
    }

    /// Lets the reader's wait pass; how long the next one is.
    pub(crate) async fn waits_next(&self) -> Millis {
        let wait = self.waits().await;
        let clock = &self.transport_clock.clock;
        clock.move_to(clock.now() + wait);
        self.waits().await
    }

    /// The inlet as it stands.
    pub(crate) async fn inlet(&self) -> InletState {
        self.store.inlet(NAME, InletStep::Look).await.unwrap()
    }

    /// The ledger in numbers.
    pub(crate) async fn ledger(&self) -> LedgerCounts {
        self.database.ledger(NAME).await.unwrap()
    }

    /// How many dead letters there are.
    pub(crate) async fn dead_letters(&self) -> u64 {
        self.database.projected().await;
        self.database.overview().await.unwrap().dead_letters
    }

    /// A mail arrives; the provider's id of it.
    pub(crate) async fn mail(&self, subject: &str) -> String {
        let mail = json!({
            "from": "Sender <sender@example.net>", "to": [WATCHED], "subject": subject,
        });
        let id = self.at.set("mail", mail).await["delivered"][0]["id"].take();
        id.as_str().expect("the mail's id").to_owned()
    }

    /// A mail arrives of which the provider's history says nothing.
    pub(crate) async fn hidden_mail(&self, subject: &str) {
        self.at
            .set("google", json!({ "hide_from_history": 1 }))
            .await;
        self.mail(subject).await;
    }

    /// So many calls of a path are answered like this.
    pub(crate) async fn refuse(&self, path: &str, times: usize, more: Json) {
        let mut fault = json!({
            "target": "google.gmail", "match": path, "kind": "status", "status": 503,
            "times": times,
        });
        for (name, value) in more.as_object().unwrap() {
            fault[name] = value.clone();
        }
        self.at.set("faults", fault).await;
    }

    /// Since when the provider's listing was asked for, the latest time.
    pub(crate) async fn listed_since(&self) -> Option<Time> {
        let calls = self.at.admin("calls?after=0").await;
        let calls = calls["items"].as_array().or(calls.as_array()).cloned();
        let calls = calls.expect("calls").into_iter().rev();
        let mut paths = calls.filter_map(|call| call["path"].as_str().map(str::to_owned));
        let seconds = paths.find_map(|path| {
            let (_, rest) = path.split_once("q=after%3A")?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<i64>().ok()
        })?;
        // One second more is asked for, since the listing knows no parts of seconds.
        Some(Time::from_millis((seconds + 1) * 1000))
    }
}

fn settings(info: &Json, sweep: Millis) -> Json {
    let mailboxes = info["mailboxes"].as_array().expect("mailboxes");
    let mailbox = mailboxes.iter().find(|one| one["address"] == WATCHED);
    let mailbox = mailbox.expect("the watched mailbox");
    json!({
        "address": WATCHED, "client_id": mailbox["client_id"],
        "client_secret": mailbox["client_secret"], "refresh_token": mailbox["refresh_token"],
        "base_url": info["google_url"], "token_url": info["token_url"],
        "poll_seconds": POLL.0 / 1000, "sweep_minutes": sweep.0 / 60_000,
    })
}

fn host() -> Host {
    let policy = Policy {
        allow_private: Private::Anywhere,
    };
    Host {
        connection: NAME.to_owned(),
        http: Arc::new(HttpClient::new(policy).unwrap()),
        // Tokens and quota of the connection are no part of this: its time stands still.
        clock: Arc::new(StoryClock::at(TRANSPORT_BEGINS)),
        vault: Arc::new(NoVault),
        signer: Arc::new(keys()),
    }
}

fn setup(
    def: &'static bellwether_model::connector::ConnectorDef,
    connection: Arc<dyn Connection>,
) -> Setup {
    let link = Link {
        name: NAME.to_owned(),
        def,
        connection,
        slots: IN_FLIGHT,
    };
    let links = BTreeMap::from([(NAME.to_owned(), link)]);
    Setup {
        flows: FlowSet::new(1, Vec::new()),
        programs: HashMap::new(),
        active: HashMap::new(),
        directory: Arc::new(Directory::default()),
        roles: Setup::roles_of(&links),
        links,
    }
}
