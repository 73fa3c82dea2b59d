//! Behaviour of the store: the conformance suite that every database runs, and what is special to
//! SQLite. One binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "in tests a panic is the answer, also in what they share"
)]

mod conformance;
mod seals;
mod sqlite;
