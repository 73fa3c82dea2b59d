//! Signed webhooks for what the interface does not offer. The signature follows the vendor's recipe
//! for callbacks into its portals; the names of headers and fields are ours and can be mapped.
//! Asks nobody anything: what came is checked, told apart and handed on.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Host, Inbound};
use bellwether_model::event::NewEvent;
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::{hash, hex};
use bellwether_model::spec::Settings;
use bellwether_model::time::{Millis, Time};
use serde_json::{Map, Value, json};

use super::{UNDECODABLE, triggers};
use crate::proof::{MacKey, same};

/// What is shown of a body that could not be understood, in bytes.
const SHOWN_MAX: usize = 32 * 1024;
/// The most characters of a sender's id.
const ID_MAX: usize = 200;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Events that may come by webhook, with the noun that their data stands under.
const NOUNS: [(&str, &str); 22] = [
    ("asset.review_required", "review"),
    ("license.expiring", "license"),
    ("license.expired", "license"),
    ("license.first_use_due", "license"),
    ("license.usage_limit_near", "limit"),
    ("license.usage_limit_reached", "limit"),
    ("request.submitted", "request"),
    ("request.approved", "request"),
    ("request.delivered", "request"),
    ("request.rejected", "request"),
    ("request.cancelled", "request"),
    ("request.failed", "request"),
    ("compliance.violation", "violation"),
    ("asset.updated", "change"),
    ("asset.replaced", "change"),
    ("asset.published", "change"),
    ("asset.used", "use"),
    ("campaign.finalized", "campaign"),
    ("sync.failed", "sync"),
    ("sync.recovered", "sync"),
    ("action.required", "action"),
    ("action.completed", "action"),
];

/// The way in of one connection.
#[derive(Debug)]
pub(super) struct Webhook {
    connection: String,
    clock: Arc<dyn Clock>,
    keys: Vec<MacKey>,
    signature_header: String,
    timestamp_header: String,
    tolerance: Millis,
    mapping: Value,
}

/// A call that nobody proved. Its word is what it is counted by.
fn refuse(code: &str, message: &str) -> RawAnswer {
    RawAnswer::error(401, code, message)
}

impl Webhook {
    pub(super) fn read(settings: &Settings, host: &Host) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for field in ["webhook_secret", "previous_webhook_secret"] {
            let secret = settings.secret(field);
            let text = secret.expose().trim();
            if text.is_empty() {
                continue;
            }
            // Other senders mark base64 like this.
            let text = text.strip_prefix("whsec_").unwrap_or(text);
            let key = BASE64
                .decode(text)
                .ok()
                .and_then(|bytes| MacKey::new(&bytes));
            keys.push(key.ok_or_else(|| {
                let message = format!("`{field}` is no base64; copy the sender's secret");
                Failure::misconfigured("bad_secret", message)
            })?);
        }
        let seconds = settings.integer("tolerance_seconds", 300);
        let tolerance = u64::try_from(seconds)
            .ok()
            .filter(|n| (1..=3_600).contains(n));
        let tolerance = tolerance.ok_or_else(|| {
            let message = "`tolerance_seconds`: a number from 1 to 3600 is needed";
            Failure::misconfigured("bad_setting", message)
        })?;
        let mapping = settings.tree("mapping").clone();
        if !mapping.is_null() && !mapping.is_object() {
            let message = "`mapping` is an object with `type`, `id`, `time`, `types` and `data`";
            return Err(Failure::misconfigured("bad_setting", message));
        }
        Ok(Self {
            connection: host.connection.clone(),
            clock: Arc::clone(&host.clock),
            keys,
            signature_header: settings.text("signature_header").to_ascii_lowercase(),
            timestamp_header: settings.text("timestamp_header").to_ascii_lowercase(),
            tolerance: Millis::seconds(tolerance),
            mapping,
        })
    }

    pub(super) fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        if !request.inlet.is_empty() {
            let message = "webhooks go to the address without a further path";
            return Err(RawAnswer::error(404, "no_such_inlet", message));
        }
        let at = self.verify(request)?;
        let event = self.event(&request.body, at).unwrap_or_else(|reason| {
            tracing::warn!(connection.name = %self.connection, "a webhook was not understood: {reason}");
            self.undecodable(&request.body, &reason, at)
        });
        Ok(vec![Inbound::Event(event)])
    }

    /// When a request was signed. The reason of a refusal never says whether secret or body was
    /// wrong.
    fn verify(&self, request: &RawRequest) -> Result<Time, RawAnswer> {
        if self.keys.is_empty() {
            return Err(refuse(
                "no_secret",
                "no secret is set for webhooks: every call is refused",
            ));
        }
        let header = |name: &str| {
            request
                .header(name)
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| refuse("no_header", &format!("the header {name} is missing")))
        };
        let stamp = header(&self.timestamp_header)?;
        let shown = header(&self.signature_header)?;
        let at = stamp
            .parse::<i64>()
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000_000))
            .map(Time)
            .ok_or_else(|| refuse("bad_timestamp", "the timestamp is not in whole seconds"))?;
        let now = self.clock.now();
        if now.since(at).max(at.since(now)) > self.tolerance {
            return Err(refuse(
                "stale_timestamp",
                "the timestamp is too far from now; check the sender's clock",
            ));
        }
        // The decoder wants room for its estimate, not for the result.
        let mut room = [0; 36];
        let length = BASE64.decode_slice(shown, &mut room).unwrap_or(0);
        let parts: [&[u8]; 3] = [stamp.as_bytes(), b".", &request.body];
        let good = self.keys.iter().fold(false, |good, key| {
            good | same(&key.mac(&parts), &room[..length])
        });
        if good {
            return Ok(at);
        }
        if length == 32 {
            let message = "the signature does not fit this secret and body";
            return Err(refuse("wrong_signature", message));
        }
        let message = "the signature is not the base64 of 32 bytes";
        Err(refuse("bad_encoding", message))
    }

    /// What a body says, or why it says nothing.
    fn event(&self, body: &[u8], at: Time) -> Result<NewEvent, String> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the body is no JSON: {error}"))?;
        if !body.is_object() {
            return Err("the body is no JSON object".to_owned());
        }
        let field = |name: &str, path: &'static str| {
            let path = self.mapping[name].as_str().unwrap_or(path);
            told(&body, path).unwrap_or_default()
        };
        let word = field("type", "type");
        let word = word.as_str().unwrap_or_default();
        let word = self.mapping["types"][word].as_str().unwrap_or(word);
        let word = word.strip_prefix("smintio.").unwrap_or(word);
        let (_, noun) = NOUNS
            .iter()
            .find(|(kind, _)| *kind == word)
            .ok_or_else(|| format!("the type {word:?} is not known here"))?;
        let kind = format!("smintio.{word}");
        debug_assert!(triggers::ALL.iter().any(|trigger| trigger.event == kind));
        let id = match field("id", "id") {
            Value::String(id) if (1..=ID_MAX).contains(&id.len()) => id,
            Value::Number(id) => id.to_string(),
            _ => return Err("the body has no id, by which a repeat would be known".to_owned()),
        };
        let time = field("time", "occurred_at");
        let time = time
            .as_str()
            .and_then(|text| Time::parse(text).ok())
            .unwrap_or(at);
        let data = self.data(&body, noun);
        let mut event = NewEvent::new(&self.connection, format!("hook/{id}"), &kind, time, data);
        event.subject = body
            .pointer("/subject/asset_id")
            .or(body.pointer("/subject/lpt_uuid"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(event)
    }

    fn data(&self, body: &Value, noun: &str) -> Value {
        let part = |name: &str| body[name].as_object().cloned().unwrap_or_default();
        let (subject, mut asset) = (part("subject"), part("asset"));
        let mut actor = part("actor");
        let mut matter = part("data");
        let mut transaction = Map::new();
        let link = |from: &str, to: &str, into: &mut Map<String, Value>| {
            if let Some(value) = subject.get(from).filter(|value| !value.is_null()) {
                into.entry(to).or_insert_with(|| value.clone());
            }
        };
        link("asset_id", "id", &mut asset);
        link("lpt_uuid", "uuid", &mut transaction);
        for name in [
            "task_id",
            "binary_uuid",
            "collection_uuid",
            "project_uuid",
            "portal_uuid",
        ] {
            link(name, name, &mut matter);
        }
        if let Some(uuid) = actor.remove("user_uuid") {
            actor.entry("uuid").or_insert(uuid);
        }
        if let Some(recipients) = body.get("recipients") {
            matter
                .entry("recipients")
                .or_insert_with(|| recipients.clone());
        }
        let severity = body["severity"].as_str();
        let severity = severity.filter(|word| ["info", "warning", "critical"].contains(word));
        let mut data = json!({
            "asset": asset, "transaction": transaction, "actor": actor,
            "severity": severity.unwrap_or("info"), noun: matter,
        });
        if let Some(nouns) = self.mapping["data"].as_object() {
            for (noun, fields) in nouns {
                for (name, path) in fields.as_object().into_iter().flatten() {
                    let found = path.as_str().and_then(|path| told(body, path));
                    if let (Some(found), Some(noun)) = (found, data[noun.as_str()].as_object_mut())
                    {
                        noun.insert(name.clone(), found);
                    }
                }
            }
        }
        data
    }

    /// A rightly signed body that says nothing is kept, for somebody to look at.
    fn undecodable(&self, body: &[u8], reason: &str, at: Time) -> NewEvent {
        let text = String::from_utf8_lossy(body);
        let mut end = text.len().min(SHOWN_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let data =
            json!({"webhook": {"reason": reason, "body": &text[..end], "bytes": body.len()}});
        let id = format!("hook/undecodable/{}", hex(&hash(&[body])[..12]));
        NewEvent::new(&self.connection, id, UNDECODABLE, at, data)
    }
}

/// What a body says at a path, or a text that is made of several: `{task.id}/{task.state}`. Nothing
/// when a part of it is not there.
fn told(body: &Value, path: &str) -> Option<Value> {
    if !path.contains('{') {
        return look_up(body, path).cloned();
    }
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}')?;
        text.push_str(before);
        match look_up(body, path)? {
            Value::String(part) => text.push_str(part),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
            part => text.push_str(&part.to_string()),
        }
        rest = after;
    }
    text.push_str(rest);
    Some(text.into())
}

/// A value at a path with dots.
fn look_up<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(body, |value, name| value.get(name))
}
