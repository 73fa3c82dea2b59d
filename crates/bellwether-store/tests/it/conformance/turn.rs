//! Turns: versions, epochs, journal, inbox, items, counters, cancellations.

use bellwether_engine::store::{
    Answer, CellRef, CellStatus, EffectState, ItemWrite, Member, Query, Verdict,
};
use bellwether_model::notification::Delivery;
use serde_json::json;

use super::make::*;
use super::{each, effect, load, one};

#[test]
fn a_cell_goes_through_its_turns_and_its_journal_is_whole() {
    each(|db| async move {
        let opened = opening(0, "a");
        done(&one(&*db, turn(opened.clone())).await);
        for version in 1..5 {
            let n = i64::try_from(version).unwrap();
            done(&one(&*db, turn(next(&opened, version, n))).await);
        }
        let cell = load(&*db, opened.cell).await.unwrap();
        assert_eq!(cell.version, 5);
        assert_eq!(cell.state, br#"{"v":1,"turn":5}"#);
        assert_eq!(cell.program_hash, [9; 16]);
        assert_eq!((cell.epoch, cell.status), (1, CellStatus::Open));
        assert_eq!(cell.last_turn_at, at(4));
        let run = db.run(opened.cell).await.unwrap().unwrap();
        let turns: Vec<_> = run.journal.iter().map(|t| &t.body["turn"]).collect();
        assert_eq!(
            turns,
            [1, 2, 3, 4, 5].map(|n| json!(n)).iter().collect::<Vec<_>>()
        );
        assert_eq!(run.state, json!({"v": 1, "turn": 5}));
    });
}

#[test]
fn the_time_of_a_cell_never_goes_back() {
    each(|db| async move {
        let opened = opening(10, "a");
        done(&one(&*db, turn(opened.clone())).await);
        done(&one(&*db, turn(next(&opened, 1, 3))).await);
        assert_eq!(load(&*db, opened.cell).await.unwrap().last_turn_at, at(10));
    });
}

#[test]
fn a_second_open_epoch_of_a_key_is_stale_and_a_later_one_is_not() {
    each(|db| async move {
        let first = opening(0, "a");
        done(&one(&*db, turn(first.clone())).await);
        let mut second = opening(5, "a");
        second.epoch = 2;
        assert_eq!(one(&*db, turn(second.clone())).await, Verdict::Stale);
        let mut end = next(&first, 1, 6);
        end.status = CellStatus::Closed;
        done(&one(&*db, turn(end)).await);
        done(&one(&*db, turn(second.clone())).await);
        let latest = CellRef::Latest {
            program: "flow".into(),
            key: "a".into(),
        };
        let found = db.load(&[latest]).await.unwrap().remove(0).unwrap();
        assert_eq!((found.cell, found.epoch), (second.cell, 2));
        let old = load(&*db, first.cell).await.unwrap();
        assert_eq!(old.status, CellStatus::Closed);
    });
}

#[test]
fn the_latest_epoch_is_found_after_it_ended_and_its_number_is_used_once() {
    each(|db| async move {
        let first = opening(0, "a");
        done(&one(&*db, turn(first.clone())).await);
        let mut end = next(&first, 1, 1);
        end.status = CellStatus::Closed;
        done(&one(&*db, turn(end)).await);
        let latest = |program: &str| CellRef::Latest {
            program: program.into(),
            key: "a".into(),
        };
        let asked = [latest("flow"), latest("other")];
        let mut found = db.load(&asked).await.unwrap();
        assert_eq!(found.pop().unwrap(), None);
        let found = found.pop().unwrap().unwrap();
        let expected = (first.cell, 1, CellStatus::Closed);
        assert_eq!((found.cell, found.epoch, found.status), expected);
        // Two events at the same moment both want to be the second epoch: one of them looks again.
        let mut second = opening(2, "a");
        second.epoch = 2;
        second.status = CellStatus::Closed;
        let mut late = opening(3, "a");
        late.epoch = 2;
        done(&one(&*db, turn(second.clone())).await);
        assert_eq!(one(&*db, turn(late.clone())).await, Verdict::Stale);
        late.epoch = 3;
        done(&one(&*db, turn(late.clone())).await);
        let found = db.load(&[latest("flow")]).await.unwrap().remove(0).unwrap();
        assert_eq!((found.cell, found.epoch), (late.cell, 3));
    });
}

#[test]
fn programs_without_a_key_may_open_as_many_as_they_like() {
    each(|db| async move {
        let (mut a, mut b) = (opening(0, "a"), opening(1, "a"));
        (a.keyed, b.keyed) = (false, false);
        done(&one(&*db, turn(a)).await);
        done(&one(&*db, turn(b)).await);
        let open = CellRef::Latest {
            program: "flow".into(),
            key: "a".into(),
        };
        assert_eq!(db.load(&[open]).await.unwrap(), vec![None]);
    });
}

#[test]
fn the_same_cell_is_opened_once() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.keyed = false;
        let verdicts = db
            .commit(vec![turn(opened.clone()), turn(opened.clone())])
            .await;
        done(&verdicts[0]);
        assert_eq!(verdicts[1], Verdict::Stale);
    });
}

#[test]
fn a_member_may_take_two_turns_of_a_cell() {
    each(|db| async move {
        let opened = opening(0, "a");
        let mut end = next(&opened, 1, 1);
        end.status = CellStatus::Closed;
        end.effects = vec![push(1, "b")];
        let mut opened_with = opened.clone();
        opened_with.effects = vec![push(0, "a")];
        let member = Member {
            turns: vec![opened_with, end],
            ..Member::default()
        };
        done(&one(&*db, member).await);
        let run = db.run(opened.cell).await.unwrap().unwrap();
        assert_eq!(run.run.turns, 2);
        assert_eq!(run.run.status, "closed");
        let effects: Vec<_> = run.effects.iter().map(|e| e.id).collect();
        assert_eq!(effects, [effect_id(0, "a"), effect_id(1, "b")]);
        let mut gap = next(&opened, 2, 2);
        gap.status = CellStatus::Closed;
        let mut later = gap.clone();
        later.expects = 4;
        let member = Member {
            turns: vec![gap, later],
            ..Member::default()
        };
        assert_eq!(one(&*db, member).await, Verdict::Stale);
    });
}

#[test]
fn a_closed_cell_answers_late_taps_but_never_opens_again() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.status = CellStatus::Closed;
        done(&one(&*db, turn(opened.clone())).await);
        done(&one(&*db, turn(next(&opened, 1, 1))).await);
        let mut again = next(&opened, 2, 2);
        again.status = CellStatus::Open;
        let Verdict::Refused(why) = one(&*db, turn(again)).await else {
            panic!("a closed cell was opened");
        };
        assert!(why.contains("has ended"), "{why}");
    });
}

#[test]
fn a_turn_of_a_cell_that_nobody_opened_is_stale() {
    each(|db| async move {
        let verdict = one(&*db, turn(next(&opening(0, "a"), 1, 1))).await;
        assert_eq!(verdict, Verdict::Stale);
    });
}

#[test]
fn deliveries_wait_in_order_until_a_turn_consumes_them() {
    each(|db| async move {
        let opened = opening(0, "a");
        done(&one(&*db, turn(opened.clone())).await);
        let mut positions = Vec::new();
        for n in 1..4 {
            let member = Member {
                arrival: Some(event(n, &format!("e{n}"))),
                deliveries: vec![opened.cell],
                ..Member::default()
            };
            positions.extend(done(&one(&*db, member).await));
        }
        assert!(load(&*db, opened.cell).await.unwrap().has_inbox);
        let ready = db.ready(at(9), 10).await.unwrap();
        assert_eq!(ready.cells[0].inbox, positions);
        let mut two = next(&opened, 1, 4);
        two.consumes = positions[..2].to_vec();
        done(&one(&*db, turn(two)).await);
        // An inbox outlives the epoch: the rest is still there to be consumed.
        let mut end = next(&opened, 2, 5);
        end.status = CellStatus::Closed;
        done(&one(&*db, turn(end.clone())).await);
        let ready = db.ready(at(9), 10).await.unwrap();
        assert_eq!(ready.cells[0].inbox, positions[2..]);
        let mut last = next(&end, 3, 6);
        last.consumes = positions[2..].to_vec();
        done(&one(&*db, turn(last)).await);
        assert_eq!(db.ready(at(9), 10).await.unwrap().cells, vec![]);
        assert!(!load(&*db, opened.cell).await.unwrap().has_inbox);
    });
}

#[test]
fn ready_returns_at_most_what_was_asked_for() {
    each(|db| async move {
        for n in 0..5 {
            let mut member = arriving(n, &format!("k{n}"));
            member.deliveries = vec![cell(n, &format!("k{n}"))];
            member.emits = vec![event(n, &format!("e{n}"))];
            done(&one(&*db, member).await);
        }
        let ready = db.ready(at(9), 3).await.unwrap();
        assert_eq!((ready.cells.len(), ready.unrouted.len()), (3, 3));
    });
}

#[test]
fn items_and_counters_answer_what_decide_asks() {
    each(|db| async move {
        let opened = opening(0, "a");
        let item = |key: &str, value: Option<&str>| ItemWrite {
            window: "w1".into(),
            key: key.into(),
            value: value.map(Into::into),
        };
        let mut first = opened.clone();
        first.items = vec![
            item("b", Some("2")),
            item("a", Some("1")),
            item("c", Some("3")),
        ];
        first.counters = vec![("p-anna".into(), "2026-03-02".into(), 2)];
        done(&one(&*db, turn(first)).await);
        let mut second = next(&opened, 1, 1);
        second.items = vec![
            item("b", None),
            item("a", Some("one")),
            item("nothing", None),
        ];
        second.counters = vec![("p-anna".into(), "2026-03-02".into(), 3)];
        done(&one(&*db, turn(second)).await);
        let items = |window: &str| Query::Items {
            cell: opened.cell,
            window: window.into(),
        };
        let counter = |scope: &str| Query::Counter {
            scope: scope.into(),
            window: "2026-03-02".into(),
        };
        let answers = db
            .answer(&[
                counter("p-anna"),
                items("w1"),
                items("w2"),
                counter("p-bob"),
            ])
            .await
            .unwrap();
        let lines = [("a", "one"), ("c", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(answers[0], Answer::Counter(5));
        assert_eq!(answers[1], Answer::Items(lines.to_vec()));
        assert_eq!(answers[2], Answer::Items(vec![]));
        assert_eq!(answers[3], Answer::Counter(0));
    });
}

#[test]
fn cancelling_withdraws_what_waits_under_the_key_and_nothing_else() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        let with = |name: &str, key: Option<&str>, state| {
            let mut effect = push(0, name);
            effect.cancel_key = key.map(Into::into);
            effect.state = state;
            effect.owner = (state == EffectState::Started).then(us);
            effect
        };
        opened.effects = vec![
            with("queued", Some("remind"), EffectState::Queued),
            with("held", Some("remind"), EffectState::Held),
            with("started", Some("remind"), EffectState::Started),
            with("other", Some("other"), EffectState::Queued),
            with("none", None, EffectState::Queued),
        ];
        done(&one(&*db, turn(opened.clone())).await);
        let mut other_cell = opening(0, "b");
        other_cell.effects = vec![with("elsewhere", Some("remind"), EffectState::Queued)];
        done(&one(&*db, turn(other_cell)).await);
        let mut second = next(&opened, 1, 1);
        second.cancels = vec!["remind".into()];
        let mut newer = push(1, "newer");
        newer.cancel_key = Some("remind".into());
        second.effects = vec![newer];
        done(&one(&*db, turn(second)).await);
        for (name, state) in [
            ("queued", EffectState::Cancelled),
            ("held", EffectState::Cancelled),
            ("started", EffectState::Started),
            ("other", EffectState::Queued),
            ("none", EffectState::Queued),
            ("elsewhere", EffectState::Queued),
        ] {
            assert_eq!(
                effect(&*db, effect_id(0, name)).await.state,
                state,
                "{name}"
            );
        }
        let cancelled = effect(&*db, effect_id(0, "queued")).await;
        assert_eq!(cancelled.delivery, Delivery::Withdrawn);
        assert_eq!(cancelled.changed_at, at(1));
        let newer = effect(&*db, effect_id(1, "newer")).await;
        assert_eq!(newer.state, EffectState::Queued);
    });
}

/// A cell's own row lists 64 effects; what comes later is found as well.
#[test]
fn a_cell_with_very_many_effects_finds_all_of_them() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.effects = (0..50).map(|n| push(n, "x")).collect();
        done(&one(&*db, turn(opened.clone())).await);
        let mut second = next(&opened, 1, 60);
        second.effects = (50..130).map(|n| push(n, "x")).collect();
        for effect in &mut second.effects {
            effect.cancel_key = Some("all".into());
        }
        done(&one(&*db, turn(second)).await);
        let mut third = next(&opened, 2, 200);
        third.cancels = vec!["all".into()];
        done(&one(&*db, turn(third)).await);
        let run = db.run(opened.cell).await.unwrap().unwrap();
        assert_eq!(run.effects.len(), 130);
        assert!(run.effects.is_sorted_by_key(|e| e.id));
        let cancelled = run
            .effects
            .iter()
            .filter(|e| e.state == EffectState::Cancelled);
        assert_eq!(cancelled.count(), 80);
    });
}
