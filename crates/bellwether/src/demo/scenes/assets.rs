//! Scenes at the licence tenant: a picture that is used, reviewed, changed and misused, what waits
//! for somebody, a campaign.

use serde_json::{Value, json};

use super::Scenes;
use crate::demo::company::CAMPAIGN;
use crate::demo::outside;

impl Scenes<'_> {
    async fn deed(&self, deed: &str, body: &Value) -> Result<Value, String> {
        outside::post(&format!("{}/{deed}", self.tenant), body).await
    }

    /// An event that the tenant cannot tell by its feed, as a signed webhook.
    async fn hook(&self, event: Value) -> Result<(), String> {
        let body = json!({ "url": format!("{}/hooks/smintio", self.pages), "event": event });
        let answer = self.deed("webhook", &body).await?;
        match answer["status"].as_u64() {
            Some(200..=299) => Ok(()),
            _ => Err(answer.to_string()),
        }
    }

    /// A picture is bought; Alice and Sam use it in documents.
    pub(super) async fn purchase(&mut self) -> Result<String, String> {
        let bought = json!({ "name": "Logo 2026", "by": "dora", "valid_days": 700 });
        let answer = self.deed("buy", &bought).await?;
        let uuid = answer["uuid"]
            .as_str()
            .ok_or(answer.to_string())?
            .to_owned();
        self.deed("approve", &json!({ "uuid": uuid })).await?;
        self.deed("deliver", &json!({ "uuid": uuid })).await?;
        let asset = self.outside.asset_of(&uuid).await?;
        let usages = json!({ "usages": [
            { "asset": asset, "person": "alice", "document": "Spring flyer", "how": "linked" },
            { "asset": asset, "person": "sam", "document": "Sydney fair", "how": "linked" },
        ] });
        self.outside.api_post("/api/usages", &usages).await?;
        self.asset = (asset, uuid.clone());
        Ok(uuid)
    }

    /// S4: used against its terms, and acknowledged.
    pub(super) async fn violation(&mut self) {
        let event = json!({
            "type": "compliance.violation", "id": "violation-1",
            "subject": { "asset_id": self.asset.0 }, "asset": { "name": "Logo 2026" },
            "data": { "rule": "expired_license", "used_in": "Spring flyer" },
        });
        let told = self.hook(event).await;
        self.note(
            "S4",
            "the tenant tells of a violation",
            told.map(|()| String::new()),
        );
        if let Some(push) = self.once("S4", "lena", "Expired licence: Logo 2026").await {
            self.press("S4", "lena", &push, "acknowledge").await;
        }
    }

    /// S8: two assets wait for Maria.
    pub(super) async fn waiting_assets(&mut self) {
        for (name, id) in WAITING {
            let told = self.hook(action("action.required", name, id)).await;
            self.note(
                "S8",
                "an asset waits for Maria",
                told.map(|()| name.to_owned()),
            );
        }
    }

    /// S8: on Tuesday her one push has come, and she does both.
    pub(in crate::demo) async fn reminded(&mut self) {
        self.once("S8", "maria", "2 assets wait for you").await;
        for (name, id) in WAITING {
            let told = self.hook(action("action.completed", name, id)).await;
            self.note("S8", "Maria has done it", told.map(|()| name.to_owned()));
        }
    }

    /// S5: a new file; only those who use it are told.
    pub(super) async fn new_file(&mut self) {
        let done = self.deed("update", &json!({ "uuid": self.asset.1 })).await;
        self.note(
            "S5",
            "the file is replaced by a newer one",
            done.map(|_| String::new()),
        );
    }

    /// S1: the purchase with strict terms waits for legal and brand; both say yes.
    pub(in crate::demo) async fn reviewed(&mut self) {
        for person in ["lena", "maria"] {
            let what = format!("{person} is asked to review the first purchase");
            match self.outside.push(person, " to check: ").await {
                Err(error) => self.note("S1", &what, Err(error)),
                Ok(push) => {
                    self.note("S1", &what, Ok(push.title.clone()));
                    self.press("S1", person, &push, "approve").await;
                }
            }
        }
        self.once("S1", "alice", "May be used: ").await;
    }

    /// S3: every stage once, to whoever asked; S5: only who uses the file heard of it.
    pub(super) async fn stages(&mut self) {
        self.once("S3", "alice", "Approved: Glacier lake").await;
        self.once("S3", "alice", "Delivered: Glacier lake").await;
        self.once("S3", "carl", "Rejected: ").await;
        for person in ["alice", "sam"] {
            self.once("S5", person, "New version: Logo 2026").await;
        }
        for person in ["carl", "maria", "tina"] {
            self.dark("S5", person, "New version: Logo 2026").await;
        }
        self.dark("S8", "maria", "Reminder").await;
    }

    /// S2: each reader's list in his own morning.
    pub(super) async fn lists(&mut self) {
        for person in ["maria", "paul"] {
            let what = format!("{person}'s phone got the list of licences");
            let found = self.outside.push(person, " a decision").await;
            self.note("S2", &what, found.map(|push| push.title));
        }
        self.dark("S2", "alice", " a decision").await;
    }

    /// S6: everybody at one moment, on three continents.
    pub(super) async fn launched(&mut self) {
        let title = format!("{CAMPAIGN} is final");
        for person in ["maria", "sam", "agnes"] {
            self.once("S6", person, &title).await;
        }
        self.dark("S6", "alice", &title).await;
    }
}

const WAITING: [(&str, &str); 2] = [("Market day", "asset-71"), ("Old tram", "asset-72")];

fn action(kind: &str, name: &str, id: &str) -> Value {
    let outcome = if kind.ends_with("completed") {
        json!("done")
    } else {
        Value::Null
    };
    json!({
        "type": kind, "id": format!("{kind}-{id}"),
        "subject": { "asset_id": id }, "asset": { "name": name },
        "data": { "action": "add_metadata", "outcome": outcome },
    })
}
