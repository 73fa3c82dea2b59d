//! Behaviour of the store: the conformance suite that every database runs, and what is special to
//! SQLite. One binary, so that it links once.

mod conformance;
mod sqlite;
