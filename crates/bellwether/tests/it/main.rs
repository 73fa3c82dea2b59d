//! Tests over several crates: the recipes' own stories, decisions and their invariants, the tree.

mod crash;
mod decisions;
mod properties;
mod story;
mod world;
