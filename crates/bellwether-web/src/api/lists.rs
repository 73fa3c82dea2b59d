//! Notifications and dead letters in the API.

use axum::Json;
use axum::extract::{Path, State};
use bellwether_engine::seam::Amended;
use bellwether_engine::store::EffectState;
use serde_json::{Value, json};

use super::shape;
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::{Fields, id_of};
use crate::web::Web;

/// What `status` may be for runs.
pub(crate) const RUN_WORDS: [&str; 2] = ["open", "closed"];
/// What `status` may be for dead letters.
pub(crate) const SETTLED_WORDS: [&str; 2] = ["open", "settled"];
/// The states of effects.
pub(crate) const EFFECT_WORDS: [(EffectState, &str); 9] = EffectState::ALL;
/// How far delivery is known to have come, besides the words that are also states.
const DELIVERY_WORDS: [&str; 5] = [
    "unconfirmed",
    "accepted",
    "handed_off",
    "withdrawn",
    "delivered",
];

/// What `status` may be for notifications: a word of either axis.
pub(crate) fn notification_words() -> Vec<&'static str> {
    let states = EFFECT_WORDS.iter().map(|(_, word)| *word);
    states.chain(DELIVERY_WORDS).collect()
}

pub(crate) async fn notifications(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let query = fields.list(&notification_words())?;
    let page = web.app.views.notifications(query).await?;
    Ok(Json(shape::page(&page, shape::notification)))
}

pub(crate) async fn dead_letters(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let query = fields.list(&SETTLED_WORDS)?;
    let page = web.app.views.dead_letters(query).await?;
    Ok(Json(shape::page(&page, shape::dead_letter)))
}

pub(crate) async fn retry(
    State(web): State<Web>,
    Path(id): Path<String>,
    called: Called,
) -> Result<Json<Value>, Problem> {
    let letter = id_of("dead letter", &id)?;
    let text = |name: &str| called.body[name].as_str().map(str::to_owned);
    let changes = Amended {
        title: text("title"),
        text: text("text"),
        to: text("to"),
    };
    if web
        .app
        .intake
        .retry(letter, &changes, &called.actor)
        .await?
    {
        return Ok(Json(json!({ "retried": true })));
    }
    Err(Problem::unknown("unsettled dead letter", &id))
}
