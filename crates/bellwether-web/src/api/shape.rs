//! The JSON shapes of the API. All instants are RFC 3339 in UTC; events are CloudEvents 1.0.

use bellwether_engine::seam::{ConnectionHealth, ConnectionView, TurnSaid};
use bellwether_engine::store::{
    DeadLetterRow, EffectRow, Identity, LedgerCounts, NotificationRow, Overview, Page,
    RefusalCount, RefusalSample, Refusals, RunDetail, RunRow, TurnRow, UsageRow,
};
use bellwether_model::event::Event;
use bellwether_model::failure::Failure;
use bellwether_model::time::Time;
use bellwether_model::veil;
use serde_json::{Map, Value, json};

fn instant(at: Time) -> Value {
    Value::String(at.to_string())
}

fn perhaps(at: Option<Time>) -> Value {
    at.map_or(Value::Null, instant)
}

/// Names under which a run's state and journal keep instants, as numbers.
const INSTANTS: [&str; 7] = ["at", "base", "paused", "over", "since", "until", "due"];

/// What the engine keeps for itself, with its instants as the API writes them. `name` is the field
/// that the value stands in; values in a list stand in the list's field.
fn with_instants(name: &str, value: &Value) -> Value {
    let is_instant = || INSTANTS.contains(&name) || name.ends_with("_at");
    match value {
        Value::Number(number) => match number.as_i64().filter(|_| is_instant()) {
            Some(micros) => instant(Time(micros)),
            None => value.clone(),
        },
        Value::Array(list) => list.iter().map(|one| with_instants(name, one)).collect(),
        Value::Object(fields) => {
            let field = |(name, one): (&String, &Value)| (name.clone(), with_instants(name, one));
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// `{total, items, next}`.
pub(crate) fn page<T>(page: &Page<T>, item: impl Fn(&T) -> Value) -> Value {
    json!({
        "total": page.total,
        "items": page.items.iter().map(item).collect::<Vec<_>>(),
        "next": page.next,
    })
}

/// A CloudEvent with our extensions. Attributes that are not set are left out, as the format asks.
pub(crate) fn event(event: &Event) -> Value {
    let envelope = &event.envelope;
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    };
    put("specversion", json!("1.0"));
    put("id", json!(envelope.id));
    put("source", json!(envelope.source));
    put("type", json!(envelope.kind));
    put("subject", json!(envelope.subject));
    put("time", instant(envelope.time));
    put("datacontenttype", json!("application/json"));
    put("position", json!(event.position));
    put("receivedat", instant(event.received_at));
    put("case", json!(envelope.case));
    put("hop", json!(envelope.hop));
    let cause = envelope.cause.as_ref();
    put(
        "cause",
        json!(cause.map(|cause| format!("{}/{}", cause.cell, cause.turn))),
    );
    put("traceparent", json!(envelope.traceparent));
    put("flowset", json!(event.flow_set));
    put("directory", json!(event.directory));
    put("data", veil::value(&envelope.data));
    Value::Object(out)
}

pub(crate) fn run(row: &RunRow) -> Value {
    let waits_for = row.waits_for.iter().map(|waiting| {
        json!({
            "person": waiting.person,
            "on_behalf_of": waiting.on_behalf_of,
            "step": waiting.step,
            "since": instant(waiting.since),
        })
    });
    json!({
        "id": row.id,
        "flow": row.flow,
        "flow_hash": row.flow_hash,
        "key": row.key,
        "title": row.title,
        "epoch": row.epoch,
        "status": row.status,
        "opened_at": instant(row.opened_at),
        "last_turn_at": instant(row.last_turn_at),
        "turns": row.turns,
        "opened_by": row.opened_by,
        "waits_for": waits_for.collect::<Vec<_>>(),
    })
}

pub(crate) fn run_detail(detail: &RunDetail) -> Value {
    let mut out = run(&detail.run);
    let timer = |(name, due): &(String, Time)| json!({ "name": name, "due": instant(*due) });
    out["state"] = veil::value(&with_instants("", &detail.state));
    let turn = |turn: &TurnRow| {
        let body = veil::value(&with_instants("", &turn.body));
        json!({ "version": turn.version, "body": body })
    };
    out["journal"] = detail.journal.iter().map(turn).collect();
    out["effects"] = detail.effects.iter().map(effect).collect();
    out["timers"] = detail.timers.iter().map(timer).collect();
    out["opened_by"] = detail.opened_by.as_ref().map_or(Value::Null, event);
    out
}

/// An effect. Its arguments hold placeholders instead of links, so no token is in them.
pub(crate) fn effect(row: &EffectRow) -> Value {
    json!({
        "id": row.id,
        "run": row.cell,
        "role": role(row.role),
        "connection": row.lane,
        "person": row.person,
        "state": row.state.word(),
        "attempts": row.attempt,
        "delivery": row.delivery,
        "engagement": row.engagement,
        "not_before": perhaps(row.not_before),
        "expires_at": perhaps(row.expires_at),
        "reference": row.reference,
        "failure": row.failure.as_ref().map(failure),
        "reason": row.reason,
        "made_at": instant(row.made_at),
        "changed_at": instant(row.changed_at),
        "args": veil::value(&args(&row.args)),
    })
}

/// An effect's arguments. What is in them is content, up to the end of the question.
fn args(text: &str) -> Value {
    let mut args = serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    if let Some(until) = args.get_mut("until") {
        *until = with_instants("until", until);
    }
    args
}

pub(crate) fn role(role: bellwether_model::connector::Role) -> &'static str {
    use bellwether_model::connector::Role;
    match role {
        Role::Push => "push",
        Role::Mail => "mail",
        Role::Reply => "reply",
        Role::Label => "label",
        Role::Http => "http",
    }
}

pub(crate) fn notification(row: &NotificationRow) -> Value {
    json!({
        "id": row.id,
        "run": row.run,
        "flow": row.flow,
        "channel": row.channel,
        "connection": row.connection,
        "person": row.person,
        "state": row.state,
        "delivery": row.delivery,
        "engagement": row.engagement,
        "attempts": row.attempts,
        "title": row.title,
        "reference": row.reference,
        "failure": row.failure,
        "made_at": instant(row.made_at),
        "changed_at": instant(row.changed_at),
    })
}

pub(crate) fn dead_letter(row: &DeadLetterRow) -> Value {
    json!({
        "id": row.id,
        "run": row.run,
        "effect": row.effect,
        "person": row.person,
        "event": row.event,
        "code": row.code,
        "reason": row.reason,
        "at": instant(row.at),
        "settled_at": perhaps(row.settled_at),
    })
}

/// A usage. `user` and `connection` are empty when the source named a person of the directory.
pub(crate) fn usage(row: &UsageRow) -> Value {
    let outside = !row.who.connection.is_empty();
    json!({
        "asset": row.asset,
        "person": row.person,
        "connection": row.who.connection,
        "user": if outside { row.who.id.as_str() } else { "" },
        "document": row.document,
        "how": row.how.word(),
        "source": row.source,
        "since": instant(row.since),
        "seen_at": instant(row.seen_at),
        "ended_at": perhaps(row.ended_at),
    })
}

/// A user of another system.
pub(crate) fn identity(row: &Identity) -> Value {
    let proposed = row.proposed.as_ref();
    let mapped = row.mapped.as_ref();
    json!({
        "connection": row.who.connection,
        "id": row.who.id,
        "name": row.name,
        "person": row.person,
        "proposed": proposed.map(|(person, why)| json!({ "person": person, "why": why })),
        "seen": row.seen,
        "first_seen": perhaps(row.first_seen),
        "last_seen": perhaps(row.last_seen),
        "mapped_by": mapped.map(|(by, _)| by),
        "mapped_at": perhaps(mapped.map(|(_, at)| *at)),
    })
}

pub(crate) fn connection(view: &ConnectionView, refused: &Refusals) -> Value {
    json!({
        "name": view.name,
        "connector": view.connector,
        "health": health(&view.health),
        "has_source": view.has_source,
        "in_flight": view.in_flight,
        "waiting": view.waiting,
        "parts": view.parts.iter().map(|(name, one)| {
            json!({ "name": name, "health": health(one) })
        }).collect::<Vec<_>>(),
        "refused": { "total": refused.total(), "last_at": perhaps(refused.last_at()) },
    })
}

/// What a connection's address refused. Nothing here can lead to a secret or to a body.
pub(crate) fn refusals(refused: &Refusals) -> Value {
    let reason = |row: &RefusalCount| {
        json!({
            "reason": row.reason,
            "message": row.message,
            "count": row.count,
            "first_at": instant(row.first_at),
            "last_at": instant(row.last_at),
            "caller": row.caller,
        })
    };
    let one = |row: &RefusalSample| {
        json!({
            "at": instant(row.at),
            "reason": row.reason,
            "status": row.status,
            "inlet": row.inlet,
            "caller": row.caller,
            "bytes": row.bytes,
            "hash": row.hash,
        })
    };
    let reasons: Vec<_> = refused.counts.iter().map(reason).collect();
    let newest: Vec<_> = refused.newest.iter().map(one).collect();
    json!({ "total": refused.total(), "reasons": reasons, "newest": newest })
}

fn health(health: &ConnectionHealth) -> Value {
    match health {
        ConnectionHealth::Unknown => json!({ "state": "unknown" }),
        ConnectionHealth::Ok { at } => json!({ "state": "ok", "at": instant(*at) }),
        ConnectionHealth::Failing { since, reason } => {
            json!({ "state": "failing", "since": instant(*since), "reason": reason })
        }
        ConnectionHealth::NeedsYou { since, reason } => {
            json!({ "state": "needs_you", "since": instant(*since), "reason": reason })
        }
    }
}

pub(crate) fn ledger(counts: &LedgerCounts) -> Value {
    json!({
        "received": counts.received,
        "matched": counts.matched,
        "unmatched": counts.unmatched,
        "failed": counts.failed,
        "pending": counts.pending,
        "ignored": counts.ignored,
        "gone": counts.gone,
        "gaps": counts.gaps,
        "cursor": counts.cursor,
        "counted_at": perhaps(counts.counted_at),
    })
}

pub(crate) fn overview(numbers: &Overview, connections: &[ConnectionView]) -> Value {
    let needing = connections
        .iter()
        .filter(|view| matches!(view.health, ConnectionHealth::NeedsYou { .. }));
    json!({
        "events": numbers.events,
        "open_runs": numbers.open_runs,
        "oldest_open": perhaps(numbers.oldest_open),
        "dead_letters": numbers.dead_letters,
        "gaps": numbers.gaps,
        "outstanding": numbers.outstanding,
        "duplicates": numbers.duplicates,
        "lag_ms": numbers.lag_ms,
        "connections": connections.len(),
        "connections_needing_you": needing.count(),
    })
}

pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "class": failure.class,
        "code": failure.code,
        "message": failure.message,
        "source": failure.source,
    })
}

pub(crate) fn said(said: &TurnSaid) -> Value {
    let mut out = json!(said);
    // The turn's own instants are numbers inside the engine; the API speaks RFC 3339.
    if let TurnSaid::Decided { at, .. }
    | TurnSaid::AlreadyDecided { at, .. }
    | TurnSaid::Over { at, .. } = said
    {
        out["at"] = instant(*at);
    }
    out
}
