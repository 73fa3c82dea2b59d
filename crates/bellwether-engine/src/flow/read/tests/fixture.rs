//! A connector with mails, one with open payloads, and a small flow that is right.

use bellwether_model::connector::{
    AuthSpec, Connection, ConnectorDef, Host, ThresholdDef, TriggerDef,
};
use bellwether_model::failure::Failure;
use bellwether_model::spec::{Settings, Spec};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::flow::{Catalog, Flow, Problem, read, read_checked};

fn connect(_: Settings, _: Host) -> Result<Arc<dyn Connection>, Failure> {
    Err(Failure::new(
        bellwether_model::failure::FailureClass::Bug,
        "fixture",
        "the fixture connects to nothing",
    ))
}

fn mail_schema() -> Value {
    let person = json!({ "type": "object", "properties": { "name": { "type": "string" }, "address": { "type": "string" } } });
    json!({ "type": "object", "properties": { "mail": { "$ref": "#/$defs/mail" } }, "$defs": { "mail": {
        "type": "object",
        "properties": {
            "subject": { "type": "string" }, "text": { "type": "string", "x-whole": true },
            "from": person, "to": { "type": "array", "items": person },
            "forwarded_from": { "type": ["object", "null"], "properties": { "address": { "type": "string" } } },
            "thread_id": { "type": "string" }, "message_id": { "type": "string" },
            "auto_reply": { "type": "boolean" }, "at": { "type": "string" },
            "labels": { "type": "array", "items": { "type": "string" } },
            "attachments": { "type": "array", "items": { "type": "object" } }, "link": { "type": "string" },
        }
    } } })
}

fn mail_sample() -> Value {
    json!({ "mail": {
        "subject": "Purchase order PO-4711", "text": "Vendor: Huber\nAmount: 4.200,00 EUR",
        "from": { "name": "Ariba", "address": "ariba@example.com" }, "thread_id": "t1",
        "auto_reply": false, "at": "2026-03-02T09:00:00Z", "labels": ["INBOX"],
    } })
}

const fn mail_event(event: &'static str) -> TriggerDef {
    TriggerDef {
        event,
        summary: "",
        nouns: &["mail"],
        schema: mail_schema,
        sample: mail_sample,
        sentence: "{{ mail.from.name }} wrote",
        verified: true,
    }
}

static GMAIL: ConnectorDef = ConnectorDef {
    name: "gmail",
    title: "",
    summary: "",
    needs: "",
    basis: "",
    settings: Spec::default,
    auth: AuthSpec::None,
    thresholds: &[],
    triggers: &[
        mail_event("gmail.message.received"),
        mail_event("gmail.message.sent"),
        mail_event("gmail.message.read"),
    ],
    actions: &[],
    inlets: &[],
    reduce: None,
    connect,
};

/// Thresholds that the connector knows.
pub(crate) const LEVELS: ThresholdDef = ThresholdDef {
    name: "levels",
    summary: "",
    events: &["webhook.received", "gmail.message.received"],
    default: &[10, 50],
    most: 100,
    passed: "/body/passed",
};

static WEBHOOK: ConnectorDef = ConnectorDef {
    name: "webhook",
    title: "",
    summary: "",
    needs: "",
    basis: "",
    settings: Spec::default,
    auth: AuthSpec::None,
    thresholds: &[LEVELS],
    triggers: &[TriggerDef {
        event: "webhook.received",
        summary: "",
        nouns: &["body"],
        schema: || json!({ "type": "object", "properties": { "body": {} } }),
        sample: || json!({ "body": { "kind": "order" } }),
        sentence: "something came",
        verified: true,
    }],
    actions: &[],
    inlets: &[],
    reduce: None,
    connect,
};

/// Two connectors.
pub(crate) const CATALOG: Catalog = Catalog {
    connectors: &[&GMAIL, &WEBHOOK],
};

/// Reads a flow that must be right.
pub(crate) fn right(text: &str) -> Flow {
    match read(text, "test.yaml", &CATALOG) {
        Ok(flow) => flow,
        Err(problems) => panic!("{}\n{}", said(&problems), text),
    }
}

/// The problems of a flow, as the command line shows them.
pub(crate) fn wrong(text: &str) -> String {
    said(&read_checked(text, "f.yaml", &CATALOG).1)
}

fn said(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| p.in_file("f.yaml")).collect();
    lines.join("\n")
}
