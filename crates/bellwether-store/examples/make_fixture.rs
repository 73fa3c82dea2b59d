//! Makes `tests/fixtures/format-1.db`: a small database of this release with cells in several
//! states, for the test that later releases open it. Run it once per schema and keep the file.
//!
//! `cargo run -p bellwether-store --example make_fixture -- PATH`

use bellwether_engine::store::{
    CellStatus, EffectState, EffectUpdate, EffectWrite, EventWrite, InletStep, ItemWrite,
    LedgerState, LedgerWrite, Member, Owner, Registry, Store, TurnWrite, Verdict,
};
use bellwether_model::connector::Role;
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::id::Id;
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::{Millis, Time};
use bellwether_store::{Database, open};
use serde_json::json;

const OWNER: Owner = Owner(Id([1; 16]));

fn at(n: i64) -> Time {
    Time::from_millis(1_772_445_600_000 + n * 1000)
}

fn id(n: i64, name: &str) -> Id {
    Id::derive(at(n), &[name.as_bytes()])
}

fn event(n: i64, id: &str) -> EventWrite {
    let data = json!({"mail": {"id": id, "subject": format!("Approve invoice {n}")}});
    let mut event = NewEvent::new(
        "approvals",
        id,
        "gmail.message.received",
        at(n),
        data.clone(),
    );
    event.case = Some(format!("case-{n}"));
    event.aliases = vec![Alias::new("thread", format!("t{n}"))];
    EventWrite {
        event,
        text: data.to_string(),
        received_at: at(n),
        flow_set: 1,
        directory: 1,
        matched: 1,
    }
}

fn turn(n: i64, key: &str, expects: u64) -> TurnWrite {
    TurnWrite {
        cell: id(n, key),
        program: "approval-mail".to_owned(),
        program_hash: [7; 16],
        key: key.to_owned(),
        keyed: true,
        epoch: 1,
        expects,
        opened_by: None,
        status: CellStatus::Open,
        state: json!({"v": 1, "step": expects}).to_string().into_bytes(),
        at: at(n + i64::try_from(expects).unwrap_or(0)),
        body: json!({"v": 1, "turn": expects + 1})
            .to_string()
            .into_bytes(),
        consumes: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        effects: Vec::new(),
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
    }
}

fn effect(n: i64, name: &str, state: EffectState) -> EffectWrite {
    EffectWrite {
        id: id(n, &format!("effect {name}")),
        role: Role::Push,
        lane: "phones".to_owned(),
        order_key: Some([5; 16]),
        person: Some("p-anna".to_owned()),
        state,
        owner: (state == EffectState::Started).then_some(OWNER),
        not_before: None,
        expires_at: Some(at(9000)),
        cancel_key: Some("ask".to_owned()),
        reports: true,
        args: json!({"v": 1, "title": format!("Approve {name}?")})
            .to_string()
            .into(),
        reason: None,
        at: at(n),
    }
}

/// Ten cells: waiting, decided, with an inbox, with timers, closed, with failures.
fn members() -> Vec<Member> {
    let mut members = Vec::new();
    for n in 0..10 {
        let key = format!("thread-{n}");
        let mut first = turn(n, &key, 0);
        first.aliases = vec![Alias::new("thread", format!("t{n}"))];
        first.timers = vec![("remind".to_owned(), Some(at(600 + n)))];
        first.items = vec![ItemWrite {
            window: "lines".to_owned(),
            key: key.clone(),
            value: Some("1".to_owned()),
        }];
        first.counters = vec![("p-anna".to_owned(), "2026-03-02".to_owned(), 1)];
        let state = match n % 4 {
            0 => EffectState::Queued,
            1 => EffectState::Held,
            _ => EffectState::Started,
        };
        first.effects = vec![effect(n, &key, state)];
        members.push(Member {
            arrival: Some(event(n, &format!("m{n}"))),
            ledger: Some(LedgerWrite {
                connection: "approvals".to_owned(),
                external_id: format!("m{n}"),
                state: LedgerState::Event,
                reason: String::new(),
            }),
            deliveries: if n == 3 {
                vec![id(n, &key)]
            } else {
                Vec::new()
            },
            turns: vec![first],
            ..Member::default()
        });
        for version in 1..=u64::try_from(n / 3).unwrap_or(0) {
            let mut later = turn(n, &key, version);
            if n == 9 && version == 3 {
                later.status = CellStatus::Closed;
                later.cancels = vec!["ask".to_owned()];
            }
            members.push(Member {
                turns: vec![later],
                ..Member::default()
            });
        }
    }
    members.push(outcomes());
    members
}

fn outcomes() -> Member {
    let effect = |n: i64| id(n, &format!("effect thread-{n}"));
    Member {
        effects: vec![
            EffectUpdate::Done {
                id: effect(2),
                attempt: 1,
                owner: OWNER,
                delivery: Delivery::Accepted,
                reference: Some("msg-2".to_owned()),
                aliases: vec![Alias::new("notification", "msg-2")],
                at: at(30),
            },
            EffectUpdate::Report {
                id: effect(2),
                delivery: None,
                engagement: Some(Engagement::Acted),
                at: at(31),
            },
            EffectUpdate::Fail {
                id: effect(3),
                attempt: 1,
                owner: OWNER,
                failure: Failure::reject("unknown_recipient", "The provider knows no such person."),
                at: at(32),
            },
            EffectUpdate::Maybe {
                id: effect(6),
                attempt: 1,
                owner: OWNER,
                failure: Failure::maybe("timeout", "The provider did not answer."),
                at: at(33),
            },
        ],
        emits: vec![event(40, "emitted")],
        ..Member::default()
    }
}

async fn fill(db: &Database) -> Result<(), String> {
    let discovered = InletStep::Discovered {
        ids: (0..12).map(|n| format!("m{n}")).collect(),
        cursor: Some("history-77".to_owned()),
        at: at(0),
    };
    db.inlet("approvals", discovered)
        .await
        .map_err(|e| e.to_string())?;
    for verdict in db.commit(members()).await {
        if !matches!(verdict, Verdict::Done(_)) {
            return Err(format!("a member was not written: {verdict:?}"));
        }
    }
    db.lease("lane:phones", OWNER, at(0), Millis::seconds(30))
        .await
        .map_err(|e| e.to_string())?;
    let flow = json!({"bellwether": 1, "name": "approval-mail"});
    db.put(
        "flow",
        "approval-mail",
        Some(0),
        flow,
        "admin(local)",
        at(0),
    )
    .await
    .map_err(|e| e.to_string())?;
    db.projected().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let db = open(&format!("sqlite:{path}")).map_err(|e| e.to_string())?;
    fill(&db).await?;
    db.close();
    Ok(())
}
