//! A portal that is watched by the whole: background tasks on virtual time, a process that ends in
//! the middle of one and after each of its writes, licences that do not wait for any of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use bellwether_engine::run::Engine;
use bellwether_engine::seam::Connections as _;
use bellwether_engine::store::{EventQuery, InletStep, Store as _, Views};
use bellwether_engine::story::StoryClock;
use bellwether_model::clock::Clock as _;
use bellwether_model::event::Event;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use super::ground::{Ground, Kept, Steps};
use super::life::{BEGINS, NAME, TENANT, process_with};
use crate::support::until;

const PACE: Millis = Millis::seconds(5);

/// A portal with the server that watches it.
struct Watch {
    ground: Arc<Ground>,
    info: Json,
    database: Arc<Database>,
    kept: Arc<Kept>,
    clock: Arc<StoryClock>,
}

impl Watch {
    async fn begin() -> Self {
        let ground = Arc::new(Ground::tcp().await);
        let tenant = json!({"id": TENANT, "seed": 5, "transactions": 0});
        let watch = Self {
            info: ground.set("smintio", tenant).await,
            database: Arc::new(bellwether_store::open("sqlite::memory:").unwrap()),
            kept: Arc::new(Kept::default()),
            clock: Arc::new(StoryClock::at(Time::parse(BEGINS).unwrap())),
            ground,
        };
        let clock = json!({"start": BEGINS, "rate": 0.0});
        watch.ground.set("clock", clock).await;
        watch
    }

    async fn start(&self, how: (u8, Arc<Steps>)) -> Engine {
        let (info, portals) = (&self.info, &self.info["portals"]);
        let settings = json!({
            "tenant": TENANT, "client_id": info["client_id"],
            "client_secret": info["client_secret"], "refresh_token": info["refresh_token"],
            "base_url": info["feed_url"], "token_url": info["token_url"], "zone": "UTC",
            "portals": {"base_url": portals["url"], "portal_uuid": portals["portal_uuid"],
                "searches": [{"name": "Everything", "query": ""}], "page_size": 25},
            "portals_refresh_token": portals["refresh_token"],
        });
        let parts = (&self.database, &self.kept, &self.clock);
        let engine = process_with(&self.ground, &settings, parts, how);
        engine.start().await;
        engine
    }

    async fn deed(&self, deed: &str, body: Json) -> Json {
        let path = format!("smintio/{TENANT}/{deed}");
        self.ground.set(&path, body).await
    }

    async fn buy(&self, name: &str) -> Json {
        let order = json!({"name": name, "state": "completed"});
        self.deed("buy", order).await["uuid"].take()
    }

    async fn shown(&self) -> Json {
        self.ground.show(TENANT).await
    }

    async fn cursor(&self) -> Json {
        let key = format!("{NAME}/portals");
        let state = self.database.inlet(&key, InletStep::Look).await.unwrap();
        serde_json::from_str(&state.cursor.unwrap_or_default()).unwrap_or_default()
    }

    /// Time passes until a scan is over that began after now.
    async fn scan(&self) {
        let begun = self.clock.now();
        until("a scan", async || {
            self.clock.move_to(self.clock.now() + Millis::minutes(1));
            let cursor = self.cursor().await;
            let rests = cursor["watch"] == "";
            (rests && cursor["began"].as_i64()? > begun.0).then_some(())
        })
        .await;
    }

    async fn stop(&self, engine: Engine) {
        engine.stop(std::time::Duration::from_secs(5)).await;
    }

    /// Assets that were said to be published, each as often as it was said.
    async fn published(&self) -> Vec<String> {
        self.database.projected().await;
        let query = EventQuery {
            kind: Some("smintio.asset.published".to_owned()),
            limit: 1_000,
            ..EventQuery::default()
        };
        let events = Views::events(&*self.database, query).await.unwrap().items;
        let name = |event: &Event| {
            event.envelope.data["asset"]["name"]
                .as_str()
                .map(str::to_owned)
        };
        let mut names: Vec<String> = events.iter().filter_map(name).collect();
        names.sort_unstable();
        names
    }
}

#[tokio::test]
async fn a_task_is_asked_for_at_one_pace_and_outlives_the_process() {
    let watch = Watch::begin().await;
    let engine = watch.start((1, Steps::endless())).await;
    watch.buy("Before").await;
    watch.scan().await;
    watch.buy("After").await;
    watch.deed("settings", json!({"task_polls": 12})).await;
    let before = watch.shown().await["executions"].clone();
    watch.clock.move_to(watch.clock.now() + Millis::minutes(16));
    let task = until("a task", async || {
        watch.cursor().await["task"]["uuid"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    let looks = async || watch.shown().await["looks"].as_u64().unwrap();
    let first = looks().await;
    for look in 1..=4 {
        // Just before its time nobody asks, however often somebody wants to read.
        watch.clock.move_to(watch.clock.now() + Millis(PACE.0 - 1));
        assert!(engine.read_now(NAME).await);
        assert_eq!(
            looks().await,
            first + look - 1,
            "not before {PACE:?} have passed"
        );
        watch.clock.move_to(watch.clock.now() + Millis(1));
        until("a look at the task", async || {
            (looks().await == first + look).then_some(())
        })
        .await;
    }
    // Licences do not wait for it.
    watch.deed("buy", json!({"name": "Bought"})).await;
    assert!(engine.read_now(NAME).await);
    let ledger = watch.database.ledger(NAME).await.unwrap();
    assert!(ledger.received >= 3, "{ledger:?}");
    watch.stop(engine).await;
    let engine = watch.start((2, Steps::endless())).await;
    assert_eq!(watch.cursor().await["task"]["uuid"], task);
    until("the end of the scan", async || {
        watch.clock.move_to(watch.clock.now() + PACE);
        (watch.cursor().await["watch"] == "").then_some(())
    })
    .await;
    assert_eq!(watch.published().await, ["After"]);
    let executions = watch.shown().await["executions"].clone();
    assert_eq!(
        executions.as_u64().unwrap() - before.as_u64().unwrap(),
        1,
        "the task was not begun anew"
    );
    watch.stop(engine).await;
}

#[tokio::test]
async fn a_process_that_ends_after_any_step_loses_and_repeats_nothing() {
    let mut watch = Watch::begin().await;
    watch.deed("settings", json!({"task_polls": 1})).await;
    watch.buy("Before").await;
    let mut number = 1;
    let engine = watch.start((number, Steps::endless())).await;
    watch.scan().await;
    watch.stop(engine).await;
    let mut expected = BTreeSet::new();
    for ends in 0..24 {
        for half in ["a", "b"] {
            let name = format!("Asset {ends:02} {half}");
            watch.buy(&name).await;
            expected.insert(name);
        }
        number += 1;
        let steps = Steps::after(ends);
        let engine = watch.start((number, Arc::clone(&steps))).await;
        until("the process has ended", async || {
            watch.clock.move_to(watch.clock.now() + Millis::minutes(1));
            steps.are_over().then_some(())
        })
        .await;
        // It can write nothing any more, so nobody waits for its end.
        engine.stop(std::time::Duration::ZERO).await;
        number += 1;
        // A token may have been renewed and not kept: somebody consents anew.
        watch.info = watch.shown().await["info"].take();
        watch.kept.forget();
        let engine = watch.start((number, Steps::endless())).await;
        watch.scan().await;
        watch.stop(engine).await;
        let wanted: Vec<String> = expected.iter().cloned().collect();
        assert_eq!(watch.published().await, wanted, "after {ends} steps");
    }
}
