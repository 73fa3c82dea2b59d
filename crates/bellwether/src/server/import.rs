//! Imports files into the registry: the set-up file, and a folder of flows that is authoritative.
//! What did not change writes nothing; what changed is recorded as written by `file`.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_engine::flow::{
    Named, Position, Problem, missing_languages, orphans, read, unknown_names,
};
use bellwether_engine::store::{Document, Registry as _, StoreError, Views as _};
use bellwether_engine::yaml::near::nearest;
use bellwether_model::directory::{AwaySource, Directory};
use bellwether_model::id::{hash, hex};
use serde_json::{Value, json};

use super::Composed;
use super::flows::{FlowDocument, FlowFile, catalog, parse_flow, read_folder};
use crate::config::{FlowConfig, SetupFile};

/// Who wrote it, in the audit trail.
const ACTOR: &str = "file";
/// How many states of open cases are looked at in one read.
const STATES_PAGE: usize = 500;
/// The kind of documents that say what is wrong with a flow file, by the file's name.
const BROKEN: &str = "broken_flow";
/// The setting that says what was imported of flows.
const IMPORTED_FLOWS: &str = "imported_flows";
/// The setting that says what was imported of the directory.
const IMPORTED: &str = "imported_directory";

impl Composed {
    /// Imports connections and people.
    ///
    /// # Errors
    /// The registry failed.
    pub(crate) async fn import_setup(&self, setup: &SetupFile) -> Result<(), String> {
        for (name, connection) in &setup.connections {
            self.put("connection", name, json!(connection)).await?;
        }
        if setup.directory.people.is_empty() {
            return Ok(());
        }
        self.import_directory(&setup.directory).await
    }

    /// Imports the directory of a set-up file that changed since it was imported last. What the
    /// console, a list or another system put into the directory stays.
    async fn import_directory(&self, file: &Directory) -> Result<(), String> {
        let said = json!(file);
        let hash = hex(&hash(&[said.to_string().as_bytes()]));
        let before = self.registry().get("setting", IMPORTED).await;
        let before = before.map_err(|error| error.to_string())?;
        let before = before.map(|document| document.body).unwrap_or_default();
        if before.get("hash") == Some(&json!(hash)) {
            return Ok(());
        }
        let kept = self.registry().get("directory", "people").await;
        let kept = kept.map_err(|error| error.to_string())?;
        let kept = kept.and_then(|kept| serde_json::from_value::<Directory>(kept.body).ok());
        let next = merged(file, kept.unwrap_or_default(), &before);
        self.put("directory", "people", json!(next)).await?;
        let ids: Vec<&String> = file.people.keys().collect();
        self.put("setting", IMPORTED, json!({ "hash": hash, "people": ids }))
            .await
    }

    /// Imports one flow. It is on when the set-up says so, or when it needs no input.
    ///
    /// # Errors
    /// The registry failed, or open cases are at steps that would be called otherwise: each as a
    /// line with file, line and column, and the line to add.
    pub(crate) async fn import_flow(
        &self,
        name: &str,
        mut document: FlowDocument,
        config: Option<&FlowConfig>,
    ) -> Result<(), Vec<String>> {
        configured(&mut document, config);
        let store = |error| vec![error];
        let before = self.imported_flows().await.map_err(store)?;
        let now = fingerprint(&document);
        if before.get(name) == Some(&now) {
            return Ok(());
        }
        self.keeps_open_cases(name, &document).await?;
        let put = self.put("flow", name, json!(document)).await;
        put.map_err(store)?;
        let mut after = before;
        after.insert(name.to_owned(), now);
        let put = self.put("setting", IMPORTED_FLOWS, json!(after)).await;
        put.map_err(store)
    }

    /// What was imported of flows: fingerprints by name. A flow whose file did not change since
    /// stays as the console has it.
    async fn imported_flows(&self) -> Result<BTreeMap<String, String>, String> {
        let kept = self.registry().get("setting", IMPORTED_FLOWS).await;
        let kept = kept.map_err(|error| error.to_string())?;
        let kept = kept.and_then(|kept| serde_json::from_value(kept.body).ok());
        Ok(kept.unwrap_or_default())
    }

    /// Whether the open cases of a flow find their steps in what is to be saved.
    async fn keeps_open_cases(&self, name: &str, new: &FlowDocument) -> Result<(), Vec<String>> {
        let problems = self.orphans_of(name, new).await;
        let problems = problems.map_err(|error| vec![error])?;
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| problem.in_file(&new.file))
            .collect();
        if lines.is_empty() { Ok(()) } else { Err(lines) }
    }

    /// The steps of open cases that would not be found again in what is to be saved.
    pub(super) async fn orphans_of(
        &self,
        name: &str,
        new: &FlowDocument,
    ) -> Result<Vec<Problem>, String> {
        let kept = self.registry().get("flow", name).await;
        let kept = kept.map_err(|error| error.to_string())?;
        let old = kept.and_then(|kept| serde_json::from_value::<FlowDocument>(kept.body).ok());
        let Some(old) = old.filter(|old| old.text != new.text) else {
            return Ok(Vec::new());
        };
        let understood = |one: &FlowDocument| read(&one.text, &one.file, &catalog()).ok();
        let (Some(before), Some(after)) = (understood(&old), understood(new)) else {
            return Ok(Vec::new());
        };
        let named = self.named_steps(name).await;
        let named = named.map_err(|error| error.to_string())?;
        Ok(orphans(&before, &after, &named))
    }

    /// The steps that the open cases of a flow name.
    async fn named_steps(&self, flow: &str) -> Result<Named, StoreError> {
        let mut named = Named::default();
        let mut after = None;
        loop {
            let page = self.database.open_states(flow, after, STATES_PAGE).await?;
            for (_, state) in &page {
                named.count(state);
            }
            match page.last() {
                Some((id, _)) if page.len() == STATES_PAGE => after = Some(*id),
                _ => return Ok(named),
            }
        }
    }

    /// Imports the files of a folder that changed since they were imported last. Flows that came
    /// from files which are no longer there are removed; those made in the console stay. A file
    /// that cannot be understood stops no other: it is kept as broken for people to see, the flow
    /// that came from it goes on in its earlier version, and its problems are returned, each as a
    /// line with file, line and column.
    ///
    /// # Errors
    /// The folder cannot be read, or the registry failed.
    pub(crate) async fn import_folder(
        &self,
        folder: &Path,
        setup: &SetupFile,
    ) -> Result<Vec<String>, String> {
        let files = read_folder(folder)?;
        let before = self.imported_flows().await?;
        let mut after = BTreeMap::new();
        let mut broken = BTreeMap::new();
        let mut names = Vec::new();
        for file in files {
            let shown = file.shown();
            match understood(file, setup) {
                Ok((name, document)) => {
                    let now = fingerprint(&document);
                    if before.get(&name) == Some(&now) {
                        after.insert(name.clone(), now);
                        names.push(name);
                        continue;
                    }
                    if let Err(problems) = self.keeps_open_cases(&name, &document).await {
                        broken.insert(shown, problems);
                        continue;
                    }
                    self.put("flow", &name, json!(document)).await?;
                    after.insert(name.clone(), now);
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
            let is_imported = before.contains_key(&document.name) || document.actor == ACTOR;
            if is_broken && let Some(kept) = before.get(&document.name) {
                after.insert(document.name.clone(), kept.clone());
            } else if !is_broken && is_imported && !names.contains(&document.name) {
                self.put("flow", &document.name, Value::Null).await?;
            }
        }
        self.put("setting", IMPORTED_FLOWS, json!(after)).await?;
        for document in self.documents(BROKEN).await? {
            if !broken.contains_key(&document.name) {
                self.put(BROKEN, &document.name, Value::Null).await?;
            }
        }
        for (file, problems) in &broken {
            self.put(BROKEN, file, json!({ "problems": problems }))
                .await?;
        }
        names.extend(broken.keys().filter_map(|file| stem(Path::new(file))));
        let mut problems = without_file(&names, folder, setup);
        problems.extend(broken.into_values().flatten());
        Ok(problems)
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

/// The directory of a file over the one that is kept. `before` names the people whom the file had
/// when it was imported last: those of them who are no longer in it are gone.
fn merged(file: &Directory, kept: Directory, before: &Value) -> Directory {
    let had = before.get("people").and_then(Value::as_array);
    let had = |id: &String| had.is_some_and(|all| all.contains(&json!(id)));
    let mut next = file.clone();
    for (id, person) in kept.people {
        match next.people.get_mut(&id) {
            Some(new) => {
                let away = person.away.into_iter();
                let away = away.filter(|away| away.source != AwaySource::File);
                new.away.extend(away);
                new.external_id = new.external_id.take().or(person.external_id);
            }
            None if had(&id) => {}
            None => drop(next.people.insert(id, person)),
        }
    }
    for (name, group) in kept.groups {
        next.groups.entry(name).or_insert(group);
    }
    for (name, team) in kept.teams {
        next.teams.entry(name).or_insert(team);
    }
    for (name, calendar) in kept.calendars {
        next.calendars.entry(name).or_insert(calendar);
    }
    for (name, rota) in kept.rotas {
        let new = next.rotas.entry(name).or_insert_with(|| rota.clone());
        // Who changed places with whom is said in the console.
        if new.overrides.is_empty() {
            new.overrides = rota.overrides;
        }
    }
    next.owner = next.owner.or(kept.owner);
    next
}

/// What is wrong with the flows of a folder, without importing them.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn check_folder(folder: &Path, setup: &SetupFile) -> Result<Vec<String>, String> {
    let (mut names, mut problems) = (Vec::new(), Vec::new());
    for file in read_folder(folder)? {
        names.extend(stem(&file.path));
        match understood(file, setup) {
            Ok((name, _)) => names.push(name),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(without_file(&names, folder, setup));
    Ok(problems)
}

/// What a flow is called by its file.
fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

/// Flows that the set-up speaks of and that have no file: what it says of them has no effect.
fn without_file(names: &[String], folder: &Path, setup: &SetupFile) -> Vec<String> {
    let missing = setup.flows.keys().filter(|name| !names.contains(name));
    let line = |name: &String| {
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("put {name}.yaml there, or take it out of the set-up"),
        };
        let folder = folder.display();
        format!("the set-up switches the flow `{name}`, but {folder} has no file for it; {hint}")
    };
    missing.map(line).collect()
}

fn fingerprint(document: &FlowDocument) -> String {
    hex(&hash(&[json!(document).to_string().as_bytes()]))
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
        Ok(flow) => {
            // They are read in another language meanwhile, so this stops nothing.
            for problem in missing_languages(&flow, &setup.directory) {
                let line = problem.in_file(&shown);
                tracing::warn!(flow.name = %flow.name, "{line}");
            }
            let inputs = setup.flows.get(&flow.name).map(|config| &config.inputs);
            let people = &setup.directory;
            let unknown = match people.people.is_empty() {
                true => Vec::new(),
                false => unknown_names(&flow, inputs.unwrap_or(&Value::Null), people),
            };
            for problem in unknown {
                let line = problem.in_file(&shown);
                tracing::warn!(flow.name = %flow.name, "{line}");
            }
            flow.name
        }
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
