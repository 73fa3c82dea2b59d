//! `runs`: lists runs of a running server, or shows one with its journal, through the API.

use bellwether_model::secret::Secret;
use serde_json::Value;

use super::Failed;
use super::ask::Server;
use crate::output;

/// Arguments of `runs`.
#[derive(Debug, clap::Args)]
pub(super) struct Runs {
    /// One run's id; without it, the newest runs.
    id: Option<String>,
    /// The server's console address.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "BELLWETHER_URL")]
    url: String,
    /// The console's token, where one is set.
    #[arg(long, env = "BELLWETHER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Only this flow.
    #[arg(long)]
    flow: Option<String>,
    /// Only `open` or `closed` runs.
    #[arg(long)]
    status: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u16,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let mut path = match &self.id {
            Some(id) => format!("/api/runs/{id}"),
            None => format!("/api/runs?limit={}", self.limit),
        };
        if self.id.is_none() {
            for (name, value) in [("flow", &self.flow), ("status", &self.status)] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={value}"));
                }
            }
        }
        let server = Server {
            url: self.url.clone(),
            token: Secret::new(self.token.clone().unwrap_or_default()),
        };
        let answer = server.ask("GET", &path).await?;
        if self.json {
            output::json(&answer);
            return Ok(());
        }
        match self.id {
            Some(_) => show(&answer),
            None => list(&answer),
        }
        Ok(())
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(answer: &Value) {
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for run in &items {
        output::data(&format!(
            "{}  {:<7} {:<24} {:<24} {}  {}",
            text(run, "id"),
            text(run, "status"),
            text(run, "flow"),
            text(run, "key"),
            text(run, "opened_at"),
            text(run, "title"),
        ));
    }
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(0);
    output::say(&format!("{} of {total} runs", items.len()));
}

fn show(answer: &Value) {
    let run = answer.get("run").unwrap_or(answer);
    output::data(&format!(
        "{} · {} · {}",
        text(run, "flow"),
        text(run, "key"),
        text(run, "status")
    ));
    let journal = answer
        .get("journal")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for turn in &journal {
        let body = turn.get("body").unwrap_or(turn);
        let notes = body
            .get("notes")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let notes: Vec<String> = notes
            .iter()
            .map(|note| {
                let parts = [text(note, "what"), text(note, "person"), text(note, "why")];
                parts
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        let version = turn.get("version").and_then(Value::as_u64).unwrap_or(0);
        output::data(&format!("  {version:>3}  {}", notes.join(", ")));
    }
}
