//! Questions that several people must agree on: who agreed so far, and when that is enough. The
//! same person counts once, and so do somebody and whoever stands in for him. The first choice is
//! the one that needs them; any other ends the question at once.

use std::sync::Arc;

use super::ask::asking;
use super::draft::Note;
use super::state::Decided;
use super::walk::Turner;
use super::words;
use crate::flow::{Ask, Need};

impl Turner<'_> {
    /// How many must agree, from those who are asked first.
    pub(super) fn quorum(&mut self, step: &str, ask: &Ask, asked: usize) -> usize {
        let need = match ask.need {
            Need::One => return 0,
            Need::All => asked,
            Need::Count(count) => count,
        };
        if need > asked {
            let reason = format!(
                "step {step}: {need} people must agree, but only {asked} can be asked: name more, \
                 or let the ladder ask them"
            );
            self.dead("too_few_to_ask", reason);
        }
        need
    }

    /// Counts an answer. False: it agrees, but others must agree too.
    pub(super) fn is_enough(&mut self, step: &str, ask: &Ask, decided: &Decided) -> bool {
        let first = ask.choices.iter().find(|choice| !choice.keeps_open);
        let Some(state) = self.state.asks.get_mut(step) else {
            return true;
        };
        if state.need < 2 || first.is_none_or(|first| first.id != decided.choice) {
            return true;
        }
        state.votes.push(decided.clone());
        let mut seats: Vec<&str> = Vec::new();
        for vote in &state.votes {
            let asked = state.asked.iter().find(|asked| asked.person == vote.by);
            let absent = asked.and_then(|asked| asked.on_behalf_of.as_deref());
            seats.push(absent.unwrap_or(&vote.by));
        }
        seats.sort_unstable();
        seats.dedup();
        let (have, need) = (seats.len(), state.need);
        if have >= need {
            return true;
        }
        let pushed = state
            .asked(&decided.by)
            .and_then(|a| a.pushes.last().copied());
        let note = Note::of("agreed").about(&decided.by).at(step);
        self.out
            .notes
            .push(note.because(format!("{have} of {need}")));
        self.out.cancels.push(asking(step, &decided.by));
        let directory = Arc::clone(&self.case.world.directory);
        if let (Some(person), Some(last)) = (directory.people.get(&decided.by), pushed) {
            let title = self.title_for(step, person);
            let text = words::agreed(have, need, &person.language);
            self.update(step, person, last, (&title, &text));
        }
        false
    }

    /// Whoever agreed to what the matter was agreed to nothing that it is now.
    pub(super) fn forget_vote(&mut self, step: &str, person: &str) {
        if let Some(state) = self.state.asks.get_mut(step) {
            state.votes.retain(|vote| vote.by != person);
        }
    }
}
