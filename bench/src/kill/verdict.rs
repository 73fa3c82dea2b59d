//! The accounting: what the sender, the server's own lists and the provider say of every event,
//! laid side by side, and every disagreement named.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::left::Left;
use super::load::Standing;
use crate::id::{BenchId, ID_LEN};
use crate::sink::Receipt;

/// How many examples are kept of each kind of disagreement.
const EXAMPLES: usize = 5;
/// States in which nothing happens any more.
const SETTLED: [&str; 6] = [
    "done",
    "failed",
    "maybe_sent",
    "cancelled",
    "suppressed",
    "expired",
];

/// All that is known of one event.
#[derive(Debug, Clone, Default)]
struct Account {
    accepted: bool,
    doubt: bool,
    recorded: u32,
    notifications: u32,
    attempts: u64,
    maybe: bool,
    settled: bool,
    state: String,
    effect: String,
    pushes: u64,
    note: u64,
    other_note: bool,
    last_push: u64,
}

impl Account {
    /// Whether the server itself says that it may have been sent more than once, or not at all.
    fn marked(&self) -> bool {
        self.attempts > 1 || self.maybe
    }
}

/// The counts over all events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Events that were answered with 2xx.
    pub(super) accepted: u64,
    /// Events whose answer was lost and that were not sent again.
    pub(super) in_doubt: u64,
    /// Events in the record.
    pub(super) recorded: u64,
    /// Events of which exactly one notification came.
    pub(super) decided: u64,
    /// Pushed exactly once.
    pub(super) sent_once: u64,
    /// Pushed more than once, with the attempts to show for it.
    pub(super) sent_twice_marked: u64,
    /// Pushed more often than the record shows attempts. Must be 0.
    pub(super) sent_twice_unmarked: u64,
    /// Never pushed, and the record says that nobody can know.
    pub(super) not_sent_marked: u64,
    /// Accepted and not in the record, or recorded and neither sent nor marked. Must be 0.
    pub(super) lost: u64,
    /// In the record or decided more than once. Must be 0.
    pub(super) doubled_inside: u64,
    /// In the record without having been sent to it. Must be 0.
    pub(super) unknown: u64,
    /// Notifications that still wait. Must be 0.
    pub(super) unsettled: u64,
    /// Notifications with more than one attempt, or in the state `maybe_sent`.
    pub(super) ambiguous: u64,
    /// Of those, how many no life of the server had in flight when it was killed. Must be 0.
    pub(super) ambiguous_unexplained: u64,
    /// The most whose last push came between two kills. What is sent again waits a second, and
    /// many a life is shorter, so these are of several lives and may pass the limit.
    pub(super) sent_again_between_kills_max: u64,
    /// How many lives had sent those first.
    pub(super) sent_again_of_lives: usize,
}

/// The accounts of all events.
#[derive(Debug)]
pub(super) struct Accounts {
    run: u16,
    events: Vec<Account>,
    kills: Vec<u64>,
    /// The counts, after [`Accounts::close`].
    pub(super) counts: Counts,
    /// Examples of what must not be.
    pub(super) examples: BTreeMap<&'static str, Vec<String>>,
}

impl Accounts {
    /// Accounts of events by number; `kills` are the moments of the kills in order.
    pub(super) fn new(run: u16, standings: Vec<Standing>, kills: &[u64]) -> Self {
        let events = standings
            .into_iter()
            .map(|standing| Account {
                accepted: standing == Standing::Accepted,
                doubt: standing == Standing::Doubt,
                ..Account::default()
            })
            .collect();
        Self {
            run,
            events,
            kills: kills.to_vec(),
            counts: Counts::default(),
            examples: BTreeMap::new(),
        }
    }

    /// A row of the list of events; others than the bench's are left out.
    pub(super) fn event(&mut self, row: &Value) {
        // The server's own events may carry our id within theirs; only the whole id is ours.
        let ours = row["id"].as_str().is_some_and(|id| id.len() == ID_LEN);
        if let Some(account) = ours.then(|| self.account(&row["id"])).flatten() {
            account.recorded += 1;
        }
    }

    /// A row of the list of notifications.
    pub(super) fn notification(&mut self, row: &Value) {
        let Some(account) = self.account(&row["title"]) else {
            return;
        };
        account.notifications += 1;
        account.attempts += row["attempts"].as_u64().unwrap_or(0);
        let state = row["state"].as_str().unwrap_or_default();
        account.maybe |= state == "maybe_sent" || row["delivery"] == "maybe_sent";
        account.settled = SETTLED.contains(&state);
        state.clone_into(&mut account.state);
        let effect = row["id"].as_str().unwrap_or_default();
        effect.clone_into(&mut account.effect);
    }

    /// A push as the provider got it.
    pub(super) fn receipt(&mut self, receipt: Receipt) {
        let name = Value::String(receipt.id.to_string());
        if let Some(account) = self.account(&name) {
            account.pushes += 1;
            account.other_note |= account.pushes > 1 && account.note != receipt.note;
            account.note = receipt.note;
            account.last_push = account.last_push.max(receipt.at);
        }
    }

    fn account(&mut self, text: &Value) -> Option<&mut Account> {
        let id = BenchId::find(text.as_str()?.as_bytes()).filter(|id| id.run == self.run)?;
        let number = id.number as usize;
        let sent = |event: &Account| event.accepted || event.doubt;
        if !self.events.get(number).is_some_and(sent) {
            self.counts.unknown += 1;
            self.example("unknown", id.number, "was never sent as a whole");
            return None;
        }
        self.events.get_mut(number)
    }

    /// Draws the line: counts everything and names what must not be.
    pub(super) fn close(&mut self, left: &Left) {
        let mut between = BTreeMap::<usize, (u64, HashSet<&str>)>::new();
        for (number, account) in std::mem::take(&mut self.events).iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.counts.accepted += u64::from(account.accepted);
            self.counts.in_doubt += u64::from(account.doubt);
            self.counts.recorded += u64::from(account.recorded > 0);
            self.counts.decided += u64::from(account.notifications == 1);
            if account.marked() {
                self.counts.ambiguous += 1;
                let senders = left.senders(&account.effect);
                if senders.is_none() {
                    self.counts.ambiguous_unexplained += 1;
                    let why = format!("was in flight at no kill: {account:?}");
                    self.example("ambiguous_unexplained", number, &why);
                }
                if account.last_push > 0 {
                    let kill = self.kills.partition_point(|at| *at <= account.last_push);
                    let (count, lives) = between.entry(kill).or_default();
                    *count += 1;
                    lives.extend(senders.into_iter().flatten().map(String::as_str));
                }
            }
            self.judge(number, account);
        }
        if let Some((count, lives)) = between.into_values().max_by_key(|(count, _)| *count) {
            self.counts.sent_again_between_kills_max = count;
            self.counts.sent_again_of_lives = lives.len();
        }
    }

    fn judge(&mut self, number: u32, account: &Account) {
        if account.recorded == 0 && account.notifications == 0 && account.pushes == 0 {
            if account.accepted {
                self.counts.lost += 1;
                self.example("lost", number, "was accepted and is not in the record");
            }
            return;
        }
        if account.recorded != 1 || account.notifications > 1 || account.other_note {
            self.counts.doubled_inside += 1;
            self.example("doubled_inside", number, &format!("is {account:?}"));
        }
        if account.notifications > 0 && !account.settled {
            self.counts.unsettled += 1;
            self.example("unsettled", number, &format!("is `{}`", account.state));
        }
        match account.pushes {
            0 if account.marked() => self.counts.not_sent_marked += 1,
            0 => {
                self.counts.lost += 1;
                let why = format!("is recorded and was never pushed: `{}`", account.state);
                self.example("lost", number, &why);
            }
            1 => self.counts.sent_once += 1,
            pushes if pushes <= account.attempts => self.counts.sent_twice_marked += 1,
            pushes => {
                self.counts.sent_twice_unmarked += 1;
                let why = format!("came {pushes} times in {} attempts", account.attempts);
                self.example("sent_twice_unmarked", number, &why);
            }
        }
    }

    fn example(&mut self, kind: &'static str, number: u32, why: &str) {
        let id = BenchId {
            run: self.run,
            number,
        };
        let examples = self.examples.entry(kind).or_default();
        if examples.len() < EXAMPLES {
            examples.push(format!("{id} {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DOUBT: Standing = Standing::Doubt;
    const TAKEN: Standing = Standing::Accepted;

    fn id(number: u32) -> BenchId {
        BenchId { run: 1, number }
    }

    fn record(accounts: &mut Accounts, number: u32, attempts: u64, state: &str, pushes: &[u64]) {
        accounts.event(&json!({"id": id(number).to_string(), "position": number}));
        let title = format!("{} from Huber", id(number));
        let effect = format!("effect-{number}");
        accounts.notification(
            &json!({"id": effect, "title": title, "attempts": attempts, "state": state}),
        );
        for at in pushes {
            accounts.receipt(Receipt {
                id: id(number),
                at: *at,
                note: 9,
            });
        }
    }

    /// What the log says when these attempts were in flight at one kill.
    fn left(effects: &[u32]) -> Left {
        let line = |number: &u32| {
            let effect = format!("effect-{number}");
            let fields = json!({"effect.id": effect, "attempt": 1, "owner": "one"});
            json!({ "fields": fields }).to_string() + "\n"
        };
        let log: String = effects.iter().map(line).collect();
        Left::read([log.as_str()])
    }

    #[test]
    fn a_right_record_has_no_complaint() {
        let standings = vec![TAKEN, TAKEN, TAKEN, DOUBT, DOUBT, Standing::Unsent];
        let mut accounts = Accounts::new(1, standings, &[100]);
        record(&mut accounts, 0, 1, "done", &[50]);
        record(&mut accounts, 1, 2, "done", &[90, 150]);
        record(&mut accounts, 2, 1, "maybe_sent", &[]);
        record(&mut accounts, 3, 1, "done", &[50]);
        accounts.close(&left(&[1, 2]));
        let wanted = Counts {
            accepted: 3,
            in_doubt: 2,
            recorded: 4,
            decided: 4,
            sent_once: 2,
            sent_twice_marked: 1,
            not_sent_marked: 1,
            ambiguous: 2,
            sent_again_between_kills_max: 1,
            sent_again_of_lives: 1,
            ..Counts::default()
        };
        assert_eq!(accounts.counts, wanted);
        assert!(accounts.examples.is_empty(), "{:?}", accounts.examples);
    }

    #[test]
    fn every_wrong_is_named() {
        let mut accounts = Accounts::new(1, vec![TAKEN; 7], &[]);
        record(&mut accounts, 1, 1, "done", &[10, 20]);
        record(&mut accounts, 2, 1, "done", &[]);
        record(&mut accounts, 3, 1, "queued", &[10]);
        record(&mut accounts, 4, 1, "done", &[10]);
        accounts.event(&json!({"id": id(4).to_string()}));
        accounts.event(&json!({"id": id(5).to_string()}));
        accounts.event(&json!({"id": id(99).to_string()}));
        accounts.event(&json!({"id": "somebody else's"}));
        record(&mut accounts, 6, 2, "done", &[10]);
        accounts.receipt(Receipt {
            id: id(6),
            at: 20,
            note: 10,
        });
        accounts.close(&left(&[]));
        let counts = &accounts.counts;
        assert_eq!(counts.lost, 3, "not recorded, not pushed, not decided");
        assert_eq!(counts.sent_twice_unmarked, 1);
        assert_eq!(counts.unsettled, 1);
        assert_eq!(counts.doubled_inside, 2);
        assert_eq!(counts.unknown, 1);
        assert_eq!(
            counts.ambiguous_unexplained, 1,
            "tried twice without a kill"
        );
        assert_eq!(accounts.examples.len(), 6);
    }
}
