//! What comes in during a story, kept so that it can come in once more: the same event, the same
//! report of a phone, the same press.

use bellwether_model::event::NewEvent;
use bellwether_model::http::RawRequest;
use bellwether_model::id::CellId;
use bellwether_model::time::Time;
use serde_json::Value as Json;

use super::card;
use super::play::{Cannot, Play};
use super::stage::PHONES;
use crate::seam::{Actor, ActorRole, Hosted as _, Inlets as _, Intake as _, Press};

/// One thing that comes in.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Event(NewEvent),
    /// A phone reports what its owner did.
    Report {
        person: String,
        request: RawRequest,
    },
    /// A button of a page.
    Press {
        person: String,
        press: Press,
    },
    /// An operator decides for somebody.
    Decides {
        run: CellId,
        person: String,
        choice: String,
        comment: String,
    },
    /// Time passes.
    Until(Time),
}

impl Play<'_> {
    /// Lets something come in.
    pub(super) async fn enter(&mut self, input: Input) -> Result<(), Cannot> {
        self.last.push(input.clone());
        self.give(&input).await
    }

    /// Lets what came in last come in once more, just as it was.
    pub(super) async fn again(&mut self) -> Result<(), Cannot> {
        for input in self.last.clone() {
            self.give(&input).await?;
        }
        self.settle().await
    }

    pub(super) async fn give(&mut self, input: &Input) -> Result<(), Cannot> {
        let engine = self.stage.engine.clone();
        match input {
            Input::Event(event) => {
                let submitted = engine.submit(event.clone()).await;
                submitted.map_err(|error| error.to_string())?;
            }
            Input::Report { person, request } => {
                let answer = engine.receive(PHONES, request.clone()).await;
                let answer: Json = serde_json::from_str(&answer.body).unwrap_or_default();
                let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
                let told = format!("{} {}", text("result"), text("message"));
                self.told.push((person.clone(), told));
            }
            Input::Press { person, press } => {
                let visitor = self.visitor(person);
                let pressed = engine.press(press, &visitor).await;
                let pressed = pressed.map_err(|error| error.to_string())?;
                let said = pressed.said.as_ref().map(card::said).unwrap_or_default();
                let told = format!("{said}\n{}", card::text(&pressed.card));
                self.told.push((person.clone(), told));
            }
            Input::Decides {
                run,
                person,
                choice,
                comment,
            } => {
                let actor = Actor {
                    name: "operator".to_owned(),
                    role: ActorRole::Operator,
                    means: "loopback",
                };
                let said = engine
                    .decide_for(*run, person, choice, comment, &actor)
                    .await;
                let said = said.map_err(|error| error.to_string())?;
                self.told.push((person.clone(), card::said(&said)));
            }
            Input::Until(time) => {
                let passed = self.stage.pass_until(*time).await;
                passed.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
