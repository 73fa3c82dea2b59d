//! What the Smint.io stand-in sends by itself: the push channel, webhooks and task mails; and the
//! portals.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gmail::{Post, escaped, header};
use crate::smintio::{FORM, Smint, TENANT};
use crate::wire::{Ingest, Reply, call, ok};

/// Longest a test waits for a frame.
const DEADLINE: Duration = Duration::from_secs(10);

/// A WebSocket client without a library.
struct Socket {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// What a server sent: its text, or the code it closed with.
#[derive(Debug, PartialEq)]
enum Got {
    Text(Value),
    Closed(u16),
    Pong(Vec<u8>),
}

impl Socket {
    async fn open(smint: &Smint, path: &str) -> Self {
        let mut stream = TcpStream::connect(smint.at).await.expect("it listens");
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it is read");
        let mut socket = Self {
            stream,
            bytes: Vec::new(),
        };
        let end = loop {
            let found = socket.bytes.windows(4).position(|w| w == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None => socket.more().await,
            }
        };
        let head = String::from_utf8_lossy(&socket.bytes[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        assert!(head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        socket.bytes.drain(..end);
        socket
    }

    /// A connection that is established, and its socket id.
    async fn connected(smint: &Smint) -> (Self, String) {
        let mut socket = Self::open(smint, &address(smint)).await;
        let hello = socket.text().await;
        assert_eq!(hello["event"], "pusher:connection_established");
        let data: Value =
            serde_json::from_str(hello["data"].as_str().expect("text")).expect("JSON");
        assert_eq!(data["activity_timeout"], 120);
        (
            socket,
            data["socket_id"].as_str().expect("an id").to_owned(),
        )
    }

    /// A connection that listens to the tenant's channel.
    async fn subscribed(smint: &Smint, token: &str) -> Self {
        let (mut socket, id) = Self::connected(smint).await;
        let channel = smint.part("/pusher/channel");
        let auth = authorised(smint, token, &id, &channel).await.json()["auth"].clone();
        socket
            .say(&json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}}))
            .await;
        let answer = socket.text().await;
        assert_eq!(
            answer["event"], "pusher_internal:subscription_succeeded",
            "{answer}"
        );
        socket
    }

    async fn more(&mut self) {
        let mut chunk = [0; 4096];
        let read = tokio::time::timeout(DEADLINE, self.stream.read(&mut chunk)).await;
        let read = read
            .expect("something comes in time")
            .expect("the line stays");
        assert!(read > 0, "the line ended");
        self.bytes.extend_from_slice(&chunk[..read]);
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) {
        let mask = [7, 1, 9, 3];
        let mut frame = vec![0x80 | kind];
        match u8::try_from(payload.len()) {
            Ok(short @ 0..=125) => frame.push(0x80 | short),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(
                    u16::try_from(payload.len())
                        .expect("not long")
                        .to_be_bytes(),
                );
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        self.stream.write_all(&frame).await.expect("it is read");
    }

    async fn say(&mut self, message: &Value) {
        self.frame(1, message.to_string().as_bytes()).await;
    }

    async fn next(&mut self) -> Got {
        loop {
            if let [first, short, ..] = self.bytes[..] {
                let (from, length) = match short {
                    126 => {
                        while self.bytes.len() < 4 {
                            self.more().await;
                        }
                        (
                            4,
                            usize::from(self.bytes[2]) << 8 | usize::from(self.bytes[3]),
                        )
                    }
                    short => (2, usize::from(short)),
                };
                if let Some(payload) = self.bytes.get(from..from + length) {
                    let payload = payload.to_vec();
                    self.bytes.drain(..from + length);
                    return match first & 0x0f {
                        1 => Got::Text(serde_json::from_slice(&payload).expect("JSON")),
                        8 => Got::Closed(u16::from_be_bytes([payload[0], payload[1]])),
                        10 => Got::Pong(payload),
                        other => panic!("a frame of kind {other}"),
                    };
                }
            }
            self.more().await;
        }
    }

    async fn text(&mut self) -> Value {
        match self.next().await {
            Got::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }
}

fn address(smint: &Smint) -> String {
    format!(
        "/app/{}?protocol=7&client=test&version=1",
        smint.part("/pusher/key")
    )
}

async fn authorised(smint: &Smint, token: &str, id: &str, channel: &str) -> Reply {
    let form = format!("socket_id={id}&channel_name={}", escaped(channel));
    smint
        .send(
            "POST",
            "/consumer/v1/notifications/pusher/auth",
            token,
            &form,
        )
        .await
}

#[tokio::test]
async fn a_purchase_is_hinted_to_those_who_subscribed_with_a_signature() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let mut socket = Socket::subscribed(&smint, &token).await;
    assert_eq!(smint.shown().await["subscribers"], 1);
    smint.deed("buy", json!({})).await;
    let event = socket.text().await;
    assert_eq!(event["event"], "global-transaction-history-update");
    assert_eq!(event["channel"], smint.part("/pusher/channel"));
    assert!(event["data"].is_string(), "data is a text: {event}");
    socket
        .say(&json!({"event": "pusher:ping", "data": {}}))
        .await;
    assert_eq!(socket.text().await["event"], "pusher:pong");
    socket.frame(9, b"alive").await;
    assert_eq!(socket.next().await, Got::Pong(b"alive".to_vec()));
    let channel = smint.part("/pusher/channel");
    socket
        .say(&json!({"event": "pusher:unsubscribe", "data": {"channel": channel}}))
        .await;
    socket
        .say(&json!({"event": "client-hello", "data": {}}))
        .await;
    assert_eq!(socket.text().await["event"], "pusher:error");
    assert_eq!(smint.shown().await["subscribers"], 0);
}

#[tokio::test]
async fn wrong_signatures_channels_and_tokens_are_refused() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let (mut socket, id) = Socket::connected(&smint).await;
    let channel = smint.part("/pusher/channel");
    let other = authorised(&smint, &token, "1.1", &channel).await.json()["auth"].clone();
    for auth in [json!("sandbox-smintio-key:00"), other, Value::Null] {
        socket
            .say(&json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}}))
            .await;
        let answer = socket.text().await;
        assert_eq!(answer["event"], "pusher:subscription_error", "{answer}");
        assert!(
            answer["data"].as_str().is_some_and(|d| d.contains("401")),
            "{answer}"
        );
    }
    assert_eq!(
        authorised(&smint, "made-up", &id, &channel).await.status,
        401
    );
    assert_eq!(
        authorised(&smint, &token, &id, "private-2-1").await.status,
        403
    );
    assert_eq!(
        authorised(&smint, &token, "no socket", &channel)
            .await
            .status,
        400
    );
    smint.deed("tokens", json!({"expire_access": true})).await;
    let late = authorised(&smint, &token, &id, &channel).await;
    assert_eq!(
        (late.status, &late.json()["error_code"]),
        (401, &json!("access_token_expired"))
    );
    smint.deed("buy", json!({})).await;
    socket.say(&json!({"event": "pusher:ping"})).await;
    assert_eq!(
        socket.text().await["event"],
        "pusher:pong",
        "no event came in between"
    );
}

#[tokio::test]
async fn hints_are_lost_doubled_sent_in_a_burst_and_with_junk() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let mut socket = Socket::subscribed(&smint, &token).await;
    smint.deed("pusher", json!({"lose": 1})).await;
    smint.deed("buy", json!({})).await;
    smint.deed("hint", json!({"payload": "]junk{"})).await;
    assert_eq!(
        socket.text().await["data"],
        "]junk{",
        "the lost one did not come"
    );
    smint.deed("pusher", json!({"double": 1})).await;
    smint.deed("buy", json!({})).await;
    assert_eq!(socket.text().await, socket.text().await);
    assert_eq!(
        smint.deed("hint", json!({"burst": 30})).await["subscribers"],
        1
    );
    for _ in 0..30 {
        assert_eq!(socket.text().await["data"], "{}");
    }
    smint.deed("pusher", json!({"mute": true})).await;
    smint.deed("buy", json!({})).await;
    assert_eq!(smint.shown().await["hints"], 33);
}

#[tokio::test]
async fn connections_are_closed_and_refused_with_the_code_that_was_asked_for() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    for code in [4009, 4100, 4200] {
        let mut socket = Socket::subscribed(&smint, &token).await;
        smint.deed("pusher", json!({"close": code})).await;
        assert_eq!(socket.text().await["data"]["code"], code);
        assert_eq!(socket.next().await, Got::Closed(code));
    }
    smint.deed("pusher", json!({"refuse": 4004})).await;
    let mut socket = Socket::open(&smint, &address(&smint)).await;
    socket.text().await;
    assert_eq!(socket.next().await, Got::Closed(4004));
    smint.deed("pusher", json!({"refuse": 0})).await;
    for (path, code) in [
        ("/app/nobody?protocol=7".to_owned(), 4001),
        (address(&smint).replace("protocol=7", "protocol=3"), 4007),
        (address(&smint).replace("protocol=7&", ""), 4008),
    ] {
        let mut socket = Socket::open(&smint, &path).await;
        assert_eq!(socket.text().await["event"], "pusher:error");
        assert_eq!(socket.next().await, Got::Closed(code));
    }
    let plain = call(smint.at, "GET", &address(&smint), &[], "")
        .await
        .expect("an answer");
    assert_eq!(
        (plain.status, plain.header("sec-websocket-version")),
        (426, Some("13"))
    );
    smint
        .deed("pusher", json!({"activity_seconds": 1, "pong_seconds": 1}))
        .await;
    let mut socket = Socket::open(&smint, &address(&smint)).await;
    socket.text().await;
    assert_eq!(socket.text().await["event"], "pusher:ping");
    assert_eq!(socket.text().await["data"]["code"], 4201);
    assert_eq!(socket.next().await, Got::Closed(4201));
}

/// HMAC-SHA256 by its definition, so that the test does not share the stand-in's.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |byte: u8| block.iter().map(|b| b ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[tokio::test]
async fn webhooks_are_signed_rightly_and_wrongly() {
    let smint = Smint::start().await;
    let ingest = Ingest::start(|_, _| ok("taken", "Thank you.")).await;
    let secret = BASE64_STANDARD
        .decode(smint.part("/webhook_secret"))
        .expect("base64");
    let good = |at: usize, secret: &[u8]| {
        let heard = &ingest.heard()[at];
        let part = |name: &str| heard.header(name).unwrap_or_default().to_owned();
        let signed = format!("{}.{}", part("x-smintio-timestamp"), heard.text);
        BASE64_STANDARD.encode(hmac(secret, signed.as_bytes())) == part("x-smintio-signature")
    };
    let event = json!({"id": "e-1", "type": "asset.used"});
    let order = |mode: &str| json!({"url": ingest.url, "mode": mode, "event": event});
    let sent = smint.deed("webhook", order("right")).await;
    assert_eq!(sent["status"], 200, "{sent}");
    assert!(good(0, &secret) && ingest.heard()[0].body == event);
    smint.deed("webhook", order("replayed")).await;
    assert!(good(1, &secret), "byte by byte the same");
    assert_eq!(ingest.heard()[0].head, ingest.heard()[1].head);
    for mode in [
        "altered",
        "wrong_secret",
        "empty_secret",
        "wrong_encoding",
        "unsigned",
        "timeless",
    ] {
        smint.deed("webhook", order(mode)).await;
        assert!(!good(ingest.heard().len() - 1, &secret), "{mode}");
    }
    let age = |at: usize| {
        let at = ingest.heard()[at]
            .header("x-smintio-timestamp")
            .expect("one")
            .parse::<i64>();
        jiff::Timestamp::now().as_second() - at.expect("a number")
    };
    for (mode, from, to) in [("old", 301, 400), ("early", -301, -200)] {
        smint.deed("webhook", order(mode)).await;
        let last = ingest.heard().len() - 1;
        assert!(
            good(last, &secret) && (from..=to).contains(&age(last)),
            "{mode}"
        );
    }
    let turned = smint.deed("rotate_webhook_secret", json!({})).await;
    let new = BASE64_STANDARD
        .decode(turned["webhook_secret"].as_str().expect("text"))
        .expect("base64");
    smint.deed("webhook", order("right")).await;
    smint.deed("webhook", order("rotated")).await;
    let last = ingest.heard().len() - 1;
    assert!(
        good(last - 1, &new) && !good(last - 1, &secret),
        "the new secret"
    );
    assert!(good(last, &secret), "the one before");
    let mut big = order("right");
    big["bytes"] = json!(50_000);
    smint.deed("webhook", big).await;
    assert_eq!(
        ingest.heard().last().map(|h| h.text.len() > 49_900),
        Some(true)
    );
    let nowhere = json!({"url": "http://127.0.0.1:1/"});
    let path = format!("/admin/smintio/{TENANT}/webhook");
    assert_eq!(smint.post.admin(&path, nowhere).await.status, 400);
}

#[tokio::test]
async fn requests_are_told_by_mail_and_by_webhook() {
    let smint = Smint::start().await;
    let ingest = Ingest::start(|_, _| ok("taken", "Thank you.")).await;
    smint
        .deed("settings", json!({"webhook_url": ingest.url}))
        .await;
    let ask = json!({"asset": "Gr\u{fc}ner Hang", "by": "dora", "reviewer": "alice"});
    let task = smint.deed("request", ask).await["id"].clone();
    let mail = smint.post.newest("approver@example.com").await;
    assert_eq!(header(&mail, "Subject"), "New request: Gr\u{fc}ner Hang");
    assert_eq!(header(&mail, "X-Task-Id"), task.as_str().expect("text"));
    assert!(header(&mail, "Authentication-Results").contains("dmarc=pass"));
    let declined = json!({"task": task, "reason": "Not for print."});
    assert_eq!(
        smint.deed("reject", declined.clone()).await["state"],
        "Declined"
    );
    let mail = smint.post.newest("deputy@example.com").await;
    assert_eq!(header(&mail, "Subject"), "Declined: Gr\u{fc}ner Hang");
    let path = format!("/admin/smintio/{TENANT}/approve");
    let late = smint.post.admin(&path, declined).await;
    assert!(
        late.status == 400 && late.text.contains("Declined already"),
        "{}",
        late.text
    );
    smint.deed("settings", json!({"no_mails": true})).await;
    assert_eq!(smint.deed("request", json!({})).await["mails"], 0);
    let deadline = std::time::Instant::now() + DEADLINE;
    while ingest.heard().len() < 3 {
        assert!(
            std::time::Instant::now() < deadline,
            "the webhooks did not come"
        );
        tokio::task::yield_now().await;
    }
    let types: std::collections::BTreeSet<String> = ingest
        .heard()
        .iter()
        .filter_map(|h| h.body["type"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        ["request.rejected", "request.submitted"]
    );
}

/// Runs a method of the portal; the body is JSON in a text in JSON.
async fn execute(smint: &Smint, token: &str, method: &str, asked: &Value) -> Reply {
    let portal = smint.part("/portals/portal_uuid");
    let path = format!("/{TENANT}/frontend/v1/portals/{portal}/portalsContext/{method}");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = json!([asked.to_string()]).to_string();
    call(smint.at, "POST", &path, &headers, &body)
        .await
        .expect("an answer")
}

fn result(task: &Value) -> Value {
    serde_json::from_str(task["result_string"].as_str().expect("a text")).expect("JSON in it")
}

const SEARCH: &str = "IAssetsSearch/execute/searchAssetsAsync";

#[tokio::test]
async fn portals_are_searched_with_json_in_a_text() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    let payload = smint.get("/portal/v1/payload", "").await.json();
    assert_eq!(
        payload["current_portal_info"]["uuid"],
        smint.part("/portals/portal_uuid")
    );
    assert_eq!(
        payload["current_tenant"]["backend_api_url"],
        smint.part("/portals/url")
    );
    let uuid = smint
        .deed("buy", json!({"name": "Hidden gem", "state": "completed"}))
        .await["uuid"]
        .clone();
    let ask = json!({"queryString": "gem", "page": 0, "pageSize": 10});
    let found = result(&execute(&smint, &token, SEARCH, &ask).await.json());
    let asset = &found["assetDataObjects"][0];
    assert_eq!(
        (&found["details"]["totalResults"], &asset["version"]),
        (&json!(1), &json!("1"))
    );
    let id = asset["id"].clone();
    assert_eq!(
        id.as_str().and_then(|i| i.rsplit(':').next()),
        uuid.as_str()
    );
    smint
        .deed(
            "publish",
            json!({"uuid": uuid, "from": "2099-01-01T00:00:00Z"}),
        )
        .await;
    let gone = result(&execute(&smint, &token, SEARCH, &ask).await.json());
    assert_eq!(
        gone["details"]["totalResults"], 0,
        "not before it is published"
    );
    smint.deed("publish", json!({"uuid": uuid})).await;
    smint.deed("update", json!({"uuid": uuid})).await;
    let by = smint
        .deed("buy", json!({"name": "New gem", "state": "completed"}))
        .await["uuid"]
        .clone();
    smint.deed("replace", json!({"uuid": uuid, "by": by})).await;
    let one = json!({"assetId": {"id": id}});
    let one = execute(&smint, &token, "IAssetsRead/execute/getAssetAsync", &one)
        .await
        .json();
    let one = result(&one)["assetDataObject"].clone();
    assert_eq!(
        (&one["version"], &one["relatedAssets"][0]["type"]),
        (&json!("2"), &json!("version"))
    );
}

#[tokio::test]
async fn collections_are_found_with_what_is_in_them() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    smint
        .deed("campaign", json!({"name": "Summit", "assets": 2}))
        .await;
    smint
        .deed("campaign_finish", json!({"name": "Summit"}))
        .await;
    let ask = json!({"queryString": "summit"});
    let all = execute(
        &smint,
        &token,
        "ICollectionsSearch/execute/searchCollectionsAsync",
        &ask,
    )
    .await;
    let id = result(&all.json())["collections"][0]["id"].clone();
    let inside = "ICollectionsAssets/execute/searchCollectionAssetsAsync";
    let inside = execute(&smint, &token, inside, &json!({"collectionId": id}))
        .await
        .json();
    assert_eq!(result(&inside)["details"]["totalResults"], 2);
}

#[tokio::test]
async fn background_tasks_are_asked_for_until_they_are_done() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    smint.deed("settings", json!({"task_polls": 2})).await;
    let mut task = execute(&smint, &token, SEARCH, &json!({})).await.json();
    let mut states = vec![task["state"].clone()];
    assert_eq!(task["result_string"], Value::Null);
    let path = format!(
        "/frontend/v1/backgroundTasks/{}",
        task["uuid"].as_str().expect("text")
    );
    while task["state"] != "completed" {
        task = smint.get(&path, &token).await.json();
        states.push(task["state"].clone());
    }
    assert_eq!(states, ["created", "in_progress", "completed"]);
    assert!(result(&task)["details"]["totalResults"].is_u64());
    assert_eq!(smint.shown().await["hasty_polls"], 2);
    smint.deed("settings", json!({"task_polls": 0})).await;
    let failed = execute(&smint, &token, SEARCH, &json!({"pageSize": 51}))
        .await
        .json();
    assert_eq!(
        (&failed["state"], &failed["failed_steps"]),
        (&json!("error"), &json!(1))
    );
    assert_eq!(result(&failed)["error_code"], "max_paging_limit_exceeded");
    let tasks = "ITaskManagementSearch/execute/searchTasksAsync";
    let off = execute(&smint, &token, tasks, &json!({})).await;
    assert_eq!(
        (off.status, &off.json()["error_code"]),
        (501, &json!("not_implemented"))
    );
    smint.deed("settings", json!({"task_search": true})).await;
    smint.deed("request", json!({"asset": "Logo"})).await;
    let on = execute(&smint, &token, tasks, &json!({})).await.json();
    assert_eq!(result(&on)["tasks"][0]["state"], "New");
    let feed = smint.token().await;
    assert_eq!(
        execute(&smint, &feed, SEARCH, &json!({})).await.status,
        403,
        "another scope"
    );
    let plain = smint
        .send(
            "POST",
            &path.replace("backgroundTasks", "nothing"),
            &token,
            "",
        )
        .await;
    assert_eq!(plain.status, 404);
}

#[tokio::test]
async fn the_page_shows_and_does_without_a_script() {
    let smint = Smint::start().await;
    smint
        .deed(
            "buy",
            json!({"name": "<b>Bold</b> hut", "valid_days": 20, "max_downloads": 10}),
        )
        .await;
    smint.deed("request", json!({"asset": "Logo pack"})).await;
    let post: &Post = &smint.post;
    let page = call(post.page, "GET", "/smintio", &[], "")
        .await
        .expect("an answer");
    assert_eq!(page.status, 200);
    for words in [
        "&lt;b&gt;Bold&lt;/b&gt; hut",
        "Logo pack",
        "being bought",
        "nothing leaves this machine",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Bold"), "names are text");
    let form = "deed=deliver&uuid=";
    let uuid = smint.shown().await["transactions"][0]["uuid"]
        .as_str()
        .expect("text")
        .to_owned();
    let path = format!("/smintio/{TENANT}");
    let done = call(post.page, "POST", &path, &[FORM], &format!("{form}{uuid}"))
        .await
        .expect("an answer");
    assert_eq!(done.status, 303);
    assert!(
        done.header("location")
            .is_some_and(|l| l.starts_with("/smintio/alpenwerk?said="))
    );
    assert_eq!(smint.shown().await["transactions"][0]["state"], "completed");
    let foreign = [FORM, ("sec-fetch-site", "cross-site")];
    let refused = call(post.page, "POST", &path, &foreign, "deed=buy")
        .await
        .expect("an answer");
    assert_eq!(refused.status, 403);
    assert_eq!(
        call(post.page, "GET", "/smintio/nobody", &[], "")
            .await
            .expect("an answer")
            .status,
        404
    );
}
