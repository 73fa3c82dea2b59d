//! Jobs of the messaging API: the states of a job and of its one destination, and the answer of the
//! status route. The states and the shape of an answer follow the public status of text messages;
//! that there is such a route for pushes is **our invention** and marked so in every answer.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Jobs remembered; the oldest are forgotten first.
const MAX_JOBS: usize = 20_000;
/// Jobs are purged this many seconds of flow time after completion: the low end of "3-7 days".
pub(crate) const DEFAULT_PURGE_SECONDS: i64 = 3 * 24 * 3600;

/// The seven states of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Pending,
    Submitted,
    InProcess,
    Held,
    /// Failed inside; no delivery was tried.
    Error,
    /// Taken back inside; no delivery was tried.
    Cancelled,
    /// Handed to Firebase. Not the same as delivered.
    Sent,
}

impl Destination {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Submitted => "Submitted",
            Self::InProcess => "InProcess",
            Self::Held => "Held",
            Self::Error => "Error",
            Self::Cancelled => "Cancelled",
            Self::Sent => "Sent",
        }
    }

    fn job_state(self) -> &'static [&'static str] {
        match self {
            Self::Pending => &["AwaitingSetup"],
            Self::Submitted => &["Setup", "Processing"],
            Self::InProcess => &["Processing"],
            Self::Held => &["Processing", "AwaitingDelivery"],
            Self::Error => &["Complete", "Error"],
            Self::Cancelled | Self::Sent => &["Complete", "Posted"],
        }
    }

    fn running(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Submitted | Self::InProcess | Self::Held
        )
    }
}

/// One submitted push.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    entered: Timestamp,
    /// The device, once the payload was read.
    device: Option<String>,
    destination: Destination,
    /// 0 = fine; the other numbers are ours.
    gamma_code: u32,
    first_attempt: Option<Timestamp>,
    completed: Option<Timestamp>,
    /// Receipts; they may come long after the job is complete.
    events: Vec<(Timestamp, String, String)>,
}

impl Job {
    fn new(entered: Timestamp) -> Self {
        Self {
            entered,
            device: None,
            destination: Destination::Pending,
            gamma_code: 0,
            first_attempt: None,
            completed: None,
            events: Vec::new(),
        }
    }
}

/// All jobs by number.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: BTreeMap<u64, Job>,
}

impl Jobs {
    pub(crate) fn begin(&mut self, number: u64, now: Timestamp) {
        if self.jobs.len() >= MAX_JOBS {
            self.jobs.pop_first();
        }
        self.jobs.insert(number, Job::new(now));
    }

    pub(crate) fn set_device(&mut self, number: u64, device: &str) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.device = Some(device.to_owned());
        }
    }

    /// Moves a job's destination on.
    pub(crate) fn step(&mut self, number: u64, to: Destination, gamma_code: u32, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&number) else {
            return;
        };
        job.destination = to;
        job.gamma_code = gamma_code;
        if to == Destination::Sent {
            job.first_attempt.get_or_insert(now);
        }
        if !to.running() {
            job.completed = Some(now);
        }
    }

    /// A receipt comes in.
    pub(crate) fn event(&mut self, number: u64, status: &str, message: &str, now: Timestamp) {
        if let Some(job) = self.jobs.get_mut(&number) {
            job.events
                .push((now, status.to_owned(), message.to_owned()));
        }
    }

    /// The status answer; none for a job that is unknown or purged.
    pub(crate) fn status(&mut self, job_id: &str, purge: i64, now: Timestamp) -> Option<Value> {
        let kept = |job: &Job| {
            job.completed
                .is_none_or(|c| now.duration_since(c) < SignedDuration::from_secs(purge))
        };
        self.jobs.retain(|_, job| kept(job));
        let job = self.jobs.get(&number(job_id)?)?;
        let events: Vec<Value> = job.events.iter().map(event_json).collect();
        let attempt = json!({"state": job.destination.name(), "gamma_code": job.gamma_code,
            "first_attempt": job.first_attempt});
        Some(json!({
            "sandbox_extension": "There is no public status call for pushes; this one is invented.",
            "job_id": job_id,
            "entry_time": job.entered,
            "job_state": job.destination.job_state(),
            "deliveries": [{
                "push": job.device,
                "delivery_attempts": [attempt],
                "events": {"push_delivery_events": events},
            }],
        }))
    }
}

fn event_json((at, status, message): &(Timestamp, String, String)) -> Value {
    json!({"event_time": at, "status": status, "message": message, "tags": []})
}

/// `usme-<n>` for a job number.
pub(crate) fn job_id(number: u64) -> String {
    format!("usme-{number}")
}

fn number(job_id: &str) -> Option<u64> {
    job_id.strip_prefix("usme-")?.parse().ok()
}
