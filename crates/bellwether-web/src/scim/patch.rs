//! Changes of SCIM resources as JSON: paths into them (with filters in brackets, and with whole
//! schema names), and the operations of a PATCH in the shapes that senders differ in.

use serde_json::{Map, Value};

use super::filter::{self, Equal};
use super::{ENTERPRISE, GROUP, Refusal, USER};

/// The most operations of one call.
const OPERATIONS_MAX: usize = 1_000;

/// One part of a path: a key, and which entries of its list.
struct Part {
    key: String,
    only: Option<Vec<Equal>>,
}

/// A field, whatever the case of its key.
pub(super) fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    fields.get(key).or_else(|| {
        let found = fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value)
    })
}

fn key_in(fields: &Map<String, Value>, key: &str) -> String {
    let found = fields.keys().find(|known| known.eq_ignore_ascii_case(key));
    found.cloned().unwrap_or_else(|| key.to_owned())
}

fn parts(path: &str) -> Result<Vec<Part>, Refusal> {
    let wrong = || {
        Refusal::bad(
            "invalidPath",
            format!("`{path}` is no path of an attribute"),
        )
    };
    let mut out = Vec::new();
    let mut rest = path.trim();
    for schema in [USER, GROUP] {
        if let Some(after) = prefix(rest, schema) {
            rest = after.trim_start_matches(':');
        }
    }
    if let Some(after) = prefix(rest, ENTERPRISE) {
        out.push(Part {
            key: ENTERPRISE.to_owned(),
            only: None,
        });
        rest = after.trim_start_matches([':', '.']);
    }
    while !rest.is_empty() {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let key = rest[..end].to_owned();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(wrong());
        }
        rest = &rest[end..];
        let mut only = None;
        if let Some(inner) = rest.strip_prefix('[') {
            let close = inner.find(']').ok_or_else(wrong)?;
            only = Some(filter::parse(&inner[..close])?);
            rest = &inner[close + 1..];
        }
        out.push(Part { key, only });
        rest = match rest.strip_prefix('.') {
            Some(after) => after,
            None if rest.is_empty() => "",
            None => return Err(wrong()),
        };
    }
    if out.is_empty() {
        return Err(wrong());
    }
    Ok(out)
}

fn prefix<'a>(text: &'a str, schema: &str) -> Option<&'a str> {
    let start = text.get(..schema.len())?;
    start
        .eq_ignore_ascii_case(schema)
        .then(|| &text[schema.len()..])
}

/// Every value at a path.
pub(super) fn values_at<'a>(resource: &'a Value, path: &str) -> Vec<&'a Value> {
    let Ok(parts) = parts(path) else {
        return Vec::new();
    };
    let mut here = vec![resource];
    for part in parts {
        let found = here.into_iter().filter_map(|value| get(value, &part.key));
        let each = found.flat_map(|value| match value {
            Value::Array(all) => all.iter().collect(),
            one => vec![one],
        });
        here = each
            .filter(|value| {
                part.only
                    .as_ref()
                    .is_none_or(|only| filter::fits(value, only))
            })
            .collect();
    }
    here
}

/// Applies the operations of a PATCH, all or none.
pub(super) fn apply(resource: &Value, body: &Value) -> Result<Value, Refusal> {
    let operations = get(body, "Operations").and_then(Value::as_array);
    let operations = operations
        .filter(|all| all.len() <= OPERATIONS_MAX)
        .ok_or_else(|| {
            let detail = format!("`Operations` must be a list of at most {OPERATIONS_MAX}");
            Refusal::bad("invalidSyntax", detail)
        })?;
    let mut next = resource.clone();
    for operation in operations {
        let verb = super::text(operation, "op")
            .unwrap_or_default()
            .to_lowercase();
        let path = super::text(operation, "path").filter(|path| !path.is_empty());
        let value = get(operation, "value").cloned().unwrap_or(Value::Null);
        match (verb.as_str(), path) {
            ("add" | "replace", None) => {
                let Value::Object(fields) = value else {
                    let detail = "without a path the value must be an object";
                    return Err(Refusal::bad("invalidValue", detail));
                };
                for (path, value) in fields {
                    set(&mut next, &parts(&path)?, value, verb == "add");
                }
            }
            ("add" | "replace", Some(path)) => {
                set(&mut next, &parts(path)?, value, verb == "add");
            }
            ("remove", Some(path)) => remove(&mut next, &parts(path)?, &value),
            ("remove", None) => {
                return Err(Refusal::bad("noTarget", "remove needs a path"));
            }
            _ => {
                let detail = format!("there is no op `{verb}`; there are add, replace, remove");
                return Err(Refusal::bad("invalidSyntax", detail));
            }
        }
    }
    Ok(next)
}

fn set(at: &mut Value, path: &[Part], value: Value, add: bool) {
    let Some((part, rest)) = path.split_first() else {
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Some(fields) = at.as_object_mut() else {
        return;
    };
    let key = key_in(fields, &part.key);
    let slot = fields.entry(key).or_insert(Value::Null);
    if let Some(only) = &part.only {
        let all = list(slot);
        if !all.iter().any(|one| filter::fits(one, only)) {
            // Nothing fits yet: an entry is made that does.
            let mut new = Value::Object(Map::new());
            for one in only {
                new[one.path.as_str()] = one.value.clone();
            }
            all.push(new);
        }
        for one in all.iter_mut().filter(|one| filter::fits(one, only)) {
            if rest.is_empty() {
                merge(one, &value);
            } else {
                set(one, rest, value.clone(), add);
            }
        }
        return;
    }
    if !rest.is_empty() {
        set(slot, rest, value, add);
        return;
    }
    match (add && slot.is_array(), value) {
        (true, Value::Array(new)) => new.into_iter().for_each(|one| join(list(slot), one)),
        (true, one) => join(list(slot), one),
        (false, value @ Value::Object(_)) if slot.is_object() => merge(slot, &value),
        (false, value) => *slot = value,
    }
}

/// A slot as a list, made one where it is none.
fn list(slot: &mut Value) -> &mut Vec<Value> {
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    match slot {
        Value::Array(all) => all,
        // It was made a list right above.
        _ => unreachable!("a list was just made"),
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into.as_object_mut(), from.as_object()) {
        (Some(fields), Some(new)) => {
            for (key, value) in new {
                let key = key_in(fields, key);
                fields.insert(key, value.clone());
            }
        }
        _ => *into = from.clone(),
    }
}

/// An entry of a list by what it stands for.
fn is_same_entry(left: &Value, right: &Value) -> bool {
    match (get(left, "value"), get(right, "value")) {
        (Some(left), Some(right)) => filter::same(left, right),
        _ => left == right,
    }
}

fn join(all: &mut Vec<Value>, new: Value) {
    if !all.iter().any(|one| is_same_entry(one, &new)) {
        all.push(new);
    }
}

fn remove(at: &mut Value, path: &[Part], value: &Value) {
    let Some((part, rest)) = path.split_first() else {
        return;
    };
    let Some(fields) = at.as_object_mut() else {
        return;
    };
    let key = key_in(fields, &part.key);
    let Some(slot) = fields.get_mut(&key) else {
        return;
    };
    match (&part.only, rest.is_empty(), slot) {
        (Some(only), true, Value::Array(all)) => all.retain(|one| !filter::fits(one, only)),
        (Some(only), false, Value::Array(all)) => {
            for one in all.iter_mut().filter(|one| filter::fits(one, only)) {
                remove(one, rest, value);
            }
        }
        // `members` with a list of values takes these out and leaves the others.
        (None, true, Value::Array(all)) if !value.is_null() => {
            let gone = match value {
                Value::Array(gone) => gone.as_slice(),
                one => std::slice::from_ref(one),
            };
            all.retain(|one| !gone.iter().any(|gone| is_same_entry(one, gone)));
        }
        (None, true, _) => drop(fields.remove(&key)),
        (None, false, slot) => remove(slot, rest, value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_come_in_the_shapes_that_senders_differ_in() {
        let user = json!({"userName": "a", "active": true, "name": {"givenName": "Ann"},
            "emails": [{"type": "work", "value": "w@x.example", "primary": true}]});
        let patched = |operations: Value| apply(&user, &json!({ "Operations": operations }));
        let after = patched(json!([
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "n@x.example"},
            {"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Brand"},
            {"op": "replace", "value": {"name.familyName": "Arnold", "displayName": "Ann A."}},
            {"op": "Add", "path": "roles", "value": [{"value": "legal"}]},
        ]));
        let want = json!({"userName": "a", "active": "False", "displayName": "Ann A.",
            "name": {"givenName": "Ann", "familyName": "Arnold"}, "roles": [{"value": "legal"}],
            "emails": [{"type": "work", "value": "n@x.example", "primary": true}],
            ENTERPRISE: {"department": "Brand"}});
        assert_eq!(after.unwrap(), want);
        let after = patched(json!([{"op": "replace", "value": {"active": false}}])).unwrap();
        assert_eq!(after["active"], false);
        for wrong in [
            json!([{"op": "move", "path": "active"}]),
            json!([{"op": "remove"}]),
            json!([{"op": "add", "value": 7}]),
            json!([{"op": "add", "path": "a[b eq", "value": 7}]),
            json!(7),
        ] {
            assert!(patched(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_are_added_once_and_removed_in_either_way() {
        let group = json!({"members": [{"value": "a"}, {"value": "b"}]});
        let patched = |operation: Value| {
            let after = apply(&group, &json!({ "Operations": [operation] })).unwrap();
            let all = after["members"].as_array().cloned().unwrap_or_default();
            all.iter()
                .map(|one| one["value"].as_str().unwrap().to_owned())
                .collect::<String>()
        };
        assert_eq!(
            patched(
                json!({"op": "add", "path": "members", "value": [{"value": "B"}, {"value": "c"}]})
            ),
            "abc"
        );
        assert_eq!(
            patched(json!({"op": "Add", "path": "members", "value": {"value": "c"}})),
            "abc"
        );
        assert_eq!(
            patched(json!({"op": "remove", "path": "members[value eq \"a\"]"})),
            "b"
        );
        assert_eq!(
            patched(json!({"op": "Remove", "path": "members", "value": [{"value": "b"}]})),
            "a"
        );
        assert_eq!(patched(json!({"op": "remove", "path": "members"})), "");
        assert_eq!(
            patched(json!({"op": "replace", "path": "members", "value": [{"value": "z"}]})),
            "z"
        );
    }
}
