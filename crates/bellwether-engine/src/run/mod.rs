//! The engine at work: intake, turns, dispatch, timers, inlets, hosted pages, over the traits of
//! the store and the connectors. Decisions are made in `decide` and `gate`; no SQL and no HTTP
//! here.

mod address;
mod amend;
mod args;
mod cards;
mod claims;
mod codes;
mod conclude;
mod connections;
mod customers;
mod dispatch;
mod feed;
mod hosted;
mod inlet;
mod intake;
mod lane;
mod list_rows;
mod listen;
mod of_pushes;
mod people;
mod prepare;
mod ready;
mod receive;
mod reduce;
mod refused;
mod register;
mod rhythm;
mod rim;
mod saying;
mod seal;
mod setup;
mod tokens;
mod turn;
mod turned_away;

pub(crate) use address::message_id;
pub(crate) use inlet::is_ours;
pub(crate) use intake::Arriving;
pub use lane::{ADMISSION_WAIT, IN_FLIGHT, Lane};
pub use register::ASSET_USED;
pub use setup::{Link, Program, Setup};
pub use tokens::{BadToken, CODE_STEP, FORM_LIFE, Keyring, LINK_LIFE, Purpose, SESSION_LIFE};

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bellwether_model::clock::Clock;
use bellwether_model::id::CellId;
use bellwether_model::time::Time;
use tokio::sync::{Notify, watch};

use crate::seam::Live;
use crate::store::{Owner, Store, Views};

/// What an engine is built from.
#[derive(Debug)]
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// Lists, for the few look-ups that are not decisions.
    pub views: Arc<dyn Views>,
    /// Flow time.
    pub flow_clock: Arc<dyn Clock>,
    /// Transport time.
    pub transport_clock: Arc<dyn Clock>,
    /// Keys of links and addresses.
    pub keys: Arc<Keyring>,
    /// This process.
    pub owner: Owner,
    /// What deep links begin with.
    pub public_url: String,
    /// The feed for pages that look on.
    pub live: Live,
}

/// Counters since the process began.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events accepted.
    pub events: AtomicU64,
    /// Events that had been seen before.
    pub duplicates: AtomicU64,
    /// Turns committed.
    pub turns: AtomicU64,
    /// Attempts begun.
    pub attempts: AtomicU64,
    /// Outcomes committed.
    pub outcomes: AtomicU64,
    /// Turns decided again because a cell had moved.
    pub stale: AtomicU64,
    /// Dead letters written.
    pub dead_letters: AtomicU64,
    /// Start conditions that failed to evaluate: not matched, counted.
    pub failed_conditions: AtomicU64,
}

/// The engine. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) parts: Parts,
    setup: RwLock<Arc<Setup>>,
    lanes: RwLock<HashMap<String, Arc<Lane>>>,
    pub(crate) inlets: RwLock<HashMap<String, Arc<inlet::Inlet>>>,
    pub(crate) counters: Counters,
    pub(crate) wake_ready: Notify,
    pub(crate) busy: AtomicUsize,
    pub(crate) rim: AtomicU64,
    pub(crate) codes: codes::Codes,
    pub(crate) idle: Notify,
    pub(crate) turned_away: turned_away::Gathered,
    /// Cells whose flow is gone, that somebody was told of.
    pub(crate) gone: Mutex<HashSet<CellId>>,
    stop: watch::Sender<bool>,
    /// Counts how often the set-up was replaced.
    set_ups: watch::Sender<u64>,
}

impl Engine {
    /// An engine with nothing set up yet.
    pub fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                setup: RwLock::new(Arc::new(Setup::empty())),
                lanes: RwLock::default(),
                inlets: RwLock::default(),
                counters: Counters::default(),
                wake_ready: Notify::new(),
                busy: AtomicUsize::new(0),
                rim: AtomicU64::new(0),
                codes: codes::Codes::default(),
                idle: Notify::new(),
                turned_away: turned_away::Gathered::default(),
                gone: Mutex::default(),
                stop: watch::Sender::new(false),
                set_ups: watch::Sender::new(0),
            }),
        }
    }

    /// Replaces what the engine works with. Cells keep their flow versions; lanes keep their state.
    pub fn set_up(&self, setup: Setup) {
        let mut lanes = self
            .inner
            .lanes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for link in setup.links.values() {
            lanes
                .entry(link.name.clone())
                .or_insert_with(|| Arc::new(Lane::new(&link.name, link.slots)));
        }
        drop(lanes);
        let now = Arc::new(setup.with_gatherers());
        let before = std::mem::replace(
            &mut *self
                .inner
                .setup
                .write()
                .unwrap_or_else(PoisonError::into_inner),
            Arc::clone(&now),
        );
        // Flows may want to be told of other thresholds than before.
        for link in now.links.values() {
            let wants = |setup: &Setup| {
                let all = link.def.thresholds.iter();
                let all = all.map(|def| setup.flows.thresholds(def, &link.name));
                all.collect::<Vec<_>>()
            };
            if wants(&before) != wants(&now) {
                self.inlet_of(&link.name).hint.notify_one();
            }
        }
        self.inner.set_ups.send_modify(|n| *n += 1);
    }

    /// Completes when a connection of that name is another one, or none.
    pub(crate) async fn replaced(&self, link: &Link) {
        let mut set_ups = self.inner.set_ups.subscribe();
        let other = |_: &u64| {
            let setup = self.setup();
            let now = setup.links.get(&link.name);
            !now.is_some_and(|now| Arc::ptr_eq(&now.connection, &link.connection))
        };
        // The sender lives as long as the engine, so an error cannot come before the end.
        drop(set_ups.wait_for(other).await);
    }

    /// What the engine works with now.
    pub fn setup(&self) -> Arc<Setup> {
        Arc::clone(
            &self
                .inner
                .setup
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// The lane of a connection.
    pub fn lane(&self, name: &str) -> Option<Arc<Lane>> {
        self.inner
            .lanes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// All lanes, in order of name.
    pub fn lanes(&self) -> Vec<Arc<Lane>> {
        let lanes = self
            .inner
            .lanes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = lanes.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Counters since the process began.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Present flow time.
    pub fn now(&self) -> Time {
        self.inner.parts.flow_clock.now()
    }

    /// Present transport time.
    pub(crate) fn transport_now(&self) -> Time {
        self.inner.parts.transport_clock.now()
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.inner.parts.store
    }

    pub(crate) fn owner(&self) -> Owner {
        self.inner.parts.owner
    }

    /// The server's keys.
    pub fn keys(&self) -> &Keyring {
        &self.inner.parts.keys
    }

    /// Starts the loops: dispatch per lane, timers, inlets. Call once, after `set_up`.
    pub async fn start(&self) {
        self.rescue().await;
        for lane in self.lanes() {
            let engine = self.clone();
            tokio::spawn(async move { engine.dispatch(lane).await });
        }
        let engine = self.clone();
        tokio::spawn(async move { engine.ready_loop().await });
        let engine = self.clone();
        tokio::spawn(async move { engine.turned_away_loop().await });
        self.start_inlets();
        self.start_feeds();
    }

    /// Stops the loops and waits until nothing is in flight, at most so long. What is still in
    /// flight then is found as `started` by the next process and marked as such.
    pub async fn stop(&self, at_most: std::time::Duration) {
        self.inner.stop.send_replace(true);
        let ending = async {
            if let Err(error) = self.write_turned_away().await {
                tracing::warn!("the latest refused requests were not counted: {error}");
            }
            self.drained().await;
        };
        drop(tokio::time::timeout(at_most, ending).await);
    }

    /// Waits until nothing is in flight.
    pub async fn drained(&self) {
        loop {
            let idle = self.inner.idle.notified();
            if self.inner.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        *self.inner.stop.borrow()
    }

    /// Completes when the engine is told to stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.inner.stop.subscribe();
        // The sender lives as long as the engine, so an error cannot come before the end.
        drop(stop.wait_for(|stop| *stop).await);
    }

    pub(crate) fn begin_work(&self) -> Working {
        self.inner.busy.fetch_add(1, Ordering::SeqCst);
        Working(Arc::clone(&self.inner))
    }
}

/// Something is in flight as long as this lives.
#[derive(Debug)]
pub(crate) struct Working(Arc<Inner>);

impl Drop for Working {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
