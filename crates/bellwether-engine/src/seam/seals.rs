//! Whether the record of a case is as it was written, for pages and callers.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::id::CellId;
use serde::Serialize;

use crate::store::StoreError;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Entries with a seal. None: nobody is asked in this case, so it has no seals.
    pub entries: u64,
    /// The seal of the latest entry. Whoever noted it elsewhere can prove that nothing before it
    /// was changed.
    pub last: Option<String>,
    /// What is not as it was, with the entry's number.
    pub flaws: Vec<(u64, Flaw)>,
    /// Events whose content is no longer kept; their prints are.
    pub gone: u64,
    /// Messages that were written otherwise by hand before they were sent once more.
    pub amended: u64,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// It was changed.
    Changed,
    /// It was sealed with a key that is no longer there, so nobody can tell.
    KeyGone,
    /// One before it, or the last one, is missing.
    Missing,
    /// It has no seal among others that have.
    Unsealed,
    /// What came in was changed afterwards.
    EventChanged,
    /// What was sent was changed afterwards.
    MessageChanged,
    /// What was sent is no longer there.
    MessageMissing,
}

/// Who can check.
pub trait Seals: Send + Sync + Debug {
    /// Checks a case against its seals; None when there is no such case.
    fn checked(&self, run: CellId) -> BoxFuture<'_, Result<Option<Sealed>, StoreError>>;
}
