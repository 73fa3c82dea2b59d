//! Effects: every guard of every update, attempts, outcomes, the lattice of reports.

use bellwether_engine::store::{
    Answer, EffectState, EffectUpdate, EffectWrite, Member, Outcome, Owner, Query, Verdict,
};
use bellwether_model::failure::Failure;
use bellwether_model::id::{EffectId, Id};
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;
use serde_json::json;

use super::make::*;
use super::{Everything, each, effect, one};

async fn update(db: &dyn Everything, update: EffectUpdate) -> Verdict {
    let member = Member {
        effects: vec![update],
        ..Member::default()
    };
    one(db, member).await
}

async fn born(db: &dyn Everything, name: &str, change: impl FnOnce(&mut EffectWrite)) -> EffectId {
    let mut opened = opening(0, name);
    let mut write = push(0, name);
    change(&mut write);
    let id = write.id;
    opened.effects = vec![write];
    done(&one(db, turn(opened)).await);
    id
}

fn started(write: &mut EffectWrite) {
    write.state = EffectState::Started;
    write.owner = Some(us());
}

fn claim(id: EffectId, attempt: u32, owner: Owner) -> EffectUpdate {
    EffectUpdate::Claim {
        id,
        attempt,
        owner,
        at: at(1),
    }
}

fn finish(id: EffectId, attempt: u32, owner: Owner) -> EffectUpdate {
    EffectUpdate::Done {
        id,
        attempt,
        owner,
        delivery: Delivery::Accepted,
        reference: Some("ref-1".into()),
        aliases: Vec::new(),
        at: at(2),
    }
}

fn retry(id: EffectId, attempt: u32, owner: Owner, not_before: Time) -> EffectUpdate {
    EffectUpdate::Retry {
        id,
        attempt,
        owner,
        not_before,
        failure: Failure::retry("rate_limited", "The provider asked us to wait.", None),
        at: at(2),
    }
}

#[test]
fn a_born_effect_reads_as_it_was_written() {
    each(|db| async move {
        let id = born(&*db, "a", |e| {
            e.order_key = Some([5; 16]);
            e.not_before = Some(at(7));
            e.expires_at = Some(at(90));
            e.reports = true;
            e.state = EffectState::Held;
            e.reason = Some("quiet hours".into());
        })
        .await;
        let row = effect(&*db, id).await;
        assert_eq!(row.cell, cell(0, "a"));
        assert_eq!(
            (row.state, row.attempt, row.owner),
            (EffectState::Held, 0, None)
        );
        assert_eq!(row.order_key, Some([5; 16]));
        assert_eq!(
            (row.not_before, row.expires_at),
            (Some(at(7)), Some(at(90)))
        );
        assert_eq!((row.made_at, row.changed_at), (at(0), at(0)));
        assert_eq!(row.person.as_deref(), Some("p-anna"));
        assert_eq!(row.lane, "phones");
        assert_eq!(row.reason.as_deref(), Some("quiet hours"));
        assert_eq!(row.delivery, Delivery::Queued);
        assert_eq!(row.engagement, Engagement::None);
        assert!(row.reports);
        assert!(row.args.contains("Approve a?"));
        assert_eq!(db.effects(&[effect_id(9, "no")]).await.unwrap(), vec![None]);
    });
}

#[test]
fn nothing_is_started_without_an_owner() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        let mut write = push(0, "a");
        write.state = EffectState::Started;
        opened.effects = vec![write];
        let verdict = one(&*db, turn(opened)).await;
        assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    });
}

#[test]
fn one_of_two_claims_wins() {
    each(|db| async move {
        let id = born(&*db, "a", |_| {}).await;
        let members = [claim(id, 0, us()), claim(id, 0, them())].map(|u| Member {
            effects: vec![u],
            ..Member::default()
        });
        let verdicts = db.commit(members.to_vec()).await;
        done(&verdicts[0]);
        assert_eq!(verdicts[1], Verdict::Stale);
        let row = effect(&*db, id).await;
        assert_eq!((row.state, row.attempt), (EffectState::Started, 1));
        assert_eq!(row.owner, Some(us()));
        assert_eq!(update(&*db, claim(id, 1, them())).await, Verdict::Stale);
    });
}

#[test]
fn an_outcome_is_accepted_only_from_the_current_attempt_and_owner() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        assert_eq!(update(&*db, finish(id, 1, them())).await, Verdict::Stale);
        assert_eq!(update(&*db, finish(id, 2, us())).await, Verdict::Stale);
        assert_eq!(update(&*db, finish(id, 0, us())).await, Verdict::Stale);
        done(&update(&*db, finish(id, 1, us())).await);
        let row = effect(&*db, id).await;
        assert_eq!(
            (row.state, row.delivery),
            (EffectState::Done, Delivery::Accepted)
        );
        assert_eq!(row.reference.as_deref(), Some("ref-1"));
        let asked = [
            Query::Outcome { effect: id },
            Query::Outcome {
                effect: Id([9; 16]),
            },
        ];
        let answers = db.answer(&asked).await.unwrap();
        let known = Outcome {
            state: row.state,
            delivery: row.delivery,
            engagement: row.engagement,
            over: false,
        };
        assert_eq!(
            answers,
            [Answer::Outcome(Some(known)), Answer::Outcome(None)]
        );
        assert_eq!(row.changed_at, at(2));
        assert_eq!(update(&*db, finish(id, 1, us())).await, Verdict::Stale);
    });
}

#[test]
fn a_retry_waits_and_the_next_attempt_has_the_next_number() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        assert_eq!(
            update(&*db, retry(id, 1, them(), at(30))).await,
            Verdict::Stale
        );
        done(&update(&*db, retry(id, 1, us(), at(30))).await);
        let row = effect(&*db, id).await;
        assert_eq!((row.state, row.attempt), (EffectState::Queued, 1));
        assert_eq!((row.not_before, row.owner), (Some(at(30)), None));
        assert_eq!(row.failure.unwrap().code, "rate_limited");
        assert_eq!(update(&*db, claim(id, 0, us())).await, Verdict::Stale);
        done(&update(&*db, claim(id, 1, them())).await);
        assert_eq!(update(&*db, finish(id, 1, us())).await, Verdict::Stale);
        done(&update(&*db, finish(id, 2, them())).await);
    });
}

#[test]
fn a_failure_is_final_until_a_person_queues_it_again() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        let fail = EffectUpdate::Fail {
            id,
            attempt: 1,
            owner: us(),
            failure: Failure::reject("unknown_recipient", "The provider knows no such person."),
            at: at(2),
        };
        done(&update(&*db, fail.clone()).await);
        assert_eq!(update(&*db, fail).await, Verdict::Stale);
        let row = effect(&*db, id).await;
        assert_eq!(
            (row.state, row.delivery),
            (EffectState::Failed, Delivery::Failed)
        );
        assert_eq!(update(&*db, claim(id, 1, us())).await, Verdict::Stale);
        let requeue = EffectUpdate::Requeue {
            id,
            args: Some(r#"{"title":"Again"}"#.into()),
            at: at(3),
        };
        done(&update(&*db, requeue.clone()).await);
        assert_eq!(update(&*db, requeue).await, Verdict::Stale);
        let row = effect(&*db, id).await;
        assert_eq!((row.state, row.attempt), (EffectState::Queued, 1));
        assert_eq!(row.delivery, Delivery::Queued);
        assert_eq!(&*row.args, r#"{"title":"Again"}"#);
        done(&update(&*db, claim(id, 1, us())).await);
        done(&update(&*db, finish(id, 2, us())).await);
        assert_eq!(effect(&*db, id).await.delivery, Delivery::Accepted);
    });
}

#[test]
fn an_unknown_outcome_can_be_found_out_later() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        let maybe = EffectUpdate::Maybe {
            id,
            attempt: 1,
            owner: us(),
            failure: Failure::maybe("timeout", "The provider did not answer."),
            at: at(2),
        };
        done(&update(&*db, maybe).await);
        let row = effect(&*db, id).await;
        assert_eq!(
            (row.state, row.delivery),
            (EffectState::Maybe, Delivery::MaybeSent)
        );
        done(&update(&*db, finish(id, 9, them())).await);
        let row = effect(&*db, id).await;
        assert_eq!(
            (row.state, row.delivery),
            (EffectState::Done, Delivery::Accepted)
        );
    });
}

#[test]
fn what_is_saved_survives_and_only_the_holder_saves() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        let save = |owner| EffectUpdate::Save {
            id,
            attempt: 1,
            owner,
            saved: json!({"draft": "d1"}),
        };
        assert_eq!(update(&*db, save(them())).await, Verdict::Stale);
        done(&update(&*db, save(us())).await);
        done(&update(&*db, retry(id, 1, us(), at(3))).await);
        assert_eq!(effect(&*db, id).await.saved, Some(json!({"draft": "d1"})));
    });
}

#[test]
fn an_attempt_of_a_dead_process_is_adopted_once() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        let lane = "phones";
        let (left, _) = db.due_effects(lane, at(9), 10, Some(them())).await.unwrap();
        assert_eq!(left.len(), 1);
        let (ours, _) = db.due_effects(lane, at(9), 10, Some(us())).await.unwrap();
        assert_eq!(ours, vec![]);
        let adopt = |was| EffectUpdate::Adopt {
            id,
            attempt: 1,
            was,
            owner: them(),
        };
        assert_eq!(update(&*db, adopt(them())).await, Verdict::Stale);
        done(&update(&*db, adopt(us())).await);
        assert_eq!(update(&*db, adopt(us())).await, Verdict::Stale);
        let row = effect(&*db, id).await;
        assert_eq!(
            (row.state, row.attempt, row.owner),
            (EffectState::Started, 1, Some(them()))
        );
        assert_eq!(update(&*db, finish(id, 1, us())).await, Verdict::Stale);
        done(&update(&*db, finish(id, 1, them())).await);
    });
}

#[test]
fn hold_suppress_and_expire_touch_only_what_has_not_started() {
    each(|db| async move {
        let hold = |id, until| EffectUpdate::Hold {
            id,
            until,
            reason: "quiet hours".into(),
            at: at(1),
        };
        let suppress = |id| EffectUpdate::Suppress {
            id,
            reason: "cap reached".into(),
            at: at(1),
        };
        let expire = |id| EffectUpdate::Expire { id, at: at(1) };
        let running = born(&*db, "running", started).await;
        for change in [hold(running, None), suppress(running), expire(running)] {
            assert_eq!(update(&*db, change).await, Verdict::Stale);
        }
        let a = born(&*db, "a", |_| {}).await;
        done(&update(&*db, hold(a, Some(at(50)))).await);
        let row = effect(&*db, a).await;
        assert_eq!(
            (row.state, row.not_before),
            (EffectState::Held, Some(at(50)))
        );
        done(&update(&*db, hold(a, None)).await);
        done(&update(&*db, suppress(a)).await);
        let row = effect(&*db, a).await;
        assert_eq!(row.state, EffectState::Suppressed);
        assert_eq!(row.reason.as_deref(), Some("cap reached"));
        assert_eq!(update(&*db, expire(a)).await, Verdict::Stale);
        let b = born(&*db, "b", |_| {}).await;
        done(&update(&*db, expire(b)).await);
        let row = effect(&*db, b).await;
        assert_eq!(
            (row.state, row.delivery),
            (EffectState::Expired, Delivery::Expired)
        );
    });
}

#[test]
fn reports_merge_as_maxima_and_are_never_stale() {
    each(|db| async move {
        let id = born(&*db, "a", started).await;
        let report = |delivery, engagement| EffectUpdate::Report {
            id,
            delivery,
            engagement,
            at: at(5),
        };
        done(&update(&*db, report(None, Some(Engagement::Opened))).await);
        done(&update(&*db, report(Some(Delivery::Delivered), None)).await);
        done(&update(&*db, report(None, Some(Engagement::Fetched))).await);
        done(&update(&*db, finish(id, 1, us())).await);
        done(
            &update(
                &*db,
                report(Some(Delivery::HandedOff), Some(Engagement::Acted)),
            )
            .await,
        );
        let row = effect(&*db, id).await;
        assert_eq!(row.state, EffectState::Done);
        assert_eq!(
            (row.delivery, row.engagement),
            (Delivery::Delivered, Engagement::Acted)
        );
        assert_eq!(row.changed_at, at(5));
        let mut unknown = report(Some(Delivery::Delivered), None);
        if let EffectUpdate::Report { id, .. } = &mut unknown {
            *id = effect_id(9, "nobody");
        }
        done(&update(&*db, unknown).await);
    });
}

#[test]
fn updates_of_one_member_see_each_other_and_fail_together() {
    each(|db| async move {
        let a = born(&*db, "a", |_| {}).await;
        let b = born(&*db, "b", |_| {}).await;
        let both = Member {
            effects: vec![claim(a, 0, us()), finish(a, 1, us()), claim(b, 5, us())],
            ..Member::default()
        };
        assert_eq!(one(&*db, both.clone()).await, Verdict::Stale);
        assert_eq!(effect(&*db, a).await.state, EffectState::Queued);
        let mut right = both;
        right.effects[2] = claim(b, 0, us());
        done(&one(&*db, right).await);
        assert_eq!(effect(&*db, a).await.state, EffectState::Done);
        assert_eq!(effect(&*db, b).await.state, EffectState::Started);
    });
}

#[test]
fn a_released_lane_queues_what_was_held_for_its_connection_only() {
    each(|db| async move {
        let held = |until| {
            move |e: &mut EffectWrite| {
                e.state = EffectState::Held;
                e.not_before = until;
            }
        };
        let a = born(&*db, "a", held(None)).await;
        let quiet = born(&*db, "quiet", held(Some(at(90)))).await;
        let elsewhere = born(&*db, "elsewhere", |e| {
            e.state = EffectState::Held;
            e.lane = "mail".into();
        })
        .await;
        let release = |lane: &str| EffectUpdate::Release {
            lane: lane.into(),
            at: at(1),
        };
        done(&update(&*db, release("phones")).await);
        done(&update(&*db, release("no such lane")).await);
        assert_eq!(effect(&*db, a).await.state, EffectState::Queued);
        assert_eq!(effect(&*db, quiet).await.state, EffectState::Held);
        assert_eq!(effect(&*db, elsewhere).await.state, EffectState::Held);
    });
}
