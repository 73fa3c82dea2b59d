//! OAuth 2 access tokens: made by refresh token or by client credentials, kept until shortly before
//! they end, renewed by one call at a time. How a person first consents is not here.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{Host, Vault};
use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::http::{Http, HttpRequest, HttpResponse};
use bellwether_model::id::{hash, hex};
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};
use serde::Deserialize;
use serde_json::Value;

use crate::http::retry_after;

/// The name under which a refresh token is kept that came by a person's consent instead of by a
/// setting.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// A token whose answer names no lifetime is renewed after this time.
const LIFETIME_UNKNOWN: Millis = Millis::minutes(5);
/// A token is renewed this long before its end, or after four fifths of a short life.
const EARLY_MAX: Millis = Millis::minutes(1);
/// The token endpoint has this long to answer.
const DEADLINE: Millis = Millis::seconds(20);
/// An answer of a token endpoint is never larger than this.
const ANSWER_MAX: usize = 64 * 1024;

/// How the client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// HTTP Basic, the way that every server must know (RFC 6749, 2.3.1).
    Basic,
    /// `client_id` and `client_secret` in the form.
    Body,
}

/// Where tokens are made, and for whom.
#[derive(Clone, Debug)]
pub struct Client {
    /// The token endpoint.
    pub token_url: String,
    /// The client's public id.
    pub id: String,
    /// The client's secret; empty for a public client.
    pub secret: Secret,
    /// How the client proves itself.
    pub auth: ClientAuth,
}

/// What a token is made from.
#[derive(Clone, Debug)]
pub enum Grant {
    /// A refresh token as the settings have it. Rotated ones are kept in the vault and win over it;
    /// an empty one means that it is in the vault under [`REFRESH_TOKEN`].
    Refresh(Secret),
    /// The client's own credentials, with the scope to ask for (empty for none).
    ClientCredentials {
        /// Scopes with spaces between.
        scope: String,
    },
}

/// Gives access tokens for one connection. Clones share one token.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    client: Client,
    grant: Grant,
    connection: String,
    http: Arc<dyn Http>,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    cached: Mutex<Option<Cached>>,
    /// Held during a renewal, so that there is one at a time.
    renewal: tokio::sync::Mutex<Renewal>,
    /// How many renewals there were: tells a caller whether one ended while it waited.
    renewals: AtomicU64,
}

struct Cached {
    token: Secret,
    renew_at: Time,
}

#[derive(Default)]
struct Renewal {
    /// What the last renewal failed with.
    failure: Option<Failure>,
    /// A rotated refresh token that could not be kept yet. The old one may already be void.
    unkept: Option<Secret>,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("connection", &self.0.connection)
            .field("token_url", &self.0.client.token_url)
            .finish_non_exhaustive()
    }
}

impl TokenSource {
    /// A source for the host's connection. Nothing is called yet.
    pub fn new(host: &Host, client: Client, grant: Grant) -> Self {
        Self(Arc::new(Inner {
            client,
            grant,
            connection: host.connection.clone(),
            http: Arc::clone(&host.http),
            vault: Arc::clone(&host.vault),
            clock: Arc::clone(&host.clock),
            cached: Mutex::new(None),
            renewal: tokio::sync::Mutex::default(),
            renewals: AtomicU64::new(0),
        }))
    }

    /// A token that is good at `now`: the kept one, else a new one. Many callers at once cause one
    /// call, and share its failure.
    ///
    /// # Errors
    /// `Reauthorise` when the credentials are refused, `Misconfigured` when the client or the
    /// address is wrong, `Retry` for everything that may pass. Nothing was done in any case.
    pub async fn token(&self, now: Time) -> Result<Secret, Failure> {
        if let Some(token) = self.0.kept(now) {
            return Ok(token);
        }
        let seen = self.0.count();
        let inner = Arc::clone(&self.0);
        // A task of its own: a caller that gives up must not lose a rotated refresh token.
        let renewal = tokio::spawn(async move {
            let mut renewal = inner.renewal.lock().await;
            if let Some(token) = inner.kept(now) {
                return Ok(token);
            }
            if inner.count() != seen
                && let Some(failure) = &renewal.failure
            {
                return Err(failure.clone());
            }
            let result = inner.renew(&mut renewal).await;
            inner.renewals.fetch_add(1, Ordering::AcqRel);
            renewal.failure = result.as_ref().err().cloned();
            result
        });
        renewal.await.unwrap_or_else(|_| {
            let message = "the renewal of an access token was stopped";
            Err(Failure::retry("token_renewal_stopped", message, None))
        })
    }

    /// Drops a token that the provider refused, so that the next call makes a new one. A token that
    /// another caller has renewed meanwhile stays.
    pub fn forget(&self, refused: &Secret) {
        let mut cached = self.0.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.as_ref().is_some_and(|kept| kept.token == *refused) {
            *cached = None;
        }
    }
}

/// What a token endpoint says when it works.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl Inner {
    fn kept(&self, now: Time) -> Option<Secret> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = cached.as_ref().filter(|kept| now < kept.renew_at)?;
        Some(kept.token.clone())
    }

    fn count(&self) -> u64 {
        self.renewals.load(Ordering::Acquire)
    }

    async fn renew(&self, renewal: &mut Renewal) -> Result<Secret, Failure> {
        let Grant::Refresh(first) = &self.grant else {
            return self.ask(None, renewal).await;
        };
        let name = self.vault_name(first);
        if let Some(token) = &renewal.unkept {
            self.vault
                .put(&self.connection, &name, token.clone())
                .await?;
            renewal.unkept = None;
        }
        let refresh = self.refresh_token(first, &name).await?;
        match self.ask(Some((&refresh, &name)), renewal).await {
            // Another process may have rotated the token since we read it.
            Err(failure) if failure.code == "invalid_grant" => {
                let again = self.refresh_token(first, &name).await?;
                if again == refresh {
                    return Err(failure);
                }
                self.ask(Some((&again, &name)), renewal).await
            }
            result => result,
        }
    }

    /// A new refresh token in the settings starts a new line of rotated ones.
    fn vault_name(&self, first: &Secret) -> String {
        if first.is_empty() {
            return REFRESH_TOKEN.to_owned();
        }
        let print = hash(&[b"refresh token", first.expose().as_bytes()]);
        format!("{REFRESH_TOKEN}:{}", hex(&print[..6]))
    }

    async fn refresh_token(&self, first: &Secret, name: &str) -> Result<Secret, Failure> {
        if let Some(kept) = self.vault.get(&self.connection, name).await? {
            return Ok(kept);
        }
        if first.is_empty() {
            let message = format!(
                "the connection `{}` has no refresh token yet: connect it, or set `refresh_token`",
                self.connection
            );
            return Err(Failure::reauthorise("not_connected", message));
        }
        Ok(first.clone())
    }

    async fn ask(
        &self,
        refresh: Option<(&Secret, &str)>,
        renewal: &mut Renewal,
    ) -> Result<Secret, Failure> {
        let asked_at = self.clock.now();
        let answer = self
            .http
            .send(self.request(refresh.map(|(token, _)| token)))
            .await
            .map_err(|failure| match failure.class {
                // Asking again makes one token more, nothing worse.
                FailureClass::MaybeDone | FailureClass::Reject => Failure {
                    class: FailureClass::Retry { after: None },
                    ..failure
                },
                _ => failure,
            })?;
        if !answer.is_success() {
            return Err(self.refused(&answer, refresh.map(|(token, _)| token), asked_at));
        }
        let parsed = serde_json::from_slice(&answer.body)
            .ok()
            .filter(|answer: &Answer| !answer.access_token.is_empty())
            .ok_or_else(|| {
                let message = format!(
                    "{} answered without an access token; check that it is the token address",
                    self.client.token_url
                );
                Failure::retry("bad_token_answer", message, None)
            })?;
        if let (Some(new), Some((old, name))) = (parsed.refresh_token, refresh)
            && !new.is_empty()
            && new != old.expose()
        {
            // Kept before the access token is used: else a crash here would lose the connection.
            let new = renewal.unkept.insert(Secret::new(new)).clone();
            self.vault.put(&self.connection, name, new).await?;
            renewal.unkept = None;
        }
        let token = Secret::new(parsed.access_token);
        let life = lifetime(&parsed.expires_in);
        let early = EARLY_MAX.min(Millis(life.0 / 5));
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(Cached {
            token: token.clone(),
            renew_at: asked_at + Millis(life.0 - early.0),
        });
        Ok(token)
    }

    fn request(&self, refresh: Option<&Secret>) -> HttpRequest {
        let mut form = Form::default();
        match (&self.grant, refresh) {
            (Grant::ClientCredentials { scope }, _) => {
                form.add("grant_type", "client_credentials");
                if !scope.is_empty() {
                    form.add("scope", scope);
                }
            }
            (Grant::Refresh(first), refresh) => {
                form.add("grant_type", "refresh_token");
                form.add("refresh_token", refresh.unwrap_or(first).expose());
            }
        }
        let mut request = HttpRequest::new("POST", self.client.token_url.as_str());
        request.deadline = DEADLINE;
        request.answer_max = ANSWER_MAX;
        let request = request.header("accept", "application/json");
        let request = match self.client.auth {
            ClientAuth::Basic => {
                request.header("authorization", basic(&self.client.id, &self.client.secret))
            }
            ClientAuth::Body => {
                form.add("client_id", &self.client.id);
                if !self.client.secret.is_empty() {
                    form.add("client_secret", self.client.secret.expose());
                }
                request
            }
        };
        request.body("application/x-www-form-urlencoded", form.0)
    }

    /// What a refusal means (RFC 6749, 5.2).
    fn refused(&self, answer: &HttpResponse, refresh: Option<&Secret>, now: Time) -> Failure {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let word = body["error"].as_str().unwrap_or_default();
        let connection = &self.connection;
        let status = answer.status;
        let failure = match (word, status) {
            ("invalid_grant", _) => Failure::reauthorise(
                "invalid_grant",
                format!("the consent of `{connection}` has ended or was withdrawn; connect again"),
            ),
            ("invalid_client", _) | (_, 401) => Failure::reauthorise(
                "invalid_client",
                format!(
                    "the client id or secret of `{connection}` was refused; enter the right ones"
                ),
            ),
            // A redirect leads to a page for people, as during maintenance.
            (_, 300..=399 | 408 | 429 | 500..) => {
                let url = &self.client.token_url;
                let message = format!(
                    "{url} answered {status} to the request for an access token; it is asked again"
                );
                let code = if status == 429 {
                    "rate_limited"
                } else {
                    "token_unavailable"
                };
                Failure::retry(code, message, retry_after(answer, now))
            }
            ("", _) => Failure::misconfigured(
                "token_refused",
                format!(
                    "{} answered {status}: check the token address of `{connection}`",
                    self.client.token_url
                ),
            ),
            (word, _) => Failure::misconfigured(
                "token_refused",
                format!("the token endpoint of `{connection}` refuses the request: {word}"),
            ),
        };
        let about = body["error_description"].as_str().unwrap_or_default();
        let words = format!("{word} {about}");
        let mut secrets = vec![&self.client.secret];
        secrets.extend(refresh);
        failure.with_source(redacted(words.trim(), &secrets).as_str())
    }
}

/// `expires_in` in seconds, as a number or, against the standard, as a text.
fn lifetime(expires_in: &Value) -> Millis {
    let seconds = match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    seconds.map_or(LIFETIME_UNKNOWN, |seconds: u64| {
        Millis(seconds.saturating_mul(1000))
    })
}

/// A provider's words without our secrets, in case it repeats what it was given.
pub(crate) fn redacted(words: &str, secrets: &[&Secret]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(words.to_owned(), |text, secret| {
            text.replace(secret.expose(), "***")
        })
}

/// A form body.
#[derive(Default)]
struct Form(String);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&encoded(value));
    }
}

/// The value of an `authorization` header. The pair is not form-encoded, against RFC 6749 2.3.1 and
/// with nearly every server: they compare it as it stands.
pub(crate) fn basic(user: &str, password: &Secret) -> String {
    let pair = format!("{user}:{}", password.expose());
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

/// Percent-encoding of everything but the unreserved characters.
pub(crate) fn encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}
