//! What the record says to a backtest: how an event would come in there, what a connection answered
//! to the same message, and which messages were sent in truth. Two messages are the same when they
//! are of the same run, step, person and device, and of the same place among those.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_model::connector::{Action, Outcome};
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::failure::Failure;
use bellwether_model::id::{CellId, EffectId};
use bellwether_model::notification::Delivery;
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use super::report::Report;
use super::witness::{Found, Witness, is_message, message, was_sent};
use super::{Over, Trial};
use crate::decide::{ENGINE, PEOPLE};
use crate::flow::gatherers::is_line;
use crate::run::{Engine, LINK_LIFE, Purpose};
use crate::store::{
    CellRef, EffectRow, EffectState, ListQuery, NotificationRow, Store, StoreError, Views,
};
use crate::story::Stored;

/// How many notifications are read at once.
const PAGE: usize = 500;

/// One of the two sides: the record, or the backtest's own store.
#[derive(Clone, Debug)]
struct Side {
    store: Arc<dyn Store>,
    views: Arc<dyn Views>,
}

impl Side {
    async fn effect(&self, id: EffectId) -> Result<Option<EffectRow>, StoreError> {
        Ok(self.store.effects(&[id]).await?.pop().flatten())
    }

    async fn program_of(&self, cell: CellId) -> Result<Option<String>, StoreError> {
        let found = self.store.load(&[CellRef::Id(cell)]).await?.pop().flatten();
        Ok(found.map(|snapshot| snapshot.program))
    }

    /// All messages of a run.
    async fn messages(&self, run: CellId) -> Result<Vec<EffectRow>, StoreError> {
        let run = self.views.run(run).await?;
        Ok(run.map(|run| run.effects).unwrap_or_default())
    }
}

/// The step that a message comes from.
fn step(row: &EffectRow) -> String {
    let args = arguments(row);
    args["step"].as_str().unwrap_or_default().to_owned()
}

/// Step, purpose, person and device of a message. A step that the other side does not know at all
/// was changed: then the rest has to do.
fn place(
    row: &EffectRow,
    known: impl Fn(&str) -> bool,
) -> (String, &'static str, Option<&str>, String) {
    let args = arguments(row);
    let text = |name: &str| args[name].as_str().unwrap_or_default().to_owned();
    let step = Some(text("step")).filter(|step| known(step));
    let purpose = format!("{} {}", step.unwrap_or_default(), text("kind"));
    let address = text("address");
    (purpose, row.role_word(), row.person.as_deref(), address)
}

fn same_place(one: &EffectRow, other: &EffectRow) -> bool {
    place(one, |_| true) == place(other, |_| true)
}

/// The arguments of a message.
pub(super) fn arguments(row: &EffectRow) -> Json {
    serde_json::from_str(&row.args).unwrap_or_default()
}

/// The record, beside the backtest's own store.
#[derive(Debug)]
pub(super) struct Past {
    record: Side,
    trial: Side,
    real: Engine,
    flow: String,
    /// The programs that gather lists of this flow.
    gatherers: Vec<String>,
    from: Time,
    until: Time,
    /// The mailbox whose mails are played instead of the record: then nothing was sent in truth.
    mailbox: Option<String>,
    witness: Mutex<Witness>,
}

impl Past {
    pub(super) fn new(real: &Engine, trial: &Trial, scratch: Stored) -> Self {
        let flow = &trial.program.flow;
        Self {
            record: Side {
                store: Arc::clone(&real.inner.parts.store),
                views: Arc::clone(&real.inner.parts.views),
            },
            trial: Side {
                store: scratch.0,
                views: scratch.1,
            },
            real: real.clone(),
            flow: flow.name.clone(),
            gatherers: flow.gatherers.iter().map(|one| one.name.clone()).collect(),
            from: trial.from,
            until: trial.until,
            mailbox: match &trial.over {
                Over::Record => None,
                Over::Mails { connection, .. } => Some(connection.clone()),
            },
            witness: Mutex::default(),
        }
    }

    fn witness(&self) -> MutexGuard<'_, Witness> {
        self.witness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ours(&self, program: &str) -> bool {
        program == self.flow || self.gatherers.iter().any(|name| name == program)
    }

    // ---- events ------------------------------------------------------------------------------

    /// How an event of the record comes to the backtest; None when the flow itself said it, or when
    /// it answers what was never asked there.
    pub(super) async fn as_it_would_come(
        &self,
        event: &Event,
    ) -> Result<Option<NewEvent>, StoreError> {
        let envelope = &event.envelope;
        if !envelope.data.is_object() {
            self.witness().pruned += 1;
            return Ok(None);
        }
        let of_ours = is_line(&envelope.kind) || envelope.data["push"]["flow"] == json!(self.flow);
        if of_ours && envelope.source == ENGINE {
            return Ok(None);
        }
        if let Some(cause) = &envelope.cause
            && let Some(program) = self.record.program_of(cause.cell).await?
            && self.is_ours(&program)
        {
            return Ok(None);
        }
        if let Some(id) = acted_on(envelope) {
            return self.answer_here(envelope, id).await;
        }
        self.reply_here(envelope, event.received_at).await
    }

    /// What somebody did with a message, as done with the same message here.
    async fn answer_here(
        &self,
        event: &NewEvent,
        id: EffectId,
    ) -> Result<Option<NewEvent>, StoreError> {
        let Some(row) = self.record.effect(id).await? else {
            return Ok(Some(event.clone()));
        };
        let program = self.record.program_of(row.cell).await?;
        if !program.is_some_and(|program| self.is_ours(&program)) {
            return Ok(Some(event.clone()));
        }
        let Some(twin) = twin(&row, &self.record, &self.trial).await? else {
            self.witness().unasked += 1;
            return Ok(None);
        };
        let (was, is) = (arguments(&row), arguments(&twin));
        let mut event = event.clone();
        let mut data = (*event.data).clone();
        data["push"]["notification"] = json!(twin.id.to_string());
        // Who saw the old words and would see others now is taken to answer them all the same.
        if data["push"]["shown"] == was["shown"] {
            data["push"]["shown"] = is["shown"].clone();
        }
        event.data = Arc::new(data);
        if event.subject == Some(id.to_string()) {
            event.subject = Some(twin.id.to_string());
        }
        Ok(Some(event))
    }

    /// A mail that answers one of ours, as an answer to the same mail here.
    async fn reply_here(&self, event: &NewEvent, at: Time) -> Result<Option<NewEvent>, StoreError> {
        let token = event.data["mail"]["reply_token"].as_str();
        let keys = self.real.keys();
        let id = token.and_then(|token| keys.read(Purpose::Reply, token, at, "").ok());
        let Some(id) = id else {
            return Ok(Some(event.clone()));
        };
        let Some(row) = self.record.effect(id).await? else {
            return Ok(Some(event.clone()));
        };
        let mut event = event.clone();
        let Some(twin) = twin(&row, &self.record, &self.trial).await? else {
            return Ok(Some(event));
        };
        if twin.id != id {
            let mut data = (*event.data).clone();
            let token = keys.make(Purpose::Reply, twin.id, at + LINK_LIFE, "");
            data["mail"]["reply_token"] = json!(token);
            event.data = Arc::new(data);
        }
        Ok(Some(event))
    }

    // ---- outcomes ----------------------------------------------------------------------------

    /// What a connection answers: what it answered in truth, if the same message was sent.
    pub(super) async fn outcome(&self, action: &Action<'_>) -> Result<Outcome, Failure> {
        let store = |error: StoreError| Failure::bug("backtest", error.to_string());
        let row = self.trial.effect(action.effect).await.map_err(store)?;
        let Some(row) = row else {
            return Err(Failure::bug("backtest", "this message is not in the trial"));
        };
        let recorded = match self.mailbox {
            None => twin(&row, &self.trial, &self.record).await.map_err(store)?,
            Some(_) => None,
        };
        if action.attempt == 1 && is_message(&row) {
            let directory = &self.real.setup().directory;
            self.witness().sends(&row, recorded.as_ref(), directory);
        }
        let accepted = Outcome {
            delivery: Delivery::Accepted,
            reference: recorded.as_ref().and_then(|row| row.reference.clone()),
            aliases: Vec::new(),
        };
        match recorded.as_ref().map(|row| (row.state, &row.failure)) {
            Some((EffectState::Failed, Some(failure))) => Err(failure.clone()),
            Some((EffectState::Maybe, _)) => Err(Failure::maybe(
                "no_answer",
                "nobody could say whether it was sent",
            )),
            _ => Ok(accepted),
        }
    }

    // ---- the end -----------------------------------------------------------------------------

    /// What came of it, with what was sent in truth and would not be.
    pub(super) async fn report(&self, events: u64) -> Result<Report, StoreError> {
        if self.mailbox.is_none() {
            self.hold_against_the_record().await?;
        }
        let mut report = self.witness().report();
        report.flow.clone_from(&self.flow);
        report.mailbox.clone_from(&self.mailbox);
        (report.from, report.until, report.events) = (self.from, self.until, events);
        Ok(report)
    }

    async fn hold_against_the_record(&self) -> Result<(), StoreError> {
        // The list of what was sent is read, and may lag behind what was.
        self.record.views.caught_up().await;
        let mut names = vec![self.flow.clone()];
        names.extend(self.gatherers.iter().cloned());
        for name in names {
            self.not_sent(name).await?;
        }
        let found = self.witness().pair();
        for found in found {
            self.read(found).await?;
        }
        Ok(())
    }

    /// Reads the messages of a difference.
    async fn read(&self, found: Found) -> Result<(), StoreError> {
        let setup = self.real.setup();
        let mut shown = [None, None];
        for (n, (side, id)) in [(&self.trial, found.would), (&self.record, found.was)]
            .into_iter()
            .enumerate()
        {
            if let Some(id) = id
                && let Some(row) = side.effect(id).await?
            {
                shown[n] = Some(message(&row, &setup.directory));
            }
        }
        let [would, was] = shown;
        match (would, was) {
            (Some(would), was) => self.witness().read(found.kind, would, was),
            (None, Some(was)) => self.witness().read(found.kind, was, None),
            (None, None) => {}
        }
        Ok(())
    }

    /// Reads what was sent in truth by a program, newest first.
    async fn not_sent(&self, flow: String) -> Result<(), StoreError> {
        let mut query = ListQuery {
            flow: Some(flow),
            limit: PAGE,
            ..ListQuery::default()
        };
        loop {
            let page = self.record.views.notifications(query.clone()).await?;
            let in_time = |row: &&NotificationRow| row.made_at >= self.from;
            let ids: Vec<EffectId> = page
                .items
                .iter()
                .filter(in_time)
                .map(|row| row.id)
                .collect();
            let rows = self.record.store.effects(&ids).await?;
            let here = self.trial.store.effects(&ids).await?;
            for (row, here) in rows.into_iter().zip(here) {
                let Some(row) = row.filter(|row| was_sent(row) && is_message(row)) else {
                    continue;
                };
                let is_known = here.is_some_and(|here| here.attempt > 0 && same_place(&here, &row));
                if !is_known && !self.witness().has_met(row.id) {
                    self.missing(&row).await?;
                }
            }
            let all_in_time = ids.len() == page.items.len();
            match page.next {
                Some(next) if all_in_time => query.after = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// A message that was sent in truth only. What belongs to runs that began before the period, or
    /// after it, says nothing about the flow.
    async fn missing(&self, row: &EffectRow) -> Result<(), StoreError> {
        let run = self.record.store.load(&[CellRef::Id(row.cell)]).await?;
        let opened = run.into_iter().flatten().next();
        let opened = opened
            .and_then(|run| run.opened_by)
            .map(|event| event.received_at);
        match opened {
            Some(at) if at >= self.from && at < self.until => {
                self.witness().was_sent_only(row);
            }
            _ => self.witness().of_other_runs += 1,
        }
        Ok(())
    }
}

/// The notification that an event of people is about.
fn acted_on(event: &NewEvent) -> Option<EffectId> {
    let id = event.data["push"]["notification"].as_str();
    id.filter(|_| event.source == PEOPLE)?.parse().ok()
}

/// The same message on the other side.
async fn twin(row: &EffectRow, here: &Side, there: &Side) -> Result<Option<EffectRow>, StoreError> {
    // The same id goes to somebody else when only the recipient was changed.
    if let Some(found) = there.effect(row.id).await?
        && same_place(&found, row)
    {
        return Ok(Some(found));
    }
    let theirs = there.messages(row.cell).await?;
    if theirs.is_empty() {
        return Ok(None);
    }
    let ours = here.messages(row.cell).await?;
    let our_steps: HashSet<String> = ours.iter().map(step).collect();
    let their_steps: HashSet<String> = theirs.iter().map(step).collect();
    let wanted = place(row, |step| their_steps.contains(step));
    let alike = ours
        .iter()
        .filter(|one| place(one, |step| their_steps.contains(step)) == wanted);
    let number = alike.take_while(|one| one.id != row.id).count();
    let mut fitting = theirs
        .iter()
        .filter(|one| place(one, |step| our_steps.contains(step)) == wanted);
    Ok(fitting.nth(number).cloned())
}
