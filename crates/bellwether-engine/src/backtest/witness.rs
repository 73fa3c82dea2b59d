//! Who notes what a flow would have sent, and holds it against what was sent in truth.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use bellwether_model::connector::Role;
use bellwether_model::directory::Directory;
use bellwether_model::id::{EffectId, key16};
use bellwether_model::time::{Millis, Time};

use super::past::arguments;
use super::report::{DIFFERENCES_MAX, Difference, Kind, MESSAGES_MAX, Message, Report};
use crate::store::{EffectRow, EffectState};

/// Two messages of which neither is later than this count as sent at the same time: timers of the
/// record fired a moment late.
const SAME_TIME: Millis = Millis::minutes(1);
/// The hours of the night, for the summary.
const NIGHT: (i8, i8) = (22, 6);
/// Messages without a counterpart that are remembered: 56 bytes each.
const UNMET_MAX: usize = 1_000_000;

/// What is found so far.
#[derive(Debug, Default)]
pub(super) struct Witness {
    report: Report,
    people: BTreeSet<String>,
    /// Messages of the record that stand beside one with another id.
    met: HashSet<EffectId>,
    /// What would be sent, and what was sent, and has no counterpart.
    more: Vec<Unmet>,
    fewer: Vec<Unmet>,
    /// Events whose content is gone.
    pub(super) pruned: u64,
    /// Answers to what is not asked here.
    pub(super) unasked: u64,
    /// Messages of runs that began before or after.
    pub(super) of_other_runs: u64,
}

/// Whether somebody hears it, a person or another system: no label, no silent push, no code that a
/// person asks for himself.
pub(super) fn is_message(row: &EffectRow) -> bool {
    let args = arguments(row);
    let heard = matches!(row.role, Role::Push | Role::Mail | Role::Reply | Role::Http);
    heard && args["kind"] != "update" && args["code_for"].is_null()
}

/// Whether it left, as far as anybody knows.
pub(super) fn was_sent(row: &EffectRow) -> bool {
    use EffectState::{Done, Failed, Maybe, Started};
    matches!(row.state, Done | Failed | Maybe | Started)
}

/// A message without a counterpart, as small as it can be.
#[derive(Clone, Copy, Debug)]
struct Unmet {
    /// Run, step, purpose and channel, as a hash; and the same without the step.
    places: [[u8; 16]; 2],
    effect: EffectId,
    at: Time,
}

impl Unmet {
    fn of(row: &EffectRow) -> Self {
        let args = arguments(row);
        let text = |name: &str| args[name].as_str().unwrap_or_default();
        let (run, channel) = (row.cell, row.role_word());
        let rest = [run.bytes(), text("kind").as_bytes(), channel.as_bytes()];
        Self {
            places: [
                key16(&[rest[0], rest[1], rest[2], text("step").as_bytes()]),
                key16(&rest),
            ],
            effect: row.id,
            at: row.made_at,
        }
    }
}

/// A difference whose messages are still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) at: Time,
    pub(super) would: Option<EffectId>,
    pub(super) was: Option<EffectId>,
}

/// A message as it is shown.
pub(super) fn message(row: &EffectRow, directory: &Directory) -> Message {
    let args = arguments(row);
    let text = |name: &str| args[name].as_str().map(str::to_owned);
    let address = args["to"][0].as_str().or(args["connection"].as_str());
    let address = address.map(str::to_owned);
    let person = row.person.as_deref().and_then(|id| directory.person(id));
    let who = row.person.clone().or(address).unwrap_or_default();
    Message {
        at: row.made_at,
        run: row.cell,
        channel: row.role_word(),
        name: person.map_or_else(|| who.clone(), |person| person.name.clone()),
        who,
        title: text("title")
            .or_else(|| text("subject"))
            .or_else(|| text("type"))
            .unwrap_or_default(),
        text: text("text").unwrap_or_else(|| match &args["data"] {
            data if data.is_null() => String::new(),
            data => data.to_string(),
        }),
    }
}

impl Witness {
    pub(super) fn has_met(&self, id: EffectId) -> bool {
        self.met.contains(&id)
    }

    /// The flow would send this now; `recorded` is the same message in the record.
    pub(super) fn sends(
        &mut self,
        row: &EffectRow,
        recorded: Option<&EffectRow>,
        directory: &Directory,
    ) {
        let would = message(row, directory);
        self.summed(row, &would, directory);
        if self.report.messages.len() < MESSAGES_MAX {
            self.report.messages.push(would.clone());
        }
        let Some(was) = recorded.filter(|was| was_sent(was)) else {
            if self.more.len() < UNMET_MAX {
                self.more.push(Unmet::of(row));
            } else {
                self.count(Kind::More);
            }
            return;
        };
        self.report.sent += 1;
        if was.id != row.id {
            self.met.insert(was.id);
        }
        let was = message(was, directory);
        let apart = would.at.since(was.at).max(was.at.since(would.at));
        if would.title != was.title || would.text != was.text {
            self.differs(Kind::OtherText, would, Some(was));
        } else if apart > SAME_TIME {
            self.differs(Kind::OtherTime, would, Some(was));
        } else {
            self.report.same += 1;
        }
    }

    fn summed(&mut self, row: &EffectRow, would: &Message, directory: &Directory) {
        self.report.would_send += 1;
        *self.report.channels.entry(would.channel).or_default() += 1;
        self.people.insert(would.who.clone());
        let person = row.person.as_deref().and_then(|id| directory.person(id));
        let Some(person) = person else { return };
        let local = would.at.timestamp().to_zoned(person.time_zone());
        let hour = local.hour();
        let is_night = hour >= NIGHT.0 || hour < NIGHT.1;
        self.report.at_night += u64::from(is_night && row.role == Role::Push);
        self.report.on_leave += u64::from(person.is_away_on(local.date()));
    }

    /// This was sent in truth, and would not be.
    pub(super) fn was_sent_only(&mut self, row: &EffectRow) {
        self.report.sent += 1;
        if self.fewer.len() < UNMET_MAX {
            self.fewer.push(Unmet::of(row));
        } else {
            self.count(Kind::Fewer);
        }
    }

    fn count(&mut self, kind: Kind) {
        *self.report.counts.entry(kind).or_default() += 1;
    }

    fn differs(&mut self, kind: Kind, message: Message, instead_of: Option<Message>) {
        self.count(kind);
        if self.report.differences.len() < DIFFERENCES_MAX {
            self.report.differences.push(Difference {
                kind,
                message,
                instead_of,
            });
        }
    }

    /// What would go to somebody and went to somebody else instead is one difference, not two:
    /// first those of the same step, then, as a changed step has another name, those of the same
    /// purpose in the same run. The oldest of what is found; all of it is counted.
    pub(super) fn pair(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        for which in [0, 1] {
            self.fewer.sort_by_key(|was| (was.at, was.effect));
            let mut there: HashMap<[u8; 16], VecDeque<Unmet>> = HashMap::new();
            for was in std::mem::take(&mut self.fewer) {
                there.entry(was.places[which]).or_default().push_back(was);
            }
            for would in std::mem::take(&mut self.more) {
                let there = there.get_mut(&would.places[which]);
                match there.and_then(VecDeque::pop_front) {
                    Some(was) => found.push(Found {
                        kind: Kind::OtherRecipient,
                        at: would.at,
                        would: Some(would.effect),
                        was: Some(was.effect),
                    }),
                    None => self.more.push(would),
                }
            }
            self.fewer = there.into_values().flatten().collect();
        }
        let more = std::mem::take(&mut self.more).into_iter();
        found.extend(more.map(|would| Found {
            kind: Kind::More,
            at: would.at,
            would: Some(would.effect),
            was: None,
        }));
        let fewer = std::mem::take(&mut self.fewer).into_iter();
        found.extend(fewer.map(|was| Found {
            kind: Kind::Fewer,
            at: was.at,
            would: None,
            was: Some(was.effect),
        }));
        for one in &found {
            self.count(one.kind);
        }
        found.sort_by_key(|one| (one.at, one.would, one.was));
        found.truncate(DIFFERENCES_MAX);
        found
    }

    /// A difference whose messages were read.
    pub(super) fn read(&mut self, kind: Kind, message: Message, instead_of: Option<Message>) {
        self.report.differences.push(Difference {
            kind,
            message,
            instead_of,
        });
    }

    /// Everything that was found.
    pub(super) fn report(&mut self) -> Report {
        let mut report = std::mem::take(&mut self.report);
        report.people = self.people.len() as u64;
        report.pruned = self.pruned;
        report.unasked = self.unasked;
        report.of_other_runs = self.of_other_runs;
        report
            .differences
            .sort_by(|a, b| (a.message.at, &a.message.who).cmp(&(b.message.at, &b.message.who)));
        report.differences.truncate(DIFFERENCES_MAX);
        report
    }
}
