//! Questions and their runs beyond the recipe's own stories: which epoch of a key a run is, whose
//! answer it waits for, which of two questions an operator decides, which device failed.

use std::sync::Arc;

use bellwether_engine::seam::{Intake as _, TurnSaid};
use bellwether_engine::store::{ListQuery, RunRow, Views};
use bellwether_engine::story::{self, Scene, Stage, Stored, What};
use bellwether_model::time::{Millis, Time};
use bellwether_store::Database;
use serde_json::{Value as Json, json};

use crate::story::{catalog, file, flow};
use crate::world::{Play, answer, console, mail, order, sent};

/// A new store, to be looked into.
fn database() -> Arc<Database> {
    Arc::new(bellwether_store::open("sqlite::memory:").unwrap())
}

fn stored(database: &Arc<Database>) -> Stored {
    (Arc::clone(database) as _, Arc::clone(database) as _)
}

/// All runs, newest first.
async fn runs(database: &Database) -> Vec<RunRow> {
    database.projected().await;
    let query = ListQuery {
        limit: 100,
        ..ListQuery::default()
    };
    database.runs(query).await.unwrap().items
}

async fn epochs(database: &Database) -> Vec<(String, u32, &'static str)> {
    let runs = runs(database).await.into_iter();
    runs.map(|run| (run.key, run.epoch, run.status)).collect()
}

/// What is wrong with the stories of a flow.
fn wrong(text: &str) -> Vec<String> {
    let flow = flow("two.yaml", text);
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
    let results = story::run(scene, &crate::story::memory);
    assert!(!results.is_empty());
    let problems = results.iter().flat_map(|result| {
        let of = |problem: &bellwether_engine::flow::Problem| problem.in_file(&result.name);
        result.problems.iter().map(of)
    });
    problems.collect()
}

/// An order that comes and is approved at once.
async fn approved(stage: &Stage, id: &str, fields: &Json) {
    let event = mail(stage.now(), id, fields);
    stage.engine.submit(event).await.unwrap();
    stage.settle().await.unwrap();
    let push = sent(stage, What::Push, "alice").pop().unwrap();
    let said = console(stage, &push, "alice", "approve").await;
    assert!(matches!(said, TurnSaid::Decided { .. }), "{id}: {said:?}");
    let later = stage.now() + Millis::minutes(1);
    stage.pass_until(later).await.unwrap();
}

#[tokio::test]
async fn each_run_of_a_key_is_its_next_epoch_also_after_a_restart() {
    let play = Play::approval();
    let database = database();
    let stage = play.stage(stored(&database));
    let fields = json!({ "subject": "Purchase order PO-9", "text": "Amount: 900,00 EUR" });
    approved(&stage, "first", &fields).await;
    // The same thread, but no answer to anything: the same number is ordered again.
    let mut again = fields.clone();
    again["thread_id"] = json!("t-first");
    approved(&stage, "second", &again).await;

    let stage = Stage::next_process(play.scene(), stored(&database), &stage);
    let stage = stage.await.unwrap();
    approved(&stage, "third", &fields).await;
    let closed = |epoch| ("PO-9".to_owned(), epoch, "closed");
    assert_eq!(epochs(&database).await, [closed(3), closed(2), closed(1)]);
    let ids: Vec<_> = runs(&database).await.iter().map(|run| run.id).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn what_belongs_to_an_ended_run_opens_no_further_epoch() {
    let play = Play::approval();
    let database = database();
    let stage = play.stage(stored(&database));
    let first = order(stage.now(), "PO-9", "900,00 EUR");
    stage.engine.submit(first).await.unwrap();
    stage.settle().await.unwrap();
    // The amount changes while it is open, and then it is approved.
    let fields = json!({ "subject": "Purchase order PO-9", "text": "Amount: 800,00 EUR" });
    approved(&stage, "changed", &fields).await;

    // The change in a second mailbox, and the requester's thanks, both after the end.
    let mut copy = fields.clone();
    copy["rfc_message_id"] = json!("changed@mail.example");
    let copy = mail(stage.now(), "copy", &copy);
    stage.engine.submit(copy).await.unwrap();
    let reply = sent(&stage, What::Reply, "ariba@example.com")
        .pop()
        .unwrap();
    let thanks = json!({ "subject": "Re: Purchase order PO-9", "thread_id": "t-PO-9" });
    let thanks = answer(stage.now(), "thanks", &reply, "Thank you", &thanks);
    stage.engine.submit(thanks).await.unwrap();
    stage.settle().await.unwrap();
    let only = ("PO-9".to_owned(), 1, "closed");
    assert_eq!(epochs(&database).await, [only]);
}

#[tokio::test]
async fn a_run_says_whose_answer_it_waits_for_and_since_when() {
    let mut play = Play::approval();
    let alice = play.people.people.get_mut("alice").unwrap();
    alice.quiet = serde_json::from_value(json!({ "from": "09:30", "until": "11:00" })).unwrap();
    let database = database();
    let stage = play.stage(stored(&database));
    let ten = stage.now();
    let event = order(ten, "PO-9", "900,00 EUR");
    stage.engine.submit(event).await.unwrap();
    stage.settle().await.unwrap();
    let waits = async |database: &Database| -> Vec<(Option<String>, Option<String>, Time)> {
        let run = runs(database).await.remove(0);
        let waits = run.waits_for.into_iter();
        waits.map(|w| (w.person, w.on_behalf_of, w.since)).collect()
    };
    let person = |id: &str| Some(id.to_owned());
    // She is asked when her quiet hours end, and a reminder does not begin anew.
    let eleven = ten + Millis::hours(1);
    let alice = (person("alice"), None, eleven);
    assert_eq!(waits(&database).await, std::slice::from_ref(&alice));
    stage.pass_until(ten + Millis::hours(6)).await.unwrap();
    assert_eq!(sent(&stage, What::Push, "alice").len(), 2);
    assert_eq!(waits(&database).await, std::slice::from_ref(&alice));
    // The next day her deputy is asked too.
    let next_day = eleven + Millis::hours(24);
    stage.pass_until(next_day).await.unwrap();
    let dora = (person("dora"), person("alice"), next_day);
    assert_eq!(waits(&database).await, [alice, dora]);
    // A question back: now it waits for the requester.
    let push = sent(&stage, What::Push, "dora").pop().unwrap();
    console(&stage, &push, "dora", "question").await;
    stage.settle().await.unwrap();
    assert_eq!(waits(&database).await, [(None, None, next_day)]);
    console(&stage, &push, "dora", "approve").await;
    assert_eq!(waits(&database).await, []);
}

/// Alice decides first whether, then how much; both are put to the same person.
const TWO: &str = r#"
bellwether: 1
flow: two
about: Two questions to the same person, one after the other.
when: { event: gmail.message.received }
case: mail.subject
steps:
  - ask: person('alice')
    id: a-first
    title: "Whether {{ mail.subject }}"
    text: "{{ mail.text }}"
    choices: { approve: {}, reject: {} }
    if_silent: { 5 days: expire }
    then: { approve: [], reject: [], expire: [] }
  - ask: person('alice')
    id: b-second
    title: "How much {{ mail.subject }}"
    choices: { approve: {}, reject: {} }
    if_silent: { 5 days: expire }
    then:
      approve: [{ reply: mail, text: Both were approved. }]
      reject: []
      expire: []
tests:
"#;

#[test]
fn an_operator_decides_the_question_that_is_open() {
    let story = r#"
  one after the other:
    - mail: { from: berger@example.com, subject: Order }
    - expect: { push: alice, title: Whether }
    - console: { alice: approve }
    - expect: [{ push: alice, title: How much }, { told: alice, text: Your decision is recorded }]
    - console: { alice: approve }
    - expect: [{ reply: berger@example.com, text: Both were }, { told: alice, text: Your decision is recorded }]
    - console: { alice: reject }
    - expect: { told: alice, text: Somebody had decided before }
"#;
    assert_eq!(wrong(&format!("{TWO}{story}")), [] as [String; 0]);
}

#[test]
fn a_message_is_handled_when_no_device_took_it() {
    let text = r#"
bellwether: 1
flow: two
about: A message to somebody with two devices, and what happens when it does not arrive.
when: { event: gmail.message.received }
steps:
  - push: person('alice')
    title: Look
    on_error: [{ mail: person('alice'), subject: Look by mail }]
tests:
  one device is enough:
    - people: { alice: { push: [phone, tablet] } }
    - { faults: { push: { tablet: unregistered } }, mail: { subject: Order } }
    - expect: [{ push: alice, title: Look }, { noted: other_device }]
  none is not:
    - people: { alice: { push: [phone, tablet] } }
    - { faults: { push: unregistered }, mail: { subject: Order } }
    - expect: [{ mail: alice, subject: Look by mail }, { noted: on_error }]
"#;
    assert_eq!(wrong(text), [] as [String; 0]);
}

#[test]
fn only_the_last_of_several_devices_causes_a_mail() {
    let asking = TWO
        .split("  - ask: person('alice')\n    id: b-second")
        .next()
        .unwrap();
    let story = r#"
tests:
  both fail, one after the other:
    - people: { alice: { push: [phone, tablet] } }
    - { faults: { push: { phone: unregistered, tablet: timeout } }, mail: { subject: Order } }
    - expect: { noted: other_device }
    - { after: 10 minutes, expect: { mail: alice, subject: Whether Order } }
    - { faults: { push: none }, replies: { alice: Approve } }
  a new device, and the old ones are gone:
    - people: { alice: { push: [phone, tablet] } }
    - mail: { subject: Order }
    - expect: [{ push: alice }, { push: alice }]
    - people: { alice: { push: [watch] } }
    - { faults: { push: { watch: unregistered } }, mail: { subject: Order, text: More } }
    - expect: { mail: alice, subject: "Changed: Whether Order" }
    - console: { alice: approve }
"#;
    assert_eq!(wrong(&format!("{asking}{story}")), [] as [String; 0]);
}

#[test]
fn a_wait_ends_when_an_input_says() {
    let text = r#"
bellwether: 1
flow: two
about: Waits as long as whoever switches it on says.
inputs:
  within: { type: duration, default: 30 minutes }
when: { event: gmail.message.received }
steps:
  - wait: gmail.message.read
    up_to: "{{ inputs.within }}"
    as: seen
  - if: seen.timed_out
    then: [{ push: person('alice'), title: Unread }]
tests:
  as the flow says:
    - mail: { subject: Order }
    - { after: 1 hour, expect: { push: alice, at: "10:30" } }
  as the input says:
    - inputs: { within: 2 hours }
    - mail: { subject: Order }
    - { after: 3 hours, expect: { push: alice, at: "12:00" } }
"#;
    assert_eq!(wrong(text), [] as [String; 0]);
}
