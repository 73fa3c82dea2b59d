//! The counts: the server's events and ledger, and beside them what the mailbox itself lists, read
//! through the provider's API without the server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scene::{CONNECTION, Scene};
use crate::error::{During, Outcome, fault};

/// The type whose events are counted.
const RECEIVED: &str = "gmail.message.received";
/// The code of the dead letters of mail that could not be read.
const UNREADABLE: &str = "unreadable_item";
/// How often the ledger is asked.
const ASK: Duration = Duration::from_millis(200);
/// So long the ledger may stand still before the cursor counts as stuck.
const STILL_MAX: Duration = Duration::from_secs(120);
/// Rows per page of the API.
const PAGE: usize = 200;
/// More pages than any corpus fills.
const PAGES_MAX: usize = 10_000;

/// The server's own counts of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) received: u64,
    pub(super) matched: u64,
    pub(super) unmatched: u64,
    pub(super) failed: u64,
    pub(super) pending: u64,
    pub(super) ignored: u64,
    pub(super) gone: u64,
    pub(super) gaps: u64,
}

impl Ledger {
    fn settles(&self, mails: u64) -> bool {
        self.pending == 0 && self.received + self.failed + self.gone >= mails
    }
}

/// What the record holds of the mailbox.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// How often each message is there.
    times: BTreeMap<String, u64>,
    /// Event ids, with the source.
    ids: BTreeSet<String>,
    /// All of them.
    pub(super) total: u64,
    /// Marked as unreadable in whole or in part.
    pub(super) unreadable: Vec<String>,
}

impl Events {
    /// Messages, or event ids, that are there more than once.
    pub(super) fn doubled(&self) -> u64 {
        let messages = self.times.values().filter(|times| **times > 1).count() as u64;
        messages.max(self.total - self.ids.len() as u64)
    }

    /// How many of the listed messages are not there.
    pub(super) fn lack(&self, listed: &[String]) -> u64 {
        listed
            .iter()
            .filter(|id| !self.times.contains_key(*id))
            .count() as u64
    }

    fn take(&mut self, event: &Value) {
        let mail = &event["data"]["mail"];
        let id = mail["id"].as_str().unwrap_or_default().to_owned();
        if mail["unreadable"] == true {
            let reason = mail["unreadable_reason"].as_str().unwrap_or("no reason");
            let subject = mail["subject"].as_str().unwrap_or("(no subject)");
            let subject: String = subject.chars().take(40).collect();
            self.unreadable.push(format!("{subject}: {reason}"));
        }
        *self.times.entry(id).or_default() += 1;
        let (source, name) = (&event["source"], &event["id"]);
        self.ids.insert(format!("{source} {name}"));
        self.total += 1;
    }
}

/// The ledger now.
pub(super) async fn ledger(scene: &Scene) -> Outcome<Ledger> {
    let path = format!("/api/connections/{CONNECTION}/ledger");
    serde_json::from_value(scene.api(&path).await?).during("the ledger has another shape")
}

/// All events of received mail, page by page.
pub(super) async fn events(scene: &Scene) -> Outcome<Events> {
    let mut events = Events::default();
    let mut after = String::from("0");
    for _ in 0..PAGES_MAX {
        let path = format!("/api/events?type={RECEIVED}&limit={PAGE}&after={after}");
        let page = scene.api(&path).await?;
        let Some(items) = page["items"].as_array() else {
            return fault("/api/events gives no items");
        };
        items.iter().for_each(|event| events.take(event));
        match &page["next"] {
            Value::Null => return Ok(events),
            Value::String(next) => after.clone_from(next),
            next => after = next.to_string(),
        }
    }
    fault("/api/events does not end")
}

/// Dead letters of mail that could not be read.
pub(super) async fn dead_letters(scene: &Scene) -> Outcome<u64> {
    let page = scene.api("/api/dead-letters?limit=200").await?;
    let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(items.iter().filter(|row| row["code"] == UNREADABLE).count() as u64)
}

/// Waits until the server has its first cursor: what came before it is none of its business.
pub(super) async fn watching(scene: &mut Scene) -> Outcome<()> {
    let began = Instant::now();
    let path = format!("/api/connections/{CONNECTION}/ledger");
    while scene.api(&path).await?["cursor"].is_null() {
        if let Some(end) = scene.ended() {
            return fault(end);
        }
        if began.elapsed() > STILL_MAX {
            return fault(format!("the mailbox is not watched after {STILL_MAX:?}"));
        }
        tokio::time::sleep(ASK).await;
    }
    Ok(())
}

/// Waits until so many mails are settled and nothing is pending.
pub(super) async fn settled(scene: &mut Scene, mails: u64) -> Outcome<Ledger> {
    let mut last = (Ledger::default(), Instant::now());
    loop {
        let now = ledger(scene).await?;
        if now.settles(mails) {
            return Ok(now);
        }
        last = moving(scene, last, now, mails)?;
        tokio::time::sleep(ASK).await;
    }
}

/// The same, but ends as well, with false, when every fault that was set has hit.
pub(super) async fn settled_or_hit(scene: &mut Scene, mails: u64) -> Outcome<bool> {
    let mut last = (Ledger::default(), Instant::now());
    loop {
        let now = ledger(scene).await?;
        if now.settles(mails) {
            return Ok(true);
        }
        last = moving(scene, last, now, mails)?;
        let (hit, waiting) = scene.faults_hit().await?;
        if hit > 0 && waiting == 0 {
            return Ok(false);
        }
        tokio::time::sleep(ASK).await;
    }
}

/// When the ledger last moved; a fault when that was too long ago.
fn moving(
    scene: &mut Scene,
    last: (Ledger, Instant),
    now: Ledger,
    mails: u64,
) -> Outcome<(Ledger, Instant)> {
    if let Some(end) = scene.ended() {
        return fault(end);
    }
    if now != last.0 {
        return Ok((now, Instant::now()));
    }
    if last.1.elapsed() > STILL_MAX {
        return fault(format!(
            "the ledger stands still for {STILL_MAX:?} before {mails} mails are settled: {now:?}"
        ));
    }
    Ok(last)
}

/// What the server says is missing, without repairing it.
pub(super) async fn recount(scene: &Scene) -> Outcome<u64> {
    let answer = scene.verb("recount").await?;
    let missing = answer["missing"].as_u64();
    missing.map_or_else(|| fault("the recount gives no number"), Ok)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Events;

    #[test]
    fn a_doubled_and_a_lost_message_are_seen() {
        let mut events = Events::default();
        let event =
            |id: &str, mail: &str| json!({"source": "s", "id": id, "data": {"mail": {"id": mail}}});
        events.take(&event("1", "a"));
        events.take(&event("2", "b"));
        assert_eq!((events.doubled(), events.total), (0, 2));
        events.take(&event("3", "a"));
        assert_eq!(events.doubled(), 1);
        let listed = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(events.lack(&listed), 1);
    }
}
