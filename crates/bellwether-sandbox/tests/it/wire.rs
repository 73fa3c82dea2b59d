//! What the tests of pushes and phones speak with: a plain HTTP/1.1 client over TCP, a listener
//! that plays the server of the companion app, and waiting for a condition with a deadline.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bellwether_sandbox::{Options, Sandbox, start};
use serde_json::{Value, json};
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest a test waits for something that should happen.
const DEADLINE: Duration = Duration::from_secs(10);

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// One request on a connection of its own.
pub(crate) async fn call(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply> {
    let mut stream = TcpStream::connect(to).await?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await?;
    let raw = String::from_utf8_lossy(&raw).into_owned();
    let Some((head, text)) = raw.split_once("\r\n\r\n") else {
        return Err(Error::new(ErrorKind::UnexpectedEof, "no answer"));
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .expect("a status");
    Ok(Reply {
        status,
        head: head.to_owned(),
        text: text.to_owned(),
    })
}

/// A sandbox with free ports, and shorthands to speak to it.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) page: SocketAddr,
    pub(crate) opentext: SocketAddr,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let sandbox = start(Options {
            port: 0,
            ..Options::default()
        })
        .await
        .expect("starts");
        let page = sandbox.addresses().get("page").expect("page");
        let opentext = sandbox.addresses().get("opentext").expect("opentext");
        Self {
            sandbox,
            page,
            opentext,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        call(self.page, "GET", path, &[], "")
            .await
            .expect("an answer")
    }

    pub(crate) async fn admin(&self, path: &str, body: Value) -> Reply {
        let headers = [("content-type", "application/json")];
        call(self.page, "POST", path, &headers, &body.to_string())
            .await
            .expect("an answer")
    }

    pub(crate) async fn form(&self, path: &str, fields: &str) -> Reply {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        call(self.page, "POST", path, &headers, fields)
            .await
            .expect("an answer")
    }

    /// The parser call with the messaging account.
    pub(crate) async fn submit(&self, inner: &Value) -> Result<Reply> {
        let basic = basic("alpenwerk", "messaging-password");
        let headers = [("authorization", basic.as_str()), ("x-mra-submitid", "s-1")];
        self.parser(&headers, &envelope(inner)).await
    }

    pub(crate) async fn parser(&self, headers: &[(&str, &str)], body: &Value) -> Result<Reply> {
        call(
            self.opentext,
            "POST",
            "/mra/v1/utils/parser",
            headers,
            &body.to_string(),
        )
        .await
    }

    pub(crate) async fn phone(&self, person: &str) -> Value {
        self.get(&format!("/admin/phones/{person}")).await.json()
    }

    /// Waits until a phone fulfils a condition and gives it.
    pub(crate) async fn phone_when(&self, person: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let phone = self.phone(person).await;
            if fits(&phone) {
                return phone;
            }
            assert!(
                Instant::now() < deadline,
                "the phone never got there: {phone:#}"
            );
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a call of `/admin/pushes` has a fate and gives the call.
    pub(crate) async fn fate(&self, number: usize) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let pushes = self.get("/admin/pushes").await.json();
            let call = &pushes["items"][number - 1];
            if call["fates"].as_array().is_some_and(|f| !f.is_empty()) {
                return call.clone();
            }
            assert!(
                Instant::now() < deadline,
                "call {number} has no fate: {pushes:#}"
            );
            tokio::task::yield_now().await;
        }
    }

    /// Stops the flow clock at a time, so that a test can move it.
    pub(crate) async fn clock(&self, at: &str) {
        let set = self
            .admin("/admin/clock", json!({"start": at, "rate": 0.0}))
            .await;
        assert_eq!(set.status, 200, "{}", set.text);
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    )
}

pub(crate) fn envelope(inner: &Value) -> Value {
    let data = BASE64_STANDARD.encode(inner.to_string());
    json!({"domain": "MR", "filename": "push.json", "data": data})
}

/// A push as the server would send it, with two buttons.
pub(crate) fn push(device: &str, notification: &str, key: &str) -> Value {
    let actions = json!([
        {"id": "approve", "label": "Approve", "comment": "none"},
        {"id": "reject", "label": "Reject", "comment": "required"}]);
    json!({"message": {"token": device,
        "notification": {"title": format!("Title {notification}"), "body": "Approve?"},
        "data": {"notification": notification, "token": format!("tok-{notification}"),
            "shown": "hash-1", "kind": "notify", "actions": actions.to_string()},
        "android": {"collapse_key": key, "ttl": "3600s", "priority": "HIGH"}}})
}

/// One report as the companion's server got it: `Authorization` and body, and both parts as text.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) authorization: String,
    pub(crate) body: Value,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// A listener that plays the server of the companion app, answering from a list of scripts.
pub(crate) struct Ingest {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Ingest {
    /// `answers` says for the n-th report: the raw answer; empty = cut the line.
    pub(crate) async fn start(answers: fn(usize, &Value) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!(
            "http://{}/hooks/ot/engagement",
            listener.local_addr().expect("address")
        );
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok((stream, report)) = read_report(stream).await {
                    let number = {
                        let mut heard = list.lock().expect("not poisoned");
                        heard.push(report.clone());
                        heard.len()
                    };
                    let mut stream = stream;
                    let answer = answers(number, &report.body);
                    stream
                        .write_all(answer.as_bytes())
                        .await
                        .expect("the phone listens");
                }
            }
        });
        Self { url, heard }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// Waits until so many reports came.
    pub(crate) async fn when(&self, count: usize) -> Vec<Heard> {
        let deadline = Instant::now() + DEADLINE;
        while self.heard().len() < count {
            assert!(Instant::now() < deadline, "only {:?}", self.heard());
            tokio::task::yield_now().await;
        }
        self.heard()
    }
}

pub(crate) fn ok(result: &str, message: &str) -> String {
    let body = json!({"result": result, "message": message}).to_string();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn read_report(mut stream: TcpStream) -> Result<(TcpStream, Heard)> {
    let mut raw = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&raw).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let lines = head.lines().filter_map(|l| l.split_once(": "));
                lines
                    .into_iter()
                    .find(|(n, _)| n.eq_ignore_ascii_case(name))
                    .map(|(_, v)| v)
            };
            let length: usize = header("content-length")
                .and_then(|l| l.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                let authorization = header("authorization").unwrap_or_default().to_owned();
                let heard = Heard {
                    authorization,
                    body: serde_json::from_str(body).unwrap_or_default(),
                    head: head.to_owned(),
                    text: body.to_owned(),
                };
                return Ok((stream, heard));
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await? {
            0 => return Err(Error::new(ErrorKind::UnexpectedEof, "half a report")),
            read => raw.extend_from_slice(&chunk[..read]),
        }
    }
}
