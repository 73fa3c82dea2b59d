//! Customers: people outside the organisation, known by an address. They are many and live in a
//! register of the store, never in the directory's document.

use serde::{Deserialize, Serialize};

use super::{Person, Quiet};

/// How the reader of a message is named when he is a customer; no id of the directory has a colon.
const READER: &str = "customer:";

/// What a customer said about messages on his phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Nothing: he gets none.
    #[default]
    NotAsked,
    /// Yes.
    Given,
    /// He did, and took it back.
    OptedOut,
}

impl Consent {
    /// Every value with its word, in the order of the numbers under which they are stored.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::NotAsked, "not_asked"),
        (Self::Given, "given"),
        (Self::OptedOut, "opted_out"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(known, _)| *known == self);
        found.map_or("not_asked", |(_, word)| word)
    }

    /// The value of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map(|(value, _)| *value)
    }
}

/// One customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Customer {
    /// His address, in small letters: what he is known by.
    pub address: String,
    /// His name; may be empty.
    pub name: String,
    /// His id in the companion app; empty: he has no app.
    pub app_id: String,
    /// `en`, `de`; may be empty.
    pub language: String,
    /// IANA zone name; may be empty.
    pub zone: String,
    /// Whether he may be sent pushes.
    pub consent: Consent,
}

impl Customer {
    /// Whether a push may go to him: he has the app and said yes.
    pub fn is_reachable(&self) -> bool {
        !self.app_id.is_empty() && self.consent == Consent::Given
    }

    /// How messages to him name their reader: `customer:eva@home.example`.
    pub fn reader_id(&self) -> String {
        format!("{READER}{}", self.address)
    }

    /// The address in such a name; None for somebody of the directory.
    pub fn address_of(reader: &str) -> Option<&str> {
        reader.strip_prefix(READER)
    }

    /// He as the reader of messages: with a phone only when he may be sent pushes, with quiet
    /// hours from nine in the evening to eight in the morning, and in this zone if his own is not
    /// known.
    pub fn as_reader(&self, zone: &str) -> Person {
        let or = |own: &str, other: &str| if own.is_empty() { other } else { own }.to_owned();
        let hour = |hour| jiff::civil::time(hour, 0, 0, 0);
        Person {
            id: self.reader_id(),
            name: or(&self.name, &self.address),
            emails: vec![self.address.clone()],
            zone: or(&self.zone, zone),
            language: self.language.clone(),
            push: self
                .is_reachable()
                .then(|| self.app_id.clone())
                .into_iter()
                .collect(),
            quiet: Some(Quiet {
                from: hour(21),
                until: hour(8),
            }),
            ..Person::default()
        }
    }
}
