//! Everything that goes wrong at Smint.io, played over HTTP by the stand-in against the real
//! connector, engine and store, with the loops that run in production. For each fault: what it
//! means to us (class, sentence), how we come back, and that afterwards every event is there.
//!
//! `cargo test -p bellwether --test it smintio_faults -- --nocapture` prints the table.

mod channel;
mod room;

use std::time::Duration;

use bellwether_engine::seam::{ConnectionHealth, Connections as _};
use bellwether_engine::store::{ListQuery, Views as _};
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::time::Millis;
use serde_json::json;

use crate::support::until;
use room::{NAME, POLL, Room, TENANT};

/// How many licences are bought while a fault goes on.
const BOUGHT: usize = 3;
const PERSON: &str = "needs a person";

/// Faults that last until they are ended: the name, how the stand-in plays it and where, class and
/// code, and the wait before we come back by ourselves, in seconds.
const LASTING: &str = "\
401                      | unauthorized     | clapi | needs a person | access_refused    | 1
401 account locked       | locked_out       | clapi | needs a person | access_refused    | 1
400 bad argument         | bad_argument     | clapi | needs a person | bad_request       | 1
403                      | forbidden        | clapi | needs a person | permission_denied | 1
404 tenant               | tenant_not_found | clapi | needs a person | tenant_not_found  | 1
404 path                 | not_found        | clapi | needs a person | not_found         | 1
409                      | locked           | clapi | retry          | provider_error    | 1
424                      | file_missing     | clapi | retry          | provider_error    | 1
428                      | precondition     | clapi | retry          | provider_error    | 1
429 with Retry-After: 17 | too_many         | clapi | retry          | rate_limited      | 17
429 without a time       | too_many         | clapi | retry          | rate_limited      | 2-2.5
500                      | internal         | clapi | retry          | provider_error    | 1
501                      | not_implemented  | clapi | retry          | not_implemented   | 1
503                      | unavailable      | clapi | retry          | provider_error    | 1
302 to maintenance       | maintenance      | clapi | retry          | maintenance       | 1
302 to tenant selector   | tenant_selector  | clapi | needs a person | tenant_not_found  | 1
200 with HTML            | html             | clapi | retry          | maintenance       | 1
truncated JSON           | truncated        | clapi | retry          | bad_answer        | 1
cut before the answer    | reset            | clapi | retry          | connection_broke  | 1
sign-in: 503             | no_authority     | oidc  | retry          | token_unavailable | 1
sign-in: HTML            | html             | oidc  | retry          | bad_token_answer  | 1
sign-in: client refused  | unauthorized     | oidc  | needs a person | invalid_client    | 1";

/// A line of the table.
#[expect(clippy::print_stdout, reason = "the table is what people run this for")]
fn row(fault: &str, class: &str, message: &str, recovery: &str, after: (usize, usize)) {
    let (told, expected) = after;
    println!("{fault:<24} | {class:<14} | {message} | {recovery} | {told} = {expected}");
    assert_eq!(told, expected, "{fault}: events are missing");
}

/// The same for what was bought in a room. Every licence must have been told, once.
async fn row_of(room: &Room, fault: &str, class: &str, message: &str, recovery: &str) {
    let told = room.told().await;
    row(
        fault,
        class,
        message,
        recovery,
        (told.len(), room.bought.len()),
    );
    assert_eq!(told, room.bought, "{fault}");
}

/// Whether a sentence says where it happened and what comes next.
fn is_a_sentence(message: &str) {
    let places = [TENANT, NAME, "127.0.0.1", "push channel"];
    let nexts = ["again", "by itself", "check", "connect", "enter", "look"];
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    assert!(has(&places) && has(&nexts), "{message}");
}

fn class_of(failure: &Failure) -> &'static str {
    match failure.class {
        FailureClass::Reauthorise | FailureClass::Misconfigured => PERSON,
        FailureClass::Retry { .. } => "retry",
        _ => "of another kind",
    }
}

#[tokio::test]
async fn every_fault_has_its_class_its_sentence_and_passes_without_a_loss() {
    let mut room = Room::start(json!({})).await;
    println!("fault | class | message | recovery | events after = expected");
    for line in LASTING.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [fault, kind, area, class, code, seconds] = cells[..] else {
            panic!("a line of six: {line}");
        };
        let own = room.connect(json!({}));
        room.read(&*own).await.unwrap();
        room.waits(POLL, POLL).await;
        room.buy_some(BOUGHT).await;
        if area == "oidc" {
            room.deed("tokens", json!({"expire_access": true})).await;
        }
        let mut outage = json!({"kind": kind, "area": area, "times": 0});
        if seconds == "17" {
            outage["retry_after"] = 17.into();
        }
        room.deed("outage", outage).await;
        let failure = room.read(&*own).await.expect_err("the fault goes on");
        let said = (class_of(&failure), failure.code.as_str());
        assert_eq!(said, (class, code), "{fault}: {failure:?}");
        is_a_sentence(&failure.message);
        // The loop meets it at the next poll, and shows it.
        room.poll().await;
        let shown = (class == PERSON, failure.to_string());
        assert_eq!(room.fails().await, shown, "{fault}");
        let (least, most) = seconds.split_once('-').unwrap_or((seconds, seconds));
        let millis = |text: &str| Millis((text.parse::<f64>().unwrap() * 1000.0) as u64);
        let wait = room.waits(millis(least), millis(most)).await;
        room.deed("recover", json!({})).await;
        room.pass(wait);
        room.is_well().await;
        let recovery = format!("by itself after {} ms", wait.0);
        row_of(&room, fault, class, &failure.message, &recovery).await;
    }
    room.engine.stop(Duration::from_secs(5)).await;
}

/// Faults that nobody needs to notice: one read meets them and still brings everything.
#[tokio::test]
async fn what_passes_within_a_read_is_no_failure() {
    let mut room = Room::start(json!({})).await;
    let once = |kind: &str| json!({"kind": kind});
    let table = [
        (
            "401 once",
            "outage",
            once("unauthorized"),
            "a new token, at once",
        ),
        (
            "403 once",
            "outage",
            once("forbidden"),
            "a new token, at once",
        ),
        (
            "slow, 1.5 s",
            "outage",
            json!({"kind": "slow", "delay_ms": 1_500}),
            "waited for",
        ),
        ("answered twice", "outage", once("duplicate"), "told once"),
        (
            "access token expired",
            "tokens",
            json!({"expire_access": true}),
            "a new token, at once",
        ),
        (
            "cursor too old",
            "expire_cursors",
            json!({}),
            "read from the start, only news told",
        ),
        (
            "records come again",
            "redeliver",
            json!({"count": 9}),
            "told once",
        ),
    ];
    for (fault, deed, how, recovery) in table {
        room.buy_some(BOUGHT).await;
        room.deed(deed, how).await;
        assert!(room.engine.read_now(NAME).await);
        room.is_well().await;
        row_of(&room, fault, "none", "none", recovery).await;
    }
    for _ in 0..5 {
        room.deed("tokens", json!({"expire_access": true})).await;
        room.buy_some(1).await;
        assert!(room.engine.read_now(NAME).await);
    }
    row_of(
        &room,
        "token renewed, 5 times",
        "none",
        "none",
        "each at once",
    )
    .await;
    room.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn one_bad_record_stops_nothing_and_is_kept() {
    let mut room = Room::start(json!({})).await;
    room.buy_some(2).await;
    room.deed("buy", json!({"state": "completed", "odd": ["broken"]}))
        .await;
    room.buy_some(2).await;
    assert!(room.engine.read_now(NAME).await);
    room.is_well().await;
    let kept = room.said("transaction.unreadable").await;
    assert_eq!(kept.len(), 1);
    let why = kept[0]["unreadable"]["reason"].as_str().unwrap().to_owned();
    let shown = kept[0]["unreadable"]["record"].as_str().unwrap();
    assert!(
        !why.is_empty() && shown.contains("see contract"),
        "{why}: {shown}"
    );
    let letters = room.database.dead_letters(ListQuery {
        limit: 9,
        ..ListQuery::default()
    });
    let letters = letters.await.unwrap().items;
    assert_eq!(
        (letters.len(), letters[0].code.as_str()),
        (1, "unreadable_item")
    );
    let recovery = "a dead letter and an event; the feed goes on";
    row_of(
        &room,
        "one bad record",
        "reject",
        &letters[0].reason,
        recovery,
    )
    .await;
    room.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_lost_consent_waits_for_a_person_and_loses_nothing() {
    let mut room = Room::start(json!({})).await;
    // The provider rotates the refresh token, and its answer is lost on the way.
    let lost = json!({"kind": "reset_after", "area": "oidc"});
    let faults = [
        ("refresh token lost", "outage", lost, "connection_broke"),
        (
            "consent withdrawn",
            "tokens",
            json!({"lose_consent": true}),
            "invalid_grant",
        ),
    ];
    for (fault, deed, how, first) in faults {
        // A read that is still under way would meet the fault before the poll does.
        room.waits(POLL, POLL).await;
        room.deed("tokens", json!({"expire_access": true})).await;
        room.buy_some(BOUGHT).await;
        room.deed(deed, how).await;
        room.poll().await;
        let (_, reason) = room.fails().await;
        assert!(reason.contains(first), "{fault}: {reason}");
        let reason = until("it waits for a person", async || {
            room.pass(Millis::minutes(2));
            match room.health() {
                ConnectionHealth::NeedsYou { reason, .. } => Some(reason),
                _ => None,
            }
        })
        .await;
        assert!(reason.contains("invalid_grant"), "{fault}: {reason}");
        is_a_sentence(&reason);
        let told = until("somebody is told", async || {
            let told = room.said("sync.failed").await;
            told.last()
                .cloned()
                .filter(|told| told["sync"]["needs_person"] == true)
        })
        .await;
        assert_eq!(told["sync"]["component"], "smintio_auth", "{told}");
        // A person connects again, with a new refresh token: it is read at once, no time passes.
        let shown = room.at.admin(&format!("smintio/{TENANT}")).await;
        room.info = shown["info"].clone();
        room.set_up(json!({}));
        room.is_well().await;
        row_of(&room, fault, PERSON, &reason, "connected again by a person").await;
        // Well for long enough, so that the next fault is told anew.
        for _ in 0..8 {
            room.pass(POLL);
            room.engine.do_ready().await.unwrap();
        }
    }
    room.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_and_asked_for_again() {
    let mut room = Room::start(json!({})).await;
    room.waits(POLL, POLL).await;
    room.buy_some(BOUGHT).await;
    room.deed("outage", json!({"kind": "slow", "delay_ms": 31_000}))
        .await;
    assert!(room.engine.read_now(NAME).await);
    let (person, reason) = room.fails().await;
    assert!(!person && reason.contains("no_answer_in_time"), "{reason}");
    is_a_sentence(&reason);
    room.pass(POLL);
    room.is_well().await;
    row_of(
        &room,
        "slow, 31 s",
        "retry",
        &reason,
        "by itself at the next read",
    )
    .await;
    room.engine.stop(Duration::from_secs(5)).await;
}
