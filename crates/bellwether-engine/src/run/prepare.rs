//! From a decided turn to what the store writes: connections chosen, the gate asked, slots taken,
//! the journal entry written down.

use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::directory::Person;
use bellwether_model::event::{Alias, Event, Position};
use bellwether_model::id::{CellId, Id};
use bellwether_model::time::Time;
use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::OwnedSemaphorePermit;

use super::args::fitting;
use super::saying::{answer_unheard, emits};
use super::seal::seal;
use super::{Engine, Lane, Program, Setup};
use crate::decide::{Dead, EffectDraft, Note, Turn, Via};
use crate::flow::gatherers::{LINES, is_line};
use crate::gate::{Gated, Verdict, gate};
use crate::seam::{LiveKind, LiveLine, TurnSaid};
use crate::store::{
    CellStatus, DeadLetterWrite, EffectState, EffectWrite, EventWrite, ItemWrite, TurnWrite,
};

/// Why what a flow in shadow would have sent was not.
pub(crate) const SHADOW: &str = "shadow";

/// Which cell takes the turn.
#[derive(Clone, Debug)]
pub(crate) struct Taker {
    pub(crate) cell: CellId,
    pub(crate) program: Arc<Program>,
    pub(crate) key: String,
    pub(crate) keyed: bool,
    pub(crate) epoch: u32,
    pub(crate) version: u64,
    pub(crate) opened_by: Option<Position>,
    pub(crate) hop: u8,
}

/// A turn ready to be committed, with what happens once it is.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) write: Option<TurnWrite>,
    pub(crate) emits: Vec<EventWrite>,
    pub(crate) dead_letters: Vec<DeadLetterWrite>,
    pub(crate) launches: Vec<Launch>,
    pub(crate) queued: Vec<Arc<Lane>>,
    pub(crate) said: Option<TurnSaid>,
    pub(crate) lines: Vec<LiveLine>,
    /// Whether the loop of what is due has to look: a timer was set or an event emitted.
    pub(crate) wakes: bool,
}

impl Prepared {
    /// Of a turn that was committed already and leaves nothing to do.
    pub(crate) fn nothing() -> Self {
        Self {
            write: None,
            emits: Vec::new(),
            dead_letters: Vec::new(),
            launches: Vec::new(),
            queued: Vec::new(),
            said: None,
            lines: Vec::new(),
            wakes: false,
        }
    }
}

/// An attempt whose `started` marker is part of a commit.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) lane: Arc<Lane>,
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) job: Job,
}

/// What an attempt needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) effect: Id,
    pub(crate) cell: CellId,
    pub(crate) role: Role,
    pub(crate) lane: String,
    pub(crate) person: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) args: Arc<Json>,
    pub(crate) saved: Option<Json>,
    pub(crate) reports: bool,
    /// Whether others wait for it by order key.
    pub(crate) ordered: bool,
    pub(crate) expires_at: Option<Time>,
    pub(crate) made_at: Time,
}

/// What a turn sends, and what it cannot send.
#[derive(Debug, Default)]
struct Outgoing {
    effects: Vec<EffectWrite>,
    launches: Vec<Launch>,
    queued: Vec<Arc<Lane>>,
    dead: Vec<Dead>,
    lines: Vec<(LiveKind, Vec<String>)>,
}

/// A journal entry, as stored.
#[derive(Serialize)]
struct Entry<'a> {
    v: u8,
    at: Time,
    #[serde(rename = "in")]
    input: &'a Json,
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    notes: &'a [Note],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<&'a TurnSaid>,
    set: u64,
    dir: u64,
}

impl Engine {
    /// Prepares a turn. Waits for a slot only where a lane is healthy and merely busy.
    pub(crate) async fn prepare(
        &self,
        setup: &Setup,
        taker: Taker,
        mut turn: Turn,
        input: &Json,
        mut aliases: Vec<Alias>,
        now: Time,
    ) -> Prepared {
        aliases.append(&mut turn.aliases);
        let shadow = self.keep_silent(setup, &taker, &mut turn);
        let Outgoing {
            effects,
            launches,
            queued,
            mut dead,
            lines,
        } = self.outgoing(setup, &taker, &mut turn, shadow, now).await;
        let ids = effects.iter().map(|effect| effect.id).collect();
        let mut body = journal(setup, &turn.notes, turn.said.as_ref(), input, ids, now);
        if taker.program.asks {
            let place = (taker.cell, taker.version + 1);
            body = seal(self.keys(), place, &mut turn.state, &effects, &body);
        }
        dead.extend(answer_unheard(setup, &mut turn));
        let emits = emits(setup, &taker, &turn, now);
        let dead_letters = dead_letters(taker.cell, taker.version + 1, dead, now);
        let lines = self.lines(&taker, &turn, &dead_letters, lines, now);
        let wakes = !emits.is_empty() || turn.timers.iter().any(|(_, due)| due.is_some());
        Prepared {
            wakes,
            write: Some(TurnWrite {
                cell: taker.cell,
                program: taker.program.flow.name.clone(),
                program_hash: taker.program.hash,
                key: taker.key,
                keyed: taker.keyed,
                epoch: taker.epoch,
                expects: taker.version,
                opened_by: taker.opened_by,
                status: status_of(turn.closed),
                state: turn.state.write(),
                at: now,
                body,
                consumes: Vec::new(),
                timers: turn.timers,
                aliases,
                effects,
                cancels: turn.cancels,
                items: lines_of(turn.items),
                counters: Vec::new(),
            }),
            emits,
            dead_letters,
            launches,
            queued,
            said: turn.said,
            lines,
        }
    }

    /// Chooses connections for what a turn sends, asks the gate, and takes slots.
    async fn outgoing(
        &self,
        setup: &Setup,
        taker: &Taker,
        turn: &mut Turn,
        shadow: bool,
        now: Time,
    ) -> Outgoing {
        let mut out = Outgoing {
            dead: std::mem::take(&mut turn.dead_letters),
            ..Outgoing::default()
        };
        let guests = std::mem::take(&mut turn.guests);
        for mut draft in std::mem::take(&mut turn.effects) {
            let draft = &mut draft;
            draft.shadow = shadow;
            draft.args["hop"] = json!(taker.hop.saturating_add(1));
            draft.args["flow"] = json!(taker.program.flow.name);
            let Some(lane) = self.lane_of(setup, draft) else {
                if !shadow {
                    out.dead.push(no_connection(draft));
                }
                continue;
            };
            let reader = draft.person.as_deref();
            let reader = reader.and_then(|id| setup.directory.people.get(id).or(guests.get(id)));
            let (write, slot) = self.effect_write(reader, taker, draft, &lane, now).await;
            match (write.state, slot) {
                (EffectState::Started, Some(slot)) => out.launches.push(Launch {
                    lane: Arc::clone(&lane),
                    slot,
                    job: job_of(draft, taker, &write, &lane, now),
                }),
                (EffectState::Queued | EffectState::Held, _) => out.queued.push(Arc::clone(&lane)),
                _ => {}
            }
            out.lines.push(said_of(&write));
            out.effects.push(write);
        }
        out
    }

    /// Whether nothing of this turn may be sent: its run began in shadow, or its flow is in shadow
    /// now. What a run in shadow says starts no other flow; its lists are in shadow as well.
    fn keep_silent(&self, setup: &Setup, taker: &Taker, turn: &mut Turn) -> bool {
        let now = setup.flows.is_shadow(&taker.program.flow.name);
        turn.state.shadow |= now && taker.version == 0;
        let silent = now || turn.state.shadow;
        if silent {
            turn.emits.retain(|emitted| is_line(&emitted.kind));
        }
        silent
    }

    fn lane_of(&self, setup: &Setup, draft: &EffectDraft) -> Option<Arc<Lane>> {
        let name = match &draft.via {
            Via::Source(source, role)
                if setup
                    .links
                    .get(source)
                    .is_some_and(|link| link.action(*role).is_some()) =>
            {
                source
            }
            Via::Role(role) | Via::Source(_, role) => setup.roles.get(role)?,
            Via::Only(name, role) => setup.links.get(name)?.action(*role).map(|_| name)?,
        };
        self.lane(name)
    }

    async fn effect_write(
        &self,
        person: Option<&Person>,
        taker: &Taker,
        draft: &mut EffectDraft,
        lane: &Arc<Lane>,
        now: Time,
    ) -> (EffectWrite, Option<OwnedSemaphorePermit>) {
        let gated = Gated {
            role: draft.role(),
            importance: draft.importance,
            expires_at: draft.expires_at,
            person,
            replaces: None,
        };
        let mut write = EffectWrite {
            id: draft.id,
            role: draft.role(),
            lane: lane.name.clone(),
            order_key: draft.order,
            person: draft.person.clone(),
            state: EffectState::Queued,
            owner: None,
            not_before: None,
            expires_at: draft.expires_at,
            cancel_key: draft.cancel_key.clone(),
            reports: draft.reports,
            args: fitting(&mut draft.args).into(),
            reason: None,
            at: now,
        };
        let mut slot = None;
        let verdict = match (draft.shadow, draft.listed) {
            (true, _) => Verdict::Suppress { reason: SHADOW },
            (_, true) => Verdict::Suppress { reason: "on_list" },
            _ => gate(&gated, now),
        };
        match verdict {
            Verdict::Send => {
                // Only a cell's first effects can know that nothing of their order is in flight.
                let free = draft.order.is_none() || taker.version == 0;
                if free && draft.after.is_none() {
                    slot = lane.admit().await;
                }
                if slot.is_some() {
                    write.state = EffectState::Started;
                    write.owner = Some(self.owner());
                }
            }
            Verdict::Hold { until, reason } => {
                write.state = EffectState::Held;
                write.not_before = Some(self.transport_at(until));
                write.reason = Some(reason.to_owned());
            }
            Verdict::Suppress { reason } => {
                write.state = EffectState::Suppressed;
                write.reason = Some(reason.to_owned());
            }
            Verdict::Expire => write.state = EffectState::Expired,
        }
        (write, slot)
    }

    /// The transport time at which flow time will be `due`.
    pub(crate) fn transport_at(&self, due: Time) -> Time {
        self.transport_now() + self.inner.parts.flow_clock.real_delay(due)
    }

    fn lines(
        &self,
        taker: &Taker,
        turn: &Turn,
        dead: &[DeadLetterWrite],
        effects: Vec<(LiveKind, Vec<String>)>,
        now: Time,
    ) -> Vec<LiveLine> {
        if !self.inner.parts.live.watched() {
            return Vec::new();
        }
        let line = |kind, words| LiveLine {
            at: now,
            kind,
            words,
            run: Some(taker.cell),
            event: None,
        };
        let flow = taker.program.flow.name.clone();
        let mut lines = Vec::new();
        if taker.version == 0 {
            lines.push(line(
                LiveKind::RunBegan,
                vec![flow.clone(), taker.key.clone()],
            ));
        }
        for note in turn.notes.iter().filter(|note| note.what == "decided") {
            let choice = note.why.clone().unwrap_or_default();
            lines.push(line(
                LiveKind::Decision,
                vec![
                    note.person.clone().unwrap_or_default(),
                    choice,
                    taker.key.clone(),
                ],
            ));
        }
        lines.extend(effects.into_iter().map(|(kind, words)| line(kind, words)));
        lines.extend(
            dead.iter()
                .map(|dead| line(LiveKind::DeadLetter, vec![dead.code.clone()])),
        );
        if turn.closed {
            lines.push(line(LiveKind::RunEnded, vec![flow, taker.key.clone()]));
        }
        lines
    }
}

pub(crate) fn journal(
    setup: &Setup,
    notes: &[Note],
    said: Option<&TurnSaid>,
    input: &Json,
    effects: Vec<Id>,
    now: Time,
) -> Vec<u8> {
    let entry = Entry {
        v: 1,
        at: now,
        input,
        notes,
        effects,
        said: said.filter(|said| !matches!(said, TurnSaid::Began { .. })),
        set: setup.flows.version(),
        dir: setup.directory.version,
    };
    serde_json::to_vec(&entry).unwrap_or_default()
}

fn status_of(closed: bool) -> CellStatus {
    if closed {
        CellStatus::Closed
    } else {
        CellStatus::Open
    }
}

/// The lines of a list that a turn changes.
fn lines_of(lines: Vec<(String, Option<String>)>) -> Vec<ItemWrite> {
    let item = |(key, value)| ItemWrite {
        window: LINES.to_owned(),
        key,
        value,
    };
    lines.into_iter().map(item).collect()
}

/// What is said of a draft that no connection can take.
fn no_connection(draft: &EffectDraft) -> Dead {
    let reason = match &draft.via {
        Via::Only(name, _) => format!("no connection `{name}` is set up that takes requests"),
        _ => {
            let role = role_word(draft.role());
            format!("no connection is set up that can {role}: connect one, then retry")
        }
    };
    Dead::new("no_connection", reason)
}

/// What an effect says on the live feed.
fn said_of(write: &EffectWrite) -> (LiveKind, Vec<String>) {
    let person = write.person.clone().unwrap_or_default();
    let words = [role_word(write.role), &person, write.state.word()];
    (LiveKind::Notification, words.map(str::to_owned).to_vec())
}

/// Dead letters with ids of their own, so that the same turn decided again writes them once.
pub(crate) fn dead_letters(
    cell: CellId,
    turn: u64,
    dead: Vec<Dead>,
    now: Time,
) -> Vec<DeadLetterWrite> {
    let version = turn.to_be_bytes();
    let numbered = dead.into_iter().enumerate();
    let letter = |(index, dead): (usize, Dead)| DeadLetterWrite {
        id: Id::derive(
            now,
            &[cell.bytes(), &version, b"dead", &index.to_be_bytes()],
        ),
        cell: Some(cell),
        effect: dead.effect,
        event: None,
        code: dead.code,
        reason: dead.reason,
        at: now,
    };
    numbered.map(letter).collect()
}

fn job_of(
    draft: &mut EffectDraft,
    taker: &Taker,
    write: &EffectWrite,
    lane: &Arc<Lane>,
    now: Time,
) -> Job {
    Job {
        effect: write.id,
        cell: taker.cell,
        role: write.role,
        lane: lane.name.clone(),
        person: write.person.clone(),
        attempt: 1,
        args: Arc::new(std::mem::take(&mut draft.args)),
        saved: None,
        reports: write.reports,
        ordered: write.order_key.is_some(),
        expires_at: write.expires_at,
        made_at: now,
    }
}

pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Push => "push",
        Role::Mail => "mail",
        Role::Reply => "reply",
        Role::Label => "label",
        Role::Http => "http",
    }
}

/// A reference to an event for the journal: by position, or by its key when it is only arriving.
pub(crate) fn event_input(event: &Event) -> Json {
    if event.position > 0 {
        return json!({ "event": event.position, "type": event.envelope.kind });
    }
    let key = bellwether_model::id::hex(&event.envelope.seen_key());
    json!({ "key": key, "type": event.envelope.kind })
}
