//! What was said in a life so far, in the words of `expected.rs`, licence by licence and in order.

use std::collections::BTreeMap;

use bellwether_engine::store::{EventQuery, Views};
use bellwether_model::event::Event;
use bellwether_store::Database;

/// Read once each, however often is looked.
#[derive(Debug, Default)]
pub(super) struct Said {
    last: Option<i64>,
    words: BTreeMap<String, Vec<String>>,
}

impl Said {
    /// Reads what came since the last time.
    pub(super) async fn look(&mut self, database: &Database) {
        database.projected().await;
        loop {
            let query = EventQuery {
                after: self.last,
                limit: 1_000,
                ..EventQuery::default()
            };
            let mut page = Views::events(database, query).await.unwrap().items;
            page.sort_by_key(|event| event.position);
            let Some(last) = page.last() else { return };
            self.last = Some(last.position);
            for (uuid, word) in page.iter().filter_map(word_of) {
                self.words.entry(uuid).or_default().push(word);
            }
        }
    }

    pub(super) fn of(&self, uuid: &str) -> &[String] {
        self.words.get(uuid).map_or(&[], Vec::as_slice)
    }

    /// The licences of which anything was said.
    pub(super) fn licences(&self) -> impl Iterator<Item = &String> {
        self.words.keys()
    }

    pub(super) fn count(&self) -> u64 {
        self.words.values().map(|words| words.len() as u64).sum()
    }
}

/// A said event in the words of `expected.rs`, with the licence that it is about.
fn word_of(event: &Event) -> Option<(String, String)> {
    let kind = event.envelope.kind.strip_prefix("smintio.")?;
    let data = &event.envelope.data;
    let number = |noun: &str| data[noun]["threshold"].to_string();
    let word = match kind {
        "asset.review_required" => "review".to_owned(),
        "asset.updated" => "updated".to_owned(),
        "license.expired" => "expired".to_owned(),
        "license.renewed" => "renewed".to_owned(),
        "license.expiring" => format!("expiring {}", number("license")),
        "license.usage_limit_near" | "license.usage_limit_reached" => {
            format!("limit {}", number("limit"))
        }
        "compliance.violation" => {
            format!("violation.{}", data["violation"]["rule"].as_str().unwrap())
        }
        "sync.failed" | "sync.recovered" => {
            // Of our own link nothing is expected here.
            let message = data["sync"]["message"].as_str().unwrap_or_default();
            let uuid = message.strip_prefix("transaction ")?;
            return Some((uuid.to_owned(), kind.to_owned()));
        }
        _ if kind.starts_with("request.") => kind.to_owned(),
        _ => return None,
    };
    let uuid = data["transaction"]["uuid"].as_str()?;
    Some((uuid.to_owned(), word))
}
