//! Tests of the flow set: who starts, who does not, and that strangers cost nothing.

use std::sync::Arc;
use std::time::Instant;

use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::json;

use super::def::Verb;
use super::read::tests::fixture::right;
use super::read::tests::{APPROVERS, RECIPE};
use super::{Active, FlowSet, Position, check_inputs};
use crate::lang::World;

fn active(name: &str, when: &str, more: &str, inputs: &serde_json::Value) -> Active {
    let text = format!(
        "bellwether: 1\nflow: {name}\ninputs: {{ box: {{ type: text, default: a }} }}\nwhen:\n  event: webhook.received\n{when}{more}steps: []\n"
    );
    let flow = right(&text);
    let inputs = check_inputs(&flow, inputs, &|_| None).unwrap();
    Active {
        flow: Arc::new(flow),
        inputs,
        position: Position::On,
    }
}

fn event(body: serde_json::Value) -> NewEvent {
    NewEvent::new(
        "hook",
        "e1",
        "webhook.received",
        Time(0),
        json!({ "body": body }),
    )
}

fn names(set: &FlowSet, event: &NewEvent) -> String {
    let matches = set.matches(event, &Arc::new(World::default()));
    let hits = matches.hits.iter().map(|hit| hit.flow.name.clone());
    let failed = matches.failed.iter().map(|(name, _)| format!("!{name}"));
    hits.chain(failed).collect::<Vec<_>>().join(" ")
}

#[test]
fn of_a_group_only_the_first_that_fits_takes_an_event() {
    let none = json!({});
    let grouped = |name: &str, place: u32, condition: &str, position| {
        let when = format!("  if: {condition}\n");
        let more = format!("group: {{ name: approvals, place: {place} }}\n");
        Active {
            position,
            ..active(name, &when, &more, &none)
        }
    };
    let set = |first| {
        FlowSet::new(
            1,
            vec![
                grouped("usual", 2, "body.kind", Position::On),
                grouped("strict", 1, "body.amount > 5", first),
                grouped("trial", 3, "body.kind", Position::Shadow),
                active("apart", "", "", &none),
            ],
        )
    };
    let (small, large) = (
        event(json!({"kind": "a", "amount": 1})),
        event(json!({"kind": "a", "amount": 9})),
    );
    assert_eq!(names(&set(Position::On), &small), "usual apart");
    assert_eq!(names(&set(Position::On), &large), "strict apart");
    assert_eq!(names(&set(Position::Off), &large), "usual apart");
    // What sends nothing takes nothing away from what does.
    assert_eq!(names(&set(Position::Shadow), &large), "usual strict apart");
    // Where nobody can say whether the strict one fits, the other must not ask instead.
    let unclear = event(json!({"kind": "a", "amount": "many"}));
    assert_eq!(names(&set(Position::On), &unclear), "apart !strict");
}

#[test]
fn conditions_connections_and_inputs_decide_who_starts() {
    let none = json!({});
    let mut off = active("off", "", "", &none);
    off.position = Position::Off;
    let set = FlowSet::new(
        7,
        vec![
            active("always", "", "", &none),
            active(
                "order",
                "  if: body.kind == 'order' and body.amount > 5\n",
                "",
                &none,
            ),
            active(
                "either",
                "  if: \"body.kind in ['order', 'offer']\"\n",
                "",
                &none,
            ),
            active(
                "mine",
                "  if: inputs.box == body.box\n",
                "",
                &json!({ "box": "b" }),
            ),
            active("hooked", "  in: \"'hook'\"\n", "", &none),
            active("other", "  in: \"'elsewhere'\"\n", "", &none),
            active(
                "named",
                "  if: kind == 'order'\n",
                "let:\n  kind: body.kind | lower\n",
                &none,
            ),
            off,
        ],
    );
    assert_eq!(set.version(), 7);
    let cases = [
        (
            json!({ "kind": "order", "amount": 9 }),
            "always order either hooked named",
        ),
        (
            json!({ "kind": "order", "amount": 1 }),
            "always either hooked named",
        ),
        (
            json!({ "kind": "order" }),
            "always either hooked named !order",
        ),
        (
            json!({ "kind": "Order", "box": "b" }),
            "always mine hooked named",
        ),
        (
            json!({ "kind": "offer", "box": "a" }),
            "always either hooked",
        ),
        (json!({ "kind": 3 }), "always hooked !named"),
        (json!("text"), "always hooked"),
    ];
    for (body, expected) in cases {
        assert_eq!(names(&set, &event(body.clone())), expected, "{body}");
    }
    let mut looping = event(json!({}));
    looping.hop = bellwether_model::event::HOP_MAX + 1;
    assert_eq!(names(&set, &looping), "");
    let other = NewEvent::new("hook", "e1", "other.type", Time(0), json!({}));
    assert_eq!(names(&set, &other), "");
}

#[test]
fn the_case_is_the_key_and_the_event_itself_when_there_is_none() {
    let set = FlowSet::new(
        1,
        vec![
            active("with", "", "case: body.number\n", &json!({})),
            active("without", "", "", &json!({})),
        ],
    );
    let key = |body| {
        let matches = set.matches(&event(body), &Arc::new(World::default()));
        matches
            .hits
            .iter()
            .map(|hit| hit.key.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(key(json!({ "number": "PO-1" })), ["PO-1", "hook/e1"]);
    assert_eq!(key(json!({ "number": 12 })), ["12", "hook/e1"]);
    assert_eq!(key(json!({})), ["hook/e1", "hook/e1"]);
}

#[test]
fn a_trigger_has_a_name_and_a_flow_starts_once() {
    let text = "bellwether: 1\nflow: two\nwhen:\n  - { name: first, event: webhook.received, if: body.a }\n  - { name: second, event: webhook.received }\nsteps: []\n";
    let flow = Arc::new(right(text));
    let inputs = check_inputs(&flow, &json!({}), &|_| None).unwrap();
    let position = Position::Shadow;
    let set = FlowSet::new(
        1,
        vec![Active {
            flow,
            inputs,
            position,
        }],
    );
    for (body, expected) in [(json!({ "a": 1 }), "first"), (json!({}), "second")] {
        let matches = set.matches(&event(body), &Arc::new(World::default()));
        let [hit] = matches.hits.as_slice() else {
            panic!("one hit");
        };
        assert_eq!(hit.trigger.as_deref(), Some(expected));
        assert_eq!(hit.position, Position::Shadow);
    }
}

/// A thousand flows with another literal are not even asked.
#[test]
fn flows_that_cannot_match_are_not_looked_at() {
    let none = json!({});
    let flows = (0..1000).map(|n| {
        let when = format!("  if: body.kind == 'k{n}' and body.x > 1\n");
        active(&format!("f{n}"), &when, "", &none)
    });
    let set = FlowSet::new(1, flows.collect());
    assert_eq!(set.asked(&event(json!({ "kind": "k500" }))), [500]);
    assert_eq!(set.asked(&event(json!({ "kind": "none" }))), [0_u32; 0]);
}

fn mail(subject: &str, text: &str) -> NewEvent {
    let data = json!({ "mail": {
        "subject": subject, "text": text, "thread_id": "t1", "auto_reply": false,
        "from": { "name": "Ariba", "address": "ariba@example.com" },
    } });
    NewEvent::new("approvals", "m1", "gmail.message.received", Time(0), data)
}

fn recipe() -> FlowSet {
    let flow = Arc::new(right(RECIPE));
    let given = json!({ "mailbox": "approvals", "owner": "role owner" });
    let file = |_: &str| Some(APPROVERS.to_owned());
    let inputs = check_inputs(&flow, &given, &file).unwrap();
    let position = Position::On;
    FlowSet::new(
        1,
        vec![Active {
            flow,
            inputs,
            position,
        }],
    )
}

/// The key, the words for the approver, the title and whether one must sign in.
fn asked(subject: &str, text: &str) -> Option<(String, String, String, bool)> {
    let matches = recipe().matches(&mail(subject, text), &Arc::new(World::default()));
    assert!(matches.failed.is_empty(), "{:?}", matches.failed);
    let hit = matches.hits.into_iter().next()?;
    let Verb::Ask(ask) = &hit.flow.steps.steps[0].verb else {
        panic!("an ask");
    };
    let who = hit.scope.display(&hit.scope.eval(&ask.who).unwrap());
    let title = hit.scope.text(&ask.title).unwrap();
    let sign_in = hit.scope.truthy(ask.sign_in.as_ref().unwrap()).unwrap();
    Some((hit.key, who, title, sign_in))
}

#[test]
fn the_approval_recipe_finds_approver_case_and_title() {
    let found = |key: &str, who: &str, title: &str, sign_in: bool| {
        Some((key.to_owned(), who.to_owned(), title.to_owned(), sign_in))
    };
    assert_eq!(
        asked(
            "Purchase order PO-4711",
            "Vendor: Huber\nAmount: 4.200,00 EUR"
        ),
        found(
            "PO-4711",
            "role purchasing-lead",
            "€4,200.00 · Huber",
            false
        )
    );
    assert_eq!(
        asked(
            "Bestellung PO-4712",
            "Lieferant: Huber\nBetrag: 5.000,01 EUR"
        ),
        found("PO-4712", "role cfo", "€5,000.01 · Huber", true)
    );
    // No amount, or one that can be read in two ways: above every limit, and one must sign in.
    assert_eq!(
        asked("Purchase order", "Vendor: Huber\nAmount: 4.200 EUR"),
        found("t1", "role cfo", "Purchase order · Huber", true)
    );
    assert_eq!(
        asked("Expense exception of May", "no table"),
        found("t1", "manager of sender", "Expense exception · Ariba", true)
    );
    assert_eq!(asked("Lunch?", "Amount: 12,00 EUR"), None);
}

/// The same answers however often; with `cargo test --release -p bellwether-engine --lib measure --
/// --nocapture` it also prints how long one takes.
#[test]
fn measure_expressions_texts_and_matching() {
    const TIMES: u32 = if cfg!(debug_assertions) { 100 } else { 200_000 };
    let timed = |name: &str, work: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..TIMES {
            work();
        }
        println!("{name}: {:?}", start.elapsed() / TIMES);
    };
    let world = Arc::new(World::default());
    let event = mail(
        "Purchase order PO-4711",
        "Vendor: Huber\nAmount: 4.200,00 EUR",
    );
    let set = recipe();
    let hit = set.matches(&event, &world).hits.remove(0);
    let expr = |source: &str| crate::lang::Expr::parse(source).unwrap();
    let condition =
        expr("mail.subject == 'x' or mail.from.name == 'Ariba' and not mail.auto_reply");
    let text = "{{ amount }} · {{ vendor }} from {{ mail.from.name }}. Approve?";
    let text = crate::lang::Text::parse(text).unwrap();
    timed("expression", &mut || {
        assert!(hit.scope.truthy(&condition).unwrap())
    });
    timed("text", &mut || {
        assert!(!hit.scope.text(&text).unwrap().is_empty())
    });
    timed("payload value", &mut || {
        drop(crate::lang::value_of(&event.data))
    });
    timed("recipe matched", &mut || {
        assert_eq!(set.matches(&event, &world).hits.len(), 1)
    });
    let flows = (0..1000).map(|n| {
        let when = format!("  if: body.kind == 'k{n}' and body.x > 1\n");
        active(&format!("f{n}"), &when, "", &json!({}))
    });
    let set = FlowSet::new(1, flows.collect());
    let none = self::event(json!({ "kind": "none", "x": 2 }));
    let one = self::event(json!({ "kind": "k500", "x": 2 }));
    timed("1000 flows, none", &mut || {
        assert!(set.matches(&none, &world).hits.is_empty())
    });
    timed("1000 flows, one", &mut || {
        assert_eq!(set.matches(&one, &world).hits.len(), 1)
    });
}
