//! The id that travels with an event from the POST to the push: fixed in width, so that it can be
//! patched into a ready-made request and found again in any payload.

use std::fmt;

/// Length of an id as text.
pub(crate) const ID_LEN: usize = 15;
/// What every id begins with.
const PREFIX: &[u8] = b"bw-";

/// `bw-<run, 3 digits>-<number, 8 digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BenchId {
    /// Which run of the bench sent it.
    pub(crate) run: u16,
    /// Which event of the run it is.
    pub(crate) number: u32,
}

impl BenchId {
    /// Writes the text into exactly [`ID_LEN`] bytes.
    pub(crate) fn write(self, out: &mut [u8]) {
        out[..3].copy_from_slice(PREFIX);
        digits(u32::from(self.run), &mut out[3..6]);
        out[6] = b'-';
        digits(self.number, &mut out[7..ID_LEN]);
    }

    /// The first id in `bytes`, if any.
    pub(crate) fn find(bytes: &[u8]) -> Option<Self> {
        let mut at = 0;
        while at + ID_LEN <= bytes.len() {
            let step = bytes[at..].iter().position(|byte| *byte == PREFIX[0])?;
            at += step;
            if let Some(id) = bytes.get(at..at + ID_LEN).and_then(Self::parse) {
                return Some(id);
            }
            at += 1;
        }
        None
    }

    fn parse(text: &[u8]) -> Option<Self> {
        if !text.starts_with(PREFIX) || text[6] != b'-' {
            return None;
        }
        let run = number(&text[3..6])?;
        Some(Self {
            run: u16::try_from(run).ok()?,
            number: number(&text[7..ID_LEN])?,
        })
    }
}

impl fmt::Display for BenchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bw-{:03}-{:08}", self.run, self.number)
    }
}

/// Writes a number with leading zeros, as wide as the slice.
pub(crate) fn digits(mut number: u32, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn number(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_again_where_it_was_written() {
        let id = BenchId {
            run: 12,
            number: 3_456_789,
        };
        let mut text = [0; ID_LEN];
        id.write(&mut text);
        assert_eq!(std::str::from_utf8(&text).unwrap(), id.to_string());
        let payload = format!("{{\"title\":\"bw-xx bw- {id} for you\"}}");
        assert_eq!(BenchId::find(payload.as_bytes()), Some(id));
        assert_eq!(BenchId::find(b"bw-012-0345678"), None);
        assert_eq!(BenchId::find(b""), None);
    }
}
