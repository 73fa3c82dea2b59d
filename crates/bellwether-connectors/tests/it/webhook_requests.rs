//! Requests to other systems over real HTTP: what goes out is what a receiver of the standard
//! takes, under one id however often it is tried, and each answer means what it says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::connector::Inbound;
use bellwether_model::failure::FailureClass;
use bellwether_model::http::RawRequest;
use bellwether_model::notification::Delivery;
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use crate::common::{Reply, Seen, Server, StillClock, action, connect, host, json, try_connect};

const KEY: &[u8] = b"the key that both sides of this know";
const NOW: &str = "2026-03-02T08:00:00Z";

fn whsec() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(KEY))
}

fn approved() -> Value {
    json!({
        "type": "order.approved", "at": "2026-03-02T07:59:58Z", "connection": "tickets",
        "data": {"order": "PO-4711", "amount": "€4,200.00", "by": {"name": "Alice"}},
    })
}

/// The request as an inlet gets it.
fn received(seen: &Seen) -> RawRequest {
    let headers = seen.headers.iter();
    RawRequest {
        inlet: String::new(),
        headers: headers.map(|(a, b)| (a.clone(), b.clone())).collect(),
        body: seen.body.clone().into_bytes(),
    }
}

#[tokio::test]
async fn a_receiver_of_the_standard_takes_what_is_sent() {
    let server = Server::start(|_, number| match number {
        1 => Reply::Silence,
        _ => json(202, &json!({"ok": true})),
    })
    .await;
    let sender = connect(
        "webhook",
        json!({"send_to": server.url("/in"), "send_secret": whsec(),
               "send_authorization": "Bearer known"}),
        host(StillClock::at(NOW)),
    );
    let args = approved();
    let wanted = action("request", &args);
    let first = sender.perform(&wanted);
    // Nobody answers: the first try is given up once the receiver has read it.
    tokio::select! {
        _ = first => panic!("nobody answered"),
        () = crate::common::until("it was read", || async {
            (server.seen().len() == 1).then_some(())
        }) => {}
    }
    let outcome = sender.perform(&wanted).await.expect("taken");
    assert_eq!(outcome.delivery, Delivery::Accepted);

    let seen = server.seen();
    let id = |seen: &Seen| seen.headers["webhook-id"].clone();
    assert_eq!(
        (seen.len(), id(&seen[0])),
        (2, id(&seen[1])),
        "one id for both tries"
    );
    assert!(seen[1].line.starts_with("POST /in "));
    assert_eq!(seen[1].headers["authorization"], "Bearer known");

    let settings = json!({"secrets": whsec(), "type_path": "type", "noun": "said"});
    let receiver = connect("webhook", settings, host(StillClock::at(NOW)));
    let events = receiver.receive(&received(&seen[1])).expect("proved");
    let [Inbound::Event(event)] = events.as_slice() else {
        panic!("one event, not {events:?}");
    };
    assert_eq!(event.kind, "order.approved");
    assert_eq!(event.data["said"]["data"], args["data"]);
    assert_eq!(event.data["said"]["timestamp"], args["at"]);

    let mut forged = received(&seen[1]);
    forged.body = seen[1].body.replace("4711", "4712").into_bytes();
    assert_eq!(receiver.receive(&forged).expect_err("refused").status, 401);
}

#[tokio::test]
async fn each_answer_means_what_it_says() {
    use FailureClass::{Misconfigured, Reject, Retry};
    let after = Some(Millis::seconds(7));
    let cases = [
        (200, None),
        (204, None),
        (301, Some(Misconfigured)),
        (400, Some(Reject)),
        (401, Some(Misconfigured)),
        (404, Some(Misconfigured)),
        (410, Some(Misconfigured)),
        (422, Some(Reject)),
        (429, Some(Retry { after })),
        (503, Some(Retry { after })),
    ];
    for (status, wanted) in cases {
        let server = Server::start(move |_, _| {
            let headers = vec![("Retry-After", "7".to_owned())];
            Reply::Answer(status, headers, "the key is Bearer known".to_owned())
        })
        .await;
        let sender = connect(
            "webhook",
            json!({"send_to": server.url("/"), "send_authorization": "Bearer known"}),
            host(StillClock::at(NOW)),
        );
        let said = sender.perform(&action("request", &approved())).await;
        let failure = said.err();
        assert_eq!(
            failure.as_ref().map(|failure| failure.class),
            wanted,
            "{status}"
        );
        let words = format!("{failure:?}");
        assert!(!words.contains("Bearer known"), "{status}: {words}");
    }
}

#[tokio::test]
async fn a_try_that_broke_off_is_made_again() {
    let server = Server::start(|_, _| Reply::Reset).await;
    let settings = json!({"send_to": server.url("/"), "send_secret": whsec()});
    let sender = connect("webhook", settings, host(StillClock::at(NOW)));
    let said = sender.perform(&action("request", &approved())).await;
    let failure = said.expect_err("no answer");
    assert!(
        matches!(failure.class, FailureClass::Retry { .. }),
        "{failure:?}"
    );
    assert!(
        failure.message.contains("it may have arrived"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn without_an_address_or_a_proof_nothing_goes_out() {
    let mute = connect(
        "webhook",
        json!({"secrets": whsec()}),
        host(StillClock::at(NOW)),
    );
    let args = approved();
    let failure = mute
        .perform(&action("request", &args))
        .await
        .expect_err("no address");
    assert_eq!(failure.class, FailureClass::Misconfigured);
    assert!(failure.message.contains("`send_to`"), "{failure:?}");

    for (settings, word) in [
        (json!({"send_to": "https://example.com/"}), "`send_secret`"),
        (
            json!({"send_to": "https://example.com/", "send_secret": "plain"}),
            "whsec_",
        ),
        (
            json!({"send_to": "https://example.com/", "send_authorization": "a\r\nb: c"}),
            "one line",
        ),
    ] {
        let failure = try_connect("webhook", settings, host(StillClock::at(NOW)));
        let failure = failure.expect_err("refused");
        assert!(failure.message.contains(word), "{failure:?}");
    }

    let outward = json!({"send_to": "https://example.com/", "send_secret": whsec()});
    let outward = connect("webhook", outward, host(StillClock::at(NOW)));
    assert_eq!(
        outward.check().await.expect("set up").identity,
        "https://example.com/"
    );
}
