//! The AppWorks Gateway: its key, its rules of targeting, its errors and its sequence numbers.

use crate::wire::{Reply, Rig, call};
use serde_json::{Value, json};

const APP: &str = "/deployments/notifications/alpenwerk-approvals";
const KEY: (&str, &str) = ("otagAppKey", "alpenwerk-otag-app-key");

async fn send(rig: &Rig, kind: &str, body: &Value) -> Reply {
    let path = format!("{APP}/{kind}");
    call(rig.opentext, "POST", &path, &[KEY], &body.to_string())
        .await
        .expect("an answer")
}

#[tokio::test]
async fn recipients_of_all_kinds_are_one_union_without_doubles() {
    let rig = Rig::start().await;
    let body = json!({"users": ["alice", "nobody"], "clientIds": ["client-carl"],
        "otdsGroups": ["purchasing"], "title": "Hello", "summary": "there", "data": {
            "notification": "n1", "alpenwerk-approvals": {"token": "t1", "amount": 3}}});
    let reply = send(&rig, "fcm-push", &body).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    for person in ["alice", "dora", "carl"] {
        let phone = rig.phone_when(person, |p| p["pushes"][0].is_object()).await;
        assert_eq!(phone["pushes"][0]["times_received"], 1, "{person}");
        assert_eq!(phone["pushes"][0]["channel"], "otag");
        assert_eq!(phone["pushes"][0]["data"]["token"], "t1");
        assert_eq!(phone["pushes"][0]["data"]["amount"], "3");
    }
    assert_eq!(rig.phone("lena").await["pushes"], json!([]));
}

#[tokio::test]
async fn a_broadcast_reaches_everybody_and_takes_no_recipients() {
    let rig = Rig::start().await;
    let both = json!({"broadcast": true, "users": ["alice"], "title": "x"});
    let reply = send(&rig, "push", &both).await;
    assert_eq!(reply.status, 400);
    let error = reply.json();
    assert_eq!(error["status"], 400);
    assert_eq!(error["entity"], "alpenwerk-approvals");
    assert!(error["key"].is_string() && error["errorMessage"].is_string());
    assert_eq!(
        send(&rig, "push", &json!({"broadcast": true, "title": "x"}))
            .await
            .status,
        200
    );
    for person in ["alice", "dora", "carl", "lena", "ivan"] {
        rig.phone_when(person, |p| p["pushes"][0]["title"] == "x")
            .await;
    }
}

#[tokio::test]
async fn bodies_that_break_a_rule_are_refused() {
    let rig = Rig::start().await;
    for (kind, body, words) in [
        ("push", json!({"title": "x"}), "Recipients are needed"),
        (
            "push",
            json!({"users": ["alice"]}),
            "title, summary and data",
        ),
        (
            "push",
            json!({"users": ["alice"], "title": "x", "collapseKey": "c"}),
            "collapseKey",
        ),
        (
            "fcm-push",
            json!({"users": "alice", "title": "x"}),
            "must be a list",
        ),
        (
            "fcm-push",
            json!({"users": ["alice"], "title": "x",
            "androidConfig": {"ttl": "1h"}}),
            "Illegal duration",
        ),
        (
            "fcm-push",
            json!({"topicName": "t", "title": "x"}),
            "Recipients are needed",
        ),
    ] {
        let reply = send(&rig, kind, &body).await;
        assert_eq!(reply.status, 400, "{words}: {}", reply.text);
        assert!(reply.text.contains(words), "{words}: {}", reply.text);
    }
}

#[tokio::test]
async fn the_key_the_app_and_unknown_people() {
    let rig = Rig::start().await;
    let body = json!({"users": ["alice"], "title": "x"}).to_string();
    let to = format!("{APP}/fcm-push");
    let post = async |path: &str, headers: &[(&str, &str)]| {
        call(rig.opentext, "POST", path, headers, &body)
            .await
            .expect("an answer")
            .status
    };
    assert_eq!(post(&to, &[]).await, 401);
    assert_eq!(post(&to, &[("otagAppKey", "guess")]).await, 403);
    assert_eq!(
        post("/deployments/notifications/other/fcm-push", &[KEY]).await,
        404
    );
    // Nobody eligible is no error: 200 is not delivery.
    let nobody = json!({"users": ["ghost"], "title": "x"});
    assert_eq!(send(&rig, "fcm-push", &nobody).await.status, 200);
    assert_eq!(rig.fate(4).await["undeliverable"], true);
    assert!(!rig.get("/admin/pushes").await.text.contains("guess"));
}

#[tokio::test]
async fn sequence_numbers_count_what_was_accepted() {
    let rig = Rig::start().await;
    let bounds = async || {
        let path = format!("{APP}/seqBounds");
        call(rig.opentext, "GET", &path, &[KEY], "")
            .await
            .expect("an answer")
            .json()
    };
    assert_eq!(
        bounds().await,
        json!({"currentMinSeq": 0, "currentMaxSeq": 0})
    );
    for _ in 0..3 {
        send(&rig, "push", &json!({"users": ["alice"], "title": "x"})).await;
    }
    send(&rig, "push", &json!({"title": "refused"})).await;
    assert_eq!(
        bounds().await,
        json!({"currentMinSeq": 1, "currentMaxSeq": 3})
    );
}

#[tokio::test]
async fn collapse_key_and_ttl_of_the_gateway_reach_the_phone() {
    let rig = Rig::start().await;
    rig.clock("2026-03-02T08:00:00Z").await;
    let body = |title: &str, id: &str| {
        json!({"users": ["alice"], "title": title, "collapseKey": "outer",
            "data": {"notification": id},
            "androidConfig": {"collapseKey": "case-1", "ttl": "60s"}})
    };
    send(&rig, "fcm-push", &body("old", "n1")).await;
    send(&rig, "fcm-push", &body("new", "n2")).await;
    let phone = rig
        .phone_when("alice", |p| p["pushes"][1].is_object())
        .await;
    assert_eq!(phone["pushes"][0]["collapse_key"], "case-1");
    assert_eq!(phone["pushes"][0]["expires_at"], "2026-03-02T08:01:00Z");
    assert_eq!(phone["pushes"][1]["state"], "replaced");
}
