//! Keys of steps that say who may stand in, when a matter or a message is over, and what takes its
//! place. The verbs that have them are in the table of the folder's `mod.rs`.

use super::{Holds, KeyDef, key};

pub(super) const IN_PERSON: KeyDef = key(
    "in_person",
    Holds::Expr,
    "Whether nobody stands in for those who are asked: no deputy, no owner.",
);
pub(super) const TOLD_ONCE: KeyDef = key(
    "told_once",
    Holds::Flag,
    "Whether further events of the same matter are only noted, instead of shown again as changed.",
);
pub(super) const OVER_IF: KeyDef = key(
    "over_if",
    Holds::Expr,
    "What a further event of the same matter must say so that nobody need decide any more; the \
     ending is `over`.",
);
pub(super) const VALID_UNTIL: KeyDef = key(
    "valid_until",
    Holds::Expr,
    "When it is no longer worth showing: it is not sent after that, nor held back beyond it.",
);
pub(super) const REPLACES: KeyDef = key(
    "replaces",
    Holds::Expr,
    "What it is about: a later push of this flow with the same words takes its place on the phone.",
);
