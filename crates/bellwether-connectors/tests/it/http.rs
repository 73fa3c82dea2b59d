//! The one client: answers, limits, redirects, and what each broken exchange is said to be.

use std::time::Duration;

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::{Egress, Http, HttpRequest};
use bellwether_model::time::Millis;
use tokio::net::TcpListener;

use crate::common::{Reply, Server, local_client};

const RETRY: FailureClass = FailureClass::Retry { after: None };

fn post(url: String) -> HttpRequest {
    HttpRequest::new("POST", url).body("text/plain", "hello")
}

async fn failed(request: HttpRequest) -> Failure {
    local_client().send(request).await.expect_err("a failure")
}

#[tokio::test]
async fn a_request_goes_out_as_it_is_and_any_status_is_an_answer() {
    let server = Server::start(|_, _| {
        let headers = vec![
            ("X-Thing", "One".to_owned()),
            ("Retry-After", "7".to_owned()),
        ];
        Reply::Answer(503, headers, "busy".to_owned())
    })
    .await;
    let request = post(server.url("/a?b=c")).header("X-Mine", "value");
    let answer = local_client().send(request).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (503, b"busy".as_slice())
    );
    assert_eq!(answer.header("x-thing"), Some("One"));
    assert_eq!(answer.header("retry-after"), Some("7"));
    let seen = &server.seen()[0];
    assert_eq!(seen.line, "POST /a?b=c HTTP/1.1");
    assert_eq!(seen.body, "hello");
    assert_eq!(seen.headers["x-mine"], "value");
    assert!(seen.headers["user-agent"].starts_with("Bellwether/"));
}

#[tokio::test]
async fn nobody_listening_was_surely_not_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let failure = failed(post(format!("http://{address}/?secret=1"))).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (RETRY, "unreachable")
    );
    assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    let failure = failed(post("http://no-such-host.invalid/".to_owned())).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (RETRY, "unreachable")
    );
}

#[tokio::test]
async fn speaking_tls_to_a_plain_server_was_surely_not_done() {
    let server = Server::start(|_, _| Reply::Reset).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let failure = failed(post(format!("https://{address}/"))).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (RETRY, "unreachable")
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_reset_after_the_request_may_have_been_done_but_a_read_may_be_asked_again() {
    let server = Server::start(|_, _| Reply::Reset).await;
    let failure = failed(post(server.url("/"))).await;
    assert_eq!(failure.class, FailureClass::MaybeDone);
    assert_eq!(failure.code, "connection_broke");
    let failure = failed(HttpRequest::new("GET", server.url("/"))).await;
    assert_eq!(failure.class, RETRY);
}

#[tokio::test]
async fn an_answer_that_ends_early_may_have_been_done() {
    let server = Server::start(|_, _| {
        Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"job".to_owned())
    })
    .await;
    let failure = failed(post(server.url("/"))).await;
    assert_eq!(failure.class, FailureClass::MaybeDone);
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_may_have_been_done() {
    let server = Server::start(|_, _| Reply::Silence).await;
    let mut request = post(server.url("/"));
    request.deadline = Millis(150);
    let failure = tokio::time::timeout(Duration::from_secs(5), failed(request))
        .await
        .expect("in time");
    assert_eq!(failure.class, FailureClass::MaybeDone);
    assert_eq!(failure.code, "no_answer_in_time");
    let mut request = HttpRequest::new("GET", server.url("/"));
    request.deadline = Millis(150);
    assert_eq!(failed(request).await.class, RETRY);
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused_announced_or_not() {
    let announced = Server::start(|_, _| Reply::Answer(200, vec![], "x".repeat(101))).await;
    let streamed = Server::start(|_, _| {
        Reply::Raw(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
            "x".repeat(101)
        ))
    })
    .await;
    for server in [announced, streamed] {
        let mut request = post(server.url("/"));
        request.answer_max = 100;
        let failure = failed(request.clone()).await;
        assert_eq!(failure.class, FailureClass::Reject);
        assert_eq!(failure.code, "answer_too_large");
        request.answer_max = 101;
        let answer = local_client().send(request).await.expect("fits exactly");
        assert_eq!(answer.body.len(), 101);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = Server::start(|_, _| {
        let to = vec![("Location", "http://169.254.169.254/latest".to_owned())];
        Reply::Answer(307, to, String::new())
    })
    .await;
    let answer = local_client()
        .send(post(server.url("/")))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 307);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_pooled_connection_that_the_server_closed_does_not_cost_a_request() {
    let server = Server::start(|_, _| Reply::AnswerAndClose("ok".to_owned())).await;
    let client = local_client();
    for round in 1..=20 {
        let answer = client.send(post(server.url("/"))).await.expect("an answer");
        assert_eq!(answer.body, b"ok");
        assert_eq!(server.seen().len(), round, "each request is made once");
        // Lets the driver see the end of the connection before the next request is made.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_header_cannot_be_smuggled() {
    let server = Server::start(|_, _| Reply::AnswerAndClose(String::new())).await;
    let failure = failed(post(server.url("/")).header("x-a", "1\r\nx-b: 2")).await;
    assert_eq!(failure.code, "bad_header");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn private_addresses_stay_closed_in_every_spelling() {
    let server = Server::start(|_, _| Reply::AnswerAndClose(String::new())).await;
    let port = server.address.port();
    let closed = HttpClient::new(Policy::default()).expect("a client");
    for host in [
        "127.0.0.1",
        "localhost",
        "0x7f000001",
        "2130706433",
        "127.1",
        "[::1]",
        "[::ffff:7f00:1]",
    ] {
        let failure = closed
            .send(post(format!("http://{host}:{port}/")))
            .await
            .expect_err(host);
        assert_eq!(failure.class, FailureClass::Misconfigured, "{host}");
        assert_eq!(failure.code, "egress_forbidden", "{host}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn public_requests_are_https_to_public_addresses_whatever_the_operator_opened() {
    let open = Policy {
        allow_private: Private::Anywhere,
    };
    let client = HttpClient::new(open).expect("a client");
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "ftp://example.com/",
    ] {
        let mut request = post(url.to_owned());
        request.egress = Egress::Public;
        let failure = client.send(request).await.expect_err(url);
        assert_eq!(failure.class, FailureClass::Misconfigured, "{url}");
    }
    let failure = client
        .send(post("not an address".to_owned()))
        .await
        .expect_err("no address");
    assert_eq!(failure.code, "bad_address");
}
