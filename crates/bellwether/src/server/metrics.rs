//! What `/metrics` says of engine and store, in the text form of Prometheus. Counters of the web
//! are the web's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_engine::run::Engine;
use bellwether_store::Database;

/// Renders the text.
#[derive(Debug)]
pub(crate) struct Text {
    engine: Engine,
    database: Arc<Database>,
}

impl Text {
    pub(crate) fn new(engine: Engine, database: Arc<Database>) -> Self {
        Self { engine, database }
    }

    /// The text, one family after the other.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        for (name, help, value) in self.counters() {
            family(&mut out, name, help, "counter", value);
        }
        for (name, help, value) in self.gauges() {
            family(&mut out, name, help, "gauge", value);
        }
        out
    }

    fn counters(&self) -> [Number; 13] {
        let counted = self.engine.counters();
        let stats = self.database.counted();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("events_total", "Events accepted.", read(&counted.events)),
            (
                "duplicates_total",
                "Events that had been seen before.",
                read(&counted.duplicates),
            ),
            ("turns_total", "Turns committed.", read(&counted.turns)),
            ("attempts_total", "Attempts begun.", read(&counted.attempts)),
            (
                "outcomes_total",
                "Outcomes committed.",
                read(&counted.outcomes),
            ),
            ("stale_total", "Turns decided again.", read(&counted.stale)),
            (
                "dead_letters_total",
                "Dead letters of effects.",
                read(&counted.dead_letters),
            ),
            (
                "failed_conditions_total",
                "Start conditions that failed.",
                read(&counted.failed_conditions),
            ),
            (
                "store_commits_total",
                "Transactions committed.",
                stats.commits,
            ),
            (
                "store_synced_total",
                "Transactions that waited for the disk.",
                stats.synced,
            ),
            ("store_members_total", "Members committed.", stats.units),
            ("store_rows_changed_total", "Rows changed.", stats.rows),
            (
                "store_projected_rows_total",
                "Rows of lists changed.",
                stats.projected_rows,
            ),
        ]
    }

    fn gauges(&self) -> [Number; 4] {
        let lanes = self.engine.lanes();
        let in_flight: usize = lanes.iter().map(|lane| lane.in_flight()).sum();
        let waiting: usize = lanes.iter().map(|lane| lane.waiting()).sum();
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        [
            (
                "effects_outstanding",
                "Effects in flight or waiting.",
                number(in_flight + waiting),
            ),
            ("effects_in_flight", "Effects in flight.", number(in_flight)),
            (
                "store_bytes",
                "Bytes of the database file.",
                self.database.counted().bytes,
            ),
            (
                "store_writable",
                "1 when the latest transaction could be written, 0 when it failed.",
                u64::from(self.database.trouble().is_none()),
            ),
        ]
    }
}

/// Name without the common beginning, help, value.
type Number = (&'static str, &'static str, u64);

fn family(out: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    out.push_str(&format!(
        "# HELP bellwether_{name} {help}\n# TYPE bellwether_{name} {kind}\nbellwether_{name} {value}\n"
    ));
}
