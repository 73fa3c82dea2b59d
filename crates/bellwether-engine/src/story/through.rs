//! A store with somebody in between: he may look at what is committed, or break it off, as a
//! process does that is killed. What he does is his own; everything else is passed on unchanged.

use std::fmt::Debug;
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::event::{Alias, Event};
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::time::{Millis, Time};

use crate::store::{
    Answer, CellRef, DueEffects, EffectRow, EventRef, InletState, InletStep, Member, Owner, Query,
    Ready, Snapshot, Store, StoreError, Verdict,
};

/// Somebody between an engine and its store.
pub trait Between: Send + Sync + Debug {
    /// A commit on its way to the store.
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        store.commit(members)
    }

    /// A step of an inlet on its way to the store.
    fn inlet<'a>(
        &'a self,
        store: &'a dyn Store,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        store.inlet(connection, step)
    }

    /// A question about names on its way to the store.
    fn resolve<'a>(
        &'a self,
        store: &'a dyn Store,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>> {
        store.resolve(aliases)
    }

    /// Questions of a turn on their way to the store.
    fn answer<'a>(
        &'a self,
        store: &'a dyn Store,
        queries: &'a [Query],
    ) -> BoxFuture<'a, Result<Vec<Answer>, StoreError>> {
        store.answer(queries)
    }
}

/// A store as it is reached through somebody.
#[derive(Debug)]
pub struct Through<B> {
    store: Arc<dyn Store>,
    /// Who is in between.
    pub between: B,
}

impl<B: Between> Through<B> {
    /// The store behind somebody.
    pub fn new(store: Arc<dyn Store>, between: B) -> Self {
        Self { store, between }
    }
}

impl<B: Between> Store for Through<B> {
    fn commit(&self, members: Vec<Member>) -> BoxFuture<'_, Vec<Verdict>> {
        self.between.commit(&*self.store, members)
    }

    fn load<'a>(
        &'a self,
        cells: &'a [CellRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, StoreError>> {
        self.store.load(cells)
    }

    fn resolve<'a>(
        &'a self,
        aliases: &'a [Alias],
    ) -> BoxFuture<'a, Result<Vec<Option<CellId>>, StoreError>> {
        self.between.resolve(&*self.store, aliases)
    }

    fn events<'a>(
        &'a self,
        refs: &'a [EventRef],
    ) -> BoxFuture<'a, Result<Vec<Option<Event>>, StoreError>> {
        self.store.events(refs)
    }

    fn effects<'a>(
        &'a self,
        ids: &'a [EffectId],
    ) -> BoxFuture<'a, Result<Vec<Option<EffectRow>>, StoreError>> {
        self.store.effects(ids)
    }

    fn answer<'a>(
        &'a self,
        queries: &'a [Query],
    ) -> BoxFuture<'a, Result<Vec<Answer>, StoreError>> {
        self.between.answer(&*self.store, queries)
    }

    fn ready(&self, now: Time, limit: usize) -> BoxFuture<'_, Result<Ready, StoreError>> {
        self.store.ready(now, limit)
    }

    fn due_effects<'a>(
        &'a self,
        lane: &'a str,
        now: Time,
        limit: usize,
        left_by_others: Option<Owner>,
    ) -> BoxFuture<'a, Result<DueEffects, StoreError>> {
        self.store.due_effects(lane, now, limit, left_by_others)
    }

    fn inlet<'a>(
        &'a self,
        connection: &'a str,
        step: InletStep,
    ) -> BoxFuture<'a, Result<InletState, StoreError>> {
        self.between.inlet(&*self.store, connection, step)
    }

    fn lease<'a>(
        &'a self,
        name: &'a str,
        owner: Owner,
        now: Time,
        ttl: Millis,
    ) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        self.store.lease(name, owner, now, ttl)
    }
}
