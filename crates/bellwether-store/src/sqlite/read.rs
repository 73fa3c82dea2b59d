//! Reads by key that the engine decides on: cells, aliases, events, effects, answers, and what is
//! ready or due. Lists for people are in `views`.

use std::collections::{HashMap, HashSet};

use bellwether_engine::store::{
    Answer, CellRef, CellStatus, EffectRow, EffectState, EventRef, Outcome, Owner, Query, Ready,
    Snapshot, Work,
};
use bellwether_model::event::{Event, NewEvent, Position};
use bellwether_model::id::{CellId, Id, key16};
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::de::DeserializeOwned;

use super::customer;
use super::effect::role_of;
use super::member::Extra;
use super::register;
use super::seen::{self, Recent};

/// Deliveries of one cell that [`ready`] returns.
const INBOX_MAX: i64 = 32;
/// Effects with an instant that one call looks at.
const TIMED_MAX: i64 = 10_000;

/// Stored JSON text as a value.
pub(super) fn parse<T: DeserializeOwned>(column: usize, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

/// A number as SQLite takes it; ours never come near the end of its range.
pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A stored number that is never negative.
pub(super) fn uint(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column)
        .map(|n| u64::try_from(n).unwrap_or(0))
}

/// A limit as SQLite takes it.
pub(super) fn cap(limit: usize, most: usize) -> i64 {
    i64::try_from(limit.min(most)).unwrap_or(0)
}

fn time(n: Option<i64>) -> Option<Time> {
    n.map(Time)
}

pub(super) fn load(conn: &Connection, cells: &[CellRef]) -> Result<Vec<Option<Snapshot>>> {
    cells.iter().map(|cell| snapshot(conn, cell)).collect()
}

fn snapshot(conn: &Connection, cell: &CellRef) -> Result<Option<Snapshot>> {
    let id = match cell {
        CellRef::Id(id) => *id,
        CellRef::Latest { program, key } => match latest(conn, program, key)? {
            Some(id) => id,
            None => return Ok(None),
        },
    };
    let found = conn
        .prepare_cached(
            "SELECT (SELECT text FROM word WHERE id = program), program_hash, key, epoch, version,
               open, state, last_turn_at, opened_by,
               EXISTS (SELECT 1 FROM inbox WHERE cell = cell.id)
             FROM cell WHERE id = ?1",
        )?
        .query_row([id.bytes()], |row| {
            let cell = Snapshot {
                cell: id,
                program: row.get(0)?,
                program_hash: row.get(1)?,
                key: row.get(2)?,
                epoch: row.get(3)?,
                version: uint(row, 4)?,
                status: status(row.get(5)?),
                state: row.get(6)?,
                last_turn_at: Time(row.get(7)?),
                opened_by: None,
                has_inbox: row.get(9)?,
                timers: Vec::new(),
            };
            Ok((cell, row.get::<_, Option<Position>>(8)?))
        })
        .optional()?;
    let Some((mut cell, opened_by)) = found else {
        return Ok(None);
    };
    if let Some(position) = opened_by {
        cell.opened_by = event(conn, position)?;
    }
    cell.timers = timers(conn, id)?;
    Ok(Some(cell))
}

/// The latest epoch of a key: open ones have an index of their own, ended ones a name.
fn latest(conn: &Connection, program: &str, key: &str) -> Result<Option<CellId>> {
    let open = conn
        .prepare_cached(
            "SELECT id FROM cell WHERE open = 1 AND keyed = 1 AND key = ?2
             AND program = (SELECT id FROM word WHERE text = ?1)",
        )?
        .query_row((program, key), |row| row.get(0).map(Id))
        .optional()?;
    match open {
        Some(id) => Ok(Some(id)),
        None => Ok(resolve(conn, &[epoch_key(program, key)])?.pop().flatten()),
    }
}

/// The alias under which the latest epoch of a key is found again after it ended.
pub(super) fn epoch_key(program: &str, key: &str) -> [u8; 16] {
    key16(&[b"epoch", program.as_bytes(), key.as_bytes()])
}

pub(super) fn status(open: bool) -> CellStatus {
    if open {
        CellStatus::Open
    } else {
        CellStatus::Closed
    }
}

pub(super) fn timers(conn: &Connection, cell: CellId) -> Result<Vec<(String, Time)>> {
    conn.prepare_cached("SELECT name, due FROM timer WHERE cell = ?1 ORDER BY name")?
        .query_map([cell.bytes()], |row| Ok((row.get(0)?, Time(row.get(1)?))))?
        .collect()
}

/// The cells behind aliases, by their keys.
pub(super) fn resolve(conn: &Connection, keys: &[[u8; 16]]) -> Result<Vec<Option<CellId>>> {
    let mut statement = conn.prepare_cached("SELECT cell FROM alias WHERE key = ?1")?;
    keys.iter()
        .map(|key| {
            statement
                .query_row([key], |row| row.get(0).map(Id))
                .optional()
        })
        .collect()
}

/// The columns of an event, in the order that [`event_row`] reads.
pub(super) const EVENT: &str = "position, received_at, flow_set, directory, id,
  (SELECT text FROM word WHERE id = source), (SELECT text FROM word WHERE id = kind),
  subject, happened_at, data, hop, extra";

pub(super) fn event_row(row: &Row<'_>) -> Result<Event> {
    let data = row.get_ref(9)?.as_str()?;
    let extra: Extra = match row.get_ref(11)?.as_str_or_null()? {
        Some(text) => parse(11, text)?,
        None => Extra::default(),
    };
    Ok(Event {
        position: row.get(0)?,
        received_at: Time(row.get(1)?),
        flow_set: uint(row, 2)?,
        directory: uint(row, 3)?,
        envelope: NewEvent {
            id: row.get(4)?,
            source: row.get(5)?,
            kind: row.get(6)?,
            subject: row.get(7)?,
            time: Time(row.get(8)?),
            data: std::sync::Arc::new(parse(9, data)?),
            case: extra.case,
            hop: row.get(10)?,
            cause: extra.cause,
            traceparent: extra.traceparent,
            aliases: extra.aliases,
        },
    })
}

/// One event by position.
pub(super) fn event(conn: &Connection, position: Position) -> Result<Option<Event>> {
    conn.prepare_cached(
        "SELECT position, received_at, flow_set, directory, id,
           (SELECT text FROM word WHERE id = source), (SELECT text FROM word WHERE id = kind),
           subject, happened_at, data, hop, extra FROM event WHERE position = ?1",
    )?
    .query_row([position], event_row)
    .optional()
}

/// Several events. Memory is asked for all keys before the first statement: what has left it by
/// then stands in the table that this read sees.
pub(super) fn events(
    conn: &Connection,
    seen: &Recent,
    refs: &[EventRef],
) -> Result<Vec<Option<Event>>> {
    let recent: Vec<_> = refs
        .iter()
        .map(|event_ref| match event_ref {
            EventRef::At(position) => Some(*position),
            EventRef::Key(key) => seen.recall(key).map(|seen| seen.position),
        })
        .collect();
    refs.iter()
        .zip(recent)
        .map(|(event_ref, recent)| {
            let position = match (event_ref, recent) {
                (EventRef::Key(key), None) => seen::written(conn, key)?.map(|seen| seen.position),
                _ => recent,
            };
            position.map_or(Ok(None), |position| event(conn, position))
        })
        .collect()
}

/// The columns of an effect, in the order that [`effect_row`] reads.
pub(super) const EFFECT: &str =
    "id, cell, role, (SELECT text FROM word WHERE id = lane), order_key,
  person, state, attempt, owner, not_before, expires_at, delivery, engagement, reports, args, saved,
  reference, failure, reason, made_at, changed_at";

pub(super) fn effect_row(row: &Row<'_>) -> Result<EffectRow> {
    let text = |column| -> Result<Option<String>> { row.get(column) };
    let saved = text(15)?.map(|t| parse(15, &t)).transpose()?;
    let failure = text(17)?.map(|t| parse(17, &t)).transpose()?;
    Ok(EffectRow {
        id: Id(row.get(0)?),
        cell: Id(row.get(1)?),
        role: role_of(row.get(2)?),
        lane: row.get(3)?,
        order_key: row.get(4)?,
        person: row.get(5)?,
        state: EffectState::from_code(row.get(6)?),
        attempt: row.get(7)?,
        owner: row.get::<_, Option<[u8; 16]>>(8)?.map(|id| Owner(Id(id))),
        not_before: time(row.get(9)?),
        expires_at: time(row.get(10)?),
        delivery: Delivery::from_code(row.get(11)?),
        engagement: Engagement::from_code(row.get(12)?),
        reports: row.get(13)?,
        args: row.get(14)?,
        saved,
        reference: row.get(16)?,
        failure,
        reason: row.get(18)?,
        made_at: Time(row.get(19)?),
        changed_at: Time(row.get(20)?),
    })
}

pub(super) fn effects(conn: &Connection, ids: &[Id]) -> Result<Vec<Option<EffectRow>>> {
    let sql = format!("SELECT {EFFECT} FROM effect WHERE id = ?1");
    let mut statement = conn.prepare_cached(&sql)?;
    ids.iter()
        .map(|id| statement.query_row([id.bytes()], effect_row).optional())
        .collect()
}

pub(super) fn answer(conn: &Connection, queries: &[Query]) -> Result<Vec<Answer>> {
    queries
        .iter()
        .map(|query| match query {
            Query::Items { cell, window } => conn
                .prepare_cached(
                    "SELECT key, value FROM item WHERE cell = ?1 AND window = ?2 ORDER BY key",
                )?
                .query_map((cell.bytes(), window), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_>>()
                .map(Answer::Items),
            Query::Counter { scope, window } => conn
                .prepare_cached("SELECT n FROM counter WHERE scope = ?1 AND window = ?2")?
                .query_row((scope, window), |row| uint(row, 0))
                .optional()
                .map(|n| Answer::Counter(n.unwrap_or(0))),
            Query::UsersOf { asset } => register::users_of(conn, asset).map(Answer::People),
            Query::Customer { address } => customer::of(conn, address).map(Answer::Customer),
            Query::Outcome { effect } => outcome(conn, *effect).map(Answer::Outcome),
        })
        .collect()
}

fn outcome(conn: &Connection, effect: Id) -> Result<Option<Outcome>> {
    let Some(row) = effects(conn, &[effect])?.pop().flatten() else {
        return Ok(None);
    };
    let open = conn
        .prepare_cached("SELECT open FROM cell WHERE id = ?1")?
        .query_row([row.cell.bytes()], |row| row.get::<_, bool>(0))
        .optional()?;
    Ok(Some(Outcome {
        state: row.state,
        delivery: row.delivery,
        engagement: row.engagement,
        over: open != Some(true),
    }))
}

pub(super) fn ready(conn: &Connection, now: Time, limit: usize) -> Result<Ready> {
    let most = cap(limit, 10_000);
    let mut cells: Vec<Work> = Vec::new();
    let mut index: HashMap<CellId, usize> = HashMap::new();
    let mut due = conn.prepare_cached(
        "SELECT cell, name, due FROM timer WHERE due <= ?1 ORDER BY due LIMIT ?2",
    )?;
    let rows = due.query_map((now.0, most), |row| {
        Ok((Id(row.get(0)?), row.get::<_, String>(1)?, Time(row.get(2)?)))
    })?;
    for row in rows {
        let (cell, name, due) = row?;
        let at = *index.entry(cell).or_insert_with(|| add(&mut cells, cell));
        cells[at].timers.push((name, due));
    }
    let mut delivered = conn.prepare_cached("SELECT DISTINCT cell FROM inbox LIMIT ?1")?;
    let rows = delivered.query_map([most], |row| row.get(0).map(Id))?;
    for row in rows {
        let cell = row?;
        if !index.contains_key(&cell) && cells.len() >= limit {
            continue;
        }
        index.entry(cell).or_insert_with(|| add(&mut cells, cell));
    }
    for work in &mut cells {
        work.inbox = inbox(conn, work.cell)?;
    }
    Ok(Ready {
        cells,
        unrouted: unrouted(conn, most)?,
        next_timer: conn
            .prepare_cached("SELECT min(due) FROM timer WHERE due > ?1")?
            .query_row([now.0], |row| row.get(0).map(time))?,
    })
}

fn add(cells: &mut Vec<Work>, cell: CellId) -> usize {
    cells.push(Work {
        cell,
        inbox: Vec::new(),
        timers: Vec::new(),
    });
    cells.len() - 1
}

fn inbox(conn: &Connection, cell: CellId) -> Result<Vec<Position>> {
    conn.prepare_cached("SELECT position FROM inbox WHERE cell = ?1 ORDER BY position LIMIT ?2")?
        .query_map((cell.bytes(), INBOX_MAX), |row| row.get(0))?
        .collect()
}

fn unrouted(conn: &Connection, most: i64) -> Result<Vec<Event>> {
    let positions = conn
        .prepare_cached("SELECT position FROM route ORDER BY position LIMIT ?1")?
        .query_map([most], |row| row.get(0))?
        .collect::<Result<Vec<Position>>>()?;
    let mut events = Vec::with_capacity(positions.len());
    for position in positions {
        events.extend(event(conn, position)?);
    }
    Ok(events)
}

/// Effects of a lane that other processes left in flight, oldest first.
pub(super) fn left(
    conn: &Connection,
    lane: &str,
    limit: usize,
    owner: Owner,
) -> Result<Vec<EffectRow>> {
    let sql = format!(
        "SELECT {EFFECT} FROM effect WHERE lane = (SELECT id FROM word WHERE text = ?1)
         AND state = 1 AND (state = 0 OR state = 1 OR state = 5) AND owner <> ?2 ORDER BY id LIMIT ?3"
    );
    conn.prepare_cached(&sql)?
        .query_map((lane, owner.0.bytes(), cap(limit, 10_000)), effect_row)?
        .collect()
}

type Key = Option<[u8; 16]>;

/// Effects of a lane that may start, oldest first, and when the next one becomes due.
pub(super) fn due(
    conn: &Connection,
    lane: &str,
    now: Time,
    limit: usize,
) -> Result<(Vec<EffectRow>, Option<Time>)> {
    let lane: Option<i64> = conn
        .prepare_cached("SELECT id FROM word WHERE text = ?1")?
        .query_row([lane], |row| row.get(0))
        .optional()?;
    let Some(lane) = lane else {
        return Ok((Vec::new(), None));
    };
    let timed = timed(conn, lane, now)?;
    let mut chosen = free(conn, lane, limit, &timed)?;
    chosen.sort_unstable();
    chosen.truncate(limit);
    let next = conn
        .prepare_cached(
            "SELECT min(n) FROM (
               SELECT min(not_before) AS n FROM effect WHERE lane = ?1 AND state = 0
                 AND (state = 0 OR state = 1 OR state = 5) AND not_before > ?2
               UNION ALL
               SELECT min(not_before) FROM effect WHERE lane = ?1 AND state = 5
                 AND (state = 0 OR state = 1 OR state = 5) AND not_before > ?2)",
        )?
        .query_row((lane, now.0), |row| row.get(0).map(time))?;
    let rows = effects(conn, &chosen)?.into_iter().flatten().collect();
    Ok((rows, next))
}

/// What is known about a lane's effects that are in flight, held or wait for an instant.
#[derive(Default)]
struct Timed {
    /// Those that may start now, as far as time is concerned.
    due: Vec<(Id, Key)>,
    /// Order keys with something in flight.
    in_flight: HashSet<[u8; 16]>,
    /// The earliest effect that waits under each order key.
    heads: HashMap<[u8; 16], Id>,
}

/// Reads only the lane's index, not the rows.
fn timed(conn: &Connection, lane: i64, now: Time) -> Result<Timed> {
    let mut timed = Timed::default();
    let mut started = conn.prepare_cached(
        "SELECT order_key FROM effect INDEXED BY effect_lane
         WHERE lane = ?1 AND state = 1 AND (state = 0 OR state = 1 OR state = 5)",
    )?;
    for key in started.query_map([lane], |row| row.get::<_, Key>(0))? {
        timed.in_flight.extend(key?);
    }
    for sql in [
        "SELECT not_before, id, order_key FROM effect INDEXED BY effect_lane
         WHERE lane = ?1 AND state = 5 AND (state = 0 OR state = 1 OR state = 5) LIMIT ?2",
        "SELECT not_before, id, order_key FROM effect INDEXED BY effect_lane
         WHERE lane = ?1 AND state = 0 AND (state = 0 OR state = 1 OR state = 5) AND not_before IS NOT NULL LIMIT ?2",
    ] {
        let mut waiting = conn.prepare_cached(sql)?;
        let mut rows = waiting.query((lane, TIMED_MAX))?;
        while let Some(row) = rows.next()? {
            let (not_before, id) = (time(row.get(0)?), Id(row.get(1)?));
            let key: Key = row.get(2)?;
            if let Some(key) = key {
                let head = timed.heads.entry(key).or_insert(id);
                *head = id.min(*head);
            }
            if not_before.is_some_and(|at| at <= now) {
                timed.due.push((id, key));
            }
        }
    }
    Ok(timed)
}

/// Walks the queue from its oldest end until `limit` effects may start; an effect with an order
/// key may only if nothing under that key is in flight or waits before it.
fn free(conn: &Connection, lane: i64, limit: usize, timed: &Timed) -> Result<Vec<Id>> {
    let mut heads = timed.heads.clone();
    let mut chosen = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT id, order_key FROM effect INDEXED BY effect_lane
         WHERE lane = ?1 AND state = 0 AND (state = 0 OR state = 1 OR state = 5) AND not_before IS NULL ORDER BY id",
    )?;
    let mut rows = statement.query([lane])?;
    while let Some(row) = rows.next()? {
        let id = Id(row.get(0)?);
        if let Some(key) = row.get::<_, Key>(1)? {
            let head = heads.entry(key).or_insert(id);
            *head = id.min(*head);
            if *head != id || timed.in_flight.contains(&key) {
                continue;
            }
        }
        chosen.push(id);
        if chosen.len() >= limit {
            break;
        }
    }
    for (id, key) in &timed.due {
        let free = key.is_none_or(|key| {
            !timed.in_flight.contains(&key) && heads.get(&key).is_none_or(|head| head == id)
        });
        if free {
            chosen.push(*id);
        }
    }
    Ok(chosen)
}
