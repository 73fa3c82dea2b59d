//! Runs in the API: lists, one with everything about it, and deciding for somebody.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

use super::{RUN_WORDS, shape};
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::{Fields, id_of};
use crate::web::Web;

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
) -> Result<Json<Value>, Problem> {
    let found = web.app.views.run(id_of("run", &id)?).await?;
    let detail = found.ok_or_else(|| Problem::unknown("run", &id))?;
    Ok(Json(shape::run_detail(&detail)))
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
