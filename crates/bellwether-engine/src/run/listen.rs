//! The link of a feed: what is said of its health, and the loop in which a connector listens for
//! hints. Reading is in `feed.rs`.

use std::panic::AssertUnwindSafe;

use bellwether_model::BoxFuture;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::feed::{Ear, Feed};
use bellwether_model::time::{Millis, Time};
use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::feed::{named, place};
use super::inlet::NotRead;
use super::intake::Arriving;
use super::{Engine, Link};
use crate::seam::ConnectionHealth;

/// How many things a listener may have said that are not yet recorded.
const SAID_MAX: usize = 64;
/// A listener that ended is begun again after this.
const LISTEN_AGAIN: Millis = Millis::seconds(30);

impl Engine {
    /// Keeps the lane's health, and lets the connector say when the link changed.
    pub(super) async fn feed_health(
        &self,
        link: &Link,
        feed: &dyn Feed,
        result: &Result<(), NotRead>,
    ) {
        let failure = match result {
            Ok(()) => None,
            Err(NotRead::Provider(failure)) => Some(failure),
            Err(NotRead::Store(_)) => return,
        };
        if let Some(lane) = self.lane(&link.name) {
            let now = self.transport_now();
            match failure {
                None if self.another_fails(link, feed) => {}
                None => lane.ok(now),
                Some(failure) => lane.failed(failure, now),
            }
        }
        let word = failure.map(|failure| failure.code.clone());
        let inlet = self.inlet_of(&place(&link.name, feed.name()));
        if inlet.memory().link.as_ref() == Some(&word) {
            return;
        }
        let said = match feed.link(failure, self.now()) {
            Some(event) => self.say_of_link(&link.name, event).await,
            None => true,
        };
        if said {
            inlet.memory().link = Some(word);
        }
    }

    /// Whether another feed of the connection could not be read: its lane is not well then.
    fn another_fails(&self, link: &Link, feed: &dyn Feed) -> bool {
        let others = link.connection.feeds().into_iter();
        others.filter(|one| one.name() != feed.name()).any(|one| {
            let inlet = self.inlet_of(&place(&link.name, one.name()));
            matches!(inlet.memory().link, Some(Some(_)))
        })
    }

    async fn say_of_link(&self, name: &str, event: NewEvent) -> bool {
        let taken = self.take_in(Arriving::of(event)).await;
        if let Err(error) = &taken {
            tracing::warn!(
                connection.name = name,
                "the link's state was not recorded: {error}"
            );
        }
        taken.is_ok()
    }

    pub(super) async fn listen_loop(&self, name: &str, which: &'static str) {
        while !self.stopping() {
            let Some(link) = self.setup().links.get(name).cloned() else {
                return;
            };
            let Some(feed) = named(&link, which) else {
                return;
            };
            // What an earlier listener said of itself is over.
            self.inlet_of(&place(name, which)).memory().parts.clear();
            let (said, mut saying) = mpsc::channel(SAID_MAX);
            let ear = EngineEar {
                engine: self,
                place: place(name, which),
                said,
            };
            let record = async {
                while let Some(event) = saying.recv().await {
                    self.say_of_link(name, event).await;
                }
            };
            // A listener that breaks must not take reading along.
            let listening = AssertUnwindSafe(feed.listen(&ear)).catch_unwind();
            tokio::select! {
                ended = listening => if ended.is_err() {
                    tracing::error!(connection.name = name, "listening failed inside the server");
                },
                () = record => {}
                () = self.replaced(&link) => continue,
                () = self.stopped() => return,
            }
            let due = self.transport_now() + LISTEN_AGAIN;
            tokio::select! {
                () = self.inner.parts.transport_clock.wait_until(due) => {}
                () = self.stopped() => return,
            }
        }
    }
}

/// The engine's ear for one feed.
struct EngineEar<'a> {
    engine: &'a Engine,
    place: String,
    said: mpsc::Sender<NewEvent>,
}

impl Ear for EngineEar<'_> {
    fn hint(&self) {
        self.engine.inlet_of(&self.place).hint.notify_one();
    }

    fn health(&self, part: &'static str, failure: Option<&Failure>) {
        let inlet = self.engine.inlet_of(&self.place);
        let now = self.engine.transport_now();
        let mut memory = inlet.memory();
        let since = match memory.parts.get(part) {
            Some(
                ConnectionHealth::Failing { since, .. } | ConnectionHealth::NeedsYou { since, .. },
            ) => *since,
            _ => now,
        };
        let health = match failure {
            None => ConnectionHealth::Ok { at: now },
            Some(failure) => {
                let reason = failure.to_string();
                match failure.class {
                    FailureClass::Reauthorise | FailureClass::Misconfigured => {
                        ConnectionHealth::NeedsYou { since, reason }
                    }
                    _ => ConnectionHealth::Failing { since, reason },
                }
            }
        };
        memory.parts.insert(part, health);
    }

    fn say(&self, event: NewEvent) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The other side lives as long as the listener.
            drop(self.said.send(event).await);
        })
    }

    fn now(&self) -> Time {
        self.engine.now()
    }
}
