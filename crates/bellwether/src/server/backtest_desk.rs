//! The backtests of a running server: one at a time, on a thread of its own, over a store that is
//! gone when it ends. What a backtest does is the engine's business.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_engine::backtest::{self, Over, Progress, Report, Trial, read_mailbox};
use bellwether_engine::run::Engine;
use bellwether_engine::seam::{Backtest, Backtests, FlowDocument, NotBegun};
use bellwether_engine::store::{Store, Views};
use bellwether_engine::story::Stored;
use bellwether_model::BoxFuture;
use bellwether_model::time::Time;

use super::flows::program;

/// One backtest.
#[derive(Debug)]
struct Running {
    trial: Trial,
    progress: Arc<Progress>,
    end: Option<Result<Arc<Report>, String>>,
}

/// The backtests of an engine.
#[derive(Clone, Debug)]
pub(super) struct BacktestDesk {
    engine: Engine,
    latest: Arc<Mutex<Option<Running>>>,
}

/// A store that lives in a file without a name as soon as it is large.
fn scratch() -> Result<Stored, String> {
    let database = bellwether_store::open("sqlite::scratch:").map_err(|error| error.to_string())?;
    let database = Arc::new(database);
    Ok((
        Arc::clone(&database) as Arc<dyn Store>,
        database as Arc<dyn Views>,
    ))
}

/// Plays it to its end. Blocks.
fn play(engine: &Engine, trial: &Trial, progress: &Progress) -> Result<Arc<Report>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| format!("no runtime could be started: {error}"))?;
    let scratch = scratch()?;
    let played = runtime.block_on(backtest::run(engine, trial, scratch, progress));
    played.map(Arc::new).map_err(|error| error.to_string())
}

impl BacktestDesk {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            latest: Arc::default(),
        }
    }

    fn latest(&self) -> MutexGuard<'_, Option<Running>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the latest backtest, unless that one still runs.
    fn take_place(&self, trial: &Trial) -> Result<Arc<Progress>, NotBegun> {
        let progress = Arc::new(Progress::default());
        let mut latest = self.latest();
        if let Some(running) = latest.as_ref().filter(|running| running.end.is_none()) {
            return Err(NotBegun::Busy(running.trial.program.flow.name.clone()));
        }
        *latest = Some(Running {
            trial: trial.clone(),
            progress: Arc::clone(&progress),
            end: None,
        });
        Ok(progress)
    }

    fn ended(&self, end: Result<Arc<Report>, String>) {
        if let Some(running) = self.latest().as_mut() {
            running.end = Some(end);
        }
    }

    /// Plays it on a thread of its own.
    fn play(&self, trial: Trial, progress: Arc<Progress>) {
        let desk = self.clone();
        let work = move || desk.ended(play(&desk.engine, &trial, &progress));
        let thread = std::thread::Builder::new().name("backtest".to_owned());
        if let Err(error) = thread.spawn(work) {
            self.ended(Err(format!("no thread could be started: {error}")));
        }
    }

    /// Reads the mailbox, then plays its mails.
    async fn read_and_play(self, mut trial: Trial, connection: String, progress: Arc<Progress>) {
        let period = (trial.from, trial.until);
        match read_mailbox(&self.engine, &connection, period, &progress).await {
            Ok(mails) => {
                let mails = Arc::new(mails);
                trial.over = Over::Mails { connection, mails };
                self.play(trial, progress);
            }
            Err(error) => self.ended(Err(error.to_string())),
        }
    }
}

impl Backtests for BacktestDesk {
    fn begin(
        &self,
        document: FlowDocument,
        (from, until): (Time, Time),
        mailbox: Option<String>,
    ) -> BoxFuture<'_, Result<(), NotBegun>> {
        Box::pin(async move {
            let program = Arc::new(program(&document).map_err(NotBegun::Wrong)?);
            let trial = Trial {
                program,
                from,
                until,
                over: Over::Record,
            };
            let progress = self.take_place(&trial)?;
            match mailbox {
                None => self.play(trial, progress),
                Some(mailbox) => {
                    tokio::spawn(self.clone().read_and_play(trial, mailbox, progress));
                }
            }
            Ok(())
        })
    }

    fn latest(&self) -> Option<Backtest> {
        let latest = self.latest();
        let running = latest.as_ref()?;
        let (read, all) = running.progress.read();
        Some(Backtest {
            flow: running.trial.program.flow.name.clone(),
            from: running.trial.from,
            until: running.trial.until,
            read,
            all,
            end: running.end.clone(),
        })
    }

    fn cancel(&self) {
        if let Some(running) = self.latest().as_ref() {
            running.progress.cancel();
        }
    }
}
