//! Requests of flows to other systems: in stories, and from one inlet of the real binary to another
//! over HTTP, signed on one side and proved on the other.

use std::fs;

use serde_json::{Value, json};

use crate::bad_input::{hook, signed};
use crate::calls::{beside, play, wrong};
use crate::installed::Installed;
use crate::support::until;

/// Says to another system that an order was placed.
const TELLS: &str = "bellwether: 1
flow: tells-the-desk
about: The desk hears of every order.
inputs: { desk: { type: connection, of: webhook } }
when: { event: order.placed, if: order.kind == 'k08' }
steps:
  - http: inputs.desk
    type: ticket.wanted
    data: { number: order.number, lines: order.lines }
";

/// Hears it there.
const HEARS: &str = "bellwether: 1
flow: hears-of-it
about: What the desk heard is pushed.
when: { event: ticket.wanted }
steps:
  - push: person('alice')
    title: \"Ticket for {{ heard.data.number }}\"
    text: \"With {{ heard.data.lines | count }} lines.\"
";

#[test]
fn a_request_goes_out_once_and_what_cannot_is_dealt_with() {
    assert_eq!(
        wrong(&play(&beside("tickets.yaml").unwrap(), &beside)),
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_system_tells_another_over_http() {
    let mut installed = Installed::make().await;
    installed.write("flows/tells.yaml", TELLS);
    installed.write("flows/hears.yaml", HEARS);
    // The server keeps its addresses, so the second life knows where its own inlet is.
    let first = installed.serve().await;
    assert_eq!(first.terminate().await, Some(0));
    let file = installed.path("setup.yaml");
    let mut setup: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let secret = setup["connections"]["shop"]["settings"]["secrets"].clone();
    setup["connections"]["desk"] = json!({ "connector": "webhook", "settings": {
        "secrets": secret, "type_path": "type", "noun": "heard", "send_secret": secret,
        "send_to": format!("{}/hooks/desk", installed.at.public),
    } });
    setup["flows"]["tells-the-desk"] = json!({"position": "on", "inputs": {"desk": "desk"}});
    setup["flows"]["hears-of-it"] = json!({"position": "on"});
    installed.write("setup.yaml", &setup.to_string());
    let server = installed.serve().await;
    let at = installed.at.clone();

    let order = json!({"kind": "k08", "number": "B-8", "lines": ["bolt", "nut"]}).to_string();
    assert_eq!(
        hook(&at, "shop", &signed("o-8", 0, &order), &order)
            .await
            .status,
        202
    );
    at.push("alice", "Ticket for B-8").await;

    until("it is on record, once", async || {
        let heard = at.total("/api/events?type=ticket.wanted").await;
        (heard == 1).then_some(())
    })
    .await;
    let sent = until("the request is on record", async || {
        let all = at.api("/api/notifications").await;
        let all = all["items"].as_array()?.clone();
        all.into_iter()
            .find(|one| one["channel"] == "http" && one["state"] == "done")
    })
    .await;
    assert_eq!(sent["connection"], "desk", "{sent}");
    let log = server.log();
    assert!(
        !log.contains(secret.as_str().unwrap()),
        "the secret is in the log"
    );
}
