//! Mail on its way: from outside into mailboxes, and from a mailbox to others. Headers are stamped
//! on top here; which address has a mailbox is decided here too. SMTP talk and API routes are
//! elsewhere.

use std::collections::VecDeque;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::domains::Source;
use super::errors::GoogleError;
use super::ids::hex;
use super::letter::{self, Field};
use super::mailbox::{Arriving, OverQuota, Stored};
use crate::clock::real_now;
use crate::world::{World, lock};

/// Mails to addresses without a mailbox that are remembered.
const OUTSIDE_LIMIT: usize = 10_000;
/// Bytes of them that are remembered.
const OUTSIDE_BYTES_LIMIT: usize = 64 * 1024 * 1024;
/// Characters of text that such a mail is remembered with.
const OUTSIDE_TEXT: usize = 20_000;
/// Recipients of one mail.
pub(crate) const RECIPIENTS_LIMIT: usize = 500;

/// Mail that left the stand-in world.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    mails: VecDeque<(usize, Value)>,
    bytes: usize,
}

impl Outside {
    fn push(&mut self, mail: Value) {
        let size = mail.to_string().len();
        self.bytes += size;
        self.mails.push_back((size, mail));
        while self.mails.len() > OUTSIDE_LIMIT || self.bytes > OUTSIDE_BYTES_LIMIT {
            let Some((size, _)) = self.mails.pop_front() else {
                break;
            };
            self.bytes -= size;
        }
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.mails
            .iter()
            .rev()
            .map(|(_, mail)| mail.clone())
            .collect()
    }
}

/// The address of the mailbox that takes mail for an address: letter case and `+tag` do not matter.
pub(crate) fn mailbox_for(world: &World, address: &str) -> Option<String> {
    let address = address.trim().to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let local = local.split('+').next().unwrap_or_default();
    let plain = format!("{local}@{domain}");
    world.google.mailboxes.contains_key(&plain).then_some(plain)
}

/// The date as mail writes it.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// How a message came in from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// Sender; empty for a bounce.
    pub(crate) mail_from: &'a str,
    pub(crate) client: IpAddr,
    pub(crate) helo: &'a str,
    pub(crate) protocol: &'a str,
}

/// The headers that tell how a message came to one recipient.
fn trace(world: &World, mail_from: &str, client: &str, protocol: &str, to: &str) -> String {
    let at = date(world.clock.now());
    let number = world.google.ids.token();
    format!(
        "Delivered-To: {to}\r\n\
         Received: by 127.0.0.1 with SMTP id {number};\r\n        {at}\r\n\
         Return-Path: <{mail_from}>\r\n\
         Received: from {client}\r\n        by mx.google.com with {protocol} id {number}\r\n\
         \x20       for <{to}>;\r\n        {at}\r\n"
    )
}

/// The headers a receiving server writes on top for one recipient.
fn stamp(world: &World, fields: &[Field], envelope: &Envelope<'_>, to: &str) -> String {
    let Envelope {
        mail_from,
        client,
        helo,
        protocol,
    } = *envelope;
    let results = lock(&world.google.domains).stamp(fields, &Source::Net(client, mail_from));
    let mut top = trace(
        world,
        mail_from,
        &format!("{helo} ([{client}])"),
        protocol,
        to,
    );
    top.push_str(&results);
    if letter::first(fields, "Message-ID").is_none() {
        let id = format!(
            "{}SMTPIN_ADDED_MISSING@mx.google.com",
            world.google.ids.token()
        );
        top.push_str(&format!("Message-ID: <{id}>\r\n"));
    }
    top
}

/// The header that stands for a filter of the mailbox.
const FILTER: &str = "X-Sandbox-Label";

/// Delivers a message from outside to one address; `None` when it has no mailbox and left the
/// sandbox.
pub(crate) fn deliver(
    world: &World,
    raw: &[u8],
    envelope: &Envelope<'_>,
    to: &str,
) -> Result<Option<Stored>, OverQuota> {
    let Some(address) = mailbox_for(world, to) else {
        outside(world, raw, envelope.mail_from, to);
        return Ok(None);
    };
    let fields = letter::fields(raw);
    let top = stamp(world, &fields, envelope, to);
    let mut labels = vec!["INBOX", "UNREAD", "CATEGORY_PERSONAL"];
    let filtered = filtered(world, &address, &fields);
    labels.extend(filtered.as_deref());
    put(world, &address, letter::edit(raw, &[], &top), &labels).map(Some)
}

/// The label that a filter of the mailbox puts on a mail as it arrives. Filters cannot be made
/// here: a header of the mail names the label instead.
fn filtered(world: &World, address: &str, fields: &[Field]) -> Option<String> {
    let name = letter::first(fields, FILTER)?.trim().to_owned();
    world.google.with(address, |mailbox| {
        let own = mailbox.labels.own().iter();
        let known = own.clone().find(|label| label.name == name);
        match known {
            Some(label) => Some(label.id.clone()),
            None => mailbox
                .labels
                .create(&name, Value::Null)
                .ok()
                .map(|label| label.id),
        }
    })
}

/// Imports as if it had come over SMTP from the client of the API call: the envelope's sender is
/// the Return-Path of the message, else its From.
pub(crate) fn import_stamp(world: &World, raw: &[u8], client: IpAddr, to: &str) -> Vec<u8> {
    let fields = letter::fields(raw);
    let sender = ["Return-Path", "From"].iter().find_map(|name| {
        let value = letter::first(&fields, name)?;
        letter::addresses(value)
            .into_iter()
            .next()
            .map(|m| m.address)
    });
    let mail_from: String = sender
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .collect();
    let envelope = Envelope {
        mail_from: &mail_from,
        client,
        helo: "gmailapi.google.com",
        protocol: "HTTPREST",
    };
    let top = stamp(world, &fields, &envelope, to);
    letter::edit(raw, &[], &top)
}

fn put(world: &World, address: &str, raw: Vec<u8>, labels: &[&str]) -> Result<Stored, OverQuota> {
    let arriving = Arriving::new(raw, world.clock.now(), labels);
    let ids = &world.google.ids;
    let stored = world
        .google
        .with(address, |m| m.add(arriving, ids, real_now()))?;
    tell(world, address, &stored);
    Ok(stored)
}

fn tell(world: &World, address: &str, stored: &Stored) {
    let fields = letter::fields(&stored.raw);
    let subject = letter::first(&fields, "Subject").unwrap_or("(no subject)");
    let from = letter::first(&fields, "From").unwrap_or("(no sender)");
    let text = format!("Mail for {address} from {from}: {subject}");
    world.tell(
        "mail",
        address,
        text,
        json!({"id": hex(stored.id), "thread": hex(stored.thread),
        "from": from, "subject": subject}),
    );
}

fn outside(world: &World, raw: &[u8], from: &str, to: &str) {
    let fields = letter::fields(raw);
    let text: String = letter::text(raw).chars().take(OUTSIDE_TEXT).collect();
    let subject = letter::first(&fields, "Subject").unwrap_or_default();
    let mut headers = serde_json::Map::new();
    for field in &fields {
        headers
            .entry(field.name.clone())
            .or_insert_with(|| json!(field.value));
    }
    lock(&world.google.outside).push(json!({"from": from, "to": to, "subject": subject,
        "text": text, "headers": headers, "sent_at": world.clock.now()}));
    world.tell(
        "mail",
        to,
        format!("Mail to {to} left the sandbox: {subject}"),
        Value::Null,
    );
}

/// A message that is ready to be sent by a mailbox, with its recipients.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// As the sender keeps it.
    pub(crate) raw: Vec<u8>,
    recipients: Vec<String>,
    from: String,
}

/// Makes a message ready to be sent: From is the mailbox, Message-ID is Gmail's own, Date is there.
pub(crate) fn ready(world: &World, address: &str, raw: &[u8]) -> Result<Outgoing, GoogleError> {
    let raw = letter::garble_eight_bit_headers(raw);
    let fields = letter::fields(&raw);
    let mut recipients: Vec<String> = Vec::new();
    for name in ["To", "Cc", "Bcc"] {
        for to in letter::addresses(&letter::joined(&fields, name)) {
            let to: String = to.address.chars().filter(|c| !c.is_control()).collect();
            if !to.contains('@') {
                return Err(GoogleError::invalid(format!("Invalid {name} header")));
            }
            if !recipients.iter().any(|r| r.eq_ignore_ascii_case(&to)) {
                recipients.push(to);
            }
        }
    }
    if recipients.is_empty() {
        return Err(GoogleError::invalid("Recipient address required"));
    }
    if recipients.len() > RECIPIENTS_LIMIT {
        return Err(GoogleError::invalid("Too many recipients"));
    }
    let at = date(world.clock.now());
    let mut gone = vec!["Return-Path", "Delivered-To", "Received"];
    let number = world.google.ids.token();
    let by = "Received: from 127.0.0.1 named unknown by gmailapi.google.com with HTTPREST";
    let mut top = format!("{by};\r\n        {at}\r\n");
    let replace = lock(&world.google.knobs).replace_message_id;
    if replace || letter::first(&fields, "Message-ID").is_none() {
        gone.push("Message-ID");
        top.push_str(&format!(
            "Message-ID: <CA+sandbox={number}@mail.gmail.com>\r\n"
        ));
    }
    let from = letter::first(&fields, "From")
        .map(letter::addresses)
        .unwrap_or_default();
    let own = from.len() == 1 && from[0].address.eq_ignore_ascii_case(address);
    if !own {
        gone.push("From");
        let name = from.first().map(|m| m.name.as_str()).unwrap_or_default();
        let name: String = name
            .chars()
            .filter(|c| !c.is_control() && c.is_ascii() && *c != '"')
            .collect();
        let shown = if name.is_empty() {
            address.to_owned()
        } else {
            format!("\"{name}\" <{address}>")
        };
        top.push_str(&format!("From: {shown}\r\n"));
    }
    if letter::first(&fields, "Date").is_none() {
        top.push_str(&format!("Date: {at}\r\n"));
    }
    if letter::first(&fields, "MIME-Version").is_none() {
        top.push_str("MIME-Version: 1.0\r\n");
    }
    Ok(Outgoing {
        raw: letter::edit(&raw, &gone, &top),
        recipients,
        from: address.to_owned(),
    })
}

/// Keeps the sent message in the sender's mailbox and delivers it to everybody else.
pub(crate) fn send(
    world: &World,
    outgoing: &Outgoing,
    thread: Option<u64>,
) -> Result<Stored, GoogleError> {
    let own = |to: &&String| mailbox_for(world, to).is_some_and(|m| m == outgoing.from);
    let to_self = outgoing.recipients.iter().any(|to| own(&to));
    let labels: &[&str] = if to_self {
        &["SENT", "INBOX", "UNREAD"]
    } else {
        &["SENT"]
    };
    let arriving = Arriving::new(outgoing.raw.clone(), world.clock.now(), labels).in_thread(thread);
    let ids = &world.google.ids;
    let kept = world
        .google
        .with(&outgoing.from, |m| m.add(arriving, ids, real_now()));
    let kept = kept.map_err(|OverQuota| GoogleError::over_quota())?;
    tell(world, &outgoing.from, &kept);
    let bare = letter::edit(&outgoing.raw, &["Bcc"], "");
    let results = lock(&world.google.domains).stamp(&letter::fields(&bare), &Source::Own);
    let mut delivered: Vec<String> = vec![outgoing.from.clone()];
    for to in &outgoing.recipients {
        let Some(address) = mailbox_for(world, to) else {
            outside(world, &bare, &outgoing.from, to);
            continue;
        };
        if delivered.contains(&address) {
            continue;
        }
        let top = format!(
            "{}{results}",
            trace(world, &outgoing.from, "localhost", "SMTPS", to)
        );
        let labels = ["INBOX", "UNREAD", "CATEGORY_PERSONAL"];
        if put(world, &address, letter::edit(&bare, &[], &top), &labels).is_err() {
            tracing::warn!(%address, "a mailbox of the sandbox is full; a mail was dropped");
        }
        delivered.push(address);
    }
    Ok(kept)
}
