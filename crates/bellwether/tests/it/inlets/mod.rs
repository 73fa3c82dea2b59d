//! The rules of inlets, over HTTP: how long a reader waits after what, what a recount notes, where
//! a sweep begins and where a resync does. How a mail is read is tested with its connector.

mod reader;

use bellwether_engine::seam::Connections as _;
use bellwether_model::time::Millis;
use serde_json::json;

use crate::crash::NoRepair;
use crate::support::until;
use reader::{BEGINS, Nobody, POLL, Reader};

/// The connection's name.
const NAME: &str = "approvals";
/// So seldom that a test's own time never sweeps.
const NEVER: Millis = Millis::hours(24);
const HALF_AN_HOUR: Millis = Millis::minutes(30);

#[tokio::test]
async fn waits_double_with_each_failure_and_begin_anew_after_a_success() {
    let reader = Reader::new(Nobody, NEVER).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL, "after a success");
    for _ in 0..2 {
        reader.refuse("/history", 4, json!({})).await;
        for seconds in [1, 2, 4, 8] {
            assert_eq!(reader.waits_next().await, Millis::seconds(seconds));
        }
        assert_eq!(reader.waits_next().await, POLL, "after a success");
    }
    reader.refuse("/history", 20, json!({})).await;
    let mut longest = Millis(0);
    for _ in 0..9 {
        longest = reader.waits_next().await;
    }
    assert_eq!(longest, Millis::minutes(2), "no wait is longer");
}

#[tokio::test]
async fn a_backlog_that_comes_further_does_not_wait_longer_each_time() {
    let reader = Reader::new(Nobody, NEVER).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL);
    for n in 0..12 {
        reader.mail(&format!("Mail {n}")).await;
    }
    for read in 1..=3u64 {
        reader.refuse("/messages/", 1, json!({})).await;
        assert_eq!(reader.waits_next().await, Millis::seconds(1), "{read}");
        // Four are fetched at a time, and the refused one takes none of its neighbours along.
        assert_eq!(reader.ledger().await.received, 3 * read);
    }
    assert_eq!(reader.waits_next().await, POLL);
    let ledger = reader.ledger().await;
    assert_eq!((ledger.received, ledger.pending), (12, 0));
}

#[tokio::test]
async fn a_mail_that_the_provider_refuses_is_not_given_up_and_nor_are_its_neighbours() {
    let reader = Reader::new(Nobody, NEVER).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL);
    let refused = reader.mail("Refused").await;
    reader
        .refuse(&format!("/messages/{refused}"), 5, json!({}))
        .await;
    for n in 1..4 {
        reader.mail(&format!("Neighbour {n}")).await;
    }
    for seconds in [1, 2, 4, 8, 16] {
        // The first read settles the neighbours, the others come no further.
        assert_eq!(reader.waits_next().await, Millis::seconds(seconds));
        let ledger = reader.ledger().await;
        assert_eq!((ledger.received, ledger.pending), (3, 1));
    }
    assert_eq!(reader.waits_next().await, POLL);
    let ledger = reader.ledger().await;
    assert_eq!((ledger.received, ledger.failed), (4, 0));
    assert_eq!(reader.dead_letters().await, 0);
}

#[tokio::test]
async fn the_wait_that_a_provider_asks_for_is_kept_within_reason() {
    let reader = Reader::new(Nobody, NEVER).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL);
    for (asked, kept) in [(40, 40), (1, 2), (7200, 900)] {
        reader
            .refuse("/history", 1, json!({ "retry_after": asked }))
            .await;
        assert_eq!(reader.waits_next().await, Millis::seconds(kept));
    }
    assert_eq!(reader.waits_next().await, POLL);
}

#[tokio::test]
async fn a_recount_is_stamped_with_flow_time_and_repairs_nothing() {
    let reader = Reader::new(Nobody, NEVER).await;
    assert!(reader.engine.read_now(NAME).await);
    assert_eq!(reader.inlet().await.since, Some(BEGINS));
    let arrived = BEGINS + Millis::minutes(10);
    reader.flow_time(arrived).await;
    reader.hidden_mail("Hidden").await;
    let counted = BEGINS + Millis::hours(3);
    reader.flow_time(counted).await;
    assert_eq!(reader.engine.recount(NAME).await, Ok(1));
    let inlet = reader.inlet().await;
    assert_eq!((inlet.counted_at, inlet.gaps), (Some(counted), 1));
    assert_eq!(inlet.read_at, Some(counted));
    assert_eq!(reader.ledger().await.received, 0);
    assert_eq!(reader.listed_since().await, Some(BEGINS), "the whole time");
    assert_eq!(reader.engine.recount(NAME).await, Ok(1), "still");
    assert_eq!(reader.engine.sweep(NAME).await, Ok(1));
    let inlet = reader.inlet().await;
    assert_eq!((inlet.counted_at, inlet.gaps), (Some(counted), 0));
    assert_eq!(reader.ledger().await.received, 1);
}

#[tokio::test]
async fn a_sweep_looks_back_an_hour_and_to_the_beginning_while_there_are_gaps() {
    let reader = Reader::new(Nobody, HALF_AN_HOUR).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL);
    reader.flow_time(BEGINS + Millis::minutes(29)).await;
    assert_eq!(reader.waits_next().await, POLL);
    assert_eq!(reader.listed_since().await, None, "not due yet");
    let first = BEGINS + HALF_AN_HOUR;
    reader.flow_time(first).await;
    assert_eq!(reader.waits_next().await, POLL);
    assert_eq!(reader.listed_since().await, Some(BEGINS), "the first");
    assert_eq!(reader.inlet().await.counted_at, Some(first));
    let second = BEGINS + Millis::hours(2);
    reader.flow_time(second).await;
    assert_eq!(reader.waits_next().await, POLL);
    let overlap = first - Millis::hours(1);
    assert_eq!(reader.listed_since().await, Some(overlap));

    // What a recount found is older than a sweep looks back otherwise.
    reader.hidden_mail("Hidden").await;
    reader.flow_time(second + Millis::hours(3)).await;
    assert_eq!(reader.engine.recount(NAME).await, Ok(1));
    reader
        .flow_time(second + Millis::hours(3) + HALF_AN_HOUR)
        .await;
    assert_eq!(reader.waits_next().await, POLL);
    assert_eq!(reader.listed_since().await, Some(BEGINS));
    let ledger = reader.ledger().await;
    assert_eq!((ledger.received, ledger.gaps), (1, 0));
}

#[tokio::test]
async fn a_sweep_that_is_broken_off_begins_anew_where_the_gaps_are() {
    let reader = Reader::new(NoRepair::default(), HALF_AN_HOUR).await;
    reader.engine.start().await;
    assert_eq!(reader.waits().await, POLL);
    reader.hidden_mail("Hidden").await;
    reader.store.between.refuse(true);
    reader.flow_time(BEGINS + Millis::hours(5)).await;
    assert_eq!(reader.waits_next().await, POLL);
    let inlet = reader.inlet().await;
    assert_eq!(inlet.gaps, 1, "found, and not repaired");
    assert_eq!(reader.ledger().await.received, 0);
    reader.store.between.refuse(false);
    reader.flow_time(BEGINS + Millis::hours(10)).await;
    assert_eq!(reader.waits_next().await, POLL);
    assert_eq!(reader.listed_since().await, Some(BEGINS));
    let ledger = reader.ledger().await;
    assert_eq!((ledger.received, ledger.gaps), (1, 0));
}

#[tokio::test]
async fn a_resync_begins_where_the_last_recount_had_everything() {
    for recounted in [false, true] {
        let reader = Reader::new(Nobody, NEVER).await;
        assert!(reader.engine.read_now(NAME).await);
        let hours = if recounted { 5 } else { 0 };
        let base = BEGINS + Millis::hours(hours);
        reader.flow_time(base).await;
        if recounted {
            assert_eq!(reader.engine.recount(NAME).await, Ok(0));
        }
        reader.flow_time(base + Millis::minutes(10)).await;
        reader.hidden_mail("Between recount and read").await;
        let read = base + Millis::hours(3);
        reader.flow_time(read).await;
        assert!(reader.engine.read_now(NAME).await);
        assert_eq!(reader.inlet().await.read_at, Some(read));
        assert_eq!(reader.ledger().await.received, 0);

        reader
            .at
            .set("google", json!({ "expire_history": true }))
            .await;
        reader.mail("After the history was forgotten").await;
        assert!(reader.engine.read_now(NAME).await);
        let wanted = base - Millis::hours(1);
        assert_eq!(reader.listed_since().await, Some(wanted), "{recounted}");
        let ledger = reader.ledger().await;
        assert_eq!((ledger.received, ledger.pending), (2, 0), "{recounted}");
    }
}

#[tokio::test]
async fn what_comes_while_a_resync_lists_is_found_once() {
    let reader = Reader::new(Nobody, NEVER).await;
    assert!(reader.engine.read_now(NAME).await);
    reader
        .at
        .set("google", json!({ "expire_history": true }))
        .await;
    reader.mail("Before").await;
    // The new cursor was taken when the listing is asked for.
    let slow = json!({ "kind": "slow", "delay_ms": 300 });
    reader.refuse("q=after", 1, slow).await;
    let (_, ()) = tokio::join!(reader.engine.read_now(NAME), async {
        until("the listing is asked for", async || {
            let faults = reader.at.admin("faults").await;
            faults.to_string().contains("\"hits\":1").then_some(())
        })
        .await;
        reader.mail("Meanwhile").await;
    });
    let ledger = reader.ledger().await;
    assert_eq!((ledger.received, ledger.pending), (2, 0));
    assert_eq!(reader.engine.recount(NAME).await, Ok(0));
}
