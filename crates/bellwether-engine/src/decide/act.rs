//! What a person does with a notification, as an event: its type names, its payload, and the rules
//! by which a press of a button is a decision.

use std::sync::Arc;

use bellwether_model::event::Event;
use serde::{Deserialize, Serialize};

use super::draft::Note;
use super::requester::is_proved;
use super::state::{Decided, event_key};
use super::walk::Turner;
use crate::flow::{Ask, CommentRule};
use crate::lang::visible;
use crate::seam::TurnSaid;
use crate::store::EffectRow;

/// A button was pressed, a word was replied, a console decided.
pub const ACTED: &str = "push.acted";
/// A notification was opened.
pub const OPENED: &str = "push.opened";
/// A device or provider reported a delivery.
pub const REPORTED: &str = "push.reported";
/// A page was fetched by something that is no browser of a person.
pub const FETCHED: &str = "push.fetched";
/// A person asked for a one-time code.
pub const CODE_REQUESTED: &str = "push.code_requested";

/// The source of what people do at our own pages, phones and console. Events of any other source
/// say nothing about who decided, whatever their type.
pub(crate) const PEOPLE: &str = "people";
/// The source of what the server itself says.
pub(crate) const ENGINE: &str = "engine";

/// How surely the person was who he claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// He held the link, the phone or the mailbox.
    Link,
    /// He entered a code from another channel just now.
    Code,
    /// His device was enrolled before.
    SignedIn,
}

/// The payload of an [`ACTED`] event under the noun `push`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The notification.
    pub notification: String,
    /// Who; from the token, never from what a device says.
    pub person: String,
    /// The choice.
    pub choice: String,
    /// The comment.
    #[serde(default)]
    pub comment: String,
    /// The hash of the content shown; empty from the console.
    #[serde(default)]
    pub shown: String,
    /// `phone`, `page`, `mail`, `console`.
    pub means: String,
    /// How surely.
    pub assurance: Assurance,
    /// The device, for the record.
    #[serde(default)]
    pub device: String,
    /// Who really did it, when it was done for the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

impl Act {
    /// The act in an event's payload; None for what no person did. A comment holds nothing that
    /// cannot be seen.
    pub fn of(event: &Event) -> Option<Self> {
        let push = event.envelope.data.get("push")?.clone();
        let act: Self = serde_json::from_value(push).ok()?;
        let comment = visible(&act.comment);
        (event.envelope.source == PEOPLE).then_some(Self { comment, ..act })
    }

    /// The payload.
    pub fn into_data(self) -> serde_json::Value {
        serde_json::json!({ "push": self })
    }
}

/// The person of an event that says that a notification was opened.
pub(super) fn looked_at(event: &Event) -> Option<String> {
    let person = event.envelope.data.get("push")?.get("person")?.as_str()?;
    (event.envelope.kind == OPENED && event.envelope.source == PEOPLE).then(|| person.to_owned())
}

/// Whether an event tells of a delivery only: kept on the notification, no matter for its run.
pub fn is_delivery_only(kind: &str) -> bool {
    kind == REPORTED || kind == FETCHED
}

impl Turner<'_> {
    /// Whether the event concerns a question of this run; then it is dealt with.
    pub(super) fn asked(&mut self, event: &Event, effect: Option<&EffectRow>) -> bool {
        let flow = Arc::clone(self.case.flow);
        match event.envelope.kind.as_str() {
            ACTED => {
                let Some(act) = Act::of(event) else {
                    return false;
                };
                let Some(step) = self.ask_of(effect) else {
                    return false;
                };
                let Some(ask) = super::ask::ask_step(&flow.steps, &step) else {
                    return false;
                };
                self.enter(&step);
                let said = self.press(&step, ask, &act, event);
                self.out.said = Some(said);
                true
            }
            CODE_REQUESTED if event.envelope.source == PEOPLE => {
                let step = self.ask_of(effect);
                self.send_code(step.as_deref(), event);
                true
            }
            _ if event.envelope.data.get("mail").is_some() => {
                let Some(step) = self.ask_of(effect).or_else(|| self.only_ask()) else {
                    return false;
                };
                let Some(ask) = super::ask::ask_step(&flow.steps, &step) else {
                    return false;
                };
                self.enter(&step);
                self.mail_in_case(&step, ask, event, effect)
            }
            _ => false,
        }
    }

    /// Whether an effect belongs to a question that is still open.
    pub(super) fn answers_open(&self, effect: Option<&EffectRow>) -> bool {
        let step = effect.and_then(|_| self.ask_of(effect));
        let ask = step.and_then(|step| self.state.asks.get(&step));
        ask.is_some_and(super::AskState::is_open)
    }

    /// The question that an effect belongs to.
    fn ask_of(&self, effect: Option<&EffectRow>) -> Option<String> {
        let id = effect?.id;
        let belongs = |ask: &super::AskState| {
            ask.asked
                .iter()
                .any(|asked| asked.pushes.contains(&id) || asked.mails.contains(&id))
        };
        let found = self.state.asks.iter().find(|(_, ask)| belongs(ask));
        found
            .map(|(step, _)| step.clone())
            .or_else(|| self.only_ask())
    }

    /// The one open question, else the latest one.
    pub(super) fn only_ask(&self) -> Option<String> {
        let open = self.state.asks.iter().find(|(_, ask)| ask.is_open());
        open.or_else(|| self.state.asks.iter().next_back())
            .map(|(step, _)| step.clone())
    }

    /// A press of a button: the rules in the order in which people should hear of them.
    pub(super) fn press(&mut self, step: &str, ask: &Ask, act: &Act, event: &Event) -> TurnSaid {
        let Some(said) = self.hindrance(step, ask, act) else {
            return self.take(step, ask, act, event);
        };
        let what = match &said {
            TurnSaid::AlreadyDecided { .. } => "late",
            TurnSaid::Over { .. } => "too_late",
            TurnSaid::Changed => "changed",
            TurnSaid::SignInRequired => "sign_in_required",
            _ => "refused",
        };
        let mut note = Note::of(what).about(&act.person).at(step);
        if let TurnSaid::Refused { code, .. } = &said {
            note = note.because(code.clone());
        }
        self.out.notes.push(note);
        said
    }

    fn hindrance(&self, step: &str, ask: &Ask, act: &Act) -> Option<TurnSaid> {
        let refused = |code: &str, reason: &str| {
            Some(TurnSaid::Refused {
                code: code.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let state = self.state.asks.get(step)?;
        if let Some(decided) = &state.decided {
            return Some(TurnSaid::AlreadyDecided {
                choice: decided.choice.clone(),
                by: decided.by.clone(),
                at: decided.at,
            });
        }
        if let Some((how, at)) = &state.over {
            return Some(TurnSaid::Over {
                how: how.clone(),
                at: *at,
            });
        }
        let mut votes = state.votes.iter();
        if let Some(vote) = votes.find(|vote| vote.by == act.person) {
            return Some(TurnSaid::AlreadyDecided {
                choice: vote.choice.clone(),
                by: vote.by.clone(),
                at: vote.at,
            });
        }
        // What was put to somebody who left is his manager's to decide.
        let directory = &self.case.world.directory;
        let took_over = |id: &str| {
            let heir = directory.successor(id);
            heir.is_some_and(|heir| heir.id == act.person)
        };
        let mut all = state.asked.iter();
        let asked = state.asked(&act.person);
        let Some(asked) = asked.or_else(|| all.find(|asked| took_over(&asked.person))) else {
            return refused("not_asked", "this matter was not put to you");
        };
        if self.case.world.directory.person(&act.person).is_none() {
            return refused("left", "you are no longer in the directory");
        }
        if self.excluded(ask, &act.person) {
            return refused("own_request", "nobody decides a request of his own");
        }
        if act.assurance < Assurance::Code && self.needs_sign_in(ask) {
            return Some(TurnSaid::SignInRequired);
        }
        if act.means != "console" && act.means != "mail" && act.shown != asked.shown {
            return Some(TurnSaid::Changed);
        }
        let Some(choice) = ask.choices.iter().find(|choice| choice.id == act.choice) else {
            return refused("unknown_choice", "there is no such choice");
        };
        if choice.comment == CommentRule::Required && act.comment.trim().is_empty() {
            return refused(
                "comment_required",
                "please say why: this choice needs a comment",
            );
        }
        None
    }

    /// Whether the decider must have proved himself more strongly. A condition that cannot be
    /// worked out asks for the proof: the safe side.
    pub(super) fn needs_sign_in(&self, ask: &Ask) -> bool {
        let asked = |test| self.scope().truthy(test).unwrap_or(true);
        // Who pressed must at least be sure where nobody can be sure who asked.
        !is_proved(self.basis()) || ask.sign_in.as_ref().is_some_and(asked)
    }

    fn take(&mut self, step: &str, ask: &Ask, act: &Act, event: &Event) -> TurnSaid {
        let keeps_open = ask
            .choices
            .iter()
            .any(|choice| choice.id == act.choice && choice.keeps_open);
        if keeps_open {
            self.question(step, &act.person, &act.comment, event);
            return TurnSaid::PassedOn {
                choice: act.choice.clone(),
            };
        }
        let decided = Decided {
            choice: act.choice.clone(),
            by: act.person.clone(),
            at: self.case.now,
            event: event_key(&event.envelope),
            means: act.means.clone(),
        };
        if !self.is_enough(step, ask, &decided) {
            return TurnSaid::Decided {
                choice: decided.choice,
                by: decided.by,
                at: decided.at,
            };
        }
        let note = Note::of("decided").about(&act.person).at(step);
        self.out
            .notes
            .push(note.because(format!("{} by {}", act.choice, act.means)));
        let said = TurnSaid::Decided {
            choice: decided.choice.clone(),
            by: decided.by.clone(),
            at: decided.at,
        };
        let by = decided.by.clone();
        if let Some(state) = self.state.asks.get_mut(step) {
            state.decided = Some(decided);
        }
        self.decided(step);
        self.quiet_down(step, Some(&by));
        self.go_on(Some(&act.choice));
        said
    }
}
