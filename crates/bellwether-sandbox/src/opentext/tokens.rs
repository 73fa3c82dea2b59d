//! Accounts, access tokens and how a caller proves who it is, as plain state. The token addresses
//! themselves are in `auth.rs`.
//!
//! Public: Basic with the messaging account, OAuth2 client credentials at the OpenText Cloud
//! Platform and at OTDS. Lifetimes differ by client there, so ours is short and can be set.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Tokens kept; the oldest are forgotten first, like expired ones.
const MAX_TOKENS: usize = 10_000;
/// Lifetime of an access token until somebody sets another.
pub(crate) const DEFAULT_TOKEN_SECONDS: u64 = 300;

/// The one account of the stand-in; the values are printed by `GET /admin/info`.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Messaging account for HTTP Basic on the messaging API.
    pub(crate) user: String,
    /// Its password. A value of the stand-in, not a secret.
    pub(crate) password: String,
    /// OAuth client for the token addresses.
    pub(crate) client_id: String,
    /// Its secret. A value of the stand-in, not a secret.
    pub(crate) client_secret: String,
    /// Tenant in the token address.
    pub(crate) tenant: String,
    /// AppWorks app that notifications go to.
    pub(crate) otag_app: String,
    /// Shared key between gateway and service, header `otagAppKey`.
    pub(crate) otag_app_key: String,
}

impl Default for Account {
    fn default() -> Self {
        let own = str::to_owned;
        Self {
            user: own("alpenwerk"),
            password: own("messaging-password"),
            client_id: own("alpenwerk-client"),
            client_secret: own("alpenwerk-client-secret"),
            tenant: own("alpenwerk-tenant"),
            otag_app: own("alpenwerk-approvals"),
            otag_app_key: own("alpenwerk-otag-app-key"),
        }
    }
}

/// Who called, or why the call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The messaging account, by Basic.
    Basic(String),
    /// An OAuth client, by a token that still lives.
    Bearer(String),
    /// No `Authorization` at all.
    Missing,
    /// Something was sent and it does not hold; the sentence says what.
    Wrong(&'static str),
}

#[derive(Debug, Clone)]
struct Token {
    client: String,
    expires: Instant,
    number: u64,
}

/// All access tokens that were given out.
#[derive(Debug)]
pub(crate) struct Tokens {
    live: BTreeMap<String, Token>,
    /// Lifetime of the next tokens, in seconds of real time.
    pub(crate) seconds: u64,
    issued: u64,
    seed: String,
}

impl Tokens {
    /// `seed` makes the tokens of two runs differ.
    pub(crate) fn new(seed: String) -> Self {
        Self {
            live: BTreeMap::new(),
            seconds: DEFAULT_TOKEN_SECONDS,
            issued: 0,
            seed,
        }
    }

    /// A new token for this client, and its lifetime in seconds.
    pub(crate) fn issue(&mut self, client: &str, now: Instant) -> (String, u64) {
        self.live.retain(|_, token| token.expires > now);
        if self.live.len() >= MAX_TOKENS {
            let oldest = self
                .live
                .iter()
                .min_by_key(|(_, t)| t.number)
                .map(|(text, _)| text.clone());
            oldest.and_then(|text| self.live.remove(&text));
        }
        self.issued += 1;
        let digest = Sha256::digest(format!("opentext|{}|{}", self.seed, self.issued));
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let expires = now + Duration::from_secs(self.seconds);
        let token = Token {
            client: client.to_owned(),
            expires,
            number: self.issued,
        };
        self.live.insert(text.clone(), token);
        (text, self.seconds)
    }

    /// Takes one token back; unknown ones are no error, as RFC 7009 wants.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.live.remove(token);
    }

    /// Takes all tokens back and says how many lived.
    pub(crate) fn revoke_all(&mut self) -> usize {
        std::mem::take(&mut self.live).len()
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }

    /// Reads an `Authorization` header against the account and the live tokens.
    pub(crate) fn caller(&self, header: Option<&str>, account: &Account, now: Instant) -> Caller {
        let Some(header) = header else {
            return Caller::Missing;
        };
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            match basic(rest) {
                Some((user, password)) if user == account.user && password == account.password => {
                    Caller::Basic(user)
                }
                Some(_) => Caller::Wrong("The user or the password is wrong."),
                None => Caller::Wrong("The Basic credentials are not base64 of user:password."),
            }
        } else if scheme.eq_ignore_ascii_case("bearer") {
            match self.live.get(rest.trim()) {
                Some(token) if token.expires > now => Caller::Bearer(token.client.clone()),
                Some(_) => Caller::Wrong("The access token has expired; ask for a new one."),
                None => Caller::Wrong("The access token is unknown or was revoked."),
            }
        } else {
            Caller::Wrong("Authorization must be Basic or Bearer.")
        }
    }
}

/// Reads base64 of `user:password`.
pub(crate) fn basic(text: &str) -> Option<(String, String)> {
    let raw = BASE64_STANDARD.decode(text.trim()).ok()?;
    let (user, password) = std::str::from_utf8(&raw).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_until_its_time_or_its_revocation() {
        let account = Account::default();
        let start = Instant::now();
        let mut tokens = Tokens::new("seed".to_owned());
        tokens.seconds = 5;
        let (token, seconds) = tokens.issue("c", start);
        let bearer = format!("Bearer {token}");
        let at = |tokens: &Tokens, s| {
            tokens.caller(Some(&bearer), &account, start + Duration::from_secs(s))
        };
        assert_eq!(seconds, 5);
        assert_eq!(at(&tokens, 4), Caller::Bearer("c".into()));
        assert!(matches!(at(&tokens, 5), Caller::Wrong(_)));
        tokens.revoke(&token);
        assert!(matches!(at(&tokens, 0), Caller::Wrong(_)));
    }
}
