//! The ways in: events that are submitted and answered, requests of connections, and what pages may
//! ask of connections.

use std::fmt::Debug;
use std::net::IpAddr;

use bellwether_model::BoxFuture;
use bellwether_model::event::{NewEvent, Position};
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::Time;
use serde::Serialize;

use super::Actor;
use crate::store::{Refusals, StoreError};

/// An event that was recorded, and what the turns that it caused said.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// Where it stands.
    pub position: Position,
    /// Whether it had been seen before.
    pub duplicate: bool,
    /// What each turn said to the sender, in order; empty for a duplicate and for a turn that is
    /// still to come (`recorded, being decided`).
    pub said: Vec<TurnSaid>,
}

/// What a turn says to whoever submitted its event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum TurnSaid {
    /// A run began.
    Began {
        /// The run.
        run: CellId,
    },
    /// It was noted.
    Noted,
    /// This was the decision.
    Decided {
        /// The choice's id.
        choice: String,
        /// Who.
        by: String,
        /// When, in flow time.
        at: Time,
    },
    /// Somebody had decided before.
    AlreadyDecided {
        /// The choice's id.
        choice: String,
        /// Who.
        by: String,
        /// When, in flow time.
        at: Time,
    },
    /// The matter stays open (a question was passed on).
    PassedOn {
        /// The choice's id.
        choice: String,
    },
    /// What was shown is no longer the matter: look again.
    Changed,
    /// A stronger proof of identity is needed.
    SignInRequired,
    /// It is over without a decision.
    Over {
        /// `expired`, `withdrawn` or `closed`.
        how: String,
        /// When.
        at: Time,
    },
    /// Not allowed, with the reason in a sentence.
    Refused {
        /// A stable word.
        code: String,
        /// The sentence.
        reason: String,
    },
}

/// An event that was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Larger than a named limit.
    #[error("{0}")]
    TooLarge(String),
    /// Not an event.
    #[error("{0}")]
    Malformed(String),
    /// More than the server takes at the moment; nothing was recorded.
    #[error("too much at once; try again in {retry_after_s} s")]
    Busy {
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// The store failed; nothing is known to be recorded.
    #[error("the event could not be recorded: {0}")]
    Store(String),
}

/// What is written otherwise when a message is sent once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amended {
    /// Title or subject.
    pub title: Option<String>,
    /// The text.
    pub text: Option<String>,
    /// The address of a mail.
    pub to: Option<String>,
}

/// Takes events. When it answers, the event is durable.
pub trait Intake: Send + Sync + Debug {
    /// Records an event with what it causes.
    fn submit(&self, event: NewEvent) -> BoxFuture<'_, Result<Submitted, IntakeError>>;

    /// Decides for a person, from the console. The event says who really did it.
    fn decide_for<'a>(
        &'a self,
        run: CellId,
        person: &'a str,
        choice: &'a str,
        comment: &'a str,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<TurnSaid, IntakeError>>;

    /// Settles a dead letter: its effect is queued again, its event given to its run again, or,
    /// when there is nothing to repeat, it is taken off the list. False when it is settled already.
    /// A message is sent as `changes` has it; what cannot be changed is refused as malformed.
    fn retry<'a>(
        &'a self,
        dead_letter: Id,
        changes: &'a Amended,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<bool, IntakeError>>;
}

/// Takes requests of connections at `/hooks/{connection}/{inlet}`.
pub trait Inlets: Send + Sync + Debug {
    /// Authenticates, records, answers: in this order. What is refused is counted with its reason.
    /// `caller` is the address that it came from, as far as it is known.
    fn receive_from<'a>(
        &'a self,
        connection: &'a str,
        caller: Option<IpAddr>,
        request: RawRequest,
    ) -> BoxFuture<'a, RawAnswer>;

    /// Counts a request that was refused before all of it was read.
    fn turned_away(&self, connection: &str, away: TurnedAway);

    /// The same as [`Inlets::receive_from`], of a caller whose address is not known.
    fn receive<'a>(&'a self, connection: &'a str, request: RawRequest) -> BoxFuture<'a, RawAnswer> {
        self.receive_from(connection, None, request)
    }
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// The inlet that was called.
    pub inlet: String,
    /// The address that it came from.
    pub caller: Option<IpAddr>,
    /// The answer's status.
    pub status: u16,
    /// A stable word.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// How long the body was, as far as it was read or announced.
    pub bytes: u64,
}

/// How a connection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ConnectionHealth {
    /// Not used yet.
    Unknown,
    /// The latest use worked.
    Ok {
        /// When (transport time).
        at: Time,
    },
    /// The latest use failed; it is tried again by itself.
    Failing {
        /// Since when (transport time).
        since: Time,
        /// The sentence.
        reason: String,
    },
    /// A person must consent again or change the set-up; effects are held meanwhile.
    NeedsYou {
        /// Since when (transport time).
        since: Time,
        /// The sentence.
        reason: String,
    },
}

/// A connection in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConnectionView {
    /// Its name.
    pub name: String,
    /// The connector.
    pub connector: String,
    /// How it is.
    pub health: ConnectionHealth,
    /// Whether it has a ledger.
    pub has_source: bool,
    /// Effects in flight.
    pub in_flight: usize,
    /// Effects queued or held.
    pub waiting: usize,
    /// Parts of the link that have a health of their own, such as a push channel, by name.
    pub parts: Vec<(String, ConnectionHealth)>,
}

/// What pages may ask of connections.
pub trait Connections: Send + Sync + Debug {
    /// All, in order of name.
    fn list(&self) -> BoxFuture<'_, Vec<ConnectionView>>;

    /// Makes the cheapest call that proves the set-up; the identity on success.
    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, Failure>>;

    /// Reads the source now instead of at the next poll. False: no such source.
    fn read_now<'a>(&'a self, name: &'a str) -> BoxFuture<'a, bool>;

    /// Counts what the ledger lacks against the provider's own listing, without repairing.
    fn recount<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Failure>>;

    /// Takes what the ledger lacks in; how many were found.
    fn sweep<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Failure>>;

    /// What the connection's address refused: counts by reason, and the newest few.
    fn refusals<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Refusals, StoreError>>;

    /// The notification behind a provider's reference, for status reports.
    fn by_reference<'a>(
        &'a self,
        connection: &'a str,
        reference: &'a str,
    ) -> BoxFuture<'a, Option<EffectId>>;
}
