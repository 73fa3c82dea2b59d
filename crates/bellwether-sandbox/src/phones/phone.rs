//! One person's phone as a state machine: what arrives, what waits while it is off-line, what the
//! person did with each push. Pure: time comes in as an argument, reports to send come out.

use jiff::Timestamp;
use std::collections::VecDeque;

use super::push::{Answer, OnPhone, Push, PushState, ReportSeen};

/// Firebase keeps this many messages for an off-line phone, then throws all of them away.
pub(crate) const MAX_WAITING: usize = 100;
/// Pushes a phone remembers; the oldest is forgotten first.
pub(crate) const MAX_REMEMBERED: usize = 500;
/// Reports kept while the phone is off-line.
pub(crate) const MAX_OUTBOX: usize = 100;
/// Reports that a phone lists for one push; the oldest is forgotten first.
const MAX_REPORTS: usize = 50;

/// What became of a push that reached the phone or its waiting room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// New on the lock screen.
    Shown,
    /// The same push again; nothing new to see.
    Repeated,
    /// The phone is off-line; Firebase keeps it.
    Waiting,
    /// Too late: remembered, never shown.
    Expired,
    /// A newer one with the same key took its place before the phone came on-line.
    Superseded,
    /// The waiting room was full and everything in it was thrown away.
    Lost,
}

impl Fate {
    /// The word for scripts.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Repeated => "repeated",
            Self::Waiting => "waiting",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Lost => "lost",
        }
    }
}

/// A fate, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) fate: Fate,
    /// Number of the call that brought the push.
    pub(crate) origin: u64,
    pub(crate) title: String,
    /// The phone's own id of the push, once it has one.
    pub(crate) id: Option<String>,
}

impl Arrival {
    fn new(fate: Fate, push: &Push, id: Option<String>) -> Self {
        Self {
            fate,
            origin: push.origin,
            title: push.title.clone(),
            id,
        }
    }
}

/// Why the phone could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PhoneError {
    /// There is no such push on the phone.
    NoSuchPush(String),
    /// The push does not offer this button.
    NoSuchAction { asked: String, offered: Vec<String> },
    /// The button asks for a comment.
    CommentMissing(String),
    /// The push was replaced or came too late; the person cannot see it.
    NotVisible(String),
}

impl std::fmt::Display for PhoneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchPush(which) => write!(f, "There is no push {which} on this phone."),
            Self::NoSuchAction { asked, offered } if offered.is_empty() => {
                write!(
                    f,
                    "The push has no buttons, so {asked:?} cannot be pressed."
                )
            }
            Self::NoSuchAction { asked, offered } => {
                write!(
                    f,
                    "The push has no button {asked:?}. It has: {}.",
                    offered.join(", ")
                )
            }
            Self::CommentMissing(action) => write!(f, "{action:?} asks for a comment; send one."),
            Self::NotVisible(id) => write!(
                f,
                "The push {id} is not on the screen any more; send \"force\": true to press anyway."
            ),
        }
    }
}

/// One person's phone.
#[derive(Debug, Clone)]
pub(crate) struct Phone {
    /// Whose it is, for example `alice`.
    pub(crate) person: String,
    /// Its Firebase token, for example `device-alice`.
    pub(crate) device: String,
    pub(crate) online: bool,
    /// Oldest first.
    pub(crate) pushes: VecDeque<OnPhone>,
    /// Kept by Firebase while the phone is off-line, oldest first.
    pub(crate) waiting: VecDeque<Push>,
    next: u64,
}

impl Phone {
    /// A phone that is on-line and empty.
    pub(crate) fn new(person: &str) -> Self {
        Self {
            person: person.to_owned(),
            device: format!("device-{person}"),
            online: true,
            pushes: VecDeque::new(),
            waiting: VecDeque::new(),
            next: 1,
        }
    }

    /// An empty phone that is on-line. Ids go on counting, so that a late answer to an old push
    /// cannot be taken for one to a new push.
    pub(crate) fn clear(&mut self) {
        self.pushes.clear();
        self.waiting.clear();
        self.online = true;
    }

    /// Firebase hands over a push; also tells what became of others because of it.
    pub(crate) fn arrive(&mut self, push: Push, now: Timestamp) -> Vec<Arrival> {
        if self.online {
            vec![self.receive(push, now)]
        } else {
            self.keep(push, now)
        }
    }

    fn keep(&mut self, push: Push, now: Timestamp) -> Vec<Arrival> {
        if push.expires_at <= now {
            // A ttl of zero means now or never, and now the phone is off-line.
            return vec![self.too_late(push, now)];
        }
        let mut fates = Vec::new();
        if push.collapse_key.is_some() {
            // A newer message with the same key takes the older one's place in the queue.
            self.waiting.retain(|kept| {
                let stays = kept.collapse_key != push.collapse_key;
                if !stays {
                    fates.push(Arrival::new(Fate::Superseded, kept, None));
                }
                stays
            });
        }
        if self.waiting.len() >= MAX_WAITING {
            fates.extend(
                self.waiting
                    .drain(..)
                    .map(|k| Arrival::new(Fate::Lost, &k, None)),
            );
        }
        fates.push(Arrival::new(Fate::Waiting, &push, None));
        self.waiting.push_back(push);
        fates
    }

    fn too_late(&mut self, push: Push, now: Timestamp) -> Arrival {
        let arrival = Arrival::new(Fate::Expired, &push, None);
        Arrival {
            id: Some(self.remember(push, now, PushState::Expired)),
            ..arrival
        }
    }

    fn receive(&mut self, push: Push, now: Timestamp) -> Arrival {
        if let Some(known) = self
            .pushes
            .iter_mut()
            .rev()
            .find(|known| known.same_as(&push))
        {
            known.times_received += 1;
            return Arrival::new(Fate::Repeated, &push, Some(known.id.clone()));
        }
        if push.collapse_key.is_some() {
            for older in self.pushes.iter_mut().filter(|o| o.visible()) {
                if older.push.collapse_key == push.collapse_key {
                    older.covered = true;
                    if older.state != PushState::Acted {
                        older.state = PushState::Replaced;
                    }
                }
            }
        }
        let arrival = Arrival::new(Fate::Shown, &push, None);
        Arrival {
            id: Some(self.remember(push, now, PushState::Received)),
            ..arrival
        }
    }

    fn remember(&mut self, push: Push, now: Timestamp, state: PushState) -> String {
        let id = format!("{}-{}", self.person, self.next);
        self.next += 1;
        if self.pushes.len() >= MAX_REMEMBERED {
            self.pushes.pop_front();
        }
        self.pushes.push_back(OnPhone {
            id: id.clone(),
            push,
            received_at: now,
            state,
            opened_at: None,
            acted_at: None,
            action: None,
            comment: None,
            answer: None,
            times_received: 1,
            covered: false,
            reports: Vec::new(),
        });
        id
    }

    /// The phone finds a network: what waited arrives, in order.
    pub(crate) fn go_online(&mut self, now: Timestamp) -> Vec<Arrival> {
        self.online = true;
        let waited = std::mem::take(&mut self.waiting);
        let arrive = |push: Push| {
            if push.expires_at <= now {
                self.too_late(push, now)
            } else {
                self.receive(push, now)
            }
        };
        waited.into_iter().map(arrive).collect()
    }

    /// The phone loses its network.
    pub(crate) fn go_offline(&mut self) {
        self.online = false;
    }

    /// Finds a push by notification id or by the phone's own id; none given = newest on screen.
    ///
    /// Of several pushes about one notification, the one that still has buttons is meant.
    pub(crate) fn find(&mut self, which: Option<&str>) -> Result<&mut OnPhone, PhoneError> {
        let fits = |push: &OnPhone| match which {
            Some(which) => push.id == which || push.notification() == Some(which),
            None => push.visible(),
        };
        let mut found: Vec<usize> = (0..self.pushes.len())
            .filter(|&i| fits(&self.pushes[i]))
            .collect();
        if which.is_some() {
            found.sort_by_key(|&i| {
                (
                    self.pushes[i].visible(),
                    !self.pushes[i].buttons().is_empty(),
                )
            });
        }
        match found.last() {
            Some(&index) => Ok(&mut self.pushes[index]),
            None => Err(PhoneError::NoSuchPush(
                which.unwrap_or("that can be seen").to_owned(),
            )),
        }
    }

    /// The person taps the push.
    pub(crate) fn open(
        &mut self,
        which: Option<&str>,
        now: Timestamp,
    ) -> Result<&mut OnPhone, PhoneError> {
        let push = self.find(which)?;
        if push.state == PushState::Expired {
            return Err(PhoneError::NotVisible(push.id.clone()));
        }
        push.opened_at.get_or_insert(now);
        if matches!(push.state, PushState::Received | PushState::Ignored) {
            push.state = PushState::Opened;
        }
        Ok(push)
    }

    /// The person presses a button. `force` presses one that the person cannot see any more.
    pub(crate) fn act(
        &mut self,
        which: Option<&str>,
        action: &str,
        comment: Option<&str>,
        force: bool,
        now: Timestamp,
    ) -> Result<&mut OnPhone, PhoneError> {
        // Without a name the newest push that has buttons is meant, as a person would.
        let mut newest_first = self.pushes.iter().rev();
        let pressable = newest_first.find(|p| p.visible() && !p.buttons().is_empty());
        let pressable = pressable.map(|p| p.id.clone());
        let push = self.find(which.or(pressable.as_deref()))?;
        if !force {
            if !push.visible() {
                return Err(PhoneError::NotVisible(push.id.clone()));
            }
            let buttons = push.buttons();
            let Some(button) = buttons.iter().find(|b| b.id == action) else {
                let offered = buttons.into_iter().map(|b| b.id).collect();
                return Err(PhoneError::NoSuchAction {
                    asked: action.to_owned(),
                    offered,
                });
            };
            if button.comment == "required" && comment.is_none_or(|c| c.trim().is_empty()) {
                return Err(PhoneError::CommentMissing(button.label.clone()));
            }
        }
        push.state = PushState::Acted;
        push.acted_at = Some(now);
        push.action = Some(action.to_owned());
        push.comment = comment.map(str::to_owned);
        push.answer = None;
        Ok(push)
    }

    /// The person swipes the push away.
    pub(crate) fn ignore(&mut self, which: Option<&str>) -> Result<&mut OnPhone, PhoneError> {
        let push = self.find(which)?;
        if matches!(push.state, PushState::Received | PushState::Opened) {
            push.state = PushState::Ignored;
        }
        Ok(push)
    }

    /// The app starts to report about a push.
    pub(crate) fn report_begins(&mut self, push: &str, report: &str, event: &str) {
        if let Some(push) = self.pushes.iter_mut().find(|p| p.id == push) {
            let (id, event) = (report.to_owned(), event.to_owned());
            if push.reports.len() >= MAX_REPORTS {
                push.reports.remove(0);
            }
            push.reports.push(ReportSeen {
                id,
                event,
                attempts: 0,
                answer: None,
            });
        }
    }

    /// A report was answered, or had no answer. The answer to the last deed is shown to the person.
    pub(crate) fn report_answered(
        &mut self,
        push: &str,
        report: &str,
        attempts: u32,
        answer: &Answer,
    ) {
        let Some(push) = self.pushes.iter_mut().find(|p| p.id == push) else {
            return;
        };
        let Some(seen) = push.reports.iter_mut().find(|seen| seen.id == report) else {
            return;
        };
        seen.attempts = attempts;
        seen.answer = Some(answer.clone());
        // Opening once more must not hide what the server said to the decision.
        if seen.event == "acted" || (seen.event == "opened" && push.state != PushState::Acted) {
            push.answer = Some(answer.clone());
        }
    }

    /// The app cannot report at all; the person reads why.
    pub(crate) fn cannot_report(&mut self, push: &str, answer: &Answer) {
        if let Some(push) = self.pushes.iter_mut().find(|p| p.id == push) {
            push.answer = Some(answer.clone());
        }
    }
}
