//! The ladder of a question that nobody answers: remind, deputy, others, expire, in working time;
//! and the pause while a question back to the requester is open.

use std::sync::Arc;

use bellwether_model::event::Event;
use bellwether_model::time::Time;
use serde_json::json;

use super::ask::ask_step;
use super::draft::{EffectDraft, Note, Via};
use super::requester::{answer_address, subject_of};
use super::state::{Telling, event_key};
use super::walk::Turner;
use super::words;
use crate::calendar;
use crate::flow::{Ask, Importance, RungAct};
use bellwether_model::connector::Role;

impl Turner<'_> {
    /// Sets the timer of the next rung, or removes it while the clock stands still.
    pub(super) fn arm_rung(&mut self, step: &str, ask: &Ask) {
        let Some(state) = self.state.asks.get(step) else {
            return;
        };
        let due = match ask.if_silent.get(state.rung) {
            Some(rung) if state.paused.is_none() => {
                let directory = &self.case.world.directory;
                let person = directory
                    .people
                    .get(&state.calendar)
                    .cloned()
                    .unwrap_or_default();
                Some(calendar::due(state.base, rung.after, &person))
            }
            _ => None,
        };
        self.out.timers.push((format!("rung/{step}"), due));
    }

    /// When the question expires, as the page and the push show it.
    pub(super) fn expires(&self, step: &str, ask: &Ask) -> Option<Time> {
        let state = self.state.asks.get(step)?;
        let last = ask
            .if_silent
            .iter()
            .find(|rung| matches!(rung.act, RungAct::Expire))?;
        let person = self
            .case
            .world
            .directory
            .people
            .get(&state.calendar)
            .cloned();
        Some(calendar::due(
            state.base,
            last.after,
            &person.unwrap_or_default(),
        ))
    }

    /// The timer of a rung fell due.
    pub(super) fn climb(&mut self, step: &str) {
        let flow = Arc::clone(self.case.flow);
        let Some(ask) = ask_step(&flow.steps, step) else {
            return;
        };
        self.enter(step);
        let ends = self.expires(step, ask);
        let now = self.case.now;
        let Some(state) = self.state.asks.get_mut(step) else {
            return;
        };
        if !state.is_open() {
            return;
        }
        if state.paused.is_some() {
            // The clock stands still, but a question that is never answered still ends.
            if ends.is_none_or(|ends| now < ends) {
                return;
            }
            state.rung = ask.if_silent.len().saturating_sub(1);
        }
        let Some(rung) = ask.if_silent.get(state.rung) else {
            return;
        };
        state.rung += 1;
        match &rung.act {
            RungAct::Remind => self.remind(step, ask),
            RungAct::Deputy => self.ask_deputies(step, ask),
            RungAct::Who(who) => {
                let people = self.scope().who(who).unwrap_or_else(|_| {
                    let reason = "whoever is asked next is not in the directory";
                    self.dead("unknown_person", format!("step {step}: {reason}"));
                    Vec::new()
                });
                self.ask_others(step, ask, &people);
            }
            RungAct::Expire => {
                if let Some(state) = self.state.asks.get_mut(step) {
                    state.over = Some(("expired".to_owned(), self.case.now));
                }
                self.out.notes.push(Note::of("expired").at(step));
                self.quiet_down(step, None);
                if self.is_waiting_for(step) {
                    self.go_on(Some("expire"));
                }
                return;
            }
        }
        self.arm_rung(step, ask);
    }

    // ---- question back to the requester ------------------------------------------------------

    /// A decider asks back: the question goes to the requester by mail, the clock stands still.
    pub(super) fn question(&mut self, step: &str, person: &str, text: &str, event: &Event) {
        let key = event_key(&event.envelope);
        let now = self.case.now;
        if let Some(state) = self.state.asks.get_mut(step) {
            state.talk.push((person.to_owned(), key));
            state.paused.get_or_insert(now);
        }
        self.out
            .notes
            .push(Note::of("question").about(person).at(step));
        let flow = Arc::clone(self.case.flow);
        if let Some(ask) = ask_step(&flow.steps, step) {
            self.out
                .timers
                .push((format!("rung/{step}"), self.expires(step, ask)));
        }
        let name = self.case.world.directory.people.get(person);
        let name = name.map_or_else(|| person.to_owned(), |person| person.name.clone());
        let basis = self.basis().clone();
        let Some(to) = answer_address(&basis) else {
            self.dead(
                "no_answer_address",
                "the mail names nobody who could be asked".to_owned(),
            );
            return;
        };
        let language = self.language_of(&to);
        let id = self.effect_id();
        let mail = basis.envelope.data.get("mail").cloned().unwrap_or_default();
        let args = json!({
            "to": [to], "subject": subject_of(&mail), "reply_token": true, "step": step,
            "body": words::question_to_requester(&name, text, &language),
            "thread_id": mail.get("thread_id"), "rfc_message_id": mail.get("rfc_message_id"),
            "references": mail.get("references"),
        });
        self.out.effects.push(EffectDraft {
            id,
            via: Via::Source(basis.envelope.source.clone(), Role::Reply),
            person: None,
            args,
            expires_at: None,
            cancel_key: None,
            order: None,
            reports: false,
            importance: Importance::Normal,
            after: None,
            listed: false,
            shadow: false,
        });
    }

    /// The requester answered: the clock goes on, and the deciders see question and answer.
    pub(super) fn answered(&mut self, step: &str, ask: &Ask, event: &Event) {
        let now = self.case.now;
        let Some(state) = self.state.asks.get_mut(step) else {
            return;
        };
        state.talk.push((String::new(), event_key(&event.envelope)));
        if let Some(since) = state.paused.take() {
            let stood = now.since(since);
            state.base = state.base + stood;
        }
        self.out.notes.push(Note::of("answered").at(step));
        let asked = state.asked.clone();
        let directory = Arc::clone(&self.case.world.directory);
        for entry in asked {
            if let Some(person) = directory.person(&entry.person) {
                let told = Telling::Answered;
                self.put_to(step, ask, person, entry.on_behalf_of.as_deref(), told);
            }
        }
        self.arm_rung(step, ask);
    }

    /// The language in which an address is written to: its owner's, else English.
    pub(super) fn language_of(&self, address: &str) -> String {
        let person = self.case.world.directory.by_email(address);
        person.map_or_else(|| "en".to_owned(), |person| person.language.clone())
    }
}
