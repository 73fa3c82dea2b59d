//! What every handler shares: the application, the names of people, the counters and the key of
//! forms. Built once per listener, cloned cheaply.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;

use bellwether_engine::seam::App;
use bellwether_model::id::hash;
use tokio::sync::Semaphore;

use crate::metrics::Counters;
use crate::people::{Names, People, Providers};

/// How many people may look on live at once, per listener.
pub(crate) const WATCHERS_MAX: usize = 64;

/// The shared state of a listener.
#[derive(Clone, Debug)]
pub(crate) struct Web(Arc<Shared>);

/// See [`Web`].
#[derive(Debug)]
pub(crate) struct Shared {
    /// Everything that a handler may use.
    pub(crate) app: App,
    /// Names of people.
    pub(crate) people: People,
    /// What the web counts.
    pub(crate) counters: Counters,
    /// Proves that a form came from one of our own pages. New at each start.
    pub(crate) form_key: [u8; 32],
    /// Free places of live readers.
    pub(crate) watchers: Arc<Semaphore>,
}

impl Web {
    pub(crate) fn new(app: App) -> Self {
        Self(Arc::new(Shared {
            app,
            people: People::default(),
            counters: Counters::default(),
            form_key: fresh_key(),
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
        }))
    }

    /// The names of people and of the companies behind connections, now.
    pub(crate) async fn names(&self) -> Names {
        let connections = self.app.connections.list().await;
        let providers = Providers::of(&connections, self.app.catalog);
        let names = self.people.names(&*self.app.registry).await;
        names.with(providers)
    }
}

impl Deref for Web {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// 32 bytes that nobody outside can know: the standard library keys its hashers from the system's
/// randomness, 128 bits per process.
fn fresh_key() -> [u8; 32] {
    let mut seed = Vec::with_capacity(32);
    for round in 0u64..4 {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(round);
        seed.extend(hasher.finish().to_be_bytes());
    }
    hash(&[b"form key", &seed])
}
