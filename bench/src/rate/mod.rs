//! The rate measurement: interleaved pairs of a bare proxy and of Bellwether under the same load on
//! the same machine. How one round is measured is in `round.rs`, what is printed in `report.rs`.

mod cold;
pub(crate) mod matching;
mod report;
mod round;

use std::path::PathBuf;

use crate::disk;
use crate::error::{Outcome, fault};
use crate::ground::Ground;
use crate::process::Folder;
use crate::progress::Progress;
use crate::server::FLOWS;
use crate::sink::control::Sink;
pub(crate) use report::Report;
use round::{Bare, Durable};

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How many pairs of rounds are measured.
    #[arg(long, default_value_t = 5)]
    pub(crate) pairs: usize,
    /// How long each round is measured, after two seconds of warm-up.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Keep-alive connections, each with one event on the way.
    #[arg(long, default_value_t = 64)]
    pub(crate) connections: usize,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// What all rounds share.
#[derive(Debug)]
pub(crate) struct Bench {
    options: Options,
    http: reqwest::Client,
    sink: Sink,
    folder: Folder,
    binary: PathBuf,
    runs: u16,
}

impl Bench {
    async fn set_up(options: Options) -> Outcome<Self> {
        if options.pairs == 0 || options.seconds < 0.1 || options.connections == 0 {
            return fault("at least one pair, a tenth of a second and one connection are needed");
        }
        let (binary, folder) = options.ground.prepare().await?;
        let http = client()?;
        Ok(Self {
            sink: Sink::start(&http).await?,
            http,
            folder,
            binary,
            runs: 0,
            options,
        })
    }

    /// The number of the next run; every run has its own, so pushes cannot be mistaken.
    fn next_run(&mut self) -> u16 {
        self.runs += 1;
        self.runs
    }
}

/// Measures everything. Faults of single rounds go into the report; a fault here ends it all.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    let mut bench = Bench::set_up(options).await?;
    let disk = disk::of(bench.folder.path());
    let mut errors = Vec::new();
    if !disk::keeps(&disk) {
        errors.push(format!(
            "{} is in memory, not on a disk",
            disk.folder.display()
        ));
    }
    let mut progress = Progress::new(2 * bench.options.pairs + 2);
    progress.say("disk and cold start");
    let mut fsync = vec![disk::fsync_per_s(bench.folder.path())?];
    let cold = cold::measure(&mut bench).await?;
    progress.step("cold start measured");
    let mut bare = Vec::new();
    let mut durable = Vec::new();
    for pair in 0..bench.options.pairs {
        // The order changes from pair to pair, so that a drift of the machine favours nobody.
        for first in [pair % 2 == 0, pair % 2 == 1] {
            if first {
                match round::bare(&mut bench, cold.push_bytes).await {
                    Ok(round) => bare.push(said(&mut progress, "bare", round)),
                    Err(why) => errors.push(format!("pair {}, bare: {why}", pair + 1)),
                }
            } else {
                match round::durable(&mut bench, FLOWS).await {
                    Ok(round) => durable.push(said(&mut progress, "durable", round)),
                    Err(why) => errors.push(format!("pair {}, durable: {why}", pair + 1)),
                }
            }
        }
        fsync.push(disk::fsync_per_s(bench.folder.path())?);
    }
    progress.step("done");
    progress.end();
    Ok(Report::new(
        &bench.options,
        disk,
        &fsync,
        &cold,
        &bare,
        &durable,
        errors,
    ))
}

/// A round of either kind has a rate to show while the bench runs.
trait Rated {
    fn rate(&self) -> f64;
}

impl Rated for Bare {
    fn rate(&self) -> f64 {
        self.load.per_s
    }
}

impl Rated for Durable {
    fn rate(&self) -> f64 {
        self.load.per_s
    }
}

fn said<R: Rated>(progress: &mut Progress, what: &str, round: R) -> R {
    progress.step(&format!("{what}: {:.0}/s", round.rate()));
    round
}

/// The client for everything that is not measured.
pub(crate) fn client() -> Outcome<reqwest::Client> {
    use crate::error::During;
    reqwest::Client::builder()
        .build()
        .during("the bench's HTTP client cannot be made")
}
