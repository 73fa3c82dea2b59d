//! The portals of the Smint.io connector against the stand-in over HTTP: what is said of assets and
//! collections, background tasks, sources that fail, troubles in the middle.

mod collections;
mod trouble;

use std::sync::Arc;

use bellwether_model::connector::Connection;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::FailureClass;
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use crate::common::{StillClock, try_connect};
use crate::smintio_world::{Cells, Reader, World};

const BEGINS: &str = "2026-03-02T08:00:00Z";

/// A portal, who reads it, and what is remembered.
struct Portal {
    world: World,
    reader: Reader,
    cells: Cells,
    watched: Value,
    clock: Arc<StillClock>,
}

fn everything() -> Value {
    json!({"searches": [{"name": "Everything", "query": ""}]})
}

impl Portal {
    async fn start(watched: Value) -> Self {
        let world = World::start().await;
        let clock = StillClock::at(BEGINS);
        let reader = Reader::of_portals(connect(&world, &watched, &clock));
        let portal = Self {
            world,
            reader,
            cells: Cells::at(BEGINS),
            watched,
            clock,
        };
        portal.at(BEGINS).await;
        portal
    }

    /// Sets the stand-in's clock.
    async fn at(&self, now: &str) {
        let clock = json!({"start": now, "rate": 0.0});
        self.world.post("/admin/clock", clock).await;
    }

    async fn pass_to(&mut self, now: &str) {
        self.at(now).await;
        self.cells.pass_to(now);
    }

    /// Another process with these settings.
    fn restart(&mut self, watched: Value) {
        self.watched = watched;
        let connection = connect(&self.world, &self.watched, &self.clock);
        self.reader.restart(connection);
    }

    async fn buy(&self, name: &str) -> Value {
        let bought = json!({"name": name, "state": "completed"});
        self.world.deed("buy", bought).await["uuid"].clone()
    }

    async fn mark(&self, what: Value) {
        self.world.deed("portal", what).await;
    }

    /// One scan: the events of the feed.
    async fn scan(&mut self) -> Vec<NewEvent> {
        self.clock.advance(Millis::seconds(60));
        let events = self.reader.read().await.expect("a scan");
        for event in &events {
            self.cells.take(event.clone());
        }
        events
    }

    /// One scan: what is said after it.
    async fn news(&mut self) -> Vec<String> {
        self.scan().await;
        self.cells.news()
    }

    fn said(&self, kind: &str) -> Vec<&Value> {
        let all = self.cells.happened.iter();
        let of_kind = all.filter(|derived| derived.kind == kind);
        of_kind.map(|derived| &*derived.data).collect()
    }

    async fn executions(&self) -> u64 {
        self.world.shown().await["executions"]
            .as_u64()
            .expect("a number")
    }
}

fn settings(world: &World, watched: &Value) -> Value {
    let own = &world.info["portals"];
    let mut portals = json!({"base_url": own["url"], "portal_uuid": own["portal_uuid"]});
    for (name, value) in crate::common::object(watched) {
        portals[name] = value.clone();
    }
    world.settings(json!({"portals": portals, "portals_refresh_token": own["refresh_token"]}))
}

fn connect(world: &World, watched: &Value, clock: &Arc<StillClock>) -> Arc<dyn Connection> {
    let host = world.host(clock.clone());
    try_connect("smintio", settings(world, watched), host).expect("a connection")
}

fn kinds(events: &[NewEvent]) -> Vec<&str> {
    let short = |event: &'_ NewEvent| -> usize { event.kind.len().min("smintio.".len()) };
    events
        .iter()
        .map(|event| &event.kind[short(event)..])
        .collect()
}

#[tokio::test]
async fn the_first_read_is_silent_and_everything_after_it_is_said_once() {
    let mut portal = Portal::start(everything()).await;
    let old = portal.buy("Old one").await;
    portal.buy("Another one").await;
    let planned = portal.buy("Planned one").await;
    let from = json!({"uuid": planned, "from": "2026-03-05T10:00:00Z"});
    portal.world.deed("publish", from).await;
    portal.mark(json!({"unpublished": true})).await;

    let first = portal.scan().await;
    let swallowed = &first.last().unwrap().data["swallowed"];
    assert_eq!(
        (
            &swallowed["watches"],
            &swallowed["assets"],
            &swallowed["planned"]
        ),
        (&json!(1), &json!(3), &json!(1)),
        "{swallowed}"
    );
    assert_eq!(portal.cells.news(), [""; 0]);
    assert_eq!(portal.scan().await, [], "nothing is new");

    portal.pass_to("2026-03-02T09:00:00Z").await;
    let new = portal.buy("New one").await;
    assert_eq!(portal.news().await, ["asset.published"]);
    let data = portal.said("smintio.asset.published")[0];
    assert_eq!(data["asset"]["name"], "New one");
    assert_eq!(data["transaction"], json!({}));

    portal.mark(json!({"uuid": old, "touch": true})).await;
    let touched = portal.scan().await;
    assert_eq!(kinds(&touched), ["portal.asset"]);
    assert_eq!(
        portal.cells.news(),
        [""; 0],
        "a new date alone is no change"
    );
    portal.world.deed("update", json!({"uuid": old})).await;
    assert_eq!(portal.news().await, ["asset.updated"]);
    portal.mark(json!({"uuid": old, "etag": "\"other\""})).await;
    assert_eq!(portal.news().await, ["asset.updated"]);
    let change = &portal.said("smintio.asset.updated")[0]["change"];
    assert_eq!(
        (&change["old_version"], &change["new_version"]),
        (&json!(1), &json!(2))
    );

    // It flickers: it is not found for a while.
    portal.mark(json!({"uuid": new, "hidden": true})).await;
    assert_eq!(portal.news().await, [""; 0]);
    portal
        .mark(json!({"uuid": new, "hidden": false, "touch": true}))
        .await;
    assert_eq!(portal.news().await, [""; 0], "it was published before");

    // Its time comes, without the portal's doing.
    portal.pass_to("2026-03-05T09:59:00Z").await;
    assert_eq!(portal.cells.news(), [""; 0]);
    portal.pass_to("2026-03-05T10:01:00Z").await;
    assert_eq!(portal.cells.news(), ["asset.published"]);
    let data = portal.said("smintio.asset.published")[1];
    assert_eq!(data["change"]["publish_from"], "2026-03-05T10:00:00Z");
    portal.mark(json!({"uuid": planned, "touch": true})).await;
    assert_eq!(portal.news().await, [""; 0], "it happens once");
    // Planned anew, it happens anew.
    let from = json!({"uuid": planned, "from": "2026-03-07T10:00:00Z"});
    portal.world.deed("publish", from).await;
    assert_eq!(portal.news().await, [""; 0]);
    portal.pass_to("2026-03-07T10:00:00Z").await;
    assert_eq!(portal.cells.news(), ["asset.published"]);
}

#[tokio::test]
async fn what_is_withdrawn_before_its_time_is_not_published() {
    let mut portal = Portal::start(everything()).await;
    portal.mark(json!({"unpublished": true})).await;
    let mut planned = Vec::new();
    for n in 0..3 {
        let uuid = portal.buy(&format!("Planned {n}")).await;
        let from = json!({"uuid": uuid, "from": "2026-03-05T10:00:00Z"});
        portal.world.deed("publish", from).await;
        planned.push(uuid);
    }
    portal.scan().await;
    for uuid in &planned {
        portal.mark(json!({"uuid": uuid, "hidden": true})).await;
    }
    // A scan with a source that fails says nothing about what is gone.
    portal.mark(json!({"errors": ["GetNotFound"]})).await;
    for kinds_of in [vec!["link"], vec![], vec![]] {
        assert_eq!(kinds(&portal.scan().await), kinds_of);
    }
    portal
        .mark(json!({"errors": [], "uuid": planned[0], "hidden": false}))
        .await;
    assert_eq!(kinds(&portal.scan().await), ["link"]);
    assert_eq!(
        kinds(&portal.scan().await),
        ["portal.asset", "portal.asset"]
    );
    assert_eq!(portal.scan().await, [], "told once");
    portal
        .mark(json!({"uuid": planned[1], "hidden": false}))
        .await;
    assert_eq!(kinds(&portal.scan().await), ["portal.asset"], "it is back");
    portal.cells.news();
    portal.clock.advance(Millis::days(3));
    portal.pass_to("2026-03-05T10:00:00Z").await;
    let all = portal.said("smintio.asset.published");
    let mut names: Vec<_> = all
        .iter()
        .map(|data| data["asset"]["name"].clone())
        .collect();
    names.sort_by_key(Value::to_string);
    assert_eq!(names, ["Planned 0", "Planned 1"]);
    // The third one is found again when its time is over.
    portal
        .mark(json!({"uuid": planned[2], "hidden": false}))
        .await;
    portal.cells.news();
    assert_eq!(portal.news().await, ["asset.published"]);
    assert_eq!(portal.scan().await, []);
}

#[tokio::test]
async fn only_a_newer_version_replaces() {
    let mut portal = Portal::start(everything()).await;
    let old = portal.buy("Old").await;
    portal.scan().await;
    portal.pass_to("2026-03-03T08:00:00Z").await;
    // The new one names the old one as another version of itself: that replaces nothing.
    let new = portal.buy("New").await;
    portal.mark(json!({"uuid": new, "version_of": old})).await;
    assert_eq!(portal.news().await, ["asset.published"]);
    portal
        .world
        .deed("replace", json!({"uuid": old, "by": new}))
        .await;
    assert_eq!(portal.news().await, ["asset.replaced"]);
    let data = portal.said("smintio.asset.replaced")[0];
    assert_eq!(data["asset"]["name"], "Old");
    let id = data["change"]["replacement_asset_id"].as_str().unwrap();
    assert_eq!(Some(id.rsplit(':').next().unwrap()), new.as_str());
    portal.mark(json!({"uuid": old, "touch": true})).await;
    assert_eq!(portal.news().await, [""; 0], "it is said once");
}

#[tokio::test]
async fn a_version_that_no_search_finds_is_read_by_its_id() {
    let watched = json!({"searches": [{"name": "Logos", "query": "logo"}]});
    for task_polls in [0, 2] {
        let mut portal = Portal::start(watched.clone()).await;
        let old = portal.buy("Logo").await;
        portal.scan().await;
        portal.at("2026-03-03T08:00:00Z").await;
        let new = portal.buy("Emblem").await;
        portal.mark(json!({"uuid": new, "hidden": true})).await;
        portal
            .world
            .deed("replace", json!({"uuid": old, "by": new}))
            .await;
        portal
            .world
            .deed("settings", json!({ "task_polls": task_polls }))
            .await;
        assert_eq!(portal.news().await, [""; 0], "nobody can see it yet");
        portal.mark(json!({"uuid": new, "hidden": false})).await;
        assert_eq!(portal.news().await, ["asset.replaced"], "{task_polls}");
        assert_eq!(portal.scan().await, []);
    }
}

#[tokio::test]
async fn arguments_and_results_are_json_in_a_text() {
    let name = "\"Grüße\" \\ aus 山\n{\"x\":[1]}";
    let watched = json!({"searches": [{"name": "Odd", "query": name}]});
    let mut portal = Portal::start(watched).await;
    portal.scan().await;
    portal.buy("Something else").await;
    portal.buy(name).await;
    assert_eq!(portal.news().await, ["asset.published"]);
    let asset = &portal.said("smintio.asset.published")[0]["asset"];
    assert_eq!(asset["name"], name.trim());
}

#[tokio::test]
async fn a_task_is_asked_for_at_one_pace_also_after_a_restart() {
    let mut watched = everything();
    watched["task_poll_seconds"] = json!(7);
    let mut portal = Portal::start(watched).await;
    portal.buy("One").await;
    portal
        .world
        .deed("settings", json!({"task_polls": 6}))
        .await;
    for look in 0..6 {
        let (records, more) = portal.reader.batch().await.unwrap();
        assert_eq!((records.len(), more), (0, true), "{look}");
        assert_eq!(
            portal.reader.pause,
            Millis::seconds(7),
            "{look}: always the same"
        );
        if look == 3 {
            portal.restart(portal.watched.clone());
        }
    }
    let (records, more) = portal.reader.batch().await.unwrap();
    assert_eq!(
        (records.len(), more),
        (2, false),
        "the asset and the summary"
    );
    assert_eq!(portal.reader.pause, Millis(0));
    assert_eq!(portal.executions().await, 1, "one task for the whole");

    // One that takes too long is told, and asked anew in the next scan.
    portal.reader.batch().await.unwrap();
    portal.clock.advance(Millis::minutes(31));
    let stuck = portal.scan().await;
    assert_eq!(stuck[0].data["link"]["code"], "task_stuck");
    assert_eq!(portal.scan().await[0].data["link"]["ok"], true);
    // A task that the portal forgot is told, and asked anew in the next scan.
    portal.reader.batch().await.unwrap();
    portal.mark(json!({"lose_tasks": true})).await;
    let lost = portal.scan().await;
    assert_eq!(kinds(&lost), ["link"]);
    assert_eq!(lost[0].data["link"]["code"], "task_not_found");
    let well = portal.scan().await;
    assert_eq!(well[0].data["link"]["ok"], true);
}

#[tokio::test]
async fn a_search_that_is_added_is_silent_at_first_and_limits_are_told() {
    let mut portal = Portal::start(everything()).await;
    for n in 0..5 {
        portal.buy(&format!("Thing {n}")).await;
    }
    portal.restart(json!({"searches": [{"name": "Logos", "query": "logo"}]}));
    portal.scan().await;
    let mut watched = json!({"page_size": 2, "items": 4, "searches": portal.watched["searches"]});
    let things = json!({"name": "Things", "query": "thing"});
    watched["searches"].as_array_mut().unwrap().push(things);
    portal.restart(watched);
    let events = portal.scan().await;
    assert_eq!(portal.cells.news(), [""; 0], "{:?}", kinds(&events));
    let swallowed = &events.last().unwrap().data["swallowed"];
    assert_eq!(
        (&swallowed["assets"], &swallowed["cut"]),
        (&json!(4), &json!(1))
    );
    portal.pass_to("2026-03-02T09:00:00Z").await;
    portal.buy("New logo thing").await;
    assert_eq!(portal.news().await, ["asset.published"], "once for both");
}

#[tokio::test]
async fn an_asset_without_an_id_stops_nothing() {
    let mut portal = Portal::start(everything()).await;
    portal.scan().await;
    let bad = portal.buy("Bad").await;
    portal.mark(json!({"uuid": bad, "nameless": true})).await;
    portal.buy("Good").await;
    let events = portal.scan().await;
    let mut found = kinds(&events);
    found.sort_unstable();
    assert_eq!(found, ["portal.asset", "portal.unreadable"]);
    assert_eq!(portal.cells.news(), ["asset.published"]);
    assert_eq!(portal.scan().await, []);
}

#[tokio::test]
async fn portals_are_off_without_settings_and_wrong_ones_are_named() {
    let world = World::start().await;
    assert_eq!(world.connect(json!({})).feeds().len(), 1);
    let clock = StillClock::at(BEGINS);
    let connection = connect(&world, &everything(), &clock);
    assert_eq!(connection.feeds().len(), 2);
    let identity = connection.check().await.unwrap().identity;
    assert_eq!(identity, "tenant probe and its portal");
    let collection =
        |ready: Value| json!({"collections": [{"name": "c", "uuid": "u", "ready_when": ready}]});
    let twice = json!([{"name": "a", "query": "x"}, {"name": "b", "query": "x"}]);
    let wrong = [
        (json!({}), "portals"),
        (
            json!({"searches": [{"query": "x"}]}),
            "portals.searches.0.name",
        ),
        (
            json!({"searches": [{"name": "x", "qery": "x"}]}),
            "portals.searches.0",
        ),
        (json!({ "searches": twice }), "portals"),
        (json!({"task_poll_seconds": 4}), "portals.task_poll_seconds"),
        (
            json!({"task_poll_seconds": 11}),
            "portals.task_poll_seconds",
        ),
        (json!({"items": 5001}), "portals.items"),
        (json!({"base_url": "ftp://x"}), "portals.base_url"),
        (json!({"executor_path": "a/../b"}), "portals.executor_path"),
        (
            collection(json!({"flag": "red"})),
            "portals.collections.0.ready_when.flag",
        ),
        (collection(json!({})), "portals.collections.0.ready_when"),
        (
            collection(json!({"all_published": true})),
            "portals.collections.0.ready_when",
        ),
    ];
    for (mut watched, field) in wrong {
        let fine = ["portals", "portals.searches.0.name", "portals.searches.0"];
        if !fine.contains(&field) && watched.get("collections").is_none() {
            watched["searches"] = everything()["searches"].clone();
        }
        let host = world.host(clock.clone());
        let failure = try_connect("smintio", settings(&world, &watched), host).unwrap_err();
        assert!(failure.message.contains(&format!("`{field}`")), "{failure}");
    }
    let mut settings = settings(&world, &everything());
    settings["portals_refresh_token"] = json!("");
    let host = world.host(clock.clone());
    let failure = try_connect("smintio", settings, host).unwrap_err();
    assert!(
        failure.message.contains("portals_refresh_token"),
        "{failure}"
    );
}
