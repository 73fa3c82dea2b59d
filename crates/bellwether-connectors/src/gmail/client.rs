//! Calls of the Gmail API: token, quota, deadline, and what a refusal means for the engine. Which
//! calls an action or the source makes is in their files.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bellwether_model::clock::Clock;
use bellwether_model::connector::Host;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::{Http, HttpRequest, HttpResponse};
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::quota::{Lane, Quota};
use super::refusal::{self, Refused};
use super::settings::Setup;
use crate::oauth::{Grant, TokenSource, encoded};

/// Google counts calls in flight per mailbox, together with all other programs.
const FLIGHT_MAX: usize = 5;
/// Most answers are small.
const ANSWER_MAX: usize = 4 << 20;

/// What it means when nobody knows whether a call was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: the call reads, or doing it twice does no harm.
    Harmless,
    /// A mail may have been sent.
    Sends,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: &'static str,
    path: String,
    query: String,
    body: Option<Value>,
    units: u32,
    lane: Lane,
    effect: Effect,
    answer_max: usize,
    deadline: Millis,
}

impl Call {
    /// A reading call for a path below `users/me/`, costing `units`.
    pub(super) fn get(path: impl Into<String>, lane: Lane, units: u32) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            query: String::new(),
            body: None,
            units,
            lane,
            effect: Effect::Harmless,
            answer_max: ANSWER_MAX,
            deadline: Millis::seconds(30),
        }
    }

    /// A changing call.
    pub(super) fn post(path: impl Into<String>, units: u32, body: Value) -> Self {
        Self {
            method: "POST",
            body: Some(body),
            ..Self::get(path, Lane::Send, units)
        }
    }

    /// A deleting call.
    pub(super) fn delete(path: impl Into<String>, units: u32) -> Self {
        Self {
            method: "DELETE",
            ..Self::get(path, Lane::Send, units)
        }
    }

    /// The same call with one more parameter.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.query
            .push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        self.query.push_str(&encoded(value));
        self
    }

    /// The same call, whose unknown outcome matters.
    pub(super) fn sends(mut self) -> Self {
        self.effect = Effect::Sends;
        self
    }

    /// The same call with another limit of its answer.
    pub(super) fn at_most(mut self, bytes: usize) -> Self {
        self.answer_max = bytes;
        self
    }
}

/// A path of segments that come from outside.
pub(super) fn path(segments: &[&str]) -> String {
    let encoded: Vec<_> = segments.iter().map(|segment| encoded(segment)).collect();
    encoded.join("/")
}

/// The API of one mailbox.
#[derive(Debug)]
pub(super) struct Client {
    base: String,
    mailbox: String,
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    tokens: TokenSource,
    quota: Quota,
    flight: Semaphore,
}

impl Client {
    /// A client; nothing is called yet.
    pub(super) fn new(setup: &Setup, refresh: Secret, host: &Host) -> Self {
        Self {
            base: setup.base.clone(),
            mailbox: setup.mailbox.clone(),
            http: Arc::clone(&host.http),
            clock: Arc::clone(&host.clock),
            tokens: TokenSource::new(host, setup.client.clone(), Grant::Refresh(refresh)),
            quota: Quota::new(setup.units, Arc::clone(&host.clock)),
            flight: Semaphore::new(FLIGHT_MAX),
        }
    }

    /// Transport time.
    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Makes a call and reads its JSON answer.
    ///
    /// # Errors
    /// The class of what was refused; `MaybeDone` only for calls that send.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let effect = call.effect;
        let answer = self.send(call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!(
                "Gmail answered {} with unreadable JSON: {error}",
                answer.status
            );
            match effect {
                // Only parts within parts nest so deeply; the mail can be read without them.
                Effect::Harmless if message.contains("recursion limit") => {
                    Failure::bug(ANSWER_TOO_DEEP, message)
                }
                Effect::Sends => Failure::maybe("unreadable_answer", message),
                Effect::Harmless => Failure::retry("unreadable_answer", message, None),
            }
        })
    }

    /// Makes a call whose answer does not matter beyond its success.
    pub(super) async fn send(&self, call: Call) -> Result<HttpResponse, Failure> {
        self.quota.take(call.lane, call.units).await?;
        let Ok(_permit) = self.flight.acquire().await else {
            return Err(Failure::bug(
                "closed",
                "the mailbox's call slots are closed",
            ));
        };
        let token = self.tokens.token(self.now()).await?;
        let mut answer = self.exchange(&call, &token).await?;
        if answer.status == 401 {
            // A token can end or be revoked before its time: one new one, then a person must act.
            self.tokens.forget(&token);
            let token = self.tokens.token(self.now()).await?;
            answer = self.exchange(&call, &token).await?;
        }
        if answer.is_success() {
            return Ok(answer);
        }
        let refused = Refused {
            answer: &answer,
            mailbox: &self.mailbox,
            now: self.now(),
            sends: call.effect == Effect::Sends,
        };
        let failure = refusal::classify(&refused);
        if let FailureClass::Retry { after: Some(after) } = failure.class
            && refusal::is_limit(&failure)
        {
            let mail_only = failure.code == refusal::MAIL_LIMIT;
            self.quota.pause(self.now() + after, mail_only);
        }
        Err(failure)
    }

    async fn exchange(&self, call: &Call, token: &Secret) -> Result<HttpResponse, Failure> {
        let url = format!(
            "{}/gmail/v1/users/me/{}{}",
            self.base, call.path, call.query
        );
        let mut request = HttpRequest::new(call.method, url)
            .header("authorization", format!("Bearer {}", token.expose()))
            .header("accept", "application/json");
        request.answer_max = call.answer_max;
        request.deadline = call.deadline;
        if let Some(body) = &call.body {
            request = request.body("application/json", body.to_string());
        }
        self.http
            .send(request)
            .await
            .map_err(|failure| match (failure.class, call.effect) {
                (FailureClass::MaybeDone, Effect::Harmless) => Failure {
                    class: FailureClass::Retry { after: None },
                    ..failure
                },
                // The answer was there, only longer than a mail's answer can be.
                (FailureClass::Reject, Effect::Sends) if failure.code == ANSWER_TOO_LARGE => {
                    Failure {
                        class: FailureClass::MaybeDone,
                        ..failure
                    }
                }
                _ => failure,
            })
    }
}

/// The code for an answer that nests deeper than JSON is read.
pub(super) const ANSWER_TOO_DEEP: &str = "answer_too_deep";
/// The code under which the HTTP client reports an answer above its limit.
pub(super) const ANSWER_TOO_LARGE: &str = "answer_too_large";

/// Bytes from base64 in either alphabet, with or without padding: all of them are met in the wild.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    if text
        .bytes()
        .any(|byte| matches!(byte, b'+' | b'/' | b'\r' | b'\n'))
    {
        let url_safe: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                other => other,
            })
            .collect();
        return TOLERANT.decode(url_safe).ok();
    }
    TOLERANT.decode(text).ok()
}

/// The same bytes as Gmail wants them.
pub(super) fn encode(bytes: &[u8]) -> String {
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
