//! The memory of one watched campaign: how far each of its assets is. It is final when the whole
//! set is here; a part of it says nothing.

use std::collections::BTreeMap;

use bellwether_model::id::{hash, hex};
use bellwether_model::reduce::{Cause, Memory, Reduced};
use bellwether_model::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::CAMPAIGN_FINALIZED;
use super::payload::{Severity, known, of};

const QUIET: &str = "quiet";
/// Assets of one campaign that are remembered.
const MEMBERS_MAX: usize = 2_000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    kind: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    quiet_hours: u64,
    /// `o`pen or `d`one, by a short hash of the transaction.
    members: BTreeMap<String, char>,
    finalized: bool,
    /// Whether anything of it came after the first read.
    news: bool,
}

#[derive(Debug, Deserialize)]
struct Told {
    kind: String,
    name: String,
    #[serde(default)]
    size: Option<u64>,
    quiet_hours: u64,
    member: Member,
}

#[derive(Debug, Deserialize)]
struct Member {
    uuid: String,
    status: String,
    #[serde(default)]
    baseline: bool,
}

impl Kept {
    fn take(&mut self, told: Told) {
        (self.kind, self.name) = (told.kind, told.name);
        (self.size, self.quiet_hours) = (told.size, told.quiet_hours);
        self.news |= !told.member.baseline;
        let short = hex(&hash(&[told.member.uuid.as_bytes()])[..8]);
        match told.member.status.as_str() {
            "out" => {
                self.members.remove(&short);
            }
            status => {
                let mark = if status == "done" { 'd' } else { 'o' };
                if self.members.len() < MEMBERS_MAX || self.members.contains_key(&short) {
                    self.members.insert(short, mark);
                }
            }
        }
        if !self.is_whole() {
            self.finalized = false;
        }
    }

    /// Whether nothing is open, and as much is there as there should be.
    fn is_whole(&self) -> bool {
        let there = self.members.len() as u64;
        there > 0
            && self.members.values().all(|mark| *mark == 'd')
            && self.size.is_none_or(|size| there >= size)
    }
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let mut kept: Kept = memory
        .kept
        .and_then(|(_, kept)| serde_json::from_value(kept.clone()).ok())
        .unwrap_or_default();
    let mut due = matches!(memory.cause, Cause::Timer(_));
    if let Cause::Event(event) = memory.cause {
        let told = event.envelope.data.get("campaign").cloned();
        if let Some(told) = told.and_then(|told| serde_json::from_value(told).ok()) {
            kept.take(told);
        }
        // With a size there is nothing to wait for.
        due = kept.size.is_some();
    }
    let mut reduced = Reduced::default();
    let mut quiet: Option<Time> = None;
    if kept.is_whole() && !kept.finalized {
        if !kept.news || due {
            kept.finalized = true;
            if kept.news {
                reduced.emits.push(finalized(memory, &kept));
            }
        } else {
            quiet = Some(memory.now + Millis::hours(kept.quiet_hours));
        }
    }
    reduced.timers.push((QUIET.to_owned(), quiet));
    reduced.keep = serde_json::to_value(&kept).unwrap_or_default();
    reduced
}

fn finalized(memory: &Memory<'_>, kept: &Kept) -> bellwether_model::reduce::Derived {
    let members: Vec<&str> = kept.members.keys().map(String::as_str).collect();
    let print = hex(&hash(&[members.join(" ").as_bytes()])[..8]);
    let matter = known(vec![
        ("kind", json!(kept.kind)),
        ("name", json!(kept.name)),
        ("asset_count", json!(kept.members.len())),
        ("size", json!(kept.size)),
    ]);
    let id = format!("{}/finalized/{print}", memory.key);
    let now = memory.now;
    of(
        CAMPAIGN_FINALIZED,
        id,
        now,
        Severity::Info,
        "campaign",
        matter,
    )
}
