//! Tests of the whole product and of its source tree, in one binary so that it links once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod bad_input;
mod crash;
mod decisions;
mod faults;
mod installed;
mod kept;
mod properties;
mod race;
mod restart;
mod story;
mod support;
mod tidy;
mod world;
