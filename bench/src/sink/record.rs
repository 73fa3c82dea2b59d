//! What the sink remembers, and the bytes in which it hands it over.

use serde::{Deserialize, Serialize};

use crate::id::BenchId;

/// Bytes of one receipt in a dump.
const RECEIPT_LEN: usize = 22;
/// The most receipts that are kept between two dumps (about 450 MB; a run keeps far fewer).
const RECEIPTS_MAX: usize = 20_000_000;

/// One push as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The event for which it is.
    pub(crate) id: BenchId,
    /// When it came, in microseconds since 1970.
    pub(crate) at: u64,
    /// Stands for the notification's id.
    pub(crate) note: u64,
}

/// Counts since the sink started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Pushes that came.
    pub(crate) pushes: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
    /// Calls without a bench id.
    pub(crate) unreadable: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
}

/// All that the sink knows.
#[derive(Debug, Default)]
pub(super) struct Record {
    totals: Totals,
    receipts: Vec<Receipt>,
}

impl Record {
    /// Notes a push and gives it a number.
    pub(super) fn push(&mut self, id: BenchId, at: u64, note: u64, bytes: usize) -> u64 {
        self.totals.pushes += 1;
        self.totals.bytes += bytes as u64;
        if self.receipts.len() < RECEIPTS_MAX {
            self.receipts.push(Receipt { id, at, note });
        }
        self.totals.pushes
    }

    pub(super) fn unreadable(&mut self) {
        self.totals.unreadable += 1;
    }

    pub(super) fn broken(&mut self) {
        self.totals.broken += 1;
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// Hands over all receipts and forgets them.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.receipts.len() * RECEIPT_LEN);
        for receipt in self.receipts.drain(..) {
            out.extend_from_slice(&receipt.id.run.to_le_bytes());
            out.extend_from_slice(&receipt.id.number.to_le_bytes());
            out.extend_from_slice(&receipt.at.to_le_bytes());
            out.extend_from_slice(&receipt.note.to_le_bytes());
        }
        out
    }
}

/// Reads a dump.
pub(crate) fn receipts(dump: &[u8]) -> Vec<Receipt> {
    dump.chunks_exact(RECEIPT_LEN)
        .map(|bytes| Receipt {
            id: BenchId {
                run: u16::from_le_bytes(part(bytes, 0)),
                number: u32::from_le_bytes(part(bytes, 2)),
            },
            at: u64::from_le_bytes(part(bytes, 6)),
            note: u64::from_le_bytes(part(bytes, 14)),
        })
        .collect()
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_gives_back_what_was_noted_once() {
        let mut record = Record::default();
        let id = BenchId { run: 3, number: 99 };
        record.push(id, 1_700_000_000_000_001, 77, 1400);
        record.push(id, 1_700_000_000_000_009, 77, 1400);
        let read = receipts(&record.take());
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].at - read[0].at, 8);
        assert_eq!((read[0].id, read[0].note), (id, 77));
        assert!(record.take().is_empty());
        assert_eq!(record.totals().pushes, 2);
    }
}
