//! Whom an event is for: the notification that it names by id or by reply token, and the cells
//! whose aliases it carries. Everything here is read from the event's nouns, not from its source.

use bellwether_model::connector::Role;
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::id::{CellId, EffectId, Id};
use serde_json::Value as Json;

use super::{Engine, Purpose};
use crate::decide::{PEOPLE, RunState};
use crate::store::{CellRef, EffectRow, EventRef, StoreError};

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
        let at = event.aliases.iter().position(|a| own.as_ref() == Some(a));
        let seen = at.and_then(|at| resolved.get(at).copied().flatten());
        let squatted = match seen {
            // An answer belongs to what it answers, whatever its own name is.
            Some(_) if field(event, &["in_reply_to"]).is_some() => None,
            Some(cell) if !self.is_copy_in(cell, event).await? => Some(cell),
            _ => None,
        };
        for (alias, cell) in event.aliases.iter().zip(resolved) {
            let Some(cell) = cell.filter(|cell| Some(*cell) != squatted) else {
                continue;
            };
            if own.as_ref() == Some(alias) {
                found.copies.push(cell);
            }
            if !found.cells.iter().any(|(known, _)| *known == cell) {
                found.cells.push((cell, None));
            }
        }
        Ok(found)
    }

    /// Whether a case that has seen a mail of this name has surely seen this one.
    async fn is_copy_in(&self, cell: CellId, event: &NewEvent) -> Result<bool, StoreError> {
        let found = self.store().load(&[CellRef::Id(cell)]).await?.pop();
        let Some(snapshot) = found.flatten() else {
            return Ok(true);
        };
        // A case that no mail opened has seen this one because a turn of its own sent it.
        let opened_by = snapshot.opened_by.as_ref();
        if opened_by.is_none_or(|opened_by| is_copy(&opened_by.envelope, event)) {
            return Ok(true);
        }
        // What it is about now may have come later, with the proof that the first one lacked.
        let basis = RunState::read(&snapshot.state).ok().and_then(|s| s.basis);
        let Some(key) = basis.and_then(|key| Id::from_hex16(&key)) else {
            return Ok(false);
        };
        let about = self.store().events(&[EventRef::Key(key)]).await?.pop();
        Ok(about
            .flatten()
            .is_some_and(|about| is_copy(&about.envelope, event)))
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
        // Only our own pages, phones and console say which notification somebody acted on.
        let people = event.source == PEOPLE;
        let push = event.data.get("push").filter(|_| people);
        let push = push.and_then(|push| push.get("notification"));
        if let Some(id) = push.and_then(Json::as_str) {
            return id.parse().ok();
        }
        let token = event.data.get("mail")?.get("reply_token")?.as_str()?;
        // A payload that merely looks like a mail did not come to any of our mailboxes.
        let setup = self.setup();
        setup.links.get(&event.source)?.action(Role::Reply)?;
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

/// A text in an event's mail, in small letters.
fn field(event: &NewEvent, path: &[&str]) -> Option<String> {
    let mut value = event.data.get("mail")?;
    for name in path {
        value = value.get(name)?;
    }
    value.as_str().map(str::to_ascii_lowercase)
}

fn is_proved(event: &NewEvent) -> bool {
    field(event, &["auth", "dmarc"]).as_deref() == Some("pass")
}

fn both(one: &NewEvent, other: &NewEvent, path: &[&str]) -> bool {
    let first = field(one, path);
    first.is_some() && first == field(other, path)
}

/// Whether a mail whose name a case knows is a copy of what the case has seen. A name can be
/// guessed, or seen before the mail comes: so it counts only from the same sender, and what is
/// proved is no copy of what is not.
fn is_copy(opened_by: &NewEvent, later: &NewEvent) -> bool {
    let has_mail = |event: &NewEvent| event.data.get("mail").is_some();
    if !has_mail(opened_by) || !has_mail(later) || is_ours(later) {
        return true;
    }
    let same_name = both(opened_by, later, &["rfc_message_id"]);
    let stronger = is_proved(later) && !is_proved(opened_by);
    both(opened_by, later, &["from", "address"]) && !(same_name && stronger)
}

/// Whether a mail came out of one of our own mailboxes.
fn is_ours(event: &NewEvent) -> bool {
    if event.kind.ends_with(".sent") {
        return true;
    }
    let own = event.data.get("mail").and_then(|mail| mail.get("own"));
    own.and_then(Json::as_bool) == Some(true)
}

/// How a later event with a case's key stands to the mail that opened the case. A guessed number in
/// a stranger's mail must not change or close anything.
pub(crate) fn joins(opened_by: &NewEvent, later: &NewEvent) -> bool {
    if opened_by.data.get("mail").is_none() || later.data.get("mail").is_none() {
        return true;
    }
    let same = |path: &[&str]| both(opened_by, later, path);
    let same_thread = same(&["thread_id"]) && opened_by.source == later.source;
    let copy = same(&["rfc_message_id"]) && is_copy(opened_by, later);
    // From and thread can be written by anybody who saw the mail; only proof makes them count.
    copy || (is_proved(later) && (same_thread || same(&["from", "address"])))
}

#[cfg(test)]
mod tests {
    use bellwether_model::time::Time;
    use serde_json::json;

    use super::*;

    fn mail(name: &str, from: &str, dmarc: &str) -> NewEvent {
        let data = json!({ "mail": {
            "rfc_message_id": name, "from": { "address": from }, "auth": { "dmarc": dmarc },
        } });
        NewEvent::new("box", name, "box.message.received", Time(0), data)
    }

    #[test]
    fn a_name_counts_only_from_the_same_sender_and_with_the_same_proof() {
        let forged = mail("1@erp", "ariba@example.com", "fail");
        let real = mail("1@erp", "ariba@example.com", "pass");
        let eve = mail("1@erp", "eve@example.net", "pass");
        assert!(is_copy(&real, &real) && joins(&real, &real));
        assert!(is_copy(&forged, &forged) && joins(&forged, &forged));
        assert!(is_copy(&real, &forged) && joins(&real, &forged));
        assert!(!is_copy(&forged, &real), "the real mail would be lost");
        assert!(joins(&forged, &real), "it changes what the forged one said");
        assert!(!is_copy(&eve, &real) && !joins(&eve, &real));
        assert!(!is_copy(&real, &eve) && !joins(&real, &eve));
    }
}
