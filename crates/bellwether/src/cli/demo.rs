//! `demo`: everything on this machine with nothing to configure.

use std::path::PathBuf;

use super::{Failed, telemetry};
use crate::demo::{self, Settings};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// The console's port; a taken one is replaced by the next free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of hosted pages; the console's plus one unless given.
    #[arg(long)]
    public_port: Option<u16>,
    /// The stand-ins' base port.
    #[arg(long, default_value_t = 9400)]
    sandbox_port: u16,
    /// Where to keep the record; a folder that goes away with the demo unless given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Brings everything up and plays nothing.
    #[arg(long)]
    no_story: bool,
    /// Plays the story without a person, prints what came of it, ends.
    #[arg(long)]
    once: bool,
    /// Prints data as JSON.
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failed> {
        telemetry::start(self.json, tracing::Level::WARN);
        let settings = Settings {
            port: self.port,
            public_port: self.public_port.unwrap_or(next(self.port)),
            sandbox_port: self.sandbox_port,
            data: self.data,
            story: !self.no_story,
            once: self.once,
            json: self.json,
        };
        demo::run(settings).await
    }
}

/// The port after; any free one after any free one.
fn next(port: u16) -> u16 {
    if port == 0 { 0 } else { port.saturating_add(1) }
}
