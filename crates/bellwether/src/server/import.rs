//! Imports files into the registry: the set-up file, and a folder of flows that is authoritative.
//! What did not change writes nothing; what changed is recorded as written by `file`.

use std::path::Path;

use bellwether_engine::flow::{Position, missing_languages};
use serde_json::{Value, json};

use super::Composed;
use super::flows::{FlowDocument, read_folder};
use crate::config::{FlowConfig, SetupFile};

/// Who wrote it, in the audit trail.
const ACTOR: &str = "file";

impl Composed {
    /// Imports connections and people.
    ///
    /// # Errors
    /// The registry failed.
    pub(crate) async fn import_setup(&self, setup: &SetupFile) -> Result<(), String> {
        for (name, connection) in &setup.connections {
            self.put("connection", name, json!(connection)).await?;
        }
        if !setup.directory.people.is_empty() {
            self.put("directory", "people", json!(setup.directory))
                .await?;
        }
        Ok(())
    }

    /// Imports one flow. It is on when the set-up says so, or when it needs no input.
    ///
    /// # Errors
    /// The registry failed.
    pub(crate) async fn import_flow(
        &self,
        name: &str,
        mut document: FlowDocument,
        config: Option<&FlowConfig>,
    ) -> Result<(), String> {
        if let Some(config) = config {
            document.inputs = config.inputs.clone();
            document.position = config.position.unwrap_or(Position::On);
        }
        self.put("flow", name, json!(document)).await
    }

    /// Imports a folder of flows. Flows that are no longer there are removed.
    ///
    /// # Errors
    /// Every problem of every flow as a line with file, line and column.
    pub(crate) async fn import_folder(
        &self,
        folder: &Path,
        setup: &SetupFile,
    ) -> Result<(), Vec<String>> {
        let files = read_folder(folder).map_err(|error| vec![error])?;
        let mut problems = Vec::new();
        let mut names = Vec::new();
        for file in files {
            match file.flow() {
                Ok(flow) => {
                    // They are read in another language meanwhile, so this stops nothing.
                    for problem in missing_languages(&flow, &setup.directory) {
                        let line = problem.in_file(&file.shown());
                        tracing::warn!(flow.name = %flow.name, "{line}");
                    }
                    let document = FlowDocument {
                        file: file.shown(),
                        text: file.text.clone(),
                        files: file.files.clone(),
                        inputs: Value::Null,
                        position: Position::On,
                    };
                    let config = setup.flows.get(&flow.name);
                    let done = self.import_flow(&flow.name, document, config).await;
                    done.map_err(|error| vec![error])?;
                    names.push(flow.name);
                }
                Err(found) => {
                    problems.extend(found.iter().map(|problem| problem.in_file(&file.shown())));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let known = self
            .registry()
            .list("flow")
            .await
            .map_err(|error| vec![error.to_string()])?;
        for document in known
            .iter()
            .filter(|document| !names.contains(&document.name))
        {
            let gone = self.put("flow", &document.name, Value::Null).await;
            gone.map_err(|error| vec![error])?;
        }
        Ok(())
    }

    async fn put(&self, kind: &str, name: &str, body: Value) -> Result<(), String> {
        let put = self
            .registry()
            .put(kind, name, None, body, ACTOR, self.now())
            .await;
        put.map(drop).map_err(|error| error.to_string())
    }
}
