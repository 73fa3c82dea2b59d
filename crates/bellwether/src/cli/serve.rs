//! `serve`: the server, from its configuration file, until it is asked to end.

use std::path::PathBuf;
use std::sync::Arc;

use bellwether_engine::seam::WebSettings;
use bellwether_model::clock::Clock;
use serde_json::json;

use super::{Failed, asked_to_end, telemetry};
use crate::clock::SystemClock;
use crate::config::{ServerConfig, SetupFile};
use crate::output;
use crate::secrets::Lost;
use crate::server::{Composed, Options, Running, bind};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A folder of flows that is authoritative: they are read-only in the console.
    #[arg(long, value_name = "DIR")]
    flows: Option<PathBuf>,
    /// The file of the server's keys; wins over the configuration.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Starts although the key of some secrets is lost, and drops these secrets.
    #[arg(long)]
    drop_lost_secrets: bool,
    /// Prints one JSON line when the server is ready, and logs as JSON.
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Failed> {
        telemetry::start(self.json, tracing::Level::INFO);
        let mut config = ServerConfig::read(&self.config)?;
        config.flows = self.flows.or(config.flows);
        config.key_file = self.key_file.unwrap_or(config.key_file);
        let lost = if self.drop_lost_secrets {
            Lost::Drop
        } else {
            Lost::Refuse
        };
        let running = start(config, lost).await?;
        let asked = asked_to_end();
        tracing::info!(
            listen = %running.internal, public = %running.public,
            "ready: console at http://{}", running.internal
        );
        if self.json {
            output::json(&json!({
                "ready": true, "listen": running.internal.to_string(),
                "public": running.public.to_string(), "pid": std::process::id(),
            }));
        }
        asked.await;
        tracing::info!("ending: what is in flight is let to its end");
        running.stop().await;
        Ok(())
    }
}

/// Starts a server from its configuration.
async fn start(config: ServerConfig, lost: Lost) -> Result<Running, Failed> {
    let internal = bind(config.listen, false).await?;
    let public = bind(config.public, false).await?;
    let address = |listener: &tokio::net::TcpListener| {
        listener
            .local_addr()
            .map(|at| format!("http://{at}"))
            .unwrap_or_default()
    };
    let public_url = if config.public_url.is_empty() {
        address(&public)
    } else {
        config.public_url.clone()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let composed = Composed::build(Options {
        database: config.database.clone(),
        key_file: config.key_file.clone(),
        lost,
        flow_clock: Arc::clone(&clock),
        transport_clock: clock,
        egress: config.egress.clone(),
        web: WebSettings {
            public_url,
            console_url: address(&internal),
            token: config.token.clone(),
            scim_token: config.scim_token.clone(),
            hosts: config.hosts.clone(),
            sandbox_url: None,
        },
    })
    .await?;
    composed.seal_secrets(lost).await?;
    let setup = match &config.setup {
        Some(path) => SetupFile::read(path)?,
        None => SetupFile::default(),
    };
    composed.import_setup(&setup).await?;
    if let Some(folder) = &config.flows {
        for problem in composed.import_folder(folder, &setup).await? {
            tracing::error!("a flow file is left out until it is mended: {problem}");
        }
    }
    for complaint in composed.reload().await? {
        tracing::error!("not set up: {complaint}");
    }
    let app = composed.app();
    Ok(Running::start(composed, app, internal, public).await?)
}
