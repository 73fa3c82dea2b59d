//! Tests of thresholds that a flow hands over: what is written, and which flow hears which event.

use std::sync::Arc;

use bellwether_model::event::NewEvent;
use bellwether_model::time::Time;
use serde_json::{Value, json};

use super::fixture::{LEVELS, right, wrong};
use crate::flow::read::inputs::check_inputs;
use crate::flow::{Active, FlowSet, Position};
use crate::lang::World;

fn flow(name: &str, inputs: &str, trigger: &str) -> String {
    format!(
        "bellwether: 1\nflow: {name}\n{inputs}when: {{ event: webhook.received{trigger} }}\nsteps: []\n"
    )
}

fn set(flows: &[(&str, &str, &str, Value)]) -> FlowSet {
    let flows = flows.iter().map(|(name, inputs, trigger, given)| {
        let flow = Arc::new(right(&flow(name, inputs, trigger)));
        let inputs = check_inputs(&flow, given, &|_| None).unwrap();
        Active {
            flow,
            inputs,
            position: Position::On,
        }
    });
    FlowSet::new(1, flows.collect())
}

fn hears(set: &FlowSet, body: Value) -> Vec<String> {
    let event = NewEvent::new(
        "hook",
        "e",
        "webhook.received",
        Time(0),
        json!({ "body": body }),
    );
    let matches = set.matches(&event, &Arc::new(World::default()));
    let hits = matches.hits.iter();
    hits.map(|hit| hit.flow.name.clone()).collect()
}

const LEVEL: &str = "inputs: { level: { type: numbers, default: [20] } }\n";

#[test]
fn each_flow_hears_of_its_own_thresholds() {
    let set = set(&[
        ("plain", "", "", json!({})),
        ("written", "", ", with: { levels: [60, 5] }", json!({})),
        (
            "filled",
            LEVEL,
            ", with: { levels: inputs.level }",
            json!({}),
        ),
        (
            "other",
            LEVEL,
            ", with: { levels: inputs.level }",
            json!({ "level": [60] }),
        ),
    ]);
    assert_eq!(set.thresholds(&LEVELS, "hook"), [5, 10, 20, 50, 60]);
    let cases = [
        (json!({ "passed": [10] }), vec!["plain"]),
        (
            json!({ "passed": [20, 60] }),
            vec!["written", "filled", "other"],
        ),
        (json!({ "passed": [5] }), vec!["written"]),
        (json!({ "passed": [] }), vec![]),
        // What was not judged by thresholds is heard by all.
        (json!({}), vec!["plain", "written", "filled", "other"]),
    ];
    for (body, wanted) in cases {
        assert_eq!(hears(&set, body.clone()), wanted, "{body}");
    }
}

#[test]
fn what_nobody_wants_is_the_connectors_own() {
    assert_eq!(set(&[]).thresholds(&LEVELS, "hook"), [10, 50]);
    let elsewhere = [(
        "there",
        "",
        ", in: \"'there'\", with: { levels: 7 }",
        json!({}),
    )];
    let elsewhere = set(&elsewhere);
    assert_eq!(elsewhere.thresholds(&LEVELS, "hook"), [10, 50]);
    assert_eq!(elsewhere.thresholds(&LEVELS, "there"), [7]);
}

#[test]
fn what_does_not_fit_is_said() {
    let cases = [
        ("", "days: 3", "these events have no thresholds `days`"),
        ("", "level: 3", "did you mean `levels`?"),
        (
            "",
            "levels: [3, 101]",
            "101 is no whole number from 1 to 100",
        ),
        ("", "levels: often", "is no whole number from 1 to 100"),
        (LEVEL, "levels: inputs.levle", "did you mean `level`?"),
        (
            "inputs: { level: { type: text } }\n",
            "levels: inputs.level",
            "is not of type numbers",
        ),
        (
            "inputs: { level: { type: numbers, default: [0] } }\n",
            "levels: inputs.level",
            "the default of `inputs.level` does not fit: 0 is no whole number",
        ),
    ];
    for (inputs, with, wanted) in cases {
        let said = wrong(&flow("f", inputs, &format!(", with: {{ {with} }}")));
        assert!(said.contains(wanted), "{with}: {said}");
    }
}

#[test]
fn what_is_filled_in_is_checked() {
    let flow = right(&flow("f", LEVEL, ", with: { levels: inputs.level }"));
    let problems = check_inputs(&flow, &json!({ "level": [3, 1000] }), &|_| None).unwrap_err();
    let said = &problems[0].message;
    assert!(
        said.contains("`level`: 1000 is no whole number from 1 to 100"),
        "{said}"
    );
}
