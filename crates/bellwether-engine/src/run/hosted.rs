//! The pages behind links: opening is an event, pressing a button is an event; what the page shows
//! afterwards is read from the record.

use bellwether_model::BoxFuture;
use bellwether_model::event::NewEvent;
use bellwether_model::id::EffectId;
use bellwether_model::notification::Engagement;
use serde_json::json;

use super::codes::Standing;
use super::intake::Arriving;
use super::of_pushes::described;
use super::{BadToken, Engine, Purpose};
use crate::decide::{ACTED, Act, Assurance, CODE_REQUESTED, FETCHED, OPENED};
use crate::seam::{
    Card, CodeChecked, CodeSent, Hosted, HostedError, IntakeError, LiveKind, LiveLine, OpenGrade,
    Press, Pressed, Visitor,
};
use crate::store::{EffectRow, EffectUpdate};

impl Engine {
    async fn row_of(&self, effect: EffectId) -> Result<EffectRow, HostedError> {
        let rows = self.store().effects(&[effect]).await;
        let mut rows = rows.map_err(|error| HostedError::Store(error.to_string()))?;
        rows.pop().flatten().ok_or(HostedError::Gone)
    }

    async fn row_behind(&self, token: &str) -> Result<EffectRow, HostedError> {
        let effect = self
            .keys()
            .read(Purpose::View, token, self.transport_now(), "");
        self.row_of(effect.map_err(bad)?).await
    }

    /// Whether the visitor's device was enrolled by the notification's own person.
    fn signed_in(&self, row: &EffectRow, visitor: &Visitor) -> bool {
        let session = visitor.session.as_deref();
        let person =
            session.and_then(|cookie| self.keys().read_session(cookie, self.transport_now()));
        person.is_some() && person == row.person
    }

    async fn note_opening(
        &self,
        row: &EffectRow,
        grade: OpenGrade,
        visitor: &Visitor,
    ) -> Result<(), HostedError> {
        let (word, engagement) = match grade {
            OpenGrade::Fetched => ("fetched", Engagement::Fetched),
            OpenGrade::Rendered => ("rendered", Engagement::Opened),
        };
        let now = self.now();
        let person = row.person.clone().unwrap_or_default();
        let mut data = json!({ "push": {
            "notification": row.id, "person": person, "what": word, "means": "page",
            "device": visitor.device,
        } });
        described(&mut data, row);
        // A fetch by a scanner is kept as what it is; only a rendered page is an opening.
        let kind = if grade == OpenGrade::Rendered {
            OPENED
        } else {
            FETCHED
        };
        let id = format!("open:{}:{word}", row.id);
        let mut event = NewEvent::new("people", id, kind, now, data);
        event.subject = Some(row.id.to_string());
        let mut arriving = Arriving::of(event);
        arriving.effects.push(EffectUpdate::Report {
            id: row.id,
            delivery: None,
            engagement: Some(engagement),
            at: now,
        });
        let taken = self.take_in(arriving).await.map_err(store)?;
        if !taken.duplicate && self.inner.parts.live.watched() && grade == OpenGrade::Rendered {
            self.inner.parts.live.say(LiveLine {
                at: now,
                kind: LiveKind::Opened,
                words: vec![person],
                run: Some(row.cell),
                event: Some(taken.position),
            });
        }
        Ok(())
    }
}

impl Hosted for Engine {
    fn open<'a>(
        &'a self,
        token: &'a str,
        grade: OpenGrade,
        visitor: &'a Visitor,
    ) -> BoxFuture<'a, Result<Card, HostedError>> {
        Box::pin(async move {
            let row = self.row_behind(token).await?;
            self.note_opening(&row, grade, visitor).await?;
            self.card(&row, self.signed_in(&row, visitor)).await
        })
    }

    fn press<'a>(
        &'a self,
        press: &'a Press,
        visitor: &'a Visitor,
    ) -> BoxFuture<'a, Result<Pressed, HostedError>> {
        Box::pin(async move {
            let now = self.transport_now();
            let effect = self
                .keys()
                .read(Purpose::Act, &press.act_token, now, &press.shown);
            let row = self.row_of(effect.map_err(bad)?).await?;
            let signed_in = self.signed_in(&row, visitor);
            let act = Act {
                notification: row.id.to_string(),
                person: row.person.clone().unwrap_or_default(),
                choice: press.choice.clone(),
                comment: press.comment.clone(),
                shown: press.shown.clone(),
                means: "page".to_owned(),
                assurance: if signed_in {
                    Assurance::SignedIn
                } else {
                    Assurance::Link
                },
                device: visitor.device.clone(),
                actor: None,
            };
            let id = self.rim_id(&["press", &press.act_token]);
            let mut data = act.into_data();
            described(&mut data, &row);
            let mut event = NewEvent::new("people", id, ACTED, self.now(), data);
            event.subject = Some(row.id.to_string());
            let mut arriving = Arriving::of(event);
            arriving.effects.push(EffectUpdate::Report {
                id: row.id,
                delivery: None,
                engagement: Some(Engagement::Acted),
                at: self.now(),
            });
            let submitted = self.take_in(arriving).await.map_err(store)?;
            let card = self.card(&row, signed_in).await?;
            Ok(Pressed {
                said: submitted.said.into_iter().next(),
                card,
            })
        })
    }

    fn send_code<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<CodeSent, HostedError>> {
        Box::pin(async move {
            let row = self.row_behind(token).await?;
            let setup = self.setup();
            let person = row
                .person
                .as_deref()
                .and_then(|id| setup.directory.person(id));
            let Some((person, address)) = person.and_then(|p| Some((p, p.emails.first()?))) else {
                return Ok(CodeSent::NoChannel);
            };
            let now = self.transport_now();
            if !self.inner.codes.ask(&person.id, row.id, now) {
                return Ok(CodeSent::TooMany);
            }
            let data = json!({ "push": {
                "notification": row.id, "person": person.id, "what": "code_requested",
                "means": "page",
            } });
            let id = self.rim_id(&["code", token]);
            let event = NewEvent::new("people", id, CODE_REQUESTED, self.now(), data);
            self.take_in(Arriving::of(event)).await.map_err(store)?;
            Ok(CodeSent::To(shortened(address)))
        })
    }

    fn check_code<'a>(
        &'a self,
        token: &'a str,
        code: &'a str,
    ) -> BoxFuture<'a, Result<CodeChecked, HostedError>> {
        Box::pin(async move {
            let row = self.row_behind(token).await?;
            let person = row.person.as_deref().unwrap_or_default();
            let (codes, now) = (&self.inner.codes, self.transport_now());
            match codes.standing(person, row.id, now) {
                Standing::Open => {}
                Standing::NotAsked => return Ok(CodeChecked::NotAsked),
                Standing::Void => return Ok(CodeChecked::TooMany),
            }
            let right = self.keys().check_code(row.id, code, now);
            codes.entered(person, row.id, right, now);
            Ok(if right {
                CodeChecked::Right(self.keys().session(person, now))
            } else if codes.standing(person, row.id, now) == Standing::Void {
                CodeChecked::TooMany
            } else {
                CodeChecked::Wrong
            })
        })
    }
}

fn bad(token: BadToken) -> HostedError {
    match token {
        BadToken::Forged => HostedError::BadToken,
        BadToken::Expired => HostedError::Expired,
    }
}

fn store(error: IntakeError) -> HostedError {
    HostedError::Store(error.to_string())
}

/// `a…@example.com`.
fn shortened(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}…@{domain}")
        }
        None => "…".to_owned(),
    }
}
