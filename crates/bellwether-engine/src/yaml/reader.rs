//! Reads a map by known keys and collects what is wrong instead of stopping at the first mistake.

use super::near::nearest;
use super::{Key, Node, PROBLEMS_MAX, Problem};

/// A map that is read key by key. Keys that are not known are reported with the nearest right one.
#[derive(Debug)]
pub struct Reader<'a, 'p> {
    entries: &'a [(Key, Node)],
    unknown: Vec<&'a str>,
    place: (usize, usize),
    problems: &'p mut Vec<Problem>,
}

impl<'a, 'p> Reader<'a, 'p> {
    /// A reader of `node`, which may have the keys `known` and no others. `what` names it in
    /// messages, such as "an input".
    pub fn new(node: &'a Node, what: &str, known: &[&str], problems: &'p mut Vec<Problem>) -> Self {
        let entries: &'a [(Key, Node)] = match node.entries() {
            Some(entries) => entries,
            None => {
                if !node.is_empty() {
                    let message = format!("{what} is a group of keys, but this is {}", node.sort());
                    push(problems, Problem::error(node.place(), message));
                }
                &[]
            }
        };
        let mut unknown = Vec::new();
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                push(problems, unknown_key(key, what, known));
                unknown.push(key.name.as_str());
            }
        }
        Reader {
            entries,
            unknown,
            place: node.place(),
            problems,
        }
    }

    /// The value under a key, if it is there.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key with its place, and the value.
    pub fn entry(&self, key: &str) -> Option<(&'a Key, &'a Node)> {
        let found = self.entries.iter().find(|(found, _)| found.name == key)?;
        Some((&found.0, &found.1))
    }

    /// The value under a key that must be there.
    pub fn need(&mut self, key: &str) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() && !misspelt(&self.unknown, key) {
            self.report(Problem::error(
                self.place,
                format!("`{key}` is missing here"),
            ));
        }
        found
    }

    /// The text of a single value, if it is there.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        let text = node.text().filter(|_| !node.is_empty());
        if text.is_none() {
            let message = format!("`{key}` is a single value, but this is {}", node.sort());
            self.report(Problem::error(node.place(), message));
        }
        text
    }

    /// A whole number from zero up, if it is there.
    pub fn number(&mut self, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        let number = node.text().and_then(|text| text.parse().ok());
        if number.is_none() {
            let message = format!("`{key}` is a whole number");
            self.report(Problem::error(node.place(), message));
        }
        number
    }

    /// `true` or `false`, if it is there.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match node.json() {
            serde_json::Value::Bool(value) => Some(value),
            _ => {
                let message = format!("`{key}` is true or false");
                self.report(Problem::error(node.place(), message));
                None
            }
        }
    }

    /// All entries, in order.
    pub fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// Where the map begins.
    pub fn place(&self) -> (usize, usize) {
        self.place
    }

    /// Records a problem.
    pub fn report(&mut self, problem: Problem) {
        push(self.problems, problem);
    }
}

/// Whether one of the unknown keys is probably meant to be `key`: then its own problem says enough.
pub(crate) fn misspelt(unknown: &[&str], key: &str) -> bool {
    let mut unknown = unknown.iter();
    unknown.any(|found| nearest(found, [key]).is_some())
}

/// Records a problem, up to the limit.
pub(crate) fn push(problems: &mut Vec<Problem>, problem: Problem) {
    if problems.len() < PROBLEMS_MAX && !problems.contains(&problem) {
        problems.push(problem);
    }
}

/// A key that is not known here, with the nearest one that is.
pub(crate) fn unknown_key(key: &Key, what: &str, known: &[&str]) -> Problem {
    let problem = Problem::error(key.place(), format!("{what} has no key `{}`", key.name));
    match nearest(&key.name, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("known keys: {}", known.join(", "))),
    }
}
