//! What goes wrong while a portal is read: tasks that end in an error, sources that fail, calls
//! that are refused in the middle. What is read when all is well is in the parent.

use super::*;

#[tokio::test]
async fn a_task_that_ends_in_an_error_stops_only_its_own_search() {
    let watched = json!({"searches": [{"name": "First", "query": "a"},
        {"name": "Second", "query": "b"}], "page_size": 2});
    let mut portal = Portal::start(watched).await;
    portal.scan().await;
    portal.buy("bb").await;
    let fail = json!({"method": "searchAssetsAsync", "code": "CannotReadMetamodel"});
    portal.mark(json!({ "fail": fail })).await;
    let events = portal.scan().await;
    assert_eq!(
        kinds(&events),
        ["portal.asset", "link"],
        "the second one was read"
    );
    assert_eq!(events[1].data["link"]["part"], "portals:First");
    assert_eq!(events[1].data["link"]["needs_person"], true);
    assert_eq!(portal.cells.news(), ["asset.published", "sync.failed"]);
    assert_eq!(
        portal.said("smintio.sync.failed")[0]["sync"]["component"],
        "portals:First"
    );
    assert_eq!(kinds(&portal.scan().await), ["link"], "it works again");
    portal.pass_to("2026-03-02T08:20:00Z").await;
    assert_eq!(portal.cells.news(), ["sync.recovered"]);
}

#[tokio::test]
async fn a_source_that_fails_is_told_and_keeps_the_first_read_silent() {
    let mut portal = Portal::start(everything()).await;
    portal.buy("One").await;
    let error = json!({"dataAdapterInstanceKey": "77", "errorCode": "GetNotFound",
        "message": "the \"archive\" is away"});
    portal.mark(json!({"errors": [error, "Forbidden"]})).await;
    let first = portal.scan().await;
    assert_eq!(
        kinds(&first),
        ["portal.asset", "link", "link"],
        "no summary yet"
    );
    let link = &first[1].data["link"];
    assert_eq!(
        (&link["part"], &link["ok"]),
        (&json!("dam:77"), &json!(false))
    );
    assert_eq!(link["message"], "the \"archive\" is away");
    assert_eq!(
        portal.cells.news(),
        ["sync.failed"],
        "only a person can mend the other"
    );
    portal.pass_to("2026-03-02T08:15:00Z").await;
    assert_eq!(portal.cells.news(), ["sync.failed"], "it lasts");
    // What comes into view with the source is no news.
    portal.buy("Of the source").await;
    assert_eq!(kinds(&portal.scan().await), ["portal.asset"], "told once");
    portal.mark(json!({"errors": []})).await;
    let well = portal.scan().await;
    assert_eq!(kinds(&well), ["link", "link", "portal.baseline"]);
    assert_eq!(portal.cells.news(), [""; 0]);
    portal.pass_to("2026-03-02T08:30:00Z").await;
    assert_eq!(portal.cells.news(), ["sync.recovered", "sync.recovered"]);
    portal.buy("New one").await;
    assert_eq!(portal.news().await, ["asset.published"]);
}

/// Troubles of the portal, and what they are to the engine.
fn troubles() -> Vec<(Value, FailureClass, &'static str)> {
    let pace = Some(Millis::seconds(5));
    let long = Some(Millis::seconds(40));
    let waits = |after| FailureClass::Retry { after };
    vec![
        (
            json!({"kind": "too_many", "retry_after": 40}),
            waits(long),
            "rate_limited",
        ),
        (
            json!({"kind": "too_many", "retry_after": 1}),
            waits(pace),
            "rate_limited",
        ),
        (json!({"kind": "html"}), waits(pace), "maintenance"),
        (json!({"kind": "maintenance"}), waits(pace), "maintenance"),
        (
            json!({"kind": "unavailable"}),
            waits(pace),
            "provider_error",
        ),
        (
            json!({"kind": "unauthorized", "times": 2}),
            FailureClass::Reauthorise,
            "access_refused",
        ),
        (
            json!({"kind": "forbidden", "times": 2}),
            FailureClass::Misconfigured,
            "permission_denied",
        ),
    ]
}

#[tokio::test]
async fn troubles_in_the_middle_of_a_task_lose_and_repeat_nothing() {
    let mut portal = Portal::start(everything()).await;
    portal.scan().await;
    portal
        .world
        .deed("settings", json!({"task_polls": 9}))
        .await;
    portal.buy("One").await;
    portal.reader.batch().await.unwrap();
    let executions = portal.executions().await;
    for (mut trouble, class, code) in troubles() {
        trouble["area"] = json!("portals");
        let cursor = portal.reader.cursor.clone();
        portal.world.deed("outage", trouble.clone()).await;
        let failure = portal.reader.batch().await.expect_err(&trouble.to_string());
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (class, code),
            "{trouble}"
        );
        assert_eq!(portal.reader.cursor, cursor);
        let link = portal
            .reader
            .feed()
            .link(Some(&failure), portal.cells.now)
            .unwrap();
        assert_eq!(link.data["link"]["part"], "portals");
        portal.world.deed("recover", json!({})).await;
    }
    portal
        .world
        .deed("tokens", json!({"expire_access": true}))
        .await;
    assert_eq!(
        portal.news().await,
        ["asset.published"],
        "a token is renewed unseen"
    );
    assert_eq!(
        portal.executions().await,
        executions,
        "the same task all along"
    );
    assert_eq!(portal.scan().await, []);
}
