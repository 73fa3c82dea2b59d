//! Very much that comes due at one instant: it shares commits, everything fires once, and events
//! that concern one cell keep their order. How fast it is on a disk is measured by the bench.

use std::sync::Arc;

use bellwether_engine::run::{Engine, IN_FLIGHT, Keyring, Link, Parts, Setup};
use bellwether_engine::seam::{Intake as _, Live};
use bellwether_engine::store::{CellRef, EventQuery, Owner, Store, Views};
use bellwether_engine::story::{OWNER_KEY, StoryClock};
use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Checked, Connection, ConnectorDef, Outcome};
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::reduce::{Cause, Derived, Memory, Reduced, Reducer};
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::MADE_BY_TEST;

const NAME: &str = "terms";
const BEGINS: &str = "2026-03-02T08:00:00Z";
/// Terms that end at the same instant.
const TERMS: usize = 300;

static TERM: ConnectorDef = ConnectorDef {
    name: "terms",
    title: "Terms",
    summary: "Terms that end.",
    reduce: Some(Reducer {
        format: 1,
        key: |event| {
            let text = |name: &str| event.data.get(name)?.as_str().map(str::to_owned);
            text("term").or_else(|| text("ended").map(|_| "all".to_owned()))
        },
        reduce,
    }),
    ..MADE_BY_TEST
};

/// A term says that it has ended; one cell remembers all ends in the order in which they came.
fn reduce(memory: &Memory<'_>) -> Reduced {
    let ends = Time::parse(BEGINS).unwrap() + Millis::hours(1);
    let kept = memory.kept.map_or(Json::Null, |(_, kept)| kept.clone());
    match memory.cause {
        Cause::Event(event) if memory.key == "all" => {
            let mut all = kept.as_array().cloned().unwrap_or_default();
            all.push(event.position.into());
            Reduced {
                keep: all.into(),
                ..Reduced::default()
            }
        }
        Cause::Event(_) => Reduced {
            timers: vec![("end".to_owned(), Some(ends))],
            ..Reduced::default()
        },
        Cause::Timer(_) => Reduced {
            emits: vec![Derived {
                kind: "terms.ended",
                id: format!("{}/ended", memory.key),
                time: memory.now,
                data: Arc::new(json!({ "ended": memory.key })),
            }],
            ..Reduced::default()
        },
    }
}

#[derive(Debug)]
struct Nobody;

impl Connection for Nobody {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "not asked here")) })
    }

    fn perform<'a>(&'a self, _: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "does nothing")) })
    }
}

fn engine(database: &Arc<Database>, clock: &Arc<StoryClock>) -> Engine {
    let engine = Engine::new(Parts {
        store: database.clone(),
        views: database.clone(),
        flow_clock: clock.clone(),
        transport_clock: clock.clone(),
        keys: Arc::new(Keyring::new(vec![(1, OWNER_KEY)])),
        owner: Owner(Id([1; 16])),
        public_url: "https://bellwether.example".to_owned(),
        live: Live::default(),
    });
    let mut setup = Setup::empty();
    let link = Link {
        name: NAME.to_owned(),
        def: &TERM,
        connection: Arc::new(Nobody),
        slots: IN_FLIGHT,
    };
    setup.links.insert(NAME.to_owned(), link);
    engine.set_up(setup);
    engine
}

async fn ended(database: &Database) -> Vec<i64> {
    database.projected().await;
    let query = EventQuery {
        kind: Some("terms.ended".to_owned()),
        limit: 1_000,
        ..EventQuery::default()
    };
    let items = Views::events(database, query).await.unwrap().items;
    let mut positions: Vec<_> = items.iter().map(|event| event.position).collect();
    positions.sort_unstable();
    positions
}

#[tokio::test]
async fn what_ends_at_one_instant_shares_commits_and_keeps_its_order() {
    let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
    let clock = Arc::new(StoryClock::at(Time::parse(BEGINS).unwrap()));
    let engine = engine(&database, &clock);
    let now = Time::parse(BEGINS).unwrap();
    for n in 0..TERMS {
        let data = json!({ "term": format!("t{n}") });
        let event = NewEvent::new(NAME, format!("e{n}"), "terms.bought", now, data);
        engine.submit(event).await.unwrap();
    }
    engine.do_ready().await.unwrap();
    assert_eq!(ended(&database).await.len(), 0, "nothing is due yet");

    clock.move_to(now + Millis::hours(1));
    let before = database.stats().await;
    assert_eq!(engine.do_ready().await.unwrap(), None);

    let positions = ended(&database).await;
    assert_eq!(positions.len(), TERMS, "each once");
    let query = CellRef::Latest {
        program: format!("reduce:{NAME}"),
        key: "all".to_owned(),
    };
    let all = database.load(&[query]).await.unwrap().pop().flatten();
    let state: Json = serde_json::from_slice(&all.unwrap().state).unwrap();
    assert_eq!(
        state["keep"],
        json!(positions),
        "in the order of the record"
    );
    let after = database.stats().await;
    let terms = TERMS as u64;
    let turns = after.units - before.units;
    assert!(turns >= 2 * terms, "{turns} timers and events");
    // The ends meet in one cell and cannot share; the timers do.
    let synced = after.synced - before.synced;
    assert!(
        synced < terms + terms / 2,
        "{synced} commits for {TERMS} terms"
    );
}
