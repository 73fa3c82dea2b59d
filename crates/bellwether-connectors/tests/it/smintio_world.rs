//! A tenant of the sandbox for the tests of the Smint.io connector, and what stands in for the
//! engine: a reader that keeps a cursor, and cells that the connector's own function turns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bellwether_connectors::http::HttpClient;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Connection, Host};
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::feed::{Feed, Handed, Judging, Record};
use bellwether_model::http::{Http, HttpRequest};
use bellwether_model::reduce::{Cause, Derived, Memory, Reducer};
use bellwether_model::time::{Millis, Time};
use bellwether_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::common::{self, MemoryVault, RealClock, connect, connector, host};

/// A sandbox with one tenant of the test's own, without transactions.
pub(crate) struct World {
    sandbox: Sandbox,
    http: Arc<HttpClient>,
    pub(crate) info: Value,
    pub(crate) vault: Arc<MemoryVault>,
}

const TENANT: &str = "probe";

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(0).await
    }

    pub(crate) async fn with(transactions: u64) -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.expect("a sandbox");
        let mut world = Self {
            sandbox,
            http: common::local_client(),
            info: Value::Null,
            vault: Arc::default(),
        };
        let tenant = json!({"id": TENANT, "seed": 7, "transactions": transactions});
        world.info = world.post("/admin/smintio", tenant).await;
        world
    }

    pub(crate) async fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
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

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(&body)).await
    }

    /// Does something at the tenant.
    pub(crate) async fn deed(&self, deed: &str, body: Value) -> Value {
        self.post(&format!("/admin/smintio/{TENANT}/{deed}"), body)
            .await
    }

    /// The tenant as the control surface shows it.
    pub(crate) async fn shown(&self) -> Value {
        self.call("GET", &format!("/admin/smintio/{TENANT}"), None)
            .await
    }

    pub(crate) fn settings(&self, changes: Value) -> Value {
        let one = |name: &str| self.info[name].clone();
        let mut settings = json!({
            "tenant": TENANT, "client_id": one("client_id"),
            "client_secret": one("client_secret"), "refresh_token": one("refresh_token"),
            "base_url": one("feed_url"), "token_url": one("token_url"),
            "web_url": one("issuer"), "webhook_secret": one("webhook_secret"), "zone": "UTC",
        });
        for (name, value) in common::object(&changes) {
            settings[name] = value.clone();
        }
        settings
    }

    pub(crate) fn host(&self, clock: Arc<dyn Clock>) -> Host {
        Host {
            vault: self.vault.clone(),
            ..host(clock)
        }
    }

    pub(crate) fn connect(&self, changes: Value) -> Arc<dyn Connection> {
        let host = self.host(Arc::new(RealClock));
        connect("smintio", self.settings(changes), host)
    }

    pub(crate) fn reader(&self, changes: Value) -> Reader {
        Reader::of(self.connect(changes))
    }
}

/// Reads a feed as the engine does, without keeping anything durably.
pub(crate) struct Reader {
    pub(crate) connection: Arc<dyn Connection>,
    pub(crate) cursor: Option<String>,
    /// The feed's name.
    which: &'static str,
    /// How long the latest batch leaves the provider alone.
    pub(crate) pause: Millis,
    known: BTreeSet<String>,
    judging: Judging,
}

/// How the engine judges when no flow hands over anything.
fn judging() -> Judging {
    let all = connector("smintio").thresholds.iter();
    Judging {
        generation: 1,
        thresholds: all
            .map(|def| (def.name.to_owned(), def.default.to_vec()))
            .collect(),
    }
}

impl Reader {
    pub(crate) fn of(connection: Arc<dyn Connection>) -> Self {
        Self {
            connection,
            cursor: None,
            which: "",
            pause: Millis(0),
            known: BTreeSet::new(),
            judging: judging(),
        }
    }

    /// A reader of what is watched in portals.
    pub(crate) fn of_portals(connection: Arc<dyn Connection>) -> Self {
        Self {
            which: "portals",
            ..Self::of(connection)
        }
    }

    /// The same reader in another process.
    pub(crate) fn restart(&mut self, connection: Arc<dyn Connection>) {
        self.connection = connection;
    }

    pub(crate) fn feed(&self) -> &dyn Feed {
        let mut feeds = self.connection.feeds().into_iter();
        feeds
            .find(|feed| feed.name() == self.which)
            .expect("a feed")
    }

    /// One batch: the records that are not known, and whether there is more.
    pub(crate) async fn batch(&mut self) -> Result<(Vec<Record>, bool), Failure> {
        let cursor = self.cursor.clone();
        let batch = match self.feed().read(cursor.as_deref(), &self.judging).await? {
            Handed::Batch(batch) => batch,
            Handed::Expired => {
                self.cursor = Some(self.feed().start());
                return Ok((Vec::new(), true));
            }
        };
        self.cursor = Some(batch.cursor);
        self.pause = batch.pause;
        let known = &mut self.known;
        let records = batch.records.into_iter();
        let records = records.filter(|one| known.insert(one.id.clone())).collect();
        Ok((records, batch.more))
    }

    /// Everything up to the end, as events; what cannot be read as stubs.
    pub(crate) async fn read(&mut self) -> Result<Vec<NewEvent>, Failure> {
        let mut events = Vec::new();
        loop {
            let (records, more) = self.batch().await?;
            for record in records {
                let feed = self.feed();
                let event = feed
                    .event(&record, 9)
                    .await
                    .unwrap_or_else(|failure| feed.stub(&record, &failure.message, Time(0)));
                events.push(event);
            }
            if !more {
                return Ok(events);
            }
        }
    }
}

/// Cells that remember, on a clock that is moved by hand.
pub(crate) struct Cells {
    reducer: &'static Reducer,
    pub(crate) now: Time,
    kept: BTreeMap<String, Value>,
    timers: BTreeMap<(String, String), Time>,
    said: BTreeSet<String>,
    /// Everything that was said, in order.
    pub(crate) happened: Vec<Derived>,
    shown: usize,
}

impl Cells {
    pub(crate) fn at(now: &str) -> Self {
        Self {
            reducer: connector("smintio").reduce.as_ref().expect("a memory"),
            now: Time::parse(now).expect("a time"),
            kept: BTreeMap::new(),
            timers: BTreeMap::new(),
            said: BTreeSet::new(),
            happened: Vec::new(),
            shown: 0,
        }
    }

    pub(crate) fn take(&mut self, event: NewEvent) {
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            let Some(key) = (self.reducer.key)(&event) else {
                continue;
            };
            let event = Event {
                position: 1,
                received_at: self.now,
                flow_set: 0,
                directory: 0,
                envelope: event,
            };
            for derived in self.turn(&key, Cause::Event(&event)) {
                let (id, kind) = (derived.id.clone(), derived.kind);
                let mut next = NewEvent::new("test", id, kind, derived.time, Value::Null);
                next.data = derived.data;
                queue.push_back(next);
            }
        }
    }

    fn turn(&mut self, key: &str, cause: Cause<'_>) -> Vec<Derived> {
        let kept = self.kept.get(key);
        let memory = Memory {
            connection: "test",
            key,
            kept: kept.map(|kept| (self.reducer.format, kept)),
            cause,
            now: self.now,
        };
        let reduced = (self.reducer.reduce)(&memory);
        // The same turn decided twice says the same.
        assert_eq!(reduced, (self.reducer.reduce)(&memory));
        assert!(reduced.keep.to_string().len() < 64 * 1024);
        self.kept.insert(key.to_owned(), reduced.keep);
        for (name, due) in reduced.timers {
            let name = (key.to_owned(), name);
            match due {
                Some(due) => self.timers.insert(name, due),
                None => self.timers.remove(&name),
            };
        }
        let new: Vec<_> = reduced
            .emits
            .into_iter()
            .filter(|derived| self.said.insert(derived.id.clone()))
            .collect();
        self.happened.extend(new.iter().cloned());
        new
    }

    /// Lets time pass; every timer is met at its moment.
    pub(crate) fn pass_to(&mut self, until: &str) {
        let until = Time::parse(until).expect("a time");
        loop {
            let due = self.timers.iter().map(|(name, due)| (*due, name.clone()));
            let Some((due, name)) = due.min().filter(|(due, _)| *due <= until) else {
                break;
            };
            self.now = self.now.max(due);
            self.timers.remove(&name);
            self.turn(&name.0, Cause::Timer(&name.1));
        }
        self.now = until;
    }

    /// What was said since the last look: the types with the point that matters.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let new = &self.happened[self.shown..];
        self.shown = self.happened.len();
        new.iter()
            .filter(|derived| !INNER.contains(&derived.kind))
            .map(|derived| {
                let data = &derived.data;
                let point = ["license", "limit"]
                    .iter()
                    .find_map(|noun| data[*noun]["threshold"].as_i64());
                let kind = derived.kind.trim_start_matches("smintio.");
                point.map_or_else(|| kind.to_owned(), |point| format!("{kind} {point}"))
            })
            .collect()
    }

    /// The data of all that was said of a type.
    pub(crate) fn of(&self, kind: &str) -> Vec<Value> {
        let all = self.happened.iter();
        let of_kind = all.filter(|derived| derived.kind == kind);
        of_kind.map(|derived| (*derived.data).clone()).collect()
    }

    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }
}

/// Events that parts of the memory tell each other.
const INNER: [&str; 3] = [
    "smintio.campaign.member",
    "smintio.asset.licensed",
    "smintio.license.covered",
];

/// A transaction's event as the feed makes it, with changes of the record.
pub(crate) fn transaction(version: i64, changes: &Value) -> NewEvent {
    let mut transaction = json!({"uuid": "t-1", "version": version, "state": "completed",
        "created_at": "2026-01-01T09:00:00Z", "asset": {"id": "a-1", "name": "Alpine sunrise"}});
    let mut data = json!({"baseline": false, "rules": {"zone": "UTC", "days": [1, 7, 30, 90],
        "percents": [80, 95, 100], "stuck_hours": 48}});
    for (name, value) in common::object(changes) {
        match name.as_str() {
            "baseline" | "rules" | "campaign" => data[name] = value.clone(),
            _ => transaction[name] = value.clone(),
        }
    }
    let id = format!("{transaction}{data}");
    data["transaction"] = transaction;
    let time = Time::parse("2026-01-01T09:00:00Z").expect("a time");
    NewEvent::new("test", id, "smintio.transaction", time, data)
}
