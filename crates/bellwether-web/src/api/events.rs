//! Events in the API: the record in order, and single events.

use axum::Json;
use axum::extract::{Path, State};
use bellwether_engine::store::EventQuery;
use bellwether_model::event::{Event, Position};
use serde_json::Value;

use super::shape;
use crate::guard::By;
use crate::problem::Problem;
use crate::query::Fields;
use crate::web::Web;

/// Oldest first after a position; with `newest=true` the newest first.
pub(crate) async fn list(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    fields.only(&["type", "limit", "after", "newest"])?;
    let number = |text: &str| {
        let read = text
            .parse::<Position>()
            .ok()
            .filter(|position| *position >= 0);
        let sentence = || format!("after must be a position, a whole number from 0, not {text}");
        read.ok_or_else(|| Problem::bad(sentence()))
    };
    let newest = match fields.get("newest") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let message = format!("newest must be true or false, not {other}");
            return Err(Problem::bad(message));
        }
    };
    let query = EventQuery {
        kind: fields.text("type"),
        after: fields.get("after").map(number).transpose()?,
        newest,
        limit: fields.limit()?,
    };
    let page = web.app.views.events(query).await?;
    Ok(Json(shape::page(&page, shape::event)))
}

pub(crate) async fn one(
    State(web): State<Web>,
    _: By,
    Path(position): Path<String>,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::unknown("event", &position);
    let at = position.parse::<Position>().map_err(|_| unknown())?;
    let event = find(&web, at).await?.ok_or_else(unknown)?;
    Ok(Json(shape::event(&event)))
}

/// The event at exactly this position.
pub(crate) async fn find(web: &Web, at: Position) -> Result<Option<Event>, Problem> {
    let query = EventQuery {
        after: Some(at.saturating_sub(1)),
        limit: 1,
        ..EventQuery::default()
    };
    let page = web.app.views.events(query).await?;
    Ok(page.items.into_iter().find(|event| event.position == at))
}

/// `person`: the id of whoever was told, or was not.
pub(crate) async fn why(
    State(web): State<Web>,
    _: By,
    Path(position): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::unknown("event", &position);
    let at = position.parse().map_err(|_| unknown())?;
    let names = web.names().await;
    let person = fields.get("person").filter(|person| !person.is_empty());
    let lines = crate::why::lines(&web, at, person, &names).await?;
    let shown: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::json!({ "case": line.case.map(|id| id.to_string()), "text": line.text }))
        .collect();
    Ok(Json(
        serde_json::json!({ "event": at, "person": person, "lines": shown }),
    ))
}
