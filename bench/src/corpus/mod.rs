//! The corpus test: mail of every broken, hostile and large shape, sent by SMTP into a watched
//! mailbox, through faults that hide, forget and refuse; afterwards every mail is accounted for.
//! The mails are in `extremes`, the processes in `scene`, the counting in `count`.

mod count;
mod extremes;
mod report;
mod scene;
mod smtp;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::clock::micros;
use crate::error::{During, Outcome, fault};
use crate::ground::Ground;
use crate::progress::Progress;
use extremes::{Letter, plain};
pub(crate) use report::Report;
use scene::{MAILBOX, Scene};
use smtp::Smtp;

/// Mails of the burst.
const BURST: u64 = 500;
/// Mails before and after the history expires.
const EXPIRING: u64 = 20;
/// Mails that wait together, and how often the first of them is refused.
const NEIGHBOURS: u64 = 8;
const REFUSALS: u64 = 6;
/// How often the server is told to read while they wait.
const HURRY: Duration = Duration::from_millis(100);
/// Files of one corpus at most.
const FILES_MAX: usize = 100_000;
/// Phases, for the bar.
const PHASES: usize = 7;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// A folder whose .eml files are sent as well, with all folders in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) mail: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// The run so far.
#[derive(Debug)]
struct Run {
    scene: Scene,
    report: Report,
    progress: Progress,
    /// When the first mail was sent, in seconds.
    since: u64,
}

/// Sends everything and counts what became of it.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    let letters = match &options.mail {
        Some(folder) => files(folder)?,
        None => Vec::new(),
    };
    let (binary, folder) = options.ground.prepare().await?;
    let began = Instant::now();
    let mut run = Run {
        scene: Scene::set(&binary, folder.path()).await?,
        report: Report::default(),
        progress: Progress::new(PHASES),
        since: (micros() / 1_000_000).saturating_sub(60),
    };
    run.report.idle_rss_mb = megabytes(run.scene.usage().rss);
    if let Err(why) = run.everything(letters).await {
        run.report.errors.push(why.0);
    }
    if let Err(why) = run.account().await {
        run.report.errors.push(why.0);
    }
    run.progress.end();
    let mut report = run.report;
    report.seconds = crate::stats::round(began.elapsed().as_secs_f64());
    report.peak_rss_mb = megabytes(run.scene.usage().rss_peak);
    report.panics = run.scene.panics();
    report.judge();
    Ok(report)
}

impl Run {
    async fn everything(&mut self, letters: Vec<Letter>) -> Outcome<()> {
        count::watching(&mut self.scene).await?;
        self.progress.say("sending the corpus");
        self.report.corpus = self.send(&letters).await?;
        count::settled(&mut self.scene, self.report.accepted).await?;
        self.progress.step("sending the extremes");
        self.report.extremes = self.send(&extremes::all()).await?;
        count::settled(&mut self.scene, self.report.accepted).await?;
        self.report.extremes_peak_rss_mb = megabytes(self.scene.usage().rss_peak);
        self.progress.step("hiding a mail");
        self.hidden().await?;
        self.progress.step("expiring the history");
        self.expired().await?;
        self.progress.step("refusing to give a mail");
        self.refused().await?;
        self.progress.step("refusing one of several mails");
        self.neighbours().await?;
        self.progress.step("a burst through faults");
        self.burst().await?;
        self.progress.step("counting");
        Ok(())
    }

    /// Sends letters one after the other; how many were accepted.
    async fn send(&mut self, letters: &[Letter]) -> Outcome<u64> {
        let mut smtp = Smtp::connect(&self.scene.smtp()).await?;
        let mut accepted = 0;
        for letter in letters {
            let taken = smtp.send(letter.sender, MAILBOX, &letter.bytes).await;
            if taken.during(&letter.name)? {
                accepted += 1;
            } else {
                self.report.turned_away.push(letter.name.clone());
            }
        }
        self.report.accepted += accepted;
        Ok(accepted)
    }

    async fn send_plain(&mut self, what: &str, count: u64) -> Outcome<()> {
        let letters: Vec<Letter> = (0..count).map(|n| plain(&format!("{what}-{n}"))).collect();
        self.send(&letters).await.map(drop)
    }

    /// A mail that the history never tells of is a gap until the sweep finds it.
    async fn hidden(&mut self) -> Outcome<()> {
        self.report.recount_before = count::recount(&self.scene).await?;
        let knob = json!({ "address": MAILBOX, "hide_from_history": 1 });
        self.scene.admin("/admin/google", &knob).await?;
        self.send_plain("hidden", 1).await?;
        // The cursor has passed the hidden one when this one is there.
        self.send_plain("after-the-hidden", 1).await?;
        count::settled(&mut self.scene, self.report.accepted - 1).await?;
        let first = count::recount(&self.scene).await?;
        let gaps = count::ledger(&self.scene).await?.gaps;
        let again = count::recount(&self.scene).await?;
        self.report.hidden_seen = vec![first, gaps, again, self.independent_gaps().await?];
        let found = self.scene.verb("sweep").await?;
        self.report.sweep_found = found["found"].as_u64().unwrap_or(0);
        count::settled(&mut self.scene, self.report.accepted).await?;
        self.report.hidden_after_sweep = vec![
            count::recount(&self.scene).await?,
            count::ledger(&self.scene).await?.gaps,
            self.independent_gaps().await?,
        ];
        Ok(())
    }

    /// Mail that came while nothing could be read, with a history that is gone afterwards.
    async fn expired(&mut self) -> Outcome<()> {
        let outage = json!({ "kind": "status", "status": 503, "times": 0 });
        self.scene.fault(outage).await?;
        self.send_plain("before-the-expiry", EXPIRING).await?;
        let knob = json!({ "address": MAILBOX, "expire_history": true });
        self.scene.admin("/admin/google", &knob).await?;
        self.send_plain("after-the-expiry", EXPIRING).await?;
        self.scene.clear_faults().await?;
        self.scene.verb("read").await?;
        count::settled(&mut self.scene, self.report.accepted).await?;
        Ok(())
    }

    /// A mail that the provider refuses to give becomes an event with what is known, and a dead
    /// letter; the next mail is not held up.
    async fn refused(&mut self) -> Outcome<()> {
        self.report.failed = count::ledger(&self.scene).await?.failed;
        let dead = count::dead_letters(&self.scene).await?;
        let refusal = json!({ "kind": "status", "status": 400, "match": "/messages/", "times": 3 });
        self.scene.fault(refusal).await?;
        self.send_plain("refused", 1).await?;
        count::settled(&mut self.scene, self.report.accepted).await?;
        self.scene.clear_faults().await?;
        self.send_plain("after-the-refused", 1).await?;
        let ledger = count::settled(&mut self.scene, self.report.accepted).await?;
        self.report.dead_letters_unexpected = dead;
        self.report.refused_failed = ledger.failed - self.report.failed;
        self.report.refused_dead_letters = count::dead_letters(&self.scene).await? - dead;
        Ok(())
    }

    /// Of several mails that wait, the first is refused for a while: none of the others may suffer.
    async fn neighbours(&mut self) -> Outcome<()> {
        let outage = json!({ "kind": "status", "status": 503, "times": 0 });
        let outage = self.scene.fault(outage).await?;
        self.send_plain("neighbour", NEIGHBOURS).await?;
        let path = format!("/admin/mailboxes/{MAILBOX}");
        let mails = self.scene.admin_get(&path).await?;
        let first = &mails["messages"][usize::try_from(NEIGHBOURS).unwrap_or(1) - 1];
        let path = format!("/messages/{}", first["id"].as_str().unwrap_or("?"));
        let refusal = json!({ "kind": "status", "status": 503, "match": path, "times": REFUSALS });
        self.scene.fault(refusal).await?;
        self.scene.clear_fault(outage).await?;
        // Told to read at once, again and again, instead of after longer and longer waits.
        while self.scene.faults_hit().await?.1 > 0 || count::ledger(&self.scene).await?.pending > 0
        {
            self.scene.verb("read").await?;
            tokio::time::sleep(HURRY).await;
        }
        count::settled(&mut self.scene, self.report.accepted).await?;
        self.scene.clear_faults().await
    }

    /// Many mails while calls are refused, broken and cut.
    async fn burst(&mut self) -> Outcome<()> {
        let kinds = [
            json!({ "kind": "status", "status": 429, "retry_after": 1 }),
            json!({ "kind": "status", "status": 503, "match": "/messages/" }),
            json!({ "kind": "reset_before", "match": "/messages/" }),
            json!({ "kind": "reset_after" }),
            json!({ "kind": "truncate", "match": "/messages/" }),
            json!({ "kind": "html", "match": "/history" }),
            json!({ "kind": "status", "status": 403, "match": "/messages/", "body":
                json!({ "error": { "code": 403, "message": "Rate Limit Exceeded", "errors":
                    [{ "domain": "usageLimits", "reason": "rateLimitExceeded" }] } }).to_string() }),
        ];
        let began = Instant::now();
        self.scene.fault(kinds[0].clone()).await?;
        self.send_plain("burst", BURST).await?;
        // One fault at a time, as soon as the one before has hit: refusals between progress.
        for kind in kinds.iter().cycle().skip(1) {
            let settled = count::settled_or_hit(&mut self.scene, self.report.accepted);
            if settled.await? {
                break;
            }
            self.scene.fault(kind.clone()).await?;
        }
        self.report.faults_hit = self.scene.faults_hit().await?.0;
        let seconds = began.elapsed().as_secs_f64();
        self.report.burst_seconds = crate::stats::round(seconds);
        self.report.burst_per_s = crate::stats::round(BURST as f64 / seconds);
        self.scene.clear_faults().await
    }

    async fn account(&mut self) -> Outcome<()> {
        let events = count::events(&self.scene).await?;
        self.report.events = events.total;
        self.report.doubled = events.doubled();
        self.report.gaps = vec![
            count::recount(&self.scene).await?,
            self.independent_gaps().await?,
        ];
        self.report.unreadable.clone_from(&events.unreadable);
        self.report.ledger = count::ledger(&self.scene).await?;
        let listed = self.scene.mailbox(self.since).await?;
        self.report.listed = listed.len() as u64;
        Ok(())
    }

    /// The mailbox's own listing minus the record.
    async fn independent_gaps(&self) -> Outcome<u64> {
        let listed = self.scene.mailbox(self.since).await?;
        Ok(count::events(&self.scene).await?.lack(&listed))
    }
}

fn megabytes(bytes: u64) -> f64 {
    crate::stats::round(bytes as f64 / f64::from(1 << 20))
}

/// Every .eml file of a folder, as a mail server would transmit it.
fn files(folder: &Path) -> Outcome<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).during(&format!("{} cannot be read", folder.display()))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.during("a folder cannot be read")?.path());
        }
        paths.sort();
        for path in paths {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "eml") {
                let bytes = std::fs::read(&path).during(&format!("{}", path.display()))?;
                letters.push(Letter {
                    name: path.display().to_string(),
                    sender: extremes::SENDER,
                    bytes: with_carriage_returns(&bytes),
                });
            }
        }
        if letters.len() > FILES_MAX {
            return fault(format!(
                "more than {FILES_MAX} mails; choose a smaller folder"
            ));
        }
    }
    if letters.is_empty() {
        return fault(format!("{} has no .eml files", folder.display()));
    }
    Ok(letters)
}

fn with_carriage_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for byte in bytes {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}
