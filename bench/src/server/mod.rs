//! Bellwether as the bench sees it: a binary, a folder with its files, two addresses and a process.
//! What it is configured with is in `files.rs`, what it answers in `api.rs`.

pub(crate) mod api;
pub(crate) mod build;
mod files;

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::error::{During, Outcome, fault};
use crate::process::{Child, READY_MAX};
pub(crate) use files::{FLOWS, SECRET};

/// The path of the webhook connection that is measured.
pub(crate) const HOOK_PATH: &str = "/hooks/orders";
/// How often a start is looked at until it listens.
const LOOK: Duration = Duration::from_millis(1);
/// How many lines of the log go into a fault.
const LOG_LINES: usize = 40;
/// Where [`free_port`] looks: Linux gives 32768 and above to outgoing connections.
const PORTS: Range<u16> = 12_000..32_000;

/// Where one Bellwether lives: its files, data and addresses. It may be started many times.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    binary: PathBuf,
    folder: PathBuf,
    /// Address of console and API.
    pub(crate) listen: String,
    /// Address of the webhook intake.
    pub(crate) public: String,
}

/// A started Bellwether.
#[derive(Debug)]
pub(crate) struct Server {
    /// The process.
    pub(crate) child: Child,
    home: Home,
}

impl Home {
    /// Makes a new, empty home in `folder` whose pushes go to `sink`.
    pub(crate) fn make(binary: &Path, folder: PathBuf, sink: &str) -> Outcome<Self> {
        Self::with_flows(binary, folder, sink, &files::flows(FLOWS))
    }

    /// The same with so many flows, of which one matches.
    pub(crate) fn with_many(
        binary: &Path,
        folder: PathBuf,
        sink: &str,
        many: usize,
    ) -> Outcome<Self> {
        Self::with_flows(binary, folder, sink, &files::flows(many))
    }

    /// The same with these flows, by name.
    pub(crate) fn with_flows(
        binary: &Path,
        folder: PathBuf,
        sink: &str,
        flows: &[(String, String)],
    ) -> Outcome<Self> {
        let home = Self {
            binary: binary.to_owned(),
            listen: format!("127.0.0.1:{}", free_port()?),
            public: format!("127.0.0.1:{}", free_port()?),
            folder,
        };
        files::write(&home, sink, flows)?;
        Ok(home)
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(files::DATABASE)
    }

    /// Bytes of the database with its log.
    pub(crate) fn bytes(&self) -> u64 {
        let database = self.database();
        ["", "-wal", "-shm"]
            .iter()
            .filter_map(|end| {
                let mut name = database.clone().into_os_string();
                name.push(end);
                std::fs::metadata(name).ok()
            })
            .map(|file| file.len())
            .sum()
    }

    /// Starts it; does not wait until it is ready.
    pub(crate) fn start(&self) -> Outcome<Server> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .during("the server's log cannot be opened")?;
        let mut command = Command::new(&self.binary);
        command
            .arg("serve")
            .arg("--config")
            .arg(self.folder.join(files::CONFIG))
            .arg("--json")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        Ok(Server {
            child: Child::start("bellwether serve", command)?,
            home: self.clone(),
        })
    }

    /// Where all its lives write their logs, one after the other.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("bellwether.log")
    }

    /// The end of the log: what the server said before it failed.
    pub(crate) fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Server {
    /// Waits for the line that says that it is ready.
    pub(crate) async fn ready(&mut self) -> Outcome<()> {
        let line = match self.child.first_line().await {
            Ok(line) => line,
            Err(why) => return fault(format!("{why}; its log ends:\n{}", self.home.log_end())),
        };
        let said: Value = serde_json::from_str(&line)
            .during(&format!("the ready line is not JSON: {}", line.trim()))?;
        if said["ready"] == Value::Bool(true) {
            return Ok(());
        }
        fault(format!(
            "the first line does not say ready: {}",
            line.trim()
        ))
    }

    /// Waits until the webhook intake takes connections.
    pub(crate) async fn listening(&mut self) -> Outcome<()> {
        let began = Instant::now();
        while TcpStream::connect(&self.home.public).await.is_err() {
            if let Some(end) = self.child.ended() {
                return fault(format!("{end}; its log ends:\n{}", self.home.log_end()));
            }
            if began.elapsed() > READY_MAX {
                return fault(format!("the server does not listen after {READY_MAX:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// A port that was free a moment ago and that a server keeps over its restarts. It lies below those
/// that the system gives to outgoing connections: one of these could take the port of a server
/// that was just killed, and the server could not come back.
pub(crate) fn free_port() -> Outcome<u16> {
    let random = RandomState::new().hash_one(std::process::id());
    let first = usize::try_from(random % PORTS.len() as u64).unwrap_or(0);
    PORTS
        .cycle()
        .skip(first)
        .take(PORTS.len())
        .find(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        .map_or_else(|| fault("there is no free port"), Ok)
}
