//! What happens, as it happens, for pages that look on. Lossy on purpose: a slow reader skips lines
//! and reads the lists instead; nothing depends on it.

use std::sync::Arc;

use bellwether_model::event::Position;
use bellwether_model::id::Id;
use bellwether_model::time::Time;
use serde::Serialize;
use tokio::sync::broadcast;

/// How many lines a slow reader may fall behind before it skips some.
pub(crate) const BEHIND_MAX: usize = 1024;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveLine {
    /// When, in flow time.
    pub at: Time,
    /// What kind of thing.
    pub kind: LiveKind,
    /// Ids only: flow, event type, person, choice, as fits the kind.
    pub words: Vec<String>,
    /// The run concerned.
    pub run: Option<Id>,
    /// The event concerned.
    pub event: Option<Position>,
}

/// The kinds of lines, in the order of the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKind {
    /// Something came in: type, source, how many flows took it.
    Event,
    /// A run began: flow.
    RunBegan,
    /// A notification was made: channel, person.
    Notification,
    /// A notification's state changed: channel, person, state.
    Delivery,
    /// A person opened one: person.
    Opened,
    /// Decided: person, choice.
    Decision,
    /// A run ended: flow, how.
    RunEnded,
    /// Something could not be done: code.
    DeadLetter,
}

/// The feed. Cloning gives another handle to the same feed.
#[derive(Clone, Debug)]
pub struct Live(broadcast::Sender<Arc<LiveLine>>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND_MAX).0)
    }
}

impl Live {
    /// Whether anybody looks on: lines need not be built when nobody does.
    pub fn watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Says a line to whoever looks on.
    pub fn say(&self, line: LiveLine) {
        // An error only means that nobody looks on.
        drop(self.0.send(Arc::new(line)));
    }

    /// Looks on from now.
    pub fn watch(&self) -> broadcast::Receiver<Arc<LiveLine>> {
        self.0.subscribe()
    }
}
