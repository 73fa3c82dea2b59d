//! `connections`: how each connection of a running server is and what its address refused, through
//! the API.

use serde_json::Value;

use super::Failed;
use super::ask::Reach;
use crate::output;

/// Arguments of `connections`.
#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    /// One connection's name: what its address refused; without it, all connections.
    name: Option<String>,
    #[command(flatten)]
    reach: Reach,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Connections {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let server = self.reach.server()?;
        let path = match &self.name {
            None => "/api/connections".to_owned(),
            Some(name) => format!("/api/connections/{name}/refusals"),
        };
        let answer = server.ask("GET", &path).await?;
        if self.json {
            output::json(&answer);
        } else if self.name.is_some() {
            refusals(&answer);
        } else {
            for item in items(&answer, "items") {
                output::data(&health(item));
                for part in items(item, "parts") {
                    output::data(&part_line(part));
                }
            }
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn health(item: &Value) -> String {
    let health = item.get("health").unwrap_or(&Value::Null);
    let refused = item["refused"]["total"].as_u64().unwrap_or(0);
    format!(
        "{:<20} {:<14} {:<10} {:>6} refused  {}",
        text(item, "name"),
        text(item, "connector"),
        text(health, "state"),
        refused,
        text(health, "reason"),
    )
}

fn part_line(part: &Value) -> String {
    let health = part.get("health").unwrap_or(&Value::Null);
    format!(
        "  {:<33} {:<10}                 {}",
        text(part, "name"),
        text(health, "state"),
        text(health, "reason"),
    )
}

fn refusals(answer: &Value) {
    for row in items(answer, "reasons") {
        output::data(&format!(
            "{:>8} {:<16} {}  {:<15} {}",
            row["count"].as_u64().unwrap_or(0),
            text(row, "reason"),
            text(row, "last_at"),
            text(row, "caller"),
            text(row, "message"),
        ));
    }
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(0);
    output::say(&format!("{total} calls were refused"));
}
