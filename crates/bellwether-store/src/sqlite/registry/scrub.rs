//! Frees the files of what was written anew: a body that must not stay as it was is still there in
//! free pages, in gaps between rows and in the log. What is written anew, and why, is elsewhere.

use rusqlite::{Connection, Error, Result};

use crate::sqlite::book;

/// The name in `meta`: 1 while something waits to be freed.
const DUE: &str = "scrub_due";

/// Records, in the transaction that writes anew, that the files have to be freed.
pub(super) fn mark(conn: &Connection) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, 1)")?
        .execute([DUE])
        .map(drop)
}

/// Builds the file anew from its rows and cuts the log. Deleting with zeros (`secure_delete`) would
/// not do: it does not reach what earlier moves of rows between pages left behind.
pub(super) fn scrub(conn: &Connection) -> Result<bool> {
    if book::meta(conn, DUE)? == 0 {
        return Ok(false);
    }
    // The copy that is made on the way goes to a file: in memory it would be as large as the
    // record. It holds rows as they are now.
    let built = conn.execute_batch("PRAGMA temp_store = FILE; VACUUM;");
    conn.execute_batch("PRAGMA temp_store = MEMORY;")?;
    built?;
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("another process reads the database, so its log cannot be cut".to_owned()),
        ));
    }
    conn.execute("DELETE FROM meta WHERE name = ?1", [DUE])?;
    Ok(true)
}
