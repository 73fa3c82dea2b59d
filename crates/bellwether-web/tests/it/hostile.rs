//! The same pages when every text comes from somebody hostile.

use std::sync::{Arc, Mutex};

use bellwether_engine::seam::*;
use bellwether_engine::store::*;
use bellwether_model::directory::Customer;
use serde_json::json;

use crate::refusals::refused;
use crate::stand_in::fake::{Fake, document};
use crate::stand_in::register::{self, Register};
use crate::stand_in::samples::*;

/// What a hostile sender writes into every field.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202E}evil";

fn h() -> String {
    HOSTILE.to_owned()
}

/// A stand-in whose every text is hostile.
pub(crate) fn hostile() -> Arc<Fake> {
    let about = json!({ "name": HOSTILE, "zone": "UTC", "roles": [HOSTILE], "team": HOSTILE,
        "emails": [HOSTILE], "deputy": HOSTILE, "calendars": [HOSTILE] });
    let rota =
        json!({ "name": HOSTILE, "zone": "UTC", "hand_over": "Mon 09:00", "members": [HOSTILE] });
    let people = json!({ "people": { "alice": about, "dora": { "name": HOSTILE } },
        "groups": { HOSTILE: { "name": HOSTILE, "members": [HOSTILE] } },
        "rotas": { HOSTILE: rota } });
    let customer = Customer {
        address: h(),
        name: h(),
        zone: h(),
        ..Customer::default()
    };
    let mut event = mail(4, HOSTILE, HOSTILE, 1);
    event.envelope.source = h();
    event.envelope.kind = h();
    let letter = DeadLetterRow {
        code: h(),
        reason: h(),
        ..dead(1, None)
    };
    let notified = NotificationRow {
        failure: Some(h()),
        connection: h(),
        ..notification(21, HOSTILE, HOSTILE, 1)
    };
    Arc::new(Fake {
        events: Mutex::new(vec![event]),
        runs: Mutex::new(vec![run()]),
        notifications: Mutex::new(vec![notified]),
        dead: Mutex::new(vec![letter]),
        connections: Mutex::new(vec![connection()]),
        refused: Mutex::new(refused(&h())),
        cards: Mutex::new(cards().map(|(token, card)| (token.to_owned(), card)).into()),
        documents: Mutex::new(vec![
            document("directory", "people", people),
            document(
                "flow",
                HOSTILE,
                json!({ "about": HOSTILE, "source": HOSTILE }),
            ),
        ]),
        register: Mutex::new(register()),
        customers: Mutex::new(vec![customer]),
        now: Mutex::new(now()),
        ..Fake::default()
    })
}

fn register() -> Register {
    let mut register = register::sample();
    for row in &mut register.identities {
        (row.who.connection, row.who.id, row.name) = (h(), h(), h());
        row.person = row.person.as_ref().map(|_| h());
        row.proposed = row.proposed.as_ref().map(|_| (h(), h()));
    }
    for row in &mut register.usages {
        (row.asset, row.document, row.source) = (h(), h(), h());
        row.person = row.person.as_ref().map(|_| h());
        row.who.id = h();
    }
    register
}

fn run() -> RunDetail {
    let row = RunRow {
        flow: h(),
        title: h(),
        ..run_row(11, HOSTILE, "open", 12)
    };
    let mut detail = detail(row, HOSTILE);
    detail.state = json!({ HOSTILE: HOSTILE });
    let body = json!({ "in": HOSTILE, "notes": [HOSTILE] });
    detail.journal = vec![TurnRow { version: 1, body }];
    detail.effects[0].reason = Some(h());
    detail.effects[0].person = Some(h());
    detail
}

fn connection() -> ConnectionView {
    ConnectionView {
        name: h(),
        connector: h(),
        health: ConnectionHealth::Failing {
            since: ago(1),
            reason: h(),
        },
        has_source: true,
        in_flight: 1,
        waiting: 1,
        parts: vec![(
            h(),
            ConnectionHealth::NeedsYou {
                since: ago(3),
                reason: h(),
            },
        )],
    }
}

fn cards() -> [(&'static str, Card); 3] {
    let with = |state| Card {
        person_name: h(),
        on_behalf_of: Some(h()),
        title: h(),
        text: h(),
        facts: vec![Fact {
            label: h(),
            value: h(),
        }],
        quoted: Some((h(), h(), h())),
        talk: vec![(h(), h())],
        rows: vec![Row {
            title: h(),
            facts: vec![Fact {
                label: h(),
                value: h(),
            }],
            state: CardState::Notice,
        }],
        ..Card {
            state,
            ..card("waiting")
        }
    };
    let choice = ChoiceView {
        id: h(),
        label: h(),
        comment: "required",
        settles: true,
    };
    let other = ChoiceView {
        settles: false,
        ..choice.clone()
    };
    let asked = Ask {
        choices: vec![choice, other],
        shown: h(),
        act_token: h(),
        ..ask("waiting")
    };
    let decided = CardState::Decided {
        said: h(),
        by: h(),
        by_reader: false,
        at: now(),
        comment: h(),
    };
    [
        ("waiting", with(CardState::Waiting(asked))),
        ("late", with(decided)),
        ("refused", with(CardState::NotAllowed(h()))),
    ]
}
