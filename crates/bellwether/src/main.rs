//! The `bellwether` executable: the entry point and nothing else.

mod cli;
mod clock;
mod config;
mod demo;
mod keys;
mod output;
mod recipes;
mod scan;
mod secrets;
mod server;
mod vault;

use std::process::ExitCode;

// The busy path makes and drops many small values on several threads: measured, the system's
// allocator takes a fifth of it, this one a tenth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
