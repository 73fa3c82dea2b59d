//! What every connector owes the rest of the program, checked for each that is listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use bellwether_connectors::all;
use bellwether_model::spec::{FieldKind, Spec};
use serde_json::{Map, Value};

use crate::common::{self, RealClock};

#[test]
fn connectors_are_listed_by_name_and_say_what_they_are() {
    let names: Vec<_> = all().iter().map(|def| def.name).collect();
    let sorted: Vec<_> = BTreeSet::from_iter(names.clone()).into_iter().collect();
    assert_eq!(names, sorted, "alphabetical and unique");
    for def in all() {
        assert!(is_name(def.name), "{}", def.name);
        is_sentence(def.summary);
        let inlets: Vec<_> = def.inlets.iter().map(|inlet| inlet.name).collect();
        unique(&inlets);
        def.inlets
            .iter()
            .for_each(|inlet| is_sentence(inlet.summary));
        assert!(!def.title.is_empty(), "{} has no title", def.name);
        is_sentence(def.needs);
        is_sentence(def.basis);
        unique(
            &def.triggers
                .iter()
                .map(|trigger| trigger.event)
                .collect::<Vec<_>>(),
        );
        unique(
            &def.actions
                .iter()
                .map(|action| action.name)
                .collect::<Vec<_>>(),
        );
    }
}

#[test]
fn every_field_is_documented_and_its_default_and_example_fit() {
    for def in all() {
        check_spec(def.name, &(def.settings)());
        for action in def.actions {
            check_spec(action.name, &(action.input)());
        }
    }
}

fn check_spec(owner: &str, spec: &Spec) {
    unique(
        &spec
            .fields
            .iter()
            .map(|field| field.name)
            .collect::<Vec<_>>(),
    );
    for field in &spec.fields {
        let at = format!("{owner}.{}", field.name);
        is_sentence(field.about);
        assert!(
            !field.required || field.default.is_empty(),
            "{at}: required with default"
        );
        for text in [field.default, field.example] {
            if text.is_empty() {
                continue;
            }
            assert_ne!(
                field.kind,
                FieldKind::Secret,
                "{at}: a secret has no value in the source"
            );
            let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{at}: {e}"));
            let one = Spec::of(vec![field.clone()]);
            let values = Map::from_iter([(field.name.to_owned(), value)]);
            one.read(&values).unwrap_or_else(|e| panic!("{at}: {e:?}"));
        }
    }
}

#[test]
fn samples_fit_their_schemas_and_bring_their_nouns() {
    for def in all() {
        for trigger in def.triggers {
            is_sentence(trigger.summary);
            assert!(!trigger.sentence.is_empty());
            let (schema, sample) = ((trigger.schema)(), (trigger.sample)());
            fits(&schema, &sample, trigger.event);
            let keys: BTreeSet<_> = common::object(&sample).keys().map(String::as_str).collect();
            assert_eq!(
                keys,
                trigger.nouns.iter().copied().collect(),
                "{}",
                trigger.event
            );
        }
        for action in def.actions {
            is_sentence(action.summary);
            let sample = (action.sample)();
            let read = (action.input)().read(common::object(&sample));
            assert!(read.is_ok(), "{}: {:?}", action.name, read.err());
        }
    }
}

#[test]
fn thresholds_belong_to_events_that_list_what_was_passed() {
    for def in all() {
        for one in def.thresholds {
            is_sentence(one.summary);
            assert!(
                one.default.is_sorted() && one.default.iter().all(|n| (1..=one.most).contains(n))
            );
            assert!(!one.default.is_empty(), "{}", one.name);
            for event in one.events {
                let trigger = def.triggers.iter().find(|trigger| trigger.event == *event);
                let sample = (trigger.expect(event).sample)();
                let passed = sample.pointer(one.passed).and_then(Value::as_array);
                assert!(
                    passed.is_some_and(|all| !all.is_empty()),
                    "{event}: {}",
                    one.passed
                );
            }
        }
    }
}

/// As much of JSON Schema as our schemas use to say what must be there.
fn fits(schema: &Value, value: &Value, at: &str) {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let number = kind == "integer" && kinds.contains(&"number");
    assert!(
        kinds.is_empty() || number || kinds.contains(&kind),
        "{at}: {kind}, not {kinds:?}"
    );
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        assert!(value.get(name).is_some(), "{at}.{name} is required");
    }
    if let Some(fields) = value.as_object() {
        for (name, value) in fields {
            if let Some(schema) = schema["properties"].get(name) {
                fits(schema, value, &format!("{at}.{name}"));
            } else {
                assert_ne!(
                    schema["additionalProperties"], false,
                    "{at}.{name} is not described"
                );
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], item, &format!("{at}[{index}]"));
    }
}

/// Settings in which every field has a value, secrets among them.
fn full_settings(spec: &Spec) -> Map<String, Value> {
    let mut values = Map::new();
    for field in &spec.fields {
        let example = [field.default, field.example]
            .into_iter()
            .find(|text| !text.is_empty());
        let value = match (field.kind, example) {
            (FieldKind::Secret, _) => Value::from(SECRET),
            (_, Some(text)) => serde_json::from_str(text).expect("JSON"),
            (FieldKind::Url, None) => Value::from("https://provider.example.com"),
            (FieldKind::Integer, None) => Value::from(1),
            (FieldKind::Bool, None) => Value::from(true),
            (FieldKind::Choice(words), None) => Value::from(words[0]),
            (FieldKind::Text, None) => Value::from("somebody@example.com"),
            (FieldKind::Tree, None) => continue,
        };
        values.insert(field.name.to_owned(), value);
    }
    values
}

/// Also good as a webhook's signing secret.
const SECRET: &str = "whsec_dGhpcyBtdXN0IG5ldmVyIGJlIHNob3duIQ==";

#[tokio::test]
async fn debug_of_a_connection_and_of_its_failures_shows_no_secret() {
    for def in all() {
        let values = full_settings(&(def.settings)());
        let settings = (def.settings)().read(&values).expect("settings");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("whsec_"), "{shown}");
        let connection = (def.connect)(settings, common::host(Arc::new(RealClock)));
        let connection = connection.unwrap_or_else(|failure| panic!("{}: {failure}", def.name));
        let args = Value::Object(Map::new());
        let action = common::action("no such action", &args);
        let failure = connection
            .perform(&action)
            .await
            .expect_err("no such action");
        let shown = format!("{connection:?} {connection:#?} {failure:?}");
        // The secret itself, its base64 part and what Basic makes of it.
        for hidden in ["whsec_", "dGhpcyBtdXN0", "never be shown", "Basic "] {
            assert!(!shown.contains(hidden), "{}: {shown}", def.name);
        }
    }
}

#[test]
fn without_settings_a_connection_names_what_is_missing_and_never_panics() {
    for def in all() {
        match (def.settings)().read(&Map::new()) {
            Err(problems) => assert!(problems.iter().all(|one| !one.message.is_empty())),
            Ok(settings) => {
                let result = (def.connect)(settings, common::host(Arc::new(RealClock)));
                if let Err(failure) = result {
                    assert!(failure.message.contains('`'), "{failure} names no field");
                }
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn is_sentence(text: &str) {
    let ends = text.ends_with(['.', '?']);
    assert!(
        ends && !text.contains('\n') && !text.contains("  "),
        "no sentence: {text:?}"
    );
}

fn unique(names: &[&str]) {
    let set: BTreeSet<_> = names.iter().collect();
    assert_eq!(set.len(), names.len(), "twice in {names:?}");
}
