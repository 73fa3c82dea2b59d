//! What the Smint.io stand-in sends by itself on the push channel.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gmail::escaped;
use crate::smintio::Smint;
use crate::wire::{Reply, call};

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
