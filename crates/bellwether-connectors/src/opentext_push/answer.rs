//! What the provider's answer to a push means for the engine. Only the envelope of these answers is
//! public, so the status code decides, and words only where they are Firebase's own.

use bellwether_model::connector::Outcome;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::HttpResponse;
use bellwether_model::notification::Delivery;
use bellwether_model::time::{Millis, Time};
use serde_json::Value;

use crate::http::retry_after;

/// The provider's id of a job is longer than this only by mistake.
const REFERENCE_MAX: usize = 200;

/// As much of an answer as is looked at for words; what a failure keeps is shorter still.
const WORDS_MAX: usize = 4096;

/// A provider that wants us to stay away for longer than this refuses the push, as far as its
/// reader is concerned: the mail that stands in for it must not wait as long.
const WAIT_MAX: Millis = Millis::hours(1);

/// What a call came to; `redact` takes our secrets out of the provider's words.
pub(crate) fn read(
    answer: &HttpResponse,
    place: &str,
    now: Time,
    redact: impl Fn(&str) -> String,
) -> Result<Outcome, Failure> {
    let said = String::from_utf8_lossy(&answer.body[..answer.body.len().min(WORDS_MAX)]);
    if answer.is_success() {
        let media = answer.header("content-type").unwrap_or_default();
        if media.starts_with("text/html") {
            // A maintenance page of some proxy: the push may or may not have passed it.
            let message = format!("{place} answered with a web page instead of taking the push");
            return Err(Failure::maybe("unexpected_answer", message).with_source(&redact(&said)));
        }
        return Ok(Outcome {
            delivery: Delivery::Accepted,
            reference: reference(&answer.body),
            aliases: Vec::new(),
        });
    }
    Err(refusal(answer, place, &said, now).with_source(&redact(&said)))
}

fn refusal(answer: &HttpResponse, place: &str, said: &str, now: Time) -> Failure {
    let status = answer.status;
    let wait = || retry_after(answer, now);
    if let (429 | 500.., Some(after)) = (status, wait())
        && after > WAIT_MAX
    {
        let hours = after.0 / Millis::hours(1).0;
        return Failure::reject(
            "away_too_long",
            format!("{place} takes no push for {hours} hours; another way has to be taken"),
        );
    }
    match status {
        401 => Failure::reauthorise(
            "unauthorized",
            format!("{place} refuses the credentials; enter the right ones"),
        ),
        400 | 403 | 404 | 410 if said.contains("UNREGISTERED") => Failure::reject(
            "unknown_recipient",
            "the device is no longer registered with the push network; its owner must open the \
             app again",
        ),
        403 => Failure::misconfigured(
            "forbidden",
            format!("{place} does not allow this account to push; check its rights and keys"),
        ),
        404 | 405 => Failure::misconfigured(
            "no_such_address",
            format!("{place} knows no such call ({status}); check `base_url` and the app's name"),
        ),
        413 => Failure::reject(
            "too_large",
            format!("{place} says that the push is too large"),
        ),
        408 | 425 => Failure::retry("not_taken", format!("{place} answered {status}"), wait()),
        429 => Failure::retry("rate_limited", format!("{place} takes no more now"), wait()),
        // A gateway in between lost the answer of what stands behind it.
        502 | 504 => Failure::maybe(
            "gateway_lost_answer",
            format!("a gateway before {place} answered {status}; the push may have passed"),
        ),
        500.. => Failure::retry("unavailable", format!("{place} answered {status}"), wait()),
        300..=399 => Failure::misconfigured(
            "redirected",
            format!("{place} leads elsewhere ({status}); set `base_url` to the final address"),
        ),
        _ => Failure::reject("refused", format!("{place} refused the push ({status})")),
    }
}

/// A failure of the exchange itself. An answer that is too large came after the push was read.
pub(crate) fn broken(failure: Failure) -> Failure {
    if failure.code == "answer_too_large" {
        return Failure {
            class: FailureClass::MaybeDone,
            ..failure
        };
    }
    failure
}

fn reference(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let id = match &body["job_id"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    (!id.is_empty() && id.len() <= REFERENCE_MAX).then_some(id)
}
