//! Where the measured binary comes from: given on the command line, or built by cargo as a release.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::error::{During, Outcome, fault};

/// The binary to measure.
pub(crate) async fn binary(given: Option<PathBuf>) -> Outcome<PathBuf> {
    match given {
        Some(path) => std::fs::canonicalize(&path)
            .during(&format!("there is no binary at {}", path.display())),
        None => build().await,
    }
}

/// Builds the release binary and takes its place from cargo's own messages.
async fn build() -> Outcome<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "-p",
            "bellwether",
            "--bin",
            "bellwether",
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .during("cargo cannot be started; give the binary with --binary PATH")?;
    if !output.status.success() {
        return fault("cargo could not build the release binary; its words are above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "bellwether")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .map_or_else(|| fault("cargo built no binary named bellwether"), Ok)
}
