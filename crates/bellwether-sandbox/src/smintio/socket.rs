//! One connection of the push channel: handshake, subscriptions, pings, events, the end. What is
//! sent and signed is in `pusher.rs`, frames are in `websocket.rs`.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep_until, timeout};

use super::pusher::{Fields, KEY, Manners, Out, field, signed};
use super::refuse;
use super::websocket::{self, Heard, Inbox};
use crate::world::{World, lock};

/// Channels of one connection.
const CHANNELS_LIMIT: usize = 100;
/// Longest wait for a client that does not read.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new().route("/app/{key}", get(socket))
}

async fn socket(
    State(world): State<Arc<World>>,
    Path(key): Path<String>,
    Query(fields): Query<Fields>,
    mut request: Request,
) -> Response {
    let given = |name: header::HeaderName| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_ascii_lowercase())
    };
    let upgrade = given(header::UPGRADE).is_some_and(|v| v.contains("websocket"));
    let version = given(header::SEC_WEBSOCKET_VERSION).is_some_and(|v| v == "13");
    let nonce = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = nonce.and_then(|n| n.to_str().ok()).map(websocket::accept);
    let (true, true, Some(accept)) = (upgrade, version, accept) else {
        let words = "This address speaks WebSocket, version 13.";
        let mut answer = refuse(426, "argument_invalid", words);
        let wanted = header::HeaderValue::from_static("13");
        answer
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, wanted);
        return answer;
    };
    let hub = &world.smintio.hub;
    let refused = lock(&hub.manners).refuse;
    let end = match field(&fields, "protocol") {
        _ if key != KEY => Some(4_001),
        _ if refused.is_some() => refused,
        "" => Some(4_008),
        "5" | "6" | "7" => None,
        _ => Some(4_007),
    };
    let number = hub.opened.fetch_add(1, Ordering::Relaxed) + 1;
    let session = Session {
        world: Arc::downgrade(&world),
        // Sent events are heard from here on, also while the handshake goes on.
        out: hub.out.subscribe(),
        id: format!("{}.{}", 100_000 + number % 900_000, 7 * number + 1),
        channels: BTreeSet::new(),
        pinged: false,
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            session.run(TokioIo::new(upgraded), end).await;
        }
    });
    let headers = [
        (header::UPGRADE, "websocket".to_owned()),
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// One connection. It does not keep the world alive: it ends when the sandbox stops.
struct Session {
    world: Weak<World>,
    out: broadcast::Receiver<Out>,
    id: String,
    channels: BTreeSet<String>,
    pinged: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        for channel in std::mem::take(&mut self.channels) {
            self.count(&channel, false);
        }
    }
}

/// Sent, or the reason to end with; without a reason there is nobody to tell.
type Done = Result<(), Option<u16>>;
type Io = TokioIo<Upgraded>;

async fn write(io: &mut Io, frame: &[u8]) -> Done {
    let written = timeout(WRITE_DEADLINE, async {
        io.write_all(frame).await?;
        io.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}

async fn say(io: &mut Io, event: &str, channel: Option<&str>, data: &Value) -> Done {
    let mut text = json!({"event": event, "data": data.to_string()});
    if let Some(channel) = channel {
        text["channel"] = json!(channel);
    }
    write(io, &websocket::text(&text.to_string())).await
}

impl Session {
    async fn run(mut self, mut io: Io, end: Option<u16>) {
        let done = match end {
            Some(code) => Err(Some(code)),
            None => self.converse(&mut io).await,
        };
        if let Err(Some(code)) = done {
            if code >= 4_000 {
                let data = json!({"code": code, "message": reason(code)});
                let event = json!({"event": "pusher:error", "data": data}).to_string();
                write(&mut io, &websocket::text(&event)).await.ok();
            }
            write(&mut io, &websocket::close(code, reason(code)))
                .await
                .ok();
        }
        drop(io.shutdown().await);
    }

    fn manners(&self) -> Option<Manners> {
        let world = self.world.upgrade()?;
        let manners = *lock(&world.smintio.hub.manners);
        Some(manners)
    }

    async fn converse(&mut self, io: &mut Io) -> Done {
        let activity = self.manners().ok_or(None)?.activity;
        let hello = json!({"socket_id": self.id, "activity_timeout": activity});
        say(io, "pusher:connection_established", None, &hello).await?;
        let mut inbox = Inbox::default();
        let mut heard_at = Instant::now();
        loop {
            while let Some(heard) = inbox.next().map_err(Some)? {
                self.answer(io, heard).await?;
            }
            let manners = self.manners().ok_or(None)?;
            let more = if self.pinged { manners.pong } else { 0 };
            let patience = Duration::from_secs(manners.activity + more);
            inbox.bytes.reserve(1_024);
            tokio::select! {
                read = io.read_buf(&mut inbox.bytes) => match read {
                    Ok(0) | Err(_) => return Err(None),
                    Ok(_) => (heard_at, self.pinged) = (Instant::now(), false),
                },
                out = self.out.recv() => match out {
                    Ok(out) => self.pass_on(io, out).await?,
                    // Over capacity: come back later.
                    Err(broadcast::error::RecvError::Lagged(_)) => return Err(Some(4_100)),
                    Err(broadcast::error::RecvError::Closed) => return Err(None),
                },
                () = sleep_until(heard_at + patience) => {
                    if self.pinged {
                        return Err(Some(4_201));
                    }
                    self.pinged = true;
                    say(io, "pusher:ping", None, &json!({})).await?;
                }
            }
        }
    }

    async fn pass_on(&self, io: &mut Io, out: Out) -> Done {
        match out {
            Out::Event { channel, text } if self.channels.contains(&*channel) => {
                write(io, &websocket::text(&text)).await
            }
            Out::Close { channel, code } => {
                let hit = channel.is_none_or(|channel| self.channels.contains(&*channel));
                if hit { Err(Some(code)) } else { Ok(()) }
            }
            Out::Event { .. } => Ok(()),
        }
    }

    async fn answer(&mut self, io: &mut Io, heard: Heard) -> Done {
        let text = match heard {
            Heard::Text(text) => text,
            Heard::Ping(payload) => return write(io, &websocket::pong(&payload)).await,
            Heard::Pong => return Ok(()),
            Heard::Close => return Err(Some(1_000)),
        };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        // Clients send the data as an object or, as servers do, as a text with an object in it.
        let data = match &message["data"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
            other => other.clone(),
        };
        match message["event"].as_str() {
            Some("pusher:ping") => say(io, "pusher:pong", None, &json!({})).await,
            Some("pusher:pong") => Ok(()),
            Some("pusher:subscribe") => self.subscribe(io, &data).await,
            Some("pusher:unsubscribe") => {
                let channel = data["channel"].as_str().unwrap_or_default();
                if self.channels.remove(channel) {
                    self.count(channel, false);
                }
                Ok(())
            }
            Some(event) if event.starts_with("client-") => {
                let data = json!({"code": 4_301, "message": "Client events are off."});
                say(io, "pusher:error", None, &data).await
            }
            _ => {
                let data = json!({"code": null, "message": "The message is not understood."});
                say(io, "pusher:error", None, &data).await
            }
        }
    }

    async fn subscribe(&mut self, io: &mut Io, data: &Value) -> Done {
        let channel = data["channel"].as_str().unwrap_or_default();
        let proof = data["auth"].as_str().unwrap_or_default();
        let private = channel.starts_with("private-");
        let refusal = if channel.is_empty() || channel.starts_with("presence-") {
            Some("The channel's name is invalid.")
        } else if private && proof != signed(&self.id, channel) {
            Some("The signature is invalid.")
        } else if self.channels.len() >= CHANNELS_LIMIT {
            Some("Too many channels on this connection.")
        } else {
            None
        };
        if let Some(words) = refusal {
            let data = json!({"type": "AuthError", "error": words, "status": 401});
            return say(io, "pusher:subscription_error", Some(channel), &data).await;
        }
        if self.channels.insert(channel.to_owned()) {
            self.count(channel, true);
        }
        let event = "pusher_internal:subscription_succeeded";
        say(io, event, Some(channel), &json!({})).await
    }

    fn count(&self, channel: &str, more: bool) {
        let Some(world) = self.world.upgrade() else {
            return;
        };
        let mut all = lock(&world.smintio.hub.subscribers);
        let count = all.entry(channel.to_owned()).or_default();
        *count = if more {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        if *count == 0 {
            all.remove(channel);
        }
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        1_000 => "",
        1_002 | 1_003 | 1_007 | 1_009 => "The frame is not understood.",
        4_001 => "There is no application with this key.",
        4_007 => "This version of the protocol is not spoken.",
        4_008 => "The version of the protocol is missing.",
        4_009 => "The connection is not authorized.",
        4_000..=4_099 => "Do not come back as you are.",
        4_100 => "Over capacity.",
        4_101..=4_199 => "Come back after a while.",
        4_201 => "No answer to a ping.",
        _ => "Come back at once.",
    }
}
