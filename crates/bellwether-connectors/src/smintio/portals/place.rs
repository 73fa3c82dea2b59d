//! Where reading a portal is, as the cursor keeps it: which watch and page, the task that goes on,
//! what this scan has met so far, what was told of collections and sources. Nothing is asked here.

use std::collections::BTreeMap;

use bellwether_model::time::{Millis, Time};
use serde::{Deserialize, Serialize};

use super::calls::Trouble;
use super::setup::{Matter, Ready, Watch};
use super::wire::{PortalAsset, level};

/// Publications to come that are watched; of the others it is believed that they happen.
const PLANS_MAX: usize = 200;
/// After so many whole scans without it, an asset is not published at its time.
const MISSED_MAX: u8 = 2;
/// What was to be published and is gone for so long does not come back.
const FORGOTTEN: Millis = Millis::days(60);
/// Sources and watches in trouble that are remembered.
const TROUBLES_MAX: usize = 100;

/// A task that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) uuid: String,
    pub(super) since: Time,
    /// The asset that it reads; None when it searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) asset: Option<String>,
}

/// What a collection adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::smintio) struct Sum {
    pub(in crate::smintio) assets: u64,
    /// The lowest flag in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) flag: Option<u8>,
    /// The latest moment from which one of its assets is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) from: Option<Time>,
    /// The earliest moment until which one of them is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) until: Option<Time>,
}

impl Sum {
    fn add(&mut self, asset: &PortalAsset) {
        let time = |text: &Option<String>| Time::parse(text.as_deref()?).ok();
        // A flag that is not known is none: nobody may say ready for it.
        let flag = asset.flag.as_deref().and_then(level).unwrap_or(0);
        self.flag = Some(self.flag.unwrap_or(flag).min(flag));
        self.assets += 1;
        self.from = self.from.max(time(&asset.publish_from));
        let until = time(&asset.publish_until);
        self.until = match (self.until, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// What was last told of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    /// How often it was told: two equal states with another one between them are two.
    pub(super) times: u64,
    pub(super) sum: Sum,
    pub(super) ready: Ready,
}

/// What the first read of what is watched kept to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Swallowed {
    pub(super) watches: u64,
    pub(super) assets: u64,
    pub(super) planned: u64,
    pub(super) replaced: u64,
    pub(super) collections: u64,
    pub(super) unreadable: u64,
    /// Watches that have more than is looked at.
    pub(super) cut: u64,
}

/// A publication to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Plan {
    /// The scan that found it last.
    seen: Time,
    missed: u8,
    /// How often it was missed for too long: what is found again is told again.
    gone: u64,
}

/// Where reading is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// When the present scan began: what is told of it has this in its id.
    pub(super) began: Time,
    /// The watch that is read, by its print; empty between two scans.
    pub(super) watch: String,
    pub(super) page: u64,
    pub(super) seen: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<Pending>,
    pub(super) sum: Sum,
    /// Whether something of the present watch could not be read.
    pub(super) flawed: bool,
    /// Whether a watch of this scan could not be read at all: then nobody knows which sources work.
    pub(super) blind: bool,
    pub(super) swallowed: Swallowed,
    /// When the first read of a watch was over, by its print.
    pub(super) known: BTreeMap<String, Time>,
    /// Sources and watches that fail, with codes: in this scan, and as it was told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) troubles: BTreeMap<String, Trouble>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) told: BTreeMap<String, String>,
    /// Publications to come, by the keys of their assets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) plans: BTreeMap<String, Plan>,
    /// Collections as they were told, by the prints of their watches.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) collections: BTreeMap<String, Told>,
}

impl Place {
    /// A cursor that cannot be read is none: the first read begins anew, and stays silent.
    pub(super) fn read(cursor: Option<&str>) -> Self {
        let read = cursor.and_then(|text| serde_json::from_str(text).ok());
        read.unwrap_or_default()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Goes to the watch that is read now; a new scan begins with the first one.
    pub(super) fn settle<'a>(&mut self, watches: &'a [Watch], now: Time) -> Option<&'a Watch> {
        let find = |print: &str| watches.iter().find(|watch| watch.print == print);
        if let Some(watch) = find(&self.watch) {
            return Some(watch);
        }
        let first = watches.first()?;
        self.began = now;
        self.enter(&first.print);
        self.blind = false;
        self.swallowed = Swallowed::default();
        self.troubles.clear();
        // What is no longer watched, is to be silent when it is watched again.
        self.known.retain(|print, _| find(print).is_some());
        self.collections.retain(|print, _| find(print).is_some());
        Some(first)
    }

    fn enter(&mut self, print: &str) {
        print.clone_into(&mut self.watch);
        (self.page, self.seen) = (0, 0);
        (self.set, self.task) = (None, None);
        self.sum = Sum::default();
        self.flawed = false;
    }

    /// Goes on to the watch behind the present one; false at the end of the scan.
    pub(super) fn next(&mut self, watches: &[Watch]) -> bool {
        let at = watches.iter().position(|watch| watch.print == self.watch);
        let next = at.and_then(|at| watches.get(at + 1));
        self.enter(next.map_or("", |watch| watch.print.as_str()));
        next.is_some()
    }

    pub(super) fn trouble(&mut self, part: String, trouble: Trouble) {
        self.flawed = true;
        if self.troubles.len() < TROUBLES_MAX || self.troubles.contains_key(&part) {
            self.troubles.entry(part).or_insert(trouble);
        }
    }

    /// Takes notice of one asset of the present watch.
    pub(super) fn count(&mut self, asset: &PortalAsset, watch: &Watch, now: Time) {
        self.sum.add(asset);
        if !self.known.contains_key(&watch.print) {
            let from = asset
                .publish_from
                .as_deref()
                .and_then(|at| Time::parse(at).ok());
            self.swallowed.planned += u64::from(from.is_some_and(|from| from > now));
            self.swallowed.replaced += u64::from(!asset.versions.is_empty());
            self.swallowed.assets += 1;
        }
    }

    /// Takes notice of when an asset will be published; how often it was gone meanwhile.
    pub(super) fn plan(&mut self, asset: &PortalAsset, now: Time) -> u64 {
        let key = asset.key();
        let from = asset.publish_from.as_deref();
        let from = from.and_then(|at| Time::parse(at).ok());
        let ahead = from.is_some_and(|from| from > now);
        let room = self.plans.len() < PLANS_MAX;
        match self.plans.get_mut(&key) {
            Some(plan) => {
                (plan.seen, plan.missed) = (self.began, 0);
                let gone = plan.gone;
                if !ahead {
                    self.plans.remove(&key);
                }
                gone
            }
            None if ahead && room => {
                let seen = self.began;
                let plan = Plan {
                    seen,
                    ..Plan::default()
                };
                self.plans.insert(key, plan);
                0
            }
            None => 0,
        }
    }

    /// At the end of a scan: assets that were to be published and are gone. A scan in which
    /// anything failed says nothing about that.
    pub(super) fn gone(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        if self.blind || !self.troubles.is_empty() {
            return gone;
        }
        let began = self.began;
        self.plans
            .retain(|_, plan| began.since(plan.seen) < FORGOTTEN);
        for (key, plan) in &mut self.plans {
            if plan.seen != self.began && plan.missed < MISSED_MAX {
                plan.missed += 1;
                if plan.missed == MISSED_MAX {
                    plan.gone += 1;
                    gone.push(key.clone());
                }
            }
        }
        gone
    }

    /// Closes a watch that was read to its end. What was told of a collection is given back when it
    /// is to be told.
    pub(super) fn close(&mut self, watch: &Watch, cut: bool, now: Time) -> Option<(Told, bool)> {
        let first = !self.known.contains_key(&watch.print);
        if first {
            self.swallowed.cut += u64::from(cut);
        }
        if self.flawed {
            return None;
        }
        if first {
            self.swallowed.watches += 1;
            self.known.insert(watch.print.clone(), now);
        }
        let Matter::Collection { ready, .. } = &watch.matter else {
            return None;
        };
        self.swallowed.collections += u64::from(first);
        // A part of a collection says nothing about the whole.
        if cut {
            return None;
        }
        let told = self.collections.entry(watch.print.clone()).or_default();
        if told.times > 0 && told.sum == self.sum && told.ready == *ready {
            return None;
        }
        *told = Told {
            times: told.times + 1,
            sum: self.sum.clone(),
            ready: ready.clone(),
        };
        Some((told.clone(), first))
    }

    /// Which sources and watches began to fail in this scan, fail in another way or work again.
    pub(super) fn turns(&mut self) -> Vec<(String, Option<Trouble>)> {
        let mut turns = Vec::new();
        for (part, trouble) in std::mem::take(&mut self.troubles) {
            if self.told.get(&part) != Some(&trouble.code) {
                self.told.insert(part.clone(), trouble.code.clone());
                turns.push((part, Some(trouble)));
            } else {
                self.troubles.insert(part, trouble);
            }
        }
        let fails = |part: &String| {
            self.troubles.contains_key(part) || turns.iter().any(|(one, _)| one == part)
        };
        let well = self.told.keys().filter(|part| !fails(part));
        let well = well.filter(|part| !self.blind || !part.starts_with("dam:"));
        let well: Vec<String> = well.cloned().collect();
        for part in well {
            self.told.remove(&part);
            turns.push((part, None));
        }
        self.troubles.clear();
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(code: &str) -> Trouble {
        Trouble::new(code, "words")
    }

    #[test]
    fn a_source_is_told_when_it_turns_and_not_in_every_scan() {
        let mut place = Place::default();
        let scan = |place: &mut Place, all: &[(&str, &str)], blind: bool| {
            place.blind = blind;
            for (part, code) in all {
                place.trouble((*part).to_owned(), trouble(code));
            }
            let turns = place.turns().into_iter();
            let word = |(part, trouble): (String, Option<Trouble>)| {
                format!("{part} {}", trouble.map_or("well".to_owned(), |t| t.code))
            };
            turns.map(word).collect::<Vec<_>>()
        };
        assert_eq!(scan(&mut place, &[("dam:1", "a")], false), ["dam:1 a"]);
        assert_eq!(scan(&mut place, &[("dam:1", "a")], false), [""; 0]);
        let two = [("dam:1", "b"), ("dam:2", "a")];
        assert_eq!(scan(&mut place, &two, false), ["dam:1 b", "dam:2 a"]);
        let search = [("search:x", "e")];
        assert_eq!(
            scan(&mut place, &search, true),
            ["search:x e"],
            "not seen is not well"
        );
        let all = ["dam:1 well", "dam:2 well", "search:x well"];
        assert_eq!(scan(&mut place, &[], false), all);
        let text = place.write();
        assert_eq!(Place::read(Some(&text)), place);
        assert_eq!(Place::read(Some("nonsense")), Place::default());
    }
}
