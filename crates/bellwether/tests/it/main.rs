//! Tests of the whole product and of its source tree, in one binary so that it links once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod asks;
mod bad_input;
mod branches;
mod branches_at_size;
mod crash;
mod decisions;
mod directory;
mod docs;
mod due;
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
mod world;
