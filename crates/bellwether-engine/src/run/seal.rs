//! The seal of a case in which people decide: each entry of its journal is sealed together with the
//! one before it, with what came in and with what was sent. Who changes the record afterwards
//! cannot make a seal that fits, because the keys are not in the database.

use bellwether_model::BoxFuture;
use bellwether_model::event::Event;
use bellwether_model::id::{CellId, Id, hash, hex};
use serde_json::{Value as Json, json};

use super::{Engine, Keyring};
use crate::decide::RunState;
use crate::seam::{Flaw, Sealed, Seals};
use crate::store::{EffectRow, EffectWrite, EventRef, RunDetail, StoreError, TurnRow, TurnWrite};

/// Where the seal stands in an entry and in the state.
const SEAL: &str = "seal";
/// Where an entry has the print of what came in.
const PRINT: &str = "print";
/// Where an entry has the prints of what it sent, in the order of its effects.
const PRINTS: &str = "prints";

/// A print of a value: the same for the same content, in whatever order its fields stand.
pub(crate) fn print_of(value: &Json) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    hex(&hash(&[text.as_bytes()]))
}

fn canonical(value: &Json, out: &mut String) {
    match value {
        Json::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in sorted {
                out.push_str(&Json::from(name.as_str()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn print_of_args(args: &str) -> String {
    print_of(&serde_json::from_str(args).unwrap_or_default())
}

/// What a journal entry says of the event that it is about, so that the event is sealed with it.
pub(crate) fn with_print(mut input: Json, event: &Event) -> Json {
    input[PRINT] = json!(print_of(&event.envelope.data));
    input
}

/// What a seal is over.
fn parts(cell: CellId, version: u64, before: &str, body: &Json) -> [Vec<u8>; 4] {
    let mut text = String::new();
    canonical(body, &mut text);
    [
        cell.bytes().to_vec(),
        version.to_be_bytes().to_vec(),
        before.as_bytes().to_vec(),
        text.into_bytes(),
    ]
}

/// Seals an entry in its place after the one before.
pub(crate) fn seal(
    keys: &Keyring,
    place: (CellId, u64),
    state: &mut RunState,
    effects: &[EffectWrite],
    body: &[u8],
) -> Vec<u8> {
    let Ok(mut body) = serde_json::from_slice::<Json>(body) else {
        return body.to_vec();
    };
    let prints = effects.iter().map(|effect| print_of_args(&effect.args));
    let prints: Vec<String> = prints.collect();
    if !prints.is_empty() {
        body[PRINTS] = json!(prints);
    }
    let before = state.seal.take().unwrap_or_default();
    let made = keys.seal(&parts(place.0, place.1, &before, &body));
    body[SEAL] = json!(made);
    state.seal = Some(made);
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Seals an entry that says that nothing could be done, in a case that is sealed.
pub(crate) fn seal_standing(keys: &Keyring, turn: &mut TurnWrite) {
    let Ok(mut state) = RunState::read(&turn.state) else {
        return;
    };
    if state.seal.is_some() {
        let place = (turn.cell, turn.expects + 1);
        turn.body = seal(keys, place, &mut state, &[], &turn.body);
        turn.state = state.write();
    }
}

impl Seals for Engine {
    fn checked(&self, run: CellId) -> BoxFuture<'_, Result<Option<Sealed>, StoreError>> {
        Box::pin(async move {
            let Some(detail) = self.inner.parts.views.run(run).await? else {
                return Ok(None);
            };
            let mut sealed = Sealed::default();
            let mut before = String::new();
            let mut expected = None;
            for turn in &detail.journal {
                let found = turn.body.get(SEAL).and_then(Json::as_str);
                let Some(found) = found else {
                    if expected.is_some() {
                        sealed.flaws.push((turn.version, Flaw::Unsealed));
                    }
                    continue;
                };
                if expected.is_some_and(|expected| expected != turn.version) {
                    sealed.flaws.push((turn.version, Flaw::Missing));
                }
                match self.fits(run, turn, &before, found) {
                    Some(true) => {}
                    Some(false) => sealed.flaws.push((turn.version, Flaw::Changed)),
                    None => sealed.flaws.push((turn.version, Flaw::KeyGone)),
                }
                sealed.entries += 1;
                expected = Some(turn.version + 1);
                found.clone_into(&mut before);
                self.contents(&detail, turn, &mut sealed).await?;
            }
            let last = detail.state.get(SEAL).and_then(Json::as_str);
            if last.unwrap_or_default() != before {
                let at = expected.unwrap_or(1);
                sealed.flaws.push((at, Flaw::Missing));
            }
            sealed.last = last.map(str::to_owned);
            Ok(Some(sealed))
        })
    }
}

impl Engine {
    fn fits(&self, run: CellId, turn: &TurnRow, before: &str, found: &str) -> Option<bool> {
        let mut body = turn.body.clone();
        if let Some(body) = body.as_object_mut() {
            body.remove(SEAL);
        }
        let keys = &self.inner.parts.keys;
        keys.fits(found, &parts(run, turn.version, before, &body))
    }

    /// Holds what came in and what was sent against the prints of an entry.
    async fn contents(
        &self,
        detail: &RunDetail,
        turn: &TurnRow,
        sealed: &mut Sealed,
    ) -> Result<(), StoreError> {
        let input = &turn.body["in"];
        if let Some(print) = input[PRINT].as_str() {
            match self.came_in(detail, turn.version, input).await? {
                Some(event) if event.envelope.data.is_object() => {
                    if print_of(&event.envelope.data) != print {
                        sealed.flaws.push((turn.version, Flaw::EventChanged));
                    }
                }
                _ => sealed.gone += 1,
            }
        }
        let ids = turn.body["effects"].as_array().into_iter().flatten();
        let prints = turn.body[PRINTS].as_array().into_iter().flatten();
        for (id, print) in ids.zip(prints) {
            let sent = |row: &&EffectRow| id.as_str() == Some(&row.id.to_string());
            match detail.effects.iter().find(sent) {
                // Its words were changed by hand before it was sent once more, and it says so.
                Some(row) if row.args.contains(super::amend::MARK) => sealed.amended += 1,
                Some(row) if print.as_str() == Some(&print_of_args(&row.args)) => {}
                Some(_) => sealed.flaws.push((turn.version, Flaw::MessageChanged)),
                None => sealed.flaws.push((turn.version, Flaw::MessageMissing)),
            }
        }
        Ok(())
    }

    /// The event that an entry is about.
    async fn came_in(
        &self,
        detail: &RunDetail,
        version: u64,
        input: &Json,
    ) -> Result<Option<Event>, StoreError> {
        let by_key = input["key"].as_str().and_then(Id::from_hex16);
        let wanted = match (input["event"].as_i64(), by_key) {
            (Some(position), _) => EventRef::At(position),
            (None, Some(key)) => EventRef::Key(key),
            (None, None) if version == 1 => return Ok(detail.opened_by.clone()),
            (None, None) => return Ok(None),
        };
        let found = self.store().events(&[wanted]).await?;
        Ok(found.into_iter().next().flatten())
    }
}
