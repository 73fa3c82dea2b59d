//! What a backtest found, as data for pages and commands, and in a sentence.

use std::collections::BTreeMap;

use bellwether_model::id::CellId;
use bellwether_model::time::Time;
use serde::{Serialize, Serializer};

/// How many messages a report lists; all are counted.
pub(super) const MESSAGES_MAX: usize = 500;
/// How many differences a report lists; all are counted.
pub(super) const DIFFERENCES_MAX: usize = 1_000;

/// An instant as callers read it.
fn in_words<S: Serializer>(at: &Time, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

/// One message, as it would be sent or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// When.
    #[serde(serialize_with = "in_words")]
    pub at: Time,
    /// The run.
    pub run: CellId,
    /// `push`, `mail` or `reply`.
    pub channel: &'static str,
    /// To whom: a person's id, else an address.
    pub who: String,
    /// The same as people read it.
    pub name: String,
    /// Title or subject.
    pub title: String,
    /// The text.
    pub text: String,
}

/// In which way a message differs from what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It would be sent and was not.
    More,
    /// It was sent and would not be.
    Fewer,
    /// It would go to somebody else.
    OtherRecipient,
    /// It would come at another time.
    OtherTime,
    /// It would read otherwise.
    OtherText,
}

impl Kind {
    /// In words, after a number.
    pub fn words(self) -> &'static str {
        match self {
            Self::More => "would be sent and were not",
            Self::Fewer => "were sent and would not be",
            Self::OtherRecipient => "would go to somebody else",
            Self::OtherTime => "would come at another time",
            Self::OtherText => "would read otherwise",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In which way.
    pub kind: Kind,
    /// The message that would be sent; for `fewer` the one that was.
    pub message: Message,
    /// What was sent in its place.
    pub instead_of: Option<Message>,
}

/// What came of a backtest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The flow.
    pub flow: String,
    /// The period.
    #[serde(serialize_with = "in_words")]
    pub from: Time,
    /// Its end.
    #[serde(serialize_with = "in_words")]
    pub until: Time,
    /// The mailbox whose mails were played instead of the record.
    pub mailbox: Option<String>,
    /// Events that were read.
    pub events: u64,
    /// Messages that would be sent.
    pub would_send: u64,
    /// The same by channel.
    pub channels: BTreeMap<&'static str, u64>,
    /// To so many people and addresses.
    pub people: u64,
    /// Pushes of them between ten in the evening and six in the morning, where their readers are.
    pub at_night: u64,
    /// Messages of them to somebody on leave, as the directory has it today.
    pub on_leave: u64,
    /// Messages that were sent in truth by runs of that time.
    pub sent: u64,
    /// Those of them that would be sent just so.
    pub same: u64,
    /// How many differ, by the way in which they do.
    pub counts: BTreeMap<Kind, u64>,
    /// The differences, oldest first; the first of them, if there are very many.
    pub differences: Vec<Difference>,
    /// What would be sent, in order; the first of it, if it is very much.
    pub messages: Vec<Message>,
    /// Events whose content is no longer in the record: nothing can be said about them.
    pub pruned: u64,
    /// Answers of people to what this flow would not have asked them.
    pub unasked: u64,
    /// Messages of runs that began before or after the period.
    pub of_other_runs: u64,
}

impl Report {
    /// How many messages differ from what was sent.
    pub fn differing(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The whole in a few sentences.
    pub fn words(&self) -> String {
        let mut out = match &self.mailbox {
            Some(mailbox) => format!("{} of {mailbox} read. ", counted(self.events, "mail")),
            None => format!("{} read. ", counted(self.events, "event")),
        };
        if self.would_send == 0 {
            out.push_str("Nothing would be sent.");
        } else {
            let channels: Vec<String> = self
                .channels
                .iter()
                .map(|(channel, count)| counted(*count, channel))
                .collect();
            out.push_str(&format!(
                "{} would go to {}",
                channels
                    .join(", ")
                    .replace("pushs", "pushes")
                    .replace("replys", "replies"),
                if self.people == 1 {
                    "one person".to_owned()
                } else {
                    format!("{} people", self.people)
                }
            ));
            for (count, words) in [
                (self.at_night, "at night"),
                (self.on_leave, "to somebody on leave"),
            ] {
                if count > 0 {
                    out.push_str(&format!(", {count} {words}"));
                }
            }
            out.push('.');
        }
        out.push_str(&self.against());
        if self.pruned > 0 {
            let gone = counted(self.pruned, "event");
            out.push_str(&format!(
                " Nothing can be said about {gone} whose content is gone."
            ));
        }
        out
    }

    fn against(&self) -> String {
        if self.mailbox.is_some() {
            return " Nobody answers in this, and nothing was sent.".to_owned();
        }
        if self.sent == 0 {
            return " Nothing was sent by this flow in that time.".to_owned();
        }
        let mut out = format!(" {} sent in truth: ", was(self.sent));
        if self.differing() == 0 {
            out.push_str("all just like that.");
            return out;
        }
        let parts = self.counts.iter();
        let parts: Vec<String> = parts
            .map(|(kind, count)| format!("{count} {}", kind.words()))
            .collect();
        out.push_str(&format!("{} the same; {}.", self.same, parts.join(", ")));
        out
    }
}

fn was(count: u64) -> String {
    match count {
        1 => "1 message was".to_owned(),
        _ => format!("{count} messages were"),
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
