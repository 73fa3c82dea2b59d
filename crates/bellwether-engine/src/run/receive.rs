//! Requests of connections at `/hooks/{connection}/{inlet}`: authenticated by the connector,
//! recorded, then answered.

use std::net::IpAddr;

use bellwether_model::BoxFuture;
use bellwether_model::connector::{EngagementKind, EngagementReport, Inbound, StatusReport};
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::http::{RawAnswer, RawRequest};
use bellwether_model::id::EffectId;
use bellwether_model::notification::{Delivery, Engagement};
use serde_json::json;

use super::cards::Reused;
use super::intake::Arriving;
use super::of_pushes::described;
use super::{BadToken, Engine, Link, Purpose};
use crate::decide::{ACTED, Act, Assurance, OPENED, REPORTED};
use crate::seam::{Inlets, IntakeError, Submitted, TurnSaid, TurnedAway};
use crate::store::{EffectRow, EffectUpdate, InletStep, Member, Verdict};

impl Inlets for Engine {
    fn receive_from<'a>(
        &'a self,
        connection: &'a str,
        caller: Option<IpAddr>,
        request: RawRequest,
    ) -> BoxFuture<'a, RawAnswer> {
        Box::pin(async move {
            let setup = self.setup();
            let Some(link) = setup.links.get(connection) else {
                return RawAnswer::error(404, "no_such_connection", "there is no such connection");
            };
            let (answer, again) = self.taken_in(link, &request).await;
            self.note_answer(connection, caller, &request, &answer, again);
            answer
        })
    }

    fn turned_away(&self, connection: &str, away: TurnedAway) {
        self.gather(connection, away, String::new());
    }
}

impl Engine {
    /// The answer to a request, and whether it brought an event that had been taken before.
    async fn taken_in(&self, link: &Link, request: &RawRequest) -> (RawAnswer, bool) {
        let connection = link.name.as_str();
        let inbound = match link.connection.receive(request) {
            Ok(inbound) => inbound,
            Err(answer) => return (answer, false),
        };
        let mut again = false;
        let mut answer = RawAnswer {
            status: 202,
            body: "{}".to_owned(),
        };
        for item in inbound {
            answer = match item {
                Inbound::Event(event) => {
                    let (answer, duplicate) = self.event_in(event).await;
                    again |= duplicate;
                    answer
                }
                Inbound::Hint => self.hint_in(connection).await,
                Inbound::Engagement(report) => self.engagement_in(connection, report).await,
                Inbound::Status(report) => self.status_in(connection, report).await,
            };
            if answer.status >= 400 {
                break;
            }
        }
        (answer, again)
    }

    /// The answer to an event, and whether it had been taken before.
    async fn event_in(&self, event: NewEvent) -> (RawAnswer, bool) {
        let id = event.id.clone();
        match self.take_in(Arriving::of(event)).await {
            Ok(Submitted {
                position,
                duplicate,
                ..
            }) => {
                let body = json!({ "id": id, "position": position, "duplicate": duplicate });
                let answer = RawAnswer {
                    status: 202,
                    body: body.to_string(),
                };
                (answer, duplicate)
            }
            Err(error) => (refusal(&error), false),
        }
    }

    async fn hint_in(&self, connection: &str) -> RawAnswer {
        let step = InletStep::Hint {
            at: self.transport_now(),
        };
        match self.store().inlet(connection, step).await {
            Ok(_) => {
                self.inlet_of(connection).hint.notify_one();
                RawAnswer {
                    status: 202,
                    body: "{}".to_owned(),
                }
            }
            Err(error) => RawAnswer::error(503, "not_recorded", &error.to_string()),
        }
    }

    /// What a companion app reports. Person and case come from the notification's own token.
    async fn engagement_in(&self, connection: &str, report: EngagementReport) -> RawAnswer {
        let now = self.transport_now();
        let token = report.token.expose();
        let effect = match self.keys().read(Purpose::Report, token, now, "") {
            Ok(effect) => effect,
            Err(BadToken::Expired) => {
                return answer_of("expired", "this notification is too old to report on");
            }
            Err(BadToken::Forged) => {
                return RawAnswer::error(403, "wrong_token", "this token is not valid here");
            }
        };
        let row = match self.store().effects(&[effect]).await {
            Ok(mut rows) => rows.pop().flatten(),
            Err(error) => return RawAnswer::error(503, "not_read", &error.to_string()),
        };
        let Some(row) = row else {
            return answer_of("expired", "this notification is no longer kept");
        };
        let arriving = self.report_event(connection, &report, &row);
        let event = arriving.event.clone();
        match self.take_in(arriving).await {
            Ok(submitted) => {
                let said = if submitted.duplicate {
                    match self.said_before(&row, &event).await {
                        Ok(said) => said,
                        Err(Reused) => return reused(),
                    }
                } else {
                    submitted.said.into_iter().next()
                };
                self.say_to_person(&row, said.as_ref())
            }
            Err(error) => refusal(&error),
        }
    }

    fn report_event(
        &self,
        connection: &str,
        report: &EngagementReport,
        row: &EffectRow,
    ) -> Arriving {
        let now = self.now();
        let person = row.person.clone().unwrap_or_default();
        let (kind, data, delivery, engagement) = match &report.what {
            EngagementKind::Acted { choice, comment } => {
                let act = Act {
                    notification: row.id.to_string(),
                    person,
                    choice: choice.clone(),
                    comment: comment.clone(),
                    shown: report.shown.clone(),
                    means: "phone".to_owned(),
                    assurance: Assurance::Link,
                    device: report.device.clone(),
                    actor: None,
                };
                (
                    ACTED,
                    act.into_data(),
                    Delivery::Delivered,
                    Engagement::Acted,
                )
            }
            other => {
                let (kind, what, engagement) = match other {
                    EngagementKind::Opened => (OPENED, "opened", Engagement::Opened),
                    EngagementKind::Dismissed => (REPORTED, "dismissed", Engagement::Dismissed),
                    _ => (REPORTED, "received", Engagement::None),
                };
                let data = json!({ "push": {
                    "notification": row.id, "person": person, "what": what, "means": "phone",
                    "device": report.device,
                } });
                (kind, data, Delivery::Delivered, engagement)
            }
        };
        let mut data = data;
        described(&mut data, row);
        // Each notification counts its reports for itself: what another one used is not known.
        let id = format!("{connection}:{}:{}", row.id, report.id);
        let mut event = NewEvent::new("people", id, kind, report.at.unwrap_or(now), data);
        event.subject = Some(row.id.to_string());
        let mut arriving = Arriving::of(event);
        arriving.effects.push(EffectUpdate::Report {
            id: row.id,
            delivery: Some(delivery),
            engagement: Some(engagement),
            at: now,
        });
        arriving
    }

    /// The sentence that a device shows for what a turn said.
    fn say_to_person(&self, row: &EffectRow, said: Option<&TurnSaid>) -> RawAnswer {
        let card = self.words_for(row);
        let (result, message) = match said {
            None | Some(TurnSaid::Noted | TurnSaid::Began { .. }) => ("recorded", String::new()),
            Some(TurnSaid::Decided { choice, by, at }) => {
                ("decided", card.decided(choice, by, *at))
            }
            Some(TurnSaid::AlreadyDecided { choice, by, at }) => {
                ("already_decided", card.decided(choice, by, *at))
            }
            Some(TurnSaid::PassedOn { .. }) => ("recorded", card.passed_on()),
            Some(TurnSaid::Changed) => ("changed", card.changed()),
            Some(TurnSaid::SignInRequired) => ("sign_in_required", card.sign_in()),
            Some(TurnSaid::Over { how, .. }) => ("expired", card.over(how)),
            Some(TurnSaid::Refused { reason, .. }) => ("refused", reason.clone()),
        };
        answer_of(result, &message)
    }

    async fn status_in(&self, connection: &str, report: StatusReport) -> RawAnswer {
        let Some(effect) = self
            .effect_by_reference(connection, &report.reference)
            .await
        else {
            return RawAnswer::error(
                404,
                "unknown_reference",
                "no notification has this reference",
            );
        };
        let now = self.now();
        let member = Member {
            effects: vec![EffectUpdate::Report {
                id: effect,
                delivery: Some(report.delivery),
                engagement: None,
                at: now,
            }],
            ..Member::default()
        };
        match self.commit_one(member).await {
            Verdict::Refused(reason) | Verdict::Unavailable(reason) => {
                RawAnswer::error(503, "not_recorded", &reason)
            }
            _ => RawAnswer {
                status: 202,
                body: "{}".to_owned(),
            },
        }
    }

    /// The notification behind a provider's reference, or behind our own id.
    pub(crate) async fn effect_by_reference(
        &self,
        connection: &str,
        reference: &str,
    ) -> Option<EffectId> {
        if let Ok(id) = reference.parse::<EffectId>() {
            return self
                .store()
                .effects(&[id])
                .await
                .ok()?
                .pop()?
                .map(|row| row.id);
        }
        let alias = Alias::new("reference", format!("{connection}/{reference}"));
        let cell = self.store().resolve(&[alias]).await.ok()?.pop()??;
        let run = self.inner.parts.views.run(cell).await.ok()??;
        run.effects
            .iter()
            .find(|row| row.reference.as_deref() == Some(reference))
            .map(|row| row.id)
    }
}

/// Not an answer to a repeated report: what it says now was never recorded.
fn reused() -> RawAnswer {
    let message = "this report's id was used before for another report; send it with a new id";
    RawAnswer::error(409, "id_reused", message)
}

fn answer_of(result: &str, message: &str) -> RawAnswer {
    RawAnswer {
        status: 200,
        body: json!({ "result": result, "message": message }).to_string(),
    }
}

fn refusal(error: &IntakeError) -> RawAnswer {
    match error {
        IntakeError::TooLarge(_) => RawAnswer::error(413, "too_large", &error.to_string()),
        IntakeError::Malformed(_) => RawAnswer::error(400, "malformed", &error.to_string()),
        IntakeError::Busy { .. } => RawAnswer::error(503, "busy", &error.to_string()),
        IntakeError::Store(_) => RawAnswer::error(503, "not_recorded", &error.to_string()),
    }
}
