//! Checks, settings, the provider's answers one by one, and what a phone reports back.

use std::sync::{Arc, Mutex};

use bellwether_model::connector::Inbound;
use bellwether_model::failure::FailureClass;
use bellwether_model::http::RawRequest;
use bellwether_model::notification::Delivery;
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use crate::common::{self, RealClock, Reply, Server, StillClock, action, connect, host, until};
use crate::sandbox::{World, args, push};

#[tokio::test]
async fn a_check_finds_out_what_can_be_found_out_without_a_push() {
    let world = World::start().await;
    let identity = |profile: &'static str| {
        let connection = world.connect(profile);
        async move { connection.check().await.expect("checked").identity }
    };
    assert!(
        identity("basic")
            .await
            .contains("first used with the first push")
    );
    assert_eq!(
        identity("client_credentials").await,
        "client alpenwerk-client"
    );
    assert_eq!(identity("otag-fcm").await, "app alpenwerk-approvals");
    let bad = world.connect_with("client_credentials", json!({"client_secret": "wrong"}));
    assert_eq!(
        bad.check().await.expect_err("wrong").class,
        FailureClass::Reauthorise
    );
    let bad = world.connect_with("otag-fcm", json!({"otag_app_key": "wrong"}));
    assert_eq!(
        bad.check().await.expect_err("wrong").class,
        FailureClass::Misconfigured
    );
    assert_eq!(world.get("/admin/pushes").await["total"], 0);
}

#[tokio::test]
async fn the_operators_own_payload_and_submit_id_are_sent() {
    let world = World::start().await;
    let payload = json!({"to": "{{ address }}", "ttl": "{{ ttl_seconds }}", "flags": [1, true],
        "line": "{{ title }} ({{ importance }}/{{ priority }})", "end": "{{ expires_unix }}"});
    let changes = json!({"payload": payload, "submit_id": true, "filename": "{{ case }}.json"});
    let connection = world.connect_with("basic", changes);
    let mut args = args("T");
    args["expires_at"] = "2026-03-02T08:00:00Z".into();
    args["importance"] = "low".into();
    push(&*connection, &args).await.expect("taken");
    let seen = &world.get("/admin/pushes").await["items"][0];
    assert_eq!(
        seen["inner"],
        json!({"to": "device-alice", "ttl": 600, "flags": [1, true],
            "line": "T (low/NORMAL)", "end": "1772438400"})
    );
    let effect = action("push", &args).effect.to_string();
    assert_eq!(seen["submit_id"], effect);
}

#[test]
fn settings_that_cannot_work_are_said_when_connecting() {
    let base = json!({"base_url": "https://api.example.com"});
    let with = |more: Value| {
        let mut settings = base.clone();
        for (name, value) in common::object(&more) {
            settings[name] = value.clone();
        }
        common::try_connect("opentext_push", settings, host(Arc::new(RealClock)))
            .expect_err("cannot work")
    };
    for (settings, said) in [
        (json!({}), "`user`"),
        (json!({"user": "u"}), "`password`"),
        (
            json!({"base_url": "https://u:p@api.example.com"}),
            "`base_url`",
        ),
        (json!({"auth": "client_credentials"}), "`token_url`"),
        (json!({"profile": "otag-fcm"}), "`otag_app`"),
        (
            json!({"profile": "otag-fcm", "otag_app": "a"}),
            "`otag_app_key`",
        ),
        (
            json!({"user": "u", "password": "p", "payload": {"a": ["{{ titel }}"]}}),
            "`payload.a.0`: `titel` is not known; known: title, text",
        ),
    ] {
        let failure = with(settings);
        assert_eq!(failure.class, FailureClass::Misconfigured);
        assert!(failure.message.contains(said), "{failure}");
    }
}

#[tokio::test]
async fn each_answer_leads_to_one_thing_and_repeats_no_secret() {
    let never = FailureClass::Retry { after: None };
    let wait = FailureClass::Retry {
        after: Some(Millis::seconds(3)),
    };
    let now = FailureClass::Retry {
        after: Some(Millis(0)),
    };
    let an_hour = FailureClass::Retry {
        after: Some(Millis::hours(1)),
    };
    for (status, retry_after, body, class) in [
        (400, "", "bad json", FailureClass::Reject),
        (400, "", "errorCode UNREGISTERED", FailureClass::Reject),
        (401, "", "", FailureClass::Reauthorise),
        (403, "", "", FailureClass::Misconfigured),
        (404, "", "", FailureClass::Misconfigured),
        (404, "", "UNREGISTERED", FailureClass::Reject),
        (413, "", "", FailureClass::Reject),
        (429, "3", "", wait),
        (500, "", "", never),
        (503, "3", "", wait),
        (502, "3", "", FailureClass::MaybeDone),
        (504, "", "", FailureClass::MaybeDone),
        (302, "", "", FailureClass::Misconfigured),
        (503, "Sun, 01 Mar 2026 08:00:00 GMT", "", now),
        (503, "Mon, 02 Mar 2026 08:00:03 GMT", "", wait),
        (503, "3600", "", an_hour),
        // Who wants us away for longer gets no push: the mail that stands in goes out now.
        (503, "31536000", "", FailureClass::Reject),
        (429, "999999", "", FailureClass::Reject),
        (503, "soon", "", never),
    ] {
        let server = Server::start(move |seen, _| {
            let echo = format!(
                "{body} {} {:?} hidden-word own-token",
                seen.body, seen.headers
            );
            let headers = match retry_after {
                "" => vec![],
                after => vec![("Retry-After", after.to_owned())],
            };
            Reply::Answer(status, headers, echo)
        })
        .await;
        let settings = json!({"base_url": server.url(""), "user": "u", "password": "hidden-word"});
        let clock = StillClock::at("2026-03-02T08:00:00Z");
        let connection = connect("opentext_push", settings, host(clock));
        let failure = push(&*connection, &args("x")).await.expect_err("an error");
        assert_eq!(failure.class, class, "{status} {body}");
        let shown = format!("{failure:?}");
        assert!(
            !shown.contains("dTpoaWRkZW4td29yZA")
                && !shown.contains("hidden-word")
                && !shown.contains("own-token"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_2xx_of_any_shape_is_accepted() {
    for (body, reference) in [
        ("", None),
        ("{}", None),
        ("not json", None),
        (r#"{"job_id":"usme-7"}"#, Some("usme-7")),
        (r#"{"job_id":7}"#, Some("7")),
        (r#"{"job_id":{"x":1}}"#, None),
    ] {
        let server = Server::start(move |_, _| Reply::Answer(202, vec![], body.to_owned())).await;
        let settings = json!({"base_url": server.url("/"), "user": "u", "password": "p"});
        let connection = connect("opentext_push", settings, host(Arc::new(RealClock)));
        let outcome = push(&*connection, &args("x")).await.expect("taken");
        assert_eq!(outcome.delivery, Delivery::Accepted);
        assert_eq!(outcome.reference.as_deref(), reference, "{body}");
        assert_eq!(server.seen()[0].line, "POST /mra/v1/utils/parser HTTP/1.1");
    }
}

/// The sandbox's phone and this connector were written apart from the same description.
#[tokio::test]
async fn what_a_phone_reports_is_what_the_inlet_reads() {
    let world = World::start().await;
    let connection = world.connect_with("basic", json!({"engagement_key": "app-key"}));
    let reports: Arc<Mutex<Vec<Inbound>>> = Arc::default();
    let (inlet, kept) = (Arc::clone(&connection), Arc::clone(&reports));
    let server = Server::start(move |seen, _| {
        let request = RawRequest {
            inlet: "engagement".to_owned(),
            headers: seen.headers.clone().into_iter().collect(),
            body: seen.body.clone().into_bytes(),
        };
        match inlet.receive(&request) {
            Ok(inbound) => {
                kept.lock().expect("reports").extend(inbound);
                common::json(200, &json!({"result": "recorded", "message": "Thank you."}))
            }
            Err(answer) => Reply::Answer(answer.status, vec![], answer.body),
        }
    })
    .await;
    let companion = json!({"engagement_url": server.url("/hooks/x/engagement"),
        "app_key": "app-key"});
    world.post("/admin/companion", companion).await;
    push(&*connection, &args("x")).await.expect("taken");
    world.on_phone("alice", 1).await;
    world.post("/admin/phones/alice/open", json!({})).await;
    let acted = json!({"action": "approve", "comment": "fine"});
    let answer = world.post("/admin/phones/alice/act", acted).await;
    assert_eq!(answer["ok"], true, "{answer}");
    let words: Vec<String> = until("three reports", || async {
        let reports = reports.lock().expect("reports");
        let words = reports.iter().map(|inbound| match inbound {
            Inbound::Engagement(report) => {
                assert_eq!(
                    (report.token.expose(), report.shown.as_str()),
                    ("own-token", "hash")
                );
                assert_eq!(report.device, "device-alice");
                format!("{:?}", report.what)
            }
            other => panic!("a report, not {other:?}"),
        });
        let words: Vec<_> = words.collect();
        (words.len() >= 3).then_some(words)
    })
    .await;
    let acted = r#"Acted { choice: "approve", comment: "fine" }"#;
    for word in ["Received", "Opened", acted] {
        assert!(words.iter().any(|one| one == word), "{word} in {words:?}");
    }
}
