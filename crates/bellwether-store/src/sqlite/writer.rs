//! The one writer: a thread that drains what waits, writes it in one transaction and answers after
//! the commit. A member that the database refuses is found by replaying and refused alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bellwether_engine::store::{InletState, InletStep, Member, Owner, RegistryError, Verdict};
use bellwether_model::time::{Millis, Time};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::book::Book;
use super::lock::Lock;
use super::project::Slice;
use super::registry::{self, Put};
use super::stats::Counts;
use super::write_back::WriteBack;
use super::{book, inlet, lease, member, project};

/// Requests that may wait for the writer; further callers wait in line.
pub(super) const QUEUE_MAX: usize = 1024;
/// Members in one transaction.
const BATCH_MEMBERS_MAX: usize = 512;
/// Bytes of payload in one transaction.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A read that runs on the writer's connection, for databases that live in memory.
pub(super) type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// What the writer is asked to do.
pub(super) enum Request {
    Commit(Vec<Member>, oneshot::Sender<Vec<Verdict>>),
    Inlet(
        String,
        InletStep,
        oneshot::Sender<Result<InletState, String>>,
    ),
    Lease(LeaseAsk, oneshot::Sender<Result<Option<u64>, String>>),
    Put(Put, oneshot::Sender<Result<u64, RegistryError>>),
    Project(Slice, oneshot::Sender<Result<(), String>>),
    Read(ReadJob),
    /// Writes one page of nothing, to learn whether writing works.
    Probe(oneshot::Sender<()>),
    /// Writes what is left and ends; the sender is dropped when the database is closed.
    Close(oneshot::Sender<()>),
}

/// A question for a lease.
#[derive(Debug)]
pub(super) struct LeaseAsk {
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) now: Time,
    pub(super) ttl: Millis,
}

/// One thing to write, and what came of it.
enum Unit {
    Member(Box<Member>),
    Inlet(String, InletStep),
    Lease(LeaseAsk),
    Put(Put),
    Project(Slice),
    Probe,
}

enum Outcome {
    Verdict(Verdict),
    Inlet(InletState),
    Lease(Option<u64>),
    Put(Result<u64, RegistryError>),
    Projected,
    /// This unit alone is at fault.
    Refused(String),
    /// The database as a whole is.
    Unavailable(String),
}

/// Who waits for units, in the order of the units.
enum Waiting {
    Commit(usize, oneshot::Sender<Vec<Verdict>>),
    Inlet(oneshot::Sender<Result<InletState, String>>),
    Lease(oneshot::Sender<Result<Option<u64>, String>>),
    Put(oneshot::Sender<Result<u64, RegistryError>>),
    Project(oneshot::Sender<Result<(), String>>),
    Probe(oneshot::Sender<()>),
}

/// The writer's side of the thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) book: Book,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) counts: Arc<Counts>,
    pub(super) behind: Arc<project::Behind>,
    pub(super) healthy: Arc<AtomicBool>,
    pub(super) trouble: Arc<Mutex<Option<String>>>,
    /// Writes the log of a file back; None for a database in memory.
    pub(super) write_back: Option<WriteBack>,
    /// Held until the connection above is closed: fields are dropped in order.
    pub(super) _lock: Option<Lock>,
}

/// Says that the writer is gone however it ends, a panic included. Callers that wait see their
/// answer's channel closed and read that as a refusal.
struct Unwell(Arc<AtomicBool>);

impl Drop for Unwell {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What one drain of the queue gathered.
#[derive(Default)]
struct Batch {
    units: Vec<Unit>,
    waiting: Vec<Waiting>,
    reads: Vec<ReadJob>,
    bytes: usize,
    close: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn full(&self) -> bool {
        self.units.len() >= BATCH_MEMBERS_MAX
            || self.bytes >= BATCH_BYTES_MAX
            || self.close.is_some()
    }

    fn add(&mut self, request: Request) {
        match request {
            Request::Commit(members, answer) => {
                self.waiting.push(Waiting::Commit(members.len(), answer));
                self.bytes += members.iter().map(weight).sum::<usize>();
                self.units
                    .extend(members.into_iter().map(|m| Unit::Member(Box::new(m))));
            }
            Request::Inlet(connection, step, answer) => {
                self.waiting.push(Waiting::Inlet(answer));
                self.units.push(Unit::Inlet(connection, step));
            }
            Request::Lease(ask, answer) => {
                self.waiting.push(Waiting::Lease(answer));
                self.units.push(Unit::Lease(ask));
            }
            Request::Put(put, answer) => {
                self.waiting.push(Waiting::Put(answer));
                self.units.push(Unit::Put(put));
            }
            Request::Project(slice, answer) => {
                self.waiting.push(Waiting::Project(answer));
                self.units.push(Unit::Project(slice));
            }
            Request::Probe(answer) => {
                self.waiting.push(Waiting::Probe(answer));
                self.units.push(Unit::Probe);
            }
            Request::Read(job) => self.reads.push(job),
            Request::Close(done) => self.close = Some(done),
        }
    }
}

/// About how many bytes a member brings.
fn weight(member: &Member) -> usize {
    let event = |e: &bellwether_engine::store::EventWrite| e.text.len() + 256;
    let arrivals: usize = member.arrival.iter().chain(&member.emits).map(event).sum();
    let turns: usize = member
        .turns
        .iter()
        .map(|t| {
            let effects: usize = t.effects.iter().map(|e| e.args.len() + 256).sum();
            t.state.len() + t.body.len() + effects + 256
        })
        .sum();
    arrivals + turns + 128 * (member.effects.len() + member.dead_letters.len())
}

/// A transaction of at least so many units says that many callers are at work at once.
const CROWD: usize = 8;
/// How long the writer then waits for company: what shares a transaction shares its sync and the
/// pages that it writes. A lone caller never waits.
const GATHER: Duration = Duration::from_millis(1);

impl Writer {
    /// Serves until every handle is gone or `Close` came.
    pub(super) fn run(mut self) {
        let unwell = Unwell(self.healthy.clone());
        let mut crowd = 0;
        while let Some(first) = self.requests.blocking_recv() {
            let mut batch = Batch::default();
            batch.add(first);
            if crowd >= CROWD && self.requests.len() < crowd {
                std::thread::park_timeout(GATHER);
            }
            while !batch.full() {
                match self.requests.try_recv() {
                    Ok(request) => batch.add(request),
                    Err(_) => break,
                }
            }
            crowd = batch.units.len();
            let outcomes = self.carry_out(batch.units);
            answer(batch.waiting, outcomes);
            if let Some(back) = &mut self.write_back {
                back.committed(&self.conn);
            }
            for read in batch.reads {
                // What runs here may cut the log, which takes it alone.
                let _quiet = self.write_back.as_ref().map(WriteBack::quiet);
                read(&self.conn);
            }
            if let Some(done) = batch.close {
                self.requests.close();
                self.end();
                drop(unwell);
                // The file is closed before anybody hears that it is.
                drop(self);
                drop(done);
                return;
            }
        }
        self.end();
    }

    /// Writes down what was only counted, and the log back into the file.
    fn end(&mut self) {
        if let Some(back) = self.write_back.take() {
            back.end();
        }
        if self.book.note_duplicates()
            && let Err(trouble) = self.transaction(&[])
        {
            tracing::warn!(
                why = trouble.sentence(),
                "repeats were not counted at the end"
            );
        }
        let settled = run_sql(&self.conn, "BEGIN IMMEDIATE")
            .and_then(|()| self.book.seen.settle_all(&self.conn))
            .and_then(|()| run_sql(&self.conn, "COMMIT"));
        if let Err(error) = settled {
            self.take_back();
            tracing::warn!(%error, "recent keys were not settled; the next start works them out");
        }
        let cut = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = cut {
            tracing::warn!(%error, "the log was not written back; the next start does it");
        }
    }

    /// Writes units in as few transactions as possible; one outcome per unit, in order.
    fn carry_out(&mut self, units: Vec<Unit>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(units.len());
        let mut rest = &units[..];
        while !rest.is_empty() {
            match self.watched(rest) {
                Ok(done) => {
                    outcomes.extend(done);
                    break;
                }
                Err(Trouble::All(why)) => {
                    outcomes.extend(rest.iter().map(|_| Outcome::Unavailable(why.clone())));
                    break;
                }
                Err(Trouble::One(_, why)) if rest.len() == 1 => {
                    outcomes.push(Outcome::Refused(why));
                    break;
                }
                Err(Trouble::One(index, _)) => {
                    let (before, from) = rest.split_at(index);
                    outcomes.extend(self.replay(before));
                    let (one, after) = from.split_at(1);
                    outcomes.extend(self.replay(one));
                    rest = after;
                }
            }
        }
        outcomes
    }

    /// Writes units that are expected to succeed together, or the one that is suspected.
    fn replay(&mut self, units: &[Unit]) -> Vec<Outcome> {
        if units.is_empty() {
            return Vec::new();
        }
        match self.watched(units) {
            Ok(done) => done,
            Err(Trouble::All(why)) => units
                .iter()
                .map(|_| Outcome::Unavailable(why.clone()))
                .collect(),
            Err(Trouble::One(_, why)) if units.len() == 1 => vec![Outcome::Refused(why)],
            // It went well a moment ago; whatever changed, each now stands alone.
            Err(Trouble::One(..)) => units
                .iter()
                .flat_map(|unit| match self.transaction(std::slice::from_ref(unit)) {
                    Ok(done) => done,
                    Err(Trouble::All(why)) => vec![Outcome::Unavailable(why)],
                    Err(Trouble::One(_, why)) => vec![Outcome::Refused(why)],
                })
                .collect(),
        }
    }

    /// A transaction whose failure as a whole is kept where probes see it.
    fn watched(&mut self, units: &[Unit]) -> Result<Vec<Outcome>, Trouble> {
        let done = self.transaction(units);
        let trouble = match &done {
            Ok(_) => None,
            Err(Trouble::All(why)) => Some(why.clone()),
            Err(Trouble::One(..)) => return done,
        };
        let mut kept = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(why), None) = (&trouble, kept.as_ref()) {
            tracing::error!(why, "nothing can be written");
        }
        *kept = trouble;
        drop(kept);
        done
    }

    fn transaction(&mut self, units: &[Unit]) -> Result<Vec<Outcome>, Trouble> {
        let all = |e: rusqlite::Error| Trouble::All(e.to_string());
        let before = self.conn.total_changes();
        run_sql(&self.conn, "BEGIN IMMEDIATE").map_err(all)?;
        if let Err(error) = self.book.refresh(&self.conn) {
            self.take_back();
            return Err(all(error));
        }
        let mut outcomes = Vec::with_capacity(units.len());
        let mut projected = 0;
        for (index, unit) in units.iter().enumerate() {
            let start = self.conn.total_changes();
            match write(&self.conn, &mut self.book, unit) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    self.take_back();
                    return Err(Trouble::of(&error, index));
                }
            }
            if matches!(unit, Unit::Project(_)) {
                projected += self.conn.total_changes() - start;
            }
        }
        let end = self
            .book
            .finish(&self.conn)
            .and_then(|()| run_sql(&self.conn, "COMMIT"));
        if let Err(error) = end {
            self.take_back();
            return Err(all(error));
        }
        if self.book.committed() {
            self.behind.committed(self.book.last_change());
        }
        self.behind.set_duplicates(self.book.duplicates);
        let rows = self.conn.total_changes() - before;
        self.counts.add(units.len(), rows - projected, projected);
        Ok(outcomes)
    }

    fn take_back(&mut self) {
        self.book.rolled_back();
        // SQLite has taken back by itself after some failures; then there is nothing to do.
        if !self.conn.is_autocommit()
            && let Err(error) = run_sql(&self.conn, "ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be taken back");
        }
    }
}

fn run_sql(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Why a transaction did not come about.
enum Trouble {
    /// The database as a whole: full, unreadable, gone. Replaying would only repeat it.
    All(String),
    /// This unit, perhaps; it is replayed alone.
    One(usize, String),
}

/// What a unit that stood alone is told.
impl Trouble {
    fn of(error: &rusqlite::Error, index: usize) -> Self {
        let database = matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::OutOfMemory
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
            )
        );
        if database {
            Self::All(error.to_string())
        } else {
            Self::One(index, error.to_string())
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::All(why) | Self::One(_, why) => why,
        }
    }
}

fn write(conn: &Connection, book: &mut Book, unit: &Unit) -> rusqlite::Result<Outcome> {
    Ok(match unit {
        Unit::Member(member) => Outcome::Verdict(member::apply(conn, book, member)?),
        Unit::Inlet(connection, step) => Outcome::Inlet(inlet::step(conn, book, connection, step)?),
        Unit::Lease(ask) => Outcome::Lease(lease::take(conn, ask)?),
        Unit::Put(put) => Outcome::Put(registry::put(conn, put)?),
        Unit::Project(slice) => {
            project::apply(conn, slice)?;
            Outcome::Projected
        }
        Unit::Probe => {
            book::probe(conn)?;
            Outcome::Projected
        }
    })
}

/// Tells everybody what came of it. Who no longer listens is not told: the record is what counts.
fn answer(waiting: Vec<Waiting>, outcomes: Vec<Outcome>) {
    let mut outcomes = outcomes.into_iter();
    let mut next = || {
        outcomes
            .next()
            .unwrap_or_else(|| Outcome::Refused("the writer lost count".to_owned()))
    };
    for one in waiting {
        match one {
            Waiting::Commit(n, to) => {
                let verdicts = (0..n).map(|_| verdict(next())).collect();
                to.send(verdicts).ok();
            }
            Waiting::Inlet(to) => {
                let state = match next() {
                    Outcome::Inlet(state) => Ok(state),
                    other => Err(refusal(other)),
                };
                to.send(state).ok();
            }
            Waiting::Lease(to) => {
                let fence = match next() {
                    Outcome::Lease(fence) => Ok(fence),
                    other => Err(refusal(other)),
                };
                to.send(fence).ok();
            }
            Waiting::Put(to) => {
                let version = match next() {
                    Outcome::Put(result) => result,
                    other => Err(RegistryError::Store(refusal(other))),
                };
                to.send(version).ok();
            }
            Waiting::Project(to) => {
                let done = match next() {
                    Outcome::Projected => Ok(()),
                    other => Err(refusal(other)),
                };
                to.send(done).ok();
            }
            Waiting::Probe(to) => {
                drop(next());
                to.send(()).ok();
            }
        }
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Verdict(verdict) => verdict,
        Outcome::Unavailable(why) => Verdict::Unavailable(why),
        other => Verdict::Refused(refusal(other)),
    }
}

fn refusal(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused(why) | Outcome::Unavailable(why) => why,
        _ => "the writer answered another question".to_owned(),
    }
}
