//! A flow over its own record: nothing differs, whatever happened. A changed one: just what was
//! changed.

use std::sync::Arc;

use bellwether_engine::backtest::{self, Kind, Over, Progress, Report, Trial};
use bellwether_engine::flow::{Flow, Position};
use bellwether_engine::run::{Engine, Program};
use bellwether_engine::seam::Intake as _;
use bellwether_engine::story::{self, Scene, Stage, Varied, What};
use bellwether_model::directory::Directory;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value as Json, json};

use crate::story::{catalog, file, flow, memory};
use crate::support::{Demo, Place, until};
use crate::world::{Play, sent, tap};

fn scene<'a>(flow: &'a Arc<Flow>, people: &'a Directory, inputs: &'a Json) -> Scene<'a> {
    Scene {
        flow,
        inputs,
        file: &file,
        catalog: catalog(),
        people,
        position: Position::On,
    }
}

/// The flow that is on, over everything that was recorded.
async fn over_its_record(engine: &Engine, flow: &str, from: Time) -> Report {
    let program = Arc::clone(&engine.setup().active[flow]);
    tried(engine, program, from).await
}

async fn tried(engine: &Engine, program: Arc<Program>, from: Time) -> Report {
    let trial = Trial {
        program,
        from,
        until: engine.now() + Millis(1),
        over: Over::Record,
    };
    let scratch = memory().unwrap();
    backtest::run(engine, &trial, scratch, &Progress::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_unchanged_flow_differs_in_nothing_from_what_it_did() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes");
    let people = story::directory();
    let inputs = json!({});
    let (mut stories, mut messages) = (0, 0);
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".yaml") {
            continue;
        }
        let flow = flow(&name, &file(&name).unwrap());
        for story in &flow.tests {
            let scene = scene(&flow, &people, &inputs);
            let mut varied = Varied::new(scene, story, memory().unwrap()).unwrap();
            let from = varied.stage().now();
            if varied.changes_the_world() {
                continue;
            }
            for deed in 0..varied.deeds() {
                varied.deed(deed).await.unwrap();
            }
            varied.run_out(Millis::days(400)).await.unwrap();
            let report = over_its_record(&varied.stage().engine, &flow.name, from).await;
            stories += 1;
            messages += report.would_send;
            if report.differing() > 0 || report.sent != report.would_send {
                wrong.push(format!(
                    "{}: {}: {} {:#?}",
                    flow.name,
                    story.name,
                    report.words(),
                    report.differences
                ));
            }
        }
    }
    println!(
        "{stories} stories, {messages} messages, {} differ",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stories > 100 && messages > 150, "{stories} {messages}");
}

const FLOW: &str = "\
bellwether: 1
flow: f
inputs:
  limit: { type: money, default: 5000 EUR }
when: { event: order.placed, if: order.kind != 'sample' }
case: order.id
steps:
  - ask: person('carl') if (order.amount | money) > inputs.limit else person('alice')
    title: \"{{ order.id }}\"
    choices: { approve: {}, reject: {} }
    if_silent: { 1 day: remind, 3 days: expire }
    then:
      reject: []
      approve: [{ mail: person('ivan'), subject: \"{{ order.id }} approved\" }]
      expire: [{ mail: person('ivan'), subject: \"{{ order.id }} expired\" }]
";

/// Orders of growing amounts, every third one answered, each at an hour of its own.
async fn ordered(stage: &Stage) {
    for n in 0..30_i64 {
        let data = json!({ "order": { "id": format!("O-{n}"), "amount": format!("{} EUR", n * 300),
            "kind": if n % 5 == 4 { "sample" } else { "real" } } });
        let event = bellwether_model::event::NewEvent::new(
            "story",
            format!("o-{n}"),
            "order.placed",
            stage.now(),
            data,
        );
        stage.engine.submit(event).await.unwrap();
        stage.settle().await.unwrap();
        if n % 3 == 0 {
            let asked = ["alice", "carl"].map(|who| sent(stage, What::Push, who).pop());
            let push = asked
                .into_iter()
                .flatten()
                .max_by_key(|push| (push.at, push.effect));
            let push = push.filter(|push| push.title == format!("O-{n}"));
            if let Some(push) = push {
                let told = tap(stage, &push, &format!("tap-{n}"), "approve").await;
                assert_eq!(told, "decided");
            }
        }
        stage
            .pass_until(stage.now() + Millis::hours(1))
            .await
            .unwrap();
    }
    stage
        .pass_until(stage.now() + Millis::days(5))
        .await
        .unwrap();
}

fn count(report: &Report, kind: Kind) -> u64 {
    report.counts.get(&kind).copied().unwrap_or(0)
}

#[tokio::test]
async fn a_changed_flow_differs_in_what_was_changed() {
    let play = Play::of(FLOW);
    let stage = play.stage(memory().unwrap());
    let from = stage.now();
    ordered(&stage).await;
    let same = over_its_record(&stage.engine, "f", from).await;
    assert_eq!(same.differing(), 0, "{}", same.words());
    assert_eq!(same.sent, same.would_send);

    // A lower limit: those in between go to Carl.
    let inputs = json!({ "limit": "3000 EUR" });
    let inputs = bellwether_engine::flow::check_inputs(&play.flow, &inputs, &|_| None).unwrap();
    let program = Arc::new(Program::new(Arc::clone(&play.flow), inputs));
    let report = tried(&stage.engine, program, from).await;
    let moved = (0..30_i64).filter(|n| n % 5 != 4 && (3_000 < n * 300) && (n * 300 <= 5_000));
    let moved: Vec<i64> = moved.collect();
    // Each asks somebody else, and whoever is asked now has not answered: so two more pushes of
    // each unanswered one go to Carl, and of what was approved nobody hears but that it expired.
    let asked: Vec<&str> = report
        .differences
        .iter()
        .filter(|one| one.kind == Kind::OtherRecipient && one.message.who == "carl")
        .map(|one| one.message.title.as_str())
        .collect();
    for n in &moved {
        assert!(
            asked.contains(&format!("O-{n}").as_str()),
            "O-{n}: {asked:?}"
        );
    }
    let others = report.differences.iter().filter(|one| {
        !moved.iter().any(|n| {
            one.message
                .title
                .split(' ')
                .any(|word| word == format!("O-{n}"))
        })
    });
    let others: Vec<_> = others.collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(
        report.unasked,
        moved.iter().filter(|n| *n % 3 == 0).count() as u64
    );

    // Another text, for samples as well: more of them, and none the same.
    let text = FLOW
        .replace(" if: order.kind != 'sample'", "")
        .replace("order.placed,", "order.placed")
        .replace(
            "title: \"{{ order.id }}\"",
            "title: \"Order {{ order.id }}\"",
        );
    let changed = flow("f.yaml", &text);
    let inputs = bellwether_engine::flow::check_inputs(&changed, &json!({}), &|_| None).unwrap();
    let program = Arc::new(Program::new(changed, inputs));
    let report = tried(&stage.engine, program, from).await;
    let pushes = sent(&stage, What::Push, "alice").len() + sent(&stage, What::Push, "carl").len();
    assert_eq!(
        count(&report, Kind::OtherText),
        pushes as u64,
        "{}",
        report.words()
    );
    // Six samples: asked, reminded, expired.
    assert_eq!(count(&report, Kind::More), 6 * 3, "{}", report.words());
    assert_eq!(count(&report, Kind::Fewer), 0, "{}", report.words());
}

#[tokio::test]
async fn a_period_begins_and_ends_where_it_is_said() {
    let play = Play::of(FLOW);
    let stage = play.stage(memory().unwrap());
    ordered(&stage).await;
    let program = Arc::clone(&stage.engine.setup().active["f"]);
    let events = stage
        .record
        .sent()
        .iter()
        .map(|sent| sent.at)
        .min()
        .unwrap();
    let trial = Trial {
        program,
        from: events + Millis::hours(6),
        until: events + Millis::hours(12),
        over: Over::Record,
    };
    let progress = Progress::default();
    let run = backtest::run(&stage.engine, &trial, memory().unwrap(), &progress);
    let report = run.await.unwrap();
    // Orders 6 to 11 without the samples: five, with everything that came of them later.
    assert_eq!(
        report.differing(),
        0,
        "{} {:#?}",
        report.words(),
        report.differences
    );
    let asked: std::collections::BTreeSet<&str> = report
        .messages
        .iter()
        .map(|one| one.title.split(' ').next_back().unwrap())
        .collect();
    let asked = report
        .messages
        .iter()
        .filter(|one| one.title.starts_with("O-") && asked.len() > 1);
    assert!(asked.count() >= 5);
    assert!(report.of_other_runs > 0);
    progress.cancel();
    let ended = backtest::run(&stage.engine, &trial, memory().unwrap(), &progress).await;
    assert_eq!(ended.unwrap_err(), backtest::NoReport::Cancelled);
}

/// What a mailbox backtest of the running server ended with.
async fn of_the_mailbox(at: &Place, mailbox: &str) -> Json {
    let body = json!({ "flow": "approval-mail", "mailbox": mailbox });
    at.call("/api/backtest", &body).await;
    until("the backtest has ended", async || {
        let latest = at.api("/api/backtest").await;
        (latest["state"] != "running").then_some(latest)
    })
    .await
}

#[tokio::test]
async fn the_mails_of_a_mailbox_are_played_where_nothing_was_recorded() {
    let demo = Demo::start().await;
    let at = &demo.at;
    at.order("MB-1", "Huber").await;
    at.push("alice", "Huber").await;
    at.mail(
        "theo@example.com",
        "approvals@example.com",
        "Lunch on Thursday?",
    )
    .await;
    until("both mails are recorded", async || {
        (at.total("/api/events?type=gmail.message.received").await == 2).then_some(())
    })
    .await;
    let before = at.total("/api/notifications").await;
    let latest = of_the_mailbox(at, "approvals").await;
    assert_eq!(latest["state"], "done", "{latest}");
    let report = &latest["report"];
    assert_eq!(report["events"], 2, "{report}");
    assert_eq!(report["mailbox"], "approvals");
    let first = &report["messages"][0];
    assert_eq!(first["who"], "alice", "{report}");
    assert!(
        first["title"].as_str().unwrap().contains("Huber"),
        "{report}"
    );
    assert_eq!(report["differences"], json!([]));
    let words = latest["words"].as_str().unwrap();
    assert!(words.starts_with("2 mails of approvals read. "), "{words}");
    // Nothing of it was sent, or stands in the record.
    assert_eq!(at.total("/api/notifications").await, before);

    let latest = of_the_mailbox(at, "opentext").await;
    assert_eq!(latest["state"], "failed", "{latest}");
    let why = latest["failure"].as_str().unwrap();
    assert!(
        why.starts_with("opentext is no mailbox that can be read; there is alerts, approvals"),
        "{why}"
    );
}
