//! The events that the connector brings, each with its nouns, schema, sample and sentence. What
//! `verified` says: whether the provider's public documents have it; most are rules of ours over
//! public fields. When they happen is decided in `memory`.

use bellwether_model::connector::{ThresholdDef, TriggerDef};
use serde_json::Value;

use super::{EXPIRING, FIRST_USE_DUE, LIMIT_NEAR, LIMIT_REACHED, schema};

/// Days before a date of a licence.
pub(super) const DAYS: &str = "days";
/// Per cent of a limit.
pub(super) const PERCENT: &str = "percent";

/// What flows may hand over.
pub(super) const THRESHOLDS: &[ThresholdDef] = &[
    ThresholdDef {
        name: DAYS,
        summary: "How many days before the end of a licence, or before its first use is due, it is \
                  told of; each once.",
        events: &[EXPIRING, FIRST_USE_DUE],
        default: &[1, 7, 30, 90],
        most: 3_650,
        passed: "/license/passed",
    },
    ThresholdDef {
        name: PERCENT,
        summary: "At how many per cent of a limit it is told of, each once; from 100 on the limit is \
                  reached.",
        events: &[LIMIT_NEAR, LIMIT_REACHED],
        default: &[80, 95, 100],
        most: 1_000,
        passed: "/limit/passed",
    },
];

const ACTION: &[&str] = &["asset", "transaction", "actor", "severity", "action"];
const CHANGE: &[&str] = &["asset", "transaction", "actor", "severity", "change"];
const LICENSE: &[&str] = &["asset", "transaction", "actor", "severity", "license"];
const LICENSED: &[&str] = &["severity", "licensed"];
const COVERED: &[&str] = &["severity", "covered"];
const LIMIT: &[&str] = &["asset", "transaction", "actor", "severity", "limit"];
const REQUEST: &[&str] = &["asset", "transaction", "actor", "severity", "request"];
const REVIEW: &[&str] = &["asset", "transaction", "actor", "severity", "review"];
const USE: &[&str] = &["asset", "transaction", "actor", "severity", "use"];
const VIOLATION: &[&str] = &["asset", "transaction", "actor", "severity", "violation"];
const BASELINE: &[&str] = &["baseline"];
const CAMPAIGN_SEVERITY: &[&str] = &["campaign", "severity"];
const LINK: &[&str] = &["link"];
const PORTAL_ASSET: &[&str] = &["portal", "watch"];
const PORTAL_COLLECTION: &[&str] = &["collection"];
const SWALLOWED: &[&str] = &["swallowed"];
const SEVERITY_CAMPAIGN: &[&str] = &["severity", "campaign"];
const SEVERITY_SYNC: &[&str] = &["severity", "sync"];
const TRANSACTION_RULES: &[&str] = &["transaction", "rules"];
const UNREADABLE: &[&str] = &["unreadable"];
const WEBHOOK: &[&str] = &["webhook"];

/// Every event type, in the order in which people look for them.
pub(super) const ALL: &[TriggerDef] = &[
    TriggerDef {
        event: "smintio.asset.review_required",
        summary: "A new asset has something that legal or brand should look at; the \
                  reasons are rules over the feed's fields.",
        nouns: REVIEW,
        schema: || schema::of(REVIEW),
        sample: || sample("smintio.asset.review_required", REVIEW),
        sentence: "{{ asset.name or transaction.uuid }} should be looked at: {{ \
                   review.new | join(', ') }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.expiring",
        summary: "A term of a licence ends in so many days. Each threshold is told once, \
                  the tightest one on first sight, and anew after a renewal.",
        nouns: LICENSE,
        schema: || schema::of(LICENSE),
        sample: || sample("smintio.license.expiring", LICENSE),
        sentence: "{{ asset.name or transaction.uuid }} may be used until {{ \
                   license.last_day }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.expired",
        summary: "The last day of a term is over in the connection's zone.",
        nouns: LICENSE,
        schema: || schema::of(LICENSE),
        sample: || sample("smintio.license.expired", LICENSE),
        sentence: "{{ asset.name or transaction.uuid }} may no longer be used since {{ \
                   license.last_day }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.first_use_due",
        summary: "The first use must begin soon. Whether it has begun nobody knows.",
        nouns: LICENSE,
        schema: || schema::of(LICENSE),
        sample: || sample("smintio.license.first_use_due", LICENSE),
        sentence: "{{ asset.name or transaction.uuid }} must be used first by {{ \
                   license.last_day }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.renewed",
        summary: "What was told of a term no longer holds: its date is later now, or another \
                  licence of the same asset, as wide as far as is known, takes over from it.",
        nouns: LICENSE,
        schema: || schema::of(LICENSE),
        sample: || sample("smintio.license.renewed", LICENSE),
        sentence: "{{ asset.name or transaction.uuid }} was renewed",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.usage_limit_near",
        summary: "A counter of a licence has come near its limit.",
        nouns: LIMIT,
        schema: || schema::of(LIMIT),
        sample: || sample("smintio.license.usage_limit_near", LIMIT),
        sentence: "{{ asset.name or transaction.uuid }} has used {{ limit.current }} of \
                   {{ limit.max }} {{ limit.counter }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.usage_limit_reached",
        summary: "A counter of a licence has reached its limit.",
        nouns: LIMIT,
        schema: || schema::of(LIMIT),
        sample: || sample("smintio.license.usage_limit_reached", LIMIT),
        sentence: "{{ asset.name or transaction.uuid }} has reached {{ limit.max }} {{ \
                   limit.counter }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.submitted",
        summary: "A purchase was begun and waits to be let through.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.submitted", REQUEST),
        sentence: "{{ actor.name or 'Somebody' }} asked for {{ asset.name or \
                   transaction.uuid }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.approved",
        summary: "A purchase was let through and is being delivered.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.approved", REQUEST),
        sentence: "{{ asset.name or transaction.uuid }} was let through",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.delivered",
        summary: "A purchase is complete.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.delivered", REQUEST),
        sentence: "{{ asset.name or transaction.uuid }} is here",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.failed",
        summary: "A purchase went wrong.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.failed", REQUEST),
        sentence: "The purchase of {{ asset.name or transaction.uuid }} went wrong",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.cancelled",
        summary: "A purchase was given up before it was paid. The feed knows no \
                  rejection.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.cancelled", REQUEST),
        sentence: "The purchase of {{ asset.name or transaction.uuid }} was cancelled",
        verified: false,
    },
    TriggerDef {
        event: "smintio.request.rejected",
        summary: "A request in a portal was declined; comes by webhook only.",
        nouns: REQUEST,
        schema: || schema::of(REQUEST),
        sample: || sample("smintio.request.rejected", REQUEST),
        sentence: "The request for {{ asset.name or transaction.uuid }} was declined",
        verified: false,
    },
    TriggerDef {
        event: "smintio.compliance.violation",
        summary: "A licence is used against its terms: over its limit, after its end, or \
                  after it was cancelled. Other rules come by webhook.",
        nouns: VIOLATION,
        schema: || schema::of(VIOLATION),
        sample: || sample("smintio.compliance.violation", VIOLATION),
        sentence: "{{ asset.name or transaction.uuid }}: {{ violation.rule }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.asset.updated",
        summary: "A file of an asset has a new version, or there is one more; also of an asset that \
                  is watched in a portal.",
        nouns: CHANGE,
        schema: || schema::of(CHANGE),
        sample: || sample("smintio.asset.updated", CHANGE),
        sentence: "{{ asset.name or transaction.uuid }} has a new file",
        verified: true,
    },
    TriggerDef {
        event: "smintio.asset.replaced",
        summary: "The files of an asset were replaced by others; in a portal and by webhook the \
                  asset by another one.",
        nouns: CHANGE,
        schema: || schema::of(CHANGE),
        sample: || sample("smintio.asset.replaced", CHANGE),
        sentence: "{{ asset.name or transaction.uuid }} was replaced",
        verified: false,
    },
    TriggerDef {
        event: "smintio.asset.published",
        summary: "An asset of a watched search was published or seen for the first time, told once \
                  when its time has come; else by webhook.",
        nouns: CHANGE,
        schema: || schema::of(CHANGE),
        sample: || sample("smintio.asset.published", CHANGE),
        sentence: "{{ asset.name or transaction.uuid }} was published",
        verified: false,
    },
    TriggerDef {
        event: "smintio.asset.used",
        summary: "An asset is used in a document; comes by webhook only.",
        nouns: USE,
        schema: || schema::of(USE),
        sample: || sample("smintio.asset.used", USE),
        sentence: "{{ asset.name or transaction.uuid }} is used in {{ use.document }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.action.required",
        summary: "A purchase has been in the same phase for too long, or a webhook asks \
                  for something.",
        nouns: ACTION,
        schema: || schema::of(ACTION),
        sample: || sample("smintio.action.required", ACTION),
        sentence: "{{ asset.name or transaction.uuid }} waits for somebody: {{ \
                   action.action }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.action.completed",
        summary: "What was waited for has happened.",
        nouns: ACTION,
        schema: || schema::of(ACTION),
        sample: || sample("smintio.action.completed", ACTION),
        sentence: "{{ asset.name or transaction.uuid }}: {{ action.action }} is done",
        verified: false,
    },
    TriggerDef {
        event: "smintio.campaign.finalized",
        summary: "The whole set of a watched collection or project is there, or a portal's \
                  collection is ready; a part of it is not told.",
        nouns: SEVERITY_CAMPAIGN,
        schema: || schema::of(SEVERITY_CAMPAIGN),
        sample: || sample("smintio.campaign.finalized", SEVERITY_CAMPAIGN),
        sentence: "{{ campaign.name }} is final with {{ campaign.asset_count }} assets",
        verified: false,
    },
    TriggerDef {
        event: "smintio.sync.failed",
        summary: "The link to the tenant, or a provider's delivery, fails for some \
                  minutes or needs somebody.",
        nouns: SEVERITY_SYNC,
        schema: || schema::of(SEVERITY_SYNC),
        sample: || sample("smintio.sync.failed", SEVERITY_SYNC),
        sentence: "{{ sync.component }} fails: {{ sync.message or sync.code }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.sync.recovered",
        summary: "What failed works again, and has for some minutes.",
        nouns: SEVERITY_SYNC,
        schema: || schema::of(SEVERITY_SYNC),
        sample: || sample("smintio.sync.recovered", SEVERITY_SYNC),
        sentence: "{{ sync.component }} works again",
        verified: false,
    },
    TriggerDef {
        event: "smintio.transaction",
        summary: "A licence purchase transaction came or changed: the record from which \
                  the other events follow.",
        nouns: TRANSACTION_RULES,
        schema: || schema::of(TRANSACTION_RULES),
        sample: || sample("smintio.transaction", TRANSACTION_RULES),
        sentence: "{{ transaction.asset.name or transaction.uuid }} is {{ \
                   transaction.state or 'in a state that is not known' }}",
        verified: true,
    },
    TriggerDef {
        event: "smintio.transaction.unreadable",
        summary: "A record of the feed could not be read; it stopped nothing.",
        nouns: UNREADABLE,
        schema: || schema::of(UNREADABLE),
        sample: || sample("smintio.transaction.unreadable", UNREADABLE),
        sentence: "A record of the licence feed could not be read: {{ unreadable.reason \
                   }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.baseline",
        summary: "The first read of a tenant is over; this many things were taken notice \
                  of in silence.",
        nouns: BASELINE,
        schema: || schema::of(BASELINE),
        sample: || sample("smintio.baseline", BASELINE),
        sentence: "{{ baseline.transactions }} licences were read for the first time",
        verified: false,
    },
    TriggerDef {
        event: "smintio.link",
        summary: "The state of a part of our link changed; the memory that damps it \
                  reads this.",
        nouns: LINK,
        schema: || schema::of(LINK),
        sample: || sample("smintio.link", LINK),
        sentence: "The link ({{ link.part }}) is {{ 'well' if link.ok else 'not well' }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.asset.licensed",
        summary: "A licence of an asset came, changed or is no longer held; the memory of the \
                  asset reads this.",
        nouns: LICENSED,
        schema: || schema::of(LICENSED),
        sample: || sample("smintio.asset.licensed", LICENSED),
        sentence: "A licence of {{ licensed.asset }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.license.covered",
        summary: "A licence takes over from another one of the same asset, or no longer does; the \
                  memory of the licence reads this.",
        nouns: COVERED,
        schema: || schema::of(COVERED),
        sample: || sample("smintio.license.covered", COVERED),
        sentence: "{{ covered.transaction }} is covered by {{ covered.cover.by if covered.cover \
                   else 'no other licence' }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.campaign.member",
        summary: "An asset of a watched campaign came, changed or left; the memory of \
                  the campaign reads this.",
        nouns: CAMPAIGN_SEVERITY,
        schema: || schema::of(CAMPAIGN_SEVERITY),
        sample: || sample("smintio.campaign.member", CAMPAIGN_SEVERITY),
        sentence: "{{ campaign.name }}: {{ campaign.member.status if campaign.member else \
                   'changed' }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.portal.asset",
        summary: "An asset that is watched in a portal came or changed: the record from which the \
                  other events follow.",
        nouns: PORTAL_ASSET,
        schema: || schema::of(PORTAL_ASSET),
        sample: || sample("smintio.portal.asset", PORTAL_ASSET),
        sentence: "{{ portal.name or portal.id }} is as {{ watch }} shows it",
        verified: false,
    },
    TriggerDef {
        event: "smintio.portal.collection",
        summary: "A watched collection of a portal has other contents than before; the memory of \
                  the collection reads this.",
        nouns: PORTAL_COLLECTION,
        schema: || schema::of(PORTAL_COLLECTION),
        sample: || sample("smintio.portal.collection", PORTAL_COLLECTION),
        sentence: "{{ collection.name }} has {{ collection.sum.assets }} assets",
        verified: false,
    },
    TriggerDef {
        event: "smintio.portal.baseline",
        summary: "What is watched in a portal was read for the first time; this many things were \
                  taken notice of in silence.",
        nouns: SWALLOWED,
        schema: || schema::of(SWALLOWED),
        sample: || sample("smintio.portal.baseline", SWALLOWED),
        sentence: "{{ swallowed.assets }} assets of the portal were read for the first time",
        verified: false,
    },
    TriggerDef {
        event: "smintio.portal.unreadable",
        summary: "A record of a portal could not be read; it stopped nothing.",
        nouns: UNREADABLE,
        schema: || schema::of(UNREADABLE),
        sample: || sample("smintio.portal.unreadable", UNREADABLE),
        sentence: "A record of the portal could not be read: {{ unreadable.reason }}",
        verified: false,
    },
    TriggerDef {
        event: "smintio.webhook.undecodable",
        summary: "A webhook was signed rightly and could not be understood; its body is \
                  kept.",
        nouns: WEBHOOK,
        schema: || schema::of(WEBHOOK),
        sample: || sample("smintio.webhook.undecodable", WEBHOOK),
        sentence: "A webhook could not be understood: {{ webhook.reason }}",
        verified: false,
    },
];

/// A sample that fits its own event.
fn sample(event: &str, nouns: &[&str]) -> Value {
    let mut sample = schema::sample(nouns);
    if let Some(word) = event.strip_prefix("smintio.request.") {
        sample["request"]["state_to"] = word.into();
    }
    if event == super::RENEWED {
        sample["license"] = serde_json::json!({"id": "0b6a2f6e-6f0e-4f5e-8a44-0d6f3a1b2c3d/1",
            "sequence_number": 1, "term_name": "Print", "valid_until": "2026-03-31T20:00:00Z",
            "renewed_by": "7c1d9e04-2b6f-4a55-9f7e-52c0a7f5d8e1",
            "renewed_until": "2027-03-31T20:00:00Z"});
    }
    if event == super::CAMPAIGN_MEMBER {
        sample["campaign"] = serde_json::json!({"kind": "collection", "name": "Spring images",
            "key": "collection/Spring images", "quiet_hours": 24,
            "member": {"uuid": "t-1", "status": "done", "baseline": false}});
    }
    sample
}
