//! What the companion app and the provider report: keys, limits, strict types, and the mapping of
//! delivery states.

use std::sync::{Arc, LazyLock};

use bellwether_model::connector::{Connection, EngagementKind, Inbound};
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::hex;
use bellwether_model::notification::Delivery;
use bellwether_model::time::Time;
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::common::{RealClock, connect, host};

const APP_KEY: &str = "the companion app's key";
const STATUS: &str = "the status secret";

fn opentext(app_key: &str, status: &str) -> Arc<dyn Connection> {
    let settings = json!({"base_url": "http://127.0.0.1:1", "user": "u", "password": "p",
        "engagement_key": app_key, "status_secret": status});
    connect("opentext_push", settings, host(Arc::new(RealClock)))
}

fn request(inlet: &str, header: (&str, String), body: &Value) -> RawRequest {
    RawRequest {
        inlet: inlet.to_owned(),
        headers: vec![(header.0.to_owned(), header.1)],
        body: body.to_string().into_bytes(),
    }
}

fn bearer(key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}

fn report() -> Value {
    json!({"id": "r1", "token": "nt", "event": "acted", "action": "approve", "comment": "fine",
        "shown": "abc", "at": "2026-03-02T09:00:00+01:00", "device": "device-alice"})
}

fn read(body: &Value) -> Result<Vec<Inbound>, RawAnswer> {
    OPENTEXT.receive(&request("engagement", bearer(APP_KEY), body))
}

#[test]
fn a_report_is_read_as_the_app_sent_it() {
    let inbound = read(&report()).expect("taken");
    let [Inbound::Engagement(report)] = inbound.as_slice() else {
        panic!("one report, not {inbound:?}")
    };
    assert_eq!((report.id.as_str(), report.token.expose()), ("r1", "nt"));
    let (choice, comment) = ("approve".to_owned(), "fine".to_owned());
    assert_eq!(report.what, EngagementKind::Acted { choice, comment });
    assert_eq!(
        (report.shown.as_str(), report.device.as_str()),
        ("abc", "device-alice")
    );
    assert_eq!(report.at, Time::parse("2026-03-02T08:00:00Z").ok());
    assert!(
        !format!("{inbound:?}").contains("nt\""),
        "the token is a secret"
    );
    for (word, what) in [
        ("received", EngagementKind::Received),
        ("opened", EngagementKind::Opened),
        ("dismissed", EngagementKind::Dismissed),
    ] {
        let body = json!({"id": "r", "token": "t", "event": word, "later": {"version": 2}});
        let inbound = read(&body).expect("only what is needed");
        assert!(
            matches!(&inbound[0], Inbound::Engagement(r) if r.what == what),
            "{word}"
        );
    }
}

#[test]
fn only_the_right_app_key_gets_in() {
    let body = report();
    let send = |connection: &dyn Connection, header| {
        connection
            .receive(&request("engagement", header, &body))
            .map_err(|answer| answer.status)
    };
    let good = opentext(APP_KEY, STATUS);
    assert!(send(&*good, bearer(APP_KEY)).is_ok());
    assert!(send(&*good, ("authorization", format!("bearer {APP_KEY}"))).is_ok());
    for wrong in ["", "x", "the companion app's keY", STATUS, &APP_KEY[1..]] {
        assert_eq!(send(&*good, bearer(wrong)), Err(401), "{wrong}");
    }
    assert_eq!(
        send(&*good, ("authorization", APP_KEY.to_owned())),
        Err(401)
    );
    assert_eq!(send(&*good, ("x-app-key", APP_KEY.to_owned())), Err(401));
    let closed = opentext("", "");
    for any in ["", " ", APP_KEY] {
        assert_eq!(
            send(&*closed, bearer(any)),
            Err(401),
            "an empty key refuses everybody"
        );
    }
    let elsewhere = request("other", bearer(APP_KEY), &body);
    assert_eq!(good.receive(&elsewhere).expect_err("no inlet").status, 404);
}

#[test]
fn wrong_types_and_too_long_texts_are_malformed() {
    for (field, wrong) in [
        ("id", json!(1)),
        ("id", json!("")),
        ("id", json!("x".repeat(129))),
        ("id", Value::Null),
        ("token", json!("")),
        ("token", json!("x".repeat(513))),
        ("token", json!(["nt"])),
        ("event", json!("liked")),
        ("event", json!(1)),
        ("action", json!("")),
        ("action", json!({"id": "approve"})),
        ("action", json!("x".repeat(65))),
        ("comment", json!("x".repeat(2001))),
        ("comment", json!(7)),
        ("shown", json!(true)),
        ("at", json!("yesterday")),
        ("at", json!(1_772_438_400)),
        ("device", json!([])),
    ] {
        let mut body = report();
        body[field] = wrong.clone();
        let answer = read(&body).expect_err(field);
        assert_eq!(answer.status, 400, "{field}: {wrong:.40}");
    }
    for field in ["id", "token", "event", "action"] {
        let mut body = report();
        body.as_object_mut().expect("an object").remove(field);
        assert_eq!(
            read(&body).expect_err(field).status,
            400,
            "{field} is missing"
        );
    }
    let mut long = report();
    long["comment"] = json!("ü".repeat(2000));
    assert!(read(&long).is_ok(), "2000 characters, not bytes");
    let mut twice = request("engagement", bearer(APP_KEY), &json!({}));
    twice.body =
        br#"{"id":"a","token":"t","event":"opened","event":"acted","action":"a"}"#.to_vec();
    let answer = opentext(APP_KEY, STATUS)
        .receive(&twice)
        .expect_err("a key twice");
    assert_eq!(answer.status, 400);
}

fn job(state: &str, code: Value, events: &[&str]) -> Value {
    let events: Vec<_> = events
        .iter()
        .map(|status| json!({"event_time": "2026-03-02T08:00:00Z", "status": status}))
        .collect();
    json!({"job_id": "usme-1", "job_state": ["Complete", "Posted"], "deliveries": [{
        "push": "device-alice", "delivery_attempts": [{"state": state, "gamma_code": code}],
        "events": {"push_delivery_events": events}}]})
}

fn status(body: &Value) -> Result<Vec<Inbound>, RawAnswer> {
    OPENTEXT.receive(&request("status", bearer(STATUS), body))
}

#[test]
fn states_become_no_more_than_they_say() {
    for (body, delivery) in [
        (job("Pending", json!(0), &[]), Delivery::Accepted),
        (job("Held", Value::Null, &[]), Delivery::Accepted),
        (job("Sent", json!(0), &[]), Delivery::HandedOff),
        (job("Sent", json!(0), &["Confirmed"]), Delivery::Delivered),
        (job("Sent", json!(0), &["Expired"]), Delivery::Expired),
        (job("Sent", json!(17), &[]), Delivery::Failed),
        (job("Sent", json!(17), &["Confirmed"]), Delivery::Delivered),
        (job("Error", json!(9), &[]), Delivery::Failed),
        (job("Cancelled", json!(0), &[]), Delivery::Failed),
        (job("Sent", json!(0), &["Unheard"]), Delivery::HandedOff),
        (json!({"job_id": "usme-1"}), Delivery::Accepted),
    ] {
        let inbound = status(&body).expect("taken");
        let [Inbound::Status(report)] = inbound.as_slice() else {
            panic!("one status, not {inbound:?}")
        };
        assert_eq!(
            (report.reference.as_str(), report.delivery),
            ("usme-1", delivery),
            "{body}"
        );
    }
    let many = json!([job("Sent", json!(0), &[]), job("Error", json!(1), &[])]);
    assert_eq!(status(&many).expect("taken").len(), 2);
    for wrong in [
        json!({}),
        json!({"job_id": ""}),
        json!({"job_id": 1}),
        json!("x"),
        json!([1]),
    ] {
        assert_eq!(
            status(&wrong).expect_err("malformed").status,
            400,
            "{wrong}"
        );
    }
}

#[test]
fn a_status_is_proved_by_secret_or_signature() {
    let body = job("Sent", json!(0), &[]);
    let sign = |key: &str, body: &Value| {
        let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key.as_bytes()).expect("a key");
        mac.update(body.to_string().as_bytes());
        let mac = hex(&mac.finalize().into_bytes());
        ("x-status-signature", format!("sha256={mac}"))
    };
    let send = |connection: &dyn Connection, header| {
        connection
            .receive(&request("status", header, &body))
            .map_err(|answer| answer.status)
    };
    let good = opentext(APP_KEY, STATUS);
    assert!(send(&*good, bearer(STATUS)).is_ok());
    assert!(send(&*good, sign(STATUS, &body)).is_ok());
    assert_eq!(send(&*good, bearer(APP_KEY)), Err(401));
    assert_eq!(send(&*good, sign("another", &body)), Err(401));
    assert_eq!(
        send(&*good, sign(STATUS, &json!({}))),
        Err(401),
        "another body"
    );
    for wrong in ["", "sha256=", "sha256=zz", "md5=00"] {
        assert_eq!(
            send(&*good, ("x-status-signature", wrong.to_owned())),
            Err(401)
        );
    }
    let closed = opentext(APP_KEY, "");
    assert_eq!(send(&*closed, bearer("")), Err(401));
    assert_eq!(
        send(&*closed, sign("", &body)),
        Err(401),
        "an empty secret refuses everybody"
    );
}

/// Made once: a client with its certificates takes longer than a thousand requests to judge.
static OPENTEXT: LazyLock<Arc<dyn Connection>> = LazyLock::new(|| opentext(APP_KEY, STATUS));

proptest! {
    #[test]
    fn no_bytes_make_an_inlet_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (inlet, key) in [("engagement", APP_KEY), ("status", STATUS)] {
            let mut request = request(inlet, bearer(key), &json!({}));
            request.body.clone_from(&body);
            if let Err(answer) = OPENTEXT.receive(&request) {
                prop_assert_eq!(answer.status, 400);
            }
        }
    }
}
