//! What pages and callers may say of people: who uses an asset, and who somebody is whom only
//! another system knows. What is known already is read through `Views`.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::time::Time;

use super::{Actor, IntakeError};
use crate::store::How;

/// Somebody as a caller or an event names him.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSaid {
    /// The connection that knows him; empty: the one that says it.
    pub connection: String,
    /// His id there, or the id of a person of the directory.
    pub id: String,
    /// His name.
    pub name: String,
    /// His address.
    pub email: String,
}

/// Somebody uses an asset, as a caller or an event says it.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageSaid {
    /// The asset's id.
    pub asset: String,
    /// Who.
    pub user: UserSaid,
    /// The document; may be empty.
    pub document: String,
    /// How sure.
    pub how: How,
    /// Since when; None: since it was so.
    pub since: Option<Time>,
    /// When it was so; None: now.
    pub at: Option<Time>,
    /// True: no longer.
    pub ended: bool,
}

/// What became of usages that were handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many stand in the register now.
    pub recorded: usize,
    /// Of those, how many name a user whose person nobody knows yet.
    pub unresolved: usize,
    /// Those that were not taken: their place in what was handed in, and why.
    pub refused: Vec<(usize, String)>,
}

/// Which person a user of another system is, as somebody says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMapping {
    /// The connection.
    pub connection: String,
    /// The user's id there.
    pub id: String,
    /// His name there; empty: keeps what is known.
    pub name: String,
    /// The person's id or address; None: nobody any more.
    pub person: Option<String>,
}

/// Mappings that were not taken. None of them was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMapped {
    /// Each one's place in what was handed in, and why.
    #[error("{}", sentences(.0))]
    Wrong(Vec<(usize, String)>),
    /// The store failed.
    #[error("it could not be recorded: {0}")]
    Store(String),
}

fn sentences(wrong: &[(usize, String)]) -> String {
    let lines = wrong.iter().map(|(at, why)| format!("entry {at}: {why}"));
    lines.collect::<Vec<_>>().join("; ")
}

/// The register of usages, and who is who.
pub trait People: Send + Sync + Debug {
    /// Records usages. Each stands for itself; durable when it returns.
    fn record_usages(&self, usages: Vec<UsageSaid>)
    -> BoxFuture<'_, Result<Recorded, IntakeError>>;

    /// Says which people users of other systems are: all or none. From then on flows find them.
    fn map_people<'a>(
        &'a self,
        mappings: Vec<NewMapping>,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotMapped>>;

    /// Looks for people whom unresolved users might be, in their names and in recent proved mails,
    /// and keeps what it finds as proposals. Returns how many there are; nothing is used of them.
    fn propose_people(&self) -> BoxFuture<'_, Result<usize, IntakeError>>;
}
