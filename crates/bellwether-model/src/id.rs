//! Identifiers of 128 bits: 48 bits of milliseconds, then 80 bits of a hash over what made the
//! thing. They are made without randomness, so the same input gives the same id, and they sort by
//! time, so tables keyed by them grow at the end. Event positions are plain integers and live with
//! the store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::time::Time;

/// A 128-bit identifier, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub [u8; 16]);

/// The id of a cell (one epoch of a flow's or connector's state; a *run* to people).
pub type CellId = Id;
/// The id of an effect; for pushes and mails it is also the id of the notification.
pub type EffectId = Id;

impl Id {
    /// The id of something made at `at` from `parts`. Parts are length-prefixed before hashing, so
    /// that `["a", "bc"]` and `["ab", "c"]` differ.
    pub fn derive(at: Time, parts: &[&[u8]]) -> Self {
        let digest = hash(parts);
        let mut id = [0; 16];
        id[..6].copy_from_slice(&at.millis().max(0).to_be_bytes()[2..]);
        id[6..].copy_from_slice(&digest[..10]);
        Self(id)
    }

    /// The instant (to the millisecond) in the id's first 48 bits.
    pub fn made_at(self) -> Time {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&self.0[..6]);
        Time::from_millis(i64::from_be_bytes(ms))
    }

    /// The 16 bytes of 32 hexadecimal digits.
    pub fn from_hex16(text: &str) -> Option<[u8; 16]> {
        text.parse::<Self>().ok().map(|id| id.0)
    }

    /// The 16 bytes as they are stored.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// SHA-256 over length-prefixed parts.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first 16 bytes of [`hash`]: a key for tables.
pub fn key16(parts: &[&[u8]]) -> [u8; 16] {
    let digest = hash(parts);
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

/// Lower-case hexadecimal of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 hexadecimal digits")
    }
}

impl std::error::Error for NotAnId {}

impl FromStr for Id {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 32 || !text.is_ascii() {
            return Err(NotAnId);
        }
        let mut id = [0; 16];
        for (index, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| NotAnId)?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
