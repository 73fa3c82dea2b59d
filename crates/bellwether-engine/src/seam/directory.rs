//! The directory as pages and callers see it: a value to read, and one way to replace it by a later
//! one. Customers are written one by one. Who somebody is in other systems is `people`'s business.

use std::fmt::Debug;
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::directory::{Customer, Directory, Refused};

use super::Actor;

/// A change that was not made. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// Something of it cannot be.
    #[error("{}", sentences(.0))]
    Wrong(Vec<Refused>),
    /// Somebody else changed the directory in between.
    #[error("somebody else changed it meanwhile; load it again and repeat the change")]
    Conflict,
    /// The store failed.
    #[error("it could not be recorded: {0}")]
    Store(String),
}

fn sentences(wrong: &[Refused]) -> String {
    let lines: Vec<&str> = wrong.iter().map(|one| one.message.as_str()).collect();
    lines.join("; ")
}

/// The directory and the register of customers.
pub trait Directories: Send + Sync + Debug {
    /// The directory as flows see it now.
    fn current(&self) -> Arc<Directory>;

    /// Puts a later directory in the place of the one that it was made from (its `version`).
    /// Durable when it returns, and flows see it from then on; the audit says who did it. Returns
    /// the new version; a directory that is the same changes nothing.
    fn replace<'a>(
        &'a self,
        next: Directory,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotChanged>>;

    /// Writes customers, or takes them out (true): all or none. Returns how many.
    fn write_customers<'a>(
        &'a self,
        customers: Vec<(Customer, bool)>,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotChanged>>;
}
