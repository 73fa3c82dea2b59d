//! History and notifications: what they tell, what they keep back, when they expire.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::gmail::{APPROVALS, ARIBA, Post, letter, raw};

const TOPIC: &str = "projects/p/topics/mail";
const SUBSCRIPTION: &str = "projects/p/subscriptions/s";

async fn history(post: &Post, start: &str, more: &str) -> Value {
    post.get(APPROVALS, &format!("history?startHistoryId={start}{more}"))
        .await
}

/// The keys of the records besides `id` and `messages`.
fn kinds(page: &Value) -> Vec<String> {
    let records = page["history"].as_array().cloned().unwrap_or_default();
    let keys = records
        .iter()
        .flat_map(|r| r.as_object().cloned().unwrap_or_default());
    keys.map(|(key, _)| key)
        .filter(|k| k != "id" && k != "messages")
        .collect()
}

#[tokio::test]
async fn a_new_mail_is_one_record_with_its_labels() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    post.mail(ARIBA, APPROVALS, "one", "").await;
    let page = history(&post, &start, "").await;
    assert_eq!(kinds(&page), ["messagesAdded"]);
    let added = &page["history"][0]["messagesAdded"][0]["message"];
    let labels: Vec<&str> = added["labelIds"]
        .as_array()
        .expect("labels")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        labels.contains(&"INBOX") && labels.contains(&"UNREAD"),
        "{labels:?}"
    );
    assert_eq!(
        page["historyId"], page["history"][0]["id"],
        "nothing came after it"
    );
    let id: u64 = page["historyId"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number");
    assert!(id > start.parse().expect("a number"));
    let next = history(&post, page["historyId"].as_str().expect("text"), "").await;
    assert_eq!(next.get("history"), None, "absent when empty");
}

#[tokio::test]
async fn gaps_between_ids_vary() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    for n in 0..12 {
        post.mail(ARIBA, APPROVALS, &format!("{n}"), "").await;
    }
    let page = history(&post, &start, "").await;
    let ids: Vec<u64> = page["history"]
        .as_array()
        .expect("records")
        .iter()
        .map(|r| r["id"].as_str().expect("text").parse().expect("a number"))
        .collect();
    let gaps: std::collections::BTreeSet<u64> = ids.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.len() > 1, "{ids:?}");
}

#[tokio::test]
async fn pages_join_to_the_whole_and_filters_apply() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    post.mail(ARIBA, APPROVALS, "one", "").await;
    let id = post.newest(APPROVALS).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let read = json!({"address": APPROVALS, "id": id});
    assert_eq!(
        post.admin("/admin/read", read).await.json()["changed"],
        true
    );
    let star = json!({"addLabelIds": ["STARRED"], "removeLabelIds": ["INBOX"]});
    post.post(APPROVALS, &format!("messages/{id}/modify"), star)
        .await;
    let whole = history(&post, &start, "").await;
    let wanted = [
        "messagesAdded",
        "labelsRemoved",
        "labelsRemoved",
        "labelsAdded",
    ];
    assert_eq!(kinds(&whole), wanted);
    assert_eq!(
        whole["history"][1]["labelsRemoved"][0]["labelIds"],
        json!(["UNREAD"])
    );
    let mut joined = Vec::new();
    let mut more = "&maxResults=1".to_owned();
    loop {
        let page = history(&post, &start, &more).await;
        joined.extend(page["history"].as_array().cloned().unwrap_or_default());
        let Some(token) = page["nextPageToken"].as_str() else {
            break;
        };
        more = format!("&maxResults=1&pageToken={token}");
    }
    assert_eq!(json!(joined), whole["history"]);
    let typed = history(
        &post,
        &start,
        "&historyTypes=labelAdded&historyTypes=messageAdded",
    )
    .await;
    assert_eq!(kinds(&typed), ["messagesAdded", "labelsAdded"]);
    let starred = history(&post, &start, "&labelId=STARRED").await;
    assert_eq!(kinds(&starred), ["labelsAdded"]);
    let unknown = format!("history?startHistoryId={start}&historyTypes=added");
    post.api(APPROVALS, "GET", &unknown, Value::Null, 400).await;
    post.api(APPROVALS, "GET", "history", Value::Null, 400)
        .await;
}

#[tokio::test]
async fn an_expired_start_is_not_found_and_a_fresh_one_works() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    post.mail(ARIBA, APPROVALS, "one", "").await;
    post.admin("/admin/google", json!({"expire_history": true}))
        .await;
    let path = format!("history?startHistoryId={start}");
    let gone = post.api(APPROVALS, "GET", &path, Value::Null, 404).await;
    assert_eq!(gone["error"]["errors"][0]["reason"], "notFound");
    let fresh = post.history_id(APPROVALS).await;
    post.mail(ARIBA, APPROVALS, "two", "").await;
    assert_eq!(kinds(&history(&post, &fresh, "").await), ["messagesAdded"]);
    let future = format!("history?startHistoryId={}", u64::MAX);
    post.api(APPROVALS, "GET", &future, Value::Null, 404).await;
}

#[tokio::test]
async fn hidden_mail_is_listed_but_never_in_history() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    post.admin("/admin/google", json!({"hide_from_history": 1}))
        .await;
    post.mail(ARIBA, APPROVALS, "hidden", "").await;
    post.mail(ARIBA, APPROVALS, "seen", "").await;
    assert_eq!(post.count(APPROVALS, "").await, 2);
    assert_eq!(kinds(&history(&post, &start, "").await), ["messagesAdded"]);
}

#[tokio::test]
async fn a_delayed_record_holds_the_cursor_back_until_it_comes() {
    let post = Post::start().await;
    let start = post.history_id(APPROVALS).await;
    let delay = json!({"delay_history": 1, "delay_history_ms": 1_000});
    post.admin("/admin/google", delay).await;
    post.mail(ARIBA, APPROVALS, "late", "").await;
    let early = history(&post, &start, "").await;
    assert_eq!(early.get("history"), None);
    let cursor = early["historyId"].as_str().expect("text").to_owned();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let page = history(&post, &cursor, "").await;
        if kinds(&page) == ["messagesAdded"] {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "it never came: {page}"
        );
    }
}

async fn pubsub(post: &Post, method: &str, path: &str, body: Value) -> Value {
    let token = post.token(APPROVALS).await;
    let path = format!("/v1/{path}");
    let reply = post
        .bearer(&token, method, &path, &body)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply.json()
}

async fn pull(post: &Post) -> Vec<Value> {
    let body = json!({"maxMessages": 10, "returnImmediately": true});
    let pulled = pubsub(post, "POST", &format!("{SUBSCRIPTION}:pull"), body).await;
    pulled["receivedMessages"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

async fn watch(post: &Post, body: Value) {
    pubsub(post, "PUT", TOPIC, json!({})).await;
    pubsub(post, "PUT", SUBSCRIPTION, json!({"topic": TOPIC})).await;
    post.post(APPROVALS, "watch", body).await;
    assert_eq!(pull(post).await.len(), 1, "a watch notifies at once");
}

fn data(message: &Value) -> Value {
    let text = message["message"]["data"].as_str().expect("data");
    serde_json::from_slice(&BASE64_STANDARD.decode(text).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn a_watch_notifies_of_its_labels_at_most_once_a_second() {
    let post = Post::start().await;
    watch(&post, json!({"topicName": TOPIC, "labelIds": ["INBOX"]})).await;
    let put = json!({"raw": raw(&letter(ARIBA, APPROVALS, "archived", ""))});
    post.post(APPROVALS, "messages", put).await;
    assert!(pull(&post).await.is_empty(), "not in the inbox");
    let before = std::time::Instant::now();
    for n in 0..5 {
        post.mail(ARIBA, APPROVALS, &format!("{n}"), "").await;
    }
    let got = pull(&post).await;
    let seconds = usize::try_from(before.elapsed().as_secs()).expect("few");
    assert!(
        (1..=1 + seconds).contains(&got.len()),
        "the rest within a second is dropped"
    );
    assert_eq!(data(&got[0])["emailAddress"], APPROVALS);
    assert!(data(&got[0])["historyId"].is_u64());
}

#[tokio::test]
async fn a_stopped_watch_is_silent() {
    let post = Post::start().await;
    watch(&post, json!({"topicName": TOPIC})).await;
    post.api(APPROVALS, "POST", "stop", Value::Null, 204).await;
    post.mail(ARIBA, APPROVALS, "after", "").await;
    assert!(pull(&post).await.is_empty());
}

#[tokio::test]
async fn a_second_topic_is_refused_until_the_first_is_stopped() {
    let post = Post::start().await;
    watch(&post, json!({"topicName": TOPIC})).await;
    let other = "projects/p/topics/other";
    pubsub(&post, "PUT", other, json!({})).await;
    let body = json!({"topicName": other});
    let refused = post
        .api(APPROVALS, "POST", "watch", body.clone(), 400)
        .await;
    let message = refused["error"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("Only one user push notification client"),
        "{message}"
    );
    post.post(APPROVALS, "watch", json!({"topicName": TOPIC}))
        .await;
    post.api(APPROVALS, "POST", "stop", Value::Null, 204).await;
    post.post(APPROVALS, "watch", body).await;
}

#[tokio::test]
async fn unacknowledged_messages_come_again_and_acknowledged_ones_do_not() {
    let post = Post::start().await;
    pubsub(&post, "PUT", TOPIC, json!({})).await;
    pubsub(&post, "PUT", SUBSCRIPTION, json!({"topic": TOPIC})).await;
    let publish = json!({"messages": [{"data": "eA=="}, {"data": "eQ=="}]});
    pubsub(&post, "POST", &format!("{TOPIC}:publish"), publish).await;
    let first = pull(&post).await;
    assert_eq!(first.len(), 2);
    assert!(pull(&post).await.is_empty(), "leased to the first reader");
    let nack = json!({"ackIds": [first[0]["ackId"]], "ackDeadlineSeconds": 0});
    pubsub(
        &post,
        "POST",
        &format!("{SUBSCRIPTION}:modifyAckDeadline"),
        nack,
    )
    .await;
    let again = pull(&post).await;
    assert_eq!(again.len(), 1);
    assert_eq!(
        again[0]["message"]["messageId"],
        first[0]["message"]["messageId"]
    );
    let all = json!({"ackIds": [again[0]["ackId"], first[1]["ackId"], "unknown"]});
    pubsub(&post, "POST", &format!("{SUBSCRIPTION}:acknowledge"), all).await;
    assert!(pull(&post).await.is_empty());
}
