//! Runs in the API: lists, one with everything about it, and deciding for somebody.

use axum::Json;
use axum::extract::{Path, State};
use bellwether_engine::store::TurnRow;
use serde_json::Value;

use super::{RUN_WORDS, shape};
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::{Fields, id_of};
use crate::web::Web;

/// Turns of a run in one answer; `turns_after` gives the rest.
const TURNS_MAX: usize = 1000;

/// `turns_after`: the version of the last turn that the caller has.
pub(crate) fn turns_after(fields: &Fields) -> Result<u64, Problem> {
    let read = fields.get("turns_after").map(str::parse).transpose();
    let message = "turns_after must be the version of a turn, a whole number";
    Ok(read.map_err(|_| Problem::bad(message))?.unwrap_or(0))
}

/// Cuts a journal to the turns after a version, at most so many; the version to go on after.
pub(crate) fn page_of_turns(journal: &mut Vec<TurnRow>, after: u64, max: usize) -> Option<u64> {
    journal.retain(|turn| turn.version > after);
    let more = journal.len() > max;
    journal.truncate(max);
    let last = journal.last().filter(|_| more);
    last.map(|turn| turn.version)
}

pub(crate) async fn list(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let page = web.app.views.runs(fields.list(&RUN_WORDS)?).await?;
    Ok(Json(shape::page(&page, shape::run)))
}

pub(crate) async fn one(
    State(web): State<Web>,
    _: By,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let after = turns_after(&fields)?;
    let found = web.app.views.run(id_of("run", &id)?).await?;
    let mut detail = found.ok_or_else(|| Problem::unknown("run", &id))?;
    let next = page_of_turns(&mut detail.journal, after, TURNS_MAX);
    let mut out = shape::run_detail(&detail);
    out["journal_next"] = serde_json::json!(next);
    out["seals"] = serde_json::json!(web.app.seals.checked(detail.run.id).await?);
    Ok(Json(out))
}

/// Body: `{person, choice, comment?}`. Answers what the turn said, whatever it said.
pub(crate) async fn decide(
    State(web): State<Web>,
    Path(id): Path<String>,
    called: Called,
) -> Result<Json<Value>, Problem> {
    let run = id_of("run", &id)?;
    let text = |key: &str| {
        called
            .body
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    for key in ["person", "choice"] {
        if text(key).is_empty() {
            let message = format!("the body needs {key} as a text: {{person, choice, comment}}");
            return Err(Problem::bad(message));
        }
    }
    if web.app.views.run(run).await?.is_none() {
        return Err(Problem::unknown("run", &id));
    }
    let (person, choice) = (text("person"), text("choice"));
    let intake = &web.app.intake;
    let said = intake
        .decide_for(run, person, choice, text("comment"), &called.actor)
        .await?;
    Ok(Json(shape::said(&said)))
}
