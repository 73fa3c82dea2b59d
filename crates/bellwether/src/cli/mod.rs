//! The commands, one file each. Standard output carries data, standard error everything else;
//! `--json` gives data as JSON.

mod ask;
mod backtest;
mod connections;
mod connector;
mod demo;
mod doctor;
mod explain;
mod import;
mod lint;
mod people;
mod runs;
mod sandbox;
mod scan_links;
mod schema;
mod serve;
mod table;
mod telemetry;
mod test;
mod usages;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output;

/// Mail and asset events become the right push to the right person; what that person does becomes
/// an event again, and the mail thread gets its answer.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on this machine with nothing to configure: stand-ins, server, a story that plays.
    Demo(demo::Demo),
    /// The server.
    Serve(serve::Serve),
    /// The stand-ins of the providers alone.
    Sandbox(sandbox::SandboxCommand),
    /// Checks flow files: every mistake with line, column and what to do.
    Lint(lint::Lint),
    /// Runs the tests that stand in flow files, on a virtual clock.
    Test(test::Test),
    /// Runs a new or changed flow over what a running server has recorded; nothing is sent.
    Backtest(backtest::Backtest),
    /// Says why an event of a running server started what it did, and why somebody was told or not.
    Explain(explain::Explain),
    /// Prints the JSON Schema of flow files, for editors.
    Schema(schema::Schema),
    /// Lists the connectors, or says everything about one.
    Connector(connector::Connector),
    /// How the connections of a running server are, and what their addresses refused.
    Connections(connections::Connections),
    /// Lists runs of a running server, or shows one.
    Runs(runs::Runs),
    /// Which people the users of other systems are, and those whom nobody knows yet.
    People(people::People),
    /// Reads people or customers from a file, all of it or nothing.
    Import(import::Import),
    /// Writes the directory as a table or a file that can be imported again.
    Export(import::Export),
    /// Who uses which asset in which document: lists and imports.
    Usages(usages::Usages),
    /// Reads which assets a folder of creative files uses.
    ScanLinks(scan_links::ScanLinks),
    /// Checks a set-up: configuration, database, keys, connections.
    Doctor(doctor::Doctor),
}

/// How a command ends when it did not succeed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Lines for the person at the terminal.
    Said(Vec<String>),
    /// Everything was said already.
    Quietly,
}

impl From<String> for Failed {
    fn from(line: String) -> Self {
        Self::Said(vec![line])
    }
}

impl From<Vec<String>> for Failed {
    fn from(lines: Vec<String>) -> Self {
        Self::Said(lines)
    }
}

/// Runs the command of this process.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Demo(demo) => with_runtime(demo.run()),
        Command::Serve(serve) => with_runtime(serve.run()),
        Command::Sandbox(sandbox) => with_runtime(sandbox.run()),
        Command::Lint(lint) => lint.run(),
        Command::Test(test) => test.run(),
        Command::Backtest(backtest) => with_runtime(backtest.run()),
        Command::Explain(explain) => with_runtime(explain.run()),
        Command::Schema(schema) => schema.run(),
        Command::Connector(connector) => connector.run(),
        Command::Connections(all) => with_runtime(all.run()),
        Command::Runs(runs) => with_runtime(runs.run()),
        Command::People(people) => with_runtime(people.run()),
        Command::Import(import) => with_runtime(import.run()),
        Command::Export(export) => with_runtime(export.run()),
        Command::Usages(usages) => with_runtime(usages.run()),
        Command::ScanLinks(scan) => with_runtime(scan.run()),
        Command::Doctor(doctor) => with_runtime(doctor.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Quietly) => ExitCode::FAILURE,
        Err(Failed::Said(lines)) => {
            for line in lines {
                output::say(&format!("error: {line}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn with_runtime(task: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("the runtime could not be started: {error}"))?;
    runtime.block_on(task)
}

/// Completes at Ctrl-C or when the process is asked to end. It listens from the call on, so a
/// request that comes before anybody waits is heard too.
pub(crate) fn asked_to_end() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = signal(SignalKind::terminate()).and_then(|terminate| {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok((terminate, interrupt))
    });
    async move {
        let Ok((mut terminate, mut interrupt)) = asked else {
            drop(tokio::signal::ctrl_c().await);
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
