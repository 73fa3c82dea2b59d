//! A lane: the effects of one connection, with a bounded number in flight. Health lives here too,
//! because what a connection last answered decides whether its lane moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::time::{Millis, Time};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::seam::ConnectionHealth;

/// How many effects of a lane may be in flight unless its connection says otherwise: the most that
/// can be ambiguous after a crash.
pub const IN_FLIGHT: usize = 128;
/// How long intake waits for a free slot of a healthy lane before the effect is queued instead.
/// Waiting here is the back-pressure that keeps the backlog bounded.
pub const ADMISSION_WAIT: Millis = Millis::seconds(2);

/// One connection's effects.
#[derive(Debug)]
pub struct Lane {
    /// The connection's name.
    pub name: String,
    slots: Arc<Semaphore>,
    size: usize,
    queued: AtomicBool,
    waiting: AtomicUsize,
    wake: Notify,
    health: Mutex<ConnectionHealth>,
    blocked: AtomicBool,
    trial: AtomicBool,
    failing: AtomicBool,
}

impl Lane {
    /// A lane with so many slots.
    pub fn new(name: &str, size: usize) -> Self {
        Self {
            name: name.to_owned(),
            slots: Arc::new(Semaphore::new(size)),
            size,
            // What an earlier process left queued is found by the first look.
            queued: AtomicBool::new(true),
            waiting: AtomicUsize::new(0),
            wake: Notify::new(),
            health: Mutex::new(ConnectionHealth::Unknown),
            blocked: AtomicBool::new(false),
            trial: AtomicBool::new(false),
            failing: AtomicBool::new(false),
        }
    }

    /// A slot for new work: waits a little while the lane is healthy and merely busy. Waiting is
    /// fair, so what is queued gets its turn between what is new.
    pub async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        if self.blocked.load(Ordering::Relaxed) {
            return None;
        }
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Some(slot);
        }
        if self.failing.load(Ordering::Relaxed) {
            return None;
        }
        let slots = Arc::clone(&self.slots).acquire_owned();
        let wait = tokio::time::timeout(ADMISSION_WAIT.into(), slots);
        wait.await.ok()?.ok()
    }

    /// A slot for what is queued, in fair order with new work. None while the lane stands still; a
    /// trial takes the one that it was given.
    pub async fn dispatch_slot(&self) -> Option<OwnedSemaphorePermit> {
        if self.is_blocked() && !self.trial.swap(false, Ordering::Relaxed) {
            return None;
        }
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// A further slot, if one is free just now and the lane moves.
    pub fn further_slot(&self) -> Option<OwnedSemaphorePermit> {
        if self.is_blocked() {
            return None;
        }
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// How many effects are in flight.
    pub fn in_flight(&self) -> usize {
        self.size.saturating_sub(self.slots.available_permits())
    }

    /// How many were waiting at the dispatcher's latest look.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether something may start: the lane moves, or one effect is on trial.
    pub fn moves(&self) -> bool {
        !self.is_blocked() || self.trial.load(Ordering::Relaxed)
    }

    /// Lets one effect try whether the lane moves again: one refusal more, not a crowd of them.
    pub fn try_one(&self) {
        self.trial.store(true, Ordering::Relaxed);
    }

    /// Something was queued: the dispatcher looks.
    pub fn queue(&self) {
        self.queued.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Before a look: what is queued from now on sets the flag again.
    pub fn looking(&self) {
        self.queued.store(false, Ordering::SeqCst);
    }

    /// The look found more than there were slots for.
    pub fn more(&self, waiting: usize) {
        self.waiting.store(waiting, Ordering::Relaxed);
        if waiting > 0 {
            self.queued.store(true, Ordering::SeqCst);
        }
    }

    /// Waits until there may be something to dispatch.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether this lane stands still until a person acted, or a trial shows that it moves again.
    pub fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    /// How the connection is.
    pub fn health(&self) -> ConnectionHealth {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The connection answered well.
    pub fn ok(&self, now: Time) {
        let was_bad = self.blocked.swap(false, Ordering::Relaxed)
            | self.failing.swap(false, Ordering::Relaxed);
        self.trial.store(false, Ordering::Relaxed);
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        // Once a second is fresh enough for people, and spares the lock on the hot path's clock.
        let stale = match &*health {
            ConnectionHealth::Ok { at } => now.since(*at) > Millis::seconds(1),
            _ => true,
        };
        if stale {
            *health = ConnectionHealth::Ok { at: now };
        }
        drop(health);
        if was_bad {
            self.queue();
        }
    }

    /// The connection failed.
    pub fn failed(&self, failure: &Failure, now: Time) {
        let blocks = matches!(
            failure.class,
            FailureClass::Reauthorise | FailureClass::Misconfigured
        );
        if matches!(failure.class, FailureClass::Reject | FailureClass::Bug) {
            return;
        }
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match &*health {
            ConnectionHealth::Failing { since, .. } | ConnectionHealth::NeedsYou { since, .. } => {
                *since
            }
            _ => now,
        };
        let reason = failure.to_string();
        *health = if blocks {
            ConnectionHealth::NeedsYou { since, reason }
        } else {
            ConnectionHealth::Failing { since, reason }
        };
        drop(health);
        if blocks {
            self.blocked.store(true, Ordering::Relaxed);
        } else {
            self.failing.store(true, Ordering::Relaxed);
        }
    }
}
