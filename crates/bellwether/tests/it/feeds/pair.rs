//! Several feeds of one connection: cursors of their own, pauses that only they wait for, one
//! health for all.

use super::*;

/// A connection with two shelves; the second one has a name.
#[derive(Debug)]
struct Pair(Arc<Shelf>, Second);

#[derive(Debug)]
struct Second(Arc<Shelf>);

impl Connection for Pair {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        self.0.check()
    }

    fn feeds(&self) -> Vec<&dyn Feed> {
        vec![&*self.0, &self.1]
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        self.0.perform(action)
    }
}

impl Feed for Second {
    fn name(&self) -> &'static str {
        "second"
    }

    fn poll_every(&self) -> Millis {
        Millis::minutes(30)
    }

    fn reread_every(&self) -> Option<Millis> {
        Some(Millis::hours(24))
    }

    /// One record at a time, and two minutes between them.
    fn read<'a>(
        &'a self,
        cursor: Option<&'a str>,
        judging: &'a Judging,
    ) -> BoxFuture<'a, Result<Handed, Failure>> {
        Box::pin(async move {
            let mut handed = self.0.read(cursor, judging).await?;
            if let Handed::Batch(batch) = &mut handed {
                batch.pause = Millis::minutes(2);
            }
            Ok(handed)
        })
    }

    fn start(&self) -> String {
        self.0.start()
    }

    fn event<'a>(
        &'a self,
        record: &'a Record,
        attempt: u32,
    ) -> BoxFuture<'a, Result<NewEvent, Failure>> {
        self.0.event(record, attempt)
    }

    fn stub(&self, record: &Record, reason: &str, now: Time) -> NewEvent {
        self.0.stub(record, reason, now)
    }
}

#[tokio::test]
async fn two_feeds_of_a_connection_have_cursors_of_their_own_and_do_not_wait_for_each_other() {
    let shelves = [Arc::new(Shelf::default()), Arc::new(Shelf::default())];
    for (shelf, name) in shelves.iter().zip(["a", "b"]) {
        *shelf.epoch.lock().unwrap() = 'a';
        for n in 0..5 {
            shelf.put(&format!("{name}{n}"), json!(n));
        }
    }
    let [first, second] = shelves;
    let pair = Arc::new(Pair(first.clone(), Second(second.clone())));
    let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
    let room = Room::over(first.clone(), pair, database, 1);
    room.engine.start().await;
    let further = || async {
        let key = format!("{NAME}/second");
        let state = room.database.inlet(&key, InletStep::Look).await.unwrap();
        state.cursor.unwrap_or_default()
    };
    until("the first shelf and a batch of the second", async || {
        (room.cursor().await == "a5" && further().await == "a3").then_some(())
    })
    .await;
    // While the second one waits for its provider, the first one reads on.
    first.put("a5", json!(5));
    first.hint.notify_one();
    until("a hinted read beside it", async || {
        (room.cursor().await == "a6").then_some(())
    })
    .await;
    assert_eq!(further().await, "a3", "its pause is not over");
    room.clock.move_to(room.engine.now() + Millis::minutes(2));
    until("the second batch", async || {
        (further().await == "a5").then_some(())
    })
    .await;
    until("everything", async || {
        (room.things().await == 11).then_some(())
    })
    .await;
    room.engine.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_connection_is_well_when_each_of_its_feeds_is() {
    let shelves = [Arc::new(Shelf::default()), Arc::new(Shelf::default())];
    let [first, second] = shelves;
    let pair = Arc::new(Pair(first.clone(), Second(second.clone())));
    let database = Arc::new(bellwether_store::open("sqlite::memory:").unwrap());
    let room = Room::over(first.clone(), pair, database, 1);
    let failing = || {
        let health = room.engine.lane(NAME).unwrap().health();
        matches!(health, ConnectionHealth::Failing { .. })
    };
    *second.refused.lock().unwrap() = Some(Failure::retry("away", "away", None));
    for _ in 0..3 {
        room.read().await;
        assert!(failing(), "the first one that is well does not hide it");
    }
    *second.refused.lock().unwrap() = None;
    room.read().await;
    room.read().await;
    assert!(!failing());
}
