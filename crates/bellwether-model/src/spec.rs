//! Field metadata: one declaration from which docs, lint, forms and redaction come. The values of
//! such fields (settings of a connection) are read through [`Settings`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::secret::Secret;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// An absolute http or https address.
    Url,
    /// A whole number.
    Integer,
    /// true or false.
    Bool,
    /// One of the given words.
    Choice(&'static [&'static str]),
    /// A password, key or token: never shown again after it was entered.
    Secret,
    /// A tree whose string leaves are templates.
    Tree,
}

/// One field of settings.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether it must be given.
    pub required: bool,
    /// The value when it is not given, as JSON text; empty for none.
    pub default: &'static str,
    /// What it means, in a sentence.
    pub about: &'static str,
    /// An example as JSON text; empty for none.
    pub example: &'static str,
    /// True where the provider's side is not public and the field is our convention.
    pub unverified: bool,
}

/// The fields of one set of settings.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// In the order in which a form shows them.
    pub fields: Vec<Field>,
}

impl Field {
    /// A field with a sentence; optional, without default.
    pub const fn new(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            default: "",
            about,
            example: "",
            unverified: false,
        }
    }

    /// The same field, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same field with a default (JSON text).
    #[must_use]
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The same field with an example (JSON text).
    #[must_use]
    pub const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// The same field, marked as not confirmed by the provider.
    #[must_use]
    pub const fn unverified(mut self) -> Self {
        self.unverified = true;
        self
    }
}

/// One thing wrong with a set of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key concerned.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Spec {
    /// A spec from its fields.
    pub fn of(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    /// Checks `values` and splits secrets from them.
    ///
    /// # Errors
    /// Every problem found, each with its key: unknown keys, missing ones, wrong types.
    pub fn read(&self, values: &Map<String, Value>) -> Result<Settings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut settings = Settings::default();
        for key in values.keys() {
            if !self.fields.iter().any(|field| field.name == key) {
                let known: Vec<_> = self.fields.iter().map(|field| field.name).collect();
                problems.push(Problem {
                    field: key.clone(),
                    message: format!("unknown setting; known: {}", known.join(", ")),
                });
            }
        }
        for field in &self.fields {
            let given = values
                .get(field.name)
                .filter(|value| !value.is_null())
                .cloned();
            let default = || {
                (!field.default.is_empty())
                    .then(|| serde_json::from_str(field.default).unwrap_or(Value::Null))
            };
            let Some(value) = given.or_else(default) else {
                if field.required {
                    problems.push(Problem {
                        field: field.name.to_owned(),
                        message: format!("required: {}", field.about),
                    });
                }
                continue;
            };
            match fits(field.kind, &value) {
                Ok(()) => settings.put(field, value),
                Err(message) => {
                    problems.push(Problem {
                        field: field.name.to_owned(),
                        message,
                    });
                }
            }
        }
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }
}

fn fits(kind: FieldKind, value: &Value) -> Result<(), String> {
    let ok = match kind {
        FieldKind::Text | FieldKind::Secret => value.is_string(),
        FieldKind::Url => value
            .as_str()
            .is_some_and(|t| t.starts_with("http://") || t.starts_with("https://")),
        FieldKind::Integer => value.is_i64() || value.is_u64(),
        FieldKind::Bool => value.is_boolean(),
        FieldKind::Choice(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        FieldKind::Tree => true,
    };
    if ok {
        return Ok(());
    }
    Err(match kind {
        FieldKind::Url => "an address that begins with https:// or http:// is needed".to_owned(),
        FieldKind::Integer => "a whole number is needed".to_owned(),
        FieldKind::Bool => "true or false is needed".to_owned(),
        FieldKind::Choice(words) => format!("one of {} is needed", words.join(", ")),
        FieldKind::Text | FieldKind::Secret | FieldKind::Tree => "a text is needed".to_owned(),
    })
}

/// Checked settings of one connection. Debug shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: Map<String, Value>,
    secrets: BTreeMap<String, Secret>,
}

impl Settings {
    fn put(&mut self, field: &Field, value: Value) {
        if field.kind == FieldKind::Secret {
            let text = value.as_str().unwrap_or_default();
            self.secrets
                .insert(field.name.to_owned(), Secret::new(text));
        } else {
            self.values.insert(field.name.to_owned(), value);
        }
    }

    /// The text of a field, or the empty text when it is not set.
    pub fn text(&self, name: &str) -> &str {
        self.values
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The text of a field that this use cannot do without.
    ///
    /// # Errors
    /// `Misconfigured`, naming the field.
    pub fn require(&self, name: &str) -> Result<&str, Failure> {
        match self.text(name) {
            "" => Err(Failure::misconfigured(
                "missing_setting",
                format!("set `{name}`"),
            )),
            text => Ok(text),
        }
    }

    /// The number of a field, or `otherwise`.
    pub fn integer(&self, name: &str, otherwise: i64) -> i64 {
        self.values
            .get(name)
            .and_then(Value::as_i64)
            .unwrap_or(otherwise)
    }

    /// Whether a field is true.
    pub fn flag(&self, name: &str) -> bool {
        self.values
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The tree of a field, or null.
    pub fn tree(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    /// The secret of a field; empty when it is not set.
    pub fn secret(&self, name: &str) -> Secret {
        self.secrets.get(name).cloned().unwrap_or_default()
    }
}
