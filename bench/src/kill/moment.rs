//! When the server is killed: soon after its start, while it recovers; in the middle of the load;
//! or when it is seen to write its log back into the database. What was meant is counted apart from
//! what the dead server's files show.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::net::TcpStream;

use crate::error::Outcome;
use crate::rng::Rng;
use crate::server::{Home, Server};

/// The shortest life, in microseconds.
const SHORTEST_US: u64 = 5_000;
/// The longest life of a server that is killed while it starts.
const START_US: u64 = 80_000;
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
    /// Three of ten while starting, four under load, three in a checkpoint.
    pub(super) fn choose(rng: &mut Rng) -> Self {
        match rng.between(0, 10) {
            0..=2 => Self::Start,
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
            pause(rng.between(SHORTEST_US, START_US)).await;
            let deaf = TcpStream::connect(&home.public).await.is_err();
            kills.before_listening += usize::from(deaf);
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
