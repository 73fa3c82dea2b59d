//! An installation's secrets, from outside: they are in no file, log or answer; the wrong key is
//! refused; a new key takes over. And instants: the API writes none as a number.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use bellwether_model::time::Time;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::installed::{APP_KEY, Installed, WEBHOOK_KEY};
use super::support::{PATIENCE, Place, binary};

/// Everything that the console's API lists, as it stands.
async fn everything(at: &Place) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for path in [
        "/api/overview",
        "/api/events?limit=1000",
        "/api/runs?limit=1000",
        "/api/notifications?limit=1000",
        "/api/dead-letters?limit=1000",
        "/api/connections",
        "/api/connections/approvals/ledger",
    ] {
        all.push((path.to_owned(), at.api(path).await));
    }
    let runs = all[2].1["items"].as_array().expect("runs").clone();
    assert!(!runs.is_empty());
    for run in runs {
        let path = format!("/api/runs/{}", run["id"].as_str().expect("an id"));
        all.push((path.clone(), at.api(&path).await));
    }
    all
}

/// Where numbers stand that can only be microseconds since 1970: mistakes.
fn raw_instants(path: &str, value: &Value, found: &mut Vec<String>) {
    const YEAR_2000_MICROS: f64 = 946_684_800_000_000.0;
    match value {
        Value::Number(n) if n.as_f64().is_some_and(|n| n >= YEAR_2000_MICROS) => {
            found.push(format!("{path} = {n}"));
        }
        Value::Array(list) => list.iter().for_each(|one| raw_instants(path, one, found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, one)| raw_instants(&format!("{path}.{name}"), one, found)),
        _ => {}
    }
}

/// The secrets of the set-up file.
fn secrets(installed: &Installed) -> Vec<String> {
    let setup: Value =
        serde_json::from_slice(&fs::read(installed.path("setup.yaml")).unwrap()).unwrap();
    let connections = &setup["connections"];
    let of = |name: &str, field: &str| {
        let text = connections[name]["settings"][field].as_str();
        text.expect("a secret of the set-up").to_owned()
    };
    let webhook = base64::prelude::BASE64_STANDARD.encode(WEBHOOK_KEY);
    vec![
        of("approvals", "client_secret"),
        of("approvals", "refresh_token"),
        of("push", "password"),
        APP_KEY.to_owned(),
        webhook,
    ]
}

/// The files of the installation that hold one of the texts, besides the set-up file itself.
fn leaks(installed: &Installed, texts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let folder = installed.path("bellwether.db");
    for entry in fs::read_dir(folder.parent().expect("a folder")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !path.is_file() || name == "setup.yaml" || name == "sandbox.log" {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for text in texts {
            if bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
            {
                found.push(format!("{name}: {text}"));
            }
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn write_key(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command on the installation to its end: exit code, standard output and error.
async fn run(installed: &Installed, command: &str, more: &[&str]) -> (i32, String, String) {
    let config = installed.path("bellwether.yaml").display().to_string();
    let arguments = [&[command, "--config", &config, "--json"], more].concat();
    let run = binary().args(arguments).output();
    let run = tokio::time::timeout(PATIENCE, run).await.expect("it ends");
    let run = run.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = run.status.code().expect("a code");
    (code, text(&run.stdout), text(&run.stderr))
}

/// What `doctor` says about one thing.
async fn doctor(installed: &Installed, what: &str) -> (bool, String) {
    let (_, said, log) = run(installed, "doctor", &[]).await;
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{log}"));
    let findings = said["findings"].as_array().expect("findings");
    let one = findings.iter().find(|one| one["what"] == what);
    let one = one.unwrap_or_else(|| panic!("nothing about {what}: {said:#}"));
    let says = one["says"].as_str().unwrap_or_default();
    (one["ok"] == true, says.to_owned())
}

#[tokio::test]
async fn no_secret_and_no_raw_instant_shows_anywhere() {
    let mut installed = Installed::make().await;
    let secrets = secrets(&installed);
    let server = installed.serve().await;
    let at = installed.at.clone();
    at.order("SE-1", "Huber").await;
    let push = at.push("alice", "Huber").await;
    let said = at.act("alice", &push, "approve").await;
    assert_eq!(said["result"], "decided", "{said}");
    at.answered("SE-1", "Approved by Alice Arnold").await;
    at.order("SE-2", "Steiner").await;
    at.push("alice", "Steiner").await;
    let mut raw = Vec::new();
    for (path, answer) in everything(&at).await {
        let text = answer.to_string();
        let shown = secrets.iter().find(|secret| text.contains(*secret));
        assert_eq!(shown, None, "{path}: {text}");
        raw_instants(&path, &answer, &mut raw);
    }
    assert_eq!(raw, Vec::<String>::new(), "instants are RFC 3339");
    // While it runs, and as a crash leaves it: the log of the database lies there.
    assert_eq!(leaks(&installed, &secrets), Vec::<String>::new());
    server.kill().await;
    assert_eq!(leaks(&installed, &secrets), Vec::<String>::new());
    for name in ["bellwether.key", "bellwether.db"] {
        assert_eq!(mode(&installed.path(name)), 0o600, "{name}");
    }
    let server = installed.serve().await;
    assert_eq!(server.terminate().await, Some(0));
    assert_eq!(leaks(&installed, &secrets), Vec::<String>::new());
}

#[tokio::test]
async fn the_wrong_key_is_refused() {
    let mut installed = Installed::make().await;
    let server = installed.serve().await;
    server.terminate().await;
    let file = installed.path("bellwether.key");
    let second = format!("2 {}\n", base64::prelude::BASE64_STANDARD.encode([7; 32]));

    for (mode, good, part) in [
        (0o644, false, "setup.yaml (mode 644)"),
        (0o600, true, "only their owner may read them"),
    ] {
        fs::set_permissions(installed.path("setup.yaml"), Permissions::from_mode(mode)).unwrap();
        let (ok, says) = doctor(&installed, "secrets").await;
        assert!(ok == good && says.contains(part), "{says}");
    }
    let (ok, says) = doctor(&installed, "secrets of connection approvals").await;
    assert!(ok, "{says}");
    assert_eq!(says, "client_secret, refresh_token: opened with key 1");
    let (ok, says) = doctor(&installed, "backup").await;
    assert!(ok && says.contains("needs key 1"), "{says}");
    let (ok, says) = doctor(&installed, "keys").await;
    assert!(ok && says.ends_with("(mode 600): key 1 seals"), "{says}");
    let copy = installed.path("bellwether.db.before-schema-9");
    fs::write(copy, "a copy").unwrap();
    let (_, says) = doctor(&installed, "copy").await;
    assert!(
        says.contains("before-schema-9 was made before an upgrade"),
        "{says}"
    );

    // Another key under the same number, a key that sealed nothing here, none at all.
    let stranger = second.replacen('2', "1", 1);
    for (key, part) in [
        (Some(&stranger), "is not the key 1 of this database"),
        (Some(&second), "sealed with key 1"),
        (None, "is missing, and this database needs its key 1"),
    ] {
        fs::remove_file(&file).unwrap_or_default();
        if let Some(key) = key {
            write_key(&file, key);
        }
        let (code, _, log) = run(&installed, "serve", &[]).await;
        assert_eq!(code, 1, "{log}");
        assert!(
            log.contains(part) && log.contains("Nothing was changed"),
            "{log}"
        );
        let (ok, says) = doctor(&installed, "database and keys").await;
        assert!(!ok && says.contains(part), "{says}");
    }
    assert!(!file.exists(), "no key is made for a database that has one");
}

#[tokio::test]
async fn a_new_key_takes_over_and_a_lost_one_can_be_done_without() {
    let mut installed = Installed::make().await;
    installed.serve().await.terminate().await;
    let file = installed.path("bellwether.key");
    let first = fs::read_to_string(&file).unwrap();
    let second = format!("2 {}\n", base64::prelude::BASE64_STANDARD.encode([7; 32]));
    let set_up = installed.path("setup.yaml");
    fs::set_permissions(set_up, Permissions::from_mode(0o600)).unwrap();
    // The new key beside the old one, then alone; the file may also be named from outside.
    for key in [format!("{second}{first}"), second.clone()] {
        write_key(&file, &key);
        let server = installed.serve().await;
        let at = installed.at.clone();
        at.becomes("approvals", "ok").await;
        server.terminate().await;
        let (ok, says) = doctor(&installed, "backup").await;
        assert!(ok && says.contains("needs key 2:"), "{says}");
    }
    let elsewhere = installed.path("elsewhere.key");
    fs::rename(&file, &elsewhere).unwrap();
    let named = ["--key-file", &elsewhere.display().to_string()];
    let (code, said, log) = run(&installed, "doctor", &named).await;
    assert_eq!(code, 0, "{said}{log}");
    assert!(!file.exists());

    // The key is lost: the start drops what it sealed, and the set-up file brings it again.
    let third = second.replacen('2', "3", 1).replacen("Bw", "CA", 1);
    write_key(&file, &third);
    let config = installed.path("bellwether.yaml").display().to_string();
    let more = [
        "serve",
        "--config",
        &config,
        "--json",
        "--drop-lost-secrets",
    ];
    let folder = installed.path("");
    let server = super::support::Process::start(&more, &folder).await;
    assert!(server.log().contains("is dropped"), "{}", server.log());
    server.terminate().await;
    let (ok, says) = doctor(&installed, "secrets of connection push").await;
    assert!(ok && says.ends_with("opened with key 3"), "{says}");
}

/// A record of an earlier build: the set-up's secrets and a token lie open in hundreds of versions.
async fn write_openly(installed: &Installed, token: &str) {
    use bellwether_engine::store::Registry as _;
    let url = format!("sqlite:{}", installed.path("bellwether.db").display());
    let db = bellwether_store::open(&url).unwrap();
    let setup = fs::read(installed.path("setup.yaml")).unwrap();
    let setup: Value = serde_json::from_slice(&setup).unwrap();
    for n in 0..700 {
        let mut phones = setup["connections"]["push"].clone();
        phones["in_flight"] = n.into();
        let token = json!({ "secret": format!("{token}/{n}") });
        for (kind, name, body) in [
            ("connection", "push", phones),
            ("secret", "approvals/refresh_token", token),
        ] {
            let put = db.put(kind, name, None, body, "file", Time(n));
            put.await.unwrap();
        }
    }
    tokio::task::spawn_blocking(move || db.close())
        .await
        .unwrap();
}

/// Starts the server and kills it as soon as so much stands in the log of its database, or when it
/// is ready: then it was faster than this looks.
async fn serve_and_die(installed: &Installed, at_bytes: u64) {
    let config = installed.path("bellwether.yaml").display().to_string();
    let mut server = binary()
        .args(["serve", "--config", &config, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let log = installed.path("bellwether.db-wal");
    let log_bytes = || fs::metadata(&log).map_or(0, |log| log.len());
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let written = async {
        while log_bytes() < at_bytes {
            tokio::task::yield_now().await;
        }
    };
    let either = async {
        tokio::select! {
            () = written => {}
            ready = lines.next_line() => drop(ready.expect("it can be read")),
        }
    };
    let either = tokio::time::timeout(PATIENCE, either).await;
    either.expect("it writes or is ready");
    server.kill().await.expect("it can be killed");
}

#[tokio::test]
async fn sealing_an_earlier_record_may_be_cut_off_anywhere() {
    const TOKEN: &str = "1//a-token-that-was-rotated-6616";
    let mut installed = Installed::make().await;
    let mut texts = secrets(&installed);
    texts.push(TOKEN.to_owned());
    write_openly(&installed, TOKEN).await;
    assert!(!leaks(&installed, &texts).is_empty(), "the test can fail");
    for at_bytes in [1, 100_000, 300_000, 500_000, 1] {
        serve_and_die(&installed, at_bytes).await;
    }
    let server = installed.serve().await;
    assert_eq!(leaks(&installed, &texts), Vec::<String>::new());
    server.terminate().await;
    assert_eq!(leaks(&installed, &texts), Vec::<String>::new());
    for what in ["connection push", "secret approvals/refresh_token"] {
        let (ok, says) = doctor(&installed, &format!("secrets of {what}")).await;
        assert!(ok && says.ends_with("opened with key 1"), "{what}: {says}");
    }
}
