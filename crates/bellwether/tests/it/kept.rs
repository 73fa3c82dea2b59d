//! What an installation keeps from others: its database from a second server, its files from other
//! users of the machine, its running flows from one broken file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Process, binary, client, send};

const GOOD: &str = "bellwether: 1
flow: orders
about: An order becomes a push.
when: { event: order.placed }
steps:
  - push: person('alice')
    title: Order
    text: It was placed.
";
const SETUP: &str = "bellwether: 1
people:
  alice: { name: Alice Arnold, emails: [alice@example.com], zone: Europe/Vienna }
owner: alice
";

struct Folder(TempDir);

impl Folder {
    fn make() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(made.path("flows")).unwrap();
        made.write("flows/orders.yaml", GOOD);
        made.write("flows/parcels.yaml", &GOOD.replace("orders", "parcels"));
        made.write("setup.yaml", SETUP);
        made.configure("a", "");
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The configuration `{name}.yaml`; its database lies in a folder that is not there yet.
    fn configure(&self, name: &str, more: &str) {
        let text = format!(
            "listen: 127.0.0.1:0\npublic: 127.0.0.1:0\ndatabase: sqlite:data/deep/record.db\n\
             key_file: bellwether.key\nflows: flows\nsetup: setup.yaml\n{more}"
        );
        self.write(&format!("{name}.yaml"), &text);
    }

    async fn serve(&self) -> (Process, String) {
        let config = self.path("a.yaml").display().to_string();
        let arguments = ["serve", "--config", &config, "--json"];
        let process = Process::start(&arguments, self.0.path()).await;
        let listen = process.ready["listen"].as_str().unwrap().to_owned();
        (process, listen)
    }

    /// Runs a command on a configuration to its end: whether it succeeded, and what it said.
    async fn run(&self, command: &[&str], config: &str) -> (bool, String, String) {
        let mut run = binary();
        run.args(command).arg("--config").arg(self.path(config));
        let ended = run.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            ended.status.success(),
            text(&ended.stdout),
            text(&ended.stderr),
        )
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn findings(text: &str, what: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(text).unwrap();
    let all = all["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|one| one["what"] == what).collect()
}

#[tokio::test]
async fn a_second_server_is_refused_and_who_only_looks_is_not() {
    let folder = Folder::make();
    let (first, listen) = folder.serve().await;
    for name in ["record.db", "record.db-wal", "record.db-shm"] {
        assert_eq!(mode(&folder.path("data/deep").join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&folder.path("data/deep")), 0o700);

    let (ok, _, said) = folder.run(&["serve"], "a.yaml").await;
    let process = format!("in use by process {}", first.ready["pid"]);
    assert!(!ok && said.contains(&process), "{said}");

    let config = std::fs::read_to_string(folder.path("a.yaml")).unwrap();
    let config = config.replacen("127.0.0.1:0", &listen, 1);
    folder.write("b.yaml", &config);
    let (ok, said, error) = folder.run(&["doctor", "--json"], "b.yaml").await;
    assert!(ok, "{said} {error}");
    let database = findings(&said, "database").remove(0);
    let pid = first.ready["pid"].to_string();
    assert!(database["says"].as_str().unwrap().contains(&pid), "{said}");
    assert_eq!(findings(&said, "server").len(), 1);

    let mut runs = binary();
    runs.args(["runs", "--json", "--url", &format!("http://{listen}")]);
    let runs = runs.output().await.unwrap();
    assert!(runs.status.success());
    let listed: Value = serde_json::from_slice(&runs.stdout).unwrap();
    assert_eq!(listed["total"], 0);

    assert_eq!(first.terminate().await, Some(0));
    let (second, _) = folder.serve().await;
    assert_eq!(second.terminate().await, Some(0));
}

#[tokio::test]
async fn the_doctor_tells_which_secrets_others_may_read() {
    let folder = Folder::make();
    folder.configure("open", "auth: { token: a-token-of-the-console }\n");
    let (config, data) = (folder.path("open.yaml"), folder.path("data/deep/record.db"));
    std::fs::create_dir_all(data.parent().unwrap()).unwrap();
    std::fs::write(&data, "").unwrap();
    for path in [&config, &data] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let (ok, said, _) = folder.run(&["doctor", "--json"], "open.yaml").await;
    assert!(!ok);
    let found = findings(&said, "secrets");
    assert_eq!(found.len(), 2, "{said}");
    for path in [&config, &data] {
        let told = format!("chmod 600 {}", path.display());
        let is_told = |one: &Value| one["ok"] == false && one["says"].to_string().contains(&told);
        assert!(found.iter().any(is_told), "{told}: {said}");
    }
    // Opening the database has mended it; the configuration is its owner's business.
    assert_eq!(mode(&data), 0o600);
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (ok, said, error) = folder.run(&["doctor", "--json"], "open.yaml").await;
    assert!(ok, "{said} {error}");
}

#[tokio::test]
async fn one_broken_flow_file_stops_no_other_and_its_flow_goes_on_as_it_was() {
    let folder = Folder::make();
    folder.write("flows/new.yaml", "flow: new\nwhen: [");
    std::fs::write(
        folder.path("flows/old.yaml"),
        b"flow: old\nabout: Gr\xfc\xdfe",
    )
    .unwrap();
    let (first, listen) = folder.serve().await;
    let page = send(client().get(format!("http://{listen}/flows")))
        .await
        .text;
    assert!(
        page.contains("flows/new.yaml") && page.contains("Nothing of it runs."),
        "{page}"
    );
    assert!(
        page.contains("flows/old.yaml:2:10  this file is not UTF-8"),
        "{page}"
    );
    for flow in ["orders", "parcels"] {
        assert!(
            page.contains(&format!("href=\"/flows/{flow}\"")),
            "{flow}: {page}"
        );
    }
    first.terminate().await;

    std::fs::remove_file(folder.path("flows/new.yaml")).unwrap();
    std::fs::remove_file(folder.path("flows/old.yaml")).unwrap();
    folder.write("flows/orders.yaml", &GOOD.replace("title:", "titel:"));
    let (second, listen) = folder.serve().await;
    let page = send(client().get(format!("http://{listen}/flows")))
        .await
        .text;
    assert!(!page.contains("flows/new.yaml"), "it is gone: {page}");
    let goes_on = "<strong>orders</strong>, version 1, goes on as it was";
    assert!(page.contains(goes_on) && page.contains("titel"), "{page}");
    assert!(second.log().contains("titel"), "{}", second.log());
    second.terminate().await;

    folder.write("flows/orders.yaml", &GOOD.replace("Order", "New order"));
    let (third, listen) = folder.serve().await;
    let page = send(client().get(format!("http://{listen}/flows")))
        .await
        .text;
    assert!(!page.contains("cannot be read"), "it is mended: {page}");
    third.terminate().await;
}

#[tokio::test]
async fn a_flow_that_the_setup_speaks_of_and_that_has_no_file_is_told() {
    let folder = Folder::make();
    let flows = "flows: { parcels: { position: shadow }, oders: { position: on } }\n";
    folder.write("setup.yaml", &format!("{SETUP}{flows}"));
    let (server, _) = folder.serve().await;
    let told = "switches the flow `oders`";
    assert!(server.log().contains(told), "{}", server.log());
    assert!(!server.log().contains("flow `parcels`"), "{}", server.log());
    server.terminate().await;
    let (ok, said, _) = folder.run(&["doctor", "--json"], "a.yaml").await;
    let found = findings(&said, "flows");
    let says = found[0]["says"].as_str().unwrap();
    assert!(
        !ok && says.contains(told) && says.contains("did you mean `orders`?"),
        "{said}"
    );
}

#[tokio::test]
async fn a_connection_cannot_speak_under_our_own_names() {
    let folder = Folder::make();
    for name in ["people", "engine", "a/b"] {
        let connections = format!("connections: {{ {name}: {{ connector: webhook }} }}\n");
        folder.write("setup.yaml", &format!("{SETUP}{connections}"));
        let (ok, _, said) = folder.run(&["serve"], "a.yaml").await;
        assert!(!ok && said.contains(&format!("`{name}`")), "{said}");
        assert!(said.contains("setup.yaml:5:"), "{said}");
    }
}
