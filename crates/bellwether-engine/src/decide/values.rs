//! The nouns that the engine itself brings to expressions: `it` inside a wait, the result of a
//! wait, `decision`; and small questions about values.

use bellwether_model::directory::{Directory, Person};
use bellwether_model::event::Event;
use bellwether_model::time::Time;

use crate::lang::{PersonOrAddress, Value, instant_value, person_value, value_of};

/// Whether a value stands for nothing.
pub(super) fn is_absent(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

/// What `it` means for an event: its one noun, else the whole payload.
pub(super) fn noun_of(event: &Event) -> Value {
    let data = &event.envelope.data;
    let one = data.as_object().filter(|nouns| nouns.len() == 1);
    value_of(one.and_then(|nouns| nouns.values().next()).unwrap_or(data))
}

/// What the name of a wait means afterwards: the event's noun, or `timed_out`.
pub(super) fn waited(event: Option<&Event>) -> Value {
    match event {
        Some(event) => {
            let noun = serde_json::to_value(noun_of(event)).unwrap_or_default();
            let mut fields = noun.as_object().cloned().unwrap_or_default();
            fields.insert("timed_out".to_owned(), false.into());
            value_of(&fields.into())
        }
        None => value_of(&serde_json::json!({ "timed_out": true })),
    }
}

/// What `decision` means.
pub(super) fn decision_value(
    directory: &Directory,
    choice: &str,
    by: &str,
    at: Time,
    comment: &str,
) -> Value {
    let nameless = Person {
        id: by.to_owned(),
        name: by.to_owned(),
        ..Person::default()
    };
    let person = directory.people.get(by).unwrap_or(&nameless);
    Value::from_pairs([
        ("choice".to_owned(), Value::from(choice)),
        ("by".to_owned(), person_value(person)),
        ("at".to_owned(), instant_value(at)),
        ("comment".to_owned(), Value::from(comment)),
    ])
}

/// Whether an entry of `not_by` means this person.
pub(super) fn is_person(entry: &PersonOrAddress, person: &Person) -> bool {
    match entry {
        PersonOrAddress::Person(id) => *id == person.id,
        PersonOrAddress::Address(address) => person.has_email(address),
    }
}

/// Puts a leaf at its dotted path: `order.number` into the object `order`.
pub(super) fn put_at(
    data: &mut serde_json::Map<String, serde_json::Value>,
    path: &str,
    value: serde_json::Value,
) {
    let Some((first, rest)) = path.split_once('.') else {
        data.insert(path.to_owned(), value);
        return;
    };
    let inner = data.entry(first).or_insert_with(|| serde_json::json!({}));
    if let serde_json::Value::Object(inner) = inner {
        put_at(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::put_at;
    use serde_json::json;

    #[test]
    fn leaves_of_a_payload_stand_at_their_paths() {
        let mut data = serde_json::Map::new();
        for (path, value) in [
            ("a", 1),
            ("order.number", 2),
            ("order.of.whom", 3),
            ("a.b", 4),
        ] {
            put_at(&mut data, path, json!(value));
        }
        let expected = json!({ "a": 1, "order": { "number": 2, "of": { "whom": 3 } } });
        assert_eq!(serde_json::Value::Object(data), expected);
    }
}
