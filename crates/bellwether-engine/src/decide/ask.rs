//! `ask`: one question, put to people who may decide it once. Finding them (leave, deputy, nobody),
//! putting it to each in his language, and telling every device when it is over.

use std::sync::Arc;

use bellwether_model::directory::Person;
use bellwether_model::id::EffectId;
use bellwether_model::notification::Delivery;
use serde_json::json;

use super::draft::{EffectDraft, Note, Via};
use super::message::Content;
use super::state::{AskState, Asked};
use super::values::is_person;
use super::walk::{Turner, Way, find};
use super::words;
use crate::calendar;
use crate::flow::{Ask, Block, RungAct, Step, Verb};
use crate::lang::EvalError;
use crate::store::EffectRow;
use bellwether_model::connector::Role;

/// The ask with that id, anywhere in the flow.
pub(super) fn ask_step<'f>(block: &'f Block, id: &str) -> Option<&'f Ask> {
    block.steps.iter().find_map(|step| match &step.verb {
        Verb::Ask(ask) if step.id == id => Some(ask.as_ref()),
        Verb::Ask(ask) => ask.then.iter().find_map(|(_, block)| ask_step(block, id)),
        Verb::If(branch) => ask_step(&branch.then, id).or_else(|| ask_step(&branch.otherwise, id)),
        _ => None,
    })
}

impl Turner<'_> {
    pub(super) fn begin_ask(&mut self, step: &Step, ask: &Ask) -> Way {
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
        self.state.asks.insert(step.id.clone(), state);
        for (person, on_behalf_of) in first {
            self.put_to(&step.id, ask, &person, on_behalf_of.as_deref(), false);
        }
        self.arm_rung(&step.id, ask);
        self.stay()
    }

    /// When a push to this person leaves: at once, or when his quiet hours end.
    pub(super) fn leaves_at(&self, ask: &Ask, person: &Person) -> bellwether_model::time::Time {
        if ask.importance == crate::flow::Importance::High {
            return self.case.now;
        }
        calendar::is_quiet(self.case.now, person).unwrap_or(self.case.now)
    }

    /// Who is asked first, with whom each stands in for: on leave, the deputy at once; nobody
    /// decides his own request; nobody found, the one whom the ladder names, else the owner.
    pub(super) fn deciders(&mut self, step: &Step, ask: &Ask) -> Vec<(Person, Option<String>)> {
        let wanted = match self.scope().who(&ask.who) {
            Ok(people) => people,
            Err(error) => {
                self.out.notes.push(
                    Note::of("unknown_decider")
                        .at(&step.id)
                        .because(why_nobody(&error)),
                );
                Vec::new()
            }
        };
        let mut found = Vec::new();
        for id in wanted {
            self.add_decider(step, ask, &id, &mut found);
        }
        if found.is_empty() {
            for id in self.last_resort(ask) {
                self.out
                    .notes
                    .push(Note::of("passed_to_owner").about(&id).at(&step.id));
                self.add_decider(step, ask, &id, &mut found);
            }
        }
        found
    }

    fn add_decider(
        &mut self,
        step: &Step,
        ask: &Ask,
        id: &str,
        found: &mut Vec<(Person, Option<String>)>,
    ) {
        let directory = Arc::clone(&self.case.world.directory);
        let Some(person) = directory.person(id) else {
            return;
        };
        if self.excluded(ask, id) {
            self.out
                .notes
                .push(Note::of("own_request").about(id).at(&step.id));
            return;
        }
        let (person, for_whom) = if person.is_away(self.case.now) {
            match directory.deputy_of(id, self.case.now) {
                Some(deputy) if !self.excluded(ask, &deputy.id) => {
                    self.out
                        .notes
                        .push(Note::of("on_leave").about(id).at(&step.id));
                    (deputy, Some(id.to_owned()))
                }
                // Without a deputy who may decide, the absent person is still better than nobody:
                // the ladder goes on from there.
                _ => (person, None),
            }
        } else {
            (person, None)
        };
        if !found.iter().any(|(known, _)| known.id == person.id) {
            found.push((person.clone(), for_whom));
        }
    }

    fn last_resort(&self, ask: &Ask) -> Vec<String> {
        let named = ask.if_silent.iter().find_map(|rung| match &rung.act {
            RungAct::Who(who) => self
                .scope()
                .who(who)
                .ok()
                .filter(|people| !people.is_empty()),
            _ => None,
        });
        named.unwrap_or_else(|| self.case.world.directory.owner.iter().cloned().collect())
    }

    /// Whether a person must not decide this matter.
    pub(super) fn excluded(&self, ask: &Ask, person: &str) -> bool {
        let directory = &self.case.world.directory;
        let Some(person) = directory.people.get(person) else {
            return true;
        };
        let scope = self.scope();
        let mut listed = ask
            .not_by
            .iter()
            .filter_map(|not| scope.people_or_addresses(not).ok());
        listed.any(|entries| entries.iter().any(|entry| is_person(entry, person)))
    }

    /// Puts the question to one person: a push, or a mail when no push is possible.
    pub(super) fn put_to(
        &mut self,
        step: &str,
        ask: &Ask,
        person: &Person,
        on_behalf_of: Option<&str>,
        again: bool,
    ) {
        let mut content = match Content::of(self, ask, person, on_behalf_of) {
            Ok(content) => content,
            Err(error) => {
                self.dead("text_failed", format!("step {step}: {error}"));
                return;
            }
        };
        if again {
            content.text = format!("{}{}", words::reminder(&person.language), content.text);
        }
        // What waits to be sent to him about this is old now.
        self.out.cancels.push(asking(step, &person.id));
        let shown = content.shown.clone();
        let pushes = self.push_question(step, ask, person, &content);
        let mails = if pushes.is_empty() {
            self.mail_question(step, ask, person, &content)
                .into_iter()
                .collect()
        } else {
            Vec::new()
        };
        let what = if again { "reminded" } else { "asked" };
        let mut note = Note::of(what).about(&person.id).at(step);
        if let Some(absent) = on_behalf_of {
            note = note.because(format!("for {absent}"));
        }
        self.out.notes.push(note);
        let Some(state) = self.state.asks.get_mut(step) else {
            return;
        };
        if let Some(asked) = state
            .asked
            .iter_mut()
            .find(|asked| asked.person == person.id)
        {
            asked.shown = shown;
            asked.by_mail = false;
            asked.pushes.extend(pushes);
            asked.mails.extend(mails);
        } else {
            state.asked.push(Asked {
                person: person.id.clone(),
                on_behalf_of: on_behalf_of.map(str::to_owned),
                shown,
                pushes,
                mails,
                by_mail: false,
            });
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
        for address in &person.push {
            let id = self.effect_id();
            let collapse = self.collapse(step, &person.id);
            let mut args = content.args();
            args["step"] = json!(step);
            args["address"] = json!(address);
            args["kind"] = json!("notify");
            args["importance"] = json!(importance_word(ask.importance));
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
        args["subject"] = json!(content.title);
        args["body"] = json!(content.mail_body(ask));
        args["importance"] = json!(importance_word(ask.importance));
        args["reply_token"] = json!(true);
        let order = order_key(&[self.case.cell.bytes(), b"mail", address.as_bytes()]);
        self.send_question((step, ask), person, (id, Role::Mail), args, order);
        Some(id)
    }

    /// What every channel of a question shares: it is withdrawn with the question, expires with it,
    /// and its failure is an input to the run.
    fn send_question(
        &mut self,
        (step, ask): (&str, &Ask),
        person: &Person,
        (id, role): (EffectId, Role),
        args: serde_json::Value,
        order: [u8; 16],
    ) {
        self.out.effects.push(EffectDraft {
            id,
            via: Via::Role(role),
            person: Some(person.id.clone()),
            args,
            expires_at: self.expires(step, ask),
            cancel_key: Some(asking(step, &person.id)),
            order: Some(order),
            reports: true,
            importance: ask.importance,
            after: None,
        });
    }

    /// The latest push of a question to one of a person's devices: each round has one for each.
    fn latest_at(&self, step: &str, person: &Person, address: &str) -> Option<EffectId> {
        let asked = self.state.asks.get(step)?.asked(&person.id)?;
        let index = person.push.iter().position(|known| known == address)?;
        let round = asked.pushes.len().checked_sub(person.push.len())?;
        asked.pushes.get(round + index).copied()
    }

    /// A name under which a device shows only the newest push of this question to this person.
    fn collapse(&self, step: &str, person: &str) -> String {
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
        let content = ask.and_then(|ask| Content::of(self, ask, person, None).ok());
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
            });
        }
    }

    /// An effect of a question was given up: a push is repeated as a mail, once; when the mail
    /// fails too, that is a dead letter.
    pub(super) fn unreached(
        &mut self,
        effect: &EffectRow,
        failure: &bellwether_model::failure::Failure,
    ) -> bool {
        let id = effect.id;
        let belongs = self.state.asks.iter().find_map(|(step, ask)| {
            let asked = ask.asked.iter().find(|asked| asked.pushes.contains(&id))?;
            Some((step.clone(), ask.is_open(), asked.clone()))
        });
        let Some((step, open, asked)) = belongs else {
            return false;
        };
        if !open || effect.delivery == Delivery::Delivered {
            return true;
        }
        self.out.notes.push(
            Note::of("push_failed")
                .about(&asked.person)
                .at(&step)
                .because(failure.code.clone()),
        );
        let flow = Arc::clone(self.case.flow);
        let directory = Arc::clone(&self.case.world.directory);
        let (Some(ask), Some(person)) = (
            ask_step(&flow.steps, &step),
            directory.person(&asked.person),
        ) else {
            return true;
        };
        // A later push replaced this one, or another of his devices failed before.
        let rounds = asked.pushes.chunks(person.push.len().max(1));
        let is_latest = rounds.last().is_some_and(|round| round.contains(&id));
        if asked.by_mail || !is_latest {
            return true;
        }
        match Content::of(self, ask, person, asked.on_behalf_of.as_deref()) {
            Ok(mut content) => {
                if asked.pushes.len() > person.push.len() {
                    content.text = format!("{}{}", words::reminder(&person.language), content.text);
                }
                let mail = self.mail_question(&step, ask, person, &content);
                let entry = self.state.asks.get_mut(&step).and_then(|state| {
                    state
                        .asked
                        .iter_mut()
                        .find(|entry| entry.person == person.id)
                });
                if let Some(entry) = entry {
                    entry.by_mail = true;
                    entry.mails.extend(mail);
                }
            }
            Err(error) => self.dead("text_failed", format!("step {step}: {error}")),
        }
        true
    }

    /// The step at which the run waits, if it is the ask `step`.
    pub(super) fn is_waiting_for(&self, step: &str) -> bool {
        let flow = Arc::clone(self.case.flow);
        find(&flow.steps, &self.state.at).is_some_and(|at| at.id == step)
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

/// Why nobody was found, without the address that the mail named.
fn why_nobody(error: &EvalError) -> &'static str {
    if error.unknown.is_empty() {
        "it could not be worked out"
    } else {
        "not in the directory"
    }
}
