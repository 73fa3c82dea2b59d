//! A small stand-in for the engine, in memory: just enough of each trait to serve every page. The
//! gallery shows it too. What it stores is in `samples`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::ready;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bellwether_engine::seam::*;
use bellwether_engine::store::*;
use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{ActionDef, AuthSpec, ConnectorDef, Role};
use bellwether_model::directory::Customer;
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::{CellId, Id};
use bellwether_model::secret::Secret;
use bellwether_model::spec::Spec;
use bellwether_model::time::Time;
use serde_json::Value;

use super::register::{self, Register};

const fn connector(
    name: &'static str,
    title: &'static str,
    actions: &'static [ActionDef],
) -> ConnectorDef {
    ConnectorDef {
        name,
        title,
        summary: "It is connected.",
        needs: "It needs ten minutes.",
        basis: "",
        settings: Spec::default,
        auth: AuthSpec::None,
        triggers: &[],
        thresholds: &[],
        actions,
        inlets: &[],
        reduce: None,
        connect: |_, _| Err(Failure::bug("fake", "nothing is connected here")),
    }
}

const fn action(role: Role) -> ActionDef {
    ActionDef {
        name: "send",
        role,
        summary: "It is sent.",
        input: Spec::default,
        sample: || Value::Null,
        reconciles: false,
        verified: true,
    }
}

static MAILS: ConnectorDef =
    connector("gmail", "Gmail", &[action(Role::Mail), action(Role::Reply)]);
static PUSHES: ConnectorDef = connector("opentext_push", "OpenText", &[action(Role::Push)]);
/// What can be connected.
static CATALOG: [&ConnectorDef; 2] = [&MAILS, &PUSHES];

/// Everything that the stand-in knows and saw.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) runs: Mutex<Vec<RunDetail>>,
    pub(crate) notifications: Mutex<Vec<NotificationRow>>,
    pub(crate) dead: Mutex<Vec<DeadLetterRow>>,
    pub(crate) connections: Mutex<Vec<ConnectionView>>,
    pub(crate) cards: Mutex<HashMap<String, Card>>,
    pub(crate) documents: Mutex<Vec<Document>>,
    pub(crate) opens: Mutex<Vec<(String, OpenGrade)>>,
    pub(crate) presses: Mutex<Vec<Press>>,
    pub(crate) decided_for: Mutex<Vec<String>>,
    pub(crate) received: Mutex<Vec<(String, RawRequest)>>,
    /// What was refused before the engine, where callers came from, what was refused.
    pub(crate) away: Mutex<Vec<(String, TurnedAway)>>,
    pub(crate) callers: Mutex<Vec<IpAddr>>,
    pub(crate) refused: Mutex<Refusals>,
    pub(crate) register: Mutex<Register>,
    pub(crate) customers: Mutex<Vec<Customer>>,
    pub(crate) now: Mutex<Time>,
    pub(crate) backtest: Mutex<Option<Backtest>>,
    /// Why nothing can be written.
    pub(crate) trouble: Mutex<Option<String>>,
    /// What the connection `slow` waits for before it answers.
    pub(crate) go: tokio::sync::Notify,
}

/// The session of a person whose id has characters that a cookie may not hold.
pub(super) const ODD: &str = "jürgen; b=c, \"d\".1772445600.mac";

pub(crate) fn lock<T>(cell: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn done<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(ready(value))
}

/// The application over a stand-in. An empty token means loopback callers only.
pub(crate) fn app(fake: &Arc<Fake>, token: &str) -> App {
    App {
        intake: fake.clone(),
        inlets: fake.clone(),
        connections: fake.clone(),
        hosted: fake.clone(),
        directory: fake.clone(),
        flows: fake.clone(),
        backtests: fake.clone(),
        explains: fake.clone(),
        seals: fake.clone(),
        people: fake.clone(),
        views: fake.clone(),
        registry: fake.clone(),
        catalog: &CATALOG,
        live: Live::default(),
        flow_clock: fake.clone(),
        transport_clock: fake.clone(),
        web: WebSettings {
            public_url: "http://127.0.0.1".to_owned(),
            console_url: "http://127.0.0.1".to_owned(),
            token: Secret::new(token),
            scim_token: Secret::new("scim-secret"),
            hosts: vec!["console.example.com".to_owned()],
            sandbox_url: Some("http://127.0.0.1:9400/".to_owned()),
        },
        trouble: {
            let fake = fake.clone();
            Arc::new(move || done(lock(&fake.trouble).clone()))
        },
        metrics: Arc::new(|| "# TYPE engine_events counter\nengine_events_total 3\n# EOF\n".into()),
    }
}

impl Clock for Fake {
    fn now(&self) -> Time {
        *lock(&self.now)
    }

    fn wait_until(&self, _: Time) -> BoxFuture<'_, ()> {
        done(())
    }
}

impl Inlets for Fake {
    fn turned_away(&self, connection: &str, away: TurnedAway) {
        lock(&self.away).push((connection.to_owned(), away));
    }

    fn receive_from<'a>(
        &'a self,
        connection: &'a str,
        caller: Option<IpAddr>,
        request: RawRequest,
    ) -> BoxFuture<'a, RawAnswer> {
        lock(&self.callers).extend(caller);
        let answer = match connection {
            "busy" => RawAnswer::error(503, "busy", "later"),
            "nobody" => RawAnswer::error(404, "no_such_connection", "there is no nobody"),
            _ => RawAnswer {
                status: 202,
                body: r#"{"id":"e1","position":7,"duplicate":false}"#.to_owned(),
            },
        };
        lock(&self.received).push((connection.to_owned(), request));
        Box::pin(async move {
            if connection == "slow" {
                self.go.notified().await;
            }
            answer
        })
    }
}

impl Intake for Fake {
    fn submit(&self, _: NewEvent) -> BoxFuture<'_, Result<Submitted, IntakeError>> {
        done(Err(IntakeError::Malformed("not here".to_owned())))
    }

    fn decide_for<'a>(
        &'a self,
        _: CellId,
        person: &'a str,
        choice: &'a str,
        comment: &'a str,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<TurnSaid, IntakeError>> {
        lock(&self.decided_for).push(format!("{person} {choice} {comment} {}", actor.name));
        done(match choice {
            "busy" => Err(IntakeError::Busy { retry_after_s: 7 }),
            _ => Ok(TurnSaid::Decided {
                choice: choice.to_owned(),
                by: person.to_owned(),
                at: self.now(),
            }),
        })
    }

    fn retry<'a>(
        &'a self,
        id: Id,
        changes: &'a Amended,
        _: &'a Actor,
    ) -> BoxFuture<'a, Result<bool, IntakeError>> {
        let now = self.now();
        if changes.to.as_ref().is_some_and(|to| !to.contains('@')) {
            return done(Err(IntakeError::Malformed(
                "that is no mail address".to_owned(),
            )));
        }
        let mut dead = lock(&self.dead);
        let open = dead
            .iter_mut()
            .find(|row| row.id == id && row.settled_at.is_none());
        done(Ok(open.map(|row| row.settled_at = Some(now)).is_some()))
    }
}

/// A page of a list: `after` is the place of the last item.
fn paged<T>(all: Vec<T>, query: &ListQuery) -> Page<T> {
    let total = all.len() as u64;
    let skip = query
        .after
        .as_ref()
        .and_then(|after| after.parse::<Id>().ok())
        .map_or(0, |id| usize::from(id.0[15]));
    let items: Vec<T> = all.into_iter().skip(skip).take(query.limit).collect();
    let end = skip + items.len();
    let place = u8::try_from(end).expect("samples are few");
    let next = ((end as u64) < total).then(|| Id([0; 16].map(|zero: u8| zero | place)).to_string());
    Page { total, items, next }
}

impl Views for Fake {
    fn events(&self, query: EventQuery) -> BoxFuture<'_, Result<Page<Event>, StoreError>> {
        let all = lock(&self.events);
        let wanted = |event: &&Event| {
            query
                .kind
                .as_ref()
                .is_none_or(|k| *k == event.envelope.kind)
        };
        let mut found: Vec<Event> = all.iter().filter(wanted).cloned().collect();
        let total = found.len() as u64;
        if query.newest && query.after.is_none() {
            found.reverse();
        }
        found.retain(|event| query.after.is_none_or(|after| event.position > after));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|event| event.position.to_string());
        done(Ok(Page {
            total,
            items: found,
            next,
        }))
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn open_states<'a>(
        &'a self,
        _: &'a str,
        _: Option<CellId>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<(CellId, Value)>, StoreError>> {
        done(Ok(Vec::new()))
    }

    fn runs(&self, query: ListQuery) -> BoxFuture<'_, Result<Page<RunRow>, StoreError>> {
        let wanted = |run: &RunRow| {
            query.status.as_ref().is_none_or(|word| word == run.status)
                && query.flow.as_ref().is_none_or(|flow| *flow == run.flow)
        };
        let all = lock(&self.runs);
        let found = all
            .iter()
            .map(|detail| detail.run.clone())
            .filter(wanted)
            .collect();
        done(Ok(paged(found, &query)))
    }

    fn run(&self, id: CellId) -> BoxFuture<'_, Result<Option<RunDetail>, StoreError>> {
        done(Ok(lock(&self.runs)
            .iter()
            .find(|detail| detail.run.id == id)
            .cloned()))
    }

    fn notifications(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, Result<Page<NotificationRow>, StoreError>> {
        let all = lock(&self.notifications);
        let wanted = |row: &&NotificationRow| query.status.as_ref().is_none_or(|w| w == row.state);
        done(Ok(paged(
            all.iter().filter(wanted).cloned().collect(),
            &query,
        )))
    }

    fn dead_letters(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, Result<Page<DeadLetterRow>, StoreError>> {
        done(Ok(paged(lock(&self.dead).clone(), &query)))
    }

    fn dead_letter(&self, id: Id) -> BoxFuture<'_, Result<Option<DeadLetterRow>, StoreError>> {
        let found = lock(&self.dead).iter().find(|row| row.id == id).cloned();
        done(Ok(found))
    }

    fn ledger<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<LedgerCounts, StoreError>> {
        done(Ok(LedgerCounts {
            received: 212,
            matched: 41,
            unmatched: 171,
            gaps: 2,
            ignored: 9,
            cursor: Some("48213".to_owned()),
            counted_at: Some(self.now()),
            ..LedgerCounts::default()
        }))
    }

    fn usages(&self, query: UsageQuery) -> BoxFuture<'_, Result<Page<UsageRow>, StoreError>> {
        done(Ok(register::usages(self, &query)))
    }

    fn identities(
        &self,
        query: IdentityQuery,
    ) -> BoxFuture<'_, Result<Page<Identity>, StoreError>> {
        done(Ok(register::identities(self, &query)))
    }

    fn customers(
        &self,
        query: CustomerQuery,
    ) -> BoxFuture<'_, Result<Page<CustomerRow>, StoreError>> {
        done(Ok(super::directory::customers(self, &query)))
    }

    fn customer_counts(&self) -> BoxFuture<'_, Result<CustomerCounts, StoreError>> {
        done(Ok(super::directory::counts(self)))
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        let runs = lock(&self.runs);
        let open: Vec<_> = runs
            .iter()
            .filter(|detail| detail.run.status == "open")
            .collect();
        done(Ok(Overview {
            events: lock(&self.events).len() as u64,
            open_runs: open.len() as u64,
            oldest_open: open.iter().map(|detail| detail.run.opened_at).min(),
            dead_letters: lock(&self.dead)
                .iter()
                .filter(|row| row.settled_at.is_none())
                .count() as u64,
            ..Overview::default()
        }))
    }
}

impl Registry for Fake {
    fn get<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Document>, RegistryError>> {
        let all = lock(&self.documents);
        let found = all
            .iter()
            .find(|document| document.kind == kind && document.name == name);
        done(Ok(found.cloned()))
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>> {
        let all = lock(&self.documents);
        done(Ok(all
            .iter()
            .filter(|document| document.kind == kind)
            .cloned()
            .collect()))
    }

    fn names<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<String>, RegistryError>> {
        let all = lock(&self.documents);
        let of_kind = all.iter().filter(|document| document.kind == kind);
        done(Ok(of_kind.map(|document| document.name.clone()).collect()))
    }

    fn history<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>> {
        done(Ok(Vec::new()))
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: Option<u64>,
        _: Value,
        _: &'a str,
        _: Time,
    ) -> BoxFuture<'a, Result<u64, RegistryError>> {
        done(Ok(1))
    }

    fn audit(&self, _: u64, _: usize) -> BoxFuture<'_, Result<Vec<AuditRow>, RegistryError>> {
        done(Ok(Vec::new()))
    }

    fn versions<'a>(
        &'a self,
        _: &'a str,
        _: (&'a str, u64),
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>> {
        done(Ok(Vec::new()))
    }

    fn rewrite<'a>(
        &'a self,
        _: Vec<Rewrite>,
        _: &'a str,
        _: &'a str,
        _: Time,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        done(Ok(()))
    }

    fn scrub(&self) -> BoxFuture<'_, Result<bool, RegistryError>> {
        done(Ok(false))
    }
}

/// A document of the registry.
pub(crate) fn document(kind: &str, name: &str, body: Value) -> Document {
    Document {
        kind: kind.to_owned(),
        name: name.to_owned(),
        version: 1,
        body,
        actor: "file".to_owned(),
        at: Time::parse("2026-03-01T16:00:00Z").expect("an instant"),
    }
}
