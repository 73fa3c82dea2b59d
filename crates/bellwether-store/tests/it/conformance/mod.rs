//! The conformance suite: what the engine relies on, written against the three traits alone. A
//! second database implements [`Backend`] and runs the same tests.

mod alias;
mod commit;
mod crash;
mod customer;
mod effect;
mod effect_order;
mod inlet;
mod lease;
pub(crate) mod make;
mod register;
mod registry;
mod timer;
mod turn;
mod views;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use bellwether_engine::store::{
    CellRef, EffectRow, Member, Registry, Snapshot, Store, Verdict, Views,
};
use bellwether_model::BoxFuture;
use bellwether_model::id::{CellId, EffectId};
use bellwether_store::Database;

/// Everything that the product asks of a database, in one object.
pub(crate) trait Everything: Store + Views + Registry {
    /// Lists and totals show everything that was committed before.
    fn projected(&self) -> BoxFuture<'_, ()>;
    /// Ends orderly.
    fn close(&self);
}

impl Everything for Database {
    fn projected(&self) -> BoxFuture<'_, ()> {
        Box::pin(Database::projected(self))
    }
    fn close(&self) {
        Database::close(self);
    }
}

/// A database under test.
pub(crate) trait Backend {
    /// Its name, for messages.
    fn name(&self) -> &'static str;
    /// A fresh database, or the one that was opened at `path` before.
    fn open(&self, path: &Path) -> Arc<dyn Everything>;
    /// Whether what was committed is there when it is opened again.
    fn lasts(&self) -> bool;
}

struct File;
struct Memory;

impl Backend for File {
    fn name(&self) -> &'static str {
        "sqlite file"
    }
    fn open(&self, path: &Path) -> Arc<dyn Everything> {
        let url = format!("sqlite:{}", path.join("record.db").display());
        Arc::new(bellwether_store::open(&url).unwrap())
    }
    fn lasts(&self) -> bool {
        true
    }
}

impl Backend for Memory {
    fn name(&self) -> &'static str {
        "sqlite memory"
    }
    fn open(&self, _: &Path) -> Arc<dyn Everything> {
        Arc::new(bellwether_store::open("sqlite::memory:").unwrap())
    }
    fn lasts(&self) -> bool {
        false
    }
}

/// Commits one member.
pub(crate) async fn one(db: &dyn Everything, member: Member) -> Verdict {
    db.commit(vec![member]).await.remove(0)
}

/// The cell as it stands.
async fn load(db: &dyn Everything, cell: CellId) -> Option<Snapshot> {
    db.load(&[CellRef::Id(cell)]).await.unwrap().remove(0)
}

/// The effect as it stands; it has to be there.
async fn effect(db: &dyn Everything, id: EffectId) -> EffectRow {
    db.effects(&[id]).await.unwrap().remove(0).unwrap()
}

/// Every database that the suite runs on.
fn backends() -> [&'static dyn Backend; 2] {
    [&File, &Memory]
}

/// Runs one test on a fresh database of every kind.
fn each<F, T>(test: T)
where
    T: Fn(Arc<dyn Everything>) -> F,
    F: Future<Output = ()>,
{
    for backend in backends() {
        eprintln!("on {}", backend.name());
        let dir = tempfile::tempdir().unwrap();
        let db = backend.open(dir.path());
        run(test(db));
    }
}

/// Runs one test on databases that can be opened again.
fn each_lasting<F, T>(test: T)
where
    T: Fn(&'static dyn Backend, std::path::PathBuf) -> F,
    F: Future<Output = ()>,
{
    for backend in backends().into_iter().filter(|b| b.lasts()) {
        let dir = tempfile::tempdir().unwrap();
        run(test(backend, dir.path().to_owned()));
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
