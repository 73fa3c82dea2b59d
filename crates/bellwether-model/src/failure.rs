//! What went wrong at a provider, said as what the engine does next. Provider detail stays in
//! `source`; nothing outside the provider's folder matches on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What the engine does next after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Surely not done; try again, not before `after` when the provider named a time.
    Retry {
        /// How long the provider asked us to wait, if it did.
        after: Option<Millis>,
    },
    /// Surely not done and never will be in this form: the step's `on_error`, else a dead letter.
    Reject,
    /// The credentials are refused: the connection waits for a person, its effects are held.
    Reauthorise,
    /// The set-up is wrong (missing right, unknown application): a person must change it.
    Misconfigured,
    /// It may have been done: reconcile before anything is sent again, else `maybe_sent`.
    MaybeDone,
    /// Our own mistake: dead letter, never repeated by itself.
    Bug,
}

/// A failure with its class, a stable code for people to search for, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the engine does next.
    pub class: FailureClass,
    /// A short stable word such as `rate_limited` or `unknown_recipient`.
    pub code: String,
    /// What happened, where, and what to do next, in a sentence without secrets.
    pub message: String,
    /// The provider's own words, shortened and redacted; empty when there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// The most that we keep of a provider's answer inside a failure, in bytes.
pub const SOURCE_MAX: usize = 512;

impl Failure {
    /// A failure of the given class.
    pub fn new(class: FailureClass, code: &str, message: impl Into<String>) -> Self {
        Self {
            class,
            code: code.to_owned(),
            message: message.into(),
            source: String::new(),
        }
    }

    /// Surely not done; worth another attempt.
    pub fn retry(code: &str, message: impl Into<String>, after: Option<Millis>) -> Self {
        Self::new(FailureClass::Retry { after }, code, message)
    }

    /// Surely not done and never will be in this form.
    pub fn reject(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Reject, code, message)
    }

    /// It may have been done.
    pub fn maybe(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureClass::MaybeDone, code, message)
    }

    /// The set-up is wrong.
    pub fn misconfigured(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Misconfigured, code, message)
    }

    /// The credentials are refused.
    pub fn reauthorise(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Reauthorise, code, message)
    }

    /// Our own mistake.
    pub fn bug(code: &str, message: impl Into<String>) -> Self {
        Self::new(FailureClass::Bug, code, message)
    }

    /// The same failure with the provider's words, cut to [`SOURCE_MAX`] bytes.
    #[must_use]
    pub fn with_source(mut self, source: &str) -> Self {
        let mut end = source.len().min(SOURCE_MAX);
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        source[..end].clone_into(&mut self.source);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Failure {}
