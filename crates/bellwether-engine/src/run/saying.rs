//! Events of our own on their way from a decided turn to the store: whom they name, and calls that
//! nobody would hear.

use bellwether_model::event::{Alias, Cause, NewEvent};
use bellwether_model::id::Id;
use bellwether_model::time::Time;
use serde_json::json;

use super::Setup;
use super::prepare::Taker;
use crate::decide::{Dead, ENGINE, Turn};
use crate::flow::calls::{CALLED, CALLS, NOT_ON, RETURNED};
use crate::store::EventWrite;

/// A call of a flow that is not switched on comes back at once, and somebody hears of it.
pub(super) fn answer_unheard(setup: &Setup, turn: &mut Turn) -> Vec<Dead> {
    let mut dead = Vec::new();
    for emitted in turn.emits.iter_mut().filter(|one| one.kind == CALLED) {
        let call = &emitted.data["call"];
        let name = call["flow"].as_str().unwrap_or_default();
        if setup.flows.answers(name) {
            continue;
        }
        let reason = format!(
            "the flow {name} is not switched on, or does not start when it is called: nobody did \
             this part"
        );
        dead.push(Dead::new(NOT_ON, reason));
        let id = call["id"].as_str().unwrap_or_default();
        emitted.aliases = vec![Alias::new(CALLS, id)];
        RETURNED.clone_into(&mut emitted.kind);
        emitted.data = json!({ "call": {
            "id": id, "flow": name, "ending": NOT_ON, "choice": "", "by": "", "comment": "",
        } });
    }
    dead
}

/// What a turn says to flows, as events of our own.
pub(super) fn emits(setup: &Setup, taker: &Taker, turn: &Turn, now: Time) -> Vec<EventWrite> {
    let version = taker.version + 1;
    let write = |(index, emitted): (usize, &crate::decide::Emitted)| {
        let id = Id::derive(
            now,
            &[
                taker.cell.bytes(),
                &version.to_be_bytes(),
                b"emit",
                &index.to_be_bytes(),
            ],
        );
        let mut event = NewEvent::new(
            ENGINE,
            id.to_string(),
            &emitted.kind,
            now,
            emitted.data.clone(),
        );
        event.aliases.clone_from(&emitted.aliases);
        event.hop = taker.hop.saturating_add(1);
        event.case = Some(taker.key.clone());
        event.cause = Some(Cause {
            cell: taker.cell,
            turn: version,
        });
        EventWrite {
            text: serde_json::to_string(&emitted.data).unwrap_or_default(),
            event,
            received_at: now,
            flow_set: setup.flows.version(),
            directory: setup.directory.version,
            matched: 0,
        }
    };
    turn.emits.iter().enumerate().map(write).collect()
}
