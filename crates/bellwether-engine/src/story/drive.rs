//! An engine on a clock that is moved by hand: what can be done is done, and time passes only when
//! nothing more can.

use bellwether_model::clock::Clock as _;
use bellwether_model::time::{Millis, Time};

use super::world::StoryClock;
use crate::run::Engine;
use crate::store::StoreError;

/// How often something may become due without time passing.
const STANDSTILL_MAX: u32 = 10_000;

/// Does everything that can be done without time passing, as long as `commits` grows. Returns when
/// the next thing is due.
pub(crate) async fn settle(
    engine: &Engine,
    commits: impl Fn() -> u64,
) -> Result<Option<Time>, StoreError> {
    loop {
        engine.drained().await;
        let before = commits();
        let mut next = engine.do_ready().await?;
        for lane in engine.lanes() {
            lane.looking();
            let (more, due) = engine.claim_some(&lane).await?;
            lane.more(more);
            next = [next, due].into_iter().flatten().min();
        }
        engine.drained().await;
        if commits() == before {
            return Ok(next);
        }
    }
}

/// Lets time pass until `to`, doing on the way what falls due. Returns when the next thing is due.
pub(crate) async fn pass_until(
    engine: &Engine,
    clock: &StoryClock,
    commits: impl Fn() -> u64,
    to: Time,
) -> Result<Option<Time>, StoreError> {
    let mut standing = 0;
    loop {
        let now = clock.now();
        match settle(engine, &commits).await? {
            Some(due) if due <= to => {
                standing = if due > now { 0 } else { standing + 1 };
                if standing > STANDSTILL_MAX {
                    let message = format!("something is due again and again at {now}");
                    return Err(StoreError(message));
                }
                clock.move_to(due.max(now + Millis(1)));
            }
            _ => {
                clock.move_to(to);
                return settle(engine, &commits).await;
            }
        }
    }
}
