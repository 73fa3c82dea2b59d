//! The Smint.io connector against its stand-in over HTTP: the feed to its end, tokens, what every
//! refusal means, files, and webhooks with every kind of signature.

use std::sync::Arc;

use bellwether_model::event::NewEvent;
use bellwether_model::failure::FailureClass;
use bellwether_model::time::Millis;
use serde_json::json;

use crate::common::{Reply, Server, json as answer};
use crate::smintio_world::{Reader, World};

fn of_kind<'a>(events: &'a [NewEvent], kind: &str) -> Vec<&'a NewEvent> {
    events.iter().filter(|event| event.kind == kind).collect()
}

fn transactions(events: &[NewEvent]) -> Vec<&NewEvent> {
    of_kind(events, "smintio.transaction")
}

#[tokio::test]
async fn the_first_read_is_marked_and_summed_up_and_later_ones_bring_changes() {
    let world = World::with(37).await;
    for end_cursor in ["same", "new", "null"] {
        world
            .deed("settings", json!({"end_cursor": end_cursor}))
            .await;
        let mut reader = world.reader(json!({}));
        let first = reader.read().await.unwrap();
        let all = transactions(&first);
        assert_eq!(all.len(), 37, "{end_cursor}");
        assert!(all.iter().all(|event| event.data["baseline"] == true));
        let sum = of_kind(&first, "smintio.baseline");
        assert_eq!(sum.len(), 1);
        assert_eq!(sum[0].data["baseline"]["transactions"], 37);
        let cursor = reader.cursor.clone().unwrap();
        assert!(cursor.starts_with("l:") && cursor.len() > 10, "{cursor}");
        assert_eq!(
            reader.read().await.unwrap(),
            [],
            "{end_cursor}: nothing new"
        );
    }
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    let bought = world
        .deed("buy", json!({"name": "New one", "state": "completed"}))
        .await;
    world.deed("redeliver", json!({"count": 5})).await;
    let news = reader.read().await.unwrap();
    assert_eq!(news.len(), 1, "what is given again unchanged is known");
    let event = &news[0];
    assert_eq!(event.data["baseline"], false);
    let transaction = &event.data["transaction"];
    assert_eq!(transaction["uuid"], bought["uuid"]);
    assert_eq!(transaction["asset"]["name"], "New one");
    assert_eq!(transaction["files"][0]["version"], 1);
    let text = event.data.to_string();
    assert!(
        !text.contains("price") && !text.contains("expires="),
        "{text}"
    );
}

#[tokio::test]
async fn a_first_read_that_is_broken_off_goes_on_in_silence() {
    let world = World::with(25).await;
    let mut reader = world.reader(json!({}));
    let (records, more) = reader.batch().await.unwrap();
    assert_eq!((records.len(), more), (10, true));
    // The cursor of the middle is forgotten: the first read begins anew, still silent.
    world.deed("expire_cursors", json!({})).await;
    let mut next = Reader::of(world.connect(json!({})));
    next.cursor = reader.cursor;
    let rest = next.read().await.unwrap();
    let all = transactions(&rest);
    assert_eq!(all.len(), 25);
    assert!(all.iter().all(|event| event.data["baseline"] == true));
    // Later it means reading everything, as news.
    world.deed("expire_cursors", json!({})).await;
    world.deed("buy", json!({})).await;
    let news = next.read().await.unwrap();
    assert_eq!(transactions(&news).len(), 1);
    assert_eq!(news[0].data["baseline"], false);
}

#[tokio::test]
async fn odd_records_are_read_and_a_broken_one_stops_nothing() {
    let world = World::start().await;
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    for odd in ["unknown_enum", "absent", "null", "broken"] {
        world
            .deed(
                "buy",
                json!({"name": odd, "odd": [odd], "state": "completed"}),
            )
            .await;
    }
    world
        .deed("buy", json!({"name": "well", "state": "who_knows"}))
        .await;
    let news = reader.read().await.unwrap();
    assert_eq!(transactions(&news).len(), 4);
    let stubs = of_kind(&news, "smintio.transaction.unreadable");
    assert_eq!(stubs.len(), 1);
    assert_eq!(
        stubs[0].data["unreadable"]["reason"],
        "the record has no uuid"
    );
    let named = |name: &str| {
        let mut all = transactions(&news).into_iter();
        let found = all.find(|event| event.data["transaction"]["asset"]["name"] == name);
        found.unwrap().data["transaction"].clone()
    };
    for odd in ["absent", "null"] {
        let read = named(odd);
        assert!(read.get("can_be_synced").is_none() && read.get("restrictive").is_none());
        assert!(read.get("counters").is_none() && read.get("files").is_none());
    }
    assert_eq!(named("unknown_enum")["asset"]["content_type"], "hologram");
    assert_eq!(named("well")["state"], "who_knows");
}

#[tokio::test]
async fn a_pair_of_reuse_is_read_in_any_order() {
    let world = World::with(60).await;
    let mut reader = world.reader(json!({"limit": 50}));
    let all = reader.read().await.unwrap();
    let uuids: Vec<_> = all
        .iter()
        .filter_map(|event| event.subject.clone())
        .collect();
    let mut later = 0;
    for event in transactions(&all) {
        let own = uuids
            .iter()
            .position(|uuid| Some(uuid) == event.subject.as_ref());
        if let Some(reuses) = event.data["transaction"]["reuses"].as_str() {
            let at = uuids.iter().position(|uuid| uuid == reuses);
            later += usize::from(at.unwrap() > own.unwrap());
        }
    }
    assert!(later > 0, "some come before what they reuse");
}

#[tokio::test]
async fn a_refresh_token_that_is_rotated_is_kept_before_it_is_needed() {
    let world = World::start().await;
    world.deed("tokens", json!({"access_seconds": 3600})).await;
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    assert_eq!(
        world.vault.0.lock().unwrap().len(),
        1,
        "the rotated token is kept"
    );
    for round in 0..3 {
        world.deed("tokens", json!({"expire_access": true})).await;
        world.deed("buy", json!({})).await;
        let news = reader.read().await.unwrap();
        assert_eq!(news.len(), 1, "round {round}");
    }
    // A new process has the setting's token, which is long used up, and the vault's.
    let mut reader = world.reader(json!({}));
    assert_eq!(transactions(&reader.read().await.unwrap()).len(), 3);
    world.deed("tokens", json!({"lose_consent": true})).await;
    let failure = reader.read().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Reauthorise, "{failure}");
    assert_eq!(failure.code, "invalid_grant");
}

#[tokio::test]
async fn every_refusal_has_its_class_and_passes_without_a_loss() {
    use FailureClass::{Misconfigured, Reauthorise, Retry};
    let world = World::start().await;
    let waits = Retry { after: None };
    let table = [
        (
            json!({"kind": "unauthorized", "times": 2}),
            Reauthorise,
            "access_refused",
        ),
        (
            json!({"kind": "forbidden", "times": 2}),
            Misconfigured,
            "permission_denied",
        ),
        (
            json!({"kind": "tenant_not_found"}),
            Misconfigured,
            "tenant_not_found",
        ),
        (json!({"kind": "locked"}), waits, "provider_error"),
        (
            json!({"kind": "too_many", "retry_after": 17}),
            Retry {
                after: Some(Millis::seconds(17)),
            },
            "rate_limited",
        ),
        (json!({"kind": "internal"}), waits, "provider_error"),
        (json!({"kind": "not_implemented"}), waits, "not_implemented"),
        (json!({"kind": "unavailable"}), waits, "provider_error"),
        (json!({"kind": "maintenance"}), waits, "maintenance"),
        (
            json!({"kind": "tenant_selector"}),
            Misconfigured,
            "tenant_not_found",
        ),
        (json!({"kind": "html"}), waits, "maintenance"),
        (json!({"kind": "truncated"}), waits, "broken_answer"),
        (json!({"kind": "reset"}), waits, "broken"),
    ];
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    for (trouble, class, code) in table {
        world.deed("buy", json!({"state": "completed"})).await;
        world.deed("outage", trouble.clone()).await;
        let failure = reader.read().await.expect_err(&trouble.to_string());
        assert_eq!(failure.class, class, "{trouble}: {failure:?}");
        let known = ["truncated", "reset"].contains(&trouble["kind"].as_str().unwrap());
        assert!(known || failure.code == code, "{trouble}: {failure:?}");
        world.deed("recover", json!({})).await;
        assert_eq!(reader.read().await.unwrap().len(), 1, "after {trouble}");
    }
    // Once only: the token is renewed and nobody notices.
    for kind in ["unauthorized", "forbidden"] {
        world.deed("buy", json!({})).await;
        world.deed("outage", json!({"kind": kind})).await;
        assert_eq!(reader.read().await.unwrap().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn without_a_time_the_waits_for_too_many_calls_grow_and_begin_anew() {
    let world = World::start().await;
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    for round in 0..2 {
        world
            .deed("outage", json!({"kind": "too_many", "times": 6}))
            .await;
        for base in [2, 4, 8, 16, 32, 32] {
            let failure = reader.read().await.unwrap_err();
            let FailureClass::Retry { after: Some(after) } = failure.class else {
                panic!("{failure:?}");
            };
            let least = Millis::seconds(base);
            let most = Millis(least.0 * 5 / 4);
            assert!(
                (least..=most).contains(&after),
                "{round}: {after:?} for {base}"
            );
        }
        reader.read().await.unwrap();
    }
}

#[tokio::test]
async fn sign_in_that_is_under_maintenance_is_an_outage() {
    let world = World::start().await;
    for kind in ["maintenance", "html", "unavailable"] {
        world
            .deed("outage", json!({"kind": kind, "area": "oidc", "times": 1}))
            .await;
        let failure = world.reader(json!({})).read().await.unwrap_err();
        let retry = matches!(failure.class, FailureClass::Retry { .. });
        assert!(retry, "{kind}: {failure:?}");
        world.deed("recover", json!({})).await;
    }
    world.reader(json!({})).read().await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_read_are_a_doubt_and_stop_nothing() {
    let world = World::start().await;
    let mut reader = world.reader(json!({}));
    reader.read().await.unwrap();
    world.deed("buy", json!({"state": "completed"})).await;
    let (records, _) = reader.batch().await.unwrap();
    // The one call of the files is refused; the page was read before.
    for (kind, attempts) in [("internal", 3), ("tenant_not_found", 1)] {
        world
            .deed("outage", json!({"kind": kind, "times": 0}))
            .await;
        for attempt in 1..attempts {
            let failure = reader.feed().event(&records[0], attempt).await.unwrap_err();
            assert!(matches!(failure.class, FailureClass::Retry { .. }));
        }
        let event = reader.feed().event(&records[0], attempts).await.unwrap();
        let transaction = &event.data["transaction"];
        assert_eq!(transaction["doubts"], json!(["files"]), "{kind}");
        assert!(transaction.get("files").is_none());
        world.deed("recover", json!({})).await;
    }
    // Paths are settings: without places in them the ids are parameters.
    let paths = json!({"metadata": "meta", "transactions": "feed", "binaries": "files"});
    world.deed("settings", json!({"paths": paths})).await;
    let changes = json!({"transactions_path": "/feed/", "binaries_path": "files",
        "metadata_path": "meta"});
    let mut reader = world.reader(changes);
    assert_eq!(
        reader.connection.check().await.unwrap().identity,
        "tenant probe"
    );
    let all = reader.read().await.unwrap();
    assert!(
        transactions(&all)[0].data["transaction"]
            .get("files")
            .is_some()
    );
    let failure = world.connect(json!({})).check().await.unwrap_err();
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Misconfigured, "not_found")
    );
}

#[tokio::test]
async fn an_answer_that_is_no_feed_is_named_and_a_cursor_that_stands_still_ends_the_read() {
    let server = Server::start(|seen, _| {
        if seen.line.contains("/token") {
            return answer(200, &json!({"access_token": "t", "expires_in": 3600}));
        }
        if seen.line.contains("/still") {
            let record = json!({"uuid": "u-1", "version": 1});
            return answer(
                200,
                &json!({"count": 1, "license_purchase_transactions": [record]}),
            );
        }
        let html = vec![("Content-Type", "text/html".to_owned())];
        match seen.line.contains("/html") {
            true => Reply::Answer(200, html, "<html>".to_owned()),
            false => answer(200, &json!({"items": []})),
        }
    })
    .await;
    let world = World::start().await;
    let reader = |path: &str| {
        let changes = json!({"base_url": server.url(""), "token_url": server.url("/token"),
            "transactions_path": path, "files": false});
        world.reader(changes)
    };
    let failure = reader("other").read().await.unwrap_err();
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Misconfigured, "bad_page")
    );
    let failure = reader("html").read().await.unwrap_err();
    assert_eq!(failure.code, "maintenance");
    let mut still = reader("still");
    assert_eq!(transactions(&still.read().await.unwrap()).len(), 1);
    assert_eq!(still.read().await.unwrap(), []);
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let world = World::start().await;
    let wrong = [
        ("zone", json!("Mars/Olympus")),
        ("limit", json!(51)),
        ("poll_seconds", json!(59)),
        ("campaigns", json!([{"size": 3}])),
        ("tenant", json!("a/b")),
        ("webhook_secret", json!("not base64!")),
    ];
    for (name, value) in wrong {
        let host = world.host(Arc::new(crate::common::RealClock));
        let settings = world.settings(json!({ name: value }));
        let failure = crate::common::try_connect("smintio", settings, host).unwrap_err();
        assert!(failure.message.contains(&format!("`{name}`")), "{failure}");
    }
}

// ---- webhooks ------------------------------------------------------------------------------
