//! Events and turns in sentences. Payloads belong to connectors and flows, so everything here reads
//! what it knows, and says the rest in the type's own words; raw JSON stands beside it on the page.

use bellwether_model::event::Event;
use serde_json::Value;

use crate::people::Names;
use crate::text::short;
use crate::words::plain;

/// Fields that hold a headline, the most telling first.
const HEADLINES: [&str; 7] = [
    "subject", "title", "headline", "name", "number", "text", "message",
];
/// How deep a field is looked for.
const DEPTH_MAX: usize = 4;

/// What came in, in a sentence: "Mail: PO-4711 for approval, from SAP".
pub(crate) fn came_in(event: &Event, names: &Names) -> String {
    let envelope = &event.envelope;
    let data = &envelope.data;
    if is_decision(event) {
        let person = field(data, "person")
            .or_else(|| field(data, "by"))
            .unwrap_or("somebody");
        let choice = field(data, "choice").or_else(|| field(data, "action"));
        let choice = choice.map_or_else(|| kind_words(&envelope.kind), plain);
        return format!("{} decided: {choice}", names.first(person));
    }
    let noun = data.as_object().and_then(|data| data.keys().next());
    let headline = HEADLINES.iter().find_map(|key| field(data, key));
    match (noun, headline) {
        (Some(noun), Some(headline)) => {
            let from = sender(data).unwrap_or(&envelope.source);
            format!(
                "{}: {}, from {from}",
                capital(&plain(noun)),
                short(headline, 90)
            )
        }
        _ => format!(
            "{} from {}",
            capital(&kind_words(&envelope.kind)),
            envelope.source
        ),
    }
}

/// Whether a person pressed a button.
pub(crate) fn is_decision(event: &Event) -> bool {
    let kind = &event.envelope.kind;
    event.envelope.source == "people"
        && (field(&event.envelope.data, "choice").is_some() || kind.contains("decid"))
}

/// The last two parts of a dotted type: "message received".
fn kind_words(kind: &str) -> String {
    let parts: Vec<&str> = kind.split('.').collect();
    plain(&parts[parts.len().saturating_sub(2)..].join(" "))
}

/// Who sent it, as a name if there is one.
fn sender(data: &Value) -> Option<&str> {
    let from = find(data, "from", DEPTH_MAX)?;
    match from {
        Value::String(text) => Some(text),
        Value::Object(_) => field(from, "name")
            .filter(|name| !name.is_empty())
            .or_else(|| field(from, "address").or_else(|| field(from, "email"))),
        Value::Array(list) => list.first().and_then(|first| match first {
            Value::String(text) => Some(text.as_str()),
            other => field(other, "name").or_else(|| field(other, "address")),
        }),
        _ => None,
    }
}

/// The first text under this key, from the top down.
pub(crate) fn field<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
    find(data, key, DEPTH_MAX)?
        .as_str()
        .filter(|text| !text.trim().is_empty())
}

fn find<'a>(data: &'a Value, key: &str, depth: usize) -> Option<&'a Value> {
    if depth == 0 {
        return None;
    }
    match data {
        Value::Object(map) => map
            .get(key)
            .or_else(|| map.values().find_map(|inner| find(inner, key, depth - 1))),
        _ => None,
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// One turn of a run: what it was about, and what it noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// What the turn was given.
    pub(crate) input: String,
    /// What it noted and did, a sentence each.
    pub(crate) output: Vec<String>,
}

/// A journal entry in words.
pub(crate) fn turn(body: &Value, names: &Names) -> Told {
    let mut output: Vec<String> = Vec::new();
    for key in ["notes", "said", "output"] {
        match body.get(key) {
            Some(Value::Array(list)) => {
                output.extend(list.iter().filter_map(|note| words(note, names)))
            }
            Some(other) => output.extend(words(other, names)),
            None => {}
        }
    }
    if let Some(Value::Array(effects)) = body.get("effects") {
        output.extend(count(
            effects.len(),
            "thing to send or change",
            "things to send or change",
        ));
    }
    if let Some(Value::Array(emits)) = body.get("emits") {
        output.extend(count(
            emits.len(),
            "event for other flows",
            "events for other flows",
        ));
    }
    Told {
        input: input(body.get("input").unwrap_or(&Value::Null), names),
        output,
    }
}

fn count(n: usize, one: &str, many: &str) -> Option<String> {
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn input(given: &Value, names: &Names) -> String {
    let said = words(given, names).unwrap_or_default();
    if said.is_empty() {
        "It took a turn".to_owned()
    } else {
        capital(&said)
    }
}

/// A value as a short sentence: its own text, or its telling fields in a row.
fn words(value: &Value, names: &Names) -> Option<String> {
    match value {
        Value::String(text) => Some(plain_sentence(text)),
        Value::Object(map) => {
            let parts: Vec<String> = map
                .iter()
                .filter(|(key, _)| {
                    !matches!(key.as_str(), "at" | "id" | "hash" | "shown" | "version")
                })
                .filter_map(|(key, value)| pair(key, value, names))
                .take(5)
                .collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        }
        _ => None,
    }
}

fn pair(key: &str, value: &Value, names: &Names) -> Option<String> {
    let said = match value {
        Value::String(text) if text.is_empty() => return None,
        // "event" says nothing beside the type that follows it.
        Value::String(text) if key == "kind" && text == "event" => return None,
        Value::String(text) => match key {
            "type" => kind_words(text),
            "person" | "by" | "for" | "on_behalf_of" => names.first(text).to_owned(),
            _ => plain_sentence(text),
        },
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Object(_) => words(value, names)?,
        _ => return None,
    };
    Some(match key {
        "kind" | "what" | "type" | "result" | "text" | "message" | "sentence" => said,
        "person" | "by" => format!("by {said}"),
        _ => format!("{} {said}", plain(key)),
    })
}

/// A word of the API made readable; a real sentence is left as it is.
fn plain_sentence(text: &str) -> String {
    let text = if text.contains(' ') {
        text.to_owned()
    } else {
        plain(text)
    };
    short(&text, 200).into_owned()
}
