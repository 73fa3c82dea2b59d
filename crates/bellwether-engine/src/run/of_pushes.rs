//! What becomes of pushes, told as events, when a flow wants to hear of it: nobody else pays for
//! it.

use bellwether_model::connector::Role;
use bellwether_model::directory::Customer;
use bellwether_model::event::{Cause, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::id::{CellId, EffectId};
use serde_json::{Value as Json, json};

use super::Engine;
use super::prepare::Job;
use crate::decide::ENGINE;
use crate::store::{EffectRow, EventWrite};

/// The longest text of a push that its event repeats.
const TEXT_MAX: usize = 2_000;

impl Engine {
    /// The event of a push, if a flow wants to hear of such.
    pub(crate) fn of_push(
        &self,
        kind: &str,
        job: &Job,
        failure: Option<&Failure>,
    ) -> Option<EventWrite> {
        if job.role != Role::Push {
            return None;
        }
        let about = (job.effect, job.cell, job.person.as_deref());
        self.of_one(kind, about, &job.args, failure)
    }

    /// The same of a push that waits.
    pub(crate) fn of_waiting_push(&self, kind: &str, row: &EffectRow) -> Option<EventWrite> {
        if row.role != Role::Push {
            return None;
        }
        let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
        let about = (row.id, row.cell, row.person.as_deref());
        self.of_one(kind, about, &args, None)
    }

    fn of_one(
        &self,
        kind: &str,
        (effect, cell, person): (EffectId, CellId, Option<&str>),
        args: &Json,
        failure: Option<&Failure>,
    ) -> Option<EventWrite> {
        let setup = self.setup();
        let is_update = args.get("kind").and_then(Json::as_str) == Some("update");
        if is_update || !setup.flows.hears_of(kind) {
            return None;
        }
        let now = self.now();
        let mut push = json!({ "notification": effect, "person": person });
        describe(&mut push, args);
        if let Some(address) = person.and_then(Customer::address_of) {
            push["customer"] = json!(address);
        }
        if let Some(failure) = failure {
            push["reason"] = json!(failure.message);
            push["code"] = json!(failure.code);
        }
        let data = json!({ "push": push });
        let mut event = NewEvent::new(ENGINE, format!("{kind}/{effect}"), kind, now, data);
        let hop = args.get("hop").and_then(Json::as_u64).unwrap_or(0);
        event.hop = u8::try_from(hop).unwrap_or(u8::MAX);
        event.subject = Some(effect.to_string());
        event.case = args.get("case").and_then(Json::as_str).map(str::to_owned);
        event.cause = Some(Cause { cell, turn: 0 });
        Some(EventWrite {
            text: serde_json::to_string(&*event.data).unwrap_or_default(),
            event,
            received_at: now,
            flow_set: setup.flows.version(),
            directory: setup.directory.version,
            matched: 0,
        })
    }
}

/// Adds what a notification says to what its person did with it.
pub(crate) fn described(data: &mut Json, row: &EffectRow) {
    let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
    describe(&mut data["push"], &args);
}

fn describe(push: &mut Json, args: &Json) {
    let text = |name: &str| args.get(name).and_then(Json::as_str).unwrap_or_default();
    let body: String = text("text").chars().take(TEXT_MAX).collect();
    for (name, value) in [
        ("title", text("title")),
        ("text", &body),
        ("case", text("case")),
        ("flow", text("flow")),
        ("importance", text("importance")),
    ] {
        push[name] = json!(value);
    }
    let choices = args.get("choices").and_then(Json::as_array);
    push["question"] = json!(choices.is_some_and(|choices| !choices.is_empty()));
}
