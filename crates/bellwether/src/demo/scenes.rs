//! The scenes of the demo besides the approvals: what happens at the providers on Monday morning
//! and in between, and what their stand-ins must have seen of each flow in the end. Nothing is
//! looked up in our own record but names that a later call needs.

mod assets;
mod mails;

use std::collections::BTreeMap;

use super::check::Line;
use super::outside::{Outside, Push};
use super::script::{BETWEEN, clock_in_vienna};
use super::stage::Stage;
use crate::output;

/// Who plays, and what was found so far.
#[derive(Debug)]
pub(super) struct Scenes<'a> {
    stage: &'a Stage,
    outside: &'a Outside,
    /// Where hooks are called.
    pages: String,
    /// The tenant at the stand-in's control surface.
    tenant: String,
    /// The picture that the scenes are about: its asset and its purchase.
    asset: (String, String),
    lines: BTreeMap<&'static str, Vec<Line>>,
    /// Whether people look on: each outcome is said as it happens, with a pause between scenes.
    aloud: bool,
}

impl<'a> Scenes<'a> {
    pub(super) fn new(stage: &'a Stage, outside: &'a Outside) -> Self {
        let (_, pages, page) = stage.urls();
        Self {
            stage,
            outside,
            pages,
            tenant: format!("{page}{}", super::stage::TENANT),
            asset: Default::default(),
            lines: BTreeMap::new(),
            aloud: false,
        }
    }

    /// For people who look on.
    pub(super) fn aloud(stage: &'a Stage, outside: &'a Outside) -> Self {
        Self {
            aloud: true,
            ..Self::new(stage, outside)
        }
    }

    /// Time to look at what the scene before has left.
    async fn rest(&self) {
        if self.aloud {
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Everything that begins on Monday morning.
    pub(super) async fn morning(&mut self) {
        let purchase = self.purchase().await;
        self.note("S5", "a picture is bought and used in documents", purchase);
        self.rest().await;
        self.violation().await;
        self.rest().await;
        self.waiting_assets().await;
        self.rest().await;
        self.critical_mail().await;
        self.rest().await;
        self.workflows().await;
        self.rest().await;
        self.alert().await;
        self.rest().await;
        self.customer().await;
        self.rest().await;
        self.transfer().await;
        self.rest().await;
        self.case().await;
        self.rest().await;
        self.new_file().await;
        self.rest().await;
        self.unread().await;
    }

    /// What is only seen at the end: lists, summaries, and that nothing came twice.
    pub(super) async fn evening(&mut self) {
        self.stages().await;
        self.lists().await;
        self.launched().await;
        self.summaries().await;
    }

    /// The lines of a flow.
    pub(super) fn of(&mut self, id: &str) -> Vec<Line> {
        self.lines.remove(id).unwrap_or_default()
    }

    fn note(&mut self, id: &'static str, what: &str, came: Result<String, String>) {
        let line = match came {
            Ok(saw) => Line::of(what, true, saw),
            Err(error) => Line::failed(what, error),
        };
        if self.aloud && line.ok {
            let clock = clock_in_vienna(self.stage.now());
            output::say(&format!("{clock}  {id}    {}", line.what));
        }
        self.lines.entry(id).or_default().push(line);
    }

    /// Waits for a push and makes sure that there is one of it on that phone.
    async fn once(&mut self, id: &'static str, person: &str, title: &str) -> Option<Push> {
        let what = format!("{person}'s phone got one push \"{title}\"");
        let found = self.outside.push(person, title).await;
        let counted = match &found {
            Err(error) => Err(error.clone()),
            Ok(push) => match self.count(person, title).await {
                Ok(1) => Ok(push.title.clone()),
                Ok(more) => Err(format!("{more} of them")),
                Err(error) => Err(error),
            },
        };
        self.note(id, &what, counted);
        found.ok()
    }

    /// How many different notifications with this title a phone got.
    async fn count(&self, person: &str, title: &str) -> Result<usize, String> {
        let all = self.outside.phone(person).await?;
        let fits = |push: &&Push| push.kind != "update" && push.title.contains(title);
        let mut seen: Vec<&str> = all
            .iter()
            .filter(fits)
            .map(|push| push.notification.as_str())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        Ok(seen.len())
    }

    /// That a phone got nothing of the kind.
    async fn dark(&mut self, id: &'static str, person: &str, title: &str) {
        let what = format!("{person}'s phone got no push \"{title}\"");
        let counted = match self.count(person, title).await {
            Ok(0) => Ok("none".to_owned()),
            Ok(more) => Err(format!("{more} of them")),
            Err(error) => Err(error),
        };
        self.note(id, &what, counted);
    }

    /// Presses a button on a phone.
    async fn press(&mut self, id: &'static str, person: &str, push: &Push, choice: &str) {
        let what = format!("{person} presses {choice} on the phone");
        let answer = self.outside.act(person, push, choice, "").await;
        let answer = answer.and_then(|answer| match answer["result"].as_str() {
            Some("decided") => Ok("decided".to_owned()),
            _ => Err(answer.to_string()),
        });
        self.note(id, &what, answer);
    }

    /// Waits for a mail and makes sure that the mailbox has one of it.
    async fn mailed(&mut self, id: &'static str, address: &str, subject: &str, words: &str) {
        let what = format!("{address} got one mail \"{subject}\" with \"{words}\"");
        let fits = |mail: &super::outside::Mail| {
            mail.subject.contains(subject) && mail.text.contains(words)
        };
        let counted = match self.outside.mail(address, subject, fits).await {
            Err(error) => Err(error),
            Ok(mail) => match self.outside.mailbox(address).await {
                Err(error) => Err(error),
                Ok(all) => match all.iter().filter(|mail| fits(mail)).count() {
                    1 => Ok(mail.subject),
                    more => Err(format!("{more} of them")),
                },
            },
        };
        self.note(id, &what, counted);
    }
}
