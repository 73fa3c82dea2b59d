//! The durable record: implementations of the engine's `Store`, `Views` and `Registry`, one folder
//! per database. No decisions are taken here, no network is spoken and no clock is read.

mod migrate;
mod sqlite;

use std::path::{Path, PathBuf};

pub use sqlite::{Database, Stats, audit_hash};

/// The database could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The address names no database that this build knows.
    Scheme(String),
    /// A newer release wrote the database.
    TooNew {
        /// The schema that was found.
        found: u32,
        /// The newest schema that this build knows.
        known: u32,
        /// The release that the schema needs.
        release: String,
    },
    /// Another process has it open.
    InUse {
        /// The database's file.
        file: PathBuf,
        /// The other process, where it said so.
        process: Option<u32>,
    },
    /// The file cannot be read, written or is no database.
    Failed(String),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scheme(url) => write!(
                f,
                "cannot open the database {url}: write sqlite:PATH or sqlite::memory:"
            ),
            Self::TooNew {
                found,
                known,
                release,
            } => write!(
                f,
                "the database has schema {found} and this program knows schemas up to {known}: \
                 a newer build of bellwether wrote it (schema {found} came with {release}). \
                 Start that build, or put the copy back that was made before the upgrade: \
                 it stands beside the database, named …before-schema-N"
            ),
            Self::InUse { file, process } => {
                let who = process.map_or_else(
                    || "another process".to_owned(),
                    |process| format!("process {process}"),
                );
                write!(
                    f,
                    "the database {} is in use by {who}: two servers on one database would send \
                     everything twice. Stop the other one, or give this one a database of its own",
                    file.display()
                )
            }
            Self::Failed(message) => write!(f, "cannot open the database: {message}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The file of a database that lives in one.
fn file_of(url: &str) -> Option<&Path> {
    match url.split_once(':') {
        Some(("sqlite", ":memory:" | ":scratch:")) => None,
        Some(("sqlite", path)) if !path.is_empty() => Some(Path::new(path)),
        _ => None,
    }
}

/// Whether another process has a database open, and which one where it said so. For commands that
/// look and change nothing.
pub fn in_use(url: &str) -> Option<Option<u32>> {
    sqlite::in_use(file_of(url)?)
}

/// What of a database others on this machine may read, with the modes: its files, and its folder
/// when others may write it.
pub fn exposed(url: &str) -> Vec<(PathBuf, u32)> {
    file_of(url).map(sqlite::exposed).unwrap_or_default()
}

/// Opens a database by its address, creating and migrating it as needed: `sqlite:PATH` for a file,
/// `sqlite::memory:` for one that lives as long as the value and is independent of all others,
/// `sqlite::scratch:` for the same in a file without a name, for more than memory should hold.
/// This is the only place that looks at the scheme.
///
/// # Errors
/// The address is unknown, the file unusable, or its schema is newer than this program.
pub fn open(url: &str) -> Result<Database, OpenError> {
    match file_of(url) {
        Some(path) => Database::open_file(path),
        None if url == "sqlite::memory:" => Database::open_memory(),
        None if url == "sqlite::scratch:" => Database::open_scratch(),
        None => Err(OpenError::Scheme(url.to_owned())),
    }
}
