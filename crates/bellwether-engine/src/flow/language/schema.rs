//! The JSON Schema of flow files, made from the table of the language: what editors complete, show
//! and underline. It knows the form of a flow; names, expressions and the order of a ladder are the
//! reader's to judge.

use serde_json::{Map, Value, json};

use super::stories::{self, StoryHolds, StoryKey};
use super::{
    CHOICE, EXPIRE, FLOW, FORBIDDEN, Holds, INPUT, INPUT_TYPES, KeyDef, NAME_MAX, ON_LIST, OVER,
    RESERVED, RUNGS, TRIGGER, VERBS, VerbDef, WITHDRAWN,
};
use crate::flow::read::{Catalog, ID_MAX, span_pattern};
use crate::story::{fault_words, wanted_words};

/// The JSON Schema (draft 7, which editors know best) of a flow file, with the event types and the
/// connectors of this catalogue.
pub fn schema(catalog: &Catalog) -> Value {
    let mut out = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A flow of Bellwether",
        "description": "What starts it, what it is about, what happens, and its tests.",
    });
    let mut whole = group(&FLOW);
    let definitions = Value::Object(definitions(catalog));
    if let (Some(out), Some(whole)) = (out.as_object_mut(), whole.as_object_mut()) {
        out.append(whole);
        out.insert("definitions".to_owned(), definitions);
    }
    out
}

fn definitions(catalog: &Catalog) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, schema) in values(catalog) {
        out.insert(name.to_owned(), schema);
    }
    let mut forms = vec![json!({ "const": "stop", "description": "Ends the run." })];
    for verb in &VERBS {
        out.insert(verb.name.to_owned(), step(verb));
        forms.push(link(verb.name));
    }
    out.insert("step".to_owned(), json!({ "anyOf": forms }));
    forms.retain(|form| {
        !VERBS
            .iter()
            .any(|verb| verb.waits && *form == link(verb.name))
    });
    out.insert("remedy".to_owned(), json!({ "anyOf": forms }));
    out.insert("choice".to_owned(), or_nothing(group(&CHOICE)));
    out.insert("input".to_owned(), input());
    out.insert("trigger".to_owned(), group(&TRIGGER));
    let story_step = story_step();
    out.insert("happening".to_owned(), story_step);
    out.insert("letter".to_owned(), story_group(&stories::MAIL));
    out.insert("expectation".to_owned(), expectation());
    out
}

/// The values that stand under keys.
fn values(catalog: &Catalog) -> Vec<(&'static str, Value)> {
    let scalar = json!(["string", "number", "boolean"]);
    let events: Vec<&str> = catalog.triggers().map(|trigger| trigger.event).collect();
    vec![
        (
            "expression",
            json!({
                "type": scalar,
                "not": { "type": "string", "pattern": "^\\s*\\{\\{" },
                "description": "A bare expression, without {{ }}.",
            }),
        ),
        ("who", one_or_more(link("expression"))),
        (
            "thresholds",
            json!({
                "description": "Whole numbers, or an input of type numbers: inputs.days",
                "anyOf": [
                    { "type": "integer", "minimum": 1 },
                    { "type": "array", "items": { "type": "integer", "minimum": 1 } },
                    { "type": "string", "pattern": "^inputs\\.[a-z][a-z0-9_]*$" },
                ],
            }),
        ),
        ("text", json!({ "type": scalar })),
        ("texts", one_or_more(link("text"))),
        ("saying", in_languages()),
        (
            "span",
            json!({
                "type": "string",
                "pattern": span_pattern(),
                "examples": ["30 minutes", "4 working hours", "2 working days"],
            }),
        ),
        (
            "length",
            json!({ "anyOf": [link("span"), {
                "type": "string",
                "pattern": "^\\s*(\\{\\{)?\\s*inputs\\.[a-z][a-z0-9_]*\\s*(\\}\\})?\\s*$",
                "description": "An input of type `duration`.",
            }] }),
        ),
        (
            "schedule",
            json!({ "anyOf": [{
                "type": "string", "pattern": "^[A-Za-z, ]*[0-2]?[0-9]:[0-5][0-9]$",
            }, {
                "type": "string", "pattern": "^(\\{\\{ *)?inputs\\.[a-z0-9_]+( *\\}\\})?$",
                "description": "An input of type `schedule` or `time`.",
            }] }),
        ),
        (
            "event",
            json!({ "anyOf": [{ "enum": events }, { "type": "string", "pattern": DOTTED }] }),
        ),
        ("events", one_or_more(link("event"))),
        ("name", name()),
        (
            "payload",
            json!({ "anyOf": [link("expression"), {
                "type": "object", "propertyNames": name(), "additionalProperties": link("payload"),
            }] }),
        ),
        ("steps", json!({ "type": "array", "items": link("step") })),
        (
            "connector",
            json!({ "enum": catalog.connectors.iter().map(|def| def.name).collect::<Vec<_>>() }),
        ),
    ]
}

/// An event type: small letters with dots.
const DOTTED: &str = "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$";

fn link(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

fn one_or_more(one: Value) -> Value {
    json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] })
}

/// A text for everybody, or one for each language.
fn in_languages() -> Value {
    let tag = json!({ "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" });
    let mut by_language = named(tag, link("text"));
    by_language["minProperties"] = json!(1);
    json!({ "anyOf": [link("text"), by_language] })
}

fn or_nothing(group: Value) -> Value {
    json!({ "anyOf": [group, { "type": "null" }] })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": "^[a-z]([a-z0-9_]*[a-z0-9])?$", "maxLength": NAME_MAX })
}

/// A name besides words that mean something else.
fn name_besides(taken: &[&str]) -> Value {
    let mut out = name();
    let taken: Vec<&str> = FORBIDDEN.iter().chain(taken).copied().collect();
    out["not"] = json!({ "enum": taken });
    out
}

/// A group of keys and no others.
fn group(keys: &[KeyDef]) -> Value {
    let properties = keys.iter().map(|key| (key.name.to_owned(), property(key)));
    let required: Vec<&str> = keys
        .iter()
        .filter_map(|key| key.required.then_some(key.name))
        .collect();
    let mut out = json!({
        "type": "object",
        "properties": Map::from_iter(properties),
        "additionalProperties": false,
    });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

/// A key's schema with its meaning. Beside `$ref` nothing counts in draft 7, so it stands around.
fn property(key: &KeyDef) -> Value {
    described(held(key.holds), key.about)
}

fn described(schema: Value, about: &str) -> Value {
    if schema.get("$ref").is_some() {
        return json!({ "description": about, "allOf": [schema] });
    }
    let mut out = schema;
    out["description"] = json!(about);
    out
}

fn at_most() -> Value {
    let number = json!({ "type": "integer", "minimum": 1 });
    json!({
        "type": "object", "additionalProperties": false,
        "properties": { "push": number, "mail": number }
    })
}

fn group_place() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["name", "place"],
        "properties": {
            "name": { "type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$" },
            "place": { "type": "integer", "minimum": 1 },
        }
    })
}

fn held(holds: Holds) -> Value {
    match holds {
        Holds::Version => json!({ "enum": [1] }),
        Holds::FlowName => json!({
            "type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$", "maxLength": NAME_MAX,
        }),
        Holds::Name => link("name"),
        Holds::Id => json!({
            "type": "string", "pattern": "^[^\\sA-Z.-][^\\sA-Z]*$", "maxLength": ID_MAX,
        }),
        Holds::Words | Holds::Line => link("text"),
        Holds::Label | Holds::Text => link("saying"),
        Holds::Expr => link("expression"),
        Holds::Who => link("who"),
        Holds::Connection => json!({ "type": "string", "pattern": "^inputs\\.[a-z][a-z0-9_]*$" }),
        Holds::Lines => link("texts"),
        Holds::OneOf(words) => json!({ "enum": words }),
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Length => link("length"),
        Holds::Schedule => link("schedule"),
        Holds::OnList => group(&ON_LIST),
        Holds::OwnEvent => json!({ "type": "string", "pattern": DOTTED }),
        Holds::Events => link("events"),
        Holds::Connector => link("connector"),
        Holds::Columns => {
            let types: Vec<&str> = INPUT_TYPES
                .into_iter()
                .filter(|kind| *kind != "table")
                .collect();
            each(json!({ "enum": types }))
        }
        Holds::Anything => json!({}),
        Holds::Inputs => named(name_besides(&[]), link("input")),
        Holds::Triggers => one_or_more(link("trigger")),
        Holds::Thresholds => each(link("thresholds")),
        Holds::Lets => named(name_besides(&RESERVED), link("expression")),
        Holds::Shown => each(link("expression")),
        Holds::Payload => link("payload"),
        Holds::Steps => link("steps"),
        Holds::AtMost => at_most(),
        Holds::Group => group_place(),
        Holds::Remedy => json!({ "type": "array", "items": link("remedy") }),
        Holds::Endings => {
            let mut out = each(link("steps"));
            out["required"] = json!([EXPIRE]);
            out
        }
        Holds::Branches => {
            let mut out = named(name_besides(&RESERVED), link("steps"));
            out["minProperties"] = json!(2);
            out
        }
        Holds::Need => json!({
            "anyOf": [{ "const": "all" }, { "type": "integer", "minimum": 1, "maximum": 20 }],
        }),
        Holds::Choices => {
            let mut out = named(name_besides(&[EXPIRE, WITHDRAWN, OVER]), link("choice"));
            out["minProperties"] = json!(1);
            out
        }
        Holds::Ladder => json!({
            "type": "object",
            "minProperties": 1,
            "patternProperties": {
                (span_pattern()): { "anyOf": [{ "enum": RUNGS }, link("who")] }
            },
            "additionalProperties": false,
        }),
        Holds::Stories => each(json!({ "type": "array", "items": link("happening") })),
    }
}

/// Whatever names, each with the same kind of value.
fn each(value: Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

fn named(names: Value, value: Value) -> Value {
    let mut out = each(value);
    out["propertyNames"] = names;
    out
}

fn step(verb: &VerbDef) -> Value {
    let mut out = group(verb.keys);
    let object = described(held(verb.object), verb.about);
    if let Some(properties) = out["properties"].as_object_mut() {
        properties.shift_insert(0, verb.name.to_owned(), object);
    }
    let mut required = vec![json!(verb.name)];
    required.extend(out["required"].as_array().into_iter().flatten().cloned());
    out["required"] = json!(required);
    out["description"] = json!(verb.about);
    if !verb.one_needed.is_empty() {
        out["anyOf"] = needs_one(verb.one_needed);
    }
    out
}

fn needs_one(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| json!({ "required": [name] }))
        .collect()
}

fn input() -> Value {
    let mut out = group(&INPUT);
    out["if"] = json!({ "properties": { "type": { "const": "table" } }, "required": ["type"] });
    out["then"] = json!({ "required": ["columns"] });
    out
}

fn story_group(keys: &[StoryKey]) -> Value {
    let properties = keys.iter().map(|key| {
        let schema = described(story_held(key.holds), key.about);
        (key.name.to_owned(), schema)
    });
    json!({
        "type": "object",
        "properties": Map::from_iter(properties),
        "additionalProperties": false,
    })
}

/// Beside `happens` the event's own fields may stand.
fn story_step() -> Value {
    let mut out = story_group(&stories::STEP);
    out["additionalProperties"] = json!(true);
    out["minProperties"] = json!(1);
    out["if"] = json!({ "not": { "required": ["happens"] } });
    out["then"] = json!({ "propertyNames": { "enum": stories::names(&stories::STEP) } });
    out
}

/// Exactly one thing that is expected, with what is known about it.
fn expectation() -> Value {
    let mut out = story_group(&stories::EXPECTED);
    let wanted = wanted_words();
    if let Some(properties) = out["properties"].as_object_mut() {
        for word in &wanted {
            properties.insert((*word).to_owned(), link("text"));
        }
    }
    out["oneOf"] = needs_one(&wanted);
    out
}

fn story_held(holds: StoryHolds) -> Value {
    match holds {
        StoryHolds::Moment => {
            json!({ "type": "string", "examples": ["2026-03-02 10:00 Europe/Vienna"] })
        }
        StoryHolds::Span => link("span"),
        StoryHolds::People => each(json!({ "type": "object" })),
        StoryHolds::Away => each(json!({ "type": "string", "examples": ["until 2026-03-13"] })),
        StoryHolds::Anything => json!({}),
        StoryHolds::Faults => {
            let fault = json!({ "enum": fault_words() });
            let faults = json!({ "anyOf": [fault, each(fault.clone())] });
            json!({
                "type": "object",
                "properties": { "push": faults, "mail": faults, "http": faults },
                "additionalProperties": false,
            })
        }
        StoryHolds::Mail => link("letter"),
        StoryHolds::Replies => each(json!({ "anyOf": [link("text"), link("letter")] })),
        StoryHolds::Event => link("event"),
        StoryHolds::Number => json!({ "type": "integer", "minimum": 1 }),
        StoryHolds::Presses => {
            let press = json!({ "anyOf": [{ "type": "string" }, each(link("text"))] });
            each(one_or_more(press))
        }
        StoryHolds::Text => link("text"),
        StoryHolds::Texts => link("texts"),
        StoryHolds::OneOf(words) => json!({ "enum": words }),
        StoryHolds::Flag => json!({ "type": "boolean" }),
        StoryHolds::Expect => {
            let one = link("expectation");
            json!({ "anyOf": [{ "const": "nothing" }, one.clone(), { "type": "array", "items": one }] })
        }
    }
}
