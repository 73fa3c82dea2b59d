//! The server is killed at bad moments and started again on the same data: nothing is lost, nobody
//! is asked twice, and what was asked before can be decided after.

use serde_json::{Value, json};

use super::installed::Installed;
use super::support::{SENDER, until};

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was() {
    let mut installed = Installed::make().await;
    let server = installed.serve().await;
    let at = installed.at.clone();

    at.order("KA-1", "Before.").await;
    let before = at.push("alice", "Before.").await;
    // The next push is taken by the provider, but the server dies before it hears so.
    let slow = json!({ "target": "opentext.mra", "kind": "slow", "delay_ms": 60_000, "times": 1 });
    at.set("faults", slow).await;
    at.order("KA-2", "Between.").await;
    until("the push is on its way", async || {
        let faults = at.admin("faults").await;
        faults.to_string().contains("\"hits\":1").then_some(())
    })
    .await;
    server.kill().await;
    at.order("KA-3", "While it was down.").await;

    let server = installed.serve().await;
    let at = installed.at.clone();
    for (number, title) in [("KA-2", "Between."), ("KA-3", "While it was down.")] {
        let push = at.push("alice", title).await;
        let said = at.act("alice", &push, "approve").await;
        assert_eq!(said["result"], "decided", "{number}: {said}");
    }
    let said = at.act("alice", &before, "reject").await;
    assert_eq!(
        said["result"], "decided",
        "what was asked before the crash: {said}"
    );
    let said = at.act("alice", &before, "approve").await;
    assert_eq!(said["result"], "already_decided", "{said}");

    for (number, words) in [
        ("KA-1", "Rejected by Alice Arnold: as said"),
        ("KA-2", "Approved by Alice Arnold"),
        ("KA-3", "Approved by Alice Arnold"),
    ] {
        at.answered(number, words).await;
        let mails = at.mails(SENDER, number).await;
        assert_eq!(mails.len(), 1, "{number} has one answer: {mails:?}");
        let title = match number {
            "KA-1" => "Before.",
            "KA-2" => "Between.",
            _ => "While it was down.",
        };
        let pushes = at.phone("alice").await.into_iter();
        let pushes = pushes.filter(|push| push["title"].to_string().contains(title));
        assert_eq!(pushes.count(), 1, "{number} was asked once");
    }
    let counted = at
        .call("/api/connections/approvals/recount", &Value::Null)
        .await;
    assert_eq!(counted["missing"], 0, "{counted}");
    let ledger = at.api("/api/connections/approvals/ledger").await;
    assert_eq!(
        (&ledger["gaps"], &ledger["pending"]),
        (&json!(0), &json!(0)),
        "{ledger}"
    );
    at.none_open().await;
    assert_eq!(server.terminate().await, Some(0));
}

#[tokio::test]
async fn a_flow_that_was_removed_starts_nothing_but_ends_what_it_began() {
    let mut installed = Installed::make().await;
    let server = installed.serve().await;
    installed.at.order("KR-1", "Begun.").await;
    let push = installed.at.push("alice", "Begun.").await;
    assert_eq!(server.terminate().await, Some(0));

    installed.remove("flows/approval-mail.yaml");
    let _server = installed.serve().await;
    let at = installed.at.clone();
    at.order("KR-2", "Too late.").await;
    let said = at.act("alice", &push, "approve").await;
    assert_eq!(said["result"], "decided", "{said}");
    at.answered("KR-1", "Approved by Alice Arnold").await;
    until("the later order is on record", async || {
        let ledger = at.api("/api/connections/approvals/ledger").await;
        (ledger["unmatched"].as_u64() > Some(0)).then_some(())
    })
    .await;
    let pushes = at.phone("alice").await;
    assert!(
        pushes
            .iter()
            .all(|push| !push["title"].to_string().contains("Too late."))
    );
}
