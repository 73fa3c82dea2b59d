//! The changes: what is done to which transactions, and which events must follow from each. What
//! was said is counted in `account.rs`.

use serde_json::json;

use super::account::Known;
use super::{Done, TEN, deed};
use crate::error::{Outcome, fault};
use crate::tenant::{DEED_MAX, Sandbox, Tenant};

/// A limit that is reached; a flow takes this one.
pub(super) const LIMIT_REACHED: &str = "smintio.license.usage_limit_reached";
const DELIVERED: &str = "smintio.request.delivered";
const REVIEW_REQUIRED: &str = "smintio.asset.review_required";
const UPDATED: &str = "smintio.asset.updated";
const EXPIRING: &str = "smintio.license.expiring";
/// What the one flow says.
pub(super) const TOLD: &str = "bench.told";
/// The counter's value and limit of what is used up.
const FULL: i64 = 100;
/// Days until a purchase ends: beyond every threshold, and then below two of them.
const FAR_DAYS: i64 = 400;
const NEAR_DAYS: i64 = 20;

/// What is done to whom. Of ten changes one buys, one buys what must be looked at, three use a
/// licence up, three bring a new version of a file, one brings the end near of what was bought
/// before, and one only hands out the same again.
#[derive(Debug)]
pub(super) struct Plan {
    rounds: u64,
    used: Vec<String>,
    updated: Vec<String>,
    redelivered: Vec<String>,
    /// Used up one at a time.
    pub(super) singly: Vec<String>,
}

impl Plan {
    /// Chooses from all over the feed; `files` says whether files can be changed.
    pub(super) fn of(known: &Known, changes: u64, singly: u64, files: bool) -> Outcome<Self> {
        let rounds = changes / TEN;
        // What is left over of tens is used up one at a time too.
        let singly = singly + changes % TEN;
        let updates = if files { 3 * rounds } else { 0 };
        let wanted = 7 * rounds + singly;
        let count = usize::try_from(wanted).unwrap_or(usize::MAX);
        let able = &known.able;
        if able.len() < count {
            return fault(format!(
                "{count} licences that are held and do not end are needed for these changes, the \
                 feed has {}",
                able.len()
            ));
        }
        let mut chosen = (0..count).map(|at| able[at * able.len() / count].clone());
        let mut take = |count: u64| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            chosen.by_ref().take(count).collect::<Vec<_>>()
        };
        // One from each seventh in turn would be as good: the feed's order says nothing.
        Ok(Self {
            rounds,
            redelivered: take(rounds),
            updated: take(updates),
            singly: take(singly),
            used: take(6 * rounds - updates),
        })
    }

    /// The purchases. Those that end later come first.
    pub(super) async fn buy(&self, sandbox: &Sandbox, tenant: &Tenant) -> Outcome<Vec<Done>> {
        let plain = json!({ "name": "Plain", "state": "completed", "valid_days": FAR_DAYS });
        let watched = json!({ "name": "Watched", "state": "completed", "restrictive": true });
        let mut done = Vec::new();
        for (mut body, follows) in [
            (plain, &[DELIVERED][..]),
            (watched, &[DELIVERED, REVIEW_REQUIRED][..]),
        ] {
            let mut left = self.rounds;
            while left > 0 {
                let count = left.min(DEED_MAX);
                left -= count;
                body["count"] = json!(count);
                let answer = sandbox.deed(tenant, "buy", &body).await?;
                let uuids = answer["uuids"].as_array().map_or(&[][..], Vec::as_slice);
                done.extend(uuids.iter().map(|uuid| Done {
                    uuid: uuid.as_str().unwrap_or_default().to_owned(),
                    follows,
                }));
            }
        }
        Ok(done)
    }

    /// Everything else that is read at once.
    pub(super) async fn change(
        &self,
        sandbox: &Sandbox,
        tenant: &Tenant,
        bought: &[Done],
    ) -> Outcome<Vec<Done>> {
        let mut done = Vec::new();
        for uuid in &self.used {
            done.push(self.use_up(sandbox, tenant, uuid).await?);
        }
        for uuid in &self.updated {
            deed(sandbox, tenant, "update", json!({}), uuid).await?;
            done.push(Done {
                uuid: uuid.clone(),
                follows: &[UPDATED],
            });
        }
        for uuid in &self.redelivered {
            deed(sandbox, tenant, "redeliver", json!({}), uuid).await?;
            done.push(Done {
                uuid: uuid.clone(),
                follows: &[],
            });
        }
        let plain = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        for one in bought.iter().take(plain) {
            let body = json!({ "days": NEAR_DAYS });
            deed(sandbox, tenant, "expire", body, &one.uuid).await?;
            done.push(Done {
                uuid: one.uuid.clone(),
                follows: &[EXPIRING],
            });
        }
        Ok(done)
    }

    /// Uses a licence up to its limit.
    pub(super) async fn use_up(
        &self,
        sandbox: &Sandbox,
        tenant: &Tenant,
        uuid: &str,
    ) -> Outcome<Done> {
        let body = json!({ "counter": "downloads", "current": FULL, "max": FULL });
        deed(sandbox, tenant, "usage", body, uuid).await?;
        Ok(Done {
            uuid: uuid.to_owned(),
            follows: &[LIMIT_REACHED, TOLD],
        })
    }
}
