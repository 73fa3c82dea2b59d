//! Tests of the whole product and of its source tree, in one binary so that it links once.

mod tidy;
