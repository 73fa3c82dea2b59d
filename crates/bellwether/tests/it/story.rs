//! The recipes that are shipped pass the tests that they ship with, and stories fail when they
//! should.

use std::path::Path;
use std::sync::Arc;

use bellwether_engine::flow::{self, Catalog, Flow};
use bellwether_engine::story::{self, Scene, Stored, StoryResult};
use serde_json::json;

fn recipes() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes"))
}

pub(crate) fn catalog() -> Catalog {
    Catalog {
        connectors: bellwether_connectors::all(),
    }
}

pub(crate) fn file(name: &str) -> Option<String> {
    std::fs::read_to_string(recipes().join(name)).ok()
}

pub(crate) fn memory() -> Result<Stored, String> {
    let database = bellwether_store::open("sqlite::memory:").map_err(|error| error.to_string())?;
    let database = Arc::new(database);
    Ok((Arc::clone(&database) as _, database as _))
}

pub(crate) fn flow(name: &str, text: &str) -> Arc<Flow> {
    match flow::read(text, name, &catalog()) {
        Ok(flow) => Arc::new(flow),
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(|p| p.in_file(name)).collect();
            panic!("{}", all.join("\n"));
        }
    }
}

fn play(name: &str, text: &str) -> Vec<StoryResult> {
    let flow = flow(name, text);
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
    story::run(scene, &memory)
}

#[test]
fn shipped_recipes_pass_their_own_stories() {
    let mut played = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(recipes()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for result in play(&name, &text) {
            played += 1;
            println!("{:>8} µs  {}", result.micros, result.name);
            for problem in &result.problems {
                wrong.push(format!("{}\n    {}", result.name, problem.in_file(&name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played >= 12, "{played}");
}

/// The approval recipe without its stories.
fn recipe() -> String {
    let text = file("approval-mail.yaml").unwrap();
    let (flow, _) = text.split_once("\ntests:").unwrap();
    flow.to_owned()
}

/// The approval recipe with other stories.
fn with_stories(stories: &str) -> Vec<StoryResult> {
    let flow = recipe();
    play("approval-mail.yaml", &format!("{flow}\ntests:\n{stories}"))
}

/// What the only story says, one line for each problem.
fn says(steps: &str) -> String {
    let results = with_stories(&format!("  a story:\n{steps}"));
    assert_eq!(results.len(), 1);
    let problems = &results[0].problems;
    assert_eq!(results[0].passed, problems.is_empty());
    let lines: Vec<String> = problems.iter().map(|p| p.in_file("f")).collect();
    lines.join("\n")
}

const ORDER: &str = "    - mail: { from: ariba@example.com, subject: Purchase order PO-1, text: \"Amount: 9,00 EUR\" }\n";

#[test]
fn what_is_sent_and_not_expected_fails() {
    let silent = says(&format!("{ORDER}    - expect: nothing\n"));
    assert!(
        silent.contains("nobody expected the push to alice"),
        "{silent}"
    );
    // Also what comes only after the last step, such as the reminder.
    let later = says(&format!("{ORDER}    - expect: {{ push: alice }}\n"));
    for word in ["Reminder", "push to dora", "push to ivan", "reply to ariba"] {
        assert!(later.contains(word), "{word}: {later}");
    }
}

#[test]
fn what_is_expected_and_not_sent_fails_with_what_came_instead() {
    let said = says(&format!(
        "{ORDER}    - expect: {{ push: dora, title: \"€9.00\" }}\n    - tap: {{ alice: approve }}\n    - expect: {{ reply: ariba@example.com }}\n"
    ));
    let first = said.lines().next().unwrap();
    assert!(
        first.contains("the push dora with the title \"€9.00\" did not come")
            && first.contains("sent instead: the push to alice at Mon 2026-03-02 10:00"),
        "{said}"
    );
    let late = says(&format!(
        "{ORDER}    - expect: {{ push: alice, at: \"10:01\" }}\n    - tap: {{ alice: approve }}\n    - expect: {{ reply: ariba@example.com }}\n"
    ));
    assert!(late.contains("at 10:01 did not come"), "{late}");
    let page = says(&format!(
        "{ORDER}    - expect: [{{ push: alice }}, {{ page: alice, text: You approved }}]\n    - tap: {{ alice: approve }}\n    - expect: {{ reply: ariba@example.com }}\n"
    ));
    assert!(
        page.contains("alice does not read \"You approved\"") && page.contains("Waits for you"),
        "{page}"
    );
}

#[test]
fn expectations_match_in_any_order_and_each_has_a_thing_of_its_own() {
    // Two mails of two cases; the first expectation would fit both, the second only one.
    let two = concat!(
        "    - mail: { from: a@example.com, subject: Purchase order PO-1, text: \"Amount: 9,00 EUR\" }\n",
        "    - mail: { from: a@example.com, subject: Purchase order PO-2, text: \"Amount: 8,00 EUR\" }\n",
    );
    let end = "    - console: { alice: approve }\n    - expect: { reply: a@example.com }\n    - mail: { in thread of: PO-1, from: a@example.com, text: withdrawn }\n";
    let both = says(&format!(
        "{two}    - expect: [{{ push: alice }}, {{ push: alice, title: \"€9.00\" }}]\n{end}"
    ));
    assert_eq!(both, "");
    let thrice = says(&format!(
        "{two}    - expect: [{{ push: alice }}, {{ push: alice }}, {{ push: alice }}]\n{end}"
    ));
    assert!(thrice.contains("nothing else was sent"), "{thrice}");
}

#[test]
fn mistakes_in_stories_are_told_with_their_place() {
    let cases = [
        (
            "    - male: { from: a@example.com }\n    - expect: nothing\n",
            "did you mean `mail`?",
        ),
        (
            "    - mail: { form: a@example.com }\n    - expect: nothing\n",
            "did you mean `from`?",
        ),
        (
            "    - tap: { alcie: approve }\n    - expect: nothing\n",
            "did you mean alice?",
        ),
        (
            "    - tap: { alice: aprove }\n    - expect: nothing\n",
            "did you mean approve?",
        ),
        (
            "    - expect: { psuh: alice }\n",
            "this says not what is expected",
        ),
        (
            "    - expect: { push: zorro }\n",
            "nobody is called `zorro` here",
        ),
        (
            "    - expect: { push: alice, mail: alice }\n",
            "are two expectations",
        ),
        (
            "    - { after: soon, expect: nothing }\n",
            "not a length of time",
        ),
        (
            "    - { at: tomorrow, expect: nothing }\n",
            "this is not a time",
        ),
        (
            "    - { at: \"2020-01-01 10:00\", expect: nothing }\n",
            "choose a later time",
        ),
        (
            "    - { faults: { push: tired }, expect: nothing }\n",
            "no way to fail",
        ),
        (
            "    - { happens: gmail.message.recieved, expect: nothing }\n",
            "gmail.message.received",
        ),
        (
            "    - { people: { alice: { rolls: [cfo] } }, expect: nothing }\n",
            "rolls",
        ),
        ("    - mail: { from: a@example.com }\n", "expects nothing"),
        (
            "    - { tap: { alice: approve }, expect: nothing }\n",
            "got nothing that could be",
        ),
        (
            "    - { replies: { alice: Approve }, expect: nothing }\n",
            "got no mail that could",
        ),
    ];
    let before = recipe().lines().count();
    for (steps, expected) in cases {
        let said = says(steps);
        assert!(said.contains(expected), "{steps}{said}");
        // The place is in the story, which follows the recipe's own lines.
        let line: usize = said.split(':').nth(1).unwrap().parse().unwrap();
        assert!((before..before + 5).contains(&line), "{said}");
    }
}

#[test]
fn a_matter_that_was_taken_back_goes_no_further() {
    let text = r#"bellwether: 1
flow: order
about: An order is decided, then the team hears of it.
inputs:
  mailbox: { type: connection, of: gmail }
when: { event: gmail.message.received, in: inputs.mailbox, if: "'Order' in mail.subject" }
case: mail.subject
steps:
  - ask: person('alice')
    title: "{{ mail.subject }}"
    choices: { approve: {} }
    if_silent: { 5 days: expire }
    then:
      approve: []
      expire: [{ stop: true }]
  - push: person('maria')
    title: Decided
tests:
  decided, then told:
    - mail: { from: a@example.com, subject: Order 1 }
    - expect: { push: alice }
    - tap: { alice: approve }
    - expect: { push: maria, title: Decided }
  taken back, nobody is told:
    - mail: { from: a@example.com, subject: Order 2 }
    - expect: { push: alice }
    - mail: { in thread of: Order 2, from: a@example.com, text: Withdrawn }
    - expect: { withdrawn: alice }
"#;
    for result in play("order.yaml", text) {
        assert!(result.passed, "{}: {:#?}", result.name, result.problems);
    }
}

#[test]
fn the_register_is_asked_in_the_first_turn_and_in_later_ones() {
    let text = r#"bellwether: 1
flow: change
about: Whoever uses an asset hears at once that it changed, and again an hour later.
when: { event: smintio.asset.updated }
steps:
  - if: not users_of(asset.id)
    then: [{ dead_letter: Nobody uses it. }, { stop: }]
  - push: users_of(asset.id) | without(actor)
    title: "Changed, {{ users_of(asset.id) | count }} use it"
  - pause: 1 hour
  - push: users_of(asset.id)
    title: "An hour ago, {{ users_of(asset.id) | names }}"
tests:
  two use it, and one of them changed it:
    - { happens: smintio.asset.used, asset: { id: logo }, actor: { uuid: maria } }
    - { happens: smintio.asset.used, asset: { id: logo }, actor: { uuid: alice } }
    - { happens: smintio.asset.updated, asset: { id: logo }, actor: { uuid: alice } }
    - expect: { push: maria, title: "Changed, 2 use it" }
    - { happens: smintio.asset.used, asset: { id: logo }, actor: { uuid: lena } }
    - after: 1 hour
    - expect: [{ push: maria, title: Lena Lorenz }, { push: alice }, { push: lena }]
  nobody uses it:
    - { happens: smintio.asset.updated, asset: { id: logo } }
    - expect: { dead_letter: Nobody uses it. }
"#;
    for result in play("change.yaml", text) {
        assert!(result.passed, "{}: {:#?}", result.name, result.problems);
    }
}

#[test]
fn a_question_told_once_ends_by_what_settles_it_and_by_nothing_else() {
    let text = r#"bellwether: 1
flow: alert
about: Somebody takes an alert, unless it is over first.
inputs:
  mailbox: { type: connection, of: gmail }
when: { event: gmail.message.received, in: inputs.mailbox, if: mail.subject }
case: mail.subject | fingerprint
steps:
  - ask: person('alice')
    title: "{{ mail.subject }}"
    told_once: true
    over_if: "'recovered' in mail.subject"
    choices: { take: {} }
    if_silent: { 5 days: expire }
    then:
      take: []
      over: [{ push: person('maria'), title: "Over: {{ mail.subject }}" }, { stop: true }]
      expire: [{ stop: true }]
  - push: person('maria')
    title: Taken
tests:
  again, from a stranger, and over:
    - mail: { from: a@example.com, subject: Job 7 failed }
    - expect: { push: alice, title: Job 7 failed }
    - mail: { from: a@example.com, subject: Job 7 failed again, text: More }
    - mail: { from: a@example.com, auth: none, subject: Job 7 recovered }
    - expect: nothing
    - mail: { from: a@example.com, subject: Job 7 recovered }
    - expect: [{ push: maria, title: "Over: Job 7 recovered" }, { withdrawn: alice, text: Closed }]
"#;
    for result in play("alert.yaml", text) {
        assert!(result.passed, "{}: {:#?}", result.name, result.problems);
    }
}
