//! What could not be done, with its reason and a button to try again.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::store::{DeadLetterRow, Page};
use maud::{Markup, html};

use super::frame::{Visit, back};
use crate::api::SETTLED_WORDS;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, chip, empty, next};
use crate::query::{Fields, id_of};
use crate::text::clean;
use crate::web::Web;
use crate::words;

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let query = match fields.list(&SETTLED_WORDS) {
        Ok(query) => query,
        Err(problem) => return visit.problem(&problem),
    };
    let page = match web.app.views.dead_letters(query.clone()).await {
        Ok(page) => page,
        Err(error) => return visit.problem(&error.into()),
    };
    let chips = [
        (None, "all"),
        (Some("open"), "open"),
        (Some("settled"), "settled"),
    ];
    visit.page("Not delivered", &html! {
        nav.chips aria-label="Filters" {
            @for (word, name) in chips {
                @let filter = word.map_or_else(String::new, |word| format!("?status={word}"));
                (chip(&format!("/not-delivered{filter}"), word == query.status.as_deref(), name))
            }
        }
        (rows(&visit, &page))
        (next("/not-delivered", &query, page.next.as_ref()))
    })
}

fn rows(visit: &Visit, page: &Page<DeadLetterRow>) -> Markup {
    if page.items.is_empty() {
        return empty("Everything has been delivered.");
    }
    html! {
        p.meta { (page.total) " in all" }
        ul.cards { @for row in &page.items { (one(visit, row)) } }
    }
}

fn one(visit: &Visit, row: &DeadLetterRow) -> Markup {
    let state = if row.settled_at.is_some() {
        Pill::new("plain", "check", "settled")
    } else {
        Pill::new("bad", "alert", "not delivered")
    };
    html! {
        li.card.row-card {
            div {
                p { (clean(&row.reason)) }
                p.pills {
                    (state.show())
                    span.meta { (visit.time(row.at)) " · " (clean(&words::plain(&row.code))) }
                    @if let Some(run) = row.run { a href={ "/cases/" (run) } { "case" } }
                    @if let Some(event) = row.event {
                        a href={ "/events/" (event) } { "what came in" }
                    }
                    @if let Some(at) = row.settled_at { span.meta { "settled " (visit.time(at)) } }
                }
            }
            @if row.settled_at.is_none() {
                form method="post" action={ "/not-delivered/" (row.id) "/retry" } {
                    (visit.token())
                    button type="submit" { "Try again" }
                }
            }
        }
    }
}

pub(crate) async fn retry(
    State(web): State<Web>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let note = match id_of("dead letter", &id) {
        Err(_) => Note::new("not_retried"),
        Ok(letter) => match web.app.intake.retry(letter, &posted.actor).await {
            Ok(true) => Note::new("retried"),
            Ok(false) => Note::new("not_retried"),
            Err(error) => Note::with("refused", &error.to_string()),
        },
    };
    back("/not-delivered", Some(&note))
}
