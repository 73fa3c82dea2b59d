//! The verb `http`: what goes out to another system. Its address and signature are the
//! connection's; the payload is worked out here once, so that every attempt says the same.

use bellwether_model::connector::Role;
use bellwether_model::id::key16;
use serde_json::{Value as Json, json};

use super::draft::{EffectDraft, Via};
use super::values::put_at;
use super::walk::Turner;
use crate::flow::{Importance, Request, Step};
use crate::lang::EvalError;

impl Turner<'_> {
    pub(super) fn request(&mut self, step: &Step, request: &Request) -> Result<(), EvalError> {
        let scope = self.scope();
        let connection = scope.eval(&request.connection)?.to_string();
        let mut data = serde_json::Map::new();
        for (path, value) in &request.data {
            let value = serde_json::to_value(scope.eval(value)?).unwrap_or(Json::Null);
            put_at(&mut data, path, value);
        }
        let event = request.event.as_ref().unwrap_or(&self.case.flow.name);
        let args = json!({
            "connection": connection, "type": event, "data": data, "at": self.case.now.timestamp().to_string(),
            "case": self.case.key, "step": self.named(&step.id),
        });
        let id = self.effect_id();
        if request.on_error.is_some() {
            self.handle(id);
        }
        self.out.effects.push(EffectDraft {
            id,
            // Nothing stands in for it: another system must not learn what was meant for this one.
            order: Some(key16(&[
                self.case.cell.bytes(),
                b"http",
                connection.as_bytes(),
            ])),
            via: Via::Only(connection, Role::Http),
            person: None,
            args,
            expires_at: None,
            cancel_key: None,
            reports: request.on_error.is_some(),
            importance: Importance::Normal,
            after: None,
            listed: false,
            shadow: false,
        });
        Ok(())
    }
}
