//! Documents: versions without holes, conflicts, removal, and an audit chain to be checked.

use bellwether_engine::store::{Document, RegistryError, Rewrite};
use bellwether_store::audit_hash;
use serde_json::{Value, json};

use super::make::*;
use super::{Everything, each};

async fn put(
    db: &dyn Everything,
    name: &str,
    expected: Option<u64>,
    body: Value,
) -> Result<u64, RegistryError> {
    db.put("flow", name, expected, body, "admin(local)", at(1))
        .await
}

#[test]
fn versions_grow_without_holes_and_the_latest_is_read() {
    each(|db| async move {
        assert_eq!(db.get("flow", "a").await.unwrap(), None);
        assert_eq!(put(&*db, "a", Some(0), json!({"n": 1})).await, Ok(1));
        assert_eq!(put(&*db, "a", Some(1), json!({"n": 2})).await, Ok(2));
        assert_eq!(put(&*db, "a", Some(2), json!({"n": 2})).await, Ok(2));
        assert_eq!(put(&*db, "a", None, json!({"n": 3})).await, Ok(3));
        let latest = db.get("flow", "a").await.unwrap().unwrap();
        assert_eq!((latest.version, latest.body), (3, json!({"n": 3})));
        assert_eq!((latest.actor.as_str(), latest.at), ("admin(local)", at(1)));
        let history = db.history("flow", "a", 2).await.unwrap();
        let versions: Vec<u64> = history.iter().map(|d| d.version).collect();
        assert_eq!(versions, [3, 2]);
    });
}

#[test]
fn who_has_not_seen_the_latest_version_is_refused() {
    each(|db| async move {
        put(&*db, "a", Some(0), json!(1)).await.unwrap();
        put(&*db, "a", Some(1), json!(2)).await.unwrap();
        let conflict = RegistryError::Conflict {
            kind: "flow".into(),
            name: "a".into(),
            expected: 1,
            found: 2,
        };
        assert_eq!(put(&*db, "a", Some(1), json!(3)).await, Err(conflict));
        assert!(put(&*db, "a", Some(0), json!(3)).await.is_err());
        assert_eq!(db.get("flow", "a").await.unwrap().unwrap().body, json!(2));
    });
}

#[test]
fn a_removed_document_is_gone_from_lists_and_may_come_back() {
    each(|db| async move {
        for name in ["b", "a", "c"] {
            put(&*db, name, Some(0), json!({"of": name})).await.unwrap();
        }
        assert_eq!(put(&*db, "b", Some(1), Value::Null).await, Ok(2));
        assert_eq!(db.get("flow", "b").await.unwrap(), None);
        let listed = db.list("flow").await.unwrap();
        let names: Vec<&str> = listed.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(db.names("flow").await.unwrap(), ["a", "b", "c"]);
        assert_eq!(db.list("setting").await.unwrap(), vec![]);
        assert_eq!(put(&*db, "b", Some(0), json!("back")).await, Ok(3));
        assert_eq!(db.history("flow", "b", 9).await.unwrap().len(), 3);
        // Removing what is not there is no version.
        assert_eq!(put(&*db, "never", None, Value::Null).await, Ok(0));
    });
}

#[test]
fn writers_at_the_same_time_get_one_version_each() {
    each(|db| async move {
        let mut tasks = Vec::new();
        for n in 0..20 {
            let db = db.clone();
            tasks.push(tokio::spawn(async move {
                put(&*db, "a", None, json!(n)).await.unwrap()
            }));
        }
        let mut versions = Vec::new();
        for task in tasks {
            versions.push(task.await.unwrap());
        }
        versions.sort_unstable();
        assert_eq!(versions, (1..=20).collect::<Vec<u64>>());
    });
}

#[test]
fn the_audit_chain_can_be_recomputed_and_keeps_bodies_out() {
    each(|db| async move {
        put(&*db, "a", None, json!({"n": 1})).await.unwrap();
        put(&*db, "a", None, json!({"n": 1})).await.unwrap();
        put(&*db, "a", None, Value::Null).await.unwrap();
        let secret = json!({"sealed": "hunter2"});
        db.put("secret", "gmail", None, secret, "p-anna", at(3))
            .await
            .unwrap();
        let rows = db.audit(0, 10).await.unwrap();
        let what: Vec<&str> = rows.iter().map(|r| r.what.as_str()).collect();
        assert_eq!(
            what,
            ["put flow a v1", "remove flow a v2", "put secret gmail v1"]
        );
        assert_eq!(rows[2].actor, "p-anna");
        let mut previous = String::new();
        for (n, row) in (1..).zip(&rows) {
            assert_eq!(row.number, n);
            assert_eq!(row.hash, audit_hash(&previous, row));
            assert_eq!(row.hash.len(), 64);
            previous = row.hash.clone();
        }
        let mut forged = rows[1].clone();
        forged.actor = "p-bob".into();
        assert_ne!(forged.hash, audit_hash(&rows[0].hash, &forged));
        assert_eq!(db.audit(2, 10).await.unwrap(), rows[2..]);
        assert_eq!(db.audit(0, 1).await.unwrap(), rows[..1]);
    });
}

async fn versions(db: &dyn Everything, after: (&str, u64), limit: usize) -> Vec<(String, u64)> {
    let page = db.versions("flow", after, limit).await.unwrap();
    page.into_iter().map(|d| (d.name, d.version)).collect()
}

#[test]
fn every_version_is_listed_in_pages_removed_ones_too() {
    each(|db| async move {
        for n in 0..3 {
            for name in ["b", "a"] {
                put(&*db, name, None, json!(n)).await.unwrap();
            }
        }
        put(&*db, "b", None, Value::Null).await.unwrap();
        let all = versions(&*db, ("", 0), 100).await;
        let of = |name: &str, n| {
            (1..=n)
                .map(move |v| (name.to_owned(), v))
                .collect::<Vec<_>>()
        };
        assert_eq!(all, [of("a", 3), of("b", 4)].concat());
        assert_eq!(versions(&*db, ("", 0), 2).await, all[..2]);
        assert_eq!(versions(&*db, ("a", 2), 2).await, all[2..4]);
        assert_eq!(versions(&*db, ("b", 4), 2).await, []);
    });
}

fn rewriting(seen: &Document, body: Value) -> Rewrite {
    Rewrite {
        seen: seen.clone(),
        body,
    }
}

#[test]
fn bodies_are_written_anew_all_or_none_with_one_audit_row() {
    each(|db| async move {
        for n in 0..3 {
            put(&*db, "a", None, json!({ "n": n })).await.unwrap();
        }
        assert_eq!(db.scrub().await, Ok(false), "nothing was written anew");
        let seen = db.history("flow", "a", 9).await.unwrap();
        let changes = vec![
            rewriting(&seen[2], json!("first")),
            rewriting(&seen[1], json!("second")),
        ];
        let done = db.rewrite(changes.clone(), "tidy two", "server", at(9));
        assert_eq!(done.await, Ok(()));
        let now = db.history("flow", "a", 9).await.unwrap();
        let bodies: Vec<&Value> = now.iter().map(|d| &d.body).collect();
        assert_eq!(
            bodies,
            [&json!({ "n": 2 }), &json!("second"), &json!("first")]
        );
        // Who wrote a version, and when, stays as it was.
        assert_eq!(
            (now[2].version, now[2].actor.as_str(), now[2].at),
            (1, "admin(local)", at(1))
        );
        // The second of these is no longer as it was seen, so the first stays too.
        let stale = vec![rewriting(&now[2], json!("x")), changes[1].clone()];
        assert!(db.rewrite(stale, "never", "server", at(9)).await.is_err());
        assert_eq!(db.history("flow", "a", 9).await.unwrap(), now);
        let rows = db.audit(3, 10).await.unwrap();
        assert_eq!((rows.len(), rows[0].what.as_str()), (1, "tidy two"));
        assert_eq!(rows[0].actor, "server");
        let before = db.audit(2, 1).await.unwrap();
        assert_eq!(rows[0].hash, audit_hash(&before[0].hash, &rows[0]));
        assert_eq!(db.scrub().await, Ok(true));
        assert_eq!(db.scrub().await, Ok(false), "once is enough");
        assert_eq!(
            db.rewrite(Vec::new(), "nothing", "server", at(9)).await,
            Ok(())
        );
        assert_eq!(db.audit(4, 10).await.unwrap(), []);
        assert_eq!(db.history("flow", "a", 9).await.unwrap(), now);
    });
}
