//! Sends webhooks to an address, signed rightly or wrongly. The vendor documents no outgoing
//! webhook: the signature follows its recipe for callbacks (base64 of HMAC-SHA256 over
//! `{timestamp}.{body}` with a secret in base64), the names of the headers are ours and can be set.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tenant::Tenant;
use super::{ids, signing};
use crate::clock::real_now;
use crate::world::World;

/// Longest wait for sending and for the answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// Longest body that can be asked for.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Age of a timestamp that is too old, in seconds; receivers take 300. Far enough from that for a
/// machine that is slow for a moment.
const OLD_SECONDS: i64 = 600;

/// How a webhook is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Right,
    /// The body is changed after it was signed.
    Altered,
    /// Signed rightly, long ago.
    Old,
    /// Signed rightly, in the future.
    Early,
    /// The last webhook once more, byte by byte.
    Replayed,
    /// With a secret that nobody gave out.
    WrongSecret,
    /// With a secret of no length.
    EmptySecret,
    /// With the secret before the last turn.
    Rotated,
    /// In hexadecimal digits instead of base64.
    WrongEncoding,
    /// Without a signature.
    Unsigned,
    /// Without a timestamp.
    Timeless,
    /// Signed rightly, and no JSON.
    Undecodable,
}

/// What is to be sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    url: String,
    /// The body; without one a small event is made up.
    event: Option<Value>,
    #[serde(default)]
    mode: Mode,
    signature_header: Option<String>,
    timestamp_header: Option<String>,
    /// Fills the body up to this length.
    #[serde(default)]
    bytes: usize,
}

/// The last webhook, for sending it once more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    count: u64,
    last: Option<Letter>,
}

/// A request as it goes over the line.
#[derive(Clone)]
struct Letter {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { headers, body } = self;
        let headers = headers.len();
        f.debug_struct("Letter")
            .field("headers", &headers)
            .field("bytes", &body.len())
            .finish()
    }
}

/// Sends one webhook and tells what was answered; the error is a sentence.
pub(crate) async fn send(world: &Arc<World>, tenant: &str, body: Value) -> Result<Value, String> {
    let order: Order = serde_json::from_value(body).map_err(|error| error.to_string())?;
    if order.bytes > MAX_BODY_BYTES {
        return Err(format!("a body is at most {MAX_BODY_BYTES} bytes"));
    }
    let letter = world.smintio.with(tenant, |t| write(t, &order));
    let letter = letter.unwrap_or_else(|| Err("there is no such tenant".to_owned()))?;
    let (status, said) = match timeout(DEADLINE, post(&order.url, &letter)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(format!("no answer within {} s", DEADLINE.as_secs())),
    };
    let line = format!("A webhook went out ({:?}): {status}.", order.mode);
    world.tell("smintio", "", line, Value::Null);
    Ok(json!({"status": status, "body": said}))
}

fn write(tenant: &mut Tenant, order: &Order) -> Result<Letter, String> {
    if order.mode == Mode::Replayed {
        let last = tenant.sent.last.clone();
        return last.ok_or_else(|| "nothing was sent that could be replayed".to_owned());
    }
    tenant.sent.count += 1;
    let mut body = order_body(tenant, order);
    let age = match order.mode {
        Mode::Old => OLD_SECONDS,
        Mode::Early => -OLD_SECONDS,
        _ => 0,
    };
    let timestamp = (real_now().as_second() - age).to_string();
    let secret = match order.mode {
        Mode::WrongSecret => BASE64_STANDARD.encode("nobody gave this out"),
        Mode::EmptySecret => String::new(),
        Mode::Rotated => tenant.webhook_secret(1),
        _ => tenant.webhook_secret(0),
    };
    let key = BASE64_STANDARD.decode(secret).unwrap_or_default();
    let signed = [timestamp.as_bytes(), b".", &body].concat();
    let signature = signing::hmac(&key, &signed);
    let signature = match order.mode {
        Mode::WrongEncoding => signing::hex(&signature),
        _ => BASE64_STANDARD.encode(signature),
    };
    if order.mode == Mode::Altered {
        body.extend_from_slice(b" ");
    }
    let name =
        |given: &Option<String>, ours: &str| given.clone().unwrap_or_else(|| ours.to_owned());
    let mut headers = Vec::new();
    if order.mode != Mode::Timeless {
        headers.push((
            name(&order.timestamp_header, "X-Smintio-Timestamp"),
            timestamp,
        ));
    }
    if order.mode != Mode::Unsigned {
        headers.push((
            name(&order.signature_header, "X-Smintio-Signature"),
            signature,
        ));
    }
    let broken = |text: &str| text.bytes().any(|b| b < b' ' || b == b':' || b == 0x7f);
    if headers
        .iter()
        .any(|(name, _)| name.is_empty() || broken(name))
    {
        return Err("a header's name is empty or holds a character that may not be there".into());
    }
    let letter = Letter { headers, body };
    tenant.sent.last = Some(letter.clone());
    Ok(letter)
}

fn order_body(tenant: &Tenant, order: &Order) -> Vec<u8> {
    if order.mode == Mode::Undecodable {
        return b"{\"type\": \"asset.used\", ".to_vec();
    }
    let made = || {
        json!({"id": ids::uuid("hook", tenant.ledger.seed, tenant.sent.count),
            "type": "asset.published", "tenant_id": tenant.id, "occurred_at": real_now()})
    };
    let mut event = order.event.clone().unwrap_or_else(made);
    let length = event.to_string().len();
    if order.bytes > length && event.is_object() {
        event["filler"] = json!("x".repeat(order.bytes - length));
    }
    event.to_string().into_bytes()
}

/// Sends over plain HTTP to this machine or wherever the address leads.
async fn post(url: &str, letter: &Letter) -> Result<(u16, String), String> {
    let words = |error: std::io::Error| format!("no answer from {url}: {error}");
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| format!("{url:?} is not an http:// address"))?;
    let (place, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if url.bytes().any(|b| b <= b' ' || b == 0x7f) || place.is_empty() {
        return Err(format!("{url:?} is not an address that can be called"));
    }
    let to = match place.rsplit_once(':') {
        Some(_) => place.to_owned(),
        None => format!("{place}:80"),
    };
    let stream = TcpStream::connect(to).await.map_err(words)?;
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nUser-Agent: sandbox-smintio/1\r\nConnection: close\r\n",
        letter.body.len()
    );
    for (name, value) in &letter.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (reader, mut writer) = stream.into_split();
    // A receiver may answer and close before it has read everything: a body that is too large.
    let sending = async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(&letter.body).await
    };
    let mut raw = Vec::new();
    let mut limited = reader.take(MAX_ANSWER_BYTES);
    let (sent, read) = tokio::join!(sending, limited.read_to_end(&mut raw));
    let raw = String::from_utf8_lossy(&raw).into_owned();
    let status = raw.split(' ').nth(1).and_then(|code| code.parse().ok());
    match status {
        Some(status) => {
            let body = raw.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            Ok((status, body.to_owned()))
        }
        None => {
            sent.map_err(words)?;
            read.map_err(words)?;
            Err(format!("{url} answered with something that is no HTTP"))
        }
    }
}

/// Sends without anybody waiting for it, as a real sender does.
pub(crate) fn send_later(world: &Arc<World>, tenant: &str, url: String, event: Value) {
    let (world, tenant) = (Arc::clone(world), tenant.to_owned());
    tokio::spawn(async move {
        let order = json!({"url": url, "event": event});
        if let Err(error) = send(&world, &tenant, order).await {
            world.tell(
                "smintio",
                "",
                format!("A webhook was not sent: {error}."),
                Value::Null,
            );
        }
    });
}
