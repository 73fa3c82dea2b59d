//! The way in: one event, with everything that it causes, in one commit; only then is its sender
//! told "accepted". The hot path of the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bellwether_model::event::{DATA_MAX, Event, HOP_MAX, NewEvent, Position};
use bellwether_model::id::CellId;
use bellwether_model::time::Time;

use super::address::{Addressees, joins, own_aliases};
use super::prepare::Prepared;
use super::reduce::Remembering;
use super::register::said_of_people;
use super::turn::{About, NoTurn, Opening, fill};
use super::{Engine, Setup};
use crate::decide::is_delivery_only;
use crate::flow::Hit;
use crate::seam::{IntakeError, LiveKind, LiveLine, Submitted};
use crate::store::{
    CellRef, CellStatus, DeadLetterWrite, EffectUpdate, EventWrite, LedgerWrite, Member, Snapshot,
    StoreError, Verdict,
};

/// How often a turn is decided again before the event is left to the inbox.
const TRIES: usize = 8;

/// An event on its way in, with what is settled in the same commit.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub(crate) event: NewEvent,
    pub(crate) ledger: Option<LedgerWrite>,
    pub(crate) effects: Vec<EffectUpdate>,
    pub(crate) dead_letters: Vec<DeadLetterWrite>,
    /// It came at this instant once already, and is kept only if something follows from it.
    pub(crate) replayed: Option<Time>,
}

impl Arriving {
    pub(crate) fn of(event: NewEvent) -> Self {
        Self {
            event,
            ledger: None,
            effects: Vec::new(),
            dead_letters: Vec::new(),
            replayed: None,
        }
    }

    /// What is committed with it, apart from turns.
    fn member(&self, event: &Event, text: &str, caused: &mut Caused) -> Member {
        Member {
            arrival: Some(EventWrite {
                event: event.envelope.clone(),
                text: text.to_owned(),
                received_at: event.received_at,
                flow_set: event.flow_set,
                directory: event.directory,
                matched: caused.matched,
            }),
            ledger: self.ledger.clone(),
            deliveries: std::mem::take(&mut caused.deliveries),
            effects: self.effects.clone(),
            dead_letters: self.dead_letters.clone(),
            ..Member::default()
        }
    }
}

/// Everything that an event causes, before it is committed.
#[derive(Debug, Default)]
struct Caused {
    turns: Vec<Prepared>,
    deliveries: Vec<CellId>,
    matched: u16,
    failed: Vec<(String, String)>,
}

impl Caused {
    fn is_nothing(&self) -> bool {
        self.turns.is_empty() && self.deliveries.is_empty()
    }
}

impl Engine {
    /// Records an event with what it causes. Durable when it returns.
    pub(crate) async fn take_in(&self, arriving: Arriving) -> Result<Submitted, IntakeError> {
        let text = serde_json::to_string(&*arriving.event.data)
            .map_err(|error| IntakeError::Malformed(error.to_string()))?;
        check(&arriving.event, &text)?;
        let _working = self.begin_work();
        let mut tries = 0;
        // Set when what the event causes was refused: then it is recorded first, and matched after.
        let mut alone = None;
        loop {
            tries += 1;
            let setup = self.setup();
            let now = arriving.replayed.unwrap_or_else(|| self.now());
            let event = Event {
                position: 0,
                received_at: now,
                flow_set: setup.flows.version(),
                directory: setup.directory.version,
                envelope: arriving.event.clone(),
            };
            let mut caused = match alone {
                Some(matched) => Caused {
                    matched,
                    ..Caused::default()
                },
                None => self.causes(&setup, &event, None, tries > TRIES).await?,
            };
            if arriving.replayed.is_some() && caused.is_nothing() {
                return Ok(Submitted {
                    position: 0,
                    duplicate: false,
                    said: Vec::new(),
                });
            }
            let mut member = arriving.member(&event, &text, &mut caused);
            member.unrouted = alone.is_some();
            if !member.unrouted {
                said_of_people(&setup, &event, &mut member);
            }
            let later = member.unrouted || !member.deliveries.is_empty();
            for prepared in &mut caused.turns {
                fill(&mut member, prepared);
            }
            match self.commit_one(member).await {
                Verdict::Done(positions) => {
                    let position = positions.first().copied().unwrap_or_default();
                    return Ok(self.accepted(&event, position, caused, later));
                }
                Verdict::Duplicate { position, .. } => {
                    return Ok(self.repeated(&arriving, position).await);
                }
                Verdict::Stale => self.count_stale(),
                Verdict::Refused(reason) if alone.is_none() => {
                    tracing::error!(event.id = %event.envelope.id, "what follows was refused: {reason}");
                    alone = Some(caused.matched);
                }
                Verdict::Refused(reason) => {
                    let reason = format!("the record does not take this event: {reason}");
                    return Err(IntakeError::Malformed(reason));
                }
                Verdict::Unavailable(reason) => return Err(IntakeError::Store(reason)),
            }
        }
    }

    /// An event that came before: only its ledger entry is new.
    async fn repeated(&self, arriving: &Arriving, position: Position) -> Submitted {
        self.counters().duplicates.fetch_add(1, Ordering::Relaxed);
        if let Some(ledger) = arriving.ledger.clone() {
            let settled = Member {
                ledger: Some(ledger),
                ..Member::default()
            };
            self.commit_one(settled).await;
        }
        Submitted {
            position,
            duplicate: true,
            said: Vec::new(),
        }
    }

    fn accepted(
        &self,
        event: &Event,
        position: Position,
        mut caused: Caused,
        later: bool,
    ) -> Submitted {
        self.counters().events.fetch_add(1, Ordering::Relaxed);
        if self.inner.parts.live.watched() {
            self.inner.parts.live.say(LiveLine {
                at: event.received_at,
                kind: LiveKind::Event,
                words: vec![
                    event.envelope.kind.clone(),
                    event.envelope.source.clone(),
                    caused.matched.to_string(),
                ],
                run: None,
                event: Some(position),
            });
        }
        if later {
            self.inner.wake_ready.notify_one();
        }
        for (flow, error) in &caused.failed {
            self.counters()
                .failed_conditions
                .fetch_add(1, Ordering::Relaxed);
            tracing::warn!(flow.name = %flow, event.position = position, "a start condition failed: {error}");
        }
        let mut said = Vec::new();
        for prepared in &mut caused.turns {
            self.after_commit(prepared);
            said.extend(prepared.said.take());
        }
        Submitted {
            position,
            duplicate: false,
            said,
        }
    }

    /// Routes an event that was recorded before it was matched.
    pub(crate) async fn route(&self, event: &Event) -> Result<(), StoreError> {
        // Set when turns were refused together.
        let mut singly = false;
        for tries in 0.. {
            let setup = self.setup();
            let mut caused = if event.envelope.hop > HOP_MAX {
                tracing::warn!(
                    event.position = event.position,
                    "the hop limit stops this event"
                );
                Caused::default()
            } else {
                let at = Some(event.position);
                self.causes(&setup, event, at, tries > TRIES)
                    .await
                    .map_err(|error| StoreError(error.to_string()))?
            };
            let mut member = Member {
                routed: Some(event.position),
                deliveries: std::mem::take(&mut caused.deliveries),
                ..Member::default()
            };
            said_of_people(&setup, event, &mut member);
            if singly {
                self.one_by_one(event, std::mem::take(&mut caused.turns))
                    .await?;
            }
            for prepared in &mut caused.turns {
                fill(&mut member, prepared);
            }
            match self.commit_one(member).await {
                Verdict::Done(_) => {
                    for prepared in &mut caused.turns {
                        self.after_commit(prepared);
                    }
                    return Ok(());
                }
                Verdict::Duplicate { .. } => return Ok(()),
                // What stays stale was opened by an earlier try that was cut off.
                Verdict::Stale if tries > TRIES => singly = true,
                Verdict::Stale => self.count_stale(),
                Verdict::Refused(_) if !singly => singly = true,
                Verdict::Refused(reason) | Verdict::Unavailable(reason) => {
                    return Err(StoreError(reason));
                }
            }
        }
        Ok(())
    }

    /// Everything that an event causes now: turns of the cells that it is addressed to, further and
    /// first turns of the flows that it matches.
    async fn causes(
        &self,
        setup: &Setup,
        event: &Event,
        at: Option<Position>,
        to_inbox: bool,
    ) -> Result<Caused, IntakeError> {
        let store = |error: StoreError| IntakeError::Store(error.to_string());
        let now = event.received_at;
        let asks = setup.flows.asks_customers();
        let world = self.world_of(setup, now, asks, &[event]).await;
        let world = world.map_err(store)?;
        let matches = setup.flows.matches(&event.envelope, &world);
        let mut caused = Caused {
            matched: u16::try_from(matches.hits.len()).unwrap_or(u16::MAX),
            failed: matches
                .failed
                .iter()
                .map(|(flow, e)| (flow.clone(), e.to_string()))
                .collect(),
            ..Caused::default()
        };
        let addressed = if is_delivery_only(&event.envelope.kind) {
            Addressees::default()
        } else {
            self.addressees(&event.envelope).await.map_err(store)?
        };
        let mut answered: Vec<(String, String)> = Vec::new();
        for snapshot in self.snapshots(&addressed).await.map_err(store)? {
            // A copy of a mail that a case has seen is never a matter of its own.
            let ended = snapshot.0.status == CellStatus::Closed
                && !addressed.copies.contains(&snapshot.0.cell);
            let own = matches.hits.iter().any(|hit| {
                hit.flow.name == snapshot.0.program && (ended || hit.key != snapshot.0.key)
            });
            // A mail that merely shares a thread, but is a matter of its own or comes after the
            // end, opens its own case.
            if own && snapshot.1.is_none() && !is_answer(event) {
                continue;
            }
            answered.push((snapshot.0.program.clone(), snapshot.0.key.clone()));
            if snapshot.0.has_inbox || to_inbox {
                caused.deliveries.push(snapshot.0.cell);
                continue;
            }
            let about = About::Addressed(event, snapshot.1.as_ref());
            self.add_turn(setup, &snapshot.0, &about, &mut caused)
                .await
                .map_err(store)?;
        }
        for hit in matches.hits {
            let taken = answered.iter().any(|(program, key)| {
                *program == hit.flow.name && (*key == hit.key || is_answer(event))
            });
            if !taken {
                self.hit(setup, event, at, hit, &world, to_inbox, &mut caused)
                    .await
                    .map_err(store)?;
            }
        }
        match self.remember(setup, event, to_inbox).await.map_err(store)? {
            Remembering::No => {}
            Remembering::Later(cell) => caused.deliveries.push(cell),
            Remembering::Turn(prepared) => caused.turns.push(*prepared),
        }
        Ok(caused)
    }

    async fn snapshots(
        &self,
        addressed: &Addressees,
    ) -> Result<Vec<(Snapshot, Option<crate::store::EffectRow>)>, StoreError> {
        if addressed.cells.is_empty() {
            return Ok(Vec::new());
        }
        let refs: Vec<_> = addressed
            .cells
            .iter()
            .map(|(cell, _)| CellRef::Id(*cell))
            .collect();
        let loaded = self.store().load(&refs).await?;
        let rows = addressed.cells.iter().map(|(_, effect)| effect.clone());
        Ok(loaded
            .into_iter()
            .zip(rows)
            .filter_map(|(cell, row)| Some((cell?, row)))
            .collect())
    }

    async fn add_turn(
        &self,
        setup: &Setup,
        snapshot: &Snapshot,
        about: &About<'_>,
        caused: &mut Caused,
    ) -> Result<(), StoreError> {
        match self.next_turn(setup, snapshot, about).await {
            Ok(prepared) => caused.turns.push(prepared),
            Err(NoTurn::Gone) => {
                tracing::warn!(run.id = %snapshot.cell, "the flow of this run is gone");
            }
            Err(NoTurn::Store(error)) => return Err(error),
        }
        Ok(())
    }

    /// One flow that matches: a further turn of the open cell with that key, or a new cell.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, on the hot path, of one event's parts"
    )]
    async fn hit(
        &self,
        setup: &Setup,
        event: &Event,
        at: Option<Position>,
        hit: Hit,
        world: &Arc<crate::lang::World>,
        to_inbox: bool,
        caused: &mut Caused,
    ) -> Result<(), StoreError> {
        let Some(program) = setup.active.get(&hit.flow.name) else {
            return Ok(());
        };
        let mut key = hit.key;
        let mut epoch = 1;
        // Nothing else can have the event's own id as its key: then there is nothing to look up.
        let keyed = program.flow.case.is_some() && !is_own_id(&key, &event.envelope);
        if keyed {
            let latest = CellRef::Latest {
                program: hit.flow.name.clone(),
                key: key.clone(),
            };
            let found = self.store().load(&[latest]).await?.pop().flatten();
            if let Some(snapshot) = found {
                let joined = snapshot
                    .opened_by
                    .as_ref()
                    .is_some_and(|opened| joins(&opened.envelope, &event.envelope));
                if snapshot.status == CellStatus::Closed && joined && program.flow.only_once {
                    return Ok(());
                }
                if snapshot.status == CellStatus::Closed {
                    epoch = snapshot.epoch + 1;
                } else if joined && (snapshot.has_inbox || to_inbox) {
                    caused.deliveries.push(snapshot.cell);
                    return Ok(());
                } else if joined {
                    return self
                        .add_turn(setup, &snapshot, &About::Again(event), caused)
                        .await;
                } else {
                    // Somebody else uses the same number: a case of its own, never a change of
                    // theirs.
                    key = format!("{key} ~{}", event.envelope.id);
                }
            }
        }
        let opening = Opening {
            program,
            key: &key,
            keyed,
            epoch,
            event,
            at,
            trigger: hit.trigger.as_deref(),
            scope: hit.scope,
            world,
            aliases: own_aliases(&event.envelope),
        };
        caused
            .turns
            .push(self.first_turn(setup, opening, event.received_at).await);
        Ok(())
    }

    /// What follows a committed turn: lets its effects out, wakes loops, tells who looks on.
    pub(crate) fn after_commit(&self, prepared: &mut Prepared) {
        self.counters().turns.fetch_add(1, Ordering::Relaxed);
        for launch in prepared.launches.drain(..) {
            self.launch(launch);
        }
        for lane in prepared.queued.drain(..) {
            lane.queue();
        }
        if prepared.wakes {
            self.inner.wake_ready.notify_one();
        }
        for line in prepared.lines.drain(..) {
            self.inner.parts.live.say(line);
        }
    }

    pub(crate) fn count_stale(&self) {
        self.counters().stale.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a mail answers another one: then it never opens a case of a flow that it is a part of.
fn is_answer(event: &Event) -> bool {
    event
        .envelope
        .data
        .get("mail")
        .is_some_and(|mail| mail.get("in_reply_to").is_some())
}

/// Whether a key is what cases have that no expression gave one: the event's own id.
fn is_own_id(key: &str, event: &NewEvent) -> bool {
    let rest = key.strip_prefix(event.source.as_str());
    rest.and_then(|rest| rest.strip_prefix('/')) == Some(event.id.as_str())
}

fn check(event: &NewEvent, text: &str) -> Result<(), IntakeError> {
    if text.len() > DATA_MAX {
        return Err(IntakeError::TooLarge(format!(
            "the payload has {} bytes; {DATA_MAX} are allowed",
            text.len()
        )));
    }
    if event.id.is_empty() || event.id.len() > 512 || event.source.is_empty() {
        return Err(IntakeError::Malformed(
            "an event needs a source and an id of 1 to 512 bytes".into(),
        ));
    }
    if !event.data.is_object() {
        return Err(IntakeError::Malformed(
            "the payload must be a JSON object".into(),
        ));
    }
    Ok(())
}
