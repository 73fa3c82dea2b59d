//! What an attacker tries who knows the product: acts that nobody made, senders that nobody proved,
//! names that were guessed, and texts that look like ours. Replies by mail are in `decisions`.

use bellwether_engine::run::CODE_STEP;
use bellwether_engine::seam::{
    CodeChecked, CodeSent, Hosted as _, Inlets as _, Intake as _, OpenGrade, TurnSaid, Visitor,
};
use bellwether_engine::story::{PHONES, Sent, Stage, What};
use bellwether_model::event::NewEvent;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::time::Millis;
use serde_json::{Value as Json, json};

use crate::story::memory;
use crate::world::{Play, answer, console, form, mail, order, press, sent, tap, view_token};

async fn stage() -> Stage {
    let stage = Play::approval().stage(memory().unwrap());
    stage.settle().await.unwrap();
    stage
}

async fn comes(stage: &Stage, event: NewEvent) {
    stage.engine.submit(event).await.unwrap();
    stage.settle().await.unwrap();
}

async fn asked(stage: &Stage, number: &str) -> Sent {
    comes(stage, order(stage.now(), number, "900,00 EUR")).await;
    sent(stage, What::Push, "alice").pop().unwrap()
}

fn answers(stage: &Stage, to: &str) -> Vec<String> {
    let all = sent(stage, What::Reply, to).into_iter();
    all.map(|sent| sent.text).collect()
}

#[tokio::test]
async fn only_pages_phones_and_the_console_say_that_somebody_decided() {
    let stage = stage().await;
    let push = asked(&stage, "PO-1").await;
    for kind in ["push.acted", "push.code_requested", "push.opened"] {
        for source in ["engine", "hook", "approval-mail"] {
            let data = json!({ "push": {
                "notification": push.effect.unwrap(), "person": "alice", "choice": "approve",
                "means": "console", "assurance": "signed_in", "shown": "",
            } });
            let id = format!("{kind}/{source}");
            comes(&stage, NewEvent::new(source, id, kind, stage.now(), data)).await;
        }
    }
    assert_eq!(stage.open_runs(), 1);
    assert!(answers(&stage, "ariba@example.com").is_empty());
    assert!(sent(&stage, What::Mail, "alice").is_empty(), "a code");
    let noted = stage.notes();
    assert!(
        !noted
            .iter()
            .any(|(what, _)| what == "opened" || what == "decided")
    );
}

#[tokio::test]
async fn each_notification_has_report_ids_of_its_own() {
    let stage = stage().await;
    let first = asked(&stage, "PO-1").await;
    let second = asked(&stage, "PO-2").await;
    assert_eq!(tap(&stage, &first, "q1", "approve").await, "decided");
    assert_eq!(tap(&stage, &second, "q1", "reject").await, "decided");
    stage.settle().await.unwrap();
    assert_eq!(stage.open_runs(), 0);
}

#[tokio::test]
async fn a_payload_that_looks_like_a_mail_is_no_reply() {
    let mut play = Play::approval();
    play.people.people.get_mut("alice").unwrap().push.clear();
    let stage = play.stage(memory().unwrap());
    comes(&stage, order(stage.now(), "PO-1", "900,00 EUR")).await;
    let ours = sent(&stage, What::Mail, "alice").pop().unwrap();
    for source in ["hook", "approval-mail", "people"] {
        let mut event = answer(stage.now(), source, &ours, "Approve", &json!({}));
        event.source = source.to_owned();
        event.kind = "order.checked".to_owned();
        event.aliases.clear();
        comes(&stage, event).await;
    }
    assert_eq!(stage.open_runs(), 1);
    comes(
        &stage,
        answer(stage.now(), "r1", &ours, "Approve", &json!({})),
    )
    .await;
    assert_eq!(stage.open_runs(), 0);
}

async fn report(stage: &Stage, push: &Sent, choice: &str, shown: &Json) -> RawAnswer {
    let body = json!({
        "id": "q1", "what": "acted", "choice": choice, "comment": "no",
        "token": push.args["token"], "shown": shown,
    });
    let request = RawRequest {
        inlet: "engagement".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    };
    stage.engine.receive(PHONES, request).await
}

#[tokio::test]
async fn a_report_that_says_something_else_under_a_used_id_is_refused() {
    let stage = stage().await;
    let push = asked(&stage, "PO-1").await;
    for _ in 0..2 {
        let old = report(&stage, &push, "approve", &json!("old")).await;
        assert!(old.status == 200 && old.body.contains("changed"), "{old:?}");
    }
    let again = report(&stage, &push, "approve", &push.args["shown"]).await;
    assert!(
        again.status == 409 && again.body.contains("id_reused"),
        "{again:?}"
    );
    assert_eq!(stage.open_runs(), 1);
}

#[tokio::test]
async fn the_requester_never_gets_the_deciders_link_or_quotation() {
    let mut play = Play::approval();
    play.people.people.get_mut("alice").unwrap().push.clear();
    let stage = play.stage(memory().unwrap());
    comes(&stage, order(stage.now(), "PO-1", "900,00 EUR")).await;
    let ours = sent(&stage, What::Mail, "alice").pop().unwrap();
    let at = ours.text.find("/n/").unwrap();
    let said = format!(
        "Rejected\nToo dear\n\nOd: Freigaben\n{}",
        &ours.text[at - 9..]
    );
    comes(&stage, answer(stage.now(), "r1", &ours, &said, &json!({}))).await;
    let text = answers(&stage, "ariba@example.com").pop().unwrap();
    assert!(
        text.starts_with("Rejected by Alice Arnold: Too dear"),
        "{text}"
    );
    assert!(!text.contains("/n/"), "{text}");
}

#[tokio::test]
async fn a_sender_that_nobody_proved_is_shown_as_such_and_leads_no_answer_away() {
    let stage = stage().await;
    let fields = json!({
        "subject": "Purchase order PO-1", "text": "Amount: 900,00 EUR",
        "from": { "name": "Purchasing", "address": "ariba@example.com" },
        "reply_to": [{ "address": "evil@evil.example" }],
        "auth": { "authserv": "mx", "dmarc": "fail" },
    });
    comes(&stage, mail(stage.now(), "forged", &fields)).await;
    let push = sent(&stage, What::Push, "alice").pop().unwrap();
    assert!(
        push.text.starts_with("Sender not verified! "),
        "{}",
        push.text
    );
    let token = view_token(push.effect.unwrap(), stage.now());
    let visitor = Visitor::default();
    let card = stage.engine.open(&token, OpenGrade::Rendered, &visitor);
    let card = card.await.unwrap();
    assert!(
        card.facts.iter().any(|fact| fact.label == "Caution"),
        "{card:?}"
    );
    assert_eq!(
        tap(&stage, &push, "q1", "approve").await,
        "sign_in_required"
    );
    let page = form(&stage, &push, "approve").await;
    assert_eq!(press(&stage, &page).await, Some(TurnSaid::SignInRequired));
    console(&stage, &push, "alice", "approve").await;
    stage.settle().await.unwrap();
    assert!(answers(&stage, "evil@evil.example").is_empty());
    assert_eq!(answers(&stage, "ariba@example.com").len(), 1);
}

#[tokio::test]
async fn a_changed_text_is_shown_and_an_old_form_does_not_decide_on_it() {
    let stage = stage().await;
    let with_account = |id: &str, account: &str| {
        let text = format!("Amount: 900,00 EUR\nAccount number {account}");
        let fields = json!({ "subject": "Purchase order PO-1", "text": text });
        mail(stage.now(), id, &fields)
    };
    comes(&stage, with_account("first", "DE11")).await;
    let old = sent(&stage, What::Push, "alice").pop().unwrap();
    let page = form(&stage, &old, "approve").await;
    comes(&stage, with_account("second", "DE99")).await;
    assert_eq!(press(&stage, &page).await, Some(TurnSaid::Changed));
    let new = sent(&stage, What::Push, "alice").pop().unwrap();
    let token = view_token(new.effect.unwrap(), stage.now());
    let visitor = Visitor::default();
    let card = stage.engine.open(&token, OpenGrade::Rendered, &visitor);
    let (_, _, text) = card.await.unwrap().quoted.unwrap();
    assert!(text.contains("DE99"), "{text}");
}

#[tokio::test]
async fn who_guesses_a_mails_name_does_not_keep_the_mail_out() {
    for (from, amount) in [
        ("ariba@example.com", "1,00 EUR"),
        ("eve@example.net", "2,00 EUR"),
    ] {
        let stage = stage().await;
        let order = |id: &str, fields: Json| {
            let mut all = json!({ "rfc_message_id": "20261101.1@erp.example.com" });
            for (name, value) in fields.as_object().unwrap() {
                all[name.as_str()] = value.clone();
            }
            mail(stage.now(), id, &all)
        };
        let forged = json!({
            "subject": "Purchase order PO-1", "text": format!("Amount: {amount}"),
            "from": { "address": from }, "auth": { "authserv": "mx", "dmarc": "none" },
        });
        comes(&stage, order("forged", forged)).await;
        let real = json!({
            "subject": "Purchase order PO-1", "text": "Amount: 900,00 EUR",
        });
        comes(&stage, order("real", real.clone())).await;
        let push = sent(&stage, What::Push, "alice").pop().unwrap();
        assert!(push.title.contains("€900.00"), "{from}: {}", push.title);
        assert!(!push.text.contains("not verified"), "{}", push.text);
        assert_eq!(
            tap(&stage, &push, "q1", "approve").await,
            "decided",
            "{from}"
        );
        if from != "ariba@example.com" {
            continue;
        }
        // The same in a second mailbox is the same.
        let before = sent(&stage, What::Push, "alice").len();
        comes(&stage, order("copy", real)).await;
        assert_eq!(sent(&stage, What::Push, "alice").len(), before, "{from}");
    }
}

#[tokio::test]
async fn a_comment_is_what_can_be_seen_and_never_becomes_a_link() {
    let stage = stage().await;
    let push = asked(&stage, "PO-1").await;
    let mut page = form(&stage, &push, "reject").await;
    page.comment = "\u{200b}\u{2060}".to_owned();
    let said = press(&stage, &page).await;
    assert!(
        matches!(&said, Some(TurnSaid::Refused { code, .. }) if code == "comment_required"),
        "{said:?}"
    );
    let mut page = form(&stage, &push, "reject").await;
    page.comment = "See {{link}} \u{202e}raed oot".to_owned();
    assert!(matches!(
        press(&stage, &page).await,
        Some(TurnSaid::Decided { .. })
    ));
    stage.settle().await.unwrap();
    let text = answers(&stage, "ariba@example.com").pop().unwrap();
    assert_eq!(text, "Rejected by Alice Arnold: See {{link}} raed oot");
}

#[tokio::test]
async fn a_code_is_good_only_for_who_asked_and_not_for_who_guesses() {
    let stage = stage().await;
    let push = asked(&stage, "PO-1").await;
    let (effect, now) = (push.effect.unwrap(), stage.now());
    let token = view_token(effect, now);
    let right = crate::world::keys().code(effect, now);
    let engine = &stage.engine;
    assert_eq!(
        engine.check_code(&token, &right).await.unwrap(),
        CodeChecked::NotAsked
    );
    let sent = engine.send_code(&token).await.unwrap();
    assert!(matches!(sent, CodeSent::To(_)));
    stage.settle().await.unwrap();
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    for last in [false, false, false, false, true] {
        let expected = if last {
            CodeChecked::TooMany
        } else {
            CodeChecked::Wrong
        };
        assert_eq!(engine.check_code(&token, wrong).await.unwrap(), expected);
    }
    assert_eq!(
        engine.check_code(&token, &right).await.unwrap(),
        CodeChecked::TooMany
    );
    engine.send_code(&token).await.unwrap();
    stage.settle().await.unwrap();
    let found = engine.check_code(&token, &right).await.unwrap();
    assert!(matches!(found, CodeChecked::Right(_)), "{found:?}");
    assert_eq!(
        engine.check_code(&token, &right).await.unwrap(),
        CodeChecked::NotAsked
    );
    assert!(
        CODE_STEP > Millis::minutes(1),
        "the codes above are of one step"
    );
}
