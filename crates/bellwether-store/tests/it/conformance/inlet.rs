//! Inlets: cursor and ids together, attempts before reading, counts that always add up.

use bellwether_engine::store::{
    InletState, InletStep, LedgerState, LedgerWrite, Member, OTHER, REASONS_MAX, RefusalCount,
    RefusalSample, Refusals, SAMPLES_MAX, Verdict,
};

use super::make::*;
use super::{Everything, each, each_lasting, one};

async fn step(db: &dyn Everything, step: InletStep) -> InletState {
    db.inlet("inbox", step).await.unwrap()
}

fn ids(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn found(names: &[&str], cursor: Option<&str>, n: i64) -> InletStep {
    InletStep::Discovered {
        ids: ids(names),
        cursor: cursor.map(Into::into),
        at: at(n),
    }
}

fn settle(id: &str, state: LedgerState) -> LedgerWrite {
    LedgerWrite {
        connection: "inbox".into(),
        external_id: id.into(),
        state,
        reason: String::new(),
    }
}

fn pending(state: &InletState) -> Vec<(&str, u32)> {
    state
        .pending
        .iter()
        .map(|(id, n)| (id.as_str(), *n))
        .collect()
}

#[test]
fn a_new_inlet_is_empty_and_looking_creates_nothing() {
    each(|db| async move {
        assert_eq!(step(&*db, InletStep::Look).await, InletState::default());
        let missing = step(&*db, InletStep::Missing { ids: ids(&["m1"]) }).await;
        assert_eq!(missing.missing, ids(&["m1"]));
    });
}

#[test]
fn ids_and_cursor_move_together_and_known_ids_stay_as_they_are() {
    each(|db| async move {
        let state = step(&*db, found(&["m1", "m2"], Some("c1"), 1)).await;
        assert_eq!((state.added, state.cursor.as_deref()), (2, Some("c1")));
        assert_eq!((state.since, state.read_at), (Some(at(1)), Some(at(1))));
        let state = step(&*db, found(&["m2", "m3"], Some("c2"), 5)).await;
        assert_eq!((state.added, state.cursor.as_deref()), (1, Some("c2")));
        assert_eq!((state.since, state.read_at), (Some(at(1)), Some(at(5))));
        let state = step(&*db, found(&["m0"], None, 6)).await;
        assert_eq!((state.added, state.cursor.as_deref()), (1, Some("c2")));
        let state = step(&*db, InletStep::Pending { limit: 3 }).await;
        assert_eq!(pending(&state), [("m1", 0), ("m2", 0), ("m3", 0)]);
        let asked = ids(&["m9", "m1", "m8"]);
        let state = step(&*db, InletStep::Missing { ids: asked }).await;
        assert_eq!(state.missing, ids(&["m9", "m8"]));
    });
}

#[test]
fn an_attempt_is_counted_before_the_id_is_read() {
    each(|db| async move {
        step(&*db, found(&["m1"], Some("c1"), 1)).await;
        let attempt = |id: &str| InletStep::Attempt {
            external_id: id.into(),
        };
        assert_eq!(pending(&step(&*db, attempt("m1")).await), [("m1", 1)]);
        assert_eq!(pending(&step(&*db, attempt("m1")).await), [("m1", 2)]);
        assert_eq!(pending(&step(&*db, attempt("unknown")).await), []);
        let state = step(&*db, InletStep::Pending { limit: 9 }).await;
        assert_eq!(pending(&state), [("m1", 2)]);
    });
}

#[test]
fn an_id_is_settled_with_its_event_or_not_at_all() {
    each(|db| async move {
        step(&*db, found(&["m1", "m2"], Some("c1"), 1)).await;
        let mut member = arriving(1, "m1");
        member.ledger = Some(settle("m1", LedgerState::Event));
        done(&one(&*db, member.clone()).await);
        let mut stale = member;
        stale.arrival = Some(event(2, "m2"));
        stale.ledger = Some(settle("m2", LedgerState::Event));
        assert_eq!(one(&*db, stale).await, Verdict::Stale);
        let state = step(&*db, InletStep::Pending { limit: 9 }).await;
        assert_eq!(pending(&state), [("m2", 0)]);
        let counts = db.ledger("inbox").await.unwrap();
        assert_eq!((counts.received, counts.pending), (1, 1));
    });
}

#[test]
fn the_counts_of_a_ledger_always_add_up() {
    each(|db| async move {
        let names: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
        let discovered = InletStep::Discovered {
            ids: names.clone(),
            cursor: Some("c1".into()),
            at: at(1),
        };
        step(&*db, discovered).await;
        let states = [
            LedgerState::Event,
            LedgerState::Event,
            LedgerState::Ignored,
            LedgerState::Failed,
            LedgerState::Gone,
        ];
        for (n, name) in (0..).zip(&names[..10]) {
            let state = states[n % states.len()];
            let mut arrival = event(1, name);
            arrival.matched = u16::from(n % 5 == 0);
            let member = Member {
                arrival: (state == LedgerState::Event).then_some(arrival),
                ledger: Some(settle(name, state)),
                ..Member::default()
            };
            done(&one(&*db, member).await);
        }
        // What was never discovered counts too, and settling again moves it.
        let surprise = |state| Member {
            ledger: Some(settle("surprise", state)),
            ..Member::default()
        };
        done(&one(&*db, surprise(LedgerState::Ignored)).await);
        done(&one(&*db, surprise(LedgerState::Gone)).await);
        let counts = db.ledger("inbox").await.unwrap();
        assert_eq!(
            (counts.received, counts.matched, counts.unmatched),
            (4, 2, 2)
        );
        assert_eq!((counts.ignored, counts.failed), (2, 2));
        assert_eq!((counts.gone, counts.pending), (3, 2));
        let all = counts.received + counts.ignored + counts.failed + counts.gone + counts.pending;
        assert_eq!(all, 13);
        assert_eq!(db.ledger("other").await.unwrap().received, 0);
    });
}

#[test]
fn hints_are_one_and_a_recount_is_noted() {
    each(|db| async move {
        step(&*db, InletStep::Hint { at: at(1) }).await;
        let state = step(&*db, InletStep::Hint { at: at(2) }).await;
        assert_eq!(state.hinted_at, Some(at(2)));
        assert_eq!(step(&*db, InletStep::TakeHint).await.hinted_at, None);
        let state = step(&*db, InletStep::Counted { gaps: 3, at: at(4) }).await;
        assert_eq!((state.gaps, state.counted_at), (3, Some(at(4))));
        let counts = db.ledger("inbox").await.unwrap();
        assert_eq!((counts.gaps, counts.counted_at), (3, Some(at(4))));
        assert_eq!(db.overview().await.unwrap().gaps, 3);
    });
}

#[test]
fn another_judgement_is_another_generation_until_everything_was_read_again() {
    each(|db| async move {
        let judged = async |by: &str| {
            let by = by.to_owned();
            let state = step(&*db, InletStep::Judged { by }).await;
            (state.generation, state.reread)
        };
        assert_eq!(judged("a").await, (1, 1), "nothing was read yet");
        step(&*db, found(&["m1"], Some("c1"), 1)).await;
        assert_eq!(judged("a").await, (1, 1));
        assert_eq!(judged("b").await, (2, 1));
        assert_eq!(judged("b").await, (2, 1));
        assert_eq!(judged("a").await, (3, 1), "back is on");
        let step_of = InletStep::Reread {
            generation: 2,
            at: at(5),
        };
        let state = step(&*db, step_of).await;
        assert_eq!((state.generation, state.reread), (3, 2));
        assert_eq!((state.gaps, state.counted_at), (0, Some(at(5))));
        assert_eq!(state.judged_by.as_deref(), Some("a"));
    });
}

#[test]
fn an_inlet_survives_a_restart() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        step(&*db, found(&["m2", "m1"], Some("c1"), 1)).await;
        db.close();
        let db = backend.open(&path);
        step(&*db, found(&["m0"], Some("c2"), 2)).await;
        let state = step(&*db, InletStep::Pending { limit: 9 }).await;
        assert_eq!(pending(&state), [("m2", 0), ("m1", 0), ("m0", 0)]);
        assert_eq!(state.since, Some(at(1)));
    });
}

fn refusal(reason: &str, n: i64) -> Refusals {
    let (reason, caller) = (reason.to_owned(), "203.0.113.9".to_owned());
    let sample = RefusalSample {
        at: at(n),
        reason: reason.clone(),
        status: 401,
        inlet: String::new(),
        caller: caller.clone(),
        bytes: 12,
        hash: format!("{n:x}"),
    };
    Refusals {
        counts: vec![RefusalCount {
            reason,
            message: format!("for the {n}th time"),
            count: 1,
            first_at: at(n),
            last_at: at(n),
            caller,
        }],
        newest: vec![sample],
    }
}

#[test]
fn refused_requests_are_added_up_and_never_fill_the_disk() {
    each(|db| async move {
        let read = step(&*db, InletStep::Refusals).await.refusals;
        assert_eq!(read, Refusals::default());
        for n in 1..=3 {
            step(&*db, InletStep::Refused(refusal("wrong_signature", n))).await;
        }
        let read = step(&*db, InletStep::Refusals).await.refusals;
        let row = &read.counts[0];
        assert_eq!((row.count, row.first_at, row.last_at), (3, at(1), at(3)));
        assert_eq!(row.message, "for the 3th time");
        assert_eq!(read.newest[0].hash, "3");
        for n in 4..100 {
            step(
                &*db,
                InletStep::Refused(refusal(&format!("made_up_{n}"), n)),
            )
            .await;
        }
        let read = step(&*db, InletStep::Refusals).await.refusals;
        assert_eq!((read.total(), read.last_at()), (99, Some(at(99))));
        assert!(
            read.counts.len() <= REASONS_MAX + 1,
            "{}",
            read.counts.len()
        );
        assert!(read.counts.iter().any(|row| row.reason == OTHER));
        assert_eq!(read.newest.len(), SAMPLES_MAX);
        assert_eq!(read.newest[0].at, at(99));
        let other = db.inlet("elsewhere", InletStep::Refusals).await.unwrap();
        assert!(other.refusals.is_empty());
    });
}
