//! The company of the demo: its people as the directory has them, its connections to the stand-ins.

use std::collections::BTreeMap;

use bellwether_model::directory::{Directory, Person};
use serde_json::{Map, Value, json};

use crate::config::ConnectionConfig;

/// Who is told when nobody else can be found.
const OWNER: &str = "ivan";

/// Id, name, address, zone, language, roles, deputy, manager, team, whether the person has a phone.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
    bool,
);

/// Everybody.
#[rustfmt::skip]
const PEOPLE: [Row; 13] = [
    ("alice", "Alice Arnold", "approver@example.com", "Europe/Vienna", "en", &["purchasing-lead"], "dora", "carl", "purchasing", true),
    ("berger", "J. Berger", "requester@example.com", "Europe/Vienna", "en", &[], "", "alice", "purchasing", false),
    ("carl", "Carl Conrad", "cfo@example.com", "Europe/Vienna", "en", &["cfo"], "", "", "", true),
    ("dora", "Dora Dorn", "deputy@example.com", "Europe/Berlin", "de", &["service-manager"], "", "carl", "service", true),
    ("ivan", "Ivan Ilic", "owner@example.com", "Europe/Vienna", "en", &["it", "it-ops", "security"], "", "carl", "it", true),
    ("lena", "Lena Lang", "legal@example.com", "Europe/London", "en", &["legal", "compliance"], "", "carl", "legal", true),
    ("maria", "Maria Moser", "maria@example.com", "Europe/Vienna", "en", &["marketing", "brand"], "", "carl", "marketing", true),
    ("paul", "Paul Price", "paul@example.com", "America/New_York", "en", &["procurement"], "", "carl", "purchasing", true),
    ("sam", "Sam Singh", "sam@example.com", "Australia/Sydney", "en", &["regional"], "", "maria", "marketing", true),
    ("tina", "Tina Traun", "tina@example.com", "Europe/Vienna", "de", &["technician"], "theo", "dora", "service", true),
    ("theo", "Theo Thal", "theo@example.com", "Europe/Vienna", "en", &["technician-standby", "service-owner"], "", "dora", "service", true),
    ("agnes", "Agnes Art", "agnes@agency.example.net", "Europe/London", "en", &["agency"], "", "", "", true),
    ("gerda", "Gerda Gruber", "gerda@customer.example.net", "Europe/Berlin", "de", &[], "", "", "customers", true),
];

/// Mailboxes of systems and of shared desks, with what they are.
const DESKS: [(&str, &str, &str); 6] = [
    (
        "alerts",
        "alerts@example.com",
        "watched mailbox of the alerts",
    ),
    (
        "service",
        "service@example.com",
        "watched mailbox of the service desk",
    ),
    (
        "confirm",
        "confirm@example.com",
        "watched mailbox of the payments desk",
    ),
    ("travel", "travel@example.com", "writes to customers"),
    ("erp", "erp@example.com", "system sender"),
    ("monitor", "monitor@example.com", "system sender"),
];

/// The connections that watch a mailbox, with its address.
pub(super) const WATCHED: [(&str, &str); 6] = [
    ("approvals", "approvals@example.com"),
    ("alerts", "alerts@example.com"),
    ("service", "service@example.com"),
    ("confirm", "confirm@example.com"),
    ("travel", "travel@example.com"),
    ("theos-mail", "theo@example.com"),
];

/// Everybody as the stand-ins know them: those whom they bring along, and the rest of the company.
pub(super) fn outside() -> Vec<bellwether_sandbox::Person> {
    let mut all = bellwether_sandbox::default_people();
    let known = |all: &[bellwether_sandbox::Person], address: &str| {
        all.iter().any(|person| person.address == address)
    };
    for (id, name, address, zone, _, roles, _, _, _, phone) in PEOPLE {
        if known(&all, address) {
            continue;
        }
        all.push(bellwether_sandbox::Person {
            id: id.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            phone,
            zone: Some(zone.to_owned()),
            role: roles
                .first()
                .map_or("customer", |role| role)
                .replace('-', " "),
        });
    }
    for (id, address, role) in DESKS {
        all.push(bellwether_sandbox::Person {
            id: id.to_owned(),
            name: id.to_owned(),
            address: address.to_owned(),
            phone: false,
            zone: None,
            role: role.to_owned(),
        });
    }
    all
}

/// The team of those whom the story meets and the company does not employ: they stand in the
/// register of customers, not in the directory.
const CUSTOMERS: &str = "customers";

/// The register of customers, as the console's API takes it: each has the app and agreed to pushes.
pub(super) fn customers() -> Value {
    let rows = PEOPLE.iter().filter(|row| row.8 == CUSTOMERS);
    let customer = |(id, name, address, zone, language, ..): &Row| {
        json!({
            "address": address, "name": name, "app_id": format!("device-{id}"),
            "language": language, "zone": zone, "consent": "given",
        })
    };
    json!({ "customers": rows.map(customer).collect::<Vec<_>>() })
}

/// The directory.
pub(super) fn directory() -> Directory {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut people = BTreeMap::new();
    for (id, name, address, zone, language, roles, deputy, manager, team, phone) in PEOPLE {
        if team == CUSTOMERS {
            continue;
        }
        let person = Person {
            id: id.to_owned(),
            name: name.to_owned(),
            emails: vec![address.to_owned()],
            zone: zone.to_owned(),
            language: language.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            deputy: some(deputy),
            manager: some(manager),
            team: some(team),
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
    let push = info
        .get("opentext")
        .ok_or("the stand-ins have no push service")?;
    let mut connections = BTreeMap::new();
    for (name, address) in WATCHED {
        let mail = mailbox(info, address)?;
        connections.insert(name.to_owned(), connection("gmail", mail));
    }
    let workflows = json!({
        "secrets": WORKFLOWS_KEY, "type_path": "type", "id_path": "id", "noun": "activity",
    });
    connections.insert("workflows".to_owned(), connection("webhook", workflows));
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

/// With what the cloud workflows of the demo sign what they report.
pub(super) const WORKFLOWS_KEY: &str = "whsec_ZGVtby13b3JrZmxvd3Mta2V5LTE=";

/// What a mailbox says about how it is read.
pub(super) fn credentials<'a>(info: &'a Value, address: &str) -> Result<&'a Value, String> {
    let mut all = info["mailboxes"].as_array().into_iter().flatten();
    let found = all.find(|one| one["address"] == address);
    found.ok_or_else(|| format!("the stand-ins have no mailbox {address}"))
}

fn mailbox(info: &Value, address: &str) -> Result<Value, String> {
    let one = credentials(info, address)?;
    Ok(json!({
        "address": text(one, "address")?, "client_id": text(one, "client_id")?,
        "client_secret": text(one, "client_secret")?,
        "refresh_token": text(one, "refresh_token")?,
        "base_url": text(info, "google_url")?, "token_url": text(info, "token_url")?,
        "poll_seconds": 1,
    }))
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
