//! Versioned documents: flows, connections, directory, users, settings, kept secrets. Each write
//! makes a new version and an audit row in one transaction.

use std::fmt::Debug;

use bellwether_model::BoxFuture;
use bellwether_model::time::Time;
use serde_json::Value;

/// One version of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `flow`, `connection`, `directory`, `setting`, `secret`, `key`.
    pub kind: String,
    /// Its name within the kind.
    pub name: String,
    /// From 1, without holes.
    pub version: u64,
    /// The content. Null: the document was removed with this version.
    pub body: Value,
    /// Who wrote it, as the actor says itself: `admin(local)`, `file`, a person's id.
    pub actor: String,
    /// When (transport time).
    pub at: Time,
}

/// One row of the audit trail of administration.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Its number, from 1.
    pub number: u64,
    /// When (transport time).
    pub at: Time,
    /// Who.
    pub actor: String,
    /// What, such as `put flow approval-mail v3`.
    pub what: String,
    /// SHA-256 over the previous row's hash and this row, in hexadecimal.
    pub hash: String,
}

/// A version whose body is to be written anew in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// The version as it was read.
    pub seen: Document,
    /// What its body is to be.
    pub body: Value,
}

/// A registry call that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Somebody else wrote in between.
    #[error("{kind} {name} is at version {found} now, not {expected}; load it again")]
    Conflict {
        /// The kind.
        kind: String,
        /// The name.
        name: String,
        /// The version that the writer had seen.
        expected: u64,
        /// The version that is there.
        found: u64,
    },
    /// The database failed.
    #[error("the registry failed: {0}")]
    Store(String),
}

/// Access to documents.
pub trait Registry: Send + Sync + Debug {
    /// The latest version, unless there is none or it was removed.
    fn get<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Document>, RegistryError>>;

    /// The latest version of every document of a kind that was not removed, in order of name.
    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>>;

    /// The names of all documents of a kind that ever were, removed ones included, in order.
    fn names<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<String>, RegistryError>>;

    /// Every version of one document, newest first, at most `limit`.
    fn history<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>>;

    /// Writes a new version and its audit row. `expected` is the version seen (0: none yet); None
    /// writes over whatever is there. Returns the new version. A body equal to the latest one
    /// writes nothing and returns that version. `kind` `secret` keeps the body out of the audit.
    fn put<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
        expected: Option<u64>,
        body: Value,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Result<u64, RegistryError>>;

    /// Audit rows after `after`, at most `limit`, oldest first.
    fn audit(
        &self,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AuditRow>, RegistryError>>;

    /// Every version of every document of a kind, removed ones too, in order of name and version,
    /// after (name, version), at most `limit`.
    fn versions<'a>(
        &'a self,
        kind: &'a str,
        after: (&'a str, u64),
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>, RegistryError>>;

    /// Writes bodies anew in their place, all of them with one audit row that says `what`, or, when
    /// one is no longer as it was seen, none. For what must not stay as it was written; everything
    /// else becomes a new version. The former bytes may lie in the file until [`Registry::scrub`].
    fn rewrite<'a>(
        &'a self,
        changes: Vec<Rewrite>,
        what: &'a str,
        actor: &'a str,
        at: Time,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;

    /// Frees the database's files of what was written anew since the last time, so that the former
    /// bytes are in none of them; tells whether there was anything to free. That it is due is
    /// recorded with the rewriting, so a crash in between loses nothing. Takes as long as copying
    /// the database, and writers wait for it.
    fn scrub(&self) -> BoxFuture<'_, Result<bool, RegistryError>>;
}
