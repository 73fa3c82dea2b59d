//! The push channel at its end: each close code, what is shown and told of it, and how the channel
//! comes back. Licences are told all the while, because reading does not rest on the channel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bellwether_engine::seam::{ConnectionHealth, Connections as _};
use bellwether_model::time::Millis;
use serde_json::{Value as Json, json};

use super::room::{POLL, Room, TENANT};
use super::{PERSON, is_a_sentence, row_of};
use crate::support::until;

/// Whether the channel works, whether it needs a person, and why, as lists show it.
async fn channel(room: &Room) -> Option<(bool, bool, String)> {
    let all = room.engine.list().await;
    let (_, health) = all[0].parts.iter().find(|(name, _)| name == "pusher")?;
    Some(match health {
        ConnectionHealth::Failing { reason, .. } => (false, false, reason.clone()),
        ConnectionHealth::NeedsYou { reason, .. } => (false, true, reason.clone()),
        _ => (true, false, String::new()),
    })
}

async fn fails(room: &Room) -> (bool, String) {
    until("the channel fails", async || match channel(room).await {
        Some((false, person, reason)) => Some((person, reason)),
        _ => None,
    })
    .await
}

async fn listens(room: &Room) {
    until("the channel works", async || {
        let shown = room.at.admin(&format!("smintio/{TENANT}")).await;
        let works = channel(room).await.is_some_and(|(works, ..)| works);
        (works && shown["subscribers"] == 1).then_some(())
    })
    .await;
}

/// What was told people of the channel.
async fn told(room: &Room, kind: &str) -> Vec<Json> {
    let mut told = room.said(kind).await;
    told.retain(|told| told["sync"]["component"] == "pusher");
    told
}

async fn room() -> (Room, Json) {
    let room = Room::start(json!({})).await;
    let settings = json!({
        "channel_id": room.info["pusher"]["channel_id"], "push_key": room.info["pusher"]["key"],
        "push_url": room.info["url"],
    });
    room.set_up(settings.clone());
    listens(&room).await;
    (room, settings)
}

/// Without a hint: what was bought is found at the next poll.
async fn reads_on(room: &mut Room) {
    room.deed("pusher", json!({"mute": true})).await;
    room.buy_some(2).await;
    let all = room.bought.clone();
    let looks = AtomicUsize::new(0);
    until("it is read", async || {
        // A read that was on its way may have ended just before: then the next one brings it.
        if looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(25) {
            room.pass(POLL);
        }
        (room.told().await == all).then_some(())
    })
    .await;
    room.deed("pusher", json!({"mute": false})).await;
}

#[tokio::test]
async fn a_channel_that_is_closed_comes_back_and_reading_goes_on() {
    let (mut room, _) = room().await;
    let codes = [
        (4_100, "comes back after a while"),
        (4_201, "comes back at once"),
        (4_200, "comes back at once"),
    ];
    for (code, recovery) in codes {
        // The token of the first proof is over; the next one must be fresh.
        room.deed("tokens", json!({"expire_access": true})).await;
        let refuse = json!({"refuse": code, "close": code});
        room.deed("pusher", refuse).await;
        let (person, reason) = fails(&room).await;
        assert!(!person && reason.contains(&code.to_string()), "{reason}");
        is_a_sentence(&reason);
        reads_on(&mut room).await;
        room.deed("pusher", json!({"refuse": 0})).await;
        listens(&room).await;
        row_of(
            &room,
            &format!("channel closed: {code}"),
            "retry",
            &reason,
            recovery,
        )
        .await;
    }
    // It was never away for long: nobody was told.
    assert_eq!(told(&room, "sync.failed").await.len(), 0);
    room.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_channel_that_is_refused_for_good_is_shown_told_once_and_tried_every_hour() {
    let (mut room, settings) = room().await;
    let hour = (Millis::minutes(59), Millis::hours(1));
    for (times, code) in [(1, 4_001), (2, 4_009)] {
        let refuse = json!({"refuse": code, "close": code});
        room.deed("pusher", refuse).await;
        let (person, reason) = fails(&room).await;
        assert!(person && reason.contains(&code.to_string()), "{reason}");
        assert!(reason.contains("polling") && reason.contains("every hour"));
        is_a_sentence(&reason);
        until("somebody is told", async || {
            (told(&room, "sync.failed").await.len() == times).then_some(())
        })
        .await;
        room.waits(hour.0, hour.1).await;
        reads_on(&mut room).await;
        // Hours pass, and it is refused again: no news.
        for _ in 0..2 {
            room.pass(Millis::minutes(61));
            room.waits(hour.0, hour.1).await;
        }
        let count = told(&room, "sync.failed").await.len();
        assert_eq!(count, times, "{code}: told once");
        room.deed("pusher", json!({"refuse": 0})).await;
        let recovery = if code == 4_001 {
            room.pass(Millis::minutes(61));
            "by itself within the hour"
        } else {
            // Somebody changed the settings: it does not wait for the hour.
            room.set_up(settings.clone());
            "at once with other settings"
        };
        listens(&room).await;
        let fault = format!("channel closed: {code}");
        row_of(&room, &fault, PERSON, &reason, recovery).await;
        until("its end is told", async || {
            room.pass(Millis::minutes(2));
            room.engine.do_ready().await.unwrap();
            let ends = told(&room, "sync.recovered").await;
            (ends.len() == times).then_some(())
        })
        .await;
    }
    room.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_channel_that_is_not_ours_and_a_token_that_is_refused_are_told_apart() {
    let (mut room, settings) = room().await;
    let mut wrong = settings.clone();
    wrong["channel_id"] = 99.into();
    room.set_up(wrong);
    let (person, reason) = fails(&room).await;
    assert!(person && reason.contains("check `channel_id`"), "{reason}");
    is_a_sentence(&reason);
    reads_on(&mut room).await;
    let recovery = "at once with other settings";
    room.set_up(settings.clone());
    listens(&room).await;
    row_of(&room, "channel of another", PERSON, &reason, recovery).await;

    // The proof of the channel is refused twice, so a new token does not help at once.
    let outage = json!({"kind": "unauthorized", "area": "pusher", "times": 2});
    room.deed("outage", outage).await;
    room.deed("pusher", json!({"close": 4_200})).await;
    let (person, reason) = until("the proof is refused", async || {
        match channel(&room).await {
            Some((false, true, reason)) => Some((true, reason)),
            _ => None,
        }
    })
    .await;
    assert!(person && reason.contains("access_refused"), "{reason}");
    listens(&room).await;
    row_of(&room, "channel: 401 twice", PERSON, &reason, "by itself").await;
    room.engine.stop(Duration::from_secs(5)).await;
}
