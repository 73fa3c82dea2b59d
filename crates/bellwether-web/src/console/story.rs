//! Events in sentences. Payloads belong to connectors and flows, so everything here reads what it
//! knows, and says the rest in the type's own words; raw JSON stands beside it on the page.

use bellwether_model::event::Event;
use bellwether_model::veil;
use serde_json::Value;

use crate::people::Names;
use crate::text::short;
use crate::words::plain;

/// Fields that hold a headline, the most telling first.
const HEADLINES: [&str; 7] = [
    "subject", "title", "headline", "name", "number", "text", "message",
];
/// The noun whose name tells more than any other: a project beside it has a name too.
const ASSET: &str = "asset";
/// The source of everything that people do with notifications.
const PEOPLE: &str = "people";
/// The source of what the server itself says.
const ENGINE: &str = "engine";
/// How deep a field is looked for.
const DEPTH_MAX: usize = 4;

/// What came in, in a sentence: "Mail: PO-4711 for approval, from SAP".
pub(crate) fn came_in(event: &Event, names: &Names) -> String {
    let envelope = &event.envelope;
    let data = &envelope.data;
    if envelope.source == PEOPLE {
        return did(&envelope.kind, data, names);
    }
    if let Some(said) = on_a_list(data, names).filter(|_| envelope.source == ENGINE) {
        return said;
    }
    let nouns = data.as_object();
    // One noun is what it is about; among several the type says it better.
    let what = match nouns.map(|nouns| nouns.keys().collect::<Vec<_>>()) {
        Some(nouns) if nouns.len() == 1 => Some(plain(nouns[0])),
        Some(nouns) if !nouns.is_empty() => Some(kind_words(&envelope.kind)),
        _ => None,
    };
    let asset = find(data, ASSET, DEPTH_MAX).and_then(|asset| field(asset, "name"));
    let headline = asset.or_else(|| HEADLINES.iter().find_map(|key| field(data, key)));
    match (what, headline) {
        (Some(what), Some(headline)) => {
            let from = sender(data).unwrap_or(&envelope.source);
            format!(
                "{}: {}, from {from}",
                capital(&what),
                short(&veil::text(headline), 90)
            )
        }
        _ => format!(
            "{} from {}",
            capital(&kind_words(&envelope.kind)),
            envelope.source
        ),
    }
}

/// What a person, a device or a scanner did with a notification.
fn did(kind: &str, data: &Value, names: &Names) -> String {
    let who = field(data, "person").map_or("Somebody", |id| names.first(id));
    let on = match field(data, "means") {
        Some("phone") => " on the phone",
        Some("page") => " on the page",
        Some("mail") => " by mail",
        Some("console") => " through the console",
        _ => "",
    };
    match (kind, field(data, "what")) {
        ("push.acted", _) => {
            let choice = field(data, "choice").map_or_else(String::new, plain);
            format!("{who} pressed {choice}{on}")
        }
        ("push.opened", _) => format!("{who} opened it{on}"),
        ("push.fetched", _) => format!("A scanner or preview fetched the page of {who}"),
        ("push.code_requested", _) => format!("{who} asked for a code"),
        ("push.reported", Some("dismissed")) => format!("{who} put it aside{on}"),
        ("push.reported", _) => format!("It reached the device of {who}"),
        _ => format!("{who}: {}", kind_words(kind)),
    }
}

/// The lane of the road in which an event stands: what people decide, what they and their devices
/// do with notifications, what flows say to each other, and everything else.
pub(crate) fn lane(event: &Event) -> usize {
    match (event.envelope.source.as_str(), event.envelope.kind.as_str()) {
        (PEOPLE, "push.acted") => 3,
        (PEOPLE, _) => 2,
        ("engine", _) => 1,
        _ => 0,
    }
}

/// A choice in the past: "approve by phone" becomes "approved by phone".
pub(crate) fn past(choice: &str) -> String {
    let (word, rest) = choice.split_once(' ').unwrap_or((choice, ""));
    let said = match word {
        "approve" => "approved",
        "reject" => "rejected",
        "confirm" => "confirmed",
        "refuse" => "refused",
        "decided" => "decided",
        _ => return format!("answered: {}", plain(choice)),
    };
    format!("{said} {rest}").trim_end().to_owned()
}

/// The last two parts of a dotted type: "message received".
pub(crate) fn kind_words(kind: &str) -> String {
    let parts: Vec<&str> = kind.split('.').collect();
    plain(&parts[parts.len().saturating_sub(2)..].join(" "))
}

/// A line on its way to a list, as "On Maria's list: Market day".
fn on_a_list(data: &Value, names: &Names) -> Option<String> {
    let line = data.get("line")?;
    let reader = names.first(line.get("person")?.as_str()?);
    let what = line.pointer("/row/0/1").and_then(Value::as_str);
    let what = what.or_else(|| field(line, "key")).unwrap_or_default();
    let gone = line.get("done").and_then(Value::as_bool) == Some(true);
    let place = if gone { "Taken off" } else { "On" };
    let what = veil::text(what);
    Some(format!("{place} {reader}’s list: {}", short(&what, 90)))
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

/// The text with a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
