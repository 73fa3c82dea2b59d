//! Flows as pages and callers see them: the recipes that ship, a flow's document, and the ways to
//! try it and to save it. What a flow does is `decide`'s business.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Actor;
use crate::flow::{Position, Problem};
use crate::story::StoryResult;

/// What the registry keeps of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowDocument {
    /// The file's name, for messages.
    pub file: String,
    /// The text: the truth from which everything else is derived.
    pub text: String,
    /// Files that stand next to it (tables), by name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What was filled in.
    #[serde(default)]
    pub inputs: Value,
    /// Off, shadow or on.
    #[serde(default)]
    pub position: Position,
}

/// A recipe that ships with the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The flow's name.
    pub name: &'static str,
    /// The flow, off and with nothing filled in.
    pub document: FlowDocument,
}

/// A flow that was not saved. What ran before goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    /// It cannot run like this.
    #[error("{}", sentences(.0))]
    Wrong(Vec<Problem>),
    /// Somebody else saved it in between.
    #[error("somebody else saved this flow meanwhile; load it again and repeat the change")]
    Conflict,
    /// The store failed.
    #[error("it could not be recorded: {0}")]
    Store(String),
}

fn sentences(problems: &[Problem]) -> String {
    let lines: Vec<&str> = problems.iter().map(|one| one.message.as_str()).collect();
    lines.join("; ")
}

/// One thing that a flow would send for its sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// `push`, `mail`, `reply` or `dead_letter`.
    pub what: &'static str,
    /// To whom: a person's id, else an address; empty for what reaches nobody.
    pub who: String,
    /// Title or subject.
    pub title: String,
    /// The text.
    pub text: String,
    /// How long after the sample came in, in seconds.
    pub after: i64,
}

/// What a flow does with its sample: the first thing that happens in the first of its tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What came in, in words: `mail: Purchase order PO-4711`.
    pub came: String,
    /// When, on the clock of the sample.
    pub at: Time,
    /// What it would send, until something is sent or a week has passed.
    pub sent: Vec<Sampled>,
}

/// The flows of a server.
pub trait Flows: Send + Sync + Debug {
    /// The recipes that ship, in the order in which they are shown.
    fn recipes(&self) -> &[Recipe];

    /// Saves a flow as a new version over the one that was seen (0: there is none) and lets new
    /// runs begin with it; runs that are open keep theirs. Durable when it returns.
    fn save<'a>(
        &'a self,
        name: &'a str,
        document: FlowDocument,
        seen: u64,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotSaved>>;

    /// What the flow would send to the people of the directory when its sample came in. Nothing is
    /// sent and nothing is recorded.
    fn sample(&self, document: FlowDocument) -> BoxFuture<'_, Result<Sample, Vec<Problem>>>;

    /// Plays the flow's tests, on a clock and in a store of their own.
    fn play(&self, document: FlowDocument)
    -> BoxFuture<'_, Result<Vec<StoryResult>, Vec<Problem>>>;
}
