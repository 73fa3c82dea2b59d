//! The directory through the whole product: people and rotas from files, a leaver by SCIM whose
//! matter goes to his manager, whoever is on duty, customers in flows; and the words for people in
//! stories.

use std::process::Output;

use bellwether_engine::flow::unknown_names;
use bellwether_engine::story::{self, Scene};
use serde_json::{Value, json};

use super::bad_input::{hook, signed};
use super::installed::{Installed, person};
use super::story::{catalog, file, flow, memory};
use super::support::{APPROVER, Place, binary, send, until};

/// A flow that tells whoever is on duty, and one that knows customers.
const DUTY: &str = "bellwether: 1
flow: alerts
about: Whoever is on duty is told.
when: { event: alert.raised }
steps:
  - push: on_duty('it-ops')
    title: \"Alert {{ order.number }}\"
    text: \"Look at it.\"
";
const CUSTOMERS: &str = "bellwether: 1
flow: orders-of-customers
about: The owner hears of orders by customers who may be reached.
when: { event: order.placed, if: customer(order.email).reachable }
steps:
  - push: person('alice')
    title: \"{{ customer(order.email).name }} ordered\"
    text: \"In {{ customer(order.email).language }}.\"
  - push: customer(order.email)
    title: { en: Thank you, de: Vielen Dank }
    text: Your order is here.
    urgent: true
";

async fn event(at: &Place, id: &str, kind: &str, data: Value) -> u16 {
    let body =
        json!({ "specversion": "1.0", "id": id, "source": "shop", "type": kind, "data": data });
    let body = body.to_string();
    let mut headers = signed(id, 0, &body);
    headers.push(("content-type", "application/cloudevents+json".to_owned()));
    hook(at, "shop", &headers, &body).await.status
}

async fn command(at: &Place, arguments: &[&str]) -> Output {
    let mut run = binary();
    run.args(arguments).env("BELLWETHER_URL", &at.console);
    run.output().await.expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Customers are handed in, and only who may be reached starts the flow.
async fn customers(installed: &Installed, at: &Place) {
    installed.write("customers.csv", "address,name,app_id,language,consent\nEva@Home.example,Eva,device-dora,de,given\nfred@home.example,Fred,,en,given\n");
    let file = installed.path("customers.csv").display().to_string();
    assert!(
        command(at, &["import", "customers", &file])
            .await
            .status
            .success()
    );
    for (id, email) in [
        ("o-1", "nobody@home.example"),
        ("o-2", "fred@home.example"),
        ("o-3", "EVA@home.example"),
    ] {
        let data = json!({ "email": email, "kind": "k01" });
        assert_eq!(event(at, id, "order.placed", data).await, 202);
    }
    at.push("alice", "Eva ordered").await;
    // She has her own, on her phone and in her language, and the record says whose it was.
    at.push("dora", "Vielen Dank").await;
    until("her push in the list", async || {
        let sent = at.api("/api/notifications?limit=50").await;
        let readers = sent["items"].as_array().expect("a list").iter();
        let hers = readers.filter(|one| one["person"] == "customer:eva@home.example");
        (hers.count() == 1).then_some(())
    })
    .await;
    let page = send(at.http.get(format!("{}/notifications", at.console))).await;
    assert!(page.text.contains(">eva@home.example") && !page.text.contains(">customer:eva"));
    // Nobody else was bothered.
    until("the one case", async || {
        (at.total("/api/runs?flow=orders-of-customers").await == 1).then_some(())
    })
    .await;
}

/// A rota is imported, and whoever is on duty by it is told.
async fn rotas(installed: &Installed, at: &Place) {
    // A file with a mistake changes nothing, and says where it is.
    let rota = |member: &str| {
        format!(
            "rotas:\n  it-ops:\n    zone: Europe/Vienna\n    hand_over: Mon 09:00\n    members: [{member}]\n"
        )
    };
    installed.write("rota.yaml", &rota("dorra"));
    let file = installed.path("rota.yaml").display().to_string();
    let refused = command(at, &["import", "people", &file]).await;
    let said = text(&refused.stderr);
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("rota.yaml:3: rota it-ops has dorra"),
        "{said}"
    );
    assert!(said.contains("did you mean dora?"), "{said}");
    installed.write("rota.yaml", &rota("dora"));
    let dry = command(at, &["import", "people", &file, "--dry-run"]).await;
    assert_eq!(text(&dry.stdout).trim(), "rota it-ops: added");
    assert!(at.api("/api/directory").await["rotas"].is_null());
    assert!(
        command(at, &["import", "people", &file])
            .await
            .status
            .success()
    );
    assert_eq!(
        event(at, "a-1", "alert.raised", json!({ "number": 1 })).await,
        202
    );
    at.push("dora", "Alert 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_rotas_and_customers_come_from_files_and_flows_find_them() {
    let people = json!({
        "alice": person("Alice Arnold", APPROVER, Some("device-alice")),
        "dora": person("Dora Dorn", "dora@example.com", Some("device-dora")),
    });
    let mut installed = Installed::with(&people, 60).await;
    installed.write("flows/duty.yaml", DUTY);
    installed.write("flows/customers.yaml", CUSTOMERS);
    let server = installed.serve().await;
    let at = installed.at.clone();
    let at_file = |name: &str| installed.path(name).display().to_string();

    rotas(&installed, &at).await;

    // Somebody on leave is not on duty; the next one is.
    installed.write(
        "people.csv",
        "id,away,deputy\ndora,2000-01-01..2100-01-01,alice\n",
    );
    let file = at_file("people.csv");
    let read = command(&at, &["import", "people", &file]).await;
    assert!(
        text(&read.stdout).starts_with("dora: changed: "),
        "{read:?}"
    );
    assert_eq!(
        event(&at, "a-2", "alert.raised", json!({ "number": 2 })).await,
        202
    );
    at.push("alice", "Alert 2").await;

    customers(&installed, &at).await;

    // What was imported outlives a start with the same set-up, and can be written out again.
    server.terminate().await;
    let _server = installed.serve().await;
    let at = installed.at.clone();
    let out = command(&at, &["export", "people"]).await;
    assert!(
        text(&out.stdout).contains("2000-01-01..2100-01-01"),
        "{out:?}"
    );
    let out = text(
        &command(&at, &["export", "people", "--format", "yaml"])
            .await
            .stdout,
    );
    assert!(out.contains("\"it-ops\":"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_directory_is_in_the_audit_and_on_the_page() {
    let people = json!({ "alice": person("Alice Arnold", APPROVER, Some("device-alice")) });
    let mut installed = Installed::with(&people, 60).await;
    let _server = installed.serve().await;
    let at = installed.at.clone();
    installed.write("people.csv", "id,team\nalice,brand\n");
    let file = installed.path("people.csv").display().to_string();
    assert!(
        command(&at, &["import", "people", &file])
            .await
            .status
            .success()
    );
    until("the team on the page", async || {
        let now = at.api("/api/directory").await;
        (now["people"]["alice"]["team"] == "brand").then_some(())
    })
    .await;
    let wrong = command(&at, &["import", "people", "nowhere.csv"]).await;
    assert!(!wrong.status.success());
}

/// The problems of a flow's stories.
fn played(text: &str) -> Vec<String> {
    let flow = flow("who.yaml", text);
    let people = story::directory();
    let inputs = json!({});
    let scene = Scene {
        flow: &flow,
        inputs: &inputs,
        file: &file,
        catalog: catalog(),
        people: &people,
        position: bellwether_engine::flow::Position::On,
    };
    let results = story::run(scene, &memory);
    assert!(!results.is_empty());
    let problems = results.iter().flat_map(|result| {
        result
            .problems
            .iter()
            .map(|problem| problem.in_file(&result.name))
    });
    problems.collect()
}

#[test]
fn a_customer_reads_messages_and_does_nothing_else() {
    let flow = |step: &str, story: &str| {
        format!(
            "bellwether: 1
flow: who
about: A customer is told.
when: {{ event: gmail.message.received }}
let: {{ customer: customer(mail.from) }}
steps:
{step}
tests:
  a story:
    - customers: {{ eva: {{ language: de }}, fred: {{ app_id: \"\" }}, gina: {{ consent: opted_out }} }}
{story}"
        )
    };
    let push = "  - { push: customer, title: { en: Your order, de: Ihre Bestellung } }";
    let mail = |from: &str| format!("    - mail: {{ from: {from}, subject: x, text: y }}\n");
    // Who has the app and agreed is told; the others are not, and nobody in their place.
    let told = "    - expect: { push: eva, title: Ihre Bestellung }\n";
    let nothing = "    - expect: nothing\n";
    for (from, expected) in [
        ("EVA@example.net", told),
        ("fred@example.net", nothing),
        ("gina@example.net", nothing),
    ] {
        let story = format!("{}{expected}", mail(from));
        assert_eq!(played(&flow(push, &story)), Vec::<String>::new(), "{from}");
    }
    // A mail may be written to him, and a fault of his phone has him as `person`.
    let both = "  - push: customer
    title: Your order
    on_error: [{ mail: customer, subject: \"{{ person.name }}, your order\", text: Here. }]";
    let story = format!(
        "    - faults: {{ push: {{ eva: unregistered }} }}\n{}    - expect: {{ mail: eva@example.net, title: \"Eva, your order\" }}\n",
        mail("eva@example.net")
    );
    assert_eq!(played(&flow(both, &story)), Vec::<String>::new());
    // A customer decides nothing: the owner is asked, and the dead letter says who was meant.
    let ask = "  - ask: customer
    title: Matter
    choices: { approve: {} }
    if_silent: { 2 days: expire }
    then: { approve: [], expire: [] }";
    let story = format!(
        "{}    - expect: [{{ push: ivan }}, {{ dead_letter: eva@example.net }}]\n    - {{ after: 3 days, expect: nothing }}\n",
        mail("eva@example.net")
    );
    assert_eq!(played(&flow(ask, &story)), Vec::<String>::new());
}

/// A flow that asks whoever the words mean, with a story.
fn asking(who: &str, story: &str) -> String {
    format!(
        "bellwether: 1
flow: who
about: Somebody is asked.
inputs: {{ approver: {{ type: who, default: '{who}' }} }}
when: {{ event: gmail.message.received }}
steps:
  - ask: inputs.approver
    title: \"Matter\"
    text: \"Approve?\"
    choices: {{ approve: {{}}, reject: {{}} }}
    if_silent: {{ 2 days: remind, 9 days: expire }}
    then:
      approve: [{{ reply: mail, text: \"Approved by {{{{ decision.by.name }}}}.\" }}]
      reject: [{{ reply: mail, text: \"Rejected.\" }}]
      expire: [{{ reply: mail, text: \"Expired.\" }}]
tests:
  a story:
{story}"
    )
}

#[test]
fn plain_words_mean_the_people_of_the_directory() {
    let mail = "    - mail: { from: eve@example.com, subject: x, text: y }\n";
    for (who, asked) in [
        ("group partners", "paul"),
        ("lead of team brand", "maria"),
        ("manager of alice", "carl"),
        ("deputy of alice", "dora"),
        ("on duty it-ops", "ivan"),
        ("person Lena Lorenz", "lena"),
    ] {
        let story = format!(
            "{mail}    - expect: {{ push: {asked}, title: Matter }}
    - tap: {{ {asked}: approve }}
    - expect: {{ reply: eve@example.com }}\n"
        );
        assert_eq!(played(&asking(who, &story)), [""; 0], "{who}");
    }
    let both = format!(
        "{mail}    - expect: [{{ push: lena }}, {{ push: maria }}]
    - tap: {{ lena: approve }}
    - expect: [{{ reply: eve@example.com }}, {{ page: maria }}]\n"
    );
    assert_eq!(played(&asking("team brand", &both)), [""; 0]);
}

#[test]
fn what_was_put_to_somebody_who_leaves_is_his_managers() {
    let left = "    - people: { alice: { inactive: true } }\n";
    let mail = "    - mail: { from: eve@example.com, subject: x, text: y }\n";
    // He left before: the manager is asked in his place.
    let before = format!(
        "{left}{mail}    - expect: {{ push: carl, title: Matter }}
    - tap: {{ carl: approve }}
    - expect: {{ reply: eve@example.com, text: Approved by Carl }}\n"
    );
    assert_eq!(played(&asking("alice", &before)), [""; 0]);
    // He leaves while it waits: the next reminder goes to the manager, who decides.
    let meanwhile = format!(
        "{mail}    - expect: {{ push: alice, title: Matter }}
{left}    - after: 3 days
    - expect: {{ push: carl, title: Matter }}
    - tap: {{ carl: approve }}
    - expect: {{ reply: eve@example.com, text: Approved by Carl }}\n"
    );
    assert_eq!(played(&asking("alice", &meanwhile)), [""; 0]);
}

#[test]
fn names_that_mean_nobody_are_warned_about_with_the_nearest() {
    let text = asking(
        "role lgeal",
        "    - mail: { from: eve@example.com, subject: x, text: y }\n",
    )
    .replace(
        "ask: inputs.approver",
        "ask: [inputs.approver, on_duty('it-opps'), role('cfo')]",
    );
    let flow = flow("who.yaml", &text);
    let found = unknown_names(&flow, &Value::Null, &story::directory());
    let said: Vec<String> = found
        .iter()
        .map(|problem| problem.in_file("who.yaml"))
        .collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("who.yaml:7:") && said[0].contains("did you mean `it-ops`?"),
        "{said:#?}"
    );
    assert!(
        said[1].contains("input approver") && said[1].contains("did you mean `legal`?"),
        "{said:#?}"
    );
}
