//! Two lists that live long beside the record: who uses which asset in which document, and which
//! people the users of other systems are. They are written as part of a member and read through
//! `Views`. Whom an event means is found out elsewhere.

use bellwether_model::directory::PersonId;
use bellwether_model::time::Time;

use super::customer::CustomerWrite;

/// The most characters of an asset, a user or a connection in the register.
pub const NAME_MAX: usize = 256;
/// The most characters of a document's name or path.
pub const DOCUMENT_MAX: usize = 1024;
/// The most people that are found for one asset.
pub const USERS_OF_MAX: usize = 1000;

/// How an asset is in a document, from surest to least sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The document refers to the asset's file.
    Linked,
    /// A copy of the asset lies in the document.
    Embedded,
    /// The document was made from the asset, or from one that was.
    Derived,
    /// Only a file's name says so.
    Named,
    /// Somebody said so, without saying how.
    #[default]
    Said,
}

impl How {
    /// Every value with its word, in the order of the numbers under which they are stored.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Linked, "linked"),
        (Self::Embedded, "embedded"),
        (Self::Derived, "derived"),
        (Self::Named, "named"),
        (Self::Said, "said"),
    ];

    /// The word of the API.
    pub fn word(self) -> &'static str {
        Self::ALL[usize::from(self.code())].1
    }

    /// The value of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == word);
        found.map(|(how, _)| *how)
    }

    /// The number under which it is stored.
    pub fn code(self) -> u8 {
        super::code_in(&Self::ALL, self)
    }

    /// The value of a stored number.
    pub fn of_code(code: u8) -> Self {
        let found = Self::ALL.get(usize::from(code));
        found.map_or(Self::Said, |(how, _)| *how)
    }
}

/// Somebody as a source names him.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// The connection that knows him under `id`; empty: `id` is a person of the directory.
    pub connection: String,
    /// The id within it.
    pub id: String,
}

/// A change of the register.
#[derive(Clone, Debug, PartialEq)]
pub enum RegisterWrite {
    /// An asset is used, or no longer.
    Usage(UsageWrite),
    /// A user of another system was named.
    Sighted(Sighting),
    /// Which person such a user is.
    Known(Mapping),
    /// Which person he might be. Shown, never used.
    Proposed(Proposal),
    /// A customer, or that there is one no longer.
    Customer(CustomerWrite),
}

/// Somebody uses an asset in a document, or no longer does.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageWrite {
    /// The asset's id, as its events name it.
    pub asset: String,
    /// Who.
    pub who: Who,
    /// The document; may be empty when nobody said which.
    pub document: String,
    /// How sure.
    pub how: How,
    /// Who says so: a connection's name, `api`.
    pub source: String,
    /// Since when it is so; never after `at`.
    pub since: Time,
    /// When it was so. What is said of an earlier time never overrides a later one.
    pub at: Time,
    /// True: from then on no longer.
    pub ended: bool,
}

/// A user of another system was named in an event or a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The user.
    pub who: Who,
    /// His name there; empty: not said.
    pub name: String,
    /// When.
    pub at: Time,
}

/// Which person of the directory a user of another system is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The user.
    pub who: Who,
    /// His name there; empty: keeps the one that is known.
    pub name: String,
    /// The person, or None: nobody, from now on unresolved again.
    pub person: Option<PersonId>,
    /// Who says so, as the actor says itself.
    pub by: String,
    /// When (transport time).
    pub at: Time,
}

/// Which person a user of another system might be.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The user.
    pub who: Who,
    /// The person.
    pub person: PersonId,
    /// Why, in a sentence without names.
    pub why: String,
}

/// Which usages to list, the latest registered first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageQuery {
    /// Only of this asset.
    pub asset: Option<String>,
    /// Only by this person of the directory.
    pub person: Option<PersonId>,
    /// Only in this document.
    pub document: Option<String>,
    /// True: those that ended, instead of those that last.
    pub ended: bool,
    /// The `next` of the page before.
    pub after: Option<u64>,
    /// At most this many; the store caps it at 1 000.
    pub limit: usize,
}

/// A usage in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageRow {
    /// Its number in the register: what `after` takes.
    pub number: u64,
    /// The asset's id.
    pub asset: String,
    /// Who, as the source named him.
    pub who: Who,
    /// Which person that is; None while nobody knows.
    pub person: Option<PersonId>,
    /// The document.
    pub document: String,
    /// How sure.
    pub how: How,
    /// Who says so.
    pub source: String,
    /// Since when.
    pub since: Time,
    /// When it was last so.
    pub seen_at: Time,
    /// Since when no longer.
    pub ended_at: Option<Time>,
}

/// Which users of other systems to list, the latest known first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityQuery {
    /// Only of this connection.
    pub connection: Option<String>,
    /// Only those who are this person.
    pub person: Option<PersonId>,
    /// `Some(true)`: only those whose person is known; `Some(false)`: only those whose is not.
    pub resolved: Option<bool>,
    /// The `next` of the page before.
    pub after: Option<u64>,
    /// At most this many; the store caps it at 1 000.
    pub limit: usize,
}

/// A user of another system.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// His number: what `after` takes.
    pub number: u64,
    /// The user.
    pub who: Who,
    /// His name there; may be empty.
    pub name: String,
    /// Which person he is.
    pub person: Option<PersonId>,
    /// Which person he might be, and why.
    pub proposed: Option<(PersonId, String)>,
    /// How often he was named.
    pub seen: u64,
    /// When he was first named; None when he is only known from an import.
    pub first_seen: Option<Time>,
    /// When he was last named.
    pub last_seen: Option<Time>,
    /// Who said which person he is, and when.
    pub mapped: Option<(String, Time)>,
}
