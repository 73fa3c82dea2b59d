//! Calls of one of the tenant's interfaces, and what its refusals mean for the engine. Tokens are
//! made in `oauth`; what an answer says is read in `wire.rs` and `portals/wire.rs`.

use std::sync::atomic::{AtomicU32, Ordering};

use bellwether_model::connector::Host;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::{HttpRequest, HttpResponse};
use bellwether_model::id::hash;
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use serde_json::Value;

use crate::http::retry_after;
use crate::oauth::{self, Grant, TokenSource, encoded};

/// A page of fifty records with long texts is far below this.
const ANSWER_MAX: usize = 8 << 20;
/// The code for a cursor that is no longer known.
pub(super) const CURSOR_UNKNOWN: &str = "continuation_uuid_invalid";
/// The code for too many calls.
pub(super) const RATE_LIMITED: &str = "rate_limited";
/// The codes for what this one request asks and the interface does not do, whoever asks.
pub(super) const NOT_IMPLEMENTED: &str = "not_implemented";
pub(super) const BAD_REQUEST: &str = "bad_request";
/// The code for something that is not there.
pub(super) const NOT_FOUND: &str = "not_found";
/// Waits after "too many requests" without a time: 2, 4, 8, 16 and then 32 seconds, as the vendor's
/// own client has it.
const CURVE_MAX: u32 = 5;

/// One of the tenant's interfaces.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    /// The tenant's id, for messages.
    pub(super) tenant: String,
    /// What the paths are below.
    pub(super) base_url: String,
    /// Where its tokens are made, and for whom.
    pub(super) client: oauth::Client,
    /// What the user behind the connection must be allowed, for messages.
    pub(super) may: &'static str,
}

/// The way to one interface of a tenant.
#[derive(Debug)]
pub(super) struct Client {
    host: Host,
    tokens: TokenSource,
    interface: Interface,
    /// How many answers in a row were "too many requests".
    limited: AtomicU32,
}

impl Client {
    pub(super) fn new(interface: Interface, refresh: Secret, host: &Host) -> Self {
        Self {
            tokens: TokenSource::new(host, interface.client.clone(), Grant::Refresh(refresh)),
            host: host.clone(),
            interface,
            limited: AtomicU32::new(0),
        }
    }

    /// A read of `path` under the API's address.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut url = format!("{}/{path}", self.interface.base_url);
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 && !path.contains('?') {
                '?'
            } else {
                '&'
            });
            url.push_str(&format!("{name}={}", encoded(value)));
        }
        let answer = self
            .with_token(&|| HttpRequest::new("GET", url.as_str()))
            .await?;
        self.json(&answer)
    }

    /// Sends a form, for the push channel's proof.
    pub(super) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Value, Failure> {
        let url = format!("{}/{path}", self.interface.base_url);
        let pairs: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let body = pairs.join("&");
        let request = || {
            HttpRequest::new("POST", url.as_str())
                .body("application/x-www-form-urlencoded", body.as_str())
        };
        let answer = self.with_token(&request).await?;
        self.json(&answer)
    }

    /// Sends JSON to a method that only reads.
    pub(super) async fn ask(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
        body: &Value,
    ) -> Result<Value, Failure> {
        let url = format!("{}/{path}", self.interface.base_url);
        let body = body.to_string();
        let request = || {
            let request = HttpRequest::new("POST", url.as_str());
            let request = request.body("application/json", body.as_str());
            let with = |request: HttpRequest, (name, value): &(&'static str, String)| {
                request.header(name, value.as_str())
            };
            headers.iter().fold(request, with)
        };
        let answer = self.with_token(&request).await?;
        self.json(&answer)
    }

    /// Sends with a fresh token; one that is refused is renewed once, also after 403.
    async fn with_token(
        &self,
        request: &(dyn Fn() -> HttpRequest + Sync),
    ) -> Result<HttpResponse, Failure> {
        let mut again = true;
        loop {
            let token = self.tokens.token(self.host.clock.now()).await;
            let token = token.map_err(asked_again)?;
            let mut request = request()
                .header("authorization", format!("Bearer {}", token.expose()))
                .header("accept", "application/json");
            request.answer_max = ANSWER_MAX;
            let answer = self.host.http.send(request).await.map_err(asked_again)?;
            if again && matches!(answer.status, 401 | 403) {
                self.tokens.forget(&token);
                again = false;
                continue;
            }
            let result = self.judge(answer);
            let limited = result
                .as_ref()
                .is_err_and(|failure| failure.code == RATE_LIMITED);
            if !limited {
                self.limited.store(0, Ordering::Relaxed);
            }
            return result;
        }
    }

    fn json(&self, answer: &HttpResponse) -> Result<Value, Failure> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            let message = format!(
                "Smint.io's answer for {} is no JSON; it is asked again",
                self.interface.tenant
            );
            Failure::retry("bad_answer", message, None)
        })
    }

    fn judge(&self, answer: HttpResponse) -> Result<HttpResponse, Failure> {
        let tenant = &self.interface.tenant;
        let media = answer.header("content-type").unwrap_or_default();
        let page = media.starts_with("text/html");
        if (300..400).contains(&answer.status) || (page && answer.status < 500) {
            // An unknown tenant may be sent to a page where people choose one.
            let to = answer.header("location").unwrap_or_default();
            if to.contains("tenant_not_found") {
                return Err(no_tenant(tenant));
            }
            let message = format!(
                "Smint.io shows {tenant} a page instead of an answer, as it does during maintenance; \
                 it is asked again by itself"
            );
            return Err(Failure::retry("maintenance", message, None));
        }
        if answer.is_success() {
            return Ok(answer);
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = body["error_code"].as_str().unwrap_or_default();
        let words = body["error_message"].as_str().unwrap_or_default();
        let failure = self.refusal(&answer, code);
        Err(failure.with_source(format!("{code} {words}").trim()))
    }

    fn refusal(&self, answer: &HttpResponse, code: &str) -> Failure {
        let (tenant, status) = (&self.interface.tenant, answer.status);
        let now = self.host.clock.now();
        match (status, code) {
            (400, CURSOR_UNKNOWN | "scroll_uuid_invalid") => {
                let message = "the feed no longer knows the cursor; everything is read again";
                Failure::reject(CURSOR_UNKNOWN, message)
            }
            (
                401,
                "account_locked_out"
                | "account_disabled"
                | "account_expired"
                | "email_not_confirmed",
            ) => Failure::reauthorise(
                "access_refused",
                format!(
                    "the account behind the connection to {tenant} is locked or has ended; open it \
                     again in Smint.io, or connect as somebody else"
                ),
            ),
            (401, _) => Failure::reauthorise(
                "access_refused",
                format!("Smint.io refuses the access of {tenant}; connect it again"),
            ),
            (403, _) => Failure::misconfigured(
                "permission_denied",
                format!(
                    "the user behind the connection to {tenant} may not {}; give him that right in \
                     Smint.io, or connect as somebody who has it",
                    self.interface.may
                ),
            ),
            (404, "tenant_not_found") => no_tenant(tenant),
            (404, _) => Failure::misconfigured(
                NOT_FOUND,
                format!(
                    "Smint.io has nothing at this path for {tenant}; check the paths of the connection"
                ),
            ),
            (429, _) => {
                let after = retry_after(answer, now).unwrap_or_else(|| self.curve(now));
                let message =
                    format!("Smint.io limits the calls of {tenant}; it goes on by itself");
                Failure::retry(RATE_LIMITED, message, Some(after))
            }
            (501, _) => {
                let message =
                    format!("Smint.io has no such operation for {tenant}; check its name");
                Failure::retry(NOT_IMPLEMENTED, message, retry_after(answer, now))
            }
            (408 | 409 | 424 | 428 | 500.., _) => {
                let message =
                    format!("Smint.io answered {status} for {tenant}; it is asked again by itself");
                Failure::retry("provider_error", message, retry_after(answer, now))
            }
            _ => Failure::misconfigured(
                BAD_REQUEST,
                format!(
                    "Smint.io does not take the request for {tenant} ({status} {code}); check \
                     `limit` and the paths of the connection"
                ),
            ),
        }
    }

    /// The next wait of the curve, with up to a quarter more, so that tenants do not come together.
    fn curve(&self, now: Time) -> Millis {
        let step = self
            .limited
            .fetch_add(1, Ordering::Relaxed)
            .min(CURVE_MAX - 1);
        let base = 2_000u64 << step;
        let seed = hash(&[self.host.connection.as_bytes(), &now.0.to_be_bytes()]);
        Millis(base + base / 4 * u64::from(seed[0]) / 255)
    }
}

fn no_tenant(tenant: &str) -> Failure {
    let message = format!("Smint.io knows no tenant {tenant}; check `tenant` and `base_url`");
    Failure::misconfigured("tenant_not_found", message)
}

/// A read, or a proof for a channel, may always be asked again; who reads of it is told so.
fn asked_again(mut failure: Failure) -> Failure {
    if matches!(
        failure.class,
        FailureClass::MaybeDone | FailureClass::Reject
    ) {
        failure.class = FailureClass::Retry { after: None };
    }
    let retries = matches!(failure.class, FailureClass::Retry { .. });
    if retries && !failure.message.contains("again") {
        failure.message.push_str("; it is asked again by itself");
    }
    failure
}
