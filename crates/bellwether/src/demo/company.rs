//! The company of the demo: its people as the directory has them, its connections to the stand-ins.

use std::collections::BTreeMap;

use bellwether_model::directory::{Directory, Person};
use serde_json::{Map, Value, json};

use crate::config::ConnectionConfig;

/// Who is told when nobody else can be found.
const OWNER: &str = "ivan";

/// Id, name, address, zone, language, roles, deputy, manager, whether the person has a phone.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    bool,
);

/// Everybody.
#[rustfmt::skip]
const PEOPLE: [Row; 6] = [
    ("alice", "Alice Arnold", "approver@example.com", "Europe/Vienna", "en", &["purchasing-lead"], "dora", "carl", true),
    ("berger", "J. Berger", "requester@example.com", "Europe/Vienna", "en", &[], "", "alice", false),
    ("carl", "Carl Conrad", "cfo@example.com", "Europe/Vienna", "en", &["cfo"], "", "", true),
    ("dora", "Dora Dorn", "deputy@example.com", "Europe/Berlin", "de", &[], "", "carl", true),
    ("ivan", "Ivan Ilic", "owner@example.com", "Europe/Vienna", "en", &["it"], "", "carl", true),
    ("lena", "Lena Lang", "legal@example.com", "Europe/London", "en", &["legal"], "", "carl", true),
];

/// The directory.
pub(super) fn directory() -> Directory {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut people = BTreeMap::new();
    for (id, name, address, zone, language, roles, deputy, manager, phone) in PEOPLE {
        let person = Person {
            id: id.to_owned(),
            name: name.to_owned(),
            emails: vec![address.to_owned()],
            zone: zone.to_owned(),
            language: language.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            deputy: some(deputy),
            manager: some(manager),
            push: if phone {
                vec![format!("device-{id}")]
            } else {
                Vec::new()
            },
            ..Person::default()
        };
        people.insert(id.to_owned(), person);
    }
    Directory {
        version: 0,
        people,
        owner: Some(OWNER.to_owned()),
        ..Directory::default()
    }
}

/// The key with which the companion app of the demo authenticates.
pub(super) const APP_KEY: &str = "demo-companion-app-key";

/// The connections, from what the stand-ins say about themselves.
pub(super) fn connections(info: &Value) -> Result<BTreeMap<String, ConnectionConfig>, String> {
    let mailboxes = info.get("mailboxes").and_then(Value::as_array);
    let watched = mailboxes
        .and_then(|all| {
            all.iter()
                .find(|one| one["address"] == "approvals@example.com")
        })
        .ok_or("the stand-ins have no mailbox approvals@example.com")?;
    let push = info
        .get("opentext")
        .ok_or("the stand-ins have no push service")?;
    let mut connections = BTreeMap::new();
    let mail = json!({
        "address": text(watched, "address")?, "client_id": text(watched, "client_id")?,
        "client_secret": text(watched, "client_secret")?,
        "refresh_token": text(watched, "refresh_token")?,
        "base_url": text(info, "google_url")?, "token_url": text(info, "token_url")?,
        "poll_seconds": 1,
    });
    connections.insert("approvals".to_owned(), connection("gmail", mail));
    let push = json!({
        "profile": "mra-push", "base_url": text(push, "url")?, "auth": "basic",
        "user": text(push, "user")?, "password": text(push, "password")?,
        "engagement_key": APP_KEY,
    });
    connections.insert("push".to_owned(), connection("opentext_push", push));
    let tenant = info
        .get("smintio")
        .ok_or("the stand-ins have no licence tenant")?;
    connections.insert(
        "smintio".to_owned(),
        connection("smintio", licences(tenant)?),
    );
    Ok(connections)
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    let text = value.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| format!("the stand-ins do not say `{name}`"))
}

/// The settings for the tenant: feed, hints of the push channel, signed webhooks, one campaign.
fn licences(tenant: &Value) -> Result<Value, String> {
    let pusher = &tenant["pusher"];
    Ok(json!({
        "tenant": text(tenant, "tenant")?, "client_id": text(tenant, "client_id")?,
        "client_secret": text(tenant, "client_secret")?,
        "refresh_token": text(tenant, "refresh_token")?,
        "base_url": text(tenant, "feed_url")?, "token_url": text(tenant, "token_url")?,
        "web_url": text(tenant, "issuer")?,
        "push_url": text(tenant, "url")?, "push_key": text(pusher, "key")?,
        "channel_id": pusher["channel_id"],
        "webhook_secret": text(tenant, "webhook_secret")?,
        "poll_seconds": 60,
        "campaigns": [
            { "collection": CAMPAIGN, "size": 4 }, { "collection": BY_HAND, "size": 4 },
        ],
    }))
}

/// The campaigns that are waited for: that of the agency's week, and the one that the tenant's page
/// has a button for.
pub(super) const CAMPAIGN: &str = "Autumn trail";
const BY_HAND: &str = "Open house";
/// A colleague at the tenant whom the directory knows and nobody has recognised yet.
const STRANGER: &str = "lena";

/// Which people of the directory the tenant's users are, as the console's API takes it. One of them
/// is left out, and the agency's people are in no directory: so there is somebody to recognise.
pub(super) fn known_at(tenant: &Value) -> Value {
    let users = tenant["buyers"].as_array().into_iter().flatten();
    let known = users.filter(|user| user["person"] != "" && user["person"] != STRANGER);
    let entries = known.map(|user| {
        json!({ "connection": "smintio", "id": user["uuid"], "name": user["name"],
            "person": user["person"] })
    });
    json!({ "identities": entries.collect::<Vec<_>>() })
}

fn connection(connector: &str, settings: Value) -> ConnectionConfig {
    let settings = match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    ConnectionConfig {
        connector: connector.to_owned(),
        settings,
        in_flight: None,
    }
}
