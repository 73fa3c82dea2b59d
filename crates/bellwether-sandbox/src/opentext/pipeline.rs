//! What happens behind an accepted call: a queue, Firebase's check, the phones. Calls are handled
//! one after the other, so two pushes to one phone never overtake each other.

use super::fcm::{FcmError, FcmTarget, check};
use super::jobs::Destination;
use crate::phones::{self, Push};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Accepted calls that may wait; beyond it a call is refused with 503.
pub(crate) const MAX_QUEUE: usize = 10_000;

/// Codes of our own convention: no public list covers pushes.
const GAMMA_BAD_PAYLOAD: u32 = 7001;
const GAMMA_UNREGISTERED: u32 = 7002;
const GAMMA_TOO_LATE: u32 = 7003;

/// One accepted call on its way.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Number of the call.
    pub(crate) number: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The inner payload of the messaging API, not yet checked.
    Inner(Value),
    /// A gateway's notification for these people, already checked.
    Notification(Vec<String>, Push),
}

/// What waits, and whether somebody works on it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    work: VecDeque<(Instant, Work)>,
    running: bool,
    /// Counts the resets, so that what was under way then does not arrive after it.
    epoch: u64,
}

impl Queue {
    pub(crate) fn full(&self) -> bool {
        self.work.len() >= MAX_QUEUE
    }

    /// What waits, and one more while somebody works; 0 means that everything is done.
    pub(crate) fn busy(&self) -> usize {
        self.work.len() + usize::from(self.running)
    }

    pub(crate) fn add(&mut self, due: Instant, work: Work) {
        self.work.push_back((due, work));
    }

    /// The same queue with nothing in it and nothing under way.
    pub(crate) fn emptied(mut self) -> Self {
        self.work.clear();
        self.epoch += 1;
        self
    }
}

/// Starts working on the queue unless somebody does already or everything is held.
pub(crate) fn start(world: &Arc<World>) {
    let mut state = world.opentext.state();
    if !state.queue.running && !state.knobs.hold && !state.queue.work.is_empty() {
        state.queue.running = true;
        tokio::spawn(run(Arc::clone(world)));
    }
}

async fn run(world: Arc<World>) {
    while let Some((due, work, epoch)) = next(&world) {
        let now = Instant::now();
        if due > now {
            tokio::time::sleep((due - now).min(Duration::from_secs(60))).await;
        }
        let current = world.opentext.state().queue.epoch;
        if epoch == current {
            handle(&world, work);
        }
    }
}

fn next(world: &World) -> Option<(Instant, Work, u64)> {
    let mut state = world.opentext.state();
    let next = if state.knobs.hold {
        None
    } else {
        state.queue.work.pop_front()
    };
    let Some((due, work)) = next else {
        state.queue.running = false;
        return None;
    };
    state
        .jobs
        .step(work.number, Destination::Submitted, 0, world.clock.now());
    Some((due, work, state.queue.epoch))
}

/// Puts every waiting job on hold or back to pending, when the knob is turned.
pub(crate) fn mark_held(world: &World, hold: bool) {
    let now = world.clock.now();
    let mut state = world.opentext.state();
    let waiting: Vec<u64> = state
        .queue
        .work
        .iter()
        .map(|(_, work)| work.number)
        .collect();
    let to = if hold {
        Destination::Held
    } else {
        Destination::Pending
    };
    waiting
        .into_iter()
        .for_each(|number| state.jobs.step(number, to, 0, now));
}

fn handle(world: &Arc<World>, work: Work) {
    let number = work.number;
    match work.what {
        What::Inner(inner) => firebase(world, number, &inner),
        What::Notification(people, push) => {
            for person in people {
                let push = Push {
                    origin: number,
                    ..push.clone()
                };
                phones::deliver(world, &person, push);
            }
        }
    }
}

fn firebase(world: &Arc<World>, number: u64, inner: &Value) {
    let now = world.clock.now();
    world
        .opentext
        .state()
        .jobs
        .step(number, Destination::InProcess, 0, now);
    let message = match check(inner, now) {
        Ok(message) => message,
        Err(error) => return failed(world, number, &error, GAMMA_BAD_PAYLOAD),
    };
    let owner = match &message.target {
        FcmTarget::Token(device) => {
            world.opentext.state().jobs.set_device(number, device);
            world.phones.owner(device)
        }
        // Nobody subscribes to topics here, and Firebase does not tell.
        FcmTarget::Topic(_) | FcmTarget::Condition(_) => None,
    };
    let Some(person) = owner else {
        return failed(world, number, &FcmError::unregistered(), GAMMA_UNREGISTERED);
    };
    let late = message.push.expires_at < now;
    {
        let mut state = world.opentext.state();
        if late {
            state
                .jobs
                .step(number, Destination::Cancelled, GAMMA_TOO_LATE, now);
            state.calls.fate(number, &person, "expired", now);
        } else {
            state.jobs.step(number, Destination::Sent, 0, now);
        }
    }
    if !late {
        phones::deliver(
            world,
            &person,
            Push {
                origin: number,
                ..message.push
            },
        );
    }
}

fn failed(world: &World, number: u64, error: &FcmError, gamma_code: u32) {
    let now = world.clock.now();
    {
        let mut state = world.opentext.state();
        let sent = gamma_code == GAMMA_UNREGISTERED;
        let to = if sent {
            Destination::Sent
        } else {
            Destination::Error
        };
        state.jobs.step(number, to, gamma_code, now);
        if sent {
            // The receipt of Firebase comes after the job is complete.
            state.jobs.event(number, "Failed", &error.message, now);
        }
        state
            .calls
            .fate(number, error.error_code, "undeliverable", now);
    }
    let text = format!("Firebase refused a push: {}", error.message);
    world.tell(
        "push",
        "",
        text,
        json!({"call": number, "firebase": error.to_json()}),
    );
}
