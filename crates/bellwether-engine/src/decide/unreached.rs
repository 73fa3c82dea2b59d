//! A push that was given up: what that means for whoever it was for. A question is repeated as a
//! mail, and a message with `on_error` is handled, once no device of that person took it.

use std::sync::Arc;

use bellwether_model::failure::Failure;
use bellwether_model::notification::Delivery;

use super::ask::ask_step;
use super::draft::Note;
use super::message::Content;
use super::state::Asked;
use super::walk::Turner;
use crate::store::EffectRow;

impl Turner<'_> {
    /// A push of a question was given up: the question is repeated as a mail, once, when no other
    /// device took this round. When the mail fails too, that is a dead letter. False: it belongs to
    /// no question.
    pub(super) fn unreached(&mut self, effect: &EffectRow, failure: &Failure) -> bool {
        let id = effect.id;
        let belongs = self.state.asks.iter().find_map(|(step, ask)| {
            let asked = ask.asked.iter().find(|asked| asked.pushes.contains(&id))?;
            Some((step.clone(), ask.is_open(), asked.person.clone()))
        });
        let Some((step, open, person)) = belongs else {
            return false;
        };
        if !open || effect.delivery == Delivery::Delivered {
            return true;
        }
        self.enter(&step);
        let note = Note::of("push_failed").about(&person).at(&step);
        self.out.notes.push(note.because(failure.code.clone()));
        let Some(asked) = self.asked_mut(&step, &person) else {
            return true;
        };
        // A later round replaced this one, or its mail is on the way already.
        if asked.by_mail || !asked.latest().contains(&id) {
            return true;
        }
        if !asked.failed.contains(&id) {
            asked.failed.push(id);
        }
        if asked
            .latest()
            .iter()
            .all(|push| asked.failed.contains(push))
        {
            self.by_mail_instead(&step, &person);
        } else {
            let note = Note::of("other_device").about(&person).at(&step);
            self.out.notes.push(note);
        }
        true
    }

    fn asked_mut(&mut self, step: &str, person: &str) -> Option<&mut Asked> {
        let asked = &mut self.state.asks.get_mut(step)?.asked;
        asked.iter_mut().find(|asked| asked.person == person)
    }

    /// The latest round again, as a mail that says what the pushes would have said.
    fn by_mail_instead(&mut self, step: &str, id: &str) {
        let flow = Arc::clone(self.case.flow);
        let directory = Arc::clone(&self.case.world.directory);
        let (Some(ask), Some(person)) = (ask_step(&flow.steps, step), directory.person(id)) else {
            return;
        };
        let Some(asked) = self.asked_mut(step, id).map(|asked| asked.clone()) else {
            return;
        };
        match Content::of(self, (step, ask), person, asked.on_behalf_of.as_deref()) {
            Ok(content) => {
                let mail = self.mail_question(step, ask, person, &content.telling(asked.told));
                if let Some(asked) = self.asked_mut(step, id) {
                    asked.by_mail = true;
                    asked.mails.extend(mail);
                }
            }
            Err(error) => self.dead("text_failed", format!("step {step}: {error}")),
        }
    }

    /// Whether a message that was given up on this device may still arrive on another one of the
    /// same person. Then it is not lost, and nothing is to be handled.
    pub(super) fn on_another_device(&mut self, effect: &EffectRow) -> bool {
        let key = effect.id.to_string();
        let Some(others) = self.state.devices.remove(&key) else {
            return false;
        };
        for other in &others {
            if let Some(left) = self.state.devices.get_mut(other) {
                left.retain(|id| *id != key);
            }
        }
        if others.is_empty() {
            return false;
        }
        self.state.handled.remove(&key);
        self.state.handled_in.remove(&key);
        let mut note = Note::of("other_device");
        if let Some(person) = &effect.person {
            note = note.about(person);
        }
        self.out.notes.push(note);
        true
    }
}
