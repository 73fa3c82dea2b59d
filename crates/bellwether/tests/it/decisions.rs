//! Who decides, and how often: once, whatever happens at the same moment; and never by a mail that
//! somebody could have forged or a machine has written.

use std::sync::Arc;

use bellwether_engine::run::Purpose;
use bellwether_engine::seam::{Intake as _, TurnSaid};
use bellwether_engine::story::{Fault, Sent, Stage, What};
use bellwether_model::time::{Millis, Time};
use serde_json::{Value as Json, json};

use crate::story::memory;
use crate::world::{Dice, Play, answer, console, form, keys, order, press, sent, tap};

/// How often four people press at the same moment.
const SEEDS: u64 = 1000;
/// How many of them share a store.
const SEEDS_EACH: usize = 100;

/// One who decides, with what he does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Phone,
    Page,
    Mail,
    Console,
}

const WAYS: [Way; 4] = [Way::Phone, Way::Page, Way::Mail, Way::Console];

/// What somebody was told, in a word.
fn word(said: Option<&TurnSaid>) -> String {
    match said {
        Some(TurnSaid::Decided { .. }) => "decided".to_owned(),
        Some(TurnSaid::AlreadyDecided { .. }) => "already_decided".to_owned(),
        Some(TurnSaid::Over { .. }) => "expired".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Alice by phone and page and console, and Dora, who has no phone, by mail: all are asked at once.
async fn asked_twice(play: &mut Play) -> Arc<Stage> {
    let dora = play.people.people.get_mut("dora").unwrap();
    dora.push.clear();
    dora.roles.push("purchasing-lead".to_owned());
    let stage = play.stage(memory().unwrap());
    stage.settle().await.unwrap();
    Arc::new(stage)
}

async fn at_once(stage: &Arc<Stage>, seed: u64) {
    let mut dice = Dice::new(seed + 1);
    let number = format!("PO-{seed}");
    stage
        .engine
        .submit(order(stage.now(), &number, "900,00 EUR"))
        .await
        .unwrap();
    stage.settle().await.unwrap();
    let push = sent(stage, What::Push, "alice").pop().unwrap();
    let mail = sent(stage, What::Mail, "dora").pop().unwrap();
    let mut ways = WAYS;
    dice.shuffle(&mut ways);
    let mut tasks = Vec::new();
    let before = sent(stage, What::Reply, "ariba@example.com").len();
    // What the page showed before anybody decided.
    let page = form(stage, &push, ["approve", "reject"][dice.below(2)]).await;
    for way in ways {
        let choice = ["approve", "reject"][dice.below(2)];
        let (stage, push, mail) = (Arc::clone(stage), push.clone(), mail.clone());
        let id = format!("{number}-{way:?}");
        let page = page.clone();
        tasks.push(tokio::spawn(async move {
            match way {
                Way::Phone => tap(&stage, &push, &id, choice).await,
                Way::Page => word(press(&stage, &page).await.as_ref()),
                Way::Console => word(Some(&console(&stage, &push, "alice", choice).await)),
                Way::Mail => {
                    let text = format!("{choice}\nby mail");
                    let event = answer(stage.now(), &id, &mail, &text, &json!({}));
                    let submitted = stage.engine.submit(event).await.unwrap();
                    word(submitted.said.first())
                }
            }
        }));
    }
    let mut said = Vec::new();
    for task in tasks {
        said.push(task.await.unwrap());
    }
    stage.settle().await.unwrap();
    let decided = said.iter().filter(|said| *said == "decided").count();
    assert_eq!(decided, 1, "seed {seed}: {ways:?} {said:?}");
    let others = said
        .iter()
        .filter(|said| *said == "already_decided")
        .count();
    assert_eq!(others, WAYS.len() - 1, "seed {seed}: {ways:?} {said:?}");
    assert_eq!(stage.open_runs(), 0, "seed {seed}");
    let replies = sent(stage, What::Reply, "ariba@example.com");
    assert_eq!(replies.len(), before + 1, "seed {seed}: {replies:?}");
    stage.record.sent().retain(|sent| sent.what == What::Reply);
}

#[test]
fn four_at_the_same_moment_decide_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut play = Play::approval();
        let mut stale = 0;
        for first in (0..SEEDS).step_by(SEEDS_EACH) {
            let stage = asked_twice(&mut play).await;
            for seed in first..first + SEEDS_EACH as u64 {
                at_once(&stage, seed).await;
            }
            assert_eq!(stage.dead_letters(), Vec::<String>::new());
            let again = &stage.engine.counters().stale;
            stale += again.load(std::sync::atomic::Ordering::Relaxed);
        }
        // They really met: turns were decided again because another had been committed meanwhile.
        assert!(stale > SEEDS / 4, "{stale}");
    });
}

/// Alice has no phone, so that she is asked by mail; twice, in two cases.
async fn by_mail() -> (Stage, Sent, Sent) {
    let mut play = Play::approval();
    play.people.people.get_mut("alice").unwrap().push.clear();
    let stage = play.stage(memory().unwrap());
    for number in ["PO-1", "PO-2"] {
        stage
            .engine
            .submit(order(stage.now(), number, "900,00 EUR"))
            .await
            .unwrap();
    }
    stage.settle().await.unwrap();
    let mut mails = sent(&stage, What::Mail, "alice").into_iter();
    let (first, second) = (mails.next().unwrap(), mails.next().unwrap());
    (stage, first, second)
}

/// How many decisions the journals have.
fn decisions(stage: &Stage) -> usize {
    let notes = stage.notes();
    notes.iter().filter(|(what, _)| what == "decided").count()
}

/// What makes a reply hostile: from our mail, the one of another case and an instant that is past,
/// its text and what else is different.
type Make = fn(&Sent, &Sent, Time) -> (&'static str, Json);

/// Replies that must not decide, each with the reason that the journal gives.
const HOSTILE: [(&str, Make, &str); 20] = [
    (
        "no DMARC",
        |_, _, _| {
            (
                "Approve",
                json!({ "auth": { "authserv": "mx", "dmarc": "none" } }),
            )
        },
        "sender_not_authenticated",
    ),
    (
        "forged lower header",
        |_, _, _| ("Approve", json!({ "auth": null })),
        "sender_not_authenticated",
    ),
    (
        "other person",
        |_, _, _| {
            (
                "Approve",
                json!({ "from": { "address": "dora@example.com" } }),
            )
        },
        "not_the_person_asked",
    ),
    (
        "out of office",
        |_, _, _| {
            (
                "Approve",
                json!({ "auto_reply": true, "auto_submitted": "auto-replied" }),
            )
        },
        "automatic_reply",
    ),
    (
        "quoted approve",
        |_, _, _| ("See below", json!({ "text": "See below\n\n> approve" })),
        "not_a_known_word",
    ),
    (
        "both words",
        |_, _, _| ("Approve reject", json!({})),
        "not_a_known_word",
    ),
    (
        "list",
        |_, _, _| {
            (
                "Approve",
                json!({ "list_id": "all.example.com", "bulk": true }),
            )
        },
        "mailing_list",
    ),
    (
        "bulk",
        |_, _, _| ("Approve", json!({ "bulk": true })),
        "mailing_list",
    ),
    (
        "forwarded",
        |_, _, _| ("Approve", json!({ "subject": "Fwd: Re: the order" })),
        "forwarded",
    ),
    (
        "asked back",
        |_, _, _| ("Approve?", json!({})),
        "not_a_known_word",
    ),
    (
        "crossed out",
        |_, _, _| ("~~approve~~", json!({})),
        "not_a_known_word",
    ),
    (
        "cross",
        |_, _, _| ("❌ approve", json!({})),
        "not_a_known_word",
    ),
    (
        "thumb down",
        |_, _, _| ("👎 approve", json!({})),
        "not_a_known_word",
    ),
    (
        "empty box",
        |_, _, _| ("- [ ] approve", json!({})),
        "not_a_known_word",
    ),
    (
        "frown",
        |_, _, _| ("approve :(", json!({})),
        "not_a_known_word",
    ),
    (
        "HTML only",
        |_, _, _| ("Approve", json!({ "html_only": true })),
        "html_only",
    ),
    ("empty", |_, _, _| ("\n  \n", json!({})), "empty"),
    (
        "token of another case",
        |_, other, _| {
            (
                "Approve",
                json!({ "reply_token": other.args["reply_token"] }),
            )
        },
        "no_reply_token",
    ),
    (
        "expired",
        |ours, _, before| {
            let old = keys().make(Purpose::Reply, ours.effect.unwrap(), before, "");
            ("Approve", json!({ "reply_token": old }))
        },
        "no_reply_token",
    ),
    (
        "no token",
        |_, _, _| ("Approve", json!({ "reply_token": null })),
        "no_reply_token",
    ),
];

#[tokio::test]
async fn hostile_replies_decide_nothing_and_each_has_its_reason() {
    let before = Time::from_millis(1_772_000_000_000);
    for (name, make, reason) in HOSTILE {
        let (stage, ours, other) = by_mail().await;
        let (text, fields) = make(&ours, &other, before);
        let event = answer(stage.now(), "hostile", &ours, text, &fields);
        stage.engine.submit(event).await.unwrap();
        stage.settle().await.unwrap();
        assert_eq!(decisions(&stage), 0, "{name}");
        assert_eq!(stage.open_runs(), 2, "{name}");
        let noted = stage
            .notes()
            .into_iter()
            .any(|(what, why)| what == "reply_decides_nothing" && why == reason);
        assert!(noted, "{name}: {:?}", stage.notes());
        // Whoever is proved to be the person asked hears of it, once; nobody else hears anything.
        let told = sent(&stage, What::Reply, "alice").len();
        let heard = matches!(reason, "not_a_known_word" | "html_only" | "empty");
        assert_eq!(told, usize::from(heard), "{name}");
        // The case is not spoilt: the right answer still decides.
        let right = answer(stage.now(), "right", &ours, "Approve", &json!({}));
        stage.engine.submit(right).await.unwrap();
        stage.settle().await.unwrap();
        assert_eq!(decisions(&stage), 1, "{name}");
    }
}

#[tokio::test]
async fn a_replayed_reply_decides_nothing_more() {
    let (stage, ours, _) = by_mail().await;
    let right = answer(stage.now(), "right", &ours, "Approve", &json!({}));
    let first = stage.engine.submit(right.clone()).await.unwrap();
    assert!(matches!(first.said[..], [TurnSaid::Decided { .. }]));
    let again = stage.engine.submit(right).await.unwrap();
    assert!(again.duplicate && again.said.is_empty());
    // The same mail once more, as a new one.
    let copied = answer(stage.now(), "copied", &ours, "Reject\nno", &json!({}));
    let copied = stage.engine.submit(copied).await.unwrap();
    assert!(
        matches!(copied.said[..], [TurnSaid::AlreadyDecided { .. }]),
        "{copied:?}"
    );
    stage.settle().await.unwrap();
    assert_eq!(decisions(&stage), 1);
    assert_eq!(sent(&stage, What::Reply, "ariba@example.com").len(), 1);
}

#[tokio::test]
async fn a_link_is_good_for_one_purpose_one_content_and_its_time() {
    let play = Play::approval();
    let stage = play.stage(memory().unwrap());
    stage
        .engine
        .submit(order(stage.now(), "PO-1", "900,00 EUR"))
        .await
        .unwrap();
    stage.settle().await.unwrap();
    let push = sent(&stage, What::Push, "alice").pop().unwrap();
    let mut other = push.clone();
    other.args["token"] = json!(keys().make(
        Purpose::View,
        push.effect.unwrap(),
        stage.now() + Millis::days(1),
        ""
    ));
    assert_ne!(tap(&stage, &other, "a", "approve").await, "decided");
    let mut changed = push.clone();
    changed.args["shown"] = json!("0123");
    assert_eq!(tap(&stage, &changed, "b", "approve").await, "changed");
    let mut page = form(&stage, &push, "approve").await;
    page.shown = "0123".to_owned();
    let forged = stage_press(&stage, &page).await;
    assert!(forged.is_err());
    assert_eq!(decisions(&stage), 0);
    assert_eq!(tap(&stage, &push, "c", "approve").await, "decided");
    assert_eq!(
        tap(&stage, &push, "c", "approve").await,
        "decided",
        "a repeated report is told the same"
    );
    assert_eq!(tap(&stage, &push, "d", "approve").await, "already_decided");
    stage.settle().await.unwrap();
    assert_eq!(decisions(&stage), 1);
}

async fn stage_press(stage: &Stage, form: &bellwether_engine::seam::Press) -> Result<(), String> {
    use bellwether_engine::seam::{Hosted as _, Visitor};
    let pressed = stage.engine.press(form, &Visitor::default()).await;
    pressed.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_device_that_shows_a_question_hears_that_it_is_over() {
    let mut play = Play::approval();
    let alice = play.people.people.get_mut("alice").unwrap();
    alice.push = vec!["phone".to_owned(), "tablet".to_owned()];
    for lost in ["phone", "tablet"] {
        let stage = play.stage(memory().unwrap());
        stage.record.fail("push", lost, Fault::Unregistered);
        let event = order(stage.now(), "PO-1", "900,00 EUR");
        stage.engine.submit(event).await.unwrap();
        stage.settle().await.unwrap();
        let push = sent(&stage, What::Push, "alice").pop().unwrap();
        assert_eq!(tap(&stage, &push, "a", "approve").await, "decided");
        stage.settle().await.unwrap();
        let told = sent(&stage, What::Update, &push.address);
        assert_eq!(told.len(), 1, "{lost} is lost");
        assert_eq!(sent(&stage, What::Update, lost).len(), 0, "{lost} is lost");
    }
}
