//! Flows: what they are once understood, how they are read, and which of them an event starts.

pub mod calls;
mod circles;
pub mod def;
mod endings;
pub(crate) mod fan;
pub(crate) mod gatherers;
pub(crate) mod groups;
pub(crate) mod language;
mod languages;
mod match_index;
mod orphans;
pub(crate) mod own_events;
pub mod read;
mod request;
mod set;
#[cfg(test)]
mod tests;
mod who_is_meant;

pub use calls::Call;
pub use circles::circles;
pub use def::{
    Ask, AtMost, Block, Choice, CommentRule, Days, Digest, Emit, Flow, If, Importance, Input,
    InputKind, Label, Length, Message, Moment, Privacy, Reply, Rung, RungAct, Schedule, Span, Step,
    Trigger, Verb, Wait,
};
pub use fan::{Each, Meanwhile, Need, Together};
pub use groups::Group;
pub use language::schema;
pub use languages::missing_languages;
pub use orphans::{Named, orphans};
pub use read::inputs::{check_inputs, filled_in, plain_rows};
pub use read::{Catalog, read, read_checked};
pub use request::Request;
pub use set::{Active, FlowSet, Hit, Matches, Position};
pub use who_is_meant::unknown_names;

pub use crate::yaml::{Problem, Severity};
