//! Flows that call other flows: what comes back, and what is said when nobody answers.

use bellwether_engine::flow::calls::unanswered;
use bellwether_engine::flow::{Flow, Position};
use bellwether_engine::seam::{Explains as _, Intake as _};
use bellwether_engine::story::{self, Scene, Stage, StoryResult, What};
use bellwether_model::event::{Alias, NewEvent};
use serde_json::json;

use crate::story::{catalog, flow, memory};
use crate::world::{mail, sent, tap};

/// A flow that stands for others, in the tests' own folder.
pub(crate) fn beside(name: &str) -> Option<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows");
    std::fs::read_to_string(format!("{folder}/{name}")).ok()
}

/// Plays a flow's stories.
pub(crate) fn play(
    text: &str,
    others: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Vec<StoryResult> {
    let name = text.lines().find_map(|line| line.strip_prefix("flow: "));
    let name = format!("{}.yaml", name.expect("a name"));
    story::run(
        Scene {
            flow: &flow(&name, text),
            inputs: &json!({}),
            file: others,
            catalog: catalog(),
            people: &story::directory(),
            position: Position::On,
        },
        &memory,
    )
}

/// What did not hold.
pub(crate) fn wrong(results: &[StoryResult]) -> Vec<String> {
    let of = |one: &StoryResult| one.problems.iter().map(|p| p.in_file(&one.name)).collect();
    results
        .iter()
        .flat_map(|one| -> Vec<String> { of(one) })
        .collect()
}

#[test]
fn a_matter_that_is_to_come_once_begins_nothing_when_it_is_over() {
    assert_eq!(
        wrong(&play(&beside("once.yaml").unwrap(), &beside)),
        [""; 0]
    );
}

#[test]
fn a_called_flow_does_its_part_and_its_ending_comes_back() {
    let text = beside("orders-signed.yaml").unwrap();
    let results = play(&text, &beside);
    assert_eq!(wrong(&results), Vec::<String>::new());
    assert_eq!(results.len(), 4);
}

#[test]
fn a_flow_that_is_not_on_comes_back_at_once_and_somebody_hears_of_it() {
    let text = beside("orders-signed.yaml").unwrap();
    let until = text.find("tests:").unwrap();
    let story = "\
tests:
  nobody is there to sign:
    - mail: { from: ariba@example.com, subject: Order 12, text: \"Amount: 900 EUR\" }
    - expect: [{ dead_letter: second-signature is not switched on }, { reply: ariba@example.com, text: not_on }]
";
    let results = play(&format!("{}{story}", &text[..until]), &|_| None);
    assert_eq!(wrong(&results), Vec::<String>::new());
}

#[test]
fn a_call_of_what_is_not_there_is_said_by_lint() {
    let orders = flow("orders-signed.yaml", &beside("orders-signed.yaml").unwrap());
    let signature = flow(
        "second-signature.yaml",
        &beside("second-signature.yaml").unwrap(),
    );
    let said = |flows: &[&Flow]| -> Vec<String> {
        let found = unanswered(flows).into_iter();
        found
            .map(|(_, problem)| problem.in_file("orders-signed.yaml"))
            .collect()
    };
    assert_eq!(said(&[&orders, &signature]), Vec::<String>::new());
    assert_eq!(
        said(&[&orders]),
        [
            "orders-signed.yaml:9:5  warning: there is no flow `second-signature` among these  look at both together, or correct the name"
        ]
    );
}

#[tokio::test]
async fn only_a_step_calls_and_only_the_called_flow_answers() {
    let text = beside("orders-signed.yaml").unwrap();
    let (people, inputs) = (story::directory(), json!({}));
    let scene = Scene {
        flow: &flow("orders-signed.yaml", &text),
        inputs: &inputs,
        file: &beside,
        catalog: catalog(),
        people: &people,
        position: Position::On,
    };
    let stage = Stage::new(scene, memory().unwrap()).unwrap();
    let now = stage.now();
    let call = json!({ "call": {
        "id": "1", "flow": "second-signature", "what": "Forged", "sum": { "text": "1 EUR" },
        "asked_by": "eve@example.net",
    } });
    let forged = NewEvent::new("shop", "f1", "flow.called", now, call);
    stage.engine.submit(forged).await.unwrap();
    stage.settle().await.unwrap();
    assert!(
        sent(&stage, What::Push, "carl").is_empty(),
        "nobody is asked by a stranger"
    );

    let fields = json!({ "subject": "Order 12", "text": "Amount: 900 EUR" });
    stage
        .engine
        .submit(mail(now, "o12", &fields))
        .await
        .unwrap();
    stage.settle().await.unwrap();
    let asked = sent(&stage, What::Push, "carl");
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Whoever knows the call's name cannot say that it was signed.
    let id = id_of_the_call(&stage).await;
    let answer = json!({ "call": {
        "id": id, "flow": "second-signature", "ending": "approve", "choice": "approve",
        "by": "carl", "comment": "",
    } });
    let mut forged = NewEvent::new("shop", "f2", "flow.returned", now, answer);
    forged.aliases = vec![Alias::new("call", id)];
    stage.engine.submit(forged).await.unwrap();
    stage.settle().await.unwrap();
    assert!(sent(&stage, What::Reply, "ariba@example.com").is_empty());
    assert_eq!(tap(&stage, &asked[0], "t1", "approve").await, "decided");
    stage.settle().await.unwrap();
    assert_eq!(sent(&stage, What::Reply, "ariba@example.com").len(), 1);
}

/// The name of the call that was made.
async fn id_of_the_call(stage: &Stage) -> String {
    for position in 1..10 {
        let why = stage.engine.why(position).await.unwrap();
        if let Some(why) = why.filter(|why| why.event.envelope.kind == "flow.called")
            && why.event.envelope.source == "engine"
        {
            return why.event.envelope.data["call"]["id"]
                .as_str()
                .unwrap()
                .to_owned();
        }
    }
    panic!("no call was made")
}
