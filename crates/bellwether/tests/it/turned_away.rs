//! Webhooks that must not be taken, against the real binary over HTTP, sent by the stand-in: each
//! is refused with its reason, and the reason is on record; a change of secrets loses nothing; what
//! is refused fills no disk. `--nocapture` prints the table.

use std::fs;

use serde_json::{Value, json};

use super::installed::Installed;
use super::support::{Process, binary, send, until};

/// The connection that has secrets, and one that has none.
const SIGNED: &str = "licences";
const OPEN: &str = "nobody";
/// What no file may hold.
const MARK: &str = "a-body-that-nobody-proved";

/// What is sent, how the stand-in makes it, to whom, the status that it must get, and the reason
/// that must be on record.
const KINDS: &str = "\
replay                      | replayed       | licences | 202 | seen_before
altered body                | altered        | licences | 401 | wrong_signature
old timestamp               | old            | licences | 401 | stale_timestamp
timestamp to come           | early          | licences | 401 | stale_timestamp
wrong secret                | wrong_secret   | licences | 401 | wrong_signature
signed with no secret       | empty_secret   | licences | 401 | wrong_signature
no secret is set here       | right          | nobody   | 401 | no_secret
no secret on either side    | empty_secret   | nobody   | 401 | no_secret
wrong encoding              | wrong_encoding | licences | 401 | bad_encoding
no signature                | unsigned       | licences | 401 | no_header
no timestamp                | timeless       | licences | 401 | no_header
10 MB body                  | right          | licences | 413 | too_large";

/// An installation that the stand-in sends webhooks to.
struct Receiver {
    installed: Installed,
    tenant: Value,
    process: Option<Process>,
}

impl Receiver {
    async fn start() -> Self {
        let installed = Installed::make().await;
        let body = json!({"id": "hooks", "seed": 5, "transactions": 0});
        let tenant = installed.at.set("smintio", body).await;
        let mut receiver = Self {
            installed,
            tenant,
            process: None,
        };
        let secret = receiver.tenant["webhook_secret"].clone();
        receiver.serve(json!({"webhook_secret": secret})).await;
        receiver
    }

    /// Starts the server anew with these secrets.
    async fn serve(&mut self, secrets: Value) {
        if let Some(process) = self.process.take() {
            assert_eq!(process.terminate().await, Some(0));
        }
        let file = self.installed.path("setup.yaml");
        let mut setup: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        for (name, secrets) in [(SIGNED, secrets), (OPEN, json!({}))] {
            let mut settings = json!({
                "tenant": "hooks", "client_id": self.tenant["client_id"],
                "client_secret": self.tenant["client_secret"],
                "refresh_token": self.tenant["refresh_token"],
                "base_url": self.tenant["feed_url"], "token_url": self.tenant["token_url"],
            });
            let given = settings.as_object_mut().unwrap();
            given.extend(secrets.as_object().unwrap().clone());
            setup["connections"][name] = json!({"connector": "smintio", "settings": settings});
        }
        self.installed.write("setup.yaml", &setup.to_string());
        self.process = Some(self.installed.serve().await);
    }

    /// Sends a webhook from the stand-in; status and body of the answer.
    async fn hook(&self, to: &str, mode: &str, mut more: Value) -> (u64, Value) {
        more["url"] = format!("{}/hooks/{to}", self.installed.at.public).into();
        more["mode"] = mode.into();
        let said = self.installed.at.set("smintio/hooks/webhook", more).await;
        let body = said["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or_default();
        (said["status"].as_u64().unwrap_or_default(), body)
    }

    async fn refusals(&self, of: &str) -> Value {
        let path = format!("/api/connections/{of}/refusals");
        self.installed.at.api(&path).await
    }

    /// How often a connection refused for a reason, as its list says.
    async fn counted(&self, of: &str, reason: &str) -> u64 {
        let all = self.refusals(of).await;
        let mut rows = all["reasons"].as_array().unwrap().iter();
        let row = rows.find(|row| row["reason"] == reason);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    }

    /// How many events came by webhook.
    async fn taken(&self) -> u64 {
        let path = "/api/events?type=smintio.asset.published&limit=1";
        self.installed.at.total(path).await
    }
}

#[tokio::test]
async fn every_wrong_webhook_is_refused_with_its_reason_and_recorded() {
    let receiver = Receiver::start().await;
    let (status, _) = receiver.hook(SIGNED, "right", json!({})).await;
    assert_eq!(status, 202);
    until("the first is listed", async || {
        (receiver.taken().await == 1).then_some(())
    })
    .await;
    println!(
        "{:<28} {:<7} {:<16} recorded",
        "webhook", "status", "reason"
    );
    for line in KINDS.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [kind, mode, to, expected, reason] = cells[..] else {
            panic!("a line of five: {line}");
        };
        let more = match kind {
            "10 MB body" => json!({"bytes": 10 << 20}),
            "replay" => json!({}),
            _ => json!({"event": {"id": "m", "type": "asset.published", "text": MARK}}),
        };
        let before = receiver.counted(to, reason).await;
        let (status, body) = receiver.hook(to, mode, more).await;
        let recorded = receiver.counted(to, reason).await - before;
        println!("{kind:<28} {status:<7} {reason:<16} {recorded}");
        assert_eq!(
            (status.to_string().as_str(), recorded),
            (expected, 1),
            "{kind}: {body}"
        );
        let newest = receiver.refusals(to).await["newest"][0].take();
        assert_eq!(newest["reason"], reason, "{kind}");
        assert_eq!(newest["caller"], "127.0.0.1", "{kind}");
        if status == 202 {
            assert_eq!(body["duplicate"], true, "{kind}");
        } else {
            let told = body["error"].as_str().or(body["code"].as_str());
            assert_eq!(told, Some(reason), "{kind}: {body}");
        }
    }
    assert_eq!(receiver.taken().await, 1, "nothing of these came in");
    let page = format!("{}/connections/{SIGNED}", receiver.installed.at.console);
    let page = send(receiver.installed.at.http.get(page)).await.text;
    assert!(page.contains("Calls that were refused") && page.contains("stale_timestamp"));
    holds_nothing_of_it(&receiver);
}

/// Neither the bodies nor the signatures of those who proved nothing are in any file.
fn holds_nothing_of_it(receiver: &Receiver) {
    let folder = receiver.installed.path("bellwether.db");
    for entry in fs::read_dir(folder.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes
                .windows(MARK.len())
                .any(|part| part == MARK.as_bytes());
            assert!(!found, "{} holds a body", path.display());
        }
    }
}

#[tokio::test]
async fn every_way_in_counts_what_it_refuses() {
    let receiver = Receiver::start().await;
    let at = &receiver.installed.at;
    let calls = [
        ("shop", "", "x: y", 401, "no_header"),
        ("shop", "/elsewhere", "x: y", 404, "no_such_inlet"),
        (
            "push",
            "/engagement",
            "authorization: Bearer no",
            401,
            "wrong_key",
        ),
        ("push", "/status", "x: y", 401, "wrong_signature"),
        ("approvals", "", "x: y", 404, "no_such_inlet"),
    ];
    for (connection, inlet, header, status, reason) in calls {
        let url = format!("{}/hooks/{connection}{inlet}", at.public);
        let (name, value) = header.split_once(": ").unwrap();
        let hook = at.http.post(url).header(name, value).body(MARK);
        assert_eq!(send(hook).await.status, status, "{connection}{inlet}");
        assert_eq!(
            receiver.counted(connection, reason).await,
            1,
            "{connection}{inlet}"
        );
    }
    let told = binary()
        .args(["connections", "--url", &at.console, "shop"])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains("no_header") && told.contains("127.0.0.1"),
        "{told}"
    );
    let all = binary()
        .args(["connections", "--url", &at.console])
        .output();
    let all = String::from_utf8(all.await.unwrap().stdout).unwrap();
    assert!(
        all.lines()
            .any(|line| line.starts_with("shop") && line.contains("2 refused")),
        "{all}"
    );
    holds_nothing_of_it(&receiver);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_kept_and_shown() {
    let receiver = Receiver::start().await;
    let (status, body) = receiver.hook(SIGNED, "undecodable", json!({})).await;
    assert_eq!((status, &body["duplicate"]), (202, &Value::Bool(false)));
    let path = format!("/api/events/{}", body["position"]);
    let event = until("it is listed", async || {
        let url = format!("{}{path}", receiver.installed.at.console);
        let answer = send(receiver.installed.at.http.get(url)).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(event["type"], "smintio.webhook.undecodable");
    let kept = &event["data"]["webhook"];
    assert_eq!(kept["body"], "{\"type\": \"asset.used\", ");
    assert!(kept["reason"].as_str().unwrap().contains("no JSON"));
    let page = format!(
        "{}/events/{}",
        receiver.installed.at.console, body["position"]
    );
    let page = send(receiver.installed.at.http.get(page)).await.text;
    assert!(page.contains("asset.used"), "the page shows what came");
}

#[tokio::test]
async fn secrets_are_changed_without_a_loss_and_counts_outlive_the_process() {
    let mut receiver = Receiver::start().await;
    let old = receiver.tenant["webhook_secret"].clone();
    let turned = "smintio/hooks/rotate_webhook_secret";
    let new = receiver.installed.at.set(turned, json!({})).await["webhook_secret"].take();
    let mut sent = 0;
    // The sender changed before the receiver: what it signs now must come again.
    assert_eq!(receiver.hook(SIGNED, "right", json!({})).await.0, 401);
    for _ in 0..3 {
        assert_eq!(receiver.hook(SIGNED, "rotated", json!({})).await.0, 202);
        sent += 1;
    }
    let both = json!({"webhook_secret": new, "previous_webhook_secret": old});
    receiver.serve(both).await;
    for n in 0..20 {
        let mode = ["right", "rotated"][n % 2];
        assert_eq!(
            receiver.hook(SIGNED, mode, json!({})).await.0,
            202,
            "{mode}"
        );
        sent += 1;
    }
    receiver.serve(json!({"webhook_secret": new})).await;
    assert_eq!(receiver.hook(SIGNED, "rotated", json!({})).await.0, 401);
    assert_eq!(receiver.hook(SIGNED, "right", json!({})).await.0, 202);
    sent += 1;
    until("all are listed", async || {
        (receiver.taken().await == sent).then_some(())
    })
    .await;
    println!("rotation: {sent} sent with either secret, {sent} taken, none lost");
    assert_eq!(receiver.counted(SIGNED, "wrong_signature").await, 2);
}

#[tokio::test]
async fn whoever_calls_for_ever_fills_neither_disk_nor_list() {
    let mut receiver = Receiver::start().await;
    let url = format!("{}/hooks/{SIGNED}", receiver.installed.at.public);
    for n in 0..500 {
        let hook = receiver.installed.at.http.post(&url);
        let hook = hook.header("x-smintio-signature", format!("AAAA{n}"));
        let stamp = json!({"n": n}).to_string();
        assert_eq!(send(hook.body(stamp)).await.status, 401);
    }
    assert_eq!(receiver.counted(SIGNED, "no_header").await, 500);
    // One line a second at most, whatever is sent.
    let log = receiver.process.as_ref().unwrap().log();
    let lines = log.matches("requests were not taken").count();
    assert!((1..=60).contains(&lines), "{lines} lines for 500 calls");
    let secret = receiver.tenant["webhook_secret"].clone();
    receiver.serve(json!({"webhook_secret": secret})).await;
    let all = receiver.refusals(SIGNED).await;
    assert_eq!(all["total"], 500);
    assert_eq!(all["reasons"].as_array().unwrap().len(), 1);
    assert_eq!(all["newest"].as_array().unwrap().len(), 20);
    let nobody = format!("{}/hooks/made-up", receiver.installed.at.public);
    let answer = send(receiver.installed.at.http.post(nobody).body("{}")).await;
    assert_eq!(answer.status, 404);
}
