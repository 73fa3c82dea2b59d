//! What was not delivered is written otherwise and sent once more: to whom it should have gone, and
//! never a question in other words.

use bellwether_engine::seam::{Actor, ActorRole, Amended, Intake as _, IntakeError};
use bellwether_engine::store::{DeadLetterRow, ListQuery};
use bellwether_engine::story::{Fault, Stage, What};
use bellwether_model::event::NewEvent;
use bellwether_model::time::Millis;
use serde_json::json;

use crate::story::memory;
use crate::world::{Play, sent};

const FLOW: &str = "\
bellwether: 1
flow: f
when: { event: order.placed }
steps:
  - mail: person('ivan')
    subject: Order {{ order.id }}
    text: It is here.
  - ask: person('alice')
    title: Order {{ order.id }}?
    choices: { approve: {} }
    if_silent: { 2 working days: expire }
    then: { approve: [], expire: [] }
";

fn actor() -> Actor {
    Actor {
        name: "operator".to_owned(),
        role: ActorRole::Operator,
        means: "loopback",
    }
}

async fn letters(stage: &Stage, views: &dyn bellwether_engine::store::Views) -> Vec<DeadLetterRow> {
    stage.settle().await.unwrap();
    views.caught_up().await;
    let query = ListQuery {
        status: Some("open".to_owned()),
        limit: 10,
        ..ListQuery::default()
    };
    views.dead_letters(query).await.unwrap().items
}

#[tokio::test]
async fn a_mail_goes_to_the_right_address_and_a_question_stays_as_it_was() {
    let play = Play::of(FLOW);
    let stored = memory().unwrap();
    let stage = play.stage(stored.clone());
    stage.record.fail("mail", "", Fault::Bounces);
    stage.record.fail("push", "", Fault::Broken);
    let now = stage.now();
    let event = NewEvent::new(
        "test",
        "1",
        "order.placed",
        now,
        json!({ "order": { "id": 7 } }),
    );
    stage.engine.submit(event).await.unwrap();
    stage.run_out(Millis::minutes(30)).await.unwrap();
    let open = letters(&stage, &*stored.1).await;
    assert_eq!(open.len(), 2, "{open:?}");
    stage.record.fail("mail", "", Fault::None);

    let changes = Amended {
        text: Some("It is here, at last.".to_owned()),
        to: Some("ivan.ilic@example.org".to_owned()),
        ..Amended::default()
    };
    let engine = &stage.engine;
    let asked = Amended {
        text: Some("Another question".to_owned()),
        ..Amended::default()
    };
    let mut refused = 0;
    for letter in &open {
        match engine.retry(letter.id, &changes, &actor()).await {
            Ok(true) => {}
            Err(IntakeError::Malformed(why)) => {
                assert!(why.contains("a question is not changed"), "{why}");
                let same = Amended::default();
                assert!(engine.retry(letter.id, &asked, &actor()).await.is_err());
                assert!(engine.retry(letter.id, &same, &actor()).await.unwrap());
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
        // Once more is nothing: it is settled.
        assert!(!engine.retry(letter.id, &changes, &actor()).await.unwrap());
    }
    assert_eq!(refused, 1, "one of the two asks");
    stage.settle().await.unwrap();
    let ivan = sent(&stage, What::Mail, "ivan.ilic@example.org");
    assert_eq!(ivan.len(), 1, "{ivan:?}");
    assert_eq!(ivan[0].title, "Order 7");
    assert!(ivan[0].text.contains("at last"), "{}", ivan[0].args);
    let alice = sent(&stage, What::Mail, "alice");
    assert_eq!(alice.len(), 1, "{alice:?}");
    assert_eq!(alice[0].title, "Order 7?");
    assert_eq!(letters(&stage, &*stored.1).await, []);
}
