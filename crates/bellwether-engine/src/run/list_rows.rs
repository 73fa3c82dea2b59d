//! The rows of a list as they stand now: each question in its own matter, wherever it was decided
//! meanwhile. What a single card shows is in `cards.rs`.

use std::collections::HashMap;

use bellwether_model::failure::Failure;
use bellwether_model::id::CellId;
use serde_json::{Value as Json, json};

use super::Engine;
use super::cards::ask_of;
use crate::decide::{Line, RunState, TITLE, sorted};
use crate::flow::gatherers;
use crate::seam::{CardState, Fact, HostedError, Row};
use crate::store::{Answer, CellRef, EffectRow, Query, Snapshot, StoreError};

/// The most rows that one page shows.
const SHOWN_MAX: usize = 100;

impl Engine {
    /// The rows behind a list's push, those that wait first, and how many there are besides. None
    /// for what is no list.
    pub(crate) async fn rows_of(
        &self,
        snapshot: &Snapshot,
        signed_in: bool,
    ) -> Result<(Vec<Row>, usize), HostedError> {
        let setup = self.setup();
        let program = setup.programs.get(&snapshot.program_hash);
        let program = program.or_else(|| setup.active.get(&snapshot.program));
        if !program.is_some_and(|program| gatherers::is_one(&program.flow)) {
            return Ok((Vec::new(), 0));
        }
        let query = Query::Items {
            cell: snapshot.cell,
            window: gatherers::LINES.to_owned(),
        };
        let answers = self.store().answer(&[query]).await.map_err(store)?;
        let lines = match answers.into_iter().next() {
            Some(Answer::Items(lines)) => sorted(&lines),
            _ => Vec::new(),
        };
        let mut rows = self.standing(&lines).await?;
        rows.sort_by_key(|row| !row.waits);
        let more = rows.len().saturating_sub(SHOWN_MAX);
        let mut out = Vec::with_capacity(rows.len() - more);
        for row in rows.into_iter().take(SHOWN_MAX) {
            out.push(self.row(row, signed_in).await?);
        }
        Ok((out, more))
    }

    /// All lines of a list as an attachment.
    pub(crate) async fn list_as_csv(&self, cell: CellId) -> Result<Json, Failure> {
        let query = Query::Items {
            cell,
            window: gatherers::LINES.to_owned(),
        };
        let unread = |error: StoreError| {
            Failure::retry(
                "list_unread",
                format!("the list could not be read: {error}"),
                None,
            )
        };
        let answers = self.store().answer(&[query]).await.map_err(unread)?;
        let lines = match answers.into_iter().next() {
            Some(Answer::Items(lines)) => sorted(&lines),
            _ => Vec::new(),
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        let labels = lines
            .first()
            .map(|line| line.row.iter().map(|(label, _)| label));
        let written = labels.map_or(Ok(()), |labels| out.write_record(labels));
        let rows = lines
            .iter()
            .map(|line| line.row.iter().map(|(_, value)| plain(value)));
        let written =
            written.and_then(|()| rows.into_iter().try_for_each(|row| out.write_record(row)));
        let whole = written.map_err(|error| error.to_string());
        let whole = whole.and_then(|()| out.into_inner().map_err(|error| error.to_string()));
        let text = whole.map_err(|error| Failure::bug("list_as_csv", error))?;
        let text = String::from_utf8_lossy(&text);
        Ok(json!([{ "name": "list.csv", "type": "text/csv", "text": text }]))
    }

    /// The notification and the case of each line, read together.
    async fn standing(&self, lines: &[Line]) -> Result<Vec<Standing>, HostedError> {
        let ids: Vec<_> = lines.iter().filter_map(|line| line.effect).collect();
        let effects = self.store().effects(&ids).await.map_err(store)?;
        let cells: Vec<CellRef> = effects
            .iter()
            .flatten()
            .map(|effect| CellRef::Id(effect.cell))
            .collect();
        let cells = self.store().load(&cells).await.map_err(store)?;
        let cases = effects.into_iter().flatten().zip(cells);
        let found = cases.filter_map(|(effect, cell)| Some((effect.id, (effect, cell?))));
        let mut cases: HashMap<_, _> = found.collect();
        let stands = |line: &Line| {
            let case = line.effect.and_then(|id| cases.remove(&id));
            let waits = case.as_ref().is_some_and(|(effect, cell)| {
                let state = RunState::read(&cell.state).ok();
                let ask = state.as_ref().and_then(|state| ask_of(state, effect));
                ask.is_some_and(|ask| ask.is_open())
            });
            Standing {
                line: line.clone(),
                case,
                waits,
            }
        };
        Ok(lines.iter().map(stands).collect())
    }

    async fn row(&self, standing: Standing, signed_in: bool) -> Result<Row, HostedError> {
        let (titles, columns): (Vec<_>, Vec<_>) = standing
            .line
            .row
            .into_iter()
            .partition(|(label, _)| label == TITLE);
        let title = titles.into_iter().next().map(|(_, title)| title);
        let facts = columns
            .into_iter()
            .map(|(label, value)| Fact { label, value });
        let state = match &standing.case {
            Some((effect, cell)) => self.row_state(effect, cell, signed_in).await?,
            None => CardState::Notice,
        };
        Ok(Row {
            title: title.unwrap_or_default(),
            facts: facts.collect(),
            state,
        })
    }

    async fn row_state(
        &self,
        effect: &EffectRow,
        cell: &Snapshot,
        signed_in: bool,
    ) -> Result<CardState, HostedError> {
        let state = RunState::read(&cell.state).map_err(|_| HostedError::Gone)?;
        let args: Json = serde_json::from_str(&effect.args).unwrap_or_default();
        match ask_of(&state, effect) {
            Some(ask) => self.card_state(effect, ask, cell, &args, signed_in).await,
            None => Ok(CardState::Notice),
        }
    }
}

/// What a spreadsheet would take for a formula stays text.
fn plain(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}")
    } else {
        value.to_owned()
    }
}

/// A line with where its question stands.
struct Standing {
    line: Line,
    case: Option<(EffectRow, Snapshot)>,
    waits: bool,
}

fn store(error: StoreError) -> HostedError {
    HostedError::Store(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_stays_text() {
        assert_eq!(plain("=1+1"), "'=1+1");
        assert_eq!(plain("-4"), "'-4");
        assert_eq!(plain("a - 4"), "a - 4");
    }
}
