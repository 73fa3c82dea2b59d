//! The loop of what is due: timers, deliveries that wait in inboxes, events of our own that are to
//! be matched.

use std::collections::HashSet;

use bellwether_model::event::{Event, Position};
use bellwether_model::id::CellId;
use bellwether_model::time::{Millis, Time};
use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, iter};

use super::Engine;
use super::turn::About;
use crate::store::{EventRef, Member, Ready, StoreError, Work};

/// How many cells and events one look takes.
const LOOK: usize = 128;
/// How many cells take a turn, or events are matched, at the same time: they share commits. Many
/// licences end at the same midnight.
const TOGETHER: usize = 64;
/// How long to sleep at most: a safety net for a clock that was set.
const SLEEP_MAX: Millis = Millis::seconds(30);

impl Engine {
    /// Runs until the engine stops.
    pub(crate) async fn ready_loop(&self) {
        while !self.stopping() {
            let next = match self.do_ready().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!("looking for due work failed: {error}");
                    None
                }
            };
            let latest = self.now() + SLEEP_MAX;
            let due = next.map_or(latest, |next| next.min(latest));
            tokio::select! {
                () = self.inner.wake_ready.notified() => {}
                () = self.inner.parts.flow_clock.wait_until(due) => {}
                () = self.stopped() => {}
            }
        }
    }

    /// Does everything that is due now. Returns the next timer.
    ///
    /// # Errors
    /// The store failed; nothing is lost, the next look finds the rest.
    pub async fn do_ready(&self) -> Result<Option<Time>, StoreError> {
        loop {
            let Ready {
                cells,
                unrouted,
                next_timer,
            } = self.store().ready(self.now(), LOOK).await?;
            if cells.is_empty() && unrouted.is_empty() {
                return Ok(next_timer);
            }
            let _working = self.begin_work();
            let mut moved = !unrouted.is_empty();
            // What fails for one event or cell is told and does not hold up the others.
            let mut failed = None;
            if let Err(error) = self.route_all(&unrouted).await {
                failed = Some(error);
            }
            let mut worked = iter(cells)
                .map(|work| async move { (work.cell, self.work_on(&work).await) })
                .buffered(TOGETHER);
            while let Some((cell, result)) = worked.next().await {
                match result {
                    Ok(some) => moved |= some,
                    Err(error) => {
                        tracing::error!(run.id = %cell, "what is due waits: {error}");
                        failed = Some(error);
                    }
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if !moved {
                return Ok(next_timer);
            }
        }
    }

    /// Matches events, in their order wherever two of them concern the same cell.
    async fn route_all(&self, events: &[Event]) -> Result<(), StoreError> {
        let mut failed = Ok(());
        let mut rest = events;
        while !rest.is_empty() {
            let mut taken = HashSet::new();
            let apart = |event: &&Event| {
                let cells = self.concerned(event);
                let free = cells.iter().all(|cell| !taken.contains(cell));
                taken.extend(cells);
                free
            };
            // The first one is always free, so there is progress.
            let together = rest.iter().take(TOGETHER).take_while(apart).count();
            let (group, later) = rest.split_at(together.max(1));
            let routed = join_all(group.iter().map(|event| self.route(event))).await;
            for (event, result) in group.iter().zip(routed) {
                if let Err(error) = result {
                    tracing::error!(event.position = event.position, "not matched yet: {error}");
                    failed = Err(error);
                }
            }
            rest = later;
        }
        failed
    }

    /// The cells that an event may concern, by program and key. Whom it is addressed to is not
    /// among them: two that meet there decide again.
    fn concerned(&self, event: &Event) -> Vec<(String, String)> {
        let setup = self.setup();
        let world = self.world(&setup, event.received_at);
        let hits = setup.flows.matches(&event.envelope, &world).hits;
        let flows = hits.into_iter().map(|hit| (hit.flow.name.clone(), hit.key));
        flows.chain(Self::remembered_by(&setup, event)).collect()
    }

    async fn work_on(&self, work: &Work) -> Result<bool, StoreError> {
        let mut moved = false;
        for position in &work.inbox {
            let event = self
                .store()
                .events(&[EventRef::At(*position)])
                .await?
                .pop()
                .flatten();
            let Some(event) = event else { continue };
            moved |= self.deliver(work.cell, &event, Some(*position)).await?;
        }
        for (name, _) in &work.timers {
            moved |= self
                .turn_or_put_off(work.cell, &About::Timer(name), None)
                .await?;
        }
        Ok(moved)
    }

    /// A cell's turn about an event that was delivered to it. False when the cell is gone.
    pub(crate) async fn deliver(
        &self,
        cell: CellId,
        event: &Event,
        consumes: Option<Position>,
    ) -> Result<bool, StoreError> {
        let found = self.addressees(&event.envelope).await?.cells.into_iter();
        let effect = found.into_iter().find(|(addressed, _)| *addressed == cell);
        // What is not addressed to the cell was delivered because it has the cell's key.
        let about = match &effect {
            Some((_, effect)) => About::Addressed(event, effect.as_ref()),
            None => About::Again(event),
        };
        self.turn_or_put_off(cell, &about, consumes).await
    }

    async fn turn_or_put_off(
        &self,
        cell: CellId,
        about: &About<'_>,
        consumes: Option<Position>,
    ) -> Result<bool, StoreError> {
        let turn = self.take_turn(cell, about, Member::default(), consumes);
        if turn.await?.is_some() {
            return Ok(true);
        }
        match self.cell(cell).await? {
            Some(snapshot) => self
                .put_off(&snapshot, about, consumes)
                .await
                .map(|()| true),
            None => Ok(false),
        }
    }
}
