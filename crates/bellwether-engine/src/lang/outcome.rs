//! `outcome_of( )`: what the record knows now of a message that was sent before. It says what is
//! sure; nothing is guessed from a provider that only says that it took a push.

use bellwether_model::id::Id;
use bellwether_model::notification::{Delivery, Engagement};
use minijinja::Value;

use super::eval::{Fault, Worked, absent};
use super::scope::Scope;
use super::values::Sort;
use crate::store::{Answer, EffectState, Outcome, Query};

/// Absent for a message that the record does not have, or not any more.
pub(super) fn outcome_of(value: &Value, at: usize, scope: &Scope) -> Worked {
    let effect = match value.as_str() {
        Some(id) => id.parse::<Id>().ok(),
        None if Sort::of(value) == Sort::Absent => None,
        None => {
            let sort = Sort::of(value).words();
            let message = format!("outcome_of( ) takes a push's number, but this is {sort}");
            return Err(Fault::new(at, message));
        }
    };
    let Some(effect) = effect else {
        return Ok(absent());
    };
    match scope.world().lookups.answer(&Query::Outcome { effect }) {
        Some(Answer::Outcome(Some(outcome))) => Ok(as_value(outcome)),
        Some(Answer::Outcome(None)) => Ok(absent()),
        _ => Err(Fault::new(
            at,
            "what became of a push can be asked in steps, not in `when` or `case`",
        )),
    }
}

fn as_value(outcome: &Outcome) -> Value {
    let did = match outcome.engagement {
        Engagement::Acted => Value::from("answered"),
        Engagement::Opened => Value::from("opened"),
        Engagement::Dismissed => Value::from("dismissed"),
        Engagement::None | Engagement::Fetched => Value::from(()),
    };
    Value::from_pairs([
        ("delivered", Value::from(delivered(outcome, &did))),
        ("did", did),
        ("over", Value::from(outcome.over)),
    ])
}

/// Whether the device got it: whoever did something with it had it.
fn delivered(outcome: &Outcome, did: &Value) -> &'static str {
    match outcome.delivery {
        Delivery::Delivered => "yes",
        _ if !did.is_none() => "yes",
        Delivery::Failed | Delivery::Expired | Delivery::Withdrawn => "no",
        _ => match outcome.state {
            EffectState::Started | EffectState::Done | EffectState::Maybe => "cannot know",
            _ => "no",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_receipt_proves_cannot_be_known() {
        let said = |state, delivery, engagement| {
            let over = true;
            let value = as_value(&Outcome {
                state,
                delivery,
                engagement,
                over,
            });
            value.get_attr("delivered").unwrap().to_string()
        };
        let done = EffectState::Done;
        for (state, delivery, did, expected) in [
            (done, Delivery::Delivered, Engagement::None, "yes"),
            (done, Delivery::Accepted, Engagement::None, "cannot know"),
            (done, Delivery::Accepted, Engagement::Fetched, "cannot know"),
            (done, Delivery::Accepted, Engagement::Opened, "yes"),
            (done, Delivery::HandedOff, Engagement::None, "cannot know"),
            (
                EffectState::Maybe,
                Delivery::MaybeSent,
                Engagement::None,
                "cannot know",
            ),
            (
                EffectState::Failed,
                Delivery::Failed,
                Engagement::None,
                "no",
            ),
            (
                EffectState::Queued,
                Delivery::Queued,
                Engagement::None,
                "no",
            ),
        ] {
            assert_eq!(
                said(state, delivery, did),
                expected,
                "{state:?} {delivery:?} {did:?}"
            );
        }
    }
}
