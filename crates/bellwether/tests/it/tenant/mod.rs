//! Lives of tenants: purchases that walk, terms that end, renewals, counters that grow in silence,
//! records that come again, outages, lost tokens and cursors, a process that ends between any two
//! writes. Connector, engine and store are the real ones, the provider is the stand-in over HTTP,
//! time is virtual. What must be said is computed by `expected.rs`, and must be said exactly once.
//! `LIFE=17` plays one seed alone.

mod expected;
mod portal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_engine::run::{Engine, IN_FLIGHT, Link, Parts, Setup};
use bellwether_engine::seam::{Connections as _, Live};
use bellwether_engine::store::{
    EventQuery, InletState, InletStep, Member, Owner, Store, StoreError, Verdict, Views,
};
use bellwether_engine::story::{Between, StoryClock, Through};
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock as _;
use bellwether_model::connector::{Host, Vault};
use bellwether_model::event::Event;
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use bellwether_sandbox::{Options, Sandbox};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::Place;
use crate::world::{Dice, keys};
use expected::{Licence, MAX};

const NAME: &str = "licences";
const TENANT: &str = "life";
/// How many lives are lived, and how much happens in each.
const LIVES: u64 = 200;
const LENGTH: usize = 26;
const BEGINS: &str = "2026-03-02T08:00:00Z";
const STATES: [&str; 8] = [
    "purchase_phase_1",
    "purchase_phase_2",
    "downloading",
    "finalizing",
    "completed",
    "error",
    "cancelled",
    "who_knows",
];

/// A process that ends after so many writes; less than nothing is never.
#[derive(Debug)]
struct Ends(AtomicI64);

impl Ends {
    fn is_over(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 0 || self.0.load(Ordering::SeqCst) < -1
    }
}

impl Between for Ends {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        if self.0.load(Ordering::SeqCst) != i64::MAX && self.is_over() {
            let gone = |_| Verdict::Unavailable("the process has ended".to_owned());
            let verdicts = members.iter().map(gone).collect();
            return Box::pin(std::future::ready(verdicts));
        }
        store.commit(members)
    }

    fn inlet<'a>(
        &'a self,
        store: &'a dyn Store,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        if self.0.load(Ordering::SeqCst) != i64::MAX && self.is_over() {
            let ended = StoreError("the process has ended".to_owned());
            return Box::pin(std::future::ready(Err(ended)));
        }
        store.inlet(connection, step)
    }
}

/// Secrets in memory, for all processes of a life.
#[derive(Debug, Default)]
struct Kept(std::sync::Mutex<BTreeMap<String, Secret>>);

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

/// What every life shares: one set of stand-ins and one way out.
struct Ground {
    _sandbox: Sandbox,
    at: Place,
    http: Arc<HttpClient>,
}

impl Ground {
    async fn new() -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.unwrap();
        let at = Place::of(&sandbox.addresses().url("page")).await;
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        Self {
            _sandbox: sandbox,
            at,
            http: Arc::new(HttpClient::new(policy).unwrap()),
        }
    }
}

/// One tenant with the server that watches it.
struct Life<'a> {
    ground: &'a Ground,
    info: Json,
    database: Arc<Database>,
    vault: Arc<Kept>,
    clock: Arc<StoryClock>,
    engine: Engine,
    processes: u8,
    licences: Vec<Licence>,
    /// The next read begins at the start.
    cursor_lost: bool,
    /// What happened, for a seed that fails.
    told: Vec<String>,
}

impl<'a> Life<'a> {
    async fn begin(ground: &'a Ground, seed: u64) -> Self {
        let tenant = json!({"id": TENANT, "seed": seed % 1_000, "transactions": 0});
        let info = ground.at.set("smintio", tenant).await;
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let vault = Arc::new(Kept::default());
        let clock = Arc::new(StoryClock::at(Time::parse(BEGINS).unwrap()));
        let engine = process(ground, &info, &database, &vault, &clock, (1, i64::MAX));
        let mut life = Self {
            ground,
            info,
            database,
            vault,
            clock,
            engine,
            processes: 1,
            licences: Vec::new(),
            cursor_lost: false,
            told: Vec::new(),
        };
        life.set_clock().await;
        life
    }

    async fn set_clock(&mut self) {
        let clock = json!({"start": self.clock.now().to_string(), "rate": 0.0});
        self.ground.at.set("clock", clock).await;
    }

    async fn deed(&mut self, deed: &str, body: Json) -> Json {
        self.told
            .push(format!("{} {deed} {body}", self.clock.now()));
        self.ground
            .at
            .set(&format!("smintio/{TENANT}/{deed}"), body)
            .await
    }

    async fn restart(&mut self, writes: i64) {
        self.processes += 1;
        let how = (self.processes, writes);
        let (ground, info) = (self.ground, &self.info);
        let parts = (&self.database, &self.vault, &self.clock);
        self.engine = process(ground, info, parts.0, parts.1, parts.2, how);
    }

    /// Reads to the end; what was to be seen is seen.
    async fn read(&mut self, everything: bool, silently: bool) {
        self.told
            .push(format!("{} read {everything}", self.clock.now()));
        assert!(self.engine.read_now(NAME).await);
        if everything {
            self.engine.sweep(NAME).await.unwrap();
        }
        self.engine.do_ready().await.unwrap();
        let all = everything || std::mem::take(&mut self.cursor_lost);
        let now = self.clock.now();
        for licence in &mut self.licences {
            if licence.changed || (all && licence.silent) {
                licence.seen(now, silently);
            }
        }
    }

    /// Time passes; every timer is met at its moment.
    async fn pass(&mut self, length: Millis) {
        let (from, until) = (self.clock.now(), self.clock.now() + length);
        self.told.push(format!("{from} to {until}"));
        while let Some(due) = self.engine.do_ready().await.unwrap() {
            if due > until {
                break;
            }
            self.clock.move_to(due);
        }
        self.clock.move_to(until);
        self.engine.do_ready().await.unwrap();
        self.set_clock().await;
        for licence in &mut self.licences {
            licence.pass(from, until);
        }
    }

    async fn buy(&mut self, dice: &mut Dice) {
        let days = [None, Some(3), Some(20), Some(45), Some(120), Some(400)][dice.below(6)];
        let state = STATES[[0, 0, 2, 4, 4, 7][dice.below(6)]];
        let ai = dice.below(4) == 0;
        let order = json!({"state": state, "valid_days": days, "ai": ai, "max_downloads": MAX,
            "restrictive": false, "editorial": false, "model_release": "released",
            "property_release": "released", "license_type": "royalty_free"});
        let uuid = self.deed("buy", order).await["uuid"].take();
        let now = self.clock.now();
        let until = days.map(|days| now + Millis::days(days));
        let licence = Licence::new(uuid.as_str().unwrap(), state, until, now, ai);
        self.licences.push(licence);
    }

    async fn change(&mut self, dice: &mut Dice) {
        let at = dice.below(self.licences.len());
        let uuid = self.licences[at].uuid.clone();
        match dice.below(6) {
            0 | 1 => {
                let state = STATES[dice.below(STATES.len())];
                self.deed("step", json!({"uuid": uuid, "state": state}))
                    .await;
                let now = self.clock.now();
                self.licences[at].step(state, now);
            }
            2 => {
                let days = [2, 10, 35, 100, 300][dice.below(5)];
                let order = json!({"uuid": uuid, "days": days, "in_place": true});
                self.deed("renew", order).await;
                self.licences[at].until = Some(self.clock.now() + Millis::days(days));
                self.licences[at].changed = true;
            }
            3 if self.licences[at].state == "completed" => {
                self.deed("update", json!({"uuid": uuid})).await;
                self.licences[at].file += 1;
                self.licences[at].changed = true;
            }
            _ => {
                let by = i64::try_from(1 + dice.below(5)).unwrap();
                let silent = dice.below(3) == 0;
                self.deed("usage", json!({"uuid": uuid, "by": by, "silent": silent}))
                    .await;
                let licence = &mut self.licences[at];
                licence.current += by;
                licence.silent |= silent;
                licence.changed |= !silent;
            }
        }
    }

    async fn trouble(&mut self, dice: &mut Dice) {
        match dice.below(6) {
            0 => {
                self.deed("expire_cursors", json!({})).await;
                self.cursor_lost = true;
            }
            1 => drop(self.deed("tokens", json!({"expire_access": true})).await),
            2 => drop(self.deed("redeliver", json!({"count": 4})).await),
            3 => {
                let kinds = ["too_many", "internal", "maintenance", "truncated", "locked"];
                self.deed("outage", json!({"kind": kinds[dice.below(5)]}))
                    .await;
                assert!(self.engine.read_now(NAME).await);
                self.deed("recover", json!({})).await;
            }
            4 => self.restart(i64::MAX).await,
            _ => {
                // The process ends in the middle of a read, and another goes on.
                let writes = i64::try_from(dice.below(9)).unwrap();
                self.told.push(format!("ends after {writes}"));
                self.restart(writes).await;
                assert!(self.engine.read_now(NAME).await);
                drop(self.engine.do_ready().await);
                self.restart(i64::MAX).await;
                self.read(false, false).await;
            }
        }
    }

    /// Everything that was said of licences, in order, by licence.
    async fn said(&self) -> BTreeMap<String, Vec<String>> {
        self.database.projected().await;
        let mut events: Vec<Event> = Vec::new();
        loop {
            let query = EventQuery {
                after: events.last().map(|event| event.position),
                limit: 1_000,
                ..EventQuery::default()
            };
            let page = Views::events(&*self.database, query).await.unwrap().items;
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        events.sort_by_key(|event| event.position);
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in events {
            if let Some((uuid, word)) = word_of(&event) {
                said.entry(uuid).or_default().push(word);
            }
        }
        said
    }
}

/// A said event in the words of `expected.rs`, with the licence that it is about.
fn word_of(event: &Event) -> Option<(String, String)> {
    let kind = event.envelope.kind.strip_prefix("smintio.")?;
    let data = &event.envelope.data;
    let number = |noun: &str| data[noun]["threshold"].to_string();
    let word = match kind {
        "asset.review_required" => "review".to_owned(),
        "asset.updated" => "updated".to_owned(),
        "license.expired" => "expired".to_owned(),
        "license.expiring" => format!("expiring {}", number("license")),
        "license.usage_limit_near" | "license.usage_limit_reached" => {
            format!("limit {}", number("limit"))
        }
        "compliance.violation" => {
            format!("violation.{}", data["violation"]["rule"].as_str().unwrap())
        }
        "sync.failed" | "sync.recovered" => {
            // Of our own link nothing is expected here.
            let message = data["sync"]["message"].as_str().unwrap_or_default();
            let uuid = message.strip_prefix("transaction ")?;
            return Some((uuid.to_owned(), kind.to_owned()));
        }
        _ if kind.starts_with("request.") => kind.to_owned(),
        _ => return None,
    };
    let uuid = data["transaction"]["uuid"].as_str()?;
    Some((uuid.to_owned(), word))
}

fn process(
    ground: &Ground,
    info: &Json,
    database: &Arc<Database>,
    vault: &Arc<Kept>,
    clock: &Arc<StoryClock>,
    how: (u8, i64),
) -> Engine {
    let settings = json!({
        "tenant": TENANT, "client_id": info["client_id"], "client_secret": info["client_secret"],
        "refresh_token": info["refresh_token"], "base_url": info["feed_url"],
        "token_url": info["token_url"], "zone": "UTC", "stuck_hours": 0, "limit": 5,
    });
    process_with(ground, &settings, database, vault, clock, how)
}

fn process_with(
    ground: &Ground,
    settings: &Json,
    database: &Arc<Database>,
    vault: &Arc<Kept>,
    clock: &Arc<StoryClock>,
    (number, writes): (u8, i64),
) -> Engine {
    let ends = Ends(AtomicI64::new(writes));
    let store = Arc::new(Through::new(Arc::clone(database) as _, ends));
    let engine = Engine::new(Parts {
        store,
        views: database.clone(),
        flow_clock: clock.clone(),
        transport_clock: clock.clone(),
        keys: Arc::new(keys()),
        owner: Owner(Id([number; 16])),
        public_url: "https://bellwether.example".to_owned(),
        live: Live::default(),
    });
    let mut all = bellwether_connectors::all().iter();
    let def = all.find(|def| def.name == "smintio").unwrap();
    let settings = (def.settings)()
        .read(settings.as_object().unwrap())
        .unwrap();
    let host = Host {
        connection: NAME.to_owned(),
        http: ground.http.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        signer: Arc::new(keys()),
    };
    let link = Link {
        name: NAME.to_owned(),
        def,
        connection: (def.connect)(settings, host).unwrap(),
        slots: IN_FLIGHT,
    };
    let mut setup = Setup::empty();
    setup.links.insert(NAME.to_owned(), link);
    engine.set_up(setup);
    engine
}

async fn live(ground: &Ground, seed: u64) {
    let mut dice = Dice::new(seed + 1);
    let mut life = Life::begin(ground, seed).await;
    for _ in 0..3 {
        life.buy(&mut dice).await;
        life.pass(Millis::days(1 + dice.below(60) as u64)).await;
    }
    life.read(false, true).await;
    for _ in 0..LENGTH {
        match dice.below(10) {
            0 | 1 => life.buy(&mut dice).await,
            2..=4 => life.change(&mut dice).await,
            5 => life.pass(Millis::hours(1 + dice.below(1_200) as u64)).await,
            6 | 7 => life.read(false, false).await,
            8 => life.read(true, false).await,
            _ => life.trouble(&mut dice).await,
        }
    }
    life.read(true, false).await;
    life.pass(Millis::days(500)).await;
    let mut said = life.said().await;
    for licence in &life.licences {
        let said = said.remove(&licence.uuid).unwrap_or_default();
        let course = life.told.join("\n");
        assert_eq!(
            said, licence.expected,
            "LIFE={seed}, {licence:#?}\n{course}"
        );
    }
    assert!(said.is_empty(), "LIFE={seed}: of nobody: {said:?}");
}

#[tokio::test]
async fn in_every_life_of_a_tenant_each_event_is_said_exactly_once() {
    let ground = Ground::new().await;
    let one = option_env!("LIFE").and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..LIVES, |seed: u64| seed..seed + 1);
    for seed in seeds {
        live(&ground, seed).await;
    }
}
