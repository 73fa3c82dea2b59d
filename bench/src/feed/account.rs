//! The accounts: what the feed held, what must have been said, and what the server's own lists say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Done;
use super::report::Size;
use crate::clock::micros;
use crate::error::Outcome;
use crate::tenant::desk::Desk;
use crate::tenant::read_instant;

/// The record of a transaction itself, and what a first read says at its end.
const TRANSACTION: &str = "smintio.transaction";
pub(super) const BASELINE: &str = "smintio.baseline";
/// Every other type that could be said. What tells of the link itself is said at each start.
const OTHERS: [&str; 23] = [
    "smintio.asset.published",
    "smintio.asset.replaced",
    "smintio.asset.review_required",
    "smintio.asset.updated",
    "smintio.asset.used",
    "smintio.action.completed",
    "smintio.action.required",
    "smintio.campaign.finalized",
    "smintio.campaign.member",
    "smintio.compliance.violation",
    "smintio.license.expired",
    "smintio.license.expiring",
    "smintio.license.first_use_due",
    "smintio.license.usage_limit_near",
    "smintio.license.usage_limit_reached",
    "smintio.request.approved",
    "smintio.request.cancelled",
    "smintio.request.delivered",
    "smintio.request.failed",
    "smintio.request.submitted",
    "smintio.sync.failed",
    "smintio.transaction.unreadable",
    super::changes::TOLD,
];
/// A licence that ends this soon is left alone: it might end while it is measured.
const SOON_US: u64 = 3 * 86_400 * 1_000_000;

/// The feed before anything changed.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Every transaction.
    pub(super) all: BTreeSet<String>,
    /// Those that are held, have files and do not end soon, in the order of the feed.
    pub(super) able: Vec<String>,
}

impl Known {
    /// Takes notice of a record of the feed.
    pub(super) fn take(&mut self, record: &Value) {
        let uuid = record["uuid"].as_str().unwrap_or_default().to_owned();
        let ahead = micros() + SOON_US;
        let terms = record["license_terms"].as_array();
        let lasting = |term: &Value| match &term["valid_until"] {
            Value::Null => true,
            until => until
                .as_str()
                .and_then(read_instant)
                .is_some_and(|until| until > ahead),
        };
        let able = record["state"] == "completed"
            && record["can_be_synced"] == true
            && record["current_downloads"].is_number()
            && terms.is_some_and(|terms| terms.iter().all(lasting));
        if able {
            self.able.push(uuid.clone());
        }
        self.all.insert(uuid);
    }
}

/// What must have been said of whom: type, then transaction, then how often.
#[derive(Debug, Default)]
pub(super) struct Expected(BTreeMap<&'static str, BTreeMap<String, u64>>);

impl Expected {
    /// Adds what follows from deeds; how many records the feed tells anew.
    pub(super) fn add(&mut self, deeds: &[Done]) -> u64 {
        for one in deeds {
            let news = one.is_news().then_some(&TRANSACTION);
            for kind in one.follows.iter().chain(news) {
                let of = self.0.entry(kind).or_default();
                *of.entry(one.uuid.clone()).or_default() += 1;
            }
        }
        deeds.iter().filter(|one| one.is_news()).count() as u64
    }

    /// How many of each type there must be, the records themselves apart.
    pub(super) fn totals(&self) -> BTreeMap<&str, u64> {
        let derived = self.0.iter().filter(|(kind, _)| **kind != TRANSACTION);
        derived
            .map(|(kind, of)| (*kind, of.values().sum()))
            .collect()
    }
}

/// What the first read recorded, and that it said nothing.
pub(super) async fn silence(desk: &Desk, known: &Known, size: &mut Size) -> Outcome<()> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    desk.events(TRANSACTION, |event| {
        *seen.entry(of(event)).or_default() += 1;
    })
    .await?;
    size.read_missing = known.all.iter().filter(|u| !seen.contains_key(*u)).count() as u64;
    size.read_twice = seen.values().filter(|times| **times > 1).count() as u64;
    size.read_invented = seen.keys().filter(|u| !known.all.contains(*u)).count() as u64;
    desk.events(BASELINE, |event| {
        size.summaries += 1;
        size.summary_transactions = event["data"]["baseline"]["transactions"]
            .as_u64()
            .unwrap_or(0);
    })
    .await?;
    for kind in OTHERS {
        size.said_by_baseline += desk.count(kind).await?;
    }
    Ok(())
}

/// Lays what was said beside what must have been said.
pub(super) async fn changes(desk: &Desk, expected: &Expected, size: &mut Size) -> Outcome<()> {
    let nothing = BTreeMap::new();
    for kind in OTHERS.into_iter().chain([TRANSACTION]) {
        let must = expected.0.get(kind).unwrap_or(&nothing);
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        desk.events(kind, |event| {
            // The first read's own records are not what changed.
            if kind != TRANSACTION || event["data"]["baseline"] != true {
                *seen.entry(of(event)).or_default() += 1;
            }
        })
        .await?;
        size.events_expected += must.values().sum::<u64>();
        size.events += seen.values().sum::<u64>();
        for (uuid, times) in must {
            let came = seen.remove(uuid).unwrap_or(0);
            size.missing += times.saturating_sub(came);
            size.doubled += came.saturating_sub(*times);
        }
        size.invented += seen.values().sum::<u64>();
    }
    let ledger = desk.ledger().await?;
    (size.failed, size.pending) = (ledger.failed, ledger.pending);
    size.dead_letters = desk.dead_letters().await?;
    Ok(())
}

/// The transaction that an event is about.
fn of(event: &Value) -> String {
    let data = &event["data"];
    let uuid = [&data["transaction"]["uuid"], &data["uuid"]];
    let uuid = uuid.iter().find_map(|uuid| uuid.as_str());
    uuid.unwrap_or("none").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_must_follow_is_counted_by_type_and_transaction() {
        let mut expected = Expected::default();
        let done = |uuid: &str, follows| Done {
            uuid: uuid.to_owned(),
            follows,
        };
        let news = expected.add(&[done("a", &["x", "y"]), done("b", &["x"]), done("c", &[])]);
        assert_eq!(news, 2);
        assert_eq!(expected.totals(), BTreeMap::from([("x", 2), ("y", 1)]));
        assert_eq!(
            expected.0[TRANSACTION].len(),
            2,
            "the same again is no news"
        );
    }

    #[test]
    fn only_what_is_held_and_lasts_is_changed() {
        let mut known = Known::default();
        let record = |uuid: &str, state: &str, until: Value| {
            json!({"uuid": uuid, "state": state, "can_be_synced": true, "current_downloads": 1,
                "license_terms": [{"valid_until": until}]})
        };
        known.take(&record("a", "completed", Value::Null));
        known.take(&record("b", "cancelled", Value::Null));
        known.take(&record("c", "completed", json!("2020-01-01T00:00:00Z")));
        known.take(&record("d", "completed", json!("2999-01-01T00:00:00Z")));
        assert_eq!(
            (known.all.len(), known.able),
            (4, vec!["a".into(), "d".into()])
        );
    }
}
