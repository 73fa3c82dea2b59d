//! A listener on a life's push channel: the connector's own, over a real connection where there is
//! one. In process there is none, and what the stand-in sent counts as heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_model::BoxFuture;
use bellwether_model::connector::Connection;
use bellwether_model::event::NewEvent;
use bellwether_model::feed::Ear;
use bellwether_model::time::Time;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::ground::Ground;
use crate::support::until;

#[derive(Debug, Default)]
struct Count {
    hints: AtomicU64,
    more: Notify,
}

struct Counting(Arc<Count>);

impl Ear for Counting {
    fn hint(&self) {
        self.0.hints.fetch_add(1, Ordering::SeqCst);
        self.0.more.notify_one();
    }

    fn say(&self, _: NewEvent) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn now(&self) -> Time {
        Time(0)
    }
}

/// Somebody who listens.
pub(super) struct Listener {
    count: Arc<Count>,
    /// How many hints were sent before anybody listened.
    before: u64,
    task: Option<JoinHandle<()>>,
}

impl Listener {
    pub(super) async fn start(
        ground: &Ground,
        tenant: &str,
        connection: Arc<dyn Connection>,
    ) -> Self {
        let count = Arc::new(Count::default());
        let before = async || ground.show(tenant).await["hints"].as_u64().unwrap();
        if !ground.is_tcp() {
            let before = before().await;
            return Self {
                count,
                before,
                task: None,
            };
        }
        let ear = Counting(Arc::clone(&count));
        let task = tokio::spawn(async move {
            connection.feeds()[0].listen(&ear).await;
        });
        until("a subscription", async || {
            (ground.show(tenant).await["subscribers"] == 1).then_some(())
        })
        .await;
        // Whoever subscribes reads at once, since hints may have been missed.
        let missed = count.hints.load(Ordering::SeqCst);
        Self {
            before: before().await.saturating_sub(missed),
            count,
            task: Some(task),
        }
    }

    /// Waits until all that was sent is heard.
    pub(super) async fn heard(&self, sent: u64) {
        if self.task.is_none() {
            return;
        }
        while self.count.hints.load(Ordering::SeqCst) < sent - self.before {
            self.count.more.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
