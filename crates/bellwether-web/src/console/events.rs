//! What came in: the record newest first, and one event with everything about it.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::store::EventQuery;
use bellwether_model::event::Event;
use bellwether_model::veil;
use maud::{Markup, html};

use super::frame::Visit;
use super::story;
use crate::pieces::{columns, empty, encode, fact};
use crate::problem::Problem;
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::why::Line;

/// How many names of people the field offers.
const OFFERED_MAX: usize = 1_000;

/// How many events the page shows; the API has all of them.
const SHOWN: usize = 100;

pub(crate) async fn list(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    if let Err(problem) = fields.only(&["type"]) {
        return visit.problem(&problem);
    }
    let query = EventQuery {
        kind: fields.text("type"),
        after: None,
        newest: true,
        limit: SHOWN,
    };
    let page = match web.app.views.events(query).await {
        Ok(page) => page,
        Err(error) => return visit.problem(&error.into()),
    };
    visit.page("What came in", &html! {
        @if page.items.is_empty() {
            (empty("Nothing has happened yet. Send a mail to the watched mailbox and look here."))
        } @else {
            p.meta { (page.total) " in all, the newest " (page.items.len()) " here" }
            table.rows {
                (columns(&["What", "Type", "From", "When"]))
                tbody { @for event in &page.items { (row(&visit, event)) } }
            }
        }
    })
}

fn row(visit: &Visit, event: &Event) -> Markup {
    let envelope = &event.envelope;
    html! {
        tr {
            td.main {
                a href={ "/events/" (event.position) } {
                    (clean(&story::came_in(event, &visit.names)))
                }
            }
            td data-label="Type" {
                a.quiet href={ "/events?type=" (encode(&envelope.kind)) } {
                    (clean(&envelope.kind))
                }
            }
            td data-label="From" { (clean(&envelope.source)) }
            td data-label="When" { (visit.time(event.received_at)) }
        }
    }
}

pub(crate) async fn one(
    State(web): State<Web>,
    visit: Visit,
    Path(position): Path<String>,
    fields: Fields,
) -> Response {
    let person = fields
        .get("person")
        .map(str::trim)
        .filter(|who| !who.is_empty());
    let shown = async {
        let event = read(&web, &position).await?;
        let known = web.app.directory.current();
        let lines = crate::why::lines(&web, event.position, person, &visit.names).await?;
        let title = story::came_in(&event, &visit.names);
        let people: Vec<&str> = known
            .people
            .keys()
            .take(OFFERED_MAX)
            .map(String::as_str)
            .collect();
        let content = html! { (show(&visit, &event)) (why(&visit, &lines, person, &people)) };
        Ok((title, content))
    };
    match shown.await {
        Ok((title, content)) => visit.page(&title, &content),
        Err(problem) => visit.problem(&problem),
    }
}

/// Whether a line is the first about its case.
fn is_new(lines: &[Line], n: usize) -> bool {
    lines[..n].iter().all(|line| line.case != lines[n].case)
}

/// What it began, what it did not, and why; for one person, if one is named.
fn why(visit: &Visit, lines: &[Line], person: Option<&str>, people: &[&str]) -> Markup {
    html! {
        h2 id="why" { "Why" }
        form.row-card.card method="get" action="#why" {
            label for="why-person" { "Why was this person told, or not?" }
            input id="why-person" name="person" list="why-people" value=(person.unwrap_or_default())
                placeholder="alice" autocomplete="off";
            datalist id="why-people" {
                @for id in people { option value=(id) { (clean(visit.names.first(id))) } }
            }
            button type="submit" { "Say why" }
        }
        ul.plain {
            @for (n, line) in lines.iter().enumerate() {
                li {
                    (clean(&line.text))
                    @if let Some(case) = line.case.filter(|_| is_new(lines, n)) {
                        " " a href={ "/cases/" (case) } { "The case" }
                    }
                }
            }
        }
    }
}

async fn read(web: &Web, position: &str) -> Result<Event, Problem> {
    let unknown = || Problem::unknown("event", position);
    let at = position.parse().map_err(|_| unknown())?;
    crate::api::event_at(web, at).await?.ok_or_else(unknown)
}

fn show(visit: &Visit, event: &Event) -> Markup {
    let envelope = &event.envelope;
    let text = serde_json::to_string_pretty(&veil::value(&envelope.data)).unwrap_or_default();
    html! {
        dl.facts.wide {
            (fact("Type", &html! { code { (clean(&envelope.kind)) } }))
            (fact("From", &html! { (clean(&envelope.source)) }))
            @if let Some(subject) = &envelope.subject {
                (fact("About", &html! { code { (clean(subject)) } }))
            }
            (fact("Happened", &visit.time(envelope.time)))
            (fact("Recorded", &html! {
                (visit.time(event.received_at)) ", place " (event.position)
            }))
            @if let Some(cause) = &envelope.cause {
                (fact("Caused by", &html! {
                    a href={ "/cases/" (cause.cell) } { "turn " (cause.turn) " of this case" }
                }))
            }
            (fact("Own steps before it", &html! { (envelope.hop) }))
        }
        details.raw open { summary { "Content" } pre { (clean(&text)) } }
    }
}
