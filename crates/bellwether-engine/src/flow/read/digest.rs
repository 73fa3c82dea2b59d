//! Reads the verb `digest`: who gets a list, when, what a line says and what happens when the list
//! leaves. Its steps see the list, not the event of a single line.

use std::sync::Arc;

use super::Reading;
use super::names::{Names, Shape};
use super::schedule::schedule;
use crate::flow::def::{Block, Digest, Message, Moment, Privacy, Step, Verb};
use crate::flow::language::{ON_LIST, names};
use crate::lang::Expr;
use crate::yaml::reader::unknown_key;
use crate::yaml::{Node, Positions};

/// The fields of `list` that are no list and no person.
const LIST: [&str; 4] = ["count", "since", "until", "for"];

impl Reading<'_> {
    pub(super) fn digest(&mut self, node: &Node, object: &Node, id: &str) -> Option<Digest> {
        let who = self.who(object, "digest");
        let at = match node.get("at") {
            Some(found) => self.moment(found),
            None => {
                self.missing(node, "at", "at: \"08:30\", each reader's own time");
                None
            }
        };
        let drop = node.get("drop").and_then(|found| self.expr(found, "drop"));
        let order = node
            .get("order")
            .and_then(|found| self.expr(found, "order"));
        let row = match node.get("row") {
            Some(found) => self.labelled(found, "row"),
            None => {
                self.missing(node, "row", "row: { Name: asset.name }");
                Vec::new()
            }
        };
        let outer = self.only_list(&row);
        let then = match node.get("then") {
            Some(found) => self.quick(found, "then", id),
            None => {
                self.missing(node, "then", "then: with what is sent, such as a mail");
                Block::default()
            }
        };
        self.names = outer;
        Some(Digest {
            who: who?,
            at: at?,
            drop,
            row,
            order,
            then,
        })
    }

    /// `on_list:` of a question: when the list leaves, and what its push says.
    pub(super) fn on_list(
        &mut self,
        node: &Node,
        who: &Node,
        row: &[(String, Expr)],
        id: &str,
    ) -> Option<Arc<Digest>> {
        let Some(entries) = node.entries() else {
            let message = "`on_list` says when the list leaves and what its push says";
            let hint = "on_list: { at: \"08:30\", title: \"{{ list.count }} wait for you\" }";
            self.error(node.place(), message, hint);
            return None;
        };
        let known = names(&ON_LIST);
        for (key, _) in entries {
            if !known.contains(&key.name.as_str()) {
                self.report(unknown_key(key, "`on_list`", &known));
            }
        }
        let at = match (node.get("at"), node.get("after")) {
            (Some(at), None) => self.moment(at),
            (None, Some(after)) => self.length(after, "after").map(Moment::After),
            _ => {
                let hint = "at: \"08:30\" for a time of day, or after: 10 minutes";
                self.error(
                    node.place(),
                    "a list leaves `at` a time or `after` a while",
                    hint,
                );
                None
            }
        };
        let order = node
            .get("order")
            .and_then(|found| self.expr(found, "order"));
        let mut columns = row.to_vec();
        columns.extend(Some(("title".to_owned(), nothing(node)?)));
        let outer = self.only_list(&columns);
        let title = node
            .get("title")
            .and_then(|found| self.text(found, "title"));
        if node.get("title").is_none() {
            self.missing(node, "title", "title: \"{{ list.count }} wait for you\"");
        }
        let text = node.get("text").and_then(|found| self.text(found, "text"));
        self.names = outer;
        let to = Expr::compile("list.person", Positions::plain(node.line, node.column)).ok()?;
        let push = Message {
            to,
            title: title?,
            text,
            link: None,
            importance: self.importance(node),
            urgent: false,
            withdraw_on: Vec::new(),
            privacy: Privacy::Full,
            table: false,
            valid_until: None,
            replaces: None,
            on_error: None,
        };
        Some(Arc::new(Digest {
            who: self.who(who, "ask")?,
            at: at?,
            drop: None,
            row: row.to_vec(),
            order,
            then: sending(push, id, node.line),
        }))
    }

    /// From here on texts see inputs and the list only. Returns the names that were known before.
    fn only_list(&mut self, row: &[(String, Expr)]) -> Names {
        let mut names = Names::default();
        if let Some(inputs) = self.names.get("inputs") {
            names.add("inputs", inputs.clone());
        }
        names.add("list", list(row));
        std::mem::replace(&mut self.names, names)
    }

    /// A time of day on certain days: written, or an input that is one.
    fn moment(&mut self, node: &Node) -> Option<Moment> {
        let text = node.text().unwrap_or_default().trim();
        let inside = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
        let bare = inside.unwrap_or(text).trim();
        if let Some(name) = bare.strip_prefix("inputs.") {
            let fits = self.schedules.iter().any(|known| known == name);
            let place = Positions::plain(node.line, node.column);
            if let (true, Ok(given)) = (fits, Expr::compile(bare, place)) {
                return Some(Moment::Given(given));
            }
            let message = format!("`{name}` is no input of type schedule or time");
            let hint = format!("add it: inputs: {{ {name}: {{ type: schedule }} }}");
            self.error(node.place(), message, &hint);
            return None;
        }
        match schedule(text) {
            Ok(schedule) => Some(Moment::Fixed(schedule)),
            Err(message) => {
                self.error(node.place(), message, "");
                None
            }
        }
    }
}

/// Sends a list by push, or by mail where no phone takes it.
fn sending(push: Message, id: &str, line: usize) -> Block {
    let step = |name: &str, verb| Step {
        id: format!("{id}.{name}"),
        verb,
        line,
    };
    let mail = step("list.mail", Verb::Mail(push.clone()));
    let push = Message {
        on_error: Some(Block { steps: vec![mail] }),
        ..push
    };
    Block {
        steps: vec![step("list", Verb::Push(push))],
    }
}

/// An expression that stands for no more than a column.
fn nothing(node: &Node) -> Option<Expr> {
    Expr::compile("''", Positions::plain(node.line, node.column)).ok()
}

/// What steps know of the list.
fn list(row: &[(String, Expr)]) -> Shape {
    let person = Shape::fields(&crate::lang::PERSON_FIELDS);
    let columns = row.iter().map(|(label, _)| (label.clone(), Shape::Leaf));
    let line = match row {
        // That it is missing was said already.
        [] => Shape::Any,
        _ => Shape::Fields(columns.collect()),
    };
    let mut fields: Vec<(String, Shape)> = LIST
        .iter()
        .map(|name| ((*name).to_owned(), Shape::Leaf))
        .collect();
    fields.push(("person".to_owned(), person));
    fields.push(("first".to_owned(), line.clone()));
    fields.push(("rows".to_owned(), Shape::List(Box::new(line))));
    Shape::Fields(fields)
}
