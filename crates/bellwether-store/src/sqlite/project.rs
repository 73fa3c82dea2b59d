//! The projector: reads change rows in bulk behind the writer and keeps the tables that lists and
//! totals come from. It reads on its own thread; what it writes goes through the writer's queue in
//! slices, with pauses, so that accepting events stays first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bellwether_model::id::Id;
use rusqlite::{Connection, Result};
use tokio::sync::{mpsc, oneshot, watch};

use super::book::{POSITION_FLOOR, PROJECTED, meta};
use super::change::{Change, Changes, Standing};
use super::writer::Request;

/// Totals of `tally`: what is counted under which numbers.
pub(super) mod total {
    /// Events of a type: (type, 0).
    pub(in crate::sqlite) const EVENTS: u8 = 1;
    /// Runs: (program, open).
    pub(in crate::sqlite) const RUNS: u8 = 2;
    /// Effects: (program, role · 256 + state · 16 + delivery).
    pub(in crate::sqlite) const EFFECTS: u8 = 3;
    /// Dead letters: (0, 0) written, (0, 1) settled.
    pub(in crate::sqlite) const LETTERS: u8 = 4;
    /// Events that came again: (0, 0).
    pub(in crate::sqlite) const DUPLICATES: u8 = 5;
}

/// Positions in one block of `view_event`.
pub(super) const BLOCK: i64 = 256;
/// Bytes of change rows in one slice: about five milliseconds of the writer's time.
const SLICE_BYTES: usize = 96 * 1024;
/// Change rows in one slice.
const SLICE_ROWS: i64 = 512;
/// How long changes may gather before they are read: fewer, larger slices.
const GATHER: Duration = Duration::from_millis(100);
/// After a slice the projector rests this many times as long as the slice took.
const REST: u32 = 6;
/// Rest after a slice at most.
const REST_MAX: Duration = Duration::from_millis(300);
/// How often an instant is noted for the lag.
const MARK_EVERY: Duration = Duration::from_millis(50);
/// Instants kept for the lag.
const MARKS_MAX: usize = 4096;

/// How far the projector is behind; shared by writer, projector and readers.
#[derive(Debug)]
pub(super) struct Behind {
    state: Mutex<State>,
    wake: Condvar,
    projected: watch::Sender<i64>,
    /// Events that came again and are not in a change row yet.
    duplicates: AtomicU64,
}

#[derive(Debug)]
struct State {
    last: i64,
    projected: i64,
    /// When change rows were committed; not every one.
    marks: VecDeque<(i64, Instant)>,
    hurry: bool,
    stop: bool,
}

impl Behind {
    pub(super) fn new(last: i64, projected: i64) -> Self {
        let mut marks = VecDeque::new();
        if last > projected {
            marks.push_back((last, Instant::now()));
        }
        Self {
            state: Mutex::new(State {
                last,
                projected,
                marks,
                hurry: false,
                stop: false,
            }),
            wake: Condvar::new(),
            projected: watch::channel(projected).0,
            duplicates: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer committed this change row.
    pub(super) fn committed(&self, last: i64) {
        let mut state = self.state();
        let idle = state.last == state.projected;
        state.last = last;
        let now = Instant::now();
        let recent = |(_, at): &(i64, Instant)| now.duration_since(*at) < MARK_EVERY;
        if !state.marks.back().is_some_and(recent) && state.marks.len() < MARKS_MAX {
            state.marks.push_back((last, now));
        }
        drop(state);
        if idle {
            self.wake.notify_all();
        }
    }

    /// The writer says how many repeats it has not written down yet.
    pub(super) fn set_duplicates(&self, n: i64) {
        let n = u64::try_from(n).unwrap_or(0);
        self.duplicates.store(n, Ordering::Relaxed);
    }

    pub(super) fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    fn advanced(&self, projected: i64) {
        let mut state = self.state();
        state.projected = projected.max(state.projected);
        while state.marks.len() > 1 && state.marks.get(1).is_some_and(|m| m.0 <= projected + 1) {
            state.marks.pop_front();
        }
        if state.projected >= state.last {
            state.marks.clear();
            state.hurry = false;
        }
        drop(state);
        // After the end nobody waits any more, so the number never goes back.
        self.projected
            .send_if_modified(|known| std::mem::replace(known, projected.max(*known)) < projected);
    }

    fn last(&self) -> i64 {
        self.state().last
    }

    /// How long the oldest change that lists do not show has been waiting.
    pub(super) fn lag(&self) -> Duration {
        let state = self.state();
        state
            .marks
            .front()
            .map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// Completes when everything that is committed now is projected, or the projector has ended.
    pub(super) async fn caught_up(&self) {
        let mut projected = self.projected.subscribe();
        let target = {
            let mut state = self.state();
            state.hurry = state.last > state.projected;
            state.last
        };
        self.wake.notify_all();
        if projected.wait_for(|p| *p >= target).await.is_err() {
            tracing::debug!("the projector ended before it had caught up");
        }
    }

    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.wake.notify_all();
        self.projected.send_replace(i64::MAX);
    }

    /// Waits until there is something to do; false when the projector shall end.
    fn wait(&self) -> bool {
        let mut state = self.state();
        while !state.stop && state.last <= state.projected {
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.rest(GATHER)
    }

    /// Rests unless somebody is in a hurry; false when the projector shall end.
    fn rest(&self, time: Duration) -> bool {
        let state = self.state();
        let (state, _) = self
            .wake
            .wait_timeout_while(state, time, |s| !s.stop && !s.hurry)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stop
    }
}

/// Where the projector reads change rows.
pub(super) enum Source {
    File(Box<Connection>),
    /// On the writer's connection: the database lives in memory.
    Writer,
}

/// The projector's thread.
pub(super) struct Projector {
    source: Source,
    requests: mpsc::WeakSender<Request>,
    behind: Arc<Behind>,
}

impl Projector {
    pub(super) fn new(
        source: Source,
        requests: mpsc::WeakSender<Request>,
        behind: Arc<Behind>,
    ) -> Self {
        Self {
            source,
            requests,
            behind,
        }
    }

    /// Projects until the database is closed.
    pub(super) fn run(self) {
        while self.behind.wait() {
            loop {
                let begun = Instant::now();
                let last = self.behind.last();
                match self.slice() {
                    Ok(Some(up_to)) => self.behind.advanced(up_to),
                    Ok(None) => {
                        // No row is left, also if another process projected the last ones.
                        self.behind.advanced(last);
                        break;
                    }
                    Err(why) => {
                        tracing::warn!(%why, "lists are not up to date; the projector tries again");
                        if !self.behind.rest(REST_MAX) {
                            return;
                        }
                        break;
                    }
                }
                if !self.behind.rest((begun.elapsed() * REST).min(REST_MAX)) {
                    return;
                }
            }
        }
    }

    /// Reads and writes one slice; None when nothing is left.
    fn slice(&self) -> std::result::Result<Option<i64>, String> {
        let rows = match &self.source {
            Source::File(conn) => read(conn).map_err(|e| e.to_string())?,
            Source::Writer => {
                let (to, rows) = oneshot::channel();
                self.send(Request::Read(Box::new(move |conn| {
                    to.send(read(conn)).ok();
                })))?;
                let rows = rows.blocking_recv().map_err(|e| e.to_string())?;
                rows.map_err(|e| e.to_string())?
            }
        };
        let Some(up_to) = rows.last().map(|row| row.0) else {
            return Ok(None);
        };
        let (to, done) = oneshot::channel();
        self.send(Request::Project(Slice::of(&rows, up_to), to))?;
        done.blocking_recv().map_err(|e| e.to_string())??;
        Ok(Some(up_to))
    }

    fn send(&self, request: Request) -> std::result::Result<(), String> {
        let closed = || "the database is closed".to_owned();
        let requests = self.requests.upgrade().ok_or_else(closed)?;
        requests.blocking_send(request).map_err(|_| closed())
    }
}

type ChangeRow = (i64, Vec<u8>);

fn read(conn: &Connection) -> Result<Vec<ChangeRow>> {
    let mut statement =
        conn.prepare_cached("SELECT number, body FROM change ORDER BY number LIMIT ?1")?;
    let mut rows = statement.query([SLICE_ROWS])?;
    let mut read = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(1)?;
        bytes += body.len();
        read.push((row.get(0)?, body));
        if bytes >= SLICE_BYTES {
            break;
        }
    }
    Ok(read)
}

/// Change rows added up: what has to be written, each row once.
#[derive(Debug, Default)]
pub(super) struct Slice {
    first: i64,
    up_to: i64,
    last_position: i64,
    /// (program, id) → whether it was listed before as open, and whether it is open now.
    runs: BTreeMap<(i64, Id), (bool, bool)>,
    notifications: BTreeMap<Id, Shown>,
    people: Vec<(String, Id)>,
    blocks: BTreeMap<(i64, i64), i64>,
    totals: BTreeMap<(u8, i64, i64), i64>,
}

#[derive(Debug)]
struct Shown {
    program: i64,
    standing: Standing,
    born: bool,
}

fn standing_code(role: u8, standing: Standing) -> i64 {
    i64::from(role) * 256 + i64::from(standing.state) * 16 + i64::from(standing.delivery)
}

impl Slice {
    fn of(rows: &[ChangeRow], up_to: i64) -> Self {
        let mut slice = Self {
            first: rows.first().map_or(up_to, |row| row.0),
            up_to,
            ..Self::default()
        };
        for (_, body) in rows {
            for change in Changes::of(body) {
                slice.add(change);
            }
        }
        slice.people.sort_unstable();
        slice
    }

    fn count(&mut self, what: u8, a: i64, b: i64, n: i64) {
        *self.totals.entry((what, a, b)).or_insert(0) += n;
    }

    fn add(&mut self, change: Change<'_>) {
        match change {
            Change::Event { kind, position } => {
                self.last_position = self.last_position.max(position);
                *self.blocks.entry((kind, position / BLOCK)).or_insert(0) += 1;
                self.count(total::EVENTS, kind, 0, 1);
            }
            Change::Opened { program, id, open } => {
                self.runs.insert((program, id), (false, open));
                self.count(total::RUNS, program, i64::from(open), 1);
            }
            Change::Closed { program, id } => {
                self.runs.entry((program, id)).or_insert((true, false)).1 = false;
                self.count(total::RUNS, program, 1, -1);
                self.count(total::RUNS, program, 0, 1);
            }
            Change::Born {
                id,
                program,
                role,
                standing,
                person,
            } => {
                self.count(total::EFFECTS, program, standing_code(role, standing), 1);
                if notifies(role) {
                    let born = true;
                    let shown = Shown {
                        program,
                        standing,
                        born,
                    };
                    self.notifications.insert(id, shown);
                    self.people.extend(person.map(|p| (p.to_owned(), id)));
                }
            }
            Change::Moved {
                id,
                program,
                role,
                from,
                to,
            } => {
                self.count(total::EFFECTS, program, standing_code(role, from), -1);
                self.count(total::EFFECTS, program, standing_code(role, to), 1);
                if notifies(role) {
                    let shown = self.notifications.entry(id).or_insert(Shown {
                        program,
                        standing: to,
                        born: false,
                    });
                    shown.standing = to;
                }
            }
            Change::DeadLetters(n) => self.count(total::LETTERS, 0, 0, n),
            Change::Settled(n) => self.count(total::LETTERS, 0, 1, n),
            Change::Duplicates(n) => self.count(total::DUPLICATES, 0, 0, n),
        }
    }
}

/// What somebody hears is a notification, also what another system hears; labels are none.
fn notifies(role: u8) -> bool {
    role != 3
}

/// Writes one slice within the running transaction, unless another process did so meanwhile.
pub(super) fn apply(conn: &Connection, slice: &Slice) -> Result<()> {
    if meta(conn, PROJECTED)? >= slice.first {
        return Ok(());
    }
    runs(conn, slice)?;
    notifications(conn, slice)?;
    let mut statement = conn.prepare_cached(
        "INSERT INTO view_event (kind, block, n) VALUES (?1, ?2, ?3)
         ON CONFLICT (kind, block) DO UPDATE SET n = n + excluded.n",
    )?;
    for ((kind, block), n) in &slice.blocks {
        statement.execute((kind, block, n))?;
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO tally (what, a, b, n) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (what, a, b) DO UPDATE SET n = n + excluded.n",
    )?;
    for ((what, a, b), n) in &slice.totals {
        if *n != 0 {
            statement.execute((what, a, b, n))?;
        }
    }
    conn.prepare_cached("DELETE FROM change WHERE number <= ?1")?
        .execute([slice.up_to])?;
    let mut statement = conn.prepare_cached(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )?;
    statement.execute((PROJECTED, slice.up_to))?;
    statement.execute((POSITION_FLOOR, slice.last_position))?;
    Ok(())
}

fn runs(conn: &Connection, slice: &Slice) -> Result<()> {
    let mut insert =
        conn.prepare_cached("INSERT INTO view_run (program, open, id) VALUES (?1, ?2, ?3)")?;
    for ((program, id), (was_open, open)) in &slice.runs {
        if *was_open {
            conn.prepare_cached(
                "DELETE FROM view_run WHERE program = ?1 AND open = 1 AND id = ?2",
            )?
            .execute((program, id.bytes()))?;
        }
        insert.execute((program, open, id.bytes()))?;
    }
    Ok(())
}

fn notifications(conn: &Connection, slice: &Slice) -> Result<()> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO view_notification (id, program, state, delivery) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (id, shown) in &slice.notifications {
        let Standing { state, delivery } = shown.standing;
        if shown.born {
            insert.execute((id.bytes(), shown.program, state, delivery))?;
        } else {
            conn.prepare_cached(
                "UPDATE view_notification SET state = ?2, delivery = ?3 WHERE id = ?1",
            )?
            .execute((id.bytes(), state, delivery))?;
        }
    }
    let mut people = conn.prepare_cached("INSERT INTO view_person (person, id) VALUES (?1, ?2)")?;
    for (person, id) in &slice.people {
        people.execute((person, id.bytes()))?;
    }
    Ok(())
}
