//! The register: usages of assets and identities of users. Both grow to a limit and are read from
//! their rows. What an event says about them is worked out elsewhere.

use bellwether_engine::store::{
    DeadLetterWrite, How, Identity, IdentityQuery, Mapping, Member, Page, Proposal, RegisterWrite,
    Sighting, USERS_OF_MAX, UsageQuery, UsageRow, UsageWrite, Who,
};
use bellwether_model::event::Position;
use bellwether_model::id::Id;
use bellwether_model::time::Time;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params_from_iter};

use super::customer;
use super::member;
use super::read::{cap, int, uint};
use super::registry;
use super::views::PAGE_MAX;

/// The most rows of either list: about 300 bytes each with their indexes.
const ROWS_MAX: i64 = 1_000_000;
/// What is said when a list is full.
pub(super) const FULL: &str =
    "the register is full: it holds 1,000,000 entries, which is the most; import fewer documents";

/// Whether these changes may find no room.
pub(super) fn is_full(conn: &Connection, changes: &[RegisterWrite]) -> Result<bool> {
    if changes.is_empty() {
        return Ok(false);
    }
    let new = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    // Rows are never deleted one by one, so the highest number is how many there are.
    let mut most = conn.prepare_cached(
        "SELECT max((SELECT coalesce(max(number), 0) FROM usage),
                    (SELECT coalesce(max(number), 0) FROM identity),
                    (SELECT coalesce(max(number), 0) FROM customer))",
    )?;
    let most: i64 = most.query_row([], |row| row.get(0))?;
    Ok(most.saturating_add(new) > ROWS_MAX)
}

/// The letter about changes that an event brought and that found no room.
pub(super) fn letter(member: &Member, here: Option<Position>) -> DeadLetterWrite {
    let at = member::at(member).unwrap_or(Time(0));
    let position = here.unwrap_or_default().to_be_bytes();
    DeadLetterWrite {
        id: Id::derive(at, &[b"register_full", &position]),
        cell: None,
        effect: None,
        event: here,
        code: "register_full".to_owned(),
        reason: FULL.to_owned(),
        at,
    }
}

/// Writes changes within the running transaction.
pub(super) fn write(conn: &Connection, changes: &[RegisterWrite]) -> Result<()> {
    let mut mapped: Vec<&Mapping> = Vec::new();
    let mut customers = Vec::new();
    for change in changes {
        match change {
            RegisterWrite::Usage(usage) => write_usage(conn, usage)?,
            RegisterWrite::Sighted(sighting) => sight(conn, sighting)?,
            RegisterWrite::Proposed(proposal) => propose(conn, proposal)?,
            RegisterWrite::Customer(write) => {
                customer::write(conn, write)?;
                customers.push(write);
            }
            RegisterWrite::Known(mapping) => {
                map(conn, mapping)?;
                mapped.push(mapping);
            }
        }
    }
    // One row for all of them: whose they are stands in the list itself, which may be erased.
    if let Some(last) = mapped.last() {
        let what = format!("map {} users of other systems", mapped.len());
        registry::audit(conn, &registry::By::of(&last.by, last.at), what)?;
    }
    if let Some(last) = customers.last() {
        let what = format!("put {} customers", customers.len());
        registry::audit(conn, &registry::By::of(&last.by, last.at), what)?;
    }
    Ok(())
}

fn write_usage(conn: &Connection, usage: &UsageWrite) -> Result<()> {
    // What is said of an earlier time never overrides what is known of a later one; the end of
    // something that was never seen is kept, so that its late beginning does not revive it.
    let sql = if usage.ended {
        "INSERT INTO usage (asset, connection, user, document, how, source, since, seen_at,
           ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?7, ?7)
         ON CONFLICT (asset, connection, user, document) DO UPDATE SET
           ended_at = CASE WHEN ended_at IS NULL AND seen_at <= excluded.seen_at
             THEN excluded.seen_at ELSE ended_at END"
    } else {
        "INSERT INTO usage (asset, connection, user, document, how, source, since, seen_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?7)
         ON CONFLICT (asset, connection, user, document) DO UPDATE SET
           how = CASE WHEN excluded.seen_at >= seen_at THEN excluded.how ELSE how END,
           source = CASE WHEN excluded.seen_at >= seen_at THEN excluded.source ELSE source END,
           since = CASE WHEN ended_at < excluded.seen_at
             THEN max(excluded.since, ended_at)
             ELSE min(since, excluded.since) END,
           seen_at = CASE WHEN ended_at >= excluded.seen_at THEN seen_at
             ELSE max(seen_at, excluded.seen_at) END,
           ended_at = CASE WHEN ended_at < excluded.seen_at THEN NULL ELSE ended_at END"
    };
    let values = (
        &usage.asset,
        &usage.who.connection,
        &usage.who.id,
        &usage.document,
        usage.how.code(),
        &usage.source,
        usage.at.0,
        usage.since.min(usage.at).0,
    );
    conn.prepare_cached(sql)?.execute(values).map(drop)
}

fn sight(conn: &Connection, sighting: &Sighting) -> Result<()> {
    let sql = "INSERT INTO identity (connection, user, name, seen, first_seen, last_seen)
               VALUES (?1, ?2, ?3, 1, ?4, ?4)
               ON CONFLICT (connection, user) DO UPDATE SET
                 name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END,
                 seen = seen + 1,
                 first_seen = min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),
                 last_seen = max(coalesce(last_seen, excluded.last_seen), excluded.last_seen)";
    let Sighting { who, name, at } = sighting;
    conn.prepare_cached(sql)?
        .execute((&who.connection, &who.id, name, at.0))
        .map(drop)
}

fn map(conn: &Connection, mapping: &Mapping) -> Result<()> {
    // Whoever says it has seen the proposal, so it has served.
    let sql = "INSERT INTO identity (connection, user, name, person, seen, mapped_by, mapped_at)
               VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)
               ON CONFLICT (connection, user) DO UPDATE SET
                 name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END,
                 person = excluded.person, proposed = NULL, why = NULL,
                 mapped_by = excluded.mapped_by, mapped_at = excluded.mapped_at";
    let Mapping {
        who,
        name,
        person,
        by,
        at,
    } = mapping;
    let values = (&who.connection, &who.id, name, person, by, at.0);
    conn.prepare_cached(sql)?.execute(values).map(drop)
}

fn propose(conn: &Connection, proposal: &Proposal) -> Result<()> {
    conn.prepare_cached(
        "UPDATE identity SET proposed = ?3, why = ?4
         WHERE connection = ?1 AND user = ?2 AND person IS NULL",
    )?
    .execute((
        &proposal.who.connection,
        &proposal.who.id,
        &proposal.person,
        &proposal.why,
    ))
    .map(drop)
}

/// Conditions that a list was asked for, each with its value.
#[derive(Default)]
struct Filter {
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl Filter {
    fn add(&mut self, condition: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Value::Text(value.clone()));
        }
    }

    fn only(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    fn clause(&self) -> String {
        if self.conditions.is_empty() {
            return "1".to_owned();
        }
        self.conditions.join(" AND ")
    }
}

/// One page of a list that is numbered, newest first, with the total under the same conditions.
fn page<T>(
    conn: &Connection,
    select: (&str, &str),
    mut filter: Filter,
    after: Option<u64>,
    limit: usize,
    row: impl Fn(&Row<'_>) -> Result<T>,
    number: impl Fn(&T) -> u64,
) -> Result<Page<T>> {
    let (columns, from) = select;
    let clause = filter.clause();
    let total = conn
        .prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {clause}"))?
        .query_row(params_from_iter(&filter.values), |row| uint(row, 0))?;
    let limit = limit.min(PAGE_MAX);
    filter
        .values
        .push(Value::Integer(after.map_or(i64::MAX, int)));
    filter
        .values
        .push(Value::Integer(cap(limit + 1, PAGE_MAX + 1)));
    let sql = format!(
        "SELECT {columns} FROM {from} WHERE {clause} AND t.number < ? \
         ORDER BY t.number DESC LIMIT ?"
    );
    let mut items = conn
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&filter.values), row)?
        .collect::<Result<Vec<T>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| number(last).to_string());
    Ok(Page { total, items, next })
}

/// Usages with the person that each user is known to be.
const USAGE_FROM: &str = "usage AS t LEFT JOIN identity AS i
  ON t.connection <> '' AND i.connection = t.connection AND i.user = t.user";

pub(super) fn usages(conn: &Connection, query: &UsageQuery) -> Result<Page<UsageRow>> {
    let mut filter = Filter::default();
    filter.add("t.asset = ?", query.asset.as_ref());
    filter.add("t.document = ?", query.document.as_ref());
    filter.add(
        "(t.connection, t.user) IN (WITH who (person) AS (VALUES (?))
           SELECT '', person FROM who
           UNION ALL SELECT i.connection, i.user FROM identity AS i JOIN who USING (person))",
        query.person.as_ref(),
    );
    filter.only(if query.ended {
        "t.ended_at IS NOT NULL"
    } else {
        "t.ended_at IS NULL"
    });
    let columns = "t.number, t.asset, t.connection, t.user, i.person, t.document, t.how, t.source,
                   t.since, t.seen_at, t.ended_at";
    let select = (columns, USAGE_FROM);
    let number = |row: &UsageRow| row.number;
    page(
        conn,
        select,
        filter,
        query.after,
        query.limit,
        usage_row,
        number,
    )
}

fn usage_row(row: &Row<'_>) -> Result<UsageRow> {
    let who = Who {
        connection: row.get(2)?,
        id: row.get(3)?,
    };
    let known: Option<String> = row.get(4)?;
    let person = if who.connection.is_empty() {
        Some(who.id.clone())
    } else {
        known
    };
    Ok(UsageRow {
        number: uint(row, 0)?,
        asset: row.get(1)?,
        who,
        person,
        document: row.get(5)?,
        how: How::of_code(row.get(6)?),
        source: row.get(7)?,
        since: Time(row.get(8)?),
        seen_at: Time(row.get(9)?),
        ended_at: row.get::<_, Option<i64>>(10)?.map(Time),
    })
}

/// The people who use an asset now, each once.
pub(super) fn users_of(conn: &Connection, asset: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT CASE t.connection WHEN '' THEN t.user ELSE i.person END AS person
         FROM {USAGE_FROM}
         WHERE t.asset = ?1 AND t.ended_at IS NULL AND (t.connection = '' OR i.person IS NOT NULL)
         ORDER BY person LIMIT ?2"
    );
    conn.prepare_cached(&sql)?
        .query_map((asset, cap(USERS_OF_MAX, USERS_OF_MAX)), |row| row.get(0))?
        .collect()
}

pub(super) fn identities(conn: &Connection, query: &IdentityQuery) -> Result<Page<Identity>> {
    let mut filter = Filter::default();
    filter.add("t.connection = ?", query.connection.as_ref());
    filter.add("t.person = ?", query.person.as_ref());
    match query.resolved {
        Some(true) => filter.only("t.person IS NOT NULL"),
        Some(false) => filter.only("t.person IS NULL"),
        None => {}
    }
    let columns = "t.number, t.connection, t.user, t.name, t.person, t.proposed, t.why, t.seen,
                   t.first_seen, t.last_seen, t.mapped_by, t.mapped_at";
    let select = (columns, "identity AS t");
    let number = |row: &Identity| row.number;
    page(
        conn,
        select,
        filter,
        query.after,
        query.limit,
        identity_row,
        number,
    )
}

fn identity_row(row: &Row<'_>) -> Result<Identity> {
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time));
    let proposed: Option<String> = row.get(5)?;
    let why: Option<String> = row.get(6)?;
    let mapped: Option<String> = row.get(10)?;
    Ok(Identity {
        number: uint(row, 0)?,
        who: Who {
            connection: row.get(1)?,
            id: row.get(2)?,
        },
        name: row.get(3)?,
        person: row.get(4)?,
        proposed: proposed.map(|person| (person, why.unwrap_or_default())),
        seen: uint(row, 7)?,
        first_seen: time(8)?,
        last_seen: time(9)?,
        mapped: mapped.zip(time(11)?),
    })
}

#[cfg(test)]
mod tests {
    use bellwether_engine::store::{Store as _, Verdict, Views as _};

    use super::*;
    use crate::sqlite::Database;

    fn using(asset: &str) -> Member {
        let usage = UsageWrite {
            asset: asset.to_owned(),
            who: Who {
                connection: String::new(),
                id: "alice".to_owned(),
            },
            document: String::new(),
            how: How::Said,
            source: "api".to_owned(),
            since: Time(1),
            at: Time(1),
            ended: false,
        };
        Member {
            register: vec![RegisterWrite::Usage(usage)],
            ..Member::default()
        }
    }

    #[test]
    fn a_full_register_refuses_callers_and_tells_of_what_events_said() {
        let run = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        run.block_on(async {
            let db = Database::open_memory().unwrap();
            assert!(matches!(
                db.commit(vec![using("logo")]).await[..],
                [Verdict::Done(_)]
            ));
            let full = |conn: &Connection| conn.execute("UPDATE usage SET number = ?1", [ROWS_MAX]);
            assert_eq!(db.by_writer(full).await, Ok(1));
            let refused = Verdict::Refused(FULL.to_owned());
            assert_eq!(db.commit(vec![using("photo")]).await, [refused]);
            // An event is never lost for it.
            let routed = Member {
                routed: Some(7),
                ..using("photo")
            };
            assert!(matches!(
                db.commit(vec![routed]).await[..],
                [Verdict::Done(_)]
            ));
            let all = bellwether_engine::store::ListQuery {
                limit: 10,
                ..Default::default()
            };
            db.projected().await;
            let letters = db.dead_letters(all).await.unwrap().items;
            assert_eq!(letters.len(), 1);
            assert_eq!(
                (letters[0].code.as_str(), letters[0].event),
                ("register_full", Some(7))
            );
        });
    }
}
