//! The fields of a connection and of a push, and how the settings become a route. No call is made.

use bellwether_model::connector::Host;
use bellwether_model::failure::Failure;
use bellwether_model::secret::Secret;
use bellwether_model::spec::{Field, FieldKind, Settings, Spec};
use serde_json::{Value, json};

use super::payload::{NAMES, STARTER};
use super::template::Template;
use super::{Auth, Mra, Otag, PARSER, Route};
use crate::oauth::{Client, ClientAuth, Grant, TokenSource, basic, encoded};

/// How long a push is worth showing when neither flow nor connection says so: a day.
pub(super) const TTL_SECONDS: i64 = 86_400;
/// The file name in the envelope when the template for it gives none.
pub(super) const FILENAME: &str = "push.json";

/// The fields of a connection.
pub(super) fn spec() -> Spec {
    Spec::of([account(), envelope(), inlets()].concat())
}

fn account() -> Vec<Field> {
    let field = Field::new;
    vec![
        field(
            "profile",
            FieldKind::Choice(&["mra-push", "otag-fcm"]),
            "The product: the messaging API (mra-push) or an AppWorks Gateway (otag-fcm).",
        )
        .or("\"mra-push\""),
        field(
            "base_url",
            FieldKind::Url,
            "Where the messaging API or the gateway is, without a path.",
        )
        .required()
        .example("\"https://api.eu.cloudmessaging.opentext.com\""),
        field(
            "auth",
            FieldKind::Choice(&["basic", "client_credentials"]),
            "How the messaging API knows us: by user and password or by OAuth 2 client credentials.",
        )
        .or("\"basic\""),
        field("user", FieldKind::Text, "The messaging account, for `auth: basic`.")
            .example("\"alpenwerk\""),
        field("password", FieldKind::Secret, "Its password."),
        field(
            "token_url",
            FieldKind::Url,
            "The token address, for `auth: client_credentials`.",
        )
        .example("\"https://us.api.opentext.com/tenants/{tenant}/oauth2/token\""),
        field("client_id", FieldKind::Text, "The client's id there."),
        field("client_secret", FieldKind::Secret, "The client's secret."),
        field(
            "otag_app",
            FieldKind::Text,
            "The app's name at the gateway, for `profile: otag-fcm`.",
        )
        .example("\"approvals\""),
        field("otag_app_key", FieldKind::Secret, "The app's key at the gateway."),
    ]
}

fn envelope() -> Vec<Field> {
    let field = Field::new;
    vec![
        field("domain", FieldKind::Text, "The `domain` of the envelope.").or("\"MR\""),
        field(
            "filename",
            FieldKind::Text,
            "The `filename` of the envelope; the payload's placeholders may stand in it.",
        )
        .or("\"push.json\""),
        field(
            "payload",
            FieldKind::Tree,
            "The request file of one push: a tree whose text leaves are filled with names such as \
             {{ title }}. The provider's schema is in its portal; the default is Firebase's shape.",
        )
        .or(STARTER)
        .unverified(),
        field(
            "submit_id",
            FieldKind::Bool,
            "Whether each call carries our id as X-MRA-SubmitId.",
        )
        .or("false")
        .unverified(),
        field(
            "ttl_seconds",
            FieldKind::Integer,
            "How long a push that names no end is worth showing, in seconds.",
        )
        .or("86400"),
    ]
}

fn inlets() -> Vec<Field> {
    let field = Field::new;
    vec![
        field(
            "engagement_key",
            FieldKind::Secret,
            "The key with which the companion app reports; without it no report is taken.",
        ),
        field(
            "status_secret",
            FieldKind::Secret,
            "The secret with which delivery states are reported; without it none is taken.",
        )
        .unverified(),
    ]
}

/// The arguments of a push.
pub(super) fn input() -> Spec {
    let field = Field::new;
    let text = |name, about| field(name, FieldKind::Text, about);
    Spec::of(vec![
        text(
            "address",
            "The device token, or the user's name at the gateway.",
        )
        .required(),
        text("title", "The first line on the lock screen.").required(),
        text(
            "text",
            "What stands below it; shortened when the push network's limit is reached.",
        ),
        text("person", "Who it is for, as the directory names them."),
        text("link", "Where a tap leads: the page of this notification."),
        text("notification", "The id of the notification."),
        text(
            "token",
            "The notification's own token, with which the app reports.",
        ),
        text("shown", "The hash of the content shown."),
        field(
            "actions",
            FieldKind::Tree,
            "The buttons: a list of {id, label, comment: none | optional | required}.",
        ),
        text("case", "The case that it belongs to."),
        field(
            "kind",
            FieldKind::Choice(&["notify", "update"]),
            "An update replaces the earlier one without a sound and has no buttons.",
        )
        .or("\"notify\""),
        text(
            "collapse",
            "Pushes with the same key replace each other; default: the notification.",
        ),
        field(
            "ttl_seconds",
            FieldKind::Integer,
            "How long it is worth showing, in seconds.",
        ),
        text(
            "expires_at",
            "The same as an instant (RFC 3339), for phones that want one.",
        ),
        field(
            "importance",
            FieldKind::Choice(&["low", "normal", "high", "critical"]),
            "Low may wait until the phone wakes up by itself.",
        )
        .or("\"normal\""),
    ])
}

/// Arguments that work as they stand.
pub(super) fn sample() -> Value {
    json!({
        "person": "alice",
        "address": "device-alice",
        "title": "€4,200.00 · Huber",
        "text": "Purchase request 4711 waits for your decision.",
        "link": "https://bellwether.example.com/n/eyJuIjoi",
        "notification": "018f3c2a9b7c4d5e8f90a1b2c3d4e5f6",
        "token": "sample-token",
        "shown": "5d41402abc4b2a76",
        "actions": [
            {"id": "approve", "label": "Approve", "comment": "none"},
            {"id": "reject", "label": "Reject", "comment": "required"},
        ],
        "case": "approval/4711",
        "kind": "notify",
        "collapse": "approval/4711",
        "ttl_seconds": 3600,
        "importance": "normal",
    })
}

/// The route that the settings describe, and the address of its push call.
pub(super) fn route(settings: &Settings, host: &Host) -> Result<(Route, String), Failure> {
    for name in ["base_url", "token_url"] {
        // A password in an address would be in every log line that names the address.
        if settings.text(name).contains(['@', '?', '#']) {
            let message = format!("`{name}` is an address without user, password or query");
            return Err(Failure::misconfigured("bad_address", message));
        }
    }
    let base = settings.require("base_url")?.trim_end_matches('/');
    if settings.text("profile") == "otag-fcm" {
        return otag(settings, base);
    }
    let template = |tree: &Value| {
        Template::parse(tree, &NAMES).map_err(|why| Failure::misconfigured("bad_template", why))
    };
    let payload = match settings.tree("payload") {
        Value::Null => serde_json::from_str(STARTER)
            .map_err(|_| Failure::bug("bad_template", "the starter payload is not JSON"))?,
        tree => tree.clone(),
    };
    let text = |name: &str, otherwise: &str| match settings.text(name) {
        "" => otherwise.to_owned(),
        text => text.to_owned(),
    };
    let mra = Mra {
        auth: auth(settings, host)?,
        domain: text("domain", "MR"),
        filename: template(&Value::from(text("filename", FILENAME)))?,
        payload: template(&payload)?,
        submit_id: settings.flag("submit_id"),
    };
    Ok((Route::Mra(mra), format!("{base}{PARSER}")))
}

fn auth(settings: &Settings, host: &Host) -> Result<Auth, Failure> {
    if settings.text("auth") != "client_credentials" {
        let user = settings.require("user")?.to_owned();
        let header = basic(&user, &secret(settings, "password")?);
        return Ok(Auth::Basic {
            header: Secret::new(header),
            user,
        });
    }
    let client = Client {
        token_url: settings.require("token_url")?.to_owned(),
        id: settings.require("client_id")?.to_owned(),
        secret: secret(settings, "client_secret")?,
        auth: ClientAuth::Basic,
    };
    let scope = String::new();
    Ok(Auth::Tokens {
        client: client.id.clone(),
        source: TokenSource::new(host, client, Grant::ClientCredentials { scope }),
    })
}

fn otag(settings: &Settings, base: &str) -> Result<(Route, String), Failure> {
    let app = settings.require("otag_app")?.to_owned();
    if ["target", "created", "summary"].contains(&app.as_str()) {
        let message = "`otag_app` must not be one of the gateway's own names";
        return Err(Failure::misconfigured("bad_app_name", message));
    }
    let at = format!("{base}/deployments/notifications/{}", encoded(&app));
    let otag = Otag {
        app_key: secret(settings, "otag_app_key")?,
        probe: format!("{at}/seqBounds"),
        app,
    };
    Ok((Route::Otag(otag), format!("{at}/fcm-push")))
}

fn secret(settings: &Settings, name: &str) -> Result<Secret, Failure> {
    let secret = settings.secret(name);
    if secret.is_empty() {
        let message = format!("set `{name}`");
        return Err(Failure::misconfigured("missing_setting", message));
    }
    Ok(secret)
}
