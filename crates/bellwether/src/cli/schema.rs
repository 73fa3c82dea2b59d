//! `schema`: prints the JSON Schema of flow files, for editors. What the schema says is the
//! engine's; `docs/flow.schema.json` is a copy that a test keeps fresh.

use super::Failed;
use crate::output;
use crate::server::catalog;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {
    /// Prints it on one line.
    #[arg(long)]
    json: bool,
}

impl Schema {
    pub(super) fn run(self) -> Result<(), Failed> {
        let schema = bellwether_engine::flow::schema(&catalog());
        if self.json {
            output::json(&schema);
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&schema)
            .map_err(|error| format!("the schema could not be written: {error}"))?;
        output::data(&text);
        Ok(())
    }
}
