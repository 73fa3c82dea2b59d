//! What pages may ask of connections: how they are, a test, a look at the source, a recount.

use bellwether_model::BoxFuture;
use bellwether_model::failure::Failure;
use bellwether_model::id::EffectId;

use super::feed::place;
use super::inlet::NotRead;
use super::{Engine, Link};
use crate::seam::{ConnectionHealth, ConnectionView, Connections};
use crate::store::{InletStep, Refusals, StoreError};

impl Connections for Engine {
    fn list(&self) -> BoxFuture<'_, Vec<ConnectionView>> {
        Box::pin(async move {
            let setup = self.setup();
            let view = |link: &Link| {
                let lane = self.lane(&link.name);
                ConnectionView {
                    name: link.name.clone(),
                    connector: link.def.name.to_owned(),
                    health: lane
                        .as_ref()
                        .map_or(ConnectionHealth::Unknown, |lane| lane.health()),
                    has_source: link.connection.source().is_some()
                        || !link.connection.feeds().is_empty(),
                    in_flight: lane.as_ref().map_or(0, |lane| lane.in_flight()),
                    waiting: lane.as_ref().map_or(0, |lane| lane.waiting()),
                    parts: self.parts_of(link),
                }
            };
            setup.links.values().map(view).collect()
        })
    }

    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let link = self.link(name)?;
            let checked = link.connection.check().await;
            let now = self.transport_now();
            if let Some(lane) = self.lane(name) {
                match &checked {
                    Ok(_) => lane.ok(now),
                    Err(failure) => lane.failed(failure, now),
                }
            }
            checked.map(|checked| checked.identity)
        })
    }

    fn read_now<'a>(&'a self, name: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Ok(link) = self.link(name) else {
                return false;
            };
            let mut reads = Vec::new();
            let feeds = link.connection.feeds();
            if let Some(source) = link.connection.source() {
                reads.push(self.read(&link, source).await);
            }
            for feed in feeds {
                if feed.reread_every().is_none() {
                    self.hint_feed(&link, feed);
                    reads.push(Ok(()));
                } else {
                    reads.push(self.read_feed(&link, feed).await);
                }
            }
            for error in reads.iter().filter_map(|read| read.as_ref().err()) {
                tracing::warn!(connection.name = name, "could not be read: {error}");
            }
            !reads.is_empty()
        })
    }

    fn recount<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(async move {
            let link = self.link(name)?;
            let feeds = link.connection.feeds();
            if !feeds.is_empty() {
                let mut gaps = 0;
                for feed in feeds {
                    gaps += self.count_feed_gaps(&link, feed).await.map_err(failure)?;
                }
                return Ok(gaps);
            }
            let source = link.connection.source().ok_or_else(no_source)?;
            self.count_gaps(&link, source).await.map_err(failure)
        })
    }

    fn sweep<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, Failure>> {
        Box::pin(async move {
            let link = self.link(name)?;
            let feeds = link.connection.feeds();
            if !feeds.is_empty() {
                let mut found = 0;
                for feed in feeds {
                    found += self.sweep_feed(&link, feed).await.map_err(failure)?;
                }
                return Ok(found);
            }
            let source = link.connection.source().ok_or_else(no_source)?;
            let state = self.store().inlet(name, InletStep::Look).await;
            let state = state.map_err(|error| failure(NotRead::Store(error)))?;
            let since = state.since.unwrap_or_else(|| self.now());
            self.sweep_since(&link, source, since)
                .await
                .map_err(failure)
        })
    }

    fn refusals<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Refusals, StoreError>> {
        Box::pin(self.refusals_of(name))
    }

    fn by_reference<'a>(
        &'a self,
        connection: &'a str,
        reference: &'a str,
    ) -> BoxFuture<'a, Option<EffectId>> {
        Box::pin(self.effect_by_reference(connection, reference))
    }
}

impl Engine {
    fn parts_of(&self, link: &Link) -> Vec<(String, ConnectionHealth)> {
        let own = |(part, health): (&&str, &ConnectionHealth)| ((*part).to_owned(), health.clone());
        let feeds = link.connection.feeds().into_iter();
        let parts = feeds.flat_map(|feed| {
            let inlet = self.inlet_of(&place(&link.name, feed.name()));
            let parts: Vec<_> = inlet.memory().parts.iter().map(own).collect();
            parts
        });
        parts.collect()
    }

    fn link(&self, name: &str) -> Result<Link, Failure> {
        let link = self.setup().links.get(name).cloned();
        link.ok_or_else(|| Failure::reject("no_such_connection", "there is no such connection"))
    }
}

fn no_source() -> Failure {
    Failure::reject("no_source", "this connection has no source that is read")
}

fn failure(error: NotRead) -> Failure {
    match error {
        NotRead::Provider(failure) => failure,
        NotRead::Store(error) => Failure::retry("store", error.to_string(), None),
    }
}
