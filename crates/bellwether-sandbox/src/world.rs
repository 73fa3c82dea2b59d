//! The world that all stand-ins share: people, clock, faults, recorder, the lines for the page and
//! the typed state of each stand-in. How a stand-in answers is not here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::Addresses;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::google::Google;
use crate::opentext::OpenText;
use crate::people::{self, Person};
use crate::phones::Phones;
use crate::recorder::Recorder;
use crate::smintio::Smintio;

/// Lines a slow reader of the event stream may fall behind before it misses some.
const LINES_IN_FLIGHT: usize = 1_024;
/// Lines that a page which opens later still gets to see.
const LINES_REMEMBERED: usize = 200;

/// Locks, also after another holder panicked: the stand-ins keep whole values under their locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything the stand-ins share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) people: Vec<Person>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) lines: Lines,
    pub(crate) addresses: Addresses,
    // One line for the state of each stand-in; it is reached from any other by its type.
    pub(crate) google: Google,
    pub(crate) opentext: OpenText,
    pub(crate) phones: Phones,
    pub(crate) smintio: Smintio,
}

impl World {
    pub(crate) fn new(
        people: Vec<Person>,
        clock: Clock,
        addresses: Addresses,
        mailbox_bytes: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            google: Google::new(&people, mailbox_bytes),
            opentext: OpenText::new(),
            phones: Phones::new(&people),
            smintio: Smintio::new(&people, clock.now()),
            people,
            clock,
            faults: Faults::default(),
            recorder: Recorder::default(),
            lines: Lines::default(),
            addresses,
        })
    }

    /// Finds a person by id or mail address.
    pub(crate) fn person(&self, key: &str) -> Option<&Person> {
        people::find(&self.people, key)
    }

    /// Tells the page and whoever listens at `/events` that something happened.
    pub(crate) fn tell(&self, kind: &'static str, who: &str, text: impl Into<String>, data: Value) {
        let at = self.clock.now();
        self.lines.send(Line {
            number: 0,
            at,
            kind,
            who: who.to_owned(),
            text: text.into(),
            data,
        });
    }
}

/// One thing that happened, as the page shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// Number of the line, from 1.
    pub(crate) number: u64,
    /// Flow time.
    pub(crate) at: Timestamp,
    /// What kind of thing: `mail`, `push`, `phone`, `fault`, `admin`, ...
    pub(crate) kind: &'static str,
    /// Person id or mail address it happened to; may be empty.
    pub(crate) who: String,
    /// One sentence.
    pub(crate) text: String,
    /// Details for scripts.
    pub(crate) data: Value,
}

/// The stream of lines, with a short memory.
#[derive(Debug)]
pub(crate) struct Lines {
    sender: broadcast::Sender<Arc<Line>>,
    recent: Mutex<(u64, VecDeque<Arc<Line>>)>,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(LINES_IN_FLIGHT).0,
            recent: Mutex::default(),
        }
    }
}

impl Lines {
    fn send(&self, mut line: Line) {
        let mut recent = lock(&self.recent);
        recent.0 += 1;
        line.number = recent.0;
        let line = Arc::new(line);
        if recent.1.len() == LINES_REMEMBERED {
            recent.1.pop_front();
        }
        recent.1.push_back(Arc::clone(&line));
        // Sent under the lock so that listeners see the numbers in order; nobody listening is fine.
        drop(self.sender.send(line));
    }

    /// What was told lately, and a receiver for what comes after it, without a gap.
    pub(crate) fn listen(&self) -> (Vec<Arc<Line>>, broadcast::Receiver<Arc<Line>>) {
        let recent = lock(&self.recent);
        (recent.1.iter().cloned().collect(), self.sender.subscribe())
    }
}
