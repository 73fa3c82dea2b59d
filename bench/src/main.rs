//! The bench: drives the bellwether binary from outside, as its users and providers do, and prints
//! what it measured. It knows no crate of the product; its own child processes are hidden
//! commands.

mod backtest;
mod bare;
mod clock;
mod corpus;
mod disk;
mod error;
mod event;
mod feed;
mod ground;
mod http;
mod id;
mod judge;
mod kill;
mod load;
mod process;
mod progress;
mod rate;
mod rng;
mod server;
mod sink;
mod stage;
mod stats;
mod tenant;
mod timers;

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use error::{During, Outcome, fault};

/// Measures Bellwether beside a proxy that keeps nothing.
#[derive(Debug, Parser)]
#[command(name = "bellwether-bench", version)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    rate: rate::Options,
    /// Prints JSON instead of a few lines.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kills Bellwether under load at random moments and counts what became of every event.
    Kill(kill::Options),
    /// Sends broken, hostile and large mail and counts what became of every one.
    Corpus(corpus::Options),
    /// Reads a licence feed of any length through kills, changes it, and counts every event.
    Feed(feed::Options),
    /// Arms a timer for each of a million licences and says how late those are that come due.
    Timers(timers::Options),
    /// Says what an event costs with a thousand flows, against ten.
    Matching(rate::matching::Options),
    /// Plays a changed flow over a recorded year and holds what it says against a seeded truth.
    Backtest(backtest::Options),
    /// Stands for the push provider.
    #[command(hide = true)]
    Sink,
    /// The proxy that keeps nothing.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        sink: String,
        #[arg(long)]
        push_bytes: usize,
    },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            // Nobody may listen on standard error; the exit code says it too.
            drop(writeln!(std::io::stderr(), "bellwether-bench: {why}"));
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> Outcome<bool> {
    match args.command {
        None => {
            let report = one_core()?.block_on(interruptible(rate::measure(args.rate)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Kill(options)) => {
            let report = one_core()?.block_on(interruptible(kill::measure(options)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Corpus(options)) => {
            let report = one_core()?.block_on(interruptible(corpus::measure(options)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Feed(options)) => {
            let report = one_core()?.block_on(interruptible(feed::measure(options)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Timers(options)) => {
            let report = one_core()?.block_on(interruptible(timers::measure(options)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Backtest(options)) => {
            let report = one_core()?.block_on(interruptible(backtest::measure(options)))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Matching(options)) => {
            let work = rate::matching::measure(options);
            let report = one_core()?.block_on(interruptible(work))?;
            print(args.json, &report, &report.lines())?;
            Ok(report.ok)
        }
        Some(Command::Sink) => one_core()?.block_on(sink::serve()).map(|()| true),
        Some(Command::Bare { sink, push_bytes }) => Builder::new_multi_thread()
            .enable_all()
            .build()
            .during("the proxy's runtime cannot be made")?
            .block_on(bare::serve(&sink, push_bytes))
            .map(|()| true),
    }
}

/// The bench and its sink run on one thread each: all share few cores with what is measured.
fn one_core() -> Outcome<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .during("the runtime cannot be made")
}

/// Ends early on Ctrl-C or SIGTERM; dropping the work kills the children and removes the data.
async fn interruptible<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let mut interrupt = signal(SignalKind::interrupt()).during("signals cannot be heard")?;
    let mut terminate = signal(SignalKind::terminate()).during("signals cannot be heard")?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => fault("interrupted; everything that was started is ended"),
        _ = terminate.recv() => fault("told to end; everything that was started is ended"),
    }
}

fn print(json: bool, report: &impl Serialize, lines: &[String]) -> Outcome<()> {
    let text = if json {
        serde_json::to_string_pretty(report).during("the report cannot be written")?
    } else {
        lines.join("\n")
    };
    writeln!(std::io::stdout(), "{text}").during("the report cannot be printed")
}
