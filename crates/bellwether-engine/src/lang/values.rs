//! The values that are more than JSON: a person and an instant. Money has its own file.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use bellwether_model::directory::Person;
use bellwether_model::time::Time;
use minijinja::Value;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};

use super::money::Money;

/// A person as an expression sees him. A copy of the few fields that flows may read, so that a
/// value never holds the whole directory.
#[derive(Debug)]
pub(crate) struct PersonValue {
    pub(crate) id: String,
    pub(crate) name: String,
    email: String,
    language: String,
    zone: String,
    team: Option<String>,
}

/// The fields of a person that expressions may read.
pub(crate) const PERSON_FIELDS: [&str; 6] = ["id", "name", "email", "language", "zone", "team"];

/// A person as a value.
pub fn person_value(person: &Person) -> Value {
    Value::from_object(PersonValue {
        id: person.id.clone(),
        name: person.name.clone(),
        email: person.emails.first().cloned().unwrap_or_default(),
        language: person.language.clone(),
        zone: person.zone.clone(),
        team: person.team.clone(),
    })
}

/// An instant as a value: prints itself in the reader's zone and language.
pub fn instant_value(time: Time) -> Value {
    Value::from_object(Instant(time))
}

/// An amount as a value.
pub fn money_value(money: Money) -> Value {
    Value::from_object(money)
}

impl Object for PersonValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let text = match key.as_str()? {
            "id" => &self.id,
            "name" => &self.name,
            "email" => &self.email,
            "language" => &self.language,
            "zone" => &self.zone,
            "team" => return self.team.as_deref().map(Value::from),
            _ => return None,
        };
        Some(Value::from(text.as_str()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // What is stored of a person is the id alone.
        Enumerator::Str(&["id"])
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.id.cmp(&other.downcast_ref::<Self>()?.id))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An instant.
#[derive(Debug)]
pub(crate) struct Instant(pub(crate) Time);

impl Object for Instant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The instant in a value: one of ours, or a text in RFC 3339 as payloads have it.
pub(crate) fn as_instant(value: &Value) -> Option<Time> {
    if let Some(Instant(time)) = value.downcast_object_ref::<Instant>() {
        return Some(*time);
    }
    let text = value.as_str()?;
    let looks = text.len() >= 20 && text.as_bytes()[10] == b'T';
    looks.then(|| Time::parse(text).ok()).flatten()
}

/// What kind of thing a value is, as messages call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Absent,
    Bool,
    Number,
    Text,
    List,
    Map,
    Money,
    Person,
    Instant,
    Other,
}

impl Sort {
    pub(crate) fn of(value: &Value) -> Self {
        use minijinja::value::ValueKind;
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Self::Absent,
            ValueKind::Bool => Self::Bool,
            ValueKind::Number => Self::Number,
            ValueKind::String => Self::Text,
            ValueKind::Seq | ValueKind::Iterable => Self::List,
            ValueKind::Map if value.downcast_object_ref::<PersonValue>().is_some() => Self::Person,
            ValueKind::Map => Self::Map,
            ValueKind::Plain if value.downcast_object_ref::<Money>().is_some() => Self::Money,
            ValueKind::Plain if value.downcast_object_ref::<Instant>().is_some() => Self::Instant,
            _ => Self::Other,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Absent => "nothing",
            Self::Bool => "yes or no",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map => "a group of fields",
            Self::Money => "an amount of money",
            Self::Person => "a person",
            Self::Instant => "a time",
            Self::Other => "something else",
        }
    }
}

/// Plain data as a value.
pub fn value_of(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            _ => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(all) => Value::from(all.iter().map(value_of).collect::<Vec<_>>()),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(k, v)| (k.as_str(), value_of(v)))),
    }
}

/// What `it` is inside a wait, from the new event's payload: the one noun that it brings
/// (`it.thread_id`), or all of them when there are several (`it.mail.thread_id`).
pub fn it_value(data: &serde_json::Value) -> Value {
    match data.as_object() {
        Some(nouns) if nouns.len() == 1 => nouns.values().next().map_or(Value::from(()), value_of),
        _ => value_of(data),
    }
}

/// A value as plain data: an amount as `4200.00 EUR`, a person as his id, a time in RFC 3339.
pub fn json_of(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match Sort::of(value) {
        Sort::Absent => Json::Null,
        Sort::Bool => Json::Bool(value.is_true()),
        Sort::Number => match value.as_i64() {
            Some(whole) => Json::from(whole),
            None => Json::from(f64::try_from(value.clone()).unwrap_or_default()),
        },
        Sort::List => value
            .try_iter()
            .into_iter()
            .flatten()
            .map(|v| json_of(&v))
            .collect(),
        Sort::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let pairs = keys.map(|key| {
                let inner = value.get_item(&key).unwrap_or_default();
                (key.to_string(), json_of(&inner))
            });
            Json::Object(pairs.collect())
        }
        Sort::Person => {
            let person = value.downcast_object_ref::<PersonValue>();
            Json::from(person.map_or("", |person| person.id.as_str()))
        }
        _ => Json::from(value.to_string()),
    }
}
