//! Documents and the audit chain: a put is a new version and an audit row, or nothing. Freeing the
//! files of what was written anew is in `scrub`.

mod scrub;

use bellwether_engine::store::{AuditRow, Document, Registry, RegistryError, Rewrite, StoreError};
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
        let put = Put::Version(NewVersion {
            kind: kind.to_owned(),
            name: name.to_owned(),
            expected,
            body,
            by: By {
                actor: actor.to_owned(),
                at,
            },
        });
        Box::pin(async move { self.ask(|to| Request::Put(put, to)).await.map_err(failed)? })
    }

    fn audit(&self, after: u64, limit: usize) -> BoxFuture<'_, Answer<Vec<AuditRow>>> {
        Box::pin(async move {
            Database::list(self, move |conn| trail(conn, after, limit))
                .await
                .map_err(failed)
        })
    }

    fn versions<'a>(
        &'a self,
        kind: &'a str,
        after: (&'a str, u64),
        limit: usize,
    ) -> BoxFuture<'a, Answer<Vec<Document>>> {
        let (kind, name, version) = (kind.to_owned(), after.0.to_owned(), after.1);
        Box::pin(async move {
            Database::list(self, move |conn| {
                versions(conn, &kind, (&name, version), limit)
            })
            .await
            .map_err(failed)
        })
    }

    fn rewrite<'a>(
        &'a self,
        changes: Vec<Rewrite>,
        what: &'a str,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Answer<()>> {
        let by = By {
            actor: actor.to_owned(),
            at,
        };
        let put = Put::Rewrite(changes, what.to_owned(), by);
        Box::pin(async move {
            let written = self.ask(|to| Request::Put(put, to)).await.map_err(failed)?;
            written.map(drop)
        })
    }

    fn scrub(&self) -> BoxFuture<'_, Answer<bool>> {
        Box::pin(async move { self.by_writer(scrub::scrub).await.map_err(failed) })
    }
}

type Answer<T> = std::result::Result<T, RegistryError>;

fn failed(error: StoreError) -> RegistryError {
    RegistryError::Store(error.0)
}

/// What somebody wants to write.
#[derive(Debug)]
pub(super) enum Put {
    Version(NewVersion),
    Rewrite(Vec<Rewrite>, String, By),
}

/// A new version of a document.
#[derive(Debug)]
pub(super) struct NewVersion {
    kind: String,
    name: String,
    expected: Option<u64>,
    body: Value,
    by: By,
}

/// Who writes, and when.
#[derive(Debug)]
pub(super) struct By {
    actor: String,
    at: Time,
}

impl By {
    pub(super) fn of(actor: &str, at: Time) -> Self {
        Self {
            actor: actor.to_owned(),
            at,
        }
    }
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

/// Writes within the running transaction. The inner error is an answer, not a failure.
pub(super) fn put(conn: &Connection, put: &Put) -> Result<std::result::Result<u64, RegistryError>> {
    match put {
        Put::Version(new) => put_version(conn, new),
        Put::Rewrite(changes, what, by) => rewrite(conn, changes, what, by),
    }
}

fn put_version(
    conn: &Connection,
    put: &NewVersion,
) -> Result<std::result::Result<u64, RegistryError>> {
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
        &put.by.actor,
        put.by.at.0,
    ))?;
    let verb = if put.body.is_null() { "remove" } else { "put" };
    let what = format!("{verb} {} {} v{version}", put.kind, put.name);
    audit(conn, &put.by, what)?;
    Ok(Ok(version))
}

/// All or none, decided before anything is written: members of the same transaction stand.
fn rewrite(
    conn: &Connection,
    changes: &[Rewrite],
    what: &str,
    by: &By,
) -> Result<std::result::Result<u64, RegistryError>> {
    for Rewrite { seen, .. } in changes {
        let body: Option<String> = conn
            .prepare_cached(
                "SELECT body FROM document WHERE kind = ?1 AND name = ?2 AND version = ?3",
            )?
            .query_row((&seen.kind, &seen.name, int(seen.version)), |row| {
                row.get(0)
            })
            .optional()?;
        let body = body.map(|text| parse::<Value>(0, &text)).transpose()?;
        if body.as_ref() != Some(&seen.body) {
            return Ok(Err(RegistryError::Store(format!(
                "{} {} v{} is no longer as it was read; begin again",
                seen.kind, seen.name, seen.version
            ))));
        }
    }
    for Rewrite { seen, body } in changes {
        conn.prepare_cached(
            "UPDATE document SET body = ?4 WHERE kind = ?1 AND name = ?2 AND version = ?3",
        )?
        .execute((&seen.kind, &seen.name, int(seen.version), json(body)?))?;
    }
    if !changes.is_empty() {
        scrub::mark(conn)?;
        audit(conn, by, what.to_owned())?;
    }
    Ok(Ok(0))
}

/// Adds a row to the audit chain within the running transaction.
pub(super) fn audit(conn: &Connection, by: &By, what: String) -> Result<()> {
    let last = conn
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| Ok((uint(row, 0)?, row.get(1)?)))
        .optional()?;
    let (number, previous): (u64, String) = last.unwrap_or_default();
    let mut row = AuditRow {
        number: number + 1,
        at: by.at,
        actor: by.actor.clone(),
        what,
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

/// Every version of every document of a kind after (name, version), removed ones too.
fn versions(
    conn: &Connection,
    kind: &str,
    after: (&str, u64),
    limit: usize,
) -> Result<Vec<Document>> {
    let limit = i64::try_from(limit.min(ROWS_MAX)).unwrap_or(0);
    conn.prepare_cached(
        "SELECT kind, name, version, body, actor, at FROM document
         WHERE kind = ?1 AND (name, version) > (?2, ?3) ORDER BY name, version LIMIT ?4",
    )?
    .query_map((kind, after.0, int(after.1), limit), document)?
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
