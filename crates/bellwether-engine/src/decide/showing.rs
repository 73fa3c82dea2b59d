//! How long a message is worth showing, and whose place on the phone it takes. What it says is in
//! `message`.

use bellwether_model::directory::Person;
use bellwether_model::id::{hex, key16};
use bellwether_model::time::Time;

use super::walk::Turner;
use crate::flow::Message;
use crate::lang::{EvalError, Scope, as_instant};

impl Turner<'_> {
    /// The name under which a phone shows only the newest of several pushes.
    pub(super) fn place_on_phone(
        &self,
        scope: &Scope,
        step: &str,
        message: &Message,
        person: &Person,
    ) -> Result<String, EvalError> {
        let about = message.replaces.as_ref().map(|about| scope.eval(about));
        let about = about.transpose()?;
        let about = about.filter(|about| !super::values::is_absent(about));
        let flow = self.case.flow.name.as_bytes();
        let place = match about.map(|about| scope.display(&about)) {
            Some(about) => key16(&[b"about", flow, about.as_bytes(), person.id.as_bytes()]),
            None => key16(&[
                self.case.cell.bytes(),
                step.as_bytes(),
                person.id.as_bytes(),
            ]),
        };
        Ok(hex(&place[..8]))
    }

    /// Until when a message is worth showing. What is no time is a mistake that must be seen.
    pub(super) fn valid_until(&self, message: &Message) -> Result<Option<Time>, EvalError> {
        let Some(until) = &message.valid_until else {
            return Ok(None);
        };
        let value = self.scope().eval(until)?;
        if super::values::is_absent(&value) {
            return Ok(None);
        }
        as_instant(&value).map(Some).ok_or_else(|| EvalError {
            message: "`valid_until` needs a time; `text | moment('Europe/Vienna')` reads one"
                .to_owned(),
            line: until.line(),
            column: until.column(),
            unknown: Vec::new(),
        })
    }
}
