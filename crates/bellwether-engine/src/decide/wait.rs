//! `wait` and `pause`: stopping until an event comes or time is up, and keeping what came too
//! early.

use std::sync::Arc;

use bellwether_model::event::Event;
use bellwether_model::time::Time;

use super::act;
use super::draft::Note;
use super::state::{KEPT_MAX, event_key};
use super::walk::{Turner, Way, find};
use crate::calendar;
use crate::flow::read::span;
use crate::flow::{Length, Step, Verb, Wait};
use crate::lang::EvalError;
use crate::seam::TurnSaid;

impl Turner<'_> {
    pub(super) fn begin_wait(&mut self, step: &Step, wait: &Wait) -> Way {
        let due = match self.due(&wait.up_to) {
            Ok(due) => due,
            Err(error) => return self.broken(step, &error),
        };
        let kept = std::mem::take(&mut self.state.kept);
        for key in kept {
            let taken = self.event(&key).is_some_and(|event| self.fits(wait, event));
            if taken {
                if let Some(name) = &wait.name {
                    self.state.waits.insert(name.clone(), Some(key));
                }
                return Way::Through;
            }
            self.state.kept.push(key);
        }
        self.out
            .timers
            .push((format!("wait/{}", step.id), Some(due)));
        self.stay()
    }

    fn fits(&self, wait: &Wait, event: &Event) -> bool {
        wait.events.contains(&event.envelope.kind)
            && wait.condition.as_ref().is_none_or(|condition| {
                let it = super::values::noun_of(event);
                self.scope()
                    .with("it", it)
                    .truthy(condition)
                    .unwrap_or(false)
            })
    }

    /// Whether the run waits for this event; then it goes on.
    pub(super) fn awaited(&mut self, event: &Event) -> bool {
        let flow = Arc::clone(self.case.flow);
        let Some(Step {
            verb: Verb::Wait(wait),
            ..
        }) = find(&flow.steps, &self.state.at)
        else {
            return false;
        };
        if !self.fits(wait, event) {
            return false;
        }
        self.wait_is_over(Some(event));
        true
    }

    pub(super) fn wait_is_over(&mut self, event: Option<&Event>) {
        let flow = Arc::clone(self.case.flow);
        if let Some(step) = find(&flow.steps, &self.state.at) {
            self.out.timers.push((format!("wait/{}", step.id), None));
            if let Verb::Wait(Wait {
                name: Some(name), ..
            }) = &step.verb
            {
                let key = event.map(|event| event_key(&event.envelope));
                self.state.waits.insert(name.clone(), key);
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
        let owner = directory
            .owner
            .as_deref()
            .and_then(|id| directory.person(id));
        Ok(calendar::due(
            self.case.now,
            span,
            owner.unwrap_or(&Default::default()),
        ))
    }
}
