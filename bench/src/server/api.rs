//! What the bench asks of a running server: counters, lists, and the live feed of the console.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::Value;

use super::Home;
use crate::error::{During, Outcome, fault};

/// Rows per page of a list.
const PAGE: usize = 1000;
/// More pages than any run can fill; a list that goes on after it turns in a circle.
const PAGES_MAX: usize = 100_000;

/// Counters of the server, summed over their labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// Reads the text format.
    pub(crate) fn parse(text: &str) -> Self {
        let mut sums = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, rest)) = line.split_once([' ', '{']) else {
                continue;
            };
            let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value);
            let value: Option<f64> = value
                .split_whitespace()
                .next()
                .and_then(|text| text.parse().ok());
            if let Some(value) = value {
                *sums.entry(name.to_owned()).or_insert(0.0) += value;
            }
        }
        Self(sums)
    }

    /// One counter, without its prefix `bellwether_`.
    pub(crate) fn get(&self, name: &str) -> Outcome<f64> {
        match self.0.get(&format!("bellwether_{name}")) {
            Some(value) => Ok(*value),
            None => fault(format!("/metrics has no bellwether_{name}")),
        }
    }

    /// How much one counter grew since `before`.
    pub(crate) fn grown(&self, before: &Self, name: &str) -> Outcome<f64> {
        Ok(self.get(name)? - before.get(name)?)
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Value>,
    #[serde(default)]
    next: Option<Value>,
}

/// Access to one server's console address.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
}

impl Api {
    /// Access to the server of `home`.
    pub(crate) fn new(http: &reqwest::Client, home: &Home) -> Self {
        Self {
            http: http.clone(),
            base: format!("http://{}", home.listen),
        }
    }

    /// The counters now.
    pub(crate) async fn counters(&self) -> Outcome<Counters> {
        let response = self.get("/metrics").await?;
        let text = response.text().await.during("/metrics cannot be read")?;
        Ok(Counters::parse(&text))
    }

    /// Reads a whole list, page by page, and gives each row to `take`.
    pub(crate) async fn list(&self, path: &str, mut take: impl FnMut(&Value)) -> Outcome<()> {
        let mut after = None::<String>;
        for _ in 0..PAGES_MAX {
            let mut at = format!("{path}?limit={PAGE}");
            if let Some(after) = &after {
                at.push_str("&after=");
                at.push_str(after);
            }
            let page: Page = self
                .get(&at)
                .await?
                .json()
                .await
                .during(&format!("{path} is not a page with `items` and `next`"))?;
            page.items.iter().for_each(&mut take);
            let next = page.next.filter(|next| !next.is_null());
            match next.map(|next| {
                next.as_str()
                    .map_or_else(|| next.to_string(), str::to_owned)
            }) {
                Some(next) if Some(&next) == after.as_ref() => {
                    return fault(format!("{path} gives the same page again after {next}"));
                }
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
        fault(format!("{path} does not end"))
    }

    /// Reads along with the live feed, as an open console does, until dropped.
    pub(crate) async fn watch(&self, bytes: Arc<AtomicU64>) -> Outcome<()> {
        let mut response = self.get("/api/live").await?;
        while let Some(chunk) = response.chunk().await.during("/api/live broke")? {
            bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        fault("/api/live ended")
    }

    async fn get(&self, path: &str) -> Outcome<reqwest::Response> {
        self.http
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .during(&format!("{path} does not answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_labels() {
        let text = "# TYPE bellwether_events counter\n\
            bellwether_events_total{source=\"orders\"} 40\n\
            bellwether_events_total{source=\"a } b\"} 2 1700000000\n\
            bellwether_effects_outstanding 3\n# EOF\n";
        let counters = Counters::parse(text);
        assert_eq!(counters.get("events_total").unwrap(), 42.0);
        assert_eq!(counters.get("effects_outstanding").unwrap(), 3.0);
        assert!(counters.get("nothing").unwrap_err().0.contains("nothing"));
        let before = Counters::parse("bellwether_events_total 40\n");
        assert_eq!(counters.grown(&before, "events_total").unwrap(), 2.0);
    }
}
