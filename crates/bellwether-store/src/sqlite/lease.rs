//! Named leases with fences: one holder at a time, and a number that grows with each new holder.

use rusqlite::{Connection, OptionalExtension, Result};

use super::read::{int, uint};
use super::writer::LeaseAsk;

/// Takes or renews a lease within the running transaction; None while somebody else holds it.
pub(super) fn take(conn: &Connection, ask: &LeaseAsk) -> Result<Option<u64>> {
    let held = conn
        .prepare_cached("SELECT owner, until, fence FROM lease WHERE name = ?1")?
        .query_row([&ask.name], |row| {
            Ok((
                row.get::<_, [u8; 16]>(0)?,
                row.get::<_, i64>(1)?,
                uint(row, 2)?,
            ))
        })
        .optional()?;
    let owner = ask.owner.0.0;
    let fence = match held {
        Some((holder, until, _)) if holder != owner && until > ask.now.0 => return Ok(None),
        Some((holder, _, fence)) if holder == owner => fence,
        Some((_, _, fence)) => fence + 1,
        None => 1,
    };
    conn.prepare_cached(
        "INSERT INTO lease (name, owner, until, fence) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until,
           fence = excluded.fence",
    )?
    .execute((&ask.name, &owner, (ask.now + ask.ttl).0, int(fence)))?;
    Ok(Some(fence))
}
