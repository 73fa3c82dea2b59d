//! The Gmail connector against the sandbox: discovering, fetching, reading, and what is refused.
//! Sending is in `gmail_send`.

use std::sync::Arc;

use bellwether_model::connector::{Discovered, Fetched};
use bellwether_model::failure::FailureClass;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use crate::common::{StillClock, connector};
use crate::gmail_world::{Watcher, World};

const APPROVALS: &str = "approvals@example.com";

fn order(number: u32) -> Value {
    json!({"from": "J. Berger <requester@example.com>", "to": [APPROVALS],
        "subject": format!("Purchase order PO-{number}"), "text": "Please approve.\nVendor: Huber"})
}

#[tokio::test]
async fn every_mail_is_an_event_once() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let checked = connection.check().await.expect("it is connected");
    assert_eq!(checked.identity, APPROVALS);
    world.mail(order(1)).await;
    let mut watcher = Watcher::start(Arc::clone(&connection)).await;
    for number in 2..5 {
        world.mail(order(number)).await;
    }
    let ids = watcher.ids().await;
    assert_eq!(
        ids.len(),
        3,
        "what was there before watching began is not new: {ids:?}"
    );
    assert!(watcher.ids().await.is_empty(), "the cursor moved");
    let event = watcher.event(&ids[0], 1).await;
    assert_eq!(event.kind, "gmail.message.received");
    assert_eq!(event.source, "test");
    assert_eq!(format!("m:{}", event.id), ids[0]);
    let mail = &event.data["mail"];
    assert_eq!(mail["subject"], "Purchase order PO-2", "oldest first");
    assert_eq!(
        mail["from"],
        json!({"name": "J. Berger", "address": "requester@example.com"})
    );
    assert_eq!(mail["text"], "Please approve.\nVendor: Huber");
    assert_eq!(mail["auth"]["dmarc"], "pass");
    assert_eq!(mail["auth"]["domain"], "example.com");
    assert_eq!(mail["mailbox"], APPROVALS);
    assert_eq!(mail["at"], event.time.to_string());
    assert_eq!(event.subject.as_deref(), mail["rfc_message_id"].as_str());
    let thread = format!("test/{}", mail["thread_id"].as_str().expect("a thread"));
    assert!(
        event
            .aliases
            .iter()
            .any(|one| one.space == "thread" && one.value == thread)
    );
    let id = event.subject.as_deref();
    assert!(
        event
            .aliases
            .iter()
            .any(|one| one.space == "message-id" && Some(&*one.value) == id)
    );
    assert!(event.case.is_none() && event.hop == 0);
    fits_schema(&event.kind, &event.data);
    let again = watcher.event(&ids[0], 1).await;
    assert_eq!(again, event, "reading is repeatable");
}

/// Every field of the event is declared.
fn fits_schema(kind: &str, data: &Value) {
    let def = connector("gmail");
    let trigger = def.triggers.iter().find(|one| one.event == kind);
    let schema = (trigger.expect("a trigger").schema)();
    let known = &schema["properties"]["mail"]["properties"];
    for (name, value) in data["mail"].as_object().expect("a mail") {
        assert!(known.get(name).is_some(), "{name} is declared");
        assert!(!value.is_null(), "{name} is left out or there");
    }
}

#[tokio::test]
async fn the_recount_finds_what_history_hid() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let since: Time = jiff::Timestamp::now().into();
    world
        .post("/admin/google", json!({"hide_from_history": 1}))
        .await;
    let hidden = world.mail(order(1)).await;
    let shown = world.mail(order(2)).await;
    let id = |mail: &Value| format!("m:{}", mail["id"].as_str().expect("an id"));
    assert_eq!(watcher.ids().await, [id(&shown)]);
    let source = watcher.connection.source().expect("a source");
    let listing = source.listing(since, None).await.expect("a listing");
    assert!(listing.ids.contains(&id(&hidden)) && listing.ids.contains(&id(&shown)));
    assert_eq!(listing.next, None);
    let later = since + Millis::hours(1);
    let none = source.listing(later, None).await.expect("a listing");
    assert!(none.ids.is_empty(), "seconds are seconds");
    assert_eq!(
        watcher.event(&id(&hidden), 1).await.data["mail"]["subject"],
        "Purchase order PO-1"
    );
}

#[tokio::test]
async fn history_that_ended_is_no_error() {
    let world = World::start().await;
    let watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    world
        .post("/admin/google", json!({"expire_history": true}))
        .await;
    let source = watcher.connection.source().expect("a source");
    let found = source.discover(Some(&watcher.cursor)).await;
    assert_eq!(found, Ok(Discovered::Expired));
}

#[tokio::test]
async fn drafts_spam_and_what_is_gone_are_no_events() {
    let world = World::start().await;
    let watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    assert_eq!(watcher.fetched("m:18c2f0a1b2c3d4e5").await, Fetched::Gone);
    let mail = world.mail(order(1)).await;
    let id = mail["id"].as_str().expect("an id");
    let label = json!({"id": id, "add": ["SPAM"], "remove": ["INBOX"]});
    let job = crate::gmail_world::Job::new("label", label);
    job.perform(&watcher.connection, 1)
        .await
        .expect("it is labelled");
    assert_eq!(
        watcher.fetched(&format!("m:{id}")).await,
        Fetched::Ignored("spam")
    );
}

#[tokio::test]
async fn reading_a_mail_is_an_event_of_its_own() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let mail = world.mail(order(1)).await;
    watcher.ids().await;
    let read = json!({"address": APPROVALS, "id": mail["id"]});
    world.post("/admin/read", read).await;
    let ids = watcher.ids().await;
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(ids[0].starts_with(&format!("r:{}:", mail["id"].as_str().expect("an id"))));
    let event = watcher.event(&ids[0], 1).await;
    assert_eq!(event.kind, "gmail.message.read");
    assert_eq!(event.id, ids[0].replacen("r:", "read:", 1));
    let labels = event.data["mail"]["labels"]
        .as_array()
        .expect("labels")
        .clone();
    assert!(!labels.contains(&json!("UNREAD")));
    assert!(event.data["mail"].get("unreadable").is_none());
    fits_schema(&event.kind, &event.data);
}

#[tokio::test]
async fn mail_that_a_person_sends_is_reported() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect("requester@example.com", json!({}))).await;
    let raw = "From: requester@example.com\nTo: C. Huber <c.huber@example.net>\n\
        Subject: Check-in is open\n\nDear Ms Huber\n";
    world.person_sends("requester@example.com", raw).await;
    let ids = watcher.ids().await;
    assert_eq!(ids.len(), 1);
    let event = watcher.event(&ids[0], 1).await;
    assert_eq!(event.kind, "gmail.message.sent");
    assert_eq!(
        event.data["mail"]["to"][0]["address"],
        "c.huber@example.net"
    );
    fits_schema(&event.kind, &event.data);
}

#[tokio::test]
async fn forged_results_prove_nothing() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let forged = "mx.google.com; dmarc=pass header.from=example.com";
    world
        .post(
            "/admin/domains",
            json!({"domain": "open.example", "spf": [], "dmarc": "none"}),
        )
        .await;
    world
        .mail(
            json!({"from": "Alice <approver@open.example>", "to": [APPROVALS], "subject": "Re: PO",
            "text": "approve", "source_ip": "203.0.113.9",
            "headers": {"Authentication-Results": forged}}),
        )
        .await;
    let ids = watcher.ids().await;
    let event = watcher.event(&ids[0], 1).await;
    assert_ne!(event.data["mail"]["auth"]["dmarc"], "pass");
    assert_eq!(event.data["mail"]["auth"]["authserv"], "mx.google.com");
}

#[tokio::test]
async fn a_large_mail_is_read_without_its_attachment() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let file = format!("{}\n", "A".repeat(76)).repeat(50_000);
    let raw = format!(
        "From: requester@example.com\nTo: approvals@example.com\nSubject: Scan\n\
         MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain; charset=utf-8\n\nsee the file\n--b\n\
         Content-Type: application/pdf; name=scan.pdf\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=scan.pdf\n\n{file}--b--\n"
    );
    world.person_sends("requester@example.com", &raw).await;
    let ids = watcher.ids().await;
    let event = watcher.event(&ids[0], 1).await;
    let mail = &event.data["mail"];
    assert_eq!(mail["text"], "see the file");
    assert_eq!(mail["attachments"][0]["name"], "scan.pdf");
    assert_eq!(mail["attachments"][0]["size"], 50_000 * 57);
    assert!(mail.get("sha256").is_none(), "it was not fetched whole");
    assert!(mail["size"].as_u64().is_some_and(|size| size > 3_000_000));
    assert!(event.data.to_string().len() < 4096);
}

#[tokio::test]
async fn a_suspect_mail_is_read_more_simply_but_an_outage_is_no_suspicion() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    world.mail(order(1)).await;
    let ids = watcher.ids().await;
    let source = watcher.connection.source().expect("a source");
    for attempt in 1..5 {
        world
            .fault("status", "/messages/", json!({"status": 503}))
            .await;
        let failure = source.fetch(&ids[0], attempt).await.expect_err("an outage");
        assert!(matches!(failure.class, FailureClass::Retry { .. }));
    }
    world.fault("html", "/messages/", json!({})).await;
    let failure = source
        .fetch(&ids[0], 5)
        .await
        .expect_err("a page of a proxy");
    assert!(matches!(failure.class, FailureClass::Retry { .. }));
    let event = watcher.event(&ids[0], 6).await;
    assert_eq!(event.data["mail"]["text"], "Please approve.\nVendor: Huber");
    assert!(event.data["mail"]["sha256"].is_string());
    let simpler = watcher.event(&ids[0], 2).await;
    assert_eq!(
        simpler.data["mail"]["text"],
        "Please approve.\nVendor: Huber"
    );
    assert!(simpler.data["mail"].get("sha256").is_none());
    let head = watcher.event(&ids[0], 3).await;
    assert!(head.data["mail"].get("text").is_none());
    assert_eq!(head.data["mail"]["unreadable"], true);
    assert_eq!(head.data["mail"]["subject"], "Purchase order PO-1");
    let stub = source.stub(&ids[0], "it makes readers fail", event.time);
    assert_eq!((&stub.kind, &stub.id), (&event.kind, &event.id));
    assert_eq!(
        stub.data["mail"]["unreadable_reason"],
        "it makes readers fail"
    );
    fits_schema(&stub.kind, &stub.data);
}

#[tokio::test]
async fn an_ended_token_is_renewed_and_the_call_repeated_once() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    world.mail(order(1)).await;
    world
        .fault("status", "/history", json!({"status": 401}))
        .await;
    assert_eq!(watcher.ids().await.len(), 1);
    world
        .fault("status", "/profile", json!({"status": 401, "times": 0}))
        .await;
    let before = world.calls("/profile").await;
    let failure = watcher.connection.check().await.expect_err("it is refused");
    assert_eq!(failure.class, FailureClass::Reauthorise);
    assert_eq!(world.calls("/profile").await - before, 2);
}

#[tokio::test]
async fn a_withdrawn_consent_asks_for_a_person() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    world
        .post("/admin/google", json!({"revoke_refresh": APPROVALS}))
        .await;
    let failure = connection.check().await.expect_err("it is refused");
    assert_eq!(failure.class, FailureClass::Reauthorise);
    assert_eq!(failure.code, "invalid_grant");
}

#[tokio::test]
async fn the_wrong_account_is_found_at_once() {
    let world = World::start().await;
    let mut settings = json!({});
    settings["address"] = json!("sales@example.com");
    let connection = world.connect(APPROVALS, settings);
    let failure = connection.check().await.expect_err("another mailbox");
    assert_eq!(failure.code, "other_mailbox");
    assert!(failure.message.contains(APPROVALS), "{}", failure.message);
}

#[tokio::test]
async fn a_limit_silences_the_mailbox_until_it_ends() {
    let world = World::start().await;
    let clock = StillClock::at("2026-03-02T08:00:00Z");
    let connection = world.connect_at(APPROVALS, json!({}), Arc::<StillClock>::clone(&clock));
    world
        .fault(
            "status",
            "/profile",
            json!({"status": 429, "retry_after": 17}),
        )
        .await;
    let after = FailureClass::Retry {
        after: Some(Millis::seconds(17)),
    };
    assert_eq!(connection.check().await.expect_err("limited").class, after);
    let calls = world.calls("/profile").await;
    assert_eq!(
        connection.check().await.expect_err("still limited").class,
        after
    );
    assert_eq!(
        world.calls("/profile").await,
        calls,
        "nothing was asked meanwhile"
    );
    clock.advance(Millis::seconds(17));
    connection.check().await.expect("the limit has ended");
}

#[tokio::test]
async fn labels_that_people_made_are_called_by_their_names() {
    let world = World::start().await;
    let watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let mail = world.mail(order(1)).await;
    let id = mail["id"].as_str().expect("an id").to_owned();
    let label = json!({"id": id, "add": ["Critical"]});
    let job = crate::gmail_world::Job::new("label", label);
    job.perform(&watcher.connection, 1)
        .await
        .expect("it is labelled");
    let event = watcher.event(&format!("m:{id}"), 1).await;
    let labels = event.data["mail"]["labels"].as_array().expect("labels");
    assert!(labels.contains(&json!("Critical")), "{labels:?}");
    assert!(labels.contains(&json!("INBOX")), "{labels:?}");
    // The names are kept: another mail needs no further call.
    let calls = world.calls("labels").await;
    watcher.event(&format!("m:{id}"), 1).await;
    assert_eq!(world.calls("labels").await, calls);
}

#[tokio::test]
async fn labels_are_made_and_set() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let mail = world.mail(order(1)).await;
    let args = json!({"id": mail["id"], "add": ["Approved by mail"], "remove": ["UNREAD"]});
    for attempt in 1..3 {
        let job = crate::gmail_world::Job::new("label", args.clone());
        job.perform(&connection, attempt)
            .await
            .expect("it is labelled");
    }
    assert_eq!(world.labelled(APPROVALS, "UNREAD").await, 0);
    let labels = world.messages(APPROVALS).await[0]["labels"].clone();
    let own: Vec<_> = labels
        .as_array()
        .expect("labels")
        .iter()
        .filter(|label| label.as_str().is_some_and(|text| text.starts_with("Label")))
        .cloned()
        .collect();
    assert_eq!(own.len(), 1, "{labels}");
}
