//! The verbs, each with its keys. What other words stand where is in the parent.

use super::fan::{CALL, EACH, MEANWHILE, NEED, TOGETHER, URGENT, WITHDRAW};
use super::keys::{IN_PERSON, OVER_IF, REPLACES, TOLD_ONCE, VALID_UNTIL};
use super::{Holds, ID, IMPORTANCE, KeyDef, PRIVACY, TABLES, VerbDef, key, needed, verb, waiting};

const TEXT: KeyDef = key("text", Holds::Text, "What stands below it.");
const LINK: KeyDef = key(
    "link",
    Holds::Expr,
    "Where a tap leads; without it, to the message's own page.",
);
const LOUDNESS: KeyDef = key(
    "importance",
    Holds::OneOf(&IMPORTANCE),
    "`high` disturbs quiet hours.",
);
const DISCRETION: KeyDef = key(
    "privacy",
    Holds::OneOf(&PRIVACY),
    "How much of the text is shown outside the page: all, the title only, nothing.",
);
const ON_ERROR: KeyDef = key(
    "on_error",
    Holds::Remedy,
    "What happens when it cannot be sent; without it, a dead letter. Nothing here may wait or ask; \
     `person` is whom it did not reach.",
);

/// The verbs of this version.
pub(crate) const VERBS: [VerbDef; 17] = [
    verb(
        "push",
        Holds::Who,
        "One message to each person's device.",
        &[
            ID,
            needed("title", Holds::Text, "The first line on the lock screen."),
            TEXT,
            LINK,
            LOUDNESS,
            URGENT,
            WITHDRAW,
            DISCRETION,
            VALID_UNTIL,
            REPLACES,
            ON_ERROR,
        ],
    ),
    verb(
        "mail",
        Holds::Who,
        "A mail to each person.",
        &[
            ID,
            needed("subject", Holds::Text, "The subject."),
            TEXT,
            key(
                "table",
                Holds::OneOf(&TABLES),
                "`list`: the list's first rows stand below the text, and all of them are attached \
                 as CSV.",
            ),
            LINK,
            LOUDNESS,
            DISCRETION,
            ON_ERROR,
        ],
    ),
    verb(
        "reply",
        Holds::Expr,
        "An answer in the thread of a mail, normally `mail`.",
        &[ID, needed("text", Holds::Text, "The answer."), ON_ERROR],
    ),
    VerbDef {
        name: "label",
        object: Holds::Expr,
        about: "Adds and removes labels of a mail.",
        keys: &[
            ID,
            key("add", Holds::Lines, "Labels to add."),
            key("remove", Holds::Lines, "Labels to remove."),
        ],
        one_needed: &["add", "remove"],
        waits: false,
    },
    verb(
        "http",
        Holds::Connection,
        "A request to another system through a connection, which knows the address and signs it. \
         It is sent again under the same id until it is taken.",
        &[
            ID,
            key(
                "type",
                Holds::OwnEvent,
                "What it says that happened, such as `order.approved`; the flow's name unless \
                 written.",
            ),
            key(
                "data",
                Holds::Payload,
                "Its payload: every leaf is an expression.",
            ),
            ON_ERROR,
        ],
    ),
    waiting(verb(
        "ask",
        Holds::Who,
        "A question that is decided once, on whatever channel comes first.",
        &[
            ID,
            needed("title", Holds::Text, "One line that a push shows."),
            TEXT,
            key(
                "show",
                Holds::Shown,
                "Labels and values: the page, and the evidence of what was decided.",
            ),
            needed("choices", Holds::Choices, "The buttons, in order."),
            key(
                "not_by",
                Holds::Who,
                "Who must not decide: people or addresses.",
            ),
            IN_PERSON,
            TOLD_ONCE,
            OVER_IF,
            key(
                "sign_in",
                Holds::Expr,
                "Whether the decider must prove who he is.",
            ),
            key(
                "on_list",
                Holds::OnList,
                "Instead of a push for each question: one list for each person, with buttons in \
                 every row.",
            ),
            needed(
                "if_silent",
                Holds::Ladder,
                "What happens when nobody answers, in the order of time; it ends in `expire`.",
            ),
            needed(
                "then",
                Holds::Endings,
                "What follows each ending: every choice that closes, and `expire`.",
            ),
            NEED,
            LOUDNESS,
            URGENT,
            DISCRETION,
        ],
    )),
    EACH,
    TOGETHER,
    MEANWHILE,
    waiting(verb(
        "wait",
        Holds::Events,
        "Waits for an event, which is `it` in the condition.",
        &[
            ID,
            key("if", Holds::Expr, "The condition over `it`."),
            key(
                "up_to",
                Holds::Length,
                "When it is given up; 30 days unless written.",
            ),
            key(
                "whose",
                Holds::Who,
                "Whose working time counts; the owner's of the directory unless written.",
            ),
            key(
                "as",
                Holds::Name,
                "The name of what came; `name.timed_out` when nothing did.",
            ),
        ],
    )),
    waiting(verb(
        "pause",
        Holds::Length,
        "Waits for time to pass.",
        &[ID],
    )),
    verb(
        "if",
        Holds::Expr,
        "One of two ways.",
        &[
            ID,
            needed("then", Holds::Steps, "When it holds."),
            key("else", Holds::Steps, "When it does not."),
        ],
    ),
    verb(
        "emit",
        Holds::OwnEvent,
        "An event of our own, which other flows may start with.",
        &[
            ID,
            key(
                "data",
                Holds::Payload,
                "Its payload: every leaf is an expression.",
            ),
        ],
    ),
    CALL,
    verb(
        "digest",
        Holds::Who,
        "A line on a list that each reader gets once, at his own time. The same matter has one \
         line, the newest; an empty list is not sent.",
        &[
            ID,
            needed(
                "at",
                Holds::Schedule,
                "When the list leaves, on each reader's own wall clock.",
            ),
            key(
                "drop",
                Holds::Expr,
                "Whether the matter is done: its line is taken off the list.",
            ),
            needed("row", Holds::Shown, "What a line says: labels and values."),
            key(
                "order",
                Holds::Expr,
                "By what lines are sorted, smallest first; else in the order in which they came.",
            ),
            needed(
                "then",
                Holds::Remedy,
                "What happens when it leaves; `list` has its rows. Nothing here may wait or ask.",
            ),
        ],
    ),
    verb(
        "stop",
        Holds::Anything,
        "Ends the run; within `each` or `together`, that branch of it.",
        &[ID],
    ),
    verb(
        "dead_letter",
        Holds::Line,
        "Puts the matter on the list of what was not done, with a reason.",
        &[ID],
    ),
];
