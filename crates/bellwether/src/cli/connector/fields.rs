//! The fields of an event's payload as a flat list, from its JSON Schema: `mail.from.address`. What
//! is written about them is the schema's own description.

use serde_json::Value;

/// How deep a schema is followed.
const DEPTH_MAX: usize = 8;

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where it stands, with `[]` after lists.
    pub(super) path: String,
    /// What it holds, in words.
    pub(super) holds: String,
    /// Whether it is always there, if what is around it is.
    pub(super) always: bool,
    /// What it means.
    pub(super) about: String,
}

/// The fields of a schema, in its order.
pub(super) fn fields(schema: &Value) -> Vec<Field> {
    let mut out = Vec::new();
    below(schema, schema, "", DEPTH_MAX, &mut out);
    out
}

fn below(schema: &Value, root: &Value, path: &str, depth: usize, out: &mut Vec<Field>) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let schema = resolved(schema, root);
    if schema.get("items").is_some() {
        below(&schema["items"], root, &format!("{path}[]"), depth, out);
        return;
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let inner = resolved(inner, root);
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        out.push(Field {
            path: path.clone(),
            holds: holds(inner, root),
            always: required.contains(&name.as_str()),
            about: about(inner),
        });
        below(inner, root, &path, depth, out);
    }
}

fn about(schema: &Value) -> String {
    let mut out = schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if schema["x-whole"] == true {
        out.push_str(" *Only the body tells.*");
    }
    out
}

/// The schema that a `$ref` within the same document stands for.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    target.and_then(|to| root.pointer(to)).unwrap_or(schema)
}

fn holds(schema: &Value, root: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| match word.as_str() {
            Some(word) => format!("`{word}`"),
            None => format!("`{word}`"),
        });
        return words.collect::<Vec<_>>().join(" or ");
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    // Null is absent to flows, so it is no kind of its own here.
    let words = kinds.into_iter().filter(|kind| *kind != "null");
    let words = words.map(|kind| match kind {
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match holds(resolved(&schema["items"], root), root).as_str() {
            "" => "list".to_owned(),
            inner => format!("list of {inner}"),
        },
        "object" => "fields".to_owned(),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_becomes_paths_with_words() {
        let schema = json!({
            "type": "object",
            "required": ["mail"],
            "properties": { "mail": { "$ref": "#/$defs/mail" } },
            "$defs": { "mail": {
                "type": ["object", "null"],
                "description": "The mail.",
                "required": ["at"],
                "properties": {
                    "at": { "type": "string", "format": "date-time" },
                    "to": { "type": "array", "items": {
                        "type": "object", "properties": { "address": { "type": "string" } }
                    } },
                    "auto": { "enum": ["no", "replied"] },
                }
            } }
        });
        let said: Vec<String> = fields(&schema)
            .into_iter()
            .map(|f| format!("{} {} {} {}", f.path, f.holds, f.always, f.about))
            .collect();
        assert_eq!(
            said,
            [
                "mail fields true The mail.",
                "mail.at time true ",
                "mail.to list of fields false ",
                "mail.to[].address text false ",
                "mail.auto `no` or `replied` false ",
            ]
        );
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({ "type": "object", "properties": { "part": { "$ref": "#" } } });
        assert_eq!(fields(&schema).len(), DEPTH_MAX);
    }
}
