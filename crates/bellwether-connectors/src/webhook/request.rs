//! Requests to another system: Standard Webhooks as their sender. Signing what comes in is checked
//! in `signature`.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Action, ActionDef, Host, Outcome, Role};
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::{Http, HttpRequest, HttpResponse};
use bellwether_model::notification::Delivery;
use bellwether_model::secret::Secret;
use bellwether_model::spec::{Field, FieldKind, Settings, Spec};
use bellwether_model::time::Time;
use serde_json::{Value, json};

use super::signature::{Keys, signed_parts};
use crate::http::retry_after;
use crate::oauth::redacted;
use crate::proof::MacKey;

/// As much of an answer as a failure looks at for words.
const WORDS_MAX: usize = 1024;
/// The most bytes of an answer: nobody reads it.
const ANSWER_MAX: usize = 256 * 1024;

/// What a connection sends.
pub(super) const ACTION: ActionDef = ActionDef {
    name: "request",
    role: Role::Http,
    summary: "Posts `{type, timestamp, data}` to `send_to`, signed after Standard Webhooks. A try that \
              got no answer is repeated under the same webhook-id, so the receiver keeps what came \
              twice apart by it.",
    input,
    sample,
    reconciles: false,
    verified: true,
};

/// The settings of what goes out.
pub(super) fn settings() -> Vec<Field> {
    vec![
        Field::new(
            "send_to",
            FieldKind::Url,
            "Where requests of flows go (`http` in a flow); without it, nothing goes out.",
        )
        .example("\"https://tickets.example.com/hooks/bellwether\""),
        Field::new(
            "send_secret",
            FieldKind::Secret,
            "The secret (`whsec_…`) with which they are signed; the receiver knows it too.",
        ),
        Field::new(
            "send_authorization",
            FieldKind::Secret,
            "An Authorization header for receivers that want one, such as `Bearer …`.",
        ),
    ]
}

fn input() -> Spec {
    let field = Field::new;
    Spec::of(vec![
        field("type", FieldKind::Text, "What happened.").required(),
        field("at", FieldKind::Text, "When, as RFC 3339.").required(),
        field("data", FieldKind::Tree, "What belongs to it."),
        field("connection", FieldKind::Text, "The connection's own name."),
        field("case", FieldKind::Text, "The case that it belongs to."),
    ])
}

fn sample() -> Value {
    json!({
        "type": "order.approved", "at": "2026-03-02T08:00:00Z",
        "data": {"order": "PO-4711", "by": "Alice Arnold"},
    })
}

/// Where requests go, and how they prove whose they are.
#[derive(Debug)]
pub(super) struct Outlet {
    url: String,
    key: Option<MacKey>,
    authorization: Secret,
    /// The secret as it was entered, which no answer may repeat into a record.
    secret: Secret,
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
}

impl Outlet {
    /// None where nothing is to go out.
    pub(super) fn read(settings: &Settings, host: &Host) -> Result<Option<Self>, Failure> {
        let url = settings.text("send_to");
        if url.is_empty() {
            return Ok(None);
        }
        let secret = settings.secret("send_secret");
        let authorization = settings.secret("send_authorization");
        if authorization.expose().contains(char::is_control) {
            let message = "`send_authorization` is one line";
            return Err(Failure::misconfigured("bad_header", message));
        }
        if secret.is_empty() && authorization.is_empty() {
            let message = "set `send_secret`, or `send_authorization` where the receiver wants that: \
                           otherwise it could not tell who sends";
            return Err(Failure::misconfigured("missing_setting", message));
        }
        Ok(Some(Self {
            url: url.to_owned(),
            key: Keys::read(&secret, &Secret::default())?.into_first(),
            authorization,
            secret,
            http: Arc::clone(&host.http),
            clock: Arc::clone(&host.clock),
        }))
    }

    /// Whom it talks to, for people.
    pub(super) fn address(&self) -> &str {
        &self.url
    }

    pub(super) async fn send(&self, action: &Action<'_>) -> Result<Outcome, Failure> {
        let args = action.args;
        let body = json!({"type": args["type"], "timestamp": args["at"], "data": args["data"]});
        let (id, now) = (action.effect.to_string(), self.clock.now());
        let stamp = now.seconds().to_string();
        let body = body.to_string();
        let mut request = HttpRequest::new("POST", self.url.as_str())
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", stamp.as_str());
        if let Some(key) = &self.key {
            let mac = key.mac(&signed_parts(&id, &stamp, body.as_bytes()));
            let signature = format!("v1,{}", BASE64_STANDARD.encode(mac));
            request = request.header("webhook-signature", signature);
        }
        if !self.authorization.is_empty() {
            request = request.header("authorization", self.authorization.expose());
        }
        let mut request = request.body("application/json", body);
        request.answer_max = ANSWER_MAX;
        match self.http.send(request).await {
            Ok(answer) if answer.is_success() => Ok(taken()),
            Ok(answer) => Err(self.refusal(&answer, now)),
            // An answer that nobody wants to read is one all the same.
            Err(failure) if failure.code == "answer_too_large" => Ok(taken()),
            Err(failure) if failure.class == FailureClass::MaybeDone => Err(Failure::retry(
                &failure.code,
                format!("{}; it may have arrived", failure.message),
                None,
            )),
            Err(failure) => Err(failure),
        }
    }

    fn refusal(&self, answer: &HttpResponse, now: Time) -> Failure {
        let (place, status) = (&self.url, answer.status);
        let wait = || retry_after(answer, now);
        let words = String::from_utf8_lossy(&answer.body[..answer.body.len().min(WORDS_MAX)]);
        let words = redacted(&words, &[&self.secret, &self.authorization]);
        let failure = match status {
            300..=399 => Failure::misconfigured(
                "redirected",
                format!("{place} leads elsewhere ({status}); set `send_to` to the final address"),
            ),
            401 | 403 => Failure::misconfigured(
                "unauthorized",
                format!(
                    "{place} does not take our proof ({status}); check `send_secret` and \
                     `send_authorization`"
                ),
            ),
            404 | 405 | 410 => Failure::misconfigured(
                "no_such_address",
                format!("{place} knows no such call ({status}); check `send_to`"),
            ),
            408 | 425 | 429 | 500.. => {
                Failure::retry("not_taken", format!("{place} answered {status}"), wait())
            }
            _ => Failure::reject("refused", format!("{place} refused the request ({status})")),
        };
        failure.with_source(&words)
    }
}

/// It was read; what the receiver made of it, only an event of its own can say.
fn taken() -> Outcome {
    Outcome {
        delivery: Delivery::Accepted,
        reference: None,
        aliases: Vec::new(),
    }
}
