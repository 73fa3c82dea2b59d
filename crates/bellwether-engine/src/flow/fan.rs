//! Steps that several things or people take part in: `each`, a branch for every thing of a list,
//! `together`, several blocks side by side, `meanwhile`, what happens beside all that, and how many
//! must agree on a question. What they do is in `decide/branches`, `decide/meanwhile` and
//! `decide/votes`.

use super::def::Block;
use crate::lang::Expr;

/// The arm of `each` under which its steps stand.
pub(crate) const DO: &str = "do";

/// `each:`.
#[derive(Clone, Debug)]
pub struct Each {
    /// The things or people.
    pub list: Expr,
    /// The name of one of them in the steps.
    pub name: String,
    /// What happens for each.
    pub steps: Block,
}

/// `together:`.
#[derive(Clone, Debug)]
pub struct Together {
    /// The branches, in order, each with its name.
    pub branches: Vec<(String, Block)>,
}

/// `meanwhile:`.
#[derive(Clone, Debug)]
pub struct Meanwhile {
    /// Event types.
    pub events: Vec<String>,
    /// The condition over `it`.
    pub condition: Option<Expr>,
    /// What happens each time; nothing of it waits.
    pub steps: Block,
}

/// How many must agree on a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// The first answer decides.
    #[default]
    One,
    /// So many different people.
    Count(usize),
    /// Everybody who was asked first.
    All,
}
