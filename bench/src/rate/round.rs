//! One round: warm-up, a measured window, and the count afterwards that must be exact.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Bench;
use crate::clock::micros;
use crate::error::{Outcome, fault};
use crate::load::{Load, Sum};
use crate::process::{Child, Usage};
use crate::server::api::{Api, Counters};
use crate::server::{Home, Server};
use crate::sink::Receipt;
use crate::stats::{percentile_ms, round};

/// Before the window.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long accepted events may take to be pushed after the load ended.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// How often a draining server is asked.
const ASK: Duration = Duration::from_millis(20);
/// The most effects that may wait at the end of the window.
pub(crate) const BACKLOG_MAX: f64 = 1024.0;

/// What both kinds of rounds measure.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Loaded {
    /// Events per second: answered by the proxy, or outcomes committed by Bellwether.
    pub(crate) per_s: f64,
    /// POST sent to push received.
    pub(crate) p50_ms: f64,
    /// The same.
    pub(crate) p99_ms: f64,
    /// POST sent to answer received.
    pub(crate) answer_p50_ms: f64,
    /// The same.
    pub(crate) answer_p99_ms: f64,
    /// Events that were accepted, with warm-up.
    pub(crate) accepted: u64,
    /// CPU of the measured process per event.
    pub(crate) cpu_us: f64,
    /// CPU of the sink per event.
    pub(crate) sink_cpu_us: f64,
    /// CPU of the load generator per event.
    pub(crate) load_cpu_us: f64,
}

/// A round of the bare proxy.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Bare {
    #[serde(flatten)]
    pub(crate) load: Loaded,
}

/// A round of Bellwether.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Durable {
    #[serde(flatten)]
    pub(crate) load: Loaded,
    /// Events accepted per second in the window.
    pub(crate) accepted_per_s: f64,
    /// Events without an outcome at the end of the window.
    pub(crate) backlog: f64,
    /// From the end of the load until everything was pushed and recorded.
    pub(crate) drain_ms: f64,
    /// Commits of the store per second.
    pub(crate) commits_per_s: f64,
    /// Members per commit.
    pub(crate) members_per_commit: f64,
    /// Rows changed per event.
    pub(crate) rows: f64,
    /// Growth of the database and its log per event, over the whole round.
    pub(crate) bytes: f64,
    /// Bytes written to disk per event in the window.
    pub(crate) written: f64,
    /// Answers that said "later".
    pub(crate) pushed_back: u64,
    /// Bytes that the open console read.
    pub(crate) live_bytes: u64,
    /// Memory at the end of the load.
    pub(crate) rss_mb: f64,
    /// The most memory.
    pub(crate) rss_peak_mb: f64,
}

/// CPU of the three processes at one moment.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    server: Usage,
    sink: u64,
    load: u64,
}

/// The measured window.
#[derive(Debug)]
struct Window {
    from: u64,
    to: u64,
    before: Cpu,
    after: Cpu,
}

impl Window {
    fn seconds(&self) -> f64 {
        self.to.saturating_sub(self.from) as f64 / 1e6
    }
}

fn cpu(bench: &Bench, child: &Child) -> Cpu {
    Cpu {
        server: child.usage(),
        sink: bench.sink.cpu_us(),
        load: crate::process::own_usage().cpu_us,
    }
}

/// Measures the proxy once.
pub(super) async fn bare(bench: &mut Bench, push_bytes: usize) -> Outcome<Bare> {
    let run = bench.next_run();
    let args = [
        "--sink".to_owned(),
        bench.sink.base_url(),
        "--push-bytes".to_owned(),
        push_bytes.to_string(),
    ];
    let (child, port) = Child::own("bare", &args).await?;
    let load = Load::begin(&format!("127.0.0.1:{port}"), run, bench.options.connections);
    tokio::time::sleep(WARM_UP).await;
    let before = cpu(bench, &child);
    let (from, first) = (micros(), load.shared.accepted.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs_f64(bench.options.seconds)).await;
    let (to, last) = (micros(), load.shared.accepted.load(Ordering::Relaxed));
    let after = cpu(bench, &child);
    let sum = load.end().await;
    let window = Window {
        from,
        to,
        before,
        after,
    };
    let receipts = bench.sink.receipts().await?;
    child.kill().await?;
    let events = last.saturating_sub(first) as f64;
    Ok(Bare {
        load: counted(&sum, &receipts, run, &window, events)?,
    })
}

/// Measures Bellwether once, on a new database, with so many flows.
pub(super) async fn durable(bench: &mut Bench, flows: usize) -> Outcome<Durable> {
    let run = bench.next_run();
    let folder: PathBuf = bench.folder.path().join(format!("run-{run}"));
    let sink = bench.sink.base_url();
    let home = Home::with_many(&bench.binary, folder.clone(), &sink, flows)?;
    let mut server = home.start()?;
    server.ready().await?;
    let measured = loaded(bench, &home, &mut server, run).await;
    let end = server.child.ended();
    server.child.kill().await?;
    if !bench.options.ground.keep && std::fs::remove_dir_all(&folder).is_err() {
        return fault(format!("{} cannot be removed", folder.display()));
    }
    match end {
        Some(end) => fault(format!("{end}; {measured:?}")),
        None => measured,
    }
}

async fn loaded(bench: &Bench, home: &Home, server: &mut Server, run: u16) -> Outcome<Durable> {
    let api = Api::new(&bench.http, home);
    let live_bytes = Arc::new(AtomicU64::new(0));
    let watching = {
        let (api, bytes) = (api.clone(), Arc::clone(&live_bytes));
        tokio::spawn(async move { api.watch(bytes).await })
    };
    let bytes_before = home.bytes();
    let load = Load::begin(&home.public, run, bench.options.connections);
    tokio::time::sleep(WARM_UP).await;
    let before = cpu(bench, &server.child);
    let first = api.counters().await?;
    let from = micros();
    tokio::time::sleep(Duration::from_secs_f64(bench.options.seconds)).await;
    let last = api.counters().await?;
    let to = micros();
    let after = cpu(bench, &server.child);
    let sum = load.end().await;
    let ended = Instant::now();
    drain(bench, &api, &sum).await?;
    let drain_ms = ended.elapsed().as_secs_f64() * 1000.0;
    let window = Window {
        from,
        to,
        before,
        after,
    };
    if watching.is_finished() {
        let why = watching
            .await
            .map_or_else(|why| why.to_string(), |end| format!("{end:?}"));
        return fault(format!("the open console was cut off: {why}"));
    }
    watching.abort();
    let receipts = bench.sink.receipts().await?;
    let outcomes = last.grown(&first, "outcomes_total")?;
    let load = counted(&sum, &receipts, run, &window, outcomes)?;
    let mut durable = stored(&first, &last, &window, load)?;
    durable.drain_ms = round(drain_ms);
    durable.bytes = round(home.bytes().saturating_sub(bytes_before) as f64 / sum.sent.len() as f64);
    durable.pushed_back = sum.pushed_back;
    durable.live_bytes = live_bytes.load(Ordering::Relaxed);
    Ok(durable)
}

/// What the counters and /proc say of the window.
fn stored(first: &Counters, last: &Counters, window: &Window, load: Loaded) -> Outcome<Durable> {
    let outcomes = last.grown(first, "outcomes_total")?.max(1.0);
    let commits = last.grown(first, "store_commits_total")?;
    // The server is new and each event makes one effect, so what is accepted and has no outcome
    // waits somewhere, whatever the gauge of the dispatcher says.
    let waits = last.get("events_total")? - last.get("outcomes_total")?;
    let backlog = waits.max(last.get("effects_outstanding")?);
    let usage = &window.after.server;
    let written = usage.written.saturating_sub(window.before.server.written);
    Ok(Durable {
        load,
        accepted_per_s: round(last.grown(first, "events_total")? / window.seconds()),
        backlog,
        commits_per_s: round(commits / window.seconds()),
        members_per_commit: round(last.grown(first, "store_members_total")? / commits.max(1.0)),
        rows: round(last.grown(first, "store_rows_changed_total")? / outcomes),
        written: round(written as f64 / outcomes),
        rss_mb: mb(usage.rss),
        rss_peak_mb: mb(usage.rss_peak),
        ..Durable::default()
    })
}

/// Megabytes of bytes.
pub(super) fn mb(bytes: u64) -> f64 {
    round(bytes as f64 / 1e6)
}

/// Waits until nothing is outstanding and the sink has seen a push per accepted event.
async fn drain(bench: &Bench, api: &Api, sum: &Sum) -> Outcome<()> {
    let began = Instant::now();
    loop {
        let outstanding = api.counters().await?.get("effects_outstanding")?;
        if outstanding == 0.0 {
            return Ok(());
        }
        if began.elapsed() > DRAIN_MAX {
            let pushes = bench.sink.totals().await?.pushes;
            return fault(format!(
                "{outstanding} effects wait after {DRAIN_MAX:?}; {} events were accepted, the sink \
                 saw {pushes} pushes in all",
                sum.sent.len()
            ));
        }
        tokio::time::sleep(ASK).await;
    }
}

/// Checks that every accepted event was pushed exactly once, and takes the latencies.
fn counted(
    sum: &Sum,
    receipts: &[Receipt],
    run: u16,
    window: &Window,
    events: f64,
) -> Outcome<Loaded> {
    if let Some(first) = sum.faults.first() {
        return fault(format!("{} connections failed: {first}", sum.faults.len()));
    }
    if events < 1.0 {
        return fault("nothing was done in the measured window");
    }
    let numbers = sum.sent.iter().map(|sent| sent.number as usize + 1).max();
    let mut came = vec![0u64; numbers.unwrap_or(0)];
    for receipt in receipts.iter().filter(|receipt| receipt.id.run == run) {
        match came.get_mut(receipt.id.number as usize) {
            Some(0) => came[receipt.id.number as usize] = receipt.at,
            Some(_) => return fault(format!("{} was pushed twice", receipt.id)),
            None => return fault(format!("{} was pushed but not accepted", receipt.id)),
        }
    }
    let missing = sum
        .sent
        .iter()
        .filter(|sent| came[sent.number as usize] == 0);
    let missing = missing.count();
    let pushed = came.iter().filter(|at| **at > 0).count();
    if missing > 0 || pushed != sum.sent.len() {
        return fault(format!(
            "{} events were accepted and {pushed} pushed; {missing} accepted ones were not pushed",
            sum.sent.len()
        ));
    }
    let within = |at: u64| (window.from..window.to).contains(&at);
    let in_window = || sum.sent.iter().filter(|sent| within(sent.at));
    let mut pushes: Vec<u64> = in_window()
        .map(|sent| came[sent.number as usize].saturating_sub(sent.at))
        .collect();
    let mut answers: Vec<u64> = in_window().map(|sent| sent.answered_us).collect();
    pushes.sort_unstable();
    answers.sort_unstable();
    let (before, after) = (&window.before, &window.after);
    let each = |from: u64, to: u64| round(to.saturating_sub(from) as f64 / events.max(1.0));
    Ok(Loaded {
        per_s: round(events / window.seconds()),
        p50_ms: percentile_ms(&pushes, 0.5),
        p99_ms: percentile_ms(&pushes, 0.99),
        answer_p50_ms: percentile_ms(&answers, 0.5),
        answer_p99_ms: percentile_ms(&answers, 0.99),
        accepted: sum.sent.len() as u64,
        cpu_us: each(before.server.cpu_us, after.server.cpu_us),
        sink_cpu_us: each(before.sink, after.sink),
        load_cpu_us: each(before.load, after.load),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BenchId;
    use crate::load::Sent;

    fn window() -> Window {
        let cpu = Cpu {
            server: Usage::default(),
            sink: 0,
            load: 0,
        };
        Window {
            from: 100,
            to: 1_000_100,
            before: cpu,
            after: cpu,
        }
    }

    fn sum(count: u32) -> Sum {
        Sum {
            sent: (0..count)
                .map(|number| Sent {
                    number,
                    at: 1000,
                    answered_us: 500,
                })
                .collect(),
            ..Sum::default()
        }
    }

    fn receipt(number: u32) -> Receipt {
        Receipt {
            id: BenchId { run: 1, number },
            at: 3000,
            note: 0,
        }
    }

    #[test]
    fn counting_is_exact() {
        let both = [receipt(0), receipt(1)];
        let load = counted(&sum(2), &both, 1, &window(), 2.0).unwrap();
        assert_eq!(
            (load.per_s, load.p99_ms, load.answer_p50_ms),
            (2.0, 2.0, 0.5)
        );
        let said =
            |receipts: &[Receipt]| counted(&sum(2), receipts, 1, &window(), 2.0).unwrap_err().0;
        assert!(said(&both[..1]).contains("1 accepted ones were not pushed"));
        assert!(said(&[receipt(0), receipt(1), receipt(1)]).contains("pushed twice"));
        assert!(said(&[receipt(0), receipt(2)]).contains("not accepted"));
    }
}
