//! The one-time code that proves who is at the page. It is sent by mail, another channel than the
//! push; how it is made and checked is no matter of decisions.

use bellwether_model::connector::Role;
use bellwether_model::event::Event;
use serde_json::{Value as Json, json};

use super::draft::{EffectDraft, Note};
use super::walk::Turner;
use super::words;
use crate::flow::Importance;

impl Turner<'_> {
    /// A one-time code, by mail, to the person of a notification. The code itself is made at each
    /// attempt and never stored.
    pub(super) fn send_code(&mut self, step: Option<&str>, event: &Event) {
        let push = event.envelope.data.get("push");
        let text = |name: &str| push.and_then(|push| push.get(name)).and_then(Json::as_str);
        let (Some(person), Some(notification)) = (text("person"), text("notification")) else {
            return;
        };
        let directory = std::sync::Arc::clone(&self.case.world.directory);
        let Some(person) = directory.person(person) else {
            return;
        };
        let Some(address) = person.emails.first() else {
            return;
        };
        let id = self.effect_id();
        let subject = match words::Language::of(&person.language) {
            words::Language::En => "Your code for a decision",
            words::Language::De => "Ihr Code für eine Entscheidung",
        };
        let body = match words::Language::of(&person.language) {
            words::Language::En => "Your code is {{code}}. It is good for ten minutes.",
            words::Language::De => "Ihr Code ist {{code}}. Er gilt zehn Minuten.",
        };
        let mut note = Note::of("code_sent").about(&person.id);
        if let Some(step) = step {
            note = note.at(step);
        }
        self.out.notes.push(note);
        self.out.effects.push(EffectDraft {
            id,
            via: self.via(Role::Mail),
            person: Some(person.id.clone()),
            args: json!({
                "to": [address], "subject": subject, "title": subject, "body": body,
                "code_for": notification, "language": person.language, "zone": person.zone,
            }),
            expires_at: Some(self.case.now + bellwether_model::time::Millis::minutes(60)),
            cancel_key: None,
            order: None,
            reports: false,
            importance: Importance::High,
            after: None,
            listed: false,
            shadow: false,
        });
    }
}
