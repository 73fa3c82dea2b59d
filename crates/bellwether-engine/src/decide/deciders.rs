//! Who decides: finding those to whom a question is put, on each level of its ladder. On leave, the
//! deputy at once, or the deputy's deputy; nobody decides his own request; where that leaves
//! nobody, the one whom the ladder names, then the owner of the directory. Never silently nobody.

use std::sync::Arc;

use bellwether_model::directory::Person;

use super::draft::Note;
use super::state::Telling;
use super::values::is_person;
use super::walk::Turner;
use crate::flow::{Ask, RungAct, Step};
use crate::lang::{EvalError, Expr, PersonOrAddress};

/// Somebody to be asked, and for whom he stands in.
pub(super) type Decider = (Person, Option<String>);

/// What asking a person comes to.
#[derive(Debug)]
enum Found {
    /// He, or who stands in for him.
    There(Box<Person>, Option<String>),
    /// It is his own request.
    Own,
    /// He is away, and everybody who stands in for him is, or must not decide.
    Away,
    /// The directory does not know him, or he left.
    Unknown,
}

impl Turner<'_> {
    /// Who is asked first, with whom each stands in for.
    pub(super) fn deciders(&mut self, step: &Step, ask: &Ask) -> Vec<Decider> {
        let (wanted, unknown) = match self.scope().who(&ask.who) {
            Ok(people) => (people, None),
            Err(error) => {
                let note = Note::of("unknown_decider").at(&step.id);
                self.out.notes.push(note.because(why_nobody(&error)));
                let known = !error.unknown.is_empty();
                let known = known.then(|| self.those_known(&ask.who));
                (known.unwrap_or_default(), Some(error))
            }
        };
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for id in wanted {
            self.add_decider(&step.id, ask, &id, &mut found, &mut absent);
        }
        let for_whom = absent.first().cloned();
        for level in self.last_resort(ask) {
            if !found.is_empty() {
                break;
            }
            for id in level {
                let note = Note::of("passed_to_owner").about(&id).at(&step.id);
                self.out.notes.push(note);
                self.add_decider(&step.id, ask, &id, &mut found, &mut absent);
            }
            for (_, on_behalf_of) in &mut found {
                *on_behalf_of = for_whom.clone().or_else(|| on_behalf_of.take());
            }
        }
        if found.is_empty() {
            found = self.asked_though_away(&step.id, absent);
        }
        if let Some(error) = unknown.filter(|_| !found.is_empty()) {
            let asked: Vec<&str> = found.iter().map(|(person, _)| person.id.as_str()).collect();
            let asked = asked.join(", ");
            self.dead(
                "unknown_decider",
                format!("{error}; asked instead: {asked}"),
            );
        }
        found
    }

    fn add_decider(
        &mut self,
        step: &str,
        ask: &Ask,
        id: &str,
        found: &mut Vec<Decider>,
        absent: &mut Vec<String>,
    ) {
        match self.find(step, ask, id) {
            Found::There(person, for_whom) => {
                if !found.iter().any(|(known, _)| known.id == person.id) {
                    found.push((*person, for_whom));
                }
            }
            Found::Away => absent.push(id.to_owned()),
            Found::Unknown => {
                let note = Note::of("unknown_decider").about(id).at(step);
                self.out.notes.push(note);
            }
            Found::Own => {}
        }
    }

    /// A person, or who stands in for him, with what the journal should know about it.
    fn find(&mut self, step: &str, ask: &Ask, id: &str) -> Found {
        let directory = Arc::clone(&self.case.world.directory);
        // Who left is asked no more: it is his manager's from now on.
        let Some(person) = directory.successor(id) else {
            return Found::Unknown;
        };
        if person.id != id {
            let note = Note::of("left").about(id).at(step);
            self.out.notes.push(note);
            return match self.find(step, ask, &person.id.clone()) {
                Found::There(person, for_whom) => {
                    Found::There(person, for_whom.or_else(|| Some(id.to_owned())))
                }
                other => other,
            };
        }
        let there = !person.is_away(self.case.now) || self.in_person(ask);
        let (what, found) = if self.excluded(ask, id) {
            ("own_request", Found::Own)
        } else if there {
            return Found::There(Box::new(person.clone()), None);
        } else if let Some(deputy) = self.stand_in(ask, id) {
            let for_whom = Some(id.to_owned());
            ("on_leave", Found::There(Box::new(deputy), for_whom))
        } else {
            ("no_stand_in", Found::Away)
        };
        self.out.notes.push(Note::of(what).about(id).at(step));
        found
    }

    /// Who stands in for somebody now: the first of his deputy, the deputy's deputy and so on who
    /// is there and may decide. None when there is no such person, or they go round in a circle.
    fn stand_in(&self, ask: &Ask, id: &str) -> Option<Person> {
        let people = &self.case.world.directory.people;
        let mut seen = vec![id];
        let mut at = people.get(id)?;
        loop {
            let next = people.get(at.deputy.as_deref()?)?;
            if seen.contains(&next.id.as_str()) {
                return None;
            }
            let there = !next.inactive && !next.is_away(self.case.now);
            if there && !self.excluded(ask, &next.id) {
                return Some(next.clone());
            }
            seen.push(&next.id);
            at = next;
        }
    }

    /// Whom a question goes to that nobody else can take: those whom the ladder names, then the
    /// owner of the directory.
    fn last_resort(&self, ask: &Ask) -> [Vec<String>; 2] {
        if self.in_person(ask) {
            return [Vec::new(), Vec::new()];
        }
        let named = ask.if_silent.iter().find_map(|rung| match &rung.act {
            RungAct::Who(who) => self.scope().who(who).ok(),
            _ => None,
        });
        let owner = self.case.world.directory.owner.iter().cloned().collect();
        [named.unwrap_or_default(), owner]
    }

    /// Whether nobody stands in for those who are asked. What cannot be worked out means that: a
    /// question must not go to somebody whom the flow may have meant to leave out.
    fn in_person(&self, ask: &Ask) -> bool {
        let test = ask.in_person.as_ref();
        test.is_some_and(|test| self.scope().truthy(test).unwrap_or(true))
    }

    /// Nobody is there at all. Asking those who are away loses nothing, but somebody must know.
    fn asked_though_away(&mut self, step: &str, absent: Vec<String>) -> Vec<Decider> {
        let directory = Arc::clone(&self.case.world.directory);
        let there = |id: &String| directory.person(id).cloned();
        let Some(person) = absent.iter().find_map(there) else {
            return Vec::new();
        };
        let id = &person.id;
        let reason = format!(
            "step {step}: {id} is asked although away, because nobody who stands in is there: \
             name a deputy, or decide for {id}"
        );
        self.dead("everybody_away", reason);
        vec![(person, None)]
    }

    /// Whether a person must not decide this matter.
    pub(super) fn excluded(&self, ask: &Ask, person: &str) -> bool {
        let directory = &self.case.world.directory;
        let Some(person) = directory.people.get(person) else {
            return true;
        };
        let scope = self.scope();
        let mut listed = ask
            .not_by
            .iter()
            .filter_map(|not| scope.people_or_addresses(not).ok());
        listed.any(|entries| entries.iter().any(|entry| is_person(entry, person)))
    }

    // ---- later levels ------------------------------------------------------------------------

    /// A level of the ladder names people: they are asked too, or who stands in for them.
    pub(super) fn ask_others(&mut self, step: &str, ask: &Ask, people: &[String]) {
        let mut reached = false;
        for id in people {
            reached |= self.ask_too(step, ask, id, None);
        }
        if !reached {
            self.ask_last_resort(step, ask);
        }
    }

    /// The deputies of those who were asked are asked too.
    pub(super) fn ask_deputies(&mut self, step: &str, ask: &Ask) {
        if self.in_person(ask) {
            self.out
                .notes
                .push(Note::of("no_deputy").because("in person").at(step));
            return;
        }
        let directory = Arc::clone(&self.case.world.directory);
        let (mut reached, mut stuck) = (false, false);
        for (id, on_behalf_of) in self.those_asked(step) {
            let named = directory
                .people
                .get(&id)
                .is_some_and(|p| p.deputy.is_some());
            match self.stand_in(ask, &id) {
                Some(deputy) => {
                    let for_whom = on_behalf_of.as_deref().unwrap_or(&id);
                    reached |= self.ask_too(step, ask, &deputy.id, Some(for_whom));
                }
                None => {
                    stuck |= named;
                    let what = if named { "no_stand_in" } else { "no_deputy" };
                    self.out.notes.push(Note::of(what).about(&id).at(step));
                }
            }
        }
        // Without a deputy the matter is left to the next level that names somebody.
        let rung = self.state.asks.get(step).map_or(0, |state| state.rung);
        let mut later = ask.if_silent.iter().skip(rung);
        let others = later.any(|rung| matches!(rung.act, RungAct::Who(_)));
        if !reached && (stuck || !others) {
            self.ask_last_resort(step, ask);
        }
    }

    /// Everybody who was asked hears of it again; for whom went on leave meanwhile, his deputy.
    pub(super) fn remind(&mut self, step: &str, ask: &Ask) {
        let directory = Arc::clone(&self.case.world.directory);
        for (id, on_behalf_of) in self.those_asked(step) {
            let Some(person) = directory.person(&id) else {
                // He left since he was asked: whoever took over is asked in his place.
                self.ask_too(step, ask, &id, None);
                continue;
            };
            let away = person.is_away(self.case.now) && !self.in_person(ask);
            if away && let Some(deputy) = self.stand_in(ask, &id) {
                self.out
                    .notes
                    .push(Note::of("on_leave").about(&id).at(step));
                let for_whom = on_behalf_of.as_deref().unwrap_or(&id);
                self.ask_too(step, ask, &deputy.id, Some(for_whom));
                // The ladder would stand still until he is back.
                let state = self.state.asks.get_mut(step);
                if let Some(state) = state.filter(|state| state.calendar == id) {
                    state.calendar.clone_from(&deputy.id);
                }
                continue;
            }
            let told = Telling::Reminder;
            self.put_to(step, ask, person, on_behalf_of.as_deref(), told);
        }
    }

    /// Those of a value's people whom the directory knows.
    fn those_known(&self, who: &Expr) -> Vec<String> {
        let found = self.scope().people_or_addresses(who).unwrap_or_default();
        let known = found.into_iter().filter_map(|one| match one {
            PersonOrAddress::Person(id) => Some(id),
            PersonOrAddress::Address(_) => None,
        });
        known.collect()
    }

    /// The people of a value. Words that mean nobody become a dead letter; where nobody is left,
    /// the owner of the directory is told instead. Never silently nobody.
    ///
    /// # Errors
    /// It cannot be worked out, or nobody is left and there is no owner.
    pub(super) fn found_or_owner(&mut self, who: &Expr) -> Result<Vec<String>, EvalError> {
        let (mut known, unknown) = self.scope().readers(who)?;
        let Some(error) = unknown else {
            return Ok(known);
        };
        if known.is_empty() {
            let directory = &self.case.world.directory;
            let owner = directory.owner.as_deref();
            let owner = owner.and_then(|id| directory.person(id));
            known.extend(owner.map(|owner| owner.id.clone()));
        }
        if known.is_empty() {
            return Err(error);
        }
        let told = known.join(", ");
        self.dead("unknown_person", format!("{error}; told instead: {told}"));
        Ok(known)
    }

    fn those_asked(&self, step: &str) -> Vec<(String, Option<String>)> {
        let asked = self.state.asks.get(step).into_iter();
        // Whoever agreed already has nothing more to say.
        let asked = asked.flat_map(|state| {
            let asked = state.asked.iter();
            asked.filter(|asked| !state.has_agreed(&asked.person))
        });
        asked
            .map(|asked| (asked.person.clone(), asked.on_behalf_of.clone()))
            .collect()
    }

    /// Nobody on this level can be asked: whoever else the ladder names, else the owner.
    fn ask_last_resort(&mut self, step: &str, ask: &Ask) {
        for level in self.last_resort(ask) {
            let mut reached = false;
            for id in level {
                let note = Note::of("passed_to_owner").about(&id).at(step);
                self.out.notes.push(note);
                reached |= self.ask_too(step, ask, &id, None);
            }
            if reached {
                return;
            }
        }
        let reason = format!(
            "step {step}: nobody else can be asked, all are away or must not decide: \
             name a deputy, or decide for somebody who was asked"
        );
        self.dead("nobody_to_ask", reason);
    }

    /// Asks one more person, or who stands in for him, unless he was asked before. False when there
    /// is nobody to whom it could be put.
    fn ask_too(&mut self, step: &str, ask: &Ask, id: &str, on_behalf_of: Option<&str>) -> bool {
        let (person, for_whom) = match self.find(step, ask, id) {
            Found::There(person, for_whom) => (person, for_whom),
            Found::Own | Found::Away => return false,
            Found::Unknown => {
                let reason = format!("step {step}: {id} is not in the directory");
                self.dead("unknown_person", reason);
                return false;
            }
        };
        let asked = self.state.asks.get(step);
        if asked.is_some_and(|state| state.asked(&person.id).is_some()) {
            return true;
        }
        let note = Note::of("escalated").about(&person.id).at(step);
        self.out.notes.push(note);
        let on_behalf_of = on_behalf_of.or(for_whom.as_deref());
        self.put_to(step, ask, &person, on_behalf_of, Telling::Asked);
        true
    }
}

/// Why nobody was found, without the address that the mail named.
fn why_nobody(error: &EvalError) -> &'static str {
    if error.unknown.is_empty() {
        "it could not be worked out"
    } else {
        "not in the directory"
    }
}
