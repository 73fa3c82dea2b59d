//! The result of the rate measurement as it is printed: flat keys for machines, rounds for people
//! who doubt, and the targets that the numbers are held against.

use serde::Serialize;

use super::Options;
use super::cold::Cold;
use super::round::{BACKLOG_MAX, Bare, Durable, Loaded, mb};
use crate::disk::Disk;
use crate::event::BODY_LEN;
use crate::stats::{Spread, round};

/// Bellwether's share of the proxy's rate that is wanted.
const RATIO_WANTED: f64 = 0.6;
/// Where the disk limits: this share of connections times durable writes per second.
const DISK_SHARE: f64 = 0.8;
/// The 99th percentile may be so many times the proxy's, and two durable writes.
const P99_TIMES: f64 = 3.0;
/// Megabytes when idle.
const IDLE_MB: f64 = 40.0;
/// Megabytes under load.
const LOADED_MB: f64 = 120.0;
/// Milliseconds from start to first accepted event.
const COLD_MS: f64 = 200.0;

/// Everything that the bench prints.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    bare_per_s: f64,
    durable_per_s: f64,
    ratio: f64,
    p50_ms: f64,
    p99_ms: f64,
    bare_p50_ms: f64,
    bare_p99_ms: f64,
    fsync_per_s: f64,
    commits_per_s: f64,
    members_per_commit: f64,
    rows_per_event: f64,
    bytes_per_event: f64,
    written_bytes_per_event: f64,
    cpu_us_per_event: f64,
    bare_cpu_us_per_event: f64,
    sink_cpu_us_per_event: f64,
    load_cpu_us_per_event: f64,
    backlog_max: f64,
    idle_rss_mb: f64,
    loaded_rss_mb: f64,
    cold_start_ms: f64,
    warm_start_ms: f64,
    push_bytes: usize,
    event_bytes: usize,
    pairs: usize,
    seconds: f64,
    connections: usize,
    cores: usize,
    disk: Disk,
    spread: Spreads,
    targets: Vec<Target>,
    rounds: Rounds,
    /// The counts were exact, the backlog stayed bounded and nothing failed.
    pub(crate) ok: bool,
    errors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Spreads {
    bare_per_s: Spread,
    durable_per_s: Spread,
    ratio: Spread,
    p99_ms: Spread,
    bare_p99_ms: Spread,
    fsync_per_s: Spread,
    cold_start_ms: Spread,
}

#[derive(Debug, Serialize)]
struct Rounds {
    bare: Vec<Bare>,
    durable: Vec<Durable>,
}

/// One number that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Target {
    name: &'static str,
    measured: f64,
    wanted: f64,
    met: bool,
}

impl Report {
    /// Puts the rounds together. A round that failed is in `errors` and in no median.
    pub(super) fn new(
        options: &Options,
        disk: Disk,
        fsync: &[f64],
        cold: &Cold,
        bare: &[Bare],
        durable: &[Durable],
        mut errors: Vec<String>,
    ) -> Self {
        errors.extend(
            durable
                .iter()
                .filter(|round| round.backlog > BACKLOG_MAX)
                .map(|round| {
                    format!(
                        "{} events had no outcome at the end of a round; {BACKLOG_MAX} may",
                        round.backlog
                    )
                }),
        );
        let spread = spreads(fsync, cold, bare, durable);
        let loads: Vec<&Loaded> = durable.iter().map(|round| &round.load).collect();
        let bares: Vec<&Loaded> = bare.iter().map(|round| &round.load).collect();
        let of = |take: fn(&Durable) -> f64| median(durable, take);
        let mut report = Self {
            bare_per_s: spread.bare_per_s.median,
            durable_per_s: spread.durable_per_s.median,
            ratio: spread.ratio.median,
            p50_ms: median(&loads, |load| load.p50_ms),
            p99_ms: spread.p99_ms.median,
            bare_p50_ms: median(&bares, |load| load.p50_ms),
            bare_p99_ms: spread.bare_p99_ms.median,
            fsync_per_s: spread.fsync_per_s.median,
            commits_per_s: of(|round| round.commits_per_s),
            members_per_commit: of(|round| round.members_per_commit),
            rows_per_event: of(|round| round.rows),
            bytes_per_event: of(|round| round.bytes),
            written_bytes_per_event: of(|round| round.written),
            cpu_us_per_event: median(&loads, |load| load.cpu_us),
            bare_cpu_us_per_event: median(&bares, |load| load.cpu_us),
            sink_cpu_us_per_event: median(&loads, |load| load.sink_cpu_us),
            load_cpu_us_per_event: median(&loads, |load| load.load_cpu_us),
            backlog_max: durable
                .iter()
                .map(|round| round.backlog)
                .fold(0.0, f64::max),
            idle_rss_mb: mb(cold.idle_rss),
            loaded_rss_mb: of(|round| round.rss_mb),
            cold_start_ms: spread.cold_start_ms.median,
            warm_start_ms: Spread::of(&cold.again_ms).median,
            push_bytes: cold.push_bytes,
            event_bytes: BODY_LEN,
            pairs: options.pairs,
            seconds: options.seconds,
            connections: options.connections,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            disk,
            spread,
            targets: Vec::new(),
            rounds: Rounds {
                bare: bare.to_vec(),
                durable: durable.to_vec(),
            },
            ok: errors.is_empty() && !bare.is_empty() && !durable.is_empty(),
            errors,
        };
        report.targets = targets(&report);
        report
    }

    /// The result in a few lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "bare {:.0}/s, durable {:.0}/s, ratio {:.3} (from {:.3} to {:.3})",
                self.bare_per_s,
                self.durable_per_s,
                self.ratio,
                self.spread.ratio.min,
                self.spread.ratio.max
            ),
            format!(
                "POST to push: p50 {:.1} ms, p99 {:.1} ms; bare p50 {:.1} ms, p99 {:.1} ms",
                self.p50_ms, self.p99_ms, self.bare_p50_ms, self.bare_p99_ms
            ),
            format!(
                "per event: {:.0} us CPU (bare {:.0}), {:.1} rows, {:.0} bytes kept; disk {} {}",
                self.cpu_us_per_event,
                self.bare_cpu_us_per_event,
                self.rows_per_event,
                self.bytes_per_event,
                self.disk.device,
                self.disk.file_system
            ),
        ];
        lines.extend(self.targets.iter().map(|target| {
            let met = if target.met { "met   " } else { "MISSED" };
            let Target {
                name,
                measured,
                wanted,
                ..
            } = target;
            format!("{met} {name}: {measured:.3}, wanted {wanted:.3}")
        }));
        lines.extend(self.errors.iter().map(|error| format!("ERROR {error}")));
        lines
    }
}

fn spreads(fsync: &[f64], cold: &Cold, bare: &[Bare], durable: &[Durable]) -> Spreads {
    let bare_rates: Vec<f64> = bare.iter().map(|round| round.load.per_s).collect();
    let rates: Vec<f64> = durable.iter().map(|round| round.load.per_s).collect();
    // Only when no round failed do equal indexes mean the same pair.
    let ratios: Vec<f64> = if bare.len() == durable.len() {
        rates
            .iter()
            .zip(&bare_rates)
            .map(|(rate, bare)| rate / bare.max(1.0))
            .collect()
    } else {
        Vec::new()
    };
    let bare_p99: Vec<f64> = bare.iter().map(|round| round.load.p99_ms).collect();
    let p99: Vec<f64> = durable.iter().map(|round| round.load.p99_ms).collect();
    Spreads {
        bare_per_s: Spread::of(&bare_rates),
        durable_per_s: Spread::of(&rates),
        ratio: Spread::of(&ratios),
        p99_ms: Spread::of(&p99),
        bare_p99_ms: Spread::of(&bare_p99),
        fsync_per_s: Spread::of(fsync),
        cold_start_ms: Spread::of(&cold.fresh_ms),
    }
}

fn median<R>(rounds: &[R], take: impl Fn(&R) -> f64) -> f64 {
    Spread::of(&rounds.iter().map(take).collect::<Vec<f64>>()).median
}

fn targets(report: &Report) -> Vec<Target> {
    let disk_rate = DISK_SHARE * report.connections as f64 * report.fsync_per_s;
    let rate_wanted = (RATIO_WANTED * report.bare_per_s).min(disk_rate);
    let fsync_ms = 1000.0 / report.fsync_per_s.max(1.0);
    let p99_wanted = P99_TIMES * report.bare_p99_ms + 2.0 * fsync_ms;
    let at_least = |name, measured: f64, wanted: f64| Target {
        name,
        measured,
        wanted: round(wanted),
        met: measured >= wanted,
    };
    let at_most = |name, measured: f64, wanted: f64| Target {
        name,
        measured,
        wanted: round(wanted),
        met: measured <= wanted,
    };
    vec![
        at_least("durable_per_s", report.durable_per_s, rate_wanted),
        at_most("p99_ms", report.p99_ms, p99_wanted),
        at_most("backlog", report.backlog_max, BACKLOG_MAX),
        at_most("idle_rss_mb", report.idle_rss_mb, IDLE_MB),
        at_most("loaded_rss_mb", report.loaded_rss_mb, LOADED_MB),
        at_most("cold_start_ms", report.cold_start_ms, COLD_MS),
    ]
}
