//! What the web counts itself, and the text of `/metrics`. The engine's own text is put before it.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The media type of the text.
pub(crate) const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The line that ends the text, once.
const END: &str = "# EOF";

/// Counters as plain handles: counting is one atomic addition.
#[derive(Debug)]
pub(crate) struct Counters {
    registry: Registry,
    hooks_taken: Counter,
    hooks_refused: Counter,
    hooks_failed: Counter,
    /// Hosted pages shown to somebody.
    pub(crate) pages: Counter,
    /// Buttons pressed on hosted pages.
    pub(crate) presses: Counter,
    /// Callers of the internal listener who were turned away.
    pub(crate) turned_away: Counter,
    /// Lines of the live feed that a page did not get one by one.
    pub(crate) live_skipped: Counter,
    /// People who look on live.
    pub(crate) watchers: Gauge,
}

impl Default for Counters {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bellwether_web");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let hooks_taken = counter("hooks_taken", "Inbound requests answered with success");
        let hooks_refused = counter("hooks_refused", "Inbound requests that were refused");
        let hooks_failed = counter("hooks_failed", "Inbound requests that we could not take");
        let pages = counter("pages", "Hosted pages shown");
        let presses = counter("presses", "Buttons pressed on hosted pages");
        let turned_away = counter("turned_away", "Callers without a right to the console");
        let live_skipped = counter("live_skipped", "Live lines that were only counted");
        let watchers = Gauge::default();
        registry.register("watchers", "People who look on live", watchers.clone());
        Self {
            registry,
            hooks_taken,
            hooks_refused,
            hooks_failed,
            pages,
            presses,
            turned_away,
            live_skipped,
            watchers,
        }
    }
}

impl Counters {
    /// Counts one answer of a hook by its status.
    pub(crate) fn hook(&self, status: u16) {
        match status {
            0..400 => self.hooks_taken.inc(),
            400..500 => self.hooks_refused.inc(),
            _ => self.hooks_failed.inc(),
        };
    }

    /// The engine's text and ours as one.
    pub(crate) fn text(&self, engine: &str) -> String {
        let mut own = String::new();
        if encode(&mut own, &self.registry).is_err() {
            own.clear();
        }
        let mut out = String::with_capacity(engine.len() + own.len() + 8);
        for part in [engine, &own] {
            let part = part.trim_end().trim_end_matches(END).trim_end();
            if !part.is_empty() {
                out.push_str(part);
                out.push('\n');
            }
        }
        out.push_str(END);
        out.push('\n');
        out
    }
}
