//! Outcomes: what an attempt's answer means for its effect, and for the run that asked for it. The
//! retry ladder is here.

use std::sync::atomic::Ordering;

use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Outcome, Progress, Reconciled};
use bellwether_model::event::Alias;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::id::{Id, hash};
use bellwether_model::time::Millis;
use serde_json::Value as Json;

use super::Engine;
use super::prepare::{Job, role_word};
use super::turn::About;
use crate::flow::own_events;
use crate::seam::{LiveKind, LiveLine};
use crate::store::{DeadLetterWrite, EffectUpdate, EventWrite, Member, StoreError, Verdict};

/// The waits between attempts; the last one is repeated until the attempts are used up.
const LADDER: [Millis; 8] = [
    Millis::seconds(1),
    Millis::seconds(4),
    Millis::seconds(15),
    Millis::minutes(1),
    Millis::minutes(5),
    Millis::minutes(15),
    Millis::hours(1),
    Millis::hours(4),
];
/// How many attempts an effect gets.
pub(crate) const ATTEMPTS: u32 = 10;
/// How many attempts without an answer a push gets before nobody repeats it: it carries a collapse
/// key, so a double replaces the first on the device.
const AMBIGUOUS_ATTEMPTS: u32 = 3;
/// When an outcome that could not be recorded with its turn is tried again.
const OUTCOME_AGAIN: Millis = Millis::seconds(5);

/// How long to wait before the next attempt: the ladder with up to a fifth more, spread by the
/// effect's own id so that a crowd does not come back at once.
pub(crate) fn wait_before(attempt: u32, after: Option<Millis>, effect: Id) -> Millis {
    let rung = usize::try_from(attempt.saturating_sub(1))
        .unwrap_or(usize::MAX)
        .min(LADDER.len() - 1);
    let base = LADDER[rung].0.max(after.map_or(0, |after| after.0));
    let spread = u64::from(hash(&[effect.bytes(), &attempt.to_be_bytes()])[0]);
    Millis(base + base * spread / 256 / 5)
}

impl Engine {
    /// Records what an attempt came to.
    pub(crate) async fn conclude(&self, job: &Job, result: Result<Outcome, Failure>) {
        let result = match result {
            Err(failure) if failure.class == FailureClass::MaybeDone => {
                match self.reconcile(job).await {
                    Reconciled::Done(outcome) => Ok(outcome),
                    Reconciled::NotDone => {
                        let sentence = "surely not done, as the provider says; tried again";
                        Err(Failure::retry("reconciled_not_done", sentence, None))
                    }
                    Reconciled::Unknown => Err(failure),
                }
            }
            other => other,
        };
        match result {
            Ok(outcome) => self.done(job, outcome).await,
            Err(failure) => self.not_done(job, failure).await,
        }
    }

    async fn done(&self, job: &Job, outcome: Outcome) {
        let mut aliases = outcome.aliases;
        let setup = self.setup();
        let reports = setup
            .links
            .get(&job.lane)
            .is_some_and(|link| link.connection.reports_status());
        if let (true, Some(reference)) = (reports, &outcome.reference) {
            aliases.push(Alias::new("reference", format!("{}/{reference}", job.lane)));
        }
        let update = EffectUpdate::Done {
            id: job.effect,
            attempt: job.attempt,
            owner: self.owner(),
            delivery: outcome.delivery,
            reference: outcome.reference,
            aliases,
            at: self.now(),
        };
        self.record(Member {
            effects: vec![update],
            emits: self
                .of_push(own_events::SENT, job, None)
                .into_iter()
                .collect(),
            ..Member::default()
        })
        .await;
        self.say(job, "done");
    }

    async fn not_done(&self, job: &Job, failure: Failure) {
        let (id, attempt, owner, at) = (job.effect, job.attempt, self.owner(), self.now());
        let again = |rung: u32, after: Option<Millis>, failure: Failure| EffectUpdate::Retry {
            id,
            attempt,
            owner,
            not_before: self.transport_now() + wait_before(rung, after, id),
            failure,
            at,
        };
        let push = job.role == bellwether_model::connector::Role::Push;
        match failure.class {
            FailureClass::Retry { after } if attempt < ATTEMPTS && !self.too_late(job) => {
                self.record_retry(job, again(attempt, after, failure)).await;
            }
            // The effect waits for its connection: the lane stands still until a person acted.
            FailureClass::Reauthorise | FailureClass::Misconfigured if !self.too_late(job) => {
                // No ladder: once the lane moves again nothing that waits is late for its attempts.
                self.record_retry(job, again(1, None, failure)).await;
            }
            FailureClass::MaybeDone if push && attempt < AMBIGUOUS_ATTEMPTS => {
                self.record_retry(job, again(attempt, None, failure)).await;
            }
            // A push that nobody can vouch for is followed by a mail, or by what the flow says.
            FailureClass::MaybeDone if push && job.reports => {
                let update = EffectUpdate::Maybe {
                    id,
                    attempt,
                    owner,
                    failure: failure.clone(),
                    at,
                };
                self.say(job, "maybe_sent");
                let told = self.of_push(own_events::MAYBE, job, Some(&failure));
                self.to_the_run(job, update, told, &failure).await;
            }
            FailureClass::MaybeDone => {
                let update = EffectUpdate::Maybe {
                    id,
                    attempt,
                    owner,
                    failure: failure.clone(),
                    at,
                };
                let reason = format!(
                    "this {} may have been sent, nobody can say: {}",
                    role_word(job.role),
                    failure.message
                );
                let dead = self.dead_letter(job, "maybe_sent", reason);
                let told = self.of_push(own_events::MAYBE, job, Some(&failure));
                self.record(Member {
                    effects: vec![update],
                    emits: told.into_iter().collect(),
                    dead_letters: vec![dead],
                    ..Member::default()
                })
                .await;
                self.say(job, "maybe_sent");
            }
            _ => self.give_up(job, failure).await,
        }
    }

    fn too_late(&self, job: &Job) -> bool {
        job.expires_at.is_some_and(|end| end <= self.now())
    }

    async fn record_retry(&self, job: &Job, update: EffectUpdate) {
        self.record(Member {
            effects: vec![update],
            ..Member::default()
        })
        .await;
        if let Some(lane) = self.lane(&job.lane) {
            lane.queue();
        }
        self.say(job, "queued");
    }

    /// Given up: an input to the run that handles it, else a dead letter.
    async fn give_up(&self, job: &Job, failure: Failure) {
        let (id, attempt, owner, at) = (job.effect, job.attempt, self.owner(), self.now());
        let update = EffectUpdate::Fail {
            id,
            attempt,
            owner,
            failure: failure.clone(),
            at,
        };
        self.say(job, "failed");
        let told = self.of_push(own_events::FAILED, job, Some(&failure));
        if !job.reports {
            let reason = format!("{}: {}", role_word(job.role), failure.message);
            let dead = self.dead_letter(job, &failure.code, reason);
            self.record(Member {
                effects: vec![update],
                emits: told.into_iter().collect(),
                dead_letters: vec![dead],
                ..Member::default()
            })
            .await;
            return;
        }
        self.to_the_run(job, update, told, &failure).await;
    }

    /// Records an outcome together with the turn that its run takes about it.
    async fn to_the_run(
        &self,
        job: &Job,
        update: EffectUpdate,
        told: Option<EventWrite>,
        failure: &Failure,
    ) {
        let with = Member {
            effects: vec![update],
            emits: told.into_iter().collect(),
            ..Member::default()
        };
        loop {
            match self.tell_the_run(job, &with, failure).await {
                Ok(()) => {
                    if !with.emits.is_empty() {
                        self.inner.wake_ready.notify_one();
                    }
                    self.counters().outcomes.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(error) if !self.rest(OUTCOME_AGAIN, &error.to_string()).await => return,
                Err(_) => {}
            }
        }
    }

    async fn tell_the_run(
        &self,
        job: &Job,
        with: &Member,
        failure: &Failure,
    ) -> Result<(), StoreError> {
        let row = self.store().effects(&[job.effect]).await?;
        let Some(row) = row.into_iter().next().flatten() else {
            return Ok(());
        };
        let about = About::Failed(&row, failure);
        let turn = self.take_turn(job.cell, &about, with.clone(), None);
        if turn.await?.is_none() {
            // The run's flow is gone: the outcome stands on its own.
            self.record(with.clone()).await;
        }
        Ok(())
    }

    fn dead_letter(&self, job: &Job, code: &str, reason: String) -> DeadLetterWrite {
        self.counters().dead_letters.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        DeadLetterWrite {
            id: Id::derive(
                now,
                &[
                    job.effect.bytes(),
                    &job.attempt.to_be_bytes(),
                    code.as_bytes(),
                ],
            ),
            cell: Some(job.cell),
            effect: Some(job.effect),
            event: None,
            code: code.to_owned(),
            reason,
            at: now,
        }
    }

    async fn record(&self, member: Member) {
        let told = !member.emits.is_empty();
        match self.commit_surely(member).await {
            Verdict::Done(_) => {
                if told {
                    self.inner.wake_ready.notify_one();
                }
                self.counters().outcomes.fetch_add(1, Ordering::Relaxed);
            }
            // Somebody else owns the attempt now, and records its outcome.
            Verdict::Stale | Verdict::Duplicate { .. } => self.count_stale(),
            Verdict::Refused(reason) | Verdict::Unavailable(reason) => {
                tracing::error!(
                    "an outcome could not be recorded; it is cleared up at the next start: {reason}"
                );
            }
        }
    }

    fn say(&self, job: &Job, state: &str) {
        if !self.inner.parts.live.watched() {
            return;
        }
        self.inner.parts.live.say(LiveLine {
            at: self.now(),
            kind: LiveKind::Delivery,
            words: vec![
                role_word(job.role).to_owned(),
                job.person.clone().unwrap_or_default(),
                state.to_owned(),
            ],
            run: Some(job.cell),
            event: None,
        });
    }

    /// Asks the provider about an attempt, if its action can be asked.
    pub(crate) async fn ask_provider(&self, job: &Job) -> Option<Reconciled> {
        let setup = self.setup();
        let link = setup.links.get(&job.lane)?;
        let action = link.action(job.role).filter(|action| action.reconciles)?;
        let saved = self
            .store()
            .effects(&[job.effect])
            .await
            .ok()?
            .pop()
            .flatten();
        let saved = saved
            .and_then(|row| row.saved)
            .or_else(|| job.saved.clone());
        let action = Action {
            name: action.name,
            effect: job.effect,
            attempt: job.attempt,
            since: job.made_at,
            args: &job.args,
            saved: saved.as_ref(),
            progress: &NoProgress,
        };
        match link.connection.reconcile(&action).await {
            Ok(reconciled) => Some(reconciled),
            Err(failure) => {
                tracing::warn!(effect.id = %job.effect, "could not be reconciled: {failure}");
                None
            }
        }
    }
}

/// Reconciling asks, it saves nothing.
#[derive(Debug)]
struct NoProgress;

impl Progress for NoProgress {
    fn save(&self, _: Json) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
