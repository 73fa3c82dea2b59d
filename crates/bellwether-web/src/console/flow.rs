//! One flow: whether it acts, what it did, a picture of it, its versions and its tests.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bellwether_engine::flow::{Flow, InputKind};
use bellwether_engine::seam::FlowDocument;
use bellwether_engine::store::{Document, ListQuery, NotificationRow};
use bellwether_engine::story::StoryResult;
use bellwether_model::notification::{Delivery, Engagement};
use maud::{Markup, html};

use super::diagram::diagram;
use super::flow_form::{position_said, refusal, saved_note, switch, understood};
use super::frame::{Visit, back};
use super::recipes::position_pill;
use crate::api::BACKTEST_DAYS;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{columns, encode, icon};
use crate::problem::Problem as Sorry;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// How many of the latest notifications are counted.
const COUNTED_MAX: usize = 1000;
/// How many versions the page names.
const VERSIONS_MAX: usize = 20;

/// A flow that is kept.
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) document: FlowDocument,
}

pub(super) async fn kept(web: &Web, name: &str) -> Result<Kept, Sorry> {
    let found = web.app.registry.get("flow", name).await?;
    let Some(found) = found else {
        return Err(Sorry::new(
            StatusCode::NOT_FOUND,
            "no_such_flow",
            format!("there is no flow {name}; the recipes say which could be set up"),
        ));
    };
    let document = serde_json::from_value(found.body)
        .map_err(|error| Sorry::bad(format!("this flow cannot be read: {error}")))?;
    Ok(Kept {
        name: name.to_owned(),
        version: found.version,
        document,
    })
}

pub(crate) async fn page(
    State(web): State<Web>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    match kept(&web, &name).await {
        Ok(kept) => show(&web, &visit, &kept, None).await,
        Err(problem) => visit.problem(&problem),
    }
}

/// Switches it off, to shadow or on.
pub(crate) async fn put_position(
    State(web): State<Web>,
    Path(name): Path<String>,
    visit: Visit,
    posted: Posted,
) -> Response {
    let Kept {
        version,
        mut document,
        ..
    } = match kept(&web, &name).await {
        Ok(kept) => kept,
        Err(problem) => return visit.problem(&problem),
    };
    let Some(position) = position_said(&posted.fields) else {
        return visit.problem(&Sorry::bad("choose off, shadow or on"));
    };
    document.position = position;
    let seen = posted.fields.get("seen").and_then(|seen| seen.parse().ok());
    let seen = seen.unwrap_or(version);
    let saved = web.app.flows.save(&name, document, seen, &posted.actor);
    match saved.await {
        Ok(version) => saved_note(&name, version, position),
        Err(error) => back(
            &format!("/flows/{}", encode(&name)),
            Some(&Note::with("refused", &refusal(&error))),
        ),
    }
}

/// Plays its tests and shows how they went.
pub(crate) async fn play(
    State(web): State<Web>,
    Path(name): Path<String>,
    visit: Visit,
    _: Posted,
) -> Response {
    let kept = match kept(&web, &name).await {
        Ok(kept) => kept,
        Err(problem) => return visit.problem(&problem),
    };
    match web.app.flows.play(kept.document.clone()).await {
        Ok(results) => show(&web, &visit, &kept, Some(&results)).await,
        Err(problems) => {
            let first = problems.first().map(|problem| problem.message.clone());
            visit.problem(&Sorry::bad(first.unwrap_or_default()))
        }
    }
}

async fn show(web: &Web, visit: &Visit, kept: &Kept, played: Option<&[StoryResult]>) -> Response {
    let query = ListQuery {
        flow: Some(kept.name.clone()),
        limit: COUNTED_MAX,
        ..ListQuery::default()
    };
    let sent = match web.app.views.notifications(query).await {
        Ok(page) => page.items,
        Err(error) => return visit.problem(&error.into()),
    };
    let versions = web.app.registry.history("flow", &kept.name, VERSIONS_MAX);
    let versions = versions.await.unwrap_or_default();
    let flow = understood(web, &kept.document);
    let link = format!("/flows/{}", encode(&kept.name));
    visit.page(
        &words::title(&kept.name),
        &html! {
            @if let Ok(flow) = &flow { p.lead.under-title { (clean(flow.about.trim())) } }
            p.pills {
                (position_pill(kept.document.position).show())
                span.meta { "version " (kept.version) }
                a href={ "/recipes/" (encode(&kept.name)) } { "Change what is filled in" }
                a href={ (link) "/text" } { "Edit its text" }
                a href={ "/cases?flow=" (encode(&kept.name)) } { "Its cases" }
            }
            form.row-card.card method="post" action={ (link) "/position" } {
                (visit.token())
                input type="hidden" name="seen" value=(kept.version);
                (switch(kept.document.position))
                button type="submit" { "Switch" }
            }
            h2 { "What came of it" }
            (funnel(&kept.name, &sent))
            h2 { "How it goes" }
            @match &flow {
                Ok(flow) => (diagram(flow)),
                Err(problems) => p.banner.bad { (icon("cross")) span {
                    "Its text cannot be read: "
                    @for problem in problems.iter().take(3) { (clean(&problem.message)) ". " } } },
            }
            h2 id="tests" { "Tests" }
            (tests(visit, &link, flow.as_ref().ok(), played))
            h2 { "On what happened" }
            p { "It is played over the last " (BACKTEST_DAYS) " days of the record, and what it would "
                "have sent is held against what was sent. Nothing is sent." }
            form method="post" action={ (link) "/backtest" } {
                (visit.token())
                button type="submit" { "Try it on the last " (BACKTEST_DAYS) " days" }
                @for mailbox in mailboxes(flow.as_ref().ok(), &kept.document) {
                    " " button type="submit" name="mailbox" value=(mailbox) {
                        "Try it on the mails of " (clean(mailbox))
                    }
                }
            }
            h2 { "Versions" }
            (version_rows(visit, &link, &versions))
        },
    )
}

/// The connections that are filled in: their mails can be read for a backtest, also those that came
/// before anything was recorded.
fn mailboxes<'d>(flow: Option<&Flow>, document: &'d FlowDocument) -> Vec<&'d str> {
    let inputs = flow.map(|flow| flow.inputs.as_slice()).unwrap_or_default();
    let inputs = inputs
        .iter()
        .filter(|input| matches!(input.kind, InputKind::Connection(_)));
    inputs
        .filter_map(|input| document.inputs[&input.name].as_str())
        .collect()
}

/// From sent to done, as tiles that lead to the lists behind them.
fn funnel(name: &str, sent: &[NotificationRow]) -> Markup {
    let count = |is: &dyn Fn(&NotificationRow) -> bool| sent.iter().filter(|row| is(row)).count();
    let opened =
        |row: &NotificationRow| matches!(row.engagement, Engagement::Opened | Engagement::Acted);
    let lost = |row: &NotificationRow| matches!(row.delivery, Delivery::Failed);
    let link = format!("/notifications?flow={}", encode(name));
    let tiles = [
        ("sent", "phone", count(&|_| true), ""),
        ("opened", "eye", count(&opened), ""),
        (
            "acted on",
            "check",
            count(&|row| row.engagement == Engagement::Acted),
            "ok",
        ),
        ("not delivered", "alert", count(&lost), "bad"),
    ];
    if sent.is_empty() {
        return html! {
            p.empty { "Nothing was sent yet. " a href="/events" { "What came in" }
                " says what there was to match." }
        };
    }
    html! {
        div.tiles {
            @for (what, sign, number, tone) in tiles {
                a.tile.(if number > 0 { tone } else { "" }) href=(link) {
                    span.tile-name { (icon(sign)) (what) }
                    span.number { (number) }
                }
            }
        }
        @if sent.len() >= COUNTED_MAX { p.meta { "Of the latest " (COUNTED_MAX) "." } }
    }
}

fn tests(visit: &Visit, link: &str, flow: Option<&Flow>, played: Option<&[StoryResult]>) -> Markup {
    let count = flow.map_or(0, |flow| flow.tests.len());
    html! {
        @match played {
            None => p { (count) " stories stand in its file. They are played on a clock of their "
                "own; nothing is sent." },
            Some(results) => {
                @let failed = results.iter().filter(|result| !result.passed).count();
                p.banner.(if failed == 0 { "ok" } else { "bad" }) role="status" {
                    (icon(if failed == 0 { "check" } else { "cross" }))
                    span { (results.len() - failed) " of " (results.len()) " are as expected." }
                }
                ul.cards { @for result in results { (story(link, result)) } }
            }
        }
        form method="post" action={ (link) "/play#tests" } {
            (visit.token())
            button type="submit" { "Play the tests" }
        }
    }
}

fn story(link: &str, result: &StoryResult) -> Markup {
    let sign = if result.passed { "check" } else { "cross" };
    html! {
        li.card {
            p.card-head { (icon(sign)) strong { (clean(&result.name)) }
                span.meta { @if result.passed { "as expected" } @else { "not as expected" } } }
            @for problem in &result.problems {
                p.wrong { a href={ (link) "/text#L" (problem.line) } { "line " (problem.line) }
                    ": " (clean(&problem.message)) }
            }
        }
    }
}

fn version_rows(visit: &Visit, link: &str, versions: &[Document]) -> Markup {
    html! {
        table.rows {
            (columns(&["Version", "By", "When", "Change"]))
            tbody {
                @for document in versions {
                    tr {
                        td.main { (document.version) }
                        td data-label="By" { (clean(&words::actor(&document.actor))) }
                        td data-label="When" { (visit.time(document.at)) }
                        td data-label="Change" {
                            @if document.version > 1 {
                                a href={ (link) "/versions/" (document.version) } {
                                    "What changed" span.hidden { " in version " (document.version) }
                                }
                            } @else { "the first" }
                        }
                    }
                }
            }
        }
    }
}
