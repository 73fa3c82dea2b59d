//! Searches and lists by pages.

use serde_json::{Value, json};

use crate::gmail::{APPROVALS, ARIBA, Post};

#[tokio::test]
async fn searches_find_what_gmail_would_find() {
    let post = Post::start().await;
    let clock = json!({"start": "2026-11-20T09:00:00Z", "rate": 0.0});
    post.admin("/admin/clock", clock).await;
    let id = "Message-ID: <Po-7@ariba.example>\r\n";
    post.mail(
        "Ariba <ariba@example.com>",
        APPROVALS,
        "PO-4711 for approval",
        id,
    )
    .await;
    let clock = json!({"start": "2026-11-22T09:00:00Z", "rate": 0.0});
    post.admin("/admin/clock", clock).await;
    post.mail(
        "Alice <approver@example.com>",
        APPROVALS,
        "Lunch",
        "Cc: cfo@example.com\r\n",
    )
    .await;
    for (query, found) in [
        ("from:ariba@example.com", 1),
        ("from:example.com", 2),
        ("FROM:Alice", 1),
        ("from: alice", 1),
        ("to:cfo@example.com", 1),
        ("subject:4711", 1),
        ("subject:(approval for)", 1),
        ("subject:\"for approval\"", 1),
        ("subject:\"approval for\"", 0),
        ("subject:appro", 0),
        ("hello", 2),
        ("rfc822msgid:Po-7@ariba.example", 1),
        ("rfc822msgid:<Po-7@ariba.example>", 1),
        ("is:unread in:inbox", 2),
        ("-from:alice", 1),
        ("-is:unread", 0),
        ("lunch OR 4711", 2),
        ("lunch or 4711", 0),
        ("{lunch 4711}", 2),
        ("from:ariba (lunch OR approval)", 1),
        ("newer_than:1d", 1),
        ("newer_than:60h", 2),
        ("newer_than:1w", 0),
        ("older_than:1d", 1),
        ("after:1795251600", 1),
        ("before:1795251600", 1),
        ("after:2026/11/21", 1),
        ("label:inbox label:unread", 2),
        ("label:nowhere", 0),
        ("has:attachment", 0),
        ("nonsense:1", 0),
        ("-nonsense:1", 0),
        ("after:soon", 0),
        ("\"unclosed", 0),
        ("((((", 2),
        ("larger:1M", 0),
        ("smaller:1M", 2),
    ] {
        assert_eq!(post.count(APPROVALS, query).await, found, "{query}");
    }
}

#[tokio::test]
async fn pages_do_not_shift_when_mail_arrives() {
    let post = Post::start().await;
    for n in 0..5 {
        post.mail(ARIBA, APPROVALS, &format!("{n}"), "").await;
    }
    let first = post.get(APPROVALS, "messages?maxResults=2").await;
    post.mail(ARIBA, APPROVALS, "new", "").await;
    let mut seen: Vec<Value> = first["messages"].as_array().cloned().unwrap_or_default();
    let mut token = first["nextPageToken"].as_str().map(str::to_owned);
    while let Some(next) = token {
        let page = post
            .get(
                APPROVALS,
                &format!("messages?maxResults=2&pageToken={next}"),
            )
            .await;
        seen.extend(page["messages"].as_array().cloned().unwrap_or_default());
        token = page["nextPageToken"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 5);
    let ids: std::collections::BTreeSet<String> =
        seen.iter().map(|m| m["id"].to_string()).collect();
    assert_eq!(ids.len(), 5);
    post.api(
        APPROVALS,
        "GET",
        "messages?pageToken=rubbish",
        Value::Null,
        400,
    )
    .await;
    post.api(APPROVALS, "GET", "messages?query=typo", Value::Null, 400)
        .await;
}
