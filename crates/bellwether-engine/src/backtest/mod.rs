//! Backtest: a new or changed flow over the events of the record, with nothing sent. Outcomes and
//! answers are those of the record where the flow asks or tells the same person the same thing;
//! everything else counts as accepted and unanswered. What the record says is read in `past`, what
//! the flow would have sent is noted in `witness`, the world in between is `stage`, and what is
//! shown in the end is `report`. Instead of the record, the mails of a mailbox may be played, which
//! `mailbox` reads.

mod mailbox;
mod past;
mod report;
mod stage;
mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bellwether_model::event::{NewEvent, Position};
use bellwether_model::time::Time;

use crate::run::{Engine, Program};
use crate::store::{EventQuery, StoreError};
use crate::story::Stored;
pub use mailbox::read_mailbox;
use past::Past;
pub use report::{Difference, Kind, Message, Report};
use stage::Stage;

/// How many events are read at once.
const PAGE: usize = 500;

/// What is tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The flow with what is filled in.
    pub program: Arc<Program>,
    /// Runs that would have begun from here on.
    pub from: Time,
    /// Until here, itself not included. What became of them is looked at until now.
    pub until: Time,
    /// What is played.
    pub over: Over,
}

/// What a flow is tried on.
#[derive(Clone, Debug, Default)]
pub enum Over {
    /// What was recorded, with what people answered.
    #[default]
    Record,
    /// The mails of a connected mailbox, oldest first. Nobody answers, and nothing of it was sent.
    Mails {
        /// The connection.
        connection: String,
        /// The mails.
        mails: Arc<Vec<NewEvent>>,
    },
}

/// How far a backtest has come, for whoever waits; and whether it shall go on.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    all: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Events read, and how many there are at most.
    pub fn read(&self) -> (u64, u64) {
        (
            self.done.load(Ordering::Relaxed),
            self.all.load(Ordering::Relaxed),
        )
    }

    fn all(&self, events: usize) {
        self.all.fetch_max(events as u64, Ordering::Relaxed);
    }

    fn one_more(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Ends it at the next event.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// Somebody ended it.
    #[error("the backtest was ended before it was through")]
    Cancelled,
    /// The mailbox could not be read.
    #[error("{0}")]
    Mailbox(String),
    /// The record could not be read, or the trial's own store failed.
    #[error("the backtest could not go on: {0}")]
    Store(String),
}

impl From<StoreError> for NoReport {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Plays the record of `real` to the flow, in `scratch`, which must be empty and nobody else's.
///
/// The people are those of the directory as it is now; their absences and working times at that
/// time are what the directory says of them today.
///
/// # Errors
/// As [`NoReport`] has them.
pub async fn run(
    real: &Engine,
    trial: &Trial,
    scratch: Stored,
    progress: &Progress,
) -> Result<Report, NoReport> {
    let now = real.now();
    let past = Arc::new(Past::new(real, trial, scratch.clone()));
    let mut stage = Stage::new(real, trial, scratch, &past);
    let events = match &trial.over {
        Over::Record => over_the_record((real, trial), &mut stage, &past, progress).await?,
        Over::Mails { mails, .. } => over_mails(trial, mails, &mut stage, progress).await?,
    };
    stage.until(now).await?;
    Ok(past.report(events).await?)
}

/// Plays what was recorded; how many events that were.
async fn over_the_record(
    (real, trial): (&Engine, &Trial),
    stage: &mut Stage,
    past: &Past,
    progress: &Progress,
) -> Result<u64, NoReport> {
    let now = real.now();
    let mut after = first_from(real, trial.from).await?;
    let mut events = 0_u64;
    let mut closed = false;
    loop {
        let query = EventQuery {
            after: Some(after),
            limit: PAGE,
            ..EventQuery::default()
        };
        let page = real.inner.parts.views.events(query).await?;
        progress.all(usize::try_from(page.total).unwrap_or(usize::MAX));
        let Some(last) = page.items.last() else {
            return Ok(events);
        };
        after = last.position;
        for event in page.items.iter().filter(|event| event.received_at <= now) {
            if progress.is_cancelled() {
                return Err(NoReport::Cancelled);
            }
            events += 1;
            progress.one_more();
            if event.received_at >= trial.until && !closed {
                stage.until(trial.until).await?;
                stage.close_doors(&trial.program.flow.name);
                closed = true;
            }
            stage.until(event.received_at).await?;
            if let Some(arriving) = past.as_it_would_come(event).await? {
                stage.take(arriving, event.received_at).await?;
            }
        }
    }
}

/// Plays mails as if each had come when it was sent; how many they were.
async fn over_mails(
    trial: &Trial,
    mails: &[NewEvent],
    stage: &mut Stage,
    progress: &Progress,
) -> Result<u64, NoReport> {
    for mail in mails {
        if progress.is_cancelled() {
            return Err(NoReport::Cancelled);
        }
        stage.until(mail.time).await?;
        stage.take(mail.clone(), mail.time).await?;
    }
    stage.until(trial.until).await?;
    stage.close_doors(&trial.program.flow.name);
    Ok(mails.len() as u64)
}

/// The position before the first event that came at `from` or later: positions grow with time.
async fn first_from(real: &Engine, from: Time) -> Result<Position, StoreError> {
    let views = &real.inner.parts.views;
    let newest = EventQuery {
        newest: true,
        limit: 1,
        ..EventQuery::default()
    };
    let newest = views.events(newest).await?;
    let (mut low, mut high) = (0, newest.items.first().map_or(0, |event| event.position));
    while low < high {
        let middle = low + (high - low) / 2;
        let query = EventQuery {
            after: Some(middle),
            limit: 1,
            ..EventQuery::default()
        };
        let found = views.events(query).await?;
        match found.items.first() {
            Some(event) if event.received_at < from => low = event.position,
            _ => high = middle,
        }
    }
    // Positions begin at one, so that "after zero" is the first.
    Ok(low)
}
