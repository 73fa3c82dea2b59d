//! What two processes on a stage have in common: they are started and say in one line of JSON where
//! they are, and calls to them are answered with JSON. Who plays is said by each measurement.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::error::{During, Outcome, fault};
use crate::process::Child;

/// Starts a program that says in one line of JSON that it is ready. Its log is added to.
pub(crate) async fn start(name: &str, mut command: Command, log: &Path) -> Outcome<(Child, Value)> {
    let err = File::options()
        .create(true)
        .append(true)
        .open(log)
        .during(&format!("{} cannot be made", log.display()))?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(err);
    let mut child = Child::start(name, command)?;
    let line = match child.first_line().await {
        Ok(line) => line,
        Err(why) => {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            return fault(format!("{why}; it said: {said}"));
        }
    };
    let said = serde_json::from_str(&line).during(&format!("{name} is not ready: {line}"))?;
    Ok((child, said))
}

/// The answer to a call, which must be JSON and no refusal.
pub(crate) async fn json_of(request: reqwest::RequestBuilder) -> Outcome<Value> {
    let response = request.send().await.during("a call was not answered")?;
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.during("an answer broke off")?;
    if !status.is_success() {
        return fault(format!("{} answered {status}: {text}", url.path()));
    }
    serde_json::from_str(&text).during(&format!("{} answered no JSON", url.path()))
}
