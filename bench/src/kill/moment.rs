//! When the server is killed: soon after its start; when it is seen to clear up what was in flight;
//! in the middle of the load; or when it is seen to write its log back into the database. What was
//! meant is counted apart from what the dead server's files show.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::net::TcpStream;

use crate::error::Outcome;
use crate::rng::Rng;
use crate::server::{Home, Server};

use super::left;

/// The shortest and the longest life of a server that is killed while it starts, in microseconds.
const START_US: (u64, u64) = (300, 30_000);
/// How long a server may take until it says what it found in flight; often there is nothing.
const FOUND_MAX: Duration = Duration::from_millis(150);
/// The longest wait after it was seen to clear up.
const CLEAR_UP_US: u64 = 30_000;
/// The shortest life under load.
const SHORTEST_US: u64 = 5_000;
/// The longest life under load.
const LOAD_US: u64 = 900_000;
/// How long a checkpoint is waited for.
const CHECKPOINT_MAX: Duration = Duration::from_secs(3);
/// The longest wait after a checkpoint was seen to begin.
const CHECKPOINT_US: u64 = 4_000;
/// How often the database file is looked at.
const LOOK: Duration = Duration::from_micros(500);
/// Where SQLite's shared index of the log says how many of its frames are back in the database, and
/// how many a checkpoint set out to bring back (its file format, section 3).
const BACK: usize = 96;
const SET_OUT: usize = 128;

/// A kind of moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Soon after the start.
    Start,
    /// While what the life before had in flight is cleared up.
    ClearUp,
    /// Under load.
    Load,
    /// While a checkpoint is going on.
    Checkpoint,
}

/// What was done so far.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Kills {
    /// When each kill happened, in microseconds since 1970.
    #[serde(skip)]
    pub(super) at: Vec<u64>,
    /// Kills soon after the start.
    pub(super) while_starting: usize,
    /// Kills within some milliseconds after the server began to clear up.
    pub(super) in_clear_up: usize,
    /// Kills under load.
    pub(super) under_load: usize,
    /// Kills within a few milliseconds after a checkpoint began.
    pub(super) in_checkpoint: usize,
    /// Kills before the server listened.
    pub(super) before_listening: usize,
    /// Kills after which the log's index shows a checkpoint that was begun and not ended.
    pub(super) checkpoint_cut_off: usize,
    /// How long the log was at each start, in bytes.
    #[serde(skip)]
    pub(super) logs: Vec<usize>,
    /// Milliseconds from each start to listening, where it was waited for.
    #[serde(skip)]
    pub(super) recovery_ms: Vec<f64>,
}

impl Moment {
    /// One of ten while starting, two while clearing up, four under load, three in a checkpoint.
    pub(super) fn choose(rng: &mut Rng) -> Self {
        match rng.between(0, 10) {
            0 => Self::Start,
            1..=2 => Self::ClearUp,
            3..=6 => Self::Load,
            _ => Self::Checkpoint,
        }
    }

    /// Waits for the moment.
    pub(super) async fn wait(
        self,
        home: &Home,
        server: &mut Server,
        rng: &mut Rng,
        began: Instant,
        kills: &mut Kills,
    ) -> Outcome<()> {
        if self == Self::Start {
            kills.while_starting += 1;
            pause(rng.between(START_US.0, START_US.1)).await;
            let deaf = TcpStream::connect(&home.public).await.is_err();
            kills.before_listening += usize::from(deaf);
            return Ok(());
        }
        let from = kills.logs.last().copied().unwrap_or_default();
        if self == Self::ClearUp && clears_up(&home.log(), from).await {
            kills.in_clear_up += 1;
            pause(rng.between(0, CLEAR_UP_US)).await;
            return Ok(());
        }
        server.listening().await?;
        kills
            .recovery_ms
            .push(began.elapsed().as_secs_f64() * 1000.0);
        if self == Self::Checkpoint && checkpoint(&home.database()).await {
            kills.in_checkpoint += 1;
            pause(rng.between(0, CHECKPOINT_US)).await;
        } else {
            kills.under_load += 1;
            pause(rng.between(SHORTEST_US, LOAD_US)).await;
        }
        Ok(())
    }
}

impl Kills {
    /// What the files show after a kill and before the next start.
    pub(super) fn look_at_the_dead(&mut self, home: &Home) {
        let mut index = home.database().into_os_string();
        index.push("-shm");
        let index = std::fs::read(index).unwrap_or_default();
        self.checkpoint_cut_off += usize::from(is_cut_off(&index));
    }
}

/// Whether a checkpoint had set out to bring back more than it did.
fn is_cut_off(index: &[u8]) -> bool {
    let number = |at: usize| {
        let bytes = index.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    number(SET_OUT).is_some_and(|set_out| number(BACK).is_some_and(|back| set_out > back))
}

async fn pause(us: u64) {
    tokio::time::sleep(Duration::from_micros(us)).await;
}

/// Waits until the log says from `from` on that something was found in flight.
async fn clears_up(log: &Path, from: usize) -> bool {
    let began = Instant::now();
    while began.elapsed() < FOUND_MAX {
        if said_since(log, from).is_some_and(|said| said.contains(left::EFFECT)) {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

fn said_since(log: &Path, from: usize) -> Option<String> {
    let mut file = std::fs::File::open(log).ok()?;
    file.seek(SeekFrom::Start(u64::try_from(from).ok()?)).ok()?;
    let mut said = Vec::new();
    file.read_to_end(&mut said).ok()?;
    Some(String::from_utf8_lossy(&said).into_owned())
}

/// Waits until the database file itself changes: between checkpoints only its log does.
async fn checkpoint(database: &Path) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> {
        std::fs::metadata(path)
            .and_then(|file| file.modified())
            .ok()
    };
    let before = changed(database);
    let began = Instant::now();
    while began.elapsed() < CHECKPOINT_MAX {
        if changed(database) != before {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_tells_a_checkpoint_that_was_cut_off() {
        let mut index = vec![0; 136];
        assert!(!is_cut_off(&index));
        index[SET_OUT..SET_OUT + 4].copy_from_slice(&4000u32.to_ne_bytes());
        assert!(is_cut_off(&index));
        index[BACK..BACK + 4].copy_from_slice(&4000u32.to_ne_bytes());
        assert!(!is_cut_off(&index), "it was done");
        assert!(!is_cut_off(&index[..100]), "no index");
    }
}
