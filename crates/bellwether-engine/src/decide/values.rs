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
