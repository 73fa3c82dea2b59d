//! A server as an operator installs it: configuration, set-up and flows in a folder, the stand-ins
//! in a process of their own, `serve` started on the same data again and again.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{APPROVER, Place, Process};

/// The secret that signs webhooks of the test.
pub(crate) const WEBHOOK_KEY: &[u8] = b"a key of the orders' sender";
/// The key of the companion app.
pub(crate) const APP_KEY: &str = "companion-key-of-the-test";

/// A flow that pushes every order of one kind.
const ORDERS: &str = "bellwether: 1
flow: orders
about: An order that was placed becomes a push.
when: { event: order.placed, if: order.kind == 'k07' }
steps:
  - push: person('alice')
    title: \"Order {{ order.number }}\"
    text: \"It was placed.\"
";

/// The folder of an installation, and the world around it.
#[derive(Debug)]
pub(crate) struct Installed {
    folder: TempDir,
    pub(crate) at: Place,
    _sandbox: Process,
}

impl Installed {
    /// Stand-ins that run, and a folder from which `serve` can be started. Alice approves.
    pub(crate) async fn make() -> Self {
        let alice = json!({ "alice": person("Alice Arnold", APPROVER, Some("device-alice")) });
        Self::with(&alice, 1).await
    }

    /// The same with these people; the mailbox is looked at so often by itself.
    pub(crate) async fn with(people: &Value, poll_seconds: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = Process::start(&["sandbox", "--port", "0", "--json"], folder.path()).await;
        let page = sandbox.ready["addresses"]["page"].as_str();
        let page = format!("http://{}", page.expect("the address of the page"));
        let at = Place::of(&page).await;
        let info = at.admin("info").await;
        let made = Self {
            folder,
            at,
            _sandbox: sandbox,
        };
        made.write(
            "setup.yaml",
            &setup(&info, people, poll_seconds).to_string(),
        );
        std::fs::create_dir(made.path("flows")).expect("a folder of flows");
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        for name in ["approval-mail.yaml", "approvers.csv"] {
            std::fs::copy(recipes.join(name), made.path("flows").join(name)).expect("a recipe");
        }
        made.write("flows/orders.yaml", ORDERS);
        made.configure("127.0.0.1:0", "127.0.0.1:0");
        made
    }

    /// A file of the installation.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file of the installation");
    }

    /// Takes a file away.
    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).expect("a file of the installation");
    }

    fn configure(&self, listen: &str, public: &str) {
        let text = format!(
            "listen: {listen}\npublic: {public}\ndatabase: sqlite:bellwether.db\n\
             key_file: bellwether.key\nflows: flows\nsetup: setup.yaml\n\
             egress: {{ private: true }}\n"
        );
        self.write("bellwether.yaml", &text);
    }

    /// Starts the server. It keeps its addresses at every later start, as deep links need.
    pub(crate) async fn serve(&mut self) -> Process {
        let config = self.path("bellwether.yaml").display().to_string();
        let arguments = ["serve", "--config", &config, "--json"];
        let process = Process::start(&arguments, self.folder.path()).await;
        let text = |name: &str| process.ready[name].as_str().unwrap_or_default().to_owned();
        self.configure(&text("listen"), &text("public"));
        self.at.console = format!("http://{}", text("listen"));
        self.at.public = format!("http://{}", text("public"));
        let url = format!("{}/hooks/push/engagement", self.at.public);
        let companion = json!({ "engagement_url": url, "app_key": APP_KEY });
        self.at.set("companion", companion).await;
        self.at.becomes("approvals", "ok").await;
        process
    }
}

/// Somebody who may approve orders, on a phone or without one.
pub(crate) fn person(name: &str, address: &str, device: Option<&str>) -> Value {
    json!({
        "name": name, "emails": [address], "zone": "Europe/Vienna", "language": "en",
        "push": Vec::from_iter(device), "roles": ["purchasing-lead"],
    })
}

/// Connections, people and flows, from what the stand-ins say about themselves.
fn setup(info: &Value, people: &Value, poll_seconds: u32) -> Value {
    use base64::Engine as _;
    let secret = base64::prelude::BASE64_STANDARD.encode(WEBHOOK_KEY);
    let mailboxes = info["mailboxes"].as_array().expect("mailboxes");
    let mailbox = mailboxes
        .iter()
        .find(|one| one["address"] == super::support::WATCHED);
    let mailbox = mailbox.expect("the watched mailbox");
    let push = &info["opentext"];
    json!({
        "bellwether": 1,
        "connections": {
            "approvals": { "connector": "gmail", "settings": {
                "address": mailbox["address"], "client_id": mailbox["client_id"],
                "client_secret": mailbox["client_secret"],
                "refresh_token": mailbox["refresh_token"], "base_url": info["google_url"],
                "token_url": info["token_url"], "poll_seconds": poll_seconds,
                "quota_units_per_minute": 1_000_000,
            } },
            "push": { "connector": "opentext_push", "settings": {
                "profile": "mra-push", "base_url": push["url"], "auth": "basic",
                "user": push["user"], "password": push["password"], "engagement_key": APP_KEY,
            } },
            "shop": { "connector": "webhook", "settings": {
                "secrets": format!("whsec_{secret}"), "event_type": "order.placed",
                "noun": "order",
            } },
        },
        "people": people,
        "owner": "alice",
        "flows": { "approval-mail": {
            "position": "on", "inputs": { "mailbox": "approvals", "owner": "alice" },
        } },
    })
}
