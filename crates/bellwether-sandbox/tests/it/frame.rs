//! The frame: ports, people, faults on the wire, the clock, counting, reset.

use std::time::{Duration, Instant};

use bellwether_sandbox::{Options, Person, StartError, default_people, start};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gmail::{APPROVALS, Post, letter, raw};
use crate::wire::call;

const PROFILE: &str = "/gmail/v1/users/me/profile";

async fn fault(post: &Post, fault: Value) -> u64 {
    let reply = post.admin("/admin/faults", fault).await;
    reply.json()["id"]
        .as_u64()
        .unwrap_or_else(|| panic!("no id: {}", reply.text))
}

fn sending() -> Value {
    json!({"raw": raw(&letter(APPROVALS, "ariba@example.com", "once", ""))})
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let error = start(Options {
        port,
        ..Options::default()
    })
    .await
    .expect_err("it is taken");
    assert!(
        matches!(error, StartError::Bind { name: "page", .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn parts_listen_at_their_offsets_from_the_base_port() {
    // Another test may take one of the ports in between, so a few bases are tried.
    for _ in 0..20 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let Ok(sandbox) = start(Options {
            port,
            ..Options::default()
        })
        .await
        else {
            continue;
        };
        for (name, offset) in [
            ("page", 0),
            ("google", 1),
            ("opentext", 2),
            ("smintio", 3),
            ("smtp", 4),
        ] {
            let at = sandbox.addresses().get(name).expect("it listens");
            assert_eq!(at.port(), port + offset, "{name}");
        }
        return;
    }
    panic!("no base port was free in twenty tries");
}

#[tokio::test]
async fn people_who_make_no_sense_are_refused() {
    let mut people = default_people();
    people.push(Person {
        id: "second".to_owned(),
        ..people[0].clone()
    });
    let error = start(Options {
        port: 0,
        people,
        ..Options::default()
    })
    .await;
    let text = error.expect_err("one address twice").to_string();
    assert!(text.contains("approver@example.com"), "{text}");
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_ports() {
    let post = Post::start().await;
    let (page, google) = (post.page, post.google);
    post.sandbox.shutdown().await;
    for address in [page, google] {
        std::net::TcpListener::bind(address).expect("the port is free again");
    }
}

#[tokio::test]
async fn a_status_fault_hits_once_and_is_counted() {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    let wanted = json!({"target": "google.gmail", "match": "profile", "kind": "status",
        "status": 429, "retry_after": 7});
    let id = fault(&post, wanted).await;
    let labels = "/gmail/v1/users/me/labels";
    let other = post
        .bearer(&token, "GET", labels, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(other.status, 200, "the path does not match");
    let hit = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!((hit.status, hit.header("retry-after")), (429, Some("7")));
    assert_eq!(
        hit.json()["error"]["errors"][0]["reason"],
        "rateLimitExceeded"
    );
    let after = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(after.status, 200);
    let listed = post.admin("/admin/faults", Value::Null).await.json();
    assert_eq!(
        (&listed["faults"][0]["id"], &listed["faults"][0]["hits"]),
        (&json!(id), &json!(1))
    );
}

/// Sends a mail whose call is reset by a fault of that kind.
async fn cut_off(kind: &str) -> Post {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    fault(&post, json!({"target": "google.gmail", "kind": kind})).await;
    let send = "/gmail/v1/users/me/messages/send";
    let cut = post
        .bearer(&token, "POST", send, &sending())
        .await
        .expect_err("no answer");
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset, "{cut}");
    post
}

#[tokio::test]
async fn a_reset_before_handling_changes_nothing() {
    let post = cut_off("reset_before").await;
    assert_eq!(post.count("ariba@example.com", "").await, 0);
}

#[tokio::test]
async fn a_reset_after_handling_leaves_the_effect() {
    let post = cut_off("reset_after").await;
    assert_eq!(post.count("ariba@example.com", "").await, 1);
    let calls = post.admin("/admin/calls", Value::Null).await.json();
    let all = calls["items"].as_array().expect("calls");
    let cut: Vec<&Value> = all.iter().filter(|c| c["fault"] == "reset_after").collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0]["status"], Value::Null);
}

#[tokio::test]
async fn a_status_after_handling_leaves_the_effect() {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    let wanted = json!({"target": "google.gmail", "kind": "status_after", "status": 500});
    fault(&post, wanted).await;
    let send = "/gmail/v1/users/me/messages/send";
    let failed = post
        .bearer(&token, "POST", send, &sending())
        .await
        .expect("an answer");
    assert_eq!(failed.status, 500);
    assert_eq!(post.count("ariba@example.com", "").await, 1);
}

#[tokio::test]
async fn duplicate_truncate_html_and_slow_do_what_they_say() {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    let send = "/gmail/v1/users/me/messages/send";
    fault(
        &post,
        json!({"target": "google.gmail", "kind": "duplicate"}),
    )
    .await;
    let sent = post
        .bearer(&token, "POST", send, &sending())
        .await
        .expect("an answer");
    assert_eq!(sent.status, 200);
    assert_eq!(post.count("ariba@example.com", "").await, 2);
    fault(&post, json!({"target": "google.gmail", "kind": "truncate"})).await;
    let half = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(half.status, 200);
    serde_json::from_str::<Value>(&half.text).expect_err("half of JSON is no JSON");
    fault(
        &post,
        json!({"target": "google.gmail", "kind": "html", "status": 502}),
    )
    .await;
    let page = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(page.status, 502);
    assert!(page.text.starts_with("<!DOCTYPE html>"), "{}", page.text);
    let slow = json!({"target": "google.gmail", "kind": "slow", "delay_ms": 150});
    fault(&post, slow).await;
    let before = Instant::now();
    let late = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(late.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_fault_without_end_lasts_until_it_is_cleared() {
    let post = Post::start().await;
    let wanted = json!({"target": "google.token", "kind": "status", "status": 503, "times": 0});
    let id = fault(&post, wanted).await;
    for _ in 0..3 {
        assert_eq!(
            post.token_form("grant_type=refresh_token").await.status,
            503
        );
    }
    let path = format!("/admin/faults/{id}");
    let gone = call(post.page, "DELETE", &path, &[], "")
        .await
        .expect("an answer");
    assert_eq!(gone.status, 200);
    assert_eq!(
        post.token_form("grant_type=refresh_token").await.status,
        400
    );
    let twice = call(post.page, "DELETE", &path, &[], "")
        .await
        .expect("an answer");
    assert_eq!(twice.status, 404);
}

#[tokio::test]
async fn an_unknown_target_is_refused_with_the_known_ones() {
    let post = Post::start().await;
    let wanted = json!({"target": "gmail", "kind": "reset_before"});
    let reply = post.admin("/admin/faults", wanted).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("google.gmail"), "{}", reply.text);
}

#[tokio::test]
async fn mail_bears_the_time_of_the_flow_clock() {
    let post = Post::start().await;
    let set = json!({"start": "2031-05-04T10:00:00Z", "rate": 0.0});
    assert_eq!(post.admin("/admin/clock", set).await.status, 200);
    post.mail("ariba@example.com", APPROVALS, "then", "").await;
    let message = post.newest(APPROVALS).await;
    assert_eq!(message["internalDate"], "1935655200000");
    assert_eq!(
        post.admin("/admin/clock", json!({"start": "now"}))
            .await
            .status,
        422
    );
    let fast = json!({"start": "2031-05-04T10:00:00Z", "rate": -1.0});
    assert_eq!(post.admin("/admin/clock", fast).await.status, 400);
}

#[tokio::test]
async fn reset_brings_everything_back_and_repeats_no_id() {
    let post = Post::start().await;
    post.mail("ariba@example.com", APPROVALS, "one", "").await;
    let (before, cursor) = (
        post.newest(APPROVALS).await,
        post.history_id(APPROVALS).await,
    );
    fault(
        &post,
        json!({"target": "google.gmail", "kind": "reset_before"}),
    )
    .await;
    post.admin(
        "/admin/google",
        json!({"revoke_refresh": "ariba@example.com"}),
    )
    .await;
    assert_eq!(post.admin("/admin/reset", json!({})).await.status, 200);
    assert_eq!(post.count(APPROVALS, "").await, 0);
    assert_eq!(post.count("ariba@example.com", "").await, 0);
    post.mail("ariba@example.com", APPROVALS, "one", "").await;
    let after = post.newest(APPROVALS).await;
    assert!(
        after["id"].as_str() > before["id"].as_str(),
        "ids never come twice"
    );
    let old = format!("history?startHistoryId={cursor}");
    post.api(APPROVALS, "GET", &old, Value::Null, 404).await;
}

#[tokio::test]
async fn what_happens_is_told_as_events_in_order() {
    let post = Post::start().await;
    post.mail("ariba@example.com", APPROVALS, "before", "")
        .await;
    let mut stream = TcpStream::connect(post.page).await.expect("it listens");
    let request = "GET /events HTTP/1.1\r\nHost: sandbox\r\n\r\n";
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is read");
    let mut text = String::new();
    for wanted in ["before", "after"] {
        if wanted == "after" {
            post.mail("ariba@example.com", APPROVALS, "after", "").await;
        }
        while !text.contains(wanted) {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk);
            let read = tokio::time::timeout(Duration::from_secs(10), read).await;
            let read = read
                .expect("something is told in time")
                .expect("the line stays");
            text.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
    assert!(
        text.contains("event: mail") && text.contains("\"number\":1"),
        "{text}"
    );
}
