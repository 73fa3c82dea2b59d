//! The server that reads a tenant: its files, its lives, and what it answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Tenant, client};
use crate::error::{During, Outcome, fault};
use crate::process::{Child, Usage};
use crate::server::free_port;
use crate::stage::{json_of, start};

/// The connection's name.
const CONNECTION: &str = "licences";
/// Rows per page of the API: a page of these is far below a megabyte.
const ROWS: usize = 100;
/// More pages than any run fills.
const PAGES_MAX: usize = 100_000;
/// How often the server is asked.
const ASK: Duration = Duration::from_millis(20);
/// So long the ledger may stand still.
const STILL_MAX: Duration = Duration::from_secs(120);

/// How the tenant is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Transactions per page.
    pub(crate) limit: u64,
    /// Whether the lists of files are read too.
    pub(crate) files: bool,
    /// Hours after which a purchase waits for somebody; 0 for never.
    pub(crate) stuck_hours: u64,
    /// The type of event that the one flow takes; it says `bench.told`.
    pub(crate) flow: &'static str,
}

/// The server's own counts of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) received: u64,
    pub(crate) failed: u64,
    pub(crate) pending: u64,
    pub(crate) cursor: Option<String>,
}

/// One Bellwether with its folder; it may live many times.
#[derive(Debug)]
pub(crate) struct Desk {
    binary: PathBuf,
    folder: PathBuf,
    http: reqwest::Client,
    console: String,
    life: Option<Child>,
    /// The most memory of any life that has ended, in bytes.
    peak: u64,
}

impl Desk {
    /// Writes the files of a new server; it is not started.
    pub(crate) fn make(
        binary: &Path,
        folder: PathBuf,
        tenant: &Tenant,
        reading: &Reading,
    ) -> Outcome<Self> {
        let console = format!("127.0.0.1:{}", free_port()?);
        configure(&folder, &console, tenant, reading)?;
        Ok(Self {
            binary: binary.to_owned(),
            folder,
            http: client()?,
            console: format!("http://{console}"),
            life: None,
            peak: 0,
        })
    }

    /// Starts it and waits until it is ready; how long that took, in seconds.
    pub(crate) async fn start(&mut self) -> Outcome<f64> {
        let began = Instant::now();
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--json", "--config"]);
        command.arg(self.folder.join("bellwether.yaml"));
        let (child, _) = start("serve", command, &self.log()).await?;
        self.life = Some(child);
        Ok(began.elapsed().as_secs_f64())
    }

    /// Ends it with SIGKILL.
    pub(crate) async fn kill(&mut self) -> Outcome<()> {
        let Some(life) = self.life.take() else {
            return fault("the server does not run, so it cannot be killed");
        };
        self.peak = self.peak.max(life.usage().rss_peak);
        life.kill().await
    }

    /// What this life used so far.
    pub(crate) fn usage(&self) -> Usage {
        self.life.as_ref().map(Child::usage).unwrap_or_default()
    }

    /// The most memory of all lives, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.max(self.usage().rss_peak)
    }

    /// Bytes of the database with its log.
    pub(crate) fn bytes(&self) -> u64 {
        ["bellwether.db", "bellwether.db-wal", "bellwether.db-shm"]
            .iter()
            .filter_map(|name| std::fs::metadata(self.folder.join(name)).ok())
            .map(|file| file.len())
            .sum()
    }

    /// Panics that its log tells of.
    pub(crate) fn panics(&self) -> u64 {
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let panicked = log.lines().filter(|line| line.contains("panicked at"));
        panicked.count() as u64
    }

    fn log(&self) -> PathBuf {
        self.folder.join("bellwether.log")
    }

    /// Tells it to read now.
    pub(crate) async fn read_now(&self) -> Outcome<()> {
        let path = format!("{}/api/connections/{CONNECTION}/read", self.console);
        json_of(self.http.post(path)).await.map(drop)
    }

    /// The ledger now.
    pub(crate) async fn ledger(&self) -> Outcome<Ledger> {
        let said = self
            .get(&format!("/api/connections/{CONNECTION}/ledger"))
            .await?;
        serde_json::from_value(said).during("the ledger has another shape")
    }

    /// How many events of a type there are, by the server's own sums.
    pub(crate) async fn count(&self, kind: &str) -> Outcome<u64> {
        let page = self
            .get(&format!("/api/events?type={kind}&limit=1"))
            .await?;
        page["total"]
            .as_u64()
            .map_or_else(|| fault("/api/events gives no total"), Ok)
    }

    /// How many dead letters nobody has settled.
    pub(crate) async fn dead_letters(&self) -> Outcome<u64> {
        let said = self.get("/api/overview").await?;
        said["dead_letters"]
            .as_u64()
            .map_or_else(|| fault("/api/overview has no dead letters"), Ok)
    }

    /// Every event of a type, page by page.
    pub(crate) async fn events(&self, kind: &str, mut take: impl FnMut(&Value)) -> Outcome<()> {
        let mut after = String::from("0");
        for _ in 0..PAGES_MAX {
            let path = format!("/api/events?type={kind}&limit={ROWS}&after={after}");
            let page = self.get(&path).await?;
            let Some(items) = page["items"].as_array() else {
                return fault("/api/events gives no items");
            };
            items.iter().for_each(&mut take);
            match &page["next"] {
                Value::Null => return Ok(()),
                Value::String(next) => after.clone_from(next),
                next => after = next.to_string(),
            }
        }
        fault("/api/events does not end")
    }

    /// Waits until so many records are settled; `each` is told of every look.
    pub(crate) async fn settled(
        &mut self,
        records: u64,
        mut each: impl FnMut(&Ledger),
    ) -> Outcome<Ledger> {
        let mut moved = (Ledger::default(), Instant::now());
        loop {
            let now = self.ledger().await?;
            each(&now);
            if now.received + now.failed >= records {
                return Ok(now);
            }
            if let Some(end) = self.life.as_mut().and_then(Child::ended) {
                return fault(end);
            }
            if now != moved.0 {
                moved = (now, Instant::now());
            } else if moved.1.elapsed() > STILL_MAX {
                return fault(format!(
                    "the ledger stands still for {STILL_MAX:?} before {records} records are \
                     settled: {now:?}"
                ));
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// Waits until there are so many events of each type, for a while; no fault when they do not
    /// come: who counts says what is missing.
    pub(crate) async fn said(&self, wanted: &BTreeMap<&str, u64>, within: Duration) -> Outcome<()> {
        let began = Instant::now();
        for (kind, count) in wanted {
            while self.count(kind).await? < *count && began.elapsed() < within {
                tokio::time::sleep(ASK).await;
            }
        }
        Ok(())
    }

    async fn get(&self, path: &str) -> Outcome<Value> {
        json_of(self.http.get(format!("{}{path}", self.console))).await
    }
}

fn configure(folder: &Path, console: &str, tenant: &Tenant, reading: &Reading) -> Outcome<()> {
    let info = &tenant.info;
    // It reads when it is told to, not because time passed: half a day is far away.
    let settings = json!({
        "tenant": tenant.id, "client_id": info["client_id"],
        "client_secret": info["client_secret"], "refresh_token": info["refresh_token"],
        "base_url": info["feed_url"], "token_url": info["token_url"],
        "poll_seconds": 43_200, "reread_hours": 168, "limit": reading.limit,
        "files": reading.files, "stuck_hours": reading.stuck_hours,
        "zone": super::noon_zone(),
    });
    // JSON is YAML.
    let setup = json!({
        "bellwether": 1,
        "connections": { CONNECTION: { "connector": "smintio", "settings": settings } },
        "people": { "alice": {
            "name": "Alice Arnold", "emails": ["alice@example.com"], "zone": "Europe/Vienna",
            "language": "en",
        } },
        "owner": "alice",
    });
    let flow = format!(
        "bellwether: 1\nflow: tell\nabout: Says what the memory of licences said.\n\
         when: {{ event: {} }}\nsteps:\n  - emit: bench.told\n    data: {{ uuid: transaction.uuid }}\n",
        reading.flow
    );
    let at = folder.display();
    let public = format!("127.0.0.1:{}", free_port()?);
    let config = format!(
        "listen: {console}\npublic: {public}\npublic_url: http://{public}\n\
         database: sqlite:{at}/bellwether.db\nkey_file: {at}/bellwether.key\n\
         flows: {at}/flows\nsetup: {at}/setup.yaml\negress: {{ private: true }}\n"
    );
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).during(&format!("{name} cannot be written"))
    };
    std::fs::create_dir_all(folder.join("flows")).during("the flows' folder cannot be made")?;
    write("flows/tell.yaml", &flow)?;
    write("setup.yaml", &setup.to_string())?;
    write("bellwether.yaml", &config)
}
