//! What a turn asks for, before the rim completes it: effects without a connection chosen, events
//! without an id, notes for the journal.

use bellwether_model::connector::Role;
use bellwether_model::event::Alias;
use bellwether_model::id::EffectId;
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::RunState;
use crate::flow::Importance;
use crate::lang::Guests;
use crate::seam::TurnSaid;

/// One turn of a cell.
#[derive(Debug, Default)]
pub struct Turn {
    /// The state after it.
    pub state: RunState,
    /// Whether the run is over.
    pub closed: bool,
    /// Effects, in order.
    pub effects: Vec<EffectDraft>,
    /// The readers of effects who are customers: the rim does not know them.
    pub guests: Guests,
    /// Cancel keys of effects that are no longer wanted.
    pub cancels: Vec<String>,
    /// Timers set and removed.
    pub timers: Vec<(String, Option<Time>)>,
    /// Events of our own.
    pub emits: Vec<Emitted>,
    /// Names under which events find this run from now on.
    pub aliases: Vec<Alias>,
    /// Lines of a list that are new or changed (Some), or gone, by key.
    pub items: Vec<(String, Option<String>)>,
    /// What happened, for the journal and for "why".
    pub notes: Vec<Note>,
    /// What is said to whoever sent the input.
    pub said: Option<TurnSaid>,
    /// What could not be done.
    pub dead_letters: Vec<Dead>,
}

/// What could not be done, and a person shall know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// A stable word.
    pub code: String,
    /// The sentence.
    pub reason: String,
    /// What may be sent once more.
    pub effect: Option<EffectId>,
}

impl Dead {
    /// One with nothing to send once more.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            reason: reason.into(),
            effect: None,
        }
    }
}

/// Which connection performs an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The connection set up for this role.
    Role(Role),
    /// The connection that an event came from.
    Source(String, Role),
    /// This connection and no other.
    Only(String, Role),
}

/// An effect to be.
#[derive(Clone, Debug)]
pub struct EffectDraft {
    /// Its id, which is its idempotency key for ever.
    pub id: EffectId,
    /// Who performs it.
    pub via: Via,
    /// For whom.
    pub person: Option<String>,
    /// The arguments; links and tokens are added at each attempt and never stored.
    pub args: Json,
    /// Too late after this instant of flow time.
    pub expires_at: Option<Time>,
    /// Withdrawn by this key.
    pub cancel_key: Option<String>,
    /// In order with others of the same key.
    pub order: Option<[u8; 16]>,
    /// Whether giving it up is an input to the cell.
    pub reports: bool,
    /// How loud.
    pub importance: Importance,
    /// Replaces an earlier push silently: pointless unless that one had left.
    pub after: Option<EffectId>,
    /// It stands on a list and is not sent by itself.
    pub listed: bool,
    /// It would have been sent, but its flow is in shadow.
    pub shadow: bool,
}

impl EffectDraft {
    /// What it is for.
    pub fn role(&self) -> Role {
        match &self.via {
            Via::Role(role) | Via::Source(_, role) | Via::Only(_, role) => *role,
        }
    }
}

/// An event of our own.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// The type.
    pub kind: String,
    /// The payload.
    pub data: Json,
    /// Names under which it finds the run that waits for it.
    pub aliases: Vec<Alias>,
}

/// One thing that happened in a turn: ids and words of ours only, no personal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What: `asked`, `reminded`, `decided`, …
    pub what: String,
    /// The person concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The step concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why, in words of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Note {
    /// A note without person or step.
    pub fn of(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            person: None,
            step: None,
            why: None,
        }
    }

    /// The same note about a person.
    #[must_use]
    pub fn about(mut self, person: &str) -> Self {
        self.person = Some(person.to_owned());
        self
    }

    /// The same note at a step.
    #[must_use]
    pub fn at(mut self, step: &str) -> Self {
        self.step = Some(super::branches::plain(step).to_owned());
        self
    }

    /// The same note with a reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }
}
