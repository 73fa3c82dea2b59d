//! The settings of a Gmail connection: what a form asks for, and the checked values behind it. How
//! tokens are made from them is in `oauth`.

use bellwether_model::failure::Failure;
use bellwether_model::spec::{Field, FieldKind, Settings, Spec};
use bellwether_model::time::Millis;

use crate::oauth::{Client, ClientAuth};

/// Where a person consents.
pub(super) const AUTHORIZE: &str = "https://accounts.google.com/o/oauth2/v2/auth";
/// Where tokens are made.
pub(super) const TOKEN: &str = "https://oauth2.googleapis.com/token";
/// Reading, labels, drafts and sending in one scope; it cannot delete for good.
pub(super) const SCOPES: &[&str] = &["https://www.googleapis.com/auth/gmail.modify"];

/// The least that Google's limit can sensibly be: one send and one read in a minute.
const UNITS_MIN: i64 = 300;

/// The fields of a connection.
pub(super) fn spec() -> Spec {
    use FieldKind::{Bool, Integer, Secret, Text, Url};
    Spec::of(vec![
        Field::new("address", Text, "The address of the mailbox.")
            .required()
            .example("\"approvals@example.com\""),
        Field::new(
            "client_id",
            Text,
            "The OAuth client's id from Google Cloud.",
        )
        .required(),
        Field::new("client_secret", Secret, "The OAuth client's secret.").required(),
        Field::new(
            "refresh_token",
            Secret,
            "The refresh token of the mailbox's consent; empty when a person connects in the console.",
        ),
        Field::new("base_url", Url, "Where the Gmail API is.")
            .or("\"https://gmail.googleapis.com\""),
        Field::new("token_url", Url, "Where access tokens are made.")
            .or("\"https://oauth2.googleapis.com/token\""),
        Field::new(
            "authserv_id",
            Text,
            "The name with which the mailbox's server signs Authentication-Results; results under \
             any other name are not believed.",
        )
        .or("\"mx.google.com\""),
        Field::new(
            "poll_seconds",
            Integer,
            "How often to look for new mail, in seconds (1 to 3600).",
        )
        .or("30"),
        Field::new(
            "sweep_minutes",
            Integer,
            "How often to compare the mailbox's own list with the ledger, in minutes (1 to 1440).",
        )
        .or("30"),
        Field::new(
            "can_draft",
            Bool,
            "Whether mail is sent by way of a draft, so that an unknown outcome can be found out. \
             Set false when only gmail.send was granted: such a mail then stays `maybe_sent`.",
        )
        .or("true"),
        Field::new(
            "quota_units_per_minute",
            Integer,
            "How many of Google's quota units per minute this mailbox may use; sending goes first.",
        )
        .or("6000"),
        Field::new(
            "sender_name",
            Text,
            "The name beside the address in mails that are sent.",
        )
        .example("\"Approvals\""),
    ])
}

/// The checked settings.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) mailbox: String,
    pub(super) sender_name: String,
    pub(super) base: String,
    pub(super) authserv: String,
    pub(super) poll: Millis,
    pub(super) sweep: Millis,
    pub(super) can_draft: bool,
    pub(super) units: u32,
    pub(super) client: Client,
}

impl Setup {
    /// Reads the settings of a connection.
    pub(super) fn read(settings: &Settings) -> Result<Self, Failure> {
        let mailbox = settings.require("address")?.trim().to_owned();
        let whole = mailbox.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.contains(['@', ' '])
        });
        if !whole {
            let message = format!("`address` must be a mail address, not `{mailbox}`");
            return Err(Failure::misconfigured("bad_address", message));
        }
        let bounded = |name: &str, otherwise: i64, least: i64, most: i64| {
            let value = settings.integer(name, otherwise);
            if (least..=most).contains(&value) {
                return Ok(value.unsigned_abs());
            }
            let message = format!("`{name}` must be between {least} and {most}, not {value}");
            Err(Failure::misconfigured("out_of_range", message))
        };
        let units = bounded("quota_units_per_minute", 6000, UNITS_MIN, 1_000_000)?;
        Ok(Self {
            mailbox,
            sender_name: settings.text("sender_name").to_owned(),
            base: settings
                .require("base_url")?
                .trim_end_matches('/')
                .to_owned(),
            authserv: settings.require("authserv_id")?.to_owned(),
            poll: Millis::seconds(bounded("poll_seconds", 30, 1, 3600)?),
            sweep: Millis::minutes(bounded("sweep_minutes", 30, 1, 1440)?),
            can_draft: settings.flag("can_draft"),
            units: u32::try_from(units).unwrap_or(u32::MAX),
            client: Client {
                token_url: settings.require("token_url")?.to_owned(),
                id: settings.require("client_id")?.to_owned(),
                secret: settings.secret("client_secret"),
                auth: ClientAuth::Body,
            },
        })
    }
}
