//! What stands in for the engine, with its samples: the tests and the gallery share it as it is.

pub(crate) mod directory;
pub(crate) mod fake;
mod flows;
mod hosted;
pub(crate) mod register;
pub(crate) mod samples;
