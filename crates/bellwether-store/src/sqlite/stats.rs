//! What the writer counts, for metrics and measurements.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Numbers since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were committed.
    pub commits: u64,
    /// Of those, how many wrote something: each of them waited for the disk once.
    pub synced: u64,
    /// Members and other units (inlet steps, leases, documents) that were carried out.
    pub units: u64,
    /// The most units in one transaction.
    pub largest_batch: usize,
    /// Rows inserted, updated and deleted, without the projector's.
    pub rows: u64,
    /// Rows that the projector inserted, updated and deleted.
    pub projected_rows: u64,
    /// Bytes of the database file without its log; of its pages when it lives in memory.
    pub bytes: u64,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    commits: AtomicU64,
    synced: AtomicU64,
    units: AtomicU64,
    largest_batch: AtomicUsize,
    rows: AtomicU64,
    projected_rows: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, units: usize, rows: u64, projected: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.synced
            .fetch_add(u64::from(rows + projected > 0), Ordering::Relaxed);
        self.units
            .fetch_add(u64::try_from(units).unwrap_or(0), Ordering::Relaxed);
        self.largest_batch.fetch_max(units, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.projected_rows.fetch_add(projected, Ordering::Relaxed);
    }

    pub(super) fn stats(&self, bytes: u64) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            synced: self.synced.load(Ordering::Relaxed),
            units: self.units.load(Ordering::Relaxed),
            largest_batch: self.largest_batch.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            projected_rows: self.projected_rows.load(Ordering::Relaxed),
            bytes,
        }
    }
}
