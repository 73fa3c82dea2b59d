//! The `Views` trait: pages of lists from the projector's tables, joined with the rows themselves.
//! Reads that the engine decides on are in `read`.

use bellwether_engine::decide::{RunState, Waiting};
use bellwether_engine::store::{
    CustomerCounts, CustomerQuery, CustomerRow, DeadLetterRow, EventQuery, Identity, IdentityQuery,
    LedgerCounts, ListQuery, NotificationRow, Overview, Page, RunDetail, RunRow, StoreError,
    TurnRow, UsageQuery, UsageRow, Views,
};
use bellwether_model::BoxFuture;
use bellwether_model::event::Event;
use bellwether_model::id::{CellId, Id, hex};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde_json::Value;

use super::project::{BLOCK, total};
use super::read::{self, EVENT, cap, event_row, parse, uint};
use super::{Database, customer, inlet, notices, register, turn};

/// The most rows on a page.
pub(super) const PAGE_MAX: usize = 1000;
/// Runs of one person that a filtered list looks at.
const PERSON_RUNS_MAX: usize = 10_000;

impl Views for Database {
    fn events(
        &self,
        query: EventQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<Event>, StoreError>> {
        Box::pin(self.list(move |conn| events(conn, &query)))
    }

    fn runs(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<RunRow>, StoreError>> {
        Box::pin(self.list(move |conn| runs(conn, &query)))
    }

    fn open_states<'a>(
        &'a self,
        flow: &'a str,
        after: Option<CellId>,
        limit: usize,
    ) -> BoxFuture<'a, std::result::Result<Vec<(CellId, Value)>, StoreError>> {
        let flow = flow.to_owned();
        Box::pin(async move {
            // After a start the projector may have a while of work before it.
            self.projected().await;
            self.list(move |conn| open_states(conn, &flow, after, limit))
                .await
        })
    }

    fn run(&self, id: CellId) -> BoxFuture<'_, std::result::Result<Option<RunDetail>, StoreError>> {
        Box::pin(self.list(move |conn| detail(conn, id)))
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.projected())
    }

    fn notifications(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<NotificationRow>, StoreError>> {
        Box::pin(self.list(move |conn| notices::notifications(conn, &query)))
    }

    fn dead_letters(
        &self,
        query: ListQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<DeadLetterRow>, StoreError>> {
        Box::pin(self.list(move |conn| notices::dead_letters(conn, &query)))
    }

    fn dead_letter(
        &self,
        id: Id,
    ) -> BoxFuture<'_, std::result::Result<Option<DeadLetterRow>, StoreError>> {
        Box::pin(self.list(move |conn| notices::dead_letter(conn, id)))
    }

    fn ledger<'a>(
        &'a self,
        connection: &'a str,
    ) -> BoxFuture<'a, std::result::Result<LedgerCounts, StoreError>> {
        let connection = connection.to_owned();
        Box::pin(self.point(move |conn| inlet::counts(conn, &connection)))
    }

    fn usages(
        &self,
        query: UsageQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<UsageRow>, StoreError>> {
        Box::pin(self.list(move |conn| register::usages(conn, &query)))
    }

    fn identities(
        &self,
        query: IdentityQuery,
    ) -> BoxFuture<'_, std::result::Result<Page<Identity>, StoreError>> {
        Box::pin(self.list(move |conn| register::identities(conn, &query)))
    }

    fn customers(
        &self,
        query: CustomerQuery,
    ) -> BoxFuture<'_, Result<Page<CustomerRow>, StoreError>> {
        Box::pin(self.list(move |conn| customer::customers(conn, &query)))
    }

    fn customer_counts(&self) -> BoxFuture<'_, Result<CustomerCounts, StoreError>> {
        Box::pin(self.list(customer::counts))
    }

    fn overview(&self) -> BoxFuture<'_, std::result::Result<Overview, StoreError>> {
        Box::pin(async move {
            let mut overview = self.list(overview).await?;
            overview.duplicates += self.behind.duplicates();
            overview.lag_ms = u64::try_from(self.behind.lag().as_millis()).unwrap_or(u64::MAX);
            Ok(overview)
        })
    }
}

/// The number of a word that a filter names; None inside when nothing has that name.
pub(super) fn word(conn: &Connection, text: Option<&String>) -> Result<Option<Option<i64>>> {
    text.map(|text| {
        conn.prepare_cached("SELECT id FROM word WHERE text = ?1")?
            .query_row([text], |row| row.get(0))
            .optional()
    })
    .transpose()
}

/// The id that a page goes on after; without one, from the newest.
pub(super) fn before(after: Option<&String>) -> Id {
    after
        .and_then(|text| text.parse().ok())
        .unwrap_or(Id([0xff; 16]))
}

/// Cuts the row that was read too many, and says where the next page begins.
pub(super) fn cut<T>(
    items: &mut Vec<T>,
    limit: usize,
    id: impl Fn(&T) -> String,
) -> Option<String> {
    if items.len() <= limit {
        return None;
    }
    items.truncate(limit);
    items.last().map(id)
}

pub(super) fn empty<T>() -> Page<T> {
    Page {
        total: 0,
        items: Vec::new(),
        next: None,
    }
}

/// The sum of a total over all second and third numbers, or over those given.
pub(super) fn sum(conn: &Connection, what: u8, a: Option<i64>, b: Option<i64>) -> Result<u64> {
    conn.prepare_cached(
        "SELECT coalesce(sum(n), 0) FROM tally
         WHERE what = ?1 AND (?2 IS NULL OR a = ?2) AND (?3 IS NULL OR b = ?3)",
    )?
    .query_row((what, a, b), |row| uint(row, 0))
}

fn events(conn: &Connection, query: &EventQuery) -> Result<Page<Event>> {
    let limit = query.limit.min(PAGE_MAX);
    let kind = match word(conn, query.kind.as_ref())? {
        Some(None) => return Ok(empty()),
        Some(kind) => kind,
        None => None,
    };
    let newest = query.newest && query.after.is_none();
    let mut items = match kind {
        Some(kind) => events_of(conn, kind, query.after.unwrap_or(0), newest, limit + 1)?,
        None => {
            let sql = if newest {
                format!(
                    "SELECT {EVENT} FROM event WHERE position > ?1 ORDER BY position DESC LIMIT ?2"
                )
            } else {
                format!("SELECT {EVENT} FROM event WHERE position > ?1 ORDER BY position LIMIT ?2")
            };
            conn.prepare_cached(&sql)?
                .query_map(
                    (query.after.unwrap_or(0), cap(limit + 1, PAGE_MAX + 1)),
                    event_row,
                )?
                .collect::<Result<_>>()?
        }
    };
    let next = cut(&mut items, limit, |event| event.position.to_string());
    Ok(Page {
        total: sum(conn, total::EVENTS, kind, None)?,
        items,
        // Older events than the newest are not "after" anything; they are asked for from the start.
        next: next.filter(|_| !newest),
    })
}

/// Events of one type, through the blocks that hold any.
fn events_of(
    conn: &Connection,
    kind: i64,
    after: i64,
    newest: bool,
    limit: usize,
) -> Result<Vec<Event>> {
    let order = if newest { "DESC" } else { "ASC" };
    let mut blocks = conn.prepare_cached(&format!(
        "SELECT block FROM view_event WHERE kind = ?1 AND block >= ?2 ORDER BY block {order}"
    ))?;
    let mut within = conn.prepare_cached(&format!(
        "SELECT {EVENT} FROM event WHERE position BETWEEN ?1 AND ?2 AND kind = ?3
         ORDER BY position {order} LIMIT ?4"
    ))?;
    let mut events = Vec::new();
    let mut rows = blocks.query((kind, after / BLOCK))?;
    while let Some(row) = rows.next()? {
        let first = row.get::<_, i64>(0)? * BLOCK;
        let rest = cap(limit - events.len(), PAGE_MAX + 1);
        let range = (first.max(after + 1), first + BLOCK - 1, kind, rest);
        for event in within.query_map(range, event_row)? {
            events.push(event?);
        }
        if events.len() >= limit {
            break;
        }
    }
    Ok(events)
}

/// The columns of a run, in the order that [`run_row`] reads.
const RUN: &str = "id, (SELECT text FROM word WHERE id = program), program_hash, key, epoch, open,
  opened_at, last_turn_at, version, opened_by, CASE WHEN open = 1 THEN state END,
  (SELECT args FROM effect WHERE effect.id = substr(cell.effects, 1, 16))";

fn run_row(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        id: Id(row.get(0)?),
        flow: row.get(1)?,
        flow_hash: hex(&row.get::<_, [u8; 16]>(2)?),
        key: row.get(3)?,
        epoch: row.get(4)?,
        status: if row.get(5)? { "open" } else { "closed" },
        opened_at: Time(row.get(6)?),
        last_turn_at: Time(row.get(7)?),
        turns: uint(row, 8)?,
        opened_by: row.get(9)?,
        waits_for: waits_for(row.get_ref(10)?.as_bytes_or_null()?),
        title: notices::title(row.get_ref(11)?.as_str_or_null()?.unwrap_or_default()),
    })
}

/// Whose answer an open run waits for. A reducer's cell has no state of this kind.
fn waits_for(state: Option<&[u8]>) -> Vec<Waiting> {
    let state = state.and_then(|state| RunState::read(state).ok());
    state.map(|state| state.waits_for()).unwrap_or_default()
}

fn one_run(conn: &Connection, id: Id) -> Result<Option<RunRow>> {
    conn.prepare_cached(&format!("SELECT {RUN} FROM cell WHERE id = ?1"))?
        .query_row([id.bytes()], run_row)
        .optional()
}

fn runs(conn: &Connection, query: &ListQuery) -> Result<Page<RunRow>> {
    let limit = query.limit.min(PAGE_MAX);
    let open = match query.status.as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Ok(empty()),
    };
    let program = match word(conn, query.flow.as_ref())? {
        Some(None) => return Ok(empty()),
        Some(program) => program,
        None => None,
    };
    let before = before(query.after.as_ref());
    let (total, mut items) = match &query.person {
        Some(person) => runs_of(conn, person, query, before, limit + 1)?,
        None => {
            let mut ids = listed(conn, program, open, before, limit + 1)?;
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.truncate(limit + 1);
            let mut items = Vec::with_capacity(ids.len());
            for id in ids {
                items.extend(one_run(conn, id)?);
            }
            let open = open.map(i64::from);
            (sum(conn, total::RUNS, program, open)?, items)
        }
    };
    let next = cut(&mut items, limit, |run| run.id.to_string());
    // The list may lag behind the record; what stands in it is true nevertheless.
    if let Some(status) = &query.status {
        items.retain(|run| run.status == status.as_str());
    }
    Ok(Page { total, items, next })
}

/// The newest ids of each (program, open) range that the filter admits, unsorted.
fn listed(
    conn: &Connection,
    program: Option<i64>,
    open: Option<bool>,
    before: Id,
    limit: usize,
) -> Result<Vec<Id>> {
    let ranges = conn
        .prepare_cached(
            "SELECT a, b FROM tally WHERE what = ?1 AND (?2 IS NULL OR a = ?2)
             AND (?3 IS NULL OR b = ?3)",
        )?
        .query_map((total::RUNS, program, open), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<Vec<(i64, i64)>>>()?;
    let mut newest = conn.prepare_cached(
        "SELECT id FROM view_run WHERE program = ?1 AND open = ?2 AND id < ?3
         ORDER BY id DESC LIMIT ?4",
    )?;
    let mut ids = Vec::new();
    for (program, open) in ranges {
        let range = (program, open, before.bytes(), cap(limit, PAGE_MAX + 1));
        for id in newest.query_map(range, |row| row.get(0).map(Id))? {
            ids.push(id?);
        }
    }
    Ok(ids)
}

fn open_states(
    conn: &Connection,
    flow: &str,
    after: Option<CellId>,
    limit: usize,
) -> Result<Vec<(CellId, Value)>> {
    let Some(Some(program)) = word(conn, Some(&flow.to_owned()))? else {
        return Ok(Vec::new());
    };
    let after = after.unwrap_or(Id([0; 16]));
    conn.prepare_cached(
        "SELECT cell.id, cell.state FROM view_run JOIN cell ON cell.id = view_run.id
         WHERE view_run.program = ?1 AND view_run.open = 1 AND view_run.id > ?2 AND cell.open = 1
         ORDER BY view_run.id LIMIT ?3",
    )?
    .query_map((program, after.bytes(), cap(limit, PAGE_MAX)), |row| {
        Ok((Id(row.get(0)?), json_blob(row, 1)?.unwrap_or_default()))
    })?
    .collect()
}

/// Runs that notified a person, newest first.
fn runs_of(
    conn: &Connection,
    person: &str,
    query: &ListQuery,
    before: Id,
    limit: usize,
) -> Result<(u64, Vec<RunRow>)> {
    let ids = conn
        .prepare_cached(
            "SELECT DISTINCT effect.cell FROM view_person JOIN effect ON effect.id = view_person.id
             WHERE view_person.person = ?1 ORDER BY effect.cell DESC LIMIT ?2",
        )?
        .query_map((person, cap(PERSON_RUNS_MAX, PERSON_RUNS_MAX)), |row| {
            row.get(0).map(Id)
        })?
        .collect::<Result<Vec<Id>>>()?;
    let (mut total, mut items) = (0, Vec::new());
    for id in ids {
        let Some(run) = one_run(conn, id)? else {
            continue;
        };
        let flow = query.flow.as_ref().is_none_or(|flow| *flow == run.flow);
        let status = query.status.as_ref().is_none_or(|s| s == run.status);
        if !flow || !status {
            continue;
        }
        total += 1;
        if id < before && items.len() < limit {
            items.push(run);
        }
    }
    Ok((total, items))
}

fn detail(conn: &Connection, id: CellId) -> Result<Option<RunDetail>> {
    let Some(run) = one_run(conn, id)? else {
        return Ok(None);
    };
    let (state, first, last, listed) = conn
        .prepare_cached("SELECT state, first_turn, last_turn, effects FROM cell WHERE id = ?1")?
        .query_row([id.bytes()], |row| {
            Ok((
                json_blob(row, 0)?,
                json_blob(row, 1)?,
                json_blob(row, 2)?,
                row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
            ))
        })?;
    let mut journal = vec![TurnRow {
        version: 1,
        body: first.unwrap_or_default(),
    }];
    let mut between =
        conn.prepare_cached("SELECT version, body FROM turn WHERE cell = ?1 ORDER BY version")?;
    let rows = between.query_map([id.bytes()], |row| {
        Ok(TurnRow {
            version: uint(row, 0)?,
            body: json_blob(row, 1)?.unwrap_or_default(),
        })
    })?;
    for row in rows {
        journal.push(row?);
    }
    journal.extend(last.map(|body| TurnRow {
        version: run.turns,
        body,
    }));
    let effects = turn::effects_of(conn, id, &listed)?;
    let opened_by = match run.opened_by {
        Some(position) => read::event(conn, position)?,
        None => None,
    };
    Ok(Some(RunDetail {
        status: read::status(run.status == "open"),
        run,
        state: state.unwrap_or_default(),
        journal,
        effects: read::effects(conn, &effects)?
            .into_iter()
            .flatten()
            .collect(),
        timers: read::timers(conn, id)?,
        opened_by,
    }))
}

fn json_blob(row: &Row<'_>, column: usize) -> Result<Option<Value>> {
    let Some(bytes) = row.get::<_, Option<Vec<u8>>>(column)? else {
        return Ok(None);
    };
    parse(column, &String::from_utf8_lossy(&bytes)).map(Some)
}

fn overview(conn: &Connection) -> Result<Overview> {
    let one =
        |sql: &str| -> Result<u64> { conn.prepare_cached(sql)?.query_row([], |row| uint(row, 0)) };
    let written = sum(conn, total::LETTERS, Some(0), Some(0))?;
    let settled = sum(conn, total::LETTERS, Some(0), Some(1))?;
    let oldest: Option<Id> = conn
        .prepare_cached(
            "SELECT min(id) FROM (SELECT (SELECT min(id) FROM view_run
               WHERE program = tally.a AND open = 1) AS id
             FROM tally WHERE what = 2 AND b = 1)",
        )?
        .query_row([], |row| {
            row.get::<_, Option<[u8; 16]>>(0).map(|id| id.map(Id))
        })?;
    let oldest_open = match oldest {
        Some(id) => one_run(conn, id)?.map(|run| run.opened_at),
        None => None,
    };
    Ok(Overview {
        events: sum(conn, total::EVENTS, None, None)?,
        open_runs: sum(conn, total::RUNS, None, Some(1))?,
        oldest_open,
        dead_letters: written.saturating_sub(settled),
        gaps: one("SELECT coalesce(sum(gaps), 0) FROM inlet")?,
        outstanding: one(
            "SELECT coalesce(sum(n), 0) FROM tally WHERE what = 3 AND (b / 16) % 16 IN (0, 1, 5)",
        )?,
        duplicates: sum(conn, total::DUPLICATES, None, None)?,
        lag_ms: 0,
    })
}
