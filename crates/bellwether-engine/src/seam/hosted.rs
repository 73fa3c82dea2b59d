//! The page behind a push's link, as values: what it shows, what pressing a button answers.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::time::Time;

use super::TurnSaid;

/// What a link's page shows to one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The notification.
    pub notification: EffectId,
    /// The run behind it.
    pub run: CellId,
    /// The person whom it addresses.
    pub person: String,
    /// His name.
    pub person_name: String,
    /// His language.
    pub language: String,
    /// His zone, for times.
    pub zone: String,
    /// For whom he stands in, by name.
    pub on_behalf_of: Option<String>,
    /// The headline.
    pub title: String,
    /// The sentence.
    pub text: String,
    /// Label and value, in order: what is decided on.
    pub facts: Vec<Fact>,
    /// The mail behind it, folded: from, subject, text.
    pub quoted: Option<(String, String, String)>,
    /// What may be done.
    pub state: CardState,
    /// Questions and answers so far: who, text.
    pub talk: Vec<(String, String)>,
    /// The rows of a list, those that wait first.
    pub rows: Vec<Row>,
    /// How many rows there are besides.
    pub more_rows: usize,
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about; empty where the facts say it all.
    pub title: String,
    /// Label and value, in order.
    pub facts: Vec<Fact>,
    /// What may be done.
    pub state: CardState,
}

/// One line of facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// Its value, as the reader reads it.
    pub value: String,
}

/// Where the matter stands for this person.
#[derive(Clone, Debug, PartialEq)]
pub enum CardState {
    /// It waits for him.
    Waiting(Ask),
    /// Decided.
    Decided {
        /// The choice's label in the past: "Approved", "Rejected".
        said: String,
        /// Who, by name.
        by: String,
        /// Whether it was this person.
        by_reader: bool,
        /// When, in flow time.
        at: Time,
        /// The comment.
        comment: String,
    },
    /// Over without a decision: `expired`, `withdrawn`, `closed`.
    Over {
        /// How.
        how: String,
        /// When, in flow time.
        at: Time,
    },
    /// Nothing to decide: a notice.
    Notice,
    /// This person may not decide (any more), with the reason in a sentence.
    NotAllowed(String),
}

/// The form of a waiting matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The buttons.
    pub choices: Vec<ChoiceView>,
    /// The hash of the content shown: goes back with the form.
    pub shown: String,
    /// A token for the form that can act once shown; not the link's own.
    pub act_token: String,
    /// When it expires, in flow time.
    pub until: Option<Time>,
    /// Whether the visitor must prove himself more strongly first (a code by mail).
    pub needs_sign_in: bool,
}

/// One button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub label: String,
    /// `none`, `optional` or `required`.
    pub comment: &'static str,
    /// Whether pressing it settles the matter.
    pub settles: bool,
}

/// How surely somebody looked at the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenGrade {
    /// HEAD, a prefetch, a known scanner or preview.
    Fetched,
    /// A browser showed it.
    Rendered,
}

/// Who visits, as the web layer found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The value of the person cookie, if any: proves an enrolled device.
    pub session: Option<String>,
    /// A short description of the device, for the record (browser and system).
    pub device: String,
}

/// A pressed button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// The form's token.
    pub act_token: String,
    /// The choice.
    pub choice: String,
    /// The comment.
    pub comment: String,
    /// The hash that the form carried.
    pub shown: String,
}

/// What pressing did.
#[derive(Clone, Debug, PartialEq)]
pub struct Pressed {
    /// What the turn said; None: recorded, being decided.
    pub said: Option<TurnSaid>,
    /// The card as it is now.
    pub card: Card,
}

/// A code was sent (or not).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeSent {
    /// To this address, shortened for the screen: `a…@example.com`.
    To(String),
    /// There is no second channel to send it on.
    NoChannel,
    /// Too many asked for; wait.
    TooMany,
}

/// What an entered code came to.
#[derive(Clone, PartialEq, Eq)]
pub enum CodeChecked {
    /// It is right: the value for the person cookie.
    Right(String),
    /// It is wrong.
    Wrong,
    /// None was asked for, or its time is over.
    NotAsked,
    /// Too many wrong ones: a new one must be asked for.
    TooMany,
}

impl Debug for CodeChecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Right(_) => "Right",
            Self::Wrong => "Wrong",
            Self::NotAsked => "NotAsked",
            Self::TooMany => "TooMany",
        })
    }
}

/// Why a page cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostedError {
    /// Not a token of ours, or for another purpose.
    #[error("this link is not valid")]
    BadToken,
    /// A token of ours whose time is over.
    #[error("this link has expired")]
    Expired,
    /// The record behind it is gone.
    #[error("what this link led to is no longer kept")]
    Gone,
    /// The store failed.
    #[error("the page could not be read: {0}")]
    Store(String),
}

/// The pages behind links.
pub trait Hosted: Send + Sync + Debug {
    /// Shows a card and records the opening as an event (once per grade).
    fn open<'a>(
        &'a self,
        token: &'a str,
        grade: OpenGrade,
        visitor: &'a Visitor,
    ) -> BoxFuture<'a, Result<Card, HostedError>>;

    /// Presses a button.
    fn press<'a>(
        &'a self,
        press: &'a Press,
        visitor: &'a Visitor,
    ) -> BoxFuture<'a, Result<Pressed, HostedError>>;

    /// Sends the person a one-time code on another channel than the link's.
    fn send_code<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<CodeSent, HostedError>>;

    /// Checks a code that was asked for before. A right one is good once.
    fn check_code<'a>(
        &'a self,
        token: &'a str,
        code: &'a str,
    ) -> BoxFuture<'a, Result<CodeChecked, HostedError>>;
}
