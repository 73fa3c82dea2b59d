//! `call`: another flow does a part of the work in a run of its own, and what came of it comes back
//! as an event under the call's name.

use std::sync::Arc;

use bellwether_model::event::Alias;
use bellwether_model::id::{Id, key16};
use serde_json::{Map, Value as Json, json};

use super::draft::{Emitted, Note};
use super::walk::{Turner, Way};
use crate::flow::calls::{CALLED, CALLS, DONE, RETURNED};
use crate::flow::{Call, Step};
use crate::lang::EvalError;

impl Turner<'_> {
    pub(super) fn begin_call(&mut self, step: &Step, call: &Call) -> Way {
        let data = match self.called_with(step, call) {
            Ok(data) => data,
            Err(error) => return self.broken(step, &error),
        };
        let name = Alias::new(CALLS, self.call_id(step));
        self.out.aliases.push(name);
        self.emit_event(CALLED, json!({ "call": data }));
        let note = Note::of("called").at(&step.id);
        self.out.notes.push(note.because(call.flow.clone()));
        self.begin_wait(step, &call.back)
    }

    fn called_with(&self, step: &Step, call: &Call) -> Result<Json, EvalError> {
        let scope = self.scope();
        let mut data = Map::new();
        data.insert("id".to_owned(), json!(self.call_id(step)));
        data.insert("flow".to_owned(), json!(call.flow));
        for (path, value) in &call.with {
            let value = serde_json::to_value(scope.eval(value)?).unwrap_or(Json::Null);
            super::values::put_at(&mut data, path, value);
        }
        Ok(Json::Object(data))
    }

    /// The name of the call that a step makes: a run comes to each step of a branch once.
    pub(super) fn call_id(&self, step: &Step) -> String {
        let place = self.named(&step.id);
        Id(key16(&[self.case.cell.bytes(), b"call", place.as_bytes()])).to_string()
    }

    /// What a run that was called says when it is over.
    pub(super) fn comes_back(&mut self) {
        let opened_by = &self.case.opened_by.envelope;
        if !self.out.closed || opened_by.kind != CALLED {
            return;
        }
        let Some(id) = opened_by.data["call"]["id"].as_str() else {
            return;
        };
        let data = json!({ "call": self.result(id) });
        self.out.emits.push(Emitted {
            kind: RETURNED.to_owned(),
            data,
            aliases: vec![Alias::new(CALLS, id)],
        });
    }

    /// How the last question ended, whoever asked it.
    fn result(&self, id: &str) -> Json {
        let flow = Arc::clone(self.case.flow);
        let last = self.state.asks.values().max_by_key(|ask| {
            let decided = ask.decided.as_ref().map(|decided| decided.at);
            decided.max(ask.over.as_ref().map(|(_, at)| *at))
        });
        let decided = last.and_then(|ask| ask.decided.as_ref());
        let over = last.and_then(|ask| ask.over.as_ref());
        let ending = match (decided, over.map(|(how, _)| how.as_str())) {
            (Some(decided), _) => decided.choice.as_str(),
            (None, Some("expired")) => "expire",
            (None, Some(how)) => how,
            (None, None) => DONE,
        };
        let comment = decided.and_then(|decided| self.event(&decided.event));
        json!({
            "id": id,
            "flow": flow.name,
            "ending": ending,
            "choice": decided.map_or("", |decided| &decided.choice),
            "by": decided.map_or("", |decided| &decided.by),
            "comment": comment.map(super::comment::of_decision).unwrap_or_default(),
        })
    }
}
