//! The memory of one transaction: what is kept, which record is newer, when to look
//! again. What its purchase has come to is in `purchase.rs`, its ends and limits in `held.rs`.

use std::collections::BTreeMap;

use bellwether_model::reduce::{Cause, Derived, Memory, Reduced};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::COVERED;
use super::super::record::{Phase, Rules, Transaction, Watched};
use super::asset::{Cover, Licence, licensed};
use super::days;
use super::payload::{Severity, about};
use super::terms::{LimitMemory, Look, TermMemory, Which};

/// The one timer of a transaction.
const NEXT: &str = "next";

/// What is kept of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) tx: Transaction,
    pub(super) rules: Rules,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) phase_since: Option<Time>,
    /// Whether it was said that this phase takes too long, and whether that is settled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits_said: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits_over: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) failed_said: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) terms: Vec<TermMemory>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) limits: BTreeMap<String, LimitMemory>,
    /// The counters when every term had ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_with: Option<BTreeMap<String, i64>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) used_after_end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign: Option<Watched>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) campaign_status: Option<String>,
    /// How its asset knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) licensed: Option<Licence>,
    /// How often that was told.
    pub(super) licensed_told: u64,
    /// The licence that takes over from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cover: Option<Cover>,
    /// How often that changed.
    pub(super) covers: u64,
}

/// What the latest record said, as the feed's event carries it.
#[derive(Debug, Deserialize)]
struct Told {
    transaction: Transaction,
    rules: Rules,
    #[serde(default)]
    baseline: bool,
    #[serde(default)]
    campaign: Option<Watched>,
}

/// What the asset says of a licence that takes over, or no longer does.
#[derive(Debug, Deserialize)]
struct Covered {
    #[serde(default)]
    cover: Option<Cover>,
}

/// One turn: the state that is kept and what it says.
pub(super) struct Turn {
    pub(super) kept: Kept,
    pub(super) emits: Vec<Derived>,
    pub(super) now: Time,
    /// Nothing is said: the first read.
    pub(super) silent: bool,
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let before: Option<Kept> = memory
        .kept
        .and_then(|(_, kept)| serde_json::from_value(kept.clone()).ok());
    let mut turn = Turn {
        kept: before.clone().unwrap_or_default(),
        emits: Vec::new(),
        now: memory.now,
        silent: false,
    };
    let mut bought = None;
    if let Cause::Event(event) = memory.cause
        && event.envelope.kind == COVERED
    {
        let told = serde_json::from_value::<Covered>(event.envelope.data["covered"].clone());
        let (Ok(told), true) = (told, before.is_some()) else {
            return unchanged(memory);
        };
        turn.kept.cover = told.cover;
        turn.kept.covers += 1;
    } else if let Cause::Event(event) = memory.cause {
        let Ok(told) = serde_json::from_value::<Told>((*event.envelope.data).clone()) else {
            return unchanged(memory);
        };
        if before
            .as_ref()
            .is_some_and(|kept| is_older(&told.transaction, &kept.tx))
        {
            return unchanged(memory);
        }
        if before.is_none() {
            bought = Some(told.transaction.clone());
        }
        turn.silent = told.baseline;
        turn.take(told);
    } else if before.is_none() {
        return unchanged(memory);
    }
    turn.dates(bought.as_ref());
    turn.limits();
    turn.waiting();
    turn.make_known();
    let next = turn.next();
    Reduced {
        keep: serde_json::to_value(&turn.kept).unwrap_or_default(),
        timers: vec![(NEXT.to_owned(), next)],
        emits: turn.emits,
        ends: false,
    }
}

fn unchanged(memory: &Memory<'_>) -> Reduced {
    Reduced {
        keep: memory.kept.map_or(Value::Null, |(_, kept)| kept.clone()),
        ..Reduced::default()
    }
}

/// Whether a record is older than what is known: the feed may hand out what was overtaken.
fn is_older(new: &Transaction, old: &Transaction) -> bool {
    if let (Some(new), Some(old)) = (new.version, old.version)
        && new != old
    {
        return new < old;
    }
    let time = |of: &Transaction| of.updated_at.as_deref().and_then(|at| Time::parse(at).ok());
    time(new).zip(time(old)).is_some_and(|(new, old)| new < old)
}

impl Turn {
    pub(super) fn say(
        &mut self,
        kind: &'static str,
        id: &str,
        severity: Severity,
        matter: Option<(&str, Value)>,
    ) {
        if !self.silent {
            let derived = about(&self.kept.tx, kind, id, self.now, severity, matter);
            self.emits.push(derived);
        }
    }

    /// The version in ids: what changed without one is told apart by its time.
    pub(super) fn version(&self) -> String {
        match (self.kept.tx.version, &self.kept.tx.updated_at) {
            (Some(version), _) => format!("v{version}"),
            (None, Some(at)) => at.clone(),
            (None, None) => "v0".to_owned(),
        }
    }

    fn take(&mut self, told: Told) {
        let files_before = self.kept.tx.files.take();
        let rules_before = std::mem::replace(&mut self.kept.rules, told.rules);
        self.kept.tx = told.transaction;
        let new_rules = self.kept.rules != rules_before && rules_before != Rules::default();
        self.phase();
        self.review();
        self.files(files_before);
        self.campaign(told.campaign);
        if new_rules {
            self.settle_quietly();
        }
    }

    /// Thresholds that the settings added and that lie behind us are no news.
    fn settle_quietly(&mut self) {
        let silent = std::mem::replace(&mut self.silent, true);
        self.dates(None);
        self.limits();
        self.silent = silent;
    }

    /// Whether there is a licence whose ends and limits matter.
    pub(super) fn is_held(&self) -> bool {
        !self.kept.phase.is_some_and(Phase::holds_nothing)
    }

    /// Tells the asset's own memory of this licence. What ends at no time is not told from the
    /// first read: most licences never end, and take over from nothing that is news.
    fn make_known(&mut self) {
        let now = self.is_held().then(|| Licence::of(&self.kept.tx));
        let now = now.filter(|now| now.ends() || !self.silent || self.kept.licensed.is_some());
        if now == self.kept.licensed {
            return;
        }
        let id = format!(
            "{}/licensed/{}",
            self.kept.tx.uuid,
            self.kept.licensed_told + 1
        );
        if let Some(derived) = licensed(&self.kept.tx, now.as_ref(), id, self.now) {
            self.emits.push(derived);
            self.kept.licensed_told += 1;
            self.kept.licensed = now;
        }
    }

    /// Whether another licence takes over from a term. A term without an end is on its own.
    pub(super) fn is_covered(&self, term: &TermMemory) -> bool {
        let cover = self.kept.cover.as_ref().zip(term.ends_at());
        cover.is_some_and(|(cover, until)| cover.takes_over(until, self.now))
    }

    /// The next moment at which something may have to be said.
    fn next(&self) -> Option<Time> {
        let zone = days::zone(&self.kept.rules.zone);
        let look = Look {
            rules: &self.kept.rules,
            zone: &zone,
            now: self.now,
            bought: None,
        };
        let held = self.is_held();
        let open = |term: &&TermMemory| held && !self.is_covered(term);
        let dates =
            self.kept.terms.iter().filter(open).flat_map(|term| {
                [Which::FirstUse, Which::End].map(|which| term.next(which, &look))
            });
        dates.flatten().chain(self.waits_until()).min()
    }
}
