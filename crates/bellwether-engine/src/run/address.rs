//! Whom an event is for: the notification that it names by id or by reply token, and the cells
//! whose aliases it carries. Everything here is read from the event's nouns, not from its source.

use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::id::{CellId, EffectId};
use serde_json::Value as Json;

use super::{Engine, Purpose};
use crate::store::{EffectRow, StoreError};

/// Cells that an event is addressed to.
#[derive(Debug, Default)]
pub(crate) struct Addressees {
    /// Cells, each once; with the effect that the event answers.
    pub(crate) cells: Vec<(CellId, Option<EffectRow>)>,
    /// Those of them that have seen this very mail.
    pub(crate) copies: Vec<CellId>,
}

impl Engine {
    /// Finds the cells that an event is addressed to.
    pub(crate) async fn addressees(&self, event: &NewEvent) -> Result<Addressees, StoreError> {
        let mut found = Addressees::default();
        if let Some(id) = self.named_effect(event) {
            let row = self.store().effects(&[id]).await?.pop().flatten();
            if let Some(row) = row
                && !self.answers_another(event, row.cell).await?
            {
                found.cells.push((row.cell, Some(row)));
                return Ok(found);
            }
        }
        if event.aliases.is_empty() {
            return Ok(found);
        }
        let own = message_id(event);
        let resolved = self.store().resolve(&event.aliases).await?;
        for (alias, cell) in event.aliases.iter().zip(resolved) {
            let Some(cell) = cell else { continue };
            if own.as_ref() == Some(alias) {
                found.copies.push(cell);
            }
            if !found.cells.iter().any(|(known, _)| *known == cell) {
                found.cells.push((cell, None));
            }
        }
        Ok(found)
    }

    /// Whether a mail carries the token of one case and answers a mail of another. Nobody does that
    /// by pressing "reply", so the token counts for nothing.
    async fn answers_another(&self, event: &NewEvent, cell: CellId) -> Result<bool, StoreError> {
        let mail = event.data.get("mail");
        let answered = mail.and_then(|mail| mail.get("in_reply_to"));
        let Some(answered) = answered.and_then(Json::as_str) else {
            return Ok(false);
        };
        let alias = Alias::new("message-id", answered);
        let found = self.store().resolve(&[alias]).await?.pop().flatten();
        Ok(found.is_some_and(|found| found != cell))
    }

    fn named_effect(&self, event: &NewEvent) -> Option<EffectId> {
        let push = event
            .data
            .get("push")
            .and_then(|push| push.get("notification"));
        if let Some(id) = push.and_then(Json::as_str) {
            return id.parse().ok();
        }
        let token = event.data.get("mail")?.get("reply_token")?.as_str()?;
        self.keys()
            .read(Purpose::Reply, token, self.transport_now(), "")
            .ok()
    }
}

/// The name that every copy of a mail carries, whatever mailbox it came to.
pub(crate) fn message_id(event: &NewEvent) -> Option<Alias> {
    let mail = event.data.get("mail")?;
    let id = mail.get("rfc_message_id")?.as_str()?;
    Some(Alias::new("message-id", id))
}

/// The names under which a cell that this event opens is found again: its thread and its own
/// Message-ID, not those that it merely refers to.
pub(crate) fn own_aliases(event: &NewEvent) -> Vec<Alias> {
    let own_id = message_id(event);
    let is_own = |alias: &&Alias| match alias.space.as_str() {
        "thread" => true,
        "message-id" => own_id.as_ref() == Some(*alias),
        _ => false,
    };
    event.aliases.iter().filter(is_own).cloned().collect()
}

/// How a later event with a case's key stands to the mail that opened the case. A guessed number in
/// a stranger's mail must not change or close anything.
pub(crate) fn joins(opened_by: &NewEvent, later: &NewEvent) -> bool {
    let field = |event: &NewEvent, path: &[&str]| {
        let mut value = event.data.get("mail")?;
        for name in path {
            value = value.get(name)?;
        }
        value.as_str().map(str::to_ascii_lowercase)
    };
    if opened_by.data.get("mail").is_none() || later.data.get("mail").is_none() {
        return true;
    }
    let both = |path: &[&str]| {
        let first = field(opened_by, path);
        first.is_some() && first == field(later, path)
    };
    let same_thread = both(&["thread_id"]) && opened_by.source == later.source;
    let proved = field(later, &["auth", "dmarc"]).as_deref() == Some("pass");
    // From and thread can be written by anybody who saw the mail; only proof makes them count.
    both(&["rfc_message_id"]) || (proved && (same_thread || both(&["from", "address"])))
}
