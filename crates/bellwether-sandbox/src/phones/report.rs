//! What the companion app tells the server: the report, where it goes and how an answer is read.
//! When it is sent again is in `mod.rs`.

use super::http::{Address, post_json};
use super::push::{Answer, OnPhone};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Tries for one report, then the phone gives up.
pub(crate) const MAX_ATTEMPTS: u32 = 40;
/// Longest pause between two tries, in milliseconds of real time.
const MAX_PAUSE_MS: u64 = 1_000;
/// Longest comment a phone takes; like any input field it simply ends there.
pub(crate) const MAX_COMMENT_CHARS: usize = 2_000;

/// Where the companion app of all phones reports to.
#[derive(Clone)]
pub(crate) struct Companion {
    pub(crate) url: String,
    pub(crate) address: Address,
    app_key: String,
    /// Whether the app reports that a push arrived.
    pub(crate) received: bool,
}

impl std::fmt::Debug for Companion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Companion")
            .field("url", &self.url)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Companion {
    /// Checks the address; the error is a sentence.
    pub(crate) fn new(url: &str, app_key: &str, received: bool) -> Result<Self, String> {
        let address = Address::parse(url)?;
        if app_key.is_empty() || !app_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("app_key must be visible ASCII without spaces".to_owned());
        }
        Ok(Self {
            url: url.to_owned(),
            address,
            app_key: app_key.to_owned(),
            received,
        })
    }
}

/// One thing the app tells, ready to be sent as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) id: String,
    /// The phone's own id of the push it is about.
    pub(crate) push: String,
    pub(crate) event: &'static str,
    body: String,
}

/// What happened after one try.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server has spoken; no further try.
    Final(Answer),
    /// Worth another try.
    Again(Answer),
}

impl Report {
    /// A report about `push`; none when the push carries no token to prove itself with.
    pub(crate) fn about(
        push: &OnPhone,
        event: &'static str,
        id: String,
        device: &str,
        at: Timestamp,
    ) -> Option<Self> {
        let token = push.push.data.get("token")?;
        let mut body = json!({"id": id, "token": token, "event": event, "at": at,
            "device": device});
        if let Some(shown) = push.push.data.get("shown") {
            body["shown"] = json!(shown);
        }
        if event == "acted" {
            body["action"] = json!(push.action);
            if let Some(comment) = &push.comment {
                body["comment"] = json!(comment);
            }
        }
        Some(Self {
            id,
            push: push.id.clone(),
            event,
            body: body.to_string(),
        })
    }

    /// One try over real HTTP.
    pub(crate) async fn send(&self, companion: &Companion) -> Outcome {
        match post_json(&companion.address, &companion.app_key, &self.body).await {
            Ok(reply) => {
                let answer = read(reply.status, &reply.body);
                if reply.status >= 500 || reply.status == 429 {
                    Outcome::Again(answer)
                } else {
                    Outcome::Final(answer)
                }
            }
            Err(words) => Outcome::Again(Answer {
                status: 0,
                result: "unreachable".to_owned(),
                message: words,
            }),
        }
    }
}

/// The pause before the next try, in milliseconds: doubling from 50, at most a second.
pub(crate) fn pause_ms(attempts: u32) -> u64 {
    50_u64
        .saturating_mul(1 << attempts.min(10))
        .min(MAX_PAUSE_MS)
}

fn read(status: u16, body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let fallback = match status {
        200..=299 => "The server took it, but its answer is not the agreed one.",
        401 => "The server does not know the app's key.",
        403 => "The server does not accept the push's token.",
        400 => "The server could not read the report.",
        413 => "The report is too long for the server.",
        500..=599 => "The server cannot take it now.",
        _ => "The server answered something the app does not know.",
    };
    Answer {
        status,
        result: word("result").unwrap_or_else(|| "unknown".to_owned()),
        message: word("message")
            .or_else(|| word("error"))
            .unwrap_or_else(|| fallback.to_owned()),
    }
}
