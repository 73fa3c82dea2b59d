//! The state of a run as it is stored: JSON with a format number. Steps are named by id path, never
//! by index; people by id; events by their seen key, so that no personal data is copied here.

use std::collections::{BTreeMap, BTreeSet};

use super::branches::{Branch, Fan, plain};
use bellwether_model::id::{EffectId, hex};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};

/// An event's seen key in hexadecimal.
pub type EventKey = String;

/// The format that this release writes. Older formats are lifted when read.
pub(crate) const FORMAT: u16 = 2;
/// The most addressed events that a run keeps before it waits for them.
pub(crate) const KEPT_MAX: usize = 32;

/// A run's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Format number.
    #[serde(rename = "f")]
    pub format: u16,
    /// Where it waits: step id, arm, step id, …; empty when it does not wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// Which trigger opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The event that the nouns stand for, when it is no longer the opening one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<EventKey>,
    /// Questions, by step id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asks: BTreeMap<String, AskState>,
    /// Results of waits, by name: the event, or None for timed out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waits: BTreeMap<String, Option<EventKey>>,
    /// Addressed events that nothing waited for yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<EventKey>,
    /// Messages whose failure the flow handles: effect → step id path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, Vec<String>>,
    /// The steps that heed events beside the run's own way: step id paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heeds: Vec<Vec<String>>,
    /// Pushes of one message to several devices of one person: each with those of the others that
    /// were not given up. Only the last failure is one of the message.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, Vec<String>>,
    /// The latest decided question: what `decision` means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// It began while its flow was in shadow: nothing of it is ever sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// The seal of the latest entry of the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// How many lines were put on the list that it gathers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lines: usize,
    /// Branches, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub branches: BTreeMap<String, Branch>,
    /// Steps whose branches are not all over, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fans: BTreeMap<String, Fan>,
    /// How named branches ended: the question that each ended with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, String>,
    /// In which branch the failure of a message is handled, if in one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handled_in: BTreeMap<String, String>,
    /// Pushes that an event takes back: by step and person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<String, BTreeMap<String, Vec<EffectId>>>,
    /// How many messages each person got, by channel, where the flow sets a limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub got: BTreeMap<String, u32>,
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            format: FORMAT,
            at: Vec::new(),
            trigger: None,
            basis: None,
            asks: BTreeMap::new(),
            waits: BTreeMap::new(),
            kept: Vec::new(),
            handled: BTreeMap::new(),
            heeds: Vec::new(),
            devices: BTreeMap::new(),
            decision: None,
            shadow: false,
            seal: None,
            lines: 0,
            branches: BTreeMap::new(),
            fans: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            handled_in: BTreeMap::new(),
            shown: BTreeMap::new(),
            got: BTreeMap::new(),
        }
    }
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AskState {
    /// Who was asked, in order.
    pub asked: Vec<Asked>,
    /// From when the ladder counts: when the first push leaves, moved by pauses.
    pub base: Time,
    /// Whose calendar the ladder follows.
    pub calendar: String,
    /// The next rung.
    #[serde(default)]
    pub rung: usize,
    /// A question that went back to the requester and is not answered: since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Time>,
    /// Questions and answers: who (a person's id, or empty for the requester) and the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub talk: Vec<(String, EventKey)>,
    /// The decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// How many must agree; 0: the first answer decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub need: usize,
    /// Who agreed so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Decided>,
    /// Over without one: how and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<(String, Time)>,
    /// People who were told that their reply decided nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

/// Somebody who was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Who.
    pub person: String,
    /// For whom he stands in.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Since when his answer is waited for: when the question, as it stands now, could leave.
    #[serde(default)]
    pub since: Time,
    /// The hash of the content that he was shown last.
    pub shown: String,
    /// His pushes, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pushes: Vec<EffectId>,
    /// How many of them are of the latest round: one for each of his devices.
    #[serde(default)]
    pub round: usize,
    /// Those of the latest round that were given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<EffectId>,
    /// What the latest round was about.
    #[serde(default)]
    pub told: Telling,
    /// His mails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mails: Vec<EffectId>,
    /// Whether the latest push was followed by a mail, because it could not be sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_mail: bool,
}

impl Asked {
    /// His pushes of the latest round: one for each device that he had then.
    pub fn latest(&self) -> &[EffectId] {
        // What an earlier release wrote does not say how many there were: at least one.
        let before = self.pushes.len().saturating_sub(self.round.max(1));
        &self.pushes[before..]
    }
}

/// Why somebody hears of a question (again).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// For the first time.
    #[default]
    Asked,
    /// He did not answer.
    Reminder,
    /// The matter is no longer what he was shown.
    Changed,
    /// The requester answered a question.
    Answered,
}

/// Somebody whose answer a run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Who; None for the requester, who was asked back.
    pub person: Option<String>,
    /// For whom he stands in.
    pub on_behalf_of: Option<String>,
    /// The question's step.
    pub step: String,
    /// Since when.
    pub since: Time,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The choice.
    pub choice: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// The event that carries the comment.
    pub event: EventKey,
    /// How: `phone`, `page`, `mail`, `console`.
    pub means: String,
}

impl AskState {
    /// Whether it still waits for somebody.
    pub fn is_open(&self) -> bool {
        self.decided.is_none() && self.over.is_none()
    }

    /// Whether a person agreed already, while others have to.
    pub fn has_agreed(&self, person: &str) -> bool {
        self.votes.iter().any(|vote| vote.by == person)
    }

    fn waits_for(&self, step: &str) -> Vec<Waiting> {
        let waiting = |person: Option<&Asked>, since: Time| Waiting {
            person: person.map(|asked| asked.person.clone()),
            on_behalf_of: person.and_then(|asked| asked.on_behalf_of.clone()),
            step: plain(step).to_owned(),
            since,
        };
        if let Some(since) = self.paused {
            return vec![waiting(None, since)];
        }
        let since = |asked: &Asked| {
            let known = asked.since > Time::default();
            if known { asked.since } else { self.base }
        };
        let asked = self.asked.iter();
        asked
            .filter(|asked| !self.has_agreed(&asked.person))
            .map(|asked| waiting(Some(asked), since(asked)))
            .collect()
    }

    /// The entry of a person.
    pub fn asked(&self, person: &str) -> Option<&Asked> {
        self.asked.iter().find(|asked| asked.person == person)
    }
}

impl RunState {
    /// Reads a stored state of any format that was ever released.
    ///
    /// # Errors
    /// The text is no state, or of a newer release.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut state: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if state.format > FORMAT {
            return Err(format!(
                "written by a newer release (format {})",
                state.format
            ));
        }
        // Format 1 had no branches: what it lacks is empty.
        state.format = FORMAT;
        Ok(state)
    }

    /// The text to store.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The steps that this state names: where it waits, its questions, its messages in hand.
    pub fn names_steps(&self) -> BTreeSet<String> {
        // A path is a step, an ending, a step, …
        let branches = self.branches.values();
        let inner = branches.clone().map(|branch| &branch.at);
        let paths = self.handled.values().chain([&self.at]).chain(inner);
        let on_paths = paths.flat_map(|path| path.iter().step_by(2));
        let all = on_paths.chain(self.asks.keys()).chain(&self.decision);
        let all = all.chain(branches.map(|branch| &branch.step));
        all.map(|name| plain(name).to_owned()).collect()
    }

    /// The latest message by which a question was put to a person: of the one that is open, else of
    /// the one that he was asked last, so that he is told how it ended.
    pub fn put_to(&self, person: &str) -> Option<EffectId> {
        let latest = |ask: &AskState| {
            let asked = ask.asked(person)?;
            let id = asked.pushes.last().or(asked.mails.last()).copied()?;
            Some((ask.is_open(), asked.since, id))
        };
        let found = self.asks.values().filter_map(latest);
        found.max().map(|(_, _, id)| id)
    }

    /// Whom it waits for, in the order in which they were asked.
    pub fn waits_for(&self) -> Vec<Waiting> {
        let open = self.asks.iter().filter(|(_, ask)| ask.is_open());
        open.flat_map(|(step, ask)| ask.waits_for(step)).collect()
    }

    /// The events that a turn on this state may need.
    pub fn refers_to(&self) -> Vec<EventKey> {
        let mut keys: Vec<EventKey> = self.basis.iter().cloned().collect();
        keys.extend(self.waits.values().flatten().cloned());
        let inner = self.branches.values();
        keys.extend(inner.flat_map(|branch| branch.waits.values().flatten().cloned()));
        keys.extend(self.kept.iter().cloned());
        for ask in self.asks.values() {
            keys.extend(ask.talk.iter().map(|(_, key)| key.clone()));
            keys.extend(ask.votes.iter().map(|vote| vote.event.clone()));
            keys.extend(ask.decided.iter().map(|decided| decided.event.clone()));
        }
        keys
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The key under which a state refers to an event.
pub(crate) fn event_key(event: &bellwether_model::event::NewEvent) -> EventKey {
    hex(&event.seen_key())
}
