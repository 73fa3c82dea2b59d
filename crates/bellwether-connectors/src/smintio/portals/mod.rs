//! Watched searches and collections of a portal, read through the executor of its frontend. Every
//! scan reads everything that is watched; what comes again unchanged is known by its id. What
//! follows from an asset's states is in `memory`; how a step is made is in `scan.rs`.
//!
//! **Public:** the executor's form (JSON in a text in JSON), background tasks and their pace, the
//! methods, the fields of an asset. **Not public**, and therefore settings: where tokens of a
//! portal's users are made, whose property of a page executes. **Inferred:** the form of
//! `details.errors`, paging limits, that flags of a collection are those of its assets.

mod calls;
mod place;
mod scan;
mod setup;
mod wire;

use std::collections::BTreeMap;
use std::sync::Mutex;

use bellwether_model::BoxFuture;
use bellwether_model::connector::Host;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::feed::{Feed, Handed, Judging, Record};
use bellwether_model::spec::Settings;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use self::calls::Ran;
use self::place::Place;
pub(super) use self::place::Sum;
use self::scan::Aside;
use self::setup::Reading;
pub(super) use self::setup::Ready;
pub(super) use self::wire::PortalAsset;
use super::client::Client;
use super::feed::link_event;
use super::settings::Setup;
use super::{LINK, PORTAL_ASSET, PORTAL_BASELINE, PORTAL_COLLECTION, PORTAL_UNREADABLE};

/// The portal of a tenant, as far as it is watched.
#[derive(Debug)]
pub(super) struct Portals {
    host: Host,
    client: Client,
    reading: Reading,
    aside: Mutex<Aside>,
}

impl Portals {
    /// What the settings say of portals; None when nothing is watched.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(super) fn read(
        settings: &Settings,
        setup: &Setup,
        host: &Host,
    ) -> Result<Option<Self>, Failure> {
        let Some(reading) = Reading::read(settings, setup)? else {
            return Ok(None);
        };
        let refresh = settings.secret("portals_refresh_token");
        Ok(Some(Self {
            client: Client::new(reading.interface.clone(), refresh, host),
            host: host.clone(),
            reading,
            aside: Mutex::default(),
        }))
    }

    /// Asks for one asset: whether the executor takes our calls.
    ///
    /// # Errors
    /// What any other call would meet.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let arguments = json!({"queryString": "", "page": 0, "pageSize": 1});
        let method = &self.reading.methods.search;
        match calls::execute(&self.client, &self.reading, method, &arguments).await? {
            Ran::Done(..) | Ran::Pending(_) => Ok(()),
            Ran::Failed(trouble) => {
                let words = format!("the portal does not search: {}", trouble.message);
                Err(Failure::misconfigured(&trouble.code, words))
            }
        }
    }

    fn told(&self, record: &Record) -> Result<NewEvent, Failure> {
        let now = self.host.clock.now();
        let body = &record.body;
        let unreadable = &body["unreadable"];
        if !unreadable.is_null() {
            let reason = unreadable["reason"].as_str().unwrap_or_default();
            return Err(Failure::reject("unreadable_record", reason));
        }
        let (kind, data) = if body["portal"].is_object() {
            (PORTAL_ASSET, body.clone())
        } else if body["collection"].is_object() {
            (PORTAL_COLLECTION, body.clone())
        } else if body["link"].is_object() {
            (LINK, body.clone())
        } else {
            (PORTAL_BASELINE, body.clone())
        };
        let modified = body["portal"]["modified_at"].as_str();
        let time = modified.and_then(|text| Time::parse(text).ok());
        let name = &self.host.connection;
        let mut event = NewEvent::new(name, &*record.id, kind, time.unwrap_or(now), data);
        event.subject = Some(record.subject.clone());
        Ok(event)
    }
}

impl Feed for Portals {
    fn name(&self) -> &'static str {
        "portals"
    }

    fn poll_every(&self) -> Millis {
        self.reading.poll
    }

    fn reread_every(&self) -> Option<Millis> {
        None
    }

    fn read<'a>(
        &'a self,
        cursor: Option<&'a str>,
        _: &'a Judging,
    ) -> BoxFuture<'a, Result<Handed, Failure>> {
        Box::pin(async move { self.step(cursor).await.map(Handed::Batch) })
    }

    fn start(&self) -> String {
        let now = self.host.clock.now();
        let watches = self.reading.watches.iter();
        let known: BTreeMap<_, _> = watches.map(|watch| (watch.print.clone(), now)).collect();
        let place = Place {
            known,
            ..Place::default()
        };
        place.write()
    }

    fn event<'a>(&'a self, record: &'a Record, _: u32) -> BoxFuture<'a, Result<NewEvent, Failure>> {
        Box::pin(std::future::ready(self.told(record)))
    }

    fn stub(&self, record: &Record, reason: &str, now: Time) -> NewEvent {
        let unreadable = &record.body["unreadable"];
        let shown = if unreadable.is_object() {
            unreadable.clone()
        } else {
            let id = record.body["portal"]["id"].as_str().unwrap_or_default();
            json!({"uuid": id, "reason": reason, "record": ""})
        };
        let data: Value = json!({ "unreadable": shown });
        let name = &self.host.connection;
        let mut event = NewEvent::new(name, &*record.id, PORTAL_UNREADABLE, now, data);
        event.subject = Some(record.subject.clone());
        event
    }

    fn link(&self, failure: Option<&Failure>, now: Time) -> Option<NewEvent> {
        Some(link_event(&self.host.connection, "portals", failure, now))
    }
}
