//! Tokens of links, reply addresses and codes: capabilities made at the moment of use from the
//! server's keys and never stored. A token names a notification, a purpose and an expiry; the
//! person and the case come from the notification.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether_model::connector::Signer;
use bellwether_model::id::{EffectId, Id};
use bellwether_model::time::{Millis, Time};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long a link can be opened.
pub const LINK_LIFE: Millis = Millis::days(60);
/// How long a form can be sent after it was shown.
pub const FORM_LIFE: Millis = Millis::hours(12);
/// How long a one-time code is good; the one before it still counts.
pub const CODE_STEP: Millis = Millis::minutes(5);
/// How long an enrolled device is known.
pub const SESSION_LIFE: Millis = Millis::days(30);

/// What a token is good for. Each token is good for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Opening the page.
    View,
    /// Sending the page's form.
    Act,
    /// Reports of the companion app.
    Report,
    /// A reply by mail.
    Reply,
}

impl Purpose {
    fn letter(self) -> u8 {
        match self {
            Self::View => b'v',
            Self::Act => b'a',
            Self::Report => b'r',
            Self::Reply => b'm',
        }
    }

    // A reply address has 64 characters before the @ in all, so its token is shorter: the day of
    // its expiry and ten bytes of MAC.

    fn expiry_len(self) -> usize {
        if self == Self::Reply { 2 } else { 5 }
    }

    fn mac_len(self) -> usize {
        if self == Self::Reply { 10 } else { 16 }
    }

    fn expiry(self, expires: Time) -> Vec<u8> {
        let seconds = expires.seconds().max(0);
        if self == Self::Reply {
            let day = u16::try_from(seconds / DAY + 1).unwrap_or(u16::MAX);
            return day.to_be_bytes().to_vec();
        }
        seconds.to_be_bytes()[3..].to_vec()
    }

    fn expires(self, bytes: &[u8]) -> Time {
        let mut number = [0; 8];
        number[8 - bytes.len()..].copy_from_slice(bytes);
        let number = i64::from_be_bytes(number);
        let seconds = if self == Self::Reply {
            number * DAY
        } else {
            number
        };
        Time(seconds.saturating_mul(1_000_000))
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// Not made by us, or for another purpose.
    Forged,
    /// Ours, but its time is over.
    Expired,
}

/// The server's keys: the first makes, all verify. Debug shows none.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(u8, [u8; 32])>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<u8> = self.keys.iter().map(|(id, _)| *id).collect();
        write!(f, "Keyring{ids:?}")
    }
}

impl Keyring {
    /// Keys with their ids, newest first. There must be at least one.
    pub fn new(keys: Vec<(u8, [u8; 32])>) -> Self {
        Self { keys }
    }

    fn mac(key: &[u8; 32], purpose: &[u8], parts: &[&[u8]]) -> [u8; 16] {
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length is allowed");
        mac.update(&(purpose.len() as u64).to_be_bytes());
        mac.update(purpose);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut out = [0; 16];
        out.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        out
    }

    /// Keys for another use, one for each of ours, with the same ids in the same order. None of
    /// them tells anything about ours, about those for other uses, or about any token.
    pub fn derive(&self, purpose: &str) -> Vec<(u8, [u8; 32])> {
        let derived = |(id, key): &(u8, [u8; 32])| {
            // HMAC takes keys of any length, so this cannot fail.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length is allowed");
            // No MAC above begins like this: there the length of the purpose comes first.
            mac.update(&[0xFF; 8]);
            mac.update(purpose.as_bytes());
            (*id, mac.finalize().into_bytes().into())
        };
        self.keys.iter().map(derived).collect()
    }

    fn newest(&self) -> &(u8, [u8; 32]) {
        &self.keys[0]
    }

    fn key(&self, id: u8) -> Option<&[u8; 32]> {
        self.keys
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, key)| key)
    }

    /// Seals parts of the record; the key's id comes first.
    pub(crate) fn seal(&self, parts: &[Vec<u8>]) -> String {
        let id = self.newest().0;
        self.seal_by(id, parts).unwrap_or_default()
    }

    /// Whether a seal is of these parts; None when it is by a key that is not among ours.
    pub(crate) fn fits(&self, seal: &str, parts: &[Vec<u8>]) -> Option<bool> {
        let Some(id) = seal.split_once('.').and_then(|(id, _)| id.parse().ok()) else {
            return Some(false);
        };
        let right = self.seal_by(id, parts)?;
        Some(right.as_bytes().ct_eq(seal.as_bytes()).into())
    }

    fn seal_by(&self, id: u8, parts: &[Vec<u8>]) -> Option<String> {
        let keys = self.derive("journal");
        let (_, key) = keys.iter().find(|(known, _)| *known == id)?;
        // HMAC takes keys of any length, so this cannot fail.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length is allowed");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let made = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Some(format!("{id}.{made}"))
    }

    /// Makes a token. `bound` is what it is tied to besides (the hash of what was shown).
    pub fn make(&self, purpose: Purpose, effect: EffectId, expires: Time, bound: &str) -> String {
        let (id, key) = self.newest();
        let mut bytes = vec![purpose.letter(), *id];
        bytes.extend_from_slice(effect.bytes());
        bytes.extend_from_slice(purpose.expiry(expires).as_slice());
        let mac = Self::mac(key, &bytes, &[bound.as_bytes()]);
        bytes.extend_from_slice(&mac[..purpose.mac_len()]);
        if purpose == Purpose::Reply {
            // Mail addresses do not keep upper and lower case apart.
            return base32(&bytes[1..]);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// `Forged` for anything not made here for this purpose, `Expired` when its time is over.
    pub fn read(
        &self,
        purpose: Purpose,
        token: &str,
        now: Time,
        bound: &str,
    ) -> Result<EffectId, BadToken> {
        let bytes = if purpose == Purpose::Reply {
            unbase32(token).map(|rest| [b"m", rest.as_slice()].concat())
        } else {
            URL_SAFE_NO_PAD.decode(token).ok()
        };
        let signed = 18 + purpose.expiry_len();
        let whole = signed + purpose.mac_len();
        let bytes = bytes
            .filter(|bytes| bytes.len() == whole)
            .ok_or(BadToken::Forged)?;
        if bytes[0] != purpose.letter() {
            return Err(BadToken::Forged);
        }
        let key = self.key(bytes[1]).ok_or(BadToken::Forged)?;
        let mac = Self::mac(key, &bytes[..signed], &[bound.as_bytes()]);
        if !bool::from(mac[..purpose.mac_len()].ct_eq(&bytes[signed..])) {
            return Err(BadToken::Forged);
        }
        if now >= purpose.expires(&bytes[18..signed]) {
            return Err(BadToken::Expired);
        }
        let mut effect = [0; 16];
        effect.copy_from_slice(&bytes[2..18]);
        Ok(Id(effect))
    }

    /// The one-time code of a notification at an instant: six digits, good for this step of time
    /// and the next.
    pub fn code(&self, effect: EffectId, now: Time) -> String {
        self.code_at(effect, now.millis().div_euclid(CODE_STEP.0 as i64))
    }

    fn code_at(&self, effect: EffectId, step: i64) -> String {
        let (_, key) = self.newest();
        let mac = Self::mac(key, b"code", &[effect.bytes(), &step.to_be_bytes()]);
        let number = u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]) % 1_000_000;
        format!("{number:06}")
    }

    /// Whether a code is right now.
    pub fn check_code(&self, effect: EffectId, code: &str, now: Time) -> bool {
        let step = now.millis().div_euclid(CODE_STEP.0 as i64);
        let code: String = code.chars().filter(char::is_ascii_digit).collect();
        let right = |step| self.code_at(effect, step).as_bytes().ct_eq(code.as_bytes());
        bool::from(right(step) | right(step - 1))
    }

    /// The value of the cookie of a device that a person enrolled.
    pub fn session(&self, person: &str, now: Time) -> String {
        let expires = (now + SESSION_LIFE).seconds();
        let mac = self.sign("session", &[person, &expires.to_string()]);
        format!("{person}.{expires}.{mac}")
    }

    /// The person of a session cookie.
    pub fn read_session(&self, cookie: &str, now: Time) -> Option<String> {
        let mut parts = cookie.rsplitn(3, '.');
        let (mac, expires, person) = (parts.next()?, parts.next()?, parts.next()?);
        let right = self.verify("session", &[person, expires], mac);
        let fresh = expires.parse::<i64>().is_ok_and(|end| now.seconds() < end);
        (right && fresh).then(|| person.to_owned())
    }
}

impl Signer for Keyring {
    fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        URL_SAFE_NO_PAD.encode(Self::mac(&self.newest().1, purpose.as_bytes(), &parts))
    }

    fn verify(&self, purpose: &str, parts: &[&str], mac: &str) -> bool {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let Ok(given) = URL_SAFE_NO_PAD.decode(mac) else {
            return false;
        };
        self.keys.iter().any(|(_, key)| {
            bool::from(
                Self::mac(key, purpose.as_bytes(), &parts)
                    .as_slice()
                    .ct_eq(&given),
            )
        })
    }
}

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// RFC 4648 base32 in lower case without padding: what a mail address can carry.
fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(DIGITS[(held >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        out.push(char::from(DIGITS[(held << (5 - bits)) as usize & 31]));
    }
    out
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in text.bytes() {
        let lower = byte.to_ascii_lowercase();
        let value = DIGITS.iter().position(|digit| *digit == lower)?;
        held = (held << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 255).ok()?);
        }
    }
    Some(out)
}
