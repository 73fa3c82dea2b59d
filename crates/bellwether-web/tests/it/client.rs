//! A server on free ports and the plainest client: one connection per request, so that the tests
//! see exactly what is on the wire.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bellwether_engine::seam::App;
use bellwether_web::{routers, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stand_in::fake::{self, Fake};

/// A browser, as the hosted pages see it.
pub(crate) const BROWSER: &str = "user-agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) \
    AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1";

pub(crate) struct Server {
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    pub(crate) app: App,
    stops: Vec<oneshot::Sender<()>>,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
}

/// A server over a stand-in; an empty token means loopback callers only.
pub(crate) async fn start(fake: Arc<Fake>, token: &str) -> Server {
    let app = fake::app(&fake, token);
    let mut stops = Vec::new();
    let mut tasks = Vec::new();
    let mut addresses = Vec::new();
    let both = routers(app.clone());
    for router in [both.public, both.internal] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        addresses.push(listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        stops.push(stop);
        tasks.push(tokio::spawn(serve(listener, router, async {
            drop(stopped.await);
        })));
    }
    Server {
        public: addresses[0],
        internal: addresses[1],
        fake,
        app,
        stops,
        tasks,
    }
}

impl Server {
    /// Stops both listeners and waits until they drained.
    pub(crate) async fn stop(self) {
        for stop in self.stops {
            stop.send(()).expect("it still serves");
        }
        for task in self.tasks {
            let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
            ended
                .expect("it drains")
                .expect("no panic")
                .expect("served");
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.internal, "GET", path, &["accept: text/html"], "").await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = send(self.internal, "GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    pub(crate) async fn post_json(&self, path: &str, body: &str) -> Answer {
        send(
            self.internal,
            "POST",
            path,
            &["content-type: application/json"],
            body,
        )
        .await
    }

    pub(crate) async fn open(&self, path: &str, headers: &[&str]) -> Answer {
        let mut all = vec![BROWSER];
        all.extend(headers);
        send(self.public, "GET", path, &all, "").await
    }

    pub(crate) async fn press(&self, path: &str, headers: &[&str], form: &str) -> Answer {
        let mut all = vec![BROWSER, "content-type: application/x-www-form-urlencoded"];
        all.extend(headers);
        send(self.public, "POST", path, &all, form).await
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The `name=value` of a cookie that the answer sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.iter().filter(|(key, _)| key == "set-cookie");
        let mut pairs = set.filter_map(|(_, value)| value.split(';').next());
        pairs
            .find(|pair| pair.starts_with(&format!("{name}=")))
            .map(str::to_owned)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// Sends one request. `host:` among the headers replaces the default one.
pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Answer {
    let mut stream = connect(to, method, path, headers, body).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    // A server that answers before it read the whole body may reset the connection afterwards.
    drop(read.expect("an answer in time"));
    parse(&String::from_utf8_lossy(&bytes))
}

/// Sends a request and leaves the answer to be read.
pub(crate) async fn connect(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> TcpStream {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("host:")) {
        head.push_str(&format!("host: 127.0.0.1:{}\r\n", to.port()));
    }
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(to).await.expect("a listener");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The server may answer and close while the body is still on its way.
    drop(stream.write_all(body.as_bytes()).await);
    stream
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or("0");
    let header = |line: &str| {
        let (key, value) = line.split_once(':')?;
        Some((key.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    Answer {
        status: status.parse().expect("a status"),
        headers: lines.filter_map(header).collect(),
        body: body.to_owned(),
    }
}

/// Posts a form that a page holds and returns status, place and body.
pub(crate) async fn form(
    server: &Server,
    page: &str,
    path: &str,
    fields: &str,
) -> (u16, String, String) {
    let shown = server.get(page).await.body;
    let (_, rest) = shown
        .split_once("name=\"form_token\" value=\"")
        .expect("a form with its token");
    let token = rest.split('"').next().expect("a form with its token");
    let media = "content-type: application/x-www-form-urlencoded";
    let body = format!("form_token={token}&{fields}");
    let answer = send(server.internal, "POST", path, &[media], &body).await;
    let place = answer.header("location").unwrap_or_default().to_owned();
    (answer.status, place, answer.body)
}
