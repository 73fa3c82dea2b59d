//! `explain`: why an event of a running server started what it did, and why somebody was or was not
//! told.

use serde_json::Value;

use super::Failed;
use super::ask::{Reach, encoded};
use crate::output;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The event's place in the record, as lists of events name it.
    event: u64,
    /// The id of whoever was told, or was not.
    #[arg(long)]
    person: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let mut path = format!("/api/events/{}/why", self.event);
        if let Some(person) = &self.person {
            path.push_str(&format!("?person={}", encoded(person)));
        }
        let answer = self.reach.server()?.ask("GET", &path).await?;
        if self.json {
            output::json(&answer);
            return Ok(());
        }
        for line in answer["lines"].as_array().into_iter().flatten() {
            output::data(line["text"].as_str().unwrap_or_default());
            if let Some(case) = line["case"].as_str().filter(|_| is_first(line)) {
                output::data(&format!("  bellwether runs {case}"));
            }
        }
        Ok(())
    }
}

/// Whether a line names its case for the first time.
fn is_first(line: &Value) -> bool {
    let text = line["text"].as_str().unwrap_or_default();
    text.starts_with("It opened") || text.starts_with("It belongs")
}
