//! People whom other systems name by ids of their own: those whom nobody knows yet, with what they
//! might be, and those who are known; and who uses which asset. The directory itself is not here.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::seam::NewMapping;
use bellwether_engine::store::{How, Identity, IdentityQuery, Page, UsageQuery, UsageRow};
use maud::{Markup, html};

use super::frame::{Visit, back};
use super::people_list::views;
use crate::api::usage_query;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, chip, columns, empty, encode, icon};
use crate::problem::Problem;
use crate::query::{Fields, LIMIT_DEFAULT, number_after};
use crate::text::{clean, short};
use crate::web::Web;

/// The most people that the picker offers; others are named by typing their id or address.
const OFFERED_MAX: usize = 2000;
/// The most characters of an id or a document that a row shows; the rest is in its title.
const SHOWN_MAX: usize = 80;

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let read = async {
        fields.only(&["status", "after"])?;
        let known = match fields.get("status") {
            None => false,
            Some("known") => true,
            Some(_) => return Err(Problem::bad("status may only be known")),
        };
        let query = IdentityQuery {
            resolved: Some(known),
            after: number_after(&fields)?,
            limit: LIMIT_DEFAULT,
            ..IdentityQuery::default()
        };
        Ok::<_, Problem>((known, web.app.views.identities(query).await?))
    };
    let (known, page) = match read.await {
        Ok(read) => read,
        Err(problem) => return visit.problem(&problem),
    };
    visit.page(
        "People of other systems",
        &html! {
            (views(if known { "/people/unknown?status=known" } else { "/people/unknown" }))
            @if known { (known_rows(&visit, &page)) } @else { (unknown(&visit, &page)) }
            @if let Some(after) = &page.next {
                @let filter = if known { "status=known&" } else { "" };
                nav.pager aria-label="Pages" {
                    a href={ "/people/unknown?" (filter) "after=" (after) } { "Older" }
                }
            }
        },
    )
}

fn unknown(visit: &Visit, page: &Page<Identity>) -> Markup {
    html! {
        @if page.items.is_empty() {
            (empty("Everybody whom other systems named is known."))
        } @else {
            p { "Other systems name these people by ids of their own. Flows cannot reach them until \
                you say who they are." }
            div.buttons {
                form method="post" action="/people/propose" {
                    (visit.token())
                    button type="submit" { "Look for proposals" }
                }
            }
            datalist id="people" {
                @for (id, name) in visit.names.all().take(OFFERED_MAX) {
                    option value=(id) { (clean(name)) }
                }
            }
            p.meta { (page.total) " in all" }
            ul.cards { @for (n, row) in page.items.iter().enumerate() { (card(visit, n, row)) } }
        }
    }
}

fn card(visit: &Visit, n: usize, row: &Identity) -> Markup {
    let name = if row.name.is_empty() {
        &row.who.id
    } else {
        &row.name
    };
    let field = format!("person-{n}");
    html! {
        li.card.row-card {
            div {
                p.card-head {
                    (icon("person"))
                    strong { (clean(&short(name, SHOWN_MAX))) }
                    span.meta { (clean(visit.names.provider(&row.who.connection))) }
                }
                @if !row.name.is_empty() {
                    p.meta { code title=(row.who.id) { (clean(&short(&row.who.id, SHOWN_MAX))) } }
                }
                p.meta {
                    @match row.last_seen {
                        Some(at) => { "named " (times(row.seen)) ", last " (visit.time(at)) },
                        None => "not named yet",
                    }
                }
                @if let Some((person, why)) = &row.proposed { (proposal(visit, row, person, why)) }
            }
            form.pick method="post" action="/people/map" {
                (whom(visit, row))
                label for=(field) { "This is" }
                input id=(field) name="person" list="people" required autocomplete="off"
                    placeholder="id or address" maxlength="256";
                button type="submit" { "Save" }
            }
        }
    }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

fn proposal(visit: &Visit, row: &Identity, person: &str, why: &str) -> Markup {
    let full = visit.names.full(person);
    html! {
        form.proposal method="post" action="/people/map" {
            (whom(visit, row))
            input type="hidden" name="person" value=(person);
            (Pill::new("warn", "info", format!("may be {full}")).show())
            span.meta { (clean(why)) }
            button type="submit" { "Yes, " (clean(visit.names.first(person))) }
        }
    }
}

/// The hidden fields that say whom a form is about.
fn whom(visit: &Visit, row: &Identity) -> Markup {
    html! {
        (visit.token())
        input type="hidden" name="connection" value=(row.who.connection);
        input type="hidden" name="id" value=(row.who.id);
    }
}

fn known_rows(visit: &Visit, page: &Page<Identity>) -> Markup {
    if page.items.is_empty() {
        return empty("Nobody yet. Import a list with bellwether people import.");
    }
    html! {
        p.meta { (page.total) " in all" }
        table.rows {
            (columns(&["Known as", "Connection", "Is", "Since", ""]))
            tbody {
                @for row in &page.items {
                    tr {
                        td.main {
                            @if !row.name.is_empty() { (clean(&row.name)) " " }
                            span.meta { (clean(&short(&row.who.id, SHOWN_MAX))) }
                        }
                        td data-label="Connection" { (clean(&row.who.connection)) }
                        td data-label="Is" { (person(visit, row.person.as_deref())) }
                        td data-label="Since" {
                            @if let Some((_, at)) = &row.mapped { (visit.time(*at)) }
                        }
                        td data-label="" {
                            form method="post" action="/people/map" {
                                (whom(visit, row))
                                button.link type="submit" { "Not any more" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn person(visit: &Visit, person: Option<&str>) -> Markup {
    html! {
        @match person {
            Some(id) => span.with-icon { (icon("person")) (clean(visit.names.full(id))) },
            None => (Pill::new("warn", "alert", "not known").show()),
        }
    }
}

pub(crate) async fn usages(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let read = async {
        let query = usage_query(&fields)?;
        let page = web.app.views.usages(query.clone()).await?;
        Ok::<_, Problem>((query, page))
    };
    let (query, page) = match read.await {
        Ok(read) => read,
        Err(problem) => return visit.problem(&problem),
    };
    visit.page(
        "Who uses what",
        &html! {
            (views("/people/usages"))
            nav.chips aria-label="Filters" {
                @for (key, value) in filters(&query) {
                    (chip("/people/usages", true, &format!("{key} {} ×", short(value, SHOWN_MAX))))
                }
            }
            (usage_rows(&visit, &page, &query))
            @if let Some(after) = &page.next {
                nav.pager aria-label="Pages" {
                    a href={ "/people/usages?" (pairs(&query)) "after=" (after) } { "Older" }
                }
            }
        },
    )
}

fn filters(query: &UsageQuery) -> Vec<(&'static str, &str)> {
    let filters = [
        ("asset", &query.asset),
        ("person", &query.person),
        ("document", &query.document),
    ];
    let given = filters.into_iter();
    given
        .filter_map(|(key, value)| Some((key, value.as_deref()?)))
        .collect()
}

fn pairs(query: &UsageQuery) -> String {
    let mut out = String::new();
    for (key, value) in filters(query) {
        out.push_str(&format!("{key}={}&", encode(value)));
    }
    if query.ended {
        out.push_str("ended=true&");
    }
    out
}

fn usage_rows(visit: &Visit, page: &Page<UsageRow>, query: &UsageQuery) -> Markup {
    if page.items.is_empty() {
        return if filters(query).is_empty() {
            empty(
                "Nobody is known to use an asset yet. Scan a folder of creative files with \
                 bellwether scan-links, import a CSV, or send asset.used by a webhook.",
            )
        } else {
            empty("None like that. Take the filter away to see all.")
        };
    }
    html! {
        p.meta { (page.total) " in all" }
        table.rows {
            (columns(&["Asset", "Document", "Who", "How", "Since"]))
            tbody {
                @for row in &page.items {
                    tr {
                        td.main {
                            a.quiet href={ "/people/usages?asset=" (encode(&row.asset)) } {
                                (clean(&row.asset))
                            }
                        }
                        td data-label="Document" title=(row.document) {
                            (clean(&short(&row.document, SHOWN_MAX)))
                        }
                        td data-label="Who" { (user(visit, row)) }
                        td data-label="How" { (how(row.how).show()) }
                        td data-label="Since" { (visit.time(row.since)) }
                    }
                }
            }
        }
    }
}

fn user(visit: &Visit, row: &UsageRow) -> Markup {
    html! {
        @match &row.person {
            Some(id) => {
                a.quiet href={ "/people/usages?person=" (encode(id)) } {
                    (person(visit, Some(id)))
                }
            },
            None => {
                span {
                    (person(visit, None)) " "
                    span.meta { (clean(&short(&row.who.id, SHOWN_MAX))) }
                }
            },
        }
    }
}

/// How sure it is, in words.
fn how(how: How) -> Pill {
    match how {
        How::Linked => Pill::new("ok", "check", "linked"),
        How::Embedded => Pill::new("ok", "check", "embedded"),
        How::Derived => Pill::new("info", "info", "made from it"),
        How::Named => Pill::new("warn", "info", "by its name only"),
        How::Said => Pill::new("plain", "info", "as reported"),
    }
}

/// Says who somebody is, or, without a person, that nobody knows any more.
pub(crate) async fn map(State(web): State<Web>, posted: Posted) -> Response {
    let field = |key: &str| posted.fields.text(key).unwrap_or_default();
    let said = field("person");
    let said = said.trim();
    let mapping = NewMapping {
        connection: field("connection"),
        id: field("id"),
        name: String::new(),
        person: (!said.is_empty()).then(|| said.to_owned()),
    };
    let mapped = web
        .app
        .people
        .map_people(vec![mapping], &posted.actor)
        .await;
    let note = match mapped {
        Ok(_) if said.is_empty() => Note::with("mapped", "nobody"),
        Ok(_) => {
            let names = web.names().await;
            Note::with("mapped", names.full(said))
        }
        Err(error) => Note::with("refused", &error.to_string()),
    };
    let to = if said.is_empty() {
        "/people/unknown?status=known"
    } else {
        "/people/unknown"
    };
    back(to, Some(&note))
}

pub(crate) async fn propose(State(web): State<Web>, _: Posted) -> Response {
    let note = match web.app.people.propose_people().await {
        Ok(n) => Note::with("proposed", &n.to_string()),
        Err(error) => Note::with("refused", &error.to_string()),
    };
    back("/people/unknown", Some(&note))
}
