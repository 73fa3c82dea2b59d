//! Quota in units: what each call of the Gmail API costs, how much each mailbox used, and the
//! refusal when a limit for the minute is set. Costs are those that Google publishes, in two
//! profiles.

use std::collections::BTreeMap;

use axum::http::Method;
use serde::{Deserialize, Serialize};

use super::errors::GoogleError;
use crate::clock::real_now;

/// Which table of costs applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Profile {
    /// Projects that used the API before May 2026.
    #[serde(rename = "legacy")]
    Legacy,
    /// Newer projects.
    #[default]
    #[serde(rename = "2026")]
    From2026,
}

/// What one mailbox used.
#[derive(Debug, Default)]
struct Used {
    total: u64,
    minute: i64,
    in_minute: u64,
}

/// The meter of all mailboxes.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    /// Units a mailbox may use in a minute of real time; 0 = no limit.
    pub(crate) per_minute: u64,
    pub(crate) profile: Profile,
    /// Refuse with 403 instead of 429: Google does both.
    pub(crate) forbid: bool,
    used: BTreeMap<String, Used>,
}

impl Quota {
    /// Charges a call; a refused call costs nothing.
    pub(crate) fn charge(&mut self, address: &str, units: u64) -> Result<(), GoogleError> {
        let minute = real_now().as_second() / 60;
        let used = self.used.entry(address.to_owned()).or_default();
        if used.minute != minute {
            used.minute = minute;
            used.in_minute = 0;
        }
        if self.per_minute > 0 && used.in_minute + units > self.per_minute {
            return Err(GoogleError::quota(if self.forbid { 403 } else { 429 }));
        }
        used.in_minute += units;
        used.total += units;
        Ok(())
    }

    /// Units used by each mailbox since the start.
    pub(crate) fn totals(&self) -> BTreeMap<&str, u64> {
        self.used
            .iter()
            .map(|(address, used)| (address.as_str(), used.total))
            .collect()
    }
}

/// The units of a call by its method and path.
pub(crate) fn units(profile: Profile, method: &Method, path: &str) -> u64 {
    let rest = path.split_once("/users/").map_or("", |(_, rest)| rest);
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    let new = |legacy, from_2026| match profile {
        Profile::Legacy => legacy,
        Profile::From2026 => from_2026,
    };
    match (method.as_str(), parts.as_slice()) {
        (_, ["messages" | "drafts", "send"] | ["watch"]) => 100,
        (_, ["stop"] | ["messages", "batchModify" | "batchDelete"]) => 50,
        ("POST" | "PUT", ["messages"] | ["messages", "import"]) => 25,
        ("GET", ["messages" | "drafts", _] | ["messages", _, "attachments", _]) => new(5, 20),
        ("GET", ["threads", _]) => new(10, 40),
        ("DELETE", ["threads", _]) => 20,
        (_, ["messages", _, "trash"]) => new(5, 20),
        (_, ["threads", _, "trash"]) => new(10, 20),
        ("PUT", ["drafts", _]) => 15,
        ("DELETE", ["messages" | "drafts", _]) | (_, ["threads", ..]) | ("POST", ["drafts"]) => 10,
        (_, ["messages" | "drafts", ..]) => 5,
        ("GET", ["labels", ..]) => 1,
        (_, ["labels", ..]) => 5,
        (_, ["history"]) => 2,
        _ => 1,
    }
}
