//! A changed matter may be somebody else's to decide: a larger amount has another approver. Then it
//! is taken from those who were asked and put to those whom it concerns now.

use std::sync::Arc;

use super::ask::asking;
use super::draft::Note;
use super::state::Telling;
use super::walk::Turner;
use super::words;
use crate::flow::Ask;

impl Turner<'_> {
    /// Puts a changed matter to other people, if it is theirs now. False: it stays where it is.
    pub(super) fn reroute(&mut self, step: &str, ask: &Ask) -> bool {
        let flow = Arc::clone(self.case.flow);
        let Some(at) = self.standing(&flow) else {
            return false;
        };
        let first = self.deciders(at, ask);
        let Some(state) = self.state.asks.get_mut(step) else {
            return false;
        };
        let asked = |id: &str| state.asked(id).is_some();
        if first.is_empty() || first.iter().all(|(person, _)| asked(&person.id)) {
            return false;
        }
        let stays = |id: &str| first.iter().any(|(person, _)| person.id == id);
        let (kept, gone) = std::mem::take(&mut state.asked)
            .into_iter()
            .partition(|asked| stays(&asked.person));
        state.asked = kept;
        let remain: Vec<String> = state.asked.iter().map(|a| a.person.clone()).collect();
        let gone: Vec<super::Asked> = gone;
        let directory = Arc::clone(&self.case.world.directory);
        for asked in &gone {
            let note = Note::of("passed_on").about(&asked.person).at(step);
            self.out.notes.push(note);
            self.out.cancels.push(asking(step, &asked.person));
            let person = directory.people.get(&asked.person);
            if let (Some(person), Some(last)) = (person, asked.pushes.last()) {
                let text = words::over("passed_on", &person.language);
                let title = self.title_for(step, person);
                self.update(step, person, *last, (&title, &text));
            }
        }
        let base = first
            .iter()
            .map(|(person, _)| self.leaves_at(ask, person))
            .min();
        let base = base.unwrap_or(self.case.now);
        if let Some(state) = self.state.asks.get_mut(step) {
            state.base = base;
            state.rung = 0;
            first[0].0.id.clone_into(&mut state.calendar);
            state.paused = None;
            state.votes.clear();
        }
        for (person, on_behalf_of) in first {
            let told = if remain.contains(&person.id) {
                Telling::Changed
            } else {
                Telling::Asked
            };
            self.put_to(step, ask, &person, on_behalf_of.as_deref(), told);
        }
        self.arm_rung(step, ask);
        true
    }
}
