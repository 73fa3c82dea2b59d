//! What only SQLite promises: budgets of rows and index entries, files, and that databases of older
//! releases open.

use std::path::Path;
use std::time::{Duration, Instant};

use bellwether_engine::store::{
    CellRef, CellStatus, EffectState, EffectUpdate, EventQuery, EventRef, InletStep, ListQuery,
    Member, Registry, Rewrite, Store, Views,
};
use bellwether_model::event::Alias;
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_store::{Database, OpenError, open};
use rusqlite::Connection;

use crate::conformance::make::*;

fn open_at(path: &Path) -> Database {
    open(&format!("sqlite:{}", path.display())).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A simple event: an arrival, the turn that opens and closes its cell, one effect born started.
fn simple(n: i64) -> Member {
    let key = format!("k{n}");
    let mut member = arriving(n, &key);
    member.turns[0].keyed = false;
    member.turns[0].status = CellStatus::Closed;
    let mut effect = push(n, &key);
    effect.state = EffectState::Started;
    effect.owner = Some(us());
    member.turns[0].effects.push(effect);
    member
}

fn outcome(n: i64) -> Member {
    Member {
        effects: vec![EffectUpdate::Done {
            id: effect_id(n, &format!("k{n}")),
            attempt: 1,
            owner: us(),
            delivery: Delivery::Accepted,
            reference: Some("msg-1".into()),
            aliases: Vec::new(),
            at: at(n + 1),
        }],
        ..Member::default()
    }
}

#[test]
fn a_simple_event_changes_at_most_six_rows() {
    const BATCH: i64 = 16;
    block_on(async {
        let db = open("sqlite::memory:").unwrap();
        // The first event brings the words of its connection, type and flow.
        for members in [vec![simple(0)], vec![outcome(0)]] {
            done(&db.commit(members).await[0]);
        }
        let before = db.stats().await;
        let batch: Vec<Member> = (1..=BATCH).map(simple).collect();
        db.commit(batch).await.iter().for_each(|v| drop(done(v)));
        let batch: Vec<Member> = (1..=BATCH).map(outcome).collect();
        db.commit(batch).await.iter().for_each(|v| drop(done(v)));
        let after = db.stats().await;
        let rows = (after.rows - before.rows) as f64 / BATCH as f64;
        println!("{rows} rows per simple event, over both commits, in batches of {BATCH}");
        assert!(rows <= 6.0, "{rows}");
    });
}

/// Index entries that a simple event writes and removes, counted from the schema: the indexes of
/// the tables that it touches, and whether their conditions hold for its rows.
#[test]
fn a_simple_event_writes_at_most_three_index_entries() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.db");
    block_on(async {
        let db = open_at(&path);
        done(&db.commit(vec![simple(0)]).await[0]);
        db.close();
    });
    let conn = Connection::open(&path).unwrap();
    let mut entries = 0;
    for table in ["seen", "event", "cell", "effect", "change"] {
        let mut indexes = conn
            .prepare(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1
                 AND sql IS NOT NULL",
            )
            .unwrap();
        let rows = indexes.query_map([table], |r| Ok((r.get(0)?, r.get(1)?)));
        for row in rows.unwrap() {
            let (name, sql): (String, String) = row.unwrap();
            let condition = sql.split_once("WHERE").map_or("1", |(_, c)| c);
            let counted = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let holds: i64 = conn.query_row(&counted, [], |r| r.get(0)).unwrap();
            // Written by the first commit; the second removes it, since `done` leaves the index.
            println!("{name}: {holds} written, {holds} removed");
            entries += 2 * holds;
        }
    }
    assert!((1..=3).contains(&entries), "{entries}");
}

#[test]
fn a_database_in_memory_opens_at_once_and_is_alone() {
    block_on(async {
        drop(open("sqlite::memory:").unwrap());
        let fastest = (0..10)
            .map(|_| {
                let begun = Instant::now();
                drop(open("sqlite::memory:").unwrap());
                begun.elapsed()
            })
            .min()
            .unwrap();
        println!("opened in {fastest:?}");
        assert!(fastest < Duration::from_millis(20), "{fastest:?}");
        let (a, b) = (
            open("sqlite::memory:").unwrap(),
            open("sqlite::memory:").unwrap(),
        );
        done(&a.commit(vec![simple(0)]).await[0]);
        done(&b.commit(vec![simple(0)]).await[0]);
    });
}

#[test]
fn a_second_opener_of_one_file_is_refused_by_name_until_the_first_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.db");
    let url = format!("sqlite:{}", path.display());
    let first = open_at(&path);
    let error = open(&url).unwrap_err();
    let expected = OpenError::InUse {
        file: path.clone(),
        process: Some(std::process::id()),
    };
    assert_eq!(error, expected);
    let said = error.to_string();
    let us = format!("in use by process {}", std::process::id());
    assert!(said.contains(&us) && said.contains("twice"), "{said}");
    // Whoever only reads is not in the way.
    let conn = Connection::open(&path).unwrap();
    let events: i64 = conn
        .query_row("SELECT count(*) FROM event", [], |r| r.get(0))
        .unwrap();
    assert_eq!(events, 0);
    drop(conn);
    first.close();
    // A lock file that a crash left behind stops nobody.
    std::fs::write(dir.path().join("record.db.lock"), "4711\n").unwrap();
    open(&url).unwrap().close();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_may_read_a_database_and_what_stands_beside_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a/b");
    let path = folder.join("record.db");
    let files = [
        "record.db",
        "record.db-wal",
        "record.db-shm",
        "record.db.lock",
    ];
    let db = open_at(&path);
    assert_eq!(mode(&folder), 0o700);
    for name in files {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    db.close();
    // What an earlier release left readable is taken back.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let db = open_at(&path);
    for name in files {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    db.close();
}

#[test]
fn unknown_addresses_and_foreign_files_are_refused() {
    for url in ["postgres://x", "record.db", "sqlite:", ""] {
        let error = open(url).unwrap_err();
        assert!(matches!(error, OpenError::Scheme(_)), "{url}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("notes.txt");
    std::fs::write(
        &text,
        "This is a text of more than a few bytes. ".repeat(200),
    )
    .unwrap();
    let error = open(&format!("sqlite:{}", text.display())).unwrap_err();
    assert!(matches!(error, OpenError::Failed(_)), "{error}");
    let foreign = dir.path().join("foreign.db");
    let conn = Connection::open(&foreign).unwrap();
    conn.execute_batch("CREATE TABLE customers (name TEXT)")
        .unwrap();
    drop(conn);
    let error = open(&format!("sqlite:{}", foreign.display())).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    let nowhere = text.join("x.db");
    let error = open(&format!("sqlite:{}", nowhere.display())).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
}

#[test]
fn a_newer_schema_is_refused_with_the_release_that_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.db");
    open_at(&path).close();
    let conn = Connection::open(&path).unwrap();
    conn.execute("INSERT INTO schema_version VALUES (7, '0.9.2')", [])
        .unwrap();
    drop(conn);
    let error = open(&format!("sqlite:{}", path.display())).unwrap_err();
    let expected = OpenError::TooNew {
        found: 7,
        known: 6,
        release: "0.9.2".into(),
    };
    assert_eq!(error, expected);
    let said = error.to_string();
    assert!(
        said.contains("newer build") && said.contains("0.9.2"),
        "{said}"
    );
    assert!(said.contains("before-schema"), "{said}");
}

#[test]
fn a_file_has_the_settings_that_cannot_be_changed_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.db");
    open_at(&path).close();
    let conn = Connection::open(&path).unwrap();
    let pragma = |name: &str| -> String {
        conn.query_row(&format!("PRAGMA {name}"), [], |r| {
            r.get::<_, rusqlite::types::Value>(0)
                .map(|v| format!("{v:?}"))
        })
        .unwrap()
    };
    assert_eq!(pragma("auto_vacuum"), "Integer(2)");
    assert_eq!(pragma("page_size"), "Integer(8192)");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
}

/// A database of the first release opens, migrates and can be read and driven on.
#[test]
fn a_database_of_format_1_opens_and_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("format-1.db");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1.db");
    std::fs::copy(fixture, &path).unwrap();
    block_on(async {
        let db = open_at(&path);
        let all = ListQuery {
            limit: 100,
            ..ListQuery::default()
        };
        let runs = db.runs(all.clone()).await.unwrap();
        assert_eq!((runs.total, runs.items.len()), (10, 10));
        for run in &runs.items {
            let detail = db.run(run.id).await.unwrap().unwrap();
            assert_eq!(detail.journal.len() as u64, run.turns);
            assert_eq!(detail.effects.len(), 1);
            let opened = detail.opened_by.unwrap().envelope;
            assert_eq!(opened.aliases[0].space, "thread");
            let found = db.resolve(&opened.aliases).await.unwrap();
            assert_eq!(found, [Some(run.id)]);
        }
        let closed: Vec<_> = runs.items.iter().filter(|r| r.status == "closed").collect();
        assert_eq!((closed.len(), closed[0].turns), (1, 4));
        fixture_effects(&db, all).await;
        fixture_rest(&db).await;
        db.close();
    });
}

async fn fixture_effects(db: &Database, all: ListQuery) {
    let notices = db.notifications(all).await.unwrap();
    let count = |word: &str| notices.items.iter().filter(|n| n.state == word).count();
    assert_eq!(notices.total, 10);
    assert_eq!(
        (count("queued"), count("held"), count("started")),
        (3, 2, 1)
    );
    assert_eq!(
        (count("done"), count("failed"), count("cancelled")),
        (1, 1, 1)
    );
    let done = notices.items.iter().find(|n| n.state == "done").unwrap();
    assert_eq!(done.engagement, Engagement::Acted);
    assert_eq!(done.title, "Approve thread-2?");
    let found = db.resolve(&[Alias::new("notification", "msg-2")]).await;
    assert_eq!(found.unwrap(), [Some(done.run)]);
}

async fn fixture_rest(db: &Database) {
    let events = Views::events(
        db,
        EventQuery {
            limit: 100,
            ..EventQuery::default()
        },
    );
    let events = events.await.unwrap();
    assert_eq!((events.total, events.items.len()), (11, 11));
    let first = EventRef::At(events.items[0].position);
    let read = Store::events(db, &[first]).await.unwrap();
    assert_eq!(read[0].as_ref(), events.items.first());
    let ready = db.ready(at(100_000), 100).await.unwrap();
    assert_eq!((ready.cells.len(), ready.unrouted.len()), (9, 1));
    let ledger = db.ledger("approvals").await.unwrap();
    assert_eq!(
        (ledger.received, ledger.matched, ledger.pending),
        (10, 10, 2)
    );
    assert_eq!(ledger.cursor.as_deref(), Some("history-77"));
    let look = db.inlet("approvals", InletStep::Pending { limit: 9 }).await;
    assert_eq!(look.unwrap().pending.len(), 2);
    let flow = db.get("flow", "approval-mail").await.unwrap().unwrap();
    assert_eq!(flow.body["bellwether"], 1);
    // It is not only readable: a waiting cell takes its next turn.
    let open = CellRef::Latest {
        program: "approval-mail".into(),
        key: "thread-0".into(),
    };
    let cell = db.load(&[open]).await.unwrap().remove(0).unwrap();
    let mut write = next(&opening(0, "x"), cell.version, 99);
    write.cell = cell.cell;
    done(&db.commit(vec![turn(write)]).await[0]);
}

/// What was written anew is in no file afterwards, and the rest of the record is untouched.
#[test]
fn a_scrub_leaves_no_byte_of_what_was_written_anew() {
    const OLD: &str = "what must not stay as it was";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.db");
    let holds = || {
        std::fs::read_dir(dir.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(OLD.len()).any(|part| part == OLD.as_bytes())
        })
    };
    block_on(async {
        let db = open_at(&path);
        let bodies: Vec<_> = (0..60)
            .map(|n| format!("{OLD}{}", "x".repeat(n * 151)))
            .collect();
        for body in bodies {
            let put = db.put("setting", "note", None, body.into(), "test", at(0));
            put.await.unwrap();
        }
        done(&db.commit(vec![simple(0)]).await[0]);
        let seen = db.history("setting", "note", 100).await.unwrap();
        let anew = |seen| Rewrite {
            seen,
            body: "new".into(),
        };
        let changes = seen.into_iter().map(anew).collect();
        db.rewrite(changes, "write anew", "test", at(1))
            .await
            .unwrap();
        assert!(holds(), "the test can fail");
        assert_eq!(db.scrub().await, Ok(true));
        assert!(!holds(), "while it is open");
        done(&db.commit(vec![simple(1)]).await[0]);
        db.projected().await;
        assert_eq!(db.overview().await.unwrap().events, 2);
        db.close();
        assert!(!holds(), "after it was closed");
    });
    let conn = Connection::open(&path).unwrap();
    let pragma = |name: &str| -> i64 { conn.pragma_query_value(None, name, |r| r.get(0)).unwrap() };
    assert_eq!((pragma("auto_vacuum"), pragma("page_size")), (2, 8192));
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}
