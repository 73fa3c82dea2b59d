//! The server's own file: process matters only. What people edit lives in the registry.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bellwether_connectors::http::{Policy, Private};
use bellwether_engine::yaml::{Node, Problem, Reader};
use bellwether_model::secret::Secret;

use super::{in_file, load};

/// The keys of the file, in the order of the documentation.
const KEYS: [&str; 10] = [
    "listen",
    "public",
    "public_url",
    "database",
    "key_file",
    "flows",
    "setup",
    "egress",
    "auth",
    "hosts",
];

/// What the server is started with.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig {
    /// Console and API.
    pub(crate) listen: SocketAddr,
    /// Hosted pages and hooks.
    pub(crate) public: SocketAddr,
    /// What deep links begin with; empty: made from `public`.
    pub(crate) public_url: String,
    /// The database's address.
    pub(crate) database: String,
    /// Where the keys are.
    pub(crate) key_file: PathBuf,
    /// The folder of flows, if it is authoritative.
    pub(crate) flows: Option<PathBuf>,
    /// Connections and people, imported at start when they changed.
    pub(crate) setup: Option<PathBuf>,
    /// Which private addresses operators' connections may reach.
    pub(crate) egress: Policy,
    /// The token of console and API.
    pub(crate) token: Secret,
    /// The token of the system that keeps people here by SCIM.
    pub(crate) scim_token: Secret,
    /// Further host names under which the console is reached.
    pub(crate) hosts: Vec<String>,
}

impl ServerConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// Every mistake with file, line and column.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let (_, node) = load(path)?;
        let mut problems = Vec::new();
        let folder = path.parent().unwrap_or(Path::new("."));
        let config = Self::from_node(&node, folder, &mut problems);
        if problems.is_empty() {
            return Ok(config);
        }
        Err(in_file(&path.display().to_string(), &problems))
    }

    fn from_node(node: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader::new(node, "the configuration", &KEYS, problems);
        let listen = address(&mut reader, "listen", "127.0.0.1:8080");
        let public = address(&mut reader, "public", "127.0.0.1:8081");
        let public_url = reader
            .text("public_url")
            .unwrap_or_default()
            .trim_end_matches('/');
        let public_url = public_url.to_owned();
        let database = reader.text("database").map_or_else(
            || format!("sqlite:{}", folder.join("bellwether.db").display()),
            |database| relative_database(database, folder),
        );
        let path =
            |reader: &mut Reader<'_, '_>, key: &str| reader.text(key).map(|text| folder.join(text));
        let key_file =
            path(&mut reader, "key_file").unwrap_or_else(|| folder.join("bellwether.key"));
        let flows = path(&mut reader, "flows");
        let setup = path(&mut reader, "setup");
        let egress = reader.get("egress");
        let auth = reader.get("auth");
        let hosts = texts(reader.get("hosts"));
        let egress = egress
            .map(|node| read_egress(node, problems))
            .unwrap_or_default();
        let (token, scim_token) = auth.map_or_else(Default::default, |node| {
            let mut reader = Reader::new(node, "auth", &["token", "scim_token"], problems);
            let mut secret = |key| Secret::new(reader.text(key).unwrap_or_default());
            (secret("token"), secret("scim_token"))
        });
        if !scim_token.is_empty() && scim_token == token {
            let message = "`token` and `scim_token` are the same";
            let hint = "give the system that keeps people a token of its own: it opens less";
            problems.push(Problem::error(node.place(), message).hint(hint));
        }
        if !listen.ip().is_loopback() && token.is_empty() {
            let place = node.get("listen").map_or((1, 1), Node::place);
            problems.push(
                Problem::error(
                    place,
                    format!("{listen} can be reached from other machines"),
                )
                .hint("set `auth: { token: … }`, or listen on 127.0.0.1"),
            );
        }
        Self {
            listen,
            public,
            public_url,
            database,
            key_file,
            flows,
            setup,
            egress,
            token,
            scim_token,
            hosts,
        }
    }
}

fn relative_database(database: &str, folder: &Path) -> String {
    match database.strip_prefix("sqlite:") {
        Some(path) if path != ":memory:" => format!("sqlite:{}", folder.join(path).display()),
        _ => database.to_owned(),
    }
}

fn address(reader: &mut Reader<'_, '_>, key: &str, default: &str) -> SocketAddr {
    let fallback = SocketAddr::from(([127, 0, 0, 1], 0));
    let Some(text) = reader.text(key) else {
        return default.parse().unwrap_or(fallback);
    };
    text.parse().unwrap_or_else(|_| {
        let place = reader.get(key).map_or((1, 1), Node::place);
        let message = format!("`{key}` is an address with a port");
        reader.report(Problem::error(place, message).hint(format!("such as {default}")));
        fallback
    })
}

fn read_egress(node: &Node, problems: &mut Vec<Problem>) -> Policy {
    let reader = Reader::new(node, "egress", &["private"], problems);
    let Some(private) = reader.get("private") else {
        return Policy::default();
    };
    match private.json() {
        serde_json::Value::Bool(true) => Policy {
            allow_private: Private::Anywhere,
        },
        serde_json::Value::Bool(false) => Policy::default(),
        _ => {
            let mut ranges = Vec::new();
            for text in texts(Some(private)) {
                match text.parse() {
                    Ok(range) => ranges.push(range),
                    Err(error) => {
                        let message = format!("`{text}`: {error}");
                        problems.push(Problem::error(private.place(), message));
                    }
                }
            }
            Policy {
                allow_private: Private::Only(ranges),
            }
        }
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    match node.elements() {
        Some(elements) => elements
            .iter()
            .filter_map(Node::text)
            .map(str::to_owned)
            .collect(),
        None => node.text().map(str::to_owned).into_iter().collect(),
    }
}
