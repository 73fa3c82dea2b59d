//! The memory of one watched collection of a portal: whether it is ready as a whole. That is said
//! once, and again only after it was not ready for a while: a search that misses an asset now and
//! then says nothing.

use bellwether_model::reduce::{Cause, Memory, Reduced};
use bellwether_model::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::CAMPAIGN_FINALIZED;
use super::super::portals::{Ready, Sum};
use super::payload::{Severity, known, of};

/// When its last asset is published.
const PUBLISH: &str = "publish";
/// When it has not been ready for long enough to be told again.
const REARM: &str = "rearm";
const UNREADY: Millis = Millis::minutes(30);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    told: Told,
    /// Whether it is settled that it is ready: said, or passed over in silence.
    said: bool,
    /// Since when it is not ready any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    unready: Option<Time>,
    /// How often it was ready anew.
    times: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    uuid: String,
    name: String,
    ready: Ready,
    sum: Sum,
}

impl Told {
    fn is_whole(&self) -> bool {
        let Self { ready, sum, .. } = self;
        sum.assets > 0
            && ready.size.is_none_or(|size| sum.assets >= size)
            && ready
                .flag
                .is_none_or(|flag| sum.flag.is_some_and(|low| low >= flag))
    }

    fn is_ready(&self, now: Time) -> bool {
        let published = !self.ready.published
            || (self.sum.from.is_none_or(|from| from <= now)
                && self.sum.until.is_none_or(|until| until > now));
        self.is_whole() && published
    }
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let mut kept: Kept = memory
        .kept
        .and_then(|(_, kept)| serde_json::from_value(kept.clone()).ok())
        .unwrap_or_default();
    let now = memory.now;
    let mut reduced = Reduced::default();
    let mut silent = false;
    match memory.cause {
        Cause::Event(event) => {
            let data = &event.envelope.data;
            if let Ok(told) = serde_json::from_value(data["collection"].clone()) {
                kept.told = told;
                silent = data["baseline"] == true;
            }
        }
        Cause::Timer(REARM) if !kept.told.is_ready(now) => kept.said = false,
        Cause::Timer(_) => {}
    }
    let ready = kept.told.is_ready(now);
    if ready && !kept.said {
        kept.said = true;
        kept.times += 1;
        if !silent {
            reduced.emits.push(finalized(memory, &kept));
        }
    }
    let ahead = kept.told.sum.from.filter(|from| *from > now);
    let ahead = ahead.filter(|_| kept.told.ready.published && kept.told.is_whole());
    reduced.timers.push((PUBLISH.to_owned(), ahead));
    let event = matches!(memory.cause, Cause::Event(_));
    match (ready, kept.said) {
        // The first look that finds it unready begins the wait; later ones do not prolong it.
        (false, true) if kept.unready.is_none() && event => {
            kept.unready = Some(now);
            reduced.timers.push((REARM.to_owned(), Some(now + UNREADY)));
        }
        (true, _) => {
            kept.unready = None;
            reduced.timers.push((REARM.to_owned(), None));
        }
        (false, false) => kept.unready = None,
        (false, true) => {}
    }
    reduced.keep = serde_json::to_value(&kept).unwrap_or_default();
    reduced
}

fn finalized(memory: &Memory<'_>, kept: &Kept) -> bellwether_model::reduce::Derived {
    let told = &kept.told;
    let matter = known(vec![
        ("kind", "portal_collection".into()),
        ("name", json!(told.name)),
        ("key", json!(memory.key)),
        ("collection_uuid", json!(told.uuid)),
        ("asset_count", json!(told.sum.assets)),
        ("size", json!(told.ready.size)),
    ]);
    let id = format!("{}/finalized/{}", memory.key, kept.times);
    let severity = Severity::Info;
    of(
        CAMPAIGN_FINALIZED,
        id,
        memory.now,
        severity,
        "campaign",
        matter,
    )
}
