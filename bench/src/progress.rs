//! One line on standard error that says how far the bench is.

use std::io::{IsTerminal, Write};

/// Characters of the bar.
const WIDTH: usize = 28;

/// A bar over a known number of steps.
#[derive(Debug)]
pub(crate) struct Progress {
    steps: usize,
    done: usize,
    rewrite: bool,
}

impl Progress {
    /// A bar of so many steps.
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            steps: steps.max(1),
            done: 0,
            rewrite: std::io::stderr().is_terminal(),
        }
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, what: &str) {
        let filled = WIDTH * self.done.min(self.steps) / self.steps;
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
        let line = format!("[{bar}] {}/{} {what}", self.done, self.steps);
        self.write(&line);
    }

    /// One step is done.
    pub(crate) fn step(&mut self, what: &str) {
        self.done += 1;
        self.say(what);
    }

    /// Leaves the line.
    pub(crate) fn end(&self) {
        if self.rewrite {
            self.write("");
        }
    }

    fn write(&self, line: &str) {
        let mut err = std::io::stderr().lock();
        // Nobody may be there to read the progress; the result is on standard output.
        let written = if self.rewrite {
            write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
        drop(written);
    }
}
