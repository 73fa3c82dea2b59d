//! The words of stories, the tests inside flow files: the same table for the story reader and the
//! JSON Schema. What happens on each is the story's.

/// What stands under a key of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoryHolds {
    /// A time of day, with or without a date and a zone.
    Moment,
    /// A length of time.
    Span,
    /// People and what is different about them.
    People,
    /// People and until when they are on leave.
    Away,
    /// Whatever fits elsewhere.
    Anything,
    /// Channels and how they fail.
    Faults,
    /// A mail.
    Mail,
    /// People and what they answer: a text or a mail.
    Replies,
    /// An event type.
    Event,
    /// A whole number from 1.
    Number,
    /// People and the buttons that they press.
    Presses,
    /// One text.
    Text,
    /// One text, or several.
    Texts,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// true or false.
    Flag,
    /// What must have come of it.
    Expect,
}

/// One key of a story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoryKey {
    pub(crate) name: &'static str,
    pub(crate) holds: StoryHolds,
    pub(crate) about: &'static str,
}

const fn key(name: &'static str, holds: StoryHolds, about: &'static str) -> StoryKey {
    StoryKey { name, holds, about }
}

/// The names of keys, for suggestions.
pub(crate) fn names(keys: &[StoryKey]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// What may stand in a step. With `happens`, the event's own fields may stand beside it.
pub(crate) const STEP: [StoryKey; 18] = [
    key(
        "at",
        StoryHolds::Moment,
        "The clock moves on to an instant.",
    ),
    key(
        "after",
        StoryHolds::Span,
        "The clock moves on by a length of time.",
    ),
    key(
        "people",
        StoryHolds::People,
        "Somebody is different, or new.",
    ),
    key(
        "customers",
        StoryHolds::People,
        "The register has such a customer: known, with the app, and agreed to pushes.",
    ),
    key(
        "away",
        StoryHolds::Away,
        "Somebody is on leave from now until a day.",
    ),
    key(
        "inputs",
        StoryHolds::Anything,
        "The flow is switched on with other inputs.",
    ),
    key("faults", StoryHolds::Faults, "A channel fails from now on."),
    key("mail", StoryHolds::Mail, "A mail comes in."),
    key(
        "replies",
        StoryHolds::Replies,
        "Somebody answers the latest mail from the flow.",
    ),
    key(
        "happens",
        StoryHolds::Event,
        "An event of any type; its fields stand beside it.",
    ),
    key("times", StoryHolds::Number, "How often that event comes."),
    key(
        "tap",
        StoryHolds::Presses,
        "Buttons of the latest push, on the phone.",
    ),
    key(
        "press",
        StoryHolds::Presses,
        "Buttons of the page behind the latest message.",
    ),
    key(
        "console",
        StoryHolds::Presses,
        "Decided for somebody by an operator.",
    ),
    key("opens", StoryHolds::Texts, "Somebody opens the page."),
    key(
        "signs_in",
        StoryHolds::Texts,
        "Somebody enters a code that was sent to him.",
    ),
    key(
        "reads",
        StoryHolds::Texts,
        "Somebody reads the latest mail in his mailbox.",
    ),
    key(
        "expect",
        StoryHolds::Expect,
        "What must have come of it, or `nothing`.",
    ),
];

/// Whether a machine wrote a mail.
pub(crate) const AUTO: [&str; 3] = ["no", "generated", "replied"];
/// Whether the sender is proved.
pub(crate) const AUTH: [&str; 3] = ["pass", "fail", "none"];

/// What may stand in a mail.
pub(crate) const MAIL: [StoryKey; 21] = [
    key(
        "event",
        StoryHolds::Event,
        "The event type, when it is not the flow's first.",
    ),
    key("from", StoryHolds::Text, "Who wrote it."),
    key("to", StoryHolds::Texts, "To whom."),
    key("cc", StoryHolds::Texts, "To whom else."),
    key("reply_to", StoryHolds::Texts, "Where answers are wanted."),
    key("subject", StoryHolds::Text, "The subject."),
    key("text", StoryHolds::Text, "The text."),
    key("labels", StoryHolds::Texts, "Its labels."),
    key(
        "attachments",
        StoryHolds::Texts,
        "Names of what is attached.",
    ),
    key("mailbox", StoryHolds::Text, "In whose mailbox it lies."),
    key(
        "forwarded_from",
        StoryHolds::Text,
        "Who wrote the mail that is forwarded in it.",
    ),
    key(
        "list",
        StoryHolds::Text,
        "The mailing list that it came through.",
    ),
    key(
        "auto",
        StoryHolds::OneOf(&AUTO),
        "Whether a machine wrote it.",
    ),
    key(
        "auth",
        StoryHolds::OneOf(&AUTH),
        "Whether the sender is proved.",
    ),
    key(
        "token",
        StoryHolds::Text,
        "Whose reply token it carries: `none`, `forged`, or a subject.",
    ),
    key(
        "html_only",
        StoryHolds::Flag,
        "Whether it has no text part.",
    ),
    key(
        "dsn",
        StoryHolds::Flag,
        "Whether it is a notice about failed delivery.",
    ),
    key(
        "in thread of",
        StoryHolds::Text,
        "The subject of an earlier mail of the same thread.",
    ),
    key(
        "in_thread_of",
        StoryHolds::Text,
        "The subject of an earlier mail of the same thread.",
    ),
    key(
        "same as",
        StoryHolds::Text,
        "The subject of an earlier mail of which it is a copy.",
    ),
    key(
        "same_as",
        StoryHolds::Text,
        "The subject of an earlier mail of which it is a copy.",
    ),
];

/// What may stand in an expectation besides what is expected.
pub(crate) const EXPECTED: [StoryKey; 4] = [
    key("title", StoryHolds::Text, "Words of its title."),
    key("subject", StoryHolds::Text, "Words of its subject."),
    key("text", StoryHolds::Text, "Words of its text."),
    key("at", StoryHolds::Moment, "When it was sent."),
];
