//! What a refusal of the Gmail API means for the engine. The reason decides, not the status: limits
//! come as 403 and as 429, and 403 also means a missing right. Units and pauses are not kept here.

use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::HttpResponse;
use bellwether_model::time::{Millis, Time};

use super::wire::ErrorAnswer;
use crate::http::retry_after;

/// The code for a thing that is not there.
pub(super) const NOT_FOUND: &str = "not_found";
/// The code for too many calls.
pub(super) const RATE_LIMIT: &str = "rate_limited";
/// The code for too many mails: reading still works.
pub(super) const MAIL_LIMIT: &str = "mail_limit_reached";
/// The code for a request that Google does not take.
pub(super) const BAD_REQUEST: &str = "bad_request";
/// A daily limit has no announced end; it is asked again this often.
const DAILY_WAIT: Millis = Millis::hours(1);
/// Google's "Precondition check failed" is sometimes over after a while.
const PRECONDITION_WAIT: Millis = Millis::minutes(1);
/// A limit that names no end.
const LIMIT_WAIT: Millis = Millis::seconds(5);
/// No wait that a provider names is longer than this for us.
const WAIT_MAX: Millis = Millis::hours(24);

/// A refusal and what it is judged by.
#[derive(Debug)]
pub(super) struct Refused<'a> {
    pub(super) answer: &'a HttpResponse,
    pub(super) mailbox: &'a str,
    pub(super) now: Time,
    pub(super) sends: bool,
}

/// Whether the failure is a limit that later calls should heed.
pub(super) fn is_limit(failure: &Failure) -> bool {
    failure.code == RATE_LIMIT || failure.code == MAIL_LIMIT
}

/// Says what the engine does next.
pub(super) fn classify(refused: &Refused<'_>) -> Failure {
    let status = refused.answer.status;
    let parsed: ErrorAnswer = serde_json::from_slice(&refused.answer.body).unwrap_or_default();
    let error = parsed.error;
    let reasons: Vec<&str> = error
        .errors
        .iter()
        .chain(&error.details)
        .map(|one| one.reason.as_str())
        .chain([error.status.as_str()])
        .filter(|reason| !reason.is_empty())
        .collect();
    let says = |words: &[&str]| {
        reasons
            .iter()
            .any(|reason| words.iter().any(|word| reason.eq_ignore_ascii_case(word)))
    };
    let mailbox = refused.mailbox;
    let failure = if says(&["dailyLimitExceeded", "quotaExceeded"]) {
        let after = wait(refused, &error.message).unwrap_or(DAILY_WAIT);
        let message = format!("the daily limit of the project or of {mailbox} is used up");
        Failure::retry("daily_limit_reached", message, Some(after))
    } else if status == 429
        || says(&[
            "rateLimitExceeded",
            "userRateLimitExceeded",
            "RATE_LIMIT_EXCEEDED",
        ])
        || says(&["RESOURCE_EXHAUSTED"])
    {
        limit(refused, &error.message)
    } else if status == 401 {
        let message = format!("Google refuses the access of {mailbox}; connect it again");
        Failure::reauthorise("access_refused", message)
    } else if status == 404 {
        Failure::reject(NOT_FOUND, format!("Gmail no longer has it in {mailbox}"))
    } else if says(&["failedPrecondition", "FAILED_PRECONDITION"]) {
        precondition(mailbox, &error.message)
    } else if status == 403 {
        forbidden(mailbox, &says)
    } else if matches!(status, 408 | 409) || status >= 500 {
        let message = format!("Gmail answered {status} for {mailbox}");
        if refused.sends {
            Failure::maybe("provider_error", message)
        } else {
            Failure::retry("provider_error", message, wait(refused, &error.message))
        }
    } else {
        let message = format!("Gmail refuses the request for {mailbox} ({status})");
        Failure::reject(BAD_REQUEST, message)
    };
    let words = format!("{} {}", reasons.join(" "), error.message);
    failure.with_source(words.trim())
}

fn limit(refused: &Refused<'_>, message: &str) -> Failure {
    let after = wait(refused, message);
    let mailbox = refused.mailbox;
    if message.to_ascii_lowercase().contains("mail sending") {
        let text = format!("{mailbox} has sent as many mails as Google allows for now");
        return Failure::retry(MAIL_LIMIT, text, Some(after.unwrap_or(DAILY_WAIT)));
    }
    let text = format!("Google limits the calls for {mailbox}; it goes on by itself");
    Failure::retry(RATE_LIMIT, text, Some(after.unwrap_or(LIMIT_WAIT)))
}

fn precondition(mailbox: &str, message: &str) -> Failure {
    if message.to_ascii_lowercase().contains("not enabled") {
        let text = format!("{mailbox} has no Gmail; use an account with a mailbox");
        return Failure::misconfigured("mail_not_enabled", text);
    }
    let text = format!("Gmail cannot serve {mailbox} at the moment");
    Failure::retry("precondition_failed", text, Some(PRECONDITION_WAIT))
}

fn forbidden(mailbox: &str, says: &dyn Fn(&[&str]) -> bool) -> Failure {
    let (code, text) = if says(&[
        "insufficientPermissions",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "insufficientScopes",
    ]) {
        (
            "missing_scope",
            format!("the consent for {mailbox} lacks a right that this needs; connect it again"),
        )
    } else if says(&["domainPolicy"]) {
        (
            "domain_policy",
            format!("the administrator of {mailbox}'s domain forbids this application"),
        )
    } else if says(&["accessNotConfigured", "SERVICE_DISABLED"]) {
        (
            "api_disabled",
            "the Gmail API is not enabled in the Google Cloud project; enable it".to_owned(),
        )
    } else {
        ("forbidden", format!("Gmail forbids this for {mailbox}"))
    };
    Failure::misconfigured(code, text)
}

/// How long Google asks us to wait: by header, or by `Retry after <instant>` in its words.
fn wait(refused: &Refused<'_>, message: &str) -> Option<Millis> {
    let by_words = || {
        let lower = message.to_ascii_lowercase();
        let at = lower.find("retry after ")? + "retry after ".len();
        let word = message.get(at..)?.split_whitespace().next()?;
        let until = Time::parse(word.trim_end_matches(['.', ',', ')'])).ok()?;
        Some(until.since(refused.now))
    };
    retry_after(refused.answer, refused.now)
        .or_else(by_words)
        .map(|wait| wait.min(WAIT_MAX))
}

/// Whether the failure says that the thing is not there.
pub(super) fn is_gone(failure: &Failure) -> bool {
    failure.class == FailureClass::Reject && failure.code == NOT_FOUND
}
