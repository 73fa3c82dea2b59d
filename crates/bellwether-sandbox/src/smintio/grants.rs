//! What a tenant has granted, as plain state: codes, access tokens, and refresh tokens that are
//! replaced at every use. The addresses that hand them out are in `oidc.rs`.
//!
//! Lifetimes are those of the vendor's public base library (an inference for production) and run on
//! real time. Tokens are opaque here; no client should look inside.

use std::collections::VecDeque;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// Tokens of one kind that are kept; the oldest die first.
const TOKENS_LIMIT: usize = 10_000;
/// Scopes for the licence feed and the administration of portals.
pub(crate) const FEED_SCOPES: &str = "smintio.full openid profile offline_access";
/// Scopes for the portals' end users.
pub(crate) const PORTAL_SCOPES: &str = "smintio.portals.frontend openid profile offline_access";

/// Seconds that things live, in real time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) code: i64,
    pub(crate) access: i64,
    pub(crate) refresh: i64,
    pub(crate) id: i64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: 300,
            access: 3_600,
            refresh: 15 * 24 * 3_600,
            id: 300,
        }
    }
}

/// What somebody consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consent {
    /// Id of the person who consented.
    pub(crate) person: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
}

/// An authorization code that waits to be exchanged.
#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) consent: Consent,
    pub(crate) redirect_uri: String,
    /// Method and challenge of PKCE.
    pub(crate) challenge: Option<(String, String)>,
    expires: Timestamp,
    /// Family of tokens that came of it, once it was used.
    used: Option<u64>,
}

#[derive(Clone)]
struct Refresh {
    text: String,
    family: u64,
    consent: Consent,
    expires: Timestamp,
    spent: bool,
}

#[derive(Clone)]
struct Access {
    text: String,
    family: u64,
    consent: Consent,
    expires: Timestamp,
}

/// What the token address answers.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) seconds: i64,
    pub(crate) consent: Consent,
}

/// Who calls, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Known(Consent),
    Expired,
    Unknown,
}

/// All codes and tokens of a tenant.
#[derive(Default)]
pub(crate) struct Grants {
    seed: String,
    drawn: u64,
    codes: VecDeque<Code>,
    refresh: VecDeque<Refresh>,
    access: VecDeque<Access>,
    pub(crate) lifetimes: Lifetimes,
    /// The last ID token: whose claims it signs, when, and itself.
    signed: Option<(String, i64, String)>,
    /// Whether a refresh token that comes twice ends everything that came of it.
    pub(crate) reuse_ends_all: bool,
}

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grants")
            .field("access", &self.access.len())
            .field("refresh", &self.refresh.len())
            .finish_non_exhaustive()
    }
}

fn keep<T>(all: &mut VecDeque<T>, new: T) {
    if all.len() == TOKENS_LIMIT {
        all.pop_front();
    }
    all.push_back(new);
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

impl Grants {
    /// `seed` makes the tokens of two runs differ.
    pub(crate) fn new(seed: String) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    fn draw(&mut self, prefix: &str) -> String {
        self.drawn += 1;
        let digest = Sha256::digest(format!("smintio|{}|{}", self.seed, self.drawn));
        format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
    }

    /// A code for a consent.
    pub(crate) fn code(
        &mut self,
        consent: Consent,
        redirect_uri: String,
        challenge: Option<(String, String)>,
        now: Timestamp,
    ) -> String {
        let text = self.draw("code-");
        let code = Code {
            text: text.clone(),
            consent,
            redirect_uri,
            challenge,
            expires: later(now, self.lifetimes.code),
            used: None,
        };
        keep(&mut self.codes, code);
        text
    }

    /// Exchanges a code. `proven` says whether the caller knows what the code was asked with. A
    /// code that comes twice ends the tokens that came of it.
    pub(crate) fn exchange(
        &mut self,
        code: &str,
        now: Timestamp,
        proven: impl FnOnce(&Code) -> bool,
    ) -> Option<Given> {
        let at = self.codes.iter().position(|c| c.text == code)?;
        if let Some(family) = self.codes[at].used {
            self.end_family(family);
            return None;
        }
        let code = self.codes[at].clone();
        if code.expires <= now || !proven(&code) {
            return None;
        }
        self.drawn += 1;
        let family = self.drawn;
        self.codes[at].used = Some(family);
        Some(self.give(code.consent, family, now))
    }

    /// A refresh token out of nothing, as after a consent that nobody watched.
    pub(crate) fn starter(&mut self, person: &str, scope: &str, now: Timestamp) -> String {
        let text = self.draw("refresh-");
        let refresh = Refresh {
            text: text.clone(),
            family: self.drawn,
            consent: Consent {
                person: person.to_owned(),
                scope: scope.to_owned(),
                nonce: None,
            },
            expires: later(now, self.lifetimes.refresh),
            spent: false,
        };
        keep(&mut self.refresh, refresh);
        text
    }

    /// Whether a refresh token can still be used.
    pub(crate) fn is_fresh(&self, refresh: &str, now: Timestamp) -> bool {
        let mut all = self.refresh.iter();
        all.any(|r| r.text == refresh && !r.spent && r.expires > now)
    }

    /// Exchanges a refresh token for the next one; none is `invalid_grant`.
    pub(crate) fn renew(&mut self, refresh: &str, now: Timestamp) -> Option<Given> {
        let found = self.refresh.iter_mut().find(|r| r.text == refresh)?;
        let family = found.family;
        if found.spent {
            if self.reuse_ends_all {
                self.end_family(family);
            }
            return None;
        }
        if found.expires <= now {
            return None;
        }
        found.spent = true;
        let consent = found.consent.clone();
        Some(self.give(consent, family, now))
    }

    /// A token for the client itself, without anybody's consent and without a refresh token.
    pub(crate) fn own(&mut self, now: Timestamp) -> Given {
        self.drawn += 1;
        let consent = Consent {
            person: String::new(),
            scope: "smintio.full".to_owned(),
            nonce: None,
        };
        self.give(consent, self.drawn, now)
    }

    fn give(&mut self, consent: Consent, family: u64, now: Timestamp) -> Given {
        let seconds = self.lifetimes.access;
        let access = self.draw("access-");
        let token = Access {
            text: access.clone(),
            family,
            consent: consent.clone(),
            expires: later(now, seconds),
        };
        keep(&mut self.access, token);
        let lasting = consent.scope.split(' ').any(|s| s == "offline_access");
        let refresh = lasting.then(|| {
            let text = self.draw("refresh-");
            let refresh = Refresh {
                text: text.clone(),
                family,
                // A nonce belongs to the first ID token only.
                consent: Consent {
                    nonce: None,
                    ..consent.clone()
                },
                expires: later(now, self.lifetimes.refresh),
                spent: false,
            };
            keep(&mut self.refresh, refresh);
            text
        });
        Given {
            access,
            refresh,
            seconds,
            consent,
        }
    }

    /// An ID token with the same claims that was signed a short while ago. Signing is slow, and a
    /// client that refreshes often must not wait for it.
    pub(crate) fn signed_lately(&self, claims: &str, now: i64) -> Option<String> {
        let (signed, at, token) = self.signed.as_ref()?;
        let fresh = now - at < (self.lifetimes.id / 2).min(60);
        (signed == claims && fresh).then(|| token.clone())
    }

    pub(crate) fn keep_signed(&mut self, claims: String, now: i64, token: String) {
        self.signed = Some((claims, now, token));
    }

    /// Whose access token this is.
    pub(crate) fn caller(&self, access: &str, now: Timestamp) -> Caller {
        match self.access.iter().rev().find(|a| a.text == access) {
            Some(token) if token.expires > now => Caller::Known(token.consent.clone()),
            Some(_) => Caller::Expired,
            None => Caller::Unknown,
        }
    }

    /// Ends the access tokens now; refresh tokens stay good.
    pub(crate) fn expire_access(&mut self, now: Timestamp) {
        for token in &mut self.access {
            token.expires = token.expires.min(now);
        }
    }

    /// The consent is withdrawn: nothing that was given is good any more.
    pub(crate) fn end_all(&mut self) {
        self.codes.clear();
        self.refresh.clear();
        self.access.clear();
    }

    /// Takes one token back; what came of a refresh token ends with it.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.access.retain(|a| a.text != token);
        let family = self.refresh.iter().find(|r| r.text == token);
        if let Some(family) = family.map(|r| r.family) {
            self.end_family(family);
        }
    }

    fn end_family(&mut self, family: u64) {
        self.refresh.retain(|r| r.family != family);
        self.access.retain(|a| a.family != family);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_refresh_token_works_once_and_the_next_one_goes_on() {
        let mut grants = Grants::new("t".to_owned());
        let first = grants.starter("alice", FEED_SCOPES, at(0));
        let second = grants.renew(&first, at(1)).expect("it is fresh");
        assert!(grants.renew(&first, at(2)).is_none(), "used before");
        let next = second.refresh.expect("offline access");
        let third = grants.renew(&next, at(3)).expect("not harmed by the reuse");
        let (known, late) = (third.access.as_str(), at(3 + 3_600));
        assert!(matches!(grants.caller(known, at(4)), Caller::Known(_)));
        assert_eq!(grants.caller(known, late), Caller::Expired);
        assert_eq!(grants.caller("made-up", at(4)), Caller::Unknown);
    }

    #[test]
    fn reuse_can_end_everything_and_a_refresh_token_slides() {
        let mut grants = Grants::new("t".to_owned());
        grants.lifetimes.refresh = 10;
        let first = grants.starter("alice", FEED_SCOPES, at(0));
        let second = grants.renew(&first, at(9)).expect("fresh").refresh;
        let second = second.expect("a next one");
        assert!(grants.is_fresh(&second, at(18)), "its ten seconds are new");
        grants.reuse_ends_all = true;
        assert!(grants.renew(&first, at(18)).is_none());
        assert!(!grants.is_fresh(&second, at(18)), "the family is gone");
    }

    #[test]
    fn a_code_works_once_in_its_time_and_with_its_proof() {
        let mut grants = Grants::new("t".to_owned());
        let consent = Consent {
            person: "alice".to_owned(),
            scope: "openid".to_owned(),
            nonce: None,
        };
        let code = grants.code(consent, "http://a/cb".to_owned(), None, at(0));
        assert!(grants.exchange(&code, at(301), |_| true).is_none(), "late");
        assert!(
            grants.exchange(&code, at(1), |_| false).is_none(),
            "no proof"
        );
        let given = grants.exchange(&code, at(1), |c| c.redirect_uri == "http://a/cb");
        let given = given.expect("the first use");
        assert_eq!(given.refresh, None, "offline access was not asked for");
        assert!(grants.exchange(&code, at(2), |_| true).is_none(), "twice");
        assert_eq!(grants.caller(&given.access, at(2)), Caller::Unknown);
    }
}
