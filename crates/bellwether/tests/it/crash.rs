//! A store that stops in the middle, as a process does that is killed: after so many commits
//! nothing is written any more. And one that breaks off steps of an inlet.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bellwether_engine::store::{InletState, InletStep, Member, Store, StoreError, Verdict};
use bellwether_engine::story::{Between, Record, Through};
use bellwether_model::BoxFuture;
use tokio::sync::Notify;

/// A process that ends after some commits.
#[derive(Debug)]
pub(crate) struct Ending {
    /// How many commits are still written.
    left: AtomicU64,
    ended: AtomicBool,
    told: Notify,
    /// What had begun to leave is lost too, instead of arriving without a word being kept of it.
    loses: Option<OnceLock<Arc<Record>>>,
}

impl Ending {
    pub(crate) fn after(commits: u64, loses: bool) -> Self {
        Self {
            left: AtomicU64::new(commits),
            ended: AtomicBool::new(false),
            told: Notify::new(),
            loses: loses.then(OnceLock::new),
        }
    }

    /// Whose connections go down with the process.
    pub(crate) fn takes_down(&self, record: &Arc<Record>) {
        if let Some(loses) = &self.loses {
            loses.set(Arc::clone(record)).unwrap();
        }
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits for the end.
    pub(crate) async fn end_of_process(&self) {
        let mut told = std::pin::pin!(self.told.notified());
        told.as_mut().enable();
        if !self.ended() {
            told.await;
        }
    }

    /// How many commits were left.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
        if let Some(record) = self.loses.as_ref().and_then(OnceLock::get) {
            record.cut_off(true);
        }
    }
}

impl Between for Ending {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            let one_less = |left: u64| left.checked_sub(1);
            let left = self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
            match left {
                Err(_) => {
                    self.end();
                    let gone = |_: &Member| Verdict::Refused("the process has ended".to_owned());
                    members.iter().map(gone).collect()
                }
                Ok(left) => {
                    let verdicts = store.commit(members).await;
                    if left == 1 {
                        // The commit is durable, and nothing that should follow it happens.
                        self.end();
                    }
                    verdicts
                }
            }
        })
    }
}

/// The store of such a process.
pub(crate) type Crashing = Through<Ending>;

/// Refuses what a recount found, as long as it is told to: an engine that comes no further.
#[derive(Debug, Default)]
pub(crate) struct NoRepair(AtomicBool);

impl NoRepair {
    pub(crate) fn refuse(&self, refuse: bool) {
        self.0.store(refuse, Ordering::SeqCst);
    }
}

impl Between for NoRepair {
    fn inlet<'a>(
        &'a self,
        store: &'a dyn Store,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        let repairs = matches!(step, InletStep::Discovered { cursor: None, .. });
        if repairs && self.0.load(Ordering::SeqCst) {
            let ended = StoreError("the process has ended".to_owned());
            return Box::pin(std::future::ready(Err(ended)));
        }
        store.inlet(connection, step)
    }
}
