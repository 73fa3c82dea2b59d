//! Stand-ins and server as two processes, so that the server's memory is its own, and the addresses
//! through which both are driven.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::error::{During, Outcome, fault};
use crate::process::{Child, Usage};
use crate::server::free_port;
use crate::stage::{json_of, start};

/// The mailbox that is watched.
pub(super) const MAILBOX: &str = "approvals@example.com";
/// The connection's name.
pub(super) const CONNECTION: &str = "approvals";
/// Takes some of the mail, so that matched and unmatched are both counted.
const FLOW: &str = "\
bellwether: 1
flow: some-match
about: Takes mail whose subject has a vowel.
when: { event: gmail.message.received, if: \"mail.subject | find('[aeiou]')\" }
steps:
  - emit: corpus.matched
    data: { subject: mail.subject }
";
/// How long one call may take; a sweep reads everything it finds.
const CALL_MAX: Duration = Duration::from_secs(120);

/// Both processes.
#[derive(Debug)]
pub(super) struct Scene {
    server: Child,
    _sandbox: Child,
    http: reqwest::Client,
    console: String,
    page: String,
    info: Value,
    log: PathBuf,
}

impl Scene {
    /// Starts both and waits until they are ready.
    pub(super) async fn set(binary: &Path, folder: &Path) -> Outcome<Self> {
        let http = reqwest::Client::builder()
            .timeout(CALL_MAX)
            .build()
            .during("the bench's HTTP client cannot be made")?;
        let mut command = Command::new(binary);
        command.args(["sandbox", "--port", "0", "--json"]);
        let (sandbox, said) = start("sandbox", command, &folder.join("sandbox.log")).await?;
        let Some(page) = said["addresses"]["page"].as_str() else {
            return fault("the sandbox does not say where its page is");
        };
        let page = format!("http://{page}");
        let info = json_of(http.get(format!("{page}/admin/info"))).await?;
        let config = configure(folder, &info)?;
        let log = folder.join("server.log");
        let mut command = Command::new(binary);
        command.args(["serve", "--json", "--config"]).arg(config);
        let (server, said) = start("serve", command, &log).await?;
        let Some(listen) = said["listen"].as_str() else {
            return fault("the server does not say where it listens");
        };
        Ok(Self {
            server,
            _sandbox: sandbox,
            http,
            console: format!("http://{listen}"),
            page,
            info,
            log,
        })
    }

    /// Where mail goes in.
    pub(super) fn smtp(&self) -> String {
        let smtp = &self.info["smtp"];
        format!("{}:{}", smtp["host"].as_str().unwrap_or(""), smtp["port"])
    }

    /// Reads from the server's API.
    pub(super) async fn api(&self, path: &str) -> Outcome<Value> {
        json_of(self.http.get(format!("{}{path}", self.console))).await
    }

    /// One of the verbs of the watched connection.
    pub(super) async fn verb(&self, verb: &str) -> Outcome<Value> {
        let path = format!("/api/connections/{CONNECTION}/{verb}");
        json_of(self.http.post(format!("{}{path}", self.console))).await
    }

    /// Tells the stand-ins something.
    pub(super) async fn admin(&self, path: &str, body: &Value) -> Outcome<Value> {
        json_of(self.http.post(format!("{}{path}", self.page)).json(body)).await
    }

    /// Asks the stand-ins something.
    pub(super) async fn admin_get(&self, path: &str) -> Outcome<Value> {
        json_of(self.http.get(format!("{}{path}", self.page))).await
    }

    /// Lets calls of Gmail's API go wrong; gives the fault's number.
    pub(super) async fn fault(&self, mut body: Value) -> Outcome<u64> {
        body["target"] = json!("google.gmail");
        let said = self.admin("/admin/faults", &body).await?;
        let number = said["id"].as_u64();
        number.map_or_else(|| fault("a fault got no number"), Ok)
    }

    /// Ends one fault.
    pub(super) async fn clear_fault(&self, number: u64) -> Outcome<()> {
        let at = format!("{}/admin/faults/{number}", self.page);
        json_of(self.http.delete(at)).await.map(drop)
    }

    /// How many of the faults have hit as often as they were to, and how many have not.
    pub(super) async fn faults_hit(&self) -> Outcome<(u64, u64)> {
        let said = self.admin_get("/admin/faults").await?;
        let all = said["faults"].as_array().map_or(&[][..], Vec::as_slice);
        let used = |one: &&Value| one["hits"].as_u64() >= one["times"].as_u64();
        let hit = all.iter().filter(used).count() as u64;
        Ok((hit, all.len() as u64 - hit))
    }

    /// Ends all faults.
    pub(super) async fn clear_faults(&self) -> Outcome<()> {
        json_of(self.http.delete(format!("{}/admin/faults", self.page)))
            .await
            .map(drop)
    }

    /// What the mailbox itself lists since `since` (seconds), without drafts and own mail.
    pub(super) async fn mailbox(&self, since: u64) -> Outcome<Vec<String>> {
        let none = Vec::new();
        let all = self.info["mailboxes"].as_array().unwrap_or(&none);
        let Some(one) = all.iter().find(|one| one["address"] == MAILBOX) else {
            return fault(format!("the sandbox has no mailbox {MAILBOX}"));
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", text(&one["client_id"])),
            ("client_secret", text(&one["client_secret"])),
            ("refresh_token", text(&one["refresh_token"])),
        ];
        let at = text(&self.info["token_url"]);
        let token = text(&json_of(self.http.post(at).form(&form)).await?["access_token"]);
        let at = format!(
            "{}/gmail/v1/users/me/messages",
            text(&self.info["google_url"])
        );
        let query = format!("in:anywhere -in:drafts -in:sent after:{since}");
        let mut ids = Vec::new();
        let mut page = String::new();
        loop {
            let asked = [("q", &*query), ("maxResults", "500"), ("pageToken", &*page)];
            let asked = &asked[..if page.is_empty() { 2 } else { 3 }];
            let answer = json_of(self.http.get(&at).bearer_auth(&token).query(asked)).await?;
            let messages = answer["messages"].as_array().unwrap_or(&none);
            ids.extend(messages.iter().map(|one| text(&one["id"])));
            page = text(&answer["nextPageToken"]);
            if page.is_empty() {
                return Ok(ids);
            }
        }
    }

    /// What the server used.
    pub(super) fn usage(&self) -> Usage {
        self.server.usage()
    }

    /// Whether the server ended by itself.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.server.ended()
    }

    /// Panics that the server's log tells of.
    pub(super) fn panics(&self) -> u64 {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines()
            .filter(|line| line.contains("panicked at"))
            .count() as u64
    }
}

/// Writes the server's files; gives the configuration's place.
fn configure(folder: &Path, info: &Value) -> Outcome<PathBuf> {
    let none = Vec::new();
    let all = info["mailboxes"].as_array().unwrap_or(&none);
    let Some(one) = all.iter().find(|one| one["address"] == MAILBOX) else {
        return fault(format!("the sandbox has no mailbox {MAILBOX}"));
    };
    // A quota that does not slow: what is counted here is mail, not Google's units.
    let mail = json!({
        "address": MAILBOX, "client_id": one["client_id"], "client_secret": one["client_secret"],
        "refresh_token": one["refresh_token"], "base_url": info["google_url"],
        "token_url": info["token_url"], "poll_seconds": 1, "quota_units_per_minute": 600_000,
    });
    // JSON is YAML.
    let setup = json!({
        "bellwether": 1,
        "connections": { CONNECTION: { "connector": "gmail", "settings": mail } },
        "people": { "alice": {
            "name": "Alice Arnold", "emails": ["approver@example.com"], "zone": "Europe/Vienna",
            "language": "en",
        } },
        "owner": "alice",
    });
    let at = folder.display();
    let listen = format!("127.0.0.1:{}", free_port()?);
    let public = format!("127.0.0.1:{}", free_port()?);
    let config = format!(
        "listen: {listen}\npublic: {public}\npublic_url: http://{public}\n\
         database: sqlite:{at}/bellwether.db\nkey_file: {at}/bellwether.key\n\
         flows: {at}/flows\nsetup: {at}/setup.yaml\negress: {{ private: true }}\n"
    );
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).during(&format!("{name} cannot be written"))
    };
    std::fs::create_dir_all(folder.join("flows")).during("the flows' folder cannot be made")?;
    write("flows/some-match.yaml", FLOW)?;
    write("setup.yaml", &setup.to_string())?;
    write("bellwether.yaml", &config)?;
    Ok(folder.join("bellwether.yaml"))
}
