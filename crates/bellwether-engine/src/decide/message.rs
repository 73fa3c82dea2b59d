//! The verbs that say something: push, mail, reply, label, emit; and the content of a question as
//! one person reads it. Texts are worked out here once and kept in the effect, so that what was
//! shown can be proved; links are added at each attempt.

use bellwether_model::connector::Role;
use bellwether_model::directory::{Customer, Person};
use bellwether_model::id::{EffectId, hash, hex, key16};
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use super::comment;
use super::draft::{EffectDraft, Note, Via};
use super::privacy;
use super::requester::{answer_address, is_proved, quoted, sender_name, subject_of};
use super::state::Telling;
use super::walk::Turner;
use super::withdraw::message_to;
use super::words;
use crate::flow::{Ask, CommentRule, Emit, Importance, Label, Message, Privacy, Reply, Step};
use crate::lang::{EvalError, Scope, Text, plainly};

/// The most characters of one fact's value.
const FACT_MAX: usize = 2_000;

/// A question as one person reads it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) title: String,
    pub(super) text: String,
    facts: Vec<(String, String)>,
    choices: Vec<Json>,
    talk: Vec<Json>,
    privacy: Privacy,
    language: String,
    zone: String,
    on_behalf_of: Option<String>,
    case: String,
    until: Option<Time>,
    told: Telling,
    /// Whether the requester is surely who he says he is.
    proved: bool,
    /// The hash of what is decided on.
    pub(super) shown: String,
}

/// The hash of what a person decides on: facts, text and choices, and the mail that the page
/// quotes (sender, subject and text). It goes with the form and back.
pub fn shown_hash(
    title: &str,
    text: &str,
    facts: &[(String, String)],
    choices: &[Json],
    quoted: Option<&(String, String, String)>,
) -> String {
    let facts = serde_json::to_string(facts).unwrap_or_default();
    let quoted = serde_json::to_string(&quoted).unwrap_or_default();
    let choices = serde_json::to_string(choices).unwrap_or_default();
    hex(&hash(&[
        title.as_bytes(),
        text.as_bytes(),
        facts.as_bytes(),
        choices.as_bytes(),
        quoted.as_bytes(),
    ])[..16])
}

impl Content {
    pub(super) fn of(
        turner: &Turner<'_>,
        (step, ask): (&str, &Ask),
        person: &Person,
        on_behalf_of: Option<&str>,
    ) -> Result<Self, EvalError> {
        let scope = turner.scope().for_reader(&person.language, &person.zone);
        let title = clean(&scope.text(&ask.title)?);
        let mut text = ask
            .text
            .as_ref()
            .map(|text| scope.text(text))
            .transpose()?
            .unwrap_or_default();
        let mut facts = Vec::new();
        let proved = is_proved(turner.basis());
        if !proved {
            let warning = words::not_proved(&person.language);
            text = format!("{}{text}", warning.short);
            facts.push((warning.label.to_owned(), warning.sentence.to_owned()));
        }
        for (label, value) in &ask.show {
            let value = scope.eval(value)?;
            if super::values::is_absent(&value) {
                continue;
            }
            let shown: String = clean(&scope.display(&value))
                .chars()
                .take(FACT_MAX)
                .collect();
            facts.push((label.clone(), shown));
        }
        let choices: Vec<Json> = ask
            .choices
            .iter()
            .map(|choice| {
                let label = choice.label_for(&person.language);
                json!({
                    "id": choice.id,
                    "label": words::choice_label(&choice.id, label, &person.language),
                    "comment": comment_word(choice.comment),
                    "settles": !choice.keeps_open,
                })
            })
            .collect();
        let directory = &turner.case.world.directory;
        let on_behalf_of = on_behalf_of.map(|id| {
            directory
                .people
                .get(id)
                .map_or_else(|| id.to_owned(), |person| person.name.clone())
        });
        let shown = shown_hash(
            &title,
            &text,
            &facts,
            &choices,
            quoted(turner.basis()).as_ref(),
        );
        Ok(Self {
            title,
            text,
            facts,
            choices,
            talk: turner.talk(step),
            privacy: privacy::stricter(ask.privacy, person),
            language: person.language.clone(),
            zone: person.zone.clone(),
            on_behalf_of,
            case: turner.case.key.to_owned(),
            until: turner.expires(step, ask),
            told: Telling::Asked,
            proved,
            shown,
        })
    }

    /// The same, saying why it comes once more. What is decided on stays the same.
    pub(super) fn telling(mut self, told: Telling) -> Self {
        self.text = format!("{}{}", words::telling(told, &self.language), self.text);
        self.told = told;
        self
    }

    /// The subject of a mail, which says at a glance why it comes.
    pub(super) fn subject(&self) -> String {
        format!(
            "{}{}",
            words::telling(self.told, &self.language),
            self.title
        )
    }

    /// Labels and values.
    pub(super) fn facts(&self) -> &[(String, String)] {
        &self.facts
    }

    /// The arguments that every channel shares.
    pub(super) fn args(&self) -> Json {
        let text = match &self.on_behalf_of {
            Some(name) => format!("{} ({})", self.text, words::on_behalf(name, &self.language)),
            None => self.text.clone(),
        };
        json!({
            "title": self.title, "text": text, "facts": self.facts, "choices": self.choices,
            "talk": self.talk, "privacy": privacy::word(self.privacy), "language": self.language,
            "zone": self.zone, "on_behalf_of": self.on_behalf_of, "case": self.case,
            "shown": self.shown, "until": self.until,
        })
    }

    /// The question as a mail's text. The words that decide stand within a sentence, so that a
    /// quotation of this mail never looks like a decision.
    pub(super) fn mail_body(&self, ask: &Ask) -> String {
        let mut body = format!("{}\n\n", self.text);
        for (label, value) in &self.facts {
            body.push_str(&format!("{label}: {value}\n"));
        }
        body.push_str(&format!(
            "\n{}\n{{{{link}}}}\n",
            words::decide_here(&self.language)
        ));
        let replies: Vec<&str> = ask
            .choices
            .iter()
            .filter(|choice| choice.comment != CommentRule::Required && !choice.keeps_open)
            .filter_map(|choice| words::reply_words(&choice.id).first().copied())
            .collect();
        if !replies.is_empty() && ask.sign_in.is_none() && self.proved {
            body.push_str(&format!(
                "\n{}\n",
                words::how_to_reply(&replies, &self.language)
            ));
        }
        body
    }
}

impl<'a> Turner<'a> {
    /// `push:`: one message to each person; a mail when he has no push address.
    pub(super) fn push(&mut self, step: &Step, message: &Message) -> Result<(), EvalError> {
        for person in self.readers(message)? {
            if self.has_enough("push", self.case.flow.at_most.push, person) {
                continue;
            }
            let phones = person.phones(message.importance == Importance::High);
            let Some(last) = phones.len().checked_sub(1) else {
                if Customer::address_of(&person.id).is_some() {
                    // Whoever has no app or wants no pushes has his mail already.
                    let note = Note::of("not_reachable").about(&person.id).at(&step.id);
                    self.out.notes.push(note.because("no app, or no consent"));
                    continue;
                }
                self.mail_to(step, message, person)?;
                continue;
            };
            let scope = self.scope().for_reader(&person.language, &person.zone);
            let mut args = self.message_args(&scope, message, person)?;
            args["kind"] = json!("notify");
            let name = self.named(&step.id);
            args["step"] = json!(name);
            args["collapse"] = json!(self.place_on_phone(&scope, &name, message, person)?);
            let mut sent = Vec::with_capacity(phones.len());
            for (index, address) in phones.iter().enumerate() {
                args["address"] = json!(address);
                let own = if index == last {
                    args.take()
                } else {
                    args.clone()
                };
                let id = self.send(step, Role::Push, person, message, own)?;
                if !message.withdraw_on.is_empty() {
                    self.may_be_withdrawn(&name, &person.id, id);
                }
                sent.push(id.to_string());
            }
            if message.on_error.is_some() && sent.len() > 1 {
                for id in &sent {
                    let others = sent.iter().filter(|other| *other != id).cloned();
                    self.state.devices.insert(id.clone(), others.collect());
                }
            }
        }
        Ok(())
    }

    /// `mail:`: one mail to each person.
    pub(super) fn mail(&mut self, step: &Step, message: &Message) -> Result<(), EvalError> {
        for person in self.readers(message)? {
            self.mail_to(step, message, person)?;
        }
        Ok(())
    }

    fn readers(&mut self, message: &Message) -> Result<Vec<&'a Person>, EvalError> {
        let world = self.case.world;
        let readers = self.found_or_owner(&message.to)?;
        let readers = readers.iter().filter_map(|id| world.reader(id));
        Ok(readers.filter(|person| !person.inactive).collect())
    }

    fn mail_to(
        &mut self,
        step: &Step,
        message: &Message,
        person: &Person,
    ) -> Result<(), EvalError> {
        let Some(address) = person.emails.first() else {
            self.dead(
                "unreachable",
                format!("{} has no address of any kind", person.id),
            );
            return Ok(());
        };
        if self.has_enough("mail", self.case.flow.at_most.mail, person) {
            return Ok(());
        }
        let scope = self.scope().for_reader(&person.language, &person.zone);
        let mut args = self.message_args(&scope, message, person)?;
        args["to"] = json!([address]);
        args["subject"] = args["title"].clone();
        args["body"] = args["text"].clone();
        args["step"] = json!(self.named(&step.id));
        if message.table {
            args["table"] = self.table();
        }
        self.send(step, Role::Mail, person, message, args)?;
        Ok(())
    }

    fn message_args(
        &self,
        scope: &Scope,
        message: &Message,
        person: &Person,
    ) -> Result<Json, EvalError> {
        let text = message
            .text
            .as_ref()
            .map(|text| scope.text(text))
            .transpose()?;
        let link = message
            .link
            .as_ref()
            .map(|link| scope.eval(link))
            .transpose()?;
        let link = link
            .filter(|link| !super::values::is_absent(link))
            .map(|link| link.to_string());
        Ok(json!({
            "title": clean(&scope.text(&message.title)?), "text": text.unwrap_or_default(),
            "to_link": link, "privacy": privacy::shown(message.privacy, person), "language": person.language,
            "zone": person.zone, "case": self.case.key,
            "importance": if message.importance == Importance::High { "high" } else { "normal" },
            "urgent": message.urgent,
        }))
    }

    /// One message on one channel.
    fn send(
        &mut self,
        step: &Step,
        role: Role,
        person: &Person,
        message: &Message,
        args: Json,
    ) -> Result<EffectId, EvalError> {
        let expires_at = self.valid_until(message)?;
        let id = self.effect_id();
        if message.on_error.is_some() {
            self.handle(id);
        }
        if Customer::address_of(&person.id).is_some() {
            self.out.guests.insert(person.id.clone(), person.clone());
        }
        self.out.effects.push(EffectDraft {
            id,
            via: self.via(role),
            person: Some(person.id.clone()),
            args,
            expires_at,
            cancel_key: Some(message_to(&self.named(&step.id), &person.id)),
            order: None,
            reports: message.on_error.is_some(),
            importance: loudness(message.importance, message.urgent),
            after: None,
            listed: false,
            shadow: false,
        });
        Ok(id)
    }

    /// `reply:`: an answer to the requester only, in his thread.
    pub(super) fn reply(&mut self, step: &Step, reply: &Reply) -> Result<(), EvalError> {
        let basis = self.case.opened_by.clone();
        let Some(to) = answer_address(&basis) else {
            self.dead(
                "no_answer_address",
                "the mail names nobody who could be answered (no-reply sender)".to_owned(),
            );
            return Ok(());
        };
        // Somebody outside the directory reads the times of the one who owns it.
        let directory = &self.case.world.directory;
        let owner = directory
            .owner
            .as_deref()
            .and_then(|id| directory.person(id));
        let scope = match (directory.by_email(&to), owner) {
            (Some(person), _) => self.scope().for_reader(&person.language, &person.zone),
            (None, Some(owner)) => self.scope().for_reader("", &owner.zone),
            (None, None) => self.scope(),
        };
        let text = scope.text(&reply.text)?;
        let mail = basis.envelope.data.get("mail").cloned().unwrap_or_default();
        let id = self.effect_id();
        if reply.on_error.is_some() {
            self.handle(id);
        }
        let args = json!({
            "to": [to], "subject": subject_of(&mail), "body": text, "step": step.id,
            "thread_id": mail.get("thread_id"), "rfc_message_id": mail.get("rfc_message_id"),
            "references": mail.get("references"), "case": self.case.key,
        });
        let cell = self.case.cell;
        self.out.effects.push(EffectDraft {
            id,
            via: Via::Source(basis.envelope.source.clone(), Role::Reply),
            person: None,
            args,
            expires_at: None,
            cancel_key: None,
            order: Some(key16(&[cell.bytes(), b"reply"])),
            reports: reply.on_error.is_some(),
            importance: Importance::Normal,
            after: None,
            listed: false,
            shadow: false,
        });
        Ok(())
    }

    /// `label:`.
    pub(super) fn label(&mut self, label: &Label) -> Result<(), EvalError> {
        let basis = self.case.opened_by.clone();
        let scope = self.scope();
        let texts = |texts: &[Text]| -> Result<Vec<String>, EvalError> {
            texts.iter().map(|text| scope.text(text)).collect()
        };
        let mail = basis.envelope.data.get("mail").cloned().unwrap_or_default();
        let args = json!({
            "id": mail.get("id"), "add": texts(&label.add)?, "remove": texts(&label.remove)?,
        });
        let id = self.effect_id();
        self.out.effects.push(EffectDraft {
            id,
            via: Via::Source(basis.envelope.source.clone(), Role::Label),
            person: None,
            args,
            expires_at: None,
            cancel_key: None,
            order: Some(key16(&[self.case.cell.bytes(), b"label"])),
            reports: false,
            importance: Importance::Normal,
            after: None,
            listed: false,
            shadow: false,
        });
        Ok(())
    }

    /// `emit:`.
    pub(super) fn emit(&mut self, emit: &Emit) -> Result<(), EvalError> {
        let scope = self.scope();
        let mut data = serde_json::Map::new();
        for (path, value) in &emit.data {
            let value = serde_json::to_value(scope.eval(value)?).unwrap_or(Json::Null);
            super::values::put_at(&mut data, path, value);
        }
        self.emit_event(&emit.event, Json::Object(data));
        Ok(())
    }

    /// Questions and answers so far, for the page: who and what.
    fn talk(&self, step: &str) -> Vec<Json> {
        let Some(state) = self.state.asks.get(step) else {
            return Vec::new();
        };
        let name = |id: &str| {
            let people = &self.case.world.directory.people;
            people
                .get(id)
                .map_or_else(|| id.to_owned(), |person| person.name.clone())
        };
        let entry = |(who, key): &(String, String)| {
            let from = if who.is_empty() {
                self.event(key).map(sender_name).unwrap_or_default()
            } else {
                name(who)
            };
            json!([
                from,
                self.event(key).map(comment::of_talk).unwrap_or_default()
            ])
        };
        state.talk.iter().map(entry).collect()
    }
}

/// Without what nobody sees, which could make a title read other than it is.
fn clean(text: &str) -> String {
    plainly(text).replace('\t', " ")
}

/// What is urgent disturbs quiet hours, however important it is.
pub(super) fn loudness(importance: Importance, urgent: bool) -> Importance {
    if urgent { Importance::High } else { importance }
}

fn comment_word(rule: CommentRule) -> &'static str {
    match rule {
        CommentRule::None => "none",
        CommentRule::Optional => "optional",
        CommentRule::Required => "required",
    }
}
