//! YAML as a tree of positioned nodes, strictly: one document, no aliases, tags, merge keys or
//! duplicate keys. What the keys mean is the reader's business: the flow language in `flow/read`,
//! the configuration in the binary.

mod explain;
pub mod near;
mod parse;
mod position;
pub(crate) mod reader;

pub use parse::{TEXT_MAX, parse, parse_shown};
pub use position::Positions;
pub use reader::Reader;

/// The most problems that are collected.
pub const PROBLEMS_MAX: usize = 100;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be used like this.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to write instead; empty when there is nothing to say.
    pub hint: String,
    /// Error or warning.
    pub severity: Severity,
}

impl Problem {
    /// An error at a place.
    pub fn error(place: (usize, usize), message: impl Into<String>) -> Self {
        Self {
            line: place.0,
            column: place.1,
            message: message.into(),
            hint: String::new(),
            severity: Severity::Error,
        }
    }

    /// A warning at a place.
    pub fn warning(place: (usize, usize), message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    /// The same with what to write instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// One line as a compiler says it: `flow.yaml:16:12  message  hint`.
    pub fn in_file(&self, file: &str) -> String {
        let Self { line, column, .. } = self;
        let warning = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let gap = if self.hint.is_empty() { "" } else { "  " };
        format!(
            "{file}:{line}:{column}  {warning}{}{gap}{}",
            self.message, self.hint
        )
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'` or `"…"`.
    Quoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl Key {
    /// Line and column.
    pub fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }
}

/// A node and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A single value, always as text; what it means depends on where it stands.
    Scalar {
        /// The value, escapes resolved.
        text: String,
        /// How it is written.
        style: Style,
        /// Where each part of the value stands in the file.
        positions: Positions,
    },
    /// Keys with values, in order.
    Map(Vec<(Key, Node)>),
    /// Values, in order.
    List(Vec<Node>),
}

impl Node {
    /// Line and column.
    pub fn place(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn elements(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entries = self.entries()?;
        entries
            .iter()
            .find(|(found, _)| found.name == key)
            .map(|(_, node)| node)
    }

    /// Whether nothing was written, or `null` or `~`.
    pub fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, style, .. } => {
                *style == Style::Plain && matches!(text.as_str(), "" | "~" | "null")
            }
            _ => false,
        }
    }

    /// As people call it.
    pub fn sort(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { .. } if self.is_empty() => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::Map(_) => "a group of keys",
            Kind::List(_) => "a list",
        }
    }

    /// As JSON after the core schema: unquoted `true`, `null` and numbers are what they look like.
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Scalar { text, style, .. } if *style == Style::Plain => core(text),
            Kind::Scalar { text, .. } => Value::from(text.as_str()),
            Kind::List(elements) => elements.iter().map(Self::json).collect(),
            Kind::Map(entries) => {
                let pairs = entries
                    .iter()
                    .map(|(key, node)| (key.name.clone(), node.json()));
                Value::Object(pairs.collect())
            }
        }
    }
}

/// A plain scalar under the YAML 1.2 core schema.
fn core(text: &str) -> serde_json::Value {
    use serde_json::Value;
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::from(true),
        "false" | "False" | "FALSE" => return Value::from(false),
        _ => {}
    }
    let number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    if number && let Ok(whole) = text.parse::<i64>() {
        return Value::from(whole);
    }
    if number && let Ok(float) = text.parse::<f64>() {
        return Value::from(float);
    }
    Value::from(text)
}
