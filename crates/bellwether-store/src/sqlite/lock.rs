//! One process per database: an exclusive lock on a file beside it, and who may read the files. The
//! lock goes away with its process however that ends. What is in the database is elsewhere.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::OpenError;

/// How long a server waits for the one before it, which may be writing its log back.
const WAIT: Duration = Duration::from_secs(3);
/// How long between two looks at the lock.
const LOOK: Duration = Duration::from_millis(20);
/// The mode of every file of a database: it holds mails, links to people and secrets.
const FILE_MODE: u32 = 0o600;
/// The mode of a folder that is made for a database.
const FOLDER_MODE: u32 = 0o700;
/// What may not be set in the mode of a file.
const OTHERS: u32 = 0o077;
/// What may not be set in the mode of its folder: whoever writes there can put another file in.
const WRITABLE: u32 = 0o022;
/// The most bytes that are read from a lock file: a process id.
const PID_MAX: u64 = 32;

/// The right to write a database file, as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    /// Closing it gives the lock back.
    _file: File,
}

/// A file of the database: itself, or with one of the endings of its companions.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl Lock {
    /// Takes the lock of a database; waits a little for a process that is about to end.
    ///
    /// # Errors
    /// [`OpenError::InUse`] with the process that has it, or the file cannot be made.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = beside(database, ".lock");
        let shown = path.display();
        let failed = |error: std::io::Error| OpenError::Failed(format!("{shown}: {error}"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < WAIT => {
                    std::thread::park_timeout(LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::InUse {
                        file: database.to_owned(),
                        process: holder(&mut file),
                    });
                }
            }
        }
        // The number is for people; the lock itself is what counts.
        let named = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        named.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process that the file names.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Makes the folder and the file of a database, if there are none, so that only their owner may
/// read them.
///
/// # Errors
/// Neither is there nor can be made.
pub(super) fn make_room(database: &Path) -> Result<(), OpenError> {
    let shown = database.display();
    if let Some(folder) = database.parent().filter(|at| !at.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(|error| {
            let folder = folder.display();
            OpenError::Failed(format!("the folder {folder} could not be made: {error}"))
        })?;
    }
    // The companions get the mode of the database from SQLite, so it must be right from the start.
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(database);
    made.map(drop)
        .map_err(|error| OpenError::Failed(format!("{shown}: {error}")))
}

/// Takes from others what an earlier release or a copy left them to read.
///
/// # Errors
/// A file that belongs to somebody else, with what to do about it.
pub(super) fn keep_private(database: &Path) -> Result<(), OpenError> {
    for ending in ["", "-wal", "-shm"] {
        let path = beside(database, ending);
        let Some(mode) = mode(&path).filter(|mode| mode & OTHERS != 0) else {
            continue;
        };
        let shown = path.display();
        fs::set_permissions(&path, Permissions::from_mode(FILE_MODE)).map_err(|error| {
            OpenError::Failed(format!(
                "{shown} can be read by others (mode {mode:o}) and that could not be changed \
                 ({error}): run `chmod 600 {shown}` as its owner"
            ))
        })?;
        tracing::warn!("{shown} could be read by others (mode {mode:o}); now only by its owner");
    }
    Ok(())
}

/// Takes a copy of the database from everybody but its owner.
///
/// # Errors
/// The mode cannot be changed.
pub(crate) fn make_private(copy: &Path) -> Result<(), OpenError> {
    fs::set_permissions(copy, Permissions::from_mode(FILE_MODE))
        .map_err(|error| OpenError::Failed(format!("{}: {error}", copy.display())))
}

fn mode(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    Some(found.permissions().mode() & 0o7777)
}

/// Whether another process writes this database now, and which. Changes nothing.
pub(crate) fn in_use(database: &Path) -> Option<Option<u32>> {
    let mut file = File::open(beside(database, ".lock")).ok()?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Files of the database that others may read, with their modes, and its folder when others may
/// write it.
pub(crate) fn exposed(database: &Path) -> Vec<(PathBuf, u32)> {
    let files = ["", "-wal", "-shm"].map(|ending| (beside(database, ending), OTHERS));
    let folder = database.parent().map(|folder| {
        let here = folder.as_os_str().is_empty();
        let folder = if here { Path::new(".") } else { folder };
        (folder.to_owned(), WRITABLE)
    });
    let looked = files.into_iter().chain(folder);
    looked
        .filter_map(|(path, wrong)| {
            let mode = mode(&path).filter(|mode| mode & wrong != 0)?;
            Some((path, mode))
        })
        .collect()
}
