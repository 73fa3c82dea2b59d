//! A store that is watched: what the engine commits besides effects (dead letters, events of its
//! own, journal notes, runs that end) is what a story wants to see. Everything is passed on
//! unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::BoxFuture;
use bellwether_model::event::{Alias, Event};
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::time::{Millis, Time};
use serde_json::Value as Json;

use crate::decide::Note;
use crate::store::{
    Answer, CellRef, CellStatus, DeadLetterWrite, EffectRow, EventRef, InletState, InletStep,
    Member, Owner, Query, Ready, Snapshot, Store, StoreError, Verdict,
};

/// What was seen to be committed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) dead_letters: Vec<DeadLetterWrite>,
    /// Type and payload, with the time.
    pub(super) emits: Vec<(String, String, Time)>,
    pub(super) notes: Vec<Note>,
    /// Runs that are open, with the timers that they have.
    pub(super) open: BTreeMap<CellId, BTreeSet<String>>,
    /// How many members were committed.
    pub(super) commits: u64,
}

impl Seen {
    fn member(&mut self, member: &Member) {
        self.commits += 1;
        self.dead_letters
            .extend(member.dead_letters.iter().cloned());
        for emit in &member.emits {
            let event = &emit.event;
            self.emits
                .push((event.kind.clone(), emit.text.clone(), emit.received_at));
        }
        for turn in &member.turns {
            let body: Json = serde_json::from_slice(&turn.body).unwrap_or_default();
            let notes = body.get("notes").cloned().unwrap_or_default();
            let notes: Vec<Note> = serde_json::from_value(notes).unwrap_or_default();
            self.notes.extend(notes);
            if turn.status == CellStatus::Closed {
                self.open.remove(&turn.cell);
                continue;
            }
            let timers = self.open.entry(turn.cell).or_default();
            for (name, due) in &turn.timers {
                if due.is_some() {
                    timers.insert(name.clone());
                } else {
                    timers.remove(name);
                }
            }
        }
    }
}

/// The store with somebody who looks on.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Arc<dyn Store>,
    seen: Mutex<Seen>,
}

impl Watched {
    pub(super) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            seen: Mutex::default(),
        }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Watched {
    fn commit(&self, members: Vec<Member>) -> BoxFuture<'_, Vec<Verdict>> {
        Box::pin(async move {
            let copies = members.clone();
            let verdicts = self.inner.commit(members).await;
            let mut seen = self.seen();
            for (member, verdict) in copies.iter().zip(&verdicts) {
                if matches!(verdict, Verdict::Done(_)) {
                    seen.member(member);
                }
            }
            drop(seen);
            verdicts
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
