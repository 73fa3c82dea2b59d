//! Sends mail: a draft is made, its id is kept, then the draft is sent. What Gmail did is read
//! back, because it may give another Message-ID. Finding out about unknown outcomes is in
//! `reconcile`.

use bellwether_model::connector::{Action, Outcome};
use bellwether_model::event::Alias;
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::notification::Delivery;
use serde_json::{Value, json};
use tracing::warn;

use super::client::{Call, encode, path};
use super::compose::{Composed, compose};
use super::quota::Lane;
use super::reconcile::Saved;
use super::refusal;
use super::wire::{Draft, Message};
use super::{Gmail, marker};

impl Gmail {
    /// Sends the mail of a `send` or `reply`.
    pub(super) async fn mail(
        &self,
        action: &Action<'_>,
        is_reply: bool,
    ) -> Result<Outcome, Failure> {
        let signer = self.host.signer.as_ref();
        let mail = compose(action, is_reply, &self.setup, signer, self.client.now())?;
        let sent = if self.setup.can_draft {
            let draft = self.draft(action, &mail).await?;
            self.send_draft(&draft).await?
        } else {
            let body = message_body(&mail, mail.thread.as_deref());
            let call = Call::post("messages/send", 100, body).sends();
            self.client.json::<Message>(call).await?
        };
        Ok(self.outcome(&sent, &mail.message_id).await)
    }

    /// The draft of this effect: the one that an earlier attempt saved or left behind, else a new
    /// one. Its id is committed when this returns.
    async fn draft(&self, action: &Action<'_>, mail: &Composed) -> Result<String, Failure> {
        if let Some(saved) = action.saved.and_then(Saved::read) {
            return Ok(saved.draft);
        }
        let left = match action.attempt {
            0 | 1 => None,
            _ => self.orphan(action).await?,
        };
        let draft = match left {
            Some(draft) => draft,
            None => self.create_draft(mail).await?,
        };
        let saved = Saved {
            draft: draft.id,
            thread: draft.message.thread_id,
        };
        action.progress.save(saved.value()).await?;
        Ok(saved.draft)
    }

    async fn create_draft(&self, mail: &Composed) -> Result<Draft, Failure> {
        let call = |thread: Option<&str>| {
            let body = json!({ "message": message_body(mail, thread) });
            Call::post("drafts", 10, body)
        };
        match self.client.json(call(mail.thread.as_deref())).await {
            // The thread was deleted meanwhile: the answer still goes out, in a thread of its own.
            Err(failure) if mail.thread.is_some() && is_bad_thread(&failure) => {
                self.client.json(call(None)).await
            }
            result => result,
        }
    }

    async fn send_draft(&self, draft: &str) -> Result<Message, Failure> {
        let call = Call::post("drafts/send", 100, json!({ "id": draft })).sends();
        self.client.json(call).await.map_err(|failure| {
            if refusal::is_gone(&failure) {
                // Gmail deletes a draft by sending it; a person may have deleted it as well.
                let message = "the draft is gone: it was sent before, or somebody deleted it";
                return Failure::maybe("draft_gone", message);
            }
            failure
        })
    }

    /// A draft that an attempt of this effect made without living to save its id.
    async fn orphan(&self, action: &Action<'_>) -> Result<Option<Draft>, Failure> {
        let mut found: Vec<Draft> = Vec::new();
        for draft in self.recent_drafts().await? {
            let call = Call::get(path(&["messages", &draft.message.id]), Lane::Send, 20)
                .with("format", "metadata")
                .with("metadataHeaders", marker::EFFECT);
            let message: Message = match self.client.json(call).await {
                Ok(message) => message,
                Err(failure) if refusal::is_gone(&failure) => continue,
                Err(failure) => return Err(failure),
            };
            if is_of(&message, action) {
                found.push(Draft { message, ..draft });
            }
        }
        let kept = found.pop();
        for surplus in found {
            let call = Call::delete(path(&["drafts", &surplus.id]), 10);
            if let Err(failure) = self.client.send(call).await {
                warn!(draft = surplus.id, %failure, "a draft was left behind in the mailbox");
            }
        }
        Ok(kept)
    }

    async fn recent_drafts(&self) -> Result<Vec<Draft>, Failure> {
        let call = Call::get("drafts", Lane::Send, 5).with("maxResults", "20");
        let page: super::wire::DraftPage = self.client.json(call).await?;
        Ok(page.drafts)
    }

    /// What is known after Gmail took the mail. Failing to read it back changes nothing of that.
    pub(super) async fn outcome(&self, sent: &Message, ours: &str) -> Outcome {
        let call = Call::get(path(&["messages", &sent.id]), Lane::Send, 20)
            .with("format", "metadata")
            .with("metadataHeaders", "Message-ID");
        let read: Message = match self.client.json(call).await {
            Ok(message) => message,
            Err(failure) => {
                warn!(message = sent.id, %failure, "the Message-ID of a sent mail is not known");
                sent.clone()
            }
        };
        self.outcome_of(&read, ours)
    }

    /// The names under which answers to a sent mail arrive.
    pub(super) fn outcome_of(&self, sent: &Message, ours: &str) -> Outcome {
        let mut aliases = Vec::new();
        let given = sent.header("Message-ID").unwrap_or_default();
        for id in [given.trim().trim_matches(['<', '>']), ours] {
            let alias = Alias::new("message-id", id);
            if !id.is_empty() && !aliases.contains(&alias) {
                aliases.push(alias);
            }
        }
        if !sent.thread_id.is_empty() {
            let thread = format!("{}/{}", self.host.connection, sent.thread_id);
            aliases.push(Alias::new("thread", thread));
        }
        Outcome {
            delivery: Delivery::Accepted,
            reference: Some(sent.id.clone()).filter(|id| !id.is_empty()),
            aliases,
        }
    }
}

/// Whether the message carries the mark of this effect.
pub(super) fn is_of(message: &Message, action: &Action<'_>) -> bool {
    message.header(marker::EFFECT).map(str::trim) == Some(action.effect.to_string().as_str())
}

fn is_bad_thread(failure: &Failure) -> bool {
    failure.class == FailureClass::Reject
        && (failure.code == refusal::NOT_FOUND
            || failure.source.to_ascii_lowercase().contains("thread"))
}

fn message_body(mail: &Composed, thread: Option<&str>) -> Value {
    let raw = encode(&mail.raw);
    match thread {
        Some(thread) => json!({ "raw": raw, "threadId": thread }),
        None => json!({ "raw": raw }),
    }
}
