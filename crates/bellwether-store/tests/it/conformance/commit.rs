//! Members: whole or not at all, once only, refused alone, in order under contention.

use std::sync::Arc;

use bellwether_engine::store::{
    CellRef, DeadLetterWrite, EventRef, ListQuery, Member, Store, Verdict,
};
use serde_json::json;

use super::make::*;
use super::{Everything, each, load, one};

#[test]
fn an_arrival_and_its_turn_are_there_after_the_verdict() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.turns[0].effects.push(push(0, "a"));
        let positions = done(&one(&*db, member).await);
        assert_eq!(positions.len(), 1);
        let events = Store::events(&*db, &[EventRef::At(positions[0])]).await;
        let event = events.unwrap().remove(0).unwrap();
        assert_eq!(event.position, positions[0]);
        assert_eq!(event.envelope.id, "a");
        assert_eq!(event.envelope.source, "inbox");
        assert_eq!(event.envelope.kind, "gmail.message.received");
        assert_eq!((event.flow_set, event.directory), (3, 4));
        assert_eq!(event.received_at, at(0));
        assert_eq!(event.envelope.data["mail"]["subject"], json!("Approve a"));
        let key = EventRef::Key(event.envelope.seen_key());
        let by_key = Store::events(&*db, &[key]).await.unwrap();
        assert_eq!(by_key[0].as_ref(), Some(&event));
        let open = CellRef::Latest {
            program: "flow".into(),
            key: "a".into(),
        };
        let cells = db.load(&[open, CellRef::Id(cell(0, "a"))]).await.unwrap();
        assert_eq!(cells[0], cells[1]);
        let cell = cells[0].clone().unwrap();
        assert_eq!(cell.version, 1);
        assert_eq!(cell.opened_by, Some(event));
        assert!(!cell.has_inbox);
        assert_eq!(super::effect(&*db, effect_id(0, "a")).await.cell, cell.cell);
    });
}

#[test]
fn the_rare_parts_of_an_envelope_survive() {
    each(|db| async move {
        let mut write = event(0, "rare");
        write.event.subject = Some("msg-1".into());
        write.event.case = Some("case-7".into());
        write.event.hop = 3;
        write.event.cause = Some(bellwether_model::event::Cause {
            cell: cell(0, "x"),
            turn: 4,
        });
        write.event.traceparent = Some("00-1-2-01".into());
        write.event.aliases = vec![bellwether_model::event::Alias::new("thread", "t1")];
        let expected = write.event.clone();
        let member = Member {
            arrival: Some(write),
            ..Member::default()
        };
        let position = done(&one(&*db, member).await)[0];
        let read = Store::events(&*db, &[EventRef::At(position), EventRef::At(position + 9)]).await;
        let read = read.unwrap();
        assert_eq!(read[0].as_ref().unwrap().envelope, expected);
        assert_eq!(read[1], None);
    });
}

#[test]
fn the_same_event_is_a_duplicate_within_one_commit_and_later() {
    each(|db| async move {
        let again = arriving(0, "a");
        let verdicts = db.commit(vec![arriving(0, "a"), again.clone()]).await;
        let position = done(&verdicts[0])[0];
        let same_body = true;
        let duplicate = Verdict::Duplicate {
            position,
            same_body,
        };
        assert_eq!(verdicts[1], duplicate);
        assert_eq!(one(&*db, again).await, duplicate);
        let mut other = arriving(0, "a");
        other.arrival = Some(event_with(0, "a", &json!({"mail": {"subject": "other"}})));
        let same_body = false;
        let verdict = one(&*db, other).await;
        assert_eq!(
            verdict,
            Verdict::Duplicate {
                position,
                same_body
            }
        );
        assert_eq!(load(&*db, cell(0, "a")).await.unwrap().version, 1);
        db.projected().await;
        let overview = db.overview().await.unwrap();
        assert_eq!((overview.events, overview.duplicates), (1, 3));
    });
}

#[test]
fn a_duplicate_that_is_stale_too_is_called_duplicate() {
    each(|db| async move {
        let position = done(&one(&*db, arriving(0, "a")).await)[0];
        let mut again = arriving(0, "a");
        again.turns = vec![next(&opening(0, "a"), 7, 1)];
        let same_body = true;
        assert_eq!(
            one(&*db, again).await,
            Verdict::Duplicate {
                position,
                same_body
            }
        );
    });
}

#[test]
fn a_duplicate_writes_nothing_of_its_member() {
    each(|db| async move {
        done(&one(&*db, arriving(0, "a")).await);
        let mut again = arriving(0, "a");
        again.turns = vec![opening(1, "other")];
        again.emits = vec![event(1, "emitted")];
        again.deliveries = vec![cell(0, "a")];
        again.dead_letters = vec![letter(1, "l")];
        assert!(matches!(one(&*db, again).await, Verdict::Duplicate { .. }));
        assert_eq!(load(&*db, cell(1, "other")).await, None);
        assert!(!load(&*db, cell(0, "a")).await.unwrap().has_inbox);
        assert_eq!(db.ready(at(9), 10).await.unwrap().unrouted, vec![]);
        let letters = db.dead_letters(list()).await.unwrap();
        assert_eq!(letters.items, vec![]);
    });
}

#[test]
fn of_two_turns_on_one_version_in_one_commit_the_second_is_stale() {
    each(|db| async move {
        let opened = opening(0, "a");
        done(&one(&*db, turn(opened.clone())).await);
        let mut second = turn(next(&opened, 1, 2));
        second.arrival = Some(event(2, "second"));
        let verdicts = db
            .commit(vec![
                turn(next(&opened, 1, 1)),
                second,
                turn(next(&opened, 2, 3)),
            ])
            .await;
        done(&verdicts[0]);
        assert_eq!(verdicts[1], Verdict::Stale);
        done(&verdicts[2]);
        assert_eq!(load(&*db, opened.cell).await.unwrap().version, 3);
        let key = EventRef::Key(event(2, "second").event.seen_key());
        assert_eq!(Store::events(&*db, &[key]).await.unwrap(), vec![None]);
    });
}

#[test]
fn what_the_database_refuses_is_refused_alone() {
    each(|db| async move {
        let mut large = turn(opening(0, "large"));
        large.turns[0].state = vec![b'1'; 70 * 1024];
        large.emits = vec![event(0, "from large")];
        let mut members: Vec<Member> = (0..10).map(|n| arriving(n, &format!("k{n}"))).collect();
        members[3] = large.clone();
        members[7] = large;
        let verdicts = db.commit(members).await;
        for (n, verdict) in verdicts.iter().enumerate() {
            match verdict {
                Verdict::Refused(why) => {
                    assert!(n == 3 || n == 7, "{n}: {why}");
                    assert!(why.contains("CHECK"), "{why}");
                }
                other => assert_eq!(done(other).len(), 1, "{n}"),
            }
        }
        assert_eq!(load(&*db, cell(0, "large")).await, None);
        assert_eq!(load(&*db, cell(9, "k9")).await.unwrap().version, 1);
        assert_eq!(db.ready(at(99), 10).await.unwrap().unrouted, vec![]);
        db.projected().await;
        assert_eq!(db.overview().await.unwrap().events, 8);
    });
}

#[test]
fn a_word_that_was_first_used_by_a_refused_member_is_still_usable() {
    each(|db| async move {
        let mut large = turn(opening(0, "large"));
        large.turns[0].program = "brand new".into();
        large.turns[0].state = vec![b'1'; 70 * 1024];
        let mut fine = turn(opening(1, "fine"));
        fine.turns[0].program = "brand new".into();
        let verdicts = db.commit(vec![fine.clone(), large.clone()]).await;
        done(&verdicts[0]);
        assert!(matches!(verdicts[1], Verdict::Refused(_)));
        let verdicts = db.commit(vec![large]).await;
        assert!(matches!(verdicts[0], Verdict::Refused(_)));
        let cell = load(&*db, fine.turns[0].cell).await.unwrap();
        assert_eq!(cell.program, "brand new");
    });
}

#[test]
fn emitted_events_are_unrouted_until_somebody_matched_them() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.emits = vec![event(1, "e1"), event(2, "e2")];
        let positions = done(&one(&*db, member).await);
        assert_eq!(positions.len(), 3);
        assert!(positions[0] < positions[1] && positions[1] < positions[2]);
        let unrouted = db.ready(at(9), 10).await.unwrap().unrouted;
        let ids: Vec<&str> = unrouted.iter().map(|e| e.envelope.id.as_str()).collect();
        assert_eq!(ids, ["e1", "e2"]);
        let mut routed = turn(opening(3, "b"));
        routed.routed = Some(positions[1]);
        routed.deliveries = vec![cell(0, "a")];
        assert_eq!(done(&one(&*db, routed).await), Vec::<i64>::new());
        let ready = db.ready(at(9), 10).await.unwrap();
        assert_eq!(ready.unrouted.len(), 1);
        assert_eq!(ready.unrouted[0].position, positions[2]);
        assert_eq!(ready.cells.len(), 1);
        assert_eq!(ready.cells[0].inbox, vec![positions[1]]);
        let opened = load(&*db, cell(3, "b")).await.unwrap().opened_by.unwrap();
        assert_eq!(opened.position, positions[1]);
    });
}

fn letter(n: i64, name: &str) -> DeadLetterWrite {
    DeadLetterWrite {
        id: id(n, name),
        cell: Some(cell(0, "a")),
        effect: None,
        event: None,
        code: "no_address".into(),
        reason: "The person has no address; add one and retry.".into(),
        at: at(n),
    }
}

fn list() -> ListQuery {
    ListQuery {
        limit: 10,
        ..ListQuery::default()
    }
}

#[test]
fn dead_letters_are_listed_until_they_are_settled() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.dead_letters = vec![letter(0, "l1"), letter(1, "l2")];
        let position = done(&one(&*db, member).await)[0];
        let settle = Member {
            settled: vec![id(0, "l1"), id(5, "unknown")],
            ..turn(opening(7, "b"))
        };
        done(&one(&*db, settle).await);
        let page = db.dead_letters(list()).await.unwrap();
        assert_eq!(page.total, 2);
        assert_eq!(page.items[0].id, id(1, "l2"));
        assert_eq!(page.items[0].event, Some(position));
        assert_eq!(page.items[0].settled_at, None);
        assert_eq!(page.items[1].settled_at, Some(at(7)));
        let open = ListQuery {
            status: Some("open".into()),
            flow: Some("flow".into()),
            ..list()
        };
        assert_eq!(db.dead_letters(open).await.unwrap().total, 1);
        db.projected().await;
        assert_eq!(db.overview().await.unwrap().dead_letters, 1);
    });
}

/// Eight tasks take turns on one cell, each deciding on what it last saw. Every turn that is told
/// `Done` has a version of its own and none is lost.
#[test]
fn concurrent_turns_of_one_cell_are_serial() {
    const TURNS: u64 = 40;
    each(|db| async move {
        let opened = opening(0, "a");
        done(&one(&*db, turn(opened.clone())).await);
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let (db, opened) = (db.clone(), opened.clone());
            tasks.push(tokio::spawn(contend(db, opened, TURNS)));
        }
        let mut versions = Vec::new();
        for task in tasks {
            versions.extend(task.await.unwrap());
        }
        versions.sort_unstable();
        let all: Vec<u64> = (2..=TURNS).collect();
        assert_eq!(versions, all);
        let run = db.run(opened.cell).await.unwrap().unwrap();
        let journal: Vec<u64> = run.journal.iter().map(|t| t.version).collect();
        assert_eq!(journal, (1..=TURNS).collect::<Vec<_>>());
        for entry in run.journal {
            assert_eq!(entry.body["turn"], json!(entry.version));
        }
    });
}

async fn contend(
    db: Arc<dyn Everything>,
    opened: bellwether_engine::store::TurnWrite,
    last: u64,
) -> Vec<u64> {
    let mut mine = Vec::new();
    loop {
        let version = load(&*db, opened.cell).await.unwrap().version;
        if version >= last {
            return mine;
        }
        match one(&*db, turn(next(&opened, version, 1))).await {
            Verdict::Done(_) => mine.push(version + 1),
            Verdict::Stale => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn concurrent_commits_get_answers_of_their_own() {
    each(|db| async move {
        let mut tasks = Vec::new();
        for task in 0..16 {
            let db = db.clone();
            tasks.push(tokio::spawn(async move {
                for n in 0..20 {
                    let key = format!("{task}-{n}");
                    let position = done(&one(&*db, arriving(n, &key)).await)[0];
                    let read = Store::events(&*db, &[EventRef::At(position)])
                        .await
                        .unwrap();
                    assert_eq!(read[0].as_ref().unwrap().envelope.id, key);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        db.projected().await;
        let overview = db.overview().await.unwrap();
        assert_eq!((overview.events, overview.open_runs), (320, 320));
    });
}

#[test]
fn nothing_to_commit_is_answered_with_nothing() {
    each(|db| async move {
        assert_eq!(db.commit(Vec::new()).await, vec![]);
        assert_eq!(done(&one(&*db, Member::default()).await), Vec::<i64>::new());
    });
}
