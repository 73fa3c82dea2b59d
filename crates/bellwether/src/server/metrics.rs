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
        let counters = self.engine.counters();
        let stats = self.database.counted();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let in_flight: usize = self
            .engine
            .lanes()
            .iter()
            .map(|lane| lane.in_flight())
            .sum();
        let waiting: usize = self.engine.lanes().iter().map(|lane| lane.waiting()).sum();
        let mut out = String::new();
        let mut counter = |name: &str, help: &str, value: u64| {
            out.push_str(&format!(
                "# HELP bellwether_{name} {help}\n# TYPE bellwether_{name} counter\nbellwether_{name} {value}\n"
            ));
        };
        counter("events_total", "Events accepted.", read(&counters.events));
        counter(
            "duplicates_total",
            "Events that had been seen before.",
            read(&counters.duplicates),
        );
        counter("turns_total", "Turns committed.", read(&counters.turns));
        counter(
            "attempts_total",
            "Attempts begun.",
            read(&counters.attempts),
        );
        counter(
            "outcomes_total",
            "Outcomes committed.",
            read(&counters.outcomes),
        );
        counter("stale_total", "Turns decided again.", read(&counters.stale));
        counter(
            "dead_letters_total",
            "Dead letters of effects.",
            read(&counters.dead_letters),
        );
        counter(
            "failed_conditions_total",
            "Start conditions that failed.",
            read(&counters.failed_conditions),
        );
        counter(
            "store_commits_total",
            "Transactions committed.",
            stats.commits,
        );
        counter(
            "store_synced_total",
            "Transactions that waited for the disk.",
            stats.synced,
        );
        counter("store_members_total", "Members committed.", stats.units);
        counter("store_rows_changed_total", "Rows changed.", stats.rows);
        counter(
            "store_projected_rows_total",
            "Rows of lists changed.",
            stats.projected_rows,
        );
        for (name, help, value) in [
            (
                "effects_outstanding",
                "Effects in flight or waiting.",
                in_flight + waiting,
            ),
            ("effects_in_flight", "Effects in flight.", in_flight),
        ] {
            out.push_str(&format!(
                "# HELP bellwether_{name} {help}\n# TYPE bellwether_{name} gauge\nbellwether_{name} {value}\n"
            ));
        }
        out.push_str(&format!(
            "# HELP bellwether_store_bytes Bytes of the database file.\n# TYPE bellwether_store_bytes gauge\nbellwether_store_bytes {}\n",
            stats.bytes
        ));
        out
    }
}
