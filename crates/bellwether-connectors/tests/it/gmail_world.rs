//! A sandbox with mailboxes for the tests of the Gmail connector, and what stands in for the
//! engine: progress that is kept, a watcher that discovers and fetches.

use std::sync::{Arc, Mutex};

use bellwether_connectors::http::HttpClient;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{
    Action, Connection, Discovered, Fetched, Outcome, Progress, Reconciled,
};
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::http::{Http, HttpRequest, HttpResponse};
use bellwether_model::id::{EffectId, Id};
use bellwether_model::time::Time;
use bellwether_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::common::{self, RealClock, connect, host};

/// A sandbox of its own for each test.
pub(crate) struct World {
    sandbox: Sandbox,
    http: Arc<HttpClient>,
    info: Value,
}

impl World {
    pub(crate) async fn start() -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.expect("a sandbox");
        let mut world = Self {
            sandbox,
            http: common::local_client(),
            info: Value::Null,
        };
        world.info = world.get("/admin/info").await;
        world
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.sandbox.addresses().url("page"));
        let mut request = HttpRequest::new(method, url);
        request.answer_max = 32 << 20;
        if let Some(body) = body {
            request = request.body("application/json", body.to_string());
        }
        let answer = self.http.send(request).await.expect("the control surface");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.is_success(), "{path}: {text}");
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(&body)).await
    }

    pub(crate) async fn fault(&self, kind: &str, path: &str, more: Value) {
        let mut fault = json!({"target": "google.gmail", "match": path, "kind": kind});
        for (name, value) in common::object(&more) {
            fault[name] = value.clone();
        }
        self.post("/admin/faults", fault).await;
    }

    fn mailbox(&self, address: &str) -> &Value {
        let list = self.info["mailboxes"].as_array().expect("mailboxes");
        let found = list.iter().find(|one| one["address"] == address);
        found.expect("a mailbox of that address")
    }

    /// The settings of a mailbox of the sandbox, with changes.
    pub(crate) fn settings(&self, address: &str, changes: Value) -> Value {
        let one = self.mailbox(address);
        let mut settings = json!({
            "address": address,
            "client_id": one["client_id"],
            "client_secret": one["client_secret"],
            "refresh_token": one["refresh_token"],
            "base_url": self.info["google_url"],
            "token_url": self.info["token_url"],
        });
        for (name, value) in common::object(&changes) {
            settings[name] = value.clone();
        }
        settings
    }

    pub(crate) fn connect(&self, address: &str, changes: Value) -> Arc<dyn Connection> {
        self.connect_at(address, changes, Arc::new(RealClock))
    }

    pub(crate) fn connect_at(
        &self,
        address: &str,
        changes: Value,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn Connection> {
        connect("gmail", self.settings(address, changes), host(clock))
    }

    /// Delivers a mail from outside.
    pub(crate) async fn mail(&self, mail: Value) -> Value {
        self.post("/admin/mail", mail).await["delivered"][0].take()
    }

    /// The messages of a mailbox, newest first.
    pub(crate) async fn messages(&self, address: &str) -> Vec<Value> {
        let path = format!("/admin/mailboxes/{address}");
        let found = self.get(&path).await;
        found["messages"].as_array().expect("messages").clone()
    }

    /// How many messages of a mailbox carry a label.
    pub(crate) async fn labelled(&self, address: &str, label: &str) -> usize {
        let has = |one: &&Value| {
            let labels = one["labels"].as_array().expect("labels");
            labels.iter().any(|have| have == label)
        };
        self.messages(address).await.iter().filter(has).count()
    }

    /// Calls of the API that had this text in their path.
    pub(crate) async fn calls(&self, path: &str) -> usize {
        let calls = self.get("/admin/calls").await;
        let items = calls["items"].as_array().or(calls["calls"].as_array());
        let hit = |one: &&Value| one["path"].as_str().is_some_and(|have| have.contains(path));
        items.expect("calls").iter().filter(hit).count()
    }

    /// A person sends a mail with a program of their own.
    pub(crate) async fn person_sends(&self, address: &str, raw: &str) -> Value {
        let one = self.mailbox(address);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let form = format!(
            "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
            text(&one["client_id"]),
            text(&one["client_secret"]),
            text(&one["refresh_token"]).replace('/', "%2F")
        );
        let request = HttpRequest::new("POST", text(&self.info["token_url"]))
            .body("application/x-www-form-urlencoded", form);
        let token = self.json(request).await;
        let url = format!(
            "{}/upload/gmail/v1/users/me/messages/send?uploadType=media",
            text(&self.info["google_url"])
        );
        let request = HttpRequest::new("POST", url)
            .header(
                "authorization",
                format!("Bearer {}", text(&token["access_token"])),
            )
            .body("message/rfc822", raw.replace('\n', "\r\n"));
        self.json(request).await
    }

    async fn json(&self, request: HttpRequest) -> Value {
        let answer: HttpResponse = self.http.send(request).await.expect("an answer");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.is_success(), "{text}");
        serde_json::from_slice(&answer.body).expect("JSON")
    }
}

/// Progress that is kept, as the engine keeps it.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Mutex<Option<Value>>);

impl Progress for Kept {
    fn save(&self, saved: Value) -> BoxFuture<'_, Result<(), Failure>> {
        *self.0.lock().expect("progress") = Some(saved);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Kept {
    pub(crate) fn value(&self) -> Option<Value> {
        self.0.lock().expect("progress").clone()
    }
}

/// An effect with its attempts.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) effect: EffectId,
    pub(crate) args: Value,
    pub(crate) since: Time,
    pub(crate) kept: Kept,
}

impl Job {
    pub(crate) fn new(name: &'static str, args: Value) -> Self {
        let since: Time = RealClock.now();
        Self {
            name,
            effect: Id::derive(since, &[name.as_bytes(), args.to_string().as_bytes()]),
            args,
            since,
            kept: Kept::default(),
        }
    }

    /// A mail to the requester.
    pub(crate) fn send() -> Self {
        Self::new(
            "send",
            json!({"to": ["requester@example.com"], "subject": "PO-4711 was approved",
                "text": "Alice approved it.", "case": "PO-4711", "hop": 1,
                "reply_token": "tok_EN-1"}),
        )
    }

    /// One attempt of the effect.
    pub(crate) fn action<'a>(&'a self, attempt: u32, saved: Option<&'a Value>) -> Action<'a> {
        Action {
            name: self.name,
            effect: self.effect,
            attempt,
            since: self.since,
            args: &self.args,
            saved,
            progress: &self.kept,
        }
    }

    /// Performs an attempt with what earlier ones saved.
    pub(crate) async fn perform(
        &self,
        connection: &Arc<dyn Connection>,
        attempt: u32,
    ) -> Result<Outcome, Failure> {
        let saved = self.kept.value();
        connection
            .perform(&self.action(attempt, saved.as_ref()))
            .await
    }

    /// Asks what became of the last attempt.
    pub(crate) async fn reconcile(
        &self,
        connection: &Arc<dyn Connection>,
    ) -> Result<Reconciled, Failure> {
        let saved = self.kept.value();
        connection.reconcile(&self.action(1, saved.as_ref())).await
    }
}

/// Reads a mailbox as the engine does: ids with the cursor, then one by one.
pub(crate) struct Watcher {
    pub(crate) connection: Arc<dyn Connection>,
    pub(crate) cursor: String,
}

impl Watcher {
    pub(crate) async fn start(connection: Arc<dyn Connection>) -> Self {
        let source = connection.source().expect("a source");
        let Ok(Discovered::New { ids, cursor, more }) = source.discover(None).await else {
            panic!("watching begins")
        };
        assert!(ids.is_empty() && !more);
        Self { connection, cursor }
    }

    /// The ids since the last look, over all pages.
    pub(crate) async fn ids(&mut self) -> Vec<String> {
        let source = self.connection.source().expect("a source");
        let mut all = Vec::new();
        loop {
            let found = source.discover(Some(&self.cursor)).await.expect("a look");
            let Discovered::New { ids, cursor, more } = found else {
                panic!("the cursor is good")
            };
            all.extend(ids);
            self.cursor = cursor;
            if !more {
                return all;
            }
        }
    }

    /// One item that must be an event.
    pub(crate) async fn event(&self, id: &str, attempt: u32) -> NewEvent {
        let source = self.connection.source().expect("a source");
        match source.fetch(id, attempt).await {
            Ok(Fetched::Event(event)) => *event,
            other => panic!("{id} is no event: {other:?}"),
        }
    }

    pub(crate) async fn fetched(&self, id: &str) -> Fetched {
        let source = self.connection.source().expect("a source");
        source.fetch(id, 1).await.expect("a reading")
    }
}
