//! The world outside the server, as the story plays it: mail by SMTP, phones and mailboxes by the
//! stand-ins' admin interface, a person's browser on the hosted pages.

use std::net::SocketAddr;
use std::time::Duration;

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_model::clock::Clock as _;
use bellwether_model::http::{Http as _, HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::stage::Stage;

/// How long something in the story may take before it counts as not happening.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How often is looked.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// The outside.
#[derive(Debug)]
pub(super) struct Outside {
    console: String,
    pub(super) sandbox: String,
    smtp: SocketAddr,
    pub(super) http: HttpClient,
}

/// A push as a phone shows it.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) title: String,
    pub(super) notification: String,
    pub(super) link: String,
    pub(super) kind: String,
    pub(super) state: String,
}

/// A mail as a mailbox shows it.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) reply_to: String,
    pub(super) message_id: String,
}

fn client() -> Result<HttpClient, String> {
    HttpClient::new(Policy {
        allow_private: Private::Anywhere,
    })
    .map_err(|f| f.to_string())
}

async fn call(http: &HttpClient, request: HttpRequest) -> Result<HttpResponse, String> {
    let what = format!("{request:?}");
    http.send(request)
        .await
        .map_err(|failure| format!("{what}: {failure}"))
}

fn read(answer: &HttpResponse, what: &str) -> Result<Value, String> {
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.is_success() {
        Ok(value)
    } else {
        Err(format!("{what}: {} {value}", answer.status))
    }
}

/// Seconds of the real clock: what signatures of others are dated with.
pub(super) fn seconds() -> i64 {
    crate::clock::SystemClock.now().seconds()
}

/// Reads JSON.
pub(super) async fn get(url: &str) -> Result<Value, String> {
    let answer = call(&client()?, HttpRequest::new("GET", url)).await?;
    read(&answer, url)
}

/// Posts JSON.
pub(super) async fn post(url: &str, body: &Value) -> Result<Value, String> {
    let request = HttpRequest::new("POST", url).body("application/json", body.to_string());
    let answer = call(&client()?, request).await?;
    read(&answer, url)
}

impl Outside {
    pub(super) fn new(stage: &Stage) -> Result<Self, String> {
        let (console, _, sandbox) = stage.urls();
        let smtp = stage.smtp().ok_or("the stand-ins take no mail")?;
        Ok(Self {
            console,
            sandbox,
            smtp,
            http: client()?,
        })
    }

    async fn get(&self, url: &str) -> Result<Value, String> {
        let mut request = HttpRequest::new("GET", url);
        request.answer_max = 16 << 20;
        let answer = call(&self.http, request).await?;
        read(&answer, url)
    }

    /// The console's API.
    pub(super) async fn api(&self, path: &str) -> Result<Value, String> {
        self.get(&format!("{}{path}", self.console)).await
    }

    /// A call of the console's API that changes something.
    pub(super) async fn api_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        post(&format!("{}{path}", self.console), body).await
    }

    // ---- mail ------------------------------------------------------------------------------

    /// Sends a message by SMTP, as any mail server would.
    pub(super) async fn send(&self, from: &str, to: &str, message: &str) -> Result<(), String> {
        let fail = |error: std::io::Error| format!("SMTP to {}: {error}", self.smtp);
        let stream = TcpStream::connect(self.smtp).await.map_err(fail)?;
        let mut stream = BufReader::new(stream);
        expect(&mut stream, '2').await?;
        for (command, first) in [
            ("EHLO mail.example.com".to_owned(), '2'),
            (format!("MAIL FROM:<{from}>"), '2'),
            (format!("RCPT TO:<{to}>"), '2'),
            ("DATA".to_owned(), '3'),
        ] {
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .await
                .map_err(fail)?;
            expect(&mut stream, first).await?;
        }
        let mut text = String::with_capacity(message.len() + 64);
        for line in message.lines() {
            if line.starts_with('.') {
                text.push('.');
            }
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str(".\r\n");
        stream.write_all(text.as_bytes()).await.map_err(fail)?;
        expect(&mut stream, '2').await?;
        stream.write_all(b"QUIT\r\n").await.map_err(fail)?;
        Ok(())
    }

    /// The mails of a mailbox, newest first.
    pub(super) async fn mailbox(&self, address: &str) -> Result<Vec<Mail>, String> {
        let url = format!("{}/admin/mailboxes/{address}", self.sandbox);
        let answer = self.get(&url).await?;
        let list = answer
            .get("messages")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let header = |mail: &Value, name: &str| {
            let headers = mail.get("headers").and_then(Value::as_object);
            let found = headers.and_then(|headers| {
                headers
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, v)| v)
            });
            match found {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Array(all)) => all
                    .first()
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                _ => String::new(),
            }
        };
        Ok(list
            .iter()
            .map(|mail| Mail {
                id: text(mail, "id").to_owned(),
                subject: text(mail, "subject").to_owned(),
                text: text(mail, "text").to_owned(),
                reply_to: header(mail, "Reply-To"),
                message_id: header(mail, "Message-ID"),
            })
            .collect())
    }

    /// Waits for a mail in a mailbox.
    pub(super) async fn mail(
        &self,
        address: &str,
        what: &str,
        fits: impl Fn(&Mail) -> bool,
    ) -> Result<Mail, String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(mail) = self.mailbox(address).await?.into_iter().find(&fits) {
                return Ok(mail);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("{what} did not reach {address}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    // ---- phones ----------------------------------------------------------------------------

    /// Everything that a phone has received, newest first.
    pub(super) async fn phone(&self, person: &str) -> Result<Vec<Push>, String> {
        let answer = self
            .get(&format!("{}/admin/phones/{person}", self.sandbox))
            .await?;
        let list = answer
            .get("pushes")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let data = |push: &Value, name: &str| {
            let value = push.get("data").and_then(|data| data.get(name));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Ok(list
            .iter()
            .map(|push| Push {
                title: text(push, "title").to_owned(),
                notification: text(push, "notification").to_owned(),
                link: data(push, "link"),
                kind: data(push, "kind"),
                state: text(push, "state").to_owned(),
            })
            .collect())
    }

    /// Waits for a push that waits for an answer.
    pub(super) async fn push(&self, person: &str, title: &str) -> Result<Push, String> {
        self.push_such(person, title, |_| true).await
    }

    /// Waits for a push with a title that fits.
    pub(super) async fn push_such(
        &self,
        person: &str,
        title: &str,
        fits: impl Fn(&Push) -> bool,
    ) -> Result<Push, String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let pushes = self.phone(person).await?;
            let found = pushes
                .into_iter()
                .find(|push| push.kind != "update" && push.title.contains(title) && fits(push));
            if let Some(push) = found {
                return Ok(push);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("no push with \"{title}\" reached {person}'s phone"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Presses a button on a phone; the server's answer.
    pub(super) async fn act(
        &self,
        person: &str,
        push: &Push,
        action: &str,
        comment: &str,
    ) -> Result<Value, String> {
        let body = json!({
            "notification": push.notification, "action": action, "comment": comment, "force": true,
        });
        let url = format!("{}/admin/phones/{person}/act", self.sandbox);
        let answer = post(&url, &body).await?;
        Ok(answer.get("answer").cloned().unwrap_or(Value::Null))
    }

    /// Sets a fault.
    pub(super) async fn fault(&self, fault: &Value) -> Result<(), String> {
        post(&format!("{}/admin/faults", self.sandbox), fault)
            .await
            .map(drop)
    }

    /// What the stand-ins saw, in numbers.
    pub(super) async fn totals(&self) -> Result<Value, String> {
        let pushes = self.get(&format!("{}/admin/pushes", self.sandbox)).await?;
        let mut answers = 0;
        for address in ["ariba@example.com", "requester@example.com"] {
            let mails = self.mailbox(address).await?;
            answers += mails
                .iter()
                .filter(|mail| mail.subject.starts_with("Re:"))
                .count();
        }
        let watched = self.mailbox("approvals@example.com").await?;
        let sent = watched
            .iter()
            .filter(|mail| mail.subject.starts_with("Re:"))
            .count();
        Ok(json!({
            "pushes": pushes.get("total"), "answers": answers,
            "mails_in_watched_mailbox": watched.len() - sent.min(watched.len()),
        }))
    }

    // ---- the browser -----------------------------------------------------------------------

    /// Opens a hosted page as a browser would.
    pub(super) async fn page(&self, link: &str, cookie: Option<&str>) -> Result<String, String> {
        let mut request = HttpRequest::new("GET", link).header(
            "user-agent",
            "Mozilla/5.0 (Linux; Android 16) Chrome/142 Mobile",
        );
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let answer = call(&self.http, request).await?;
        if !answer.is_success() {
            return Err(format!("the hosted page answered {}", answer.status));
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Sends a form of a hosted page; the answer and the cookie that it set.
    pub(super) async fn form(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        cookie: Option<&str>,
    ) -> Result<(u16, Option<String>), String> {
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        let mut request = HttpRequest::new("POST", url)
            .body("application/x-www-form-urlencoded", body.join("&"))
            .header("origin", "null");
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let answer = call(&self.http, request).await?;
        let set = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie");
        let cookies: Vec<&str> = set.filter_map(|(_, set)| set.split(';').next()).collect();
        Ok((
            answer.status,
            (!cookies.is_empty()).then(|| cookies.join("; ")),
        ))
    }

    /// Signs in on a hosted page with the code that comes by mail; the cookie.
    pub(super) async fn sign_in(&self, link: &str, address: &str) -> Result<String, String> {
        let known: Vec<String> = self
            .mailbox(address)
            .await?
            .into_iter()
            .map(|mail| mail.id)
            .collect();
        self.form(&format!("{link}/code"), &[], None).await?;
        let mail = self
            .mail(address, "the code", |mail| {
                !known.contains(&mail.id) && code_in(&mail.text).is_some()
            })
            .await?;
        let code = code_in(&mail.text).ok_or("the mail holds no code")?;
        let (status, cookie) = self
            .form(&format!("{link}/verify"), &[("code", &code)], None)
            .await?;
        cookie.ok_or(format!("the right code was refused ({status})"))
    }

    /// Decides on a hosted page.
    pub(super) async fn decide(
        &self,
        link: &str,
        choice: &str,
        comment: &str,
        cookie: Option<&str>,
    ) -> Result<String, String> {
        let page = self.page(link, cookie).await?;
        let token = hidden(&page, "act_token")
            .ok_or_else(|| format!("the page has no form: {}", words_of(&page)))?;
        let shown = hidden(&page, "shown").ok_or("the page does not say what it shows")?;
        let fields = [
            ("act_token", token.as_str()),
            ("shown", shown.as_str()),
            ("choice", choice),
            ("comment", comment),
        ];
        let (status, _) = self.form(&format!("{link}/act"), &fields, cookie).await?;
        if status >= 400 {
            return Err(format!("the page refused the form ({status})"));
        }
        self.page(link, cookie).await
    }
}

async fn expect(stream: &mut BufReader<TcpStream>, first: char) -> Result<(), String> {
    let mut line = String::new();
    loop {
        line.clear();
        let read = tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await;
        match read {
            Ok(Ok(n)) if n > 0 => {}
            _ => return Err("the mail server went away".to_owned()),
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            break;
        }
    }
    if line.starts_with(first) {
        Ok(())
    } else {
        Err(format!("the mail server said {line}"))
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The value of a hidden field in a page.
fn hidden(page: &str, name: &str) -> Option<String> {
    let at = page.find(&format!("name=\"{name}\""))?;
    let rest = &page[at..];
    let value = rest.find("value=\"")? + 7;
    let end = rest[value..].find('"')?;
    Some(rest[value..value + end].to_owned())
}

/// The words of a page, for messages.
fn words_of(page: &str) -> String {
    let body = page.split("<main").nth(1).unwrap_or(page);
    let mut out = String::new();
    let mut inside = true;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(900)
        .collect()
}

fn code_in(text: &str) -> Option<String> {
    let mut digits = text.split(|c: char| !c.is_ascii_digit());
    digits.find(|part| part.len() == 6).map(str::to_owned)
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
