//! Attempts: from a committed `started` marker to the provider and back. One task per attempt; a
//! lane's loop claims what could not start at once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bellwether_model::BoxFuture;
use bellwether_model::connector::{Action, Outcome, Progress, Role};
use bellwether_model::failure::Failure;
use bellwether_model::id::EffectId;
use bellwether_model::time::Millis;
use futures_util::FutureExt as _;
use serde_json::{Value as Json, json};

use super::prepare::{Job, Launch};
use super::{Engine, LINK_LIFE, Lane, Purpose};
use crate::store::{EffectUpdate, Member, Owner, Verdict};

/// How often a lane's loop looks even when nothing woke it: a safety net, not a mechanism.
const LOOK_EVERY: Millis = Millis::seconds(30);
/// After how long a lane that stands still is tried, and how long the doubling waits become: what
/// was wrong may be over without anybody telling us, and a wrong password must not lock the
/// account.
const TRIAL_FIRST: Millis = Millis::seconds(5);
const TRIAL_MOST: Millis = Millis::minutes(5);

/// Where the link of a question's mail goes.
const LINK: &str = "{{link}}";

impl Engine {
    /// Lets an attempt out whose marker is committed.
    pub(crate) fn launch(&self, launch: Launch) {
        self.counters().attempts.fetch_add(1, Ordering::Relaxed);
        let engine = self.clone();
        let working = self.begin_work();
        tokio::spawn(async move {
            let Launch { lane, slot, job } = launch;
            engine.attempt(&lane, &job).await;
            drop(slot);
            if job.ordered {
                // Others of its order key may go now.
                lane.queue();
            }
            drop(working);
        });
    }

    /// One attempt, to its recorded outcome.
    async fn attempt(&self, lane: &Arc<Lane>, job: &Job) {
        let result = self.perform(job).await;
        let now = self.transport_now();
        match &result {
            Ok(_) => lane.ok(now),
            Err(failure) => lane.failed(failure, now),
        }
        self.conclude(job, result).await;
    }

    async fn perform(&self, job: &Job) -> Result<Outcome, Failure> {
        let setup = self.setup();
        let Some(link) = setup.links.get(&job.lane) else {
            return Err(Failure::retry(
                "no_connection",
                "this connection is not set up now",
                None,
            ));
        };
        let Some(action) = link.action(job.role) else {
            return Err(Failure::bug(
                "no_action",
                "this connection has no action for that",
            ));
        };
        let mut args = self.wire_args(job);
        if job.args.get("table").is_some() {
            args["table"] = job.args["table"].clone();
            args["attachments"] = self.list_as_csv(job.cell).await?;
        }
        let progress = Saver {
            engine: self.clone(),
            effect: job.effect,
            attempt: job.attempt,
        };
        let action = Action {
            name: action.name,
            effect: job.effect,
            attempt: job.attempt,
            since: job.made_at,
            args: &args,
            saved: job.saved.as_ref(),
            progress: &progress,
        };
        let performed = AssertUnwindSafe(link.connection.perform(&action))
            .catch_unwind()
            .await;
        performed.unwrap_or_else(|_| {
            Err(Failure::bug(
                "panic",
                "the connector failed inside the server",
            ))
        })
    }

    /// The arguments as the connector takes them: links and tokens filled in, never stored.
    fn wire_args(&self, job: &Job) -> Json {
        match job.role {
            Role::Push => self.push_args(job),
            Role::Mail | Role::Reply => self.mail_args(job),
            Role::Label | Role::Http => (*job.args).clone(),
        }
    }

    /// The hosted page of a notification.
    pub(crate) fn link_of(&self, effect: EffectId) -> String {
        let expires = self.transport_now() + LINK_LIFE;
        let token = self.keys().make(Purpose::View, effect, expires, "");
        format!("{}/n/{token}", self.inner.parts.public_url)
    }

    fn push_args(&self, job: &Job) -> Json {
        let args = &job.args;
        let text = |name: &str| args.get(name).and_then(Json::as_str).unwrap_or_default();
        let language = text("language");
        let (title, body) = match text("privacy") {
            "hidden" => (
                crate::decide::hidden_title(language).to_owned(),
                String::new(),
            ),
            "brief" => (text("title").to_owned(), String::new()),
            _ => (text("title").to_owned(), text("text").to_owned()),
        };
        let link = match args.get("to_link").and_then(Json::as_str) {
            Some(link) => link.to_owned(),
            None => self.link_of(job.effect),
        };
        let expires = self.transport_now() + LINK_LIFE;
        let token = self.keys().make(Purpose::Report, job.effect, expires, "");
        let actions: Vec<Json> = args
            .get("choices")
            .and_then(Json::as_array)
            .map(|choices| {
                let action = |choice: &Json| {
                    json!({ "id": choice["id"], "label": choice["label"], "comment": choice["comment"] })
                };
                choices.iter().map(action).collect()
            })
            .unwrap_or_default();
        // Devices show flow time, so what is left for them is counted in flow time.
        let ttl = job
            .expires_at
            .map(|end| end.since(self.now()).0.div_ceil(1000).max(1));
        json!({
            "person": job.person, "address": text("address"), "title": title, "text": body,
            "link": link, "notification": job.effect, "token": token, "shown": text("shown"),
            "actions": actions, "case": text("case"), "kind": text("kind"),
            "collapse": text("collapse"), "ttl_seconds": ttl, "importance": text("importance"),
        })
    }

    fn mail_args(&self, job: &Job) -> Json {
        let args = &job.args;
        let mut body = args
            .get("body")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned();
        // Only a question has a link, and it stands below all that other people wrote: a comment
        // or a fact with the same signs in it must not become one.
        if args.get("shown").is_some()
            && let Some(at) = body.rfind(LINK)
        {
            body.replace_range(at..at + LINK.len(), &self.link_of(job.effect));
        }
        if let Some(about) = args.get("code_for").and_then(Json::as_str)
            && let Ok(effect) = about.parse::<EffectId>()
        {
            let code = self.keys().code(effect, self.transport_now());
            body = body.replace("{{code}}", &code);
        }
        let mut out = json!({
            "to": args["to"], "subject": args["subject"], "text": body, "case": args.get("case"),
            "hop": args.get("hop"),
        });
        for name in ["thread_id", "references", "rfc_message_id"] {
            if let Some(value) = args.get(name).filter(|value| !value.is_null()) {
                out[name] = value.clone();
            }
        }
        if let Some(id) = args.get("rfc_message_id").filter(|value| !value.is_null()) {
            out["in_reply_to"] = id.clone();
        }
        if args.get("reply_token").and_then(Json::as_bool) == Some(true) {
            let expires = self.transport_now() + LINK_LIFE;
            out["reply_token"] = json!(self.keys().make(Purpose::Reply, job.effect, expires, ""));
        }
        if let Json::Object(map) = &mut out {
            map.retain(|_, value| !value.is_null());
        }
        out
    }

    /// The loop of one lane: claims what waits, whenever something may have become possible.
    pub(crate) async fn dispatch(&self, lane: Arc<Lane>) {
        let (mut patience, mut trial_at) = (TRIAL_FIRST, None);
        while !self.stopping() {
            lane.looking();
            let next = match self.claim_some(&lane).await {
                Ok((more, next)) => {
                    lane.more(more);
                    next
                }
                Err(error) => {
                    tracing::error!(lane.name = %lane.name, "claiming failed: {error}");
                    None
                }
            };
            let now = self.transport_now();
            if lane.is_blocked() {
                trial_at = trial_at.or(Some(now + patience));
            } else {
                (patience, trial_at) = (TRIAL_FIRST, None);
            }
            let latest = now + LOOK_EVERY;
            let next = next.map_or(latest, |next| next.min(latest));
            let due = trial_at.unwrap_or(next);
            let clock = &self.inner.parts.transport_clock;
            tokio::select! {
                () = lane.woken() => {}
                () = clock.wait_until(due) => {
                    if trial_at.take().is_some() {
                        self.prove(&lane).await;
                        patience = Millis((patience.0 * 2).min(TRIAL_MOST.0));
                    }
                    lane.queue();
                }
                () = self.stopped() => {}
            }
        }
    }

    /// Tries a lane that stands still: the connection's own check first, then one effect, because
    /// not every check proves the credentials.
    async fn prove(&self, lane: &Lane) {
        let link = self.setup().links.get(&lane.name).cloned();
        let Some(link) = link.filter(|_| lane.is_blocked()) else {
            return;
        };
        match link.connection.check().await {
            Ok(_) => lane.try_one(),
            Err(failure) => lane.failed(&failure, self.transport_now()),
        }
    }
}

/// Saves progress of one attempt, guarded by its marker.
#[derive(Debug)]
struct Saver {
    engine: Engine,
    effect: EffectId,
    attempt: u32,
}

impl Progress for Saver {
    fn save(&self, saved: Json) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let owner: Owner = self.engine.owner();
            let update = EffectUpdate::Save {
                id: self.effect,
                attempt: self.attempt,
                owner,
                saved,
            };
            let member = Member {
                effects: vec![update],
                ..Member::default()
            };
            match self.engine.commit_one(member).await {
                Verdict::Done(_) => Ok(()),
                verdict => Err(Failure::retry(
                    "not_saved",
                    format!("progress could not be recorded ({verdict:?})"),
                    None,
                )),
            }
        })
    }
}
