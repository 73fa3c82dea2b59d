//! What every handler shares: the application, the names of people, the counters and the key of
//! forms. Built once per listener, cloned cheaply.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use bellwether_engine::seam::App;
use bellwether_model::id::hash;
use bellwether_model::time::Millis;

use crate::limits::{Places, Tally};
use crate::metrics::Counters;
use crate::people::{Names, People, Providers};

/// How many pages may look on live at once.
const WATCHERS_MAX: usize = 256;
/// How many of them one address may hold: a reader that does not read must not shut others out.
const WATCHERS_EACH_MAX: usize = 32;
/// Wrong tokens that one address may give in ten minutes.
const WRONG_TOKENS_MAX: u32 = 50;
/// Presses of one form, and of one notification, in ten minutes: each is an event in the record.
const PRESSES_MAX: u32 = 20;

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
    /// Places of live readers.
    pub(crate) watchers: Places,
    /// Sessions of the console that were signed out, with the second in which they end anyway.
    pub(crate) ended: Mutex<HashMap<String, i64>>,
    /// Wrong tokens of the console, by address.
    pub(crate) wrong_tokens: Tally,
    /// Presses on hosted pages, by form and by notification.
    pub(crate) presses: Tally,
}

impl Web {
    pub(crate) fn new(app: App) -> Self {
        Self(Arc::new(Shared {
            app,
            people: People::default(),
            counters: Counters::default(),
            form_key: fresh_key(),
            watchers: Places::new(WATCHERS_MAX, WATCHERS_EACH_MAX),
            ended: Mutex::default(),
            wrong_tokens: Tally::new(WRONG_TOKENS_MAX, Millis::minutes(10)),
            presses: Tally::new(PRESSES_MAX, Millis::minutes(10)),
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

/// 16 characters that come once: the nonce of a session.
pub(crate) fn nonce() -> String {
    bellwether_model::id::hex(&fresh_key()[..8])
}
