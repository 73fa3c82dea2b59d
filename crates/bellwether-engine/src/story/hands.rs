//! What people do in a story: they tap, open, press, enter codes, and have an operator decide for
//! them. Each goes through the door that the world uses.

use bellwether_model::http::RawRequest;
use serde_json::{Value as Json, json};

use super::card;
use super::inputs::Input;
use super::play::{Cannot, Play};
use super::steps::Pressing;
use super::world::{Sent, What};
use crate::seam::{CardState, CodeChecked, CodeSent, Hosted as _, OpenGrade, Press, Visitor};

impl Play<'_> {
    pub(super) fn latest(&self, person: &str, what: &[What]) -> Result<Sent, Cannot> {
        self.latest_where(person, |sent| what.contains(&sent.what))
            .ok_or_else(|| format!("{person} got nothing that could be answered"))
    }

    /// The latest push with buttons; the latest of all when none has any, to be refused then.
    fn latest_question(&self, person: &str) -> Result<Sent, Cannot> {
        let buttons = |sent: &Sent| sent.args["actions"].get(0).is_some();
        self.latest_where(person, |sent| sent.what == What::Push && buttons(sent))
            .map_or_else(|| self.latest(person, &[What::Push]), Ok)
    }

    fn latest_where(&self, person: &str, test: impl Fn(&Sent) -> bool) -> Option<Sent> {
        let sent = self.stage.record.sent();
        let his = |sent: &&Sent| sent.who == person && has_link(sent) && test(sent);
        sent.iter().rev().find(his).cloned()
    }

    /// Buttons of the latest push that has any, as the companion app reports them.
    pub(super) async fn tap(&mut self, pressing: &Pressing) -> Result<(), Cannot> {
        for (choice, comment) in &pressing.choices {
            let push = self.latest_question(&pressing.person)?;
            self.count += 1;
            let body = json!({
                "id": format!("tap-{}", self.count), "what": "acted", "choice": choice,
                "comment": comment, "token": push.args["token"], "shown": push.args["shown"],
            });
            let request = RawRequest {
                inlet: "engagement".to_owned(),
                headers: Vec::new(),
                body: body.to_string().into_bytes(),
            };
            let person = pressing.person.clone();
            self.enter(Input::Report { person, request }).await?;
            self.settle().await?;
        }
        Ok(())
    }

    pub(super) fn visitor(&self, person: &str) -> Visitor {
        Visitor {
            session: self.sessions.get(person).cloned(),
            device: "story browser".to_owned(),
        }
    }

    pub(super) async fn open(&mut self, person: &str) -> Result<crate::seam::Card, Cannot> {
        let sent = self.latest(person, &[What::Push, What::Mail])?;
        let token = link_token(&sent).unwrap_or_default();
        let visitor = self.visitor(person);
        let opened = self
            .stage
            .engine
            .open(&token, OpenGrade::Rendered, &visitor)
            .await;
        opened.map_err(|error| error.to_string())
    }

    /// Buttons of the page behind the latest message.
    pub(super) async fn press(&mut self, pressing: &Pressing) -> Result<(), Cannot> {
        for (choice, comment) in &pressing.choices {
            let shown = self.open(&pressing.person).await?;
            // Of a list, the first row that waits.
            let rows = shown.rows.iter().map(|row| &row.state);
            let mut waiting = std::iter::once(&shown.state).chain(rows);
            match waiting.find(|state| matches!(state, CardState::Waiting(_))) {
                Some(CardState::Waiting(ask)) => {
                    let press = Press {
                        act_token: ask.act_token.clone(),
                        choice: choice.clone(),
                        comment: comment.clone(),
                        shown: ask.shown.clone(),
                    };
                    let person = pressing.person.clone();
                    self.enter(Input::Press { person, press }).await?;
                }
                _ => self
                    .told
                    .push((pressing.person.clone(), card::text(&shown))),
            }
            self.settle().await?;
        }
        Ok(())
    }

    /// An operator decides for somebody.
    pub(super) async fn console(&mut self, pressing: &Pressing) -> Result<(), Cannot> {
        let sent = self.latest(&pressing.person, &[What::Push, What::Mail])?;
        let effects: Vec<_> = sent.effect.into_iter().collect();
        let rows = self.stage.engine.store().effects(&effects).await;
        let row = rows.map_err(|error| error.to_string())?.pop().flatten();
        let run = row.ok_or("the run is gone")?.cell;
        for (choice, comment) in &pressing.choices {
            self.enter(Input::Decides {
                run,
                person: pressing.person.clone(),
                choice: choice.clone(),
                comment: comment.clone(),
            })
            .await?;
            self.settle().await?;
        }
        Ok(())
    }

    /// Has a code sent and enters it: from then on this person's page is on a known device.
    pub(super) async fn sign_in(&mut self, person: &str) -> Result<(), Cannot> {
        let sent = self.latest(person, &[What::Push, What::Mail])?;
        let token = link_token(&sent).unwrap_or_default();
        let engine = self.stage.engine.clone();
        let asked = engine.send_code(&token).await;
        match asked.map_err(|error| error.to_string())? {
            CodeSent::To(_) => {}
            CodeSent::NoChannel => return Err(format!("{person} has no mail address for a code")),
            CodeSent::TooMany => return Err(format!("{person} asked for too many codes")),
        }
        self.settle().await?;
        let is_code = |sent: &&mut Sent| {
            sent.what == What::Mail && sent.who == person && code(&sent.text).is_some()
        };
        let code = {
            let mut all = self.stage.record.sent();
            let mail = all.iter_mut().rev().find(is_code);
            let mail = mail.ok_or_else(|| format!("no code came to {person}"))?;
            // Asking for it is expecting it.
            mail.expected = true;
            code(&mail.text).unwrap_or_default()
        };
        let checked = engine.check_code(&token, &code).await;
        match checked.map_err(|error| error.to_string())? {
            CodeChecked::Right(cookie) => {
                self.sessions.insert(person.to_owned(), cookie);
                Ok(())
            }
            _ => Err(format!("the code that was sent to {person} is not right")),
        }
    }
}

fn has_link(sent: &Sent) -> bool {
    link_token(sent).is_some()
}

/// The token of the page's link in a push or a mail.
fn link_token(sent: &Sent) -> Option<String> {
    let link = sent.args.get("link").and_then(Json::as_str);
    let whole = link.unwrap_or(&sent.text);
    let (_, rest) = whole.split_once("/n/")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    Some(rest[..end.unwrap_or(rest.len())].to_owned())
}

/// The first six digits in a row.
fn code(text: &str) -> Option<String> {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    runs.filter(|run| run.len() == 6).map(str::to_owned).next()
}
