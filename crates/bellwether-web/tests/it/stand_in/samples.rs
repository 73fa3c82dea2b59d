//! What the stand-in knows: a Monday morning at Alpenwerk, and every kind of hosted page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bellwether_engine::decide::Waiting;
use bellwether_engine::seam::*;
use bellwether_engine::store::*;
use bellwether_model::connector::Role;
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::id::Id;
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::{Millis, Time};
use serde_json::json;

use super::directory::directory;
use super::fake::{Fake, document};

/// Monday, 10:42 in Vienna.
pub(crate) fn now() -> Time {
    Time::parse("2026-03-02T09:42:00Z").expect("an instant")
}

pub(crate) fn ago(minutes: u64) -> Time {
    now() - Millis::minutes(minutes)
}

pub(crate) fn id(n: u8) -> Id {
    Id([n; 16])
}

/// A stand-in with a morning's work in it.
pub(crate) fn morning() -> Arc<Fake> {
    let fake = Fake {
        events: Mutex::new(events()),
        runs: Mutex::new(runs()),
        notifications: Mutex::new(notifications()),
        dead: Mutex::new(vec![dead(1, None), dead(2, Some(ago(3)))]),
        connections: Mutex::new(connections()),
        register: Mutex::new(super::register::sample()),
        cards: Mutex::new(cards()),
        documents: Mutex::new(vec![
            directory(),
            document(
                "flow",
                "approval-mails",
                json!({
                    "file": "flows/approval-mails.yaml",
                    "text": APPROVALS,
                    "position": "on",
                }),
            ),
        ]),
        now: Mutex::new(now()),
        ..Fake::default()
    };
    Arc::new(fake)
}

const APPROVALS: &str = "\
bellwether: 1
flow: approval-mails
about: A purchase order by mail asks the person who may approve it.
when: { event: push.opened }
steps:
  - stop: true
";

/// A stand-in in which nothing happened yet.
pub(crate) fn empty() -> Arc<Fake> {
    Arc::new(Fake {
        now: Mutex::new(now()),
        ..Fake::default()
    })
}

pub(crate) fn mail(position: i64, subject: &str, from: &str, minutes: u64) -> Event {
    let sender = json!({ "name": from, "address": "sap@example.com" });
    let data = json!({ "mail": { "subject": subject, "from": sender } });
    let mut envelope = NewEvent::new(
        "approvals",
        format!("m{position}"),
        "gmail.message.received",
        ago(minutes),
        data,
    );
    envelope.subject = Some(format!("message {position}"));
    event(position, envelope, minutes)
}

fn event(position: i64, envelope: NewEvent, minutes: u64) -> Event {
    Event {
        position,
        received_at: ago(minutes),
        flow_set: 3,
        directory: 1,
        envelope,
    }
}

fn events() -> Vec<Event> {
    let pressed = json!({ "push": { "person": "dora", "choice": "approve", "means": "phone" } });
    vec![
        mail(1, "PO-4709 €980.00 Brandl KG", "SAP", 102),
        mail(2, "Canteen menu for this week", "Kitchen", 75),
        event(
            3,
            NewEvent::new("people", "p1", "push.acted", ago(61), pressed),
            61,
        ),
        mail(4, "PO-4711 €4,200.00 Huber GmbH", "SAP", 12),
        mail(5, "PO-4712 €18,900.00 Steiner AG", "Ariba", 4),
    ]
}

pub(crate) fn run_row(n: u8, key: &str, status: &'static str, minutes: u64) -> RunRow {
    RunRow {
        id: id(n),
        flow: "approval-mails".to_owned(),
        flow_hash: "9c1f".to_owned(),
        key: key.to_owned(),
        title: "€4,200.00 · Huber GmbH".to_owned(),
        epoch: 1,
        status,
        opened_at: ago(minutes),
        last_turn_at: ago(minutes.saturating_sub(if status == "open" { 1 } else { 41 })),
        turns: 2,
        opened_by: Some(4),
        waits_for: if status == "open" {
            vec![waiting("alice", minutes)]
        } else {
            Vec::new()
        },
    }
}

fn waiting(person: &str, minutes: u64) -> Waiting {
    Waiting {
        person: Some(person.to_owned()),
        on_behalf_of: None,
        step: "approval".to_owned(),
        since: ago(minutes),
    }
}

pub(crate) fn detail(row: RunRow, title: &str) -> RunDetail {
    let closed = row.status != "open";
    let at = row.opened_at.0;
    let turns = [
        json!({ "v": 1, "at": at, "in": { "type": "gmail.message.received" }, "effects": ["e"],
            "notes": [{ "what": "on_leave", "person": "carl" },
                { "what": "asked", "person": "alice", "step": "approval", "why": "for carl" }] }),
        json!({ "v": 1, "at": at + 60_000_000, "in": { "event": 3, "type": "push.acted" },
            "notes": [{ "what": "decided", "person": "dora", "why": "approve by phone" }],
            "said": { "result": "already_decided" } }),
        json!({ "v": 1, "at": at + 120_000_000, "in": { "timer": "rung/approval" } }),
    ];
    let journal = (1..)
        .zip(turns)
        .map(|(version, body)| TurnRow { version, body })
        .collect();
    RunDetail {
        status: if closed {
            CellStatus::Closed
        } else {
            CellStatus::Open
        },
        state: json!({ "step": "decide", "waits": ["alice"] }),
        journal,
        effects: vec![
            effect(
                &row,
                21,
                Role::Push,
                title,
                EffectState::Done,
                Delivery::Accepted,
            ),
            effect(
                &row,
                22,
                Role::Reply,
                title,
                EffectState::Maybe,
                Delivery::MaybeSent,
            ),
        ],
        timers: vec![("rung/approval".to_owned(), row.opened_at + Millis::hours(2))],
        opened_by: Some(mail(4, title, "SAP", 12)),
        run: row,
    }
}

fn effect(
    row: &RunRow,
    n: u8,
    role: Role,
    title: &str,
    state: EffectState,
    delivery: Delivery,
) -> EffectRow {
    let actions = json!([
        { "id": "approve", "label": "Approve", "comment": "none" },
        { "id": "reject", "label": "Reject", "comment": "required" },
    ]);
    let args = json!({ "title": title, "data": { "actions": actions.to_string() } });
    EffectRow {
        id: id(n),
        cell: row.id,
        role,
        lane: if role == Role::Push {
            "opentext"
        } else {
            "approvals-gmail"
        }
        .to_owned(),
        order_key: None,
        person: Some("alice".to_owned()),
        state,
        attempt: 1,
        owner: None,
        not_before: None,
        expires_at: Some(row.opened_at + Millis::hours(8)),
        delivery,
        engagement: if role == Role::Push {
            Engagement::Opened
        } else {
            Engagement::None
        },
        reports: true,
        args: args.to_string().into(),
        saved: None,
        reference: Some("submit-1".to_owned()),
        failure: None,
        reason: None,
        made_at: row.opened_at,
        changed_at: row.opened_at,
    }
}

fn runs() -> Vec<RunDetail> {
    vec![
        detail(run_row(12, "PO-4712", "open", 4), "€18,900.00 · Steiner AG"),
        detail(run_row(11, "PO-4711", "open", 12), "€4,200.00 · Huber GmbH"),
        detail(run_row(9, "PO-4709", "closed", 102), "€980.00 · Brandl KG"),
    ]
}

pub(crate) fn notification(n: u8, title: &str, person: &str, minutes: u64) -> NotificationRow {
    NotificationRow {
        id: id(n),
        run: id(11),
        flow: "approval-mails".to_owned(),
        channel: "push",
        connection: "opentext".to_owned(),
        person: Some(person.to_owned()),
        state: "done",
        delivery: Delivery::Accepted,
        engagement: Engagement::None,
        attempts: 1,
        title: title.to_owned(),
        reference: None,
        failure: None,
        made_at: ago(minutes),
        changed_at: ago(minutes),
    }
}

fn notifications() -> Vec<NotificationRow> {
    vec![
        NotificationRow {
            run: id(12),
            state: "maybe_sent",
            delivery: Delivery::MaybeSent,
            failure: Some("The connection broke after the request was sent".to_owned()),
            ..notification(31, "€18,900.00 · Steiner AG", "carl", 4)
        },
        NotificationRow {
            engagement: Engagement::Opened,
            ..notification(21, "€4,200.00 · Huber GmbH", "alice", 12)
        },
        NotificationRow {
            channel: "reply",
            connection: "approvals-gmail".to_owned(),
            run: id(9),
            person: None,
            ..notification(33, "Approved by Dora: PO-4709", "dora", 60)
        },
        NotificationRow {
            run: id(9),
            engagement: Engagement::Acted,
            ..notification(32, "€980.00 · Brandl KG", "dora", 101)
        },
    ]
}

pub(crate) fn dead(n: u8, settled_at: Option<Time>) -> DeadLetterRow {
    DeadLetterRow {
        id: id(n),
        run: Some(id(11)),
        effect: Some(id(21)),
        person: Some("lena".to_owned()),
        event: Some(4),
        code: "unknown_recipient".to_owned(),
        reason: "OpenText does not know the device of lena. Let her open the app once, \
            then try again."
            .to_owned(),
        at: ago(9),
        settled_at,
    }
}

fn connections() -> Vec<ConnectionView> {
    let view = |name: &str, connector: &str, health, has_source, waiting| ConnectionView {
        name: name.to_owned(),
        connector: connector.to_owned(),
        health,
        has_source,
        in_flight: 0,
        waiting,
        parts: Vec::new(),
    };
    let reason = "OpenText refuses the password. Set a new one under Connections".to_owned();
    vec![
        view(
            "approvals",
            "gmail",
            ConnectionHealth::Ok { at: ago(1) },
            true,
            0,
        ),
        view(
            "opentext",
            "opentext_push",
            ConnectionHealth::NeedsYou {
                since: ago(22),
                reason,
            },
            false,
            3,
        ),
        view("orders", "webhook", ConnectionHealth::Unknown, false, 0),
    ]
}

/// A card that waits, with two choices that settle it and a question that does not.
pub(crate) fn card(token: &str) -> Card {
    let fact = |label: &str, value: &str| Fact {
        label: label.to_owned(),
        value: value.to_owned(),
    };
    Card {
        notification: id(21),
        run: id(11),
        person: "alice".to_owned(),
        person_name: "Alice Arnold".to_owned(),
        language: "en".to_owned(),
        zone: "Europe/Vienna".to_owned(),
        on_behalf_of: None,
        title: "€4,200.00 · Huber GmbH".to_owned(),
        text: "Purchase order PO-4711 from J. Berger. Approve?".to_owned(),
        facts: vec![
            fact("Amount", "€4,200.00"),
            fact("Supplier", "Huber GmbH"),
            fact("Requested by", "J. Berger"),
            fact("Number", "PO-4711"),
            fact("Cost centre", "4410 Tools"),
        ],
        quoted: Some((
            "SAP <sap@example.com>".to_owned(),
            "Purchase order PO-4711 for approval".to_owned(),
            "Please approve purchase order PO-4711.\n\n4 drilling machines, €1,050.00 each."
                .to_owned(),
        )),
        state: CardState::Waiting(ask(token)),
        talk: Vec::new(),
        rows: Vec::new(),
        more_rows: 0,
    }
}

pub(crate) fn ask(token: &str) -> Ask {
    let choice = |id: &str, label: &str, comment, settles| ChoiceView {
        id: id.to_owned(),
        label: label.to_owned(),
        comment,
        settles,
    };
    Ask {
        choices: vec![
            choice("approve", "Approve", "optional", true),
            choice("reject", "Reject", "required", true),
            choice("ask", "Ask a question", "required", false),
        ],
        shown: "hash-1".to_owned(),
        act_token: format!("act-{token}"),
        until: Some(now() + Millis::hours(6)),
        needs_sign_in: false,
    }
}

fn decided(by: &str, by_reader: bool) -> CardState {
    CardState::Decided {
        said: "Approved".to_owned(),
        by: by.to_owned(),
        by_reader,
        at: now(),
        comment: "Within the budget.".to_owned(),
    }
}

fn cards() -> HashMap<String, Card> {
    let german = || Card {
        language: "de".to_owned(),
        person_name: "Dora Dorn".to_owned(),
        zone: "Europe/Berlin".to_owned(),
        on_behalf_of: Some("Alice Arnold".to_owned()),
        text: "Bestellung PO-4711 von J. Berger. Freigeben?".to_owned(),
        talk: vec![
            (
                "Dora Dorn".to_owned(),
                "Gibt es ein zweites Angebot?".to_owned(),
            ),
            ("J. Berger".to_owned(), "Ja, von Maier, € 4.650.".to_owned()),
        ],
        ..card("german")
    };
    let with = |token: &str, state: CardState| Card {
        state,
        ..card(token)
    };
    let code = CardState::Waiting(Ask {
        needs_sign_in: true,
        ..ask("code")
    });
    let over = |how: &str| CardState::Over {
        how: how.to_owned(),
        at: ago(30),
    };
    let refused = "You are not asked any more, because Carl took this over".to_owned();
    [
        ("waiting", card("waiting")),
        ("german", german()),
        ("late", with("late", decided("Dora Dorn", false))),
        ("mine", with("mine", decided("Alice Arnold", true))),
        ("code", with("code", code)),
        ("over", with("over", over("expired"))),
        ("withdrawn", with("withdrawn", over("withdrawn"))),
        ("notice", with("notice", CardState::Notice)),
        ("refused", with("refused", CardState::NotAllowed(refused))),
    ]
    .into_iter()
    .map(|(token, card)| (token.to_owned(), card))
    .collect()
}
