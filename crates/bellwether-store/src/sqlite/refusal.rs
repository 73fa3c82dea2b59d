//! What connections refused: counts by reason, and the newest few. Both stay bounded whatever is
//! written.

use bellwether_engine::store::SAMPLES_MAX;
use bellwether_engine::store::{OTHER, REASONS_MAX, RefusalCount, RefusalSample, Refusals};
use bellwether_model::time::Time;
use rusqlite::{Connection, Result};

use super::read::{int, uint};

/// Adds what was refused, within the running transaction.
pub(super) fn write(conn: &Connection, connection: i64, refusals: &Refusals) -> Result<()> {
    let mut standing = read(conn, connection)?.counts;
    for row in &refusals.counts {
        let known = standing.iter().any(|k| k.reason == row.reason);
        let reason = if known || standing.len() < REASONS_MAX {
            row.reason.as_str()
        } else {
            OTHER
        };
        conn.prepare_cached(
            "INSERT INTO refusal (connection, reason, message, n, first_at, last_at, caller)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET message = excluded.message, n = n + excluded.n,
               last_at = max(last_at, excluded.last_at), caller = excluded.caller",
        )?
        .execute((
            connection,
            reason,
            &row.message,
            int(row.count),
            row.first_at.0,
            row.last_at.0,
            &row.caller,
        ))?;
        if !known {
            standing.push(row.clone());
        }
    }
    for one in &refusals.newest {
        conn.prepare_cached(
            "INSERT INTO refusal_sample (connection, at, reason, status, inlet, caller, bytes, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            connection,
            one.at.0,
            &one.reason,
            one.status,
            &one.inlet,
            &one.caller,
            int(one.bytes),
            &one.hash,
        ))?;
    }
    let most = i64::try_from(SAMPLES_MAX).unwrap_or(0);
    conn.prepare_cached(
        "DELETE FROM refusal_sample WHERE connection = ?1 AND number NOT IN (
           SELECT number FROM refusal_sample WHERE connection = ?1
           ORDER BY number DESC LIMIT ?2)",
    )?
    .execute((connection, most))?;
    Ok(())
}

/// What a connection refused.
pub(super) fn read(conn: &Connection, connection: i64) -> Result<Refusals> {
    let counts = conn
        .prepare_cached(
            "SELECT reason, message, n, first_at, last_at, caller FROM refusal
             WHERE connection = ?1 ORDER BY last_at DESC, reason",
        )?
        .query_map([connection], |row| {
            Ok(RefusalCount {
                reason: row.get(0)?,
                message: row.get(1)?,
                count: uint(row, 2)?,
                first_at: Time(row.get(3)?),
                last_at: Time(row.get(4)?),
                caller: row.get(5)?,
            })
        })?
        .collect::<Result<_>>()?;
    let newest = conn
        .prepare_cached(
            "SELECT at, reason, status, inlet, caller, bytes, hash FROM refusal_sample
             WHERE connection = ?1 ORDER BY number DESC",
        )?
        .query_map([connection], |row| {
            Ok(RefusalSample {
                at: Time(row.get(0)?),
                reason: row.get(1)?,
                status: row.get(2)?,
                inlet: row.get(3)?,
                caller: row.get(4)?,
                bytes: uint(row, 5)?,
                hash: row.get(6)?,
            })
        })?
        .collect::<Result<_>>()?;
    Ok(Refusals { counts, newest })
}
