//! The writers of the command line: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

/// Writes a line of data. A reader that went away ends the program quietly.
pub(crate) fn data(line: &str) {
    if writeln!(io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Writes one JSON value on a line.
pub(crate) fn json(value: &Value) {
    data(&value.to_string());
}

/// Says something to the person at the terminal.
pub(crate) fn say(line: &str) {
    // Nobody can be told when standard error is gone.
    drop(writeln!(io::stderr(), "{line}"));
}

/// Whether a person looks at standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// A progress bar on standard error, hidden when nobody looks.
pub(crate) fn progress(total: u64, what: &str) -> indicatif::ProgressBar {
    let bar = if is_watched() {
        indicatif::ProgressBar::new(total)
    } else {
        indicatif::ProgressBar::hidden()
    };
    let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
