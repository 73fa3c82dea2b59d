//! What a mail looks like to flows, as JSON Schema and samples, and what the actions take. Checked
//! by tests against what the reader really makes.

use bellwether_model::spec::{Field, FieldKind, Spec};
use serde_json::{Map, Value, json};

/// JSON Schema of the `data` of every event of this connector.
pub(super) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["mail"],
        "additionalProperties": false,
        "properties": { "mail": mail_schema() }
    })
}

fn mail_schema() -> Value {
    let mut properties = Map::new();
    for (name, kind, about) in FIELDS {
        let mut schema = match *kind {
            "person" => person(),
            "people" => json!({ "type": "array", "items": person() }),
            "texts" => json!({ "type": "array", "items": { "type": "string" } }),
            "time" => json!({ "type": "string", "format": "date-time" }),
            "attachments" => attachments(),
            "auth" => auth(),
            "forwarded" => forwarded(),
            "auto" => json!({
                "type": "string", "enum": ["no", "auto-generated", "auto-replied"]
            }),
            plain => json!({ "type": plain }),
        };
        schema["description"] = json!(about);
        if WHOLE.contains(name) {
            schema["x-whole"] = json!(true);
        }
        properties.insert((*name).to_owned(), schema);
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": [
            "id", "html_only", "at", "mailbox", "auto_submitted", "auto_reply", "bulk", "dsn", "own",
            "link"
        ],
        "properties": properties
    })
}

/// The fields that only the body tells.
const WHOLE: [&str; 7] = [
    "text",
    "text_cut",
    "new_text",
    "html_only",
    "attachments",
    "forwarded_from",
    "sha256",
];

/// The fields of a mail: name, kind, meaning.
const FIELDS: &[(&str, &str, &str)] = &[
    ("id", "string", "Gmail's id of the message."),
    ("thread_id", "string", "Gmail's id of the thread."),
    (
        "rfc_message_id",
        "string",
        "The Message-ID without angle brackets.",
    ),
    ("in_reply_to", "string", "The Message-ID that it answers."),
    (
        "references",
        "texts",
        "The Message-IDs before it, oldest first; the newest 50.",
    ),
    (
        "from",
        "person",
        "The sender as the mail says; see `auth` for what is proved.",
    ),
    ("to", "people", "The first 100 addressees."),
    ("cc", "people", "The first 100 further addressees."),
    ("reply_to", "people", "Where the sender wants answers."),
    (
        "subject",
        "string",
        "One line, without marks that hide or reorder text.",
    ),
    (
        "text",
        "string",
        "The text, from HTML when there is no other; at most 32 KB.",
    ),
    (
        "text_cut",
        "boolean",
        "True when the text is longer than what is here.",
    ),
    (
        "new_text",
        "string",
        "Of an answer: what stands above quotation and signature.",
    ),
    ("html_only", "boolean", "The mail had no text part."),
    ("at", "time", "When Gmail accepted it."),
    (
        "mailbox",
        "string",
        "The address of the mailbox that holds it.",
    ),
    ("labels", "texts", "Gmail's labels when it was read."),
    (
        "attachments",
        "attachments",
        "What is attached, without the bytes; the first 100.",
    ),
    (
        "auto_submitted",
        "auto",
        "Whether a machine wrote it (RFC 3834).",
    ),
    (
        "auto_reply",
        "boolean",
        "A machine's answer: absence notice, receipt or bounce.",
    ),
    ("bulk", "boolean", "A list or mass mail."),
    (
        "list_id",
        "string",
        "The mailing list that it came through.",
    ),
    (
        "dsn",
        "boolean",
        "A notice about failed or delayed delivery.",
    ),
    (
        "forwarded_from",
        "forwarded",
        "The original sender as a forwarded block says, unproved.",
    ),
    (
        "auth",
        "auth",
        "What the receiving server found out about the sender.",
    ),
    (
        "reply_token",
        "string",
        "The token in our own address that it was sent to.",
    ),
    ("own", "boolean", "Sent by Bellwether, proved by its mark."),
    (
        "sha256",
        "string",
        "SHA-256 of the message as transmitted, when it was fetched whole.",
    ),
    ("size", "integer", "Bytes of the message as transmitted."),
    ("link", "string", "Opens the message in Gmail."),
    (
        "lists_cut",
        "boolean",
        "Lists were shortened so that the event keeps its size.",
    ),
    ("unreadable", "boolean", "Only what is here could be read."),
    ("unreadable_reason", "string", "Why it could not be read."),
];

fn person() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": { "name": { "type": "string" }, "address": { "type": "string" } }
    })
}

fn attachments() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["size", "type"],
            "properties": {
                "name": { "type": "string" },
                "size": { "type": "integer", "description": "Bytes after decoding." },
                "type": { "type": "string" },
                "part": { "type": "string", "description": "Its place in the mail: `1.0`." }
            }
        }
    })
}

fn forwarded() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["unverified"],
        "properties": {
            "name": { "type": "string" },
            "address": { "type": "string" },
            "unverified": { "const": true }
        }
    })
}

fn auth() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["authserv"],
        "properties": {
            "authserv": { "type": "string", "description": "The server that says so." },
            "spf": { "type": "string" },
            "dkim": { "type": "string" },
            "dmarc": {
                "type": "string",
                "description": "`pass` means that the domain of From is proved."
            },
            "domain": { "type": "string", "description": "The domain that DMARC was about." }
        }
    })
}

/// A request for approval as it comes in.
pub(super) fn received() -> Value {
    json!({ "mail": {
        "id": "18c2f0a1b2c3d4e5",
        "thread_id": "18c2f0a1b2c3d4e5",
        "rfc_message_id": "po-4711@erp.example.com",
        "from": { "name": "J. Berger", "address": "requester@example.com" },
        "to": [{ "address": "approvals@example.com" }],
        "subject": "Purchase order PO-4711, 4,200.00 EUR",
        "text": "Please approve PO-4711.\nVendor: Huber GmbH\nAmount: 4,200.00 EUR",
        "html_only": false,
        "at": "2026-03-02T09:15:00Z",
        "mailbox": "approvals@example.com",
        "labels": ["INBOX", "UNREAD"],
        "attachments": [
            { "name": "offer.pdf", "size": 48213, "type": "application/pdf", "part": "1" }
        ],
        "auto_submitted": "no",
        "auto_reply": false,
        "bulk": false,
        "dsn": false,
        "auth": {
            "authserv": "mx.google.com", "spf": "pass", "dkim": "pass", "dmarc": "pass",
            "domain": "example.com"
        },
        "own": false,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size": 68211,
        "link": "https://mail.google.com/mail/#all/18c2f0a1b2c3d4e5"
    }})
}

/// A mail to a customer that a person sent.
pub(super) fn sent() -> Value {
    json!({ "mail": {
        "id": "18c2f0a1b2c3d4e6",
        "thread_id": "18c2f0a1b2c3d4e6",
        "rfc_message_id": "CAKx1@mail.gmail.com",
        "from": { "name": "Travel desk", "address": "travel@example.com" },
        "to": [{ "name": "C. Huber", "address": "c.huber@example.net" }],
        "subject": "Check-in for your flight OS 451 is open",
        "text": "Dear Ms Huber,\nyou can check in now.",
        "html_only": false,
        "at": "2026-03-02T09:20:00Z",
        "mailbox": "travel@example.com",
        "labels": ["SENT"],
        "auto_submitted": "no",
        "auto_reply": false,
        "bulk": false,
        "dsn": false,
        "own": false,
        "size": 2140,
        "link": "https://mail.google.com/mail/#all/18c2f0a1b2c3d4e6"
    }})
}

/// A mail whose UNREAD mark went away.
pub(super) fn read() -> Value {
    json!({ "mail": {
        "id": "18c2f0a1b2c3d4e7",
        "thread_id": "18c2f0a1b2c3d4e7",
        "rfc_message_id": "incident-17@monitor.example.com",
        "from": { "address": "alerts@example.com" },
        "to": [{ "address": "owner@example.com" }],
        "subject": "Batch job NIGHTLY-7 failed",
        "html_only": false,
        "at": "2026-03-02T09:00:00Z",
        "mailbox": "owner@example.com",
        "labels": ["INBOX"],
        "auto_submitted": "auto-generated",
        "auto_reply": false,
        "bulk": false,
        "dsn": false,
        "own": false,
        "size": 1806,
        "link": "https://mail.google.com/mail/#all/18c2f0a1b2c3d4e7"
    }})
}

fn mail_fields() -> Vec<Field> {
    use FieldKind::{Integer, Text, Tree};
    vec![
        Field::new(
            "to",
            Tree,
            "Addresses, each as text or as {name, address}; never one that nobody reads.",
        )
        .required(),
        Field::new("subject", Text, "The subject, one line.").required(),
        Field::new("text", Text, "The text.").required(),
        Field::new(
            "headers",
            Tree,
            "Further headers; ours and the mail system's are refused.",
        ),
        Field::new(
            "reply_token",
            Text,
            "Answers go to mailbox+token@domain and are recognised by it.",
        ),
        Field::new("case", Text, "The case that the mail belongs to."),
        Field::new(
            "hop",
            Integer,
            "How many of our own effects lie behind the mail, with this one.",
        ),
    ]
}

/// What `send` takes.
pub(super) fn send_input() -> Spec {
    Spec::of(mail_fields())
}

/// What `reply` takes: the four fields of the mail that is answered, as its event has them.
pub(super) fn reply_input() -> Spec {
    use FieldKind::{Text, Tree};
    let mut fields = mail_fields();
    fields.extend([
        Field::new(
            "thread_id",
            Text,
            "`mail.thread_id` of the mail that is answered.",
        ),
        Field::new(
            "rfc_message_id",
            Text,
            "`mail.rfc_message_id` of the mail that is answered.",
        ),
        Field::new(
            "in_reply_to",
            Text,
            "`mail.in_reply_to` of the mail that is answered.",
        ),
        Field::new(
            "references",
            Tree,
            "`mail.references` of the mail that is answered.",
        ),
    ]);
    Spec::of(fields)
}

/// What `label` takes.
pub(super) fn label_input() -> Spec {
    Spec::of(vec![
        Field::new("id", FieldKind::Text, "`mail.id` of the message.").required(),
        Field::new("add", FieldKind::Tree, "Names of labels to add."),
        Field::new("remove", FieldKind::Tree, "Names of labels to remove."),
    ])
}

/// A new mail.
pub(super) fn send_sample() -> Value {
    json!({
        "to": ["requester@example.com"],
        "subject": "PO-4711 was approved",
        "text": "Alice Arnold approved purchase order PO-4711 at 10:42."
    })
}

/// An answer in a thread.
pub(super) fn reply_sample() -> Value {
    json!({
        "to": [{ "name": "J. Berger", "address": "requester@example.com" }],
        "subject": "Re: Purchase order PO-4711, 4,200.00 EUR",
        "text": "Alice Arnold approved purchase order PO-4711 at 10:42.",
        "thread_id": "18c2f0a1b2c3d4e5",
        "rfc_message_id": "po-4711@erp.example.com",
        "references": []
    })
}

/// Labels for a decided case.
pub(super) fn label_sample() -> Value {
    json!({ "id": "18c2f0a1b2c3d4e5", "add": ["Approved"], "remove": ["INBOX"] })
}
