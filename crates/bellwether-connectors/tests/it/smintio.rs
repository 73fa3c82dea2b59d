//! The Smint.io connector against its stand-in over HTTP: the feed to its end, tokens, what every
//! refusal means, files, and webhooks with every kind of signature.

use std::sync::Arc;

use bellwether_model::connector::Inbound;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::FailureClass;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use crate::common::{Reply, Server, connect, json as answer};
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
        (json!({"kind": "not_implemented"}), waits, "provider_error"),
        (json!({"kind": "unavailable"}), waits, "provider_error"),
        (json!({"kind": "maintenance"}), waits, "maintenance"),
        (json!({"kind": "tenant_selector"}), waits, "maintenance"),
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
        ("days", json!([0])),
        ("percents", json!("80")),
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

/// A receiver that keeps what comes, and sends what the stand-in signs.
struct Receiver {
    world: World,
    server: Server,
}

impl Receiver {
    async fn start() -> Self {
        Self {
            world: World::start().await,
            server: Server::start(|_, _| answer(202, &json!({}))).await,
        }
    }

    /// What a connection makes of the stand-in's webhook of that kind.
    async fn send(
        &self,
        mode: &str,
        more: Value,
        settings: Value,
    ) -> Result<Vec<Inbound>, RawAnswer> {
        let mut order = more;
        order["url"] = self.server.url("/hook").into();
        order["mode"] = mode.into();
        self.world.deed("webhook", order).await;
        let seen = self.server.seen().pop().expect("a webhook");
        let request = RawRequest {
            inlet: String::new(),
            headers: seen.headers.into_iter().collect(),
            body: seen.body.into_bytes(),
        };
        let host = self.world.host(Arc::new(crate::common::RealClock));
        connect("smintio", self.world.settings(settings), host).receive(&request)
    }

    async fn event(&self, mode: &str, more: Value, settings: Value) -> NewEvent {
        let inbound = self.send(mode, more, settings).await;
        match inbound
            .unwrap_or_else(|answer| panic!("{mode}: {answer:?}"))
            .pop()
        {
            Some(Inbound::Event(event)) => event,
            other => panic!("{mode}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_webhook_is_believed_only_with_its_signature() {
    let receiver = Receiver::start().await;
    let first = receiver.event("right", json!({}), json!({})).await;
    assert_eq!(first.kind, "smintio.asset.published");
    let again = receiver.event("replayed", json!({}), json!({})).await;
    assert_eq!(first, again, "the same id: recorded once");
    let refused = [
        ("altered", "does not fit"),
        ("old", "too far from now"),
        ("early", "too far from now"),
        ("wrong_secret", "does not fit"),
        ("empty_secret", "does not fit"),
        ("wrong_encoding", "base64"),
        ("unsigned", "x-smintio-signature"),
        ("timeless", "x-smintio-timestamp"),
    ];
    for (mode, reason) in refused {
        let answer = receiver.send(mode, json!({}), json!({})).await.unwrap_err();
        assert_eq!(answer.status, 401, "{mode}");
        assert!(answer.body.contains(reason), "{mode}: {}", answer.body);
    }
    let none = json!({"webhook_secret": ""});
    let answer = receiver
        .send("right", json!({}), none.clone())
        .await
        .unwrap_err();
    assert!(
        answer.body.contains("every call is refused"),
        "{}",
        answer.body
    );
    assert_eq!(
        receiver
            .send("empty_secret", json!({}), none)
            .await
            .unwrap_err()
            .status,
        401
    );
}

#[tokio::test]
async fn a_secret_is_changed_without_a_loss() {
    let receiver = Receiver::start().await;
    let old = receiver.world.info["webhook_secret"].clone();
    let new = receiver
        .world
        .deed("rotate_webhook_secret", json!({}))
        .await;
    let both = json!({"webhook_secret": new["webhook_secret"], "previous_webhook_secret": old});
    for mode in ["right", "rotated"] {
        receiver.event(mode, json!({}), both.clone()).await;
    }
    let one = json!({"webhook_secret": new["webhook_secret"]});
    assert!(receiver.send("rotated", json!({}), one).await.is_err());
}

#[tokio::test]
async fn a_webhook_becomes_an_event_with_our_nouns() {
    let receiver = Receiver::start().await;
    let body = json!({"id": "e-1", "type": "asset.replaced", "occurred_at": "2026-03-02T10:00:00Z",
        "subject": {"asset_id": "a-1", "lpt_uuid": "t-1", "task_id": "k-1"},
        "asset": {"name": "Alpine sunrise"}, "actor": {"user_uuid": "u-1", "name": "Carla"},
        "recipients": {"users": ["bob@example.com"]}, "severity": "critical",
        "data": {"replacement_asset_id": "a-2"}});
    let event = receiver
        .event("right", json!({"event": body}), json!({}))
        .await;
    assert_eq!(
        (event.kind.as_str(), event.id.as_str()),
        ("smintio.asset.replaced", "hook/e-1")
    );
    assert_eq!(event.time.to_string(), "2026-03-02T10:00:00Z");
    let data = &event.data;
    assert_eq!(
        data["asset"],
        json!({"name": "Alpine sunrise", "id": "a-1"})
    );
    assert_eq!(data["transaction"]["uuid"], "t-1");
    assert_eq!(data["actor"]["uuid"], "u-1");
    assert_eq!(data["change"]["replacement_asset_id"], "a-2");
    assert_eq!(data["change"]["recipients"]["users"][0], "bob@example.com");
    assert_eq!(data["severity"], "critical");

    // Another sender's names.
    let body = json!({"event": {"kind": "Used", "nr": 17}, "doc": {"title": "Brochure"}});
    let mapping = json!({"type": "event.kind", "id": "event.nr", "types": {"Used": "asset.used"},
        "data": {"use": {"document": "doc.title"}}});
    let headers = json!({"event": body, "signature_header": "X-Sig", "timestamp_header": "X-Ts"});
    let settings = json!({"mapping": mapping, "signature_header": "X-Sig",
        "timestamp_header": "X-Ts"});
    let event = receiver.event("right", headers, settings).await;
    assert_eq!(
        (event.kind.as_str(), event.id.as_str()),
        ("smintio.asset.used", "hook/17")
    );
    assert_eq!(event.data["use"]["document"], "Brochure");
}

#[tokio::test]
async fn what_is_signed_and_makes_no_sense_is_kept() {
    let receiver = Receiver::start().await;
    let bodies = [
        ("undecodable", json!({}), "no JSON"),
        (
            "right",
            json!({"event": {"id": "1", "type": "smintio.transaction"}}),
            "not known",
        ),
        (
            "right",
            json!({"event": {"id": "1", "type": "campaign.member"}}),
            "not known",
        ),
        ("right", json!({"event": {"type": "asset.used"}}), "no id"),
        ("right", json!({"event": [1]}), "no JSON object"),
    ];
    for (mode, more, reason) in bodies {
        let event = receiver.event(mode, more.clone(), json!({})).await;
        assert_eq!(event.kind, "smintio.webhook.undecodable", "{more}");
        let kept = &event.data["webhook"];
        assert!(kept["reason"].as_str().unwrap().contains(reason), "{kept}");
        assert!(!kept["body"].as_str().unwrap().is_empty());
    }
}
