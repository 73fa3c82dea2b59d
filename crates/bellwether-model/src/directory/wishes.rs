//! What a person wants and where an absence is known from: small words of the directory.

use serde::{Deserialize, Serialize};

/// Where an absence is known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AwaySource {
    /// The set-up file, or a flow's test.
    #[default]
    File,
    /// He said so himself.
    #[serde(rename = "self")]
    Himself,
    /// A list that was imported.
    Csv,
    /// The system that keeps people here.
    Scim,
    /// Somebody entered it in the console.
    Console,
    /// The answer to mails that he set in his mailbox.
    Mailbox,
}

impl AwaySource {
    /// Every source with its word.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::File, "file"),
        (Self::Himself, "self"),
        (Self::Csv, "csv"),
        (Self::Scim, "scim"),
        (Self::Console, "console"),
        (Self::Mailbox, "mailbox"),
    ];

    /// The word under which it is kept.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, _)| *known == self);
        found.map_or("file", |(_, word)| word)
    }

    /// The source of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map(|(source, _)| *source)
    }

    /// Whether it is the one that need not be written.
    pub fn is_usual(&self) -> bool {
        *self == Self::File
    }
}

/// A way to somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// His phone.
    #[default]
    Push,
    /// His mailbox.
    Mail,
}

/// Which way somebody prefers. What cannot go there goes the other way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Channels {
    /// For what is not urgent.
    pub normal: Channel,
    /// For what is.
    pub critical: Channel,
}

impl Channels {
    /// Whether it is what everybody has who said nothing.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How much of a message a push shows on a locked phone; in order of strictness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushText {
    /// Title and text.
    #[default]
    Full,
    /// The title.
    Brief,
    /// Only that something waits.
    Hidden,
}
