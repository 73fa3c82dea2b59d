//! Reads `when`, `let` and `case`: what starts a flow and the names that it gives to things.

use super::Reading;
use super::header::is_name;
use super::names::{Names, Shape, nouns};
use crate::flow::def::{Input, Trigger};
use crate::flow::language::{self, FORBIDDEN, RESERVED, TRIGGER};
use crate::lang::Expr;
use crate::yaml::near::nearest;
use crate::yaml::{Key, Node, Problem, Reader};

/// The most named values.
const LETS_MAX: usize = 100;
/// The most triggers, and the most event types of one.
const TRIGGERS_MAX: usize = 50;

fn triggers(node: &Node) -> Vec<&Node> {
    match node.elements() {
        Some(elements) => elements.iter().take(TRIGGERS_MAX).collect(),
        None => vec![node],
    }
}

fn event_nodes(node: &Node) -> Vec<&Node> {
    match node.elements() {
        Some(elements) => elements.iter().take(TRIGGERS_MAX).collect(),
        None => vec![node],
    }
}

impl Reading<'_> {
    /// Makes the nouns of all event types known; what is wrong with the types is reported here too.
    pub(super) fn events(&mut self, when: Option<&Node>) {
        let Some(when) = when else {
            // Its absence is reported; complaining about each noun would hide that.
            self.names.open = true;
            return;
        };
        let mut shapes: Vec<(String, Shape)> = Vec::new();
        for trigger in triggers(when) {
            for node in trigger.get("event").map(event_nodes).unwrap_or_default() {
                for (noun, shape) in self.event_nouns(node) {
                    match shapes.iter_mut().find(|(known, _)| *known == noun) {
                        Some((_, known)) => {
                            *known = std::mem::replace(known, Shape::Any).or(shape);
                        }
                        None => shapes.push((noun, shape)),
                    }
                }
            }
        }
        for (noun, shape) in shapes {
            self.names.add(&noun, shape);
        }
        self.names.add("trigger", Shape::Leaf);
    }

    /// An event type that exists here, for messages.
    fn sample_event(&self) -> &'static str {
        let mut triggers = self.catalog.triggers();
        triggers.next().map_or("order.checked", |t| t.event)
    }

    /// The nouns of one event type.
    pub(super) fn event_nouns(&mut self, node: &Node) -> Vec<(String, Shape)> {
        let Some(event) = node.text().filter(|text| !text.is_empty()) else {
            let sample = self.sample_event();
            self.error(node.place(), "an event type is a dotted name", sample);
            return Vec::new();
        };
        if let Some(trigger) = self.catalog.trigger(event) {
            return nouns(trigger);
        }
        let catalog = *self.catalog;
        let near = nearest(event, catalog.triggers().map(|trigger| trigger.event));
        let first = event.split('.').next().unwrap_or_default();
        let connector = catalog.connectors.iter().find(|def| def.name == first);
        let dotted =
            event.split('.').count() > 1 && event.split('.').all(|part| is_name(part, '_'));
        if near.is_none() && connector.is_none() && dotted {
            // An event of our own: another flow emits it, with whatever it likes.
            self.names.open = true;
            return Vec::new();
        }
        let problem = Problem::error(node.place(), format!("there is no event `{event}`"));
        let hint = match (near, connector) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(def)) => {
                let all: Vec<&str> = def.triggers.iter().map(|t| t.event).collect();
                format!("{} brings: {}", def.name, all.join(", "))
            }
            (None, None) => "a name of small letters with dots: order.checked".to_owned(),
        };
        self.report(problem.hint(hint));
        // Complaining about each noun as well would hide the real mistake.
        match near.and_then(|near| catalog.trigger(near)) {
            Some(meant) => nouns(meant),
            None => {
                self.names.open = true;
                Vec::new()
            }
        }
    }

    pub(super) fn when(
        &mut self,
        node: Option<&Node>,
        root: (usize, usize),
        inputs: &[Input],
    ) -> Vec<Trigger> {
        let Some(node) = node else {
            let hint = format!("add `when: {{ event: {} }}`", self.sample_event());
            self.error(root, "`when` is missing: nothing starts this flow", &hint);
            return Vec::new();
        };
        let mut out: Vec<Trigger> = Vec::new();
        for trigger in triggers(node) {
            let read = self.trigger(trigger, inputs);
            let twice = out
                .iter()
                .any(|known| known.name.is_some() && known.name == read.name);
            if twice {
                let hint = "give each trigger its own name";
                self.error(trigger.place(), "two triggers have the same name", hint);
            }
            out.push(read);
        }
        if out.is_empty() {
            self.error(
                node.place(),
                "`when` is empty: nothing starts this flow",
                "",
            );
        }
        out
    }

    fn trigger(&mut self, node: &Node, inputs: &[Input]) -> Trigger {
        let mut reader = Reader::new(
            node,
            "a trigger",
            &language::names(&TRIGGER),
            &mut self.problems,
        );
        let name = reader.text("name").map(str::to_owned);
        let event = reader.need("event");
        let (source, condition) = (reader.get("in"), reader.get("if"));
        let with = reader.get("with");
        let events = event.map(event_nodes).unwrap_or_default();
        let events: Vec<String> = events
            .into_iter()
            .filter_map(|node| node.text().map(str::to_owned))
            .collect();
        let thresholds = self.thresholds(with, &events, inputs);
        Trigger {
            name,
            events,
            thresholds,
            source: source.and_then(|node| self.expr(node, "in")),
            condition: condition.and_then(|node| self.expr(node, "if")),
        }
    }

    pub(super) fn lets(&mut self, node: Option<&Node>) -> Vec<(String, Expr)> {
        let Some(node) = node else {
            return Vec::new();
        };
        let Some(entries) = node.entries() else {
            let hint = "write `let:` and below it `name: expression`";
            self.error(node.place(), "`let` gives names to expressions", hint);
            return Vec::new();
        };
        if entries.len() > LETS_MAX {
            let message = format!("`let` has more than {LETS_MAX} names");
            self.error(node.place(), message, "");
        }
        for (key, _) in entries {
            self.let_name(key);
        }
        // Each may use the others, in any order; what they look like is known after the first pass.
        for (key, _) in entries {
            self.names.add(&key.name, Shape::Any);
        }
        let mut out: Vec<(String, Expr)> = Vec::new();
        for (key, value) in entries.iter().take(LETS_MAX) {
            if let Some(expr) = self.expr(value, &key.name) {
                let shape = self.names.shape_of(expr.ast());
                self.names.add(&key.name, shape);
                out.push((key.name.clone(), expr));
            }
        }
        self.circles(entries, &out);
        mark_spoken(&mut out);
        out
    }

    fn let_name(&mut self, key: &Key) {
        let name = key.name.as_str();
        let hint = "choose another name";
        if FORBIDDEN.contains(&name) {
            let message = format!("`{name}` cannot be a name: some YAML tools read it as true");
            self.error(key.place(), message, hint);
        } else if !is_name(name, '_') {
            let hint = "small letters, digits and _, beginning with a letter";
            self.error(key.place(), format!("`{name}` cannot be a name"), hint);
        } else if RESERVED.contains(&name) || self.names.get(name).is_some() {
            self.error(
                key.place(),
                format!("`{name}` means something already"),
                hint,
            );
        }
    }

    /// A name that is explained by itself.
    fn circles(&mut self, entries: &[(Key, Node)], lets: &[(String, Expr)]) {
        for (key, _) in entries {
            let mut reached: Vec<String> = Vec::new();
            let mut open = vec![key.name.clone()];
            while let Some(name) = open.pop() {
                for used in uses(lets, &name) {
                    if !reached.contains(&used) {
                        reached.push(used.clone());
                        open.push(used);
                    }
                }
            }
            if reached.contains(&key.name) {
                let message = format!("`{}` is worked out from itself", key.name);
                let hint = format!("by way of: {}", reached.join(", "));
                self.error(key.place(), message, &hint);
            }
        }
    }

    /// Names for the event that a wait waits for.
    pub(super) fn names_of_it(&mut self, events: &[&Node]) -> Names {
        let mut inner = self.names.clone();
        let open = self.names.open;
        let mut shape: Option<Shape> = None;
        for node in events {
            self.names.open = false;
            let mut nouns = self.event_nouns(node);
            let found = match nouns.len() {
                _ if self.names.open => Shape::Any,
                // As `it_value` has it.
                1 => nouns.remove(0).1,
                _ => Shape::Fields(nouns),
            };
            shape = Some(match shape {
                Some(known) => known.or(found),
                None => found,
            });
        }
        self.names.open = open;
        inner.add("it", shape.unwrap_or(Shape::Any));
        inner
    }
}

/// The other named values that a named value uses.
fn uses(lets: &[(String, Expr)], name: &str) -> Vec<String> {
    let Some((_, expr)) = lets.iter().find(|(known, _)| known == name) else {
        return Vec::new();
    };
    let paths = expr.ast().paths();
    let roots = paths.iter().map(|path| path.root.to_string());
    roots
        .filter(|root| lets.iter().any(|(known, _)| known == root))
        .collect()
}

/// A value that is made of one that depends on its reader does so too.
fn mark_spoken(lets: &mut [(String, Expr)]) {
    for _ in 0..lets.len() {
        let spoken: Vec<String> = lets
            .iter()
            .filter(|(_, expr)| expr.speaks())
            .map(|(name, _)| name.clone())
            .collect();
        let names: Vec<String> = lets.iter().map(|(name, _)| name.clone()).collect();
        let mut changed = false;
        for (index, name) in names.iter().enumerate() {
            let more = uses(lets, name).iter().any(|used| spoken.contains(used));
            if more && !lets[index].1.speaks() {
                lets[index].1 = lets[index].1.spoken();
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}
