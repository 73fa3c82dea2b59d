//! Finds out what became of a mail whose sending ended without an answer. A draft that is still
//! there was not sent; one that is gone was sent if our mark stands on a sent message.

use bellwether_model::connector::{Action, Reconciled};
use bellwether_model::failure::Failure;
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use super::Gmail;
use super::client::{Call, path};
use super::marker;
use super::quota::Lane;
use super::refusal;
use super::send::is_of;
use super::wire::{Draft, Message, MessagePage, Thread};

/// Search and threads may show a sent mail late; before this has passed, not finding it proves
/// nothing.
const VISIBLE_AFTER: Millis = Millis::minutes(2);
/// How soon it is asked again until then.
const AGAIN: Millis = Millis::seconds(15);
/// So many of the newest sent messages are looked at when the thread does not show it.
const SENT_LOOKED_AT: &str = "25";

/// What an attempt keeps before it sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) draft: String,
    pub(super) thread: String,
}

impl Saved {
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let saved = Self {
            draft: text("draft"),
            thread: text("thread"),
        };
        (!saved.draft.is_empty()).then_some(saved)
    }

    pub(super) fn value(&self) -> Value {
        json!({ "draft": self.draft, "thread": self.thread })
    }
}

impl Gmail {
    /// Answers for `send` and `reply`.
    pub(super) async fn became(&self, action: &Action<'_>) -> Result<Reconciled, Failure> {
        if !self.setup.can_draft {
            return Ok(Reconciled::Unknown);
        }
        // The draft's id is committed before the draft is sent: without it nothing was sent.
        let Some(saved) = action.saved.and_then(Saved::read) else {
            return Ok(Reconciled::NotDone);
        };
        let call =
            Call::get(path(&["drafts", &saved.draft]), Lane::Send, 20).with("format", "minimal");
        match self.client.json::<Draft>(call).await {
            Ok(_) => return Ok(Reconciled::NotDone),
            Err(failure) if refusal::is_gone(&failure) => {}
            Err(failure) => return Err(failure),
        }
        let found = match self.in_thread(&saved.thread, action).await? {
            Some(message) => Some(message),
            None => self.in_sent(action).await?,
        };
        if let Some(message) = found {
            return Ok(Reconciled::Done(self.outcome_of(&message, "")));
        }
        if self.client.now().since(action.since) < VISIBLE_AFTER {
            let message = "the draft is gone and the sent mail does not show yet";
            return Err(Failure::retry("not_visible_yet", message, Some(AGAIN)));
        }
        Ok(Reconciled::Unknown)
    }

    async fn in_thread(&self, id: &str, action: &Action<'_>) -> Result<Option<Message>, Failure> {
        if id.is_empty() {
            return Ok(None);
        }
        let call = Call::get(path(&["threads", id]), Lane::Send, 40)
            .with("format", "metadata")
            .with("metadataHeaders", marker::EFFECT)
            .with("metadataHeaders", "Message-ID");
        match self.client.json::<Thread>(call).await {
            Ok(thread) => Ok(thread
                .messages
                .into_iter()
                .find(|message| was_sent(message, action))),
            Err(failure) if refusal::is_gone(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn in_sent(&self, action: &Action<'_>) -> Result<Option<Message>, Failure> {
        let call = Call::get("messages", Lane::Send, 5)
            .with("labelIds", "SENT")
            .with("maxResults", SENT_LOOKED_AT);
        let page: MessagePage = self.client.json(call).await?;
        for one in page.messages {
            let call = Call::get(path(&["messages", &one.id]), Lane::Send, 20)
                .with("format", "metadata")
                .with("metadataHeaders", marker::EFFECT)
                .with("metadataHeaders", "Message-ID");
            match self.client.json::<Message>(call).await {
                Ok(message) if was_sent(&message, action) => return Ok(Some(message)),
                Ok(_) => {}
                Err(failure) if refusal::is_gone(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }
}

fn was_sent(message: &Message, action: &Action<'_>) -> bool {
    is_of(message, action) && !message.has("DRAFT")
}
