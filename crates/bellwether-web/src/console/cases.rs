//! The list of cases: every run, one row each, with filters as links.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::store::{ListQuery, Page, RunRow};
use maud::{Markup, html};

use super::frame::Visit;
use crate::api::RUN_WORDS;
use crate::pieces::{chip, columns, empty, encode, next};
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::words;

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let query = match fields.list(&RUN_WORDS) {
        Ok(query) => query,
        Err(problem) => return visit.problem(&problem),
    };
    let page = match web.app.views.runs(query.clone()).await {
        Ok(page) => page,
        Err(error) => return visit.problem(&error.into()),
    };
    visit.page(
        "Cases",
        &html! {
            (chips(&query))
            (rows(&visit, &page, &query))
            (next("/cases", &query, page.next.as_ref()))
        },
    )
}

fn chips(query: &ListQuery) -> Markup {
    let status = query.status.as_deref();
    let flow = query
        .flow
        .as_deref()
        .map_or_else(String::new, |flow| format!("flow={}", encode(flow)));
    html! {
        nav.chips aria-label="Filters" {
            @for word in [None, Some("open"), Some("closed")] {
                @let filter = word.map_or_else(String::new, |word| format!("status={word}&"));
                (chip(&format!("/cases?{filter}{flow}"), word == status, word.unwrap_or("all")))
            }
            @if let Some(flow) = &query.flow { (chip("/cases", true, &format!("flow {flow} ×"))) }
            @if let Some(person) = &query.person { (chip("/cases", true, &format!("{person} ×"))) }
        }
    }
}

fn rows(visit: &Visit, page: &Page<RunRow>, query: &ListQuery) -> Markup {
    if page.items.is_empty() {
        return match query.status.as_deref() {
            Some("open") => empty("No open cases. Nobody is waited for."),
            _ => empty("No cases yet. A case begins when a flow takes something that came in."),
        };
    }
    html! {
        p.meta { (page.total) " in all" }
        table.rows {
            (columns(&["Case", "State", "Waits for", "Began", "Last change", "Flow"]))
            tbody {
                @for row in &page.items {
                    tr {
                        td.main {
                            a href={ "/cases/" (row.id) } { (clean(&row.key)) }
                            @if row.epoch > 1 { " · " (row.epoch) }
                            @if !row.title.is_empty() { div.meta { (clean(&row.title)) } }
                        }
                        td data-label="State" { (words::run(row.status).show()) }
                        td data-label="Waits for" { (waits_for(visit, row)) }
                        td data-label="Began" { (visit.time(row.opened_at)) }
                        td data-label="Last change" { (visit.time(row.last_turn_at)) }
                        td data-label="Flow" {
                            a.quiet href={ "/cases?flow=" (encode(&row.flow)) } {
                                (clean(&row.flow))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whose answer it waits for, and since when.
fn waits_for(visit: &Visit, row: &RunRow) -> Markup {
    html! {
        @for (index, waiting) in row.waits_for.iter().enumerate() {
            @if index > 0 { ", " }
            @match &waiting.person {
                Some(person) => a.quiet href={ "/cases?person=" (encode(person)) } {
                    (clean(person))
                },
                None => "the requester",
            }
            @if let Some(other) = &waiting.on_behalf_of { " for " (clean(other)) }
            span.meta { " since " (visit.time(waiting.since)) }
        }
    }
}
