//! `meanwhile`: what happens beside the run's own way, each time that an event of its matter comes.
//! What the run waits for is in `wait`.

use std::sync::Arc;

use bellwether_model::event::Event;

use super::arms::find;
use super::draft::Note;
use super::values::noun_of;
use super::walk::{Turner, Way};
use crate::flow::fan::{DO, Meanwhile};
use crate::flow::{Flow, Verb};

impl Turner<'_> {
    /// The run came by such a step: events are heeded until it ends.
    pub(super) fn heed_from_now_on(&mut self) -> Way {
        if !self.state.heeds.contains(&self.path) {
            self.state.heeds.push(self.path.clone());
        }
        Way::Through
    }

    /// Whether events of this kind are heeded.
    pub(super) fn heeds(&self, kind: &str) -> bool {
        let flow = self.case.flow;
        let mut all = self.state.heeds.iter();
        all.any(|path| at(flow, path).is_some_and(|one| one.events.iter().any(|it| it == kind)))
    }

    /// Does what is to be done with an event meanwhile. False: nothing.
    pub(super) fn heed(&mut self, event: &Event) -> bool {
        let flow = Arc::clone(self.case.flow);
        let mut heeded = false;
        for path in self.state.heeds.clone() {
            let Some(meanwhile) = at(&flow, &path) else {
                continue;
            };
            if self.out.closed || !self.is_for(meanwhile, event) {
                continue;
            }
            heeded = true;
            let id = path.last().cloned().unwrap_or_default();
            self.out.notes.push(Note::of("meanwhile").at(&id));
            self.branch = None;
            self.beside = Some(("it", noun_of(event)));
            self.path = path;
            self.path.push(DO.to_owned());
            let way = self.run(&meanwhile.steps, 0);
            self.beside = None;
            self.path.clear();
            if way == Way::Over {
                self.end_with_its_questions(&flow);
            }
        }
        heeded
    }

    fn end_with_its_questions(&mut self, flow: &Flow) {
        for (step, _) in self.waiting_asks(flow) {
            self.enter(&step);
            self.quiet_down_as(&step, "over", "closed");
        }
        self.end_all();
    }

    fn is_for(&self, meanwhile: &Meanwhile, event: &Event) -> bool {
        let kind = &event.envelope.kind;
        let scope = || self.scope().with("it", noun_of(event));
        meanwhile.events.contains(kind)
            && meanwhile
                .condition
                .as_ref()
                .is_none_or(|test| scope().truthy(test).unwrap_or(false))
    }
}

fn at<'f>(flow: &'f Flow, path: &[String]) -> Option<&'f Meanwhile> {
    match &find(&flow.steps, path)?.verb {
        Verb::Meanwhile(meanwhile) => Some(meanwhile),
        _ => None,
    }
}
