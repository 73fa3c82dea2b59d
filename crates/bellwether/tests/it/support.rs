//! What the tests of the whole product speak with: the real binary as a process of its own, its
//! HTTP interfaces, the stand-ins' admin interface, mail by SMTP, waiting for conditions, and the
//! connector that tests make others from. What is expected of the product is in the tests.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bellwether_model::connector::{AuthSpec, ConnectorDef};
use bellwether_model::failure::Failure;
use bellwether_model::spec::Spec;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long something may take before it counts as not happening.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(40);
/// How much of a process's log a failed test shows.
const LOG_SHOWN: usize = 6_000;

pub(crate) const WATCHED: &str = "approvals@example.com";
pub(crate) const SENDER: &str = "ariba@example.com";
pub(crate) const APPROVER: &str = "approver@example.com";

/// A connector that a test makes and connects itself.
pub(crate) const MADE_BY_TEST: ConnectorDef = ConnectorDef {
    name: "test",
    title: "Test",
    summary: "What a test needs.",
    settings: Spec::default,
    needs: "",
    basis: "Made for tests.",
    auth: AuthSpec::None,
    triggers: &[],
    thresholds: &[],
    actions: &[],
    inlets: &[],
    reduce: None,
    connect: |_, _| Err(Failure::bug("test", "made by the test itself")),
};

/// The binary under test.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Looks until there is something to see.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A process of the binary that said that it is ready; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    pub(crate) ready: Value,
}

impl Process {
    /// Starts the binary and waits for its ready line. Its log goes to a file in `folder`.
    pub(crate) async fn start(arguments: &[&str], folder: &Path) -> Self {
        let log = folder.join(format!("{}.log", arguments[0]));
        let mut child = binary()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"))
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("its standard output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.ok().and_then(Result::ok).flatten();
        let told = || std::fs::read_to_string(&log).unwrap_or_default();
        let line = line.unwrap_or_else(|| panic!("{arguments:?} is not ready: {}", told()));
        let ready = serde_json::from_str(&line).expect("the ready line is JSON");
        Self { child, log, ready }
    }

    /// Ends it at once, as a crash of the machine would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to end; its exit code.
    pub(crate) async fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().expect("it runs").to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(asked.expect("kill runs").success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended
            .expect("it ends")
            .expect("it can be waited for")
            .code()
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(LOG_SHOWN);
            let tail = log.get(from..).unwrap_or(&log);
            drop(writeln!(std::io::stderr(), "--- its log:\n{tail}"));
        }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) cookies: Vec<String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// A client that follows no redirect and never waits for ever.
pub(crate) fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    builder.build().expect("a client")
}

/// Sends a request.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let cookies = answer.headers().get_all("set-cookie").iter();
    let first = |value: &reqwest::header::HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(';').next().unwrap_or_default().to_owned()
    };
    Answer {
        status: answer.status().as_u16(),
        cookies: cookies.map(first).collect(),
        text: answer.text().await.expect("a whole answer"),
    }
}

/// Where everything is: the server under test and the world around it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) http: reqwest::Client,
    pub(crate) console: String,
    pub(crate) public: String,
    pub(crate) sandbox: String,
    smtp: SocketAddr,
}

/// The demo without its story: the server with the approval flow, and the stand-ins.
#[derive(Debug)]
pub(crate) struct Demo {
    pub(crate) at: Place,
    _process: Process,
    _folder: TempDir,
}

impl Demo {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data").display().to_string();
        let arguments = ["demo", "--no-story", "--port", "0", "--sandbox-port", "0"];
        let arguments = [&arguments[..], &["--json", "--data", &data]].concat();
        let process = Process::start(&arguments, folder.path()).await;
        let text = |name: &str| process.ready[name].as_str().unwrap_or_default().to_owned();
        let mut at = Place::of(&text("sandbox")).await;
        (at.console, at.public) = (text("console"), text("public"));
        // From the first look on the mailbox is watched.
        at.becomes("approvals", "ok").await;
        Self {
            at,
            _process: process,
            _folder: folder,
        }
    }
}

impl Place {
    /// The world around a server; the server's own addresses are filled in when it runs.
    pub(crate) async fn of(sandbox: &str) -> Self {
        let http = client();
        let info = send(http.get(format!("{sandbox}/admin/info"))).await.json();
        let port = info["smtp"]["port"].as_u64().unwrap_or_default();
        let port = u16::try_from(port).expect("a port");
        Self {
            http,
            console: String::new(),
            public: String::new(),
            sandbox: sandbox.to_owned(),
            smtp: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    /// Reads the console's API.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let answer = send(self.http.get(format!("{}{path}", self.console))).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Calls the console's API; whatever it answers.
    pub(crate) async fn call(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.console));
        send(request.json(body)).await.json()
    }

    /// How many there are in a list of the API.
    pub(crate) async fn total(&self, path: &str) -> u64 {
        self.api(path).await["total"].as_u64().expect("a total")
    }

    /// Waits until every run has ended: its lists follow the record with a little delay.
    pub(crate) async fn none_open(&self) {
        until("every run has ended", async || {
            (self.total("/api/runs?flow=approval-mail&status=open").await == 0).then_some(())
        })
        .await;
    }

    /// The state of a connection's health.
    pub(crate) async fn health(&self, name: &str) -> String {
        let all = self.api("/api/connections").await;
        let items = all["items"].as_array().cloned().unwrap_or_default();
        let one = items.into_iter().find(|one| one["name"] == name);
        let one = one.unwrap_or_else(|| panic!("no connection {name}"));
        let state = one["health"]["state"].as_str().unwrap_or_default();
        state.to_owned()
    }

    /// Waits until a connection's health is in a state.
    pub(crate) async fn becomes(&self, name: &str, state: &str) {
        until(&format!("{name} is {state}"), async || {
            (self.health(name).await == state).then_some(())
        })
        .await;
    }

    /// Reads the stand-ins' admin interface.
    pub(crate) async fn admin(&self, path: &str) -> Value {
        let answer = send(self.http.get(format!("{}/admin/{path}", self.sandbox))).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// Sets something at the stand-ins.
    pub(crate) async fn set(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/admin/{path}", self.sandbox));
        let answer = send(request.json(&body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    // ---- mail --------------------------------------------------------------------------------

    /// Sends a message by SMTP, as any mail server would.
    pub(crate) async fn mail(&self, from: &str, to: &str, message: &str) {
        let stream = TcpStream::connect(self.smtp).await.expect("the mail door");
        let mut stream = BufReader::new(stream);
        expect(&mut stream, "2").await;
        let body: Vec<String> = message.lines().map(stuffed).collect();
        let body = format!("{}\r\n.", body.join("\r\n"));
        for (command, answer) in [
            ("EHLO mail.example.com".to_owned(), "2"),
            (format!("MAIL FROM:<{from}>"), "2"),
            (format!("RCPT TO:<{to}>"), "2"),
            ("DATA".to_owned(), "3"),
            (body, "2"),
            ("QUIT".to_owned(), "2"),
        ] {
            let line = format!("{command}\r\n");
            stream.write_all(line.as_bytes()).await.expect("it is sent");
            expect(&mut stream, answer).await;
        }
    }

    /// A purchase order that comes to the watched mailbox.
    pub(crate) async fn order(&self, number: &str, vendor: &str) {
        let message = format!(
            "From: Purchasing System <{SENDER}>\nTo: {WATCHED}\n\
             Subject: Purchase order {number} for approval\n\
             Message-ID: <{number}@erp.example.com>\n\
             Date: Mon, 02 Mar 2026 09:00:00 +0100\nAuto-Submitted: auto-generated\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\
             Number: {number}\nVendor: {vendor}\nAmount: 1.200,00 EUR\n"
        );
        self.mail(SENDER, WATCHED, &message).await;
    }

    /// The mails of a mailbox that hold a text in subject or body.
    pub(crate) async fn mails(&self, address: &str, about: &str) -> Vec<Value> {
        let mut found = self.admin(&format!("mailboxes/{address}")).await;
        let all = found["messages"].as_array_mut().map(std::mem::take);
        let mut all = all.expect("a list of mails");
        let holds = |mail: &Value, field| {
            let text = mail[field].as_str();
            text.is_some_and(|text| text.contains(about))
        };
        all.retain(|mail| holds(mail, "subject") || holds(mail, "text"));
        all
    }

    /// Waits for the answer in the sender's thread.
    pub(crate) async fn answered(&self, number: &str, words: &str) {
        until(&format!("{number} is answered with {words}"), async || {
            let mails = self.mails(SENDER, number).await;
            let fits = |mail: &Value| mail["text"].as_str().is_some_and(|t| t.contains(words));
            mails.iter().any(fits).then_some(())
        })
        .await;
    }

    // ---- phones ------------------------------------------------------------------------------

    /// What a phone has received, newest first, updates left out.
    pub(crate) async fn phone(&self, person: &str) -> Vec<Value> {
        let mut found = self.admin(&format!("phones/{person}")).await;
        let pushes = found["pushes"].as_array_mut().map(std::mem::take);
        let mut pushes = pushes.expect("a list of pushes");
        pushes.retain(|push| push["data"]["kind"] != "update");
        pushes
    }

    /// Waits for a push whose title holds a text.
    pub(crate) async fn push(&self, person: &str, title: &str) -> Value {
        until(&format!("{title} on {person}'s phone"), async || {
            let mut pushes = self.phone(person).await.into_iter();
            pushes.find(|push| push["title"].as_str().is_some_and(|t| t.contains(title)))
        })
        .await
    }

    /// Presses a button on a phone; the server's answer.
    pub(crate) async fn act(&self, person: &str, push: &Value, action: &str) -> Value {
        let body = json!({
            "notification": push["notification"], "action": action, "comment": "as said",
            "force": true,
        });
        self.set(&format!("phones/{person}/act"), body).await["answer"].clone()
    }
}

/// Dots at the beginning of a line are doubled, as SMTP asks.
fn stuffed(line: &str) -> String {
    if line.starts_with('.') {
        format!(".{line}")
    } else {
        line.to_owned()
    }
}

async fn expect(stream: &mut BufReader<TcpStream>, first: &str) {
    let mut line = String::new();
    loop {
        line.clear();
        let read = tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await;
        let read = read.expect("the mail server answers").expect("a line");
        assert!(read > 0, "the mail server went away");
        if line.as_bytes().get(3) != Some(&b'-') {
            break;
        }
    }
    assert!(line.starts_with(first), "the mail server said {line}");
}
