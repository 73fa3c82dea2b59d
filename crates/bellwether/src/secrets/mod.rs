//! Secrets at rest: sealed before they are written, opened where a connection is made and nowhere
//! else. Which fields are secret, the sealing itself, the registry that seals, and the look at the
//! record before a start. Where the keys come from is in `keys`.

mod fields;
mod registry;
mod seal;
mod start;

pub(crate) use registry::SealedRegistry;
pub(crate) use seal::Seals;
pub(crate) use start::{Lost, admit, keys_needed, known_keys, look, seal_what_is_open};

#[cfg(test)]
mod tests;
