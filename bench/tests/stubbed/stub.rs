//! A stub of the server, durable in the simplest way, for testing the bench itself. Its name tells
//! what it does wrong: `honest` nothing, `lossy` accepts before it commits, `forgetful` forgets its
//! attempts after a crash, `doubling` takes repeated events as new.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How many pushes are on the way at a time.
const WINDOW: i64 = 32;
/// How many may wait before new events are told to come later.
const WAITING_MAX: i64 = 200;

struct Stub {
    database: Mutex<Connection>,
    wake: Notify,
    waiting: AtomicI64,
    sink: String,
    lossy: bool,
    promised: Mutex<HashSet<String>>,
    doubling: bool,
}

/// Serves until it is killed.
pub(crate) async fn serve(name: &str, config: &Path) {
    let text = std::fs::read_to_string(config).unwrap();
    let setup = std::fs::read_to_string(config.with_file_name("setup.yaml")).unwrap();
    let line = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap()
            .to_owned()
    };
    let sink = setup
        .split_once("base_url: \"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let database = open(&line("database: sqlite:"), name == "forgetful");
    let stub = Arc::new(Stub {
        database: Mutex::new(database),
        wake: Notify::new(),
        waiting: AtomicI64::default(),
        sink: sink.to_owned(),
        lossy: name == "lossy",
        promised: Mutex::default(),
        doubling: name == "doubling",
    });
    let console = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/live", get(std::future::pending::<StatusCode>))
        .route("/api/events", get(events))
        .route("/api/notifications", get(notifications))
        .with_state(Arc::clone(&stub));
    let public = Router::new()
        .route("/hooks/orders", post(hook))
        .with_state(Arc::clone(&stub));
    let listen = TcpListener::bind(line("listen: ")).await.unwrap();
    let hooks = TcpListener::bind(line("public: ")).await.unwrap();
    tokio::spawn(dispatch(stub));
    tokio::spawn(async move { axum::serve(listen, console).await });
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({"ready": true, "pid": std::process::id()})).unwrap();
    out.flush().unwrap();
    axum::serve(hooks, public).await.unwrap();
}

fn open(path: &str, forgetful: bool) -> Connection {
    let database = Connection::open(path).unwrap();
    // A killed process loses nothing that it has written, so the stub may go without fsync.
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE IF NOT EXISTS event (pos INTEGER PRIMARY KEY, id TEXT);
             CREATE INDEX IF NOT EXISTS event_id ON event (id);
             CREATE TABLE IF NOT EXISTS effect
               (pos INTEGER PRIMARY KEY, id TEXT, attempts INTEGER, state TEXT, owner TEXT);
             CREATE INDEX IF NOT EXISTS effect_state ON effect (state);",
        )
        .unwrap();
    say_what_was_in_flight(&database);
    let attempts = if forgetful { "0" } else { "attempts" };
    let again = format!(
        "UPDATE effect SET attempts = {attempts}, state = 'queued' WHERE state = 'started'"
    );
    database.execute(&again, []).unwrap();
    database
}

/// The log lines about attempts that an earlier process began.
fn say_what_was_in_flight(database: &Connection) {
    let line = |row: &rusqlite::Row<'_>| {
        let (id, attempt): (String, i64) = (row.get(0)?, row.get(1)?);
        let owner: String = row.get(2)?;
        let fields = json!({"effect.id": note(&id), "attempt": attempt, "owner": owner});
        Ok(json!({ "fields": fields }))
    };
    let mut found = database
        .prepare("SELECT id, attempts, owner FROM effect WHERE state = 'started'")
        .unwrap();
    for line in found.query_map([], line).unwrap() {
        eprintln!("{}", line.unwrap());
    }
}

/// The id of an event's notification.
fn note(id: &str) -> String {
    format!("n-{id}")
}

async fn hook(State(stub): State<Arc<Stub>>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    if stub.waiting.load(Ordering::Relaxed) > WAITING_MAX {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Value::Null));
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    if stub.lossy {
        let duplicate = !stub.promised.lock().unwrap().insert(id.clone());
        let (stub, later) = (Arc::clone(&stub), id.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            record(&stub, &later);
        });
        return (
            StatusCode::ACCEPTED,
            Json(json!({"id": id, "duplicate": duplicate})),
        );
    }
    let duplicate = record(&stub, &id);
    (
        StatusCode::ACCEPTED,
        Json(json!({"id": id, "duplicate": duplicate})),
    )
}

fn record(stub: &Stub, id: &str) -> bool {
    let mut database = stub.database.lock().unwrap();
    let turn = database.transaction().unwrap();
    let known: i64 = turn
        .query_row("SELECT count(*) FROM event WHERE id = ?1", [id], |row| {
            row.get(0)
        })
        .unwrap();
    if known > 0 && !stub.doubling {
        return true;
    }
    turn.execute("INSERT INTO event (id) VALUES (?1)", [id])
        .unwrap();
    turn.execute(
        "INSERT INTO effect (id, attempts, state) VALUES (?1, 0, 'queued')",
        [id],
    )
    .unwrap();
    turn.commit().unwrap();
    stub.waiting.fetch_add(1, Ordering::Relaxed);
    stub.wake.notify_one();
    false
}

async fn dispatch(stub: Arc<Stub>) {
    let http = reqwest::Client::builder().build().unwrap();
    loop {
        let claimed = claim(&stub);
        if claimed.is_empty() {
            stub.wake.notified().await;
            continue;
        }
        let mut sending = tokio::task::JoinSet::new();
        for (pos, id) in claimed {
            let push = http
                .post(format!("{}/mra/v1/utils/parser", stub.sink))
                .body(envelope(&id));
            sending.spawn(async move { (pos, push.send().await.is_ok()) });
        }
        while let Some(sent) = sending.join_next().await {
            let (pos, ok) = sent.unwrap();
            let state = if ok { "done" } else { "failed" };
            stub.waiting.fetch_sub(1, Ordering::Relaxed);
            let database = stub.database.lock().unwrap();
            database
                .execute(
                    "UPDATE effect SET state = ?2 WHERE pos = ?1",
                    params![pos, state],
                )
                .unwrap();
        }
    }
}

fn claim(stub: &Stub) -> Vec<(i64, String)> {
    let mut database = stub.database.lock().unwrap();
    let turn = database.transaction().unwrap();
    let claimed: Vec<(i64, String)> = turn
        .prepare("SELECT pos, id FROM effect WHERE state = 'queued' LIMIT ?1")
        .unwrap()
        .query_map([WINDOW], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (pos, _) in &claimed {
        let start = "UPDATE effect SET attempts = attempts + 1, state = 'started', owner = ?2
                     WHERE pos = ?1";
        turn.execute(start, params![pos, std::process::id().to_string()])
            .unwrap();
    }
    turn.commit().unwrap();
    claimed
}

fn envelope(id: &str) -> String {
    let inner = json!({"message": {"notification": {"title": format!("{id} from Huber")},
        "data": {"notification": note(id)}}});
    let data = STANDARD.encode(inner.to_string());
    json!({"domain": "MR", "filename": "push.json", "data": data}).to_string()
}

async fn metrics(State(stub): State<Arc<Stub>>) -> String {
    let database = stub.database.lock().unwrap();
    let count = |sql: &str| {
        database
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let events = count("SELECT count(*) FROM event");
    let waiting = count("SELECT count(*) FROM effect WHERE state IN ('queued', 'started')");
    let done = count("SELECT count(*) FROM effect WHERE state IN ('done', 'failed')");
    format!(
        "bellwether_events_total {events}\nbellwether_outcomes_total {done}\n\
         bellwether_effects_outstanding {waiting}\nbellwether_store_commits_total {events}\n\
         bellwether_store_members_total {events}\nbellwether_store_rows_changed_total {done}\n"
    )
}

#[derive(Deserialize)]
struct Pages {
    after: Option<i64>,
    limit: i64,
}

async fn events(State(stub): State<Arc<Stub>>, Query(pages): Query<Pages>) -> Json<Value> {
    let row = |row: &rusqlite::Row<'_>| {
        let (pos, id): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok((pos, json!({"position": pos, "id": id})))
    };
    page(&stub, "SELECT pos, id FROM event", &pages, row)
}

async fn notifications(State(stub): State<Arc<Stub>>, Query(pages): Query<Pages>) -> Json<Value> {
    let row = |row: &rusqlite::Row<'_>| {
        let (pos, id): (i64, String) = (row.get(0)?, row.get(1)?);
        let (attempts, state): (i64, String) = (row.get(2)?, row.get(3)?);
        let title = format!("{id} from Huber");
        Ok((
            pos,
            json!({"id": note(&id), "title": title, "attempts": attempts, "state": state}),
        ))
    };
    page(
        &stub,
        "SELECT pos, id, attempts, state FROM effect",
        &pages,
        row,
    )
}

fn page(
    stub: &Stub,
    select: &str,
    pages: &Pages,
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<(i64, Value)>,
) -> Json<Value> {
    let database = stub.database.lock().unwrap();
    let sql = format!("{select} WHERE pos > ?1 ORDER BY pos LIMIT ?2");
    let rows: Vec<(i64, Value)> = database
        .prepare(&sql)
        .unwrap()
        .query_map(params![pages.after.unwrap_or(0), pages.limit], row)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let full = i64::try_from(rows.len()).unwrap() == pages.limit;
    let next = rows.last().filter(|_| full).map(|(pos, _)| pos.to_string());
    let items: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    Json(json!({"total": items.len(), "items": items, "next": next}))
}
