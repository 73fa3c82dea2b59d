//! Cards: what a notification shows to its person now, built from what was sent and from where its
//! run stands.

use std::sync::Arc;

use bellwether_model::directory::Directory;
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::time::Time;
use serde_json::Value as Json;

use super::{Engine, FORM_LIFE, Purpose};
use crate::decide::{
    ACTED, Act, AskState, RunState, choice_label, choice_past, of_decision, quoted, settled_at,
};

use crate::seam::{Ask, Card, CardState, ChoiceView, Fact, HostedError, TurnSaid};
use crate::store::{CellRef, EffectRow, EventRef, Snapshot};

/// The sentences of one reader.
#[derive(Debug)]
pub(crate) struct Words {
    directory: Arc<Directory>,
    language: String,
    zone: String,
}

impl Words {
    fn german(&self) -> bool {
        self.language.starts_with("de")
    }

    fn name(&self, person: &str) -> String {
        let known = self.directory.people.get(person);
        known.map_or_else(|| person.to_owned(), |person| person.name.clone())
    }

    /// "Approved by Alice Arnold, Mon 10:42".
    pub(crate) fn decided(&self, choice: &str, by: &str, at: Time) -> String {
        settled_at(choice, &self.name(by), at, &self.language, &self.zone)
    }

    pub(crate) fn passed_on(&self) -> String {
        self.pick(
            "Your question was passed on",
            "Ihre Frage wurde weitergegeben",
        )
    }

    pub(crate) fn changed(&self) -> String {
        self.pick(
            "The matter has changed, please look again",
            "Die Sache hat sich geändert, bitte neu ansehen",
        )
    }

    pub(crate) fn sign_in(&self) -> String {
        self.pick(
            "Please open the page and confirm who you are",
            "Bitte die Seite öffnen und sich ausweisen",
        )
    }

    pub(crate) fn over(&self, how: &str) -> String {
        match how {
            "expired" => self.pick(
                "Too late: nobody decided in time",
                "Zu spät: nicht rechtzeitig entschieden",
            ),
            "withdrawn" => self.pick("The sender took it back", "Vom Absender zurückgezogen"),
            _ => self.pick("This matter is closed", "Diese Sache ist abgeschlossen"),
        }
    }

    fn pick(&self, en: &str, de: &str) -> String {
        if self.german() {
            de.to_owned()
        } else {
            en.to_owned()
        }
    }
}

/// A report carries the id of another one.
#[derive(Debug)]
pub(crate) struct Reused;

impl Engine {
    /// The sentences of the reader of a notification.
    pub(crate) fn words_for(&self, row: &EffectRow) -> Words {
        let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
        let text = |name: &str| {
            args.get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Words {
            directory: Arc::clone(&self.setup().directory),
            language: text("language"),
            zone: text("zone"),
        }
    }

    /// What a repeated report is told: the same as its first.
    ///
    /// # Errors
    /// It is no repetition: another report was recorded under its id.
    pub(crate) async fn said_before(
        &self,
        row: &EffectRow,
        event: &NewEvent,
    ) -> Result<Option<TurnSaid>, Reused> {
        let first = [EventRef::Key(event.seen_key())];
        let first = self.store().events(&first).await.unwrap_or_default().pop();
        if let Some(first) = first.flatten()
            && (first.envelope.kind != event.kind || first.envelope.data != event.data)
        {
            return Err(Reused);
        }
        Ok(self.said_of(row, event).await)
    }

    async fn said_of(&self, row: &EffectRow, event: &NewEvent) -> Option<TurnSaid> {
        let snapshot = self
            .store()
            .load(&[CellRef::Id(row.cell)])
            .await
            .ok()?
            .pop()??;
        let state = RunState::read(&snapshot.state).ok()?;
        let ask = ask_of(&state, row)?;
        let key = bellwether_model::id::hex(&event.seen_key());
        match (&ask.decided, &ask.over) {
            (Some(decided), _) => {
                let (choice, by, at) = (decided.choice.clone(), decided.by.clone(), decided.at);
                Some(if decided.event == key {
                    TurnSaid::Decided { choice, by, at }
                } else {
                    TurnSaid::AlreadyDecided { choice, by, at }
                })
            }
            (None, Some((how, at))) => Some(TurnSaid::Over {
                how: how.clone(),
                at: *at,
            }),
            (None, None) if event.kind == ACTED => {
                self.said_while_open(row, ask, &key, event, &snapshot).await
            }
            (None, None) => None,
        }
    }

    /// What was said to a press that did not decide, as far as it still holds.
    async fn said_while_open(
        &self,
        row: &EffectRow,
        ask: &AskState,
        key: &str,
        event: &NewEvent,
        snapshot: &Snapshot,
    ) -> Option<TurnSaid> {
        let act: Act = serde_json::from_value(event.data.get("push")?.clone()).ok()?;
        if ask.talk.iter().any(|(_, said)| said == key) {
            return Some(TurnSaid::PassedOn { choice: act.choice });
        }
        if ask.asked(&act.person).is_some_and(|a| a.shown != act.shown) {
            return Some(TurnSaid::Changed);
        }
        if self.needs_sign_in(snapshot, row).await.unwrap_or(true) {
            return Some(TurnSaid::SignInRequired);
        }
        Some(TurnSaid::Refused {
            code: "decided_nothing".to_owned(),
            reason: "this was sent before and decided nothing; please look again".to_owned(),
        })
    }

    /// The card of a notification as it stands now.
    pub(crate) async fn card(&self, row: &EffectRow, signed_in: bool) -> Result<Card, HostedError> {
        let store = |error: crate::store::StoreError| HostedError::Store(error.to_string());
        let mut loaded = self
            .store()
            .load(&[CellRef::Id(row.cell)])
            .await
            .map_err(store)?;
        let snapshot = loaded.pop().flatten().ok_or(HostedError::Gone)?;
        let state = RunState::read(&snapshot.state).map_err(|_| HostedError::Gone)?;
        let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
        let text = |name: &str| {
            args.get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let setup = self.setup();
        let person = row.person.clone().unwrap_or_default();
        let name = setup
            .directory
            .people
            .get(&person)
            .map(|person| person.name.clone());
        let ask = ask_of(&state, row);
        let card_state = match ask {
            Some(ask) => {
                self.card_state(row, ask, &snapshot, &args, signed_in)
                    .await?
            }
            None => CardState::Notice,
        };
        let (rows, more_rows) = self.rows_of(&snapshot, signed_in).await?;
        let facts: Vec<(String, String)> = args
            .get("facts")
            .and_then(|facts| serde_json::from_value(facts.clone()).ok())
            .unwrap_or_default();
        let talk = args
            .get("talk")
            .and_then(|talk| serde_json::from_value(talk.clone()).ok())
            .unwrap_or_default();
        Ok(Card {
            notification: row.id,
            run: row.cell,
            person_name: name.unwrap_or_else(|| person.clone()),
            person,
            language: text("language"),
            zone: text("zone"),
            on_behalf_of: args
                .get("on_behalf_of")
                .and_then(Json::as_str)
                .map(str::to_owned),
            title: text("title"),
            text: text("text"),
            facts: facts
                .into_iter()
                .map(|(label, value)| Fact { label, value })
                .collect(),
            quoted: self.stands_for(&snapshot).await?.as_ref().and_then(quoted),
            state: card_state,
            talk,
            rows,
            more_rows,
        })
    }

    pub(crate) async fn card_state(
        &self,
        row: &EffectRow,
        ask: &AskState,
        snapshot: &Snapshot,
        args: &Json,
        signed_in: bool,
    ) -> Result<CardState, HostedError> {
        let text = |name: &str| args.get(name).and_then(Json::as_str).unwrap_or_default();
        let setup = self.setup();
        let person = row.person.as_deref().unwrap_or_default();
        if let Some(decided) = &ask.decided {
            let event = bellwether_model::id::Id::from_hex16(&decided.event);
            let mut events = match event {
                Some(key) => self
                    .store()
                    .events(&[EventRef::Key(key)])
                    .await
                    .unwrap_or_default(),
                None => Vec::new(),
            };
            let comment = events
                .pop()
                .flatten()
                .map(|event| of_decision(&event))
                .unwrap_or_default();
            let by = setup.directory.people.get(&decided.by);
            return Ok(CardState::Decided {
                said: choice_past(&decided.choice, text("language")),
                by: by.map_or_else(|| decided.by.clone(), |person| person.name.clone()),
                by_reader: decided.by == person,
                at: decided.at,
                comment,
            });
        }
        if let Some((how, at)) = &ask.over {
            return Ok(CardState::Over {
                how: how.clone(),
                at: *at,
            });
        }
        if setup.directory.person(person).is_none() {
            let sentence = "You are no longer in the directory, so you cannot decide this.";
            return Ok(CardState::NotAllowed(sentence.to_owned()));
        }
        let shown = text("shown").to_owned();
        let current = ask
            .asked(person)
            .map(|asked| asked.shown.clone())
            .unwrap_or_default();
        if current != shown {
            // A newer push shows the matter as it is now; this one must not be decided on.
            return Ok(CardState::Over {
                how: "replaced".to_owned(),
                at: snapshot.last_turn_at,
            });
        }
        let expires = self.transport_now() + FORM_LIFE;
        let until = args.get("until").and_then(Json::as_i64).map(Time);
        Ok(CardState::Waiting(Ask {
            choices: choices(args),
            act_token: self.keys().make(Purpose::Act, row.id, expires, &shown),
            shown,
            until,
            needs_sign_in: !signed_in && self.needs_sign_in(snapshot, row).await?,
        }))
    }

    /// Whether the question behind a notification wants more than the link.
    async fn needs_sign_in(
        &self,
        snapshot: &Snapshot,
        row: &EffectRow,
    ) -> Result<bool, HostedError> {
        let setup = self.setup();
        let args: Json = serde_json::from_str(&row.args).unwrap_or_default();
        let step = args.get("step").and_then(Json::as_str).unwrap_or_default();
        let program = setup.programs.get(&snapshot.program_hash);
        let program = program.or_else(|| setup.active.get(&snapshot.program));
        let about = self.stands_for(snapshot).await?;
        let (Some(program), Some(about)) = (program, about) else {
            return Ok(true);
        };
        let world = self.world(&setup, self.now());
        let (flow, inputs) = (&program.flow, &program.inputs);
        Ok(crate::decide::wants_sign_in(
            flow, inputs, &about, step, &world,
        ))
    }

    /// The event that the matter is about now: the one that opened it, unless it changed since.
    async fn stands_for(&self, snapshot: &Snapshot) -> Result<Option<Event>, HostedError> {
        let basis = RunState::read(&snapshot.state).ok().and_then(|s| s.basis);
        let key = basis.and_then(|key| bellwether_model::id::Id::from_hex16(&key));
        let Some(key) = key else {
            return Ok(snapshot.opened_by.clone());
        };
        let found = self.store().events(&[EventRef::Key(key)]).await;
        let mut found = found.map_err(|error| HostedError::Store(error.to_string()))?;
        Ok(found.pop().flatten())
    }
}

/// The question that a notification belongs to.
pub(crate) fn ask_of<'a>(state: &'a RunState, row: &EffectRow) -> Option<&'a AskState> {
    let args: Json = serde_json::from_str(&row.args).ok()?;
    state.asks.get(args.get("step")?.as_str()?)
}

fn choices(args: &Json) -> Vec<ChoiceView> {
    let list = args
        .get("choices")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let view = |choice: &Json| {
        let text = |name: &str| choice.get(name).and_then(Json::as_str).unwrap_or_default();
        ChoiceView {
            id: text("id").to_owned(),
            label: choice_label(text("id"), text("label"), ""),
            comment: match text("comment") {
                "required" => "required",
                "none" => "none",
                _ => "optional",
            },
            settles: choice
                .get("settles")
                .and_then(Json::as_bool)
                .unwrap_or(true),
        }
    };
    list.iter().map(view).collect()
}
