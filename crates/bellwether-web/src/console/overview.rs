//! The overview: four numbers that each lead to their list, and the live road.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::store::ListQuery;
use maud::{Markup, html};

use super::frame::Visit;
use super::road;
use crate::pieces::icon;
use crate::text::clean;
use crate::web::Web;
use crate::when::{Language, span};

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let lines = match road::recent(&web, &visit.names).await {
        Ok(lines) => lines,
        Err(problem) => return visit.problem(&problem),
    };
    let unsure = ListQuery {
        status: Some("maybe_sent".to_owned()),
        limit: 1,
        ..ListQuery::default()
    };
    let unsure = web
        .app
        .views
        .notifications(unsure)
        .await
        .map_or(0, |page| page.total);
    let trouble = (web.app.trouble)().await;
    visit.page(
        "Overview",
        &html! {
            @if let Some(reason) = &trouble {
                p.banner.bad role="alert" {
                    (icon("alert"))
                    span {
                        strong { "Nothing can be recorded at the moment: " (clean(reason)) "." }
                        " What comes in is refused, and its senders try again. Look whether the "
                        "disk is full."
                    }
                }
            }
            (tiles(&visit, unsure)) (road::show(&visit, &lines))
        },
    )
}

fn tiles(visit: &Visit, unsure: u64) -> Markup {
    let numbers = &visit.overview;
    let needs = numbers.dead_letters + visit.needing as u64;
    let oldest = numbers.oldest_open.map(|since| {
        let age = span(visit.now.seconds() - since.seconds(), Language::En);
        format!("oldest {age}")
    });
    let needs_link = if numbers.dead_letters == 0 && visit.needing > 0 {
        "/connections"
    } else {
        "/not-delivered"
    };
    html! {
        div.tiles {
            (tile("/cases?status=open", "clock", tone(numbers.open_runs, "warn"),
                numbers.open_runs, "waiting for people",
                oldest.as_deref().unwrap_or("nothing is open")))
            (tile(needs_link, "person", tone(needs, "bad"), needs, "needs you",
                if needs == 0 { "everything runs by itself" } else { "to try or connect again" }))
            (tile("/connections", "mail", tone(numbers.gaps, "bad"), numbers.gaps, "missing mails",
                "at the latest recount"))
            (tile("/notifications?status=maybe_sent", "alert", tone(unsure, "warn"), unsure,
                "may have been sent",
                if unsure == 0 { "every outcome is known" } else { "we cannot know" }))
        }
    }
}

/// Green when there is nothing of it.
fn tone(n: u64, some: &'static str) -> &'static str {
    if n == 0 { "ok" } else { some }
}

fn tile(link: &str, sign: &str, tone: &str, n: u64, name: &str, more: &str) -> Markup {
    html! {
        a.tile.(tone) href=(link) {
            span.tile-name { (icon(if tone == "ok" { "check" } else { sign })) (name) }
            span.number { (n) }
            span.meta { (more) }
        }
    }
}
