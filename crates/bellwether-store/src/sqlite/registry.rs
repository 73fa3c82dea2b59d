//! Documents and the audit chain: a put is a new version and an audit row, or nothing.

use bellwether_engine::store::{AuditRow, Document, Registry, RegistryError, StoreError};
use bellwether_model::BoxFuture;
use bellwether_model::id::{hash, hex};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde_json::Value;

use super::Database;
use super::member::json;
use super::read::{int, parse, uint};
use super::writer::Request;

impl Registry for Database {
    fn get<'a>(&'a self, kind: &'a str, name: &'a str) -> BoxFuture<'a, Answer<Option<Document>>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        Box::pin(async move {
            let found = self
                .point(move |conn| latest(conn, &kind, &name))
                .await
                .map_err(failed)?;
            Ok(found.filter(|document| !document.body.is_null()))
        })
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Answer<Vec<Document>>> {
        let kind = kind.to_owned();
        Box::pin(async move {
            Database::list(self, move |conn| list(conn, &kind))
                .await
                .map_err(failed)
        })
    }

    fn names<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Answer<Vec<String>>> {
        let kind = kind.to_owned();
        Box::pin(async move {
            Database::list(self, move |conn| {
                conn.prepare_cached(
                    "SELECT DISTINCT name FROM document WHERE kind = ?1 ORDER BY name",
                )?
                .query_map([kind], |row| row.get(0))?
                .collect()
            })
            .await
            .map_err(failed)
        })
    }

    fn history<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Answer<Vec<Document>>> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        Box::pin(async move {
            Database::list(self, move |conn| history(conn, &kind, &name, limit))
                .await
                .map_err(failed)
        })
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        expected: Option<u64>,
        body: Value,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Answer<u64>> {
        let put = Put {
            kind: kind.to_owned(),
            name: name.to_owned(),
            expected,
            body,
            actor: actor.to_owned(),
            at,
        };
        Box::pin(async move { self.ask(|to| Request::Put(put, to)).await.map_err(failed)? })
    }

    fn audit(&self, after: u64, limit: usize) -> BoxFuture<'_, Answer<Vec<AuditRow>>> {
        Box::pin(async move {
            Database::list(self, move |conn| trail(conn, after, limit))
                .await
                .map_err(failed)
        })
    }
}

type Answer<T> = std::result::Result<T, RegistryError>;

fn failed(error: StoreError) -> RegistryError {
    RegistryError::Store(error.0)
}

/// A new version that somebody wants to write.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) expected: Option<u64>,
    pub(super) body: Value,
    pub(super) actor: String,
    pub(super) at: Time,
}

/// The most rows that one call returns.
const ROWS_MAX: usize = 10_000;

/// The hash of an audit row: SHA-256 over the previous row's hash (empty for the first) and what
/// the row says, each part with its length. Anybody can recompute the chain with it.
pub fn audit_hash(previous: &str, row: &AuditRow) -> String {
    hex(&hash(&[
        previous.as_bytes(),
        &row.number.to_be_bytes(),
        &row.at.0.to_be_bytes(),
        row.actor.as_bytes(),
        row.what.as_bytes(),
    ]))
}

/// Writes a version within the running transaction. The inner error is an answer, not a failure.
pub(super) fn put(conn: &Connection, put: &Put) -> Result<std::result::Result<u64, RegistryError>> {
    let latest = latest(conn, &put.kind, &put.name)?;
    let found = latest.as_ref().map_or(0, |d| d.version);
    let removed = latest.as_ref().is_none_or(|d| d.body.is_null());
    if let Some(expected) = put.expected {
        // Who saw no document may write one where the last was removed.
        let agrees = expected == found || (removed && expected == 0);
        if !agrees {
            return Ok(Err(RegistryError::Conflict {
                kind: put.kind.clone(),
                name: put.name.clone(),
                expected,
                found,
            }));
        }
    }
    if latest.map_or(put.body.is_null(), |d| d.body == put.body) {
        return Ok(Ok(found));
    }
    let version = found + 1;
    conn.prepare_cached(
        "INSERT INTO document (kind, name, version, body, actor, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        &put.kind,
        &put.name,
        int(version),
        json(&put.body)?,
        &put.actor,
        put.at.0,
    ))?;
    audit(conn, put, version)?;
    Ok(Ok(version))
}

fn audit(conn: &Connection, put: &Put, version: u64) -> Result<()> {
    let last = conn
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((uint(row, 0)?, row.get(1)?)))
        .optional()?;
    let (number, previous): (u64, String) = last.unwrap_or_default();
    let verb = if put.body.is_null() { "remove" } else { "put" };
    let mut row = AuditRow {
        number: number + 1,
        at: put.at,
        actor: put.actor.clone(),
        what: format!("{verb} {} {} v{version}", put.kind, put.name),
        hash: String::new(),
    };
    row.hash = audit_hash(&previous, &row);
    conn.prepare_cached(
        "INSERT INTO audit (number, at, actor, what, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((int(row.number), row.at.0, &row.actor, &row.what, &row.hash))?;
    Ok(())
}

fn document(row: &Row<'_>) -> Result<Document> {
    let body: String = row.get(3)?;
    Ok(Document {
        kind: row.get(0)?,
        name: row.get(1)?,
        version: uint(row, 2)?,
        body: parse(3, &body)?,
        actor: row.get(4)?,
        at: Time(row.get(5)?),
    })
}

/// The latest version, also when it says that the document was removed.
pub(super) fn latest(conn: &Connection, kind: &str, name: &str) -> Result<Option<Document>> {
    conn.prepare_cached(
        "SELECT kind, name, version, body, actor, at FROM document
         WHERE kind = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1",
    )?
    .query_row((kind, name), document)
    .optional()
}

/// The latest version of every document of a kind that was not removed.
pub(super) fn list(conn: &Connection, kind: &str) -> Result<Vec<Document>> {
    conn.prepare_cached(
        "SELECT kind, name, version, body, actor, at FROM document AS d
         WHERE kind = ?1 AND body <> 'null' AND version =
           (SELECT max(version) FROM document WHERE kind = d.kind AND name = d.name)
         ORDER BY name",
    )?
    .query_map([kind], document)?
    .collect()
}

/// Versions of one document, newest first.
pub(super) fn history(
    conn: &Connection,
    kind: &str,
    name: &str,
    limit: usize,
) -> Result<Vec<Document>> {
    let limit = i64::try_from(limit.min(ROWS_MAX)).unwrap_or(0);
    conn.prepare_cached(
        "SELECT kind, name, version, body, actor, at FROM document
         WHERE kind = ?1 AND name = ?2 ORDER BY version DESC LIMIT ?3",
    )?
    .query_map((kind, name, limit), document)?
    .collect()
}

/// Audit rows after a number, oldest first.
pub(super) fn trail(conn: &Connection, after: u64, limit: usize) -> Result<Vec<AuditRow>> {
    let limit = i64::try_from(limit.min(ROWS_MAX)).unwrap_or(0);
    conn.prepare_cached(
        "SELECT number, at, actor, what, hash FROM audit WHERE number > ?1
         ORDER BY number LIMIT ?2",
    )?
    .query_map((int(after), limit), |row| {
        Ok(AuditRow {
            number: uint(row, 0)?,
            at: Time(row.get(1)?),
            actor: row.get(2)?,
            what: row.get(3)?,
            hash: row.get(4)?,
        })
    })?
    .collect()
}
