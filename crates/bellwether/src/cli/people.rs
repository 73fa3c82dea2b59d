//! `people`: which people the users of other systems are: a list, those whom nobody knows yet, an
//! import from CSV, one said by hand, and proposals. All of it through the API of a running server.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Failed;
use super::ask::{Reach, Server, query};
use super::table;
use crate::output;

/// Arguments of `people`.
#[derive(Debug, clap::Args)]
pub(super) struct People {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    reach: Reach,
    /// Prints the API's JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The users whose person is known.
    List {
        /// Only of this connection.
        #[arg(long)]
        connection: Option<String>,
        /// Only those who are this person.
        #[arg(long)]
        person: Option<String>,
    },
    /// The users whom nobody knows yet, with how often and when they were last named.
    Unresolved {
        /// Only of this connection.
        #[arg(long)]
        connection: Option<String>,
    },
    /// Reads a CSV with the columns uuid (or id), name and person: an id or address of somebody in
    /// the directory.
    Import {
        /// The file.
        file: PathBuf,
        /// The connection whose users these are; without it, the file has a column for it.
        #[arg(long)]
        connection: Option<String>,
    },
    /// Says who one user is.
    Map {
        /// The connection.
        connection: String,
        /// The user's id there.
        id: String,
        /// The person's id or address; without it the user is nobody's any more.
        person: Option<String>,
    },
    /// Looks for people whom unresolved users might be; what it finds is only shown.
    Propose,
}

impl People {
    pub(super) async fn run(self) -> Result<(), Failed> {
        let server = self.reach.server()?;
        match self.what {
            What::List { connection, person } => {
                let filters = [
                    ("status", Some("resolved".to_owned())),
                    ("connection", connection),
                    ("person", person),
                ];
                list(
                    &server,
                    &query("/api/identities", &filters),
                    self.json,
                    known,
                )
                .await
            }
            What::Unresolved { connection } => {
                let filters = [("connection", connection)];
                list(
                    &server,
                    &query("/api/unresolved", &filters),
                    self.json,
                    unresolved,
                )
                .await
            }
            What::Import { file, connection } => {
                let rows = rows(&file, connection.as_deref())?;
                let sent = table::send(&server, "/api/identities", "identities", &rows).await?;
                if self.json {
                    output::json(&sent.json());
                }
                output::say(&format!("{} users are known now", sent.count("mapped")));
                Ok(())
            }
            What::Map {
                connection,
                id,
                person,
            } => {
                let body = json!({ "connection": connection, "id": id, "person": person });
                let answer = server.post("/api/identities", &body).await?;
                if self.json {
                    output::json(&answer);
                }
                let is = person.unwrap_or_else(|| "nobody".to_owned());
                output::say(&format!("{id} of {connection} is {is}"));
                Ok(())
            }
            What::Propose => {
                let answer = server.post("/api/unresolved/propose", &json!({})).await?;
                if self.json {
                    output::json(&answer);
                }
                let n = answer.get("proposed").and_then(Value::as_u64).unwrap_or(0);
                output::say(&format!("{n} proposals; see bellwether people unresolved"));
                Ok(())
            }
        }
    }
}

/// The rows of an import, as the API names their columns.
fn rows(file: &std::path::Path, connection: Option<&str>) -> Result<Vec<table::Row>, String> {
    let mut rows = table::read(file)?;
    for (line, row) in &mut rows {
        if let Some(uuid) = row.remove("uuid") {
            row.insert("id".to_owned(), uuid);
        }
        if let Some(connection) = connection {
            let given = Value::from(connection);
            if row
                .insert("connection".to_owned(), given.clone())
                .is_some_and(|own| own != given)
            {
                return Err(format!(
                    "line {line} names another connection than {connection}"
                ));
            }
        }
        if row.get("connection").is_none() {
            return Err(format!(
                "line {line} has no connection: give --connection, or a column of that name"
            ));
        }
    }
    Ok(rows)
}

async fn list(
    server: &Server,
    path: &str,
    as_json: bool,
    line: fn(&Value) -> String,
) -> Result<(), Failed> {
    let all = server.all(path).await?;
    if as_json {
        output::json(&json!({ "total": all.len(), "items": all }));
    } else {
        all.iter().for_each(|one| output::data(&line(one)));
    }
    output::say(&format!("{} users", all.len()));
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn known(one: &Value) -> String {
    format!(
        "{:<16} {:<38} {:<24} {}",
        text(one, "connection"),
        text(one, "id"),
        text(one, "name"),
        text(one, "person"),
    )
}

fn unresolved(one: &Value) -> String {
    let proposed = one.get("proposed").filter(|proposed| !proposed.is_null());
    let proposed = proposed.map_or_else(String::new, |proposed| {
        format!(
            "  may be {}: {}",
            text(proposed, "person"),
            text(proposed, "why")
        )
    });
    format!(
        "{:<16} {:<38} {:<24} {:>5}  {}{proposed}",
        text(one, "connection"),
        text(one, "id"),
        text(one, "name"),
        one.get("seen").and_then(Value::as_u64).unwrap_or(0),
        text(one, "last_seen"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_names_its_connection_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people.csv");
        std::fs::write(&file, "uuid,name,person\nu-1,Eve,eve\n").unwrap();
        assert!(rows(&file, None).unwrap_err().contains("--connection"));
        let read = rows(&file, Some("assets")).unwrap();
        let want = json!({"name": "Eve", "person": "eve", "id": "u-1", "connection": "assets"});
        assert_eq!(Value::Object(read[0].1.clone()), want);
        std::fs::write(&file, "connection,id,person\nportal,u-1,eve\n").unwrap();
        assert_eq!(rows(&file, None).unwrap().len(), 1);
        assert!(rows(&file, Some("assets")).unwrap_err().contains("line 2"));
    }
}
