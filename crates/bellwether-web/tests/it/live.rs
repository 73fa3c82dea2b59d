//! The live feed: words, coalescing, and an end when the server drains.

use std::time::Duration;

use bellwether_engine::seam::{LiveKind, LiveLine};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::client::{Server, connect, start};
use crate::stand_in::samples::{id, morning, now};

async fn watch(server: &Server) -> TcpStream {
    let stream = connect(server.internal, "GET", "/api/live", &[], "").await;
    let looked = async {
        while !server.app.live.watched() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looked)
        .await
        .expect("somebody looks on");
    stream
}

/// Reads until `enough` says so, or the stream ends.
async fn read(stream: &mut TcpStream, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut buffer = [0; 16 * 1024];
    let reading = async {
        loop {
            let n = stream.read(&mut buffer).await.expect("readable");
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
            if n == 0 || enough(&text) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .expect("in time");
    text
}

fn say(server: &Server, kind: LiveKind, words: &[&str], event: Option<i64>) {
    server.app.live.say(LiveLine {
        at: now(),
        kind,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        run: Some(id(11)),
        event,
    });
}

fn data(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn lines_come_as_json_with_their_words() {
    let server = start(morning(), "").await;
    let mut stream = watch(&server).await;
    say(
        &server,
        LiveKind::Event,
        &["gmail.message.received", "approvals", "1"],
        Some(4),
    );
    say(
        &server,
        LiveKind::Delivery,
        &["push", "alice", "accepted"],
        None,
    );
    say(
        &server,
        LiveKind::Decision,
        &["dora", "approve by phone", "PO-4711"],
        None,
    );
    let text = read(&mut stream, |text| text.matches("data: ").count() >= 3).await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(
        text.contains("id: 1\n") && text.contains("id: 3\n"),
        "{text}"
    );
    let lines = data(&text);
    assert_eq!(lines[0]["kind"], "event");
    assert_eq!(lines[0]["at"], "2026-03-02T09:42:00Z");
    assert_eq!(
        lines[0]["text"],
        "Mail: PO-4711 €4,200.00 Huber GmbH, from SAP"
    );
    assert_eq!(lines[0]["link"], "/events/4");
    assert_eq!(lines[1]["text"], "Alice’s phone: given to OpenText");
    assert_eq!(
        (&lines[2]["text"], &lines[2]["lane"]),
        (&"Dora approved by phone: PO-4711".into(), &3.into())
    );
}

#[tokio::test]
async fn a_burst_is_cut_to_twenty_lines_and_a_count() {
    let server = start(morning(), "").await;
    let mut stream = watch(&server).await;
    for n in 0..300 {
        say(&server, LiveKind::Opened, &[&format!("p{n}")], None);
    }
    let text = read(&mut stream, |text| text.contains("\"more\":")).await;
    let lines = data(&text);
    assert!(lines.len() <= 21, "{}", lines.len());
    let told: u64 = lines.iter().filter(|line| line["text"].is_string()).count() as u64;
    let more: u64 = lines.iter().filter_map(|line| line["more"].as_u64()).sum();
    assert_eq!((told, told + more), (20, 300));
    // The newest are kept.
    assert!(lines.iter().any(|line| line["text"] == "p299 opened it"));
}

#[tokio::test]
async fn the_feed_ends_when_the_server_drains() {
    let server = start(morning(), "").await;
    let mut stream = watch(&server).await;
    let begun = std::time::Instant::now();
    server.stop().await;
    read(&mut stream, |_| false).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn readers_of_one_address_have_so_many_places() {
    let server = start(morning(), "").await;
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut stream = connect(server.internal, "GET", "/api/live", &[], "").await;
        let text = read(&mut stream, |text| text.contains(": live")).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        held.push(stream);
    }
    let mut stream = connect(server.internal, "GET", "/api/live", &[], "").await;
    let text = read(&mut stream, |_| false).await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert!(server.get("/metrics").await.body.contains("watchers 32"));
}
