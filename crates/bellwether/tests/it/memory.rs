//! A connector's own memory: a small connector that counts readings of meters, run by the real
//! engine on the real store. What it emits, wakes for and survives is checked; no flow takes part.

use std::sync::Arc;

use bellwether_engine::run::{Engine, IN_FLIGHT, Keyring, Link, Parts, Setup};
use bellwether_engine::seam::{Intake as _, Live};
use bellwether_engine::store::{CellRef, CellStatus, EventQuery, Owner, Snapshot, Store, Views};
use bellwether_engine::story::{OWNER_KEY, StoryClock};
use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Checked, Connection, ConnectorDef, Outcome};
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::reduce::{Cause, Derived, Memory, Reduced, Reducer};
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::MADE_BY_TEST;

/// A reading over this is said once for each time that it is passed.
const LIMIT: i64 = 100;
/// A meter that says nothing for so long is quiet.
pub(crate) const QUIET: Millis = Millis::hours(1);
/// Readings of this value say more than the record takes, at once or when the meter is quiet.
pub(crate) const TOO_MUCH: i64 = 70_000;
pub(crate) const TOO_MUCH_LATER: i64 = 71_000;

static METERS: ConnectorDef = ConnectorDef {
    name: "meters",
    title: "Meters",
    summary: "Readings of meters.",
    reduce: Some(Reducer {
        format: 1,
        key: |event| {
            let meter = event.data.get("meter")?;
            (event.kind == "meter.read").then(|| meter["id"].as_str().unwrap_or("").to_owned())
        },
        reduce: reading,
    }),
    ..MADE_BY_TEST
};

/// Keeps the highest value and whether the limit was said; is removed by a negative value.
fn reading(memory: &Memory<'_>) -> Reduced {
    let before = memory
        .kept
        .map_or(0, |(_, kept)| kept["high"].as_i64().unwrap());
    let derived = |kind, id: String| Derived {
        kind,
        id: format!("{}/{id}", memory.key),
        time: memory.now,
        data: Arc::new(json!({ "meter": { "id": memory.key, "high": before } })),
    };
    let too_much = || Derived {
        data: Arc::new(json!({ "meter": "x".repeat(70_000) })),
        ..derived("meter.long", "long".to_owned())
    };
    let event = match memory.cause {
        Cause::Event(event) => event,
        Cause::Timer(name) => {
            assert_eq!(name, "quiet");
            let emits = if before == TOO_MUCH_LATER {
                vec![too_much()]
            } else {
                vec![derived("meter.quiet", format!("quiet/{}", memory.now.0))]
            };
            return Reduced {
                keep: json!({ "high": before }),
                emits,
                ..Reduced::default()
            };
        }
    };
    let value = event.envelope.data["meter"]["value"]
        .as_i64()
        .expect("a number");
    let mut reduced = Reduced {
        keep: json!({ "high": before.max(value) }),
        timers: vec![("quiet".to_owned(), Some(memory.now + QUIET))],
        ends: value < 0,
        ..Reduced::default()
    };
    if before <= LIMIT && value > LIMIT {
        reduced.emits.push(derived("meter.over", "over".to_owned()));
    }
    if value == TOO_MUCH {
        reduced.emits.push(too_much());
    }
    reduced
}

#[derive(Debug)]
struct Meters;

impl Connection for Meters {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "not asked here")) })
    }

    fn perform<'a>(&'a self, _: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "does nothing")) })
    }
}

pub(crate) struct Plant {
    pub(crate) engine: Engine,
    clock: Arc<StoryClock>,
    pub(crate) database: Arc<Database>,
}

impl Plant {
    pub(crate) fn new() -> Self {
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        let start = Time::parse("2026-03-02T08:00:00Z").unwrap();
        Self::process(Arc::clone(&database), database, 1, start)
    }

    pub(crate) fn process(
        database: Arc<Database>,
        store: Arc<dyn Store>,
        number: u8,
        now: Time,
    ) -> Self {
        let clock = Arc::new(StoryClock::at(now));
        let engine = Engine::new(Parts {
            store,
            views: Arc::clone(&database) as _,
            flow_clock: Arc::clone(&clock) as _,
            transport_clock: Arc::clone(&clock) as _,
            keys: Arc::new(Keyring::new(vec![(1, OWNER_KEY)])),
            owner: Owner(Id([number; 16])),
            public_url: "https://bellwether.example".to_owned(),
            live: Live::default(),
        });
        let plant = Self {
            engine,
            clock,
            database,
        };
        plant.set_up(&["plant"]);
        plant
    }

    /// These connections are there from now on, and no others.
    pub(crate) fn set_up(&self, connections: &[&str]) {
        let mut setup = Setup::empty();
        for name in connections {
            let link = Link {
                name: (*name).to_owned(),
                def: &METERS,
                connection: Arc::new(Meters),
                slots: IN_FLIGHT,
            };
            setup.links.insert(link.name.clone(), link);
        }
        self.engine.set_up(setup);
    }

    pub(crate) async fn read(&self, id: &str, value: impl Into<Json>) {
        self.submit("plant", "m1", id, value).await;
        self.engine.do_ready().await.unwrap();
    }

    pub(crate) async fn submit(
        &self,
        connection: &str,
        meter: &str,
        id: &str,
        value: impl Into<Json>,
    ) {
        let data = json!({ "meter": { "id": meter, "value": value.into() } });
        let event = NewEvent::new(connection, id, "meter.read", self.engine.now(), data);
        self.engine.submit(event).await.unwrap();
    }

    pub(crate) async fn pass(&self, time: Millis) {
        self.clock.move_to(self.engine.now() + time);
        self.engine.do_ready().await.unwrap();
    }

    /// Everything of a type, oldest first.
    pub(crate) async fn happened(&self, kind: &str) -> Vec<Event> {
        self.database.projected().await;
        let query = EventQuery {
            kind: Some(kind.to_owned()),
            limit: 100,
            ..EventQuery::default()
        };
        let mut events = Views::events(&*self.database, query).await.unwrap().items;
        events.sort_by_key(|event| event.position);
        events
    }

    pub(crate) async fn cell(&self) -> Snapshot {
        let latest = CellRef::Latest {
            program: "reduce:plant".to_owned(),
            key: "m1".to_owned(),
        };
        let found = self.database.load(&[latest]).await.unwrap();
        found.into_iter().next().flatten().unwrap()
    }

    pub(crate) async fn kept(&self) -> Json {
        serde_json::from_slice(&self.cell().await.state).unwrap()
    }
}

#[tokio::test]
async fn what_follows_from_records_is_said_once_with_its_cause() {
    let plant = Plant::new();
    for (id, value) in [
        ("r1", 40),
        ("r2", 120),
        ("r2", 120),
        ("r3", 130),
        ("r4", 90),
    ] {
        plant.read(id, value).await;
    }
    assert_eq!(
        plant.kept().await,
        json!({ "v": 1, "keep": { "high": 130 } })
    );
    let over = plant.happened("meter.over").await;
    assert_eq!(over.len(), 1);
    let event = &over[0].envelope;
    assert_eq!(
        (event.source.as_str(), event.id.as_str()),
        ("plant", "m1/over")
    );
    assert_eq!(event.hop, 1);
    let cell = plant.cell().await;
    let cause = event.cause.as_ref().unwrap();
    assert_eq!((cause.cell, cause.turn), (cell.cell, 2));
    assert_eq!(cell.version, 4, "a repeated record takes no turn");
}

#[tokio::test]
async fn a_timer_wakes_the_memory_once_and_is_moved_by_records() {
    let plant = Plant::new();
    plant.read("r1", 1).await;
    plant.pass(Millis::minutes(50)).await;
    plant.read("r2", 2).await;
    plant.pass(Millis::minutes(50)).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 0);
    plant.pass(Millis::minutes(10)).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 1);
    assert_eq!(plant.cell().await.timers, vec![]);
    plant.pass(Millis::hours(9)).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 1);
}

#[tokio::test]
async fn another_process_goes_on_with_what_was_kept() {
    let plant = Plant::new();
    plant.read("r1", 99).await;
    let later = plant.engine.now() + Millis::minutes(30);
    let next = Plant::process(
        Arc::clone(&plant.database),
        plant.database.clone(),
        2,
        later,
    );
    drop(plant);
    next.read("r2", 101).await;
    assert_eq!(next.happened("meter.over").await.len(), 1);
    next.pass(Millis::hours(1)).await;
    assert_eq!(next.happened("meter.quiet").await.len(), 1);
}

#[tokio::test]
async fn a_record_that_the_connector_cannot_read_leaves_the_memory_as_it_was() {
    let plant = Plant::new();
    plant.read("r1", 99).await;
    plant.read("r2", "not a number").await;
    assert_eq!(
        plant.happened("meter.read").await.len(),
        2,
        "it is recorded"
    );
    assert_eq!(
        plant.kept().await,
        json!({ "v": 1, "keep": { "high": 99 } })
    );
    let dead = plant.database.overview().await.unwrap().dead_letters;
    assert_eq!(dead, 1);
    plant.read("r3", 101).await;
    assert_eq!(plant.happened("meter.over").await.len(), 1);
}

#[tokio::test]
async fn what_ended_begins_anew_with_the_next_record() {
    let plant = Plant::new();
    plant.read("r1", 120).await;
    plant.read("r2", -1).await;
    let ended = plant.cell().await;
    assert_eq!((ended.status, ended.epoch), (CellStatus::Closed, 1));
    plant.read("r3", 5).await;
    let anew = plant.cell().await;
    assert_eq!((anew.status, anew.epoch), (CellStatus::Open, 2));
    assert_eq!(plant.kept().await, json!({ "v": 1, "keep": { "high": 5 } }));
}

#[tokio::test]
async fn records_that_come_at_once_are_remembered_one_after_the_other() {
    let plant = Plant::new();
    let mut all = tokio::task::JoinSet::new();
    for n in 1..=60 {
        let data = json!({ "meter": { "id": "m1", "value": n } });
        let (engine, now) = (plant.engine.clone(), plant.engine.now());
        let event = NewEvent::new("plant", format!("r{n}"), "meter.read", now, data);
        all.spawn(async move { engine.submit(event).await });
    }
    assert!(all.join_all().await.iter().all(Result::is_ok));
    plant.engine.do_ready().await.unwrap();
    let cell = plant.cell().await;
    assert_eq!(cell.version, 60);
    assert_eq!(
        plant.kept().await,
        json!({ "v": 1, "keep": { "high": 60 } })
    );
}
