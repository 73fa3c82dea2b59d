//! The push channel of the Pusher Channels protocol, version 7: what is sent, and the tenant's
//! address that signs subscriptions. Connections, at `/app/{key}`, are in `socket.rs`. Written from
//! general knowledge of that protocol; from Smint.io come the channel's name, its one event and
//! that nobody reads the event's payload.
//!
//! Hints can be lost, doubled, sent in a burst and with junk; open connections can be closed with
//! any code of the protocol, and new ones refused.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{refuse, signing};
use crate::world::{World, lock};

/// Key of the application; the vendor has one for all tenants too, but not this one.
pub(crate) const KEY: &str = "sandbox-smintio-key";
/// What subscriptions are signed with.
const SECRET: &str = "sandbox-pusher-secret";
/// The one event of the channel.
const EVENT: &str = "global-transaction-history-update";
/// Messages that a connection may be behind before it is closed.
const BEHIND_LIMIT: usize = 1_024;
/// Hints in one burst.
const BURST_LIMIT: u64 = 1_000;

/// What becomes of a tenant's next hints.
#[derive(Debug, Clone, Default)]
pub(crate) struct HintKnobs {
    /// So many get lost.
    lose: u64,
    /// So many come twice.
    double: u64,
    /// All get lost.
    mute: bool,
    /// How many were sent, lost ones not counted.
    pub(crate) sent: u64,
}

/// How the server behaves to every connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// New connections are closed with this code.
    pub(crate) refuse: Option<u16>,
    /// Seconds without a word from a client until it is pinged, and until it is given up.
    pub(crate) activity: u64,
    pub(crate) pong: u64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            refuse: None,
            activity: 120,
            pong: 30,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Out {
    Event {
        channel: Arc<str>,
        text: Arc<str>,
    },
    /// To all connections, or to those on one channel.
    Close {
        channel: Option<Arc<str>>,
        code: u16,
    },
}

/// All open connections.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) out: broadcast::Sender<Out>,
    pub(crate) opened: AtomicU64,
    pub(crate) subscribers: Mutex<BTreeMap<String, usize>>,
    pub(crate) manners: Mutex<Manners>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            out: broadcast::channel(BEHIND_LIMIT).0,
            opened: AtomicU64::new(0),
            subscribers: Mutex::default(),
            manners: Mutex::default(),
        }
    }
}

impl Hub {
    /// How many connections listen to a channel.
    pub(crate) fn subscribers(&self, channel: &str) -> usize {
        lock(&self.subscribers).get(channel).copied().unwrap_or(0)
    }

    fn tell(&self, channel: &str, payload: &str) {
        let text = json!({"event": EVENT, "channel": channel, "data": payload}).to_string();
        let (channel, text) = (channel.into(), text.into());
        // Nobody listening is fine.
        drop(self.out.send(Out::Event { channel, text }));
    }
}

/// Tells a tenant's listeners that the feed has something new, unless the hint is to be lost.
pub(crate) fn hint(world: &World, tenant: &str) {
    let due = world.smintio.with(tenant, |t| {
        let knobs = &mut t.hints;
        let times = if knobs.mute || knobs.lose > 0 {
            knobs.lose = knobs.lose.saturating_sub(1);
            0
        } else if knobs.double > 0 {
            knobs.double -= 1;
            2
        } else {
            1
        };
        knobs.sent += times;
        (t.channel(), times)
    });
    if let Some((channel, times)) = due {
        for _ in 0..times {
            world.smintio.hub.tell(&channel, "{\"message\":\"update\"}");
        }
    }
}

/// A hint by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByHand {
    /// What stands in the event as its data; anything will do.
    payload: Option<String>,
    #[serde(default = "once")]
    burst: u64,
}

fn once() -> u64 {
    1
}

/// Sends hints past all knobs.
pub(crate) fn hint_by_hand(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let hint: ByHand = serde_json::from_value(body).map_err(|error| error.to_string())?;
    if hint.burst > BURST_LIMIT {
        return Err(format!("a burst is at most {BURST_LIMIT} hints"));
    }
    let channel = world.smintio.with(tenant, |t| {
        t.hints.sent += hint.burst;
        t.channel()
    });
    let channel = channel.unwrap_or_default();
    for _ in 0..hint.burst {
        let payload = hint.payload.as_deref().unwrap_or("{}");
        world.smintio.hub.tell(&channel, payload);
    }
    Ok(json!({"sent": hint.burst, "subscribers": world.smintio.hub.subscribers(&channel)}))
}

/// Settings of the push channel; what is missing stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    lose: Option<u64>,
    double: Option<u64>,
    mute: Option<bool>,
    /// Closes the tenant's connections now.
    close: Option<u16>,
    /// Closes every new connection of any tenant with this code; 0 = no longer.
    refuse: Option<u16>,
    activity_seconds: Option<u64>,
    pong_seconds: Option<u64>,
}

/// Turns the knobs of the push channel; the error is a sentence.
pub(crate) fn turn(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let turn: Turn = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let codes = [turn.close, turn.refuse.filter(|code| *code != 0)];
    if codes
        .iter()
        .flatten()
        .any(|code| !(4_000..4_300).contains(code))
    {
        return Err("codes of the push channel are 4000 to 4299".to_owned());
    }
    let channel = world.smintio.with(tenant, |t| {
        let knobs = &mut t.hints;
        knobs.lose = turn.lose.unwrap_or(knobs.lose);
        knobs.double = turn.double.unwrap_or(knobs.double);
        knobs.mute = turn.mute.unwrap_or(knobs.mute);
        t.channel()
    });
    let hub = &world.smintio.hub;
    let manners = {
        let mut manners = lock(&hub.manners);
        if let Some(code) = turn.refuse {
            manners.refuse = Some(code).filter(|code| *code != 0);
        }
        manners.activity = turn.activity_seconds.unwrap_or(manners.activity).max(1);
        manners.pong = turn.pong_seconds.unwrap_or(manners.pong).max(1);
        *manners
    };
    let channel = channel.unwrap_or_default();
    if let Some(code) = turn.close {
        let to = Some(channel.as_str().into());
        drop(hub.out.send(Out::Close { channel: to, code }));
    }
    Ok(
        json!({"channel": channel, "subscribers": hub.subscribers(&channel),
        "refuse": manners.refuse, "activity_seconds": manners.activity,
        "pong_seconds": manners.pong}),
    )
}

pub(crate) fn auth_router() -> Router<Arc<World>> {
    let path = "/{tenant}/consumer/v1/notifications/pusher/auth";
    Router::new().route(path, post(auth))
}

pub(crate) type Fields = Vec<(String, String)>;

pub(crate) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let found = fields.iter().find(|(n, _)| n == name);
    found.map_or("", |(_, v)| v.as_str())
}

/// What proves that a connection may listen to a channel.
pub(crate) fn signed(socket: &str, channel: &str) -> String {
    let text = format!("{socket}:{channel}");
    format!(
        "{KEY}:{}",
        signing::hmac_hex(SECRET.as_bytes(), text.as_bytes())
    )
}

async fn auth(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(refusal) = super::caller(&world, &tenant, &headers, "smintio.full") {
        return *refusal;
    }
    let (socket, channel) = (field(&fields, "socket_id"), field(&fields, "channel_name"));
    let own = world.smintio.with(&tenant, |t| t.channel());
    if own.as_deref() != Some(channel) {
        return refuse(403, "permission_denied", "The channel is not the tenant's.");
    }
    let parts: Vec<&str> = socket.split('.').collect();
    let numbers = parts
        .iter()
        .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    if parts.len() != 2 || !numbers {
        return refuse(400, "argument_invalid", "The socket id is invalid.");
    }
    Json(json!({"auth": signed(socket, channel)})).into_response()
}
