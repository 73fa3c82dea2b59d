//! What is remembered of a tenant, as pure functions over records and timers: one cell for each
//! transaction and each asset that it is about, each watched campaign, each part of our own link,
//! and each asset and watched collection of a portal. From these come the events that flows use.
//! Nothing is asked of anybody here, and no clock is read.

mod asset;
mod campaign;
mod days;
mod held;
mod licence;
mod link;
mod payload;
mod portal_asset;
mod portal_collection;
mod purchase;
mod review;
mod terms;

use bellwether_model::event::NewEvent;
use bellwether_model::reduce::{Memory, Reduced, Reducer};
use bellwether_model::time::Time;

use super::record::{Phase, Rules, Transaction};
use super::{
    CAMPAIGN_MEMBER, COVERED, LICENSED, LINK, PORTAL_ASSET, PORTAL_COLLECTION, TRANSACTION,
};

/// The memory of a tenant.
pub(super) const REDUCER: Reducer = Reducer {
    format: 1,
    key,
    reduce,
};

/// Which cell an event belongs to.
fn key(event: &NewEvent) -> Option<String> {
    let text = |pointer: &str| event.data.pointer(pointer)?.as_str();
    match event.kind.as_str() {
        TRANSACTION => Some(format!("transaction/{}", text("/transaction/uuid")?)),
        CAMPAIGN_MEMBER => Some(format!("campaign/{}", text("/campaign/key")?)),
        LICENSED => Some(format!("asset/{}", text("/licensed/asset")?)),
        COVERED => Some(format!("transaction/{}", text("/covered/transaction")?)),
        LINK => Some(format!("link/{}", text("/link/part")?)),
        PORTAL_ASSET => Some(event.subject.clone()?),
        PORTAL_COLLECTION => Some(format!("collection/{}", text("/collection/key")?)),
        _ => None,
    }
}

fn reduce(memory: &Memory<'_>) -> Reduced {
    match memory.key.split('/').next() {
        Some("campaign") => campaign::turn(memory),
        Some("asset") => asset::turn(memory),
        Some("link") => link::turn(memory),
        Some("portal") => portal_asset::turn(memory),
        Some("collection") => portal_collection::turn(memory),
        _ => licence::turn(memory),
    }
}

/// What the first read keeps to itself about one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swallows {
    pub(super) expired: bool,
    pub(super) limit: bool,
    pub(super) review: bool,
}

/// What would have been said of a transaction if it were new.
pub(super) fn swallows(transaction: &Transaction, rules: &Rules, now: Time) -> Swallows {
    let phase = transaction.state.as_deref().and_then(Phase::of);
    let held = !phase.is_some_and(Phase::holds_nothing);
    let zone = days::zone(&rules.zone);
    let over = |until: &String| {
        Time::parse(until).is_ok_and(|until| days::ends(days::last_day(until, &zone), &zone) <= now)
    };
    let least = rules.percents.first().copied();
    let near = |counter: &super::record::Counter| {
        terms::percent(counter)
            .zip(least)
            .is_some_and(|(percent, least)| percent >= least)
    };
    Swallows {
        expired: held
            && transaction
                .terms
                .iter()
                .any(|term| term.valid_until.as_ref().is_some_and(over)),
        limit: held && transaction.counters.values().any(near),
        review: !review::reasons(transaction).is_empty(),
    }
}
