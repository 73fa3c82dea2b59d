//! The kill test: the real binary under load, ended with SIGKILL at random moments and started
//! again on the same data, over and over; afterwards every single event is accounted for. The load
//! is in `load.rs`, the moments in `moment.rs`, what each start found in flight in `left.rs`, the
//! accounting in `verdict.rs`.

mod left;
mod load;
mod moment;
mod report;
mod verdict;

use std::time::{Duration, Instant};

use crate::clock::micros;
use crate::error::{During, Fault, Outcome, fault};
use crate::ground::Ground;
use crate::progress::Progress;
use crate::rate::client;
use crate::rng::Rng;
use crate::server::Home;
use crate::server::api::Api;
use crate::sink::control::Sink;
use left::Left;
use load::Load;
use moment::{Kills, Moment};
pub(crate) use report::Report;
use verdict::Accounts;

/// The run number in every id: there is one run.
const RUN: u16 = 1;
/// How long the survivors may take until everything is pushed and recorded.
const DRAIN_MAX: Duration = Duration::from_secs(120);
/// How often the draining server is asked.
const ASK: Duration = Duration::from_millis(100);
/// So often in a row nothing may be outstanding until the server counts as drained; the lists of
/// the API may lag behind the commits by a second.
const QUIET: u32 = 20;
/// After so many faults the test ends early: the rest would say the same.
const FAULTS_MAX: usize = 10;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// How often the server is killed.
    #[arg(long, default_value_t = 100)]
    pub(crate) cycles: usize,
    /// The seed of the moments; the same seed gives the same sequence of plans.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep-alive connections, each with one event on the way.
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// Events whose answer was lost are not sent again; whether they count stays open.
    #[arg(long)]
    pub(crate) no_resend: bool,
    #[command(flatten)]
    pub(crate) ground: Ground,
}

/// Runs the test and accounts for every event.
pub(crate) async fn measure(options: Options) -> Outcome<Report> {
    if options.cycles == 0 || options.connections == 0 {
        return fault("at least one cycle and one connection are needed");
    }
    let (binary, folder) = options.ground.prepare().await?;
    let http = client()?;
    let sink = Sink::start(&http).await?;
    let home = Home::make(&binary, folder.path().join("kill"), &sink.base_url())?;
    let began = Instant::now();
    let mut load = Load::begin(&home.public, RUN, &options);
    let mut kills = Kills::default();
    let mut faults = Vec::new();
    let mut progress = Progress::new(options.cycles + 1);
    let mut rng = Rng::new(options.seed);
    for cycle in 0..options.cycles {
        let plan = Moment::choose(&mut rng);
        if let Err(why) = cycle_once(&home, plan, &mut rng, &mut kills).await {
            faults.push(Fault(format!("cycle {cycle}: {why}")));
        }
        faults.extend(load.faults());
        if faults.len() > FAULTS_MAX {
            break;
        }
        progress.step(&format!("kills, {} events accepted", load.accepted()));
    }
    progress.say("draining");
    kills.logs.push(log_bytes(&home));
    let mut server = home.start()?;
    server.ready().await?;
    load.end().await?;
    faults.extend(load.faults());
    let api = Api::new(&http, &home);
    if let Err(why) = drain(&api).await {
        faults.push(why);
    }
    progress.say("accounting");
    let left = read_logs(&home, &kills)?;
    let accounts = account(&api, &sink, &load, &kills, &left).await?;
    faults.extend(server.child.ended().map(Fault));
    server.child.kill().await?;
    progress.step("done");
    progress.end();
    let spent = began.elapsed();
    Ok(Report::new(
        &options,
        &kills,
        &load.tally(),
        &accounts,
        &left.figures,
        &faults,
        spent,
    ))
}

/// One life of the server.
async fn cycle_once(home: &Home, plan: Moment, rng: &mut Rng, kills: &mut Kills) -> Outcome<()> {
    let began = Instant::now();
    kills.logs.push(log_bytes(home));
    let mut server = home.start()?;
    let came = plan.wait(home, &mut server, rng, began, kills).await;
    let end = server.child.ended();
    kills.at.push(micros());
    server.child.kill().await?;
    kills.look_at_the_dead(home);
    if let Some(end) = end {
        return fault(format!("{end}; its log ends:\n{}", home.log_end()));
    }
    came
}

/// How long the log is: where the next life's part begins.
fn log_bytes(home: &Home) -> usize {
    let file = std::fs::metadata(home.log());
    file.map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX))
}

/// Cuts the log into lives, and reads what each says about the ones before.
fn read_logs(home: &Home, kills: &Kills) -> Outcome<Left> {
    let log = std::fs::read(home.log()).during("the server's log cannot be read")?;
    let ends = kills.logs.iter().skip(1).copied().chain([log.len()]);
    let lives = kills.logs.iter().zip(ends);
    let lives: Vec<_> = lives
        .map(|(from, to)| String::from_utf8_lossy(log.get(*from..to).unwrap_or_default()))
        .collect();
    Ok(Left::read(lives.iter().map(AsRef::as_ref)))
}

/// Waits until nothing is outstanding and stays so.
async fn drain(api: &Api) -> Outcome<()> {
    let began = Instant::now();
    let mut quiet = 0;
    while quiet < QUIET {
        let outstanding = api.counters().await?.get("effects_outstanding")?;
        quiet = if outstanding == 0.0 { quiet + 1 } else { 0 };
        if began.elapsed() > DRAIN_MAX {
            return fault(format!(
                "{outstanding} effects still wait after {DRAIN_MAX:?}"
            ));
        }
        tokio::time::sleep(ASK).await;
    }
    Ok(())
}

/// Collects what the load, the server's lists and the sink say of every event.
async fn account(
    api: &Api,
    sink: &Sink,
    load: &Load,
    kills: &Kills,
    left: &Left,
) -> Outcome<Accounts> {
    let mut accounts = Accounts::new(RUN, load.standings(), &kills.at);
    api.list("/api/events", |row| accounts.event(row)).await?;
    api.list("/api/notifications", |row| accounts.notification(row))
        .await?;
    for receipt in sink.receipts().await? {
        accounts.receipt(receipt);
    }
    accounts.close(left);
    Ok(accounts)
}
