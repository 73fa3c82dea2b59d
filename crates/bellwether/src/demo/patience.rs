//! Waiting for what the server's lists and ledgers come to say. Acting is in `outside`.

use serde_json::Value;

use super::outside::{self, LOOK, Outside, PATIENCE};

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

    /// Waits until every fault has met somebody.
    pub(super) async fn faults_spent(&self) -> Result<(), String> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let left = outside::get(&format!("{}/admin/faults", self.sandbox)).await?;
            let mut all = left["faults"].as_array().into_iter().flatten();
            if all.all(|fault| fault["hits"].as_u64() >= fault["times"].as_u64()) {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("these faults met nobody: {left}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The asset of a purchase, once the record has it.
    pub(super) async fn asset_of(&self, uuid: &str) -> Result<String, String> {
        let path = "/api/events?type=smintio.request.submitted&limit=200";
        let asset = |list: &Value| {
            let mut items = list["items"].as_array()?.iter();
            let is_it = |one: &&Value| one["data"]["transaction"]["uuid"] == uuid;
            let found = items.find(is_it)?;
            found["data"]["asset"]["id"].as_str().map(str::to_owned)
        };
        let (list, _) = self.once(path, |list| asset(list).is_some()).await?;
        asset(&list).ok_or_else(|| format!("the purchase {uuid} was not told"))
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
