//! Proofs of who sent a request: a shared key and a keyed MAC, both compared in constant time and
//! both prepared once. Where a proof stands in a request is each connector's.

use std::fmt;

use bellwether_model::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A key that a caller shows. Only its hash is kept, so that the comparison tells neither the
/// length nor the beginning of the right one.
pub(crate) struct SharedKey(Option<[u8; 32]>);

impl SharedKey {
    /// An empty secret makes a key that nobody can show.
    pub(crate) fn new(secret: &Secret) -> Self {
        Self((!secret.is_empty()).then(|| Sha256::digest(secret.expose()).into()))
    }

    /// Whether the caller shows the key.
    pub(crate) fn matches(&self, shown: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        self.0
            .as_ref()
            .is_some_and(|right| bool::from(right.ct_eq(&shown)))
    }

    /// Whether an `authorization` header shows the key as a bearer token.
    pub(crate) fn matches_bearer(&self, header: Option<&str>) -> bool {
        let Some((scheme, shown)) = header.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && self.matches(shown.trim())
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "SharedKey(set)"
        } else {
            "SharedKey(empty)"
        })
    }
}

/// The key of an HMAC-SHA256, with the key already worked into the state.
#[derive(Clone)]
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// None for an empty key, under which everybody could sign.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        if key.is_empty() {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// The MAC over the parts, one after the other.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

/// Whether two MACs are the same, in constant time.
pub(crate) fn same(left: &[u8; 32], right: &[u8]) -> bool {
    left.as_slice().ct_eq(right).into()
}

/// The 32 bytes that 64 hexadecimal digits say.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(out)
}
