//! Reads the steps that open branches, `each` and `together`; and how a message goes away again and
//! how many must agree on a question.

use super::Reading;
use super::header::is_name;
use super::names::Shape;
use crate::flow::def::Block;
use crate::flow::fan::{DO, Each, Need, Together};
use crate::flow::language::FORBIDDEN;
use crate::yaml::Node;

/// The most people who must agree on one question.
const NEED_MAX: usize = 20;
/// The most branches side by side.
const BRANCHES_MAX: usize = 20;

impl Reading<'_> {
    pub(super) fn each(&mut self, node: &Node, object: &Node, id: &str) -> Option<Each> {
        let list = self.who(object, "each");
        let shape = list.as_ref().map(|list| self.names.shape_of(list.ast()));
        if let Some(Shape::Leaf | Shape::Fields(_)) = shape {
            let message = "`each` goes through a list, but this is one thing";
            let hint = "write `each: role('legal')`, or a list such as mail.attachments";
            self.error(object.place(), message, hint);
        }
        let thing = match shape {
            Some(Shape::List(inner)) => *inner,
            _ => Shape::Any,
        };
        let name = match node.get("as") {
            Some(found) => self.new_name(found),
            None => {
                self.missing(node, "as", "name one of them: as: person");
                None
            }
        };
        let mark = self.names.mark();
        if let Some(name) = &name {
            self.names.add(name, thing);
        }
        let steps = match node.get(DO) {
            Some(found) => self.below(found, DO, id),
            None => {
                let hint =
                    "write what happens for each: do: [{ push: person, title: Please look }]";
                self.missing(node, DO, hint);
                Block::default()
            }
        };
        self.names.forget(mark);
        Some(Each {
            list: list?,
            name: name?,
            steps,
        })
    }

    pub(super) fn together(&mut self, object: &Node, id: &str) -> Option<Together> {
        let example = "together: { legal: [...], brand: [...] }";
        let Some(entries) = object.entries() else {
            let message = format!(
                "`together` is a group of named branches, but this is {}",
                object.sort()
            );
            self.error(object.place(), message, example);
            return None;
        };
        if entries.len() < 2 || entries.len() > BRANCHES_MAX {
            let message = format!("`together` has two to {BRANCHES_MAX} branches");
            self.error(object.place(), message, example);
        }
        let mut branches = Vec::new();
        for (key, value) in entries.iter().take(BRANCHES_MAX) {
            let name = key.name.as_str();
            let forbidden = FORBIDDEN.contains(&name.to_lowercase().as_str());
            if forbidden || !is_name(name, '_') || self.names.get(name).is_some() {
                let message = format!("`{name}` cannot be a branch's name here");
                let hint = "a new name of small letters, digits and _";
                self.error(key.place(), message, hint);
                continue;
            }
            branches.push((name.to_owned(), self.below(value, name, id)));
        }
        for (name, _) in &branches {
            self.names.add(name, Shape::decision());
        }
        Some(Together { branches })
    }

    /// true or false.
    pub(super) fn flag(&mut self, node: &Node, key: &str) -> bool {
        let Some(found) = node.get(key) else {
            return false;
        };
        match found.text() {
            Some("true") => true,
            Some("false") => false,
            _ => {
                let message = format!("`{key}` is true or false");
                self.error(found.place(), message, &format!("write {key}: true"));
                false
            }
        }
    }

    /// One event type, or several.
    pub(super) fn events_of(&mut self, node: &Node, key: &str) -> Vec<String> {
        let Some(found) = node.get(key) else {
            return Vec::new();
        };
        let events: Vec<&Node> = match found.elements() {
            Some(elements) => elements.iter().collect(),
            None => vec![found],
        };
        // What is wrong with them is said here.
        self.names_of_it(&events);
        let names = events.iter().filter_map(|event| event.text());
        names.map(str::to_owned).collect()
    }

    /// How many must agree.
    pub(super) fn need(&mut self, node: &Node) -> Need {
        let Some(found) = node.get("need") else {
            return Need::One;
        };
        let word = found.text().unwrap_or_default();
        match (word, word.parse()) {
            ("all", _) => Need::All,
            (_, Ok(1)) => Need::One,
            (_, Ok(count)) if (2..=NEED_MAX).contains(&count) => Need::Count(count),
            _ => {
                let message = format!("`need` is a number from 1 to {NEED_MAX}, or all");
                self.error(found.place(), message, "four eyes: need: 2");
                Need::One
            }
        }
    }
}
