//! Reads the verb `digest`: who gets a list, when, what a line says and what happens when the list
//! leaves. Its steps see the list, not the event of a single line.

use super::Reading;
use super::names::{Names, Shape};
use super::schedule::schedule;
use crate::flow::def::{Block, Digest, Moment};
use crate::lang::Expr;
use crate::yaml::Node;

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
        let mut names = Names::default();
        if let Some(inputs) = self.names.get("inputs") {
            names.add("inputs", inputs.clone());
        }
        names.add("list", list(&row));
        let outer = std::mem::replace(&mut self.names, names);
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

    /// A time of day on certain days: written, or an input that is one.
    fn moment(&mut self, node: &Node) -> Option<Moment> {
        let text = node.text().unwrap_or_default().trim();
        let inside = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
        let bare = inside.unwrap_or(text).trim();
        if let Some(name) = bare.strip_prefix("inputs.") {
            let fits = self.schedules.iter().any(|known| known == name);
            let place = crate::yaml::Positions::plain(node.line, node.column);
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

/// What steps know of the list.
fn list(row: &[(String, Expr)]) -> Shape {
    let person = Shape::fields(&crate::lang::PERSON_FIELDS);
    let mut line: Vec<(String, Shape)> = Vec::new();
    line.extend(row.iter().map(|(label, _)| (label.clone(), Shape::Leaf)));
    let mut fields: Vec<(String, Shape)> = LIST
        .iter()
        .map(|name| ((*name).to_owned(), Shape::Leaf))
        .collect();
    fields.push(("person".to_owned(), person));
    fields.push(("first".to_owned(), Shape::Fields(line.clone())));
    fields.push((
        "rows".to_owned(),
        Shape::List(Box::new(Shape::Fields(line))),
    ));
    Shape::Fields(fields)
}
