//! The busy path: what reaches the engine, what it answers, what is refused before it.

use crate::client::{send, start};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::empty;

#[tokio::test]
async fn a_hook_gives_the_engine_inlet_headers_and_body() {
    let server = start(empty(), "").await;
    let headers = ["Webhook-Id: msg_1", "content-type: application/json"];
    let answer = send(
        server.public,
        "POST",
        "/hooks/orders",
        &headers,
        "{\"a\":1}",
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (202, Some("application/json"))
    );
    assert_eq!(answer.json()["position"], 7);
    let named = send(server.public, "POST", "/hooks/app/engagement", &[], "{}").await;
    assert_eq!(named.status, 202);
    let received = lock(&server.fake.received);
    assert_eq!(
        (received[0].0.as_str(), received[0].1.inlet.as_str()),
        ("orders", "")
    );
    assert_eq!(received[0].1.header("webhook-id"), Some("msg_1"));
    assert_eq!(received[0].1.body, b"{\"a\":1}");
    assert_eq!(
        (received[1].0.as_str(), received[1].1.inlet.as_str()),
        ("app", "engagement")
    );
}

#[tokio::test]
async fn more_than_64_kb_is_refused_and_nothing_reaches_the_engine() {
    let server = start(empty(), "").await;
    let large = "x".repeat(64 * 1024 + 1);
    let answer = send(server.public, "POST", "/hooks/orders", &[], &large).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(lock(&server.fake.received).is_empty());
    let (name, away) = lock(&server.fake.away).pop().expect("it is counted");
    assert_eq!((name.as_str(), away.code.as_str()), ("orders", "too_large"));
    assert_eq!((away.status, away.bytes), (413, 64 * 1024 + 1));
    assert!(away.caller.is_some_and(|caller| caller.is_loopback()));
    let fits = "x".repeat(64 * 1024);
    let answer = send(server.public, "POST", "/hooks/orders", &[], &fits).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn the_caller_is_who_a_proxy_beside_us_says() {
    let server = start(empty(), "").await;
    for headers in [
        &[][..],
        &["x-forwarded-for: 198.51.100.7, 203.0.113.9"],
        &["x-forwarded-for: <b>"],
    ] {
        send(server.public, "POST", "/hooks/orders", headers, "{}").await;
    }
    let callers = lock(&server.fake.callers).clone();
    let callers: Vec<String> = callers.iter().map(ToString::to_string).collect();
    assert_eq!(callers, ["127.0.0.1", "203.0.113.9", "127.0.0.1"]);
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_refused_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = start(empty(), "").await;
    let mut stream = tokio::net::TcpStream::connect(server.public)
        .await
        .expect("a listener");
    let head = "POST /hooks/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 40 * 1024, "x".repeat(40 * 1024));
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(chunk.as_bytes()).await.expect("sent");
    drop(stream.write_all(chunk.as_bytes()).await);
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 413");
    assert!(lock(&server.fake.received).is_empty());
}

#[tokio::test]
async fn back_pressure_names_a_time_and_unknown_connections_are_the_engines_answer() {
    let server = start(empty(), "").await;
    let busy = send(server.public, "POST", "/hooks/busy", &[], "{}").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")));
    let unknown = send(server.public, "POST", "/hooks/nobody", &[], "{}").await;
    assert_eq!(unknown.status, 404);
    let looked = send(server.public, "GET", "/hooks/orders", &[], "").await;
    assert_eq!(looked.status, 405);
}

#[tokio::test]
async fn what_is_in_flight_ends_well_when_the_server_stops() {
    let server = start(empty(), "").await;
    let (fake, public) = (server.fake.clone(), server.public);
    let slow = tokio::spawn(async move { send(public, "POST", "/hooks/slow", &[], "{}").await });
    let arrived = async {
        while lock(&fake.received).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let arrived = tokio::time::timeout(std::time::Duration::from_secs(10), arrived).await;
    arrived.expect("it arrived");
    let stopping = tokio::spawn(server.stop());
    // New callers are turned away while the one in flight is still served.
    let refused = async {
        while tokio::net::TcpStream::connect(public).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let refused = tokio::time::timeout(std::time::Duration::from_secs(10), refused).await;
    refused.expect("it takes nobody new");
    fake.go.notify_one();
    assert_eq!(slow.await.expect("no panic").status, 202);
    stopping.await.expect("it drained");
}

#[tokio::test]
async fn the_public_listener_has_no_console_and_no_api() {
    let server = start(empty(), "").await;
    for path in ["/", "/api/overview", "/metrics", "/cases", "/readyz"] {
        let answer = send(server.public, "GET", path, &[], "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(
        send(server.public, "GET", "/healthz", &[], "").await.status,
        200
    );
}
