//! Requests of the portals' people: asked for, approved, declined, done. Each change is a task mail
//! to those it concerns, and a webhook where one is set. Task types and the names of states are
//! public; their spelling on the wire, senders and subjects of the mails are not and are ours.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::tenant::Tenant;
use super::{hooks, ids};
use crate::google::{self, Envelope};
use crate::world::World;

/// Requests that are kept; the oldest are forgotten first.
const REQUESTS_LIMIT: usize = 1_000;
/// Sender of every task mail.
const SENDER: &str = "portal@example.com";
/// Kinds of requests, without the prefix `task-type-`.
const KINDS: [&str; 6] = [
    "request-access",
    "request-permission",
    "request-download",
    "request-generic",
    "upload-assets",
    "generic",
];

/// The deeds of this file; `approve`, `reject` and `deliver` come here when they name a task.
pub(crate) const DEEDS: [&str; 4] = ["request", "ignore", "remind", "mail"];

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) task: String,
    pub(crate) kind: String,
    /// `New`, `Approved`, `Declined`, `Ignored`, `Done`.
    pub(crate) state: &'static str,
    pub(crate) asset: String,
    /// Ids of the people who asked and who are to say.
    pub(crate) requester: String,
    pub(crate) reviewer: String,
    pub(crate) reason: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Request {
    pub(crate) fn shown(&self) -> Value {
        json!({"id": self.task, "taskType": self.kind, "state": self.state,
            "title": self.asset, "requester": self.requester, "performer": self.reviewer,
            "reason": self.reason, "createdAt": self.created, "modifiedAt": self.updated})
    }
}

/// A tenant's requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    made: u64,
    pub(crate) all: std::collections::VecDeque<Request>,
}

/// What is asked of a request; which fields matter depends on the deed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    task: Option<String>,
    kind: Option<String>,
    asset: Option<String>,
    by: Option<String>,
    reviewer: Option<String>,
    reason: Option<String>,
}

/// Does one deed on a request; the error is a sentence.
pub(crate) fn perform(
    world: &Arc<World>,
    tenant: &str,
    deed: &str,
    body: Value,
) -> Result<Value, String> {
    let asked: Asked = serde_json::from_value(body).map_err(|error| error.to_string())?;
    for person in [&asked.by, &asked.reviewer].into_iter().flatten() {
        if world.person(person).is_none() {
            return Err(format!("{person:?} is nobody here"));
        }
    }
    let now = world.clock.now();
    let changed = world.smintio.with(tenant, |t| match deed {
        "request" => begin(t, asked, now),
        _ => change(t, deed, asked, now),
    });
    let request = changed.unwrap_or_else(|| Err(format!("there is no tenant {tenant:?}")))?;
    let line = format!("A request for {} is {}.", request.asset, request.state);
    world.tell("smintio", &request.requester, line, request.shown());
    let knobs = world
        .smintio
        .with(tenant, |t| t.knobs.clone())
        .unwrap_or_default();
    let mut mails = 0;
    if !knobs.no_mails {
        mails = write(world, tenant, &request);
    }
    if let Some(url) = knobs.webhook_url {
        let told = event(world, tenant, &request);
        hooks::send_later(world, tenant, url, told);
    }
    let mut answer = request.shown();
    answer["mails"] = json!(mails);
    Ok(answer)
}

fn begin(tenant: &mut Tenant, asked: Asked, now: Timestamp) -> Result<Request, String> {
    let kind = asked.kind.unwrap_or_else(|| KINDS[2].to_owned());
    let kind = kind.strip_prefix("task-type-").unwrap_or(&kind).to_owned();
    if !KINDS.contains(&kind.as_str()) {
        return Err(format!(
            "{kind:?} is no kind of request; {} are",
            KINDS.join(", ")
        ));
    }
    let buyer = |at: usize| {
        tenant
            .buyers
            .get(at)
            .map_or("", |b| b.person.as_str())
            .to_owned()
    };
    let requests = &mut tenant.requests;
    requests.made += 1;
    let request = Request {
        task: ids::uuid("task", tenant.ledger.seed, requests.made),
        kind: format!("task-type-{kind}"),
        state: "New",
        asset: asked.asset.unwrap_or_else(|| "Logo pack 2026".to_owned()),
        requester: asked.by.unwrap_or_else(|| buyer(1)),
        reviewer: asked.reviewer.unwrap_or_else(|| buyer(0)),
        reason: asked.reason,
        created: now,
        updated: now,
    };
    if requests.all.len() == REQUESTS_LIMIT {
        requests.all.pop_front();
    }
    requests.all.push_back(request.clone());
    Ok(request)
}

fn change(
    tenant: &mut Tenant,
    deed: &str,
    asked: Asked,
    now: Timestamp,
) -> Result<Request, String> {
    let mut all = tenant.requests.all.iter_mut();
    let found = match &asked.task {
        Some(task) => all.find(|r| r.task == *task),
        None => all.next_back(),
    };
    let request = found.ok_or("there is no such request")?;
    let (from, to): (&[&str], _) = match deed {
        "approve" => (&["New"], "Approved"),
        "reject" => (&["New"], "Declined"),
        "ignore" => (&["New"], "Ignored"),
        "deliver" => (&["New", "Approved"], "Done"),
        // A reminder changes nothing, and the mail goes out once more.
        "remind" | "mail" => return Ok(request.clone()),
        other => return Err(format!("{other:?} is no deed on a request")),
    };
    if !from.contains(&request.state) {
        return Err(format!("the request is {} already", request.state));
    }
    request.state = to;
    request.reason = asked.reason.or(request.reason.take());
    request.updated = now;
    Ok(request.clone())
}

/// The webhook that tells of a request: what a custom task handler could send.
fn event(world: &World, tenant: &str, request: &Request) -> Value {
    let name = match request.state {
        "New" => "request.submitted",
        "Approved" => "request.approved",
        "Declined" => "request.rejected",
        "Done" => "request.delivered",
        _ => "request.cancelled",
    };
    let id = format!("{}|{}", request.task, request.state);
    let kind = request.kind.trim_start_matches("task-type-");
    let who = match request.state {
        "New" => &request.requester,
        _ => &request.reviewer,
    };
    let user = world.smintio.with(tenant, |t| {
        let buyer = t.buyers.iter().find(|b| b.person == *who)?;
        Some(json!({"user_uuid": buyer.uuid, "name": buyer.name}))
    });
    // Who never bought anything has no user at the tenant.
    let actor = user.flatten().unwrap_or_else(|| json!({"name": who}));
    json!({"id": id, "type": name, "occurred_at": request.updated, "tenant_id": tenant,
        "source": "webhook", "subject": {"task_id": request.task},
        "asset": {"name": request.asset}, "actor": actor,
        "recipients": {"users": [request.requester]},
        "data": {"request_kind": kind, "state_to": request.state, "reason": request.reason}})
}

/// Writes the mails of a request's state and says how many went out.
fn write(world: &World, tenant: &str, request: &Request) -> usize {
    let (to, subject, words) = match request.state {
        "New" => (
            &request.reviewer,
            "New request",
            "Somebody asks for it. Please decide.",
        ),
        "Approved" => (&request.requester, "Approved", "Your request was approved."),
        "Declined" => (&request.requester, "Declined", "Your request was declined."),
        "Done" => (
            &request.requester,
            "Download available",
            "It is ready for you.",
        ),
        _ => return 0,
    };
    let Some(person) = world.person(to) else {
        return 0;
    };
    let url = world.addresses.url("smintio");
    let reason = request.reason.as_ref().map(|r| format!("Reason: {r}\r\n"));
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    let raw = format!(
        "From: \"{tenant} brand portal\" <{SENDER}>\r\nTo: {to}\r\nSubject: =?utf-8?B?{subject}?=\r\n\
         Date: {date}\r\nMessage-ID: <{task}.{state}.{made}@{tenant}.example.com>\r\n\
         Auto-Submitted: auto-generated\r\nX-Task-Id: {task}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         {words}\r\n\r\nAsset: {asset}\r\n{reason}Task: {url}/{tenant}/tasks/{task}\r\n",
        to = person.address,
        subject = encoded(&format!("{subject}: {}", request.asset)),
        date = mail_date(request.updated),
        task = request.task,
        state = request.state,
        made = crate::clock::real_now().as_microsecond(),
        asset = line(&request.asset),
        reason = reason
            .map(|r| format!("{}\r\n", line(r.trim_end())))
            .unwrap_or_default(),
    );
    let envelope = Envelope {
        mail_from: SENDER,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        helo: "portal.example.com",
        protocol: "ESMTP",
    };
    match google::deliver(world, raw.as_bytes(), &envelope, &person.address) {
        Ok(_) => {
            let subject = format!("{subject}: {}", request.asset);
            let line = format!("{} got a task mail: {subject}", person.name);
            world.tell("mail", &person.address, line, json!({"subject": subject}));
            1
        }
        Err(_) => 0,
    }
}

fn encoded(words: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(words)
}

fn mail_date(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}
