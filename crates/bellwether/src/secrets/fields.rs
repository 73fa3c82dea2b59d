//! Which fields of a document are secret: what the connector's definition marks, everything that
//! it does not know, and what the vault keeps.

use bellwether_connectors::all;
use bellwether_model::spec::FieldKind;
use serde_json::Value;

/// Documents of connections.
pub(super) const CONNECTION: &str = "connection";
/// Documents of the vault.
pub(super) const SECRET: &str = "secret";
/// The kinds of documents that hold secrets.
pub(super) const KINDS: [&str; 2] = [CONNECTION, SECRET];

/// A field of a document that may hold a secret.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) secret: bool,
    pub(super) value: &'a mut Value,
}

/// The fields of a document's body. A setting that the connector does not know is taken for a
/// secret: it may be one whose name was mistyped.
pub(super) fn of<'a>(kind: &str, body: &'a mut Value) -> Vec<Field<'a>> {
    match kind {
        CONNECTION => settings(body),
        SECRET => body
            .get_mut("secret")
            .map(|value| Field {
                name: "secret",
                secret: true,
                value,
            })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn settings(body: &mut Value) -> Vec<Field<'_>> {
    let connector = body.get("connector").and_then(Value::as_str);
    let def = all().iter().find(|def| Some(def.name) == connector);
    let spec = def.map(|def| (def.settings)()).unwrap_or_default();
    let is_secret = |name: &str| {
        let known = spec.fields.iter().find(|field| field.name == name);
        known.is_none_or(|field| field.kind == FieldKind::Secret)
    };
    let settings = body.get_mut("settings").and_then(Value::as_object_mut);
    let settings = settings.into_iter().flatten();
    settings
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| Field {
            secret: is_secret(name),
            name,
            value,
        })
        .collect()
}
