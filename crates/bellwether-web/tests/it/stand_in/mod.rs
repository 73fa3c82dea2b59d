//! What stands in for the engine, with its samples: the tests and the gallery share it as it is.

mod backtests;
mod connections;
pub(crate) mod directory;
mod explains;
pub(crate) mod fake;
mod flows;
mod hosted;
pub(crate) mod register;
pub(crate) mod samples;
mod seals;
