//! SQLite behind the engine's three traits: one writer thread, a few readers, a projector. This
//! file holds the handle and routes calls; each concern has a file of its own.

mod book;
mod change;
mod customer;
mod effect;
mod inlet;
mod lease;
mod lock;
mod member;
mod notices;
mod open;
mod pool;
mod project;
mod read;
mod refusal;
mod register;
mod registry;
mod seen;
mod stats;
mod store;
mod turn;
mod views;
mod write_back;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bellwether_engine::store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::OpenError;
use pool::Pool;
use project::{Behind, Projector, Source};
use write_back::WriteBack;
use writer::{QUEUE_MAX, Request, Writer};

pub(crate) use lock::{exposed, in_use, make_private};
pub use registry::audit_hash;
pub use stats::Stats;

/// An open SQLite database: the engine's store, the lists and the registry in one value. Threads
/// end with [`Database::close`] or when the value is dropped; what was answered is durable either
/// way.
pub struct Database {
    requests: mpsc::Sender<Request>,
    /// Readers of a file. None for a database in memory: there the writer's connection reads.
    pool: Option<Pool>,
    file: Option<PathBuf>,
    seen: seen::Recent,
    behind: Arc<Behind>,
    counts: Arc<stats::Counts>,
    healthy: Arc<AtomicBool>,
    /// Why the latest transaction failed, until one succeeds.
    trouble: Arc<Mutex<Option<String>>>,
    threads: Mutex<Option<Threads>>,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    projector: JoinHandle<()>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("file", &self.file)
            .field("healthy", &self.healthy())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens a file, creating and migrating it as needed.
    pub(crate) fn open_file(path: &Path) -> Result<Self, OpenError> {
        lock::make_room(path)?;
        let lock = lock::Lock::take(path)?;
        let conn = open::writer(path)?;
        // Only now is it known to be ours to change.
        lock::keep_private(path)?;
        let pool = Pool::open(path)?;
        let source = Source::File(Box::new(open::reader(path)?));
        let back = WriteBack::start(open::beside(path)?)?;
        Self::start(conn, Some((path.to_owned(), lock, pool, back)), source)
    }

    /// Opens a database of its own in memory.
    pub(crate) fn open_memory() -> Result<Self, OpenError> {
        Self::start(open::memory()?, None, Source::Writer)
    }

    /// Opens a database of its own in a file without a name, which is gone when it is closed.
    pub(crate) fn open_scratch() -> Result<Self, OpenError> {
        Self::start(open::scratch()?, None, Source::Writer)
    }

    fn start(
        conn: rusqlite::Connection,
        on_disk: Option<(PathBuf, lock::Lock, Pool, WriteBack)>,
        source: Source,
    ) -> Result<Self, OpenError> {
        let (file, lock, pool, write_back) = match on_disk {
            Some((file, lock, pool, back)) => (Some(file), Some(lock), Some(pool), Some(back)),
            None => (None, None, None, None),
        };
        let failed = |e: rusqlite::Error| OpenError::Failed(e.to_string());
        let seen = seen::Recent::default();
        let book = book::Book::load(&conn, seen.clone()).map_err(failed)?;
        let projected = book::meta(&conn, book::PROJECTED).map_err(failed)?;
        let behind = Arc::new(Behind::new(book.last_change(), projected));
        let counts = Arc::new(stats::Counts::default());
        let healthy = Arc::new(AtomicBool::new(true));
        let trouble = Arc::new(Mutex::new(None));
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let writer = Writer {
            conn,
            book,
            requests: queue,
            counts: counts.clone(),
            behind: behind.clone(),
            healthy: healthy.clone(),
            trouble: trouble.clone(),
            write_back,
            _lock: lock,
        };
        let projector = Projector::new(source, requests.downgrade(), behind.clone());
        let threads = Threads {
            writer: thread("store-writer", move || writer.run())?,
            projector: thread("store-projector", move || projector.run())?,
        };
        Ok(Self {
            requests,
            pool,
            file,
            seen,
            behind,
            counts,
            healthy,
            trouble,
            threads: Mutex::new(Some(threads)),
        })
    }

    /// Whether the writer lives. When it does not, nothing more is written until a restart.
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    /// Why nothing can be written at the moment: the latest transaction failed as a whole (the disk
    /// is full, the file is gone), or the writer ended. None when all is well.
    pub fn trouble(&self) -> Option<String> {
        if !self.healthy() {
            return Some(GONE.to_owned());
        }
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Like [`Database::trouble`], after one more try to write where the latest one failed: without
    /// traffic nobody else would notice that there is room again.
    pub async fn trouble_now(&self) -> Option<String> {
        self.trouble()?;
        // What it answers shows in the trouble itself.
        drop(self.ask(Request::Probe).await);
        self.trouble()
    }

    /// What was written since the database was opened, and how large it is now.
    pub async fn stats(&self) -> Stats {
        let bytes = self
            .point(|conn| {
                conn.prepare_cached(
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                )?
                .query_row([], |row| read::uint(row, 0))
            })
            .await
            .unwrap_or(0);
        self.counts.stats(bytes)
    }

    /// What was written since the database was opened, without asking the database: the size is
    /// that of the file on disk.
    pub fn counted(&self) -> Stats {
        let bytes = self
            .file
            .as_ref()
            .and_then(|path| std::fs::metadata(path).ok());
        self.counts.stats(bytes.map_or(0, |file| file.len()))
    }

    /// Completes when lists and totals show everything that was committed before the call.
    pub async fn projected(&self) {
        self.behind.caught_up().await;
    }

    /// Writes what is left into the file and ends the threads. Calls that come later are refused.
    /// Blocks until the file is closed; from async code call it at the end or on a thread for it.
    pub fn close(&self) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Threads { writer, projector }) = threads else {
            return;
        };
        // The writer closes last: then its connection is the last one and puts the log away.
        if let Some(pool) = &self.pool {
            pool.close();
        }
        self.behind.stop();
        join(projector);
        let (done, closed) = oneshot::channel();
        let mut request = Request::Close(done);
        // The queue may be full for a moment; the writer always gets on.
        while let Err(mpsc::error::TrySendError::Full(back)) = self.requests.try_send(request) {
            request = back;
            std::thread::yield_now();
        }
        drop(closed);
        join(writer);
    }

    /// Runs a short read: a few rows by key. Files are read on the caller's own thread, because a
    /// hand-over would cost more than the read.
    async fn point<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match &self.pool {
            Some(pool) => pool.inline(read).await,
            None => self.by_writer(read).await,
        }
    }

    /// Runs a read that may take milliseconds, away from the async threads.
    async fn list<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match &self.pool {
            Some(pool) => pool.blocking(read).await,
            None => self.by_writer(read).await,
        }
    }

    async fn by_writer<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (to, answer) = oneshot::channel();
        let job = Box::new(move |conn: &rusqlite::Connection| {
            // Nobody listens any more when the caller gave up; then the result is of no use.
            to.send(read(conn)).ok();
        });
        self.requests
            .send(Request::Read(job))
            .await
            .map_err(|_| gone())?;
        let result = answer.await.map_err(|_| gone())?;
        result.map_err(|e| StoreError(e.to_string()))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.behind.stop();
    }
}

/// What is said when the writer's thread has ended.
const GONE: &str = "the database is closed or its writer has failed; see the log and start again";

fn gone() -> StoreError {
    StoreError(GONE.to_owned())
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store had ended in a panic");
    }
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|e| OpenError::Failed(format!("no thread could be started: {e}")))
}

#[cfg(test)]
mod tests {
    use bellwether_engine::store::{InletStep, Member, Registry, Store, Verdict};
    use bellwether_model::time::Time;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test);
    }

    /// Runs something on the writer's thread and waits until it ran or failed.
    async fn on_writer(db: &Database, job: impl FnOnce(&rusqlite::Connection) + Send + 'static) {
        let (to, ran) = oneshot::channel::<()>();
        let job = Box::new(move |conn: &rusqlite::Connection| {
            job(conn);
            drop(to);
        });
        db.requests.send(Request::Read(job)).await.ok().unwrap();
        ran.await.unwrap_err();
    }

    #[test]
    fn a_panic_of_the_writer_is_told_and_nobody_waits_for_ever() {
        run(async {
            let db = Database::open_memory().unwrap();
            assert!(db.healthy());
            on_writer(&db, |_| panic!("the writer fails, as this test wants it")).await;
            let verdicts = db.commit(vec![Member::default(), Member::default()]).await;
            assert_eq!(verdicts, vec![Verdict::Unavailable(GONE.to_owned()); 2]);
            assert!(db.ready(Time(0), 1).await.is_err());
            assert!(db.inlet("inbox", InletStep::Look).await.is_err());
            db.close();
            assert!(!db.healthy());
        });
    }

    async fn put(db: &Database, n: usize) -> Result<u64, bellwether_engine::store::RegistryError> {
        let body = serde_json::Value::from("x".repeat(n));
        db.put("setting", "large", None, body, "test", Time(0))
            .await
    }

    #[test]
    fn a_full_disk_refuses_what_does_not_fit_and_the_rest_goes_on_afterwards() {
        run(async {
            let db = Database::open_memory().unwrap();
            assert_eq!(put(&db, 10).await, Ok(1));
            on_writer(&db, |conn| {
                conn.execute_batch("PRAGMA max_page_count = 60").unwrap();
            })
            .await;
            let error = put(&db, 1_000_000).await.unwrap_err();
            assert!(error.to_string().contains("full"), "{error}");
            assert!(db.healthy());
            assert!(db.trouble().unwrap().contains("full"));
            on_writer(&db, |conn| {
                conn.execute_batch("PRAGMA max_page_count = 100000")
                    .unwrap();
            })
            .await;
            assert_eq!(db.trouble_now().await, None, "there is room again");
            assert_eq!(put(&db, 1_000_000).await, Ok(2));
            assert_eq!(db.trouble(), None);
        });
    }
}
