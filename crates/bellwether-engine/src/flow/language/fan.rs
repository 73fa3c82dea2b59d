//! The words for what several things, people or flows take part in: `each`, `together`,
//! `meanwhile`, `call`, `need`; and keys of messages that reach everybody at once or go away again.

use super::{Holds, ID, KeyDef, VerbDef, key, needed, verb, waiting};

pub(super) const URGENT: KeyDef = key(
    "urgent",
    Holds::Flag,
    "Whether it reaches everybody at one moment, in quiet hours too.",
);
pub(super) const WITHDRAW: KeyDef = key(
    "withdraw_on",
    Holds::Events,
    "The event of this matter with which the push goes away again; one about a mailbox takes back \
     its owner's.",
);
pub(super) const NEED: KeyDef = key(
    "need",
    Holds::Need,
    "How many different people must agree by the first choice, or `all`; 1 unless written. Any \
     other choice ends it at once.",
);
pub(super) const EACH: VerbDef = waiting(verb(
    "each",
    Holds::Who,
    "The same steps for each of a list, side by side; it is over when all are.",
    &[
        ID,
        needed("as", Holds::Name, "The name of one of them in the steps."),
        needed(
            "do",
            Holds::Steps,
            "What happens for each; `stop` ends one of them.",
        ),
    ],
));
pub(super) const TOGETHER: VerbDef = waiting(verb(
    "together",
    Holds::Branches,
    "Named branches side by side; it is over when all are. Afterwards a branch's name says how \
     its question ended: `legal.choice`.",
    &[ID],
));
pub(super) const MEANWHILE: VerbDef = waiting(verb(
    "meanwhile",
    Holds::Events,
    "What happens from here on, each time that such an event of this matter comes, while the run \
     goes on with its other steps.",
    &[
        ID,
        key("if", Holds::Expr, "The condition over `it`."),
        needed(
            "do",
            Holds::Remedy,
            "What happens each time; the event is `it`. Nothing here may wait or ask.",
        ),
    ],
));
pub(super) const CALL: VerbDef = waiting(verb(
    "call",
    Holds::FlowName,
    "Another flow does this part: one that starts with `flow.called`. It has a run of its own; this \
     one goes on when that is over.",
    &[
        ID,
        key(
            "with",
            Holds::Payload,
            "What it is given, as `call.name`: every leaf is an expression.",
        ),
        key(
            "up_to",
            Holds::Length,
            "When it is no longer waited for; 30 days unless written.",
        ),
        key(
            "whose",
            Holds::Who,
            "Whose working time counts; the owner's of the directory unless written.",
        ),
        key(
            "as",
            Holds::Name,
            "The name of what came back: `ending` is the last question's, `done` without one, \
             `not_on` when that flow is not switched on; `choice`, `by` (a person's id), `comment`; \
             `timed_out`.",
        ),
    ],
));
