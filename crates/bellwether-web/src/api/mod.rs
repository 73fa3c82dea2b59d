//! The JSON API of the internal listener: lists, single things, a few verbs, the live feed. Names
//! on the wire are the model's own; words for people are the pages' business.

mod backtest;
mod connections;
mod customers;
mod directory;
mod events;
mod identities;
mod lists;
mod live;
mod runs;
pub(crate) mod shape;
mod usages;

pub(crate) use backtest::{DAYS as BACKTEST_DAYS, begun, days_in_micros};
pub(crate) use customers::query as customer_query;
pub(crate) use directory::{Duty, away, change, duty};
pub(crate) use events::find as event_at;
pub(crate) use lists::{RUN_WORDS, SETTLED_WORDS, notification_words};
pub(crate) use live::Told;
pub(crate) use runs::{page_of_turns, turns_after};
pub(crate) use shape::role;
pub(crate) use usages::query as usage_query;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::guard::By;
use crate::metrics;
use crate::problem::Problem;
use crate::web::Web;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/metrics", get(counters))
        .route("/api/overview", get(overview))
        .route("/api/events", get(events::list))
        .route("/api/events/{position}", get(events::one))
        .route("/api/events/{position}/why", get(events::why))
        .route("/api/runs", get(runs::list))
        .route("/api/runs/{id}", get(runs::one))
        .route("/api/runs/{id}/decide", post(runs::decide))
        .route("/api/notifications", get(lists::notifications))
        .route("/api/dead-letters", get(lists::dead_letters))
        .route("/api/dead-letters/{id}/retry", post(lists::retry))
        .route("/api/connections", get(connections::list))
        .route("/api/connections/{name}/ledger", get(connections::ledger))
        .route(
            "/api/connections/{name}/refusals",
            get(connections::refusals),
        )
        .route("/api/connections/{name}/{verb}", post(connections::verb))
        .route("/api/usages", get(usages::list).post(usages::record))
        .route(
            "/api/identities",
            get(identities::list).post(identities::map),
        )
        .route("/api/unresolved", get(identities::unresolved))
        .route("/api/unresolved/propose", post(identities::propose))
        .route("/api/people/{id}/away", post(directory::put_away))
        .route("/api/rotas/{name}/on-duty", get(directory::on_duty))
        .route(
            "/api/customers",
            get(customers::list).post(customers::write),
        )
        .route("/api/customers/counts", get(customers::counts))
        .route("/api/live", get(live::stream))
        .route("/api/{*rest}", get(nothing).post(nothing))
}

/// Routes whose bodies may be whole directories, or flows with their tables.
pub(crate) fn large_routes() -> Router<Web> {
    let directory = get(directory::show).post(directory::put);
    let backtest = get(backtest::latest)
        .post(backtest::begin)
        .delete(backtest::cancel);
    Router::new()
        .route("/api/directory", directory)
        .route("/api/backtest", backtest)
}

/// Alive: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: the store can be read and written.
pub(crate) async fn readyz(State(web): State<Web>) -> Response {
    if let Some(reason) = (web.app.trouble)().await {
        tracing::error!(reason, "not ready: nothing can be written");
        let body = Json(json!({ "ready": false, "message": "the store cannot be written" }));
        return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
    }
    match web.app.views.overview().await {
        Ok(numbers) => Json(json!({ "ready": true, "lag_ms": numbers.lag_ms })).into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            // The reason is in the log: probes need no sign-in and learn nothing.
            let body = Json(json!({ "ready": false, "message": "the store cannot be read" }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn counters(State(web): State<Web>, _: By) -> impl IntoResponse {
    let text = web.counters.text(&(web.app.metrics)());
    ([(header::CONTENT_TYPE, metrics::MEDIA)], text)
}

async fn overview(State(web): State<Web>, _: By) -> Result<Json<Value>, Problem> {
    let numbers = web.app.views.overview().await?;
    let connections = web.app.connections.list().await;
    let mut out = shape::overview(&numbers, &connections);
    out["trouble"] = json!((web.app.trouble)().await);
    Ok(Json(out))
}

async fn nothing(_: By) -> Problem {
    let message = "there is nothing at this address; /api/overview is a place to begin";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}
