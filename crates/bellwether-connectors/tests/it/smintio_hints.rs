//! The push channel against its stand-in: hints arrive, close codes are heeded, and a token that
//! ran out is no end of it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::feed::Ear;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use crate::common::{RealClock, connect, until};
use crate::smintio_world::World;

#[derive(Debug, Default)]
struct Heard {
    hints: AtomicUsize,
    said: Mutex<Vec<NewEvent>>,
    health: Mutex<Option<String>>,
}

/// The machine's time and what the test adds to it.
#[derive(Debug, Default)]
struct AheadClock {
    ahead: Mutex<Millis>,
    moved: tokio::sync::Notify,
    /// How often somebody began to wait.
    waits: AtomicUsize,
}

impl AheadClock {
    fn skip(&self, by: Millis) {
        self.ahead.lock().expect("time").0 += by.0;
        self.moved.notify_waiters();
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Time {
        RealClock.now() + *self.ahead.lock().expect("time")
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.waits.fetch_add(1, Ordering::SeqCst);
            loop {
                let moved = self.moved.notified();
                if self.now() >= due {
                    return;
                }
                moved.await;
            }
        })
    }
}

#[derive(Debug, Clone, Default)]
struct TestEar(Arc<Heard>);

impl TestEar {
    fn hints(&self) -> usize {
        self.0.hints.load(Ordering::SeqCst)
    }

    async fn hinted(&self, least: usize) {
        let wanted = || (self.hints() >= least).then_some(());
        until("a hint", async || wanted()).await;
    }

    /// What was said of the channel: true for well.
    fn said(&self) -> Vec<bool> {
        let said = self.0.said.lock().expect("said");
        said.iter()
            .map(|event| event.data["link"]["ok"] == true)
            .collect()
    }
}

impl Ear for TestEar {
    fn hint(&self) {
        self.0.hints.fetch_add(1, Ordering::SeqCst);
    }

    fn say(&self, event: NewEvent) -> BoxFuture<'_, ()> {
        self.0.said.lock().expect("said").push(event);
        Box::pin(std::future::ready(()))
    }

    fn health(&self, part: &'static str, failure: Option<&Failure>) {
        let said = format!(
            "{part} {}",
            failure.map_or("well", |failure| &failure.message)
        );
        *self.0.health.lock().expect("health") = Some(said);
    }

    fn now(&self) -> Time {
        Time::parse("2026-03-02T10:00:00Z").expect("a time")
    }
}

struct Listening {
    world: World,
    ear: TestEar,
    clock: Arc<AheadClock>,
    task: tokio::task::JoinHandle<()>,
}

impl Listening {
    async fn start(before: Value, changes: Value) -> Self {
        let world = World::start().await;
        if !before.is_null() {
            world.deed("pusher", before).await;
        }
        let mut settings = json!({"channel_id": world.info["pusher"]["channel_id"],
            "push_key": world.info["pusher"]["key"], "push_url": world.info["url"]});
        for (name, value) in crate::common::object(&changes) {
            settings[name] = value.clone();
        }
        let clock = Arc::<AheadClock>::default();
        let connection = connect(
            "smintio",
            world.settings(settings),
            world.host(clock.clone()),
        );
        let ear = TestEar::default();
        let hears = ear.clone();
        let task = tokio::spawn(async move {
            connection.feeds()[0].listen(&hears).await;
        });
        Self {
            world,
            ear,
            clock,
            task,
        }
    }

    async fn subscribed(&self) {
        until("a subscription", async || {
            (self.world.shown().await["subscribers"] == 1).then_some(())
        })
        .await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn hints_arrive_whatever_they_carry() {
    let listening = Listening::start(Value::Null, json!({})).await;
    listening.ear.hinted(1).await;
    let opened = listening.ear.hints();
    listening.world.deed("buy", json!({})).await;
    listening.ear.hinted(opened + 1).await;
    for payload in ["TEST", "{\"a\":", "\u{0}\u{fffd}"] {
        let before = listening.ear.hints();
        listening
            .world
            .deed("hint", json!({"payload": payload}))
            .await;
        listening.ear.hinted(before + 1).await;
    }
    let before = listening.ear.hints();
    listening.world.deed("hint", json!({"burst": 200})).await;
    listening.ear.hinted(before + 200).await;
    assert_eq!(listening.ear.said(), [true]);
}

#[tokio::test]
async fn a_connection_that_is_closed_comes_back_with_a_fresh_token() {
    let listening = Listening::start(Value::Null, json!({})).await;
    listening.subscribed().await;
    for code in [4_200, 4_100, 4_201] {
        let before = listening.ear.hints();
        // The token of the first proof is over: the next one has a fresh one.
        listening
            .world
            .deed("tokens", json!({"expire_access": true}))
            .await;
        listening.world.deed("pusher", json!({"close": code})).await;
        // What was hinted at meanwhile is made up for by one hint on return.
        listening.ear.hinted(before + 1).await;
        listening.subscribed().await;
    }
    let said = listening.ear.said();
    assert_eq!(said, [true, false, true, false, true, false, true]);
}

/// How often the channel was opened.
async fn opened(world: &World) -> usize {
    let calls = world.call("GET", "/admin/calls?after=0", None).await;
    let items = calls["items"].as_array().expect("calls");
    let opening = |call: &&Value| call["path"].to_string().contains("/app/");
    items.iter().filter(opening).count()
}

#[tokio::test]
async fn a_refusal_for_good_is_shown_said_once_and_tried_again_every_hour() {
    let listening = Listening::start(json!({"refuse": 4_003}), json!({})).await;
    let Listening {
        world, ear, clock, ..
    } = &listening;
    until("the refusal is said", async || {
        (ear.said() == [false]).then_some(())
    })
    .await;
    let said = ear.0.said.lock().unwrap()[0].data["link"].clone();
    assert_eq!(
        (&said["code"], &said["part"]),
        (&json!("push_refused"), &json!("pusher"))
    );
    assert_eq!(said["needs_person"], true);
    let health = ear.0.health.lock().unwrap().clone().expect("it is shown");
    for word in ["pusher", "code 4003", "channel_id", "polling", "every hour"] {
        assert!(health.contains(word), "{health}");
    }
    let before = opened(world).await;
    let waits = async |n: usize| {
        let begun = || (clock.waits.load(Ordering::SeqCst) == n).then_some(());
        until("it waits", async || begun()).await;
    };
    // Three more hours of refusals are no news.
    for n in 1..=3 {
        waits(n).await;
        clock.skip(Millis::minutes(59));
        tokio::task::yield_now().await;
        assert_eq!(opened(world).await, before + n - 1, "the hour is not over");
        clock.skip(Millis::minutes(2));
        until("it is tried again", async || {
            (opened(world).await == before + n).then_some(())
        })
        .await;
    }
    assert_eq!((ear.said(), ear.hints()), (vec![false], 0));
    world.deed("pusher", json!({"refuse": 0})).await;
    waits(4).await;
    clock.skip(Millis::minutes(61));
    ear.hinted(1).await;
    assert_eq!(ear.said(), [false, true]);
    assert_eq!(
        *ear.0.health.lock().unwrap(),
        Some("pusher well".to_owned())
    );
}

#[tokio::test]
async fn a_failure_that_comes_to_need_a_person_is_said_though_it_failed_before() {
    let listening = Listening::start(json!({"refuse": 4_100}), json!({})).await;
    until("the failure is said", async || {
        (listening.ear.said() == [false]).then_some(())
    })
    .await;
    listening
        .world
        .deed("pusher", json!({"refuse": 4_001}))
        .await;
    until("the refusal is said", async || {
        (listening.ear.said() == [false, false]).then_some(())
    })
    .await;
    let said = listening.ear.0.said.lock().unwrap();
    assert_eq!(said[0].data["link"]["needs_person"], false);
    assert_eq!(said[1].data["link"]["needs_person"], true);
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_until_it_serves() {
    let listening = Listening::start(json!({"refuse": 4_100}), json!({})).await;
    until("the refusal is said", async || {
        (listening.ear.said() == [false]).then_some(())
    })
    .await;
    listening.world.deed("pusher", json!({"refuse": 0})).await;
    listening.ear.hinted(1).await;
    assert_eq!(listening.ear.said(), [false, true]);
}

#[tokio::test]
async fn a_silent_connection_is_pinged_and_stays() {
    let before = json!({"activity_seconds": 1, "pong_seconds": 1});
    let listening = Listening::start(before, json!({})).await;
    listening.subscribed().await;
    // Three times as long as the server would wait for a silent client.
    tokio::time::timeout(
        std::time::Duration::from_secs(4),
        std::future::pending::<()>(),
    )
    .await
    .unwrap_err();
    assert_eq!(listening.ear.said(), [true], "it was never closed");
    listening.world.deed("hint", json!({})).await;
    listening.ear.hinted(2).await;
}

#[tokio::test]
async fn a_channel_that_is_not_ours_is_not_given_out() {
    let listening = Listening::start(Value::Null, json!({"channel_id": 99})).await;
    until("the refusal is said", async || {
        (listening.ear.said() == [false]).then_some(())
    })
    .await;
    let said = listening.ear.0.said.lock().unwrap()[0].data["link"].clone();
    assert_eq!(said["code"], "permission_denied");
}
