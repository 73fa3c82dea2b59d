//! The bench's end of the sink: starts the process and asks it what it saw.

use super::record::{Receipt, Totals, receipts};
use super::{RECEIPTS_PATH, TOTALS_PATH};
use crate::error::{During, Outcome};
use crate::process::Child;

/// A running sink.
#[derive(Debug)]
pub(crate) struct Sink {
    child: Child,
    port: u16,
    http: reqwest::Client,
}

impl Sink {
    /// Starts the process and waits until it listens.
    pub(crate) async fn start(http: &reqwest::Client) -> Outcome<Self> {
        let (child, port) = Child::own("sink", &[]).await?;
        Ok(Self {
            child,
            port,
            http: http.clone(),
        })
    }

    /// Where pushes go: the base URL of the provider.
    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it counted since it started.
    pub(crate) async fn totals(&self) -> Outcome<Totals> {
        let answer = self.http.get(self.base_url() + TOTALS_PATH).send().await;
        answer
            .during("the sink does not answer")?
            .json()
            .await
            .during("the sink's totals cannot be read")
    }

    /// What came since this was last asked.
    pub(crate) async fn receipts(&self) -> Outcome<Vec<Receipt>> {
        let answer = self.http.get(self.base_url() + RECEIPTS_PATH).send().await;
        let dump = answer
            .during("the sink does not answer")?
            .bytes()
            .await
            .during("the sink's receipts cannot be read")?;
        Ok(receipts(&dump))
    }

    /// CPU that the process used since it started, in microseconds.
    pub(crate) fn cpu_us(&self) -> u64 {
        self.child.usage().cpu_us
    }
}
