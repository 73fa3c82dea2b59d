//! `sandbox`: the stand-ins alone, until the process is asked to end.

use serde_json::json;

use super::{Failed, asked_to_end, telemetry};
use crate::output;

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct SandboxCommand {
    /// The base port: page and admin; the stand-ins follow.
    #[arg(long, default_value_t = 9400)]
    port: u16,
    /// Prints one JSON line with all addresses.
    #[arg(long)]
    json: bool,
}

impl SandboxCommand {
    pub(super) async fn run(self) -> Result<(), Failed> {
        telemetry::start(self.json, tracing::Level::INFO);
        let options = bellwether_sandbox::Options {
            port: self.port,
            ..Default::default()
        };
        let sandbox = bellwether_sandbox::start(options)
            .await
            .map_err(|error| error.to_string())?;
        let addresses: serde_json::Map<_, _> = sandbox
            .addresses()
            .iter()
            .map(|(name, at)| (name.to_owned(), json!(at.to_string())))
            .collect();
        if self.json {
            output::json(&json!({ "ready": true, "addresses": addresses }));
        } else {
            output::say("Stand-ins of the providers; nothing leaves this machine.");
            for (name, at) in sandbox.addresses().iter() {
                output::say(&format!("  {name:<10} {at}"));
            }
            output::say("Ctrl-C ends it.");
        }
        asked_to_end().await;
        sandbox.shutdown().await;
        Ok(())
    }
}
