//! The list of notifications: for whom, how far each came, what its reader did.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::store::{ListQuery, NotificationRow, Page};
use maud::{Markup, html};

use super::frame::Visit;
use super::road;
use crate::api::notification_words;
use crate::pieces::{columns, empty, icon, next};
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// The filters that people ask for most; the address takes every other word too.
const CHIPS: [(Option<&str>, &str); 6] = [
    (None, "all"),
    (Some("queued"), "waiting to be sent"),
    (Some("held"), "held back"),
    (Some("done"), "sent"),
    (Some("maybe_sent"), "may have been sent"),
    (Some("failed"), "not delivered"),
];

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let query = match fields.list(&notification_words()) {
        Ok(query) => query,
        Err(problem) => return visit.problem(&problem),
    };
    let page = match web.app.views.notifications(query.clone()).await {
        Ok(page) => page,
        Err(error) => return visit.problem(&error.into()),
    };
    visit.page("Notifications", &html! {
        nav.chips aria-label="Filters" {
            @for (word, name) in CHIPS {
                @let filter = word.map_or_else(String::new, |word| format!("?status={word}"));
                a href={ "/notifications" (filter) }
                    aria-current=[(word == query.status.as_deref()).then_some("true")] { (name) }
            }
        }
        (rows(&visit, &page, &query))
        (next("/notifications", &query, page.next.as_ref()))
    })
}

fn rows(visit: &Visit, page: &Page<NotificationRow>, query: &ListQuery) -> Markup {
    if page.items.is_empty() {
        return if query.status.is_some() || query.person.is_some() || query.flow.is_some() {
            empty("None like that. Take the filter away to see all.")
        } else {
            empty("Nobody was notified yet.")
        };
    }
    html! {
        p.meta { (page.total) " in all" }
        table.rows {
            (columns(&["Notification", "To", "State", "Reader", "Made"]))
            tbody { @for row in &page.items { (one(visit, row)) } }
        }
    }
}

fn one(visit: &Visit, row: &NotificationRow) -> Markup {
    let state = words::delivery(
        row.state,
        row.delivery,
        visit.names.provider(&row.connection),
    );
    html! {
        tr {
            td.main {
                a href={ "/cases/" (row.run) "#e" (row.id) } {
                    @if row.title.trim().is_empty() { "(no title)" } @else { (clean(&row.title)) }
                }
                @if let Some(failure) = &row.failure { p.meta { (clean(failure)) } }
            }
            td data-label="To" {
                span.with-icon {
                    (icon(road::channel_icon(row.channel)))
                    (clean(&road::to_whom(row.channel, row.person.as_deref(), &visit.names)))
                }
            }
            td data-label="State" { (state.show()) }
            td data-label="Reader" {
                @match words::engagement(row.engagement) {
                    Some(seen) => (seen.show()),
                    None => span.meta { "nothing known" },
                }
            }
            td data-label="Made" { (visit.time(row.made_at)) }
        }
    }
}
