//! Before anything is opened: are these the keys of this database? And then: what lies open or is
//! sealed with an older key is sealed with the newest, in every version that was ever written.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_engine::store::{Document, Registry, RegistryError, Rewrite};
use bellwether_model::time::Time;
use serde_json::{Value, json};

use super::SealedRegistry;
use super::fields::{self, KINDS};
use super::seal::{Envelope, Place, Seals};

/// Documents that hold the check value of a key, by its number.
const KEY: &str = "key";
/// Who writes here, in the audit trail.
const ACTOR: &str = "server";
/// Versions that are read, and written anew in one transaction, at a time.
const VERSIONS: usize = 500;
/// Places that a message names; the rest is counted.
const NAMED_MAX: usize = 5;

/// What to do about secrets whose key is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Refuse to start.
    Refuse,
    /// Drop them; they have to be given again.
    Drop,
}

/// How the secrets of one connection, or one secret of the vault, lie in the database.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The kind and name of the document.
    pub(crate) name: String,
    /// What is there, or what cannot be opened and why.
    pub(crate) says: Result<String, String>,
}

/// Whether the keys are those of the database; records what tells them for the next time.
///
/// # Errors
/// Another key has the number of one of them, or there are secrets whose key is missing: a
/// sentence that says which, and what to do. Nothing was changed then.
pub(crate) async fn admit(
    registry: &SealedRegistry,
    file: &str,
    lost: Lost,
    at: Time,
) -> Result<(), String> {
    let seals = registry.seals();
    for (id, check) in checks(registry.inner()).await? {
        if seals.check(id).is_some_and(|ours| ours != check) {
            return Err(format!(
                "key {id} in {file} is not the key {id} of this database: its check value is \
                 another. Put the key file that belongs to the database in its place (it is kept \
                 apart from backups of the database). If that key is lost, give the new key a \
                 number that was never used and start once with --drop-lost-secrets. Nothing was \
                 changed."
            ));
        }
    }
    let missing = missing(registry).await?;
    if lost == Lost::Refuse && !missing.is_empty() {
        return Err(says_missing(&missing, file));
    }
    for id in seals.ids() {
        let body = json!({ "check": seals.check(id) });
        put_key(registry.inner(), id, body, at).await?;
    }
    Ok(())
}

/// Seals with the newest key whatever is not, and frees the database's files of what was there.
/// Keys that nothing needs any more and that are not at hand are forgotten. It may be cut off
/// anywhere and begun again. Returns how many versions were written anew.
///
/// # Errors
/// The registry failed, or somebody else changed it at the same time: a sentence.
pub(crate) async fn seal_what_is_open(
    registry: &SealedRegistry,
    lost: Lost,
    at: Time,
) -> Result<usize, String> {
    let seals = registry.seals();
    let newest = seals.newest().unwrap_or_default();
    let mut written = 0;
    for kind in KINDS {
        let mut pages = Pages::of(kind);
        while let Some(page) = pages.next(registry.inner()).await? {
            let mut changes = Vec::new();
            for seen in page {
                if let Some(body) = resealed(seals, &seen, lost)? {
                    changes.push(Rewrite { seen, body });
                }
            }
            let n = changes.len();
            if n > 0 {
                let what = format!("seal {n} versions of {kind} with key {newest}");
                let done = registry.inner().rewrite(changes, &what, ACTOR, at).await;
                done.map_err(failed)?;
                written += n;
            }
        }
    }
    // Also what an earlier start wrote anew before it was cut off.
    registry.inner().scrub().await.map_err(|error| {
        format!(
            "the secrets are sealed, but the database could not be freed of their open copies: \
             {error}. Make room for a second copy of it, end what else has it open, start again."
        )
    })?;
    for (id, _) in checks(registry.inner()).await? {
        if seals.check(id).is_none() {
            put_key(registry.inner(), id, Value::Null, at).await?;
        }
    }
    Ok(written)
}

/// How the secrets lie in the latest version of every document, for people.
///
/// # Errors
/// The registry failed, in a sentence.
pub(crate) async fn look(registry: &SealedRegistry) -> Result<Vec<Kept>, String> {
    let mut all = Vec::new();
    for kind in KINDS {
        for document in registry.inner().list(kind).await.map_err(failed)? {
            let mut body = document.body.clone();
            let mut open = 0;
            let mut keys = BTreeSet::new();
            let mut names = Vec::new();
            for field in fields::of(kind, &mut body).iter().filter(|f| f.secret) {
                names.push(field.name.to_owned());
                match Envelope::of(field.value) {
                    Some(envelope) => keys.extend(envelope.key),
                    None => open += 1,
                }
            }
            let opened = registry.open(kind, &document.name, document.body);
            let keys: Vec<String> = keys.iter().map(u8::to_string).collect();
            let says = opened.map(|_| match (names.is_empty(), open) {
                (true, _) => "it has none".to_owned(),
                (false, 0) => format!(
                    "{}: opened with key {}",
                    names.join(", "),
                    keys.join(" and ")
                ),
                (false, _) => format!(
                    "{}: {open} not sealed yet; the next start of the server seals",
                    names.join(", ")
                ),
            });
            let name = format!("{kind} {}", document.name);
            all.push(Kept { name, says });
        }
    }
    Ok(all)
}

/// The numbers of the keys that the database needs: those that seal something in it.
///
/// # Errors
/// The registry failed, in a sentence.
pub(crate) async fn keys_needed(registry: &SealedRegistry) -> Result<BTreeSet<u8>, String> {
    let mut needed = BTreeSet::new();
    for kind in KINDS {
        let mut pages = Pages::of(kind);
        while let Some(page) = pages.next(registry.inner()).await? {
            for mut document in page {
                let fields = fields::of(kind, &mut document.body);
                let keys = fields.iter().filter_map(|f| Envelope::of(f.value)?.key);
                needed.extend(keys);
            }
        }
    }
    Ok(needed)
}

/// Whether a key belongs to this database already, so that a new one must not be made.
///
/// # Errors
/// The registry failed, in a sentence.
pub(crate) async fn known_keys(registry: &dyn Registry) -> Result<Vec<u8>, String> {
    Ok(checks(registry)
        .await?
        .into_iter()
        .map(|(id, _)| id)
        .collect())
}

/// Check values, by the number of their key.
async fn checks(registry: &dyn Registry) -> Result<Vec<(u8, String)>, String> {
    let documents = registry.list(KEY).await.map_err(failed)?;
    let check = |document: Document| {
        let id = document.name.parse().ok()?;
        let check = document.body.get("check")?.as_str()?;
        Some((id, check.to_owned()))
    };
    Ok(documents.into_iter().filter_map(check).collect())
}

async fn put_key(registry: &dyn Registry, id: u8, body: Value, at: Time) -> Result<(), String> {
    let name = id.to_string();
    let put = registry.put(KEY, &name, None, body, ACTOR, at).await;
    put.map(drop).map_err(failed)
}

/// Where secrets lie whose key is not at hand, by the key's number.
async fn missing(registry: &SealedRegistry) -> Result<BTreeMap<u8, BTreeSet<String>>, String> {
    let mut missing: BTreeMap<u8, BTreeSet<String>> = BTreeMap::new();
    for kind in KINDS {
        let mut pages = Pages::of(kind);
        while let Some(page) = pages.next(registry.inner()).await? {
            for mut document in page {
                let name = document.name;
                for field in fields::of(kind, &mut document.body) {
                    let key = Envelope::of(field.value).and_then(|envelope| envelope.key);
                    if let Some(id) = key.filter(|id| registry.seals().check(*id).is_none()) {
                        let field = field.name;
                        let place = Place {
                            kind,
                            name: &name,
                            field,
                        };
                        missing.entry(id).or_default().insert(place.to_string());
                    }
                }
            }
        }
    }
    Ok(missing)
}

fn says_missing(missing: &BTreeMap<u8, BTreeSet<String>>, file: &str) -> String {
    let keys: Vec<String> = missing.keys().map(u8::to_string).collect();
    let places: Vec<&str> = missing.values().flatten().map(String::as_str).collect();
    let more = places.len().saturating_sub(NAMED_MAX);
    let shown = places[..places.len() - more].join(", ");
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let keys = keys.join(" and ");
    format!(
        "this database has secrets that are sealed with key {keys}, and {file} does not hold it: \
         {shown}{more}. Put the line of key {keys} back below the newest key. If it is lost, start \
         once with --drop-lost-secrets and give these secrets again. Nothing was changed."
    )
}

/// The body with every secret under the newest key; None when it is so already.
fn resealed(seals: &Seals, seen: &Document, lost: Lost) -> Result<Option<Value>, String> {
    let mut body = seen.body.clone();
    let mut changed = false;
    for field in fields::of(&seen.kind, &mut body) {
        let place = Place {
            kind: &seen.kind,
            name: &seen.name,
            field: field.name,
        };
        let value = match Envelope::of(field.value) {
            None if field.secret => Some(field.value.clone()),
            None => None,
            Some(envelope) if envelope.key == seals.newest() => None,
            Some(envelope) => match seals.open(place, &envelope) {
                Ok(value) => Some(value),
                Err(why) if lost == Lost::Drop => {
                    tracing::warn!("{place} is dropped: {why}");
                    *field.value = Value::Null;
                    changed = true;
                    None
                }
                // What was tampered with stays as it is and is complained of where it is used:
                // a connection that is out of order must not keep the others from starting.
                Err(why) => {
                    tracing::error!("{place} cannot be opened: {why}");
                    None
                }
            },
        };
        if let Some(value) = value {
            *field.value = seals.seal(place, &value)?;
            changed = true;
        }
    }
    // What the vault kept is gone as a whole: an empty secret would be taken for one.
    if changed && seen.kind == fields::SECRET && body.get("secret").is_some_and(Value::is_null) {
        body = Value::Null;
    }
    Ok(changed.then_some(body))
}

/// All versions of a kind, a page at a time.
struct Pages {
    kind: &'static str,
    after: Option<(String, u64)>,
}

impl Pages {
    fn of(kind: &'static str) -> Self {
        let after = Some((String::new(), 0));
        Self { kind, after }
    }

    async fn next(&mut self, registry: &dyn Registry) -> Result<Option<Vec<Document>>, String> {
        let Some((name, version)) = self.after.take() else {
            return Ok(None);
        };
        let page = registry.versions(self.kind, (&name, version), VERSIONS);
        let page = page.await.map_err(failed)?;
        if let Some(last) = page.last().filter(|_| page.len() == VERSIONS) {
            self.after = Some((last.name.clone(), last.version));
        }
        Ok(Some(page))
    }
}

fn failed(error: RegistryError) -> String {
    error.to_string()
}
