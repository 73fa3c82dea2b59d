//! Lists of notifications and dead letters. Titles are read from the effects' own arguments: they
//! are personal data and stand nowhere else.

use bellwether_engine::store::{DeadLetterRow, EffectState, ListQuery, NotificationRow, Page};
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::Deserialize;
use serde_json::Value;

use super::read::{cap, parse, uint};
use super::views::{PAGE_MAX, before, cut, empty, word};

/// The numbers that a status word stands for: of states, and of deliveries; −1 for none.
fn codes(status: Option<&str>) -> Option<(i64, i64)> {
    let Some(status) = status else {
        return Some((-1, -1));
    };
    let state = EffectState::ALL
        .iter()
        .position(|(_, word)| *word == status)
        .map_or(-1, |n| i64::try_from(n).unwrap_or(-1));
    let delivery = (0..=8u8)
        .find(|code| {
            serde_json::to_value(Delivery::from_code(*code)).is_ok_and(|word| word == status)
        })
        .map_or(-1, i64::from);
    (state >= 0 || delivery >= 0).then_some((state, delivery))
}

pub(super) fn notifications(conn: &Connection, query: &ListQuery) -> Result<Page<NotificationRow>> {
    let limit = query.limit.min(PAGE_MAX);
    let Some((state, delivery)) = codes(query.status.as_deref()) else {
        return Ok(empty());
    };
    let program = match word(conn, query.flow.as_ref())? {
        Some(None) => return Ok(empty()),
        Some(program) => program,
        None => None,
    };
    let any = query.status.is_none();
    let before = before(query.after.as_ref());
    let most = cap(limit + 1, PAGE_MAX + 1);
    let (ids, total) = match &query.person {
        Some(person) => {
            let ids = conn
                .prepare_cached(
                    "SELECT n.id FROM view_person AS p CROSS JOIN view_notification AS n
                       ON n.id = p.id
                     WHERE p.person = ?1 AND p.id < ?2 AND (?3 IS NULL OR n.program = ?3)
                       AND (?4 OR n.state = ?5 OR n.delivery = ?6)
                     ORDER BY p.id DESC LIMIT ?7",
                )?
                .query_map(
                    (person, before.bytes(), program, any, state, delivery, most),
                    |row| row.get(0).map(Id),
                )?
                .collect::<Result<Vec<Id>>>()?;
            let total = conn
                .prepare_cached(
                    "SELECT count(*) FROM view_person AS p CROSS JOIN view_notification AS n
                       ON n.id = p.id
                     WHERE p.person = ?1 AND (?2 IS NULL OR n.program = ?2)
                       AND (?3 OR n.state = ?4 OR n.delivery = ?5)",
                )?
                .query_row((person, program, any, state, delivery), |row| uint(row, 0))?;
            (ids, total)
        }
        None => {
            let ids = conn
                .prepare_cached(
                    "SELECT id FROM view_notification
                     WHERE id < ?1 AND (?2 IS NULL OR program = ?2)
                       AND (?3 OR state = ?4 OR delivery = ?5)
                     ORDER BY id DESC LIMIT ?6",
                )?
                .query_map(
                    (before.bytes(), program, any, state, delivery, most),
                    |row| row.get(0).map(Id),
                )?
                .collect::<Result<Vec<Id>>>()?;
            (ids, total(conn, program, any, state, delivery)?)
        }
    };
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        items.extend(notification(conn, id)?);
    }
    let next = cut(&mut items, limit, |row| row.id.to_string());
    Ok(Page { total, items, next })
}

/// A total over programs, states and deliveries; labels are no notifications.
fn total(
    conn: &Connection,
    program: Option<i64>,
    any: bool,
    state: i64,
    delivery: i64,
) -> Result<u64> {
    conn.prepare_cached(
        "SELECT coalesce(sum(n), 0) FROM tally
         WHERE what = 3 AND (?1 IS NULL OR a = ?1) AND b / 256 <> 3
           AND (?2 OR (b / 16) % 16 = ?3 OR b % 16 = ?4)",
    )?
    .query_row((program, any, state, delivery), |row| uint(row, 0))
}

fn notification(conn: &Connection, id: Id) -> Result<Option<NotificationRow>> {
    conn.prepare_cached(
        "SELECT cell, (SELECT text FROM word WHERE id = program), role,
           (SELECT text FROM word WHERE id = lane), person, state, delivery, engagement, attempt,
           args, reference, failure, made_at, changed_at FROM effect WHERE id = ?1",
    )?
    .query_row([id.bytes()], |row| notification_row(id, row))
    .optional()
}

fn notification_row(id: Id, row: &Row<'_>) -> Result<NotificationRow> {
    let failure: Option<Failure> = match row.get_ref(11)?.as_str_or_null()? {
        Some(text) => Some(parse(11, text)?),
        None => None,
    };
    Ok(NotificationRow {
        id,
        run: Id(row.get(0)?),
        flow: row.get(1)?,
        channel: match row.get::<_, u8>(2)? {
            0 => "push",
            1 => "mail",
            2 => "reply",
            _ => "http",
        },
        connection: row.get(3)?,
        person: row.get(4)?,
        state: EffectState::from_code(row.get(5)?).word(),
        delivery: Delivery::from_code(row.get(6)?),
        engagement: Engagement::from_code(row.get(7)?),
        attempts: row.get(8)?,
        title: title(row.get_ref(9)?.as_str()?),
        reference: row.get(10)?,
        failure: failure.map(|f| f.message),
        made_at: Time(row.get(12)?),
        changed_at: Time(row.get(13)?),
    })
}

/// The parts of arguments that people recognise a notification by.
#[derive(Deserialize)]
struct Named {
    title: Option<Value>,
    subject: Option<Value>,
    r#type: Option<Value>,
}

/// What people recognise a notification by; empty when its arguments name nothing.
pub(super) fn title(args: &str) -> String {
    let Ok(named) = serde_json::from_str::<Named>(args) else {
        return String::new();
    };
    match named.title.or(named.subject).or(named.r#type) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

pub(super) fn dead_letter(conn: &Connection, id: Id) -> Result<Option<DeadLetterRow>> {
    conn.prepare_cached(
        "SELECT d.id, d.cell, d.effect, d.event, d.code, d.reason, d.at, d.settled_at, effect.person
         FROM dead_letter AS d LEFT JOIN effect ON effect.id = d.effect WHERE d.id = ?1",
    )?
    .query_row((id.bytes(),), letter_row)
    .optional()
}

pub(super) fn dead_letters(conn: &Connection, query: &ListQuery) -> Result<Page<DeadLetterRow>> {
    let limit = query.limit.min(PAGE_MAX);
    let settled = match query.status.as_deref() {
        None => None,
        Some("open") => Some(false),
        Some("settled") => Some(true),
        Some(_) => return Ok(empty()),
    };
    let program = match word(conn, query.flow.as_ref())? {
        Some(None) => return Ok(empty()),
        Some(program) => program,
        None => None,
    };
    let before = before(query.after.as_ref());
    let mut items = conn
        .prepare_cached(
            "SELECT d.id, d.cell, d.effect, d.event, d.code, d.reason, d.at, d.settled_at,
                    effect.person
             FROM dead_letter AS d LEFT JOIN cell ON cell.id = d.cell
               LEFT JOIN effect ON effect.id = d.effect
             WHERE (?1 IS NULL OR cell.program = ?1) AND (?2 IS NULL OR effect.person = ?2)
               AND (?3 IS NULL OR (d.settled_at IS NOT NULL) = ?3) AND d.id < ?4
             ORDER BY d.id DESC LIMIT ?5",
        )?
        .query_map(
            (
                program,
                &query.person,
                settled,
                before.bytes(),
                cap(limit + 1, PAGE_MAX + 1),
            ),
            letter_row,
        )?
        .collect::<Result<Vec<_>>>()?;
    let total = conn
        .prepare_cached(
            "SELECT count(*) FROM dead_letter AS d LEFT JOIN cell ON cell.id = d.cell
               LEFT JOIN effect ON effect.id = d.effect
             WHERE (?1 IS NULL OR cell.program = ?1) AND (?2 IS NULL OR effect.person = ?2)
               AND (?3 IS NULL OR (d.settled_at IS NOT NULL) = ?3)",
        )?
        .query_row((program, &query.person, settled), |row| uint(row, 0))?;
    let next = cut(&mut items, limit, |row| row.id.to_string());
    Ok(Page { total, items, next })
}

fn letter_row(row: &Row<'_>) -> Result<DeadLetterRow> {
    let id = |column| -> Result<Option<Id>> {
        row.get::<_, Option<[u8; 16]>>(column).map(|id| id.map(Id))
    };
    Ok(DeadLetterRow {
        id: Id(row.get(0)?),
        run: id(1)?,
        effect: id(2)?,
        event: row.get(3)?,
        code: row.get(4)?,
        reason: row.get(5)?,
        at: Time(row.get(6)?),
        settled_at: row.get::<_, Option<i64>>(7)?.map(Time),
        person: row.get(8)?,
    })
}
