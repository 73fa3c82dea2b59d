//! Which effects of a lane may start, and in which order.

use bellwether_engine::store::{CellStatus, EffectState, EffectUpdate, EffectWrite, Member};
use bellwether_model::failure::Failure;
use bellwether_model::id::EffectId;
use bellwether_model::time::Time;

use super::make::*;
use super::{Everything, each, one};

/// Makes effects at seconds 0, 1, 2 … of one cell.
async fn make(db: &dyn Everything, changes: &[&dyn Fn(&mut EffectWrite)]) -> Vec<EffectId> {
    let mut opened = opening(0, "a");
    for (n, change) in (0..).zip(changes) {
        let mut write = push(n, "x");
        change(&mut write);
        opened.effects.push(write);
    }
    let ids = opened.effects.iter().map(|e| e.id).collect();
    done(&one(db, turn(opened)).await);
    ids
}

async fn due(db: &dyn Everything, now: i64, limit: usize) -> (Vec<EffectId>, Option<Time>) {
    let (rows, next) = db
        .due_effects("phones", at(now), limit, None)
        .await
        .unwrap();
    (rows.iter().map(|e| e.id).collect(), next)
}

async fn update(db: &dyn Everything, update: EffectUpdate) {
    let member = Member {
        effects: vec![update],
        ..Member::default()
    };
    done(&one(db, member).await);
}

fn plain(_: &mut EffectWrite) {}

fn keyed(e: &mut EffectWrite) {
    e.order_key = Some([7; 16]);
}

fn claim(id: EffectId) -> EffectUpdate {
    EffectUpdate::Claim {
        id,
        attempt: 0,
        owner: us(),
        at: at(1),
    }
}

#[test]
fn the_oldest_come_first_and_only_of_this_lane() {
    each(|db| async move {
        let other = |e: &mut EffectWrite| e.lane = "mail".into();
        let ids = make(&*db, &[&plain, &other, &plain, &plain]).await;
        assert_eq!(due(&*db, 9, 2).await.0, [ids[0], ids[2]]);
        assert_eq!(due(&*db, 9, 9).await.0, [ids[0], ids[2], ids[3]]);
        let (none, next) = db.due_effects("nothing", at(9), 9, None).await.unwrap();
        assert_eq!((none, next), (vec![], None));
    });
}

#[test]
fn instants_are_waited_for_and_the_next_one_is_named() {
    each(|db| async move {
        let later = |n: i64| move |e: &mut EffectWrite| e.not_before = Some(at(n));
        let held = |e: &mut EffectWrite| {
            e.state = EffectState::Held;
            e.not_before = Some(at(20));
        };
        let broken = |e: &mut EffectWrite| e.state = EffectState::Held;
        let ids = make(&*db, &[&later(30), &plain, &held, &broken]).await;
        assert_eq!(due(&*db, 5, 9).await, (vec![ids[1]], Some(at(20))));
        let now_due = (vec![ids[1], ids[2]], Some(at(30)));
        assert_eq!(due(&*db, 20, 9).await, now_due);
        // What waited for its instant is older than what came in between.
        let all = (vec![ids[0], ids[1], ids[2]], None);
        assert_eq!(due(&*db, 99, 9).await, all);
        assert_eq!(due(&*db, 99, 1).await.0, [ids[0]]);
    });
}

#[test]
fn one_order_key_has_one_in_flight_in_order() {
    each(|db| async move {
        let ids = make(&*db, &[&keyed, &keyed, &plain]).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[0], ids[2]]);
        update(&*db, claim(ids[0])).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[2]]);
        let retry = EffectUpdate::Retry {
            id: ids[0],
            attempt: 1,
            owner: us(),
            not_before: at(50),
            failure: Failure::retry("busy", "The provider is busy.", None),
            at: at(2),
        };
        update(&*db, retry).await;
        // The head waits for its instant; what is behind it waits too.
        assert_eq!(due(&*db, 9, 9).await, (vec![ids[2]], Some(at(50))));
        assert_eq!(due(&*db, 50, 9).await.0, [ids[0], ids[2]]);
        update(
            &*db,
            EffectUpdate::Expire {
                id: ids[0],
                at: at(3),
            },
        )
        .await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[1], ids[2]]);
    });
}

#[test]
fn a_cancelled_head_does_not_block() {
    each(|db| async move {
        let head = |e: &mut EffectWrite| {
            keyed(e);
            e.cancel_key = Some("remind".into());
        };
        let ids = make(&*db, &[&head, &keyed]).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[0]]);
        let mut second = next(&opening(0, "a"), 1, 1);
        second.cancels = vec!["remind".into()];
        second.status = CellStatus::Closed;
        done(&one(&*db, turn(second)).await);
        assert_eq!(due(&*db, 9, 9).await.0, [ids[1]]);
    });
}

#[test]
fn a_held_head_blocks_its_key_and_no_other() {
    each(|db| async move {
        let held = |e: &mut EffectWrite| {
            keyed(e);
            e.state = EffectState::Held;
        };
        let other = |e: &mut EffectWrite| e.order_key = Some([8; 16]);
        let ids = make(&*db, &[&held, &keyed, &other]).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[2]]);
        let lane = "phones".to_owned();
        update(&*db, EffectUpdate::Release { lane, at: at(1) }).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[0], ids[2]]);
    });
}

#[test]
fn what_came_later_but_is_due_earlier_does_not_overtake_its_key() {
    each(|db| async move {
        let timed = |e: &mut EffectWrite| {
            keyed(e);
            e.not_before = Some(at(1));
        };
        let ids = make(&*db, &[&keyed, &timed]).await;
        assert_eq!(due(&*db, 9, 9).await.0, [ids[0]]);
        update(&*db, claim(ids[0])).await;
        assert_eq!(due(&*db, 9, 9).await.0, Vec::<EffectId>::new());
    });
}
