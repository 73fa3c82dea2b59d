//! Tests of the whole product and of its source tree, in one binary so that it links once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod crash;
mod decisions;
mod properties;
mod story;
mod tidy;
mod world;
