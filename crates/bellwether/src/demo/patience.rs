//! Waiting for what the server's lists and ledgers come to say. Acting is in `outside`.

use serde_json::Value;

use super::outside::{LOOK, Outside, PATIENCE};

impl Outside {
    /// Waits until a mailbox is watched: what comes before the first look at it is found only by
    /// the next recount, half a minute later.
    pub(super) async fn watched(&self, connection: &str) -> Result<(), String> {
        let path = format!("/api/connections/{connection}/ledger");
        let has_cursor =
            |ledger: &Value| ledger["cursor"].as_str().is_some_and(|at| !at.is_empty());
        match self.once(&path, has_cursor).await? {
            (_, true) => Ok(()),
            (_, false) => Err(format!("{connection} is not read")),
        }
    }

    /// Waits until a list of the console is empty, because lists follow the record; what it still
    /// holds after that.
    pub(super) async fn emptied(&self, path: &str) -> Result<String, String> {
        let is_empty = |list: &Value| list["total"] == 0;
        let (list, empty) = self.once(path, is_empty).await?;
        Ok(if empty {
            String::new()
        } else {
            list["items"].to_string()
        })
    }

    /// The first answer that is as wanted, or the last one after a while.
    async fn once(&self, path: &str, is: impl Fn(&Value) -> bool) -> Result<(Value, bool), String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.api(path).await?;
            let wanted = is(&answer);
            if wanted || tokio::time::Instant::now() > deadline {
                return Ok((answer, wanted));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
