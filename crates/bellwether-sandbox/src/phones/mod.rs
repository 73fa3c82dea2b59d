//! The stand-in for people's phones: delivery from the push services, what people do with a push,
//! and the companion app's reports to the server, sent in order and over real HTTP.
//!
//! The companion app, its reports and the keys inside `data` are **our convention**. A phone sends
//! one report after the other: while the server is away, later ones wait behind the first.
//!
//! On the control surface: `GET /admin/phones[/{person}]` (pushes newest first),
//! `POST /admin/phones/{person}/{open|act|ignore|offline|online}` and
//! `GET|POST|DELETE /admin/companion`. Where a push is named, its notification id or the phone's
//! own id of it will do; `"force": true` presses a button that is not on the screen (any more).
//! A push that was acted on keeps that state when an update covers it; others become `replaced`.

mod admin;
mod http;
mod phone;
mod push;
mod report;

pub(crate) use phone::{Arrival, Fate, Phone, PhoneError};
pub(crate) use push::{Answer, Button, Channel, OnPhone, Push, PushState};

use crate::people::Person;
use crate::world::World;
use crate::{Door, StandIn, clock};
use report::{Companion, MAX_ATTEMPTS, MAX_COMMENT_CHARS, Outcome, Report, pause_ms};
use serde_json::{Map, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Longest time a person watches the screen for the server's answer.
const ANSWER_WAIT: Duration = Duration::from_secs(8);

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "phones",
    door: Door::None,
    targets: &[],
    admin: admin::routes,
    info: |_| Map::new(),
    reset: |world| world.phones.reset(),
};

/// All phones, by person id.
#[derive(Debug)]
pub(crate) struct Phones {
    slots: Mutex<BTreeMap<String, Slot>>,
    companion: Mutex<Option<Companion>>,
    /// Makes the report ids of two runs differ, since a server remembers ids.
    run: i64,
}

/// A phone, and what its app has not yet told the server.
#[derive(Debug)]
struct Slot {
    phone: Phone,
    outbox: VecDeque<Outgoing>,
    sending: bool,
    reports: u64,
}

#[derive(Debug)]
struct Outgoing {
    report: Report,
    attempts: u32,
    done: Option<oneshot::Sender<Answer>>,
}

/// What a person does with a push.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Doing<'a> {
    /// Notification id or the phone's own id; none = the newest on the screen.
    pub(crate) which: Option<&'a str>,
    /// The button, for acting.
    pub(crate) action: Option<&'a str>,
    pub(crate) comment: Option<&'a str>,
    /// Press a button that is not on the screen (any more).
    pub(crate) force: bool,
}

/// What the person did, by the word of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Open,
    Act,
    Ignore,
}

impl Phones {
    pub(crate) fn new(people: &[Person]) -> Self {
        let slot = |person: &Person| {
            let phone = Phone::new(&person.id);
            (
                person.id.clone(),
                Slot {
                    phone,
                    outbox: VecDeque::new(),
                    sending: false,
                    reports: 0,
                },
            )
        };
        Self {
            slots: Mutex::new(people.iter().filter(|p| p.phone).map(slot).collect()),
            companion: Mutex::default(),
            run: clock::real_now().as_millisecond(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn companion(&self) -> Option<Companion> {
        self.companion
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_companion(&self, companion: Option<Companion>) {
        *self
            .companion
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = companion;
    }

    /// A copy of a person's phone, for showing it.
    pub(crate) fn phone(&self, person: &str) -> Option<Phone> {
        self.slots().get(person).map(|slot| slot.phone.clone())
    }

    /// How many reports of this phone have not been answered yet.
    pub(crate) fn unsent(&self, person: &str) -> usize {
        self.slots().get(person).map_or(0, |slot| slot.outbox.len())
    }

    /// Whose phone has this token.
    pub(crate) fn owner(&self, device: &str) -> Option<String> {
        self.slots()
            .iter()
            .find(|(_, s)| s.phone.device == device)
            .map(|(id, _)| id.clone())
    }

    /// Empty phones, all on-line. The companion's address stays: it is wiring, not state.
    fn reset(&self) {
        for slot in self.slots().values_mut() {
            slot.phone.clear();
            slot.outbox.clear();
        }
    }
}

/// Hands a push to a person's phone; false when the person has no phone.
pub(crate) fn deliver(world: &Arc<World>, person: &str, push: Push) -> bool {
    let now = world.clock.now();
    let arrivals = {
        let mut slots = world.phones.slots();
        let Some(slot) = slots.get_mut(person) else {
            return false;
        };
        let arrivals = slot.phone.arrive(push, now);
        arrivals
            .iter()
            .for_each(|arrival| report_received(world, slot, arrival));
        arrivals
    };
    arrived(world, person, &arrivals);
    true
}

fn arrived(world: &Arc<World>, person: &str, arrivals: &[Arrival]) {
    for arrival in arrivals {
        tell_arrival(world, person, arrival);
        world
            .opentext
            .receipt(arrival.origin, person, &arrival.fate, world.clock.now());
    }
    start_sending(world, person);
}

/// Puts a phone on-line or off-line; what waited arrives. None when the person has no phone.
pub(crate) fn set_online(world: &Arc<World>, person: &str, online: bool) -> Option<Vec<Arrival>> {
    let now = world.clock.now();
    let arrivals = {
        let mut slots = world.phones.slots();
        let slot = slots.get_mut(person)?;
        if online {
            let arrivals = slot.phone.go_online(now);
            arrivals
                .iter()
                .for_each(|arrival| report_received(world, slot, arrival));
            arrivals
        } else {
            slot.phone.go_offline();
            Vec::new()
        }
    };
    let words = if online { "is on-line" } else { "is off-line" };
    let text = format!("{}'s phone {words}.", name(world, person));
    world.tell(
        "phone",
        person,
        text,
        json!({"online": online, "arrived": arrivals.len()}),
    );
    arrived(world, person, &arrivals);
    Some(arrivals)
}

/// The person does something; the answer is the server's, or ours when the server has not spoken.
/// None when the person has no phone.
pub(crate) async fn do_it(
    world: &Arc<World>,
    person: &str,
    verb: Verb,
    doing: Doing<'_>,
) -> Option<Result<(OnPhone, Option<Answer>), PhoneError>> {
    let (id, answer) = {
        let mut slots = world.phones.slots();
        let slot = slots.get_mut(person)?;
        match begin(world, slot, verb, doing) {
            Ok(begun) => begun,
            Err(error) => return Some(Err(error)),
        }
    };
    let word = match verb {
        Verb::Open => "opened a push".to_owned(),
        Verb::Act => format!("pressed {}", doing.action.unwrap_or_default()),
        Verb::Ignore => "swiped a push away".to_owned(),
    };
    world.tell(
        "phone",
        person,
        format!("{} {word}.", name(world, person)),
        json!({"push": id}),
    );
    start_sending(world, person);
    let answer = match answer {
        Waiting::Nothing => None,
        Waiting::Here(answer) => {
            if let Some(slot) = world.phones.slots().get_mut(person) {
                slot.phone.cannot_report(&id, &answer);
            }
            Some(answer)
        }
        Waiting::For(coming) => match tokio::time::timeout(ANSWER_WAIT, coming).await {
            Ok(Ok(answer)) => Some(answer),
            _ => Some(ours("pending", "No answer yet; the phone keeps trying.")),
        },
    };
    let mut slots = world.phones.slots();
    let push = slots.get_mut(person)?.phone.find(Some(&id)).cloned();
    Some(push.map(|push| (push, answer)))
}

enum Waiting {
    Nothing,
    Here(Answer),
    For(oneshot::Receiver<Answer>),
}

fn begin(
    world: &World,
    slot: &mut Slot,
    verb: Verb,
    doing: Doing<'_>,
) -> Result<(String, Waiting), PhoneError> {
    let now = world.clock.now();
    let comment: Option<String> = doing
        .comment
        .map(|c| c.chars().take(MAX_COMMENT_CHARS).collect());
    let (push, event) = match verb {
        Verb::Open => (slot.phone.open(doing.which, now)?, "opened"),
        Verb::Ignore => (slot.phone.ignore(doing.which)?, "dismissed"),
        Verb::Act => {
            let action = doing.action.unwrap_or_default();
            let push = slot
                .phone
                .act(doing.which, action, comment.as_deref(), doing.force, now)?;
            (push, "acted")
        }
    };
    let push = push.clone();
    if world.phones.companion().is_none() {
        let words = "The app was not told where to report; POST /admin/companion does that.";
        return Ok((push.id, Waiting::Here(ours("no_companion", words))));
    }
    let (sender, receiver) = oneshot::channel();
    let full = slot.outbox.len() >= phone::MAX_OUTBOX;
    if full {
        return Ok((
            push.id,
            Waiting::Here(ours("dropped", "Too many reports wait in the app.")),
        ));
    }
    if !enqueue(world, slot, &push, event, Some(sender)) {
        let words = "The push carries no token, so the app cannot report.";
        return Ok((push.id, Waiting::Here(ours("no_token", words))));
    }
    if !slot.phone.online {
        let words = "The phone is off-line; the answer leaves when it is on-line again.";
        return Ok((push.id, Waiting::Here(ours("queued", words))));
    }
    let waiting = if verb == Verb::Ignore {
        Waiting::Nothing
    } else {
        Waiting::For(receiver)
    };
    Ok((push.id, waiting))
}

fn enqueue(
    world: &World,
    slot: &mut Slot,
    push: &OnPhone,
    event: &'static str,
    done: Option<oneshot::Sender<Answer>>,
) -> bool {
    slot.reports += 1;
    let id = format!(
        "{}-{:x}-{}",
        slot.phone.person, world.phones.run, slot.reports
    );
    let at = world.clock.now();
    let Some(report) = Report::about(push, event, id, &slot.phone.device, at) else {
        return false;
    };
    slot.phone.report_begins(&push.id, &report.id, event);
    slot.outbox.push_back(Outgoing {
        report,
        attempts: 0,
        done,
    });
    true
}

fn report_received(world: &World, slot: &mut Slot, arrival: &Arrival) {
    let (Fate::Shown, Some(id)) = (&arrival.fate, &arrival.id) else {
        return;
    };
    let wanted = world
        .phones
        .companion()
        .is_some_and(|companion| companion.received);
    if !wanted || slot.outbox.len() >= phone::MAX_OUTBOX {
        return;
    }
    if let Ok(push) = slot.phone.find(Some(id)) {
        let push = push.clone();
        enqueue(world, slot, &push, "received", None);
    }
}

/// Sends what waits in a phone's outbox, unless that is going on already.
fn start_sending(world: &Arc<World>, person: &str) {
    let mut slots = world.phones.slots();
    let Some(slot) = slots.get_mut(person) else {
        return;
    };
    if slot.sending || !slot.phone.online || slot.outbox.is_empty() {
        return;
    }
    slot.sending = true;
    tokio::spawn(send_all(Arc::clone(world), person.to_owned()));
}

async fn send_all(world: Arc<World>, person: String) {
    while let Some(report) = first(&world, &person) {
        let outcome = match world.phones.companion() {
            Some(companion) => report.send(&companion).await,
            None => Outcome::Final(ours(
                "no_companion",
                "The app was not told where to report.",
            )),
        };
        if let Some(pause) = settle(&world, &person, &report, outcome) {
            tokio::time::sleep(pause).await;
        }
    }
}

/// The report to send now; none ends the sending.
fn first(world: &World, person: &str) -> Option<Report> {
    let mut slots = world.phones.slots();
    let slot = slots.get_mut(person)?;
    match slot.outbox.front_mut() {
        Some(out) if slot.phone.online => {
            out.attempts += 1;
            Some(out.report.clone())
        }
        _ => {
            slot.sending = false;
            None
        }
    }
}

/// Writes down what one try brought; some = pause before the next try of the same report.
fn settle(world: &World, person: &str, report: &Report, outcome: Outcome) -> Option<Duration> {
    let (mut answer, again) = match outcome {
        Outcome::Final(answer) => (answer, false),
        Outcome::Again(answer) => (answer, true),
    };
    let attempts = {
        let mut slots = world.phones.slots();
        let slot = slots.get_mut(person)?;
        // After a reset the outbox is another one; then there is nothing left to settle.
        let out = slot
            .outbox
            .front_mut()
            .filter(|out| out.report.id == report.id)?;
        if again && out.attempts < MAX_ATTEMPTS {
            let attempts = out.attempts;
            slot.phone
                .report_answered(&report.push, &report.id, attempts, &answer);
            return Some(Duration::from_millis(pause_ms(attempts)));
        }
        if again {
            answer.message = format!(
                "{} The app gave up after {MAX_ATTEMPTS} tries.",
                answer.message
            );
        }
        let attempts = out.attempts;
        slot.phone
            .report_answered(&report.push, &report.id, attempts, &answer);
        if let Some(done) = slot.outbox.pop_front().and_then(|out| out.done) {
            // Nobody may be waiting any more; the answer is on the phone either way.
            drop(done.send(answer.clone()));
        }
        attempts
    };
    let text = format!(
        "The app reported {:?}: {} {}",
        report.event, answer.result, answer.message
    );
    world.tell(
        "report",
        person,
        text,
        json!({"push": report.push, "attempts": attempts,
        "status": answer.status, "result": answer.result}),
    );
    None
}

fn tell_arrival(world: &World, person: &str, arrival: &Arrival) {
    let (name, title) = (name(world, person), &arrival.title);
    let text = match arrival.fate {
        Fate::Shown => format!("{name}'s phone shows: {title}"),
        Fate::Repeated => format!("{name}'s phone got again, and does not show twice: {title}"),
        Fate::Waiting => format!("Waits until {name}'s phone is on-line: {title}"),
        Fate::Expired => format!("Came too late for {name}'s phone: {title}"),
        Fate::Superseded => format!("A newer one took the place before {name} saw: {title}"),
        Fate::Lost => format!("Lost, because too many waited for {name}'s phone: {title}"),
    };
    world.tell(
        "push",
        person,
        text,
        json!({"arrival": arrival.fate.word()}),
    );
}

fn ours(result: &str, message: &str) -> Answer {
    Answer {
        status: 0,
        result: result.to_owned(),
        message: message.to_owned(),
    }
}

fn name(world: &World, person: &str) -> String {
    let full = world.person(person).map_or(person, |p| p.name.as_str());
    full.split(' ').next().unwrap_or(full).to_owned()
}
