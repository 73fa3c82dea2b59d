//! The log: on standard error, as lines for people or as JSON.

use std::io::IsTerminal as _;

use tracing::Level;

/// Starts the log of this process.
pub(super) fn start(json: bool, level: Level) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_target(false);
    // Colours are for eyes: in a file or a pipe they would be noise.
    let log = if std::io::stderr().is_terminal() {
        log
    } else {
        log.with_ansi(false)
    };
    // A second start in one process changes nothing.
    let started = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
    drop(started);
}
