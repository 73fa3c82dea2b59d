//! The header fields that prove a mail to be ours: which case it belongs to, how many of our own
//! steps lie behind it, and a MAC. A mail that merely carries such fields claims; only a claim that
//! verifies counts. The MAC covers the sender's address, so copied fields do not fit another
//! sender.

use std::borrow::Cow;

use bellwether_model::connector::Signer;
use bellwether_model::id::{EffectId, hex};
use sha2::{Digest as _, Sha256};

use crate::oauth::encoded;

/// Case, hop and MAC.
pub(super) const MARKER: &str = "X-Bellwether";
/// The effect that sent the mail: by it an attempt is recognised afterwards.
pub(super) const EFFECT: &str = "X-Bellwether-Effect";
/// What the MAC is for.
const PURPOSE: &str = "mail-header";
/// A claim longer than this is not ours.
const VALUE_MAX: usize = 1024;
/// A case whose encoded key is longer than this is named by its hash: keys may be longer than a
/// header field should be, and a mail of ours that we did not know again would come in as new.
const CASE_MAX: usize = 512;
/// What a hash of a case begins with.
const HASHED: &str = "sha256:";

/// What a mail says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) case: Option<String>,
    pub(crate) hop: u8,
    pub(crate) effect: String,
    mac: String,
}

impl Claim {
    /// Reads the claim from header fields, if there is one.
    pub(super) fn read(fields: &[(String, String)]) -> Option<Self> {
        let field = |wanted: &str| {
            fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.as_str())
                .filter(|value| value.len() <= VALUE_MAX)
        };
        let mut claim = Self {
            effect: field(EFFECT)?.trim().to_owned(),
            ..Self::default()
        };
        for pair in field(MARKER)?.split(';') {
            match pair.trim().split_once('=') {
                Some(("case", value)) => claim.case = Some(decoded(value)?),
                Some(("hop", value)) => claim.hop = value.parse().ok()?,
                Some(("mac", value)) => value.clone_into(&mut claim.mac),
                _ => {}
            }
        }
        (!claim.mac.is_empty()).then_some(claim)
    }

    /// Whether it is true for a mail from this sender.
    pub(super) fn holds(&self, signer: &dyn Signer, from: &str) -> bool {
        let hop = self.hop.to_string();
        let from = from.to_ascii_lowercase();
        let case = self.case.as_deref().unwrap_or_default();
        signer.verify(PURPOSE, &[case, &hop, &self.effect, &from], &self.mac)
    }
}

/// The value of [`MARKER`] for a mail of ours.
pub(super) fn value(
    signer: &dyn Signer,
    case: Option<&str>,
    hop: u8,
    effect: EffectId,
    from: &str,
) -> String {
    let from = from.to_ascii_lowercase();
    let case = case.map(named);
    let case = case.as_deref();
    let parts = [
        case.unwrap_or_default(),
        &hop.to_string(),
        &effect.to_string(),
        &from,
    ];
    let mac = signer.sign(PURPOSE, &parts);
    let case = case.map_or_else(String::new, |case| format!("case={}; ", encoded(case)));
    format!("{case}hop={hop}; mac={mac}")
}

/// How a case is called in a header field.
fn named(case: &str) -> Cow<'_, str> {
    if encoded(case).len() <= CASE_MAX {
        return Cow::Borrowed(case);
    }
    Cow::Owned(format!("{HASHED}{}", hex(&Sha256::digest(case.as_bytes()))))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
