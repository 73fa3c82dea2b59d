//! The words of the flow language in one table: which keys stand where, what stands under them and
//! what they mean. The reader, its suggestions and the JSON Schema take them from here; how a value
//! is understood is the reader's business.

mod fan;
mod keys;
mod schema;
pub(crate) mod stories;
#[cfg(test)]
mod tests;
mod verbs;

pub use schema::schema;
pub(crate) use verbs::VERBS;

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The version of the language.
    Version,
    /// The flow's name.
    FlowName,
    /// A name of ours within the flow, such as that of a trigger or of what a wait brings.
    Name,
    /// A step's id.
    Id,
    /// A text without values.
    Words,
    /// A number for each channel.
    AtMost,
    /// The name of a group and a place in it.
    Group,
    /// A bare expression.
    Expr,
    /// An input that names a connection.
    Connection,
    /// An expression that says who, or several.
    Who,
    /// What a button says.
    Label,
    /// A text for people, with values in `{{ }}`.
    Text,
    /// Such a text for the record or a provider.
    Line,
    /// One such text, or several.
    Lines,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// true or false.
    Flag,
    /// A length of time.
    Length,
    /// A time of day on certain days.
    Schedule,
    /// When a list of questions leaves, and what its push says.
    OnList,
    /// The dotted name of an event of our own.
    OwnEvent,
    /// One event type, or several.
    Events,
    /// The name of a connector.
    Connector,
    /// Names of columns with their types.
    Columns,
    /// Whatever fits elsewhere.
    Anything,
    /// Named inputs.
    Inputs,
    /// One trigger, or several.
    Triggers,
    /// Kinds of thresholds with numbers.
    Thresholds,
    /// Names with expressions.
    Lets,
    /// Labels with expressions.
    Shown,
    /// A payload whose leaves are expressions.
    Payload,
    /// Steps.
    Steps,
    /// Steps that do not wait.
    Remedy,
    /// Endings, each with its steps.
    Endings,
    /// Branches, each with its steps.
    Branches,
    /// A number of people, or all of them.
    Need,
    /// Buttons.
    Choices,
    /// Times and what happens then.
    Ladder,
    /// Named stories.
    Stories,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyDef {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    pub(crate) required: bool,
    /// What it means, in a sentence; editors show it.
    pub(crate) about: &'static str,
}

/// One verb: a key whose value is its object, and the keys that go with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VerbDef {
    pub(crate) name: &'static str,
    pub(crate) object: Holds,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [KeyDef],
    /// Keys of which at least one must be there; empty when all may be missing.
    pub(crate) one_needed: &'static [&'static str],
    /// Whether the run waits at it: then it cannot stand where something that failed is dealt with,
    /// because the run may be waiting elsewhere by then.
    pub(crate) waits: bool,
}

const fn key(name: &'static str, holds: Holds, about: &'static str) -> KeyDef {
    KeyDef {
        name,
        holds,
        required: false,
        about,
    }
}

const fn needed(name: &'static str, holds: Holds, about: &'static str) -> KeyDef {
    KeyDef {
        name,
        holds,
        required: true,
        about,
    }
}

/// The names of keys, for suggestions.
pub(crate) fn names(keys: &[KeyDef]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// The names of the verbs.
pub(crate) fn verbs() -> Vec<&'static str> {
    VERBS.iter().map(|verb| verb.name).collect()
}

/// The keys of a flow, in the order in which they are written.
pub(crate) const FLOW: [KeyDef; 14] = [
    needed(
        "bellwether",
        Holds::Version,
        "The version of the language: 1.",
    ),
    needed(
        "flow",
        Holds::FlowName,
        "The flow's name, the same as the file's.",
    ),
    key(
        "about",
        Holds::Words,
        "What it does, in a sentence or two for its owner.",
    ),
    key(
        "inputs",
        Holds::Inputs,
        "What is filled in when the flow is switched on; expressions find it under `inputs`.",
    ),
    needed("when", Holds::Triggers, "What starts the flow."),
    key(
        "let",
        Holds::Lets,
        "Names for expressions, worked out when they are first needed.",
    ),
    key(
        "case",
        Holds::Expr,
        "What counts as the same matter: nobody is asked twice about one. Without it each event \
         is its own.",
    ),
    key(
        "repeat",
        Holds::OneOf(&REPEAT),
        "What becomes of a matter that comes once more: it joins what is open and begins anew \
         after that (`join`), or begins nothing once it was there (`once`).",
    ),
    key(
        "group",
        Holds::Group,
        "The group that the flow is in, such as `{ name: approvals, place: 1 }`: of the flows of a \
         group that fit, only the first takes an event.",
    ),
    key(
        "at_most",
        Holds::AtMost,
        "How many pushes and mails a person gets in one case, such as `{ push: 1, mail: 1 }`. \
         What would be more is noted and not sent.",
    ),
    key(
        "privacy",
        Holds::OneOf(&PRIVACY),
        "How much of a text is shown outside the page, where a message says nothing else.",
    ),
    needed(
        "steps",
        Holds::Steps,
        "What happens: verbs, one after the other.",
    ),
    key(
        "unreached",
        Holds::Remedy,
        "What happens when a push or a mail without an `on_error` of its own could not be sent; \
         `person` is whom it did not reach. None of it waits.",
    ),
    key(
        "tests",
        Holds::Stories,
        "Stories that prove it: things happen, time passes, people tap, then `expect`. What is \
         sent but not expected fails.",
    ),
];

/// Words that other YAML tools read as true or false: no names.
pub(crate) const FORBIDDEN: [&str; 6] = ["on", "off", "yes", "no", "y", "n"];
/// Names that mean something already in expressions.
pub(crate) const RESERVED: [&str; 6] = ["inputs", "case", "trigger", "decision", "it", "loop"];
/// The most letters of a name.
pub(crate) const NAME_MAX: usize = 60;

/// The types of inputs.
pub(crate) const INPUT_TYPES: [&str; 11] = [
    "connection",
    "who",
    "text",
    "number",
    "numbers",
    "bool",
    "duration",
    "time",
    "schedule",
    "money",
    "table",
];

/// The keys of an input.
pub(crate) const INPUT: [KeyDef; 5] = [
    needed("type", Holds::OneOf(&INPUT_TYPES), "What the input holds."),
    key("label", Holds::Words, "What the form says."),
    key(
        "default",
        Holds::Anything,
        "The value when none is given; of a table: rows, or a CSV file beside the flow.",
    ),
    key(
        "of",
        Holds::Connector,
        "Of a connection: which connector it must be of.",
    ),
    key(
        "columns",
        Holds::Columns,
        "Of a table: its columns and their types.",
    ),
];

/// The keys of a trigger.
pub(crate) const TRIGGER: [KeyDef; 5] = [
    key(
        "name",
        Holds::Words,
        "Its name, by which steps tell it from others: `trigger == 'mail_came'`.",
    ),
    needed("event", Holds::Events, "The event type, or several."),
    key("in", Holds::Expr, "The connection that it must come from."),
    key("if", Holds::Expr, "The condition; cheap tests come first."),
    key(
        "with",
        Holds::Thresholds,
        "The thresholds at which it is told, such as `days: inputs.days`.",
    ),
];

/// What may stand in a mail as a table.
pub(crate) const TABLES: [&str; 1] = ["list"];
/// How loud a message is.
pub(crate) const IMPORTANCE: [&str; 2] = ["normal", "high"];
/// How much of a message leaves the hosted page.
pub(crate) const PRIVACY: [&str; 3] = ["full", "brief", "hidden"];
/// What becomes of a matter that comes once more.
pub(crate) const REPEAT: [&str; 2] = ["join", "once"];
/// Whether a comment goes with a choice.
pub(crate) const COMMENT: [&str; 3] = ["none", "optional", "required"];
/// What happens on a rung besides asking somebody else.
pub(crate) const RUNGS: [&str; 3] = ["remind", "deputy", EXPIRE];
/// The ending when nobody answers.
pub(crate) const EXPIRE: &str = "expire";
/// The ending when the sender takes the matter back.
pub(crate) const WITHDRAWN: &str = "withdrawn";
/// The ending when a further event settles the matter (`over_if`).
pub(crate) const OVER: &str = "over";

/// The keys of a choice.
pub(crate) const CHOICE: [KeyDef; 3] = [
    key(
        "label",
        Holds::Label,
        "What the button says; without it the name in words.",
    ),
    key(
        "comment",
        Holds::OneOf(&COMMENT),
        "Whether a comment goes with it; optional unless written.",
    ),
    key(
        "keeps_open",
        Holds::Flag,
        "Whether the matter stays open: a question back to the requester.",
    ),
];

/// The keys of a list of questions.
pub(crate) const ON_LIST: [KeyDef; 6] = [
    key(
        "at",
        Holds::Schedule,
        "When the list leaves, on each reader's own wall clock.",
    ),
    key(
        "after",
        Holds::Length,
        "How long after its first question the list leaves, instead of `at`.",
    ),
    needed(
        "title",
        Holds::Text,
        "What the list's push says; `list` has the rows.",
    ),
    key("text", Holds::Text, "What stands below it."),
    key(
        "order",
        Holds::Expr,
        "By what rows are sorted, smallest first; else in the order in which they came.",
    ),
    key(
        "importance",
        Holds::OneOf(&IMPORTANCE),
        "`high` disturbs quiet hours.",
    ),
];

const ID: KeyDef = key(
    "id",
    Holds::Id,
    "The step's name in open cases; derived from verb and object unless written.",
);

const fn verb(
    name: &'static str,
    object: Holds,
    about: &'static str,
    keys: &'static [KeyDef],
) -> VerbDef {
    VerbDef {
        name,
        object,
        about,
        keys,
        one_needed: &[],
        waits: false,
    }
}

const fn waiting(verb: VerbDef) -> VerbDef {
    VerbDef {
        waits: true,
        ..verb
    }
}

/// The verbs at which the run does not wait.
pub(crate) fn quick_verbs() -> Vec<&'static str> {
    let quick = VERBS.iter().filter(|verb| !verb.waits);
    quick.map(|verb| verb.name).collect()
}

/// Keys of steps in later versions.
pub(crate) const STEP_LATER: [&str; 1] = ["rows"];
