//! Signed webhooks: right, wrong, old, rotated, malformed; plain bodies and CloudEvents.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::connector::{Connection, Inbound};
use bellwether_model::event::NewEvent;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::time::Time;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::{Arc, LazyLock};

use crate::common::{StillClock, connect, host, try_connect};

const KEY: &[u8] = b"the key of this test, 24 bytes or more";
const OLD_KEY: &[u8] = b"the key that was used before this one";
const NOW: &str = "2026-03-02T08:00:00Z";

fn whsec(key: &[u8]) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(key))
}

fn sign(key: &[u8], id: &str, stamp: &str, body: &[u8]) -> String {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key).expect("a key");
    for part in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn seconds(from_now: i64) -> String {
    (Time::parse(NOW).expect("a time").seconds() + from_now).to_string()
}

fn request(id: &str, stamp: &str, signature: &str, body: &str) -> RawRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    RawRequest {
        inlet: String::new(),
        headers: vec![
            header("content-type", "application/json"),
            header("webhook-id", id),
            header("webhook-timestamp", stamp),
            header("webhook-signature", signature),
        ],
        body: body.as_bytes().to_vec(),
    }
}

fn signed(body: &str) -> RawRequest {
    let stamp = seconds(0);
    request(
        "msg_1",
        &stamp,
        &sign(KEY, "msg_1", &stamp, body.as_bytes()),
        body,
    )
}

fn webhook(mut settings: Value) -> Arc<dyn Connection> {
    if settings.get("secrets").is_none() {
        settings["secrets"] = whsec(KEY).into();
    }
    connect("webhook", settings, host(StillClock::at(NOW)))
}

fn event(connection: &dyn Connection, request: &RawRequest) -> NewEvent {
    match connection.receive(request).expect("taken").as_slice() {
        [Inbound::Event(event)] => event.clone(),
        other => panic!("one event, not {other:?}"),
    }
}

fn refused(connection: &dyn Connection, request: &RawRequest) -> RawAnswer {
    connection.receive(request).expect_err("refused")
}

#[test]
fn the_published_example_of_the_standard_is_accepted() {
    // From the specification's own reference libraries.
    let settings = json!({"secrets": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "tolerance_seconds": 1_000_000_000});
    let body = r#"{"test": 2432232314}"#;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let request = request(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        signature,
        body,
    );
    let event = event(&*webhook(settings), &request);
    assert_eq!(event.id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(*event.data, json!({"body": {"test": 2_432_232_314_u32}}));
}

#[test]
fn a_signed_body_becomes_an_event_as_the_settings_say() {
    let body = r#"{"event":{"type":"order.blocked","id":4711},"amount":4200}"#;
    let plain = event(&*webhook(json!({})), &signed(body));
    assert_eq!(
        (plain.source.as_str(), plain.id.as_str()),
        ("test", "msg_1")
    );
    assert_eq!(plain.kind, "webhook.received");
    assert_eq!(plain.time, Time::parse(NOW).expect("a time"));
    assert_eq!(plain.data["body"]["amount"], 4200);

    let settings = json!({"type_path": "event.type", "id_path": "event.id", "noun": "order"});
    let mapped = event(&*webhook(settings), &signed(body));
    assert_eq!(
        (mapped.id.as_str(), mapped.kind.as_str()),
        ("4711", "order.blocked")
    );
    assert_eq!(mapped.data["order"]["amount"], 4200);

    let settings = json!({"type_path": "none", "event_type": "order.seen"});
    assert_eq!(event(&*webhook(settings), &signed(body)).kind, "order.seen");
    let refusal = refused(&*webhook(json!({"id_path": "event.number"})), &signed(body));
    assert_eq!(refusal.status, 400);
}

#[test]
fn a_wrong_old_or_missing_signature_is_refused() {
    let hook = webhook(json!({}));
    let body = r#"{"a":1}"#;
    let right = signed(body);
    assert!(hook.receive(&right).is_ok());
    let stamp = seconds(0);
    let good = sign(KEY, "msg_1", &stamp, body.as_bytes());
    let with = |id: &str, stamp: &str, signature: &str, body: &str| {
        refused(&*hook, &request(id, stamp, signature, body)).status
    };
    assert_eq!(with("msg_2", &stamp, &good, body), 401, "another id");
    assert_eq!(with("msg_1", &seconds(1), &good, body), 401, "another time");
    assert_eq!(
        with("msg_1", &stamp, &good, r#"{"a":2}"#),
        401,
        "another body"
    );
    let wrong = sign(b"another key", "msg_1", &stamp, body.as_bytes());
    assert_eq!(with("msg_1", &stamp, &wrong, body), 401, "another key");
    for signature in [
        "",
        "v1,",
        "v1,!!!",
        "v2,abc",
        "v1",
        &good[..20],
        &good.replace("v1", "v1a"),
    ] {
        assert_eq!(with("msg_1", &stamp, signature, body), 401, "{signature:?}");
    }
    for (from_now, taken) in [(-300, true), (-301, false), (300, true), (301, false)] {
        let stamp = seconds(from_now);
        let signature = sign(KEY, "msg_1", &stamp, body.as_bytes());
        let result = hook.receive(&request("msg_1", &stamp, &signature, body));
        assert_eq!(result.is_ok(), taken, "{from_now} s");
    }
    for stamp in ["", "now", "1e9", "99999999999999999999"] {
        let signature = sign(KEY, "msg_1", stamp, body.as_bytes());
        assert_eq!(with("msg_1", stamp, &signature, body), 401, "{stamp:?}");
    }
    for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut request = right.clone();
        request.headers.retain(|(name, _)| name != missing);
        assert_eq!(refused(&*hook, &request).status, 401, "{missing}");
    }
    let mut elsewhere = right;
    elsewhere.inlet = "status".to_owned();
    assert_eq!(refused(&*hook, &elsewhere).status, 404);
}

#[test]
fn both_secrets_hold_while_a_secret_changes() {
    let stamp = seconds(0);
    let old = sign(OLD_KEY, "msg_1", &stamp, b"{}");
    let new = sign(KEY, "msg_1", &stamp, b"{}");
    let rotating = webhook(json!({"previous_secret": whsec(OLD_KEY)}));
    let both = format!("{old} {new}");
    for signature in [&old, &new, &both] {
        assert!(
            rotating
                .receive(&request("msg_1", &stamp, signature, "{}"))
                .is_ok()
        );
    }
    let changed = webhook(json!({}));
    assert!(
        changed
            .receive(&request("msg_1", &stamp, &both, "{}"))
            .is_ok()
    );
    assert_eq!(
        refused(&*changed, &request("msg_1", &stamp, &old, "{}")).status,
        401
    );
}

#[tokio::test]
async fn without_a_secret_everything_is_refused_and_a_bad_secret_is_said() {
    let none = connect("webhook", json!({}), host(StillClock::at(NOW)));
    let stamp = seconds(0);
    for key in [b"".as_slice(), b"whsec_", KEY] {
        let signature = sign(key, "msg_1", &stamp, b"{}");
        assert_eq!(
            refused(&*none, &request("msg_1", &stamp, &signature, "{}")).status,
            401
        );
    }
    assert_eq!(
        none.check().await.expect_err("no secret").code,
        "missing_setting"
    );
    for bad in ["secret", "whsec_", "whsec_%%%"] {
        let failure = try_connect(
            "webhook",
            json!({"secrets": bad}),
            host(StillClock::at(NOW)),
        );
        assert_eq!(failure.expect_err(bad).code, "bad_secret");
    }
    assert!(webhook(json!({})).check().await.is_ok());
}

#[test]
fn a_body_that_is_no_object_is_malformed() {
    let hook = webhook(json!({}));
    let deep = "[".repeat(10_000);
    for body in [
        "",
        "{",
        "[]",
        "1",
        "\"text\"",
        "null",
        "{\"a\":1}x",
        deep.as_str(),
    ] {
        let refusal = refused(&*hook, &signed(body));
        assert_eq!(refusal.status, 400, "{body:.20}");
        assert!(serde_json::from_str::<Value>(&refusal.body).is_ok());
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024 - 9));
    assert_eq!(refused(&*hook, &signed(&large)).status, 413);
}

fn cloud(body: &Value) -> RawRequest {
    let mut request = signed(&body.to_string());
    request.headers[0].1 = "application/cloudevents+json; charset=utf-8".to_owned();
    request
}

#[test]
fn a_structured_cloud_event_keeps_its_own_envelope() {
    let hook = webhook(json!({}));
    let good = json!({"specversion": "1.0", "id": "7", "source": "/erp", "type": "order.blocked",
        "subject": "4711", "time": "2026-03-01T10:00:00+01:00", "data": {"amount": 1}});
    let read = event(&*hook, &cloud(&good));
    assert_eq!(
        (read.id.as_str(), read.kind.as_str()),
        ("/erp 7", "order.blocked")
    );
    assert_eq!(read.subject.as_deref(), Some("4711"));
    assert_eq!(
        read.time,
        Time::parse("2026-03-01T09:00:00Z").expect("a time")
    );
    assert_eq!(*read.data, json!({"body": {"amount": 1}}));
    for (field, wrong) in [
        ("specversion", json!("0.3")),
        ("id", json!(7)),
        ("id", json!("")),
        ("source", Value::Null),
        ("type", json!("two words")),
        ("time", json!("yesterday")),
        ("data", json!([1])),
    ] {
        let mut body = good.clone();
        body[field] = wrong;
        assert_eq!(refused(&*hook, &cloud(&body)).status, 400, "{field}");
    }
    let mut unsigned = cloud(&good);
    unsigned.headers.truncate(1);
    assert_eq!(refused(&*hook, &unsigned).status, 401);
}

#[test]
fn a_space_in_a_source_or_id_makes_no_two_events_one() {
    let hook = webhook(json!({}));
    let id = |source: &str, id: &str| {
        let body = json!({"specversion": "1.0", "id": id, "source": source, "type": "x"});
        event(&*hook, &cloud(&body)).id
    };
    assert_ne!(id("a", "b c"), id("a b", "c"));
    assert_ne!(id("a%20b", "c"), id("a b", "c"));
    assert_eq!(id("/erp/de", "7"), "/erp/de 7");
}

#[test]
fn a_body_is_not_called_what_others_prove() {
    for noun in ["mail", "push", "people", "schedule"] {
        let settings = json!({"secrets": "whsec_c2VjcmV0", "noun": noun});
        let failure = try_connect("webhook", settings, host(StillClock::at(NOW)));
        let failure = failure.expect_err(noun);
        assert_eq!(failure.code, "bad_noun");
        assert!(failure.to_string().contains(noun), "{failure}");
    }
}

#[test]
fn a_sender_cannot_pretend_to_be_the_engine_or_another_connector() {
    let hook = webhook(json!({"type_path": "type"}));
    for kind in [
        "push.acted",
        "flow.called",
        "digest.line",
        "gmail.message.received",
        "engine",
        "people.decided",
        "",
        "a b",
    ] {
        let refusal = refused(&*hook, &signed(&json!({ "type": kind }).to_string()));
        assert_eq!(refusal.status, 400, "{kind:?}");
    }
    assert!(hook.receive(&signed(r#"{"type":"pushed.x"}"#)).is_ok());
    let failure = try_connect(
        "webhook",
        json!({"event_type": "push.acted"}),
        host(StillClock::at(NOW)),
    );
    assert_eq!(failure.expect_err("reserved").code, "bad_type");
}

/// Made once: a client with its certificates takes longer than a thousand requests to judge.
static HOOK: LazyLock<Arc<dyn Connection>> = LazyLock::new(|| webhook(json!({})));

proptest! {
    #[test]
    fn no_unsigned_bytes_get_in_and_nothing_panics(
        headers in proptest::collection::vec(("webhook-[a-z]{2,9}", any::<String>()), 0..5),
        signature in any::<String>(),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut request = request("id", &seconds(0), &signature, "");
        request.headers.extend(headers);
        request.body = body;
        prop_assert_eq!(refused(&**HOOK, &request).status, 401);
    }

    #[test]
    fn whatever_is_signed_is_an_event_or_malformed(
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let stamp = seconds(0);
        let mut request = request("id", &stamp, &sign(KEY, "id", &stamp, &body), "");
        request.body = body;
        match HOOK.receive(&request) {
            Ok(events) => prop_assert_eq!(events.len(), 1),
            Err(refusal) => prop_assert_eq!(refusal.status, 400),
        }
    }
}
