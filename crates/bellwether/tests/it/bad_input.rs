//! Bad input from outside and from operators: every mistake is said, nothing of it is stored, and
//! the server goes on.

use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use super::installed::{APP_KEY, Installed, WEBHOOK_KEY};
use super::support::{Answer, Place, binary, send, until};

const TEN_MISTAKES: &str = "bellwether: 1
flow: approval mail
abuot: Ten mistakes in one file.
inputs:
  mailbox: { type: conection, of: gmail, label: The mailbox }
when: { event: [gmail.mesage.received], if: not mail.auto_reply and rout }
let:
  amount: mail.text | labeled('Amount') | money
  number: mail.subject | find('[A-Z]{2,4}-[0-9]+')
case: number
steps:
  - ask: person('alice')
    titel: \"{{ amount }}\"
    text: \"Approve {{ number }?\"
    choices: { approve: {}, reject: { coment: required } }
    if_silent: { 4 working houres: remind, 5 working days: expire }
    then:
      approve: [{ reply: mail, text: \"Approved.\" }]
      reject:  [{ reply: mail, text: \"Rejected.\" }]
      expire:  []
";

/// Runs the binary to its end in a folder.
async fn run(folder: &std::path::Path, arguments: &[&str]) -> Output {
    let running = binary().args(arguments).current_dir(folder).output();
    let ended = tokio::time::timeout(super::support::PATIENCE, running).await;
    ended.expect("it ends").expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn ten_mistakes_in_a_flow_are_ten_messages() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ten.yaml"), TEN_MISTAKES).expect("a file");
    let output = run(folder.path(), &["lint", "ten.yaml"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert_eq!(said.lines().count(), 10);
    // Place, message and suggestion, each on a line of its own to be read here.
    let said = said.replace("  ", "\n");
    insta::assert_snapshot!(said, @r#"
    ten.yaml:2:7
    `approval mail` cannot be a flow's name
    small letters, digits and -, beginning with a letter: approval-mail
    ten.yaml:3:1
    a flow has no key `abuot`
    did you mean `about`?
    ten.yaml:5:20
    there is no input type `conection`
    did you mean `connection`?
    ten.yaml:6:17
    there is no event `gmail.mesage.received`
    did you mean `gmail.message.received`?
    ten.yaml:6:69
    "rout" is not a variable here.
    Known: inputs, mail, trigger, amount, number
    ten.yaml:8:23
    there is no filter labeled
    did you mean labelled?
    ten.yaml:13:5
    `ask` has no key `titel`
    did you mean `title`?
    ten.yaml:14:20
    {{ is never closed
    add }} after the value
    ten.yaml:15:39
    a choice has no key `coment`
    did you mean `comment`?
    ten.yaml:16:18
    `houres` is not a unit of time; write it as `30 minutes`, `4 working hours` or `2 working days`
    "#);
}

#[tokio::test]
async fn mistakes_in_the_configuration_keep_the_server_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bellwether.yaml");
    let mut said = String::new();
    for config in [
        "listen: 127.0.0.1:0\npublik: 127.0.0.1:0\n",
        "listen: 0.0.0.0:0\npublic: 127.0.0.1:0\n",
        "listen: somewhere\nauth: { tokn: x }\n",
        "listen: [127.0.0.1:0\n",
    ] {
        std::fs::write(&file, config).expect("a file");
        let output = run(folder.path(), &["serve", "--config", "bellwether.yaml"]).await;
        assert_eq!(output.status.code(), Some(1), "{config}");
        said.push_str(&text(&output.stderr).replace("  ", "\n"));
    }
    insta::assert_snapshot!(said, @"
    error: bellwether.yaml:2:1
    the configuration has no key `publik`
    did you mean `public`?
    error: bellwether.yaml:1:9
    0.0.0.0:0 can be reached from other machines
    set `auth: { token: … }`, or listen on 127.0.0.1
    error: bellwether.yaml:1:9
    `listen` is an address with a port
    such as 127.0.0.1:8080
    error: bellwether.yaml:2:9
    auth has no key `tokn`
    did you mean `token`?
    error: bellwether.yaml:1:9
    this [ is never closed
    add ] where it ends
    ");
    assert!(
        !folder.path().join("bellwether.db").exists(),
        "nothing was begun"
    );
}

/// A call of a hook.
pub(crate) async fn hook(at: &Place, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
    let mut request = at.http.post(format!("{}/hooks/{path}", at.public));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    send(request.body(body.to_owned())).await
}

/// The headers of Standard Webhooks for a body.
pub(crate) fn signed(id: &str, age_s: i64, body: &str) -> Vec<(&'static str, String)> {
    let at = jiff::Timestamp::now().as_second() - age_s;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(WEBHOOK_KEY).expect("a key");
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

fn report(token: &str) -> String {
    json!({ "id": "r-1", "token": token, "event": "acted", "action": "approve" }).to_string()
}

/// A call of a hook that must be refused: status, path, headers, body.
type Refusal = (u16, &'static str, Vec<(&'static str, String)>, String);

fn refused_webhooks(order: &str) -> Vec<Refusal> {
    let large = json!({ "kind": "k07", "filler": "x".repeat(70_000) }).to_string();
    let mut forged = signed("w-1", 0, order);
    forged[2].1 = format!("v1,{}", BASE64_STANDARD.encode([7_u8; 32]));
    let of_another = signed("w-2", 0, "{}");
    let to = |connection, status, headers, body: &str| {
        let refusal: Refusal = (status, connection, headers, body.to_owned());
        refusal
    };
    vec![
        to("shop", 401, forged, order),
        to("shop", 401, of_another, order),
        to("shop", 401, Vec::new(), order),
        to("shop", 401, signed("too-old", 3_600, order), order),
        to("shop", 401, signed("too-early", -3_600, order), order),
        to("shop", 413, signed("too-large", 0, &large), &large),
        to("shop", 400, signed("no-json", 0, "{order"), "{order"),
        to("shop", 400, signed("no-object", 0, "[1]"), "[1]"),
        to("shopp", 404, signed("no-connection", 0, order), order),
        to("shop/more", 404, signed("no-inlet", 0, order), order),
    ]
}

fn refused_reports() -> Vec<Refusal> {
    let bearer = |key: &str| vec![("authorization", format!("Bearer {key}"))];
    let path = "push/engagement";
    vec![
        (401, path, Vec::new(), report("dG9rZW4")),
        (401, path, bearer("guess"), report("dG9rZW4")),
        (403, path, bearer(APP_KEY), report("dG9rZW4")),
        (400, path, bearer(APP_KEY), "{}".to_owned()),
    ]
}

#[tokio::test]
async fn refused_calls_store_nothing_and_a_good_one_goes_through() {
    let mut installed = Installed::make().await;
    let server = installed.serve().await;
    let at = installed.at.clone();
    let order = json!({ "kind": "k07", "number": "WH-1" }).to_string();
    let before = at.total("/api/events?limit=1").await;

    let refused = [refused_webhooks(&order), refused_reports()].concat();
    for (status, path, headers, body) in refused {
        let answer = hook(&at, path, &headers, &body).await;
        let what = format!("{path} {headers:?}");
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        assert!(
            answer.json()["message"].is_string(),
            "{what}: {}",
            answer.text
        );
    }
    let stranger = at.http.get(format!("{}/api/overview", at.console));
    let answer = send(stranger.header("host", "console.attacker.example")).await;
    assert_eq!(answer.status, 421, "{}", answer.text);
    let foreign = at
        .http
        .post(format!("{}/api/connections/shop/test", at.console));
    let answer = send(foreign.header("origin", "http://attacker.example")).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert_eq!(
        at.total("/api/events?limit=1").await,
        before,
        "something was stored"
    );
    assert_eq!(at.total("/api/runs").await, 0);
    assert_eq!(at.admin("pushes").await["total"], 0);

    let headers = signed("w-9", 0, &order);
    let first = hook(&at, "shop", &headers, &order).await;
    assert_eq!(
        (first.status, &first.json()["duplicate"]),
        (202, &json!(false)),
        "{}",
        first.text
    );
    let again = hook(&at, "shop", &headers, &order).await;
    assert_eq!(
        (again.status, &again.json()["duplicate"]),
        (202, &json!(true)),
        "{}",
        again.text
    );
    assert_eq!(again.json()["position"], first.json()["position"]);
    at.push("alice", "WH-1").await;
    drains(&at, server).await;
}

/// An order whose push is under way when the server is asked to end still goes out.
async fn drains(at: &Place, server: super::support::Process) {
    let slow = json!({ "target": "opentext.mra", "kind": "slow", "delay_ms": 1_000, "times": 1 });
    at.set("faults", slow).await;
    let order = json!({ "kind": "k07", "number": "WH-2" }).to_string();
    let answer = hook(at, "shop", &signed("w-10", 0, &order), &order).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    until("its push is under way", async || {
        let faults: Value = at.admin("faults").await;
        faults.to_string().contains("\"hits\":1").then_some(())
    })
    .await;
    assert_eq!(server.terminate().await, Some(0), "it ends well");
    at.push("alice", "WH-2").await;
    assert_eq!(
        at.admin("pushes").await["total"],
        2,
        "each order was pushed once"
    );
}
