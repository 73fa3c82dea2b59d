//! The message schema of Firebase Cloud Messaging v1, checked the way Firebase checks it, and its
//! reduction to what a phone needs. Delivery to the phones is in `pipeline.rs`.
//!
//! That OpenText's inner request file looks like this is **our convention**: its real schema is not
//! public. The schema itself (names, limits, error words) is Google's public one.

use crate::phones::{Channel, Push};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Largest notification plus data, in bytes of JSON text; Firebase's documented limit.
pub(crate) const MAX_MESSAGE_BYTES: usize = 4096;
/// Firebase keeps an undelivered message at most four weeks; also the default.
pub(crate) const MAX_TTL_SECONDS: i64 = 4 * 7 * 24 * 3600;

const MESSAGE_FIELDS: &[&str] = &[
    "name",
    "token",
    "topic",
    "condition",
    "notification",
    "data",
    "android",
    "apns",
    "webpush",
    "fcm_options",
];
const NOTIFICATION_FIELDS: &[&str] = &["title", "body", "image"];
const ANDROID_FIELDS: &[&str] = &[
    "collapse_key",
    "priority",
    "ttl",
    "restricted_package_name",
    "data",
    "notification",
    "direct_boot_ok",
    "fcm_options",
];
const APNS_FIELDS: &[&str] = &["headers", "payload", "fcm_options"];

/// A refusal in Firebase's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FcmError {
    /// HTTP status that Firebase would give.
    pub(crate) code: u16,
    /// Firebase's `errorCode`, for example `INVALID_ARGUMENT`.
    pub(crate) error_code: &'static str,
    pub(crate) message: String,
}

impl FcmError {
    fn invalid(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            error_code: "INVALID_ARGUMENT",
            message: message.into(),
        }
    }

    /// The token is well formed, but no phone has it.
    pub(crate) fn unregistered() -> Self {
        Self {
            code: 404,
            error_code: "UNREGISTERED",
            message: "Requested entity was not found: no phone has this token.".to_owned(),
        }
    }

    /// The body Firebase would answer with.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message, "status": self.error_code,
            "details": [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                "errorCode": self.error_code}]}})
    }
}

/// A message that passed the check, with the place it goes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FcmMessage {
    pub(crate) target: FcmTarget,
    pub(crate) push: Push,
}

/// Where a message goes; exactly one of the three in each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FcmTarget {
    Token(String),
    Topic(String),
    Condition(String),
}

/// Checks `{"message":{..}}` and reduces it. `now` is flow time and the start of a relative ttl.
pub(crate) fn check(inner: &Value, now: Timestamp) -> Result<FcmMessage, FcmError> {
    let outer = object(inner, "the request")?;
    only(outer, &["message", "validate_only"], "the request")?;
    let message = outer
        .get("message")
        .ok_or_else(|| FcmError::invalid("`message` is missing"))?;
    let message = object(message, "message")?;
    only(message, MESSAGE_FIELDS, "message")?;
    let target = target(message)?;
    let notification = match message.get("notification") {
        Some(value) => object(value, "message.notification")?.clone(),
        None => Map::new(),
    };
    only(&notification, NOTIFICATION_FIELDS, "message.notification")?;
    let data = data(message.get("data"), "message.data")?;
    if notification.is_empty() && data.is_empty() {
        return Err(FcmError::invalid(
            "message has neither `notification` nor `data`",
        ));
    }
    let size =
        Value::Object(notification.clone()).to_string().len() + json!(data).to_string().len();
    if size > MAX_MESSAGE_BYTES {
        return Err(FcmError::invalid(format!(
            "Message too big: {size} bytes, at most {MAX_MESSAGE_BYTES}"
        )));
    }
    let mut push = Push {
        channel: Channel::Mra,
        title: text(&notification, "title", "message.notification")?.unwrap_or_default(),
        body: text(&notification, "body", "message.notification")?.unwrap_or_default(),
        data,
        collapse_key: None,
        expires_at: add_seconds(now, MAX_TTL_SECONDS),
        origin: 0,
    };
    let android = android(message.get("android"), now)?;
    let apns = apns(message.get("apns"))?;
    push.data.extend(android.data);
    push.collapse_key = android.tag.or(android.collapse_key).or(apns.collapse_id);
    push.expires_at = android
        .expires_at
        .into_iter()
        .chain(apns.expires_at)
        .min()
        .unwrap_or(push.expires_at);
    Ok(FcmMessage { target, push })
}

fn target(message: &Map<String, Value>) -> Result<FcmTarget, FcmError> {
    let mut found = Vec::new();
    for (name, make) in [
        ("token", FcmTarget::Token as fn(String) -> FcmTarget),
        ("topic", FcmTarget::Topic),
        ("condition", FcmTarget::Condition),
    ] {
        if let Some(value) = text(message, name, "message")? {
            if value.is_empty() {
                return Err(FcmError::invalid(format!("message.{name} is empty")));
            }
            found.push(make(value));
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(FcmError::invalid(
            "Exactly one of token, topic or condition is required, not several",
        )),
        (None, _) => Err(FcmError::invalid(
            "Exactly one of token, topic or condition is required",
        )),
    }
}

#[derive(Debug, Default)]
struct Android {
    collapse_key: Option<String>,
    tag: Option<String>,
    expires_at: Option<Timestamp>,
    data: BTreeMap<String, String>,
}

fn android(value: Option<&Value>, now: Timestamp) -> Result<Android, FcmError> {
    let Some(value) = value else {
        return Ok(Android::default());
    };
    let fields = object(value, "message.android")?;
    only(fields, ANDROID_FIELDS, "message.android")?;
    if let Some(priority) = text(fields, "priority", "message.android")?
        && !["NORMAL", "HIGH", "normal", "high"].contains(&priority.as_str())
    {
        return Err(FcmError::invalid(format!(
            "Invalid value at 'message.android.priority': \"{priority}\", use NORMAL or HIGH"
        )));
    }
    let ttl = text(fields, "ttl", "message.android")?;
    let seconds = ttl.as_deref().map(parse_ttl).transpose()?;
    let notification = match fields.get("notification") {
        Some(value) => object(value, "message.android.notification")?.clone(),
        None => Map::new(),
    };
    Ok(Android {
        collapse_key: text(fields, "collapse_key", "message.android")?,
        tag: text(&notification, "tag", "message.android.notification")?,
        expires_at: seconds.map(|s| add_seconds(now, s)),
        data: data(fields.get("data"), "message.android.data")?,
    })
}

/// Reads Firebase's duration text, for example `3600s` or `1.5s`, as whole seconds.
pub(crate) fn parse_ttl(ttl: &str) -> Result<i64, FcmError> {
    let bad = || {
        FcmError::invalid(format!(
            "Illegal duration \"{ttl}\": write seconds and an s, like 3600s"
        ))
    };
    let number = ttl.strip_suffix('s').ok_or_else(bad)?;
    let whole = number.split('.').next().unwrap_or_default();
    let digits = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: i64 = if digits {
        whole.parse().map_err(|_| bad())?
    } else {
        return Err(bad());
    };
    if seconds > MAX_TTL_SECONDS {
        return Err(FcmError::invalid(format!(
            "ttl {ttl} is longer than four weeks"
        )));
    }
    Ok(seconds)
}

#[derive(Debug, Default)]
struct Apns {
    collapse_id: Option<String>,
    expires_at: Option<Timestamp>,
}

fn apns(value: Option<&Value>) -> Result<Apns, FcmError> {
    let Some(value) = value else {
        return Ok(Apns::default());
    };
    let fields = object(value, "message.apns")?;
    only(fields, APNS_FIELDS, "message.apns")?;
    let Some(headers) = fields.get("headers") else {
        return Ok(Apns::default());
    };
    let headers = data(Some(headers), "message.apns.headers")?;
    let expires_at = match headers.get("apns-expiration") {
        Some(unix) => Some(
            unix.parse()
                .ok()
                .and_then(|s| Timestamp::from_second(s).ok())
                .ok_or_else(|| {
                    FcmError::invalid(format!("apns-expiration \"{unix}\" is not a unix time"))
                })?,
        ),
        None => None,
    };
    Ok(Apns {
        collapse_id: headers.get("apns-collapse-id").cloned(),
        expires_at,
    })
}

fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, FcmError> {
    value
        .as_object()
        .ok_or_else(|| FcmError::invalid(format!("{at} is not an object")))
}

fn only(fields: &Map<String, Value>, known: &[&str], at: &str) -> Result<(), FcmError> {
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(FcmError::invalid(format!(
            "Invalid JSON payload received. Unknown name \"{key}\" at '{at}': Cannot find field."
        ))),
        None => Ok(()),
    }
}

fn text(fields: &Map<String, Value>, name: &str, at: &str) -> Result<Option<String>, FcmError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(FcmError::invalid(format!("{at}.{name} is not a string"))),
    }
}

fn data(value: Option<&Value>, at: &str) -> Result<BTreeMap<String, String>, FcmError> {
    let Some(value) = value else {
        return Ok(BTreeMap::new());
    };
    let mut read = BTreeMap::new();
    for (key, value) in object(value, at)? {
        let reserved = key == "from"
            || key == "message_type"
            || key.starts_with("google")
            || key.starts_with("gcm");
        if reserved {
            return Err(FcmError::invalid(format!(
                "Invalid data payload key: {key}"
            )));
        }
        let Some(value) = value.as_str() else {
            return Err(FcmError::invalid(format!("{at}.{key} is not a string")));
        };
        read.insert(key.clone(), value.to_owned());
    }
    Ok(read)
}

/// `now` plus whole seconds; the end of time when that does not fit.
pub(crate) fn add_seconds(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-02T08:00:00Z".parse().expect("a fixed time")
    }

    fn message(fields: Value) -> Value {
        let mut message = json!({"token": "device-alice", "notification": {"title": "t"}});
        for (key, value) in fields.as_object().expect("object") {
            message[key] = value.clone();
        }
        json!({ "message": message })
    }

    #[test]
    fn reads_collapse_key_tag_and_the_earlier_of_both_expiries() {
        let inner = message(json!({
            "android": {"collapse_key": "c", "ttl": "60s", "priority": "HIGH",
                "notification": {"tag": "case-1"}},
            "apns": {"headers": {"apns-collapse-id": "x", "apns-expiration": "1772438500"}}}));
        let read = check(&inner, now()).expect("a good message");
        assert_eq!(read.target, FcmTarget::Token("device-alice".into()));
        assert_eq!(read.push.collapse_key.as_deref(), Some("case-1"));
        assert_eq!(
            read.push.expires_at,
            "2026-03-02T08:01:00Z".parse().expect("time")
        );
    }

    #[test]
    fn refuses_what_firebase_refuses() {
        let refused = |fields| check(&message(fields), now()).expect_err("refused").message;
        assert!(refused(json!({"topic": "all"})).contains("not several"));
        assert!(refused(json!({"data": {"a": 1}})).contains("message.data.a is not a string"));
        assert!(refused(json!({"data": {"gcm.x": "1"}})).contains("Invalid data payload key"));
        assert!(refused(json!({"titel": "x"})).contains("Unknown name \"titel\""));
        assert!(refused(json!({"android": {"ttl": "1h"}})).contains("Illegal duration"));
        assert!(refused(json!({"android": {"ttl": "2419201s"}})).contains("four weeks"));
        assert!(refused(json!({"data": {"a": "x".repeat(5000)}})).contains("too big"));
        let none = json!({"message": {"notification": {"title": "t"}}});
        assert!(
            check(&none, now())
                .expect_err("refused")
                .message
                .contains("required")
        );
    }
}
