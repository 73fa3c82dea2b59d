//! The licence feed as the engine reads it: cursors, the silent baseline, one event per changed
//! transaction. What the record says is read in `wire.rs`; what follows from it is in `memory`.
//!
//! A cursor of ours says more than the provider's: `b:…` while the first read is going on, with the
//! numbers of what it swallowed, and `l:…` after it. So a crash in the middle of the first read
//! leaves it silent.

use std::collections::BTreeMap;

use bellwether_model::BoxFuture;
use bellwether_model::event::NewEvent;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::feed::{Batch, Ear, Feed, Handed, Judging, Record};
use bellwether_model::time::{Millis, Time};
use serde_json::{Map, Value, json};

use super::client::{CURSOR_UNKNOWN, RATE_LIMITED};
use super::record::{Phase, Rules, Transaction};
use super::triggers::{DAYS, PERCENT};
use super::{BASELINE, LINK, Smintio, TRANSACTION, UNREADABLE, memory, wire};
use crate::oauth::encoded;

/// A licence whose files cannot be read is told without them after so many attempts.
const FILE_ATTEMPTS: u32 = 3;
/// The same when the provider limits the calls: that passes.
const LIMITED_ATTEMPTS: u32 = 12;
/// What an unreadable record shows of itself, in bytes.
const SHOWN_MAX: usize = 4_096;

/// What the first read swallowed, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Swallowed {
    transactions: u64,
    expired: u64,
    limits: u64,
    reviews: u64,
    open: u64,
    unreadable: u64,
}

impl Swallowed {
    fn write(self) -> String {
        let all = [
            self.transactions,
            self.expired,
            self.limits,
            self.reviews,
            self.open,
            self.unreadable,
        ];
        all.map(|n| n.to_string()).join(",")
    }

    fn read(text: &str) -> Self {
        let mut numbers = text.split(',').map(|n| n.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            transactions: next(),
            expired: next(),
            limits: next(),
            reviews: next(),
            open: next(),
            unreadable: next(),
        }
    }

    fn count(&mut self, record: &Value, rules: &Rules, now: Time) {
        self.transactions += 1;
        let Ok(read) = wire::transaction(record, "") else {
            self.unreadable += 1;
            return;
        };
        let said = memory::swallows(&read, rules, now);
        self.expired += u64::from(said.expired);
        self.limits += u64::from(said.limit);
        self.reviews += u64::from(said.review);
        let phase = read.state.as_deref().and_then(Phase::of);
        let open = matches!(phase, Some(Phase::Submitted | Phase::Approved));
        self.open += u64::from(open);
    }
}

/// Where reading is.
#[derive(Debug)]
enum Place {
    First(Swallowed, String),
    Later(String),
}

impl Place {
    fn read(cursor: Option<&str>) -> Self {
        match cursor {
            None => Self::First(Swallowed::default(), String::new()),
            Some(cursor) => match cursor.split_once(':') {
                Some(("b", rest)) => {
                    let (numbers, cursor) = rest.split_once(':').unwrap_or((rest, ""));
                    Self::First(Swallowed::read(numbers), cursor.to_owned())
                }
                Some((_, rest)) => Self::Later(rest.to_owned()),
                None => Self::Later(String::new()),
            },
        }
    }

    fn cursor(&self) -> &str {
        match self {
            Self::First(_, cursor) | Self::Later(cursor) => cursor,
        }
    }
}

impl Smintio {
    async fn page(&self, cursor: &str) -> Result<Option<wire::Page>, Failure> {
        let limit = self.setup.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        if !cursor.is_empty() {
            query.push(("continuationUuid", cursor));
        }
        let answer = match self.client.get(&self.setup.transactions_path, &query).await {
            Ok(answer) => answer,
            Err(failure) if failure.code == CURSOR_UNKNOWN && cursor.is_empty() => {
                let words =
                    "the feed refuses to be read from its start; it is asked again by itself";
                return Err(Failure::retry("no_start", words, None));
            }
            Err(failure) if failure.code == CURSOR_UNKNOWN => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let page: wire::Page = serde_json::from_value(answer).map_err(|error| {
            let words = format!(
                "a page of the feed has another form than expected; check `transactions_path`: {error}"
            );
            Failure::misconfigured("bad_page", words)
        })?;
        if page.records.is_none() {
            let words = "the answer has no license_purchase_transactions: is it the feed's path?";
            return Err(Failure::misconfigured("bad_page", words));
        }
        Ok(Some(page))
    }

    async fn handed(&self, cursor: Option<&str>, judging: &Judging) -> Result<Handed, Failure> {
        let place = Place::read(cursor);
        let Some(page) = self.page(place.cursor()).await? else {
            return Ok(match place {
                // Nothing was told yet: the first read begins anew, and stays silent.
                Place::First(..) => Handed::Batch(Batch {
                    cursor: format!("b:{}:", Swallowed::default().write()),
                    more: true,
                    ..Batch::default()
                }),
                Place::Later(_) => Handed::Expired,
            });
        };
        let records = page.records.unwrap_or_default();
        let old = place.cursor().to_owned();
        let next = page.continuation_uuid.filter(|next| !next.is_empty());
        // Without a new cursor the same records would come for ever: the next poll asks again.
        let more = !records.is_empty() && next.as_ref().is_some_and(|next| *next != old);
        let next = next.unwrap_or(old);
        let now = self.host.clock.now();
        let rules = self.rules(judging);
        let generation = judging.generation;
        Ok(Handed::Batch(match place {
            Place::Later(_) => Batch {
                records: self.records(records, false, &rules, generation),
                cursor: format!("l:{next}"),
                more,
                ..Batch::default()
            },
            Place::First(mut swallowed, _) => {
                for record in &records {
                    swallowed.count(record, &rules, now);
                }
                let mut batch = Batch {
                    records: self.records(records, true, &rules, generation),
                    cursor: format!("b:{}:{next}", swallowed.write()),
                    more,
                    ..Batch::default()
                };
                if !more {
                    batch.records.push(self.summary(swallowed));
                    batch.cursor = format!("l:{next}");
                }
                batch
            }
        }))
    }

    /// What the connection says of times, with the thresholds that flows want.
    fn rules(&self, judging: &Judging) -> Rules {
        let of = |name: &str| judging.thresholds.get(name).cloned().unwrap_or_default();
        Rules {
            days: of(DAYS),
            percents: of(PERCENT),
            ..self.setup.rules.clone()
        }
    }

    fn records(
        &self,
        records: Vec<Value>,
        baseline: bool,
        rules: &Rules,
        generation: u64,
    ) -> Vec<Record> {
        let generation = format!("g{generation}");
        let of = |record: Value| {
            let (id, subject) = wire::identity(&record, &generation);
            // Moved, not copied: a first read has very many of them.
            let mut body = Map::new();
            body.insert("baseline".to_owned(), baseline.into());
            body.insert("record".to_owned(), record);
            body.insert("rules".to_owned(), json!(rules));
            Record {
                id,
                subject,
                body: body.into(),
            }
        };
        records.into_iter().map(of).collect()
    }

    /// What the first read swallowed, as a record of its own at its end.
    fn summary(&self, swallowed: Swallowed) -> Record {
        let body = json!({"summary": {
            "transactions": swallowed.transactions, "open": swallowed.open,
            "expired": swallowed.expired, "limits": swallowed.limits,
            "reviews": swallowed.reviews, "unreadable": swallowed.unreadable,
        }});
        Record {
            id: format!("baseline/{}", swallowed.write()),
            subject: "baseline".to_owned(),
            body,
        }
    }

    async fn told(&self, record: &Record, attempt: u32) -> Result<NewEvent, Failure> {
        let now = self.host.clock.now();
        let name = &self.host.connection;
        if let Some(summary) = record.body.get("summary") {
            let data = json!({ "baseline": summary });
            return Ok(NewEvent::new(name, &*record.id, BASELINE, now, data));
        }
        let raw = &record.body["record"];
        let mut read = wire::transaction(raw, &self.setup.web_url)
            .map_err(|reason| Failure::reject("unreadable_record", reason))?;
        self.add_files(&mut read, attempt).await?;
        let time = [&read.updated_at, &read.created_at]
            .into_iter()
            .flatten()
            .find_map(|text| Time::parse(text).ok());
        let watched = self.setup.watched.iter().find(|one| one.holds(&read));
        let mut data = json!({
            "transaction": read,
            "rules": record.body["rules"],
            "baseline": record.body["baseline"],
        });
        if let Some(watched) = watched {
            data["campaign"] = json!(watched);
        }
        let time = time.unwrap_or(now);
        let mut event = NewEvent::new(name, &*record.id, TRANSACTION, time, data);
        event.subject = Some(record.subject.clone());
        Ok(event)
    }

    /// Reads the files of a licence. One licence whose files cannot be read stops nothing: it is
    /// told without them.
    async fn add_files(&self, read: &mut Transaction, attempt: u32) -> Result<(), Failure> {
        let (Some(true), Some(cart)) = (read.can_be_synced, &read.cart_uuid) else {
            return Ok(());
        };
        if !self.setup.files {
            return Ok(());
        }
        let names = [
            "cartPurchaseTransactionUuid",
            "licensePurchaseTransactionUuid",
        ];
        let values = [cart.as_str(), read.uuid.as_str()];
        let mut path = self.setup.binaries_path.clone();
        let mut query = Vec::new();
        for (name, value) in names.into_iter().zip(values) {
            let place = format!("{{{name}}}");
            if path.contains(&place) {
                path = path.replace(&place, &encoded(value));
            } else {
                query.push((name, value));
            }
        }
        let failure = match self.client.get(&path, &query).await {
            Ok(list) => {
                read.files = wire::files(&list);
                if read.files.is_none() {
                    read.doubts.push("files".to_owned());
                }
                return Ok(());
            }
            Err(failure) => failure,
        };
        let most = match (failure.class, failure.code.as_str()) {
            (FailureClass::Reauthorise, _) => u32::MAX,
            (_, RATE_LIMITED) => LIMITED_ATTEMPTS,
            (FailureClass::Retry { .. }, _) => FILE_ATTEMPTS,
            _ => 1,
        };
        if attempt < most {
            return Err(failure);
        }
        tracing::warn!(
            connection.name = %self.host.connection,
            "the files of {} could not be read: {failure}", read.uuid
        );
        read.doubts.push("files".to_owned());
        Ok(())
    }
}

impl Feed for Smintio {
    fn poll_every(&self) -> Millis {
        self.setup.poll
    }

    fn reread_every(&self) -> Option<Millis> {
        Some(self.setup.reread)
    }

    fn judged_by(&self) -> String {
        json!([self.setup.rules, self.setup.watched, self.setup.files]).to_string()
    }

    fn read<'a>(
        &'a self,
        cursor: Option<&'a str>,
        judging: &'a Judging,
    ) -> BoxFuture<'a, Result<Handed, Failure>> {
        Box::pin(self.handed(cursor, judging))
    }

    fn start(&self) -> String {
        "l:".to_owned()
    }

    fn event<'a>(
        &'a self,
        record: &'a Record,
        attempt: u32,
    ) -> BoxFuture<'a, Result<NewEvent, Failure>> {
        Box::pin(self.told(record, attempt))
    }

    fn stub(&self, record: &Record, reason: &str, now: Time) -> NewEvent {
        let raw = &record.body["record"];
        let mut shown = raw.to_string();
        let mut end = shown.len().min(SHOWN_MAX);
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown.truncate(end);
        let uuid = raw["uuid"].as_str().unwrap_or_default();
        let data = json!({"unreadable": {"uuid": uuid, "reason": reason, "record": shown}});
        let mut event = NewEvent::new(&self.host.connection, &*record.id, UNREADABLE, now, data);
        event.subject = Some(record.subject.clone());
        event
    }

    fn link(&self, failure: Option<&Failure>, now: Time) -> Option<NewEvent> {
        Some(link_event(&self.host.connection, "feed", failure, now))
    }

    fn listen<'a>(&'a self, ear: &'a dyn Ear) -> BoxFuture<'a, ()> {
        Box::pin(super::hints::listen(self, ear))
    }
}

/// How a part of our link is, for the memory that watches it.
pub(super) fn link_event(
    connection: &str,
    part: &str,
    failure: Option<&Failure>,
    now: Time,
) -> NewEvent {
    let mut link: BTreeMap<&str, Value> = BTreeMap::new();
    link.insert("part", part.into());
    link.insert("ok", failure.is_none().into());
    if let Some(failure) = failure {
        let person = matches!(
            failure.class,
            FailureClass::Reauthorise | FailureClass::Misconfigured
        );
        link.insert("code", failure.code.as_str().into());
        link.insert("message", failure.message.as_str().into());
        link.insert("needs_person", person.into());
    }
    let word = failure.map_or("ok", |failure| failure.code.as_str());
    let id = format!("link/{part}/{word}/{}", now.0);
    let mut event = NewEvent::new(connection, id, LINK, now, json!({ "link": link }));
    event.subject = Some(format!("link/{part}"));
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_keeps_whether_the_first_read_is_over() {
        assert!(matches!(Place::read(None), Place::First(..)));
        let swallowed = Swallowed {
            transactions: 7,
            unreadable: 1,
            ..Swallowed::default()
        };
        let text = format!("b:{}:abc:d", swallowed.write());
        let Place::First(read, cursor) = Place::read(Some(&text)) else {
            panic!("still the first read");
        };
        assert_eq!((read, cursor.as_str()), (swallowed, "abc:d"));
        for (text, wanted) in [("l:", ""), ("l:abc", "abc"), ("abc", "")] {
            let Place::Later(cursor) = Place::read(Some(text)) else {
                panic!("{text}: the first read is over");
            };
            assert_eq!(cursor, wanted);
        }
    }
}
