//! When a feed is read beside its own pace, and what is said of its link. What is read is in the
//! parent.

use super::*;

#[tokio::test]
async fn hints_wake_the_reader_at_once() {
    let room = Room::new();
    room.engine.start().await;
    until("the first read", async || {
        (!room.cursor().await.is_empty()).then_some(())
    })
    .await;
    room.shelf.put("t0", json!(0));
    for _ in 0..5 {
        room.shelf.hint.notify_one();
    }
    until("the hinted read", async || {
        (room.things().await == 1).then_some(())
    })
    .await;
    room.engine.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_provider_that_wants_to_be_left_alone_is_whatever_it_hints() {
    let room = Room::new();
    let after = Some(Millis::minutes(7));
    let limited = Failure::retry("rate_limited", "too many calls", after);
    *room.shelf.refused.lock().unwrap() = Some(limited);
    room.engine.start().await;
    let reads = || room.shelf.reads.lock().unwrap().len();
    let due = room.engine.now() + Millis::minutes(7);
    until("the first read is refused", async || {
        room.clock.is_awaited(due).then_some(())
    })
    .await;
    assert_eq!(reads(), 1);
    *room.shelf.refused.lock().unwrap() = None;
    room.shelf.put("t0", json!(0));
    room.shelf.hint.notify_one();
    room.clock.move_to(room.engine.now() + Millis::minutes(6));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(room.clock.is_awaited(due), "the wait is not over");
    assert_eq!(reads(), 1);
    room.clock.move_to(room.engine.now() + Millis::minutes(1));
    until("the read after the wait", async || {
        (room.things().await == 1).then_some(())
    })
    .await;
    room.engine.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_link_says_once_what_changed() {
    let room = Room::new();
    let failures = [
        None,
        Some(Failure::retry("away", "away", None)),
        Some(Failure::retry("away", "away", None)),
        Some(Failure::reauthorise("invalid_grant", "consent has ended")),
        None,
        None,
    ];
    for failure in failures {
        let needs_you = failure.as_ref().is_some_and(|f| f.code == "invalid_grant");
        *room.shelf.refused.lock().unwrap() = failure;
        room.clock.move_to(room.engine.now() + Millis::minutes(1));
        room.read().await;
        let health = room.engine.lane(NAME).unwrap().health();
        let waits = matches!(health, ConnectionHealth::NeedsYou { .. });
        assert_eq!(waits, needs_you, "{health:?}");
    }
    let said = room.happened("shelf.link").await;
    let words: Vec<_> = said.iter().map(|data| &data["link"]["state"]).collect();
    assert_eq!(words, ["well", "away", "invalid_grant", "well"]);
    let unique: BTreeSet<_> = words.iter().map(|word| word.to_string()).collect();
    assert_eq!(unique.len(), 3);
}
