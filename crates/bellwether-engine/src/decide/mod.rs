//! `decide`: from a flow, the state of one of its cells and one input to the next state and what is
//! to be done. Pure: no clock, no randomness, no I/O; the same function serves production, tests,
//! backtest and explain.

mod act;
mod again;
mod arms;
mod ask;
mod at_most;
mod branches;
mod call;
mod code;
mod comment;
mod deciders;
mod digest;
mod draft;
mod ladder;
mod mail_reply;
mod meanwhile;
mod message;
mod privacy;
mod request;
mod requester;
mod reroute;
mod showing;
mod state;
mod unreached;
mod values;
mod votes;
mod wait;
mod walk;
mod withdraw;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_model::event::Event;
use bellwether_model::failure::Failure;
use bellwether_model::id::CellId;
use bellwether_model::time::Time;

use crate::flow::Flow;
use crate::lang::{Scope, Value, World};
use crate::store::{EffectRow, Query};

pub use act::{ACTED, Act, Assurance, CODE_REQUESTED, FETCHED, OPENED, REPORTED, is_delivery_only};
pub(crate) use act::{ENGINE, PEOPLE};
pub use branches::{Branch, Fan};
pub(crate) use comment::of_decision;
pub(crate) use digest::{Line, TITLE, sorted};
pub use draft::{Dead, EffectDraft, Emitted, Note, Turn, Via};
pub use mail_reply::{NotADecision, judge};
pub use message::shown_hash;
pub(crate) use requester::quoted;
pub use state::{AskState, Asked, Decided, EventKey, RunState, Telling, Waiting};
pub use words::{choice_label, choice_past};
pub(crate) use words::{hidden_title, settled_at};

/// Everything about one cell that a turn may look at.
#[derive(Debug)]
pub struct Case<'a> {
    /// The flow version that the cell keeps.
    pub flow: &'a Arc<Flow>,
    /// Its inputs.
    pub inputs: &'a Value,
    /// The cell.
    pub cell: CellId,
    /// What counts as the same matter.
    pub key: &'a str,
    /// The version before this turn; 0 when the turn opens the cell.
    pub version: u64,
    /// The event that opened it.
    pub opened_by: &'a Event,
    /// Which trigger it was, by name.
    pub trigger: Option<&'a str>,
    /// The scope that matching already built for the opening event, to be used again.
    pub scope: Option<Scope>,
    /// Earlier events that the state refers to.
    pub past: &'a BTreeMap<EventKey, Event>,
    /// The lines of the list that the cell gathers, by key; empty for every other cell.
    pub lines: &'a [(String, String)],
    /// Directory and answers.
    pub world: &'a Arc<World>,
    /// Flow time of this turn: never before the cell's last turn.
    pub now: Time,
}

/// What a turn is about.
#[derive(Debug)]
pub enum Input<'a> {
    /// The event that opens the cell.
    Open,
    /// A further event with the same key: the same matter came again.
    Again(&'a Event),
    /// An event addressed to this cell, with the effect that it answers, if it names one.
    Addressed(&'a Event, Option<&'a EffectRow>),
    /// A timer that fell due.
    Timer(&'a str),
    /// An effect of this cell was given up.
    Failed(&'a EffectRow, &'a Failure),
}

/// What `decide` says.
#[derive(Debug)]
pub enum Step {
    /// The turn.
    Turn(Box<Turn>),
    /// These must be known first: look them up and ask again.
    Need(Vec<Query>),
}

/// Whether the question at `step` wants more than a link from whoever decides it. What cannot be
/// worked out wants it: the safe side.
pub fn wants_sign_in(
    flow: &Arc<Flow>,
    inputs: &Value,
    about: &Event,
    step: &str,
    world: &Arc<World>,
) -> bool {
    if !requester::is_proved(about) {
        return true;
    }
    let ask = ask::ask_step(&flow.steps, step);
    let test = ask.and_then(|ask| ask.sign_in.as_ref());
    let scope = Scope::new(flow, inputs, about, None, Arc::clone(world));
    test.is_some_and(|test| scope.truthy(test).unwrap_or(true))
}

/// Decides one turn. Never fails: what cannot be done becomes a dead letter in the turn.
pub fn decide<'a>(case: &'a Case<'a>, state: Option<&RunState>, input: &Input<'a>) -> Step {
    let mut turn = walk::Turner::new(case, state.cloned().unwrap_or_default());
    match input {
        Input::Open => turn.begin(),
        Input::Again(event) => turn.again(event),
        Input::Addressed(event, effect) => turn.addressed(event, *effect),
        Input::Timer(name) => turn.timer(name),
        Input::Failed(effect, failure) => turn.failed(effect, failure),
    }
    let missing = case.world.lookups.missing();
    if !missing.is_empty() {
        return Step::Need(missing);
    }
    Step::Turn(Box::new(turn.finish()))
}
