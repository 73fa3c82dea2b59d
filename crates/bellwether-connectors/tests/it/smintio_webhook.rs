//! Webhooks of the Smint.io connector: every kind of signature, and what becomes of a body.

use std::sync::Arc;

use bellwether_model::connector::Inbound;
use bellwether_model::event::NewEvent;
use bellwether_model::http::{RawAnswer, RawRequest};
use serde_json::{Value, json};

use crate::common::{Server, connect, json as answer};
use crate::smintio_world::World;

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

/// A sender whose events have no id of their own: a task and its state are one.
#[tokio::test]
async fn a_body_can_be_put_together_from_several_fields() {
    let receiver = Receiver::start().await;
    let mapping = json!({"type": "task.{task.kind}.{task.state}", "id": "{task.nr}/{task.state}",
        "types": {"task.access.Approved": "request.approved"},
        "data": {"request": {"kind": "task.kind", "title": "{task.kind}: {task.who.name}"}}});
    let task = json!({"kind": "access", "state": "Approved", "nr": 7, "who": {"name": "Carla"}});
    let event = |task: &serde_json::Value| json!({"event": {"task": task}});
    let settings = json!({ "mapping": mapping });
    let said = receiver
        .event("right", event(&task), settings.clone())
        .await;
    assert_eq!(
        (said.kind.as_str(), said.id.as_str()),
        ("smintio.request.approved", "hook/7/Approved")
    );
    assert_eq!(said.data["request"]["title"], "access: Carla");
    // What is not there makes no id.
    let mut nameless = task.clone();
    nameless["nr"] = json!(null);
    let said = receiver.event("right", event(&nameless), settings).await;
    assert_eq!(said.kind, "smintio.webhook.undecodable");
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
