//! Sending through Gmail against the sandbox: threads, what is known afterwards, and broken
//! connections at every step. A mail is never sent twice, and never called unsent when it was sent.

use bellwether_model::connector::{Fetched, Outcome, Reconciled};
use bellwether_model::event::Alias;
use bellwether_model::failure::FailureClass;
use bellwether_model::notification::Delivery;
use serde_json::{Value, json};

use crate::gmail_world::{Job, Watcher, World};

const APPROVALS: &str = "approvals@example.com";
const REQUESTER: &str = "requester@example.com";

fn header<'a>(message: &'a Value, name: &str) -> &'a str {
    let headers = message["headers"].as_object().expect("headers");
    let found = headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found
        .and_then(|(_, value)| value.as_str())
        .unwrap_or_default()
}

fn names(outcome: &Outcome, message: &Value) -> bool {
    let id = header(message, "Message-ID").trim_matches(['<', '>']);
    !id.is_empty() && outcome.aliases.contains(&Alias::new("message-id", id))
}

#[tokio::test]
async fn a_mail_arrives_and_its_answer_is_recognised() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({"sender_name": "Approvals"}));
    let mut ours = Watcher::start(connection.clone()).await;
    let mut theirs = Watcher::start(world.connect(REQUESTER, json!({}))).await;
    let job = Job::send();
    let outcome = job.perform(&connection, 1).await.expect("it is sent");
    assert_eq!(outcome.delivery, Delivery::Accepted);
    let arrived = world.messages(REQUESTER).await;
    assert_eq!(arrived.len(), 1);
    assert!(
        names(&outcome, &arrived[0]),
        "Gmail's own Message-ID is known: {outcome:?}"
    );
    assert_ne!(
        header(&arrived[0], "Message-ID"),
        format!("<{}@example.com>", job.effect)
    );
    assert_eq!(header(&arrived[0], "Auto-Submitted"), "auto-generated");
    let reply_to = header(&arrived[0], "Reply-To");
    assert!(
        reply_to.contains("approvals+tok_EN-1@example.com"),
        "{reply_to}"
    );
    for id in ours.ids().await {
        let fetched = ours.fetched(&id).await;
        assert!(
            matches!(fetched, Fetched::Ignored(_) | Fetched::Gone),
            "{id}: {fetched:?}"
        );
    }
    let ids = theirs.ids().await;
    let event = theirs.event(&ids[0], 1).await;
    assert_eq!(
        event.data["mail"]["own"], true,
        "another mailbox of ours knows it as ours"
    );
    assert_eq!((event.case.as_deref(), event.hop), (Some("PO-4711"), 1));

    let raw = format!(
        "From: J. Berger <{REQUESTER}>\nTo: approvals+tok_EN-1@example.com\nSubject: Re: PO-4711\n\
         In-Reply-To: {id}\nReferences: {id}\n\nthanks\n\n> Alice approved it.\n",
        id = header(&arrived[0], "Message-ID")
    );
    world.person_sends(REQUESTER, &raw).await;
    let ids = ours.ids().await;
    let answer = ours.event(&ids[0], 1).await;
    assert_eq!(answer.data["mail"]["new_text"], "thanks");
    assert_eq!(answer.data["mail"]["reply_token"], "tok_EN-1");
    assert!(answer.aliases.contains(&Alias::new("reply", "tok_EN-1")));
    let shared = answer
        .aliases
        .iter()
        .filter(|alias| outcome.aliases.contains(alias));
    assert!(shared.count() >= 1, "the answer names what was sent");
    assert_eq!(world.labelled(APPROVALS, "DRAFT").await, 0);
}

#[tokio::test]
async fn an_answer_stays_in_its_thread() {
    let world = World::start().await;
    let mut watcher = Watcher::start(world.connect(APPROVALS, json!({}))).await;
    let order = "From: J. Berger <requester@example.com>\nTo: approvals@example.com\n\
        Subject: Purchase order PO-4711\n\nPlease approve.\n";
    world.person_sends(REQUESTER, order).await;
    let ids = watcher.ids().await;
    let event = watcher.event(&ids[0], 1).await;
    let mail = &event.data["mail"];
    let job = Job::new(
        "reply",
        json!({"to": [mail["from"]], "subject": "Re: Purchase order PO-4711", "text": "approved",
            "thread_id": mail["thread_id"], "rfc_message_id": mail["rfc_message_id"]}),
    );
    let outcome = job
        .perform(&watcher.connection, 1)
        .await
        .expect("it is sent");
    let thread = format!("test/{}", mail["thread_id"].as_str().expect("a thread"));
    assert!(outcome.aliases.contains(&Alias::new("thread", thread)));
    let arrived = world.messages(REQUESTER).await;
    let asked = arrived
        .iter()
        .find(|one| one["subject"] == "Purchase order PO-4711");
    assert_eq!(
        arrived[0]["thread_id"],
        asked.expect("the order")["thread_id"]
    );
    let id = format!("<{}>", mail["rfc_message_id"].as_str().expect("an id"));
    assert_eq!(header(&arrived[0], "In-Reply-To"), id);
    assert_eq!(header(&arrived[0], "References"), id);
    assert_eq!(header(&arrived[0], "Auto-Submitted"), "auto-replied");
}

#[tokio::test]
async fn an_answer_whose_thread_was_deleted_still_goes_out() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let mut job = Job::send();
    job.name = "reply";
    job.args["thread_id"] = json!("18c2f0a1b2c3d4e5");
    job.perform(&connection, 1).await.expect("it is sent");
    assert_eq!(world.messages(REQUESTER).await.len(), 1);
}

#[tokio::test]
async fn broken_off_after_sending_it_is_found_out_and_not_sent_again() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    world.fault("reset_after", "/drafts/send", json!({})).await;
    let job = Job::send();
    let failure = job.perform(&connection, 1).await.expect_err("nobody knows");
    assert_eq!(failure.class, FailureClass::MaybeDone);
    let Ok(Reconciled::Done(outcome)) = job.reconcile(&connection).await else {
        panic!("it was sent")
    };
    let arrived = world.messages(REQUESTER).await;
    assert_eq!(arrived.len(), 1, "once");
    assert!(names(&outcome, &arrived[0]));
    assert!(outcome.aliases.iter().any(|alias| alias.space == "thread"));
    // Even an engine that tried again would not send twice.
    let again = job
        .perform(&connection, 2)
        .await
        .expect_err("the draft is gone");
    assert_eq!(again.class, FailureClass::MaybeDone);
    assert_eq!(world.messages(REQUESTER).await.len(), 1, "still once");
}

#[tokio::test]
async fn broken_off_before_sending_the_same_draft_is_sent() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    world.fault("reset_before", "/drafts/send", json!({})).await;
    let job = Job::send();
    let failure = job.perform(&connection, 1).await.expect_err("nobody knows");
    assert_eq!(failure.class, FailureClass::MaybeDone);
    assert_eq!(job.reconcile(&connection).await, Ok(Reconciled::NotDone));
    assert_eq!(world.messages(REQUESTER).await.len(), 0);
    job.perform(&connection, 2).await.expect("it is sent");
    assert_eq!(world.messages(REQUESTER).await.len(), 1);
    assert_eq!(world.labelled(APPROVALS, "DRAFT").await, 0);
    assert_eq!(world.labelled(APPROVALS, "SENT").await, 1);
}

#[tokio::test]
async fn broken_off_while_drafting_leaves_no_second_draft() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    world.fault("reset_after", "/drafts", json!({})).await;
    let job = Job::send();
    let failure = job.perform(&connection, 1).await.expect_err("no answer");
    assert!(
        matches!(failure.class, FailureClass::Retry { .. }),
        "surely not sent: {failure:?}"
    );
    assert_eq!(job.reconcile(&connection).await, Ok(Reconciled::NotDone));
    assert_eq!(world.labelled(APPROVALS, "DRAFT").await, 1);
    job.perform(&connection, 2).await.expect("it is sent");
    assert_eq!(world.messages(REQUESTER).await.len(), 1);
    assert_eq!(
        world.labelled(APPROVALS, "DRAFT").await,
        0,
        "the draft left behind was used"
    );
}

#[tokio::test]
async fn errors_and_pages_of_proxies_while_sending() {
    for (fault, sent) in [
        (json!({"kind": "status", "status": 500}), false),
        (json!({"kind": "html", "status": 200}), false),
        (json!({"kind": "truncate"}), true),
        (json!({"kind": "duplicate"}), true),
    ] {
        let world = World::start().await;
        let connection = world.connect(APPROVALS, json!({}));
        let kind = fault["kind"].as_str().expect("a kind").to_owned();
        world.fault(&kind, "/drafts/send", fault).await;
        let job = Job::send();
        let result = job.perform(&connection, 1).await;
        if let Err(failure) = result {
            assert_eq!(failure.class, FailureClass::MaybeDone, "{kind}");
            match job.reconcile(&connection).await {
                Ok(Reconciled::Done(_)) => assert!(sent, "{kind}"),
                Ok(Reconciled::NotDone) => {
                    assert!(!sent, "{kind}");
                    job.perform(&connection, 2).await.expect("it is sent");
                }
                other => panic!("{kind}: {other:?}"),
            }
        }
        assert_eq!(world.messages(REQUESTER).await.len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_limit_on_sending_is_surely_not_sent() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let body = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "User-rate limit exceeded (Mail sending).",
        "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}]}});
    let fault = json!({"status": 429, "retry_after": 60, "body": body.to_string()});
    world.fault("status", "/drafts/send", fault).await;
    let job = Job::send();
    let failure = job.perform(&connection, 1).await.expect_err("limited");
    assert!(matches!(
        failure.class,
        FailureClass::Retry { after: Some(_) }
    ));
    assert_eq!(failure.code, "mail_limit_reached");
    connection.check().await.expect("reading still works");
    assert_eq!(world.messages(REQUESTER).await.len(), 0);
}

#[tokio::test]
async fn a_draft_that_somebody_deleted_is_not_called_sent() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let mut job = Job::send();
    job.kept = crate::gmail_world::Kept(std::sync::Mutex::new(Some(
        json!({"draft": "r123", "thread": "18c2f0a1b2c3d4e5"}),
    )));
    let early = job
        .reconcile(&connection)
        .await
        .expect_err("it may show later");
    assert!(matches!(
        early.class,
        FailureClass::Retry { after: Some(_) }
    ));
    job.since = job.since - bellwether_model::time::Millis::minutes(3);
    assert_eq!(job.reconcile(&connection).await, Ok(Reconciled::Unknown));
}

#[tokio::test]
async fn without_drafts_an_unknown_outcome_stays_unknown() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({"can_draft": false}));
    let job = Job::send();
    job.perform(&connection, 1).await.expect("it is sent");
    assert_eq!(world.messages(REQUESTER).await.len(), 1);
    world
        .fault("reset_after", "/messages/send", json!({}))
        .await;
    let job = Job::new("send", job.args);
    let failure = job.perform(&connection, 1).await.expect_err("nobody knows");
    assert_eq!(failure.class, FailureClass::MaybeDone);
    assert_eq!(job.reconcile(&connection).await, Ok(Reconciled::Unknown));
    assert_eq!(world.messages(REQUESTER).await.len(), 2);
}

#[tokio::test]
async fn nobody_is_answered_who_does_not_read() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let mut job = Job::send();
    job.args["to"] = json!(["SAP <no-reply@example.com>"]);
    let failure = job.perform(&connection, 1).await.expect_err("refused");
    assert_eq!(failure.class, FailureClass::Reject);
    assert_eq!(failure.code, "no_reply_address");
    assert_eq!(world.labelled(APPROVALS, "DRAFT").await, 0);
}

#[tokio::test]
async fn a_missing_right_is_said() {
    let world = World::start().await;
    let connection = world.connect(APPROVALS, json!({}));
    let scope = "https://www.googleapis.com/auth/gmail.readonly";
    world
        .post(
            "/admin/google",
            json!({"address": APPROVALS, "scopes": scope}),
        )
        .await;
    let failure = Job::send()
        .perform(&connection, 1)
        .await
        .expect_err("refused");
    assert_eq!(failure.class, FailureClass::Misconfigured);
    assert_eq!(failure.code, "missing_scope");
}
