//! The `bellwether` executable: the entry point and nothing else.

mod cli;
mod clock;
mod config;
mod demo;
mod keys;
mod output;
mod server;
mod vault;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
