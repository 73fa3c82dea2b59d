//! The rules of feeds: what is committed before the cursor moves, what a broken record stops, what
//! reading everything again finds. The provider is a list in memory that breaks on demand; a real
//! provider's feed is tested with its connector.

mod hints;
mod pair;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bellwether_engine::run::{Engine, IN_FLIGHT, Keyring, Link, Parts, Setup};
use bellwether_engine::seam::{ConnectionHealth, Connections as _, Live};
use bellwether_engine::store::{EventQuery, InletState, InletStep, Owner, Store, Views};
use bellwether_engine::story::{OWNER_KEY, StoryClock};
use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Checked, Connection, ConnectorDef, Outcome};
use bellwether_model::event::{DATA_MAX, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::feed::{Batch, Ear, Feed, Handed, Judging, Record};
use bellwether_model::id::Id;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::support::{MADE_BY_TEST, until};

const NAME: &str = "shelf";
const BATCH: usize = 3;
const BEGINS: &str = "2026-03-02T08:00:00Z";

static SHELF: ConnectorDef = ConnectorDef {
    name: "shelf",
    title: "Shelf",
    summary: "Things on a shelf.",
    ..MADE_BY_TEST
};

/// A provider: things in the order of their last change, and what goes wrong.
#[derive(Debug, Default)]
struct Shelf {
    things: Mutex<Vec<(String, Json)>>,
    /// Cursors that begin with another letter are no longer known.
    epoch: Mutex<char>,
    refused: Mutex<Option<Failure>>,
    /// Things that cannot be read, with how: `panic`, `reject`, `large`, `retry`.
    broken: Mutex<Vec<(String, &'static str)>>,
    reads: Mutex<Vec<Option<String>>>,
    fetched: AtomicUsize,
    hint: tokio::sync::Notify,
    judged_by: Mutex<String>,
}

impl Shelf {
    fn put(&self, id: &str, content: Json) {
        let mut things = self.things.lock().unwrap();
        things.retain(|(known, _)| known != id);
        things.push((id.to_owned(), content));
    }

    /// Changes a thing where it lies.
    fn put_silently(&self, id: &str, content: Json) {
        let mut things = self.things.lock().unwrap();
        let thing = things.iter_mut().find(|(known, _)| known == id).unwrap();
        thing.1 = content;
    }

    fn page(&self, cursor: Option<&str>, generation: u64) -> Handed {
        let epoch = *self.epoch.lock().unwrap();
        let from = match cursor {
            None | Some("start") => 0,
            Some(text) if text.starts_with(epoch) => text[epoch.len_utf8()..].parse().unwrap(),
            Some(_) => return Handed::Expired,
        };
        let things = self.things.lock().unwrap();
        let page: Vec<_> = things.iter().skip(from).take(BATCH).collect();
        let record = |(id, content): &&(String, Json)| Record {
            id: format!("{id}/{content}/g{generation}"),
            subject: id.clone(),
            body: content.clone(),
        };
        Handed::Batch(Batch {
            records: page.iter().map(record).collect(),
            cursor: format!("{epoch}{}", from + page.len()),
            more: !page.is_empty(),
            pause: Millis(0),
        })
    }
}

impl Connection for Shelf {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "not asked here")) })
    }

    fn feeds(&self) -> Vec<&dyn Feed> {
        vec![self]
    }

    fn perform<'a>(&'a self, _: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async { Err(Failure::bug("test", "does nothing")) })
    }
}

impl Feed for Shelf {
    fn poll_every(&self) -> Millis {
        Millis::minutes(30)
    }

    fn reread_every(&self) -> Option<Millis> {
        Some(Millis::hours(24))
    }

    fn judged_by(&self) -> String {
        self.judged_by.lock().unwrap().clone()
    }

    fn read<'a>(
        &'a self,
        cursor: Option<&'a str>,
        judging: &'a Judging,
    ) -> BoxFuture<'a, Result<Handed, Failure>> {
        self.reads.lock().unwrap().push(cursor.map(str::to_owned));
        let refused = self.refused.lock().unwrap().clone();
        let answer = refused.map_or_else(|| Ok(self.page(cursor, judging.generation)), Err);
        Box::pin(std::future::ready(answer))
    }

    fn start(&self) -> String {
        "start".to_owned()
    }

    fn event<'a>(
        &'a self,
        record: &'a Record,
        attempt: u32,
    ) -> BoxFuture<'a, Result<NewEvent, Failure>> {
        Box::pin(async move {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            let broken = self.broken.lock().unwrap().clone();
            let how = broken.iter().find(|(id, _)| *id == record.subject);
            let mut data = json!({ "thing": record.body });
            match how.map(|(_, how)| *how) {
                Some("panic") => panic!("the test breaks the reader"),
                Some("reject") => return Err(Failure::reject("bad", "it makes no sense")),
                Some("large") => data["filler"] = Json::from("x".repeat(DATA_MAX)),
                Some("retry") if attempt < 3 => return Err(Failure::retry("away", "away", None)),
                _ => {}
            }
            let now = Time::parse(BEGINS).unwrap();
            Ok(NewEvent::new(NAME, &*record.id, "shelf.thing", now, data))
        })
    }

    fn stub(&self, record: &Record, reason: &str, now: Time) -> NewEvent {
        let data = json!({ "stub": { "id": record.subject, "reason": reason } });
        NewEvent::new(NAME, &*record.id, "shelf.unreadable", now, data)
    }

    fn link(&self, failure: Option<&Failure>, now: Time) -> Option<NewEvent> {
        let word = failure.map_or("well", |failure| failure.code.as_str());
        let data = json!({ "link": { "state": word } });
        let id = format!("link/{word}/{}", now.0);
        Some(NewEvent::new(NAME, id, "shelf.link", now, data))
    }

    fn listen<'a>(&'a self, ear: &'a dyn Ear) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            loop {
                self.hint.notified().await;
                ear.hint();
            }
        })
    }
}

struct Room {
    engine: Engine,
    clock: Arc<StoryClock>,
    database: Arc<Database>,
    shelf: Arc<Shelf>,
}

impl Room {
    fn new() -> Self {
        let shelf = Arc::new(Shelf::default());
        *shelf.epoch.lock().unwrap() = 'a';
        let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
        Self::process(shelf, database, 1)
    }

    fn process(shelf: Arc<Shelf>, database: Arc<Database>, number: u8) -> Self {
        Self::over(shelf.clone(), shelf, database, number)
    }

    fn over(
        shelf: Arc<Shelf>,
        connection: Arc<dyn Connection>,
        database: Arc<Database>,
        number: u8,
    ) -> Self {
        let clock = Arc::new(StoryClock::at(Time::parse(BEGINS).unwrap()));
        let engine = Engine::new(Parts {
            store: database.clone(),
            views: database.clone(),
            flow_clock: clock.clone(),
            transport_clock: clock.clone(),
            keys: Arc::new(Keyring::new(vec![(1, OWNER_KEY)])),
            owner: Owner(Id([number; 16])),
            public_url: "https://bellwether.example".to_owned(),
            live: Live::default(),
        });
        let mut setup = Setup::empty();
        let link = Link {
            name: NAME.to_owned(),
            def: &SHELF,
            connection,
            slots: IN_FLIGHT,
        };
        setup.links.insert(NAME.to_owned(), link);
        engine.set_up(setup);
        Self {
            engine,
            clock,
            database,
            shelf,
        }
    }

    async fn read(&self) {
        assert!(self.engine.read_now(NAME).await);
    }

    async fn inlet(&self) -> InletState {
        self.database.inlet(NAME, InletStep::Look).await.unwrap()
    }

    async fn cursor(&self) -> String {
        self.inlet().await.cursor.unwrap_or_default()
    }

    async fn happened(&self, kind: &str) -> Vec<Json> {
        self.database.projected().await;
        let query = EventQuery {
            kind: Some(kind.to_owned()),
            limit: 100,
            ..EventQuery::default()
        };
        let mut events = Views::events(&*self.database, query).await.unwrap().items;
        events.sort_by_key(|event| event.position);
        let data = events.into_iter().map(|event| event.envelope.data);
        data.map(|data| (*data).clone()).collect()
    }

    async fn things(&self) -> usize {
        self.happened("shelf.thing").await.len()
    }

    async fn dead_letters(&self) -> u64 {
        self.database.projected().await;
        self.database.overview().await.unwrap().dead_letters
    }
}

#[tokio::test]
async fn records_are_read_to_the_end_and_what_comes_again_is_known() {
    let room = Room::new();
    for n in 0..7 {
        room.shelf.put(&format!("t{n}"), json!(1));
    }
    room.read().await;
    assert_eq!(
        (room.things().await, room.cursor().await.as_str()),
        (7, "a7")
    );
    let ledger = room.database.ledger(NAME).await.unwrap();
    assert_eq!((ledger.received, ledger.pending, ledger.failed), (7, 0, 0));
    // Handed out again unchanged, and changed.
    room.shelf.put("t0", json!(1));
    room.shelf.put("t1", json!(2));
    *room.shelf.reads.lock().unwrap() = Vec::new();
    room.database
        .inlet(
            NAME,
            InletStep::Discovered {
                ids: Vec::new(),
                cursor: Some("a5".to_owned()),
                at: room.engine.now(),
            },
        )
        .await
        .unwrap();
    room.read().await;
    assert_eq!(room.things().await, 8, "one change, no repeats");
    assert_eq!(room.shelf.fetched.load(Ordering::Relaxed), 8);
    assert_eq!(room.shelf.reads.lock().unwrap()[0].as_deref(), Some("a5"));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_nothing() {
    for how in ["panic", "reject", "large"] {
        let room = Room::new();
        for n in 0..5 {
            room.shelf.put(&format!("t{n}"), json!(n));
        }
        room.shelf
            .broken
            .lock()
            .unwrap()
            .push(("t1".to_owned(), how));
        room.read().await;
        assert_eq!(room.things().await, 4, "{how}");
        let stubs = room.happened("shelf.unreadable").await;
        assert_eq!(stubs.len(), 1, "{how}");
        assert_eq!(stubs[0]["stub"]["id"], "t1");
        assert_eq!(room.dead_letters().await, 1, "{how}");
        assert_eq!(room.cursor().await, "a5", "{how}");
        let ledger = room.database.ledger(NAME).await.unwrap();
        assert_eq!((ledger.received, ledger.failed), (4, 1), "{how}");
        room.read().await;
        assert_eq!(room.dead_letters().await, 1, "{how}: told once");
    }
}

#[tokio::test]
async fn the_cursor_waits_for_every_record_of_its_batch() {
    let room = Room::new();
    for n in 0..6 {
        room.shelf.put(&format!("t{n}"), json!(n));
    }
    room.shelf
        .broken
        .lock()
        .unwrap()
        .push(("t4".to_owned(), "retry"));
    for _ in 0..2 {
        room.read().await;
        assert_eq!(room.cursor().await, "a3", "the second batch is not whole");
        let health = room.engine.lane(NAME).unwrap().health();
        assert!(
            matches!(health, ConnectionHealth::Failing { .. }),
            "{health:?}"
        );
    }
    assert_eq!(room.things().await, 5, "its neighbours are in");
    // Another process counts anew and loses nothing.
    let next = Room::process(room.shelf.clone(), room.database.clone(), 2);
    for _ in 0..3 {
        next.read().await;
    }
    assert_eq!(
        (next.things().await, next.cursor().await.as_str()),
        (6, "a6")
    );
}

#[tokio::test]
async fn a_cursor_that_is_not_known_leads_to_everything_again_and_loses_nothing() {
    let room = Room::new();
    for n in 0..4 {
        room.shelf.put(&format!("t{n}"), json!(n));
    }
    room.read().await;
    *room.shelf.epoch.lock().unwrap() = 'b';
    room.shelf.put("t4", json!(4));
    room.read().await;
    assert_eq!(
        (room.things().await, room.cursor().await.as_str()),
        (5, "b5")
    );
    assert_eq!(room.shelf.fetched.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn once_a_day_everything_is_read_again_and_only_changes_are_told() {
    let room = Room::new();
    for n in 0..7 {
        room.shelf.put(&format!("t{n}"), json!(n));
    }
    room.read().await;
    room.shelf.put_silently("t2", json!(20));
    room.read().await;
    assert_eq!(room.things().await, 7, "the cursor does not bring it");
    assert_eq!(room.engine.recount(NAME).await, Ok(1));
    assert_eq!(room.inlet().await.gaps, 1);
    assert_eq!(room.things().await, 7, "a recount repairs nothing");
    assert_eq!(room.engine.sweep(NAME).await, Ok(1));
    assert_eq!((room.things().await, room.inlet().await.gaps), (8, 0));
    assert_eq!(room.cursor().await, "a7", "no cursor was moved by it");

    room.engine.start().await;
    room.shelf.put_silently("t3", json!(30));
    room.clock.move_to(room.engine.now() + Millis::hours(25));
    until("the change is found by itself", async || {
        (room.things().await == 9).then_some(())
    })
    .await;
    room.engine.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_is_judged_anew_is_read_again_and_each_judgement_once() {
    let room = Room::new();
    for n in 0..4 {
        room.shelf.put(&format!("t{n}"), json!(n));
    }
    room.engine.start().await;
    let say = async |words: &str, judged: usize| {
        *room.shelf.judged_by.lock().unwrap() = words.to_owned();
        room.shelf.hint.notify_one();
        until(words, async || {
            let state = room.inlet().await;
            let all = state.generation == state.reread && room.things().await == judged;
            all.then_some(())
        })
        .await;
    };
    say("", 4).await;
    say("strictly", 8).await;
    // Back to what was before is a third judgement, not a repeat of the first.
    say("", 12).await;
    room.engine.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!(room.inlet().await.generation, 3);
    let room = Room::process(room.shelf, room.database, 2);
    room.read().await;
    assert_eq!(room.things().await, 12, "a new process judges as before");
}
