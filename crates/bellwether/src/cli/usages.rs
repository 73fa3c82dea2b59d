//! `usages`: who uses which asset in which document: a list, and an import from CSV, through the
//! API of a running server.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Failed;
use super::ask::{Reach, query};
use super::table;
use crate::output;

/// Arguments of `usages`.
#[derive(Debug, clap::Args)]
pub(super) struct Usages {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    reach: Reach,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Who uses what now.
    List {
        /// Only of this asset.
        #[arg(long)]
        asset: Option<String>,
        /// Only by this person.
        #[arg(long)]
        person: Option<String>,
        /// Only in this document.
        #[arg(long)]
        document: Option<String>,
    },
    /// Reads a CSV with the columns asset, person (or connection and user), document, how, since
    /// and ended; only the first two are needed.
    Import {
        /// The file.
        file: PathBuf,
    },
}

impl Usages {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let server = self.reach.server()?;
        match self.what {
            What::List {
                asset,
                person,
                document,
            } => {
                let filters = [("asset", asset), ("person", person), ("document", document)];
                let all = server.all(&query("/api/usages", &filters)).await?;
                if self.json {
                    output::json(&json!({ "total": all.len(), "items": all }));
                } else {
                    all.iter().for_each(|one| output::data(&line(one)));
                }
                output::say(&format!("{} usages", all.len()));
                Ok(())
            }
            What::Import { file } => {
                let rows = table::read(&file)?;
                let sent = table::send(&server, "/api/usages", "usages", &rows).await?;
                told(&sent, self.json)
            }
        }
    }
}

/// Says what became of usages that were sent. Refused ones make the command fail.
pub(super) fn told(sent: &table::Sent, as_json: bool) -> Result<(), Failed> {
    if as_json {
        output::json(&sent.json());
    }
    for (line, why) in &sent.refused {
        output::say(&format!("line {line}: {why}"));
    }
    let (recorded, unresolved) = (sent.count("recorded"), sent.count("unresolved"));
    output::say(&format!(
        "{recorded} usages recorded, {unresolved} of users whom nobody knows yet, {} refused",
        sent.refused.len()
    ));
    if sent.refused.is_empty() {
        Ok(())
    } else {
        Err(Failed::Quietly)
    }
}

fn line(one: &Value) -> String {
    let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
    let unknown = format!("? {} of {}", text("user"), text("connection"));
    let who = match text("person") {
        "" => unknown.as_str(),
        person => person,
    };
    format!(
        "{:<38} {:<20} {:<9} {}  {}",
        text("asset"),
        who,
        text("how"),
        text("since"),
        text("document"),
    )
}
