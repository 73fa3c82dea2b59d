//! One member of a commit: first all its checks, which only read, then all its writes. A member
//! whose checks fail has written nothing, so no savepoint is needed.

use bellwether_engine::store::{DeadLetterWrite, EventWrite, LedgerState, Member, Verdict};
use bellwether_model::event::{Alias, Cause, Position};
use bellwether_model::id::Id;
use bellwether_model::time::Time;
use rusqlite::{Connection, Result};
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::change::Change;
use super::read::int;
use super::seen::Seen;
use super::{effect, inlet, register, turn};

/// The column of `ledger_count` that counts events which a flow took.
pub(super) const MATCHED: u8 = 5;

/// The rare parts of an envelope, stored together.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Extra {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) case: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<Alias>,
}

/// Checks and writes one member within the running transaction. An error is the database's: the
/// caller takes the whole transaction back.
pub(super) fn apply(conn: &Connection, book: &mut Book, member: &Member) -> Result<Verdict> {
    let Some(changes) = effect::plan(conn, &member.effects)? else {
        return stale(conn, book, member);
    };
    let cells = match turn::check(conn, book, &member.turns)? {
        turn::Checked::Fresh(cells) => cells,
        turn::Checked::Stale => return stale(conn, book, member),
        turn::Checked::Wrong(why) => return Ok(Verdict::Refused(why)),
    };
    let full = register::is_full(conn, &member.register)?;
    if full && member.arrival.is_none() && member.routed.is_none() {
        return Ok(Verdict::Refused(register::FULL.to_owned()));
    }
    let mut positions = Vec::with_capacity(usize::from(member.arrival.is_some()));
    // From here on everything writes. The seen key comes first: if it is there already, the
    // member changes nothing.
    if let Some(arrival) = &member.arrival {
        let position = match record(conn, book, arrival)? {
            Recorded::New(position) => position,
            Recorded::Before(duplicate) => return Ok(duplicated(book, duplicate)),
        };
        positions.push(position);
    }
    let here = positions.first().copied().or(member.routed);
    if let Some(position) = member.routed {
        conn.prepare_cached("DELETE FROM route WHERE position = ?1")?
            .execute([position])?;
    }
    if let (true, Some(position)) = (member.unrouted, positions.first()) {
        unrouted(conn, *position)?;
    }
    effect::write(conn, book, &changes, &member.effects)?;
    for (write, cell) in member.turns.iter().zip(&cells) {
        turn::write(conn, book, write, cell, here)?;
    }
    if let Some(position) = here {
        for cell in &member.deliveries {
            conn.prepare_cached("INSERT OR IGNORE INTO inbox (cell, position) VALUES (?1, ?2)")?
                .execute((cell.bytes(), position))?;
        }
    }
    for emit in &member.emits {
        positions.push(emitted(conn, book, emit)?);
    }
    if let Some(entry) = &member.ledger {
        let matched = member.arrival.as_ref().is_some_and(|a| a.matched > 0);
        inlet::settle(
            conn,
            book,
            entry,
            matched && entry.state == LedgerState::Event,
        )?;
    }
    letters(conn, book, member, here)?;
    if full {
        let letter = register::letter(member, here);
        write_letter(conn, &letter, here)?;
        book.log.push(Change::DeadLetters(1));
    } else {
        register::write(conn, &member.register)?;
    }
    Ok(Verdict::Done(positions))
}

/// A stale member whose arrival was seen before is first of all a duplicate: deciding again would
/// only find that out.
fn stale(conn: &Connection, book: &mut Book, member: &Member) -> Result<Verdict> {
    if let Some(arrival) = &member.arrival
        && let Some(seen) = book.seen.find(conn, &arrival.event.seen_key())?
    {
        let body_hash = arrival.event.body_hash(&arrival.text);
        return Ok(duplicated(book, repeat(seen, body_hash)));
    }
    Ok(Verdict::Stale)
}

fn duplicated(book: &mut Book, verdict: Verdict) -> Verdict {
    book.duplicates += 1;
    verdict
}

fn repeat(seen: Seen, body_hash: [u8; 16]) -> Verdict {
    Verdict::Duplicate {
        position: seen.position,
        same_body: seen.body_hash == body_hash,
    }
}

enum Recorded {
    New(Position),
    Before(Verdict),
}

/// Records an event with its seen key, unless that key is there.
fn record(conn: &Connection, book: &mut Book, write: &EventWrite) -> Result<Recorded> {
    let event = &write.event;
    let (key, body_hash) = (event.seen_key(), event.body_hash(&write.text));
    if let Some(seen) = book.seen.find(conn, &key)? {
        return Ok(Recorded::Before(repeat(seen, body_hash)));
    }
    let position = book.position();
    book.seen.add(
        key,
        Seen {
            position,
            body_hash,
        },
    );
    let kind = book.word(conn, &event.kind)?;
    let source = book.word(conn, &event.source)?;
    conn.prepare_cached(
        "INSERT INTO event (position, source, kind, received_at, happened_at, flow_set, directory,
           matched, hop, id, subject, extra, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?
    .execute((
        position,
        source,
        kind,
        write.received_at.0,
        event.time.0,
        int(write.flow_set),
        int(write.directory),
        write.matched,
        event.hop,
        &event.id,
        &event.subject,
        extra(write)?,
        &write.text,
    ))?;
    book.log.push(Change::Event { kind, position });
    Ok(Recorded::New(position))
}

fn extra(write: &EventWrite) -> Result<Option<String>> {
    let event = &write.event;
    if event.case.is_none()
        && event.cause.is_none()
        && event.traceparent.is_none()
        && event.aliases.is_empty()
    {
        return Ok(None);
    }
    json(&Extra {
        case: event.case.clone(),
        cause: event.cause.clone(),
        traceparent: event.traceparent.clone(),
        aliases: event.aliases.clone(),
    })
    .map(Some)
}

/// A value as the JSON text that is stored.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

/// An emitted event is unrouted until a later member says that it was matched. The same event
/// emitted again is the one that stands there.
fn emitted(conn: &Connection, book: &mut Book, write: &EventWrite) -> Result<Position> {
    match record(conn, book, write)? {
        Recorded::New(position) => {
            unrouted(conn, position)?;
            Ok(position)
        }
        Recorded::Before(Verdict::Duplicate { position, .. }) => Ok(position),
        Recorded::Before(_) => Ok(0),
    }
}

fn unrouted(conn: &Connection, position: Position) -> Result<()> {
    conn.prepare_cached("INSERT INTO route (position) VALUES (?1)")?
        .execute([position])
        .map(|_| ())
}

fn letters(
    conn: &Connection,
    book: &mut Book,
    member: &Member,
    here: Option<Position>,
) -> Result<()> {
    for letter in &member.dead_letters {
        write_letter(conn, letter, here)?;
    }
    if !member.dead_letters.is_empty() {
        let n = i64::try_from(member.dead_letters.len()).unwrap_or(0);
        book.log.push(Change::DeadLetters(n));
    }
    let at = at(member);
    let mut settled = 0;
    for id in &member.settled {
        settled += settle(conn, *id, at)?;
    }
    if settled > 0 {
        book.log.push(Change::Settled(settled));
    }
    Ok(())
}

fn write_letter(conn: &Connection, letter: &DeadLetterWrite, here: Option<Position>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO dead_letter (id, cell, effect, event, code, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        letter.id.bytes(),
        letter.cell.as_ref().map(Id::bytes),
        letter.effect.as_ref().map(Id::bytes),
        letter.event.or(here),
        &letter.code,
        &letter.reason,
        letter.at.0,
    ))?;
    Ok(())
}

fn settle(conn: &Connection, id: Id, at: Option<Time>) -> Result<i64> {
    // A member that names no time settles as of the letter's own.
    let n = conn
        .prepare_cached(
            "UPDATE dead_letter SET settled_at = max(coalesce(?2, at), at)
             WHERE id = ?1 AND settled_at IS NULL",
        )?
        .execute((id.bytes(), at.map(|t| t.0)))?;
    Ok(i64::try_from(n).unwrap_or(0))
}

/// The latest instant that a member speaks of.
pub(super) fn at(member: &Member) -> Option<Time> {
    let arrival = member.arrival.iter().map(|a| a.received_at);
    let turns = member.turns.iter().map(|t| t.at);
    let letters = member.dead_letters.iter().map(|l| l.at);
    let effects = member.effects.iter().filter_map(effect::at);
    arrival.chain(turns).chain(letters).chain(effects).max()
}
