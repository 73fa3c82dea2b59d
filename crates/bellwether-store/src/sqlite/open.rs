//! Opening SQLite: pragmas, migration, the connections of the writer and the readers. What they
//! then do is elsewhere.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::OpenError;
use crate::migrate::{SQLITE, born_private, migrate};

/// Bytes per page, set at creation. Rows of up to about 2 000 bytes stay in their page with this;
/// with half of it a row of 1 200 bytes costs an overflow page (measured: 23 µs against 8 µs).
const PAGE_BYTES: u32 = 8192;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// Page cache of each reader, in KiB.
const READER_CACHE_KIB: u32 = 2 * 1024;
/// Page cache of a file without a name, in KiB: what is read again there is what came last.
const SCRATCH_CACHE_KIB: u32 = 4 * 1024;
/// Pages in the log before the writer itself writes it back: a bound. `write_back` comes before.
const CHECKPOINT_PAGES: u32 = 8000;
/// The log file is cut to this after a checkpoint, in bytes.
const LOG_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// How long a connection waits for a lock of another process.
const BUSY: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: all of them.
const STATEMENTS: usize = 160;

fn failed(e: rusqlite::Error) -> OpenError {
    OpenError::Failed(e.to_string())
}

/// The writer's connection to a file.
pub(super) fn writer(path: &Path) -> Result<Connection, OpenError> {
    born_private(path);
    let conn = Connection::open(path)
        .map_err(|e| OpenError::Failed(format!("{}: {e}", path.display())))?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    // Page size and vacuum mode come first: they are only heeded before the first table.
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -{WRITER_CACHE_KIB};
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = {LOG_BYTES_MAX};
         PRAGMA temp_store = MEMORY;"
    ))
    .map_err(|e| OpenError::Failed(format!("{}: {e}", path.display())))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate(&conn, Some(path), &SQLITE)?;
    Ok(conn)
}

/// A connection that writes the log of a file back beside its writer, which has opened it before.
pub(super) fn beside(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open(path).map_err(failed)?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .map_err(failed)?;
    Ok(conn)
}

/// A connection to a database of its own in memory.
pub(super) fn memory() -> Result<Connection, OpenError> {
    passing(Connection::open_in_memory().map_err(failed)?)
}

/// A connection to a database of its own in a file without a name, of which no more is held in
/// memory than a small cache. It is gone when it is closed.
pub(super) fn scratch() -> Result<Connection, OpenError> {
    let conn = Connection::open("").map_err(failed)?;
    conn.execute_batch(&format!("PRAGMA cache_size = -{SCRATCH_CACHE_KIB};"))
        .map_err(failed)?;
    passing(conn)
}

/// Sets up what nobody needs after its end.
fn passing(conn: Connection) -> Result<Connection, OpenError> {
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA journal_mode = MEMORY;
         PRAGMA synchronous = OFF;
         PRAGMA temp_store = MEMORY;"
    ))
    .map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate(&conn, None, &SQLITE)?;
    Ok(conn)
}

/// A reader's connection to a file that the writer has opened before.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    conn.execute_batch(&format!(
        "PRAGMA cache_size = -{READER_CACHE_KIB};
         PRAGMA temp_store = MEMORY;
         PRAGMA query_only = ON;"
    ))
    .map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}
