//! The messaging API and the token addresses: who may call, what is read, what breaks on the wire.

use crate::wire::{Rig, basic, call, envelope, push};
use serde_json::{Value, json};

const TOKEN: &str = "/tenants/alpenwerk-tenant/oauth2/token";

async fn token(rig: &Rig, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let reply = call(rig.opentext, "POST", path, headers, body)
        .await
        .expect("an answer");
    (reply.status, reply.json())
}

#[tokio::test]
async fn a_push_reaches_the_phone_and_the_submit_id_comes_back() {
    let rig = Rig::start().await;
    let reply = rig
        .submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"job_id": "usme-1"}));
    assert_eq!(reply.header("x-mra-submitid"), Some("s-1"));
    let phone = rig
        .phone_when("alice", |p| p["pushes"][0].is_object())
        .await;
    let shown = &phone["pushes"][0];
    assert_eq!(shown["title"], "Title n1");
    assert_eq!(shown["state"], "received");
    assert_eq!(shown["collapse_key"], "c1");
    assert_eq!(rig.phone("approver@example.com").await["person"], "alice");
    let calls = rig.get("/admin/pushes").await.json();
    assert_eq!(calls["total"], 1);
    assert_eq!(calls["items"][0]["submit_id"], "s-1");
    assert_eq!(
        calls["items"][0]["inner"]["message"]["token"],
        "device-alice"
    );
}

#[tokio::test]
async fn the_submit_id_does_not_prevent_a_second_push() {
    let rig = Rig::start().await;
    for _ in 0..2 {
        rig.submit(&push("device-alice", "n1", "c1"))
            .await
            .expect("an answer");
    }
    let phone = rig
        .phone_when("alice", |p| p["pushes"][0]["times_received"] == 2)
        .await;
    assert_eq!(phone["pushes"].as_array().map(Vec::len), Some(1));
    assert_eq!(rig.get("/admin/pushes").await.json()["total"], 2);
}

#[tokio::test]
async fn a_caller_must_prove_itself_and_every_refusal_is_written_down() {
    let rig = Rig::start().await;
    let body = envelope(&push("device-alice", "n1", "c1"));
    let wrong = basic("alpenwerk", "guess");
    let garbled = "Basic ***".to_owned();
    let unknown = "Bearer nobody-gave-this".to_owned();
    for header in [None, Some(wrong), Some(garbled), Some(unknown)] {
        let headers: Vec<_> = header
            .iter()
            .map(|h| ("authorization", h.as_str()))
            .collect();
        let reply = rig.parser(&headers, &body).await.expect("an answer");
        assert_eq!(reply.status, 401, "{header:?}");
        assert!(reply.json()["error"]["sandbox_convention"].is_string());
        assert!(reply.header("www-authenticate").is_some());
    }
    let calls = rig.get("/admin/pushes").await.json();
    assert_eq!(calls["total"], 4);
    assert_eq!(calls["items"][0]["accepted"], false);
    assert!(!calls.to_string().contains("guess"));
}

#[tokio::test]
async fn the_envelope_is_checked_field_by_field() {
    let rig = Rig::start().await;
    let auth = basic("alpenwerk", "messaging-password");
    let headers = [("authorization", auth.as_str())];
    let good = envelope(&push("device-alice", "n1", "c1"));
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let mut short = good.clone();
    short.as_object_mut().expect("object").remove("filename");
    for (body, words) in [
        (json!([]), "not an object"),
        (short, "filename is missing"),
        (with("domain", json!("XDDS")), "not known"),
        (with("data", json!("%%%")), "not base64"),
        (with("data", json!("bm8ganNvbg==")), "no JSON"),
        (with("data", json!(7)), "must be a text"),
        (with("priority", json!("high")), "not a field"),
    ] {
        let reply = rig.parser(&headers, &body).await.expect("an answer");
        assert_eq!(reply.status, 400, "{words}");
        assert!(reply.text.contains(words), "{words}: {}", reply.text);
    }
    let calls = rig.get("/admin/pushes?after=5").await.json();
    assert_eq!(calls["total"], 7);
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn tokens_are_given_by_form_and_json_and_end_by_time_or_revocation() {
    let rig = Rig::start().await;
    let client = basic("alpenwerk-client", "alpenwerk-client-secret");
    let by_header = [("authorization", client.as_str())];
    let form = "grant_type=client_credentials";
    for path in [
        TOKEN,
        "/otdsws/oauth2/token",
        "/otdstenant/alpenwerk-tenant/oauth2/token",
    ] {
        let (status, body) = token(&rig, path, &by_header, form).await;
        assert_eq!(
            (status, &body["token_type"]),
            (200, &json!("Bearer")),
            "{path}"
        );
    }
    let json_body = json!({"client_id": "alpenwerk-client",
        "client_secret": "alpenwerk-client-secret", "grant_type": "client_credentials"});
    let (status, body) = token(&rig, TOKEN, &[], &json_body.to_string()).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(300)));
    let bearer = format!("Bearer {}", body["access_token"].as_str().expect("a token"));
    let push = envelope(&push("device-alice", "n1", "c1"));
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(
        rig.parser(&headers, &push).await.expect("an answer").status,
        200
    );

    rig.admin(
        "/admin/opentext",
        json!({"revoke_tokens": true, "token_seconds": 0}),
    )
    .await;
    assert_eq!(
        rig.parser(&headers, &push).await.expect("an answer").status,
        401
    );
    let (_, body) = token(&rig, TOKEN, &by_header, form).await;
    assert_eq!(body["expires_in"], 0);
    let late = format!("Bearer {}", body["access_token"].as_str().expect("a token"));
    let reply = rig
        .parser(&[("authorization", late.as_str())], &push)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains("expired"), "{}", reply.text);
}

#[tokio::test]
async fn token_refusals_speak_oauth_and_discovery_names_the_address() {
    let rig = Rig::start().await;
    let client = basic("alpenwerk-client", "alpenwerk-client-secret");
    let headers = [("authorization", client.as_str())];
    let (status, body) = token(&rig, TOKEN, &headers, "grant_type=password").await;
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("unsupported_grant_type"))
    );
    let (status, body) = token(&rig, TOKEN, &[], "grant_type=client_credentials").await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    let (status, _) = token(&rig, "/tenants/other/oauth2/token", &headers, "").await;
    assert_eq!(status, 404);
    let path = "/tenants/alpenwerk-tenant/.well-known/openid-configuration";
    let found = call(rig.opentext, "GET", path, &[], "")
        .await
        .expect("an answer")
        .json();
    assert_eq!(
        found["token_endpoint"],
        format!("http://{}{TOKEN}", rig.opentext)
    );
    let info = rig.get("/admin/info").await.json();
    assert_eq!(info["opentext"]["token_url"], found["token_endpoint"]);
}

#[tokio::test]
async fn a_push_to_nobody_is_accepted_and_seen_as_undeliverable() {
    let rig = Rig::start().await;
    let reply = rig
        .submit(&push("device-nobody", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(reply.status, 200);
    assert_eq!(rig.fate(1).await["undeliverable"], true);
    let mut big = push("device-alice", "n2", "c2");
    big["message"]["data"]["x"] = json!("x".repeat(5000));
    assert_eq!(rig.submit(&big).await.expect("an answer").status, 200);
    assert_eq!(rig.fate(2).await["undeliverable"], true);
    assert_eq!(rig.phone("alice").await["pushes"], json!([]));
}

#[tokio::test]
async fn the_invented_status_route_tells_states_and_late_receipts() {
    let rig = Rig::start().await;
    let auth = basic("alpenwerk", "messaging-password");
    let status = async |job: &str| {
        let path = format!("/mra/v1/outbound/push/status?job_id={job}");
        let headers = [("authorization", auth.as_str())];
        call(rig.opentext, "GET", &path, &headers, "")
            .await
            .expect("an answer")
    };
    rig.admin("/admin/phones/alice/offline", json!({})).await;
    rig.admin("/admin/opentext", json!({"hold": true})).await;
    rig.submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    let held = status("usme-1").await.json();
    assert!(held["sandbox_extension"].is_string());
    assert_eq!(
        held["deliveries"][0]["delivery_attempts"][0]["state"],
        "Held"
    );
    rig.admin("/admin/opentext", json!({"hold": false})).await;
    rig.fate(1).await;
    let sent = status("usme-1").await.json();
    assert_eq!(
        sent["deliveries"][0]["delivery_attempts"][0]["state"],
        "Sent"
    );
    assert_eq!(sent["job_state"], json!(["Complete", "Posted"]));
    assert_eq!(
        sent["deliveries"][0]["events"]["push_delivery_events"],
        json!([])
    );
    rig.admin("/admin/phones/alice/online", json!({})).await;
    let late = status("usme-1").await.json();
    let event = &late["deliveries"][0]["events"]["push_delivery_events"][0];
    assert_eq!(event["status"], "Confirmed");
    assert_eq!(status("usme-99").await.status, 404);
    rig.admin("/admin/opentext", json!({"status_route": false}))
        .await;
    assert_eq!(status("usme-1").await.status, 404);
}

#[tokio::test]
async fn a_reset_after_acceptance_loses_the_answer_and_not_the_push() {
    let rig = Rig::start().await;
    let fault = json!({"target": "opentext.mra", "kind": "reset_after"});
    assert_eq!(rig.admin("/admin/faults", fault).await.status, 200);
    assert!(rig.submit(&push("device-alice", "n1", "c1")).await.is_err());
    rig.phone_when("alice", |p| p["pushes"][0]["notification"] == "n1")
        .await;
    // The caller cannot know and sends again: the person still sees one push.
    assert_eq!(
        rig.submit(&push("device-alice", "n1", "c1"))
            .await
            .expect("fine")
            .status,
        200
    );
    let phone = rig
        .phone_when("alice", |p| p["pushes"][0]["times_received"] == 2)
        .await;
    assert_eq!(phone["pushes"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn faults_before_acceptance_leave_no_trace_on_the_phone() {
    let rig = Rig::start().await;
    rig.admin(
        "/admin/faults",
        json!({"target": "opentext.mra", "kind": "reset_before"}),
    )
    .await;
    assert!(rig.submit(&push("device-alice", "n1", "c1")).await.is_err());
    let busy = json!({"target": "opentext.mra", "kind": "status", "status": 429,
        "retry_after": 7});
    rig.admin("/admin/faults", busy).await;
    let reply = rig
        .submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7"))
    );
    let login = json!({"target": "opentext.token", "kind": "status", "status": 401});
    rig.admin("/admin/faults", login).await;
    assert_eq!(token(&rig, TOKEN, &[], "").await.0, 401);
    assert_eq!(rig.get("/admin/pushes").await.json()["total"], 0);
    rig.sandbox.shutdown().await;
}

#[tokio::test]
async fn jobs_end_in_error_or_cancelled_and_are_purged() {
    let rig = Rig::start().await;
    rig.clock("2026-03-02T08:00:00Z").await;
    let auth = basic("alpenwerk", "messaging-password");
    let status = async |job: &str| {
        let path = format!("/mra/v1/outbound/push/status?job_id={job}");
        let headers = [("authorization", auth.as_str())];
        call(rig.opentext, "GET", &path, &headers, "")
            .await
            .expect("an answer")
    };
    let state = |reply: &Value| reply["deliveries"][0]["delivery_attempts"][0]["state"].clone();
    rig.submit(&json!({"message": {"token": "device-alice"}}))
        .await
        .expect("an answer");
    rig.fate(1).await;
    let broken = status("usme-1").await.json();
    assert_eq!(state(&broken), "Error");
    assert_ne!(
        broken["deliveries"][0]["delivery_attempts"][0]["gamma_code"],
        0
    );
    rig.admin("/admin/opentext", json!({"hold": true})).await;
    let mut short = push("device-alice", "n1", "c1");
    short["message"]["apns"] = json!({"headers": {"apns-expiration": "1772438460"}});
    rig.submit(&short).await.expect("an answer");
    rig.clock("2026-03-02T08:02:00Z").await;
    rig.admin("/admin/opentext", json!({"hold": false})).await;
    rig.fate(2).await;
    assert_eq!(state(&status("usme-2").await.json()), "Cancelled");
    assert_eq!(rig.phone("alice").await["pushes"], json!([]));
    rig.clock("2026-03-05T08:01:00Z").await;
    assert_eq!(status("usme-1").await.status, 404);
    assert_eq!(status("usme-2").await.status, 200);
}

#[tokio::test]
async fn a_call_handled_twice_is_two_jobs_and_one_push_on_the_screen() {
    let rig = Rig::start().await;
    let twice = json!({"target": "opentext.mra", "kind": "duplicate"});
    rig.admin("/admin/faults", twice).await;
    let reply = rig
        .submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(reply.json()["job_id"], "usme-1");
    rig.phone_when("alice", |p| p["pushes"][0]["times_received"] == 2)
        .await;
    assert_eq!(rig.get("/admin/pushes").await.json()["total"], 2);
    assert!(
        rig.get("/people/alice")
            .await
            .text
            .contains("came 2 times, shown once")
    );
}
