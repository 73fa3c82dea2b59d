//! A flow over what the record has: how far it has come, then what it would have sent, and in what
//! that differs from what was sent.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bellwether_engine::backtest::{Difference, Kind, Message, Report};
use bellwether_engine::seam::{Backtest, FlowDocument};
use bellwether_model::time::{Millis, Time};
use maud::{Markup, html};

use super::flow::kept;
use super::frame::{Visit, back};
use crate::api::{BACKTEST_DAYS, begun, days_in_micros};
use crate::guard::Posted;
use crate::pieces::{columns, empty, encode, icon};
use crate::problem::Problem as Sorry;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// How many lines of each list a page has.
const SHOWN_MAX: usize = 200;
/// While it runs, the page looks again after so many seconds.
const LOOKS_AGAIN: &str = "2";

/// Begins one over the usual period and shows it.
pub(super) async fn begin(
    web: &Web,
    document: FlowDocument,
    mailbox: Option<String>,
) -> Result<Response, Sorry> {
    let until = web.app.flow_clock.now() + Millis(1);
    let from = Time(until.0.saturating_sub(days_in_micros(BACKTEST_DAYS)));
    begun(
        web.app
            .backtests
            .begin(document, (from, until), mailbox)
            .await,
    )?;
    Ok(back("/backtest", None))
}

/// A flow as it is kept.
pub(crate) async fn of_flow(
    State(web): State<Web>,
    Path(name): Path<String>,
    visit: Visit,
    posted: Posted,
) -> Response {
    let mailbox = posted.fields.text("mailbox");
    let begun = match kept(&web, &name).await {
        Ok(kept) => begin(&web, kept.document, mailbox).await,
        Err(problem) => Err(problem),
    };
    begun.unwrap_or_else(|problem| visit.problem(&problem))
}

/// Ends the one that runs.
pub(crate) async fn cancel(State(web): State<Web>, _: Posted) -> Response {
    web.app.backtests.cancel();
    back("/backtest", None)
}

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let Some(latest) = web.app.backtests.latest() else {
        let none = "No flow was tried on what happened yet. Its page has the button for that.";
        return visit.page(
            "Backtest",
            &html! {
                (empty(none)) p { a href="/flows" { "The flows" } }
            },
        );
    };
    let title = format!("Backtest of {}", words::title(&latest.flow));
    let over = html! {
        p.lead.under-title {
            "From " (visit.time(latest.from)) " to " (visit.time(latest.until))
            ". Nothing was sent. The people are those of today's directory; what people answered is "
            "taken from the record where they were asked the same."
        }
    };
    match &latest.end {
        None => {
            let mut shown = visit.page(&title, &html! { (over) (running(&visit, &latest)) });
            let again = HeaderValue::from_static(LOOKS_AGAIN);
            shown.headers_mut().insert(header::REFRESH, again);
            shown
        }
        Some(Err(why)) => visit.page(
            &title,
            &html! {
                (over) p.banner.bad role="status" { (icon("cross")) span { (clean(why)) } }
            },
        ),
        Some(Ok(report)) => visit.page(&title, &html! { (over) (ended(&visit, report)) }),
    }
}

fn running(visit: &Visit, latest: &Backtest) -> Markup {
    html! {
        p role="status" {
            progress max=(latest.all.max(1)) value=(latest.read) {}
            " " (latest.read) " of at most " (latest.all) " events"
        }
        form method="post" action="/backtest/end" { (visit.token()) button type="submit" { "End it" } }
    }
}

fn ended(visit: &Visit, report: &Report) -> Markup {
    let flow = format!("/flows/{}", encode(&report.flow));
    html! {
        p.banner.(if report.differing() == 0 { "ok" } else { "info" }) role="status" {
            (icon(if report.differing() == 0 { "check" } else { "info" }))
            span { (clean(&report.words())) }
        }
        p { a href=(flow) { "The flow" } }
        h2 { "What differs" }
        @if report.mailbox.is_some() {
            (empty("Mails of the mailbox were played, so there is nothing to hold it against."))
        } @else if report.differences.is_empty() {
            (empty("Nothing differs from what was sent in that time."))
        } @else {
            (differences(visit, &report.differences))
            (rest(report.differing(), report.differences.len()))
        }
        h2 { "What it would have sent" }
        @if report.messages.is_empty() {
            (empty("It would have sent nothing."))
        } @else {
            (messages(visit, &report.messages))
            (rest(report.would_send, report.messages.len()))
        }
    }
}

fn rest(all: u64, listed: usize) -> Markup {
    let shown = listed.min(SHOWN_MAX) as u64;
    html! { @if all > shown { p.meta { "And " (all - shown) " more; the API has more of them." } } }
}

/// What a difference is, in a word or two and a sign.
fn kind(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::More => ("in", "would be sent, was not"),
        Kind::Fewer => ("cross", "was sent, would not be"),
        Kind::OtherRecipient => ("person", "to somebody else"),
        Kind::OtherTime => ("clock", "at another time"),
        Kind::OtherText => ("mail", "reads otherwise"),
    }
}

fn differences(visit: &Visit, all: &[Difference]) -> Markup {
    html! {
        table.rows {
            (columns(&["When", "What differs", "To", "Message", "Instead of"]))
            tbody {
                @for one in all.iter().take(SHOWN_MAX) {
                    tr {
                        td.main { (visit.time(one.message.at)) }
                        td data-label="What differs" { (icon(kind(one.kind).0)) " " (kind(one.kind).1) }
                        td data-label="To" { (clean(&one.message.name)) }
                        td data-label="Message" { (line(&one.message)) }
                        td data-label="Instead of" {
                            @if let Some(was) = &one.instead_of { (instead(visit, one, was)) }
                        }
                    }
                }
            }
        }
    }
}

/// Of what was sent, the part that differs.
fn instead(visit: &Visit, one: &Difference, was: &Message) -> Markup {
    match one.kind {
        Kind::OtherRecipient => html! { (clean(&was.name)) },
        Kind::OtherTime => visit.time(was.at),
        _ if one.message.title == was.title => html! { (clean(&was.text)) },
        _ => html! { (line(was)) },
    }
}

fn line(message: &Message) -> Markup {
    html! { span.meta { (message.channel) } " " (clean(&message.title)) }
}

fn messages(visit: &Visit, all: &[Message]) -> Markup {
    html! {
        table.rows {
            (columns(&["When", "To", "Message"]))
            tbody {
                @for message in all.iter().take(SHOWN_MAX) {
                    tr {
                        td.main { (visit.time(message.at)) }
                        td data-label="To" { (clean(&message.name)) }
                        td data-label="Message" { (line(message)) }
                    }
                }
            }
        }
    }
}
