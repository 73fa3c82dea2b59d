//! Connections in the API: health, ledger, what was refused, and the four verbs of a connection.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bellwether_engine::seam::ConnectionView;
use serde_json::{Value, json};

use super::shape;
use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::web::Web;

pub(crate) async fn list(State(web): State<Web>, _: By) -> Result<Json<Value>, Problem> {
    let connections = &web.app.connections;
    let mut items = Vec::new();
    for view in connections.list().await {
        let refused = connections.refusals(&view.name).await?;
        items.push(shape::connection(&view, &refused));
    }
    Ok(Json(
        json!({ "total": items.len(), "items": items, "next": null }),
    ))
}

pub(crate) async fn refusals(
    State(web): State<Web>,
    _: By,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    find(&web, &name).await?;
    let refused = web.app.connections.refusals(&name).await?;
    Ok(Json(shape::refusals(&refused)))
}

pub(crate) async fn ledger(
    State(web): State<Web>,
    _: By,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    find(&web, &name).await?;
    let counts = web.app.views.ledger(&name).await?;
    Ok(Json(shape::ledger(&counts)))
}

/// `test`, `read`, `recount`, `sweep`.
pub(crate) async fn verb(
    State(web): State<Web>,
    Path((name, verb)): Path<(String, String)>,
    _: Called,
) -> Result<Json<Value>, Problem> {
    let view = find(&web, &name).await?;
    let connections = &web.app.connections;
    if verb != "test" && !view.has_source && matches!(&*verb, "read" | "recount" | "sweep") {
        let message = format!("{name} brings no events by itself, so there is nothing to {verb}");
        return Err(Problem::new(StatusCode::CONFLICT, "no_source", message));
    }
    let answer = match verb.as_str() {
        "test" => match connections.test(&name).await {
            Ok(identity) => json!({ "ok": true, "identity": identity }),
            Err(failure) => json!({ "ok": false, "failure": shape::failure(&failure) }),
        },
        "read" => json!({ "reading": connections.read_now(&name).await }),
        "recount" => {
            let missing = connections.recount(&name).await;
            json!({ "missing": missing.map_err(|failure| Problem::provider(&failure))? })
        }
        "sweep" => {
            let found = connections.sweep(&name).await;
            json!({ "found": found.map_err(|failure| Problem::provider(&failure))? })
        }
        other => return Err(Problem::unknown("verb of connections", other)),
    };
    Ok(Json(answer))
}

async fn find(web: &Web, name: &str) -> Result<ConnectionView, Problem> {
    let all = web.app.connections.list().await;
    let found = all.into_iter().find(|view| view.name == name);
    found.ok_or_else(|| Problem::unknown("connection", name))
}
