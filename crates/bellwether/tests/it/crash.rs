//! A store that stops in the middle, as a process does that is killed: after so many commits
//! nothing is written any more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bellwether_engine::store::{
    Answer, CellRef, EffectRow, EventRef, InletState, InletStep, Member, Owner, Query, Ready,
    Snapshot, Store, StoreError, Verdict,
};
use bellwether_engine::story::{Fault, Record};
use bellwether_model::BoxFuture;
use bellwether_model::event::{Alias, Event};
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::time::{Millis, Time};

/// The store of a process that ends after some commits.
#[derive(Debug)]
pub(crate) struct Crashing {
    inner: Arc<dyn Store>,
    /// How many commits are still written.
    left: AtomicU64,
    ended: AtomicBool,
    /// What had begun to leave is lost too, instead of arriving without a word being kept of it.
    loses: Option<OnceLock<Arc<Record>>>,
}

impl Crashing {
    pub(crate) fn new(inner: Arc<dyn Store>, after: u64, loses: bool) -> Self {
        Self {
            inner,
            left: AtomicU64::new(after),
            ended: AtomicBool::new(false),
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

    /// How many commits were left.
    pub(crate) fn left(&self) -> u64 {
        self.left.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(record) = self.loses.as_ref().and_then(OnceLock::get) {
            record.fail("push", "", Fault::Timeout);
            record.fail("mail", "", Fault::Timeout);
        }
    }
}

impl Store for Crashing {
    fn commit(&self, members: Vec<Member>) -> BoxFuture<'_, Vec<Verdict>> {
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
                    let verdicts = self.inner.commit(members).await;
                    if left == 1 {
                        // The commit is durable, and nothing that should follow it happens.
                        self.end();
                    }
                    verdicts
                }
            }
        })
    }

    fn load<'a>(
        &'a self,
        cells: &'a [CellRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, StoreError>> {
        self.inner.load(cells)
    }

    fn resolve<'a>(
        &'a self,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>> {
        self.inner.resolve(aliases)
    }

    fn events<'a>(
        &'a self,
        refs: &'a [EventRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Event>>, StoreError>> {
        self.inner.events(refs)
    }

    fn effects<'a>(
        &'a self,
        ids: &'a [EffectId],
    ) -> BoxFuture<'a, Result<Vec<Option<EffectRow>>, StoreError>> {
        self.inner.effects(ids)
    }

    fn answer<'a>(
        &'a self,
        queries: &'a [Query],
    ) -> BoxFuture<'a, Result<Vec<Answer>, StoreError>> {
        self.inner.answer(queries)
    }

    fn ready(&self, now: Time, limit: usize) -> BoxFuture<'_, Result<Ready, StoreError>> {
        self.inner.ready(now, limit)
    }

    fn due_effects<'a>(
        &'a self,
        lane: &'a str,
        now: Time,
        limit: usize,
        left_by_others: Option<Owner>,
    ) -> BoxFuture<'a, Result<(Vec<EffectRow>, Option<Time>), StoreError>> {
        self.inner.due_effects(lane, now, limit, left_by_others)
    }

    fn inlet<'a>(
        &'a self,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        self.inner.inlet(connection, step)
    }

    fn lease<'a>(
        &'a self,
        name: &'a str,
        owner: Owner,
        now: Time,
        ttl: Millis,
    ) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        self.inner.lease(name, owner, now, ttl)
    }
}
