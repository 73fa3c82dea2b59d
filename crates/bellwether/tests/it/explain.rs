//! Why a flow did not begin: the part of its condition that was not so, and what was there instead.

use bellwether_engine::explain::{Began, Why};
use bellwether_engine::seam::{Explains as _, Intake as _};
use bellwether_model::event::NewEvent;
use serde_json::{Value as Json, json};

use crate::story::memory;
use crate::world::Play;

async fn asked(condition: &str, order: Json) -> Why {
    let text = format!(
        "bellwether: 1\nflow: f\ninputs: {{ limit: {{ type: number, default: 100 }} }}\n\
         when: {{ event: order.placed, if: \"{condition}\" }}\ncase: order.id\n\
         steps: [{{ push: person('alice'), title: Order }}]\n"
    );
    let play = Play::of(&text);
    let stage = play.stage(memory().unwrap());
    let data = json!({ "order": order });
    let event = NewEvent::new("shop", "o-1", "order.placed", stage.now(), data);
    let taken = stage.engine.submit(event).await.unwrap();
    stage.settle().await.unwrap();
    stage.engine.why(taken.position).await.unwrap().unwrap()
}

async fn not_so(condition: &str, order: Json) -> (String, Vec<String>) {
    match asked(condition, order).await.flows.remove(0) {
        (_, Began::NotSo { part, was }) => (part, was),
        other => panic!("{condition}: {other:?}"),
    }
}

#[tokio::test]
async fn the_part_that_was_not_so_is_named_with_what_was_there() {
    let order = || json!({ "id": 7, "total": 80, "kind": "sample", "tags": ["a", "b"] });
    for (condition, part, was) in [
        (
            "order.total >= 100",
            "order.total >= 100",
            "order.total is 80",
        ),
        (
            "order.total > 10 and order.kind == 'real'",
            "order.kind == 'real'",
            "order.kind is \"sample\"",
        ),
        (
            "order.kind == 'sample' and not order.total < 100 and order.id",
            "not order.total < 100",
            "order.total is 80",
        ),
        (
            "order.id and (order.total > 100 or order.kind == 'real')",
            "(order.total > 100 or order.kind == 'real')",
            "order.total is 80",
        ),
        (
            "'c' in order.tags",
            "'c' in order.tags",
            "order.tags is [\"a\",\"b\"]",
        ),
        (
            "order.total >= inputs.limit",
            "order.total >= inputs.limit",
            "inputs.limit is 100",
        ),
        ("order.gift", "order.gift", "order.gift is not there"),
    ] {
        let (found, names) = not_so(condition, order()).await;
        assert_eq!(found, part, "{condition}");
        assert!(
            names.iter().any(|name| name == was),
            "{condition}: {names:?}"
        );
    }
}

#[tokio::test]
async fn what_matched_names_its_case_and_its_run() {
    let why = asked("order.total >= 50", json!({ "id": 7, "total": 80 })).await;
    assert_eq!(why.flows, [("f".to_owned(), Began::Yes("7".to_owned()))]);
    assert_eq!(why.runs.len(), 1);
    assert!(why.runs[0].1 && !why.flows_changed);
}

#[tokio::test]
async fn no_event_is_no_answer() {
    let play =
        Play::of("bellwether: 1\nflow: f\nwhen: { event: order.placed }\nsteps: [{ stop: }]\n");
    let stage = play.stage(memory().unwrap());
    assert!(stage.engine.why(99).await.unwrap().is_none());
}
