//! The world of a story: a clock that stands still until it is moved, connections that write down
//! what is sent and fail as the story says, and a store that is watched. The engine in between is
//! the real one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{
    Action, ActionDef, AuthSpec, Checked, Connection, ConnectorDef, EngagementKind,
    EngagementReport, Inbound, Outcome, Role,
};
use bellwether_model::event::Alias;
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::EffectId;
use bellwether_model::notification::Delivery;
use bellwether_model::secret::Secret;
use bellwether_model::spec::Spec;
use bellwether_model::time::Time;
use serde_json::Value as Json;
use tokio::sync::Notify;

use super::Fault;

/// A clock that is moved by hand.
#[derive(Debug)]
pub struct StoryClock {
    now: AtomicI64,
    moved: Notify,
    /// The moments that somebody waits for.
    awaited: Mutex<Vec<Time>>,
}

impl StoryClock {
    /// A clock that stands at `now`.
    pub fn at(now: Time) -> Self {
        Self {
            now: AtomicI64::new(now.0),
            moved: Notify::new(),
            awaited: Mutex::default(),
        }
    }

    /// Moves on; never back.
    pub fn move_to(&self, time: Time) {
        self.now.fetch_max(time.0, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Whether somebody waits for just this moment.
    pub fn is_awaited(&self, due: Time) -> bool {
        self.awaited().contains(&due)
    }

    fn awaited(&self) -> MutexGuard<'_, Vec<Time>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits, until he no longer does.
struct Waiting<'a>(&'a StoryClock, Time);

impl<'a> Waiting<'a> {
    fn at(clock: &'a StoryClock, due: Time) -> Self {
        clock.awaited().push(due);
        Self(clock, due)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut awaited = self.0.awaited();
        if let Some(at) = awaited.iter().position(|due| *due == self.1) {
            awaited.swap_remove(at);
        }
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Time {
        Time(self.now.load(Ordering::SeqCst))
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _waiting = Waiting::at(self, due);
            loop {
                let moved = self.moved.notified();
                if self.now() >= due {
                    return;
                }
                moved.await;
            }
        })
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A push that makes a sound.
    Push,
    /// A silent one that replaces an earlier one.
    Update,
    /// A mail to a person.
    Mail,
    /// An answer in a thread.
    Reply,
    /// Labels.
    Label,
    /// A request to another system.
    Request,
    /// Something on the list of things not done.
    DeadLetter,
    /// An event of our own.
    Emit,
}

/// One thing that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What.
    pub what: What,
    /// To whom: a person's id, else an address.
    pub who: String,
    /// The address.
    pub address: String,
    /// Title or subject.
    pub title: String,
    /// The text.
    pub text: String,
    /// When.
    pub at: Time,
    /// Which effect it was; None for what is no effect.
    pub effect: Option<EffectId>,
    /// The arguments as the connection got them.
    pub args: Json,
    /// The Message-ID of a mail.
    pub message_id: String,
    /// Whether a story expected it.
    pub expected: bool,
}

/// What the connections of a story wrote down, and how they fail.
#[derive(Debug, Default)]
pub struct Record {
    sent: Mutex<Vec<Sent>>,
    faults: Mutex<HashMap<(&'static str, String), Fault>>,
    emails: Mutex<HashMap<String, String>>,
    /// The effects in the order in which they left first.
    order: Mutex<Vec<EffectId>>,
    /// What happens to one of them, by its place in that order.
    fate: Mutex<Option<(usize, Fate)>>,
    cut_off: AtomicBool,
}

/// What happens to one message, each time that it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It fails.
    Fails(Fault),
    /// The first time it arrives, and nobody here hears of that.
    Unheard,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Record {
    /// Everything that was sent so far, to look at or to mark.
    pub fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        locked(&self.sent)
    }

    /// From now on sending on this channel fails like this, for a person or an address; empty: for
    /// everybody.
    pub fn fail(&self, channel: &'static str, person: &str, fault: Fault) {
        let mut faults = locked(&self.faults);
        if fault == Fault::None && person.is_empty() {
            faults.retain(|(of, _), _| *of != channel);
        } else {
            faults.insert((channel, person.to_owned()), fault);
        }
    }

    /// What happens to the message that leaves as number so many, from zero.
    pub fn decree(&self, number: usize, fate: Fate) {
        *locked(&self.fate) = Some((number, fate));
    }

    /// Nothing gets out any more, and no answer comes; or all is well again.
    pub fn cut_off(&self, cut: bool) {
        self.cut_off.store(cut, Ordering::SeqCst);
    }

    /// The effects that tried to leave, in the order of their first attempts.
    pub fn order(&self) -> Vec<EffectId> {
        locked(&self.order).clone()
    }

    /// The decree about an effect, if there is one, and whether this is its first attempt.
    fn fate(&self, effect: EffectId) -> Option<(Fate, bool)> {
        let mut order = locked(&self.order);
        let known = order.iter().position(|known| *known == effect);
        let at = known.unwrap_or(order.len());
        if known.is_none() {
            order.push(effect);
        }
        let fate = *locked(&self.fate);
        let (number, fate) = fate?;
        (number == at).then_some((fate, known.is_none()))
    }

    /// Whose address is whose.
    pub(super) fn know(&self, directory: &bellwether_model::directory::Directory) {
        let mut emails = locked(&self.emails);
        for person in directory.people.values() {
            for email in &person.emails {
                emails.insert(email.to_ascii_lowercase(), person.id.clone());
            }
        }
    }

    fn person_at(&self, address: &str) -> String {
        let known = locked(&self.emails);
        let found = known.get(&address.to_ascii_lowercase());
        found.cloned().unwrap_or_else(|| address.to_owned())
    }

    fn fault(&self, channel: &'static str, person: &str, address: &str) -> Fault {
        let faults = locked(&self.faults);
        let of = |who: &str| faults.get(&(channel, who.to_owned())).copied();
        let found = of(address).or_else(|| of(person)).or_else(|| of(""));
        found.unwrap_or(Fault::None)
    }

    pub(super) fn note(&self, sent: Sent) {
        locked(&self.sent).push(sent);
    }

    fn perform(&self, action: &Action<'_>, clock: &StoryClock) -> Result<Outcome, Failure> {
        let text = |name: &str| action.args.get(name).and_then(Json::as_str).unwrap_or("");
        let channel = match action.name {
            "push" => "push",
            "request" => "http",
            _ => "mail",
        };
        let to = action.args.get("to").and_then(|to| to.get(0));
        let to = to.and_then(Json::as_str).unwrap_or_default();
        let who = match action.name {
            "push" => text("person").to_owned(),
            "label" => text("id").to_owned(),
            "request" => text("connection").to_owned(),
            _ => self.person_at(to),
        };
        let fate = self.fate(action.effect);
        let unheard = || Failure::maybe("no_answer", "no answer came in time");
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(unheard());
        }
        let fault = match fate {
            Some((Fate::Fails(fault), _)) => fault,
            _ => self.fault(channel, &who, text("address")),
        };
        if let Some(failure) = fault.failure() {
            return Err(failure);
        }
        let (what, address, title) = match action.name {
            "push" if text("kind") == "update" => (What::Update, text("address"), text("title")),
            "push" => (What::Push, text("address"), text("title")),
            "label" => (What::Label, text("id"), ""),
            "request" => (What::Request, text("connection"), text("type")),
            "reply" => (What::Reply, to, text("subject")),
            _ => (What::Mail, to, text("subject")),
        };
        let message_id = format!("{}.{}@story.example", action.effect, action.attempt);
        let is_mail = matches!(what, What::Reply | What::Mail);
        let aliases = is_mail.then(|| Alias::new("message-id", message_id.as_str()));
        let body = match what {
            What::Label => label_text(action.args),
            What::Request => action.args["data"].to_string(),
            _ => text("text").to_owned(),
        };
        self.note(Sent {
            what,
            who,
            address: address.to_owned(),
            title: title.to_owned(),
            text: body,
            at: clock.now(),
            effect: Some(action.effect),
            args: action.args.clone(),
            message_id: message_id.clone(),
            expected: false,
        });
        if fate == Some((Fate::Unheard, true)) {
            return Err(unheard());
        }
        Ok(Outcome {
            delivery: Delivery::Accepted,
            reference: Some(message_id),
            aliases: aliases.into_iter().collect(),
        })
    }
}

fn label_text(args: &Json) -> String {
    let words = |name: &str, sign: &str| {
        let all = args.get(name).and_then(Json::as_array);
        let all = all.into_iter().flatten().filter_map(Json::as_str);
        all.map(|label| format!("{sign}{label}"))
            .collect::<Vec<_>>()
    };
    [words("add", "+"), words("remove", "-")].concat().join(" ")
}

/// A connection of a story.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) record: Arc<Record>,
    pub(super) clock: Arc<StoryClock>,
}

impl Connection for Recorder {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(std::future::ready(Ok(Checked {
            identity: "story".to_owned(),
        })))
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(std::future::ready(self.record.perform(action, &self.clock)))
    }

    /// A phone reports, as a companion app does: the token says who and what about.
    fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        let malformed = |_| RawAnswer::error(400, "malformed", "not a report");
        let body: Json = serde_json::from_slice(&request.body).map_err(malformed)?;
        let text = |name: &str| {
            let value = body.get(name).and_then(Json::as_str);
            value.unwrap_or_default().to_owned()
        };
        let what = match text("what").as_str() {
            "opened" => EngagementKind::Opened,
            "dismissed" => EngagementKind::Dismissed,
            "received" => EngagementKind::Received,
            _ => EngagementKind::Acted {
                choice: text("choice"),
                comment: text("comment"),
            },
        };
        Ok(vec![Inbound::Engagement(EngagementReport {
            id: text("id"),
            token: Secret::new(text("token")),
            what,
            shown: text("shown"),
            at: None,
            device: "story phone".to_owned(),
        })])
    }
}

fn no_fields() -> Spec {
    Spec::default()
}

fn no_sample() -> Json {
    Json::Null
}

const fn action(name: &'static str, role: Role) -> ActionDef {
    ActionDef {
        name,
        role,
        summary: "Written down.",
        input: no_fields,
        sample: no_sample,
        reconciles: false,
        verified: true,
    }
}

const fn connector(name: &'static str, actions: &'static [ActionDef]) -> ConnectorDef {
    ConnectorDef {
        name,
        title: "the story",
        summary: "Writes down what a story sends.",
        needs: "",
        basis: "",
        settings: no_fields,
        auth: AuthSpec::None,
        triggers: &[],
        thresholds: &[],
        actions,
        inlets: &[],
        reduce: None,
        connect: |_, _| Err(Failure::bug("story", "stories make their own connections")),
    }
}

const MAIL_ACTIONS: [ActionDef; 4] = [
    action("send", Role::Mail),
    action("reply", Role::Reply),
    action("label", Role::Label),
    action("request", Role::Http),
];
const PUSH_ACTIONS: [ActionDef; 1] = [action("push", Role::Push)];
/// A mailbox, which takes requests as well: stories do not tell connections apart.
pub(super) static MAILBOX: ConnectorDef = connector("mailbox", &MAIL_ACTIONS);
/// Everybody's phones.
pub(super) static PHONES: ConnectorDef = connector("phones", &PUSH_ACTIONS);
