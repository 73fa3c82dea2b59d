//! The event that is sent: a signed Standard-Webhooks POST of 1 KB, made once and patched per
//! event, so that the generator costs the two shared cores as little as it can.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{During, Outcome};
use crate::id::{BenchId, ID_LEN, digits};

/// Bytes of the event's body.
pub(crate) const BODY_LEN: usize = 1024;
/// Where the body tells its kind; one of the twenty flows matches it.
pub(crate) const KIND: &str = "k07";
/// Length of a base64 HMAC-SHA256.
const SIGNATURE_LEN: usize = 44;
/// Length of a Unix time in seconds.
const TIME_LEN: usize = 10;

/// A request with holes for id, time and signature.
#[derive(Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    id_at: usize,
    time_at: usize,
    signature_at: usize,
    body_at: usize,
    number_at: usize,
    mac: Hmac<Sha256>,
}

impl Request {
    /// A request to `path` on `host`, signed with a secret of the form `whsec_<base64>`.
    pub(crate) fn new(host: &str, path: &str, secret: &str) -> Outcome<Self> {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
            .during("the webhook secret is not base64")?;
        let mac = Hmac::new_from_slice(&key).during("the webhook secret cannot be a key")?;
        let body = body();
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nwebhook-id: ",
            body.len()
        );
        let id_at = head.len();
        head.push_str(&"0".repeat(ID_LEN));
        head.push_str("\r\nwebhook-timestamp: ");
        let time_at = head.len();
        head.push_str(&"0".repeat(TIME_LEN));
        head.push_str("\r\nwebhook-signature: v1,");
        let signature_at = head.len();
        head.push_str(&"0".repeat(SIGNATURE_LEN));
        head.push_str("\r\n\r\n");
        let body_at = head.len();
        head.push_str(&body);
        Ok(Self {
            bytes: head.into_bytes(),
            id_at,
            time_at,
            signature_at,
            body_at,
            number_at: body_at + NUMBER_OFFSET,
            mac,
        })
    }

    /// The whole request for one event, signed for the second `now`.
    pub(crate) fn fill(&mut self, id: BenchId, now: u64) -> &[u8] {
        let number_end = self.number_at + ID_LEN;
        id.write(&mut self.bytes[self.number_at..number_end]);
        id.write(&mut self.bytes[self.id_at..self.id_at + ID_LEN]);
        let seconds = u32::try_from(now).unwrap_or(u32::MAX);
        digits(
            seconds,
            &mut self.bytes[self.time_at..self.time_at + TIME_LEN],
        );
        let mut mac = self.mac.clone();
        mac.update(&self.bytes[self.id_at..self.id_at + ID_LEN]);
        mac.update(b".");
        mac.update(&self.bytes[self.time_at..self.time_at + TIME_LEN]);
        mac.update(b".");
        mac.update(&self.bytes[self.body_at..]);
        let signature = mac.finalize().into_bytes();
        let hole = &mut self.bytes[self.signature_at..self.signature_at + SIGNATURE_LEN];
        // The slice is exactly as long as base64 of 32 bytes; a failure would leave zeros, which
        // every receiver refuses.
        if STANDARD.encode_slice(signature, hole).is_err() {
            hole.fill(b'0');
        }
        &self.bytes
    }
}

/// A whole request with any body, signed for the second `now`.
pub(crate) fn signed(
    host: &str,
    path: &str,
    secret: &str,
    id: &str,
    now: u64,
    body: &str,
) -> Outcome<Vec<u8>> {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .during("the webhook secret is not base64")?;
    let mut mac: Hmac<Sha256> =
        Hmac::new_from_slice(&key).during("the webhook secret cannot be a key")?;
    mac.update(format!("{id}.{now}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Ok(format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {now}\r\n\
         webhook-signature: v1,{signature}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes())
}

/// Where the id stands in the body.
const NUMBER_OFFSET: usize = OPENING.len();
const OPENING: &str = r#"{"number":""#;

/// An order as a shop would send it, padded to [`BODY_LEN`].
fn body() -> String {
    let mut body = format!(
        concat!(
            "{}{}\",\"kind\":\"{}\",\"placed_at\":\"2026-03-02T09:00:00Z\",\"currency\":\"EUR\",",
            "\"total\":4711.50,\"customer\":{{\"name\":\"Huber Metallbau GmbH\",",
            "\"city\":\"Graz\",\"country\":\"AT\"}},\"lines\":[",
            "{{\"sku\":\"AX-100\",\"text\":\"Bearing 6204\",\"count\":12,\"price\":18.20}},",
            "{{\"sku\":\"AX-207\",\"text\":\"Shaft 30 mm\",\"count\":3,\"price\":412.00}},",
            "{{\"sku\":\"BV-011\",\"text\":\"Seal kit\",\"count\":40,\"price\":6.75}}],",
            "\"note\":\""
        ),
        OPENING,
        "0".repeat(ID_LEN),
        KIND
    );
    const CLOSING: &str = "\"}";
    while body.len() + CLOSING.len() < BODY_LEN {
        let room = BODY_LEN - CLOSING.len() - body.len();
        let words = "deliver to gate two, call before arrival; ";
        body.push_str(&words[..words.len().min(room)]);
    }
    body.push_str(CLOSING);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_json_of_one_kilobyte() {
        let body = body();
        assert_eq!(body.len(), BODY_LEN);
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["kind"], KIND);
    }

    #[test]
    fn signature_is_what_standard_webhooks_says() {
        // The example of the Standard Webhooks reference libraries' key form; the expectation is
        // computed here by the definition: HMAC-SHA256(key, "id.timestamp.body").
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let mut request = Request::new("localhost", "/hooks/orders", secret).unwrap();
        let id = BenchId { run: 1, number: 42 };
        let bytes = request.fill(id, 1_700_000_000).to_vec();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(body.contains(&format!("\"number\":\"{id}\"")));
        let key = STANDARD.decode(&secret[6..]).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{id}.1700000000.{body}").as_bytes());
        let expected = STANDARD.encode(mac.finalize().into_bytes());
        assert!(head.contains(&format!(
            "webhook-id: {id}\r\nwebhook-timestamp: 1700000000"
        )));
        assert!(head.ends_with(&format!("webhook-signature: v1,{expected}")));
    }
}
