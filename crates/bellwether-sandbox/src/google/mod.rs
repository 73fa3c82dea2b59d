//! The stand-in for Google: token endpoint, Gmail REST API and a small Pub/Sub. Here are its state,
//! its doors and the control surface's entry; the rules are in the modules below.
//!
//! Shapes and types follow Google's discovery documents and are checked against them by
//! `tests/python`. Behaviour follows Google's guides where they speak. **Reported** by users only:
//! sending replaces Message-ID; header bytes beyond ASCII that were not encoded arrive garbled;
//! attachment ids change. **Ours**, because nothing public says it or a test needs it: a DMARC
//! verdict never rejects or moves a mail, so that forged mail reaches the flow under test; DKIM
//! signatures from outside are never verified; text parts come as UTF-8 whatever their charset;
//! `import` takes the client of the call as source of the mail, as SMTP does, where Google says
//! that it checks no SPF, and puts mail without labels into the inbox, unread; a start of history
//! in the future is not found; a watch and the tokens live in real time, everything that people
//! see in flow time. Nothing was tried against the live service.
//!
//! On the control surface: `GET /admin/mailboxes/{address}`, `GET /admin/outside`, `POST
//! /admin/mail` (as SMTP would), `POST /admin/read`, `GET|POST /admin/domains`, and
//! `POST /admin/google` with the knobs `replace_message_id`, `expire_history`, `hide_from_history`,
//! `delay_history` with `delay_history_ms`, `expire_watch`, `revoke_refresh`, `restore_refresh`,
//! `access_token_seconds`, `scopes` (of `address`), `units_per_minute`, `quota_profile` (`legacy`
//! or `2026`) and `quota_forbids`. History knobs hold for `address`, or for all when it is left
//! out. `GET /admin/google` tells the units of quota each mailbox used.

mod batch;
mod call;
mod control;
mod delivery;
mod domains;
mod drafts;
mod errors;
mod format;
mod history;
mod ids;
mod labels;
mod labels_api;
mod letter;
mod listing;
mod mailbox;
mod matching;
mod messages;
mod oauth;
mod pubsub;
mod query;
mod quota;
mod threads;
mod upload;
mod user;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use serde_json::{Map, Value, json};

pub(crate) use delivery::{Envelope, deliver, mailbox_for};
pub use mailbox::MAILBOX_BYTES_LIMIT;

use crate::faults::REQUEST_LIMIT;
use crate::people::Person;
use crate::world::{World, lock};
use crate::{Door, StandIn};
use delivery::Outside;
use domains::Domains;
use ids::Ids;
use mailbox::Mailbox;
use oauth::Tokens;
use pubsub::PubSub;
use quota::Quota;

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "google",
    door: Door::Http(1, router),
    targets: &["google.token", "google.gmail", "google.pubsub"],
    admin: control::routes,
    info,
    reset,
};

/// Switches of the control surface.
#[derive(Debug)]
pub(crate) struct Knobs {
    /// Whether sending gives a new Message-ID, as the API of Gmail is reported to do.
    pub(crate) replace_message_id: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            replace_message_id: true,
        }
    }
}

/// The state of the stand-in.
#[derive(Debug)]
pub(crate) struct Google {
    /// By address in lower case.
    mailboxes: BTreeMap<String, Mutex<Mailbox>>,
    bytes_limit: usize,
    tokens: Mutex<Tokens>,
    pubsub: PubSub,
    domains: Mutex<Domains>,
    outside: Mutex<Outside>,
    knobs: Mutex<Knobs>,
    sessions: Mutex<upload::Sessions>,
    quota: Mutex<Quota>,
    ids: Ids,
}

impl Google {
    /// A mailbox for every person, each with room for `bytes_limit`.
    pub(crate) fn new(people: &[Person], bytes_limit: usize) -> Self {
        let mailboxes = people.iter().map(|person| {
            let address = person.address.to_lowercase();
            (
                address.clone(),
                Mutex::new(Mailbox::new(&address, bytes_limit)),
            )
        });
        Self {
            mailboxes: mailboxes.collect(),
            bytes_limit,
            tokens: Mutex::default(),
            pubsub: PubSub::default(),
            domains: Mutex::default(),
            outside: Mutex::default(),
            knobs: Mutex::default(),
            sessions: Mutex::default(),
            quota: Mutex::default(),
            ids: Ids::default(),
        }
    }

    /// Whether a mailbox that exists has room for a message of this size and its stamps.
    pub(crate) fn has_room(&self, address: &str, size: usize) -> bool {
        self.with(address, |m| m.has_room(size + mailbox::STAMPS))
    }

    /// Works on a mailbox that exists, then publishes what it wants to notify.
    pub(crate) fn with<R>(&self, address: &str, work: impl FnOnce(&mut Mailbox) -> R) -> R {
        let mailbox = self.mailboxes.get(address);
        // Addresses come from the map itself, so this stands for a mistake in this crate.
        let mailbox = mailbox.expect("only addresses that have a mailbox are worked on");
        let mut mailbox = lock(mailbox);
        let result = work(&mut mailbox);
        let notices = std::mem::take(&mut mailbox.notices);
        drop(mailbox);
        for notice in notices {
            if self
                .pubsub
                .publish_data(&notice.topic, &notice.data)
                .is_none()
            {
                tracing::debug!(topic = notice.topic, "a notification had no topic any more");
            }
        }
        result
    }
}

fn router(world: &Arc<World>) -> Router {
    let token = crate::faults::guard(oauth::routes(world), world, "google.token");
    let gmail = messages::routes()
        .merge(threads::routes())
        .merge(drafts::routes())
        .merge(labels_api::routes())
        .merge(user::routes())
        .merge(upload::routes())
        .with_state(Arc::clone(world));
    let gmail = gmail.clone().merge(batch::routes(gmail));
    let gmail = gmail.layer(DefaultBodyLimit::max(REQUEST_LIMIT));
    let gmail = crate::faults::guard(gmail, world, "google.gmail");
    let pubsub = crate::faults::guard(pubsub::routes(world), world, "google.pubsub");
    token.merge(gmail).merge(pubsub).fallback(unknown)
}

async fn unknown() -> errors::GoogleError {
    errors::GoogleError::not_found()
}

fn info(world: &World) -> Map<String, Value> {
    let google = world.addresses.url("google");
    let mailboxes: Vec<Value> = world
        .people
        .iter()
        .map(|p| {
            json!({"address": p.address, "person": p.id, "client_id": oauth::CLIENT_ID,
                "client_secret": oauth::CLIENT_SECRET, "refresh_token": oauth::refresh_token(p)})
        })
        .collect();
    let mut info = Map::new();
    info.insert("token_url".to_owned(), json!(format!("{google}/token")));
    info.insert("google_url".to_owned(), json!(google));
    info.insert("mailboxes".to_owned(), json!(mailboxes));
    info
}

fn reset(world: &World) {
    let google = &world.google;
    for (address, mailbox) in &google.mailboxes {
        *lock(mailbox) = Mailbox::new(address, google.bytes_limit);
    }
    *lock(&google.tokens) = Tokens::default();
    *lock(&google.domains) = Domains::default();
    *lock(&google.outside) = Outside::default();
    *lock(&google.knobs) = Knobs::default();
    *lock(&google.sessions) = upload::Sessions::default();
    *lock(&google.quota) = Quota::default();
    google.pubsub.reset();
}
