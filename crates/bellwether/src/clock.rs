//! The clocks of the running server: the system's, and one whose flow time runs faster for the
//! demo. The only file of this crate that reads the system's time.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::time::{Millis, Time};
use tokio::sync::Notify;

/// The longest single sleep: a clock that somebody sets is noticed within it.
const NAP: Millis = Millis::seconds(10);

/// The system's clock: transport time, and flow time outside the demo.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else takes"
    )]
    fn now(&self) -> Time {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = due.since(self.now());
                if left.0 == 0 && due <= self.now() {
                    return;
                }
                tokio::time::sleep(Duration::from(left.min(NAP)).max(Duration::from_millis(1)))
                    .await;
            }
        })
    }
}

/// Flow time as `start + rate × real`, which may be set anew while it runs.
#[derive(Debug)]
pub(crate) struct ScaledClock {
    setting: RwLock<Setting>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    start: Time,
    rate: f64,
    real_start: Time,
}

impl ScaledClock {
    /// A clock that shows `start` now and runs `rate` times as fast as the world.
    pub(crate) fn new(start: Time, rate: f64) -> Self {
        let real_start = SystemClock.now();
        Self {
            setting: RwLock::new(Setting {
                start,
                rate,
                real_start,
            }),
            changed: Notify::new(),
        }
    }

    fn setting(&self) -> Setting {
        *self.setting.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs at another rate from now on, without a jump.
    pub(crate) fn run_at(&self, rate: f64) {
        let start = self.now();
        let setting = Setting {
            start,
            rate,
            real_start: SystemClock.now(),
        };
        *self.setting.write().unwrap_or_else(PoisonError::into_inner) = setting;
        self.changed.notify_waiters();
    }

    /// Start, rate and real start, to share with the stand-ins.
    pub(crate) fn shared(&self) -> (Time, f64, Time) {
        let set = self.setting();
        (set.start, set.rate, set.real_start)
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Time {
        let set = self.setting();
        let real = SystemClock.now().0 - set.real_start.0;
        Time(set.start.0 + (real as f64 * set.rate) as i64)
    }

    fn wait_until(&self, due: Time) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.now() < due {
                let left = Duration::from(self.real_delay(due).min(NAP));
                tokio::select! {
                    () = tokio::time::sleep(left.max(Duration::from_millis(1))) => {}
                    () = self.changed.notified() => {}
                }
            }
        })
    }

    fn real_delay(&self, due: Time) -> Millis {
        let flow = due.since(self.now());
        Millis((flow.0 as f64 / self.setting().rate).ceil() as u64)
    }
}
