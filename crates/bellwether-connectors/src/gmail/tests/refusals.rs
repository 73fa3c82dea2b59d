//! What refusals of the API mean, by reason: the table that decides between waiting and asking.

use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::HttpResponse;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use crate::gmail::refusal::{Refused, classify};

fn refuse(status: u16, body: &Value, headers: &[(&str, &str)], sends: bool) -> Failure {
    let answer = HttpResponse {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_string().into_bytes(),
    };
    classify(&Refused {
        answer: &answer,
        mailbox: "approvals@example.com",
        now: Time::from_millis(1_772_442_900_000),
        sends,
    })
}

fn reason(status: u16, reason: &str, message: &str) -> Failure {
    let body = json!({ "error": {
        "code": status, "message": message,
        "errors": [{ "domain": "usageLimits", "reason": reason, "message": message }]
    }});
    refuse(status, &body, &[], false)
}

#[test]
fn limits_are_waited_for_whatever_their_status() {
    for (status, word) in [
        (403, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (429, "rateLimitExceeded"),
        (429, ""),
    ] {
        let failure = reason(status, word, "slow down");
        assert!(
            matches!(failure.class, FailureClass::Retry { after: Some(_) }),
            "{status} {word}"
        );
        assert_eq!(failure.code, "rate_limited");
    }
    let newer = json!({ "error": { "code": 403, "message": "Quota exceeded for quota metric",
        "status": "PERMISSION_DENIED", "details": [{ "@type": "t", "reason": "RATE_LIMIT_EXCEEDED" }] } });
    assert_eq!(refuse(403, &newer, &[], false).code, "rate_limited");
    assert_eq!(
        reason(403, "dailyLimitExceeded", "").code,
        "daily_limit_reached"
    );
}

#[test]
fn the_wait_comes_from_header_or_words() {
    let by_header = refuse(429, &json!({}), &[("retry-after", "17")], true);
    let after = |failure: &Failure| match failure.class {
        FailureClass::Retry { after } => after,
        _ => None,
    };
    assert_eq!(after(&by_header), Some(Millis::seconds(17)));
    let words = "User-rate limit exceeded (Mail sending).  Retry after 2026-03-02T09:16:00.000Z";
    let by_words = reason(429, "rateLimitExceeded", words);
    assert_eq!(after(&by_words), Some(Millis::seconds(45 + 15)));
    assert_eq!(by_words.code, "mail_limit_reached");
}

#[test]
fn people_are_asked_for_what_people_must_do() {
    assert_eq!(
        reason(401, "authError", "").class,
        FailureClass::Reauthorise
    );
    for (word, code) in [
        ("insufficientPermissions", "missing_scope"),
        ("domainPolicy", "domain_policy"),
        ("accessNotConfigured", "api_disabled"),
        ("forbidden", "forbidden"),
    ] {
        let failure = reason(403, word, "");
        assert_eq!(failure.class, FailureClass::Misconfigured);
        assert_eq!(failure.code, code);
    }
    let none = reason(400, "failedPrecondition", "Mail service not enabled");
    assert_eq!(none.class, FailureClass::Misconfigured);
    let passing = reason(400, "failedPrecondition", "Precondition check failed.");
    assert!(matches!(
        passing.class,
        FailureClass::Retry { after: Some(_) }
    ));
}

#[test]
fn only_sending_may_have_been_done() {
    let html = Value::String("<html>Bad gateway</html>".to_owned());
    assert_eq!(refuse(502, &html, &[], true).class, FailureClass::MaybeDone);
    assert!(matches!(
        refuse(502, &html, &[], false).class,
        FailureClass::Retry { .. }
    ));
    assert!(matches!(
        refuse(429, &html, &[], true).class,
        FailureClass::Retry { .. }
    ));
    assert_eq!(reason(404, "notFound", "").class, FailureClass::Reject);
    assert_eq!(reason(400, "invalidArgument", "").code, "bad_request");
}
