//! Shapes, paging and refusals of the JSON API.

use bellwether_engine::store::TurnRow;
use serde_json::{Value, json};

use crate::client::{send, start};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{detail, empty, id, morning, run_row};

#[tokio::test]
async fn events_are_cloud_events_with_our_extensions() {
    let server = start(morning(), "").await;
    let event = server.json("/api/events/4").await;
    let expected = json!({
        "specversion": "1.0",
        "id": "m4",
        "source": "approvals",
        "type": "gmail.message.received",
        "subject": "message 4",
        "time": "2026-03-02T09:30:00Z",
        "datacontenttype": "application/json",
        "position": 4,
        "receivedat": "2026-03-02T09:30:00Z",
        "hop": 0,
        "flowset": 3,
        "directory": 1,
        "data": { "mail": {
            "subject": "PO-4711 €4,200.00 Huber GmbH",
            "from": { "name": "SAP", "address": "sap@example.com" },
        } },
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let server = start(morning(), "").await;
    let first = server.json("/api/events?limit=2").await;
    assert_eq!(
        (
            first["total"].as_u64(),
            first["items"].as_array().map(Vec::len)
        ),
        (Some(5), Some(2))
    );
    let mut after = first["next"].as_str().expect("more").to_owned();
    let mut seen = vec![1, 2];
    loop {
        let page = server
            .json(&format!("/api/events?limit=2&after={after}"))
            .await;
        seen.extend(
            page["items"]
                .as_array()
                .expect("items")
                .iter()
                .filter_map(|e| e["position"].as_i64()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_eq!(server.json("/api/events?type=push.acted").await["total"], 1);
    assert_eq!(
        server.json("/api/events?newest=true&limit=1").await["items"][0]["position"],
        5
    );
    assert_eq!(server.json("/api/runs?status=open").await["total"], 2);
    let runs = server.json("/api/runs?limit=2").await;
    let next = runs["next"].as_str().expect("more");
    assert_eq!(
        server
            .json(&format!("/api/runs?limit=2&after={next}"))
            .await["items"][0]["key"],
        "PO-4709"
    );
    assert_eq!(
        server.json("/api/notifications?status=maybe_sent").await["total"],
        1
    );
}

#[tokio::test]
async fn a_run_comes_with_journal_effects_timers_and_what_opened_it() {
    let server = start(morning(), "").await;
    let run = server.json(&format!("/api/runs/{}", id(11))).await;
    assert_eq!(run["key"], "PO-4711");
    assert_eq!(run["opened_at"], "2026-03-02T09:30:00Z");
    assert_eq!(run["journal"].as_array().map(Vec::len), Some(3));
    assert_eq!(run["journal"][0]["version"], 1);
    assert_eq!(run["journal"][0]["body"]["at"], "2026-03-02T09:30:00Z");
    assert_eq!(run["journal"][1]["body"]["in"]["event"], 3);
    assert_eq!(run["effects"][0]["delivery"], "accepted");
    assert_eq!(run["effects"][0]["expires_at"], "2026-03-02T17:30:00Z");
    assert_eq!(run["effects"][1]["state"], "maybe_sent");
    assert_eq!(
        run["timers"][0],
        json!({ "name": "rung/approval", "due": "2026-03-02T11:30:00Z" })
    );
    assert_eq!(run["opened_by"]["type"], "gmail.message.received");
}

#[tokio::test]
async fn instants_in_state_and_journal_are_written_as_everywhere() {
    let fake = morning();
    let (at, micros) = ("2026-03-02T09:30:00Z", 1_772_443_800_000_000_i64);
    let mut detail = detail(run_row(11, "PO-4711", "open", 12), "Approve?");
    // As the engine writes it: step ids may be any word, and `at` also says where it waits.
    detail.state = json!({ "f": 1, "at": ["approval"], "asks": { "at": {
        "base": micros, "rung": 1, "paused": micros, "over": ["expired", micros],
        "decided": { "choice": "approve", "at": micros }, "talk": [["dora", "a1"]],
    } } });
    detail.journal[0].body = json!({ "v": 1, "at": micros, "in": { "event": 4 }, "set": 7,
        "said": { "result": "decided", "at": micros } });
    *lock(&fake.runs) = vec![detail];
    let server = start(fake, "").await;
    let run = server.json(&format!("/api/runs/{}", id(11))).await;
    let state = json!({ "f": 1, "at": ["approval"], "asks": { "at": {
        "base": at, "rung": 1, "paused": at, "over": ["expired", at],
        "decided": { "choice": "approve", "at": at }, "talk": [["dora", "a1"]],
    } } });
    assert_eq!(run["state"], state);
    let body = json!({ "v": 1, "at": at, "in": { "event": 4 }, "set": 7,
        "said": { "result": "decided", "at": at } });
    assert_eq!(run["journal"][0]["body"], body);
}

#[tokio::test]
async fn bad_questions_get_a_sentence_and_unknown_things_a_404() {
    let server = start(morning(), "").await;
    let cases = [
        (
            "/api/events?limit=0",
            400,
            "limit must be a number from 1 to 1000, not 0",
        ),
        (
            "/api/events?limit=many",
            400,
            "limit must be a number from 1 to 1000, not many",
        ),
        (
            "/api/events?after=-3",
            400,
            "after must be a position, a whole number from 0, not -3",
        ),
        (
            "/api/runs?status=opne",
            400,
            "status must be one of open, closed, not opne",
        ),
        (
            "/api/runs?stats=open",
            400,
            "there is no filter stats; there are: flow, status, person, limit, after",
        ),
        ("/api/events/99", 404, "there is no event 99"),
        ("/api/events/x", 404, "there is no event x"),
        ("/api/runs/77", 404, "there is no run 77"),
        (
            "/api/connections/nope/ledger",
            404,
            "there is no connection nope",
        ),
        (
            "/api/nope",
            404,
            "there is nothing at this address; /api/overview is a place to begin",
        ),
    ];
    for (path, status, message) in cases {
        let answer = send(server.internal, "GET", path, &[], "").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["message"], message, "{path}");
    }
    let unknown = server.json("/api/runs?status=closed").await;
    assert_eq!(unknown["total"], 1);
}

#[tokio::test]
async fn deciding_for_somebody_names_who_did_it() {
    let server = start(morning(), "").await;
    let path = format!("/api/runs/{}/decide", id(11));
    let body = r#"{"person":"alice","choice":"approve","comment":"by phone"}"#;
    let answer = server.post_json(&path, body).await;
    assert_eq!(answer.status, 200);
    let at = "2026-03-02T09:42:00Z";
    let said = json!({ "result": "decided", "choice": "approve", "by": "alice", "at": at });
    assert_eq!(answer.json(), said);
    assert_eq!(
        *lock(&server.fake.decided_for),
        ["alice approve by phone admin(local)"]
    );

    assert_eq!(
        server
            .post_json(&path, r#"{"person":"alice"}"#)
            .await
            .status,
        400
    );
    assert_eq!(server.post_json(&path, "{not json").await.status, 400);
    let unknown = format!("/api/runs/{}/decide", id(77));
    assert_eq!(server.post_json(&unknown, body).await.status, 404);
    let busy = server
        .post_json(&path, r#"{"person":"a","choice":"busy"}"#)
        .await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("7")));
}

#[tokio::test]
async fn dead_letters_are_retried_once() {
    let server = start(morning(), "").await;
    let path = format!("/api/dead-letters/{}/retry", id(1));
    assert_eq!(
        server.post_json(&path, "").await.json(),
        json!({ "retried": true })
    );
    assert_eq!(server.post_json(&path, "").await.status, 404);
    assert_eq!(server.json("/api/dead-letters").await["total"], 2);
}

#[tokio::test]
async fn connections_say_how_they_are_and_do_what_they_can() {
    let server = start(morning(), "").await;
    let all = server.json("/api/connections").await;
    assert_eq!(all["total"], 3);
    let health = json!({ "state": "ok", "at": "2026-03-02T09:41:00Z" });
    assert_eq!(all["items"][0]["health"], health);
    let ledger = server.json("/api/connections/approvals/ledger").await;
    assert_eq!(
        (ledger["received"].as_u64(), ledger["gaps"].as_u64()),
        (Some(212), Some(2))
    );
    assert_eq!(ledger["cursor"], "48213");
    let verbs = [
        (
            "approvals/test",
            200,
            json!({ "ok": true, "identity": "approvals@example.com" }),
        ),
        ("approvals/read", 200, json!({ "reading": true })),
        ("approvals/recount", 200, json!({ "missing": 2 })),
        ("approvals/sweep", 200, json!({ "found": 2 })),
    ];
    for (verb, status, said) in verbs {
        let answer = server
            .post_json(&format!("/api/connections/{verb}"), "")
            .await;
        assert_eq!((answer.status, answer.json()), (status, said), "{verb}");
    }
    let failed = server
        .post_json("/api/connections/opentext/test", "")
        .await
        .json();
    assert_eq!(
        (failed["ok"].as_bool(), failed["failure"]["code"].as_str()),
        (Some(false), Some("bad_password"))
    );
    assert_eq!(
        server
            .post_json("/api/connections/orders/sweep", "")
            .await
            .status,
        409
    );
    assert_eq!(
        server
            .post_json("/api/connections/approvals/explode", "")
            .await
            .status,
        404
    );
    assert_eq!(
        server
            .post_json("/api/connections/nope/test", "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn overview_probes_and_metrics() {
    let server = start(morning(), "").await;
    let overview = server.json("/api/overview").await;
    assert_eq!(
        (
            overview["open_runs"].as_u64(),
            overview["dead_letters"].as_u64()
        ),
        (Some(2), Some(1))
    );
    assert_eq!(overview["oldest_open"], "2026-03-02T09:30:00Z");
    assert_eq!(overview["connections_needing_you"], 1);
    assert_eq!(server.json("/readyz").await["ready"], true);
    send(server.internal, "GET", "/healthz", &[], "").await;
    let text = send(server.internal, "GET", "/metrics", &[], "").await.body;
    assert!(text.contains("engine_events_total 3\n"), "{text}");
    assert!(text.contains("bellwether_web_pages_total 0\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn an_empty_record_is_a_list_without_items() {
    let server = start(empty(), "").await;
    for path in [
        "events",
        "runs",
        "notifications",
        "dead-letters",
        "connections",
    ] {
        let page = server.json(&format!("/api/{path}")).await;
        assert_eq!(
            page,
            json!({ "total": 0, "items": [], "next": null }),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_and_not_read_as_the_first_page() {
    let server = start(morning(), "").await;
    for list in ["runs", "notifications", "dead-letters"] {
        let path = format!("/api/{list}?after=zzz");
        let answer = send(server.internal, "GET", &path, &[], "").await;
        assert_eq!(answer.status, 400, "{list}: {}", answer.body);
        let said = answer.json()["message"].to_string();
        assert!(said.contains("after") && said.contains("zzz"), "{said}");
    }
}

#[tokio::test]
async fn what_the_public_listener_counts_stands_in_metrics() {
    let server = start(morning(), "").await;
    server.open("/n/waiting", &[]).await;
    send(server.public, "POST", "/hooks/orders", &[], "{}").await;
    send(server.public, "POST", "/hooks/nobody", &[], "{}").await;
    let text = server.get("/metrics").await.body;
    for line in [
        "bellwether_web_pages_total 1",
        "bellwether_web_hooks_taken_total 1",
        "bellwether_web_hooks_refused_total 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_write_shows_in_readiness_and_overview() {
    let server = start(morning(), "").await;
    assert_eq!(server.json("/api/overview").await["trouble"], Value::Null);
    let reason = "database or disk is full";
    *lock(&server.fake.trouble) = Some(reason.to_owned());
    let ready = send(server.internal, "GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    // Probes need no sign-in, so they do not hear the reason.
    assert!(!ready.body.contains("disk"), "{}", ready.body);
    assert_eq!(server.json("/api/overview").await["trouble"], reason);
    let page = server.get("/").await.body;
    assert!(page.contains("Nothing can be recorded at the moment: database or disk is full"));
    *lock(&server.fake.trouble) = None;
    assert_eq!(
        send(server.internal, "GET", "/readyz", &[], "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_long_journal_comes_in_pages() {
    let fake = morning();
    let turn = |version| TurnRow {
        version,
        body: json!({ "at": "2026-03-02T09:42:00Z" }),
    };
    lock(&fake.runs)
        .iter_mut()
        .find(|detail| detail.run.id == id(11))
        .expect("it is there")
        .journal = (1..=2500).map(turn).collect();
    let server = start(fake, "").await;
    let path = format!("/api/runs/{}", id(11));
    let first = server.json(&path).await;
    assert_eq!(first["journal"].as_array().map(Vec::len), Some(1000));
    assert_eq!(first["journal_next"], 1000);
    let last = server.json(&format!("{path}?turns_after=2000")).await;
    assert_eq!(last["journal"].as_array().map(Vec::len), Some(500));
    assert_eq!(
        (&last["journal"][0]["version"], &last["journal_next"]),
        (&json!(2001), &Value::Null)
    );
    let bad = send(
        server.internal,
        "GET",
        &format!("{path}?turns_after=x"),
        &[],
        "",
    )
    .await;
    assert_eq!(bad.status, 400);
    let page = server.get(&format!("/cases/{}", id(11))).await.body;
    assert_eq!(page.matches("<summary>Turn ").count(), 200);
    assert!(page.contains(&format!("/cases/{}?turns_after=200", id(11))));
    assert!(page.len() < 300_000, "{}", page.len());
}

#[tokio::test]
async fn no_answer_holds_a_link_or_the_token_of_a_reply_address() {
    let fake = morning();
    let token = "dgEBmY9-_pQ3".repeat(5);
    let data =
        json!({ "mail": { "reply_token": "tok", "text": format!("see http://x/n/{token}") } });
    for event in lock(&fake.events).iter_mut() {
        event.envelope.data = data.clone().into();
    }
    for detail in lock(&fake.runs).iter_mut() {
        detail.state = data.clone();
        for turn in &mut detail.journal {
            turn.body["quoted"] = data.clone();
        }
        for effect in &mut detail.effects {
            effect.args = data.to_string().into();
        }
    }
    let server = start(fake, "").await;
    let run = id(11);
    for path in [
        "/api/events".to_owned(),
        "/api/events/1".to_owned(),
        format!("/api/runs/{run}"),
        "/events/1".to_owned(),
        format!("/cases/{run}"),
    ] {
        let body = server.get(&path).await.body;
        assert!(!body.contains(&token), "{path}");
        assert!(
            !body.contains("\"tok\"") && !body.contains("&quot;tok&quot;"),
            "{path}"
        );
        assert!(body.contains("/n/removed-by-bellwether"), "{path}");
    }
}
