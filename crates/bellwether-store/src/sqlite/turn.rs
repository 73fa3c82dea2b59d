//! Turns of cells: the version check, the cell's row with its first and latest turn, and what hangs
//! on a turn: timers, aliases, items, counters, births and cancellations of effects.

use bellwether_engine::store::{CellStatus, EffectState, EffectWrite, TurnWrite};
use bellwether_model::event::Position;
use bellwether_model::id::{CellId, Id};
use bellwether_model::notification::Delivery;
use rusqlite::{Connection, OptionalExtension, Result};

use super::book::Book;
use super::change::{Change, Standing};
use super::effect;
use super::read::{self, int, uint};

/// Effects listed in the cell's own row; further ones are in `born`.
const LISTED_MAX: usize = 64;

/// What the check learned about a cell, for the write.
#[derive(Debug)]
pub(super) struct CellNow {
    program: Option<i64>,
    open: bool,
    effects: Vec<u8>,
}

/// The result of checking all turns of a member.
#[derive(Debug)]
pub(super) enum Checked {
    Fresh(Vec<CellNow>),
    Stale,
    Wrong(String),
}

/// Compares every turn with the cell it was decided on. Several turns of one cell in one member
/// follow each other.
pub(super) fn check(conn: &Connection, book: &Book, turns: &[TurnWrite]) -> Result<Checked> {
    let mut cells = Vec::with_capacity(turns.len());
    for (index, turn) in turns.iter().enumerate() {
        let earlier = turns[..index].iter().rev().find(|t| t.cell == turn.cell);
        if let Some(earlier) = earlier {
            if turn.expects != earlier.expects + 1 {
                return Ok(Checked::Stale);
            }
            // The row is read again when it is written: it does not exist yet.
            cells.push(CellNow {
                program: None,
                open: earlier.status == CellStatus::Open,
                effects: Vec::new(),
            });
        } else if turn.expects == 0 {
            if taken(conn, book, turn)? {
                return Ok(Checked::Stale);
            }
            cells.push(CellNow {
                program: None,
                open: false,
                effects: Vec::new(),
            });
        } else {
            match standing(conn, turn.cell)? {
                Some((version, cell)) if version == turn.expects => cells.push(cell),
                _ => return Ok(Checked::Stale),
            }
        }
        let reopens = turn.expects > 0
            && turn.status == CellStatus::Open
            && cells.last().is_some_and(|cell| !cell.open);
        if reopens {
            return Ok(Checked::Wrong(format!(
                "cell {} has ended and cannot be opened again; open a new epoch",
                turn.cell
            )));
        }
    }
    Ok(Checked::Fresh(cells))
}

fn standing(conn: &Connection, cell: CellId) -> Result<Option<(u64, CellNow)>> {
    conn.prepare_cached("SELECT version, program, open, effects FROM cell WHERE id = ?1")?
        .query_row([cell.bytes()], |row| {
            Ok((
                uint(row, 0)?,
                CellNow {
                    program: Some(row.get(1)?),
                    open: row.get(2)?,
                    effects: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
                },
            ))
        })
        .optional()
}

/// Whether the cell exists already, or another epoch of its key is open or as late as this one.
fn taken(conn: &Connection, book: &Book, turn: &TurnWrite) -> Result<bool> {
    let exists = conn
        .prepare_cached("SELECT 1 FROM cell WHERE id = ?1")?
        .exists([turn.cell.bytes()])?;
    if exists || !turn.keyed {
        return Ok(exists);
    }
    let Some(program) = book.known(conn, &turn.program)? else {
        return Ok(false);
    };
    let open = conn
        .prepare_cached(
            "SELECT 1 FROM cell WHERE program = ?1 AND key = ?2 AND open = 1 AND keyed = 1",
        )?
        .exists((program, &turn.key))?;
    if open {
        return Ok(true);
    }
    let name = read::epoch_key(&turn.program, &turn.key);
    conn.prepare_cached(
        "SELECT 1 FROM alias JOIN cell ON cell.id = alias.cell
         WHERE alias.key = ?1 AND cell.epoch >= ?2",
    )?
    .exists((name, turn.epoch))
}

/// Writes one turn that was checked. `here` is the member's own event.
pub(super) fn write(
    conn: &Connection,
    book: &mut Book,
    turn: &TurnWrite,
    now: &CellNow,
    here: Option<Position>,
) -> Result<()> {
    let program = match now.program {
        Some(program) => program,
        None => book.word(conn, &turn.program)?,
    };
    let open = turn.status == CellStatus::Open;
    if turn.expects == 0 {
        open_cell(conn, turn, program, here)?;
        if listed(turn) {
            book.log.push(Change::Opened {
                program,
                id: turn.cell,
                open,
            });
        }
    } else {
        // Within one member an earlier turn may have made the row: then it is read only here.
        let reread = match now.program {
            Some(_) => None,
            None => standing(conn, turn.cell)?.map(|(_, cell)| cell),
        };
        advance(conn, book, turn, reread.as_ref().unwrap_or(now), program)?;
        if now.open && !open && listed(turn) {
            book.log.push(Change::Closed {
                program,
                id: turn.cell,
            });
        }
    }
    hang(conn, turn)?;
    for write in &turn.effects {
        born(conn, book, turn.cell, program, write)?;
    }
    Ok(())
}

/// Runs are what flows do; cells of connectors' reducers are not listed among them.
fn listed(turn: &TurnWrite) -> bool {
    !turn.program.starts_with("reduce:")
}

fn open_cell(
    conn: &Connection,
    turn: &TurnWrite,
    program: i64,
    here: Option<Position>,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO cell (id, program, open, keyed, epoch, version, opened_by, opened_at,
           last_turn_at, program_hash, key, effects, state, first_turn)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute((
        turn.cell.bytes(),
        program,
        turn.status == CellStatus::Open,
        turn.keyed,
        turn.epoch,
        turn.opened_by.or(here),
        turn.at.0,
        &turn.program_hash,
        &turn.key,
        list(conn, turn, &[])?,
        &turn.state,
        &turn.body,
    ))?;
    if turn.keyed {
        let name = read::epoch_key(&turn.program, &turn.key);
        effect::alias(conn, &name, turn.cell.bytes())?;
    }
    Ok(())
}

fn advance(
    conn: &Connection,
    book: &mut Book,
    turn: &TurnWrite,
    now: &CellNow,
    program: i64,
) -> Result<()> {
    if turn.expects > 1 {
        conn.prepare_cached(
            "INSERT INTO turn (cell, version, body)
             SELECT id, version, last_turn FROM cell WHERE id = ?1",
        )?
        .execute([turn.cell.bytes()])?;
    }
    conn.prepare_cached(
        "UPDATE cell SET version = version + 1, open = ?2, last_turn_at = max(last_turn_at, ?3),
           state = ?4, last_turn = ?5, effects = coalesce(?6, effects) WHERE id = ?1",
    )?
    .execute((
        turn.cell.bytes(),
        turn.status == CellStatus::Open,
        turn.at.0,
        &turn.state,
        &turn.body,
        list(conn, turn, &now.effects)?,
    ))?;
    if !turn.cancels.is_empty() {
        cancel(conn, book, turn, &now.effects, program)?;
    }
    if turn.status == CellStatus::Closed && now.open {
        conn.prepare_cached("DELETE FROM timer WHERE cell = ?1")?
            .execute([turn.cell.bytes()])?;
    }
    Ok(())
}

/// The cell's list of effects with this turn's births, or None when it stays as it is.
fn list(conn: &Connection, turn: &TurnWrite, before: &[u8]) -> Result<Option<Vec<u8>>> {
    if turn.effects.is_empty() {
        return Ok(None);
    }
    let mut listed = before.to_vec();
    for effect in &turn.effects {
        if listed.len() < LISTED_MAX * 16 {
            listed.extend_from_slice(effect.id.bytes());
        } else {
            conn.prepare_cached("INSERT INTO born (cell, effect) VALUES (?1, ?2)")?
                .execute((turn.cell.bytes(), effect.id.bytes()))?;
        }
    }
    Ok(Some(listed))
}

/// All effects of a cell, oldest first: `listed` from its row and the further ones.
pub(super) fn effects_of(conn: &Connection, cell: CellId, listed: &[u8]) -> Result<Vec<Id>> {
    let (ids, _) = listed.as_chunks::<16>();
    let mut ids: Vec<Id> = ids.iter().map(|id| Id(*id)).collect();
    if ids.len() >= LISTED_MAX {
        let mut statement =
            conn.prepare_cached("SELECT effect FROM born WHERE cell = ?1 ORDER BY effect")?;
        let rows = statement.query_map([cell.bytes()], |row| row.get(0).map(Id))?;
        for row in rows {
            ids.push(row?);
        }
    }
    Ok(ids)
}

/// Withdraws what has not started. Births of the same turn are not touched: they come after.
fn cancel(
    conn: &Connection,
    book: &mut Book,
    turn: &TurnWrite,
    listed: &[u8],
    program: i64,
) -> Result<()> {
    let born_now = |id: &Id| turn.effects.iter().any(|e| e.id == *id);
    for id in effects_of(conn, turn.cell, listed)? {
        if born_now(&id) {
            continue;
        }
        let found = conn
            .prepare_cached(
                "SELECT role, state, delivery, cancel_key FROM effect WHERE id = ?1
                 AND state IN (0, 5) AND cancel_key IS NOT NULL",
            )?
            .query_row([id.bytes()], |row| {
                let from = Standing {
                    state: row.get(1)?,
                    delivery: row.get(2)?,
                };
                Ok((row.get::<_, u8>(0)?, from, row.get::<_, String>(3)?))
            })
            .optional()?;
        let Some((role, from, key)) = found else {
            continue;
        };
        if !turn.cancels.contains(&key) {
            continue;
        }
        let to = Standing {
            state: EffectState::Cancelled.code(),
            delivery: Delivery::from_code(from.delivery)
                .merge(Delivery::Withdrawn)
                .code(),
        };
        conn.prepare_cached(
            "UPDATE effect SET state = ?2, delivery = ?3, not_before = NULL, changed_at = ?4
             WHERE id = ?1",
        )?
        .execute((id.bytes(), to.state, to.delivery, turn.at.0))?;
        book.log.push(Change::Moved {
            id,
            program,
            role,
            from,
            to,
        });
    }
    Ok(())
}

/// Inbox, timers, aliases, items and counters of a turn.
fn hang(conn: &Connection, turn: &TurnWrite) -> Result<()> {
    let cell = turn.cell.bytes();
    for position in &turn.consumes {
        conn.prepare_cached("DELETE FROM inbox WHERE cell = ?1 AND position = ?2")?
            .execute((cell, position))?;
    }
    for (name, due) in &turn.timers {
        match due {
            // Closing removes all timers, so it sets none either.
            Some(_) if turn.status == CellStatus::Closed => {}
            Some(due) => {
                conn.prepare_cached(
                    "INSERT INTO timer (cell, name, due) VALUES (?1, ?2, ?3)
                     ON CONFLICT (cell, name) DO UPDATE SET due = excluded.due",
                )?
                .execute((cell, name, due.0))?;
            }
            None => {
                conn.prepare_cached("DELETE FROM timer WHERE cell = ?1 AND name = ?2")?
                    .execute((cell, name))?;
            }
        }
    }
    for alias in &turn.aliases {
        effect::alias(conn, &alias.key(), cell)?;
    }
    for item in &turn.items {
        match &item.value {
            Some(value) => conn
                .prepare_cached(
                    "INSERT INTO item (cell, window, key, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (cell, window, key) DO UPDATE SET value = excluded.value",
                )?
                .execute((cell, &item.window, &item.key, value))?,
            None => conn
                .prepare_cached("DELETE FROM item WHERE cell = ?1 AND window = ?2 AND key = ?3")?
                .execute((cell, &item.window, &item.key))?,
        };
    }
    for (scope, window, n) in &turn.counters {
        conn.prepare_cached(
            "INSERT INTO counter (scope, window, n) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope, window) DO UPDATE SET n = n + excluded.n",
        )?
        .execute((scope, window, int(*n)))?;
    }
    Ok(())
}

fn born(
    conn: &Connection,
    book: &mut Book,
    cell: CellId,
    program: i64,
    write: &EffectWrite,
) -> Result<()> {
    let lane = book.word(conn, &write.lane)?;
    let standing = Standing {
        state: write.state.code(),
        delivery: Delivery::Queued.code(),
    };
    let role = effect::role_code(write.role);
    conn.prepare_cached(
        "INSERT INTO effect (id, cell, program, lane, role, state, attempt, delivery, engagement,
           reports, not_before, expires_at, made_at, changed_at, owner, order_key, person,
           cancel_key, reason, args)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?9, ?10, ?11, ?11, ?12, ?13, ?14, ?15, ?16,
           ?17)",
    )?
    .execute(rusqlite::params![
        write.id.bytes(),
        cell.bytes(),
        program,
        lane,
        role,
        standing.state,
        u32::from(write.state == EffectState::Started),
        write.reports,
        write.not_before.map(|t| t.0),
        write.expires_at.map(|t| t.0),
        write.at.0,
        write.owner.map(|o| o.0.0),
        &write.order_key,
        &write.person,
        &write.cancel_key,
        &write.reason,
        &*write.args,
    ])?;
    book.log.push(Change::Born {
        id: write.id,
        program,
        role,
        standing,
        person: write.person.as_deref(),
    });
    Ok(())
}
