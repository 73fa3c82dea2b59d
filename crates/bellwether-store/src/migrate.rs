//! Schema versions: forward only, numbered in a table of the database itself. A newer schema is
//! refused; an existing database with content is copied before it is changed. No SQL dialects
//! beyond SQLite yet.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::OpenError;

/// One step of the schema.
#[derive(Debug)]
pub(crate) struct Migration {
    /// The schema version after it.
    pub(crate) version: u32,
    /// The first release that can read that schema.
    pub(crate) release: &'static str,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// Every migration, in order.
pub(crate) const SQLITE: [Migration; 1] = [Migration {
    version: 1,
    release: "0.1.0",
    sql: include_str!("../migrations/sqlite/0001_init.sql"),
}];

/// Brings a database to the newest of `migrations`. `file` is where it lives, for the copy.
pub(crate) fn migrate(
    conn: &Connection,
    file: Option<&Path>,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let failed = |e: rusqlite::Error| OpenError::Failed(format!("the migration failed: {e}"));
    let has_schema = conn
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'")
        .and_then(|mut s| s.exists([]))
        .map_err(failed)?;
    if !has_schema {
        refuse_strangers(conn)?;
    }
    let (found, release) = if has_schema {
        newest(conn).map_err(failed)?
    } else {
        (0, String::new())
    };
    let known = migrations.last().map_or(0, |m| m.version);
    if found > known {
        return Err(OpenError::TooNew {
            found,
            known,
            release,
        });
    }
    if found == known {
        return Ok(());
    }
    if found > 0
        && let Some(file) = file
    {
        copy_aside(conn, file, found)?;
    }
    let script: Vec<&Migration> = migrations.iter().filter(|m| m.version > found).collect();
    run(conn, &script).map_err(|e| {
        // The transaction is taken back; the message of the first failure is what matters.
        if let Err(again) = conn.execute_batch("ROLLBACK") {
            tracing::debug!(%again, "nothing to take back");
        }
        failed(e)
    })
}

/// A file with tables that are not ours is somebody else's database.
fn refuse_strangers(conn: &Connection) -> Result<(), OpenError> {
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| OpenError::Failed(format!("it is not an SQLite database: {e}")))?;
    if tables > 0 {
        return Err(OpenError::Failed(
            "the file holds tables of another program; name another file".to_owned(),
        ));
    }
    Ok(())
}

fn newest(conn: &Connection) -> rusqlite::Result<(u32, String)> {
    conn.query_row(
        "SELECT version, release FROM schema_version ORDER BY version DESC LIMIT 1",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .optional()
    .map(Option::unwrap_or_default)
}

fn copy_aside(conn: &Connection, file: &Path, found: u32) -> Result<(), OpenError> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".before-schema-{}", found + 1));
    if Path::new(&name).exists() {
        // An earlier attempt made it; the older copy is the one from before any change.
        return Ok(());
    }
    conn.execute("VACUUM INTO ?1", [name.to_string_lossy()])
        .map(|_| ())
        .map_err(|e| {
            OpenError::Failed(format!(
                "no copy could be made before the migration ({e}); free some space and start again"
            ))
        })
}

fn run(conn: &Connection, script: &[&Migration]) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_version (
           version INTEGER PRIMARY KEY, release TEXT NOT NULL) STRICT",
    )?;
    for migration in script {
        conn.execute_batch(migration.sql)?;
        conn.execute(
            "INSERT INTO schema_version (version, release) VALUES (?1, ?2)",
            (migration.version, migration.release),
        )?;
    }
    conn.execute_batch("COMMIT")
}
