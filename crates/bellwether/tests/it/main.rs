//! Tests over several crates: the recipes' own stories, decisions and their invariants, the tree.

mod decisions;
mod story;
mod world;
