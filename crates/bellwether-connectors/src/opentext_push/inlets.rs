//! What comes in: reports of the companion app (`engagement`), and delivery states (`status`). Both
//! are read and authenticated here; whose notification a token is, and what follows, is the
//! engine's.
//!
//! No public material says how the provider reports states of pushes. The `status` inlet reads the
//! schema that its messaging API uses for text messages, and its proof is our convention.

use bellwether_model::connector::{EngagementKind, EngagementReport, Inbound, StatusReport};
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::notification::Delivery;
use bellwether_model::secret::Secret;
use bellwether_model::time::Time;
use serde::Deserialize;
use serde_json::Value;

use crate::proof::{MacKey, SharedKey, same, unhex};

/// The header with `sha256=<hex>`, the HMAC of a status body.
const SIGNATURE: &str = "x-status-signature";
/// The most characters of each field of a report.
const ID_MAX: usize = 128;
const TOKEN_MAX: usize = 512;
const CHOICE_MAX: usize = 64;
const COMMENT_MAX: usize = 2000;
const SHOWN_MAX: usize = 128;
const DEVICE_MAX: usize = 512;
/// The most jobs that one status call may speak of.
const JOBS_MAX: usize = 100;
/// The most of the provider's words that a report keeps, in characters.
const DETAIL_MAX: usize = 300;

/// The keys of both inlets.
#[derive(Debug)]
pub(crate) struct Inlets {
    app_key: SharedKey,
    status_secret: SharedKey,
    status_mac: Option<MacKey>,
}

impl Inlets {
    pub(crate) fn new(app_key: &Secret, status_secret: &Secret) -> Self {
        Self {
            app_key: SharedKey::new(app_key),
            status_secret: SharedKey::new(status_secret),
            status_mac: MacKey::new(status_secret.expose().as_bytes()),
        }
    }

    pub(crate) fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        match request.inlet.as_str() {
            "engagement" => self.engagement(request),
            "status" => self.status(request),
            _ => Err(RawAnswer::error(
                404,
                "no_such_inlet",
                "reports go to `engagement`, delivery states to `status`",
            )),
        }
    }

    fn engagement(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        if !self.app_key.matches_bearer(request.header("authorization")) {
            return Err(unauthorized(
                "wrong_key",
                "the app's key is missing or wrong",
            ));
        }
        let report: Report = serde_json::from_slice(&request.body)
            .map_err(|error| malformed(&format!("not a report: {error}")))?;
        report
            .read()
            .map(|report| vec![Inbound::Engagement(report)])
    }

    fn status(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        let signed = || {
            let shown = request
                .header(SIGNATURE)?
                .strip_prefix("sha256=")
                .and_then(unhex)?;
            let mac = self.status_mac.as_ref()?;
            Some(same(&mac.mac(&[&request.body]), &shown))
        };
        let shown = self
            .status_secret
            .matches_bearer(request.header("authorization"));
        if !shown && signed() != Some(true) {
            return Err(unauthorized(
                "wrong_signature",
                "the status secret or signature is missing or wrong",
            ));
        }
        let body: OneOrMany = serde_json::from_slice(&request.body)
            .map_err(|error| malformed(&format!("not a status: {error}")))?;
        let jobs = match body {
            OneOrMany::One(job) => vec![*job],
            OneOrMany::Many(jobs) => jobs,
        };
        if jobs.len() > JOBS_MAX {
            return Err(malformed(&format!("at most {JOBS_MAX} jobs in one call")));
        }
        jobs.into_iter()
            .map(|job| job.read().map(Inbound::Status))
            .collect()
    }
}

/// A call that nobody proved. Its word is what it is counted by.
fn unauthorized(code: &str, message: &str) -> RawAnswer {
    RawAnswer::error(401, code, message)
}

fn malformed(message: &str) -> RawAnswer {
    RawAnswer::error(400, "malformed", message)
}

/// A report as it stands on the wire. Unknown fields are for later versions of the app.
#[derive(Deserialize)]
struct Report {
    id: String,
    token: String,
    event: Word,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    shown: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    device: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Received,
    Opened,
    Acted,
    Dismissed,
}

impl Report {
    fn read(self) -> Result<EngagementReport, RawAnswer> {
        let some = |name: &str, text: &str| match text {
            "" => Err(malformed(&format!("`{name}` is empty"))),
            _ => Ok(()),
        };
        some("id", &self.id)?;
        some("token", &self.token)?;
        let choice = self.action.unwrap_or_default();
        let comment = self.comment.unwrap_or_default();
        let shown = self.shown.unwrap_or_default();
        let device = self.device.unwrap_or_default();
        for (name, text, most) in [
            ("id", &self.id, ID_MAX),
            ("token", &self.token, TOKEN_MAX),
            ("action", &choice, CHOICE_MAX),
            ("comment", &comment, COMMENT_MAX),
            ("shown", &shown, SHOWN_MAX),
            ("device", &device, DEVICE_MAX),
        ] {
            if text.len() > most && text.chars().count() > most {
                return Err(malformed(&format!(
                    "`{name}` has more than {most} characters"
                )));
            }
        }
        let at = match self.at.as_deref() {
            None | Some("") => None,
            Some(text) => {
                Some(Time::parse(text).map_err(|_| malformed("`at` is not an RFC 3339 instant"))?)
            }
        };
        let what = match self.event {
            Word::Received => EngagementKind::Received,
            Word::Opened => EngagementKind::Opened,
            Word::Dismissed => EngagementKind::Dismissed,
            Word::Acted => {
                some("action", &choice)?;
                EngagementKind::Acted { choice, comment }
            }
        };
        Ok(EngagementReport {
            id: self.id,
            token: Secret::new(self.token),
            what,
            shown,
            at,
            device,
        })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Job>),
    One(Box<Job>),
}

/// The status schema of the messaging API, as far as it says how far a push came.
#[derive(Deserialize)]
struct Job {
    job_id: String,
    #[serde(default)]
    deliveries: Vec<Destination>,
}

#[derive(Deserialize)]
struct Destination {
    #[serde(default)]
    delivery_attempts: Vec<Attempt>,
    /// `{"push_delivery_events": […]}`; the key differs by kind of message.
    #[serde(default)]
    events: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Attempt {
    #[serde(default)]
    state: String,
    #[serde(default)]
    gamma_code: Option<i64>,
}

impl Job {
    fn read(self) -> Result<StatusReport, RawAnswer> {
        if self.job_id.is_empty() || self.job_id.chars().count() > ID_MAX {
            return Err(malformed("`job_id` is empty or too long"));
        }
        let mut delivery = Delivery::Accepted;
        let mut words: Vec<String> = Vec::new();
        for destination in &self.deliveries {
            for attempt in &destination.delivery_attempts {
                delivery = delivery.merge(attempt.delivery());
                words.push(attempt.words());
            }
            for event in destination.all_events() {
                let status = event["status"].as_str().unwrap_or_default();
                delivery = delivery.merge(receipt(status));
                words.push(format!(
                    "{status} {}",
                    event["message"].as_str().unwrap_or_default()
                ));
            }
        }
        let detail: String = words.join("; ").chars().take(DETAIL_MAX).collect();
        Ok(StatusReport {
            reference: self.job_id,
            delivery,
            detail: detail.trim().to_owned(),
        })
    }
}

impl Destination {
    fn all_events(&self) -> impl Iterator<Item = &Value> {
        self.events.values().filter_map(Value::as_array).flatten()
    }
}

impl Attempt {
    /// *Sent* with code 0 was handed on, which is not yet delivered; any other code is an error.
    fn delivery(&self) -> Delivery {
        match (self.state.as_str(), self.gamma_code.unwrap_or(0)) {
            ("Sent", 0) => Delivery::HandedOff,
            ("Sent" | "Error" | "Cancelled", _) => Delivery::Failed,
            _ => Delivery::Accepted,
        }
    }

    fn words(&self) -> String {
        match self.gamma_code {
            None | Some(0) => self.state.clone(),
            Some(code) => format!("{} (code {code})", self.state),
        }
    }
}

/// A receipt that came later. An unknown word says nothing that we could rely on.
fn receipt(status: &str) -> Delivery {
    match status {
        "Confirmed" | "Delivered" => Delivery::Delivered,
        "Expired" => Delivery::Expired,
        "Failed" | "Rejected" | "Undeliverable" => Delivery::Failed,
        _ => Delivery::Accepted,
    }
}
