//! Runs with branches whose process ends after any commit, and lists that are long: taken in
//! slices, and refused aloud where a run cannot hold them.

use std::path::Path;
use std::sync::Arc;

use bellwether_engine::seam::Intake as _;
use bellwether_engine::story::{Fault, Stage, What};
use bellwether_model::event::NewEvent;
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::crash::{Crashing, Ending};
use crate::world::{Play, sent, tap};

const ASKS: &str = r#"bellwether: 1
flow: f
when: { event: [order.placed, order.paid] }
case: order.id
steps:
  - each: order.people
    as: who
    do:
      - wait: order.paid
        up_to: 2 days
        as: paid
      - ask: person(who.id)
        title: "Order for {{ who.id }}"
        choices: { approve: {} }
        if_silent: { 2 days: expire }
        then: { approve: [], expire: [] }
  - push: person('dora')
    title: All are done
"#;

fn order(kind: &str, now: Time, people: &[Json]) -> NewEvent {
    let data = json!({ "order": { "id": "7", "people": people } });
    NewEvent::new("shop", kind, kind, now, data)
}

async fn pushed(stage: &Stage, person: &str, id: &str) -> Result<(), String> {
    let mut pushes = sent(stage, What::Push, person).into_iter();
    let push = pushes.rfind(|push| push.title.starts_with("Order"));
    let push = push.ok_or("no push came")?;
    match tap(stage, &push, id, "approve").await.as_str() {
        "decided" | "already_decided" => Ok(()),
        other => Err(other.to_owned()),
    }
}

async fn act(stage: &Stage, step: usize) -> Result<(), String> {
    let people = [json!({ "id": "alice" }), json!({ "id": "carl" })];
    match step {
        0 | 1 => {
            let kind = ["order.placed", "order.paid"][step];
            let event = order(kind, stage.now(), &people);
            let taken = stage.engine.submit(event).await;
            taken.map_err(|error| error.to_string())?;
        }
        2 => pushed(stage, "carl", "tap of carl").await?,
        _ => pushed(stage, "alice", "tap of alice").await?,
    }
    let settled = stage.settle().await;
    settled.map(|_| ()).map_err(|error| error.to_string())
}

fn open(url: &str) -> Arc<Database> {
    Arc::new(bellwether_store::open(url).unwrap())
}

/// Ends the process after some commits and starts the next one. How many commits were left.
async fn crashed(play: &Play, after: u64) -> u64 {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("branches");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite:{}", folder.join("record.db").display());
    let mut database = open(&url);
    let ending = Ending::after(after, false);
    let crashing = Arc::new(Crashing::new(Arc::clone(&database) as _, ending));
    let mut stage = play.stage((Arc::clone(&crashing) as _, Arc::clone(&database) as _));
    crashing.between.takes_down(&stage.record);
    let mut step = 0;
    let mut again = false;
    while step < 4 {
        let done = act(&stage, step).await;
        if crashing.between.ended() && !again {
            again = true;
            database.close();
            database = open(&url);
            for channel in ["push", "mail"] {
                stage.record.fail(channel, "", Fault::None);
            }
            let stored = (Arc::clone(&database) as _, Arc::clone(&database) as _);
            let next = Stage::next_process(play.scene(), stored, &stage).await;
            stage = next.unwrap();
            stage.settle().await.unwrap();
            let soon = stage.now() + Millis::minutes(1);
            stage.pass_until(soon).await.unwrap();
            continue;
        }
        assert_eq!(done, Ok(()), "after {after} commits, step {step}");
        step += 1;
    }
    let closed = stage.run_out(Millis::days(9)).await.unwrap();
    assert!(closed, "after {after} commits: {:?}", stage.dead_letters());
    for person in ["alice", "carl", "dora"] {
        let mut effects: Vec<_> = sent(&stage, What::Push, person)
            .into_iter()
            .map(|sent| sent.effect)
            .collect();
        effects.dedup();
        assert_eq!(effects.len(), 1, "after {after} commits: {person}");
    }
    database.close();
    std::fs::remove_dir_all(&folder).unwrap();
    crashing.between.left()
}

#[tokio::test]
async fn a_run_with_branches_goes_on_after_any_commit() {
    let play = Play::of(ASKS);
    let all = 1_000 - crashed(&play, 1_000).await;
    assert!(all > 6, "{all}");
    for after in 1..all {
        crashed(&play, after).await;
    }
}

async fn long(flow: &str, count: usize) -> Stage {
    let play = Play::of(flow);
    let database = open("sqlite::memory:");
    let stage = play.stage((Arc::clone(&database) as _, database as _));
    let people: Vec<Json> = (0..count)
        .map(|n| json!({ "id": "alice", "n": n }))
        .collect();
    let event = order("order.placed", stage.now(), &people);
    stage.engine.submit(event).await.unwrap();
    stage.settle().await.unwrap();
    stage
}

#[tokio::test]
async fn a_long_list_is_taken_in_slices_and_loses_nobody() {
    let flow = ASKS
        .split_once("      - wait:")
        .map(|(head, _)| {
            format!(
                "{head}      - push: person(who.id)\n        title: \"Number {{{{ who.n }}}}\"\n  \
                 - push: person('dora')\n    title: All are done\n"
            )
        })
        .unwrap();
    let stage = long(&flow, 450).await;
    stage
        .pass_until(stage.now() + Millis::minutes(5))
        .await
        .unwrap();
    let mut titles: Vec<String> = sent(&stage, What::Push, "alice")
        .into_iter()
        .map(|sent| sent.title)
        .collect();
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 450);
    assert_eq!(sent(&stage, What::Push, "dora").len(), 1);
    assert_eq!(stage.dead_letters(), [""; 0]);
}

#[tokio::test]
async fn what_a_run_cannot_hold_is_said_and_the_rest_goes_on() {
    let stage = long(
        &ASKS.replace("- wait: order.paid", "- wait: order.sent"),
        600,
    )
    .await;
    let dead = stage.dead_letters().join(" ");
    assert_eq!(dead, "too_many");
    assert_eq!(stage.open_runs(), 1);
    stage
        .pass_until(stage.now() + Millis::days(3))
        .await
        .unwrap();
    assert!(!sent(&stage, What::Push, "alice").is_empty());
    let closed = stage.run_out(Millis::days(9)).await.unwrap();
    assert!(closed, "{:?} {}", stage.dead_letters(), stage.open_runs());
    assert_eq!(sent(&stage, What::Push, "dora").len(), 1);
}
