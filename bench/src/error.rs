//! The one error of the bench: a sentence. Nothing here decides what to do about it.

use std::fmt;

/// What went wrong, where, and what to do next, in one sentence.
#[derive(Debug, Clone)]
pub(crate) struct Fault(pub(crate) String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// The result of everything in the bench that can fail.
pub(crate) type Outcome<T> = Result<T, Fault>;

/// A fault from a sentence.
pub(crate) fn fault<T>(sentence: impl Into<String>) -> Outcome<T> {
    Err(Fault(sentence.into()))
}

/// Says what was being done when a foreign error came.
pub(crate) trait During<T> {
    /// Turns the error into "`what`: the error's own words".
    fn during(self, what: &str) -> Outcome<T>;
}

impl<T, E: fmt::Display> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Outcome<T> {
        self.map_err(|error| Fault(format!("{what}: {error}")))
    }
}
