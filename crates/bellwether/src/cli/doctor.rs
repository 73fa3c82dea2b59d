//! `doctor`: checks a set-up from the configuration file on, and says what to do about each
//! finding.

use std::path::PathBuf;
use std::sync::Arc;

use bellwether_engine::seam::{Connections as _, WebSettings};
use bellwether_model::clock::Clock;
use serde_json::json;

use super::Failed;
use crate::clock::SystemClock;
use crate::config::{ServerConfig, SetupFile};
use crate::server::{Composed, Options};
use crate::{keys, output};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
struct Finding {
    what: String,
    ok: bool,
    says: String,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let mut findings = Vec::new();
        self.examine(&mut findings).await;
        let ok = findings.iter().all(|finding| finding.ok);
        if self.json {
            let list: Vec<_> = findings
                .iter()
                .map(|f| json!({ "what": f.what, "ok": f.ok, "says": f.says }))
                .collect();
            output::json(&json!({ "ok": ok, "findings": list }));
        } else {
            for finding in &findings {
                let mark = if finding.ok { "ok  " } else { "BAD " };
                output::data(&format!("{mark} {:<28} {}", finding.what, finding.says));
            }
        }
        if ok { Ok(()) } else { Err(Failed::Quietly) }
    }

    async fn examine(&self, findings: &mut Vec<Finding>) {
        let config = match ServerConfig::read(&self.config) {
            Ok(config) => {
                note(
                    findings,
                    "configuration",
                    Ok(self.config.display().to_string()),
                );
                config
            }
            Err(lines) => {
                lines
                    .into_iter()
                    .for_each(|line| note(findings, "configuration", Err(line)));
                return;
            }
        };
        let keyring = match keys::read_or_make(&config.key_file) {
            Ok(keyring) => keyring,
            Err(line) => return note(findings, "keys", Err(line)),
        };
        note(findings, "keys", Ok(config.key_file.display().to_string()));
        let setup = match config.setup.as_deref().map(SetupFile::read).transpose() {
            Ok(setup) => setup.unwrap_or_default(),
            Err(lines) => {
                lines
                    .into_iter()
                    .for_each(|line| note(findings, "set-up", Err(line)));
                return;
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let composed = Composed::build(Options {
            database: config.database.clone(),
            keys: keyring,
            flow_clock: Arc::clone(&clock),
            transport_clock: clock,
            egress: config.egress.clone(),
            web: WebSettings {
                public_url: config.public_url.clone(),
                console_url: String::new(),
                token: config.token.clone(),
                hosts: Vec::new(),
                sandbox_url: None,
            },
        });
        let composed = match composed {
            Ok(composed) => composed,
            Err(line) => return note(findings, "database", Err(line)),
        };
        note(findings, "database", Ok(config.database.clone()));
        examine_parts(&config, &setup, &composed, findings).await;
        let database = Arc::clone(&composed.database);
        if tokio::task::spawn_blocking(move || database.close())
            .await
            .is_err()
        {
            note(
                findings,
                "database",
                Err("it could not be closed".to_owned()),
            );
        }
    }
}

/// What stands on the configuration: flows, set-up, connections, the public address.
async fn examine_parts(
    config: &ServerConfig,
    setup: &SetupFile,
    composed: &Composed,
    findings: &mut Vec<Finding>,
) {
    if let Some(folder) = &config.flows {
        let imported = composed.import_folder(folder, setup).await;
        let says = imported.map(|()| folder.display().to_string());
        note(findings, "flows", says.map_err(|lines| lines.join("\n")));
    }
    let imported = composed.import_setup(setup).await;
    if let Err(line) = imported {
        note(findings, "set-up", Err(line));
    }
    match composed.reload().await {
        Ok(complaints) => {
            complaints
                .into_iter()
                .for_each(|line| note(findings, "set-up", Err(line)));
        }
        Err(line) => note(findings, "set-up", Err(line)),
    }
    for view in composed.engine.list().await {
        let tested = composed.engine.test(&view.name).await;
        let what = format!("connection {}", view.name);
        note(
            findings,
            &what,
            tested.map_err(|failure| failure.to_string()),
        );
    }
    if !config.public_url.starts_with("https://") {
        let says = "phones outside this machine need a public https address: set `public_url`";
        note(
            findings,
            "public address",
            Ok(format!("{} · {says}", config.public)),
        );
    }
}

fn note(findings: &mut Vec<Finding>, what: &str, says: Result<String, String>) {
    let ok = says.is_ok();
    let says = says.unwrap_or_else(|line| line);
    findings.push(Finding {
        what: what.to_owned(),
        ok,
        says,
    });
}
