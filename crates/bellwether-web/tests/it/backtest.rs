//! Backtests over HTTP: begun from a form, from a flow and through the API; looked at while they
//! run, and when they have ended.

use serde_json::{Value, json};

use crate::client::{form, send, start};
use crate::stand_in::samples::morning;

const RECIPE: &str = "/recipes/opened-late";
const FIELDS: &str = "do=backtest&seen=0&position=shadow&tell=alice&limit=&loud.shown=1";

#[tokio::test]
async fn a_form_is_tried_on_what_happened_and_nothing_is_saved() {
    let server = start(morning(), "").await;
    let none = server.get("/backtest").await.body;
    assert!(none.contains("No flow was tried"), "{none}");
    let (status, place, _) = form(&server, RECIPE, RECIPE, FIELDS).await;
    assert_eq!((status, place.as_str()), (303, "/backtest"));
    let shown = server.get("/backtest").await.body;
    for part in [
        "Backtest of Opened late",
        "41 events read. 41 pushes would go to 6 people, 3 at night.",
        "41 messages were sent in truth: 40 the same; 1 would go to somebody else.",
        "Carl Conrad",
        "Alice &lt;Arnold&gt;",
        "&lt;b&gt;Lamps&lt;/b&gt;",
        "And 40 more",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(server.get(RECIPE).await.body.contains("Not set up yet"));
    server.stop().await;
}

#[tokio::test]
async fn one_that_runs_is_watched_and_can_be_ended() {
    let server = start(morning(), "").await;
    let json = "content-type: application/json";
    let begin =
        |flow: &str| json!({ "text": format!("bellwether: 1\nflow: {flow}\n") }).to_string();
    let body = begin("endless");
    let begun = send(server.internal, "POST", "/api/backtest", &[json], &body).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    let running = server.get("/backtest").await;
    assert_eq!(running.header("refresh"), Some("2"));
    assert!(
        running.body.contains("12 of at most 41 events"),
        "{}",
        running.body
    );
    let busy = send(server.internal, "POST", "/api/backtest", &[json], &body).await;
    assert_eq!(busy.status, 409, "{}", busy.body);
    let (status, place, _) = form(&server, "/backtest", "/backtest/end", "").await;
    assert_eq!((status, place.as_str()), (303, "/backtest"));
    let ended = server.get("/backtest").await;
    assert_eq!(ended.header("refresh"), None);
    assert!(ended.body.contains("was ended before it was through"));
    let latest: Value = serde_json::from_str(&server.get("/api/backtest").await.body).unwrap();
    assert_eq!(latest["state"], "failed");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_period_or_a_flow_is_refused() {
    let server = start(morning(), "").await;
    let json = "content-type: application/json";
    let latest = server.get("/api/backtest").await;
    assert_eq!(latest.status, 404);
    let text = "bellwether: 1\nflow: f\n";
    for (body, words) in [
        (json!({}), "say which flow"),
        (
            json!({ "text": text, "from": "yesterday" }),
            "from must be an instant",
        ),
        (
            json!({ "text": text, "until": 7 }),
            "until must be an instant",
        ),
        (
            json!({ "text": text, "from": "2026-03-02T09:00:00Z", "until": "2026-03-01T09:00:00Z" }),
            "ends before it begins",
        ),
    ] {
        let answer = send(
            server.internal,
            "POST",
            "/api/backtest",
            &[json],
            &body.to_string(),
        )
        .await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(words), "{}", answer.body);
    }
    server.stop().await;
}
