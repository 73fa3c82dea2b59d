//! Reads a flow's top level: which keys there are, in which order, and the two that come first.

use super::names::Shape;
use super::{Reading, canonical_hash, source, stem};
use crate::flow::def::{AtMost, Block, Flow, Input, InputKind};
use crate::flow::language::{FLOW, FORBIDDEN, NAME_MAX, REPEAT, names};
use crate::flow::read::inputs::read_inputs;
use crate::flow::{Group, gatherers};
use crate::story::Story;
use crate::yaml::reader::unknown_key;
use crate::yaml::{Kind, Node, Problem, Style};

/// What other languages call `when`.
const MEANT_WHEN: [&str; 3] = ["on", "trigger", "triggers"];
impl Reading<'_> {
    pub(super) fn flow(&mut self, root: &Node, text: &str, file: &str) -> Option<Flow> {
        let Some(entries) = root.entries() else {
            let message = format!("a flow is a group of keys, but this is {}", root.sort());
            self.error(root.place(), message, "begin with `bellwether: 1`");
            return None;
        };
        self.top_level(entries);
        self.doubtful_words(root);
        self.version(root, entries.first().map(|(key, _)| key.name.as_str()));
        let name = self.name(root, file);
        let about = self.plain_text(root, "about");
        let inputs = match root.get("inputs") {
            Some(node) => read_inputs(self, node),
            None => Vec::new(),
        };
        self.known_inputs(root.get("inputs"), &inputs);
        self.events(root.get("when"));
        let lets = self.lets(root.get("let"));
        let elsewhere = entries
            .iter()
            .any(|(key, _)| MEANT_WHEN.contains(&key.name.as_str()));
        let when = if elsewhere && root.get("when").is_none() {
            Vec::new()
        } else {
            self.when(root.get("when"), root.place(), &inputs)
        };
        let case = root.get("case").and_then(|node| self.expr(node, "case"));
        self.names.add("case", Shape::Leaf);
        let group = root.get("group").and_then(|node| self.group(node));
        let only_once = self.one_of(root, "repeat", &REPEAT) == Some(1);
        if let (true, None, Some(node)) = (only_once, &case, root.get("repeat")) {
            let message = "this changes nothing: without a case each event is its own matter";
            let hint = "add `case:` with what counts as the same matter";
            self.report(Problem::warning(node.place(), message).hint(hint));
        }
        let at_most = self.at_most(root.get("at_most"));
        self.discretion = self.privacy(root);
        self.unreached = root.get("unreached").cloned();
        let steps = match root.get("steps") {
            Some(node) => self.block(node, "steps"),
            None => {
                self.missing(root, "steps", "add what happens: a list of verbs");
                Block::default()
            }
        };
        let mut flow = Flow {
            name,
            about: about.unwrap_or_default(),
            hash: canonical_hash(root),
            source: source(text),
            inputs,
            when,
            lets,
            case,
            only_once,
            group,
            at_most,
            steps,
            tests: self.tests(root.get("tests")),
            gatherers: Vec::new(),
        };
        flow.gatherers = gatherers::of(&flow);
        Some(flow)
    }

    fn group(&mut self, node: &Node) -> Option<Group> {
        let name = node.get("name").and_then(Node::text).unwrap_or_default();
        let place = node.get("place").and_then(Node::text).unwrap_or_default();
        for (key, _) in node.entries().unwrap_or_default() {
            if !["name", "place"].contains(&key.name.as_str()) {
                self.report(unknown_key(key, "`group`", &["name", "place"]));
            }
        }
        let place = place.parse().ok().filter(|place| *place > 0);
        if let (true, Some(place)) = (is_name(name, '-'), place) {
            let name = name.to_owned();
            return Some(Group { name, place });
        }
        let message = "`group` is the name of a group and this flow's place in it";
        let hint = "write group: { name: approvals, place: 1 }; 1 comes first";
        self.error(node.place(), message, hint);
        None
    }

    fn at_most(&mut self, node: Option<&Node>) -> AtMost {
        let mut out = AtMost::default();
        for (key, node) in node.and_then(Node::entries).unwrap_or_default() {
            let place = match key.name.as_str() {
                "push" => &mut out.push,
                "mail" => &mut out.mail,
                _ => {
                    self.report(unknown_key(key, "`at_most`", &["push", "mail"]));
                    continue;
                }
            };
            *place = node
                .text()
                .and_then(|text| text.parse().ok())
                .filter(|n| *n > 0);
            if place.is_none() {
                let message = format!("`{}` is not how many", node.text().unwrap_or_default());
                self.error(node.place(), message, "write a number from 1 on");
            }
        }
        out
    }

    /// Makes the inputs known, also those with a mistake: it is reported already.
    fn known_inputs(&mut self, node: Option<&Node>, inputs: &[Input]) {
        let entries = node.and_then(Node::entries).unwrap_or_default();
        let names = entries.iter().map(|(key, _)| key.name.clone());
        let shapes = names.clone().map(|name| {
            let input = inputs.iter().find(|input| input.name == name);
            let shape = input.map_or(Shape::Any, |input| Shape::of_input(&input.kind));
            (name, shape)
        });
        self.names.add("inputs", Shape::Fields(shapes.collect()));
        self.input_names = names.collect();
        let of = |kind: &InputKind| -> Vec<String> {
            let those = inputs.iter().filter(|input| input.kind == *kind);
            those.map(|input| input.name.clone()).collect()
        };
        self.durations = of(&InputKind::Duration);
        self.schedules = of(&InputKind::Schedule);
        self.schedules.extend(of(&InputKind::Time));
        let connection = |input: &Input| match &input.kind {
            InputKind::Connection(of) => Some((input.name.clone(), of.clone())),
            _ => None,
        };
        self.connections = inputs.iter().filter_map(connection).collect();
    }

    fn top_level(&mut self, entries: &[(crate::yaml::Key, Node)]) {
        let mut furthest: Option<(usize, &str)> = None;
        for (key, _) in entries {
            let name = key.name.as_str();
            let Some(place) = FLOW.iter().position(|known| known.name == name) else {
                let problem = if MEANT_WHEN.contains(&name) {
                    let message = format!("a flow has no key `{name}`");
                    Problem::error(key.place(), message).hint("did you mean `when`?")
                } else {
                    unknown_key(key, "a flow", &names(&FLOW))
                };
                self.report(problem);
                continue;
            };
            match furthest {
                Some((far, before)) if far > place => {
                    let message = format!("`{name}` stands after `{before}`");
                    let hint = format!("the order is {}", names(&FLOW).join(", "));
                    self.error(key.place(), message, &hint);
                }
                _ => furthest = Some((place, name)),
            }
        }
    }

    fn version(&mut self, root: &Node, first: Option<&str>) {
        let hint = "begin the file with `bellwether: 1`";
        match root.get("bellwether") {
            None => self.error((1, 1), "the language version is missing", hint),
            Some(_) if first != Some("bellwether") => {
                self.error(root.place(), "the language version must come first", hint);
            }
            Some(node) if node.text() != Some("1") => {
                let message = "this server knows version 1 of the language only";
                self.error(node.place(), message, "write `bellwether: 1`");
            }
            Some(_) => {}
        }
    }

    fn name(&mut self, root: &Node, file: &str) -> String {
        let Some(node) = root.get("flow") else {
            let hint = format!("add `flow: {}` below `bellwether: 1`", stem(file));
            self.error(root.place(), "the flow's name is missing", &hint);
            return String::new();
        };
        let name = node.text().unwrap_or_default();
        if !is_name(name, '-') {
            let hint = "small letters, digits and -, beginning with a letter: approval-mail";
            self.error(
                node.place(),
                format!("`{name}` cannot be a flow's name"),
                hint,
            );
        }
        name.to_owned()
    }

    /// A text without values.
    fn plain_text(&mut self, root: &Node, key: &str) -> Option<String> {
        let node = root.get(key)?;
        match node.text() {
            Some(text) => Some(text.trim().to_owned()),
            None => {
                let message = format!("`{key}` is a text, but this is {}", node.sort());
                self.error(node.place(), message, "");
                None
            }
        }
    }

    /// Words that other YAML tools read differently, wherever they stand.
    fn doubtful_words(&mut self, node: &Node) {
        match &node.kind {
            Kind::Scalar { text, style, .. } if *style == Style::Plain => {
                let lower = text.to_lowercase();
                if FORBIDDEN.contains(&lower.as_str()) && lower.len() > 1 {
                    let message = format!("some YAML tools read `{text}` as true or false");
                    let hint = format!("write \"{text}\" in quotes");
                    self.report(Problem::warning(node.place(), message).hint(hint));
                } else if is_clock(text) {
                    let message = format!("some YAML tools read `{text}` as a number");
                    let hint = format!("write \"{text}\" in quotes");
                    self.report(Problem::warning(node.place(), message).hint(hint));
                }
            }
            Kind::Scalar { .. } => {}
            Kind::List(elements) => elements.iter().for_each(|inner| self.doubtful_words(inner)),
            Kind::Map(entries) => entries
                .iter()
                .for_each(|(_, inner)| self.doubtful_words(inner)),
        }
    }

    fn tests(&mut self, node: Option<&Node>) -> Vec<Story> {
        let Some(node) = node else {
            return Vec::new();
        };
        let Some(entries) = node.entries() else {
            let hint = "write a sentence, a colon, and the list of what happens";
            self.error(node.place(), "`tests` is a group of named stories", hint);
            return Vec::new();
        };
        let mut out = Vec::new();
        for (key, story) in entries {
            match story.elements() {
                Some(steps) => out.push(Story {
                    name: key.name.clone(),
                    line: key.line,
                    steps: steps.to_vec(),
                }),
                None => self.error(
                    story.place(),
                    "a story is a list of what happens and what is expected",
                    "begin each line with -",
                ),
            }
        }
        out
    }
}

/// Small letters, digits and `joint`, beginning with a letter.
pub(super) fn is_name(name: &str, joint: char) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with(joint)
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint)
}

/// The most letters of a step's id, which may be a path of others.
pub(crate) const ID_MAX: usize = 300;

/// An id as steps derive it: words and endings with dots, without blanks or large letters.
pub(super) fn is_id(id: &str) -> bool {
    id.len() <= ID_MAX
        && id.starts_with(char::is_alphanumeric)
        && !id.ends_with(['.', '-', '_'])
        && id
            .chars()
            .all(|c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_' | '.'))
}

fn is_clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else {
        return false;
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    digits(hours) && digits(minutes) && hours.len() <= 2 && minutes.len() == 2
}
