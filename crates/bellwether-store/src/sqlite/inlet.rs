//! Inlets: cursor, hint and ledger of a polled source. Cursor and new ids move in one transaction;
//! counts are kept beside the ledger so that nobody scans it.

use bellwether_engine::store::{InletState, InletStep, LedgerCounts, LedgerState, LedgerWrite};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension, Result};

use super::book::Book;
use super::member::MATCHED;
use super::read::{int, uint};
use super::{refusal, views};

/// The most ids that one `Pending` step returns.
const PENDING_MAX: usize = 1000;

/// Whether a step writes; the others need no transaction.
pub(super) fn writes(step: &InletStep) -> bool {
    !matches!(
        step,
        InletStep::Look
            | InletStep::Pending { .. }
            | InletStep::Missing { .. }
            | InletStep::Refusals
    )
}

/// Settles one id of a ledger within a member.
pub(super) fn settle(
    conn: &Connection,
    book: &mut Book,
    entry: &LedgerWrite,
    matched: bool,
) -> Result<()> {
    let connection = book.word(conn, &entry.connection)?;
    let before = conn
        .prepare_cached(
            "SELECT state, matched FROM ledger WHERE connection = ?1 AND external_id = ?2",
        )?
        .query_row((connection, &entry.external_id), |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, bool>(1)?))
        })
        .optional()?;
    let state = entry.state.code();
    if let Some((was, was_matched)) = before {
        conn.prepare_cached(
            "UPDATE ledger SET state = ?3, matched = ?4, reason = ?5
             WHERE connection = ?1 AND external_id = ?2",
        )?
        .execute((
            connection,
            &entry.external_id,
            state,
            matched,
            &entry.reason,
        ))?;
        book.count(connection, was, -1);
        book.count(connection, MATCHED, -i64::from(was_matched));
    } else {
        let ordinal = book.ordinal();
        conn.prepare_cached(
            "INSERT INTO ledger (connection, external_id, state, attempts, matched, ordinal, reason)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)",
        )?
        .execute((
            connection,
            &entry.external_id,
            state,
            matched,
            ordinal,
            &entry.reason,
        ))?;
    }
    book.count(connection, state, 1);
    book.count(connection, MATCHED, i64::from(matched));
    Ok(())
}

/// Carries out a step that writes, within the running transaction.
pub(super) fn step(
    conn: &Connection,
    book: &mut Book,
    connection: &str,
    step: &InletStep,
) -> Result<InletState> {
    let id = book.word(conn, connection)?;
    conn.prepare_cached("INSERT OR IGNORE INTO inlet (connection) VALUES (?1)")?
        .execute([id])?;
    let mut added = 0;
    let mut attempted = None;
    match step {
        InletStep::Discovered { ids, cursor, at } => {
            added = discovered(conn, book, id, ids)?;
            if let Some(cursor) = cursor {
                conn.prepare_cached(
                    "UPDATE inlet SET cursor = ?2, since = coalesce(since, ?3), read_at = ?3
                     WHERE connection = ?1",
                )?
                .execute((id, cursor, at.0))?;
            }
        }
        InletStep::Attempt { external_id } => attempted = attempt(conn, id, external_id)?,
        InletStep::Excuse { external_id } => {
            conn.prepare_cached(
                "UPDATE ledger SET attempts = attempts - 1
                 WHERE connection = ?1 AND external_id = ?2 AND state = 0 AND attempts > 0",
            )?
            .execute((id, external_id))?;
        }
        InletStep::Hint { at } => {
            conn.prepare_cached("UPDATE inlet SET hinted_at = ?2 WHERE connection = ?1")?
                .execute((id, at.0))?;
        }
        InletStep::TakeHint => {
            conn.prepare_cached("UPDATE inlet SET hinted_at = NULL WHERE connection = ?1")?
                .execute([id])?;
        }
        InletStep::Judged { by } => {
            // What was never read has nothing to read again.
            conn.prepare_cached(
                "UPDATE inlet SET judged_by = ?2, generation = generation + 1,
                   reread = CASE WHEN cursor IS NULL THEN generation + 1 ELSE reread END
                 WHERE connection = ?1 AND judged_by IS NOT ?2",
            )?
            .execute((id, by))?;
        }
        InletStep::Reread { generation, at } => {
            conn.prepare_cached(
                "UPDATE inlet SET reread = ?2, gaps = 0, counted_at = ?3 WHERE connection = ?1",
            )?
            .execute((id, int(*generation), at.0))?;
        }
        InletStep::Counted { gaps, at } => {
            conn.prepare_cached(
                "UPDATE inlet SET gaps = ?2, counted_at = ?3 WHERE connection = ?1",
            )?
            .execute((id, int(*gaps), at.0))?;
        }
        InletStep::Refused(refusals) => refusal::write(conn, id, refusals)?,
        InletStep::Look
        | InletStep::Pending { .. }
        | InletStep::Missing { .. }
        | InletStep::Refusals => {}
    }
    let mut state = standing(conn, id)?;
    state.added = added;
    state.pending.extend(attempted);
    Ok(state)
}

fn discovered(conn: &Connection, book: &mut Book, id: i64, ids: &[String]) -> Result<usize> {
    let mut added = 0;
    for external_id in ids {
        let ordinal = book.ordinal();
        added += conn
            .prepare_cached(
                "INSERT INTO ledger (connection, external_id, state, attempts, matched, ordinal,
                   reason)
                 VALUES (?1, ?2, 0, 0, 0, ?3, '') ON CONFLICT DO NOTHING",
            )?
            .execute((id, external_id, ordinal))?;
    }
    if added > 0 {
        let n = i64::try_from(added).unwrap_or(0);
        book.count(id, LedgerState::Pending.code(), n);
    }
    Ok(added)
}

/// One more attempt of a pending id; None when it is not pending.
fn attempt(conn: &Connection, id: i64, external_id: &str) -> Result<Option<(String, u32)>> {
    conn.prepare_cached(
        "UPDATE ledger SET attempts = attempts + 1
         WHERE connection = ?1 AND external_id = ?2 AND state = 0 RETURNING attempts",
    )?
    .query_row((id, external_id), |row| {
        Ok((external_id.to_owned(), row.get(0)?))
    })
    .optional()
}

/// An inlet as it stands, without answers to any question.
fn standing(conn: &Connection, id: i64) -> Result<InletState> {
    let time = |n: Option<i64>| n.map(Time);
    conn.prepare_cached(
        "SELECT cursor, since, read_at, hinted_at, counted_at, gaps, judged_by, generation, reread
         FROM inlet
         WHERE connection = ?1",
    )?
    .query_row([id], |row| {
        Ok(InletState {
            cursor: row.get(0)?,
            since: time(row.get(1)?),
            read_at: time(row.get(2)?),
            hinted_at: time(row.get(3)?),
            counted_at: time(row.get(4)?),
            gaps: uint(row, 5)?,
            judged_by: row.get(6)?,
            generation: uint(row, 7)?,
            reread: uint(row, 8)?,
            ..InletState::default()
        })
    })
    .optional()
    .map(Option::unwrap_or_default)
}

/// Answers a step that only reads.
pub(super) fn look(conn: &Connection, connection: &str, step: &InletStep) -> Result<InletState> {
    let id: Option<i64> = conn
        .prepare_cached("SELECT id FROM word WHERE text = ?1")?
        .query_row([connection], |row| row.get(0))
        .optional()?;
    let mut state = match id {
        Some(id) => standing(conn, id)?,
        None => InletState::default(),
    };
    match step {
        InletStep::Pending { limit } => state.pending = pending(conn, id, *limit)?,
        InletStep::Missing { ids } => state.missing = missing(conn, id, ids)?,
        InletStep::Refusals => {
            state.refusals = id
                .map(|id| refusal::read(conn, id))
                .transpose()?
                .unwrap_or_default();
        }
        _ => {}
    }
    Ok(state)
}

fn pending(conn: &Connection, id: Option<i64>, limit: usize) -> Result<Vec<(String, u32)>> {
    let limit = i64::try_from(limit.min(PENDING_MAX)).unwrap_or(0);
    conn.prepare_cached(
        "SELECT external_id, attempts FROM ledger WHERE connection = ?1 AND state = 0
         ORDER BY ordinal LIMIT ?2",
    )?
    .query_map((id, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

fn missing(conn: &Connection, id: Option<i64>, ids: &[String]) -> Result<Vec<String>> {
    let mut known =
        conn.prepare_cached("SELECT 1 FROM ledger WHERE connection = ?1 AND external_id = ?2")?;
    let mut missing = Vec::new();
    for external_id in ids {
        if !known.exists((id, external_id))? {
            missing.push(external_id.clone());
        }
    }
    Ok(missing)
}

/// The ledger of a connection in numbers.
pub(super) fn counts(conn: &Connection, connection: &str) -> Result<LedgerCounts> {
    let mut counts = LedgerCounts::default();
    let Some(Some(id)) = views::word(conn, Some(&connection.to_owned()))? else {
        return Ok(counts);
    };
    let mut statement =
        conn.prepare_cached("SELECT state, n FROM ledger_count WHERE connection = ?1")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let (column, n) = (row.get::<_, u8>(0)?, uint(row, 1)?);
        if column == MATCHED {
            counts.matched = n;
            continue;
        }
        match LedgerState::ALL.get(usize::from(column)) {
            Some((LedgerState::Pending, _)) => counts.pending = n,
            Some((LedgerState::Event, _)) => counts.received = n,
            Some((LedgerState::Ignored, _)) => counts.ignored = n,
            Some((LedgerState::Failed, _)) => counts.failed = n,
            Some((LedgerState::Gone, _)) => counts.gone = n,
            None => {}
        }
    }
    counts.unmatched = counts.received.saturating_sub(counts.matched);
    let inlet = look(conn, connection, &InletStep::Look)?;
    counts.gaps = inlet.gaps;
    counts.cursor = inlet.cursor;
    counts.counted_at = inlet.counted_at;
    Ok(counts)
}
