//! The timer test: as many licences as are asked for are read, each held and with an end ahead, so
//! that each arms its timer; the server is killed and started again with all of them. Then
//! purchases come whose waiting time ends second by second within a minute, beside new ones, and
//! then as many that all end at one instant; the record itself says how late each was noticed. The
//! ends of licences lie at midnight and cannot be waited for; a purchase that waits has the same
//! timer in the same memory.

mod report;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clock::micros;
use crate::error::{Outcome, fault};
use crate::feed::megabytes;
use crate::ground::Ground;
use crate::progress::Progress;
use crate::stats::{percentile_ms, round};
use crate::tenant::desk::{Desk, Reading};
use crate::tenant::{DEED_MAX, PAGE, Sandbox, Tenant, read_instant};
pub(crate) use report::Report;
use report::{Lateness, Slice};

/// What is said when a purchase has waited too long, and what the one flow says then.
const WAITS: &str = "smintio.action.required";
const TOLD: &str = "bench.told";
/// After so long a purchase has waited too long.
const WAIT_HOURS: u64 = 1;
const WAIT_US: u64 = WAIT_HOURS * 3_600 * 1_000_000;
/// The licences end within so many days: a part of them is past a threshold already.
const AHEAD_DAYS: u32 = 1_000;
/// So many purchases a second are surely read before they come due; and so long besides.
const READ_PER_S: u64 = 400;
const LEAD_S: u64 = 3;
/// New purchases in each second of the window: the load beside the timers.
const LOAD_PER_S: u64 = 20;
/// How long the last ones may take to be noticed, and to be told on by a flow.
const LATE_MAX: Duration = Duration::from_secs(600);
/// Steps of the bar.
const STEPS: usize = 6;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Licences that are armed.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) count: u64,
    /// Purchases whose waiting time ends within the window.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) due: u64,
    /// The window, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) window: u64,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// Arms, restarts, fires and measures.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    if options.count < 10 || options.due == 0 || options.window == 0 {
        return fault("at least ten licences, one purchase and a window of a second are needed");
    }
    let (binary, folder) = options.ground.prepare().await?;
    let began = Instant::now();
    let sandbox = Sandbox::start(&binary, folder.path()).await?;
    let mut run = Run::begin(&binary, &folder.path().join("timers"), &sandbox, &options).await?;
    let mut progress = Progress::new(STEPS);
    if let Err(why) = run.everything(&mut progress).await {
        run.report.errors.push(why.0);
    }
    progress.end();
    let mut report = run.end().await?;
    report.seconds = round(began.elapsed().as_secs_f64());
    report.judge();
    Ok(report)
}

struct Run<'a> {
    sandbox: &'a Sandbox,
    tenant: Tenant,
    desk: Desk,
    options: &'a Options,
    report: Report,
}

impl<'a> Run<'a> {
    async fn begin(
        binary: &Path,
        folder: &Path,
        sandbox: &'a Sandbox,
        options: &'a Options,
    ) -> Outcome<Self> {
        let tenant = sandbox.tenant(options.count, Some(AHEAD_DAYS)).await?;
        let reading = Reading {
            limit: PAGE,
            files: false,
            stuck_hours: WAIT_HOURS,
            flow: WAITS,
        };
        Ok(Self {
            desk: Desk::make(binary, folder.to_owned(), &tenant, &reading)?,
            sandbox,
            tenant,
            options,
            report: Report {
                armed: options.count,
                ..Report::default()
            },
        })
    }

    async fn everything(&mut self, progress: &mut Progress) -> Outcome<()> {
        progress.say("arming");
        self.arm().await?;
        progress.step("starting again with all of them");
        self.restart().await?;
        for window in [self.options.window, 1] {
            progress.step(&format!("buying what comes due within {window} s"));
            let slice = self.slice(window, progress).await?;
            self.report.slices.push(slice);
        }
        progress.step("counting");
        self.report.failed = self.desk.ledger().await?.failed;
        self.report.dead_letters = self.desk.dead_letters().await?;
        progress.step("done");
        Ok(())
    }

    /// Purchases that come due within so many seconds, from their making to the last of them.
    async fn slice(&mut self, window: u64, progress: &Progress) -> Outcome<Slice> {
        let mut slice = Slice {
            due: self.options.due,
            window_s: window,
            ..Slice::default()
        };
        let first = self.buy(&mut slice).await?;
        progress.say(&format!("waiting for what comes due within {window} s"));
        self.load(first, &mut slice).await?;
        // Both slices, if this is the second: the server's sums know no slices.
        let all = self.options.due * (self.report.slices.len() as u64 + 1);
        let wanted = BTreeMap::from([(WAITS, all), (TOLD, all)]);
        self.desk.said(&wanted, LATE_MAX).await?;
        self.count(first, &mut slice).await?;
        Ok(slice)
    }

    /// The first read, which arms a timer for each licence.
    async fn arm(&mut self) -> Outcome<()> {
        let count = self.options.count;
        self.desk.start().await?;
        self.report.idle_rss_mb = megabytes(self.desk.usage().rss);
        let (began, before, bytes) = (Instant::now(), self.desk.usage(), self.desk.bytes());
        self.desk.settled(count / 10, |_| ()).await?;
        self.report.tenth_rss_mb = megabytes(self.desk.usage().rss);
        // With the record of what was swallowed at its end.
        self.desk.settled(count + 1, |_| ()).await?;
        let (seconds, after) = (began.elapsed().as_secs_f64(), self.desk.usage());
        let each = |total: f64| round(total / count as f64);
        self.report.arm_seconds = round(seconds);
        self.report.arm_us = each(seconds * 1e6);
        self.report.arm_cpu_us = each((after.cpu_us - before.cpu_us) as f64);
        self.report.armed_rss_mb = megabytes(after.rss);
        self.report.arm_peak_rss_mb = megabytes(after.rss_peak);
        let grown = self.desk.bytes().saturating_sub(bytes);
        self.report.arm_bytes = each(grown as f64);
        Ok(())
    }

    async fn restart(&mut self) -> Outcome<()> {
        self.desk.kill().await?;
        self.report.restart_ms = round(self.desk.start().await? * 1_000.0);
        self.report.restarted_rss_mb = megabytes(self.desk.usage().rss);
        self.report.received = self.desk.ledger().await?.received;
        Ok(())
    }

    /// Purchases that began so long ago that their waiting time ends, second by second, within the
    /// window. Gives the window's first instant, in microseconds.
    async fn buy(&mut self, slice: &mut Slice) -> Outcome<u64> {
        let (due, window) = (slice.due, slice.window_s);
        let lead = LEAD_S + due / READ_PER_S;
        let first = (micros() / 1_000_000 + lead) * 1_000_000;
        for second in 0..window {
            let begun = first + second * 1_000_000 - WAIT_US;
            let mut left = due * (second + 1) / window - due * second / window;
            while left > 0 {
                let count = left.min(DEED_MAX);
                left -= count;
                self.sandbox.set_time(begun, false).await?;
                let body = json!({ "name": "Waits", "count": count });
                self.sandbox.deed(&self.tenant, "buy", &body).await?;
            }
        }
        self.sandbox.set_time(micros(), true).await?;
        let began = Instant::now();
        self.desk.read_now().await?;
        let all = self.report.received + due;
        self.desk.settled(all, |_| ()).await?;
        self.report.received = all;
        slice.read_per_s = round(due as f64 / began.elapsed().as_secs_f64());
        if micros() > first {
            return fault(
                "the purchases were not read before the first of them came due: choose fewer with \
                 --due",
            );
        }
        Ok(first)
    }

    /// New purchases in every second until the window is over.
    async fn load(&mut self, first: u64, slice: &mut Slice) -> Outcome<()> {
        let before = self.desk.usage();
        let end = first + slice.window_s * 1_000_000;
        wait_until(first).await;
        let body = json!({ "name": "Beside", "count": LOAD_PER_S, "state": "completed" });
        while micros() < end {
            let next = micros() + 1_000_000;
            self.sandbox.deed(&self.tenant, "buy", &body).await?;
            self.desk.read_now().await?;
            self.report.received += LOAD_PER_S;
            slice.load += LOAD_PER_S;
            wait_until(next).await;
        }
        self.desk.settled(self.report.received, |_| ()).await?;
        let cpu_us = self.desk.usage().cpu_us - before.cpu_us;
        slice.processors = round(cpu_us as f64 / (slice.window_s as f64 * 1e6));
        Ok(())
    }

    /// Lays what was noticed beside what came due from `first` on.
    async fn count(&self, first: u64, slice: &mut Slice) -> Outcome<()> {
        let mut noticed: BTreeMap<String, u64> = BTreeMap::new();
        let mut late = Vec::new();
        self.desk
            .events(WAITS, |event| {
                let at = read_instant(text(&event["receivedat"])).unwrap_or(0);
                let due = read_instant(text(&event["data"]["action"]["due_at"])).unwrap_or(0);
                if due < first {
                    return;
                }
                slice.early += u64::from(at < due);
                late.push(at.saturating_sub(due));
                let uuid = text(&event["data"]["transaction"]["uuid"]);
                *noticed.entry(uuid.to_owned()).or_default() += 1;
            })
            .await?;
        slice.fired = noticed.len() as u64;
        slice.doubled = noticed.values().filter(|times| **times > 1).count() as u64;
        self.desk
            .events(TOLD, |event| {
                let told = noticed.remove(text(&event["data"]["uuid"]));
                slice.told += u64::from(told.is_some());
            })
            .await?;
        late.sort_unstable();
        slice.lateness_ms = Lateness {
            p50: percentile_ms(&late, 0.5),
            p99: percentile_ms(&late, 0.99),
            max: percentile_ms(&late, 1.0),
        };
        Ok(())
    }

    async fn end(mut self) -> Outcome<Report> {
        self.report.peak_rss_mb = megabytes(self.desk.peak());
        self.report.panics = self.desk.panics();
        if self.desk.usage().rss > 0 {
            self.desk.kill().await?;
        }
        Ok(self.report)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn wait_until(at_us: u64) {
    let left = at_us.saturating_sub(micros());
    tokio::time::sleep(Duration::from_micros(left)).await;
}
