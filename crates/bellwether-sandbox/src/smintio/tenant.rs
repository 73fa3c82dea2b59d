//! One tenant: its credentials, its people, its settings and the state of every part. What happens
//! in it is in `life.rs` and `requests.rs`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::grants::{FEED_SCOPES, Grants, PORTAL_SCOPES};
use super::hooks::Sent;
use super::ids;
use super::ledger::Ledger;
use super::portals::Tasks;
use super::pusher::{HintKnobs, KEY};
use super::requests::Requests;
use super::shelf::Shelf;
use super::signing::hmac;
use super::trouble::Redirect;
use super::week::Week;
use super::wire::{Around, Buyer};
use crate::clock::real_now;
use crate::people::Person;

/// People of the sandbox who buy at a tenant.
const BUYERS: usize = 4;
/// A buyer whom no directory of the customer knows.
const OUTSIDER: &str = "Agentur Nordlicht";

/// Where the operations of the feed are, below `/{tenant}/consumer/v1/`. The real ones are not
/// public: these defaults are unverified and can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paths {
    pub(crate) metadata: String,
    pub(crate) transactions: String,
    /// With `{cartPurchaseTransactionUuid}` and `{licensePurchaseTransactionUuid}` in it, or
    /// without: then both come as parameters.
    pub(crate) binaries: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            metadata: "genericMetadata/sync".to_owned(),
            transactions: "licensePurchaseTransactions/sync".to_owned(),
            binaries: "cartPurchaseTransactions/{cartPurchaseTransactionUuid}/\
                licensePurchaseTransactions/{licensePurchaseTransactionUuid}/binaries/sync"
                .to_owned(),
        }
    }
}

/// What the feed answers as its cursor when there is nothing more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndCursor {
    /// The one that was asked with.
    #[default]
    Same,
    /// Another one for the same place.
    New,
    Null,
}

/// What can be set on a tenant.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Knobs {
    pub(crate) paths: Paths,
    /// Consent is given without a page.
    pub(crate) auto_consent: bool,
    /// Whether a client may ask for a token of its own; unknown of the real service.
    pub(crate) client_credentials: bool,
    /// Issuer to name instead of the address; real ones need not be the tenant's host.
    pub(crate) issuer: Option<String>,
    /// Counters grow without a new delivery; unknown of the real service.
    pub(crate) silent_counters: bool,
    pub(crate) end_cursor: EndCursor,
    /// Task mails are not sent.
    pub(crate) no_mails: bool,
    /// Where requests are told by webhook.
    pub(crate) webhook_url: Option<String>,
    /// How many times a background task is asked for before it is done.
    pub(crate) task_polls: u32,
    /// Whether tasks can be searched; unknown of the real service.
    pub(crate) task_search: bool,
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// The number in the name of its push channel.
    pub(crate) channel_id: u64,
    pub(crate) portal: String,
    pub(crate) buyers: Vec<Buyer>,
    pub(crate) grants: Grants,
    pub(crate) ledger: Ledger,
    pub(crate) requests: Requests,
    pub(crate) tasks: Tasks,
    pub(crate) shelf: Shelf,
    pub(crate) week: Week,
    pub(crate) knobs: Knobs,
    pub(crate) hints: HintKnobs,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) sent: Sent,
    /// Turns of the webhook secret.
    turn: u64,
    /// Refresh tokens that `/admin/info` shows, for the feed and for portals.
    starters: [Option<String>; 2],
}

impl Tenant {
    pub(crate) fn new(id: &str, seed: u64, seeded: u64, people: &[Person], now: Timestamp) -> Self {
        let buyer = |person: &str, name: &str| Buyer {
            person: person.to_owned(),
            uuid: ids::of_text("user", seed, person),
            name: name.to_owned(),
        };
        let with_phone = people.iter().filter(|p| p.phone).take(BUYERS);
        let mut buyers: Vec<Buyer> = with_phone.map(|p| buyer(&p.id, &p.name)).collect();
        buyers.push(buyer("", OUTSIDER));
        Self {
            client_id: format!("{id}-client"),
            client_secret: format!("{id}-client-secret"),
            // Every tenant has a channel of its own, made of its name so that it stays the same.
            channel_id: 1_000
                + id.bytes()
                    .fold(seed % 900_000, |n, b| (n * 31 + u64::from(b)) % 900_000),
            portal: ids::uuid("portal", seed, 1),
            grants: Grants::new(format!("{id}|{seed}|{}", real_now().as_nanosecond())),
            ledger: Ledger::new(seed, seeded, now, buyers.len()),
            buyers,
            requests: Requests::default(),
            tasks: Tasks::default(),
            shelf: Shelf::default(),
            week: Week::default(),
            knobs: Knobs::default(),
            hints: HintKnobs::default(),
            redirect: None,
            sent: Sent::default(),
            turn: 0,
            starters: [None, None],
            id: id.to_owned(),
        }
    }

    pub(crate) fn channel(&self) -> String {
        format!("private-2-{}", self.channel_id)
    }

    pub(crate) fn around<'a>(&'a self, url: &'a str) -> Around<'a> {
        Around {
            tenant: &self.id,
            url,
            seed: self.ledger.seed,
            buyers: &self.buyers,
        }
    }

    /// The secret that webhooks are signed with, `back` turns ago, in base64.
    pub(crate) fn webhook_secret(&self, back: u64) -> String {
        let turn = self.turn.saturating_sub(back);
        let text = format!("webhook|{}|{turn}", self.ledger.seed);
        BASE64_STANDARD.encode(hmac(self.id.as_bytes(), text.as_bytes()))
    }

    /// A new secret for webhooks; the old one can still be signed with on request.
    pub(crate) fn turn_webhook_secret(&mut self) -> String {
        self.turn += 1;
        self.webhook_secret(0)
    }

    /// A refresh token that still works: the same one until somebody used it.
    fn starter(&mut self, which: usize, now: Timestamp) -> String {
        let fresh = |text: &String| self.grants.is_fresh(text, now);
        if let Some(text) = self.starters[which].clone().filter(|t| fresh(t)) {
            return text;
        }
        let person = self.buyers.first().map_or("", |b| b.person.as_str());
        let scope = [FEED_SCOPES, PORTAL_SCOPES][which];
        let text = self.grants.starter(person, scope, now);
        self.starters[which] = Some(text.clone());
        text
    }

    /// What `/admin/info` tells about the tenant.
    pub(crate) fn info(&mut self, url: &str, now: Timestamp) -> Value {
        let (refresh, portals) = (self.starter(0, now), self.starter(1, now));
        let base = format!("{url}/{}", self.id);
        json!({
            "tenant": self.id, "url": url,
            "issuer": base, "authorize_url": format!("{base}/connect/authorize"),
            "token_url": format!("{base}/connect/token"),
            "client_id": self.client_id, "client_secret": self.client_secret,
            "refresh_token": refresh,
            "feed_url": format!("{base}/consumer/v1"), "paths": self.knobs.paths,
            "pusher": {"key": KEY, "channel": self.channel(), "channel_id": self.channel_id,
                "auth_url": format!("{base}/consumer/v1/notifications/pusher/auth"),
                "host": url.strip_prefix("http://").unwrap_or(url)},
            "portals": {"url": format!("{base}/frontend/v1"), "portal_uuid": self.portal,
                "refresh_token": portals},
            "webhook_secret": self.webhook_secret(0),
        })
    }
}
