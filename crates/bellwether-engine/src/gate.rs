//! `gate`: whether an effect may go out at this moment. Pure, and asked at each attempt, so that a
//! reminder whose matter is over, a push out of hours or one that came too late never leaves.

use bellwether_model::connector::Role;
use bellwether_model::directory::{Customer, Person};
use bellwether_model::time::Time;

use crate::calendar;
use crate::flow::Importance;
use crate::store::EffectState;

/// What the gate looks at.
#[derive(Debug)]
pub struct Gated<'a> {
    /// What it is for: quiet hours hold pushes only, since a mail wakes nobody.
    pub role: Role,
    /// How loud it is.
    pub importance: Importance,
    /// Too late after this instant.
    pub expires_at: Option<Time>,
    /// The person it is for: one of the directory, or a customer as a reader.
    pub person: Option<&'a Person>,
    /// For a silent update: where the push that it replaces stands.
    pub replaces: Option<EffectState>,
}

/// The gate's verdict; kept on the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Send,
    /// Not before this instant of flow time.
    Hold {
        /// Until when.
        until: Time,
        /// Why, in a word.
        reason: &'static str,
    },
    /// Never.
    Suppress {
        /// Why, in a word.
        reason: &'static str,
    },
    /// Its time has passed.
    Expire,
}

/// Decides on one attempt.
pub fn gate(effect: &Gated<'_>, now: Time) -> Verdict {
    if effect.expires_at.is_some_and(|end| end <= now) {
        return Verdict::Expire;
    }
    match effect.replaces {
        Some(EffectState::Started | EffectState::Done | EffectState::Maybe) | None => {}
        Some(_) => {
            return Verdict::Suppress {
                reason: "nothing to replace",
            };
        }
    }
    let Some(person) = effect.person else {
        return Verdict::Send;
    };
    if person.inactive {
        return Verdict::Suppress {
            reason: "no longer in the directory",
        };
    }
    // Customers are asked for their consent; whoever has none gets no push.
    let customer = Customer::address_of(&person.id).is_some();
    if effect.role == Role::Push && customer && person.push.is_empty() {
        return Verdict::Suppress {
            reason: "no app or no consent",
        };
    }
    if effect.role == Role::Push
        && effect.importance == Importance::Normal
        && let Some(until) = calendar::is_quiet(now, person)
        // What would be too late in the morning is of use now or never.
        && effect.expires_at.is_none_or(|end| end > until)
    {
        return Verdict::Hold {
            until,
            reason: "quiet hours",
        };
    }
    Verdict::Send
}
