//! The feed test: a tenant's whole licence feed is read for the first time while the server is
//! killed over and over; then changes are made, and every event is accounted for. Done at a tenth
//! of the size and at the size, so that it shows whether a change costs more in a longer feed. What
//! is changed is in `changes.rs`, what must have come of it is counted in `account.rs`.

mod account;
mod changes;
mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::error::{Outcome, fault};
use crate::ground::Ground;
use crate::progress::Progress;
use crate::rng::Rng;
use crate::stats::round;
use crate::tenant::desk::{Desk, Reading};
use crate::tenant::{PAGE, Sandbox, Tenant};
use account::{Expected, Known};
pub(crate) use report::Report;
use report::Size;

/// How many changes in a hundred are made and read one at a time.
const SINGLY: u64 = 2;
/// Kinds of changes in one round of ten.
const TEN: u64 = 10;
/// Steps of the bar for each size.
const STEPS: usize = 5;
/// How long events that follow from a change may take to come.
const FOLLOW_MAX: Duration = Duration::from_secs(60);
/// The longest wait between the moment that was chosen for a kill and the kill.
const JITTER_MS: u64 = 150;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Transactions in the feed; a tenth of them is measured first.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) records: u64,
    /// Changes after the first read.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) changes: u64,
    /// How often the server is killed during the first read.
    #[arg(long, default_value_t = 5)]
    pub(crate) kills: u64,
    /// Transactions per page of the feed.
    #[arg(long, default_value_t = PAGE)]
    pub(crate) limit: u64,
    /// The lists of files are not read: then no file is changed either.
    #[arg(long)]
    pub(crate) no_files: bool,
    /// The seed of the moments of the kills.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// Reads both feeds and accounts for everything.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    if options.records < TEN * TEN || options.changes < 2 * TEN {
        return fault("at least 100 records and 20 changes are needed");
    }
    let (binary, folder) = options.ground.prepare().await?;
    let began = Instant::now();
    let sandbox = Sandbox::start(&binary, folder.path()).await?;
    let mut progress = Progress::new(2 * STEPS);
    let mut report = Report::default();
    for records in [options.records / 10, options.records] {
        let folder = folder.path().join(format!("feed-{records}"));
        progress.say(&format!("{records}: reading the feed without the server"));
        let mut run = Run::begin(&binary, &folder, &sandbox, records, &options).await?;
        if let Err(why) = run.everything(&mut progress).await {
            run.size.errors.push(why.0);
        }
        report.sizes.push(run.end().await?);
    }
    progress.end();
    report.seconds = round(began.elapsed().as_secs_f64());
    report.judge();
    Ok(report)
}

/// One size.
struct Run<'a> {
    sandbox: &'a Sandbox,
    tenant: Tenant,
    desk: Desk,
    options: &'a Options,
    /// What the feed held before anything changed, read without the server.
    known: Known,
    expected: Expected,
    size: Size,
}

impl<'a> Run<'a> {
    async fn begin(
        binary: &Path,
        folder: &Path,
        sandbox: &'a Sandbox,
        records: u64,
        options: &'a Options,
    ) -> Outcome<Self> {
        let mut tenant = sandbox.tenant(records, None).await?;
        let mut known = Known::default();
        sandbox.read(&tenant, |record| known.take(record)).await?;
        // The bench itself has used the first token up.
        tenant.info = sandbox.info(&tenant).await?;
        let reading = Reading {
            limit: options.limit,
            files: !options.no_files,
            stuck_hours: 0,
            flow: changes::LIMIT_REACHED,
        };
        Ok(Self {
            desk: Desk::make(binary, folder.to_owned(), &tenant, &reading)?,
            sandbox,
            tenant,
            options,
            known,
            expected: Expected::default(),
            size: Size::of(records),
        })
    }

    async fn everything(&mut self, progress: &mut Progress) -> Outcome<()> {
        let records = self.size.records;
        progress.step(&format!("{records}: the first read, with kills"));
        self.baseline().await?;
        progress.step(&format!("{records}: counting what was said"));
        // Lists of events follow the record with a moment's delay; its own account comes last.
        let last = [(account::BASELINE, 1)].into();
        self.desk.said(&last, FOLLOW_MAX).await?;
        account::silence(&self.desk, &self.known, &mut self.size).await?;
        progress.step(&format!("{records}: changes"));
        self.changes().await?;
        progress.step(&format!("{records}: counting every event"));
        self.desk.said(&self.expected.totals(), FOLLOW_MAX).await?;
        account::changes(&self.desk, &self.expected, &mut self.size).await?;
        progress.step(&format!("{records}: done"));
        Ok(())
    }

    /// The first read, killed again and again, to its end.
    async fn baseline(&mut self) -> Outcome<()> {
        let (records, kills) = (self.size.records, self.options.kills);
        let mut rng = Rng::new(self.options.seed);
        let began = Instant::now();
        self.desk.start().await?;
        self.size.idle_rss_mb = megabytes(self.desk.usage().rss);
        for kill in 1..=kills {
            let aim = records * kill / (kills + 1);
            let seen = self.desk.settled(aim, |_| ()).await?;
            tokio::time::sleep(Duration::from_millis(rng.between(0, JITTER_MS))).await;
            self.desk.kill().await?;
            let started = self.desk.start().await?;
            self.size.restart_ms.push(round(started * 1_000.0));
            let after = self.desk.ledger().await?;
            let behind = swallowed(after.cursor.as_deref()) < swallowed(seen.cursor.as_deref());
            if after.received < seen.received || behind {
                let words = format!("kill {kill}: {seen:?} before, {after:?} after it");
                self.size.errors.push(words);
            }
        }
        // With the record of what was swallowed at its end.
        self.desk.settled(records + 1, |_| ()).await?;
        let seconds = began.elapsed().as_secs_f64();
        self.size.baseline_seconds = round(seconds);
        self.size.records_per_s = round(records as f64 / seconds);
        self.size.kills = kills;
        self.size.baseline_peak_rss_mb = megabytes(self.desk.peak());
        self.size.database_mb = megabytes(self.desk.bytes());
        Ok(())
    }

    /// Two rounds that are read at once, because the feed tells only the last state of each
    /// transaction, and some changes one at a time.
    async fn changes(&mut self) -> Outcome<()> {
        let changes = self.options.changes;
        let singly = (changes * SINGLY / 100).max(TEN / 2);
        let plan = changes::Plan::of(
            &self.known,
            changes - singly,
            singly,
            !self.options.no_files,
        )?;
        let mut received = self.desk.ledger().await?.received;
        let bought = plan.buy(self.sandbox, &self.tenant).await?;
        received += self.expected.add(&bought);
        self.desk.read_now().await?;
        self.desk.settled(received, |_| ()).await?;
        let second = plan.change(self.sandbox, &self.tenant, &bought).await?;
        received += self.expected.add(&second);
        let (began, before) = (Instant::now(), self.desk.usage());
        self.desk.read_now().await?;
        self.desk.settled(received, |_| ()).await?;
        let spent = began.elapsed().as_secs_f64();
        let cpu_us = self.desk.usage().cpu_us - before.cpu_us;
        self.size.change_ms = round(spent * 1_000.0 / second.len() as f64);
        self.size.change_cpu_us = round(cpu_us as f64 / second.len() as f64);
        let mut waits = Vec::new();
        for uuid in &plan.singly {
            let one = [plan.use_up(self.sandbox, &self.tenant, uuid).await?];
            received += self.expected.add(&one);
            let began = Instant::now();
            self.desk.read_now().await?;
            self.desk.settled(received, |_| ()).await?;
            waits.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        self.size.one_change_ms = crate::stats::Spread::of(&waits);
        self.size.changes = changes;
        Ok(())
    }

    async fn end(mut self) -> Outcome<Size> {
        self.size.peak_rss_mb = megabytes(self.desk.peak());
        self.size.panics = self.desk.panics();
        if self.desk.usage().rss > 0 {
            self.desk.kill().await?;
        }
        Ok(self.size)
    }
}

/// How many transactions a cursor of the first read has behind it; all of them after it.
fn swallowed(cursor: Option<&str>) -> u64 {
    match cursor.and_then(|cursor| cursor.split_once(':')) {
        None => 0,
        Some(("b", rest)) => rest
            .split_once(',')
            .and_then(|(count, _)| count.parse().ok())
            .unwrap_or(0),
        Some(_) => u64::MAX,
    }
}

/// Bytes in megabytes.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    round(bytes as f64 / f64::from(1 << 20))
}

/// A deed with how it must show: the types of the events that follow from it.
#[derive(Debug, Clone)]
struct Done {
    uuid: String,
    follows: &'static [&'static str],
}

impl Done {
    /// Whether the feed's record is another one than before.
    fn is_news(&self) -> bool {
        !self.follows.is_empty()
    }
}

/// A change of one transaction.
async fn deed(
    sandbox: &Sandbox,
    tenant: &Tenant,
    name: &str,
    mut body: serde_json::Value,
    uuid: &str,
) -> Outcome<()> {
    body["uuid"] = json!(uuid);
    sandbox.deed(tenant, name, &body).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::swallowed;

    #[test]
    fn a_cursor_of_the_first_read_says_how_far_it_is() {
        assert_eq!(swallowed(None), 0);
        assert_eq!(swallowed(Some("b:150,3,1,9,0,0:abc")), 150);
        assert_eq!(swallowed(Some("l:abc")), u64::MAX);
    }
}
