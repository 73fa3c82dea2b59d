//! Effects as they are stored: the outbox and, for pushes and mails, the notifications.

use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::event::Alias;
use bellwether_model::failure::Failure;
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;
use serde_json::Value;

use super::Owner;

/// Where an effect stands. The attempt marker: no network call before `Started` is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectState {
    /// Surely not sent.
    Queued,
    /// An attempt is, or was, in flight.
    Started,
    /// Done.
    Done,
    /// Given up.
    Failed,
    /// It may have been done and nobody can say.
    Maybe,
    /// Not before an instant, by a policy (quiet hours) or because its connection is held.
    Held,
    /// Withdrawn before it started.
    Cancelled,
    /// A policy says never.
    Suppressed,
    /// Its time passed before it started.
    Expired,
}

/// What became of a message, for who asks later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it stands.
    pub state: EffectState,
    /// What is known of its delivery.
    pub delivery: Delivery,
    /// What its reader did.
    pub engagement: Engagement,
    /// Whether the run that sent it has ended.
    pub over: bool,
}

impl EffectState {
    /// All states with their stored numbers (the position) and names.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Queued, "queued"),
        (Self::Started, "started"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Maybe, "maybe_sent"),
        (Self::Held, "held"),
        (Self::Cancelled, "cancelled"),
        (Self::Suppressed, "suppressed"),
        (Self::Expired, "expired"),
    ];

    /// The number under which it is stored.
    pub fn code(self) -> u8 {
        super::code_in(&Self::ALL, self)
    }

    /// The reverse of [`EffectState::code`]; an unknown number reads as `Failed`, which sends
    /// nothing.
    pub fn from_code(code: u8) -> Self {
        Self::ALL
            .get(usize::from(code))
            .map_or(Self::Failed, |(state, _)| *state)
    }

    /// Its word in the API.
    pub fn word(self) -> &'static str {
        Self::ALL
            .get(usize::from(self.code()))
            .map_or("failed", |(_, word)| word)
    }
}

/// An effect that begins its life in a turn.
#[derive(Clone, Debug)]
pub struct EffectWrite {
    /// Its id: the idempotency key, and the notification id for pushes and mails.
    pub id: EffectId,
    /// What it is for.
    pub role: Role,
    /// The connection that performs it: its lane.
    pub lane: String,
    /// Effects with the same key go one at a time, in order. None for free ones.
    pub order_key: Option<[u8; 16]>,
    /// The person it is for.
    pub person: Option<String>,
    /// `Queued`; `Started` when the dispatcher holds a slot for it; `Held` or `Suppressed` by gate.
    pub state: EffectState,
    /// Who holds the slot when it is `Started`.
    pub owner: Option<Owner>,
    /// Not before this instant (transport time).
    pub not_before: Option<Time>,
    /// Not after this instant (flow time).
    pub expires_at: Option<Time>,
    /// Cancelling this key within the cell withdraws it.
    pub cancel_key: Option<String>,
    /// Whether its outcome is an input to its cell (the flow waits for it or handles failures).
    pub reports: bool,
    /// The arguments, JSON text, at most 32 KB, links still as placeholders.
    pub args: Arc<str>,
    /// Why it is held or suppressed.
    pub reason: Option<String>,
    /// When, in flow time.
    pub at: Time,
}

/// An effect as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// Its id.
    pub id: EffectId,
    /// The cell that made it.
    pub cell: CellId,
    /// What it is for.
    pub role: Role,
    /// The connection that performs it.
    pub lane: String,
    /// One at a time per key.
    pub order_key: Option<[u8; 16]>,
    /// The person it is for.
    pub person: Option<String>,
    /// Where it stands.
    pub state: EffectState,
    /// How many attempts began.
    pub attempt: u32,
    /// Who began the latest.
    pub owner: Option<Owner>,
    /// Not before (transport time).
    pub not_before: Option<Time>,
    /// Not after (flow time).
    pub expires_at: Option<Time>,
    /// How far delivery is known to have come.
    pub delivery: Delivery,
    /// What its reader did.
    pub engagement: Engagement,
    /// Whether its outcome is an input to its cell.
    pub reports: bool,
    /// The arguments.
    pub args: Arc<str>,
    /// Saved by an attempt (a draft's id).
    pub saved: Option<Value>,
    /// The provider's own id for it.
    pub reference: Option<String>,
    /// The latest failure.
    pub failure: Option<Failure>,
    /// Why it is held or suppressed.
    pub reason: Option<String>,
    /// When it was made, in flow time.
    pub made_at: Time,
    /// When it last changed, in flow time.
    pub changed_at: Time,
}

impl EffectRow {
    /// What kind of thing it is, in a word for people.
    pub fn role_word(&self) -> &'static str {
        match self.role {
            Role::Push => "push",
            Role::Mail => "mail",
            Role::Reply => "reply",
            Role::Label => "label",
            Role::Http => "http",
        }
    }
}

/// A change of one effect. A guard that does not hold makes the member `Stale`.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectUpdate {
    /// Queued or held, at `attempt` attempts → started by `owner`, attempts + 1.
    Claim {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        at: Time,
    },
    /// Queued or held → held until `until` (transport time; None: until its connection is back).
    Hold {
        id: EffectId,
        until: Option<Time>,
        reason: String,
        at: Time,
    },
    /// Queued or held → suppressed.
    Suppress {
        id: EffectId,
        reason: String,
        at: Time,
    },
    /// Queued or held → expired.
    Expire { id: EffectId, at: Time },
    /// Still started as (attempt, owner): progress is saved.
    Save {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        saved: Value,
    },
    /// Started as (attempt, owner), or maybe → done. Aliases are added to its cell.
    Done {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        delivery: Delivery,
        reference: Option<String>,
        aliases: Vec<Alias>,
        at: Time,
    },
    /// Started as (attempt, owner) → queued again, not before `not_before`.
    Retry {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        not_before: Time,
        failure: Failure,
        at: Time,
    },
    /// Started as (attempt, owner) → failed.
    Fail {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        failure: Failure,
        at: Time,
    },
    /// Started as (attempt, owner) → maybe.
    Maybe {
        id: EffectId,
        attempt: u32,
        owner: Owner,
        failure: Failure,
        at: Time,
    },
    /// Started by somebody who is gone (`attempt`, `was`) → started by `owner`, same attempt: to
    /// reconcile it.
    Adopt {
        id: EffectId,
        attempt: u32,
        was: Owner,
        owner: Owner,
    },
    /// Any state: merges what is known. Never `Stale`.
    Report {
        id: EffectId,
        delivery: Option<Delivery>,
        engagement: Option<Engagement>,
        at: Time,
    },
    /// Failed, maybe or expired → queued again, by a person's hand.
    Requeue {
        id: EffectId,
        args: Option<Arc<str>>,
        at: Time,
    },
    /// Everything of this lane that is held without an instant → queued: its connection is back.
    Release { lane: String, at: Time },
}
