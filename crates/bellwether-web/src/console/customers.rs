//! Customers: how many there are and may be reached, and a list to look one up in. They are handed
//! in by the API; nothing is changed here.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::store::{CustomerCounts, CustomerRow, Page};
use bellwether_model::directory::{Consent, Customer};
use maud::{Markup, html};

use super::frame::Visit;
use super::people_list::views;
use crate::api::customer_query;
use crate::pieces::{Pill, columns, empty, encode, icon};
use crate::problem::Problem;
use crate::query::Fields;
use crate::text::{clean, short};
use crate::web::Web;

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let read = async {
        let query = customer_query(&fields)?;
        let page = web.app.views.customers(query).await?;
        Ok::<_, Problem>((page, web.app.views.customer_counts().await?))
    };
    let (page, counts) = match read.await {
        Ok(read) => read,
        Err(problem) => return visit.problem(&problem),
    };
    let begins = fields.get("begins").unwrap_or_default();
    visit.page(
        "Customers",
        &html! {
            (views("/people/customers"))
            @if counts.all == 0 {
                (empty("Only needed for customer mails (recipe G3). Hand them in with \
                        bellwether import customers FILE.csv."))
            } @else {
                (tiles(&counts))
                form.pick method="get" action="/people/customers" {
                    label for="begins" { "Address begins with" }
                    input id="begins" name="begins" value=(begins) maxlength="256" autocomplete="off";
                    button type="submit" { "Find" }
                }
                p.meta { (page.total) " in all" }
                @if page.items.is_empty() { (empty("No address begins like that.")) } @else {
                    (rows(&visit, &page))
                }
                @if let Some(after) = &page.next {
                    nav.pager aria-label="Pages" {
                        a href={ "/people/customers?begins=" (encode(begins)) "&after=" (encode(after)) } {
                            "More"
                        }
                    }
                }
            }
        },
    )
}

fn tiles(counts: &CustomerCounts) -> Markup {
    let numbers = [
        (
            "ok",
            "phone",
            "Reachable by push",
            counts.reachable,
            "app and consent",
        ),
        (
            "plain",
            "person",
            "Customers",
            counts.all,
            "in the register",
        ),
        ("plain", "check", "Said yes", counts.given, "to messages"),
        (
            "plain",
            "stop",
            "Opted out",
            counts.opted_out,
            "nothing is sent",
        ),
    ];
    html! {
        div.tiles {
            @for (tone, sign, name, number, more) in numbers {
                div.tile.(tone) {
                    span.tile-name { (icon(sign)) (name) }
                    span.number { (number) }
                    span.meta { (more) }
                }
            }
        }
    }
}

fn rows(visit: &Visit, page: &Page<CustomerRow>) -> Markup {
    html! {
        table.rows {
            (columns(&["Address", "Name", "Push", "Language", "Zone", "Since"]))
            tbody {
                @for row in &page.items {
                    @let one = &row.customer;
                    tr {
                        td.main { (clean(&short(&one.address, 80))) }
                        td data-label="Name" { (clean(&short(&one.name, 80))) }
                        td data-label="Push" { (push(one).show()) }
                        td data-label="Language" { (clean(&one.language)) }
                        td data-label="Zone" { (clean(&one.zone.replace('_', " "))) }
                        td data-label="Since" {
                            (crate::pieces::time(row.at, visit.transport_now, visit.names.zone()))
                        }
                    }
                }
            }
        }
    }
}

fn push(customer: &Customer) -> Pill {
    match customer.consent {
        Consent::OptedOut => Pill::new("plain", "stop", "opted out"),
        Consent::NotAsked => Pill::new("plain", "info", "not asked"),
        Consent::Given if customer.app_id.is_empty() => Pill::new("warn", "info", "no app"),
        Consent::Given => Pill::new("ok", "check", "may be sent"),
    }
}
