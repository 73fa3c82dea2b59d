//! The signature of Standard Webhooks: `v1,<base64 HMAC-SHA256(secret, id.timestamp.body)>`,
//! several of them while a secret changes. What the body means is not here.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bellwether_model::failure::Failure;
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::secret::Secret;
use bellwether_model::time::{Millis, Time};

use crate::proof::{MacKey, same};

/// The most characters of a webhook-id.
const ID_MAX: usize = 256;
/// The most signatures that are looked at in one call: old and new secret, with room.
const SIGNATURES_MAX: usize = 8;
/// The most secrets of one connection.
const SECRETS_MAX: usize = 4;

/// Standard base64; senders differ about the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys of a connection, worked into MAC states. None refuses everybody.
#[derive(Debug)]
pub(crate) struct Keys(Vec<MacKey>);

/// What a good signature vouches for, besides the body.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    pub(crate) at: Time,
}

impl Keys {
    /// Reads `whsec_…` secrets; several in the first stand with spaces between.
    pub(crate) fn read(secrets: &Secret, previous: &Secret) -> Result<Self, Failure> {
        let given = secrets
            .expose()
            .split_whitespace()
            .chain(previous.expose().split_whitespace());
        let mut keys = Vec::new();
        for secret in given {
            let key = secret
                .strip_prefix("whsec_")
                .and_then(|text| BASE64.decode(text).ok())
                .and_then(|bytes| MacKey::new(&bytes));
            let Some(key) = key else {
                return Err(Failure::misconfigured(
                    "bad_secret",
                    "a signing secret is `whsec_` followed by base64; copy the sender's",
                ));
            };
            keys.push(key);
        }
        if keys.len() > SECRETS_MAX {
            let message = format!("at most {SECRETS_MAX} signing secrets are kept at a time");
            return Err(Failure::misconfigured("too_many_secrets", message));
        }
        Ok(Self(keys))
    }

    /// The key of the first secret.
    pub(crate) fn into_first(self) -> Option<MacKey> {
        self.0.into_iter().next()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tests the signature of a request; its time may differ from `now` by `tolerance`.
    ///
    /// # Errors
    /// 401 with what is wrong, by which it is counted; it never says whether the secret or the
    /// content was.
    pub(crate) fn verify<'a>(
        &self,
        request: &'a RawRequest,
        now: Time,
        tolerance: Millis,
    ) -> Result<Signed<'a>, RawAnswer> {
        let refuse = |code: &str, message: &str| RawAnswer::error(401, code, message);
        if self.is_empty() {
            let message = "no signing secret is set: every call is refused";
            return Err(refuse("no_secret", message));
        }
        let header = |name: &str| {
            request
                .header(name)
                .ok_or_else(|| refuse("no_header", &format!("the header {name} is missing")))
        };
        let id = header("webhook-id")?;
        let stamp = header("webhook-timestamp")?;
        let signatures = header("webhook-signature")?;
        if id.is_empty() || id.len() > ID_MAX {
            return Err(refuse("bad_id", "the webhook-id is empty or too long"));
        }
        let at = stamp
            .parse::<i64>()
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000_000))
            .map(Time)
            .ok_or_else(|| {
                let message = "the webhook-timestamp is not in whole seconds";
                refuse("bad_timestamp", message)
            })?;
        if now.since(at).max(at.since(now)) > tolerance {
            return Err(refuse(
                "stale_timestamp",
                "the webhook-timestamp is too far from now; check the sender's clock",
            ));
        }
        let parts = signed_parts(id, stamp, &request.body);
        let good = self.0.iter().any(|key| {
            let mac = key.mac(&parts);
            candidates(signatures).any(|candidate| same(&mac, &candidate))
        });
        if !good && candidates(signatures).next().is_none() {
            let message = "no webhook-signature is `v1,` and the base64 of 32 bytes";
            return Err(refuse("bad_encoding", message));
        }
        if !good {
            let message = "no webhook-signature fits this secret and body";
            return Err(refuse("wrong_signature", message));
        }
        Ok(Signed { id, at })
    }
}

/// What a signature is over.
pub(crate) fn signed_parts<'a>(id: &'a str, stamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", stamp.as_bytes(), b".", body]
}

/// The MACs among the signatures; other versions are not ours to judge.
fn candidates(signatures: &str) -> impl Iterator<Item = [u8; 32]> {
    signatures
        .split(' ')
        .take(SIGNATURES_MAX)
        .filter_map(|signature| {
            // The decoder wants room for its estimate, not for the result.
            let mut room = [0; 36];
            let text = signature.strip_prefix("v1,")?;
            let length = BASE64.decode_slice(text, &mut room).ok()?;
            room[..length].try_into().ok()
        })
}
