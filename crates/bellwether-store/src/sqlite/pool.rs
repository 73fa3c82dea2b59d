//! The readers of a database file: a few read-only connections, lent out one call at a time. What
//! they read is elsewhere.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bellwether_engine::store::StoreError;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{GONE, open};
use crate::OpenError;

/// Connections that read at the same time; further readers wait in line.
const READERS: usize = 4;

/// The connections that nobody uses at the moment.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

/// A connection on loan; it goes back when the loan ends, also by a panic.
struct Loan {
    conn: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
    _turn: OwnedSemaphorePermit,
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // A reader must never keep an old view of the record, so nothing stays open here.
            if !conn.is_autocommit()
                && let Err(error) = conn.execute_batch("ROLLBACK")
            {
                tracing::warn!(%error, "a reader could not end its transaction");
                return;
            }
            // After the end nothing is kept, so that the writer can close the file last.
            if !self.turns.is_closed() {
                self.idle
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(conn);
            }
        }
    }
}

impl Pool {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            idle.push(open::reader(path)?);
        }
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            turns: Arc::new(Semaphore::new(READERS)),
        })
    }

    /// Lends nothing any more and closes what is idle.
    pub(super) fn close(&self) {
        self.turns.close();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    async fn loan(&self) -> Result<Loan, StoreError> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| StoreError(GONE.to_owned()))?;
        let conn = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Ok(Loan {
            conn,
            idle: self.idle.clone(),
            turns: self.turns.clone(),
            _turn: turn,
        })
    }

    /// Reads on the caller's thread.
    pub(super) async fn inline<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T>,
    {
        self.loan().await?.read(read)
    }

    /// Reads on a thread for blocking work.
    pub(super) async fn blocking<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let loan = self.loan().await?;
        tokio::task::spawn_blocking(move || loan.read(read))
            .await
            .map_err(|e| StoreError(format!("a read was interrupted: {e}")))?
    }
}

impl Loan {
    /// All statements of one read see the same moment.
    fn read<T>(
        self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Some(conn) = &self.conn else {
            return Err(StoreError("a reader was lost; start again".to_owned()));
        };
        let run = |sql: &str| conn.prepare_cached(sql)?.execute([]).map(|_| ());
        let result = run("BEGIN").and_then(|()| read(conn));
        let end = run("COMMIT");
        result
            .and_then(|value| end.map(|()| value))
            .map_err(|e| StoreError(e.to_string()))
    }
}
