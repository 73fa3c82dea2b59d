//! Measures what a simple event costs the store: an arrival with one turn and one started effect,
//! later its outcome. Prints µs of CPU per thread, rows and bytes per event.
//!
//! `cargo run --release -p bellwether-store --example commit_rate [-- EVENTS [TASKS [URL]]]`

#![expect(clippy::print_stdout, reason = "a measurement prints its result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bellwether_engine::store::{
    CellStatus, EffectState, EffectUpdate, EffectWrite, EventWrite, Member, Owner, Store,
    TurnWrite, Verdict, Views,
};
use bellwether_model::connector::Role;
use bellwether_model::event::NewEvent;
use bellwether_model::id::Id;
use bellwether_model::notification::Delivery;
use bellwether_model::time::Time;
use bellwether_store::{Database, open};
use serde_json::{Value, json};

const OWNER: Owner = Owner(Id([1; 16]));

fn arrival(n: u64, data: &Value) -> Member {
    let at = Time::from_millis(1_772_445_600_000 + i64::try_from(n / 10).unwrap_or(0));
    let cell = Id::derive(at, &[b"cell", &n.to_be_bytes()]);
    let effect = EffectWrite {
        id: effect_id(n),
        role: Role::Push,
        lane: "phones".to_owned(),
        order_key: None,
        person: Some(format!("p-{}", n % 500)),
        state: EffectState::Started,
        owner: Some(OWNER),
        not_before: None,
        expires_at: Some(at),
        cancel_key: None,
        reports: false,
        args: Arc::from(
            json!({"v": 1, "to": format!("p-{}", n % 500), "title": format!("Approve {n}?"),
                "body": "12 500,00 EUR to Contoso Ltd, due on Friday. Tap to see the invoice.",
                "link": "{{link:view}}", "category": "approval", "ttl": 3600, "priority": "high"})
            .to_string(),
        ),
        reason: None,
        at,
    };
    let turn = TurnWrite {
        cell,
        program: "hook-to-push".to_owned(),
        program_hash: [9; 16],
        key: format!("order-{n}"),
        keyed: false,
        epoch: 1,
        expects: 0,
        opened_by: None,
        status: CellStatus::Closed,
        state: br#"{"v":1,"ended":"stop"}"#.to_vec(),
        at,
        body: format!(
            r#"{{"v":1,"input":"event","steps":[{{"id":"push","effect":"{}"}}],{}}}"#,
            effect.id, r#""flow_set":3,"directory":4"#
        )
        .into_bytes(),
        consumes: Vec::new(),
        timers: Vec::new(),
        aliases: Vec::new(),
        effects: vec![effect],
        cancels: Vec::new(),
        items: Vec::new(),
        counters: Vec::new(),
    };
    Member {
        arrival: Some(EventWrite {
            event: NewEvent::new("hook", format!("order-{n}"), "shop.order", at, Value::Null),
            text: data.to_string(),
            received_at: at,
            flow_set: 3,
            directory: 4,
            matched: 1,
        }),
        turns: vec![turn],
        ..Member::default()
    }
}

fn effect_id(n: u64) -> Id {
    let at = Time::from_millis(1_772_445_600_000 + i64::try_from(n / 10).unwrap_or(0));
    Id::derive(at, &[b"effect", &n.to_be_bytes()])
}

fn outcome(n: u64) -> Member {
    Member {
        effects: vec![EffectUpdate::Done {
            id: effect_id(n),
            attempt: 1,
            owner: OWNER,
            delivery: Delivery::Accepted,
            reference: Some(format!("msg-{n:08}")),
            aliases: Vec::new(),
            at: Time::from_millis(1_772_445_700_000),
        }],
        ..Member::default()
    }
}

/// A payload of about 450 bytes.
fn data() -> Value {
    json!({"order": {"number": "A-10293", "amount": {"minor": 1_250_000, "currency": "EUR"},
        "customer": {"name": "Contoso Ltd", "mail": "orders@contoso.example", "country": "DE"},
        "lines": [{"sku": "K-1", "n": 3, "text": "Bearing 40 mm"},
                  {"sku": "K-2", "n": 1, "text": "Housing, grey, left"},
                  {"sku": "K-9", "n": 12, "text": "Screw M8 x 40, zinc"}],
        "note": "Please deliver to gate 4 before noon and call the warehouse on arrival."}})
}

/// Microseconds that each named thread of the store has run on a processor.
fn threads() -> Vec<(String, f64)> {
    let mut found = Vec::new();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return found;
    };
    for task in tasks.flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name));
        let (Ok(name), Ok(stat)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let ns: f64 = stat
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0.0);
        found.push((name.trim().to_owned(), ns / 1000.0));
    }
    found
}

/// Takes numbers from one counter, so that ids grow with time as they do in service.
async fn task(db: Arc<Database>, next: Arc<AtomicU64>, events: u64) {
    let data = data();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= events {
            return;
        }
        for member in [arrival(n, &data), outcome(n)] {
            let verdict = db.commit(vec![member]).await;
            assert!(matches!(verdict[0], Verdict::Done(_)), "{verdict:?}");
        }
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, or: u64| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(or);
    let (events, tasks) = (number(0, 100_000), number(1, 64));
    let dir = tempfile::tempdir().expect("a folder for the database");
    let file = format!("sqlite:{}", dir.path().join("rate.db").display());
    let urls = match args.get(2) {
        Some(url) => vec![url.clone()],
        None => vec!["sqlite::memory:".to_owned(), file],
    };
    for url in urls {
        measure(&url, events, tasks).await;
    }
}

async fn measure(url: &str, events: u64, tasks: u64) {
    let db = Arc::new(open(url).expect("the database opens"));
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| tokio::spawn(task(db.clone(), next.clone(), events)))
        .collect();
    for one in running {
        one.await.expect("a task ends well");
    }
    let wall = begun.elapsed();
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    let per = |n: u64| n as f64 / f64::from(events);
    let at_end = threads();
    let lag = db.overview().await.map(|o| o.lag_ms).unwrap_or(0);
    let behind = Instant::now();
    db.projected().await;
    println!("{url}: {events} events of two commits by {tasks} tasks");
    println!("  {:.0} events/s", f64::from(events) / wall.as_secs_f64());
    for (name, us) in at_end.iter().filter(|(name, _)| name.starts_with("store")) {
        println!(
            "  {name}: {:.1} µs of CPU per event",
            us / f64::from(events)
        );
    }
    let all: f64 = at_end.iter().map(|(_, us)| us).sum();
    println!(
        "  all threads: {:.1} µs of CPU per event",
        all / f64::from(events)
    );
    let stats = db.stats().await;
    println!(
        "  {:.2} rows per event, {:.2} more by the projector; {:.1} units per commit, at most {}",
        per(stats.rows),
        per(stats.projected_rows),
        stats.units as f64 / stats.commits as f64,
        stats.largest_batch
    );
    println!("  {:.0} bytes per event", per(stats.bytes));
    println!(
        "  lists were {lag} ms behind and caught up in {:?}",
        behind.elapsed()
    );
    db.close();
}
