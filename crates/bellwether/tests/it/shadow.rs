//! A flow in shadow decides, keeps its journal and sends nothing: no push, mail, reply, event or
//! list; the same flow that is on does.

use bellwether_engine::flow::Position;
use bellwether_engine::story::{self, Scene};
use serde_json::json;

use crate::story::{catalog, file, flow, memory};

const FLOW: &str = r#"bellwether: 1
flow: f
when: { event: order.placed }
case: order.id
steps:
  - push: person('alice')
    title: "Order {{ order.id }}"
  - emit: order.seen
  - digest: person('dora')
    at: "17:00"
    row: { Order: order.id }
    then: [{ mail: list.person, subject: "{{ list.count }} orders" }]
  - ask: person('alice')
    title: "Order {{ order.id }}?"
    choices: { approve: {} }
    if_silent: { 1 hour: remind, 2 working days: expire }
    then: { approve: [], expire: [{ mail: person('dora'), subject: Too late }] }
tests:
  a day and a week:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - { after: 200 hours, expect: nothing }
"#;

fn problems(position: Position) -> Vec<String> {
    let flow = flow("f.yaml", FLOW);
    let people = story::directory();
    let inputs = json!({});
    let scene = Scene {
        flow: &flow,
        inputs: &inputs,
        file: &file,
        catalog: catalog(),
        people: &people,
        position,
    };
    let results = story::run(scene, &memory);
    let all = results.iter().flat_map(|result| &result.problems);
    all.map(|problem| problem.message.clone()).collect()
}

#[test]
fn a_flow_in_shadow_sends_nothing_and_the_same_one_does_when_it_is_on() {
    assert_eq!(problems(Position::Shadow), [""; 0]);
    let said = problems(Position::On).join("\n");
    for sent in [
        "\"Order 7\"",
        "order.seen",
        "1 orders",
        "Order 7?",
        "Too late",
    ] {
        assert!(said.contains(sent), "{sent}: {said}");
    }
}
