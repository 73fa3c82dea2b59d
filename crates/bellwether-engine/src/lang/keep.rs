//! Values that a state keeps: plain JSON, in which people stand by id and amounts and times as what
//! they are, so that they mean the same when they are read again.

use bellwether_model::directory::{Directory, Person};
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use super::Value;
use super::money::Money;
use super::values::{PersonValue, Sort, as_instant, instant_value, money_value, person_value};

const PERSON: &str = "$person";
const MONEY: &str = "$money";
const TIME: &str = "$time";

/// The id of the person that a value is.
pub(crate) fn person_of(value: &Value) -> Option<&str> {
    let person = value.downcast_object_ref::<PersonValue>()?;
    Some(person.id.as_str())
}

/// What is stored of a value.
pub(crate) fn kept(value: &Value) -> Json {
    match Sort::of(value) {
        Sort::Person => json!({ PERSON: person_of(value) }),
        Sort::Money => json!({ MONEY: value.to_string() }),
        Sort::Instant => match as_instant(value) {
            Some(time) => json!({ TIME: time.0 }),
            None => Json::Null,
        },
        Sort::List => value
            .try_iter()
            .into_iter()
            .flatten()
            .map(|inner| kept(&inner))
            .collect(),
        Sort::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let pairs = keys.map(|key| {
                let inner = value.get_item(&key).unwrap_or_default();
                (key.to_string(), kept(&inner))
            });
            Json::Object(pairs.collect())
        }
        _ => super::json_of(value),
    }
}

/// The value of which this was stored. Whoever left the directory is there by id.
pub(crate) fn restored(json: &Json, directory: &Directory) -> Value {
    match json {
        Json::Array(all) => {
            let all = all.iter().map(|inner| restored(inner, directory));
            Value::from(all.collect::<Vec<_>>())
        }
        Json::Object(map) => {
            if let Some(value) = marked(map, directory) {
                return value;
            }
            let pairs = map.iter();
            Value::from_pairs(pairs.map(|(key, inner)| (key.as_str(), restored(inner, directory))))
        }
        plain => super::value_of(plain),
    }
}

fn marked(map: &serde_json::Map<String, Json>, directory: &Directory) -> Option<Value> {
    let (key, value) = map.iter().next().filter(|_| map.len() == 1)?;
    match key.as_str() {
        PERSON => {
            let id = value.as_str()?;
            let nameless = Person {
                id: id.to_owned(),
                name: id.to_owned(),
                ..Person::default()
            };
            Some(person_value(directory.people.get(id).unwrap_or(&nameless)))
        }
        MONEY => Money::parse(value.as_str()?).map(money_value),
        TIME => value.as_i64().map(|at| instant_value(Time(at))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_amounts_and_times_are_the_same_again() {
        let mut directory = Directory::default();
        let alice = Person {
            id: "alice".to_owned(),
            name: "Alice".to_owned(),
            ..Person::default()
        };
        directory.people.insert("alice".to_owned(), alice.clone());
        let amount = Money::parse("4200.00 EUR").map(money_value);
        let value = Value::from_pairs([
            ("who", Value::from(vec![person_value(&alice)])),
            ("amount", amount.clone().unwrap_or_default()),
            ("at", instant_value(Time(1_000))),
            ("word", Value::from("x")),
        ]);
        let stored = kept(&value);
        assert!(
            !stored.to_string().contains("Alice"),
            "no personal data is copied: {stored}"
        );
        let again = restored(&stored, &directory);
        assert_eq!(kept(&again), stored);
        let who = again.get_attr("who").unwrap_or_default();
        let first = who.get_item_by_index(0).unwrap_or_default();
        assert_eq!(first.to_string(), "Alice");
        assert_eq!(again.get_attr("amount").ok(), amount);
    }
}
