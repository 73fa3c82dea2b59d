//! An agency's week at the licence tenant: the stand-in plays it step by step, each at its hour of
//! flow time, and what it says it did is compared with the events that arrive. What must come of a
//! step stands in one table; looking at phones and mailboxes is in `aftermath`.

use std::collections::BTreeSet;

use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::check::Line;
use super::company::CAMPAIGN;
use super::outside::{self, LOOK, Outside, PATIENCE};
use super::scenes::Scenes;
use super::stage::{Stage, TENANT};
use crate::output;

/// The week that is told, the same as on the tenant's page; names and hours follow from it.
const SEED: u64 = 1;
/// Flow seconds in one second between two steps, and while the events of a step are waited for.
const FAST: f64 = 40_000.0;
const SLOW: f64 = 600.0;
/// The pause between two steps of the week that plays for people.
const BETWEEN: std::time::Duration = std::time::Duration::from_secs(6);
/// Events that are read at once.
const PAGE: usize = 200;

/// What must come of each step, in the order of the stand-in's script. An event is about what the
/// step's answer names, unless a component stands behind it.
const WEEK: [(&str, &[&str]); 27] = [
    ("buy", &["request.submitted", "asset.review_required"]),
    ("buy", &["request.submitted"]),
    ("request", &["request.submitted"]),
    ("approve", &["request.approved"]),
    ("deliver", &["request.delivered"]),
    ("reject", &["request.rejected"]),
    ("approve", &["request.approved", "license.expiring"]),
    ("deliver", &["request.delivered"]),
    // The feed does not tell that something was published.
    ("publish", &[]),
    ("request", &["request.submitted"]),
    ("approve", &["request.approved"]),
    ("deliver", &["request.delivered"]),
    ("outage", &[]),
    ("usage", &["sync.failed smintio_api"]),
    (
        "recover",
        &["sync.recovered smintio_api", "license.usage_limit_near $a"],
    ),
    ("usage", &["license.usage_limit_reached"]),
    ("campaign", &["request.submitted"]),
    ("campaign_finish", &["request.delivered"]),
    ("update", &["asset.updated"]),
    ("expire", &["license.expiring"]),
    (
        "campaign_finish",
        &["request.delivered", "campaign.finalized"],
    ),
    ("buy", &["request.submitted"]),
    ("fail", &["request.failed", "sync.failed provider:getty"]),
    (
        "deliver",
        &["request.delivered", "sync.recovered provider:getty"],
    ),
    ("expire", &["license.expired"]),
    ("renew", &["request.delivered", "license.renewed $b"]),
    // That another asset takes its place is told by webhooks only.
    ("replace", &[]),
];

/// The steps after which people do something.
const FIRST_PURCHASE: usize = 0;
const TUESDAY: usize = 8;

/// Events that are records and hints of the connection, and news to nobody.
const INNER: [&str; 5] = [
    "transaction",
    "baseline",
    "link",
    "campaign.member",
    "transaction.unreadable",
];

/// An event: its type without the connector's name, and what it is about.
type Told = (String, String);

/// The week, and what is known of it.
#[derive(Debug)]
pub(super) struct Agency<'a> {
    stage: &'a Stage,
    outside: &'a Outside,
    tenant: String,
    /// Where reading the record has come to.
    after: i64,
    told: Vec<Told>,
    expected: Vec<Told>,
    /// Everything that the steps named.
    about: BTreeSet<String>,
    /// The pictures of the campaign, and those that are complete.
    campaign: Vec<String>,
    complete: BTreeSet<String>,
    /// The purchases in their order: later steps come back to the first two.
    purchases: Vec<String>,
    lines: Vec<Line>,
}

impl<'a> Agency<'a> {
    pub(super) fn new(stage: &'a Stage, outside: &'a Outside) -> Self {
        let (_, _, page) = stage.urls();
        Self {
            stage,
            outside,
            tenant: format!("{page}{TENANT}"),
            after: 0,
            told: Vec::new(),
            expected: Vec::new(),
            about: BTreeSet::new(),
            campaign: Vec::new(),
            complete: BTreeSet::new(),
            purchases: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Waits until the tenant was read for the first time and its push channel is listened to.
    pub(super) async fn watched(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = outside::get(&self.tenant).await?;
            let read = self
                .outside
                .api("/api/events?type=smintio.baseline")
                .await?;
            if shown["subscribers"] == 1 && read["total"] == 1 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("the licence tenant is not watched".to_owned());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The week for people who look on, at a walking pace; they see it on the pages.
    pub(super) async fn play_for_people(&mut self) -> Result<(), String> {
        self.watched().await?;
        loop {
            let Some(step) = self.step().await? else {
                return Ok(());
            };
            output::say(&format!("{} Smint.io  {}", hour(&step), words(&step)));
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// The week without people: a step at its hour, and on as soon as its events are there. What
    /// does not come ends the week; the lines say so.
    pub(super) async fn play(&mut self, scenes: &mut Scenes<'_>) -> Result<(), String> {
        self.watched().await?;
        self.read().await?;
        self.told.clear();
        let script = outside::get(&format!("{}/week?seed={SEED}", self.tenant)).await?;
        let script = script["steps"].as_array().cloned().unwrap_or_default();
        if script.len() != WEEK.len() {
            return Err(format!(
                "the week has {} steps, not {}",
                script.len(),
                WEEK.len()
            ));
        }
        for (at, planned) in script.iter().enumerate() {
            self.reach(planned).await?;
            let step = self.step().await?.ok_or("the week ended too early")?;
            let (deed, kinds) = WEEK.get(at).copied().unwrap_or_default();
            let what = format!("{}: {}", hour(&step), words(&step));
            if step["deed"] != deed || !step["error"].is_null() {
                self.lines.push(Line::failed(&what, step.to_string()));
                return Ok(());
            }
            let wanted = self.wanted(&step["answer"], kinds).await?;
            let missing = self.wait_for(&wanted).await?;
            let come = missing.is_empty();
            self.expected.extend(wanted);
            self.lines.push(match come {
                true => Line::of(&what, true, kinds.join(", ")),
                false => Line::failed(&what, format!("not told: {missing:?}")),
            });
            if !come {
                return Ok(());
            }
            match at {
                FIRST_PURCHASE => scenes.reviewed().await,
                TUESDAY => scenes.reminded().await,
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets flow time run until a step's hour has come.
    async fn reach(&self, step: &Value) -> Result<(), String> {
        let minutes = step["minute"].as_u64().unwrap_or_default();
        let due: Time = Stage::begins()? + Millis::minutes(minutes);
        if self.stage.now() >= due {
            return Ok(());
        }
        self.stage.run_at(FAST).await?;
        while self.stage.now() < due {
            tokio::time::sleep(LOOK).await;
        }
        self.stage.run_at(SLOW).await
    }

    /// The next step of the week, as the stand-in says that it was played.
    async fn step(&self) -> Result<Option<Value>, String> {
        let order = json!({ "seed": SEED, "steps": 1 });
        let played = outside::post(&format!("{}/week", self.tenant), &order).await?;
        Ok(played["played"]
            .as_array()
            .and_then(|all| all.first())
            .cloned())
    }

    /// The events that must follow from what the stand-in says it did.
    async fn wanted(&mut self, answer: &Value, kinds: &[&str]) -> Result<Vec<Told>, String> {
        let mut about: Vec<String> = match answer["uuids"].as_array() {
            Some(all) => all
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            None => [&answer["uuid"], &answer["id"]]
                .into_iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        };
        if answer["completed"].is_u64() {
            about = self.completed().await?;
        }
        self.purchases.extend(about.first().cloned());
        if !answer["collection_uuid"].is_null() {
            self.campaign.clone_from(&about);
        }
        self.about.extend(about.iter().cloned());
        let bought = |at: usize| self.purchases.get(at).cloned().unwrap_or_default();
        let mut wanted = Vec::new();
        for kind in kinds {
            match kind.split_once(' ') {
                Some((kind, "$a")) => wanted.push((kind.to_owned(), bought(0))),
                Some((kind, "$b")) => wanted.push((kind.to_owned(), bought(1))),
                Some((kind, part)) => wanted.push((kind.to_owned(), part.to_owned())),
                None if *kind == "campaign.finalized" => {
                    wanted.push(((*kind).to_owned(), CAMPAIGN.to_owned()));
                }
                None => wanted.extend(about.iter().map(|one| ((*kind).to_owned(), one.clone()))),
            }
        }
        Ok(wanted)
    }

    /// Pictures of the campaign that the stand-in has completed since the last look.
    async fn completed(&mut self) -> Result<Vec<String>, String> {
        let shown = outside::get(&self.tenant).await?;
        let all = shown["transactions"].as_array().into_iter().flatten();
        let uuids = all.filter_map(|one| {
            let uuid = one["uuid"].as_str()?;
            (one["state"] == "completed").then(|| uuid.to_owned())
        });
        let ours = uuids.filter(|uuid| self.campaign.contains(uuid));
        let new: Vec<String> = ours.filter(|uuid| !self.complete.contains(uuid)).collect();
        self.complete.extend(new.iter().cloned());
        Ok(new)
    }

    /// Waits until all of these were told; what is missing after a while.
    async fn wait_for(&mut self, wanted: &[Told]) -> Result<Vec<Told>, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.read().await?;
            let missing = lacking(&self.told, self.expected.iter().chain(wanted));
            if missing.is_empty() || Instant::now() > deadline {
                return Ok(missing);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads what the record has got since the last look.
    async fn read(&mut self) -> Result<(), String> {
        loop {
            let path = format!("/api/events?after={}&limit={PAGE}", self.after);
            let page = self.outside.api(&path).await?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            for event in &items {
                self.after = event["position"].as_i64().unwrap_or(self.after);
                self.told.extend(told(event));
            }
            if items.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// What the week has come to: a line for each step, and that nothing else was told.
    pub(super) async fn check(mut self) -> Vec<Line> {
        if let Err(error) = self.read().await {
            self.lines
                .push(Line::failed("the record can be read", error));
        }
        let of_the_week = |(kind, about): &&Told| {
            kind.starts_with("sync.") || kind.starts_with("campaign.") || self.about.contains(about)
        };
        let told: Vec<Told> = self.told.iter().filter(of_the_week).cloned().collect();
        let besides = lacking(&self.expected, &told);
        let saw = match besides.is_empty() {
            true => format!("{} events", told.len()),
            false => format!("{besides:?}"),
        };
        let what = "nothing of the week was told twice or besides";
        self.lines.push(Line::of(what, besides.is_empty(), saw));
        super::aftermath::check(self.outside, &self.tenant, &mut self.lines).await;
        self.lines
    }
}

/// What of `wanted` is not in `all`, counted: two of a kind need two.
fn lacking<'a>(all: &[Told], wanted: impl IntoIterator<Item = &'a Told>) -> Vec<Told> {
    let mut left: Vec<&Told> = all.iter().collect();
    let mut missing = Vec::new();
    for one in wanted {
        match left.iter().position(|other| *other == one) {
            Some(at) => drop(left.swap_remove(at)),
            None => missing.push(one.clone()),
        }
    }
    missing
}

/// An event in the words of the table.
fn told(event: &Value) -> Option<Told> {
    let kind = event["type"].as_str()?.strip_prefix("smintio.")?;
    if INNER.contains(&kind) {
        return None;
    }
    let data = &event["data"];
    let about = [
        &data["sync"]["component"],
        &data["campaign"]["name"],
        &data["request"]["task_id"],
        &data["transaction"]["uuid"],
    ];
    let about = about
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
    Some((kind.to_owned(), about.to_owned()))
}

fn words(step: &Value) -> &str {
    step["words"].as_str().unwrap_or_default()
}

/// The day and hour of a step.
fn hour(step: &Value) -> String {
    let minute = step["minute"].as_i64().unwrap_or_default();
    let day = ["Mon", "Tue", "Wed", "Thu", "Fri"];
    let day = usize::try_from(minute / 1_440)
        .ok()
        .and_then(|at| day.get(at));
    let of_day = minute % 1_440 + 8 * 60;
    format!(
        "{} {:02}:{:02}",
        day.unwrap_or(&"Sat"),
        of_day / 60,
        of_day % 60
    )
}
