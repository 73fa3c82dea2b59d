//! Turns of connectors' own cells: an event of a connection, or a timer, goes through the pure
//! function of its connector; what that keeps and emits is committed like any other turn. What a
//! record means is the connector's business.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bellwether_model::event::{Cause as Caused, Event, NewEvent, Position};
use bellwether_model::id::{CellId, Id, key16};
use bellwether_model::reduce::{Cause, Derived, Memory, Reduced, Reducer};
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use super::prepare::{Prepared, dead_letters, event_input, journal};
use super::turn::About;
use super::{Engine, Link, Setup};
use crate::decide::{Dead, Note};
use crate::store::{CellRef, CellStatus, EventWrite, Snapshot, StoreError, TurnWrite};

/// What the programs of connectors' cells begin with; the connection's name follows.
const PREFIX: &str = "reduce:";
/// The most bytes that a cell keeps as JSON text.
const STATE_MAX: usize = 64 * 1024;
/// The most events that one turn may emit.
const EMITS_MAX: usize = 64;

/// The connection whose memory a program is.
pub(crate) fn connection_of(program: &str) -> Option<&str> {
    program.strip_prefix(PREFIX)
}

/// What an event means for the memory of its own connection.
#[derive(Debug)]
pub(crate) enum Remembering {
    /// Nothing.
    No,
    /// The cell is busy elsewhere: into its inbox.
    Later(CellId),
    /// A turn.
    Turn(Box<Prepared>),
}

/// A cell before its turn.
struct Cell<'a> {
    id: CellId,
    key: &'a str,
    epoch: u32,
    version: u64,
    opened_by: Option<Position>,
    kept: Option<(u32, Json)>,
}

impl Engine {
    /// The program and key of the cell that remembers an event, if one does.
    pub(crate) fn remembered_by(setup: &Setup, event: &Event) -> Option<(String, String)> {
        let (link, reducer) = memory_of(setup, &event.envelope.source)?;
        let key = catch_unwind(|| (reducer.key)(&event.envelope)).ok()??;
        Some((format!("{PREFIX}{}", link.name), key))
    }

    /// What an event of a connection means for the connector's own memory of it.
    pub(crate) async fn remember(
        &self,
        setup: &Setup,
        event: &Event,
        to_inbox: bool,
    ) -> Result<Remembering, StoreError> {
        let Some((link, reducer)) = memory_of(setup, &event.envelope.source) else {
            return Ok(Remembering::No);
        };
        let now = event.received_at;
        let key = match catch_unwind(|| (reducer.key)(&event.envelope)) {
            Ok(None) => return Ok(Remembering::No),
            Ok(Some(key)) => key,
            // A turn of a cell of its own says so: the event itself is never lost.
            Err(_) => format!("unreadable {}", event.envelope.id),
        };
        let program = format!("{PREFIX}{}", link.name);
        let latest = CellRef::Latest {
            program: program.clone(),
            key: key.clone(),
        };
        let found = self.store().load(&[latest]).await?.pop().flatten();
        let cell = match &found {
            Some(cell) if cell.status == CellStatus::Open && (cell.has_inbox || to_inbox) => {
                return Ok(Remembering::Later(cell.cell));
            }
            Some(cell) if cell.status == CellStatus::Open => Cell::of(cell),
            before => {
                let epoch = before.as_ref().map_or(1, |cell| cell.epoch + 1);
                let seen = event.envelope.seen_key();
                let parts = [program.as_bytes(), key.as_bytes(), &epoch.to_be_bytes()];
                Cell {
                    id: Id::derive(now, &[parts[0], parts[1], parts[2], &seen]),
                    key: &key,
                    epoch,
                    version: 0,
                    opened_by: (event.position > 0).then_some(event.position),
                    kept: None,
                }
            }
        };
        let now = found
            .as_ref()
            .map_or(now, |cell| now.max(cell.last_turn_at));
        let prepared = prepare(setup, link, reducer, &cell, Cause::Event(event), now);
        Ok(Remembering::Turn(Box::new(prepared)))
    }

    /// A turn of a connector's cell that exists. None when its connection is gone.
    pub(crate) fn reduced(
        setup: &Setup,
        snapshot: &Snapshot,
        about: &About<'_>,
        now: Time,
    ) -> Option<Prepared> {
        let connection = connection_of(&snapshot.program)?;
        let (link, reducer) = memory_of(setup, connection)?;
        let cause = match *about {
            About::Again(event) | About::Addressed(event, _) => Cause::Event(event),
            About::Timer(name) => Cause::Timer(name),
            // Cells of this kind have no effects that could fail.
            About::Failed(..) => return None,
        };
        let cell = Cell::of(snapshot);
        Some(prepare(setup, link, reducer, &cell, cause, now))
    }
}

fn memory_of<'a>(setup: &'a Setup, connection: &str) -> Option<(&'a Link, &'static Reducer)> {
    let link = setup.links.get(connection)?;
    Some((link, link.def.reduce.as_ref()?))
}

impl<'a> Cell<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            id: snapshot.cell,
            key: &snapshot.key,
            epoch: snapshot.epoch,
            version: snapshot.version,
            opened_by: snapshot.opened_by.as_ref().map(|event| event.position),
            kept: read(&snapshot.state),
        }
    }
}

/// The kept value with the number of its form.
fn read(state: &[u8]) -> Option<(u32, Json)> {
    let mut state: Json = serde_json::from_slice(state).ok()?;
    let format = u32::try_from(state.get("v")?.as_u64()?).ok()?;
    Some((format, state.get_mut("keep")?.take()))
}

/// Runs the connector's function and makes a turn of what it says. A mistake of the connector
/// leaves the memory as it was, and a dead letter.
fn prepare(
    setup: &Setup,
    link: &Link,
    reducer: &Reducer,
    cell: &Cell<'_>,
    cause: Cause<'_>,
    now: Time,
) -> Prepared {
    let kept = cell.kept.as_ref().map(|(format, keep)| (*format, keep));
    let (input, hop, case, timer) = said_by(&cause);
    let memory = Memory {
        connection: &link.name,
        key: cell.key,
        kept,
        cause,
        now,
    };
    let reduced = run(reducer, &memory);
    let (reduced, state, wrong) = checked(reducer, reduced, cell);
    let turn = cell.version + 1;
    // A timer that fired is gone unless it is set again.
    let timers: Vec<_> = timer
        .map(|name| (name, None))
        .into_iter()
        .chain(reduced.timers)
        .collect();
    let emits: Vec<_> = reduced
        .emits
        .into_iter()
        .map(|derived| {
            emitted(
                setup,
                link,
                (cell.id, turn),
                (hop, case.clone()),
                derived,
                now,
            )
        })
        .collect();
    let dead: Vec<_> = wrong
        .map(|why| Dead::new("bug", format!("connection `{}`: {why}", link.name)))
        .into_iter()
        .collect();
    let note = |write: &EventWrite| Note::of("happened").because(&write.event.kind);
    let notes: Vec<Note> = emits.iter().map(note).collect();
    let body = journal(setup, &notes, None, &input, Vec::new(), now);
    let write = TurnWrite {
        state,
        at: now,
        body,
        timers,
        status: if reduced.ends {
            CellStatus::Closed
        } else {
            CellStatus::Open
        },
        ..blank(link, reducer, cell)
    };
    Prepared {
        wakes: !emits.is_empty() || write.timers.iter().any(|(_, due)| due.is_some()),
        write: Some(write),
        emits,
        dead_letters: dead_letters(cell.id, turn, dead, now),
        launches: Vec::new(),
        queued: Vec::new(),
        said: None,
        lines: Vec::new(),
    }
}

/// A cause as the journal has it, with hop and case of what follows, and the timer that it was.
fn said_by(cause: &Cause<'_>) -> (Json, u8, Option<String>, Option<String>) {
    match cause {
        Cause::Event(event) => {
            let envelope = &event.envelope;
            let case = envelope.case.clone();
            (event_input(event), envelope.hop, case, None)
        }
        Cause::Timer(name) => (json!({ "timer": name }), 0, None, Some((*name).to_owned())),
    }
}

/// A turn of a cell that says nothing yet.
fn blank(link: &Link, reducer: &Reducer, cell: &Cell<'_>) -> TurnWrite {
    TurnWrite {
        cell: cell.id,
        program: format!("{PREFIX}{}", link.name),
        program_hash: key16(&[link.def.name.as_bytes(), &reducer.format.to_be_bytes()]),
        key: cell.key.to_owned(),
        keyed: true,
        epoch: cell.epoch,
        expects: cell.version,
        opened_by: cell.opened_by,
        status: CellStatus::Open,
        state: Vec::new(),
        at: Time(0),
        body: Vec::new(),
        consumes: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        effects: Vec::new(),
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
    }
}

fn run(reducer: &Reducer, memory: &Memory<'_>) -> Result<Reduced, &'static str> {
    catch_unwind(AssertUnwindSafe(|| (reducer.reduce)(memory)))
        .map_err(|_| "remembering a record failed inside the server")
}

/// What is stored of a turn: the connector's word if it can be, else what was kept before.
fn checked(
    reducer: &Reducer,
    reduced: Result<Reduced, &'static str>,
    cell: &Cell<'_>,
) -> (Reduced, Vec<u8>, Option<&'static str>) {
    let write = |format: u32, keep: &Json| {
        json!({ "v": format, "keep": keep })
            .to_string()
            .into_bytes()
    };
    let wrong = match reduced {
        Ok(reduced) => {
            let state = write(reducer.format, &reduced.keep);
            if state.len() > STATE_MAX {
                "a record has more to remember than the limit of 64 KB"
            } else if reduced.emits.len() > EMITS_MAX {
                "one record says more than 64 things at once"
            } else {
                return (reduced, state, None);
            }
        }
        Err(why) => why,
    };
    let before = match &cell.kept {
        Some((format, keep)) => write(*format, keep),
        None => write(reducer.format, &Json::Null),
    };
    (Reduced::default(), before, Some(wrong))
}

fn emitted(
    setup: &Setup,
    link: &Link,
    (cell, turn): (CellId, u64),
    (hop, case): (u8, Option<String>),
    derived: Derived,
    now: Time,
) -> EventWrite {
    let text = derived.data.to_string();
    let mut event = NewEvent::new(
        &link.name,
        derived.id,
        derived.kind,
        derived.time,
        Json::Null,
    );
    event.data = derived.data;
    event.hop = hop.saturating_add(1);
    event.case = case;
    event.cause = Some(Caused { cell, turn });
    EventWrite {
        text,
        event,
        received_at: now,
        flow_set: setup.flows.version(),
        directory: setup.directory.version,
        matched: 0,
    }
}
