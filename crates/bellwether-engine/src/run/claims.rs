//! Claims: effects that wait are asked through the gate once more, marked `started` in one commit
//! and let out; and what an earlier process left `started` is adopted and cleared up.

use std::sync::Arc;

use bellwether_model::connector::Reconciled;
use bellwether_model::failure::Failure;
use bellwether_model::time::Time;
use serde_json::Value as Json;

use super::prepare::{Job, Launch, SHADOW};
use super::{Engine, Lane};
use crate::flow::Importance;
use crate::flow::own_events;
use crate::gate::{Gated, Verdict as Gate, gate};
use crate::store::{EffectRow, EffectUpdate, Member, StoreError, Verdict};

/// How many effects one look claims at most.
const CLAIM_MAX: usize = 64;
/// How many left-over effects are cleared up at a time.
const RESCUE_MAX: usize = 256;

impl Engine {
    /// Claims what may start now. Says how many more wait, and when the next becomes due.
    pub(crate) async fn claim_some(
        &self,
        lane: &Arc<Lane>,
    ) -> Result<(usize, Option<Time>), StoreError> {
        loop {
            if !lane.moves() || self.stopping() {
                // A lane that stands still is tried from time to time.
                return Ok((1, None));
            }
            let transport = self.transport_now();
            let (rows, next) = self
                .store()
                .due_effects(&lane.name, transport, CLAIM_MAX, None)
                .await?;
            let found = rows.len();
            let claimed = self.claim(lane, rows).await?;
            if claimed == found && found < CLAIM_MAX {
                return Ok((0, next));
            }
        }
    }

    /// Claims effects in order as far as there are slots; how many were dealt with. Waits for the
    /// first slot in fair order with new work, so that neither starves the other.
    async fn claim(&self, lane: &Arc<Lane>, rows: Vec<EffectRow>) -> Result<usize, StoreError> {
        let mut members = Vec::with_capacity(rows.len());
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let slot = if jobs.is_empty() {
                lane.dispatch_slot().await
            } else {
                lane.further_slot()
            };
            let Some(slot) = slot else { break };
            let (update, starts) = self.at_the_gate(&row).await?;
            let told = match &update {
                EffectUpdate::Expire { .. } => self.of_waiting_push(own_events::EXPIRED, &row),
                _ => None,
            };
            members.push(Member {
                effects: vec![update],
                emits: told.into_iter().collect(),
                ..Member::default()
            });
            jobs.push(starts.then(|| (slot, job_of(&row))));
        }
        let claimed = jobs.len();
        let verdicts = self.store().commit(members).await;
        for (verdict, job) in verdicts.into_iter().zip(jobs) {
            match (verdict, job) {
                (Verdict::Done(_), Some((slot, job))) => {
                    self.launch(Launch {
                        lane: Arc::clone(lane),
                        slot,
                        job,
                    });
                }
                (Verdict::Refused(reason), _) => {
                    tracing::error!(lane.name = %lane.name, "a claim was refused: {reason}");
                }
                (Verdict::Unavailable(reason), _) => return Err(StoreError(reason)),
                // Cancelled or claimed in between: nothing is to be done.
                _ => {}
            }
        }
        Ok(claimed)
    }

    /// The gate's verdict for a waiting effect, as the change to commit, and whether it starts.
    async fn at_the_gate(&self, row: &EffectRow) -> Result<(EffectUpdate, bool), StoreError> {
        let now = self.now();
        let setup = self.setup();
        let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
        let replaced = match args.get("after").and_then(Json::as_str).map(str::parse) {
            Some(Ok(id)) => {
                let before = self.store().effects(&[id]).await?.pop().flatten();
                before.map(|before| before.state)
            }
            _ => None,
        };
        let loud = args.get("importance").and_then(Json::as_str) == Some("high")
            || args.get("urgent").and_then(Json::as_bool) == Some(true)
            || args.get("kind").and_then(Json::as_str) == Some("update")
            || args.get("code_for").is_some();
        // A customer is looked up anew: he may have taken his consent back while it waited.
        let guest = self.guest_of(&setup, row.person.as_deref()).await?;
        let id = row.person.as_deref();
        let gated = Gated {
            role: row.role,
            importance: if loud {
                Importance::High
            } else {
                Importance::Normal
            },
            expires_at: row.expires_at,
            person: id
                .and_then(|id| setup.directory.people.get(id))
                .or(guest.as_ref()),
            replaces: replaced,
        };
        let (id, at) = (row.id, now);
        // What was queued or held before the flow went into shadow stays here.
        let flow = args.get("flow").and_then(Json::as_str).unwrap_or_default();
        let verdict = if setup.flows.is_shadow(flow) {
            Gate::Suppress { reason: SHADOW }
        } else {
            gate(&gated, now)
        };
        let waits = match verdict {
            Gate::Send => {
                let claim = EffectUpdate::Claim {
                    id,
                    attempt: row.attempt,
                    owner: self.owner(),
                    at,
                };
                return Ok((claim, true));
            }
            Gate::Hold { until, reason } => EffectUpdate::Hold {
                id,
                until: Some(self.transport_at(until)),
                reason: reason.to_owned(),
                at,
            },
            Gate::Suppress { reason } => EffectUpdate::Suppress {
                id,
                reason: reason.to_owned(),
                at,
            },
            Gate::Expire => EffectUpdate::Expire { id, at },
        };
        Ok((waits, false))
    }

    /// What an earlier process left in flight: nobody knows whether it was sent. Adopts each, asks
    /// the provider where it can be asked, and treats the rest as attempts without an answer.
    pub(crate) async fn rescue(&self) {
        for lane in self.lanes() {
            if let Err(error) = self.rescue_lane(&lane).await {
                tracing::error!(lane.name = %lane.name, "clearing up after a crash failed: {error}");
            }
        }
    }

    async fn rescue_lane(&self, lane: &Arc<Lane>) -> Result<(), StoreError> {
        loop {
            let now = self.transport_now();
            let me = Some(self.owner());
            let (rows, _) = self
                .store()
                .due_effects(&lane.name, now, RESCUE_MAX, me)
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            tracing::warn!(lane.name = %lane.name, effects = rows.len(), "left in flight by an earlier process");
            // All are named before the first is taken over: afterwards the record names us.
            for row in &rows {
                let owner = row.owner.map(|was| was.0.to_string());
                tracing::info!(
                    effect.id = %row.id, attempt = row.attempt, owner = owner.as_deref(),
                    "may have been sent"
                );
            }
            for row in rows {
                let Some(was) = row.owner else { continue };
                let adopt = EffectUpdate::Adopt {
                    id: row.id,
                    attempt: row.attempt,
                    was,
                    owner: self.owner(),
                };
                let member = Member {
                    effects: vec![adopt],
                    ..Member::default()
                };
                match self.commit_one(member).await {
                    Verdict::Done(_) => self.clear_up(&row).await,
                    Verdict::Unavailable(reason) => return Err(StoreError(reason)),
                    Verdict::Refused(reason) => {
                        tracing::error!(effect.id = %row.id, "could not be cleared up: {reason}");
                    }
                    _ => {}
                }
            }
        }
    }

    async fn clear_up(&self, row: &EffectRow) {
        let failure = Failure::maybe(
            "process_ended",
            "the server stopped while this was being sent",
        );
        self.conclude(&job_at(row, row.attempt), Err(failure)).await;
    }

    /// Asks the provider what became of an attempt, where it can be asked.
    pub(crate) async fn reconcile(&self, job: &Job) -> Reconciled {
        self.ask_provider(job).await.unwrap_or(Reconciled::Unknown)
    }
}

/// The job of the attempt that a claim begins.
fn job_of(row: &EffectRow) -> Job {
    job_at(row, row.attempt + 1)
}

fn job_at(row: &EffectRow, attempt: u32) -> Job {
    Job {
        effect: row.id,
        cell: row.cell,
        role: row.role,
        lane: row.lane.clone(),
        person: row.person.clone(),
        attempt,
        args: Arc::new(serde_json::from_str(&row.args).unwrap_or_default()),
        saved: row.saved.clone(),
        reports: row.reports,
        ordered: row.order_key.is_some(),
        expires_at: row.expires_at,
        made_at: row.made_at,
    }
}
