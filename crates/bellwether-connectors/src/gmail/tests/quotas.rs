//! The bucket of quota units: priorities, refill, and silence that a provider asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::failure::FailureClass;
use bellwether_model::time::{Millis, Time};

use crate::gmail::quota::{Lane, Quota};

/// A clock that jumps to what is waited for.
#[derive(Debug)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        self.0.fetch_max(due.0, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

fn bucket() -> (Quota, Arc<Jumping>) {
    let clock = Arc::new(Jumping(AtomicI64::new(1_772_442_900_000_000)));
    (Quota::new(6000, Arc::<Jumping>::clone(&clock)), clock)
}

#[tokio::test]
async fn no_minute_exceeds_the_limit() {
    let (quota, clock) = bucket();
    let start = clock.now();
    let mut taken = 0;
    while clock.now().since(start) < Millis::minutes(1) {
        quota
            .take(Lane::Send, 20)
            .await
            .expect("units come by waiting");
        taken += 20;
    }
    assert!((5900..=6020).contains(&taken), "{taken}");
}

#[tokio::test]
async fn sending_finds_units_when_reading_has_to_wait() {
    let (quota, clock) = bucket();
    let start = clock.now();
    while clock.now() == start {
        quota.take(Lane::Fetch, 20).await.expect("reading goes on");
    }
    let before = clock.now();
    quota.take(Lane::Send, 100).await.expect("units are left");
    quota.take(Lane::Send, 100).await.expect("units are left");
    assert_eq!(clock.now(), before, "sending did not wait");
    quota
        .take(Lane::Sweep, 5)
        .await
        .expect("the recount gets its turn");
    assert!(clock.now() > before, "the recount waited");
}

#[tokio::test]
async fn asked_for_silence_it_is_silent() {
    let (quota, clock) = bucket();
    quota.pause(clock.now() + Millis::seconds(30), true);
    quota
        .take(Lane::Fetch, 20)
        .await
        .expect("only mail is limited");
    let failure = quota
        .take(Lane::Send, 100)
        .await
        .expect_err("mail is limited");
    let class = FailureClass::Retry {
        after: Some(Millis::seconds(30)),
    };
    assert_eq!(failure.class, class);
    clock.wait_until(clock.now() + Millis::seconds(30)).await;
    quota
        .take(Lane::Send, 100)
        .await
        .expect("the silence is over");
}
