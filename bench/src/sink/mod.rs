//! The sink: a separate process that stands for the push provider. It speaks the parser call of the
//! messaging API, finds the bench's id in the decoded payload and remembers when it came. It stands
//! on sockets alone so that the thing measured is never the sink.

pub(crate) mod control;
mod record;

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::clock::micros;
use crate::error::{During, Outcome};
use crate::http::{Inbox, Message};
use crate::id::BenchId;
use crate::process::{announce, parent_gone};
pub(crate) use record::Receipt;
use record::Record;

/// The one call of the provider.
pub(crate) const PARSER_PATH: &str = "/mra/v1/utils/parser";
/// Where the bench asks for the numbers.
pub(crate) const TOTALS_PATH: &str = "/bench/totals";
/// Where the bench fetches, and thereby empties, the receipts.
pub(crate) const RECEIPTS_PATH: &str = "/bench/receipts";

/// What a connection works with: the shared record and a buffer for decoding.
struct Desk {
    record: Rc<RefCell<Record>>,
    decoded: Vec<u8>,
    answer: Vec<u8>,
}

/// Serves until the parent goes away.
pub(crate) async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .during("the sink cannot listen on 127.0.0.1")?;
    let port = listener
        .local_addr()
        .during("the sink has no address")?
        .port();
    announce(port)?;
    let record = Rc::new(RefCell::new(Record::default()));
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            tokio::select! {
                () = parent_gone() => Ok(()),
                end = accept(listener, record) => end,
            }
        })
        .await
}

async fn accept(listener: TcpListener, record: Rc<RefCell<Record>>) -> Outcome<()> {
    loop {
        let (stream, _) = listener.accept().await.during("the sink cannot accept")?;
        let desk = Desk {
            record: Rc::clone(&record),
            decoded: Vec::new(),
            answer: Vec::new(),
        };
        tokio::task::spawn_local(async move {
            let record = Rc::clone(&desk.record);
            // Clients are killed on purpose here, so a broken connection is only counted.
            if talk(stream, desk).await.is_err() {
                record.borrow_mut().broken();
            }
        });
    }
}

async fn talk(mut stream: TcpStream, mut desk: Desk) -> Outcome<()> {
    stream
        .set_nodelay(true)
        .during("the sink cannot set nodelay")?;
    let mut inbox = Inbox::default();
    while let Some(message) = inbox.message(&mut stream).await? {
        desk.answer.clear();
        desk.handle(inbox.bytes(), message);
        inbox.drop_front(message);
        stream
            .write_all(&desk.answer)
            .await
            .during("the sink cannot answer")?;
    }
    Ok(())
}

impl Desk {
    fn handle(&mut self, bytes: &[u8], message: Message) {
        let head = &bytes[..message.body_at];
        let body = &bytes[message.body_at..message.end];
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if path == PARSER_PATH.as_bytes() {
            self.push(body);
        } else if path == TOTALS_PATH.as_bytes() {
            let text = serde_json::to_vec(&self.record.borrow().totals()).unwrap_or_default();
            self.respond("200 OK", "application/json", &text);
        } else if path == RECEIPTS_PATH.as_bytes() {
            let receipts = self.record.borrow_mut().take();
            self.respond("200 OK", "application/octet-stream", &receipts);
        } else {
            self.respond(
                "404 Not Found",
                "text/plain",
                b"the sink knows only the parser call",
            );
        }
    }

    fn push(&mut self, body: &[u8]) {
        let now = micros();
        let decoded = inner(body, &mut self.decoded).and_then(BenchId::find);
        let Some(id) = decoded else {
            self.record.borrow_mut().unreadable();
            self.respond(
                "400 Bad Request",
                "application/json",
                br#"{"error":"no bench id in the payload"}"#,
            );
            return;
        };
        let note = notification(&self.decoded);
        let job = self.record.borrow_mut().push(id, now, note, body.len());
        let text = format!("{{\"job_id\":\"usme-{job}\"}}");
        self.respond("200 OK", "application/json", text.as_bytes());
    }

    fn respond(&mut self, status: &str, kind: &str, body: &[u8]) {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.answer.extend_from_slice(head.as_bytes());
        self.answer.extend_from_slice(body);
    }
}

/// Decodes the text of the field `data` of the outer body.
fn inner<'a>(body: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let text = text_after(body, b"\"data\"")?;
    out.clear();
    STANDARD.decode_vec(text, out).ok()?;
    Some(out)
}

/// A number that stands for the notification in the payload: the same for each attempt of one.
fn notification(payload: &[u8]) -> u64 {
    let mut rest = payload;
    while let Some(at) = find(rest, b"\"notification\"") {
        rest = &rest[at + b"\"notification\"".len()..];
        if let Some(text) = text_here(rest) {
            return text.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
            });
        }
    }
    0
}

/// The JSON text (without escapes) that is the value of a quoted key.
fn text_after<'a>(body: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = find(body, key)?;
    text_here(&body[at + key.len()..])
}

fn text_here(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.trim_ascii_start().strip_prefix(b":")?;
    let bytes = bytes.trim_ascii_start().strip_prefix(b"\"")?;
    let end = bytes.iter().position(|byte| *byte == b'"')?;
    Some(&bytes[..end])
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|byte| byte == first) {
        at += step;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_id_and_the_notification_of_a_push() {
        let payload = r#"{"message":{"notification":{"title":"bw-001-00000007 from Huber"},
            "data":{"notification": "00ff","token":"t"}}}"#;
        let body = format!(
            r#"{{"domain":"MR","filename":"a.json", "data" : "{}"}}"#,
            STANDARD.encode(payload)
        );
        let mut out = Vec::new();
        let found = inner(body.as_bytes(), &mut out).and_then(BenchId::find);
        assert_eq!(found, Some(BenchId { run: 1, number: 7 }));
        let same = notification(br#"{"data":{"notification":"00ff"}}"#);
        assert_eq!(notification(&out), same);
        assert_ne!(same, notification(br#"{"data":{"notification":"00fe"}}"#));
        assert_eq!(notification(b"{}"), 0);
        assert_eq!(inner(br#"{"data":"%%"}"#, &mut out), None);
    }
}
