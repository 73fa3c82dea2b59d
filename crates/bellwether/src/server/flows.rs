//! Understanding flow documents, and folders of flow files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_engine::flow::{Catalog, Flow, Problem, check_inputs, read, read_checked};
use bellwether_engine::run::Program;
pub(crate) use bellwether_engine::seam::FlowDocument;

/// What flows are checked against.
pub(crate) fn catalog() -> Catalog {
    Catalog {
        connectors: bellwether_connectors::all(),
    }
}

/// Understands a document.
///
/// # Errors
/// Every problem as a line with file, line and column.
pub(crate) fn parse_flow(document: &FlowDocument) -> Result<Program, Vec<String>> {
    program(document).map_err(|problems| {
        let lines = problems.iter();
        lines
            .map(|problem| problem.in_file(&document.file))
            .collect()
    })
}

/// Understands a document.
///
/// # Errors
/// Every problem with its place in the document's text.
pub(crate) fn program(document: &FlowDocument) -> Result<Program, Vec<Problem>> {
    let flow = read(&document.text, &document.file, &catalog())?;
    let file = |name: &str| document.files.get(name).cloned();
    let inputs = check_inputs(&flow, &document.inputs, &file)?;
    Ok(Program::new(Arc::new(flow), inputs))
}

/// A flow file with the tables that stand next to it.
#[derive(Clone, Debug)]
pub(crate) struct FlowFile {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    /// CSV files of the same folder, by name.
    pub(crate) files: BTreeMap<String, String>,
    /// Why there is no text that could be understood.
    unreadable: Option<Problem>,
}

impl FlowFile {
    /// Reads one file. A file that is not text stops no other one: it is a problem of its own.
    fn of(path: PathBuf, files: BTreeMap<String, String>) -> Self {
        let (text, unreadable) = match std::fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => (text, None),
            Ok(Err(error)) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let place = end_of(&String::from_utf8_lossy(good));
                let problem = Problem::error(place, "this file is not UTF-8 text from here on");
                let hint = "save it in the encoding UTF-8";
                (String::new(), Some(problem.hint(hint)))
            }
            Err(error) => {
                let problem = Problem::error((1, 1), format!("it cannot be read: {error}"));
                (String::new(), Some(problem))
            }
        };
        Self {
            path,
            text,
            files,
            unreadable,
        }
    }

    /// The name in messages.
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads it as a flow.
    pub(crate) fn flow(&self) -> Result<Flow, Vec<Problem>> {
        match self.checked() {
            (Some(flow), _) => Ok(flow),
            (None, problems) => Err(problems),
        }
    }

    /// Reads it as a flow and says what is wrong and what is doubtful.
    pub(crate) fn checked(&self) -> (Option<Flow>, Vec<Problem>) {
        match &self.unreadable {
            Some(problem) => (None, vec![problem.clone()]),
            None => read_checked(&self.text, &self.shown(), &catalog()),
        }
    }
}

/// The flow files of a folder (not below it), or the one file.
///
/// # Errors
/// The folder or path cannot be looked at, in a sentence.
pub(crate) fn read_folder(path: &Path) -> Result<Vec<FlowFile>, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut paths: Vec<PathBuf> = if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(fail)?;
        entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect()
    } else {
        vec![path.to_owned()]
    };
    paths.sort();
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(Path::new("."))
    };
    let mut tables = BTreeMap::new();
    for entry in std::fs::read_dir(folder_or_here(folder))
        .map_err(fail)?
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".csv")
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            tables.insert(name, text);
        }
    }
    let is_flow = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    let mut files = Vec::new();
    for path in paths.into_iter().filter(is_flow) {
        files.push(FlowFile::of(path, tables.clone()));
    }
    Ok(files)
}

/// Line and column just behind a text.
fn end_of(text: &str) -> (usize, usize) {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let lines = text.matches('\n').count() + 1;
    (lines, last.chars().count() + 1)
}

fn folder_or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
