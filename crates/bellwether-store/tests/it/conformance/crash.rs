//! What is there after the process ended without saying so: everything that was answered, and
//! nothing by halves.

use std::path::{Path, PathBuf};

use bellwether_engine::store::{EventRef, ListQuery, Store, Verdict};

use super::make::*;
use super::{Everything, each_lasting, load, one};

/// Copies a database's files as they are on disk this moment, which is what a crash leaves.
fn as_after_a_crash(path: &Path) -> PathBuf {
    let copy = path.join("crashed");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        // The shared-memory index belongs to the process that died and is made anew.
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && !name.ends_with("-shm") {
            std::fs::copy(entry.path(), copy.join(name)).unwrap();
        }
    }
    copy
}

async fn fill(db: &dyn Everything) {
    for n in 0..40 {
        let mut member = arriving(n, &format!("k{n}"));
        member.turns[0].effects.push(push(n, &format!("k{n}")));
        member.turns[0].timers = vec![("remind".into(), Some(at(100 + n)))];
        done(&one(db, member).await);
    }
}

async fn is_whole(db: &dyn Everything) {
    for n in 0..40 {
        let key = format!("k{n}");
        let cell = load(db, cell(n, &key)).await.unwrap();
        assert_eq!((cell.version, cell.timers.len()), (1, 1));
        assert_eq!(cell.opened_by.unwrap().envelope.id, key);
        assert_eq!(super::effect(db, effect_id(n, &key)).await.cell, cell.cell);
    }
    let (due, _) = db.due_effects("phones", at(99), 100, None).await.unwrap();
    assert_eq!(due.len(), 40);
}

#[test]
fn what_was_answered_is_there_after_a_crash() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        fill(&*db).await;
        let copy = as_after_a_crash(&path);
        let after = backend.open(&copy);
        is_whole(&*after).await;
        // The survivor goes on where it was: repeats are recognised, positions grow.
        let again = one(&*after, arriving(3, "k3")).await;
        assert!(matches!(again, Verdict::Duplicate { .. }));
        let position = done(&one(&*after, arriving(50, "new")).await)[0];
        let before = done(&one(&*db, arriving(39, "last")).await)[0];
        assert_eq!(position, before, "both go on from the same place");
    });
}

#[test]
fn a_dropped_database_can_be_opened_again() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        fill(&*db).await;
        drop(db);
        let db = backend.open(&path);
        is_whole(&*db).await;
        db.close();
        let db = backend.open(&path);
        is_whole(&*db).await;
    });
}

#[test]
fn the_projector_catches_up_after_a_crash() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        fill(&*db).await;
        let copy = as_after_a_crash(&path);
        let after = backend.open(&copy);
        after.projected().await;
        let all = ListQuery {
            limit: 100,
            ..ListQuery::default()
        };
        assert_eq!(after.runs(all.clone()).await.unwrap().total, 40);
        assert_eq!(after.notifications(all).await.unwrap().items.len(), 40);
        let overview = after.overview().await.unwrap();
        assert_eq!((overview.events, overview.outstanding), (40, 40));
        assert_eq!(overview.lag_ms, 0);
    });
}

#[test]
fn positions_are_never_used_twice() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        let first = done(&one(&*db, arriving(0, "a")).await)[0];
        db.close();
        let db = backend.open(&path);
        let second = done(&one(&*db, arriving(1, "b")).await)[0];
        assert!(second > first);
        let read = Store::events(&*db, &[EventRef::At(first), EventRef::At(second)]).await;
        assert!(read.unwrap().iter().all(Option::is_some));
    });
}

#[test]
fn after_the_end_callers_are_answered_not_left_waiting() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        done(&one(&*db, arriving(0, "a")).await);
        db.close();
        let verdict = one(&*db, arriving(1, "b")).await;
        assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
        assert!(db.ready(at(0), 1).await.is_err());
        db.close();
    });
}
