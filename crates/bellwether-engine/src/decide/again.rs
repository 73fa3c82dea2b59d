//! The same matter once more while its question is open: the same mail again, a changed one that is
//! shown anew, or one by which its sender takes it back.

use std::sync::Arc;

use bellwether_model::event::Event;

use super::draft::Note;
use super::message::Content;
use super::requester::is_proved;
use super::state::{Telling, event_key};
use super::walk::Turner;
use super::words;
use crate::flow::Ask;

impl<'a> Turner<'a> {
    /// A further event with this case's key. The same mail in a second mailbox asks nobody again; a
    /// mail by which the sender takes the matter back ends it; a changed matter is shown again.
    pub(super) fn again(&mut self, event: &'a Event) {
        self.set_current(event);
        if self.gathered(event) {
            return;
        }
        let same = |name: &str| {
            let field = |event: &Event| {
                event
                    .envelope
                    .data
                    .get("mail")
                    .and_then(|mail| mail.get(name))
                    .cloned()
            };
            field(event).is_some() && field(event) == field(self.case.opened_by)
        };
        // The name of a mail can be known before it comes: who is not surely the sender has not
        // brought what the sender brings.
        let opener = self.case.opened_by;
        let stronger = is_proved(event) && !is_proved(opener);
        // What a step waits for is no copy, even where it tells of the same mail.
        let kind = event.envelope.kind.as_str();
        let expected = self.expects(kind) || self.withdraws(kind) || self.heeds(kind);
        let other = event.envelope.kind != opener.envelope.kind;
        if same("rfc_message_id") && !stronger && !(expected && other) {
            self.out
                .notes
                .push(Note::of("seen_before").because("the same mail"));
            return;
        }
        let flow = Arc::clone(self.case.flow);
        if self.withdraw_on(event) || self.awaited(event) | self.heed(event) {
            self.out.notes.push(Note::of("came_again"));
            return;
        }
        let mut asks = self.waiting_asks(&flow);
        if !asks.is_empty() && takes_back(event) {
            self.withdraw();
            return;
        }
        if self.expects(&event.envelope.kind) {
            self.keep(event);
        }
        if asks.is_empty() || (expected && other) {
            self.out.notes.push(Note::of("came_again"));
            return;
        }
        if self.settled_by(event, &asks) {
            return;
        }
        if is_reply(event) {
            self.out
                .notes
                .push(Note::of("came_again").because("a reply in the thread"));
            return;
        }
        asks.retain(|(_, ask)| !ask.told_once);
        if asks.is_empty() {
            self.out.notes.push(Note::of("came_again"));
            return;
        }
        self.state.basis = Some(event_key(&event.envelope));
        for (step, ask) in asks {
            self.enter(&step);
            if !self.reroute(&step, ask) {
                self.show_changed(&step, ask);
            }
        }
        self.branch = None;
    }

    /// Shows the matter again to everybody for whom it now reads differently.
    fn show_changed(&mut self, step: &str, ask: &Ask) {
        let directory = Arc::clone(&self.case.world.directory);
        let asked = self
            .state
            .asks
            .get(step)
            .map(|state| state.asked.clone())
            .unwrap_or_default();
        let mut changed = false;
        for entry in asked {
            let Some(person) = directory.person(&entry.person) else {
                continue;
            };
            let absent = entry.on_behalf_of.as_deref();
            match Content::of(self, (step, ask), person, absent) {
                Ok(content) if content.shown != entry.shown => {
                    changed = true;
                    self.forget_vote(step, &entry.person);
                    self.put_to(step, ask, person, absent, Telling::Changed);
                }
                Ok(_) => {}
                Err(error) => self.dead("text_failed", format!("step {step}: {error}")),
            }
        }
        self.out
            .notes
            .push(Note::of(if changed { "changed" } else { "came_again" }).at(step));
    }

    /// The matter is taken back: all that is asked about it is over.
    pub(super) fn withdraw(&mut self) {
        let flow = Arc::clone(self.case.flow);
        for (step, _) in self.waiting_asks(&flow) {
            self.enter(&step);
            self.quiet_down_as(&step, "withdrawn", "withdrawn");
            self.go_on(Some("withdrawn"));
        }
        if self.gone && !self.out.closed {
            self.end_all();
        }
    }

    /// Whether an event settles questions that are open; what follows each goes on.
    fn settled_by(&mut self, event: &Event, asks: &[(String, &Ask)]) -> bool {
        let mut settled = false;
        for (step, ask) in asks {
            self.enter(step);
            if self.settles(ask, event) {
                settled = true;
                self.quiet_down_as(step, "over", "closed");
                // What follows is about the event that settled it; the phones still name the
                // matter.
                self.state.basis = Some(event_key(&event.envelope));
                self.go_on(Some("over"));
            }
        }
        self.branch = None;
        if settled && self.gone && !self.out.closed {
            self.end_all();
        }
        settled
    }

    /// Whether an event says by the flow's own words that nobody need decide any more. One by which
    /// that cannot be worked out does not.
    fn settles(&mut self, ask: &Ask, event: &Event) -> bool {
        let Some(test) = &ask.over_if else {
            return false;
        };
        let before = self.state.basis.replace(event_key(&event.envelope));
        let over = self.scope().truthy(test).unwrap_or(false);
        self.state.basis = before;
        over
    }

    pub(super) fn quiet_down_as(&mut self, step: &str, what: &str, how: &str) {
        self.out.notes.push(Note::of(what).at(step));
        if let Some(state) = self.state.asks.get_mut(step) {
            state.over = Some((how.to_owned(), self.case.now));
        }
        self.quiet_down(step, None);
    }
}

/// Whether a mail says that the matter is off: one of the words in the subject, or alone on the
/// first line of its new text.
pub(super) fn takes_back(event: &Event) -> bool {
    let text = |name: &str| {
        let mail = event.envelope.data.get("mail");
        let value = mail
            .and_then(|mail| mail.get(name))
            .and_then(serde_json::Value::as_str);
        value.unwrap_or_default().to_lowercase()
    };
    let subject = text("subject");
    let mut subject_words = subject.split(|c: char| !c.is_alphanumeric());
    let new_text = if text("new_text").is_empty() {
        text("text")
    } else {
        text("new_text")
    };
    let first = new_text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let first = first.trim_matches(|c: char| !c.is_alphanumeric());
    subject_words.any(|word| words::WITHDRAWN.contains(&word)) || words::WITHDRAWN.contains(&first)
}

fn is_reply(event: &Event) -> bool {
    event
        .envelope
        .data
        .get("mail")
        .is_some_and(|mail| mail.get("in_reply_to").is_some())
}
