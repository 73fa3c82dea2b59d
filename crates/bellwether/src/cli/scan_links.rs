//! `scan-links`: reads the metadata of a folder of creative files, says which assets they use, and,
//! where it is told to, writes that down for the register or hands it in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bellwether_engine::store::How;
use bellwether_model::secret::Secret;
use bellwether_model::time::Time;
use serde_json::{Map, Value, json};

use super::ask::{Server, query, token_in};
use super::usages::told;
use super::{Failed, table};
use crate::output;
use crate::scan::{Patterns, Reference, Resolved, Unread, read, walk};

/// Arguments of `scan-links`.
#[derive(Debug, clap::Args)]
pub(super) struct ScanLinks {
    /// The folder.
    dir: PathBuf,
    /// Whose files these are: an id or address of the directory.
    #[arg(long)]
    person: Option<String>,
    /// Patterns of your own, instead of those that the product brings.
    #[arg(long, value_name = "FILE")]
    patterns: Option<PathBuf>,
    /// Writes a CSV that the register imports.
    #[arg(long, value_name = "CSV", requires = "person")]
    out: Option<PathBuf>,
    /// Hands what was found in to a running server; what the same files no longer use is ended.
    #[arg(long, value_name = "URL", requires = "person", env = "BELLWETHER_URL")]
    server: Option<String>,
    /// A file with the console's token.
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// One reference of one file.
#[derive(Debug)]
struct Found {
    document: String,
    since: Time,
    reference: Reference,
    asset: Option<Resolved>,
}

/// Everything that a scan found.
#[derive(Debug, Default)]
struct Scan {
    /// Files that could be read, by the names under which the register knows them.
    documents: BTreeSet<String>,
    unreadable: Vec<(String, String)>,
    /// Files without metadata: they say nothing, so nothing of theirs is ended.
    silent: Vec<String>,
    found: Vec<Found>,
}

/// An asset in a document.
type Use = (String, String);

impl ScanLinks {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let patterns = match &self.patterns {
            None => Patterns::shipped()?,
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
                Patterns::read(&text, &file.display().to_string())?
            }
        };
        let scan = scan(&self.dir, &patterns)?;
        for (file, why) in &scan.unreadable {
            output::say(&format!("{file}: {why}"));
        }
        let uses = scan.uses();
        if self.json {
            output::json(&scan.json());
        } else {
            scan.found
                .iter()
                .for_each(|found| output::data(&found.line()));
        }
        let unresolved = scan.found.iter().filter(|found| found.asset.is_none());
        output::say(&format!(
            "{} files read, {} without metadata, {} unreadable; {} uses of assets, {} references \
             that no pattern fits",
            scan.documents.len(),
            scan.silent.len(),
            scan.unreadable.len(),
            uses.len(),
            unresolved.count()
        ));
        let person = self.person.clone().unwrap_or_default();
        let rows = rows(&uses, &person);
        if let Some(out) = &self.out {
            write_csv(out, &rows)?;
            output::say(&format!("{} rows in {}", rows.len(), out.display()));
        }
        if let Some(url) = &self.server {
            let token = match &self.token_file {
                Some(file) => token_in(file)?,
                None => Secret::default(),
            };
            let server = Server {
                url: url.clone(),
                token,
            };
            let ended = ended(&server, &scan, &uses, &person).await?;
            let all = [rows, ended].concat();
            let sent = table::send(&server, "/api/usages", "usages", &all).await?;
            told(&sent, false)?;
        }
        Ok(())
    }
}

/// Reads a folder.
fn scan(dir: &Path, patterns: &Patterns) -> Result<Scan, String> {
    let walked = walk(dir)?;
    let mut scan = Scan::default();
    for (path, why) in walked.left_out {
        scan.unreadable.push((name_of(dir, &path), why));
    }
    let bar = output::progress(walked.files.len() as u64, "reading");
    for path in &walked.files {
        let document = name_of(dir, path);
        match read(path) {
            Ok(references) => {
                let since = changed_at(path);
                for reference in references {
                    let asset = patterns.resolve(&reference);
                    let document = document.clone();
                    scan.found.push(Found {
                        document,
                        since,
                        reference,
                        asset,
                    });
                }
                scan.documents.insert(document);
            }
            Err(Unread::Silent) => scan.silent.push(document),
            Err(Unread::Broken(why)) => scan.unreadable.push((document, why)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(scan)
}

/// A file's path below the folder, with forward slashes: what the register calls the document.
fn name_of(dir: &Path, path: &Path) -> String {
    let below = path.strip_prefix(dir).unwrap_or(path);
    let parts = below.components();
    let parts = parts.map(|part| part.as_os_str().to_string_lossy().into_owned());
    parts.collect::<Vec<_>>().join("/")
}

/// When a file was last changed: since then at the latest it is as it is.
fn changed_at(path: &Path) -> Time {
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    let changed = changed
        .ok()
        .and_then(|at| jiff::Timestamp::try_from(at).ok());
    changed.map_or(Time(0), |at| Time(at.as_microsecond()))
}

impl Found {
    fn line(&self) -> String {
        let shown = self.reference.shown();
        match &self.asset {
            Some(asset) => format!(
                "{}  {:<8} {}  {shown}",
                self.document,
                asset.how.word(),
                asset.asset
            ),
            None => format!("{}  unresolved  {shown}", self.document),
        }
    }

    fn json(&self) -> Value {
        let asset = self.asset.as_ref();
        let how = asset.map_or(self.reference.how, |asset| asset.how);
        json!({
            "document": self.document,
            "found_in": self.reference.kind,
            "reference": self.reference.shown(),
            "how": how.word(),
            "asset": asset.map(|asset| &asset.asset),
            "pattern": asset.map(|asset| &asset.pattern),
            "basis": asset.map(|asset| if asset.ours { "ours" } else { "documented" }),
        })
    }
}

impl Scan {
    fn json(&self) -> Value {
        let unreadable = self.unreadable.iter();
        let unreadable = unreadable.map(|(file, why)| json!({ "file": file, "reason": why }));
        json!({
            "files": self.documents.len(),
            "without_metadata": self.silent,
            "unreadable": unreadable.collect::<Vec<_>>(),
            "links": self.found.iter().map(Found::json).collect::<Vec<_>>(),
        })
    }

    /// Each asset in each document once, as sure as the surest reference says it.
    fn uses(&self) -> BTreeMap<Use, (How, Time)> {
        let mut uses: BTreeMap<Use, (How, Time)> = BTreeMap::new();
        for found in &self.found {
            if let Some(asset) = &found.asset {
                let key = (found.document.clone(), asset.asset.clone());
                let kept = uses.entry(key).or_insert((asset.how, found.since));
                kept.0 = kept.0.min(asset.how);
            }
        }
        uses
    }
}

/// The rows of the register.
fn rows(uses: &BTreeMap<Use, (How, Time)>, person: &str) -> Vec<table::Row> {
    let row = |(line, ((document, asset), (how, since))): (u64, (&Use, &(How, Time)))| {
        let fields = json!({
            "asset": asset, "person": person, "document": document, "how": how.word(),
            "since": since.to_string(),
        });
        (line, fields.as_object().cloned().unwrap_or_default())
    };
    (2..).zip(uses).map(row).collect()
}

fn write_csv(file: &Path, rows: &[table::Row]) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut writer = csv::Writer::from_path(file).map_err(|error| failed(&error))?;
    let columns = ["asset", "person", "document", "how", "since"];
    writer
        .write_record(columns)
        .map_err(|error| failed(&error))?;
    for (_, row) in rows {
        let cells = columns.map(|name| row.get(name).and_then(Value::as_str).unwrap_or_default());
        writer.write_record(cells).map_err(|error| failed(&error))?;
    }
    writer.flush().map_err(|error| failed(&error))
}

/// What the server knows of these very files and they no longer use. Files that could not be read
/// end nothing, and neither do usages that somebody else reported.
async fn ended(
    server: &Server,
    scan: &Scan,
    uses: &BTreeMap<Use, (How, Time)>,
    person: &str,
) -> Result<Vec<table::Row>, String> {
    let filters = [("person", Some(person.to_owned()))];
    let known = server.all(&query("/api/usages", &filters)).await?;
    let text = |one: &Value, name: &str| {
        let found = one.get(name).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let gone = known.iter().filter(|one| {
        let (document, asset) = (text(one, "document"), text(one, "asset"));
        text(one, "source") == "api"
            && text(one, "how") != How::Said.word()
            && scan.documents.contains(&document)
            && !uses.contains_key(&(document, asset))
    });
    let row = |one: &Value| {
        let fields = json!({
            "asset": text(one, "asset"), "person": person, "document": text(one, "document"),
            "ended": true,
        });
        (0, fields.as_object().cloned().unwrap_or_else(Map::new))
    };
    Ok(gone.map(row).collect())
}
