//! `import` and `export`: people from a table (CSV) or a whole directory (YAML), customers from a
//! table, through the API of a running server. A row that cannot be read stops everything; what
//! would change is said first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bellwether_model::directory::rows::{COLUMNS, of_row};
use bellwether_model::directory::{Directory, PARTS};
use serde_json::{Map, Value, json};

use super::Failed;
use super::ask::{Reach, Server};
use super::table;
use crate::config::load;
use crate::output;

/// The most differences that are printed; `--json` has all of them.
const SAID_MAX: usize = 200;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    #[command(subcommand)]
    what: ImportWhat,
    #[command(flatten)]
    reach: Reach,
    /// Prints the API's JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum ImportWhat {
    /// People from a CSV with the column id and any of those that `export people` writes, or from
    /// a YAML file with people, groups, teams, calendars and rotas.
    People {
        /// The file.
        file: PathBuf,
        /// Only says what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Customers from a CSV with the column address and any of name, app_id, language, zone,
    /// consent (given, not_asked, opted_out) and removed.
    Customers {
        /// The file.
        file: PathBuf,
    },
}

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(subcommand)]
    what: ExportWhat,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Subcommand)]
enum ExportWhat {
    /// The directory.
    People {
        /// A table of people, or everything with groups, teams, calendars and rotas.
        #[arg(long, value_enum, default_value = "csv")]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Yaml,
}

impl Import {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let server = self.reach.server()?;
        match self.what {
            ImportWhat::People { file, dry_run } => {
                let read = Read::of(&file)?;
                people(&server, &file, &read, dry_run, self.json).await
            }
            ImportWhat::Customers { file } => {
                let rows = table::read(&file)?;
                let sent = table::send(&server, "/api/customers", "customers", &rows).await?;
                if self.json {
                    output::json(&sent.json());
                }
                output::say(&format!(
                    "{} customers are recorded",
                    sent.count("recorded")
                ));
                Ok(())
            }
        }
    }
}

/// A change of the directory, and where in the file each thing stands.
#[derive(Debug)]
struct Read {
    change: Value,
    lines: BTreeMap<String, u64>,
}

impl Read {
    fn of(file: &Path) -> Result<Self, Vec<String>> {
        match file.extension().and_then(std::ffi::OsStr::to_str) {
            Some("csv") => Self::of_table(file),
            Some("yaml" | "yml" | "json") => Self::of_yaml(file),
            _ => Err(vec![format!(
                "{}: give a .csv or .yaml file",
                file.display()
            )]),
        }
    }

    fn of_table(file: &Path) -> Result<Self, Vec<String>> {
        let (mut wrong, mut people) = (Vec::new(), Map::new());
        let mut lines = BTreeMap::new();
        for (line, row) in table::read(file).map_err(|error| vec![error])? {
            match of_row(&row) {
                Ok((id, fields)) => {
                    if let Some(other) = lines.insert(id.clone(), line) {
                        wrong.push(format!("line {line}: {id} stands in line {other} already"));
                    }
                    people.insert(id, fields);
                }
                Err(why) => wrong.extend(why.iter().map(|why| format!("line {line}: {why}"))),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let change = json!({ "people": people });
        Ok(Self { change, lines })
    }

    fn of_yaml(file: &Path) -> Result<Self, Vec<String>> {
        let (_, node) = load(file)?;
        let mut lines = BTreeMap::new();
        let mut change = Map::new();
        for (key, part) in node.entries().unwrap_or_default() {
            let name = key.name.as_str();
            // A set-up file can be given as it is: connections and flows are not read here.
            if !PARTS.contains(&name) && name != "owner" {
                continue;
            }
            for (key, one) in part.entries().unwrap_or_default() {
                let about = match name {
                    "people" => key.name.clone(),
                    part => format!("{} {}", part.trim_end_matches('s'), key.name),
                };
                lines.insert(about, u64::try_from(one.place().0).unwrap_or(0));
            }
            change.insert(name.to_owned(), part.json());
        }
        if change.is_empty() {
            let parts = PARTS.join(", ");
            return Err(vec![format!(
                "{}: there is none of {parts} in it",
                file.display()
            )]);
        }
        let change = Value::Object(change);
        Ok(Self { change, lines })
    }
}

async fn people(
    server: &Server,
    file: &Path,
    read: &Read,
    dry_run: bool,
    as_json: bool,
) -> Result<(), Failed> {
    let path = if dry_run {
        "/api/directory?dry_run=true"
    } else {
        "/api/directory"
    };
    let answer = server.post_or_refused(path, &read.change).await?;
    if as_json {
        output::json(&answer);
    }
    if let Some(refused) = answer.get("refused").and_then(Value::as_array) {
        let text = |one: &Value, key: &str| {
            let found = one.get(key).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let mut lines: Vec<String> = Vec::new();
        for one in refused {
            let at = read.lines.get(&text(one, "about"));
            let at = at.map_or_else(String::new, |line| format!(":{line}"));
            let message = text(one, "message");
            lines.push(format!("{}{at}: {message}", file.display()));
        }
        lines.push("nothing was changed".to_owned());
        return Err(lines.into());
    }
    let said = answer.get("said").and_then(Value::as_array);
    let said: Vec<&str> = said
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !as_json {
        said.iter()
            .take(SAID_MAX)
            .for_each(|line| output::data(line));
    }
    let what = if dry_run { "would change" } else { "changed" };
    output::say(&format!("{} things {what}", said.len()));
    Ok(())
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let server = self.reach.server()?;
        let ExportWhat::People { format } = self.what;
        let mut body = server.ask("GET", "/api/directory").await?;
        if let Some(fields) = body.as_object_mut() {
            fields.remove("findings");
            fields.remove("version");
        }
        match format {
            Format::Csv => {
                let directory: Directory = serde_json::from_value(body)
                    .map_err(|error| format!("the server's directory cannot be read: {error}"))?;
                output::data(table_of(&directory)?.trim_end());
            }
            Format::Yaml => {
                let mut out = String::from("bellwether: 1\n");
                yaml(&body, 0, &mut out);
                output::data(out.trim_end());
            }
        }
        Ok(())
    }
}

fn table_of(directory: &Directory) -> Result<String, String> {
    let wrong = |error: csv::Error| format!("the table cannot be written: {error}");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(wrong)?;
    for row in directory.rows() {
        writer.write_record(&row).map_err(wrong)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// Writes fields as YAML: maps as lines, everything within them as JSON, which is YAML too.
fn yaml(value: &Value, deep: usize, out: &mut String) {
    for (key, one) in value.as_object().into_iter().flatten() {
        let key = json!(key);
        out.push_str(&format!("{:width$}{key}:", "", width = deep * 2));
        match one {
            Value::Object(fields) if !fields.is_empty() && deep < 2 => {
                out.push('\n');
                yaml(one, deep + 1, out);
            }
            one => out.push_str(&format!(" {one}\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let json = json!({
            "people": {"alice": {"name": "Alice, \"A\"", "zone": "Europe/Vienna",
                "emails": ["a@x.example"], "roles": ["legal"], "team": "brand"}},
            "groups": {"all": {"members": ["alice", "role legal"]}},
            "rotas": {"it-ops": {"zone": "UTC", "hand_over": ["Mon 09:00"], "members": ["alice"]}},
            "owner": "alice",
        });
        let mut directory: Directory = serde_json::from_value(json).unwrap();
        directory.settle();
        directory
    }

    #[test]
    fn what_is_exported_can_be_imported() {
        let folder = tempfile::tempdir().unwrap();
        let (csv, file) = (folder.path().join("p.csv"), folder.path().join("p.yaml"));
        std::fs::write(&csv, table_of(&directory()).unwrap()).unwrap();
        let read = Read::of(&csv).unwrap();
        let people = Directory::default().changed(&read.change).unwrap();
        assert_eq!(people.people, directory().people);
        assert_eq!(read.lines["alice"], 2);
        let mut out = String::from("bellwether: 1\n");
        yaml(&json!(directory()), 0, &mut out);
        std::fs::write(&file, &out).unwrap();
        let read = Read::of(&file).unwrap();
        let again = Directory::default().changed(&read.change).unwrap();
        assert_eq!(again, directory(), "{out}");
        assert!(read.lines.contains_key("rota it-ops"));
    }

    #[test]
    fn every_bad_row_has_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.csv");
        let rows = "id,zone,hours\nann,UTC,9 to 5\n,UTC,\nann,UTC,\nann,UTC,\n";
        std::fs::write(&file, rows).unwrap();
        let wrong = Read::of(&file).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].starts_with("line 2: hours"), "{wrong:?}");
        assert!(wrong[1].starts_with("line 3: the column id"), "{wrong:?}");
        assert!(
            wrong[2].contains("line 5: ann stands in line 4"),
            "{wrong:?}"
        );
        assert!(Read::of(&folder.path().join("p.txt")).is_err());
    }
}
