//! What reaches the engine from people: an event handed in, a decision taken for somebody, a retry
//! by hand. All of it goes the one way in.

use std::sync::atomic::Ordering;

use bellwether_model::BoxFuture;
use bellwether_model::event::{NewEvent, Position};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::Time;

use super::Engine;
use super::amend::amended;
use super::intake::Arriving;
use crate::decide::{ACTED, Act, Assurance, RunState};
use crate::seam::{Actor, Amended, Intake, IntakeError, Submitted, TurnSaid};
use crate::store::{CellRef, EffectUpdate, EventRef, Member, StoreError, Verdict};

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
        changes: &'a Amended,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<bool, IntakeError>> {
        Box::pin(async move {
            let store = |error: StoreError| IntakeError::Store(error.to_string());
            let letter = self.inner.parts.views.dead_letter(dead_letter);
            let letter = letter.await.map_err(store)?;
            let Some(row) = letter.filter(|row| row.settled_at.is_none()) else {
                return Ok(false);
            };
            let effect: Vec<EffectId> = row.effect.into_iter().collect();
            let effect = self.store().effects(&effect).await.map_err(store)?;
            let args = match effect.first() {
                Some(Some(effect)) => amended(&effect.args, changes)?,
                _ => None,
            };
            let changed = args.is_some();
            tracing::info!(
                dead_letter.id = %row.id, actor = %actor.name, changed, "retried by hand"
            );
            let requeue = |id| EffectUpdate::Requeue {
                id,
                args: args.clone().map(Into::into),
                at: self.now(),
            };
            let member = Member {
                effects: row.effect.map(requeue).into_iter().collect(),
                settled: vec![dead_letter],
                ..Member::default()
            };
            if !matches!(self.commit_one(member).await, Verdict::Done(_)) {
                return Ok(false);
            }
            self.lanes().iter().for_each(|lane| lane.queue());
            if let (None, Some(run), Some(position)) = (row.effect, row.run, row.event) {
                self.act_again(run, position).await.map_err(store)?;
            }
            Ok(true)
        })
    }
}

impl Engine {
    /// An event that a run could not act on is given to it once more.
    async fn act_again(&self, run: CellId, position: Position) -> Result<(), StoreError> {
        let found = self.store().events(&[EventRef::At(position)]).await?;
        let Some(event) = found.into_iter().next().flatten() else {
            return Ok(());
        };
        self.deliver(run, &event, None).await.map(drop)
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
