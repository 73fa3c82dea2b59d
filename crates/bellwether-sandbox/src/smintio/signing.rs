//! Signatures of the stand-in: HMAC-SHA256 for push channels, files and webhooks, and RS256 for ID
//! tokens. The RSA key is printed below, so it protects nothing; that is why a plain square and
//! multiply is enough here. Checking signatures is left to those who receive them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Name of the one key in the key set.
const KEY_ID: &str = "sandbox-1";
/// 64-bit words of the modulus: 2,048 bits.
const WORDS: usize = 32;
/// What PKCS #1 v1.5 writes before a SHA-256 digest.
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

const MODULUS: &str = "\
    a1d4dc5e213a9609fc119f6375ae28eee4a0239bdd6a97ce3b7547895f35f44d\
    44ee765998d85d28df17db91035d0a2139732e8f8f226a209c202d36cfd177a4\
    20dc578e4031d3bc527c927c1f23a40c5d301f597f2804213edb10e7e8fd9339\
    51162d87a2460d691f7e3be2537abfdacfd12a4a84351be16347ba8d8707d138\
    611e588e4fd1368839f0181ab56f3402b1bbf49dac5f3b48056c17188d2f2bff\
    b20a1d05471fc2cb47a0cefbca0b35166daa2e1953325f2d13d54aa7399ad3c7\
    b6786fc86e592a0a2e47cb51c23c0b481b80c5e7bb3720c5a6685fcb8661ad63\
    63b9c443d361dff3a0ed58ebafb27338ec5a5fa49daed861fab13b4841759ea9";

const PRIVATE_EXPONENT: &str = "\
    07078ec1f4fa0d41e645e2b1488f95de18a6bf1d3a5f32b465df4889f64d8aec\
    df516769296b3e92b3ac1ee0bbef6aecfa089f8d6357889a1d860548c3fab292\
    79cdf06cb0aba9699d00a5c147fdfd967ee6c3f9d87ce5bf06f2af978f469282\
    531c1e42adc112bc8dfe66fe0407c935294149efbe31eb61dd34e4acd8a0758d\
    46732f4095d8abb2cf31beec578b98ed9783397f6eb8ee99061cb95ab5e84e5a\
    ea51b09e980acb341a4a1a1cb06e118c60de3786516f36b8ee9f7a3e327a80e2\
    b3016453f49a75af37812293708f7ec18b6cfbeca84aa4e9e209027cd7459e9a\
    b8f9c1e90afba4777d0394d9cfe0471f3724111e6b746aaf4b15bd684a8a904d";

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is allowed");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA256 in hexadecimal digits.
pub(crate) fn hmac_hex(key: &[u8], text: &[u8]) -> String {
    hex(&hmac(key, text))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key set that ID tokens are checked with.
pub(crate) fn key_set() -> Value {
    let modulus: Vec<u8> = read(MODULUS)
        .iter()
        .rev()
        .flat_map(|w| w.to_be_bytes())
        .collect();
    json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
        "n": BASE64_URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"}]})
}

/// A signed JSON web token with these claims.
pub(crate) fn token(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}).to_string();
    let signed = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(header),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// RSASSA-PKCS1-v1_5 over SHA-256.
fn sign(text: &[u8]) -> Vec<u8> {
    let mut padded = vec![0xff; WORDS * 8];
    let digest = Sha256::digest(text);
    let tail = WORDS * 8 - DIGEST_INFO.len() - digest.len();
    padded[0] = 0;
    padded[1] = 1;
    padded[tail - 1] = 0;
    padded[tail..tail + DIGEST_INFO.len()].copy_from_slice(&DIGEST_INFO);
    padded[tail + DIGEST_INFO.len()..].copy_from_slice(&digest);
    let mut message = [0; WORDS];
    for (word, bytes) in message.iter_mut().zip(padded.rchunks(8)) {
        *word = bytes.iter().fold(0, |w, b| (w << 8) | u64::from(*b));
    }
    let powered = power(&message, &read(PRIVATE_EXPONENT), &read(MODULUS));
    powered.iter().rev().flat_map(|w| w.to_be_bytes()).collect()
}

/// A number, least word first.
type Number = [u64; WORDS];

/// Reads hexadecimal digits; they are constants of this file.
fn read(digits: &str) -> Number {
    let mut number = [0; WORDS];
    for (word, digits) in number.iter_mut().zip(digits.as_bytes().rchunks(16)) {
        *word = digits.iter().fold(0, |w, d| {
            (w << 4) | u64::from(char::from(*d).to_digit(16).unwrap_or(0))
        });
    }
    number
}

/// `base` to the power of `exponent`, modulo an odd number, by Montgomery's multiplication.
fn power(base: &Number, exponent: &Number, modulus: &Number) -> Number {
    // The inverse of the lowest word modulo 2^64, by Newton's steps.
    let mut inverse = 1u64;
    for _ in 0..6 {
        let error = modulus[0].wrapping_mul(inverse);
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(error));
    }
    let negated = inverse.wrapping_neg();
    let mut square = [0; WORDS];
    square[0] = 1;
    let mut one = square;
    for step in 0..WORDS * 128 {
        if step == WORDS * 64 {
            one = square;
        }
        square = doubled(&square, modulus);
    }
    let base = multiply(base, &square, modulus, negated);
    let mut result = one;
    for bit in (0..WORDS * 64).rev() {
        result = multiply(&result, &result, modulus, negated);
        if exponent[bit / 64] >> (bit % 64) & 1 == 1 {
            result = multiply(&result, &base, modulus, negated);
        }
    }
    let mut plain = [0; WORDS];
    plain[0] = 1;
    multiply(&result, &plain, modulus, negated)
}

fn doubled(number: &Number, modulus: &Number) -> Number {
    let mut twice = [0; WORDS];
    let mut carry = 0;
    for (to, from) in twice.iter_mut().zip(number) {
        *to = (from << 1) | carry;
        carry = from >> 63;
    }
    reduced(twice, carry, modulus)
}

/// Takes the modulus off once when the number, with this word above it, is not below it.
fn reduced(number: Number, above: u64, modulus: &Number) -> Number {
    let mut less = [0; WORDS];
    let mut borrow = false;
    for ((to, from), by) in less.iter_mut().zip(&number).zip(modulus) {
        let (first, one) = from.overflowing_sub(*by);
        let (second, two) = first.overflowing_sub(u64::from(borrow));
        *to = second;
        borrow = one || two;
    }
    if borrow && above == 0 { number } else { less }
}

/// `a * b / 2^2048` modulo the modulus.
fn multiply(a: &Number, b: &Number, modulus: &Number, negated: u64) -> Number {
    let mut sum = [0u64; WORDS + 2];
    for factor in b {
        add_multiple(&mut sum, a, *factor);
        let even = sum[0].wrapping_mul(negated);
        add_multiple(&mut sum, modulus, even);
        sum.copy_within(1.., 0);
        sum[WORDS + 1] = 0;
    }
    let mut number = [0; WORDS];
    number.copy_from_slice(&sum[..WORDS]);
    reduced(number, sum[WORDS], modulus)
}

/// `sum += number * factor`.
fn add_multiple(sum: &mut [u64; WORDS + 2], number: &Number, factor: u64) {
    let mut carry = 0u128;
    for (to, from) in sum.iter_mut().zip(number) {
        let value = u128::from(*to) + u128::from(*from) * u128::from(factor) + carry;
        *to = low(value);
        carry = value >> 64;
    }
    let value = u128::from(sum[WORDS]) + carry;
    sum[WORDS] = low(value);
    sum[WORDS + 1] += low(value >> 64);
}

/// The lower 64 bits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is asked for"
)]
fn low(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_openssl_makes() {
        // `printf header.payload | openssl dgst -sha256 -sign key.pem | sha256sum`
        let digest = Sha256::digest(sign(b"header.payload"));
        assert_eq!(
            hex(&digest),
            "f86b78c0c2af9b34628a3a2d60c6380590e39a07fc40af104ef9f33ec4bac288"
        );
    }

    #[test]
    fn a_token_verifies_with_the_published_key() {
        let token = token(&json!({"sub": "u"}));
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .expect("it is base64");
        let mut number = [0; WORDS];
        for (word, bytes) in number.iter_mut().zip(signature.rchunks(8)) {
            *word = bytes.iter().fold(0, |w, b| (w << 8) | u64::from(*b));
        }
        let mut public = [0; WORDS];
        public[0] = 65_537;
        let opened = power(&number, &public, &read(MODULUS));
        let bytes: Vec<u8> = opened.iter().rev().flat_map(|w| w.to_be_bytes()).collect();
        assert!(bytes.ends_with(&Sha256::digest(signed.as_bytes())));
        assert_eq!(key_set()["keys"][0]["e"], "AQAB");
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        assert_eq!(
            hmac_hex(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
