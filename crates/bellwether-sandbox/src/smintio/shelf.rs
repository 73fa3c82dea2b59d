//! What only the portal knows of assets, and what goes wrong in it alone: flags, marks of content,
//! assets that a search misses, sources that cannot be asked. Set with the deed `portal`; how it is
//! searched is in `portals.rs`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::record::Lpt;
use super::tenant::Tenant;
use crate::world::World;

/// Assets of a tenant that can have marks of their own.
const MARKS_LIMIT: usize = 5_000;

/// What the portal alone knows of one asset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    pub(crate) flag: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) version: Option<u32>,
    /// When something was changed that is no new version.
    pub(crate) touched: Option<Timestamp>,
    /// No search finds it for now.
    hidden: bool,
    /// It is related to this one, as another version of the same thing.
    pub(crate) version_of: Option<u64>,
    /// It has no id.
    pub(crate) nameless: bool,
}

/// The portal of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    marks: BTreeMap<u64, Mark>,
    /// Whether the user sees what is published later; unknown of the real service.
    unpublished: bool,
    /// What searches say in `details.errors`. The real form is unknown.
    pub(crate) errors: Vec<Value>,
    /// The code with which executions of a method end, and how many yet.
    failing: Option<(String, String, u32)>,
}

impl Shelf {
    pub(crate) fn mark(&self, lpt: &Lpt) -> Mark {
        self.marks.get(&lpt.number).cloned().unwrap_or_default()
    }

    /// Whether a search may find it.
    pub(crate) fn shows(&self, lpt: &Lpt, now: Timestamp) -> bool {
        let early = lpt.publish_from.is_some_and(|from| from > now);
        let late = lpt.publish_until.is_some_and(|until| until <= now);
        !late
            && (!early || self.unpublished)
            && !self.marks.get(&lpt.number).is_some_and(|mark| mark.hidden)
    }

    /// The code with which this execution ends, if it is to fail.
    pub(crate) fn fails(&mut self, method: &str) -> Option<String> {
        let (code, of, left) = self.failing.as_mut().filter(|(_, of, _)| of == method)?;
        let (code, _) = (code.clone(), of);
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.failing = None;
        }
        Some(code)
    }
}

/// What is to be different in the portal; what is missing stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Set {
    /// The asset, by the transaction that bought it.
    uuid: Option<String>,
    flag: Option<String>,
    etag: Option<String>,
    version: Option<u32>,
    /// Changes nothing but when it was changed.
    touch: bool,
    hidden: Option<bool>,
    /// The transaction of which it is another version.
    version_of: Option<String>,
    nameless: Option<bool>,
    unpublished: Option<bool>,
    errors: Option<Vec<Value>>,
    /// A method and the code with which its next executions end.
    fail: Option<Fail>,
    /// Forgets the tasks that go on.
    lose_tasks: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    method: String,
    code: String,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// Changes the portal; the error is a sentence.
pub(crate) fn set(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let set: Set = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let now = world.clock.now();
    let done = world.smintio.with(tenant, |t| change(t, set, now));
    done.unwrap_or_else(|| Err(format!("there is no tenant {tenant:?}")))
}

fn change(tenant: &mut Tenant, set: Set, now: Timestamp) -> Result<Value, String> {
    let number = |uuid: &Option<String>| match uuid {
        None => Ok(None),
        Some(uuid) => {
            let found = tenant.ledger.find(uuid).map(|lpt| lpt.number);
            found
                .map(Some)
                .ok_or("there is no transaction with this uuid")
        }
    };
    let (own, version_of) = (number(&set.uuid)?, number(&set.version_of)?);
    if let Some(number) = own {
        let marks = &mut tenant.shelf.marks;
        if marks.len() >= MARKS_LIMIT && !marks.contains_key(&number) {
            return Err("too many assets were marked; reset the sandbox".to_owned());
        }
        let mark = marks.entry(number).or_default();
        mark.flag = set.flag.or(mark.flag.take());
        mark.etag = set.etag.or(mark.etag.take());
        mark.version = set.version.or(mark.version);
        mark.version_of = version_of.or(mark.version_of);
        mark.hidden = set.hidden.unwrap_or(mark.hidden);
        mark.nameless = set.nameless.unwrap_or(mark.nameless);
        mark.touched = if set.touch { Some(now) } else { mark.touched };
    }
    let shelf = &mut tenant.shelf;
    shelf.unpublished = set.unpublished.unwrap_or(shelf.unpublished);
    shelf.errors = set
        .errors
        .unwrap_or_else(|| std::mem::take(&mut shelf.errors));
    if let Some(fail) = set.fail {
        shelf.failing = Some((fail.code, fail.method, fail.times));
    }
    if set.lose_tasks {
        tenant.tasks.forget();
    }
    Ok(json!({"ok": true}))
}
