//! Tests of the whole product and of its source tree, in one binary so that it links once.

mod bad_input;
mod faults;
mod installed;
mod race;
mod restart;
mod support;
mod tidy;
