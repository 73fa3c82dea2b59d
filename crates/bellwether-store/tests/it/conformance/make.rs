//! Events, turns and effects for tests, complete and small.

use std::sync::Arc;

use bellwether_engine::store::{
    CellStatus, EffectState, EffectWrite, EventWrite, Member, Owner, TurnWrite, Verdict,
};
use bellwether_model::connector::Role;
use bellwether_model::event::{NewEvent, Position};
use bellwether_model::id::{CellId, EffectId, Id};
use bellwether_model::time::Time;
use serde_json::json;

/// The instant `n` seconds after the tests' beginning of time.
pub(crate) fn at(n: i64) -> Time {
    Time(1_772_445_600_000_000 + n * 1_000_000)
}

/// The process that claims in tests.
pub(crate) fn us() -> Owner {
    Owner(Id([1; 16]))
}

/// Another process.
pub(crate) fn them() -> Owner {
    Owner(Id([2; 16]))
}

/// An id made at second `n` from a name.
pub(crate) fn id(n: i64, name: &str) -> Id {
    Id::derive(at(n), &[name.as_bytes()])
}

/// An event of a source, with a payload that names its id.
pub(crate) fn event(n: i64, id: &str) -> EventWrite {
    event_with(
        n,
        id,
        &json!({"mail": {"subject": format!("Approve {id}")}}),
    )
}

pub(crate) fn event_with(n: i64, id: &str, data: &serde_json::Value) -> EventWrite {
    EventWrite {
        event: NewEvent::new("inbox", id, "gmail.message.received", at(n), data.clone()),
        text: data.to_string(),
        received_at: at(n),
        flow_set: 3,
        directory: 4,
        matched: 1,
    }
}

/// A turn that opens the cell of `key` in flow `flow` at second `n`.
pub(crate) fn opening(n: i64, key: &str) -> TurnWrite {
    TurnWrite {
        cell: id(n, key),
        program: "flow".to_owned(),
        program_hash: [9; 16],
        key: key.to_owned(),
        keyed: true,
        epoch: 1,
        expects: 0,
        opened_by: None,
        status: CellStatus::Open,
        state: br#"{"v":1,"at":"ask"}"#.to_vec(),
        at: at(n),
        body: br#"{"turn":1}"#.to_vec(),
        consumes: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        effects: Vec::new(),
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
    }
}

/// The turn after version `expects` of the same cell.
pub(crate) fn next(turn: &TurnWrite, expects: u64, n: i64) -> TurnWrite {
    TurnWrite {
        expects,
        state: format!(r#"{{"v":1,"turn":{}}}"#, expects + 1).into_bytes(),
        body: format!(r#"{{"turn":{}}}"#, expects + 1).into_bytes(),
        at: at(n),
        consumes: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        effects: Vec::new(),
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
        ..turn.clone()
    }
}

/// A push to one person that waits to be sent.
pub(crate) fn push(n: i64, name: &str) -> EffectWrite {
    EffectWrite {
        id: effect_id(n, name),
        role: Role::Push,
        lane: "phones".to_owned(),
        order_key: None,
        person: Some("p-anna".to_owned()),
        state: EffectState::Queued,
        owner: None,
        not_before: None,
        expires_at: None,
        cancel_key: None,
        reports: false,
        args: Arc::from(json!({"title": format!("Approve {name}?"), "body": "12 EUR"}).to_string()),
        reason: None,
        at: at(n),
    }
}

/// The id of [`push`].
pub(crate) fn effect_id(n: i64, name: &str) -> EffectId {
    id(n, &format!("effect {name}"))
}

/// An arrival with the turn that it opens.
pub(crate) fn arriving(n: i64, key: &str) -> Member {
    Member {
        arrival: Some(event(n, key)),
        turns: vec![opening(n, key)],
        ..Member::default()
    }
}

/// A member with turns alone.
pub(crate) fn turn(turn: TurnWrite) -> Member {
    Member {
        turns: vec![turn],
        ..Member::default()
    }
}

/// The positions of a verdict that has to be `Done`.
pub(crate) fn done(verdict: &Verdict) -> Vec<Position> {
    match verdict {
        Verdict::Done(positions) => positions.clone(),
        other => panic!("expected Done, got {other:?}"),
    }
}

/// The cell of [`opening`].
pub(crate) fn cell(n: i64, key: &str) -> CellId {
    id(n, key)
}
