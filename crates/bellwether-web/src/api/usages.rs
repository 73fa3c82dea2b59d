//! The register of usages in the API: who uses which asset in which document, as a list, and
//! usages handed in as JSON or CSV.

use axum::Json;
use axum::extract::State;
use bellwether_engine::seam::{UsageSaid, UserSaid};
use bellwether_engine::store::{How, UsageQuery};
use bellwether_model::time::Time;
use serde_json::{Map, Value, json};

use super::shape;
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::{Fields, number_after};
use crate::rows::{entries, text};
use crate::web::Web;

/// What an entry may say.
const KEYS: [&str; 10] = [
    "asset",
    "person",
    "connection",
    "user",
    "name",
    "email",
    "document",
    "how",
    "since",
    "ended",
];

/// The filters of the list.
pub(crate) fn query(fields: &Fields) -> Result<UsageQuery, Problem> {
    fields.only(&["asset", "person", "document", "ended", "limit", "after"])?;
    let ended = match fields.get("ended") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let message = format!("ended must be true or false, not {other}");
            return Err(Problem::bad(message));
        }
    };
    Ok(UsageQuery {
        asset: fields.text("asset"),
        person: fields.text("person"),
        document: fields.text("document"),
        ended,
        after: number_after(fields)?,
        limit: fields.limit()?,
    })
}

pub(crate) async fn list(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let page = web.app.views.usages(query(&fields)?).await?;
    Ok(Json(shape::page(&page, shape::usage)))
}

/// Body: `{usages: [{asset, person | connection + user, name?, email?, document?, how?, since?,
/// ended?}]}`, one such entry, or CSV with these columns. Each entry stands for itself.
pub(crate) async fn record(State(web): State<Web>, called: Called) -> Result<Json<Value>, Problem> {
    let mut usages = Vec::new();
    let mut places = Vec::new();
    let mut refused = Vec::new();
    for (at, entry) in entries(called.body, "usages", &KEYS)?.iter().enumerate() {
        match said(entry) {
            Ok(usage) => {
                usages.push(usage);
                places.push(at);
            }
            Err(why) => refused.push((at, why)),
        }
    }
    let recorded = web.app.people.record_usages(usages).await?;
    let later = recorded.refused.into_iter();
    refused.extend(later.map(|(at, why)| (places.get(at).copied().unwrap_or(at), why)));
    refused.sort();
    let refused = refused.iter();
    let refused = refused.map(|(at, why)| json!({ "entry": at, "message": why }));
    Ok(Json(json!({
        "recorded": recorded.recorded,
        "unresolved": recorded.unresolved,
        "refused": refused.collect::<Vec<_>>(),
    })))
}

fn said(entry: &Map<String, Value>) -> Result<UsageSaid, String> {
    let (person, user) = (text(entry, "person")?, text(entry, "user")?);
    let connection = text(entry, "connection")?;
    if !person.is_empty() && !user.is_empty() {
        return Err("give `person`, or `connection` and `user`, not both".to_owned());
    }
    if person.is_empty() && connection.is_empty() != user.is_empty() {
        return Err("`connection` and `user` belong together".to_owned());
    }
    let how = match text(entry, "how")?.as_str() {
        "" => How::Said,
        word => How::of_word(word).ok_or_else(|| {
            let words = How::ALL.map(|(_, word)| word);
            format!("`how` must be one of {}, not {word}", words.join(", "))
        })?,
    };
    let since = match text(entry, "since")?.as_str() {
        "" => None,
        since => {
            Some(Time::parse(since).map_err(|_| "`since` must be an RFC 3339 instant".to_owned())?)
        }
    };
    let ended = match entry.get("ended") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::String(word)) if word == "true" => true,
        Some(Value::String(word)) if word == "false" => false,
        Some(_) => return Err("`ended` must be true or false".to_owned()),
    };
    Ok(UsageSaid {
        asset: text(entry, "asset")?,
        // A use is reported as it is now, however old; an end is reported as of its time.
        since: since.filter(|_| !ended),
        at: since.filter(|_| ended),
        user: UserSaid {
            connection,
            id: if user.is_empty() { person } else { user },
            name: text(entry, "name")?,
            email: text(entry, "email")?,
        },
        document: text(entry, "document")?,
        how,
        ended,
    })
}
