//! What happens when providers do not work as they should: over real HTTP, with faults that the
//! stand-ins play.

use serde_json::{Value, json};

use super::support::{Demo, Place, SENDER, until};

/// How often the one push of a matter was attempted, as our record has it.
async fn attempts(at: &Place, title: &str) -> Option<u64> {
    let all = at.api("/api/notifications").await;
    let items = all["items"].as_array().cloned().unwrap_or_default();
    let fits = |one: &&Value| {
        one["channel"] == "push" && one["title"].as_str().is_some_and(|t| t.contains(title))
    };
    let found: Vec<&Value> = items.iter().filter(fits).collect();
    // The newest come first; what came after the question is the silent update of its end.
    found.last()?["attempts"].as_u64()
}

/// Waits for the push, decides it, and checks that the phone showed it once and one answer went.
async fn runs_through(at: &Place, number: &str, vendor: &str) {
    let push = at.push("alice", vendor).await;
    let said = at.act("alice", &push, "approve").await;
    assert_eq!(said["result"], "decided", "{number}: {said}");
    at.answered(number, "Approved by Alice Arnold").await;
    let pushes = at.phone("alice").await.into_iter();
    let pushes = pushes.filter(|push| push["title"].to_string().contains(vendor));
    assert_eq!(pushes.count(), 1, "{number} is on the phone once");
    assert_eq!(
        at.mails(SENDER, number).await.len(),
        1,
        "{number} has one answer"
    );
}

async fn nothing_is_missing(at: &Place) {
    let counted = at
        .call("/api/connections/approvals/recount", &Value::Null)
        .await;
    assert_eq!(counted["missing"], 0, "{counted}");
    at.none_open().await;
    assert_eq!(
        at.total("/api/dead-letters").await,
        0,
        "something was not delivered"
    );
}

#[tokio::test]
async fn pushes_survive_a_provider_that_is_down_or_loses_its_answer() {
    let demo = Demo::start().await;
    let at = &demo.at;
    let fault = json!({
        "target": "opentext.mra", "kind": "status", "status": 503, "retry_after": 2, "times": 1,
    });
    at.set("faults", fault).await;
    let sent = std::time::Instant::now();
    at.order("FA-1", "Overloaded.").await;
    at.push("alice", "Overloaded.").await;
    assert!(
        sent.elapsed().as_millis() >= 2_000,
        "the time to retry after was kept"
    );
    runs_through(at, "FA-1", "Overloaded.").await;
    assert_eq!(attempts(at, "Overloaded.").await, Some(2));

    // The provider took the push and the answer was lost: it is sent again, and replaces itself.
    let fault = json!({ "target": "opentext.mra", "kind": "reset_after", "times": 1 });
    at.set("faults", fault).await;
    at.order("FA-2", "Lost answer.").await;
    until("the push was tried again", async || {
        (attempts(at, "Lost answer.").await == Some(2)).then_some(())
    })
    .await;
    runs_through(at, "FA-2", "Lost answer.").await;
    let calls = at.admin("pushes").await;
    let calls = calls["items"].as_array().cloned().unwrap_or_default();
    let again = calls
        .iter()
        .map(Value::to_string)
        .filter(|call| call.contains("Lost answer.") && call.contains("\"kind\":\"notify\""));
    assert_eq!(again.count(), 2, "the provider was given it twice");
    nothing_is_missing(at).await;
}

#[tokio::test]
async fn refused_credentials_are_tried_again_and_what_waited_goes_out() {
    let demo = Demo::start().await;
    let at = &demo.at;
    let refused = json!({ "target": "opentext.mra", "kind": "status", "status": 401, "times": 1 });
    at.set("faults", refused).await;
    at.order("FB-1", "First.").await;
    at.becomes("push", "needs_you").await;
    at.order("FB-2", "Second.").await;
    // Nobody presses anything: the lane tries one push after some seconds.
    runs_through(at, "FB-1", "First.").await;
    runs_through(at, "FB-2", "Second.").await;
    assert_eq!(at.health("push").await, "ok");
    assert_eq!(
        attempts(at, "Second.").await,
        Some(1),
        "it waited without being tried"
    );
    nothing_is_missing(at).await;
}

#[tokio::test]
async fn consent_that_is_taken_back_and_given_again() {
    let demo = Demo::start().await;
    let at = &demo.at;
    at.becomes("approvals", "ok").await;
    at.order("FC-1", "Asked before.").await;
    let push = at.push("alice", "Asked before.").await;
    at.set(
        "google",
        json!({ "revoke_refresh": "approvals@example.com" }),
    )
    .await;
    at.becomes("approvals", "needs_you").await;
    at.order("FC-2", "Came meanwhile.").await;
    // The decision is taken; its answer waits for the mailbox.
    let said = at.act("alice", &push, "approve").await;
    assert_eq!(said["result"], "decided", "{said}");
    let tested = at
        .call("/api/connections/approvals/test", &Value::Null)
        .await;
    assert_eq!(tested["ok"], false, "{tested}");
    assert!(at.mails(SENDER, "FC-1").await.is_empty());

    at.set(
        "google",
        json!({ "restore_refresh": "approvals@example.com" }),
    )
    .await;
    // It goes on by itself.
    at.answered("FC-1", "Approved by Alice Arnold").await;
    runs_through(at, "FC-2", "Came meanwhile.").await;
    at.becomes("approvals", "ok").await;
    nothing_is_missing(at).await;
}

#[tokio::test]
async fn mail_is_read_through_old_tokens_limits_and_a_forgotten_history() {
    let demo = Demo::start().await;
    let at = &demo.at;
    at.order("FD-1", "Plain.").await;
    at.push("alice", "Plain.").await;
    let renewals = tokens_given(at).await;
    let refused = json!({
        "target": "google.gmail", "match": "/messages/", "kind": "status", "status": 401,
        "times": 1,
    });
    at.set("faults", refused).await;
    at.order("FD-2", "Old token.").await;
    at.push("alice", "Old token.").await;
    assert!(tokens_given(at).await > renewals, "the token was renewed");
    assert_eq!(at.health("approvals").await, "ok");

    let limited = json!({
        "target": "google.gmail", "match": "/messages/", "kind": "status", "status": 429,
        "retry_after": 2, "times": 2,
    });
    at.set("faults", limited).await;
    for n in 3..6 {
        at.order(&format!("FD-{n}"), &format!("Limited {n}.")).await;
    }
    for n in 3..6 {
        at.push("alice", &format!("Limited {n}.")).await;
    }

    // The history is forgotten while nobody could read it.
    let down = json!({
        "target": "google.gmail", "match": "/history", "kind": "status", "status": 503, "times": 0,
    });
    let down = at.set("faults", down).await["id"].clone();
    for n in 6..9 {
        at.order(&format!("FD-{n}"), &format!("Forgotten {n}."))
            .await;
    }
    at.set("google", json!({ "expire_history": true })).await;
    let url = format!("{}/admin/faults/{down}", at.sandbox);
    assert_eq!(super::support::send(at.http.delete(url)).await.status, 200);
    let vendors = [
        "Plain.",
        "Old token.",
        "Limited 3.",
        "Limited 4.",
        "Limited 5.",
        "Forgotten 6.",
        "Forgotten 7.",
        "Forgotten 8.",
    ];
    for (n, vendor) in (1..).zip(vendors) {
        runs_through(at, &format!("FD-{n}"), vendor).await;
    }
    nothing_is_missing(at).await;
}

/// How many access tokens Google has given out.
async fn tokens_given(at: &Place) -> usize {
    let calls = at.admin("calls?after=0").await;
    let calls = calls["items"]
        .as_array()
        .or(calls.as_array())
        .cloned()
        .expect("calls");
    let given = |call: &&Value| call["target"] == "google.token" && call["status"] == 200;
    calls.iter().filter(given).count()
}
