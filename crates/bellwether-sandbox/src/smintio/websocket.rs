//! As much of the WebSocket protocol (RFC 6455) as a push channel needs: the handshake's answer and
//! frames of text, ping and close. Extensions and binary messages are not spoken.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Longest message that is read from a client.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Longest payload of a ping or a close.
const MAX_CONTROL_BYTES: usize = 125;
/// What RFC 6455 appends to the client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Something a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
pub(crate) fn accept(key: &str) -> String {
    BASE64_STANDARD.encode(sha1(format!("{}{MAGIC}", key.trim()).as_bytes()))
}

/// Bytes that came and are not read yet, and the parts of a message in pieces.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) bytes: Vec<u8>,
    pieces: Option<Vec<u8>>,
}

impl Inbox {
    /// The next whole thing; none when more bytes are needed. An error is a reason to close with.
    pub(crate) fn next(&mut self) -> Result<Option<Heard>, u16> {
        loop {
            let Some((last, kind, payload)) = self.frame()? else {
                return Ok(None);
            };
            match (kind, last) {
                (CLOSE, true) => return Ok(Some(Heard::Close)),
                (PING, true) => return Ok(Some(Heard::Ping(payload))),
                (PONG, true) => return Ok(Some(Heard::Pong)),
                (TEXT, _) if self.pieces.is_none() => self.pieces = Some(payload),
                (0, _) => {
                    let pieces = self.pieces.as_mut().ok_or(1002u16)?;
                    if pieces.len() + payload.len() > MAX_MESSAGE_BYTES {
                        return Err(1009);
                    }
                    pieces.extend_from_slice(&payload);
                }
                (2, _) => return Err(1003),
                _ => return Err(1002),
            }
            if last {
                let whole = self.pieces.take().unwrap_or_default();
                let text = String::from_utf8(whole).map_err(|_| 1007u16)?;
                return Ok(Some(Heard::Text(text)));
            }
        }
    }

    /// One frame: whether it is the last of its message, its kind, its payload.
    fn frame(&mut self) -> Result<Option<(bool, u8, Vec<u8>)>, u16> {
        let [first, second, ..] = self.bytes[..] else {
            return Ok(None);
        };
        let (kind, short) = (first & 0x0f, usize::from(second & 0x7f));
        // No extension was agreed on, and a client must mask.
        if first & 0x70 != 0 || second & 0x80 == 0 {
            return Err(1002);
        }
        let (wide, limit) = match (kind, short) {
            (CLOSE.., 126..) => return Err(1002),
            (CLOSE.., _) => (0, MAX_CONTROL_BYTES),
            (_, 126) => (2, MAX_MESSAGE_BYTES),
            (_, 127) => (8, MAX_MESSAGE_BYTES),
            _ => (0, MAX_MESSAGE_BYTES),
        };
        let Some(wider) = self.bytes.get(2..2 + wide) else {
            return Ok(None);
        };
        let long = wider.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
        let length = match wide {
            0 => short,
            _ => usize::try_from(long).map_err(|_| 1009u16)?,
        };
        if length > limit {
            return Err(1009);
        }
        let from = 2 + wide + 4;
        let Some(masked) = self.bytes.get(from..from + length) else {
            return Ok(None);
        };
        let mask = &self.bytes[2 + wide..from];
        let payload: Vec<u8> = masked
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        self.bytes.drain(..from + length);
        Ok(Some((first & 0x80 != 0, kind, payload)))
    }
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match payload.len() {
        short @ 0..=125 => frame.push(u8::try_from(short).unwrap_or(125)),
        long @ 126..=0xffff => {
            frame.push(126);
            frame.extend(u16::try_from(long).unwrap_or(u16::MAX).to_be_bytes());
        }
        longer => {
            frame.push(127);
            frame.extend((longer as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// A text as a server sends it.
pub(crate) fn text(words: &str) -> Vec<u8> {
    frame(TEXT, words.as_bytes())
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    frame(PONG, payload)
}

/// The end, with a code and a reason.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(MAX_CONTROL_BYTES - 2));
    frame(CLOSE, &payload)
}

/// SHA-1, which the handshake asks for; it protects nothing there.
fn sha1(text: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let mut padded = text.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((text.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |w, b| (w << 8) | u32::from(*b));
        }
        for at in 16..80 {
            let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words[at] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.iter().enumerate() {
            let (mixed, constant) = match at {
                0..=19 => ((b & c) | (!b & d), 0x5a82_7999),
                20..=39 => (b ^ c ^ d, 0x6ed9_eba1),
                40..=59 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(mixed)
                .wrapping_add(e)
                .wrapping_add(constant)
                .wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (to, from) in digest.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&from.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let length = u8::try_from(payload.len()).expect("short");
        let mut frame = vec![first, 0x80 | length];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        frame
    }

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn frames_come_in_pieces_and_several_at_once() {
        let mut inbox = Inbox::default();
        let whole = [masked(0x81, b"one"), masked(0x89, b"p"), masked(0x88, b"")].concat();
        let mut heard = Vec::new();
        for byte in whole {
            inbox.bytes.push(byte);
            heard.extend(inbox.next().expect("well made"));
        }
        let wanted = [
            Heard::Text("one".to_owned()),
            Heard::Ping(b"p".to_vec()),
            Heard::Close,
        ];
        assert_eq!(heard, wanted);
        inbox.bytes = [masked(0x01, b"a"), masked(0x8a, b""), masked(0x80, b"b")].concat();
        assert_eq!(inbox.next(), Ok(Some(Heard::Pong)));
        assert_eq!(inbox.next(), Ok(Some(Heard::Text("ab".to_owned()))));
    }

    #[test]
    fn what_is_not_allowed_is_a_reason_to_close() {
        for (bytes, code) in [
            (vec![0x81, 0x01, b'a'], 1002),
            (masked(0xc1, b"a"), 1002),
            (masked(0x82, b"a"), 1003),
            (masked(0x80, b"a"), 1002),
            (masked(0x81, &[0xff]), 1007),
            (vec![0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0], 1009),
            (vec![0x89, 0xfe, 0, 126], 1002),
        ] {
            let mut inbox = Inbox {
                bytes: bytes.clone(),
                ..Inbox::default()
            };
            assert_eq!(inbox.next(), Err(code), "{bytes:?}");
        }
    }

    #[test]
    fn long_texts_have_long_lengths() {
        assert_eq!(text("hi")[..2], [0x81, 2]);
        assert_eq!(text(&"x".repeat(126))[..4], [0x81, 126, 0, 126]);
        assert_eq!(text(&"x".repeat(70_000))[1], 127);
        assert_eq!(close(4200, "again")[..4], [0x88, 7, 0x10, 0x68]);
    }
}
