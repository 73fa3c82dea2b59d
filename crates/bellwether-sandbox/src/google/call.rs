//! One call of the Gmail API: who calls, for which mailbox, with which parameters; and partial
//! answers (`fields`). Unknown parameters are refused, as Google does, so that a slip of a client
//! shows.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::errors::GoogleError;
use super::mailbox::Mailbox;
use super::quota::units;
use crate::server::Wire;
use crate::world::{World, lock};

/// Parameters that every Google API takes.
const COMMON: [&str; 13] = [
    "$.xgafv",
    "$alt",
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "upload_protocol",
    "uploadType",
    "upload_id",
];

/// A call that is authenticated and names a mailbox of the caller.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) address: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) source: IpAddr,
    path: Vec<(String, String)>,
    scopes: String,
}

/// What a call does, for the check of its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Headers and labels.
    Metadata,
    /// Everything of a message.
    Read,
    Modify,
    Send,
    Compose,
    Insert,
    Labels,
    Settings,
    /// For good.
    Delete,
}

impl Needs {
    fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Metadata => &["modify", "readonly", "metadata"],
            Self::Read => &["modify", "readonly"],
            Self::Modify => &["modify"],
            Self::Send => &["modify", "compose", "send"],
            Self::Compose => &["modify", "compose"],
            Self::Insert => &["modify", "insert"],
            Self::Labels => &["modify", "labels"],
            Self::Settings => &["modify", "readonly", "settings.basic"],
            Self::Delete => &[],
        }
    }
}

impl FromRequestParts<Arc<World>> for Call {
    type Rejection = GoogleError;

    async fn from_request_parts(
        parts: &mut Parts,
        world: &Arc<World>,
    ) -> Result<Self, Self::Rejection> {
        let bearer = lock(&world.google.tokens).check(&parts.headers);
        let bearer = bearer.ok_or_else(GoogleError::unauthenticated)?;
        let path = RawPathParams::from_request_parts(parts, world).await;
        let path = path.map_err(|_| GoogleError::not_found())?;
        let path: Vec<(String, String)> = path
            .iter()
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let user = path
            .iter()
            .find(|(n, _)| n == "user")
            .map(|(_, v)| v.as_str());
        let user = user.unwrap_or("me");
        if user != "me" && !user.eq_ignore_ascii_case(&bearer.address) {
            return Err(GoogleError::forbidden(format!(
                "Delegation denied for {user}"
            )));
        }
        if !world
            .google
            .mailboxes
            .contains_key(&bearer.address.to_lowercase())
        {
            return Err(GoogleError::precondition("Mail service not enabled"));
        }
        let mut quota = lock(&world.google.quota);
        let units = units(quota.profile, &parts.method, parts.uri.path());
        quota.charge(&bearer.address.to_lowercase(), units)?;
        drop(quota);
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Query(params) = query.map_err(|_| GoogleError::invalid("Invalid query."))?;
        let source = parts.extensions.get::<Wire>().map(|w| w.peer.ip());
        Ok(Self {
            world: Arc::clone(world),
            address: bearer.address.to_lowercase(),
            params,
            source: source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            path,
            scopes: bearer.scopes,
        })
    }
}

impl Call {
    /// Checks the scopes and that no unknown parameter came.
    pub(crate) fn allow(&self, needs: Needs, known: &[&str]) -> Result<(), GoogleError> {
        let granted = self.scopes.split_whitespace().any(|scope| {
            scope == "https://mail.google.com/"
                || scope
                    .strip_prefix("https://www.googleapis.com/auth/gmail.")
                    .is_some_and(|s| needs.scopes().contains(&s))
        });
        if !granted {
            return Err(GoogleError::scope());
        }
        for (name, _) in &self.params {
            if !known.contains(&name.as_str()) && !COMMON.contains(&name.as_str()) {
                return Err(GoogleError::invalid(format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query \
                     parameter. Field '{name}' could not be found in request message."
                )));
            }
        }
        Ok(())
    }

    /// Whether the caller may see no more than headers.
    pub(crate) fn metadata_only(&self) -> bool {
        let all = self.scopes.split_whitespace();
        let gmail = all.filter(|s| s.contains("/auth/gmail.") || s.contains("mail.google.com"));
        gmail.clone().count() > 0 && gmail.clone().all(|s| s.ends_with("gmail.metadata"))
    }

    /// A part of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.as_str())
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.params
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, GoogleError> {
        match self.param(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(invalid(name, other)),
        }
    }

    /// `maxResults` within its limits.
    pub(crate) fn most(&self, default: usize, limit: usize) -> Result<usize, GoogleError> {
        let Some(text) = self.param("maxResults") else {
            return Ok(default);
        };
        let number: usize = text.parse().map_err(|_| invalid("maxResults", text))?;
        Ok(if number == 0 {
            default
        } else {
            number.min(limit)
        })
    }

    /// Works on the mailbox of the call; notifications go out after it is unlocked.
    pub(crate) fn mailbox<R>(&self, work: impl FnOnce(&mut Mailbox) -> R) -> R {
        self.world.google.with(&self.address, work)
    }

    /// An answer, cut to `fields` when the caller asked for a part.
    pub(crate) fn answer(&self, value: Value) -> Response {
        match self.param("fields").and_then(mask) {
            Some(mask) => Json(mask.apply(value)).into_response(),
            None => Json(value).into_response(),
        }
    }
}

fn invalid(name: &str, value: &str) -> GoogleError {
    GoogleError::invalid(format!("Invalid value at '{name}': \"{value}\""))
}

/// Reads a JSON body; a field that the API does not know is an error, as at Google.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, GoogleError> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) {
        b"{}"
    } else {
        bytes
    };
    serde_json::from_slice(bytes)
        .map_err(|error| GoogleError::invalid(format!("Invalid JSON payload received. {error}")))
}

/// A parsed `fields` parameter: the wanted members, each with what is wanted inside it.
#[derive(Debug, Default)]
struct Mask(Vec<(String, Mask)>);

impl Mask {
    fn apply(&self, value: Value) -> Value {
        if self.0.is_empty() {
            return value;
        }
        match value {
            Value::Array(items) => items.into_iter().map(|v| self.apply(v)).collect(),
            Value::Object(members) => {
                let mut kept = Map::new();
                for (name, value) in members {
                    let wanted = self.0.iter().find(|(n, _)| *n == name || n == "*");
                    if let Some((_, inner)) = wanted {
                        kept.insert(name, inner.apply(value));
                    }
                }
                Value::Object(kept)
            }
            other => other,
        }
    }

    fn at(&mut self, path: &str) -> &mut Self {
        let mut here = self;
        for name in path.split('/').filter(|n| !n.is_empty()) {
            let place = here
                .0
                .iter()
                .position(|(n, _)| n == name)
                .unwrap_or_else(|| {
                    here.0.push((name.to_owned(), Self::default()));
                    here.0.len() - 1
                });
            here = &mut here.0[place].1;
        }
        here
    }
}

/// Parses `a,b(c,d/e)`; `None` when it asks for everything or is not understood.
fn mask(text: &str) -> Option<Mask> {
    let mut root = Mask::default();
    let mut prefix: Vec<String> = Vec::new();
    let mut name = String::new();
    for c in text.chars().chain(std::iter::once(',')) {
        match c {
            '(' => prefix.push(std::mem::take(&mut name)),
            ')' | ',' => {
                if !name.is_empty() {
                    let path = format!("{}/{}", prefix.join("/"), name);
                    root.at(&path);
                    name.clear();
                }
                if c == ')' {
                    prefix.pop()?;
                }
            }
            c => name.push(c),
        }
    }
    (!root.0.is_empty() && text != "*").then_some(root)
}
