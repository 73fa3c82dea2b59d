//! What reaches the engine from people: an event handed in, a decision taken for somebody, a retry
//! by hand. All of it goes the one way in.

use std::sync::atomic::Ordering;

use bellwether_model::BoxFuture;
use bellwether_model::event::NewEvent;
use bellwether_model::id::{CellId, Id};
use bellwether_model::time::Time;

use super::Engine;
use super::intake::Arriving;
use crate::decide::{ACTED, Act, Assurance, RunState};
use crate::seam::{Actor, Intake, IntakeError, Submitted, TurnSaid};
use crate::store::{CellRef, EffectUpdate, ListQuery, Member, StoreError, Verdict};

impl Intake for Engine {
    fn submit(&self, event: NewEvent) -> BoxFuture<'_, Result<Submitted, IntakeError>> {
        Box::pin(self.take_in(Arriving::of(event)))
    }

    fn decide_for<'a>(
        &'a self,
        run: CellId,
        person: &'a str,
        choice: &'a str,
        comment: &'a str,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<TurnSaid, IntakeError>> {
        Box::pin(async move {
            let store = |error: StoreError| IntakeError::Store(error.to_string());
            let cell = self
                .store()
                .load(&[CellRef::Id(run)])
                .await
                .map_err(store)?
                .pop()
                .flatten();
            let state = cell.and_then(|cell| RunState::read(&cell.state).ok());
            let asked = state.and_then(|state| state.put_to(person));
            let Some(notification) = asked else {
                return Ok(TurnSaid::Refused {
                    code: "not_asked".to_owned(),
                    reason: format!("{person} was not asked in this run"),
                });
            };
            let act = Act {
                notification: notification.to_string(),
                person: person.to_owned(),
                choice: choice.to_owned(),
                comment: comment.to_owned(),
                shown: String::new(),
                means: "console".to_owned(),
                assurance: Assurance::SignedIn,
                device: String::new(),
                actor: Some(actor.name.clone()),
            };
            let id = self.rim_id(&["console", person, choice]);
            let event = NewEvent::new("people", id, ACTED, self.now(), act.into_data());
            let submitted = self.submit(event).await?;
            Ok(submitted.said.into_iter().next().unwrap_or(TurnSaid::Noted))
        })
    }

    fn retry<'a>(
        &'a self,
        dead_letter: Id,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<bool, IntakeError>> {
        Box::pin(async move {
            let store = |error: StoreError| IntakeError::Store(error.to_string());
            let query = ListQuery {
                limit: 1000,
                status: Some("open".into()),
                ..ListQuery::default()
            };
            let page = self
                .inner
                .parts
                .views
                .dead_letters(query)
                .await
                .map_err(store)?;
            let Some(row) = page.items.into_iter().find(|row| row.id == dead_letter) else {
                return Ok(false);
            };
            let Some(effect) = row.effect else {
                return Ok(false);
            };
            tracing::info!(effect.id = %effect, actor = %actor.name, "retried by hand");
            let member = Member {
                effects: vec![EffectUpdate::Requeue {
                    id: effect,
                    args: None,
                    at: self.now(),
                }],
                settled: vec![dead_letter],
                ..Member::default()
            };
            let done = matches!(self.commit_one(member).await, Verdict::Done(_));
            if done {
                self.lanes().iter().for_each(|lane| lane.queue());
            }
            Ok(done)
        })
    }
}

impl Engine {
    /// An id for an event that is made at the rim: never the same twice in a process's life.
    pub(crate) fn rim_id(&self, parts: &[&str]) -> String {
        let n = self.inner.rim.fetch_add(1, Ordering::Relaxed);
        let owner = self.owner().0;
        let mut all: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let count = n.to_be_bytes();
        all.push(owner.bytes());
        all.push(&count);
        Id::derive(self.transport_now(), &all).to_string()
    }

    /// Present flow time, for callers that only hold a handle.
    pub fn flow_now(&self) -> Time {
        self.now()
    }
}
