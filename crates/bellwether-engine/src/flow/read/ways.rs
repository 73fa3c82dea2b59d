//! Reads the steps that wait, branch and speak to other flows: `wait`, `meanwhile`, `if`, `emit`,
//! `call`.

use bellwether_model::time::Millis;

use super::Reading;
use super::header::is_name;
use super::names::Shape;
use super::span::span;
use crate::flow::calls::{Call, OWN_FIELDS, RETURNED};
use crate::flow::def::{Block, Emit, If, Length, Span, Wait};
use crate::flow::fan::{DO, Meanwhile};
use crate::lang::Expr;
use crate::yaml::{Node, Problem};

/// What the server itself and the people at its pages say: a flow must not speak for them.
const OWN: [&str; 8] = [
    "people",
    "push",
    "engine",
    "schedule",
    "case",
    "bellwether",
    "digest",
    "flow",
];

/// When a wait that says nothing is given up.
const WAIT_DEFAULT: Length = Length::Fixed(Span::Clock(Millis::days(30)));

impl Reading<'_> {
    pub(super) fn wait(&mut self, node: &Node, object: &Node) -> Wait {
        let events: Vec<&Node> = match object.elements() {
            Some(elements) => elements.iter().collect(),
            None => vec![object],
        };
        let inner = self.names_of_it(&events);
        let outer = std::mem::replace(&mut self.names, inner);
        let condition = node.get("if").and_then(|found| self.expr(found, "if"));
        self.names = outer;
        let events = events.iter().filter_map(|node| node.text());
        let events = events.map(str::to_owned).collect();
        Wait {
            condition,
            ..self.wait_for(node, events, Shape::Any)
        }
    }

    pub(super) fn meanwhile(&mut self, node: &Node, object: &Node, id: &str) -> Meanwhile {
        let events: Vec<&Node> = match object.elements() {
            Some(elements) => elements.iter().collect(),
            None => vec![object],
        };
        let inner = self.names_of_it(&events);
        let outer = std::mem::replace(&mut self.names, inner);
        let condition = node.get("if").and_then(|found| self.expr(found, "if"));
        let steps = match node.get(DO) {
            Some(found) => self.quick(found, "meanwhile", id),
            None => {
                let hint =
                    "write what happens each time: do: [{ push: person('alice'), title: x }]";
                self.missing(node, DO, hint);
                Block::default()
            }
        };
        self.names = outer;
        let events = events.iter().filter_map(|node| node.text());
        Meanwhile {
            events: events.map(str::to_owned).collect(),
            condition,
            steps,
        }
    }

    /// How long is waited for events, and under which name what came is known.
    fn wait_for(&mut self, node: &Node, events: Vec<String>, shape: Shape) -> Wait {
        let up_to = match node.get("up_to") {
            Some(found) => self.length(found, "up_to").unwrap_or(WAIT_DEFAULT),
            None => {
                let message = "this wait is given up after 30 days";
                let hint = "say so with `up_to: 30 days`";
                self.report(Problem::warning(node.place(), message).hint(hint));
                WAIT_DEFAULT
            }
        };
        let whose = node.get("whose").and_then(|found| self.who(found, "whose"));
        let name = node.get("as").and_then(|found| self.new_name(found));
        if let Some(name) = &name {
            self.names.add(name, shape);
        }
        Wait {
            events,
            condition: None,
            up_to,
            whose,
            name,
        }
    }

    pub(super) fn call(&mut self, node: &Node, object: &Node) -> Option<Call> {
        let flow = object.text().unwrap_or_default();
        if !is_name(flow, '-') {
            let hint = "small letters, digits and -, as behind `flow:` in its file";
            let message = format!("`{flow}` cannot be a flow's name");
            self.error(object.place(), message, hint);
            return None;
        }
        let mut with = Vec::new();
        if let Some(found) = node.get("with") {
            self.leaves(found, "", &mut with);
            let own = with.iter().find(|(path, _)| {
                let first = path.split('.').next().unwrap_or_default();
                OWN_FIELDS.contains(&first)
            });
            if let Some((path, _)) = own {
                let message = format!("`{path}` is the call's own; give it another name");
                self.error(found.place(), message, "");
            }
        }
        let shape = Shape::fields(&[
            "ending",
            "choice",
            "by",
            "comment",
            "flow",
            "id",
            "timed_out",
        ]);
        Some(Call {
            flow: flow.to_owned(),
            with,
            back: self.wait_for(node, vec![RETURNED.to_owned()], shape),
        })
    }

    /// A length of time: written, or an input that is one. Nothing else, because a wait must be
    /// known to end before the flow is switched on.
    pub(super) fn length(&mut self, node: &Node, key: &str) -> Option<Length> {
        let text = node.text().unwrap_or_default().trim();
        let inside = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
        let bare = inside.unwrap_or(text).trim();
        if let Some(name) = bare.strip_prefix("inputs.") {
            let fits = self.durations.iter().any(|known| known == name);
            let given = Expr::compile(bare, crate::yaml::Positions::plain(node.line, node.column));
            if let (true, Ok(given)) = (fits, given) {
                return Some(Length::Given(given));
            }
            let message = format!("`{name}` is no input of type duration");
            let hint = format!("add it: inputs: {{ {name}: {{ type: duration }} }}");
            self.error(node.place(), message, &hint);
            return None;
        }
        if text.contains("{{") {
            let message = format!("`{key}` is a length of time, or an input that is one");
            let hint = format!("write {key}: 30 minutes, or {key}: inputs.within");
            self.error(node.place(), message, &hint);
            return None;
        }
        match span(text) {
            Ok(span) => Some(Length::Fixed(span)),
            Err(message) => {
                self.error(node.place(), message, "");
                None
            }
        }
    }

    pub(super) fn new_name(&mut self, node: &Node) -> Option<String> {
        let name = node.text().unwrap_or_default();
        if !is_name(name, '_') || self.names.get(name).is_some() {
            let hint = "a new name of small letters, digits and _";
            self.error(
                node.place(),
                format!("`{name}` cannot be a name here"),
                hint,
            );
            return None;
        }
        Some(name.to_owned())
    }

    pub(super) fn condition(&mut self, node: &Node, object: &Node, id: &str) -> Option<If> {
        let condition = self.expr(object, "if");
        let then = match node.get("then") {
            Some(found) => self.below(found, "then", id),
            None => {
                self.missing(node, "then", "");
                Block::default()
            }
        };
        let otherwise = node.get("else").map(|found| self.below(found, "else", id));
        self.decision_known();
        Some(If {
            condition: condition?,
            then,
            otherwise: otherwise.unwrap_or_default(),
        })
    }

    pub(super) fn emit(&mut self, node: &Node, object: &Node) -> Option<Emit> {
        let event = self.own_event(object)?;
        let mut data = Vec::new();
        if let Some(found) = node.get("data") {
            self.leaves(found, "", &mut data);
        }
        Some(Emit { event, data })
    }

    /// The type of an event that a flow may say.
    pub(super) fn own_event(&mut self, node: &Node) -> Option<String> {
        let event = node.text().unwrap_or_default();
        let parts: Vec<&str> = event.split('.').collect();
        if parts.len() < 2 || !parts.iter().all(|part| is_name(part, '_')) {
            let hint = "small letters with dots: order.checked";
            let message = format!("`{event}` cannot be an event type");
            self.error(node.place(), message, hint);
            return None;
        }
        let first = parts[0];
        if !OWN.contains(&first) && self.catalog.trigger(event).is_some() {
            let message = format!("`{event}` is said by its connector, not by flows");
            self.error(node.place(), message, "choose a name of your own");
            return None;
        }
        let connector = self.catalog.connectors.iter().any(|def| def.name == first);
        if connector || OWN.contains(&first) {
            let message = format!("`{event}` is not for flows to say");
            let hint = "choose a name of your own: order.checked";
            self.error(node.place(), message, hint);
            return None;
        }
        Some(event.to_owned())
    }

    /// The expressions of a payload, each with its dotted path.
    pub(super) fn leaves(&mut self, node: &Node, path: &str, out: &mut Vec<(String, Expr)>) {
        let Some(entries) = node.entries() else {
            if let Some(expr) = self.expr(node, "data") {
                out.push((path.to_owned(), expr));
            }
            return;
        };
        for (key, inner) in entries {
            if !is_name(&key.name, '_') {
                let hint = "small letters, digits and _";
                self.error(
                    key.place(),
                    format!("`{}` cannot be a name", key.name),
                    hint,
                );
                continue;
            }
            let joint = if path.is_empty() { "" } else { "." };
            self.leaves(inner, &format!("{path}{joint}{}", key.name), out);
        }
    }
}
