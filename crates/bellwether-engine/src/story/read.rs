//! Reads a story's nodes into steps, with every problem at its place: unknown keys, people whom
//! nobody knows, choices that no question has, times that are none.

use bellwether_model::directory::{Customer, Directory};
use jiff::civil;
use serde_json::{Map, Value as Json};

use super::steps::{Deed, FAULTS, Happening, Moment, Place, Pressing, Step};
use super::{Story, people};
use crate::flow::language::stories::{self, STEP};
use crate::flow::{Block, Catalog, Flow, Verb, calls, read};
use crate::yaml::near::nearest;
use crate::yaml::reader::{push, unknown_key};
use crate::yaml::{Key, Node, Problem};

/// The most events of one step.
const TIMES_MAX: usize = 1000;

/// A story being read.
pub(super) struct Reading<'a> {
    flow: &'a Flow,
    catalog: &'a Catalog,
    known: Directory,
    customers: Vec<String>,
    choices: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a story against the flow that it tests.
pub(super) fn story(
    story: &Story,
    flow: &Flow,
    catalog: &Catalog,
    directory: &Directory,
) -> Result<Vec<Step>, Vec<Problem>> {
    let mut choices = Vec::new();
    choices_of(&flow.steps, &mut choices);
    let mut reading = Reading {
        flow,
        catalog,
        known: directory.clone(),
        customers: Vec::new(),
        choices,
        problems: Vec::new(),
    };
    let steps: Vec<Step> = story.steps.iter().map(|node| reading.step(node)).collect();
    if !steps.iter().any(|step| step.expect.is_some()) {
        let problem = Problem::error((story.line, 1), "this story expects nothing");
        reading.report(problem.hint("add `- expect: nothing` if silence is what it shows"));
    }
    if reading.problems.is_empty() {
        Ok(steps)
    } else {
        Err(reading.problems)
    }
}

fn choices_of(block: &Block, out: &mut Vec<String>) {
    for step in &block.steps {
        if let Verb::Ask(ask) = &step.verb {
            out.extend(ask.choices.iter().map(|choice| choice.id.clone()));
        }
        for (_, inner) in step.verb.endings() {
            choices_of(inner, out);
        }
    }
}

impl Reading<'_> {
    pub(super) fn report(&mut self, problem: Problem) {
        push(&mut self.problems, problem);
    }

    pub(super) fn error(&mut self, place: Place, message: impl Into<String>, hint: &str) {
        self.report(Problem::error(place, message).hint(hint));
    }

    fn step(&mut self, node: &Node) -> Step {
        let mut deeds = Vec::new();
        let mut expect = None;
        let entries = node.entries().unwrap_or_default();
        if entries.is_empty() {
            let hint = "write `- mail: { … }`, `- tap: { alice: approve }` or `- expect: { … }`";
            self.error(node.place(), "a story's step is a group of keys", hint);
        }
        let happens = node.get("happens").is_some();
        let mut fields = Map::new();
        for (key, value) in entries {
            if key.name == "expect" {
                expect = Some((key.place(), self.expectations(value)));
            } else if STEP.iter().any(|known| known.name == key.name) {
                if let Some(deed) = self.deed(key, value, node) {
                    deeds.push((key.place(), deed));
                }
            } else if happens {
                fields.insert(key.name.clone(), value.json());
            } else {
                self.report(unknown_key(key, "a story's step", &stories::names(&STEP)));
            }
        }
        for (_, deed) in &mut deeds {
            if let Deed::Happens(happening) = deed {
                happening.fields = Json::Object(std::mem::take(&mut fields));
            }
        }
        // Time moves before anything happens in it; people change before they are met.
        deeds.sort_by_key(|(_, deed)| match deed {
            Deed::At(_) | Deed::After(_) => 0,
            Deed::People(_)
            | Deed::Customers(_)
            | Deed::Away(_)
            | Deed::Inputs(_)
            | Deed::Faults(_) => 1,
            _ => 2,
        });
        Step {
            place: node.place(),
            deeds,
            expect,
        }
    }

    fn deed(&mut self, key: &Key, node: &Node, step: &Node) -> Option<Deed> {
        Some(match key.name.as_str() {
            "at" => Deed::At(self.moment(node)?),
            "after" => Deed::After(self.span(node)?),
            "people" => Deed::People(self.people(node)),
            "customers" => Deed::Customers(self.customers(node)),
            "away" => Deed::Away(self.away(node)),
            "inputs" => Deed::Inputs(node.json()),
            "faults" => Deed::Faults(self.faults(node)),
            "mail" => Deed::Mail(Box::new(self.mail(node))),
            "replies" => Deed::Replies(self.replies(node)),
            "happens" => Deed::Happens(self.happening(node, step)?),
            "tap" => Deed::Tap(self.pressings(node)),
            "press" => Deed::Press(self.pressings(node)),
            "console" => Deed::Console(self.pressings(node)),
            "opens" => Deed::Opens(self.persons(node)),
            "signs_in" => Deed::SignsIn(self.persons(node)),
            "reads" => Deed::Reads(self.persons(node)),
            "times" => {
                if step.get("happens").is_none() {
                    self.error(key.place(), "`times` goes with `happens`", "");
                }
                return None;
            }
            _ => return None,
        })
    }

    // ---- time --------------------------------------------------------------------------------

    pub(super) fn moment(&mut self, node: &Node) -> Option<Moment> {
        let found = node.text().and_then(moment);
        if found.is_none() {
            let hint = "write \"2026-03-02 10:00 Europe/Vienna\" or \"10:00\"";
            self.error(node.place(), "this is not a time", hint);
        }
        found
    }

    fn span(&mut self, node: &Node) -> Option<crate::flow::Span> {
        match read::span(node.text().unwrap_or_default()) {
            Ok(span) => Some(span),
            Err(message) => {
                self.error(node.place(), message, "");
                None
            }
        }
    }

    // ---- people ------------------------------------------------------------------------------

    fn people(&mut self, node: &Node) -> Vec<(String, Json)> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "people") {
            let fields = value.json();
            match people::changed(&self.known, &key.name, &fields) {
                Ok(person) => {
                    self.known.people.insert(key.name.clone(), person);
                    out.push((key.name.clone(), fields));
                }
                Err(message) => self.error(value.place(), message, ""),
            }
        }
        out
    }

    fn customers(&mut self, node: &Node) -> Vec<Customer> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "customers") {
            match people::customer(&key.name, &value.json()) {
                Ok(customer) => {
                    // Expectations and faults name him by the key, which his phone has too.
                    self.customers.push(key.name.clone());
                    out.push(customer);
                }
                Err(message) => self.error(value.place(), message, ""),
            }
        }
        out
    }

    fn away(&mut self, node: &Node) -> Vec<(String, civil::Date)> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "away") {
            self.person(&key.name, key.place());
            let text = value.text().unwrap_or_default();
            let day = text.strip_prefix("until ").unwrap_or(text).trim();
            match day.parse::<civil::Date>() {
                Ok(day) => out.push((key.name.clone(), day)),
                Err(_) => {
                    let hint = "write `away: { alice: until 2026-03-13 }`";
                    self.error(value.place(), "this is not a day", hint);
                }
            }
        }
        out
    }

    pub(super) fn person(&mut self, id: &str, place: Place) {
        if self.known.people.contains_key(id) || self.customers.iter().any(|one| one == id) {
            return;
        }
        let known: Vec<&str> = self.known.people.keys().map(String::as_str).collect();
        let near = nearest(id, known.iter().copied());
        let hint = match near {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known: {}; others with `people:`", known.join(", ")),
        };
        self.error(place, format!("nobody is called `{id}` here"), &hint);
    }

    fn persons(&mut self, node: &Node) -> Vec<String> {
        let mut out = Vec::new();
        for (text, place) in self.texts(node) {
            self.person(&text, place);
            out.push(text);
        }
        out
    }

    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        let Some(entries) = node.entries() else {
            let message = format!("`{what}` is a group of keys, but this is {}", node.sort());
            self.error(node.place(), message, "");
            return &[];
        };
        entries
    }

    /// One text or a list of texts.
    fn texts(&mut self, node: &Node) -> Vec<(String, Place)> {
        let nodes = node.elements().unwrap_or(std::slice::from_ref(node));
        let mut out = Vec::new();
        for node in nodes {
            match node.text() {
                Some(text) => out.push((text.to_owned(), node.place())),
                None => {
                    let message = format!("a text is needed here, but this is {}", node.sort());
                    self.error(node.place(), message, "");
                }
            }
        }
        out
    }

    pub(super) fn words(&mut self, node: &Node) -> Vec<String> {
        self.texts(node).into_iter().map(|(text, _)| text).collect()
    }

    // ---- what people do ----------------------------------------------------------------------

    fn pressings(&mut self, node: &Node) -> Vec<Pressing> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "this") {
            self.person(&key.name, key.place());
            let mut choices = Vec::new();
            for node in value.elements().unwrap_or(std::slice::from_ref(value)) {
                match node.entries() {
                    Some(entries) => {
                        for (choice, comment) in entries {
                            self.choice(&choice.name, choice.place());
                            let comment = comment.text().unwrap_or_default().to_owned();
                            choices.push((choice.name.clone(), comment));
                        }
                    }
                    None => {
                        let choice = node.text().unwrap_or_default();
                        self.choice(choice, node.place());
                        choices.push((choice.to_owned(), String::new()));
                    }
                }
            }
            out.push(Pressing {
                person: key.name.clone(),
                choices,
            });
        }
        out
    }

    fn choice(&mut self, choice: &str, place: Place) {
        // A flow that it calls has choices of its own.
        let may_be_anothers = !calls::of(self.flow).is_empty();
        if may_be_anothers || self.choices.iter().any(|known| known == choice) {
            return;
        }
        let known = self.choices.join(", ");
        let hint = match nearest(choice, self.choices.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known choices: {known}"),
        };
        self.error(place, format!("there is no choice `{choice}`"), &hint);
    }

    fn faults(&mut self, node: &Node) -> Vec<(&'static str, String, super::Fault)> {
        let mut out = Vec::new();
        for (key, value) in self.entries(node, "faults") {
            let channel = match key.name.as_str() {
                "push" => "push",
                "mail" => "mail",
                "http" => "http",
                _ => {
                    self.report(unknown_key(key, "`faults`", &["push", "mail", "http"]));
                    continue;
                }
            };
            match value.entries() {
                Some(each) => {
                    for (who, fault) in each {
                        // One device of somebody may fail while his others work.
                        let mut people = self.known.people.values();
                        if !people.any(|person| person.push.contains(&who.name)) {
                            self.person(&who.name, who.place());
                        }
                        out.extend(self.fault(fault).map(|f| (channel, who.name.clone(), f)));
                    }
                }
                None => out.extend(self.fault(value).map(|f| (channel, String::new(), f))),
            }
        }
        out
    }

    fn fault(&mut self, node: &Node) -> Option<super::Fault> {
        let word = node.text().unwrap_or_default();
        let found = FAULTS.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let known: Vec<&str> = FAULTS.iter().map(|(word, _)| *word).collect();
            let message = format!("`{word}` is no way to fail");
            self.error(
                node.place(),
                message,
                &format!("known: {}", known.join(", ")),
            );
        }
        found.map(|(_, fault)| *fault)
    }

    fn happening(&mut self, node: &Node, step: &Node) -> Option<Happening> {
        let kind = node.text().unwrap_or_default().to_owned();
        let mut starts = self.flow.when.iter().flat_map(|trigger| &trigger.events);
        if self.catalog.trigger(&kind).is_none() && !starts.any(|known| *known == kind) {
            let known = self.catalog.triggers().map(|trigger| trigger.event);
            let hint = nearest(&kind, known).map(|near| format!("did you mean {near}?"));
            let message = format!("no connector brings the event `{kind}`");
            self.error(node.place(), message, &hint.unwrap_or_default());
        }
        let mut times = 1;
        if let Some(node) = step.get("times") {
            let number = node.text().and_then(|text| text.parse::<usize>().ok());
            match number.filter(|number| (1..=TIMES_MAX).contains(number)) {
                Some(number) => times = number,
                None => self.error(node.place(), "`times` is a number from 1 to 1000", ""),
            }
        }
        Some(Happening {
            kind,
            fields: Json::Null,
            times,
        })
    }
}

/// `2026-03-02 10:00 Europe/Vienna`, `2026-03-02 10:00`, `10:00 Europe/Vienna`, `10:00`.
fn moment(text: &str) -> Option<Moment> {
    let mut words = text.split_whitespace().peekable();
    let date = words
        .peek()
        .and_then(|word| word.parse::<civil::Date>().ok());
    if date.is_some() {
        words.next();
    }
    let clock = words.next().filter(|word| word.contains(':'))?;
    let time = clock.parse::<civil::Time>().ok()?;
    let zone = words.next().map(str::to_owned);
    if let Some(zone) = &zone {
        jiff::tz::TimeZone::get(zone).ok()?;
    }
    words
        .next()
        .is_none()
        .then_some(Moment { date, time, zone })
}
