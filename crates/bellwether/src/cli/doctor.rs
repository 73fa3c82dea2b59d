//! `doctor`: checks a set-up from the configuration file on, and says what to do about each
//! finding.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_engine::seam::{Connections as _, WebSettings};
use bellwether_model::clock::Clock;
use bellwether_model::spec::FieldKind;
use serde_json::{Value, json};

use super::Failed;
use super::ask::Server;
use crate::clock::SystemClock;
use crate::config::{ServerConfig, SetupFile};
use crate::output;
use crate::secrets::{Lost, keys_needed, look};
use crate::server::{Composed, Options, check_folder};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The file of the server's keys; wins over the configuration.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_KEY_FILE")]
    key_file: Option<PathBuf>,
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
            Ok(mut config) => {
                let says = self.config.display().to_string();
                note(findings, "configuration", Ok(says));
                if let Some(file) = &self.key_file {
                    config.key_file.clone_from(file);
                }
                config
            }
            Err(lines) => {
                lines
                    .into_iter()
                    .for_each(|line| note(findings, "configuration", Err(line)));
                return;
            }
        };
        let setup = match config.setup.as_deref().map(SetupFile::read).transpose() {
            Ok(setup) => setup.unwrap_or_default(),
            Err(lines) => {
                lines
                    .into_iter()
                    .for_each(|line| note(findings, "set-up", Err(line)));
                return;
            }
        };
        examine_modes(&self.config, &config, &setup, findings);
        if let Some(process) = bellwether_store::in_use(&config.database) {
            return examine_running(&config, &setup, process, findings).await;
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let composed = Composed::build(Options {
            database: config.database.clone(),
            key_file: config.key_file.clone(),
            lost: Lost::Refuse,
            flow_clock: Arc::clone(&clock),
            transport_clock: clock,
            egress: config.egress.clone(),
            web: WebSettings {
                public_url: config.public_url.clone(),
                console_url: String::new(),
                token: config.token.clone(),
                scim_token: bellwether_model::secret::Secret::default(),
                hosts: Vec::new(),
                sandbox_url: None,
            },
        });
        let composed = match composed.await {
            Ok(composed) => composed,
            Err(line) => return note(findings, "database and keys", Err(line)),
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
        match imported {
            Ok(problems) if problems.is_empty() => {
                note(findings, "flows", Ok(folder.display().to_string()));
            }
            Ok(problems) => problems
                .into_iter()
                .for_each(|line| note(findings, "flows", Err(line))),
            Err(line) => note(findings, "flows", Err(line)),
        }
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
    examine_secrets(config, composed, findings).await;
    for view in composed.engine.list().await {
        let tested = composed.engine.test(&view.name).await;
        let what = format!("connection {}", view.name);
        note(
            findings,
            &what,
            tested.map_err(|failure| failure.to_string()),
        );
    }
    examine_address(config, findings);
}

fn examine_address(config: &ServerConfig, findings: &mut Vec<Finding>) {
    if !config.public_url.starts_with("https://") {
        let says = "phones outside this machine need a public https address: set `public_url`";
        note(
            findings,
            "public address",
            Ok(format!("{} · {says}", config.public)),
        );
    }
}

/// The keys, what they open, and what a backup needs.
async fn examine_secrets(config: &ServerConfig, composed: &Composed, findings: &mut Vec<Finding>) {
    let registry = composed.registry();
    let ids: Vec<String> = registry.seals().ids().iter().map(u8::to_string).collect();
    let file = config.key_file.display();
    let mut says = format!("{file} ({}): key ", mode_of(&config.key_file));
    says.push_str(&ids[0]);
    says.push_str(" seals");
    if ids.len() > 1 {
        says.push_str(&format!("; key {} opens too", ids[1..].join(", ")));
    }
    note(findings, "keys", Ok(says));
    match look(registry).await {
        Ok(all) => all.into_iter().for_each(|kept| {
            note(findings, &format!("secrets of {}", kept.name), kept.says);
        }),
        Err(line) => note(findings, "secrets", Err(line)),
    }
    let needed = keys_needed(registry).await.map(|needed| {
        let needed: Vec<String> = needed.iter().map(u8::to_string).collect();
        match needed.is_empty() {
            true => "nothing is sealed yet: a backup needs no key".to_owned(),
            false => format!(
                "a backup of the database needs key {}: keep {file} too, and not beside it",
                needed.join(" and ")
            ),
        }
    });
    note(findings, "backup", needed);
    for copy in copies(&config.database) {
        let says = format!(
            "{copy} was made before an upgrade and holds what the database held then, secrets that \
             lay open too: remove it when the upgrade has proven itself"
        );
        note(findings, "copy", Ok(says));
    }
}

/// Copies of the database that were made before it was migrated.
fn copies(address: &str) -> Vec<String> {
    let path = Path::new(address.strip_prefix("sqlite:").unwrap_or(address));
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let begins = format!("{}.before-schema-", name.to_string_lossy());
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned))
        .filter(|path| {
            Path::new(path)
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&begins))
        })
        .collect();
    found.sort();
    found
}

/// A file's mode, as `chmod` writes it.
fn mode_of(path: &Path) -> String {
    let found = std::fs::metadata(path);
    found.map_or_else(
        |error| error.to_string(),
        |found| format!("mode {:o}", found.permissions().mode() & 0o777),
    )
}

/// A server has the database: what it says counts, and nothing is written here.
async fn examine_running(
    config: &ServerConfig,
    setup: &SetupFile,
    process: Option<u32>,
    findings: &mut Vec<Finding>,
) {
    let who = process.map_or_else(String::new, |process| format!(" (process {process})"));
    let says = format!(
        "{}; a server has it open{who} and is asked",
        config.database
    );
    note(findings, "database", Ok(says));
    if let Some(folder) = &config.flows {
        match check_folder(folder, setup) {
            Ok(problems) if problems.is_empty() => {
                note(findings, "flows", Ok(folder.display().to_string()));
            }
            Ok(problems) => problems
                .into_iter()
                .for_each(|line| note(findings, "flows", Err(line))),
            Err(line) => note(findings, "flows", Err(line)),
        }
    }
    let server = Server::at(config.listen, config.token.clone());
    match server.ask("GET", "/api/connections").await {
        Err(line) => note(findings, "server", Err(line)),
        Ok(answer) => {
            note(findings, "server", Ok(server.url.clone()));
            let items = answer.get("items").and_then(Value::as_array);
            for name in items
                .into_iter()
                .flatten()
                .filter_map(|item| item["name"].as_str())
            {
                let tested = server
                    .ask("POST", &format!("/api/connections/{name}/test"))
                    .await
                    .and_then(|answer| match answer["identity"].as_str() {
                        Some(identity) => Ok(identity.to_owned()),
                        None => Err(words_of(&answer["failure"])),
                    });
                note(findings, &format!("connection {name}"), tested);
            }
        }
    }
    examine_address(config, findings);
}

fn words_of(failure: &Value) -> String {
    let message = failure["message"].as_str();
    message.map_or_else(|| failure.to_string(), str::to_owned)
}

/// Who may read what holds secrets.
fn examine_modes(
    file: &Path,
    config: &ServerConfig,
    setup: &SetupFile,
    findings: &mut Vec<Finding>,
) {
    let mut open: Vec<(PathBuf, u32)> = Vec::new();
    let secret = [
        (!config.token.is_empty()).then_some(file),
        config.setup.as_deref().filter(|_| holds_secrets(setup)),
    ];
    for path in secret.into_iter().flatten() {
        let mode = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
        if let Some(mode) = mode.ok().filter(|mode| mode & 0o077 != 0) {
            open.push((path.to_owned(), mode));
        }
    }
    open.extend(bellwether_store::exposed(&config.database));
    if open.is_empty() {
        note(
            findings,
            "secrets",
            Ok("only their owner may read them".to_owned()),
        );
    }
    for (path, mode) in open {
        let (shown, wanted) = (path.display(), if path.is_dir() { "700" } else { "600" });
        let says = format!("others may use {shown} (mode {mode:o}): run `chmod {wanted} {shown}`");
        note(findings, "secrets", Err(says));
    }
}

/// Whether a connection's secret stands in the set-up itself.
fn holds_secrets(setup: &SetupFile) -> bool {
    setup.connections.values().any(|connection| {
        let mut all = bellwether_connectors::all().iter();
        let def = all.find(|def| def.name == connection.connector);
        let fields = def.map(|def| (def.settings)().fields).unwrap_or_default();
        fields.iter().any(|field| {
            field.kind == FieldKind::Secret && connection.settings.contains_key(field.name)
        })
    })
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
