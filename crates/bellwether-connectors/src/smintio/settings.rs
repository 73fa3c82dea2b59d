//! The settings of a Smint.io connection: what a form asks for, and the checked values behind it.
//! How tokens are made from them is in `oauth`.

use bellwether_model::failure::Failure;
use bellwether_model::spec::{Field, FieldKind, Settings, Spec};
use bellwether_model::time::Millis;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::client::Interface;
use super::record::{Rules, Watched};
use crate::oauth::{Client, ClientAuth};

/// Scopes of the licence feed.
pub(super) const SCOPES: &[&str] = &["smintio.full", "openid", "profile", "offline_access"];
/// Where a person consents, and where tokens are made; `{tenant}` is the connection's.
pub(super) const AUTHORIZE: &str = "https://{tenant}.smint.io/connect/authorize";
pub(super) const TOKEN: &str = "https://{tenant}.smint.io/connect/token";
/// The most records that may be asked for at once: the vendor's base library allows no more.
const LIMIT_MAX: i64 = 50;
/// Campaigns that one connection watches.
const CAMPAIGNS_MAX: usize = 100;

/// The fields of a connection.
pub(super) fn spec() -> Spec {
    let mut fields = access();
    fields.extend(places());
    fields.extend(reading());
    fields.extend(meaning());
    fields.extend(ways_in());
    fields.extend(portals());
    Spec::of(fields)
}

fn access() -> Vec<Field> {
    use FieldKind::{Secret, Text, Url};
    vec![
        Field::new(
            "tenant",
            Text,
            "The tenant's id: the first part of its address.",
        )
        .required()
        .example("\"alpenwerk\""),
        Field::new(
            "client_id",
            Text,
            "The OAuth client's id, given out by Smint.io.",
        )
        .required(),
        Field::new("client_secret", Secret, "The OAuth client's secret.").required(),
        Field::new(
            "refresh_token",
            Secret,
            "The refresh token of the tenant's consent; empty when a person connects in the console.",
        ),
        Field::new(
            "base_url",
            Url,
            "Where the licence API is; default: https://{tenant}.clapi.smint.io/consumer/v1.",
        ),
        Field::new(
            "token_url",
            Url,
            "Where access tokens are made; default: https://{tenant}.smint.io/connect/token.",
        ),
        Field::new(
            "web_url",
            Url,
            "What links to bought assets begin with; default: https://{tenant}.smint.io.",
        ),
    ]
}

fn places() -> Vec<Field> {
    use FieldKind::{Integer, Text, Url};
    vec![
        Field::new(
            "transactions_path",
            Text,
            "The path of the licence feed. It is not public: take it from the integration guide or \
             the Swagger page of the tenant.",
        )
        .or("\"licensePurchaseTransactions/sync\"")
        .unverified(),
        Field::new(
            "binaries_path",
            Text,
            "The path of a licence's files, with {cartPurchaseTransactionUuid} and \
             {licensePurchaseTransactionUuid} in it, or without: then both are parameters. It is \
             not public.",
        )
        .or("\"cartPurchaseTransactions/{cartPurchaseTransactionUuid}/\
             licensePurchaseTransactions/{licensePurchaseTransactionUuid}/binaries/sync\"")
        .unverified(),
        Field::new(
            "metadata_path",
            Text,
            "The path of the vocabularies, which the connection's test reads. It is not public.",
        )
        .or("\"genericMetadata/sync\"")
        .unverified(),
        Field::new(
            "channel_id",
            Integer,
            "The number of the push channel, given out by Smint.io; 0 for none: then new licences \
             are found by polling only.",
        )
        .or("0"),
        Field::new(
            "push_url",
            Url,
            "Where the push channel is, with https:// for its WebSocket.",
        )
        .or("\"https://ws-eu.pusher.com\""),
        Field::new(
            "push_key",
            Text,
            "The key of the push channel's application.",
        )
        .or("\"32f31c26a83e09dc401b\""),
    ]
}

fn reading() -> Vec<Field> {
    use FieldKind::{Bool, Integer};
    vec![
        Field::new(
            "poll_seconds",
            Integer,
            "How often to look for changed licences when nothing hints, in seconds (60 to 43200).",
        )
        .or("1800"),
        Field::new(
            "reread_hours",
            Integer,
            "How often to read everything again, to find counters that grew in silence, in hours \
             (1 to 168).",
        )
        .or("24"),
        Field::new(
            "limit",
            Integer,
            "How many licences to ask for at once (1 to 50).",
        )
        .or("10"),
        Field::new(
            "files",
            Bool,
            "Whether the list of files is read for every licence that came or changed, with one \
             call each: without it, nothing tells that a file was updated or replaced.",
        )
        .or("true"),
    ]
}

fn meaning() -> Vec<Field> {
    use FieldKind::{Integer, Text, Tree};
    vec![
        Field::new(
            "zone",
            Text,
            "The time zone in which days end: a licence until 31 March ends at the end of that day.",
        )
        .or("\"Europe/Vienna\""),
        Field::new(
            "stuck_hours",
            Integer,
            "After how many hours in the same phase a purchase waits for somebody; 0 for never.",
        )
        .or("48"),
        Field::new(
            "campaigns",
            Tree,
            "Collections or projects whose completion is told: a list of `collection` or `project` \
             (uuid or name) with `size`, the number of assets in it.",
        )
        .example("[{\"collection\": \"Spring images\", \"size\": 12}]"),
        Field::new(
            "campaign_quiet_hours",
            Integer,
            "How long nothing may change in a whole campaign without `size` until it counts as \
             final, in hours.",
        )
        .or("24"),
    ]
}

fn ways_in() -> Vec<Field> {
    use FieldKind::{Integer, Secret, Text, Tree};
    vec![
        Field::new(
            "webhook_secret",
            Secret,
            "The secret that webhooks are signed with, in base64; without one every call is refused.",
        ),
        Field::new(
            "previous_webhook_secret",
            Secret,
            "The secret before the last change, good until the sender has changed too.",
        ),
        Field::new(
            "signature_header",
            Text,
            "The header with the signature of a webhook. Smint.io defines no name.",
        )
        .or("\"x-smintio-signature\"")
        .unverified(),
        Field::new(
            "timestamp_header",
            Text,
            "The header with the time of a webhook, in seconds since 1970. Smint.io defines no name.",
        )
        .or("\"x-smintio-timestamp\"")
        .unverified(),
        Field::new(
            "tolerance_seconds",
            Integer,
            "How old or how far ahead a webhook's time may be, in seconds (1 to 3600).",
        )
        .or("300"),
        Field::new(
            "mapping",
            Tree,
            "Where a webhook's body has what flows use, for senders with other names: `type`, `id`, \
             `time`, and under `data` the names of nouns and fields, each with a dotted path or a \
             text of several: `{task.id}/{task.state}`. Under `types`, their words for ours.",
        )
        .example("{\"type\": \"event.kind\", \"id\": \"event.id\"}"),
    ]
}

fn portals() -> Vec<Field> {
    use FieldKind::{Secret, Tree};
    vec![
        Field::new(
            "portals",
            Tree,
            "What is watched in a portal; without it no portal is read. `portal_uuid` (with \
             `page_uuid` for a page's own executor), `searches` (each a `name` and a `query`, with \
             `content_type`, `mode` and `filters` as the portal has them) and `collections` (each a \
             `name`, a `uuid` and `ready_when`: the `flag` that every asset must have, such as \
             level_10, or `all_published` with `size`). `poll_seconds` (60 to 43200, 900), \
             `task_poll_seconds` (5 to 10, 5), `task_patience_minutes` (1 to 240, 30), `page_size` \
             (1 to 50, 50), `items` of one watch (1 to 5000, 1000). `base_url` (default: \
             https://{tenant}.portalsapife.smint.io/frontend/v1), `context_url` (the portal's own \
             address), `culture`, `asset_url` (the page of an asset, with {assetId}). Not public, \
             and to be taken from the tenant: `token_url` and `client_id` (default: those of the \
             licences), `executor_path` (with {portal} and {page}), `methods` (`search`, \
             `collection`, `asset`).",
        )
        .example(
            "{\"portal_uuid\": \"8f2c6f0e-1f6b-4b57-9d53-0b6f2a1c9e10\", \"searches\": \
             [{\"name\": \"Everything\", \"query\": \"\"}]}",
        )
        .unverified(),
        Field::new(
            "portals_refresh_token",
            Secret,
            "The refresh token of the portal user who searches, with the scope \
             smintio.portals.frontend: the consent for licences does not cover portals.",
        ),
        Field::new(
            "portals_client_secret",
            Secret,
            "The secret of `client_id` in `portals`; empty when it is the licences' client.",
        ),
    ]
}

/// Checked settings.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) tenant: String,
    pub(super) base_url: String,
    pub(super) client: Client,
    pub(super) transactions_path: String,
    pub(super) binaries_path: String,
    pub(super) metadata_path: String,
    pub(super) poll: Millis,
    pub(super) reread: Millis,
    pub(super) limit: u16,
    pub(super) files: bool,
    pub(super) rules: Rules,
    pub(super) watched: Vec<Watched>,
    pub(super) web_url: String,
    pub(super) channel: Option<u64>,
    pub(super) push_url: String,
    pub(super) push_key: String,
}

pub(super) fn wrong(field: &str, message: impl std::fmt::Display) -> Failure {
    Failure::misconfigured("bad_setting", format!("`{field}`: {message}"))
}

/// A number within bounds.
fn within(
    settings: &Settings,
    field: &str,
    bounds: (i64, i64),
    default: i64,
) -> Result<u64, Failure> {
    let value = settings.integer(field, default);
    let (least, most) = bounds;
    u64::try_from(value)
        .ok()
        .filter(|_| (least..=most).contains(&value))
        .ok_or_else(|| wrong(field, format!("a number from {least} to {most} is needed")))
}

fn campaigns(settings: &Settings) -> Result<Vec<Watched>, Failure> {
    let list = match settings.tree("campaigns") {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) if list.len() <= CAMPAIGNS_MAX => list,
        _ => {
            let text = format!("a list of up to {CAMPAIGNS_MAX} campaigns is needed");
            return Err(wrong("campaigns", text));
        }
    };
    let quiet = within(settings, "campaign_quiet_hours", (1, 8_760), 24)?;
    let one = |item: &Value| {
        let name = |key: &str| item[key].as_str().filter(|text| !text.is_empty());
        let (kind, name) = name("collection")
            .map(|name| ("collection", name))
            .or_else(|| name("project").map(|name| ("project", name)))
            .ok_or_else(|| wrong("campaigns", "each names a `collection` or a `project`"))?;
        let size = match &item["size"] {
            Value::Null => None,
            size => {
                let size = size.as_u64().filter(|size| (1..=2_000).contains(size));
                Some(size.ok_or_else(|| wrong("campaigns", "`size` is 1 to 2000"))?)
            }
        };
        Ok(Watched {
            kind: kind.to_owned(),
            name: name.to_owned(),
            size,
            quiet_hours: quiet,
        })
    };
    list.iter().map(one).collect()
}

impl Setup {
    /// The licence interface.
    pub(super) fn interface(&self) -> Interface {
        Interface {
            tenant: self.tenant.clone(),
            base_url: self.base_url.clone(),
            client: self.client.clone(),
            may: "read licences",
        }
    }

    pub(super) fn read(settings: &Settings) -> Result<Self, Failure> {
        let tenant = settings.require("tenant")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if tenant.len() > 63 || !tenant.bytes().all(plain) {
            return Err(wrong("tenant", "letters, digits and dashes are allowed"));
        }
        let url = |field: &str, otherwise: &str| match settings.text(field) {
            "" => otherwise.replace("{tenant}", tenant),
            text => text.trim_end_matches('/').to_owned(),
        };
        let zone = settings.text("zone");
        if TimeZone::get(zone).is_err() {
            return Err(wrong("zone", format!("{zone} is no time zone")));
        }
        let path = |field: &str| settings.text(field).trim_matches('/').to_owned();
        let limit = within(settings, "limit", (1, LIMIT_MAX), 10)?;
        let channel = settings.integer("channel_id", 0);
        Ok(Self {
            tenant: tenant.to_owned(),
            base_url: url("base_url", "https://{tenant}.clapi.smint.io/consumer/v1"),
            client: Client {
                token_url: url("token_url", TOKEN),
                id: settings.require("client_id")?.to_owned(),
                secret: settings.secret("client_secret"),
                auth: ClientAuth::Body,
            },
            transactions_path: path("transactions_path"),
            binaries_path: path("binaries_path"),
            metadata_path: path("metadata_path"),
            poll: Millis::seconds(within(settings, "poll_seconds", (60, 43_200), 1_800)?),
            reread: Millis::hours(within(settings, "reread_hours", (1, 168), 24)?),
            limit: u16::try_from(limit).unwrap_or(10),
            files: settings.flag("files"),
            rules: Rules {
                zone: zone.to_owned(),
                stuck_hours: within(settings, "stuck_hours", (0, 8_760), 48)?,
                ..Rules::default()
            },
            watched: campaigns(settings)?,
            web_url: url("web_url", "https://{tenant}.smint.io"),
            channel: u64::try_from(channel).ok().filter(|channel| *channel > 0),
            push_url: url("push_url", "https://ws-eu.pusher.com"),
            push_key: settings.text("push_key").to_owned(),
        })
    }
}
