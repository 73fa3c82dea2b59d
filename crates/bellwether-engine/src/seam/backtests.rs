//! Backtests as pages and callers see them: one at a time, which is begun, looked at and ended.

use std::fmt::Debug;
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::time::Time;

use super::FlowDocument;
use crate::backtest::Report;
use crate::flow::Problem;

/// Why a backtest was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    /// The flow cannot run like this.
    #[error("{}", .0.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join("; "))]
    Wrong(Vec<Problem>),
    /// Another one is running.
    #[error("a backtest of `{0}` is running; wait for it, or end it")]
    Busy(String),
}

/// The latest backtest.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// The flow.
    pub flow: String,
    /// The period.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// Events read so far.
    pub read: u64,
    /// How many there are, at most.
    pub all: u64,
    /// How it ended; None while it runs.
    pub end: Option<Result<Arc<Report>, String>>,
}

/// The backtests of a server.
pub trait Backtests: Send + Sync + Debug {
    /// Begins one over what was recorded, or over the mails of a connected mailbox; the one before
    /// is forgotten if it has ended.
    fn begin(
        &self,
        document: FlowDocument,
        period: (Time, Time),
        mailbox: Option<String>,
    ) -> BoxFuture<'_, Result<(), NotBegun>>;

    /// The latest one; None since the server began.
    fn latest(&self) -> Option<Backtest>;

    /// Ends the one that runs.
    fn cancel(&self);
}
