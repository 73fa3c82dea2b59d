//! Flows with branches, as stories: one for each of a list, named ones side by side, what wakes
//! them, how they end, and questions on which several must agree.

use bellwether_engine::story::{self, Scene};
use serde_json::json;

use crate::story::{catalog, file, flow, memory};

/// What the stories of a flow say; nothing when all is right.
pub(crate) fn said(text: &str) -> String {
    let flow = flow("f.yaml", text);
    let people = story::directory();
    let inputs = json!({});
    let scene = Scene {
        flow: &flow,
        inputs: &inputs,
        file: &file,
        catalog: catalog(),
        people: &people,
        position: bellwether_engine::flow::Position::On,
    };
    let results = story::run(scene, &memory);
    assert!(!results.is_empty());
    let said = results.iter().flat_map(|result| {
        let problems = result.problems.iter();
        problems.map(|problem| format!("{}: {}", result.name, problem.in_file("f.yaml")))
    });
    said.collect::<Vec<_>>().join("\n")
}

const EACH: &str = r#"bellwether: 1
flow: f
when: { event: order.placed }
case: order.id
steps:
  - each: "[person('alice'), person('carl'), person('alice')]"
    as: person
    do:
      - ask: person
        title: "Order {{ order.id }} for {{ person.name }}"
        choices: { approve: {}, reject: {} }
        if_silent: { 1 working day: remind, 2 working days: expire }
        then:
          approve: [{ emit: order.seen, data: { by: decision.by.id, whose: person.id } }]
          reject: [{ push: person, title: "Noted, {{ person.name }}" }]
          expire: [{ mail: person, subject: "Too late, {{ person.name }}" }]
  - emit: order.done
tests:
"#;

#[test]
fn each_person_has_a_question_of_his_own_and_all_must_be_over() {
    let text = format!(
        "{EACH}{}",
        r#"  both answer:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - expect: [{ push: alice, title: Order 7 for Alice }, { push: carl, title: Order 7 for Carl }]
    - { tap: { carl: reject }, expect: [{ push: carl, title: "Noted, Carl" }] }
    - { tap: { alice: approve }, expect: [{ emit: order.seen }, { emit: order.done }] }
  one answers, one does not:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - expect: [{ push: alice }, { push: carl }]
    - { tap: { alice: approve }, expect: [{ emit: order.seen }] }
    - { after: 1 working day, expect: [{ push: carl, title: Order 7 for Carl }] }
    - { after: 2 working days, expect: [{ mail: carl, subject: "Too late, Carl" }, { emit: order.done }] }
"#
    );
    assert_eq!(said(&text), "");
}

#[test]
fn named_branches_run_side_by_side_and_are_asked_for_by_name() {
    let ask = |who: &str| {
        format!(
            "[{{ ask: person('{who}'), title: Please look, choices: {{ approve: {{}}, reject: {{}} }}, \
             if_silent: {{ 2 working days: expire }}, then: {{ approve: [], reject: [], expire: [] }} }}]"
        )
    };
    let text = format!(
        r#"bellwether: 1
flow: f
when: {{ event: order.placed }}
case: order.id
steps:
  - together:
      legal: {}
      brand: {}
  - if: legal.choice == 'approve' and brand.choice == 'approve'
    then: [{{ push: person('dora'), title: "Both: {{{{ legal.by.name }}}} and {{{{ brand.by.name }}}}" }}]
    else: [{{ push: person('dora'), title: "Not both: {{{{ legal.choice }}}}, {{{{ brand.choice }}}}" }}]
tests:
  both:
    - {{ at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: {{ id: 7 }} }}
    - expect: [{{ push: alice }}, {{ push: carl }}]
    - {{ tap: {{ alice: approve }}, expect: nothing }}
    - {{ tap: {{ carl: approve }}, expect: [{{ push: dora, title: "Both: Alice Arnold and Carl Conrad" }}] }}
  one expires:
    - {{ at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: {{ id: 7 }} }}
    - expect: [{{ push: alice }}, {{ push: carl }}]
    - {{ tap: {{ alice: reject }}, expect: nothing }}
    - {{ after: 3 working days, expect: [{{ push: dora, title: "Not both: reject, expire" }}] }}
"#,
        ask("alice"),
        ask("carl"),
    );
    assert_eq!(said(&text), "");
}

const WAITS: &str = r#"bellwether: 1
flow: f
when: { event: [order.placed, order.paid, order.sent] }
case: order.id
steps:
  - pause: 1 hour
  - wait: order.paid
    up_to: 2 days
    as: paid
  - if: paid.timed_out
    then: [{ push: person('alice'), title: Not paid }, stop]
  - wait: order.sent
    if: it.id == order.id
    up_to: 2 days
    as: sent
  - push: person('alice')
    title: "Paid {{ paid.amount }}, sent {{ 'late' if sent.timed_out else 'well' }}"
tests:
  an event of the case wakes the wait:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - { after: 2 hours, happens: order.paid, order: { id: 7, amount: 5 }, expect: nothing }
    - { happens: order.sent, order: { id: 7 }, expect: [{ push: alice, title: "Paid 5, sent well" }] }
  an event that came before the wait began is looked at first:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - { happens: order.sent, order: { id: 7 }, expect: nothing }
    - { happens: order.paid, order: { id: 7, amount: 6 }, expect: nothing }
    - { after: 2 hours, expect: [{ push: alice, title: "Paid 6, sent well" }] }
  another case wakes nothing:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - { after: 2 hours, happens: order.placed, order: { id: 8 }, expect: nothing }
    - { happens: order.paid, order: { id: 8, amount: 5 }, expect: nothing }
    - { after: 2 days, expect: [{ push: alice, title: Not paid }] }
    - { after: 1 day, expect: [{ push: alice, title: "Paid 5, sent late" }] }
"#;

#[test]
fn an_event_of_the_case_wakes_its_wait_even_if_it_came_too_early() {
    assert_eq!(said(WAITS), "");
}

#[test]
fn one_event_wakes_every_branch_that_waits_for_it() {
    let text = r#"bellwether: 1
flow: f
when: { event: [order.placed, order.paid] }
case: order.id
steps:
  - each: order.people
    as: who
    do:
      - pause: 1 hour
      - if: who.late
        then: [{ pause: 5 hours }]
      - wait: order.paid
        up_to: 2 days
        as: paid
      - push: person(who.id)
        title: "{{ who.word }}: {{ 'never' if paid.timed_out else paid.amount }}"
        urgent: true
  - emit: order.done
tests:
  all of them, the late one too:
    - at: "2026-03-02 10:00 Europe/Berlin"
      happens: order.placed
      order: { id: 7, people: [{ id: alice, word: A }, { id: carl, word: B }, { id: dora, word: D, late: true }] }
    - { after: 2 hours, happens: order.paid, order: { id: 7, amount: 5 }, expect: [{ push: alice, title: "A: 5" }, { push: carl, title: "B: 5" }] }
    - { after: 5 hours, expect: [{ push: dora, title: "D: 5" }, { emit: order.done }] }
  nobody pays:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7, people: [{ id: alice, word: A }] } }
    - { after: 3 days, expect: [{ push: alice, title: "A: never" }, { emit: order.done }] }
  nobody there:
    - { happens: order.placed, order: { id: 7, people: [] }, expect: [{ emit: order.done }] }
  no list:
    - { happens: order.placed, order: { id: 7, people: 5 }, expect: [{ dead_letter: goes through a list }] }
"#;
    assert_eq!(said(text), "");
}

#[test]
fn four_eyes_are_two_people_and_a_refusal_ends() {
    let text = r#"bellwether: 1
flow: f
when: { event: order.placed }
case: order.id
steps:
  - ask: "[person('alice'), person('carl'), person('dora')]"
    title: Release the payment
    choices: { approve: {}, reject: {} }
    need: 2
    if_silent: { 4 hours: remind, 2 days: expire }
    then:
      approve: [{ emit: order.released, data: { by: decision.by.id } }]
      reject: [{ emit: order.refused }]
      expire: []
tests:
  two agree, one of them twice:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - expect: [{ push: alice }, { push: carl }, { push: dora }]
    - { tap: { alice: approve }, expect: [{ withdrawn: alice, text: 1 of 2 }] }
    - { tap: { alice: approve }, expect: nothing }
    - { after: 4 hours, expect: [{ push: carl }, { push: dora }] }
    - { tap: { carl: approve }, expect: [{ emit: order.released }, { withdrawn: carl }, { withdrawn: dora }] }
  one refuses:
    - { at: "2026-03-02 10:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - expect: [{ push: alice }, { push: carl }, { push: dora }]
    - { tap: { alice: approve }, expect: [{ withdrawn: alice }] }
    - { tap: { carl: reject }, expect: [{ emit: order.refused }] }
"#;
    assert_eq!(said(text), "");
    let all = text
        .replace("need: 2", "need: all")
        .replace("1 of 2", "1 of 3");
    assert!(said(&all).contains("order.released"), "{}", said(&all));
}

#[test]
fn a_push_goes_away_with_the_event_that_it_names_and_an_urgent_one_wakes() {
    let text = r#"bellwether: 1
flow: f
when: { event: [order.placed, order.paid] }
case: order.id
steps:
  - each: "[person('alice'), person('carl')]"
    as: person
    do:
      - push: person
        title: "Late, {{ person.name }}"
        urgent: true
        withdraw_on: order.paid
  - pause: 2 days
tests:
  paid meanwhile:
    - { at: "2026-03-03 02:00 Europe/Berlin", happens: order.placed, order: { id: 7 } }
    - expect: [{ push: alice, title: "Late, Alice" }, { push: carl, title: "Late, Carl" }]
    - happens: order.paid
      order: { id: 7 }
      expect: [{ withdrawn: alice, title: "Late, Alice" }, { withdrawn: carl, title: "Late, Carl" }]
    - { happens: order.paid, order: { id: 7 }, expect: nothing }
"#;
    assert_eq!(said(text), "");
}
