//! What the store refuses. One turn that is against a rule of the record, or a cell whose flow is
//! gone, must never stop another: its input is consumed, its state stays, and a dead letter says
//! why. And what cannot be written because the database is unwell is written when it is well again.

use std::sync::PoisonError;

use bellwether_model::event::{Event, Position};
use bellwether_model::id::{CellId, Id};
use bellwether_model::time::{Millis, Time};
use serde_json::json;

use super::prepare::{Prepared, dead_letters, event_input, journal};
use super::seal::seal_standing;
use super::turn::About;
use super::{Engine, Setup};
use crate::decide::{Dead, Note};
use crate::store::{CellRef, Member, Snapshot, StoreError, TurnWrite, Verdict};

/// How long to wait before an unwell database is tried again, and how long the doubling waits
/// become.
const AGAIN_FIRST: Millis = Millis::seconds(1);
const AGAIN_MOST: Millis = Millis::seconds(30);
/// When a timer of a cell whose flow is gone is looked at again.
const GONE_AGAIN: Millis = Millis::days(1);

/// A turn that changes nothing but consumes its input.
fn standing(
    setup: &Setup,
    snapshot: &Snapshot,
    about: &About<'_>,
    consumes: Option<Position>,
    now: Time,
) -> TurnWrite {
    let (input, timers) = match about {
        About::Timer(name) => (json!({ "timer": name }), vec![((*name).to_owned(), None)]),
        About::Again(event) | About::Addressed(event, _) => (event_input(event), Vec::new()),
        About::Failed(effect, failure) => (
            json!({ "failed": effect.id, "code": failure.code }),
            Vec::new(),
        ),
    };
    let notes = [Note::of("not_possible")];
    TurnWrite {
        cell: snapshot.cell,
        program: snapshot.program.clone(),
        program_hash: snapshot.program_hash,
        key: snapshot.key.clone(),
        keyed: false,
        epoch: snapshot.epoch,
        expects: snapshot.version,
        opened_by: None,
        status: snapshot.status,
        state: snapshot.state.clone(),
        at: now,
        body: journal(setup, &notes, None, &input, Vec::new(), now),
        consumes: consumes.into_iter().collect(),
        timers,
        aliases: Vec::new(),
        effects: Vec::new(),
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
    }
}

impl Engine {
    /// Commits a member, and tries again for as long as the database is unwell and we are not told
    /// to stop. For what must not be forgotten, such as the outcome of an attempt.
    pub(crate) async fn commit_surely(&self, member: Member) -> Verdict {
        let mut wait = AGAIN_FIRST;
        loop {
            let verdict = self.commit_one(member.clone()).await;
            let Verdict::Unavailable(reason) = &verdict else {
                return verdict;
            };
            if !self.rest(wait, reason).await {
                return verdict;
            }
            wait = Millis(wait.0 * 2).min(AGAIN_MOST);
        }
    }

    /// Waits for the database to become well; false when we are to stop instead.
    pub(crate) async fn rest(&self, wait: Millis, why: &str) -> bool {
        tracing::error!(
            "the database cannot be written; what waits is kept and tried again: {why}"
        );
        let due = self.transport_now() + wait;
        tokio::select! {
            () = self.inner.parts.transport_clock.wait_until(due) => !self.stopping(),
            () = self.stopped() => false,
        }
    }

    /// Instead of a turn that the store refused: the input is consumed, the state stays.
    pub(crate) async fn stand_still(
        &self,
        snapshot: &Snapshot,
        about: &About<'_>,
        with: &Member,
        consumes: Option<Position>,
        reason: &str,
    ) -> Verdict {
        let (setup, now) = (self.setup(), self.now().max(snapshot.last_turn_at));
        tracing::error!(run.id = %snapshot.cell, "the store refused a turn: {reason}");
        let why = format!(
            "a step could not be stored, so it was left out and the case stays as it was: {reason}"
        );
        let mut letters = dead_letters(
            snapshot.cell,
            snapshot.version + 1,
            vec![Dead::new("refused_turn", why)],
            now,
        );
        for letter in &mut letters {
            letter.event = consumes;
        }
        let mut member = with.clone();
        let mut turn = standing(&setup, snapshot, about, consumes, now);
        seal_standing(self.keys(), &mut turn);
        member.turns.push(turn);
        member.dead_letters.append(&mut letters);
        self.commit_one(member).await
    }

    /// A cell that has something to do while its flow, or its connection, is gone: its timer is put
    /// off, so that it stands in nobody's way, and a delivery becomes a dead letter that can be
    /// tried again.
    pub(crate) async fn put_off(
        &self,
        snapshot: &Snapshot,
        about: &About<'_>,
        consumes: Option<Position>,
    ) -> Result<(), StoreError> {
        let (setup, now) = (self.setup(), self.now().max(snapshot.last_turn_at));
        let mut turn = standing(&setup, snapshot, about, consumes, now);
        seal_standing(self.keys(), &mut turn);
        for (_, due) in &mut turn.timers {
            *due = Some(now + GONE_AGAIN);
        }
        let known = self.inner.gone.lock();
        let first = known
            .unwrap_or_else(PoisonError::into_inner)
            .insert(snapshot.cell);
        let mut letters = Vec::new();
        if first || consumes.is_some() {
            let why = format!(
                "`{}` is not set up any more, so this case cannot go on: set it up again, or close \
                 the case",
                snapshot.program
            );
            let letter = vec![Dead::new("flow_gone", why)];
            letters = dead_letters(snapshot.cell, snapshot.version + 1, letter, now);
        }
        for letter in &mut letters {
            letter.event = consumes;
        }
        let member = Member {
            turns: vec![turn],
            dead_letters: letters,
            ..Member::default()
        };
        match self.commit_one(member).await {
            Verdict::Refused(reason) | Verdict::Unavailable(reason) => Err(StoreError(reason)),
            // It moved meanwhile: the next look finds it.
            Verdict::Done(_) | Verdict::Stale | Verdict::Duplicate { .. } => Ok(()),
        }
    }

    /// Turns that were refused together, one by one: only the one at fault is left out.
    pub(crate) async fn one_by_one(
        &self,
        event: &Event,
        turns: Vec<Prepared>,
    ) -> Result<(), StoreError> {
        for mut prepared in turns {
            let Some(write) = prepared.write.take() else {
                continue;
            };
            let (cell, opens, program) = (write.cell, write.expects == 0, write.program.clone());
            let member = Member {
                turns: vec![write],
                emits: std::mem::take(&mut prepared.emits),
                dead_letters: std::mem::take(&mut prepared.dead_letters),
                ..Member::default()
            };
            match self.commit_one(member).await {
                Verdict::Done(_) => self.after_commit(&mut prepared),
                // A cell that is there already was opened by an earlier try.
                Verdict::Stale | Verdict::Duplicate { .. } if opens => {}
                Verdict::Stale | Verdict::Duplicate { .. } => {
                    self.deliver(cell, event, None).await?;
                }
                Verdict::Refused(reason) => {
                    let of = (!opens).then_some(cell);
                    let letter = self.refused_letter(event, of, &program, &reason);
                    if let Verdict::Unavailable(reason) = self.commit_one(letter).await {
                        return Err(StoreError(reason));
                    }
                }
                Verdict::Unavailable(reason) => return Err(StoreError(reason)),
            }
        }
        Ok(())
    }

    fn refused_letter(
        &self,
        event: &Event,
        cell: Option<CellId>,
        program: &str,
        reason: &str,
    ) -> Member {
        tracing::error!(event.position = event.position, flow.name = %program, "the store refused a turn: {reason}");
        let of = cell.unwrap_or_else(|| {
            let key = event.envelope.seen_key();
            Id::derive(event.received_at, &[program.as_bytes(), &key])
        });
        let why = format!("`{program}` could not act on this event: {reason}");
        let mut letters = dead_letters(of, 0, vec![Dead::new("refused_turn", why)], self.now());
        for letter in &mut letters {
            letter.cell = cell;
            letter.event = Some(event.position);
        }
        Member {
            dead_letters: letters,
            ..Member::default()
        }
    }

    /// The cell as it stands, if it is there.
    pub(crate) async fn cell(&self, id: CellId) -> Result<Option<Snapshot>, StoreError> {
        let found = self.store().load(&[CellRef::Id(id)]).await?;
        Ok(found.into_iter().next().flatten())
    }
}
