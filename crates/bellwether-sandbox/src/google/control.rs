//! The control surface of this stand-in: mailboxes as a person sees them, mail from outside, faults
//! of meaning (history, consent) and the table of domains.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::delivery::{self, Envelope, RECIPIENTS_LIMIT, mailbox_for};
use super::domains::Domain;
use super::ids::{from_hex, hex};
use super::letter;
use super::mailbox::Stored;
use super::quota::Profile;
use crate::admin::refuse;
use crate::clock::real_now;
use crate::world::{World, lock};

/// Messages that one look into a mailbox shows.
const SHOWN_LIMIT: usize = 500;
/// Characters of text shown of each.
const SHOWN_TEXT: usize = 20_000;
/// How long a delayed record stays out of history unless said otherwise, in milliseconds.
const DELAY_MS: i64 = 5_000;

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/admin/mailboxes/{address}", get(mailbox))
        .route("/admin/outside", get(outside))
        .route("/admin/mail", post(mail))
        .route("/admin/read", post(read))
        .route("/admin/google", get(units).post(google))
        .route("/admin/domains", get(domains).post(set_domain))
        .with_state(Arc::clone(world))
}

fn no_mailbox(address: &str) -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        format!("there is no mailbox {address:?} in the sandbox"),
    )
}

/// A mailbox by its address or by its person's id.
fn find(world: &World, key: &str) -> Option<String> {
    let address = world.person(key).map_or(key, |p| p.address.as_str());
    mailbox_for(world, address)
}

async fn mailbox(State(world): State<Arc<World>>, Path(key): Path<String>) -> Response {
    let Some(address) = find(&world, &key) else {
        return no_mailbox(&key);
    };
    let kept: Vec<Stored> = world.google.with(&address, |m| {
        m.newest_first().take(SHOWN_LIMIT).cloned().collect()
    });
    let messages: Vec<Value> = kept.iter().map(shown).collect();
    Json(json!({"address": address, "messages": messages})).into_response()
}

fn shown(message: &Stored) -> Value {
    let fields = letter::fields(&message.raw);
    let mut headers = Map::new();
    for field in &fields {
        // The first of several wins: it is the one a server stamped last.
        headers
            .entry(field.name.clone())
            .or_insert_with(|| json!(field.value));
    }
    let text: String = letter::text(&message.raw)
        .chars()
        .take(SHOWN_TEXT)
        .collect();
    let received = Timestamp::from_millisecond(message.internal_date).unwrap_or_default();
    json!({"id": hex(message.id), "thread_id": hex(message.thread),
        "from": letter::first(&fields, "From"), "to": letter::joined(&fields, "To"),
        "subject": letter::first(&fields, "Subject"), "text": text,
        "labels": message.label_list(), "received_at": received, "headers": headers})
}

async fn outside(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"messages": lock(&world.google.outside).list()}))
}

/// Mail from outside, as a person describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    from: String,
    to: Vec<String>,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    headers: Map<String, Value>,
    source_ip: Option<IpAddr>,
}

impl Mail {
    /// The message as it would go over SMTP. Headers given replace those made here.
    fn raw(&self, world: &World) -> String {
        let number = world.google.ids.token();
        let mut made = vec![
            ("From", self.from.clone()),
            ("To", self.to.join(", ")),
            ("Subject", encoded(&self.subject)),
            ("Date", delivery::date(world.clock.now())),
            ("Message-ID", format!("<{number}@sandbox.example>")),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", "text/plain; charset=utf-8".to_owned()),
            ("Content-Transfer-Encoding", "8bit".to_owned()),
        ];
        made.retain(|(name, _)| !self.headers.keys().any(|k| k.eq_ignore_ascii_case(name)));
        let mut raw = String::new();
        for (name, value) in made {
            raw.push_str(&format!("{name}: {}\r\n", one_line(&value)));
        }
        for (name, value) in &self.headers {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            raw.push_str(&format!("{}: {}\r\n", one_line(name), one_line(&value)));
        }
        raw.push_str("\r\n");
        raw.push_str(&self.text.replace("\r\n", "\n").replace('\n', "\r\n"));
        raw
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// A subject with other than ASCII letters as an encoded word.
fn encoded(subject: &str) -> String {
    use base64::Engine;
    if subject.is_ascii() {
        return subject.to_owned();
    }
    let words = base64::engine::general_purpose::STANDARD.encode(subject);
    format!("=?utf-8?B?{words}?=")
}

/// The address alone, fit for a header line.
fn bare(text: &str) -> String {
    let found = letter::addresses(text)
        .into_iter()
        .next()
        .map(|m| m.address);
    let address = found.unwrap_or_else(|| text.to_owned());
    address
        .chars()
        .filter(|c| !c.is_control() && !"<>".contains(*c))
        .collect()
}

async fn mail(State(world): State<Arc<World>>, Json(mail): Json<Mail>) -> Response {
    if mail.to.is_empty() || mail.to.len() > RECIPIENTS_LIMIT {
        return refuse(StatusCode::BAD_REQUEST, "a mail needs 1 to 500 recipients");
    }
    let raw = mail.raw(&world);
    let sender = letter::addresses(&mail.from)
        .into_iter()
        .next()
        .map(|m| m.address);
    let mail_from = sender.unwrap_or_default();
    let client = mail.source_ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let envelope = Envelope {
        mail_from: &mail_from,
        client,
        helo: "sandbox",
        protocol: "SMTP",
    };
    let mut delivered = Vec::new();
    for to in &mail.to {
        let to = bare(to);
        match delivery::deliver(&world, raw.as_bytes(), &envelope, &to) {
            Ok(Some(stored)) => {
                delivered.push(json!({"to": to, "id": hex(stored.id),
                    "thread_id": hex(stored.thread)}));
            }
            Ok(None) => delivered.push(json!({"to": to, "outside": true})),
            Err(_) => {
                let message = format!("the mailbox {to} of the sandbox is full; reset it");
                return refuse(StatusCode::INSUFFICIENT_STORAGE, message);
            }
        }
    }
    Json(json!({"delivered": delivered})).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    address: String,
    id: String,
}

async fn read(State(world): State<Arc<World>>, Json(read): Json<Read>) -> Response {
    let Some(address) = find(&world, &read.address) else {
        return no_mailbox(&read.address);
    };
    let ids = &world.google.ids;
    let changed = from_hex(&read.id).and_then(|id| {
        world.google.with(&address, |m| {
            m.get(id)?;
            Some(m.relabel(id, &[], &["UNREAD".to_owned()], ids, real_now()))
        })
    });
    match changed {
        Some(changed) => {
            world.tell(
                "mail",
                &address,
                format!("{address} read a mail"),
                json!({"id": read.id}),
            );
            Json(json!({"ok": true, "changed": changed})).into_response()
        }
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("{address} has no message {}", read.id),
        ),
    }
}

/// Switches and one-time faults of meaning. What is left out stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Knobs {
    /// The mailbox that the history switches are for; all when left out.
    address: Option<String>,
    replace_message_id: Option<bool>,
    expire_history: bool,
    hide_from_history: Option<u64>,
    delay_history: Option<u64>,
    delay_history_ms: Option<i64>,
    revoke_refresh: Option<String>,
    restore_refresh: Option<String>,
    access_token_seconds: Option<i64>,
    /// Narrows the consent of `address` to these scopes.
    scopes: Option<String>,
    /// Makes the watch of the mailbox run out now.
    expire_watch: bool,
    /// Units a mailbox may use in a minute; 0 = no limit.
    units_per_minute: Option<u64>,
    /// Which published costs apply.
    quota_profile: Option<Profile>,
    /// Refuse with 403 instead of 429 when the units are used up.
    quota_forbids: Option<bool>,
}

/// What each mailbox used of the API's quota.
async fn units(State(world): State<Arc<World>>) -> Json<Value> {
    let quota = lock(&world.google.quota);
    Json(
        json!({"units": quota.totals(), "units_per_minute": quota.per_minute,
        "quota_profile": quota.profile}),
    )
}

fn set_quota(world: &World, knobs: &Knobs) {
    let mut quota = lock(&world.google.quota);
    quota.per_minute = knobs.units_per_minute.unwrap_or(quota.per_minute);
    quota.profile = knobs.quota_profile.unwrap_or(quota.profile);
    quota.forbid = knobs.quota_forbids.unwrap_or(quota.forbid);
}

async fn google(State(world): State<Arc<World>>, Json(knobs): Json<Knobs>) -> Response {
    let named = match &knobs.address {
        None => world.google.mailboxes.keys().cloned().collect::<Vec<_>>(),
        Some(key) => match find(&world, key) {
            Some(address) => vec![address],
            None => return no_mailbox(key),
        },
    };
    for key in [&knobs.revoke_refresh, &knobs.restore_refresh]
        .into_iter()
        .flatten()
    {
        if find(&world, key).is_none() {
            return no_mailbox(key);
        }
    }
    if let Some(replace) = knobs.replace_message_id {
        lock(&world.google.knobs).replace_message_id = replace;
    }
    set_quota(&world, &knobs);
    let ids = &world.google.ids;
    for address in &named {
        world.google.with(address, |m| {
            if knobs.expire_history {
                m.history.expire(ids.history_gap());
            }
            if knobs.expire_watch {
                m.watch = None;
            }
            if let Some(n) = knobs.hide_from_history {
                m.tricks.hide = n;
            }
            if let Some(n) = knobs.delay_history {
                m.tricks.delay = n;
                m.tricks.delay_ms = knobs.delay_history_ms.unwrap_or(DELAY_MS);
            }
        });
    }
    let mut tokens = lock(&world.google.tokens);
    if let Some(address) = knobs
        .revoke_refresh
        .as_deref()
        .and_then(|key| find(&world, key))
    {
        tokens.revoke(&address);
    }
    if let Some(address) = knobs
        .restore_refresh
        .as_deref()
        .and_then(|key| find(&world, key))
    {
        tokens.restore(&address);
    }
    if let Some(seconds) = knobs.access_token_seconds {
        tokens.seconds = Some(seconds.clamp(0, 86_400));
    }
    if let Some(scopes) = &knobs.scopes {
        for address in &named {
            tokens.narrow(address, scopes);
        }
    }
    drop(tokens);
    Json(json!({"ok": true})).into_response()
}

async fn domains(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"domains": lock(&world.google.domains).list()}))
}

async fn set_domain(State(world): State<Arc<World>>, Json(domain): Json<Domain>) -> Response {
    if !domain.domain.contains('.') || domain.domain.len() > 253 {
        return refuse(StatusCode::BAD_REQUEST, "domain must be a name with a dot");
    }
    if lock(&world.google.domains).set(domain) {
        return Json(json!({"ok": true})).into_response();
    }
    refuse(
        StatusCode::TOO_MANY_REQUESTS,
        "the table of domains is full",
    )
}
