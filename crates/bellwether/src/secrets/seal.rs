//! Sealing: a value becomes an envelope that only the server's key opens, and only in the place
//! for which it was made. XChaCha20-Poly1305; the envelope names its key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether_engine::run::Keyring;
use bellwether_model::id::hex;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde_json::{Value, json};

/// The key of an envelope: a JSON object with this and nothing else.
const MARK: &str = "$sealed";
/// The form of what stands in an envelope: `1.KEY.BASE64`, of the nonce and the sealed text.
const FORM: &str = "1";
const NONCE_BYTES: usize = 24;

/// Where a value lies. It is bound to the value, so that an envelope that somebody moves does not
/// open there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The document's kind.
    pub(crate) kind: &'a str,
    /// The document's name: a connection, or a connection and what the vault keeps for it.
    pub(crate) name: &'a str,
    /// The field.
    pub(crate) field: &'a str,
}

impl Place<'_> {
    /// Each part with its length, so that no two places have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in ["bellwether", self.kind, self.name, self.field] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {} {}", self.field, self.kind, self.name)
    }
}

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// This key is not at hand.
    NoKey(u8),
    /// It is not what was sealed for this place.
    Changed,
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey(id) => write!(
                f,
                "it is sealed with key {id}, which the key file does not hold; put the line of \
                 that key back"
            ),
            Self::Changed => f.write_str(
                "it was changed in the database or brought there from another place; set it again",
            ),
        }
    }
}

/// A value as it lies in the database.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// The number of its key; None when it cannot be read.
    pub(crate) key: Option<u8>,
    sealed: &'a str,
}

impl<'a> Envelope<'a> {
    /// The envelope, if the value is one.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        let fields = value.as_object().filter(|fields| fields.len() == 1)?;
        let text = fields.get(MARK)?.as_str().unwrap_or_default();
        let mut parts = text.splitn(3, '.');
        let form = parts.next().filter(|form| *form == FORM);
        let key = parts.next().and_then(|key| key.parse().ok());
        Some(Self {
            key: form.and(key),
            sealed: parts.next().unwrap_or_default(),
        })
    }
}

struct Key {
    id: u8,
    cipher: XChaCha20Poly1305,
    check: String,
}

/// The keys that seal and open: the first seals, all open. Debug shows their numbers only.
pub(crate) struct Seals {
    keys: Vec<Key>,
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seals{:?}", self.ids())
    }
}

impl Seals {
    /// Made from the server's keys; the keys themselves are used for nothing here.
    pub(crate) fn new(keyring: &Keyring) -> Self {
        let sealing = keyring.derive("secrets at rest");
        let checks = keyring.derive("check value of secrets at rest");
        let key = |((id, key), (_, check)): ((u8, [u8; 32]), (u8, [u8; 32]))| Key {
            id,
            cipher: XChaCha20Poly1305::new(&key.into()),
            check: hex(&check[..16]),
        };
        Self {
            keys: sealing.into_iter().zip(checks).map(key).collect(),
        }
    }

    /// The numbers of the keys, the one that seals first.
    pub(crate) fn ids(&self) -> Vec<u8> {
        self.keys.iter().map(|key| key.id).collect()
    }

    /// The number of the key that seals.
    pub(crate) fn newest(&self) -> Option<u8> {
        self.keys.first().map(|key| key.id)
    }

    /// What tells a key from any other without telling anything about it.
    pub(crate) fn check(&self, id: u8) -> Option<&str> {
        self.key(id).map(|key| key.check.as_str())
    }

    fn key(&self, id: u8) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Seals a value for a place.
    ///
    /// # Errors
    /// The system gives no random bytes; a sentence.
    pub(crate) fn seal(&self, place: Place<'_>, value: &Value) -> Result<Value, String> {
        let key = self.keys.first().ok_or("there is no key to seal with")?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|error| format!("no random bytes from the system: {error}"))?;
        let text = value.to_string();
        let payload = Payload {
            msg: text.as_bytes(),
            aad: &place.bytes(),
        };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| format!("{place} is too long to be sealed"))?;
        let text = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        Ok(json!({ MARK: format!("{FORM}.{}.{text}", key.id) }))
    }

    /// Opens an envelope in its place.
    ///
    /// # Errors
    /// Its key is not at hand, or it is not what was sealed for this place.
    pub(crate) fn open(&self, place: Place<'_>, envelope: &Envelope) -> Result<Value, NotOpened> {
        let id = envelope.key.ok_or(NotOpened::Changed)?;
        let key = self.key(id).ok_or(NotOpened::NoKey(id))?;
        let bytes = URL_SAFE_NO_PAD
            .decode(envelope.sealed)
            .map_err(|_| NotOpened::Changed)?;
        let (nonce, sealed) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(NotOpened::Changed)?;
        let payload = Payload {
            msg: sealed,
            aad: &place.bytes(),
        };
        let text = key
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| NotOpened::Changed)?;
        serde_json::from_slice(&text).map_err(|_| NotOpened::Changed)
    }
}
