//! `wait` and `pause`: stopping until an event comes or time is up, and keeping what came too
//! early.

use std::sync::Arc;

use bellwether_model::event::Event;
use bellwether_model::time::Time;

use super::act::{self, ENGINE};
use super::draft::Note;
use super::state::{EventKey, KEPT_MAX, event_key};
use super::walk::{Turner, Way};
use crate::calendar;
use crate::flow::read::span;
use crate::flow::{Block, Length, Step, Verb, Wait};
use crate::lang::{EvalError, Expr};
use crate::seam::TurnSaid;

impl Turner<'_> {
    pub(super) fn begin_wait(&mut self, step: &Step, wait: &Wait) -> Way {
        let due = match self.due_for(&wait.up_to, wait.whose.as_ref()) {
            Ok(due) => due,
            Err(error) => return self.broken(step, &error),
        };
        let fits = |key: &&EventKey| {
            !self.took(key) && self.event(key).is_some_and(|event| self.fits(step, event))
        };
        if let Some(key) = self.state.kept.iter().find(fits).cloned() {
            if self.branch.is_none() {
                self.state.kept.retain(|other| *other != key);
            }
            self.takes(&key);
            if let Some(name) = &wait.name {
                self.remember(name, Some(key));
            }
            return Way::Through;
        }
        let name = self.named(&step.id);
        self.out.timers.push((format!("wait/{name}"), Some(due)));
        self.stay()
    }

    fn fits(&self, step: &Step, event: &Event) -> bool {
        let Some(wait) = step.verb.waits_for() else {
            return false;
        };
        let came = &event.envelope;
        let is_ours = || came.source == ENGINE && came.data["call"]["id"] == *self.call_id(step);
        let another = matches!(step.verb, Verb::Call(_)) && !is_ours();
        !another
            && wait.events.contains(&event.envelope.kind)
            && wait.condition.as_ref().is_none_or(|condition| {
                let it = super::values::noun_of(event);
                self.scope()
                    .with("it", it)
                    .truthy(condition)
                    .unwrap_or(false)
            })
    }

    /// Whether the run or a branch waits for this event; then it goes on. Every branch that waits
    /// for it does, and one that comes to wait for it later finds it kept.
    pub(super) fn awaited(&mut self, event: &Event) -> bool {
        let flow = Arc::clone(self.case.flow);
        let mut woken = false;
        for place in self.everywhere() {
            let there = place
                .as_ref()
                .is_none_or(|id| self.state.branches.contains_key(id));
            if self.out.closed || !there {
                continue;
            }
            self.branch = place;
            let Some(step) = self.standing(&flow) else {
                continue;
            };
            if self.fits(step, event) {
                woken = true;
                self.hold(event_key(&event.envelope));
                self.wait_is_over(Some(event));
            }
        }
        self.branch = None;
        woken
    }

    /// Whether a step somewhere in the flow waits for events of this kind.
    pub(super) fn expects(&self, kind: &str) -> bool {
        expects(&self.case.flow.steps, kind)
    }

    /// Whether the present branch went on with this event already.
    fn took(&self, key: &EventKey) -> bool {
        self.around().iter().any(|branch| branch.took.contains(key))
    }

    fn takes(&mut self, key: &EventKey) {
        let branch = self.branch.as_ref();
        if let Some(branch) = branch.and_then(|id| self.state.branches.get_mut(id)) {
            branch.took.push(key.clone());
        }
    }

    /// An event that wakes one branch stays for the others.
    fn hold(&mut self, key: EventKey) {
        if self.branch.is_some() && !self.state.kept.contains(&key) {
            if self.state.kept.len() >= KEPT_MAX {
                self.state.kept.remove(0);
            }
            self.state.kept.push(key);
        }
    }

    pub(super) fn wait_is_over(&mut self, event: Option<&Event>) {
        let flow = Arc::clone(self.case.flow);
        if let Some(event) = event {
            self.takes(&event_key(&event.envelope));
        }
        if let Some(step) = self.standing(&flow) {
            let name = self.named(&step.id);
            self.out.timers.push((format!("wait/{name}"), None));
            let waited = step.verb.waits_for();
            if let Some(name) = waited.and_then(|wait| wait.name.as_ref()) {
                let key = event.map(|event| event_key(&event.envelope));
                self.remember(name, key);
            }
        }
        self.go_on(None);
    }

    /// Keeps an event that nothing waits for yet; the oldest goes when there are too many.
    pub(super) fn keep(&mut self, event: &Event) {
        if self.out.said.is_none() {
            self.out.said = Some(TurnSaid::Noted);
        }
        if let Some(person) = act::looked_at(event) {
            self.out.notes.push(Note::of("opened").about(&person));
            return;
        }
        if self.state.kept.len() >= KEPT_MAX {
            self.state.kept.remove(0);
            self.out
                .notes
                .push(Note::of("dropped").because("32 events wait already"));
        }
        self.state.kept.push(event_key(&event.envelope));
    }

    /// When a length of time that begins now is over, in the owner's calendar.
    pub(super) fn due(&self, length: &Length) -> Result<Time, EvalError> {
        self.due_for(length, None)
    }

    /// The same in the calendar of the first of those who are meant; nobody: the owner's.
    fn due_for(&self, length: &Length, whose: Option<&Expr>) -> Result<Time, EvalError> {
        let span = match length {
            Length::Fixed(span) => *span,
            Length::Given(input) => {
                let value = self.scope().eval(input)?;
                let text = value.as_str().unwrap_or_default();
                span(text).map_err(|message| EvalError {
                    message,
                    line: input.line(),
                    column: input.column(),
                    unknown: Vec::new(),
                })?
            }
        };
        let directory = &self.case.world.directory;
        let owner = || directory.person(directory.owner.as_deref()?);
        let meant = whose.map(|whose| self.scope().who(whose));
        let meant = meant.and_then(Result::ok);
        let meant = meant.and_then(|people| directory.person(people.first()?));
        Ok(calendar::due(
            self.case.now,
            span,
            meant.or_else(owner).unwrap_or(&Default::default()),
        ))
    }
}

fn expects(block: &Block, kind: &str) -> bool {
    block.steps.iter().any(|step| {
        let waited = step.verb.waits_for();
        let here = waited.is_some_and(|wait| wait.events.iter().any(|event| event == kind));
        let mut inner = step.verb.endings().into_iter();
        here || inner.any(|(_, block)| expects(block, kind))
    })
}
