//! `ask`: one question, put to people who may decide it once: to each in his language and on every
//! device, and telling every device when it is over. Who they are is found in `deciders`.

use std::sync::Arc;

use bellwether_model::directory::Person;
use bellwether_model::id::EffectId;
use serde_json::json;

use super::branches::{plain, step_of};
use super::draft::{EffectDraft, Note, Via};
use super::message::Content;
use super::state::{AskState, Asked, Telling};
use super::walk::{Turner, Way};
use super::words;
use crate::calendar;
use crate::flow::{Ask, Block, Step, Verb};
use bellwether_model::connector::Role;

/// The ask of that name, anywhere in the flow and in any branch.
pub(super) fn ask_step<'f>(block: &'f Block, name: &str) -> Option<&'f Ask> {
    match &step_of(block, plain(name))?.verb {
        Verb::Ask(ask) => Some(ask.as_ref()),
        _ => None,
    }
}

impl Turner<'_> {
    pub(super) fn begin_ask(&mut self, step: &Step, ask: &Ask) -> Way {
        if self.is_over(ask) {
            // Nobody was asked, so nothing follows either.
            self.out.notes.push(Note::of("over").at(&step.id));
            return Way::Over;
        }
        let first = self.deciders(step, ask);
        if first.is_empty() {
            self.dead(
                "nobody_to_ask",
                format!("step {}: nobody who may decide was found", step.id),
            );
            return Way::Over;
        }
        let calendar = first[0].0.id.clone();
        let base = first
            .iter()
            .map(|(person, _)| self.leaves_at(ask, person))
            .min();
        let base = base.unwrap_or(self.case.now);
        let state = AskState {
            base,
            calendar,
            ..AskState::default()
        };
        let name = self.named(&step.id);
        let need = self.quorum(&step.id, ask, first.len());
        let state = AskState { need, ..state };
        self.state.asks.insert(name.clone(), state);
        for (person, on_behalf_of) in first {
            let told = Telling::Asked;
            self.put_to(&name, ask, &person, on_behalf_of.as_deref(), told);
        }
        self.arm_rung(&name, ask);
        self.stay()
    }

    /// When the question leaves for this person: at once, or when his quiet hours end, which hold
    /// pushes but no mail.
    pub(super) fn leaves_at(&self, ask: &Ask, person: &Person) -> bellwether_model::time::Time {
        let loud = ask.urgent || ask.importance == crate::flow::Importance::High;
        if loud || person.phones(false).is_empty() {
            return self.case.now;
        }
        calendar::is_quiet(self.case.now, person).unwrap_or(self.case.now)
    }

    /// Puts the question to one person: a push, or a mail when no push is possible.
    pub(super) fn put_to(
        &mut self,
        step: &str,
        ask: &Ask,
        person: &Person,
        on_behalf_of: Option<&str>,
        told: Telling,
    ) {
        let content = match Content::of(self, (step, ask), person, on_behalf_of) {
            Ok(content) => content.telling(told),
            Err(error) => {
                self.dead("text_failed", format!("step {step}: {error}"));
                return;
            }
        };
        // What waits to be sent to him about this is old now.
        self.out.cancels.push(asking(step, &person.id));
        let shown = content.shown.clone();
        let pushes = match &ask.list {
            Some(list) => vec![self.list_question((step, ask), list, person, &content)],
            None => self.push_question(step, ask, person, &content),
        };
        let mails = if pushes.is_empty() {
            self.mail_question(step, ask, person, &content)
                .into_iter()
                .collect()
        } else {
            Vec::new()
        };
        let reminded = told == Telling::Reminder;
        let what = if reminded { "reminded" } else { "asked" };
        let mut note = Note::of(what).about(&person.id).at(step);
        if let Some(absent) = on_behalf_of {
            note = note.because(format!("for {absent}"));
        }
        self.out.notes.push(note);
        let since = self.leaves_at(ask, person);
        let Some(state) = self.state.asks.get_mut(step) else {
            return;
        };
        let known = state.asked.iter().position(|a| a.person == person.id);
        let index = known.unwrap_or_else(|| {
            state.asked.push(Asked {
                person: person.id.clone(),
                on_behalf_of: on_behalf_of.map(str::to_owned),
                ..Asked::default()
            });
            state.asked.len() - 1
        });
        let asked = &mut state.asked[index];
        asked.shown = shown;
        asked.by_mail = false;
        asked.told = told;
        asked.failed.clear();
        asked.round = pushes.len();
        asked.pushes.extend(pushes);
        asked.mails.extend(mails);
        // A reminder is about the time that he let pass, so it does not begin anew.
        if !reminded {
            asked.since = since;
        }
    }

    fn push_question(
        &mut self,
        step: &str,
        ask: &Ask,
        person: &Person,
        content: &Content,
    ) -> Vec<EffectId> {
        let mut ids = Vec::new();
        for address in person.phones(ask.importance == crate::flow::Importance::High) {
            let id = self.effect_id();
            let collapse = self.collapse(step, &person.id);
            let mut args = content.args();
            args["step"] = json!(step);
            args["address"] = json!(address);
            args["kind"] = json!("notify");
            args["importance"] = json!(importance_word(ask.importance));
            args["urgent"] = json!(ask.urgent);
            args["collapse"] = json!(collapse);
            let order = order_key(&[self.case.cell.bytes(), b"push", address.as_bytes()]);
            self.send_question((step, ask), person, (id, Role::Push), args, order);
            ids.push(id);
        }
        ids
    }

    /// The question as a mail, with the same page behind it. None when there is no address either.
    pub(super) fn mail_question(
        &mut self,
        step: &str,
        ask: &Ask,
        person: &Person,
        content: &Content,
    ) -> Option<EffectId> {
        let Some(address) = person.emails.first() else {
            let reason = format!(
                "{} has neither a push address nor a mail address",
                person.id
            );
            self.dead("unreachable", reason);
            return None;
        };
        let id = self.effect_id();
        let mut args = content.args();
        args["step"] = json!(step);
        args["to"] = json!([address]);
        args["subject"] = json!(content.subject());
        args["body"] = json!(content.mail_body(ask));
        args["importance"] = json!(importance_word(ask.importance));
        args["reply_token"] = json!(true);
        let order = order_key(&[self.case.cell.bytes(), b"mail", address.as_bytes()]);
        self.send_question((step, ask), person, (id, Role::Mail), args, order);
        Some(id)
    }

    /// What every channel of a question shares: it is withdrawn with the question, expires with it,
    /// and its failure is an input to the run.
    pub(super) fn send_question(
        &mut self,
        (step, ask): (&str, &Ask),
        person: &Person,
        (id, role): (EffectId, Role),
        args: serde_json::Value,
        order: [u8; 16],
    ) {
        self.out.effects.push(EffectDraft {
            id,
            via: self.via(role),
            person: Some(person.id.clone()),
            args,
            expires_at: self.expires(step, ask),
            cancel_key: Some(asking(step, &person.id)),
            order: Some(order),
            reports: true,
            importance: super::message::loudness(ask.importance, ask.urgent),
            after: None,
            listed: ask.list.is_some(),
            shadow: false,
        });
    }

    /// The latest push of a question to one of a person's devices: each round has one for each.
    fn latest_at(&self, step: &str, person: &Person, address: &str) -> Option<EffectId> {
        let asked = self.state.asks.get(step)?.asked(&person.id)?;
        let index = person.push.iter().position(|known| known == address)?;
        asked.latest().get(index).copied()
    }

    /// A name under which a device shows only the newest push of this question to this person.
    pub(super) fn collapse(&self, step: &str, person: &str) -> String {
        let parts = [
            self.case.cell.bytes().as_slice(),
            step.as_bytes(),
            person.as_bytes(),
        ];
        bellwether_model::id::hex(&bellwether_model::id::key16(&parts)[..8])
    }

    /// It is over (decided, expired, withdrawn): nothing queued goes out any more, and every device
    /// that shows the question is told, silently.
    pub(super) fn quiet_down(&mut self, step: &str, by: Option<&str>) {
        self.out.timers.push((format!("rung/{step}"), None));
        let Some(state) = self.state.asks.get(step).cloned() else {
            return;
        };
        let asked = state.asked.iter();
        let waiting = asked.map(|asked| asking(step, &asked.person));
        self.out.cancels.extend(waiting);
        self.off_list(step, &state);
        let directory = Arc::clone(&self.case.world.directory);
        for asked in &state.asked {
            let Some(person) = directory.people.get(&asked.person) else {
                continue;
            };
            let Some(last) = asked.pushes.last() else {
                continue;
            };
            let text = match (&state.decided, by) {
                (Some(decided), Some(by)) => {
                    let name = directory.people.get(by).map_or(by, |person| &person.name);
                    let past = words::choice_past(&decided.choice, &person.language);
                    words::settled(&past, name, &person.language)
                }
                _ => {
                    let how = state
                        .over
                        .as_ref()
                        .map_or("closed", |(how, _)| how.as_str());
                    words::over(how, &person.language)
                }
            };
            let title = self.title_for(step, person);
            self.update(step, person, *last, (&title, &text));
        }
    }

    /// What the matter is called on this person's devices.
    pub(super) fn title_for(&self, step: &str, person: &Person) -> String {
        let flow = Arc::clone(self.case.flow);
        let ask = ask_step(&flow.steps, step);
        let content = ask.and_then(|ask| Content::of(self, (step, ask), person, None).ok());
        content.map(|content| content.title).unwrap_or_default()
    }

    pub(super) fn update(
        &mut self,
        step: &str,
        person: &Person,
        last: EffectId,
        says: (&str, &str),
    ) {
        let (title, text) = says;
        for address in &person.push {
            let id = self.effect_id();
            let last = self.latest_at(step, person, address).unwrap_or(last);
            let args = json!({
                "title": title, "text": text, "kind": "update", "step": step, "address": address,
                "collapse": self.collapse(step, &person.id), "language": person.language,
                "zone": person.zone, "privacy": "full", "facts": [], "choices": [], "shown": "",
                "after": last,
            });
            self.out.effects.push(EffectDraft {
                id,
                via: Via::Role(Role::Push),
                person: Some(person.id.clone()),
                args,
                expires_at: None,
                cancel_key: None,
                order: Some(order_key(&[
                    self.case.cell.bytes(),
                    b"push",
                    address.as_bytes(),
                ])),
                reports: false,
                importance: crate::flow::Importance::High,
                after: Some(last),
                listed: false,
                shadow: false,
            });
        }
    }

    /// The step at which the run waits, if it is the ask `step`.
    pub(super) fn is_waiting_for(&self, step: &str) -> bool {
        self.at().last().is_some_and(|id| id == plain(step))
    }
}

/// The key under which everything that asks one person one question is taken back.
pub(super) fn asking(step: &str, person: &str) -> String {
    format!("ask/{step}/{person}")
}

fn order_key(parts: &[&[u8]]) -> [u8; 16] {
    bellwether_model::id::key16(parts)
}

fn importance_word(importance: crate::flow::Importance) -> &'static str {
    match importance {
        crate::flow::Importance::Normal => "normal",
        crate::flow::Importance::High => "high",
    }
}
