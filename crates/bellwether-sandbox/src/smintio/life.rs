//! What happens to a tenant's licences, one deed at a time: bought, approved, delivered, rejected,
//! failed, used, expired, renewed, updated, replaced, published, a campaign. Every deed moves what
//! it changes to the end of the feed and gives a hint. Requests and mails are in `requests.rs`.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pusher;
use super::record::{COMPLETED, COUNTERS, Counter, Lpt, Odd, STATES, Term, days_after};
use super::tenant::Tenant;
use crate::world::World;

/// Transactions that one deed can make.
const MADE_LIMIT: usize = 1_000;

/// The deeds of this file.
pub(crate) const DEEDS: [&str; 14] = [
    "buy",
    "step",
    "approve",
    "deliver",
    "reject",
    "cancel",
    "fail",
    "redeliver",
    "expire",
    "usage",
    "renew",
    "update",
    "replace",
    "publish",
];

/// Does one deed; the error is a sentence that says what to give instead.
pub(crate) fn perform(
    world: &World,
    tenant: &str,
    deed: &str,
    body: Value,
) -> Result<Value, String> {
    let now = world.clock.now();
    let done = world.smintio.with(tenant, |t| match deed {
        "buy" => buy(t, parse(body)?, now),
        "campaign" => campaign(t, parse(body)?, now),
        "campaign_finish" => campaign_finish(t, parse(body)?, now),
        "usage" => usage(t, parse(body)?, now),
        "expire" => expire(t, parse(body)?, now),
        "renew" => renew(t, parse(body)?, now),
        _ => change(t, deed, parse(body)?, now),
    });
    let done = done.unwrap_or_else(|| Err(format!("there is no tenant {tenant:?}")))?;
    for line in &done.lines {
        world.tell(
            "smintio",
            "",
            line.clone(),
            json!({"tenant": tenant, "deed": deed}),
        );
    }
    if !done.silent {
        pusher::hint(world, tenant);
    }
    Ok(done.answer)
}

fn parse<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, String> {
    serde_json::from_value(body).map_err(|error| error.to_string())
}

/// What a deed leads to.
struct Done {
    answer: Value,
    lines: Vec<String>,
    /// Nobody is told by the push channel.
    silent: bool,
}

type Doing = Result<Done, String>;

fn done(tenant: &Tenant, lpt: &Lpt, words: &str) -> Done {
    let uuid = tenant.around("").uuid(lpt.number);
    Done {
        answer: json!({"uuid": uuid, "state": lpt.state, "version": lpt.version}),
        lines: vec![format!("{} {words}.", lpt.name)],
        silent: false,
    }
}

fn put(tenant: &mut Tenant, lpt: Lpt) -> Result<(), String> {
    let words = "too many transactions were changed; reset the sandbox";
    tenant
        .ledger
        .put(lpt)
        .then_some(())
        .ok_or_else(|| words.to_owned())
}

/// The transaction that a deed names; the newest one when it names none.
fn named(tenant: &Tenant, uuid: Option<&String>) -> Result<Lpt, String> {
    let found = match uuid {
        Some(uuid) => tenant.ledger.find(uuid),
        None => tenant.ledger.newest(0, 1).pop(),
    };
    found.ok_or_else(|| "there is no transaction with this uuid".to_owned())
}

/// A purchase; every field is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Buy {
    name: Option<String>,
    /// Id of the person who buys.
    by: Option<String>,
    state: Option<String>,
    project: Option<String>,
    collection: Option<String>,
    provider: Option<String>,
    content_type: Option<String>,
    license_type: Option<String>,
    restrictive: Option<bool>,
    editorial: Option<bool>,
    ai: Option<bool>,
    model_release: Option<String>,
    property_release: Option<String>,
    valid_until: Option<Timestamp>,
    to_be_used_until: Option<Timestamp>,
    /// Days until the licence ends, instead of a date.
    valid_days: Option<i64>,
    usage_limits: Vec<String>,
    max_downloads: Option<i64>,
    max_users: Option<i64>,
    max_reuses: Option<i64>,
    odd: Vec<Odd>,
    /// The transaction whose licence is used again.
    reuses: Option<String>,
    /// Buys so many; they are numbered.
    count: Option<usize>,
}

fn begun(tenant: &Tenant, buy: &Buy, now: Timestamp) -> Result<Lpt, String> {
    let number = tenant.ledger.next_number();
    let name = buy
        .name
        .clone()
        .unwrap_or_else(|| format!("Picture {number}"));
    let mut lpt = Lpt::begun(number, &name, now);
    if let Some(state) = &buy.state {
        state.clone_into(&mut lpt.state);
    }
    if let Some(by) = &buy.by {
        let at = tenant
            .buyers
            .iter()
            .position(|b| b.person == *by || b.name == *by);
        lpt.buyer = at.ok_or_else(|| format!("{by:?} buys nothing at this tenant"))?;
    }
    let set = |to: &mut String, from: &Option<String>| {
        if let Some(from) = from {
            from.clone_into(to);
        }
    };
    set(&mut lpt.project, &buy.project);
    set(&mut lpt.provider, &buy.provider);
    set(&mut lpt.content_type, &buy.content_type);
    set(&mut lpt.license_type, &buy.license_type);
    lpt.collection.clone_from(&buy.collection);
    lpt.restrictive = buy.restrictive.or(lpt.restrictive);
    lpt.editorial = buy.editorial.or(lpt.editorial);
    lpt.ai = buy.ai.or(lpt.ai);
    lpt.model_release = buy.model_release.clone().or(lpt.model_release);
    lpt.property_release = buy.property_release.clone().or(lpt.property_release);
    lpt.terms = vec![Term {
        valid_from: Some(now),
        valid_until: buy
            .valid_until
            .or(buy.valid_days.map(|days| days_after(now, days))),
        to_be_used_until: buy.to_be_used_until,
        usage_limits: buy.usage_limits.clone(),
        editorial: lpt.editorial,
        ..Term::default()
    }];
    let most = [buy.max_downloads, buy.max_users, buy.max_reuses];
    for (counter, most) in lpt.counters.iter_mut().zip(most) {
        let current = Some(0);
        *counter = Counter { current, most };
    }
    if buy.reuses.is_some() {
        lpt.reuses = Some(named(tenant, buy.reuses.as_ref())?.number);
    }
    lpt.odd.clone_from(&buy.odd);
    lpt.settle(now);
    Ok(lpt)
}

fn buy(tenant: &mut Tenant, buy: Buy, now: Timestamp) -> Doing {
    let count = buy.count.unwrap_or(1);
    if count == 0 || count > MADE_LIMIT {
        return Err(format!("count is 1 to {MADE_LIMIT}"));
    }
    let mut uuids = Vec::with_capacity(count);
    let mut last = None;
    for at in 1..=count {
        let mut lpt = begun(tenant, &buy, now)?;
        if count > 1 {
            lpt.name = format!("{} {at}", lpt.name);
        }
        uuids.push(tenant.around("").uuid(lpt.number));
        put(tenant, lpt.clone())?;
        last = Some(lpt);
    }
    let lpt = last.ok_or("nothing was bought")?;
    let mut done = done(tenant, &lpt, "is being bought");
    done.answer["uuids"] = json!(uuids);
    Ok(done)
}

/// A change of one transaction.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Change {
    uuid: Option<String>,
    /// For `step`: the state to go to, also one that nobody knows.
    state: Option<String>,
    /// For `replace`: what replaces it.
    by: Option<String>,
    /// For `publish`: from and until when.
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// For `update`: which file.
    file: usize,
    /// For `redeliver`: so many of the newest, oldest first.
    count: Option<usize>,
}

fn change(tenant: &mut Tenant, deed: &str, change: Change, now: Timestamp) -> Doing {
    let mut lpt = named(tenant, change.uuid.as_ref())?;
    let ended = |what: &str| format!("{} is {} already; {what}", lpt.name, lpt.state);
    let state = match deed {
        "step" => match &change.state {
            Some(state) => Some(state.clone()),
            None => {
                let next = lpt.next_state().ok_or_else(|| ended("name a state"))?;
                Some(next.to_owned())
            }
        },
        "approve" if !lpt.state.starts_with("purchase_phase") => {
            return Err(ended("only a purchase that has just begun can be approved"));
        }
        "approve" => Some(STATES[2].to_owned()),
        "deliver" => Some(COMPLETED.to_owned()),
        // The feed knows no rejection: a purchase that is not let through is cancelled.
        "reject" | "cancel" => Some(STATES[6].to_owned()),
        "fail" => Some(STATES[5].to_owned()),
        "redeliver" => return redeliver(tenant, &change),
        "update" => {
            let words = "the file is not there; is the licence completed?";
            let file = lpt.files.get_mut(change.file).ok_or(words)?;
            *file += 1;
            None
        }
        "replace" => {
            let by = change.by.as_ref().ok_or("say with by what replaces it")?;
            lpt.replaced_by = Some(named(tenant, Some(by))?.number);
            None
        }
        "publish" => {
            lpt.publish_from = Some(change.from.unwrap_or(now));
            lpt.publish_until = change.until;
            None
        }
        other => return Err(format!("{other:?} is no deed; {} are", DEEDS.join(", "))),
    };
    let words = match &state {
        Some(state) => format!("is {}", state.replace('_', " ")),
        None => format!("has a new {deed}"),
    };
    if let Some(state) = state {
        lpt.state = state;
        lpt.settle(now);
    }
    lpt.changed(now);
    put(tenant, lpt.clone())?;
    Ok(done(tenant, &lpt, &words))
}

fn redeliver(tenant: &mut Tenant, change: &Change) -> Doing {
    let all = match change.count {
        Some(count) => tenant.ledger.newest(0, count.min(MADE_LIMIT)),
        None => vec![named(tenant, change.uuid.as_ref())?],
    };
    let count = all.len();
    for lpt in all.into_iter().rev() {
        put(tenant, lpt)?;
    }
    Ok(Done {
        answer: json!({"redelivered": count}),
        lines: vec![format!(
            "{count} transactions are given once more, unchanged."
        )],
        silent: false,
    })
}

/// Use of a licence.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Usage {
    uuid: Option<String>,
    /// `downloads`, `users` or `reuses`.
    counter: Option<String>,
    /// The new count; without one it grows by `by`.
    current: Option<i64>,
    by: Option<i64>,
    max: Option<i64>,
    /// The feed does not tell it; without a word the tenant's setting decides.
    silent: Option<bool>,
}

fn usage(tenant: &mut Tenant, usage: Usage, now: Timestamp) -> Doing {
    let mut lpt = named(tenant, usage.uuid.as_ref())?;
    let name = usage.counter.as_deref().unwrap_or(COUNTERS[0]);
    let at = COUNTERS.iter().position(|counter| *counter == name);
    let at = at.ok_or_else(|| format!("{name:?} is no counter; {} are", COUNTERS.join(", ")))?;
    let counter = &mut lpt.counters[at];
    let grown = counter
        .current
        .unwrap_or(0)
        .saturating_add(usage.by.unwrap_or(1));
    counter.current = Some(usage.current.unwrap_or(grown));
    counter.most = usage.max.or(counter.most);
    let words = format!("was used: {} {name}", counter.current.unwrap_or(0));
    let silent = usage.silent.unwrap_or(tenant.knobs.silent_counters);
    if silent {
        if !tenant.ledger.put_silently(lpt.clone()) {
            return Err("too many transactions were changed; reset the sandbox".to_owned());
        }
    } else {
        lpt.changed(now);
        put(tenant, lpt.clone())?;
    }
    let mut done = done(tenant, &lpt, &words);
    done.silent = silent;
    Ok(done)
}

/// An end of a licence that comes nearer, or is passed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expire {
    uuid: Option<String>,
    /// Which term, from 1.
    term: Option<usize>,
    /// Days from now; less than 0 is in the past.
    days: Option<i64>,
    at: Option<Timestamp>,
    /// Moves the end of the time for the first use instead.
    first_use: bool,
}

fn expire(tenant: &mut Tenant, expire: Expire, now: Timestamp) -> Doing {
    let mut lpt = named(tenant, expire.uuid.as_ref())?;
    // By itself an hour ago, so that it is past however the reader rounds.
    let hour_ago = now
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(now);
    let days = expire.days.map(|days| days_after(now, days));
    let at = expire.at.or(days).unwrap_or(hour_ago);
    let number = expire.term.unwrap_or(1);
    let term = number.checked_sub(1).and_then(|n| lpt.terms.get_mut(n));
    let term = term.ok_or("there is no such term; the first is 1")?;
    let (words, what) = if expire.first_use {
        (&mut term.to_be_used_until, "must be used first before")
    } else {
        (&mut term.valid_until, "ends on")
    };
    *words = Some(at);
    lpt.changed(now);
    put(tenant, lpt.clone())?;
    Ok(done(
        tenant,
        &lpt,
        &format!("{what} {}", at.strftime("%-d %B %Y")),
    ))
}

/// A renewal.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Renew {
    uuid: Option<String>,
    /// Days from now, 365 without a word.
    days: Option<i64>,
    /// Changes the term instead of buying anew. Real terms never change after the purchase.
    in_place: bool,
}

fn renew(tenant: &mut Tenant, renew: Renew, now: Timestamp) -> Doing {
    let mut lpt = named(tenant, renew.uuid.as_ref())?;
    let until = days_after(now, renew.days.unwrap_or(365));
    if renew.in_place {
        for term in &mut lpt.terms {
            term.valid_until = Some(until);
        }
        lpt.changed(now);
    } else {
        // The same content element under a new licence; the old transaction stays as it is.
        let old = lpt.clone();
        lpt = Lpt::begun(tenant.ledger.next_number(), &old.name, now);
        lpt.element = old.element;
        lpt.reuses = None;
        (lpt.buyer, lpt.project, lpt.collection) = (old.buyer, old.project, old.collection);
        (lpt.provider, lpt.content_type) = (old.provider, old.content_type);
        (lpt.license_type, lpt.restrictive) = (old.license_type, old.restrictive);
        lpt.terms = vec![Term {
            valid_from: Some(now),
            valid_until: Some(until),
            ..Term::default()
        }];
        COMPLETED.clone_into(&mut lpt.state);
        lpt.settle(now);
    }
    put(tenant, lpt.clone())?;
    let words = format!("is renewed until {}", until.strftime("%-d %B %Y"));
    Ok(done(tenant, &lpt, &words))
}

/// A campaign: pictures of one collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Campaign {
    name: String,
    assets: Option<usize>,
    by: Option<String>,
}

fn campaign(tenant: &mut Tenant, campaign: Campaign, now: Timestamp) -> Doing {
    let buying = Buy {
        name: Some(format!("{} motif", campaign.name)),
        collection: Some(campaign.name.clone()),
        project: Some(campaign.name.clone()),
        by: campaign.by,
        count: Some(campaign.assets.unwrap_or(4).max(2)),
        ..Buy::default()
    };
    let mut done = buy(tenant, buying, now)?;
    done.answer["collection_uuid"] = json!(tenant.around("").collection(&campaign.name));
    done.lines = vec![format!("The campaign {} is being gathered.", campaign.name)];
    Ok(done)
}

/// The end of a campaign, or a part of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    name: String,
    /// Completes only so many of those that are open.
    assets: Option<usize>,
}

fn campaign_finish(tenant: &mut Tenant, finish: Finish, now: Timestamp) -> Doing {
    let mut open = tenant.ledger.collection(&finish.name);
    if open.is_empty() {
        return Err(format!("nothing was bought for {:?}", finish.name));
    }
    open.retain(|lpt| lpt.state != COMPLETED && lpt.state != STATES[6]);
    let all = open.len();
    let most = finish.assets.unwrap_or(all).min(all);
    for mut lpt in open.into_iter().take(most) {
        COMPLETED.clone_into(&mut lpt.state);
        lpt.settle(now);
        lpt.changed(now);
        put(tenant, lpt)?;
    }
    Ok(Done {
        answer: json!({"completed": most, "open": all - most}),
        lines: vec![format!(
            "{}: {most} more are complete, {} open.",
            finish.name,
            all - most
        )],
        silent: most == 0,
    })
}
