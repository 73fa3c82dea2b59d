//! The disk under the measurement: which one it is, and how many small writes it makes durable in a
//! second. The raw loop is run before and after, because a shared disk changes its mind.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{During, Outcome};

/// Bytes per write: one page of the database.
const PAGE: usize = 4096;
/// How long the loop runs.
const LOOP: Duration = Duration::from_secs(1);
/// The file wraps around at this size, as a write-ahead log does.
const WRAP: u64 = 16 * 1024 * 1024;
/// File systems that lose everything with the power, so a durable commit on them means nothing.
const VOLATILE: [&str; 3] = ["tmpfs", "ramfs", "overlay-tmpfs"];

/// Where a folder lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Disk {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The device or share.
    pub(crate) device: String,
    /// The file system.
    pub(crate) file_system: String,
}

/// Writes of one page, each made durable, per second.
pub(crate) fn fsync_per_s(folder: &Path) -> Outcome<f64> {
    let path = folder.join("fsync.probe");
    let mut file = File::create(&path).during("the disk probe cannot be made")?;
    let page = [0x5A; PAGE];
    let began = Instant::now();
    let mut count = 0u64;
    while began.elapsed() < LOOP {
        let at = (count * PAGE as u64) % WRAP;
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(&page))
            .and_then(|()| file.sync_data())
            .during("the disk probe cannot be written")?;
        count += 1;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path).during("the disk probe cannot be removed")?;
    Ok(rate)
}

/// The parent folder for data: the given one, or a temporary folder that is not in memory.
pub(crate) fn parent(given: Option<PathBuf>) -> PathBuf {
    if let Some(folder) = given {
        return folder;
    }
    let temporary = std::env::temp_dir();
    if VOLATILE.contains(&of(&temporary).file_system.as_str()) {
        return PathBuf::from("/var/tmp");
    }
    temporary
}

/// Whether a folder's disk keeps what was synced.
pub(crate) fn keeps(disk: &Disk) -> bool {
    !VOLATILE.contains(&disk.file_system.as_str())
}

/// Which disk a folder is on.
pub(crate) fn of(folder: &Path) -> Disk {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let (device, file_system) = longest(&mounts, &folder).unwrap_or_default();
    Disk {
        folder,
        device,
        file_system,
    }
}

/// The mount with the longest path above the folder; of equals the last, which hides the others.
fn longest(mounts: &str, folder: &Path) -> Option<(String, String)> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (device, at, kind) = (words.next()?, words.next()?, words.next()?);
            folder
                .starts_with(at)
                .then(|| (at.len(), device.to_owned(), kind.to_owned()))
        })
        .max_by_key(|(length, _, _)| *length)
        .map(|(_, device, kind)| (device, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts =
            "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/d xfs rw 0 0\n";
        let kind = |path: &str| longest(mounts, Path::new(path)).unwrap().1;
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/tmp/x"), "tmpfs");
        assert_eq!(kind("/tmp/d/y"), "xfs");
        assert_eq!(kind("/tmpx"), "ext4");
    }
}
