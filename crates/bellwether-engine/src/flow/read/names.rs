//! What names an expression may use and which fields they have, as far as that is known before
//! anything happens: from the JSON Schemas of the events, the inputs, and the steps around it.

use bellwether_model::connector::TriggerDef;
use serde_json::Value as Json;

use crate::flow::def::InputKind;
use crate::lang::ast::{Ast, Filter, Kind, Path};

/// How deep a schema is followed.
const DEPTH_MAX: u8 = 12;

/// What is known about a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// A single value without fields.
    Leaf,
    /// Exactly these fields.
    Fields(Vec<(String, Shape)>),
    /// A list of these.
    List(Box<Shape>),
}

impl Shape {
    /// Fields of which nothing more is known.
    pub(crate) fn fields(names: &[&str]) -> Self {
        Self::Fields(
            names
                .iter()
                .map(|name| ((*name).to_owned(), Self::Leaf))
                .collect(),
        )
    }

    /// The fields that a step's decision has.
    pub(crate) fn decision() -> Self {
        let person = Self::fields(&crate::lang::PERSON_FIELDS);
        Self::Fields(vec![
            ("by".to_owned(), person),
            ("at".to_owned(), Self::Leaf),
            ("choice".to_owned(), Self::Leaf),
            ("comment".to_owned(), Self::Leaf),
        ])
    }

    pub(crate) fn of_input(kind: &InputKind) -> Self {
        match kind {
            InputKind::Who => Self::Any,
            InputKind::Numbers => Self::List(Box::new(Self::Leaf)),
            InputKind::Table(columns) => {
                let columns = columns
                    .iter()
                    .map(|(name, kind)| (name.clone(), Self::of_input(kind)));
                Self::List(Box::new(Self::Fields(columns.collect())))
            }
            _ => Self::Leaf,
        }
    }

    /// Both: what a value has that is one or the other.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fields(mut a), Self::Fields(b)) => {
                for (name, shape) in b {
                    match a.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => {
                            *known = std::mem::replace(known, Self::Any).or(shape);
                        }
                        None => a.push((name, shape)),
                    }
                }
                Self::Fields(a)
            }
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.or(*b))),
            (Self::Leaf, Self::Leaf) => Self::Leaf,
            _ => Self::Any,
        }
    }
}

/// The nouns that an event type brings.
pub(crate) fn nouns(trigger: &TriggerDef) -> Vec<(String, Shape)> {
    let schema = (trigger.schema)();
    trigger
        .nouns
        .iter()
        .map(|noun| {
            let property = schema.get("properties").and_then(|all| all.get(*noun));
            let shape = property.map_or(Shape::Any, |found| of_schema(found, &schema, DEPTH_MAX));
            ((*noun).to_owned(), shape)
        })
        .collect()
}

fn of_schema(schema: &Json, root: &Json, depth: u8) -> Shape {
    let Some(depth) = depth.checked_sub(1) else {
        return Shape::Any;
    };
    if let Some(target) = schema.get("$ref").and_then(Json::as_str) {
        let found = target.strip_prefix('#').and_then(|path| root.pointer(path));
        return found.map_or(Shape::Any, |found| of_schema(found, root, depth));
    }
    let kind = match schema.get("type") {
        Some(Json::String(kind)) => Some(kind.as_str()),
        // `["object", "null"]`: null is absent here, so the other one counts.
        Some(Json::Array(kinds)) => {
            let mut real = kinds
                .iter()
                .filter_map(Json::as_str)
                .filter(|k| *k != "null");
            let first = real.next();
            first.filter(|_| real.next().is_none())
        }
        _ => None,
    };
    match kind {
        Some("object") => {
            let open = schema
                .get("additionalProperties")
                .is_some_and(|more| *more != Json::Bool(false));
            match schema.get("properties").and_then(Json::as_object) {
                Some(properties) if !open => Shape::Fields(
                    properties
                        .iter()
                        .map(|(name, inner)| (name.clone(), of_schema(inner, root, depth)))
                        .collect(),
                ),
                _ => Shape::Any,
            }
        }
        Some("array") => {
            let items = schema.get("items");
            let items = items.map_or(Shape::Any, |items| of_schema(items, root, depth));
            Shape::List(Box::new(items))
        }
        Some("string" | "number" | "integer" | "boolean") => Shape::Leaf,
        _ => Shape::Any,
    }
}

/// The names that are known at a place in the flow; inner steps add theirs and take them away
/// again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    known: Vec<(String, Shape)>,
    /// An event of which nothing is known brings whatever it brings.
    pub(crate) open: bool,
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misnamed {
    /// The variable is not known.
    Variable,
    /// The thing (written as in the file) has other fields than the one at this offset.
    Field {
        of: String,
        name: String,
        at: usize,
        fields: Vec<String>,
    },
}

impl Names {
    pub(crate) fn add(&mut self, name: &str, shape: Shape) {
        self.known.push((name.to_owned(), shape));
    }

    pub(crate) fn mark(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn forget(&mut self, mark: usize) {
        self.known.truncate(mark);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Shape> {
        let found = self.known.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, shape)| shape)
    }

    pub(crate) fn all(&self) -> Vec<&str> {
        let mut out: Vec<&str> = Vec::new();
        for (name, _) in &self.known {
            if !out.contains(&name.as_str()) {
                out.push(name);
            }
        }
        out
    }

    /// Checks one path.
    pub(crate) fn check(&self, path: &Path) -> Option<Misnamed> {
        let Some(mut shape) = self.get(&path.root) else {
            return (!self.open).then_some(Misnamed::Variable);
        };
        let mut of = path.root.to_string();
        for (name, at) in &path.fields {
            let Some(name) = name else {
                let Shape::List(inner) = shape else {
                    return None;
                };
                shape = inner;
                of.push_str("[…]");
                continue;
            };
            let fields: &[(String, Shape)] = match shape {
                Shape::Any => return None,
                Shape::Leaf | Shape::List(_) => &[],
                Shape::Fields(fields) => fields,
            };
            match fields.iter().find(|(known, _)| **known == **name) {
                Some((_, inner)) => shape = inner,
                None => {
                    let fields = fields.iter().map(|(name, _)| name.clone()).collect();
                    let (name, at) = (name.to_string(), *at);
                    return Some(Misnamed::Field {
                        of,
                        name,
                        at,
                        fields,
                    });
                }
            }
            of.push('.');
            of.push_str(name);
        }
        None
    }

    /// What is known about an expression's value.
    pub(crate) fn shape_of(&self, ast: &Ast) -> Shape {
        if let Some(path) = ast.as_path() {
            let mut shape = self.get(&path.root).cloned().unwrap_or(Shape::Any);
            for (name, _) in &path.fields {
                shape = match (shape, name) {
                    (Shape::List(inner), None) => *inner,
                    (Shape::Fields(fields), Some(name)) => fields
                        .into_iter()
                        .find(|(known, _)| **known == **name)
                        .map_or(Shape::Any, |(_, inner)| inner),
                    _ => Shape::Any,
                };
            }
            return shape;
        }
        match &ast.kind {
            Kind::Filter(Filter::FirstRow | Filter::First, inner, _) => {
                match self.shape_of(inner) {
                    Shape::List(row) => *row,
                    _ => Shape::Any,
                }
            }
            Kind::Filter(Filter::Where, inner, _) => self.shape_of(inner),
            Kind::Filter(
                Filter::Default | Filter::Column | Filter::Known | Filter::Without,
                ..,
            ) => Shape::Any,
            Kind::Filter(..) | Kind::Test(..) | Kind::Compare(..) | Kind::In(..) | Kind::Not(_) => {
                Shape::Leaf
            }
            _ => Shape::Any,
        }
    }
}
