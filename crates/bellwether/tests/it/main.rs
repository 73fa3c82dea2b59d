//! Tests of the whole product and of its source tree, in one binary so that it links once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod amended;
mod asks;
mod backtest;
mod bad_input;
mod branches;
mod branches_at_size;
mod browser;
mod calls;
mod crash;
mod decisions;
mod directory;
mod docs;
mod driver;
mod due;
mod explain;
mod fallback;
mod faults;
mod feeds;
mod forged;
mod inlets;
mod installed;
mod kept;
mod memory;
mod properties;
mod race;
mod refused;
mod requests;
mod restart;
mod saving;
mod secrets;
mod shadow;
mod smintio_faults;
mod story;
mod support;
mod tenant;
mod tidy;
mod turned_away;
mod usages;
mod variants;
mod world;
