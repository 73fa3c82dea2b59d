//! Just enough of HTTP/1.1 for both ends of the bench: where a message's head ends and how long its
//! body is. Bodies must say their length; anything else is a fault that stops the measurement.

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{During, Outcome, fault};

/// The most bytes of one message.
const MESSAGE_MAX: usize = 256 * 1024;
/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Where the parts of a message lie in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message {
    /// Where the body begins.
    pub(crate) body_at: usize,
    /// Where the message ends.
    pub(crate) end: usize,
}

/// A buffer that keeps what was read beyond the current message.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Inbox {
    /// The bytes that were read and not yet dropped.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The status of a response at the front.
    pub(crate) fn status(&self) -> u16 {
        self.bytes()
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Forgets the message at the front.
    pub(crate) fn drop_front(&mut self, message: Message) {
        self.bytes.copy_within(message.end..self.filled, 0);
        self.filled -= message.end;
    }

    /// Reads until a whole message is at the front. None: the peer closed between two messages.
    pub(crate) async fn message<R>(&mut self, from: &mut R) -> Outcome<Option<Message>>
    where
        R: AsyncRead + Unpin,
    {
        loop {
            if let Some(message) = locate(self.bytes())? {
                if message.end <= self.filled {
                    return Ok(Some(message));
                }
                self.grow(message.end);
            }
            self.grow(self.filled + CHUNK);
            let count = from
                .read(&mut self.bytes[self.filled..])
                .await
                .during("the connection broke while reading")?;
            if count == 0 && self.filled == 0 {
                return Ok(None);
            }
            if count == 0 {
                return fault("the connection was closed in the middle of a message");
            }
            self.filled += count;
        }
    }

    fn grow(&mut self, to: usize) {
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
    }
}

/// Where the message at the front ends, as soon as its head is complete.
fn locate(bytes: &[u8]) -> Outcome<Option<Message>> {
    let Some(head_end) = head_end(bytes) else {
        if bytes.len() > MESSAGE_MAX {
            return fault("a message head is larger than the bench expects");
        }
        return Ok(None);
    };
    let body_at = head_end + 4;
    let length = content_length(&bytes[..head_end])?;
    if length > MESSAGE_MAX {
        return fault(format!(
            "a body of {length} bytes is more than the bench expects"
        ));
    }
    Ok(Some(Message {
        body_at,
        end: body_at + length,
    }))
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|byte| *byte == b'\r') {
        at += step;
        if bytes[at..].starts_with(b"\r\n\r\n") {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn content_length(head: &[u8]) -> Outcome<usize> {
    let mut length = 0;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        if let Some(value) = header(line, b"content-length:") {
            let text = String::from_utf8_lossy(value);
            length = text
                .trim()
                .parse()
                .during("content-length is not a number")?;
        } else if header(line, b"transfer-encoding:").is_some() {
            return fault("a message came without content-length; the bench reads no chunks");
        }
    }
    Ok(length)
}

/// The value of the line if it is the header `name` (lower case, with its colon).
pub(crate) fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    (line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name))
        .then(|| &line[name.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_two_messages_that_came_as_one_and_one_that_came_in_pieces() {
        let first = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok".as_slice();
        let second = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".as_slice();
        let mut from = tokio_test_reader(&[first, second, &first[..20], &first[20..]]);
        let mut inbox = Inbox::default();
        for (status, body) in [(202, b"ok".as_slice()), (503, b""), (202, b"ok")] {
            let message = inbox.message(&mut from).await.unwrap().unwrap();
            assert_eq!(inbox.status(), status);
            assert_eq!(&inbox.bytes()[message.body_at..message.end], body);
            inbox.drop_front(message);
        }
        assert_eq!(inbox.message(&mut from).await.unwrap(), None);
    }

    #[tokio::test]
    async fn says_when_the_peer_goes_away_or_sends_chunks() {
        let mut half = tokio_test_reader(&[b"HTTP/1.1 202 Accepted\r\nContent-Le".as_slice()]);
        assert!(Inbox::default().message(&mut half).await.is_err());
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
        let mut chunks = tokio_test_reader(&[chunks]);
        assert!(Inbox::default().message(&mut chunks).await.is_err());
    }

    fn tokio_test_reader(parts: &[&[u8]]) -> impl AsyncRead + Unpin + use<> {
        std::io::Cursor::new(parts.concat())
    }
}
