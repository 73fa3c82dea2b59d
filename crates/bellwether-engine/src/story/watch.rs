//! Somebody who watches a store: what the engine commits besides effects (dead letters, events of
//! its own, journal notes, runs that end) is what a story wants to see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bellwether_model::BoxFuture;
use bellwether_model::id::CellId;
use bellwether_model::time::Time;
use serde_json::Value as Json;

use super::through::{Between, Through};
use crate::decide::Note;
use crate::flow::gatherers::is_line;
use crate::store::{CellStatus, DeadLetterWrite, Member, Store, Verdict};

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
        for emit in member
            .emits
            .iter()
            .filter(|emit| !is_line(&emit.event.kind) && !is_own(&emit.event.kind))
        {
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

/// Who keeps what he sees.
#[derive(Debug, Default)]
pub(super) struct Watcher(Mutex<Seen>);

/// The store with somebody who looks on.
pub(super) type Watched = Through<Watcher>;

impl Watched {
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.between.seen()
    }
}

impl Watcher {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Between for Watcher {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        Box::pin(async move {
            let copies = members.clone();
            let verdicts = store.commit(members).await;
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
}

/// What becomes of pushes and of calls is told to flows that want to hear it: no flow emits that.
fn is_own(kind: &str) -> bool {
    let own = crate::flow::own_events::TRIGGERS.iter();
    let mut own = own.chain(&crate::flow::calls::TRIGGERS);
    own.any(|trigger| trigger.event == kind)
}
