//! The loop of what is due: timers, deliveries that wait in inboxes, events of our own that are to
//! be matched.

use bellwether_model::time::{Millis, Time};

use super::Engine;
use super::turn::About;
use crate::store::{EventRef, Member, Ready, StoreError, Work};

/// How many cells and events one look takes.
const LOOK: usize = 64;
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
            for event in &unrouted {
                self.route(event).await?;
            }
            for work in cells {
                moved |= self.work_on(&work).await?;
            }
            if !moved {
                // Cells whose flow is gone cannot take turns; they are looked at again later.
                return Ok(None);
            }
        }
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
            let effect = self.addressees(&event.envelope).await?;
            let effect = effect
                .cells
                .into_iter()
                .find(|(cell, _)| *cell == work.cell);
            // What is not addressed to the cell was delivered because it has the cell's key.
            let about = match &effect {
                Some((_, effect)) => About::Addressed(&event, effect.as_ref()),
                None => About::Again(&event),
            };
            let turn = self
                .take_turn(work.cell, &about, Member::default(), Some(*position))
                .await?;
            moved |= turn.is_some();
        }
        for (name, _) in &work.timers {
            let about = About::Timer(name);
            let turn = self
                .take_turn(work.cell, &about, Member::default(), None)
                .await?;
            moved |= turn.is_some();
        }
        Ok(moved)
    }
}
