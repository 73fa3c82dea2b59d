//! Users of other systems in the API: which people they are, those whom nobody knows yet, and
//! mappings handed in as JSON or CSV.

use axum::Json;
use axum::extract::State;
use bellwether_engine::seam::NewMapping;
use bellwether_engine::store::IdentityQuery;
use serde_json::{Map, Value, json};

use super::shape;
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::{Fields, number_after};
use crate::rows::{entries, text};
use crate::web::Web;

/// What `status` may be.
pub(crate) const WORDS: [&str; 2] = ["resolved", "unresolved"];

/// The filters of the list.
pub(crate) fn query(fields: &Fields) -> Result<IdentityQuery, Problem> {
    fields.only(&["connection", "person", "status", "limit", "after"])?;
    let resolved = match fields.get("status") {
        None => None,
        Some("resolved") => Some(true),
        Some("unresolved") => Some(false),
        Some(word) => {
            let message = format!("status must be one of {}, not {word}", WORDS.join(", "));
            return Err(Problem::bad(message));
        }
    };
    Ok(IdentityQuery {
        connection: fields.text("connection"),
        person: fields.text("person"),
        resolved,
        after: number_after(fields)?,
        limit: fields.limit()?,
    })
}

pub(crate) async fn list(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let page = web.app.views.identities(query(&fields)?).await?;
    Ok(Json(shape::page(&page, shape::identity)))
}

pub(crate) async fn unresolved(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    fields.only(&["connection", "limit", "after"])?;
    let query = IdentityQuery {
        resolved: Some(false),
        ..query(&fields)?
    };
    let page = web.app.views.identities(query).await?;
    Ok(Json(shape::page(&page, shape::identity)))
}

/// Body: `{identities: [{connection, id, name?, person}]}`, one such entry, or CSV with these
/// columns. Without a person the user is nobody's any more. All are taken or none.
pub(crate) async fn map(State(web): State<Web>, called: Called) -> Result<Json<Value>, Problem> {
    let known = ["connection", "id", "name", "person"];
    let entries = entries(called.body, "identities", &known)?;
    let mut mappings = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let read = mapping(entry).map_err(|why| Problem::bad(format!("entry {at}: {why}")));
        mappings.push(read?);
    }
    let mapped = web.app.people.map_people(mappings, &called.actor).await?;
    Ok(Json(json!({ "mapped": mapped })))
}

fn mapping(entry: &Map<String, Value>) -> Result<NewMapping, String> {
    let person = text(entry, "person")?;
    Ok(NewMapping {
        connection: text(entry, "connection")?,
        id: text(entry, "id")?,
        name: text(entry, "name")?,
        person: (!person.is_empty()).then_some(person),
    })
}

/// Looks for people whom unresolved users might be; what it finds is only shown.
pub(crate) async fn propose(State(web): State<Web>, _: Called) -> Result<Json<Value>, Problem> {
    let proposed = web.app.people.propose_people().await?;
    Ok(Json(json!({ "proposed": proposed })))
}
