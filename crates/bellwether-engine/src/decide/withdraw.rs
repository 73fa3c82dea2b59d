//! Messages that go away again: what `withdraw_on` names happened, so nobody needs to read them any
//! more. What waits is not sent, and what a device shows is replaced without a sound.

use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::directory::Person;
use bellwether_model::event::Event;
use bellwether_model::id::EffectId;
use serde_json::json;

use super::branches::{plain, step_of};
use super::draft::{EffectDraft, Note, Via};
use super::walk::Turner;
use super::words;
use crate::flow::{Block, Importance, Message, Verb};

impl Turner<'_> {
    /// Remembers a push that an event takes back.
    pub(super) fn may_be_withdrawn(&mut self, name: &str, person: &str, push: EffectId) {
        let step = self.state.shown.entry(name.to_owned()).or_default();
        step.entry(person.to_owned()).or_default().push(push);
    }

    /// Whether a message somewhere in the flow goes away with events of this kind.
    pub(super) fn withdraws(&self, kind: &str) -> bool {
        withdraws(&self.case.flow.steps, kind)
    }

    /// Takes back what this event takes back: of everybody, or of the one whose mailbox it is
    /// about. False: nothing.
    pub(super) fn withdraw_on(&mut self, event: &Event) -> bool {
        let flow = Arc::clone(self.case.flow);
        let world = self.case.world;
        let about = about(event).and_then(|address| world.directory.by_email(&address));
        let shown: Vec<(String, String)> = self
            .state
            .shown
            .iter()
            .flat_map(|(name, people)| people.keys().map(|one| (name.clone(), one.clone())))
            .collect();
        let mut done = false;
        for (name, id) in shown {
            let Some(Verb::Push(message) | Verb::Mail(message)) =
                step_of(&flow.steps, plain(&name)).map(|step| &step.verb)
            else {
                continue;
            };
            let meant = message.withdraw_on.contains(&event.envelope.kind);
            if !meant || about.is_some_and(|about| about.id != id) {
                continue;
            }
            let people = self.state.shown.get_mut(&name);
            let pushes = people.and_then(|people| people.remove(&id));
            if let Some(person) = world.reader(&id) {
                self.enter(&name);
                self.take_back(&name, message, person, &pushes.unwrap_or_default());
                done = true;
            }
        }
        self.state.shown.retain(|_, people| !people.is_empty());
        self.branch = None;
        done
    }

    fn take_back(&mut self, name: &str, message: &Message, person: &Person, pushes: &[EffectId]) {
        let note = Note::of("taken_back").about(&person.id).at(name);
        self.out.notes.push(note);
        self.out.cancels.push(message_to(name, &person.id));
        let scope = self.scope().for_reader(&person.language, &person.zone);
        let title = scope.text(&message.title).unwrap_or_default();
        let text = words::over("settled", &person.language);
        for (address, last) in person.push.iter().zip(pushes) {
            let args = json!({
                "title": title, "text": text, "kind": "update", "step": name, "address": address,
                "collapse": self.collapse(name, &person.id), "language": person.language,
                "zone": person.zone, "privacy": "full", "facts": [], "choices": [], "shown": "",
                "after": last,
            });
            let id = self.effect_id();
            self.out.effects.push(EffectDraft {
                id,
                via: Via::Role(Role::Push),
                person: Some(person.id.clone()),
                args,
                expires_at: None,
                cancel_key: None,
                order: None,
                reports: false,
                importance: Importance::High,
                after: Some(*last),
                listed: false,
                shadow: false,
            });
        }
    }
}

/// The key under which a message to one person is taken back.
pub(super) fn message_to(name: &str, person: &str) -> String {
    format!("step/{name}/{person}")
}

/// The mailbox that an event is about.
fn about(event: &Event) -> Option<String> {
    let data = event.envelope.data.as_object()?;
    let mailbox = data.values().find_map(|noun| noun.get("mailbox"));
    mailbox?.as_str().map(str::to_owned)
}

fn withdraws(block: &Block, kind: &str) -> bool {
    block.steps.iter().any(|step| {
        let here = match &step.verb {
            Verb::Push(message) | Verb::Mail(message) => {
                message.withdraw_on.iter().any(|event| event == kind)
            }
            _ => false,
        };
        let mut inner = step.verb.endings().into_iter();
        here || inner.any(|(_, block)| withdraws(block, kind))
    })
}
