//! Schema versions: forward only, numbered in a table of the database itself. A newer schema is
//! refused; an existing database with content is copied before it is changed. No SQL dialects
//! beyond SQLite yet.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::OpenError;
use crate::sqlite::make_private;

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
pub(crate) const SQLITE: [Migration; 6] = [
    Migration {
        version: 1,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0001_init.sql"),
    },
    Migration {
        version: 2,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0002_seen_settled.sql"),
    },
    Migration {
        version: 3,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0003_register.sql"),
    },
    Migration {
        version: 4,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0004_judged.sql"),
    },
    Migration {
        version: 5,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0005_refusal.sql"),
    },
    Migration {
        version: 6,
        release: "0.1.0",
        sql: include_str!("../migrations/sqlite/0006_customer.sql"),
    },
];

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

/// Makes the file of a new database, or of a copy, readable for its owner alone: mails lie in it as
/// they came. The log gets the same mode from it. What cannot be made here, opening complains of.
pub(crate) fn born_private(path: &Path) {
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    if let Err(error) = made
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        tracing::debug!(%error, "the file is not made yet");
    }
}

fn copy_aside(conn: &Connection, file: &Path, found: u32) -> Result<(), OpenError> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".before-schema-{}", found + 1));
    if std::fs::metadata(&name).is_ok_and(|copy| copy.len() > 0) {
        // An earlier attempt made it; the older copy is the one from before any change.
        return Ok(());
    }
    born_private(Path::new(&name));
    conn.execute("VACUUM INTO ?1", [name.to_string_lossy()])
        .map_err(|e| {
            OpenError::Failed(format!(
                "no copy could be made before the migration ({e}); free some space and start again"
            ))
        })?;
    make_private(Path::new(&name))
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

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [Migration; 2] = [
        Migration {
            version: 1,
            release: "0.1.0",
            sql: "CREATE TABLE a (n INTEGER) STRICT; INSERT INTO a VALUES (7);",
        },
        Migration {
            version: 2,
            release: "0.2.0",
            sql: "ALTER TABLE a ADD COLUMN m INTEGER; UPDATE a SET m = n * 2;",
        },
    ];

    #[test]
    fn an_existing_database_is_copied_and_then_migrated() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("record.db");
        let conn = Connection::open(&file).unwrap();
        migrate(&conn, Some(&file), &TWO[..1]).unwrap();
        migrate(&conn, Some(&file), &TWO).unwrap();
        migrate(&conn, Some(&file), &TWO).unwrap();
        let m: i64 = conn.query_row("SELECT m FROM a", [], |r| r.get(0)).unwrap();
        assert_eq!(m, 14);
        let copy = dir.path().join("record.db.before-schema-2");
        let mode = std::os::unix::fs::PermissionsExt::mode(&copy.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let copy = Connection::open(copy).unwrap();
        let n: i64 = copy.query_row("SELECT n FROM a", [], |r| r.get(0)).unwrap();
        assert_eq!(n, 7);
        assert_eq!(newest(&copy).unwrap(), (1, "0.1.0".to_owned()));
        assert_eq!(newest(&conn).unwrap(), (2, "0.2.0".to_owned()));
    }

    #[test]
    fn a_fresh_database_needs_no_copy_and_a_failed_step_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("record.db");
        let conn = Connection::open(&file).unwrap();
        let broken = [
            Migration { ..TWO[0] },
            Migration {
                sql: "CREATE TABLE b (n INTEGER) STRICT; UPDATE missing SET x = 1;",
                ..TWO[1]
            },
        ];
        let error = migrate(&conn, Some(&file), &broken).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
        let tables: i64 = conn
            .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
            .unwrap();
        assert_eq!(tables, 0);
        migrate(&conn, Some(&file), &TWO).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
