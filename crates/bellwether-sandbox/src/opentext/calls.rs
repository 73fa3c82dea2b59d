//! The log of push calls, for counting by an independent party: what came, what was answered, and
//! what became of it on the phones.

use crate::phones::Channel;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Calls remembered; older ones are forgotten and only counted.
pub(crate) const MAX_CALLS: usize = 20_000;

/// One push call, accepted or not.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Number of the call, from 1, without holes.
    pub(crate) number: u64,
    /// Flow time.
    pub(crate) at: Timestamp,
    pub(crate) channel: Channel,
    pub(crate) path: String,
    /// User, OAuth client or app that proved itself; never a password or token.
    pub(crate) caller: Option<String>,
    pub(crate) submit_id: Option<String>,
    /// The inner payload; for the gateway, the whole body. Null when it was not JSON.
    pub(crate) inner: Value,
    pub(crate) status: u16,
    pub(crate) answer: Value,
    pub(crate) job_id: Option<String>,
    /// What happened behind the call: person or device, what, flow time.
    pub(crate) fates: Vec<(String, String, Timestamp)>,
}

impl Call {
    fn to_json(&self) -> Value {
        let accepted = (200..300).contains(&self.status);
        json!({
            "n": self.number, "at": self.at, "channel": self.channel, "path": self.path,
            "caller": self.caller, "submit_id": self.submit_id, "inner": self.inner,
            "accepted": accepted, "answer": {"status": self.status, "body": self.answer},
            "job_id": self.job_id, "fates": self.fates.iter().map(fate_json).collect::<Vec<_>>(),
            "undeliverable": self.fates.iter().any(|(_, what, _)| what == "undeliverable"),
        })
    }
}

fn fate_json((who, what, at): &(String, String, Timestamp)) -> Value {
    json!({"who": who, "what": what, "at": at})
}

/// Remembers calls, at most [`MAX_CALLS`].
#[derive(Debug, Default)]
pub(crate) struct Calls {
    total: u64,
    kept: VecDeque<Call>,
}

impl Calls {
    /// The number that the next call gets.
    pub(crate) fn next(&self) -> u64 {
        self.total + 1
    }

    /// Adds a call; its number is given here.
    pub(crate) fn add(&mut self, mut call: Call) -> u64 {
        self.total += 1;
        call.number = self.total;
        if self.kept.len() >= MAX_CALLS {
            self.kept.pop_front();
        }
        self.kept.push_back(call);
        self.total
    }

    /// Adds what became of a call; forgotten calls are passed over.
    pub(crate) fn fate(&mut self, number: u64, who: &str, what: &str, at: Timestamp) {
        let first = self.total + 1 - self.kept.len() as u64;
        let index = number
            .checked_sub(first)
            .and_then(|i| usize::try_from(i).ok());
        if let Some(call) = index.and_then(|i| self.kept.get_mut(i)) {
            call.fates.push((who.to_owned(), what.to_owned(), at));
        }
    }

    /// The total of calls, and the remembered ones with a number above `after`.
    pub(crate) fn after(&self, after: u64, most: usize) -> Value {
        let items = self.kept.iter().filter(|c| c.number > after).take(most);
        json!({"total": self.total, "items": items.map(Call::to_json).collect::<Vec<_>>()})
    }

    /// The newest calls first, for the page.
    pub(crate) fn newest(&self, most: usize) -> Vec<Call> {
        self.kept.iter().rev().take(most).cloned().collect()
    }
}
