//! The console: server-rendered pages for the people who run the server. Nothing here decides;
//! every button posts to the same traits that the API uses.

mod backtest;
mod case;
mod case_file;
mod cases;
mod connections;
mod customers;
mod diagram;
mod events;
mod fields;
mod flow;
mod flow_form;
mod flow_text;
mod flows;
mod frame;
mod groups;
mod journal;
mod not_delivered;
mod notifications;
mod overview;
mod people;
mod people_list;
mod person;
mod recipes;
mod refusals;
pub(crate) mod road;
mod rotas;
pub(crate) mod sign_in;
mod story;
mod theme;
mod tour;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use maud::html;

use crate::web::Web;
use frame::Visit;
pub(crate) use journal::note as note_words;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/", get(overview::page))
        .route("/events", get(events::list))
        .route("/events/{position}", get(events::one))
        .route("/cases", get(cases::page))
        .route("/cases/{id}", get(case::page))
        .route("/cases/{id}/file", get(case_file::download))
        .route("/cases/{id}/decide", post(case::decide))
        .route("/notifications", get(notifications::page))
        .route("/not-delivered", get(not_delivered::page))
        .route("/not-delivered/retry", post(not_delivered::retry_marked))
        .route("/not-delivered/{id}", get(not_delivered::change))
        .route("/not-delivered/{id}/retry", post(not_delivered::retry))
        .route("/connections", get(connections::list))
        .route("/connections/{name}", get(connections::one))
        .route("/connections/{name}/{verb}", post(connections::verb))
        .route("/people", get(people_list::page))
        .route("/people/person/{id}", get(person::page))
        .route("/people/person/{id}/away", post(person::put_away))
        .route("/people/groups", get(groups::page).post(groups::put))
        .route("/people/rotas", get(rotas::page).post(rotas::put))
        .route("/people/customers", get(customers::page))
        .route("/people/unknown", get(people::page))
        .route("/people/map", post(people::map))
        .route("/people/propose", post(people::propose))
        .route("/people/usages", get(people::usages))
        .route("/flows", get(flows::page))
        .route("/backtest", get(backtest::page))
        .route("/backtest/end", post(backtest::cancel))
        .route("/tour", get(tour::page))
        .route("/theme", post(theme::choose))
        .route("/sign-in", get(sign_in::page).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .fallback(nowhere)
}

/// The pages of recipes and flows, whose forms may hold a whole flow.
pub(crate) fn flow_routes() -> Router<Web> {
    Router::new()
        .route("/recipes", get(recipes::page))
        .route("/recipes/{name}", get(flow_form::page).post(flow_form::act))
        .route("/flows/{name}", get(flow::page))
        .route("/flows/{name}/position", post(flow::put_position))
        .route("/flows/{name}/play", post(flow::play))
        .route("/flows/{name}/backtest", post(backtest::of_flow))
        .route(
            "/flows/{name}/text",
            get(flow_text::page).post(flow_text::act),
        )
        .route("/flows/{name}/versions/{version}", get(flow_text::version))
}

async fn nowhere(visit: Visit) -> Response {
    visit.sorry(
        StatusCode::NOT_FOUND,
        "There is no such page",
        html! { p.lead { "The " a href="/" { "overview" } " has links to everything there is." } },
    )
}
