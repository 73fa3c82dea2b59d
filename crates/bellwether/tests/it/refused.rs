//! What the store refuses stops nothing else: poisoned turns, cells without a connection, a full
//! disk. The meters of `memory` say more than the record takes when they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bellwether_engine::store::{ListQuery, Member, Store, Verdict, Views as _};
use bellwether_engine::story::{Between, Through};
use bellwether_model::BoxFuture;
use bellwether_model::time::Millis;

use crate::memory::{Plant, QUIET, TOO_MUCH, TOO_MUCH_LATER};

/// Codes of all dead letters, oldest first.
async fn letters(plant: &Plant) -> Vec<String> {
    plant.database.projected().await;
    let query = ListQuery {
        limit: 100,
        ..ListQuery::default()
    };
    let found = plant.database.dead_letters(query).await.unwrap();
    found.items.into_iter().map(|row| row.code).collect()
}

#[tokio::test]
async fn a_timer_whose_turn_is_refused_does_not_hold_up_the_others() {
    let plant = Plant::new();
    for n in 0..5 {
        let value = if n == 0 { TOO_MUCH_LATER } else { 1 };
        plant
            .submit("plant", &format!("m{n}"), &format!("r{n}"), value)
            .await;
    }
    plant.pass(QUIET).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 4);
    assert_eq!(plant.happened("meter.long").await.len(), 0);
    assert_eq!(letters(&plant).await, ["refused_turn"]);
    // The poisoned one goes on with its next record.
    plant.submit("plant", "m0", "r9", TOO_MUCH_LATER + 1).await;
    plant.pass(QUIET).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 5);
    assert_eq!(letters(&plant).await, ["refused_turn"]);
}

#[tokio::test]
async fn an_event_whose_turn_is_refused_is_recorded_and_told_of() {
    let plant = Plant::new();
    plant.read("r1", 5).await;
    plant.read("r2", TOO_MUCH).await;
    assert_eq!(plant.happened("meter.read").await.len(), 2);
    assert_eq!(letters(&plant).await, ["refused_turn"]);
    assert_eq!(plant.cell().await.version, 1, "the memory stays as it was");
    plant.read("r3", 101).await;
    assert_eq!(plant.happened("meter.over").await.len(), 1);
}

#[tokio::test]
async fn cells_without_their_connection_starve_nobody_and_go_on_when_it_is_back() {
    let plant = Plant::new();
    plant.set_up(&["plant", "old"]);
    for n in 0..150 {
        plant
            .submit("old", &format!("o{n}"), &format!("r{n}"), 1)
            .await;
    }
    plant.pass(Millis::seconds(1)).await;
    plant.submit("plant", "m1", "r1", 1).await;
    plant.set_up(&["plant"]);
    plant.pass(QUIET).await;
    assert_eq!(plant.happened("meter.quiet").await.len(), 1);
    assert_eq!(letters(&plant).await, vec!["flow_gone"; 150][..100]);
    plant.set_up(&["plant", "old"]);
    plant.pass(Millis::days(1)).await;
    assert_eq!(plant.database.overview().await.unwrap().dead_letters, 150);
    let quiet = plant.happened("meter.quiet").await;
    assert_eq!(quiet.len(), 100, "a page of the 151");
}

/// A database that is full for a while.
#[derive(Debug)]
struct Full(AtomicUsize);

impl Between for Full {
    fn commit<'a>(
        &'a self,
        store: &'a dyn Store,
        members: Vec<Member>,
    ) -> BoxFuture<'a, Vec<Verdict>> {
        let full = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if full.is_ok() {
            let verdicts = vec![Verdict::Unavailable("disk full".to_owned()); members.len()];
            return Box::pin(std::future::ready(verdicts));
        }
        store.commit(members)
    }
}

#[tokio::test]
async fn what_is_due_on_a_full_disk_is_done_when_there_is_room_again() {
    let plant = Plant::new();
    plant.read("r1", 1).await;
    let store: Arc<dyn Store> = Arc::clone(&plant.database) as _;
    let through = Arc::new(Through::new(store, Full(AtomicUsize::new(1))));
    let at = plant.engine.now() + QUIET;
    let next = Plant::process(Arc::clone(&plant.database), through, 2, at);
    next.engine.do_ready().await.unwrap_err();
    assert_eq!(next.happened("meter.quiet").await.len(), 0);
    next.engine.do_ready().await.unwrap();
    assert_eq!(next.happened("meter.quiet").await.len(), 1);
    assert_eq!(letters(&next).await, Vec::<String>::new());
}
