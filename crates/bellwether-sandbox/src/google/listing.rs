//! Lists that are read page by page: `messages.list`, `threads.list` and `drafts.list` share the
//! search and the page tokens here. A page token is a place in the order, so new mail does not
//! shift a page.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::errors::GoogleError;
use super::mailbox::{Mailbox, Stored};
use super::matching::matches;
use super::query::{self, Query};

/// Entries of a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;
/// Entries of a page at most.
pub(crate) const PAGE_LIMIT: usize = 500;

/// What messages and threads may be searched with.
pub(crate) const PARAMETERS: [&str; 5] = [
    "q",
    "labelIds",
    "includeSpamTrash",
    "maxResults",
    "pageToken",
];

/// What to list.
#[derive(Debug)]
pub(crate) struct Search {
    query: Query,
    labels: Vec<String>,
    spam_trash: bool,
    most: usize,
    place: Option<(i64, u64)>,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) messages: Vec<Stored>,
    pub(crate) next: Option<String>,
    /// How many there are from here on, at least.
    pub(crate) estimate: usize,
}

impl Found {
    /// The page as it is answered: its entries under `name`, which is left out when there are none.
    pub(crate) fn answer(&self, name: &str, entry: impl Fn(&Stored) -> Option<Value>) -> Value {
        let mut answer = Map::new();
        let entries: Vec<Value> = self.messages.iter().filter_map(entry).collect();
        if !entries.is_empty() {
            answer.insert(name.to_owned(), Value::Array(entries));
        }
        if let Some(next) = &self.next {
            answer.insert("nextPageToken".to_owned(), json!(next));
        }
        answer.insert("resultSizeEstimate".to_owned(), json!(self.estimate));
        Value::Object(answer)
    }
}

impl Search {
    /// Reads `q`, `labelIds`, `includeSpamTrash`, `maxResults` and `pageToken`.
    pub(crate) fn new(call: &Call) -> Result<Self, GoogleError> {
        let text = call.param("q").unwrap_or_default();
        if !text.is_empty() && call.metadata_only() {
            let message = "Metadata scope does not support 'q' parameter";
            return Err(GoogleError::forbidden(message));
        }
        let query = query::parse(text, call.world.clock.now().as_millisecond());
        let labels: Vec<String> = call
            .all("labelIds")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let named = labels.iter().any(|l| l == "TRASH" || l == "SPAM");
        let spam_trash = call.flag("includeSpamTrash")? || named || query.asks_for_spam_or_trash();
        let place = match call.param("pageToken").filter(|t| !t.is_empty()) {
            None => None,
            Some(token) => {
                Some(place(token).ok_or_else(|| GoogleError::invalid("Invalid pageToken"))?)
            }
        };
        let most = call.most(DEFAULT_PAGE, PAGE_LIMIT)?;
        let known = call.mailbox(|m| labels.iter().all(|l| m.labels.known(l)));
        if !known {
            return Err(GoogleError::invalid(format!(
                "Invalid label: {}",
                labels.join(", ")
            )));
        }
        Ok(Self {
            query,
            labels,
            spam_trash,
            most,
            place,
        })
    }

    /// Only messages that also carry this label.
    pub(crate) fn only(mut self, label: &str) -> Self {
        self.labels.push(label.to_owned());
        self
    }

    fn wants(&self, message: &Stored, mailbox: &Mailbox) -> bool {
        self.labels.iter().all(|l| message.has(l))
            && (self.spam_trash || !(message.has("TRASH") || message.has("SPAM")))
            && matches(&self.query, message, &mailbox.labels)
    }

    /// A page of messages.
    pub(crate) fn messages(&self, mailbox: &Mailbox) -> Found {
        self.page(mailbox, |_| true)
    }

    /// A page of the newest matching message of each thread.
    pub(crate) fn threads(&self, mailbox: &Mailbox) -> Found {
        let mut seen = HashSet::new();
        if self.place.is_some() {
            // Threads of earlier pages are not shown again.
            let newer = mailbox.newest_first().filter(|m| {
                self.place
                    .is_some_and(|place| (m.internal_date, m.id) >= place)
            });
            seen.extend(newer.filter(|m| self.wants(m, mailbox)).map(|m| m.thread));
        }
        self.page(mailbox, |message| seen.insert(message.thread))
    }

    fn page(&self, mailbox: &Mailbox, mut also: impl FnMut(&Stored) -> bool) -> Found {
        let mut found = Found {
            messages: Vec::new(),
            next: None,
            estimate: 0,
        };
        for message in mailbox.older_than(self.place) {
            if !self.wants(message, mailbox) || !also(message) {
                continue;
            }
            if found.messages.len() == self.most {
                let last = &found.messages[self.most - 1];
                found.next = Some(token(last.internal_date, last.id));
                break;
            }
            found.messages.push(message.clone());
        }
        found.estimate = found.messages.len() + usize::from(found.next.is_some());
        found
    }
}

fn token(date: i64, id: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{date}.{id}"))
}

fn place(token: &str) -> Option<(i64, u64)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (date, id) = text.split_once('.')?;
    Some((date.parse().ok()?, id.parse().ok()?))
}
