//! The log goes back into the file beside the writer: most of it on a thread of its own, so that
//! nobody who commits waits for it; the rest, which came meanwhile, between two transactions, after
//! which the log begins anew. What is in the log is durable before and after.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::{join, thread};
use crate::OpenError;

/// Transactions between two passes: some thousand pages under load, a few hundred without.
const EVERY: u32 = 128;

/// The writer's side of the thread that writes back.
#[derive(Debug)]
pub(super) struct WriteBack {
    ask: SyncSender<()>,
    /// Held during a pass; true when one has ended and its rest is to be written.
    passed: Arc<Mutex<bool>>,
    thread: JoinHandle<()>,
    since: u32,
}

impl WriteBack {
    /// Starts the thread on a connection of its own.
    pub(super) fn start(conn: Connection) -> Result<Self, OpenError> {
        let (ask, asked) = sync_channel(1);
        let passed = Arc::new(Mutex::new(false));
        let its = passed.clone();
        Ok(Self {
            ask,
            passed,
            thread: thread("store-log", move || run(&conn, &asked, &its))?,
            since: 0,
        })
    }

    /// After each transaction, when its callers have their answers: asks for a pass when one is
    /// due, and writes the rest of one that has ended. `conn` is the writer's own connection.
    pub(super) fn committed(&mut self, conn: &Connection) {
        self.since += 1;
        let Ok(mut passed) = self.passed.try_lock() else {
            return;
        };
        if std::mem::take(&mut *passed) {
            write_back(conn);
        } else if self.since >= EVERY && self.ask.try_send(()).is_ok() {
            self.since = 0;
        }
    }

    /// Waits until no pass is going on; none begins while the guard lives.
    pub(super) fn quiet(&self) -> MutexGuard<'_, bool> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread and closes its connection.
    pub(super) fn end(self) {
        drop(self.ask);
        join(self.thread);
    }
}

fn run(conn: &Connection, asked: &Receiver<()>, passed: &Mutex<bool>) {
    while asked.recv().is_ok() {
        let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
        write_back(conn);
        *passed = true;
    }
}

/// Copies what the log holds now, without waiting for anybody.
fn write_back(conn: &Connection) {
    let done = conn
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
        .and_then(|mut pass| pass.query_row([], |_| Ok(())));
    if let Err(error) = done {
        tracing::warn!(%error, "the log was not written back; the writer does it when it is long");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sqlite::open;

    /// How often the log has begun anew: bytes 12 to 16 of its head.
    fn begun(file: &Path) -> u32 {
        let log = std::fs::read(file.with_extension("db-wal")).unwrap();
        u32::from_be_bytes(log[12..16].try_into().unwrap())
    }

    #[test]
    fn the_log_begins_anew_while_the_writer_goes_on_and_every_row_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("record.db");
        let conn = open::writer(&file).unwrap();
        // The writer itself never reaches its own bound here.
        conn.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
        let mut back = WriteBack::start(open::beside(&file).unwrap()).unwrap();
        let before = begun(&file);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut rows = 0;
        while begun(&file) < before + 2 {
            assert!(Instant::now() < deadline, "the log grows for ever");
            rows += 1;
            conn.execute("INSERT INTO word (text) VALUES (?1)", [format!("w{rows}")])
                .unwrap();
            back.committed(&conn);
        }
        back.end();
        drop(conn);
        let later = Connection::open(&file).unwrap();
        let kept: i64 = later
            .query_row("SELECT count(*) FROM word", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, rows);
    }

    #[test]
    fn no_pass_begins_while_somebody_needs_the_log_for_himself() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("record.db");
        let conn = open::writer(&file).unwrap();
        let mut back = WriteBack::start(open::beside(&file).unwrap()).unwrap();
        for _ in 0..3 * EVERY {
            conn.execute("INSERT INTO word (text) VALUES (hex(randomblob(16)))", [])
                .unwrap();
            back.committed(&conn);
        }
        let quiet = back.quiet();
        let busy: i64 = conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .unwrap();
        assert_eq!(busy, 0);
        drop(quiet);
        back.end();
    }
}
