//! Imports files into the registry: the set-up file, and a folder of flows that is authoritative.
//! What did not change writes nothing; what changed is recorded as written by `file`.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_engine::flow::Position;
use bellwether_engine::store::Document;
use serde_json::{Value, json};

use super::Composed;
use super::flows::{FlowDocument, FlowFile, parse_flow, read_folder};
use crate::config::{FlowConfig, SetupFile};

/// Who wrote it, in the audit trail.
const ACTOR: &str = "file";
/// The kind of documents that say what is wrong with a flow file, by the file's name.
const BROKEN: &str = "broken_flow";

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
        configured(&mut document, config);
        self.put("flow", name, json!(document)).await
    }

    /// Imports a folder of flows. Flows that are no longer there are removed. A file that cannot be
    /// understood stops no other: it is kept as broken for people to see, the flow that came from
    /// it goes on in its earlier version, and its problems are returned, each as a line with file,
    /// line and column.
    ///
    /// # Errors
    /// The folder cannot be read, or the registry failed.
    pub(crate) async fn import_folder(
        &self,
        folder: &Path,
        setup: &SetupFile,
    ) -> Result<Vec<String>, String> {
        let files = read_folder(folder)?;
        let mut broken = BTreeMap::new();
        let mut names = Vec::new();
        for file in files {
            let shown = file.shown();
            match understood(file, setup) {
                Ok((name, document)) => {
                    self.put("flow", &name, json!(document)).await?;
                    names.push(name);
                }
                Err(problems) => {
                    broken.insert(shown, problems);
                }
            }
        }
        for document in self.documents("flow").await? {
            let from = document.body.get("file").and_then(Value::as_str);
            let is_broken = from.is_some_and(|file| broken.contains_key(file));
            if !is_broken && !names.contains(&document.name) {
                self.put("flow", &document.name, Value::Null).await?;
            }
        }
        for document in self.documents(BROKEN).await? {
            if !broken.contains_key(&document.name) {
                self.put(BROKEN, &document.name, Value::Null).await?;
            }
        }
        for (file, problems) in &broken {
            self.put(BROKEN, file, json!({ "problems": problems }))
                .await?;
        }
        Ok(broken.into_values().flatten().collect())
    }

    async fn documents(&self, kind: &str) -> Result<Vec<Document>, String> {
        let listed = self.registry().list(kind).await;
        listed.map_err(|error| error.to_string())
    }

    async fn put(&self, kind: &str, name: &str, body: Value) -> Result<(), String> {
        let put = self
            .registry()
            .put(kind, name, None, body, ACTOR, self.now())
            .await;
        put.map(drop).map_err(|error| error.to_string())
    }
}

/// What is wrong with the flows of a folder, without importing them.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn check_folder(folder: &Path, setup: &SetupFile) -> Result<Vec<String>, String> {
    let wrong = |file| understood(file, setup).err().unwrap_or_default();
    Ok(read_folder(folder)?.into_iter().flat_map(wrong).collect())
}

fn configured(document: &mut FlowDocument, config: Option<&FlowConfig>) {
    if let Some(config) = config {
        document.inputs = config.inputs.clone();
        document.position = config.position.unwrap_or(Position::On);
    }
}

/// A file as a flow's document, when the flow can run with the inputs that the set-up gives it.
fn understood(file: FlowFile, setup: &SetupFile) -> Result<(String, FlowDocument), Vec<String>> {
    let shown = file.shown();
    let name = match file.flow() {
        Ok(flow) => flow.name,
        Err(found) => {
            return Err(found
                .iter()
                .map(|problem| problem.in_file(&shown))
                .collect());
        }
    };
    let mut document = FlowDocument {
        file: shown,
        text: file.text,
        files: file.files,
        inputs: Value::Null,
        position: Position::On,
    };
    configured(&mut document, setup.flows.get(&name));
    parse_flow(&document)?;
    Ok((name, document))
}
