//! What a connection's address refused, in the API and on the connection's page.

use bellwether_engine::seam::ConnectionHealth;
use bellwether_engine::store::{RefusalCount, RefusalSample, Refusals};
use serde_json::json;

use crate::client::start;
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{ago, morning};

/// One refusal, with these words wherever words may stand.
pub(crate) fn refused(words: &str) -> Refusals {
    Refusals {
        counts: vec![RefusalCount {
            reason: words.to_owned(),
            message: words.to_owned(),
            count: 7,
            first_at: ago(9),
            last_at: ago(2),
            caller: words.to_owned(),
        }],
        newest: vec![RefusalSample {
            at: ago(2),
            reason: words.to_owned(),
            status: 401,
            inlet: words.to_owned(),
            caller: words.to_owned(),
            bytes: 12,
            hash: words.to_owned(),
        }],
    }
}

#[tokio::test]
async fn refused_calls_are_counted_where_the_connections_health_stands() {
    let server = start(morning(), "").await;
    let before = server.get("/connections/orders").await.body;
    assert!(!before.contains("Calls that were refused"));
    let none = server.json("/api/connections/orders/refusals").await;
    assert_eq!(none, json!({ "total": 0, "reasons": [], "newest": [] }));

    *lock(&server.fake.refused) = refused("wrong_signature");
    let all = server.json("/api/connections").await;
    let expected = json!({ "total": 7, "last_at": "2026-03-02T09:40:00Z" });
    assert_eq!(all["items"][2]["refused"], expected);
    let told = server.json("/api/connections/orders/refusals").await;
    assert_eq!(told["reasons"][0]["reason"], "wrong_signature");
    assert_eq!(told["reasons"][0]["count"], 7);
    assert_eq!(told["newest"][0]["status"], 401);
    assert_eq!(told["newest"][0]["at"], "2026-03-02T09:40:00Z");
    let page = server.get("/connections/orders").await.body;
    assert!(page.contains("Calls that were refused") && page.contains("wrong_signature"));
    assert!(page.contains("<td data-label=\"How often\">7</td>"));
    let list = server.get("/connections").await.body;
    assert!(list.contains("7 calls refused"));
    assert_eq!(
        server.get("/api/connections/nope/refusals").await.status,
        404
    );
}

#[tokio::test]
async fn a_part_of_a_link_that_is_down_is_shown_beside_a_link_that_works() {
    let server = start(morning(), "").await;
    let down = ConnectionHealth::NeedsYou {
        since: ago(20),
        reason: "the channel refuses us; check `channel_id`".to_owned(),
    };
    let well = ConnectionHealth::Ok { at: ago(3) };
    lock(&server.fake.connections)[0].parts =
        vec![("backup".to_owned(), well), ("pusher".to_owned(), down)];
    let all = server.json("/api/connections").await;
    assert_eq!(all["items"][0]["health"]["state"], "ok");
    let parts = &all["items"][0]["parts"];
    assert_eq!(
        (&parts[1]["name"], &parts[1]["health"]["state"]),
        (&json!("pusher"), &json!("needs_you"))
    );
    assert_eq!(parts[1]["health"]["since"], "2026-03-02T09:22:00Z");
    let page = server.get("/connections/approvals").await.body;
    assert!(page.contains("check `channel_id`") && page.contains("<dt>pusher</dt>"));
    let list = server.get("/connections").await.body;
    assert!(list.contains("pusher needs you") && !list.contains("backup"));
}
