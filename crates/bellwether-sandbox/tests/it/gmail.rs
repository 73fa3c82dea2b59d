//! What the tests of mail speak with: the Gmail API as a person, and SMTP as anybody.

use std::io::Result;
use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use bellwether_sandbox::{Options, Sandbox, start};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::wire::{Reply, call};

pub(crate) const APPROVALS: &str = "approvals@example.com";
pub(crate) const ARIBA: &str = "ariba@example.com";

/// A sandbox as its mailboxes see it.
pub(crate) struct Post {
    pub(crate) sandbox: Sandbox,
    pub(crate) page: SocketAddr,
    pub(crate) google: SocketAddr,
    pub(crate) smtp: SocketAddr,
}

impl Post {
    pub(crate) async fn start() -> Self {
        Self::with(Options {
            port: 0,
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let sandbox = start(options).await.expect("starts");
        let at = |name| {
            sandbox
                .addresses()
                .get(name)
                .expect("a part of the sandbox")
        };
        let (page, google, smtp) = (at("page"), at("google"), at("smtp"));
        Self {
            sandbox,
            page,
            google,
            smtp,
        }
    }

    pub(crate) async fn admin(&self, path: &str, body: Value) -> Reply {
        let headers = [("content-type", "application/json")];
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        call(self.page, method, path, &headers, &body)
            .await
            .expect("an answer")
    }

    /// Asks for an access token with the given form.
    pub(crate) async fn token_form(&self, form: &str) -> Reply {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        call(self.google, "POST", "/token", &headers, form)
            .await
            .expect("an answer")
    }

    /// An access token for the mailbox of a person.
    pub(crate) async fn token(&self, address: &str) -> String {
        let info = self.admin("/admin/info", Value::Null).await.json();
        let all = info["mailboxes"].as_array().cloned().unwrap_or_default();
        let mailbox = all
            .iter()
            .find(|m| m["address"] == address)
            .expect("a mailbox")
            .clone();
        let part = |name: &str| mailbox[name].as_str().unwrap_or_default().to_owned();
        let form = format!(
            "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
            part("client_id"),
            part("client_secret"),
            part("refresh_token")
        );
        let reply = self.token_form(&form).await;
        reply.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// A call of Google with a bearer token; the path starts after the host.
    pub(crate) async fn bearer(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Reply> {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        call(self.google, method, path, &headers, &body).await
    }

    /// A call of `/gmail/v1/users/me/..` as a person; it must be answered with `status`.
    pub(crate) async fn api(
        &self,
        address: &str,
        method: &str,
        path: &str,
        body: Value,
        status: u16,
    ) -> Value {
        let token = self.token(address).await;
        let path = format!("/gmail/v1/users/me/{path}");
        let reply = self
            .bearer(&token, method, &path, &body)
            .await
            .expect("an answer");
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
        reply.json()
    }

    pub(crate) async fn get(&self, address: &str, path: &str) -> Value {
        self.api(address, "GET", path, Value::Null, 200).await
    }

    pub(crate) async fn post(&self, address: &str, path: &str, body: Value) -> Value {
        self.api(address, "POST", path, body, 200).await
    }

    /// The newest message of a mailbox, in full.
    pub(crate) async fn newest(&self, address: &str) -> Value {
        let list = self
            .get(address, "messages?maxResults=1&includeSpamTrash=true")
            .await;
        let id = list["messages"][0]["id"].as_str().expect("a message");
        self.get(address, &format!("messages/{id}")).await
    }

    /// How many messages match a query.
    pub(crate) async fn count(&self, address: &str, q: &str) -> usize {
        let list = self
            .get(address, &format!("messages?q={}", escaped(q)))
            .await;
        list["messages"].as_array().map_or(0, Vec::len)
    }

    /// Delivers a plain mail from outside; `from` may have a name.
    pub(crate) async fn mail(&self, from: &str, to: &str, subject: &str, more: &str) {
        let raw = letter(from, to, subject, more);
        let sender = from
            .rsplit('<')
            .next()
            .unwrap_or(from)
            .trim_end_matches('>');
        let mut smtp = Smtp::connect(self.smtp, None).await;
        let answer = smtp.send(sender, &[to], raw.as_bytes()).await;
        assert!(answer.starts_with("250"), "{answer}");
    }

    pub(crate) async fn history_id(&self, address: &str) -> String {
        self.get(address, "profile").await["historyId"]
            .as_str()
            .expect("text")
            .to_owned()
    }
}

/// A plain message; `more` are complete header lines.
pub(crate) fn letter(from: &str, to: &str, subject: &str, more: &str) -> String {
    format!("From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\n{more}\r\nHello.\r\n")
}

pub(crate) fn raw(text: &str) -> String {
    BASE64_URL_SAFE.encode(text)
}

/// The bytes of `raw` or `data`.
pub(crate) fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("base64");
    BASE64_URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .expect("base64")
}

/// The first header with this name of a full message.
pub(crate) fn header(message: &Value, name: &str) -> String {
    let all = message["payload"]["headers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = all.iter().find(|h| {
        h["name"]
            .as_str()
            .is_some_and(|n| n.eq_ignore_ascii_case(name))
    });
    found
        .map(|h| h["value"].as_str().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

pub(crate) fn escaped(text: &str) -> String {
    let one = |b: u8| {
        if b.is_ascii_alphanumeric() {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(one).collect()
}

/// One SMTP connection.
pub(crate) struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects, from a given source address when the test is about it, and says EHLO.
    pub(crate) async fn connect(to: SocketAddr, from: Option<&str>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(ip) = from {
            let address = SocketAddr::new(ip.parse().expect("an address"), 0);
            socket.bind(address).expect("an address of this machine");
        }
        let stream = socket.connect(to).await.expect("the mail door listens");
        let mut smtp = Self {
            stream: BufReader::new(stream),
        };
        assert!(smtp.answer().await.starts_with("220"));
        assert!(smtp.command("EHLO client.example").await.starts_with("250"));
        smtp
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream
            .get_mut()
            .write_all(bytes)
            .await
            .expect("the door takes it");
    }

    /// All lines of one answer.
    pub(crate) async fn answer(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.expect("an answer");
            let last = line.as_bytes().get(3) != Some(&b'-');
            all.push_str(&line);
            if last {
                return all;
            }
        }
    }

    pub(crate) async fn command(&mut self, text: &str) -> String {
        self.write(format!("{text}\r\n").as_bytes()).await;
        self.answer().await
    }

    /// Sends one message; the answer to its end, or the first refusal.
    pub(crate) async fn send(&mut self, from: &str, to: &[&str], raw: &[u8]) -> String {
        let mut commands = vec![format!("MAIL FROM:<{from}>")];
        commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
        commands.push("DATA".to_owned());
        for command in commands {
            let answer = self.command(&command).await;
            if !answer.starts_with(['2', '3']) {
                return answer;
            }
        }
        let mut stuffed = Vec::with_capacity(raw.len() + 8);
        for line in raw.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        if !raw.is_empty() && !raw.ends_with(b"\n") {
            stuffed.extend_from_slice(b"\r\n");
        }
        stuffed.extend_from_slice(b".\r\n");
        self.write(&stuffed).await;
        self.answer().await
    }

    /// Whether the other side has closed.
    pub(crate) async fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.is_ok() && rest.is_empty()
    }
}

/// A service account's assertion with these claims; the signature is not looked at.
pub(crate) fn assertion(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(&json!({"alg": "RS256"})),
        part(claims),
        "c2ln"
    )
}
