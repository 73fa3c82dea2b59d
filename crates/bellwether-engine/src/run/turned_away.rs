//! What the ways in refuse: counted by reason and kept with the newest few, for every connection
//! alike. Callers need no secret for it, so a refusal costs no write of its own: they are gathered
//! in memory and written together, the first at once and the others within a second.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::{hash, hex};
use bellwether_model::time::Millis;
use serde_json::Value;
use tokio::sync::Notify;

use super::Engine;
use crate::seam::TurnedAway;
use crate::store::{InletStep, OTHER, RefusalCount, RefusalSample, Refusals, StoreError};

/// How long refusals are gathered between two writes.
const GATHER: Millis = Millis::seconds(1);
/// The most characters of a reason's word, of its sentence and of an inlet's name.
const WORD_MAX: usize = 40;
const MESSAGE_MAX: usize = 300;
const INLET_MAX: usize = 60;
/// How many bytes of a body's hash are kept: enough to see that two are the same.
const HASH_BYTES: usize = 6;
/// The reason of a request that was taken before: it was answered well, and nothing came of it.
const SEEN_BEFORE: &str = "seen_before";

/// What was refused and is not yet written, by connection.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    by_connection: Mutex<BTreeMap<String, Refusals>>,
    /// Held while what was gathered is on its way: who reads then waits for it.
    writing: tokio::sync::Mutex<()>,
    wake: Notify,
}

impl Gathered {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Refusals>> {
        self.by_connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Notes what a request was told, if it was refused. `again`: it had been taken before.
    pub(super) fn note_answer(
        &self,
        connection: &str,
        caller: Option<IpAddr>,
        request: &RawRequest,
        answer: &RawAnswer,
        again: bool,
    ) {
        let (code, message) = if (400..500).contains(&answer.status) {
            let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            (text("error"), text("message"))
        } else if again {
            let message = "the same request came before; it was recognised, and nothing was done";
            (SEEN_BEFORE.to_owned(), message.to_owned())
        } else {
            return;
        };
        let away = TurnedAway {
            inlet: request.inlet.clone(),
            caller,
            status: answer.status,
            code,
            message,
            bytes: request.body.len() as u64,
        };
        let seen = hex(&hash(&[&request.body])[..HASH_BYTES]);
        self.gather(connection, away, seen);
    }

    /// Gathers a refusal; only for connections that are set up, so that nobody can make rows up.
    pub(super) fn gather(&self, connection: &str, away: TurnedAway, hash: String) {
        if !self.setup().links.contains_key(connection) {
            return;
        }
        let at = self.transport_now();
        let caller = away.caller.map(|address| address.to_canonical());
        let caller = caller.map_or_else(String::new, |address| address.to_string());
        let reason = word(&away.code);
        let count = RefusalCount {
            reason: reason.clone(),
            message: away.message.chars().take(MESSAGE_MAX).collect(),
            count: 1,
            first_at: at,
            last_at: at,
            caller: caller.clone(),
        };
        let sample = RefusalSample {
            at,
            reason,
            status: away.status,
            inlet: away.inlet.chars().take(INLET_MAX).collect(),
            caller,
            bytes: away.bytes,
            hash,
        };
        let mut all = self.inner.turned_away.lock();
        let refusals = all.entry(connection.to_owned()).or_default();
        refusals.add(count);
        refusals.keep(sample);
        drop(all);
        self.inner.turned_away.wake.notify_one();
    }

    pub(super) async fn turned_away_loop(&self) {
        while !self.stopping() {
            tokio::select! {
                () = self.inner.turned_away.wake.notified() => {}
                () = self.stopped() => return,
            }
            if let Err(error) = self.write_turned_away().await {
                tracing::warn!("refused requests are counted later: {error}");
            }
            let due = self.transport_now() + GATHER;
            tokio::select! {
                () = self.inner.parts.transport_clock.wait_until(due) => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Writes what was gathered. What could not be written is gathered again.
    pub(super) async fn write_turned_away(&self) -> Result<(), StoreError> {
        let _writing = self.inner.turned_away.writing.lock().await;
        let mut all = std::mem::take(&mut *self.inner.turned_away.lock());
        while let Some((connection, refusals)) = all.pop_first() {
            // A repeat is what senders do; it is counted, and no line for whoever reads the log.
            let wrong = refusals
                .counts
                .iter()
                .filter(|row| row.reason != SEEN_BEFORE);
            let wrong: Vec<String> = wrong
                .map(|row| format!("{} × {}", row.count, row.reason))
                .collect();
            if !wrong.is_empty() {
                let wrong = wrong.join(", ");
                tracing::warn!(connection.name = %connection, "requests were not taken: {wrong}");
            }
            let step = InletStep::Refused(refusals.clone());
            if let Err(error) = self.store().inlet(&connection, step).await {
                all.insert(connection, refusals);
                self.gather_again(all);
                return Err(error);
            }
        }
        Ok(())
    }

    fn gather_again(&self, unwritten: BTreeMap<String, Refusals>) {
        let mut all = self.inner.turned_away.lock();
        for (connection, mut refusals) in unwritten {
            let since = all.remove(&connection).unwrap_or_default();
            since.counts.into_iter().for_each(|row| refusals.add(row));
            since.newest.into_iter().for_each(|one| refusals.keep(one));
            all.insert(connection, refusals);
        }
        drop(all);
        self.inner.turned_away.wake.notify_one();
    }

    /// What a connection refused, what was just gathered included.
    pub(super) async fn refusals_of(&self, connection: &str) -> Result<Refusals, StoreError> {
        // Who looks because the disk is full must see what stands there.
        if let Err(error) = self.write_turned_away().await {
            tracing::debug!("refused requests are counted later: {error}");
        }
        let state = self.store().inlet(connection, InletStep::Refusals).await?;
        Ok(state.refusals)
    }
}

/// A reason's word as it may stand in a row.
fn word(code: &str) -> String {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if code.is_empty() || code.len() > WORD_MAX || !code.chars().all(good) {
        return OTHER.to_owned();
    }
    code.to_owned()
}
