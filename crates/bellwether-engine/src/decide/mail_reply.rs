//! Deciding by mail: when the reply of an asked person is a decision, and why most mails are not.
//! The rule is one pure function, [`judge`]; what follows from it is below it.

use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::directory::Person;
use bellwether_model::event::Event;
use serde_json::{Value as Json, json};

use super::act::{Act, Assurance};
use super::comment::below_the_word;
use super::draft::{EffectDraft, Note, Via};
use super::requester::{answer_address, subject_of};
use super::walk::Turner;
use super::words;
use crate::flow::{Ask, Choice, Importance};
use crate::seam::TurnSaid;
use crate::store::EffectRow;

/// Why a mail is not a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotADecision {
    /// An out-of-office reply or another automatic answer.
    Automatic,
    /// A delivery report.
    Report,
    /// It came through a mailing list, or as one of many.
    List,
    /// It passes on what somebody else wrote.
    Forward,
    /// It does not carry the token of the mail that it answers.
    NoToken,
    /// The sender's domain was not proved (DMARC).
    NotAuthenticated,
    /// It comes from somebody else than the person asked.
    OtherPerson,
    /// Nothing but HTML, so that nobody can say what its first line is.
    HtmlOnly,
    /// Nothing above the quotation.
    Empty,
    /// The first line is not exactly one of the words.
    NotAWord,
    /// The matter needs a stronger proof than a mail.
    TooWeak,
}

impl NotADecision {
    /// The stable word in journals.
    pub fn code(self) -> &'static str {
        match self {
            Self::Automatic => "automatic_reply",
            Self::Report => "delivery_report",
            Self::List => "mailing_list",
            Self::Forward => "forwarded",
            Self::NoToken => "no_reply_token",
            Self::NotAuthenticated => "sender_not_authenticated",
            Self::OtherPerson => "not_the_person_asked",
            Self::HtmlOnly => "html_only",
            Self::Empty => "empty",
            Self::NotAWord => "not_a_known_word",
            Self::TooWeak => "sign_in_required",
        }
    }

    /// The reason in a sentence's part.
    fn reason(self) -> &'static str {
        match self {
            Self::Automatic | Self::Report | Self::List => "it was sent automatically",
            Self::Forward => "it was forwarded",
            Self::NoToken => "it does not answer a mail of ours",
            Self::NotAuthenticated => "the sender could not be authenticated",
            Self::OtherPerson => "it does not come from the person who was asked",
            Self::HtmlOnly => "it holds no plain text",
            Self::Empty => "it says nothing above the quotation",
            Self::NotAWord => "its first line is not exactly one of the words",
            Self::TooWeak => "this matter must be decided on its page after signing in",
        }
    }

    /// Whether the sender may be told. Automatic mail is never answered, nor is anybody who could
    /// not be proved to be the person asked.
    fn may_answer(self) -> bool {
        matches!(
            self,
            Self::HtmlOnly | Self::Empty | Self::NotAWord | Self::TooWeak
        )
    }
}

/// What subjects of forwarded mails begin with.
const FORWARDS: [&str; 6] = ["fwd:", "fw:", "wg:", "wtr:", "tr:", "weitergeleitet:"];

/// Whether a mail of the asked person decides, and what.
///
/// `mail` is the noun; `addressed` whether its reply token is valid and names `person`.
///
/// # Errors
/// The first reason for which it does not.
pub fn judge<'a>(
    mail: &Json,
    addressed: bool,
    person: Option<&Person>,
    choices: &'a [Choice],
    needs_sign_in: bool,
) -> Result<&'a Choice, NotADecision> {
    let text = |name: &str| mail.get(name).and_then(Json::as_str).unwrap_or_default();
    let flag = |name: &str| mail.get(name).and_then(Json::as_bool).unwrap_or(false);
    if flag("dsn") {
        return Err(NotADecision::Report);
    }
    if flag("auto_reply") || !matches!(text("auto_submitted"), "" | "no") {
        return Err(NotADecision::Automatic);
    }
    if mail.get("list_id").is_some() || flag("bulk") {
        return Err(NotADecision::List);
    }
    let subject = text("subject").trim_start().to_lowercase();
    if FORWARDS.iter().any(|prefix| subject.starts_with(prefix)) {
        return Err(NotADecision::Forward);
    }
    let Some(person) = person.filter(|_| addressed) else {
        return Err(NotADecision::NoToken);
    };
    let passed = mail
        .get("auth")
        .and_then(|auth| auth.get("dmarc"))
        .and_then(Json::as_str);
    if passed != Some("pass") {
        return Err(NotADecision::NotAuthenticated);
    }
    let from = mail
        .get("from")
        .and_then(|from| from.get("address"))
        .and_then(Json::as_str);
    if !from.is_some_and(|from| person.has_email(from)) {
        return Err(NotADecision::OtherPerson);
    }
    if flag("html_only") {
        return Err(NotADecision::HtmlOnly);
    }
    let new_text = text("new_text");
    let Some(line) = new_text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
    else {
        return Err(NotADecision::Empty);
    };
    // Anything else around the word can turn its sense: a question mark, a thumb, a smile.
    let word = line.trim_matches(['.', '!', ',', '"', '\'', '*', ' ']);
    let word = word.to_lowercase();
    let chosen = choices.iter().find(|choice| {
        !choice.keeps_open && words::reply_words(&choice.id).contains(&word.as_str())
    });
    let Some(choice) = chosen else {
        return Err(NotADecision::NotAWord);
    };
    if needs_sign_in {
        return Err(NotADecision::TooWeak);
    }
    Ok(choice)
}

impl Turner<'_> {
    /// A mail that reached this case by token or thread: a decision, the requester's answer, a
    /// withdrawal, or nothing. False: not for the question.
    pub(super) fn mail_in_case(
        &mut self,
        step: &str,
        ask: &Ask,
        event: &Event,
        effect: Option<&EffectRow>,
    ) -> bool {
        let mail = event.envelope.data.get("mail").cloned().unwrap_or_default();
        if event.envelope.kind.ends_with(".read") || event.envelope.kind.ends_with(".sent") {
            return false;
        }
        if effect.and_then(|effect| effect.person.as_ref()).is_none()
            && self.requester_says(step, ask, event, &mail)
        {
            return true;
        }
        let person = effect.and_then(|effect| effect.person.clone());
        let directory = Arc::clone(&self.case.world.directory);
        let known = person.as_deref().and_then(|id| directory.person(id));
        let verdict = judge(
            &mail,
            effect.is_some(),
            known,
            &ask.choices,
            self.needs_sign_in(ask),
        );
        match verdict {
            Ok(choice) => {
                let comment = below_the_word(&mail);
                let act = Act {
                    notification: effect
                        .map(|effect| effect.id.to_string())
                        .unwrap_or_default(),
                    person: person.unwrap_or_default(),
                    choice: choice.id.clone(),
                    comment,
                    shown: String::new(),
                    means: "mail".to_owned(),
                    assurance: Assurance::Link,
                    device: String::new(),
                    actor: None,
                };
                let said = self.press(step, ask, &act, event);
                self.tell_hindered(step, event, known, &said);
                self.out.said = Some(said);
            }
            Err(why) => {
                let mut note = Note::of("reply_decides_nothing")
                    .at(step)
                    .because(why.code());
                if let Some(person) = &person {
                    note = note.about(person);
                }
                self.out.notes.push(note);
                if why.may_answer() {
                    let body = words::not_understood(why.reason(), language_of(known));
                    self.tell_once(step, event, known, body);
                }
                self.out.said = Some(TurnSaid::Refused {
                    code: why.code().to_owned(),
                    reason: why.reason().to_owned(),
                });
            }
        }
        true
    }

    /// A mail of the requester in his own thread: he takes the matter back, or answers a question.
    fn requester_says(&mut self, step: &str, ask: &Ask, event: &Event, mail: &Json) -> bool {
        let address = |mail: Option<&Json>| {
            let from = mail?.get("from")?.get("address")?.as_str()?;
            Some(from.to_ascii_lowercase())
        };
        let opener = address(self.case.opened_by.envelope.data.get("mail"));
        let answers_to = answer_address(self.case.opened_by);
        let from = address(Some(mail));
        let is_he = from.is_some()
            && (from == opener || from == answers_to.map(|address| address.to_ascii_lowercase()));
        let proved = mail
            .get("auth")
            .and_then(|auth| auth.get("dmarc"))
            .and_then(Json::as_str)
            == Some("pass");
        let automatic = mail
            .get("auto_reply")
            .and_then(Json::as_bool)
            .unwrap_or(false);
        if !is_he || !proved || automatic {
            return false;
        }
        let state = self.state.asks.get(step);
        let open = state.is_some_and(super::AskState::is_open);
        let paused = state.is_some_and(|state| state.paused.is_some());
        if !open {
            self.out.notes.push(Note::of("mail_after_the_end").at(step));
        } else if super::again::takes_back(event) {
            self.withdraw();
        } else if paused {
            self.answered(step, ask, event);
        } else {
            self.out.notes.push(Note::of("requester_wrote").at(step));
        }
        true
    }

    /// A reply that came too late or is not allowed is answered, as a late tap is.
    fn tell_hindered(
        &mut self,
        step: &str,
        event: &Event,
        person: Option<&Person>,
        said: &TurnSaid,
    ) {
        let language = language_of(person);
        let body = match said {
            TurnSaid::Refused { reason, .. } => words::not_understood(reason, language),
            TurnSaid::AlreadyDecided { choice, by, at } => {
                let decider = self.case.world.directory.person(by);
                let name = decider.map_or(by.as_str(), |person| person.name.as_str());
                let zone = person.map_or("", |person| &person.zone);
                let settled = words::settled_at(choice, name, *at, language, zone);
                words::too_late(&settled, language)
            }
            TurnSaid::Over { how, .. } => words::too_late(&words::over(how, language), language),
            _ => return,
        };
        self.tell_once(step, event, person, body);
    }

    /// One answer per person that his reply decided nothing.
    fn tell_once(&mut self, step: &str, event: &Event, person: Option<&Person>, body: String) {
        let Some(person) = person else { return };
        let Some(state) = self.state.asks.get_mut(step) else {
            return;
        };
        if state.told.contains(&person.id) {
            return;
        }
        state.told.push(person.id.clone());
        let mail = event.envelope.data.get("mail").cloned().unwrap_or_default();
        let id = self.effect_id();
        // The next try may be an answer to this mail instead of the first one.
        let args = json!({
            "to": [person.emails.first()], "subject": subject_of(&mail), "step": step,
            "reply_token": true, "body": body, "title": subject_of(&mail),
            "thread_id": mail.get("thread_id"), "rfc_message_id": mail.get("rfc_message_id"),
            "references": mail.get("references"),
        });
        self.out.effects.push(EffectDraft {
            id,
            via: Via::Source(event.envelope.source.clone(), Role::Reply),
            person: Some(person.id.clone()),
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
}

fn language_of(person: Option<&Person>) -> &str {
    person.map_or("en", |person| &person.language)
}
