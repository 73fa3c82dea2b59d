//! The mailbox as a source: what came since a cursor, one mail by its id, and the mailbox's own
//! list for recounts. How a mail is read is in `parse`; what is done with the event is the
//! engine's.
//!
//! Ids in the ledger: `m:<id>` a message that came, `a:<id>` a message that counts only now (a
//! draft that was sent, a mail that a person took out of spam), `r:<id>:<history>` a message that
//! was read. Drafts and chats are never events; spam and trash are ignored when they are fetched,
//! and the listing leaves them out as well, so that both ways count the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::BoxFuture;
use bellwether_model::connector::{Discovered, Fetched, Listing, Source};
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::time::{Millis, Time};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::client::{ANSWER_TOO_DEEP, ANSWER_TOO_LARGE, Call, decode, path};
use super::parse::{self, Input, Mail, Rules};
use super::quota::Lane;
use super::refusal;
use super::wire::{HistoryPage, HistoryRecord, Message, MessagePage, Part, Profile};
use super::{Gmail, READ, RECEIVED, SENT};

/// A mail up to this size is read as it was transmitted; a larger one without its attachments.
const RAW_MAX: usize = 2 << 20;
/// Up to this size several mails are read at the same time.
const SMALL_MAX: usize = 512 << 10;
/// The tree of a mail without attachments is not read beyond this; its header still is.
const TREE_ANSWER_MAX: usize = 8 << 20;
/// A history page holds at most this many records, and a listing this many ids.
const PAGE: &str = "500";
/// One large fetch runs at a time in the process: several at once would not fit the memory that the
/// server promises to keep within.
static LARGE: Semaphore = Semaphore::const_new(1);
/// So many ids with failures that were the provider's are remembered.
const CLEAN_MAX: usize = 1000;

/// How much of a mail is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Raw,
    LargeRaw,
    Tree,
    Head,
}

/// A message that was fetched, and the right to have a large one in memory.
#[derive(Debug)]
struct InHand {
    message: Message,
    depth: Depth,
    large: Option<SemaphorePermit<'static>>,
}

/// The answer that holds a mail of that size: base64 and the JSON around it.
const fn answer_of(size: usize) -> usize {
    size / 3 * 4 + 64 * 1024
}

/// Attempts that ended in a refusal by the provider. They say nothing against the mail itself, so
/// they do not lead to a simpler reading.
#[derive(Debug, Default)]
pub(super) struct CleanFailures(Mutex<HashMap<String, u32>>);

impl CleanFailures {
    fn note(&self, id: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= CLEAN_MAX {
            counts.clear();
        }
        *counts.entry(id.to_owned()).or_default() += 1;
    }

    fn forget(&self, id: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(id);
    }

    fn of(&self, id: &str) -> u32 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(id).copied().unwrap_or(0)
    }
}

/// An id of the ledger, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry<'a> {
    Came(&'a str),
    Read(&'a str, &'a str),
}

impl<'a> Entry<'a> {
    fn of(id: &'a str) -> Option<Self> {
        match id.split_once(':')? {
            ("m" | "a", message) if !message.is_empty() => Some(Self::Came(message)),
            ("r", rest) => {
                let (message, history) = rest.split_once(':')?;
                Some(Self::Read(message, history))
            }
            _ => None,
        }
    }

    fn message(self) -> &'a str {
        match self {
            Self::Came(message) | Self::Read(message, _) => message,
        }
    }
}

impl Source for Gmail {
    fn poll_every(&self) -> Millis {
        self.setup.poll
    }

    fn sweep_every(&self) -> Millis {
        self.setup.sweep
    }

    fn discover<'a>(
        &'a self,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Discovered, Failure>> {
        Box::pin(self.changes(cursor))
    }

    fn fetch<'a>(&'a self, id: &'a str, attempt: u32) -> BoxFuture<'a, Result<Fetched, Failure>> {
        Box::pin(async move {
            let suspicion = attempt.saturating_sub(self.clean.of(id));
            let result = self.fetch_at(id, suspicion).await;
            match &result {
                Err(failure) if failure.class != FailureClass::Bug => self.clean.note(id),
                Err(_) => {}
                Ok(_) => self.clean.forget(id),
            }
            result
        })
    }

    fn stub(&self, id: &str, reason: &str, now: Time) -> NewEvent {
        let entry = Entry::of(id);
        let message = Message {
            id: entry.map_or(id, Entry::message).to_owned(),
            internal_date: now.millis().to_string(),
            ..Message::default()
        };
        let mail = Mail {
            unreadable: true,
            unreadable_reason: Some(parse::clean::line(reason, 300)),
            auto_submitted: "no",
            mailbox: self.setup.mailbox.clone(),
            ..Mail::default()
        };
        self.event(&message, mail, entry.unwrap_or(Entry::Came(id)))
    }

    fn listing<'a>(
        &'a self,
        since: Time,
        page: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Listing, Failure>> {
        Box::pin(async move {
            // Bare dates mean midnight in California; seconds mean what they say.
            let query = format!(
                "after:{} -in:drafts",
                since.seconds().saturating_sub(1).max(0)
            );
            let mut call = Call::get("messages", Lane::Sweep, 5)
                .with("q", &query)
                .with("includeSpamTrash", "false")
                .with("maxResults", PAGE);
            if let Some(page) = page {
                call = call.with("pageToken", page);
            }
            let found: MessagePage = self.client.json(call).await?;
            Ok(Listing {
                ids: found
                    .messages
                    .iter()
                    .map(|one| format!("m:{}", one.id))
                    .collect(),
                next: found.next_page_token.filter(|token| !token.is_empty()),
            })
        })
    }
}

impl Gmail {
    /// Step 1. The cursor is a history id, or within a list of pages `<history id>/<page token>`:
    /// the new history id is right only after the last page.
    async fn changes(&self, cursor: Option<&str>) -> Result<Discovered, Failure> {
        let Some(cursor) = cursor else {
            let profile: Profile = self.client.json(super::profile()).await?;
            return Ok(Discovered::New {
                ids: Vec::new(),
                cursor: profile.history_id,
                more: false,
            });
        };
        let (start, page) = match cursor.split_once('/') {
            Some((start, page)) => (start, Some(page)),
            None => (cursor, None),
        };
        let mut call = Call::get("history", Lane::Fetch, 2)
            .with("startHistoryId", start)
            .with("historyTypes", "messageAdded")
            .with("historyTypes", "labelAdded")
            .with("historyTypes", "labelRemoved")
            .with("maxResults", PAGE);
        if let Some(page) = page {
            call = call.with("pageToken", page);
        }
        let found: HistoryPage = match self.client.json(call).await {
            Ok(found) => found,
            Err(failure) if refusal::is_gone(&failure) => return Ok(Discovered::Expired),
            // A page token lives shorter than the history: begin the pages again, at the next poll.
            Err(failure) if failure.code == refusal::BAD_REQUEST && page.is_some() => {
                return Ok(Discovered::New {
                    ids: Vec::new(),
                    cursor: start.to_owned(),
                    more: false,
                });
            }
            Err(failure) => return Err(failure),
        };
        let mut ids = Vec::new();
        for record in &found.history {
            ids_of(record, &mut ids);
        }
        let next = found.next_page_token.filter(|token| !token.is_empty());
        let cursor = match &next {
            Some(token) => format!("{start}/{token}"),
            None if found.history_id.is_empty() => start.to_owned(),
            None => found.history_id,
        };
        Ok(Discovered::New {
            ids,
            cursor,
            more: next.is_some(),
        })
    }

    async fn fetch_at(&self, id: &str, suspicion: u32) -> Result<Fetched, Failure> {
        let Some(entry) = Entry::of(id) else {
            let message = format!("`{id}` is not an id of this source");
            return Err(Failure::bug("bad_id", message));
        };
        let depth = match (entry, suspicion) {
            (Entry::Read(..), _) => Depth::Head,
            (Entry::Came(_), 0 | 1) => Depth::Raw,
            (Entry::Came(_), 2) => Depth::Tree,
            (Entry::Came(_), _) => Depth::Head,
        };
        let fetched = match self.message(entry.message(), depth).await {
            Ok(fetched) => fetched,
            Err(failure) if refusal::is_gone(&failure) => return Ok(Fetched::Gone),
            Err(failure) => return Err(failure),
        };
        if let Some(reason) = ignored(&fetched.message) {
            return Ok(Fetched::Ignored(reason));
        }
        let depth = fetched.depth;
        let (mut message, mut mail) = self.read(fetched).await?;
        if depth == Depth::Head && matches!(entry, Entry::Came(_)) {
            mail.unreadable = true;
            mail.text_cut = true;
            let reason = if suspicion >= 3 {
                "reading its text has failed before; only its header was read"
            } else {
                "its text is too large to be read here"
            };
            mail.unreadable_reason = Some(reason.to_owned());
        }
        message.payload = None;
        message.label_ids = self.named(message.label_ids).await?;
        let event = self.event(&message, mail, entry);
        if event.kind == SENT && event.data["mail"]["own"] == true {
            return Ok(Fetched::Ignored("own"));
        }
        Ok(Fetched::Event(Box::new(event)))
    }

    /// Gets a message as deep as asked for, or less deep when it is too large for that.
    async fn message(&self, id: &str, mut depth: Depth) -> Result<InHand, Failure> {
        loop {
            let (format, most) = match depth {
                Depth::Raw => ("raw", answer_of(SMALL_MAX)),
                Depth::LargeRaw => ("raw", answer_of(RAW_MAX)),
                Depth::Tree => ("full", TREE_ANSWER_MAX),
                Depth::Head => ("metadata", 1 << 20),
            };
            let call = Call::get(path(&["messages", id]), Lane::Fetch, 20)
                .with("format", format)
                .at_most(most);
            let large = match depth {
                Depth::LargeRaw | Depth::Tree => LARGE.acquire().await.ok(),
                Depth::Raw | Depth::Head => None,
            };
            match self.client.json::<Message>(call).await {
                Ok(message) => {
                    return Ok(InHand {
                        message,
                        depth,
                        large,
                    });
                }
                Err(failure) if [ANSWER_TOO_LARGE, ANSWER_TOO_DEEP].contains(&&*failure.code) => {
                    depth = match depth {
                        Depth::Raw => Depth::LargeRaw,
                        Depth::LargeRaw => Depth::Tree,
                        Depth::Tree => Depth::Head,
                        Depth::Head => {
                            return Err(Failure::bug("unreadable_mail", failure.message));
                        }
                    };
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Reads the mail apart from the reactor, where a hostile one costs nobody else's time.
    async fn read(&self, fetched: InHand) -> Result<(Message, Mail), Failure> {
        let (mailbox, authserv) = (self.setup.mailbox.clone(), self.setup.authserv.clone());
        let InHand {
            mut message,
            depth,
            large,
        } = fetched;
        let reading = tokio::task::spawn_blocking(move || {
            let rules = Rules {
                mailbox: &mailbox,
                authserv: &authserv,
            };
            let raw = message.raw.take().and_then(|text| decode(&text));
            let empty = Part::default();
            let tree = message.payload.as_ref().unwrap_or(&empty);
            let input = match (&raw, depth) {
                (Some(raw), _) => Input::Raw(raw),
                (None, Depth::Head) => Input::Head(tree),
                (None, _) => Input::Tree(tree),
            };
            let mail = parse::read(input, rules);
            (message, mail)
        });
        let read = reading.await;
        drop(large);
        // A panic ends that task alone.
        read.map_err(|_| {
            let message = "a mail made its reader fail; it is read more simply next";
            Failure::bug("unreadable_mail", message)
        })
    }

    /// The event for a mail that was read.
    fn event(&self, message: &Message, mut mail: Mail, entry: Entry<'_>) -> NewEvent {
        let connection = &self.host.connection;
        let at = Time::from_millis(message.internal_date.parse().unwrap_or(0));
        mail.id.clone_from(&message.id);
        mail.thread_id.clone_from(&message.thread_id);
        mail.labels = message
            .label_ids
            .iter()
            .take(100)
            .map(|label| parse::clean::line(label, 100))
            .collect();
        mail.at = at.to_string();
        mail.link = format!("https://mail.google.com/mail/#all/{}", message.id);
        mail.size = mail
            .size
            .or(Some(message.size_estimate).filter(|size| *size > 0));
        let from = mail.from.as_ref().and_then(|from| from.address.clone());
        let claim = mail.claim.take().filter(|claim| {
            claim.holds(
                self.host.signer.as_ref(),
                from.as_deref().unwrap_or_default(),
            )
        });
        mail.own = claim.is_some();
        let aliases = aliases(connection, &mail);
        let subject = mail.rfc_message_id.clone();
        let (kind, id) = match entry {
            Entry::Read(id, history) => (READ, format!("read:{id}:{history}")),
            Entry::Came(id) if message.has("SENT") && !message.has("INBOX") => {
                (SENT, id.to_owned())
            }
            // Mail to oneself carries both labels; what counts is that it arrived, unless we sent
            // it.
            Entry::Came(id) if message.has("SENT") && mail.own => (SENT, id.to_owned()),
            Entry::Came(id) => (RECEIVED, id.to_owned()),
        };
        let mut event = NewEvent::new(connection, id, kind, at, parse::payload(mail));
        event.subject = subject.or_else(|| Some(message.id.clone()));
        event.aliases = aliases;
        if let Some(claim) = claim {
            event.case = claim.case;
            event.hop = claim.hop;
        }
        event
    }
}

/// The names under which somebody may already wait for the mail.
fn aliases(connection: &str, mail: &Mail) -> Vec<Alias> {
    let mut aliases = Vec::new();
    if !mail.thread_id.is_empty() {
        aliases.push(Alias::new(
            "thread",
            format!("{connection}/{}", mail.thread_id),
        ));
    }
    let ids = mail
        .rfc_message_id
        .iter()
        .chain(&mail.in_reply_to)
        .chain(&mail.references);
    for id in ids {
        let alias = Alias::new("message-id", id.as_str());
        if !aliases.contains(&alias) {
            aliases.push(alias);
        }
    }
    if let Some(token) = &mail.reply_token {
        aliases.push(Alias::new("reply", token.as_str()));
    }
    aliases
}

/// What of one history record concerns us, oldest first.
fn ids_of(record: &HistoryRecord, ids: &mut Vec<String>) {
    let mut push = |id: String| {
        if !ids.contains(&id) {
            ids.push(id);
        }
    };
    for change in &record.messages_added {
        let labels = &change.message.label_ids;
        // Every autosave makes a new draft; fetching them would use up the mailbox's quota.
        if !labels.iter().any(|label| label == "DRAFT") {
            push(format!("m:{}", change.message.id));
        }
    }
    for change in &record.labels_added {
        if change.label_ids.iter().any(|label| label == "SENT") {
            push(format!("a:{}", change.message.id));
        }
    }
    for change in &record.labels_removed {
        for label in &change.label_ids {
            match label.as_str() {
                "UNREAD" => push(format!("r:{}:{}", change.message.id, record.id)),
                "SPAM" | "DRAFT" => push(format!("a:{}", change.message.id)),
                _ => {}
            }
        }
    }
}

/// Why a message is nothing for flows, if so.
fn ignored(message: &Message) -> Option<&'static str> {
    [
        ("DRAFT", "draft"),
        ("SPAM", "spam"),
        ("TRASH", "trash"),
        ("CHAT", "chat"),
    ]
    .into_iter()
    .find(|(label, _)| message.has(label))
    .map(|(_, reason)| reason)
}
