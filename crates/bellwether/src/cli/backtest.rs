//! `backtest`: a new or changed flow over the events that a running server has recorded, through
//! its API. Nothing is sent.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Failed;
use super::ask::{Reach, Server};
use crate::output;
use crate::server::read_folder;

/// How often the server is asked how far it has come.
const LOOK: Duration = Duration::from_millis(250);

/// Arguments of `backtest`.
#[derive(Debug, clap::Args)]
pub(super) struct Backtest {
    /// A flow file, or the name of a flow that the server has.
    flow: String,
    /// So many days until now.
    #[arg(long, default_value_t = 30, conflicts_with = "from")]
    days: u16,
    /// From an instant such as 2026-03-02T09:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Until an instant, itself not included; without it, until now.
    #[arg(long)]
    until: Option<String>,
    /// Over the mails of this connected mailbox instead of what was recorded.
    #[arg(long, value_name = "CONNECTION")]
    mailbox: Option<String>,
    /// Something that is filled in: `owner=ivan`. Without it, what the server has of this flow.
    #[arg(long = "set", value_name = "INPUT=VALUE")]
    inputs: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

impl Backtest {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let body = self.body()?;
        let server = self.reach.server()?;
        server.post("/api/backtest", &body).await?;
        let latest = ended(&server).await?;
        if self.json {
            output::json(&latest);
            return Ok(());
        }
        show(&latest);
        Ok(())
    }

    fn body(&self) -> Result<Value, Failed> {
        let mut inputs = Map::new();
        for given in &self.inputs {
            let (name, value) = given
                .split_once('=')
                .ok_or_else(|| format!("--set {given}: write it as INPUT=VALUE"))?;
            let read = serde_json::from_str(value);
            inputs.insert(name.to_owned(), read.unwrap_or_else(|_| json!(value)));
        }
        let mut body = json!({ "flow": self.flow, "inputs": inputs });
        match &self.from {
            Some(from) => body["from"] = json!(from),
            None => body["days"] = json!(self.days),
        }
        if let Some(mailbox) = &self.mailbox {
            body["mailbox"] = json!(mailbox);
        }
        if let Some(until) = &self.until {
            body["until"] = json!(until);
        }
        let path = PathBuf::from(&self.flow);
        if path.is_file() {
            let files = read_folder(&path)?;
            let file = files.first().ok_or("this is no flow file".to_owned())?;
            let flow = file.flow().map_err(|problems| {
                let shown = file.shown();
                let lines = problems.iter().map(|problem| problem.in_file(&shown));
                Failed::Said(lines.collect())
            })?;
            body["flow"] = json!(flow.name);
            body["text"] = json!(file.text);
            body["file"] = json!(file.shown());
            body["files"] = json!(file.files);
        }
        Ok(body)
    }
}

/// Waits until it has ended, with a bar.
async fn ended(server: &Server) -> Result<Value, Failed> {
    let bar = output::progress(1, "the record is read");
    loop {
        let latest = server.ask("GET", "/api/backtest").await?;
        bar.set_length(latest["all"].as_u64().unwrap_or(1).max(1));
        bar.set_position(latest["read"].as_u64().unwrap_or(0));
        match latest["state"].as_str() {
            Some("running") => tokio::time::sleep(LOOK).await,
            Some("done") => {
                bar.finish_and_clear();
                return Ok(latest);
            }
            _ => {
                bar.finish_and_clear();
                let why = latest["failure"].as_str().unwrap_or("the backtest failed");
                return Err(why.to_owned().into());
            }
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn show(latest: &Value) {
    output::data(text(latest, "words"));
    let report = &latest["report"];
    for one in report["differences"].as_array().into_iter().flatten() {
        let message = &one["message"];
        let instead = &one["instead_of"];
        let instead = match text(one, "kind") {
            _ if instead.is_null() => String::new(),
            "other_recipient" => format!("  (was: {})", text(instead, "name")),
            "other_time" => format!("  (was: {})", text(instead, "at")),
            _ => format!("  (was: {})", text(instead, "title")),
        };
        output::data(&format!(
            "{}  {:<15} {:<5} {:<20} {}{instead}",
            text(message, "at"),
            text(one, "kind"),
            text(message, "channel"),
            text(message, "name"),
            text(message, "title"),
        ));
    }
}
