//! What a signed body says: id, type and payload of the event, from a plain object or a structured
//! CloudEvent. Whether to believe it was decided before.

use bellwether_model::event::{DATA_MAX, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::spec::Settings;
use bellwether_model::time::Time;
use serde_json::{Map, Value};

use super::signature::Signed;

/// The type of events of connections that set none.
pub(super) const RECEIVED: &str = "webhook.received";
/// Beginnings of types that only the engine may bring: a sender with a signing secret must not be
/// able to say that a person decided.
const RESERVED: [&str; 8] = [
    "bellwether",
    "case",
    "digest",
    "engine",
    "flow",
    "people",
    "push",
    "schedule",
];
/// The most characters of a type, of an id and of a subject.
const NAME_MAX: usize = 256;
const CLOUD_EVENT: &str = "application/cloudevents+json";

/// Where to find things in a body.
#[derive(Debug)]
pub(crate) struct Envelope {
    connection: String,
    event_type: String,
    type_path: Vec<String>,
    id_path: Vec<String>,
    noun: String,
}

impl Envelope {
    pub(crate) fn read(settings: &Settings, connection: String) -> Result<Self, Failure> {
        let text = |name: &str, otherwise: &str| match settings.text(name) {
            "" => otherwise.to_owned(),
            text => text.to_owned(),
        };
        let path = |name: &str| -> Vec<String> {
            let text = settings.text(name);
            let parts = text.split('.').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let event_type = text("event_type", RECEIVED);
        if let Err(why) = allowed_type(&event_type) {
            let message = format!("`event_type`: {why}");
            return Err(Failure::misconfigured("bad_type", message));
        }
        let noun = text("noun", "body");
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !noun.starts_with(|c: char| c.is_ascii_lowercase()) || !noun.chars().all(word) {
            let message = "`noun` is a word of lower-case letters, digits and underscores";
            return Err(Failure::misconfigured("bad_noun", message));
        }
        if RESERVED.contains(&noun.as_str()) || is_a_noun_of_another(&noun) {
            let message = format!(
                "`noun` must not be `{noun}`: what a webhook brings would be read as a {noun} that \
                 was proved; take another word, such as `body`"
            );
            return Err(Failure::misconfigured("bad_noun", message));
        }
        Ok(Self {
            connection,
            event_type,
            type_path: path("type_path"),
            id_path: path("id_path"),
            noun,
        })
    }

    /// The event that a signed request brings.
    ///
    /// # Errors
    /// 400 when the body is not what the settings say, 413 when it is too large for an event.
    pub(crate) fn event(
        &self,
        request: &RawRequest,
        signed: &Signed<'_>,
    ) -> Result<NewEvent, RawAnswer> {
        if request.body.len() + self.noun.len() + r#"{"":}"#.len() > DATA_MAX {
            let message = format!("an event has at most {DATA_MAX} bytes");
            return Err(RawAnswer::error(413, "too_large", &message));
        }
        let body: Map<String, Value> = serde_json::from_slice(&request.body)
            .map_err(|error| malformed(&format!("the body is not a JSON object: {error}")))?;
        let media = request.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let mut event = if media.eq_ignore_ascii_case(CLOUD_EVENT) {
            self.cloud_event(body, signed.at)?
        } else {
            self.plain(body, signed)?
        };
        event.traceparent = request
            .header("traceparent")
            .filter(|text| text.len() == 55 && text.is_ascii())
            .map(str::to_owned);
        Ok(event)
    }

    fn plain(&self, body: Map<String, Value>, signed: &Signed<'_>) -> Result<NewEvent, RawAnswer> {
        let id = match at(&body, &self.id_path) {
            _ if self.id_path.is_empty() => signed.id.to_owned(),
            Some(Value::String(id)) if is_name(id) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => {
                let path = self.id_path.join(".");
                return Err(malformed(&format!("`{path}` holds no id")));
            }
        };
        let kind = match at(&body, &self.type_path) {
            Some(Value::String(kind)) => {
                allowed_type(kind).map_err(|why| malformed(&why))?;
                kind.clone()
            }
            _ => self.event_type.clone(),
        };
        Ok(self.new_event(id, &kind, signed.at, body))
    }

    /// A CloudEvent in structured mode. Its id is only unique together with its source.
    fn cloud_event(&self, mut body: Map<String, Value>, at: Time) -> Result<NewEvent, RawAnswer> {
        let mut text = |name: &str| match body.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if is_name(&text) => Ok(Some(text)),
            Some(_) => Err(malformed(&format!(
                "the CloudEvent's `{name}` is not a name"
            ))),
        };
        let needed = |name: &str, value: Option<String>| {
            value.ok_or_else(|| malformed(&format!("the CloudEvent has no `{name}`")))
        };
        let version = needed("specversion", text("specversion")?)?;
        if version != "1.0" {
            return Err(malformed("only CloudEvents 1.0 are read"));
        }
        let id = needed("id", text("id")?)?;
        let source = needed("source", text("source")?)?;
        let kind = needed("type", text("type")?)?;
        let subject = text("subject")?;
        let time = match text("time")? {
            None => at,
            Some(time) => Time::parse(&time)
                .map_err(|_| malformed("the CloudEvent's `time` is not an RFC 3339 instant"))?,
        };
        allowed_type(&kind).map_err(|why| malformed(&why))?;
        let data = match body.remove("data") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(data)) => data,
            Some(_) => return Err(malformed("the CloudEvent's `data` is not a JSON object")),
        };
        // Only the space between the two may be one, or two senders' ids could meet.
        let source = source.replace('%', "%25").replace(' ', "%20");
        let mut event = self.new_event(format!("{source} {id}"), &kind, time, data);
        event.subject = subject;
        Ok(event)
    }

    fn new_event(&self, id: String, kind: &str, time: Time, body: Map<String, Value>) -> NewEvent {
        let mut data = Map::with_capacity(1);
        data.insert(self.noun.clone(), Value::Object(body));
        NewEvent::new(&self.connection, id, kind, time, Value::Object(data))
    }
}

fn malformed(message: &str) -> RawAnswer {
    RawAnswer::error(400, "malformed", message)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX && !text.contains(char::is_control)
}

fn at<'a>(body: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(body.get(first)?, |value, key| value.get(key))
}

fn allowed_type(kind: &str) -> Result<(), String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if kind.is_empty() || kind.len() > NAME_MAX || !kind.chars().all(letter) {
        return Err("a type has letters, digits, dots, hyphens and underscores only".to_owned());
    }
    let first = kind.split('.').next().unwrap_or_default();
    if RESERVED.contains(&first) || is_brought_by_another(first) {
        return Err(format!(
            "types that begin with `{first}.` cannot come by webhook"
        ));
    }
    Ok(())
}

/// Whether another connector's events carry this noun.
fn is_a_noun_of_another(noun: &str) -> bool {
    let others = crate::all()
        .iter()
        .filter(|def| def.name != super::CONNECTOR.name);
    let mut nouns = others.flat_map(|def| def.triggers.iter().flat_map(|t| t.nouns));
    nouns.any(|known| *known == noun)
}

/// Whether types with this beginning come from another connector: nobody may say by webhook that a
/// mail was authentic.
fn is_brought_by_another(first: &str) -> bool {
    let others = crate::all()
        .iter()
        .filter(|def| def.name != super::CONNECTOR.name);
    let mut events = others.flat_map(|def| def.triggers.iter().map(|trigger| trigger.event));
    events.any(|event| event.split('.').next() == Some(first))
}
