//! The licences that are held of one asset, and which of them another one takes over from: terms
//! never change after a purchase, so a renewal is a new purchase. A licence takes over only if it
//! is as wide as the other as far as anybody knows: a wrong silence is worse than one more message.

use std::collections::BTreeMap;

use bellwether_model::reduce::{Cause, Derived, Memory, Reduced};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::record::Transaction;
use super::super::{COVERED, LICENSED};
use super::payload::{Severity, of};

/// Licences of one asset that are remembered.
const LICENCES_MAX: usize = 150;

/// A licence as its asset knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Licence {
    /// From when on every term of it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Until when every term of it holds; None: nothing ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licensee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restricted: Vec<String>,
    /// Limits of its counters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    editorial: bool,
    /// The licence that was said to take over from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cover: Option<Cover>,
}

/// A licence that takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cover {
    /// Its transaction.
    pub(super) by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    asset: String,
    /// By transaction.
    licences: BTreeMap<String, Licence>,
    /// How many takings over were said: the same may come and go and come again.
    said: u64,
}

#[derive(Debug, Deserialize)]
struct Told {
    asset: String,
    transaction: String,
    licence: Option<Licence>,
}

impl Licence {
    /// What of a transaction matters to the others of its asset.
    pub(super) fn of(transaction: &Transaction) -> Self {
        let terms = &transaction.terms;
        let dates = |of: fn(&super::super::record::Term) -> Option<&String>| {
            let known = terms.iter().filter_map(of);
            known.filter_map(|text| Some((Time::parse(text).ok()?, text.clone())))
        };
        let counters = transaction.counters.iter();
        Self {
            from: dates(|term| term.valid_from.as_ref())
                .max()
                .map(|(_, text)| text),
            until: dates(|term| term.valid_until.as_ref())
                .min()
                .map(|(_, text)| text),
            licensee: transaction
                .licensee
                .as_ref()
                .and_then(|named| named.uuid.clone().or_else(|| named.name.clone())),
            kind: transaction.license_type.clone(),
            restricted: transaction.restricted.clone(),
            limits: counters
                .filter_map(|(name, counter)| Some((name.clone(), counter.max?)))
                .collect(),
            editorial: transaction.asset.is_editorial_use == Some(true)
                || terms.iter().any(|term| term.is_editorial_use == Some(true)),
            cover: None,
        }
    }

    /// Whether anything of it ends.
    pub(super) fn ends(&self) -> bool {
        self.until.is_some()
    }

    /// Whether it allows what another one allows, as far as anybody knows.
    fn is_as_wide_as(&self, other: &Self) -> bool {
        let limits = self.limits.iter();
        self.licensee == other.licensee
            && self.kind == other.kind
            && self.editorial <= other.editorial
            && self
                .restricted
                .iter()
                .all(|kind| other.restricted.contains(kind))
            && limits.into_iter().all(|(name, max)| {
                let of_other = other.limits.get(name);
                of_other.is_some_and(|of_other| max >= of_other)
            })
    }

    fn reaches(&self) -> Time {
        time(self.until.as_deref()).unwrap_or(Time(i64::MAX))
    }
}

fn time(text: Option<&str>) -> Option<Time> {
    Time::parse(text?).ok()
}

impl Cover {
    /// Whether it takes over from a date: it reaches further, and has begun or does so before.
    pub(super) fn takes_over(&self, until: &str, now: Time) -> bool {
        let Ok(until) = Time::parse(until) else {
            return false;
        };
        let begins = time(self.from.as_deref()).is_none_or(|from| from <= until.max(now));
        begins && time(self.until.as_deref()).is_none_or(|end| end > until)
    }
}

/// The event by which a transaction makes itself known to its asset; without a licence it is gone.
pub(super) fn licensed(
    transaction: &Transaction,
    licence: Option<&Licence>,
    id: String,
    now: Time,
) -> Option<Derived> {
    let asset = transaction.asset.id.as_ref()?;
    let matter = json!({"asset": asset, "transaction": transaction.uuid, "licence": licence});
    Some(of(LICENSED, id, now, Severity::Info, "licensed", matter))
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let kept = memory.kept.map(|(_, kept)| kept.clone());
    let mut kept: Kept = kept
        .and_then(|kept| serde_json::from_value(kept).ok())
        .unwrap_or_default();
    let mut emits = Vec::new();
    if let Cause::Event(event) = memory.cause
        && let Ok(told) = serde_json::from_value::<Told>(event.envelope.data["licensed"].clone())
    {
        kept.take(told);
        emits = kept.say(memory.now);
    }
    Reduced {
        ends: kept.licences.is_empty(),
        keep: serde_json::to_value(&kept).unwrap_or_default(),
        emits,
        ..Reduced::default()
    }
}

impl Kept {
    fn take(&mut self, told: Told) {
        self.asset = told.asset;
        let before = self.licences.remove(&told.transaction);
        let Some(mut licence) = told.licence else {
            return;
        };
        licence.cover = before.and_then(|before| before.cover);
        if self.licences.len() >= LICENCES_MAX {
            // What ended first matters least.
            let over = self.licences.iter();
            let first = over.min_by_key(|(_, licence)| licence.reaches());
            let first = first.map(|(uuid, _)| uuid.clone()).unwrap_or_default();
            self.licences.remove(&first);
        }
        self.licences.insert(told.transaction, licence);
    }

    /// What is new about who takes over from whom.
    fn say(&mut self, now: Time) -> Vec<Derived> {
        let all = self.licences.clone();
        let mut emits = Vec::new();
        for (uuid, licence) in &mut self.licences {
            let cover = licence.ends().then(|| best(&all, uuid, licence)).flatten();
            if cover == licence.cover {
                continue;
            }
            licence.cover.clone_from(&cover);
            self.said += 1;
            let id = format!("asset/{}/{}", self.asset, self.said);
            let matter = json!({"transaction": uuid, "cover": cover});
            emits.push(of(COVERED, id, now, Severity::Info, "covered", matter));
        }
        emits
    }
}

/// The licence that reaches furthest of those that take over.
fn best(all: &BTreeMap<String, Licence>, uuid: &str, licence: &Licence) -> Option<Cover> {
    let others = all.iter().filter(|(other, _)| *other != uuid);
    let wide = others
        .filter(|(_, other)| other.is_as_wide_as(licence) && other.reaches() > licence.reaches());
    let (by, other) = wide.max_by_key(|(by, other)| (other.reaches(), *by))?;
    Some(Cover {
        by: by.clone(),
        from: other.from.clone(),
        until: other.until.clone(),
    })
}
