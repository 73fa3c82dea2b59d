//! Changes of effects: a plan that only reads and checks every guard, then the writes. How effects
//! are born is in `turn`, how they are listed in `read`.

use bellwether_engine::store::{EffectState, EffectUpdate, Owner};
use bellwether_model::connector::Role;
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension, Result, Row};

use super::book::Book;
use super::change::{Change, Standing};
use super::member::json;

/// The number under which a role is stored.
pub(super) fn role_code(role: Role) -> u8 {
    match role {
        Role::Push => 0,
        Role::Mail => 1,
        Role::Reply => 2,
        Role::Label => 3,
        Role::Http => 4,
    }
}

/// The reverse of [`role_code`]; an unknown number reads as a label, which reaches nobody.
pub(super) fn role_of(code: u8) -> Role {
    match code {
        0 => Role::Push,
        1 => Role::Mail,
        2 => Role::Reply,
        3 => Role::Label,
        _ => Role::Http,
    }
}

/// The columns that guards and transitions work on.
#[derive(Clone, Debug)]
pub(super) struct Hot {
    id: Id,
    cell: CellId,
    program: i64,
    role: u8,
    state: EffectState,
    attempt: u32,
    owner: Option<Owner>,
    not_before: Option<Time>,
    delivery: Delivery,
    engagement: Engagement,
    changed_at: Time,
}

impl Hot {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: Id(row.get(0)?),
            cell: Id(row.get(1)?),
            program: row.get(2)?,
            role: row.get(3)?,
            state: EffectState::from_code(row.get(4)?),
            attempt: row.get(5)?,
            owner: row.get::<_, Option<[u8; 16]>>(6)?.map(|id| Owner(Id(id))),
            not_before: row.get::<_, Option<i64>>(7)?.map(Time),
            delivery: Delivery::from_code(row.get(8)?),
            engagement: Engagement::from_code(row.get(9)?),
            changed_at: Time(row.get(10)?),
        })
    }

    fn standing(&self) -> Standing {
        Standing {
            state: self.state.code(),
            delivery: self.delivery.code(),
        }
    }

    fn waiting(&self) -> bool {
        matches!(self.state, EffectState::Queued | EffectState::Held)
    }

    fn held_by(&self, attempt: u32, owner: Owner) -> bool {
        self.state == EffectState::Started && self.attempt == attempt && self.owner == Some(owner)
    }

    fn become_at(&mut self, state: EffectState, at: Time) {
        self.state = state;
        self.changed_at = self.changed_at.max(at);
    }
}

/// One checked change: the row before and after.
#[derive(Debug)]
pub(super) struct Planned {
    before: Hot,
    after: Hot,
}

fn one(conn: &Connection, id: EffectId) -> Result<Option<Hot>> {
    conn.prepare_cached(
        "SELECT id, cell, program, role, state, attempt, owner, not_before, delivery, engagement,
           changed_at FROM effect WHERE id = ?1",
    )?
    .query_row([id.bytes()], Hot::read)
    .optional()
}

/// Checks every update against the rows (and against the updates before it in the same member).
/// None when a guard does not hold. The plan has one entry per update; None where there is
/// nothing to write.
pub(super) fn plan(
    conn: &Connection,
    updates: &[EffectUpdate],
) -> Result<Option<Vec<Option<Planned>>>> {
    let mut planned: Vec<Option<Planned>> = Vec::with_capacity(updates.len());
    for update in updates {
        let Some(id) = id_of(update) else {
            planned.push(None);
            continue;
        };
        let in_hand = planned
            .iter()
            .rev()
            .flatten()
            .find(|p| p.after.id == id)
            .map(|p| p.after.clone());
        let before = match in_hand {
            Some(row) => Some(row),
            None => one(conn, id)?,
        };
        let Some(before) = before else {
            // A report about an effect that was pruned says nothing any more.
            if matches!(update, EffectUpdate::Report { .. }) {
                planned.push(None);
                continue;
            }
            return Ok(None);
        };
        let mut after = before.clone();
        if !step(&mut after, update) {
            return Ok(None);
        }
        planned.push(Some(Planned { before, after }));
    }
    Ok(Some(planned))
}

fn id_of(update: &EffectUpdate) -> Option<EffectId> {
    match update {
        EffectUpdate::Claim { id, .. }
        | EffectUpdate::Hold { id, .. }
        | EffectUpdate::Suppress { id, .. }
        | EffectUpdate::Expire { id, .. }
        | EffectUpdate::Save { id, .. }
        | EffectUpdate::Done { id, .. }
        | EffectUpdate::Retry { id, .. }
        | EffectUpdate::Fail { id, .. }
        | EffectUpdate::Maybe { id, .. }
        | EffectUpdate::Adopt { id, .. }
        | EffectUpdate::Report { id, .. }
        | EffectUpdate::Requeue { id, .. } => Some(*id),
        EffectUpdate::Release { .. } => None,
    }
}

/// The instant that an update names.
pub(super) fn at(update: &EffectUpdate) -> Option<Time> {
    match update {
        EffectUpdate::Claim { at, .. }
        | EffectUpdate::Hold { at, .. }
        | EffectUpdate::Suppress { at, .. }
        | EffectUpdate::Expire { at, .. }
        | EffectUpdate::Done { at, .. }
        | EffectUpdate::Retry { at, .. }
        | EffectUpdate::Fail { at, .. }
        | EffectUpdate::Maybe { at, .. }
        | EffectUpdate::Report { at, .. }
        | EffectUpdate::Requeue { at, .. }
        | EffectUpdate::Release { at, .. } => Some(*at),
        EffectUpdate::Save { .. } | EffectUpdate::Adopt { .. } => None,
    }
}

/// Takes one step of an effect's life; false when its guard does not hold.
fn step(row: &mut Hot, update: &EffectUpdate) -> bool {
    match update {
        EffectUpdate::Claim {
            attempt, owner, at, ..
        } => {
            if !row.waiting() || row.attempt != *attempt {
                return false;
            }
            row.attempt += 1;
            row.owner = Some(*owner);
            row.not_before = None;
            row.become_at(EffectState::Started, *at);
        }
        EffectUpdate::Hold { until, at, .. } => {
            if !row.waiting() {
                return false;
            }
            row.not_before = *until;
            row.become_at(EffectState::Held, *at);
        }
        EffectUpdate::Suppress { at, .. } => {
            if !row.waiting() {
                return false;
            }
            row.not_before = None;
            row.become_at(EffectState::Suppressed, *at);
        }
        EffectUpdate::Expire { at, .. } => {
            if !row.waiting() {
                return false;
            }
            row.not_before = None;
            row.delivery = row.delivery.merge(Delivery::Expired);
            row.become_at(EffectState::Expired, *at);
        }
        EffectUpdate::Save { attempt, owner, .. } => return row.held_by(*attempt, *owner),
        EffectUpdate::Adopt {
            attempt,
            was,
            owner,
            ..
        } => {
            if !row.held_by(*attempt, *was) {
                return false;
            }
            row.owner = Some(*owner);
        }
        EffectUpdate::Report {
            delivery,
            engagement,
            at,
            ..
        } => {
            row.delivery = delivery.map_or(row.delivery, |d| row.delivery.merge(d));
            row.engagement = engagement.map_or(row.engagement, |e| row.engagement.merge(e));
            row.changed_at = row.changed_at.max(*at);
        }
        EffectUpdate::Requeue { at, .. } => return requeue(row, *at),
        EffectUpdate::Done { .. }
        | EffectUpdate::Retry { .. }
        | EffectUpdate::Fail { .. }
        | EffectUpdate::Maybe { .. } => return outcome(row, update),
        EffectUpdate::Release { .. } => {}
    }
    true
}

fn requeue(row: &mut Hot, at: Time) -> bool {
    if !matches!(
        row.state,
        EffectState::Failed | EffectState::Maybe | EffectState::Expired
    ) {
        return false;
    }
    // What the attempts before said is over, unless a receipt from the device says otherwise.
    if row.delivery != Delivery::Delivered {
        row.delivery = Delivery::Queued;
    }
    row.owner = None;
    row.not_before = None;
    row.become_at(EffectState::Queued, at);
    true
}

/// What an attempt came to. Only its owner may say so; `Done` also settles a `maybe`.
fn outcome(row: &mut Hot, update: &EffectUpdate) -> bool {
    match update {
        EffectUpdate::Done {
            attempt,
            owner,
            delivery,
            at,
            ..
        } => {
            if !row.held_by(*attempt, *owner) && row.state != EffectState::Maybe {
                return false;
            }
            row.delivery = row.delivery.merge(*delivery);
            row.become_at(EffectState::Done, *at);
        }
        EffectUpdate::Retry {
            attempt,
            owner,
            not_before,
            at,
            ..
        } => {
            if !row.held_by(*attempt, *owner) {
                return false;
            }
            row.owner = None;
            row.not_before = Some(*not_before);
            row.become_at(EffectState::Queued, *at);
        }
        EffectUpdate::Fail {
            attempt, owner, at, ..
        } => {
            if !row.held_by(*attempt, *owner) {
                return false;
            }
            row.delivery = row.delivery.merge(Delivery::Failed);
            row.become_at(EffectState::Failed, *at);
        }
        EffectUpdate::Maybe {
            attempt, owner, at, ..
        } => {
            if !row.held_by(*attempt, *owner) {
                return false;
            }
            row.delivery = row.delivery.merge(Delivery::MaybeSent);
            row.become_at(EffectState::Maybe, *at);
        }
        _ => return false,
    }
    true
}

/// The texts that an update brings; None leaves what is there.
#[derive(Debug, Default)]
struct Texts<'a> {
    saved: Option<String>,
    reference: Option<&'a str>,
    failure: Option<String>,
    reason: Option<&'a str>,
    args: Option<&'a str>,
}

fn texts(update: &EffectUpdate) -> Result<Texts<'_>> {
    let mut texts = Texts::default();
    match update {
        EffectUpdate::Hold { reason, .. } | EffectUpdate::Suppress { reason, .. } => {
            texts.reason = Some(reason);
        }
        EffectUpdate::Save { saved, .. } => texts.saved = Some(json(saved)?),
        EffectUpdate::Done { reference, .. } => texts.reference = reference.as_deref(),
        EffectUpdate::Retry { failure, .. }
        | EffectUpdate::Fail { failure, .. }
        | EffectUpdate::Maybe { failure, .. } => texts.failure = Some(json(failure)?),
        EffectUpdate::Requeue { args, .. } => texts.args = args.as_deref(),
        _ => {}
    }
    Ok(texts)
}

/// Writes what was planned, in order.
pub(super) fn write(
    conn: &Connection,
    book: &mut Book,
    planned: &[Option<Planned>],
    updates: &[EffectUpdate],
) -> Result<()> {
    for (plan, update) in planned.iter().zip(updates) {
        if let EffectUpdate::Release { lane, at } = update {
            release(conn, book, lane, *at)?;
        }
        let Some(Planned { before, after }) = plan else {
            continue;
        };
        if before.state == after.state && before.not_before == after.not_before {
            note(conn, after, &texts(update)?)?;
        } else {
            transition(conn, after, &texts(update)?)?;
        }
        moved(book, before, after);
        if let EffectUpdate::Done { aliases, .. } = update {
            for name in aliases {
                alias(conn, &name.key(), after.cell.bytes())?;
            }
        }
    }
    Ok(())
}

/// The latest cell that takes a name has it.
pub(super) fn alias(conn: &Connection, key: &[u8; 16], cell: &[u8; 16]) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO alias (key, cell) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET cell = excluded.cell",
    )?
    .execute((key, cell))?;
    Ok(())
}

fn moved(book: &mut Book, before: &Hot, after: &Hot) {
    if before.standing() != after.standing() {
        book.log.push(Change::Moved {
            id: after.id,
            program: after.program,
            role: after.role,
            from: before.standing(),
            to: after.standing(),
        });
    }
}

/// A change that the lane's index does not see.
fn note(conn: &Connection, row: &Hot, texts: &Texts<'_>) -> Result<()> {
    conn.prepare_cached(
        "UPDATE effect SET owner = ?2, delivery = ?3, engagement = ?4, changed_at = ?5,
           saved = coalesce(?6, saved), reason = coalesce(?7, reason),
           reference = coalesce(?8, reference) WHERE id = ?1",
    )?
    .execute((
        row.id.bytes(),
        row.owner.map(|o| o.0.0),
        row.delivery.code(),
        row.engagement.code(),
        row.changed_at.0,
        &texts.saved,
        texts.reason,
        texts.reference,
    ))?;
    Ok(())
}

fn transition(conn: &Connection, row: &Hot, texts: &Texts<'_>) -> Result<()> {
    conn.prepare_cached(
        "UPDATE effect SET state = ?2, attempt = ?3, owner = ?4, not_before = ?5, delivery = ?6,
           engagement = ?7, changed_at = ?8, reason = coalesce(?9, reason),
           reference = coalesce(?10, reference), failure = coalesce(?11, failure),
           args = coalesce(?12, args) WHERE id = ?1",
    )?
    .execute((
        row.id.bytes(),
        row.state.code(),
        row.attempt,
        row.owner.map(|o| o.0.0),
        row.not_before.map(|t| t.0),
        row.delivery.code(),
        row.engagement.code(),
        row.changed_at.0,
        texts.reason,
        texts.reference,
        &texts.failure,
        texts.args,
    ))?;
    Ok(())
}

fn release(conn: &Connection, book: &mut Book, lane: &str, at: Time) -> Result<()> {
    let Some(lane) = book.known(conn, lane)? else {
        return Ok(());
    };
    let mut statement = conn.prepare_cached(RELEASED)?;
    let held = statement
        .query_map([lane], Hot::read)?
        .collect::<Result<Vec<_>>>()?;
    for before in held {
        let mut after = before.clone();
        after.become_at(EffectState::Queued, at);
        transition(conn, &after, &Texts::default())?;
        moved(book, &before, &after);
    }
    Ok(())
}

const RELEASED: &str =
    "SELECT id, cell, program, role, state, attempt, owner, not_before, delivery,
  engagement, changed_at FROM effect WHERE lane = ?1 AND state = 5
  AND (state = 0 OR state = 1 OR state = 5) AND not_before IS NULL";
