//! Phones: what replaces what, what waits and what comes too late, and how the app reports.

use crate::wire::{Ingest, Rig, ok, push};
use serde_json::{Value, json};

async fn companion(rig: &Rig, ingest: &Ingest, received: bool) {
    let set = json!({"engagement_url": ingest.url, "app_key": "app-key-1", "received": received});
    assert_eq!(rig.admin("/admin/companion", set).await.status, 200);
}

async fn shown(rig: &Rig, person: &str, notification: &str, key: &str) {
    rig.submit(&push(&format!("device-{person}"), notification, key))
        .await
        .expect("fine");
    rig.phone_when(person, |p| p["pushes"][0]["notification"] == notification)
        .await;
}

#[tokio::test]
async fn an_update_takes_the_place_of_the_push_with_its_key() {
    let rig = Rig::start().await;
    shown(&rig, "alice", "n1", "case-1").await;
    shown(&rig, "alice", "n2", "case-2").await;
    let mut update = push("device-alice", "n1", "case-1");
    update["message"]["data"]["kind"] = json!("update");
    update["message"]["data"]
        .as_object_mut()
        .expect("object")
        .remove("actions");
    rig.submit(&update).await.expect("fine");
    let phone = rig
        .phone_when("alice", |p| p["pushes"][2].is_object())
        .await;
    let states: Vec<_> = (0..3)
        .map(|i| phone["pushes"][i]["state"].clone())
        .collect();
    assert_eq!(states, ["received", "received", "replaced"]);
    // What is gone cannot be pressed, unless a test insists.
    let act = json!({"notification": "alice-1", "action": "approve"});
    assert_eq!(rig.admin("/admin/phones/alice/act", act).await.status, 409);
    let act = json!({"notification": "alice-1", "action": "approve", "force": true});
    assert_eq!(rig.admin("/admin/phones/alice/act", act).await.status, 200);
}

#[tokio::test]
async fn off_line_phones_get_the_newest_of_a_key_and_never_what_is_too_late() {
    let rig = Rig::start().await;
    rig.clock("2026-03-02T08:00:00Z").await;
    rig.admin("/admin/phones/alice/offline", json!({})).await;
    for (id, key) in [("n1", "a"), ("n2", "a"), ("n3", "b")] {
        rig.submit(&push("device-alice", id, key))
            .await
            .expect("fine");
    }
    let mut short = push("device-alice", "n4", "c");
    short["message"]["android"]["ttl"] = json!("60s");
    rig.submit(&short).await.expect("fine");
    let phone = rig.phone_when("alice", |p| p["waiting"] == 3).await;
    assert_eq!(phone["pushes"], json!([]));
    rig.clock("2026-03-02T08:30:00Z").await;
    let reply = rig.admin("/admin/phones/alice/online", json!({})).await;
    assert_eq!(reply.json()["arrived"], 3);
    let phone = rig.phone("alice").await;
    let of = |i: usize| {
        let push = &phone["pushes"][i];
        format!(
            "{} {}",
            push["notification"].as_str().expect("id"),
            push["state"]
        )
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        ["n4 \"expired\"", "n3 \"received\"", "n2 \"received\""]
    );
    assert_eq!(phone["pushes"][0]["visible"], false);
    let fates = rig.get("/admin/pushes").await.json();
    assert_eq!(fates["items"][0]["fates"][1]["what"], "superseded");
}

#[tokio::test]
async fn more_than_a_hundred_waiting_pushes_are_lost() {
    let rig = Rig::start().await;
    rig.admin("/admin/phones/alice/offline", json!({})).await;
    for i in 0..=100 {
        let id = format!("n{i}");
        rig.submit(&push("device-alice", &id, &id))
            .await
            .expect("fine");
    }
    // One waits after the first push already, so the last one's fate is waited for.
    rig.fate(101).await;
    rig.phone_when("alice", |p| p["waiting"] == 1).await;
    let calls = rig.get("/admin/pushes").await.json();
    assert_eq!(calls["items"][0]["fates"][1]["what"], "lost");
    rig.admin("/admin/phones/alice/online", json!({})).await;
    assert_eq!(
        rig.phone("alice").await["pushes"][0]["notification"],
        "n100"
    );
}

#[tokio::test]
async fn the_app_reports_with_its_key_and_the_push_s_own_token() {
    let rig = Rig::start().await;
    let ingest = Ingest::start(|_, body| match body["event"].as_str() {
        Some("acted") => ok("decided", "Rejected by you."),
        _ => ok("recorded", "Noted."),
    })
    .await;
    companion(&rig, &ingest, true).await;
    rig.clock("2026-03-02T08:00:00Z").await;
    shown(&rig, "alice", "n1", "c1").await;
    ingest.when(1).await;
    let opened = rig
        .admin("/admin/phones/alice/open", json!({}))
        .await
        .json();
    assert_eq!(
        (&opened["ok"], &opened["answer"]["result"]),
        (&json!(true), &json!("recorded"))
    );
    let act = json!({"notification": "n1", "action": "reject", "comment": "Too dear"});
    let acted = rig.admin("/admin/phones/alice/act", act).await.json();
    assert_eq!(acted["answer"]["message"], "Rejected by you.");
    let heard = ingest.heard();
    let events: Vec<_> = heard.iter().map(|h| h.body["event"].clone()).collect();
    assert_eq!(events, ["received", "opened", "acted"]);
    assert!(heard.iter().all(|h| h.authorization == "Bearer app-key-1"));
    let last = &heard[2].body;
    assert_eq!(last["token"], "tok-n1");
    assert_eq!(last["shown"], "hash-1");
    assert_eq!(last["device"], "device-alice");
    assert_eq!(last["action"], "reject");
    assert_eq!(last["comment"], "Too dear");
    assert_eq!(last["at"], "2026-03-02T08:00:00Z");
    let shown = &rig.phone("alice").await["pushes"][0];
    assert_eq!(
        (&shown["state"], &shown["action"]),
        (&json!("acted"), &json!("reject"))
    );
    assert_eq!(shown["answer"]["result"], "decided");
}

#[tokio::test]
async fn a_report_is_sent_again_with_the_same_id_until_the_server_has_it() {
    let rig = Rig::start().await;
    let ingest = Ingest::start(|number, _| match number {
        1 => String::new(),
        2 => "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned(),
        3 => "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"half\"".to_owned(),
        _ => ok("decided", "Approved."),
    })
    .await;
    companion(&rig, &ingest, false).await;
    shown(&rig, "alice", "n1", "c1").await;
    let acted = rig
        .admin("/admin/phones/alice/act", json!({"action": "approve"}))
        .await
        .json();
    assert_eq!(acted["answer"]["result"], "decided");
    let ids: Vec<Value> = ingest
        .heard()
        .iter()
        .map(|h| h.body["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(
        ids.iter().all(|id| *id == ids[0] && id.is_string()),
        "{ids:?}"
    );
    assert_eq!(
        rig.phone("alice").await["pushes"][0]["reports"][0]["attempts"],
        4
    );
}

#[tokio::test]
async fn refusals_are_final_and_shown_in_words() {
    let rig = Rig::start().await;
    let ingest =
        Ingest::start(|_, _| "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    companion(&rig, &ingest, false).await;
    shown(&rig, "alice", "n1", "c1").await;
    let acted = rig
        .admin("/admin/phones/alice/act", json!({"action": "approve"}))
        .await
        .json();
    assert_eq!(
        (&acted["ok"], &acted["answer"]["status"]),
        (&json!(false), &json!(403))
    );
    assert_eq!(ingest.heard().len(), 1);
}

#[tokio::test]
async fn an_off_line_phone_keeps_its_answer_until_it_is_on_line() {
    let rig = Rig::start().await;
    let ingest = Ingest::start(|_, _| ok("decided", "Approved.")).await;
    companion(&rig, &ingest, false).await;
    shown(&rig, "alice", "n1", "c1").await;
    rig.admin("/admin/phones/alice/offline", json!({})).await;
    let acted = rig
        .admin("/admin/phones/alice/act", json!({"action": "approve"}))
        .await
        .json();
    assert_eq!(acted["answer"]["result"], "queued");
    assert_eq!(rig.phone("alice").await["unsent_reports"], 1);
    assert!(ingest.heard().is_empty());
    rig.admin("/admin/phones/alice/online", json!({})).await;
    rig.phone_when("alice", |p| p["pushes"][0]["answer"]["result"] == "decided")
        .await;
}

#[tokio::test]
async fn people_can_only_do_what_the_push_offers() {
    let rig = Rig::start().await;
    let nothing = rig.admin("/admin/phones/alice/open", json!({})).await;
    assert_eq!(nothing.status, 404);
    shown(&rig, "alice", "n1", "c1").await;
    let wrong = rig
        .admin("/admin/phones/alice/act", json!({"action": "pay"}))
        .await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text.contains("approve, reject"), "{}", wrong.text);
    let mute = rig
        .admin("/admin/phones/alice/act", json!({"action": "reject"}))
        .await;
    assert_eq!(mute.status, 400);
    assert!(mute.text.contains("comment"), "{}", mute.text);
    let alone = rig
        .admin("/admin/phones/alice/act", json!({"action": "approve"}))
        .await
        .json();
    assert_eq!(alone["answer"]["result"], "no_companion");
    assert_eq!(
        rig.admin("/admin/phones/requester/open", json!({}))
            .await
            .status,
        404
    );
    rig.admin("/admin/phones/alice/ignore", json!({})).await;
    rig.admin("/admin/reset", json!({})).await;
    assert_eq!(rig.phone("alice").await["pushes"], json!([]));
    assert_eq!(rig.get("/admin/pushes").await.json()["total"], 0);
}

#[tokio::test]
async fn swiping_away_is_reported_and_opening_later_still_counts() {
    let rig = Rig::start().await;
    let ingest = Ingest::start(|_, _| ok("recorded", "Noted.")).await;
    companion(&rig, &ingest, false).await;
    shown(&rig, "alice", "n1", "c1").await;
    rig.admin("/admin/phones/alice/ignore", json!({})).await;
    assert_eq!(ingest.when(1).await[0].body["event"], "dismissed");
    assert_eq!(rig.phone("alice").await["pushes"][0]["state"], "ignored");
    rig.admin("/admin/phones/alice/open", json!({"notification": "n1"}))
        .await;
    let push = &rig.phone("alice").await["pushes"][0];
    assert_eq!(push["state"], "opened");
    assert!(push["opened_at"].is_string());
    rig.admin("/admin/phones/alice/ignore", json!({})).await;
    let unique: std::collections::BTreeSet<String> = ingest
        .when(3)
        .await
        .iter()
        .map(|h| h.body["id"].to_string())
        .collect();
    assert_eq!(unique.len(), 3);
}

#[tokio::test]
async fn a_wrong_companion_address_is_refused_and_its_key_never_shown() {
    let rig = Rig::start().await;
    for (url, key) in [
        ("https://x/y", "k"),
        ("nonsense", "k"),
        ("http://127.0.0.1:1/x", "a b"),
    ] {
        let set = json!({"engagement_url": url, "app_key": key});
        assert_eq!(
            rig.admin("/admin/companion", set).await.status,
            400,
            "{url}"
        );
    }
    let set = json!({"engagement_url": "http://127.0.0.1:1/x", "app_key": "hush-hush"});
    rig.admin("/admin/companion", set).await;
    rig.admin("/admin/reset", json!({})).await;
    let kept = rig.get("/admin/companion").await;
    assert_eq!(kept.json()["engagement_url"], "http://127.0.0.1:1/x");
    assert!(!kept.text.contains("hush-hush"));
}
