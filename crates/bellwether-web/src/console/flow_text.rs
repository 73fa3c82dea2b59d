//! A flow's text: an editor that checks before it saves, and what changed between versions. The
//! version that runs is not touched until a good one is saved.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::flow::{Catalog, Problem, Severity, read_checked};
use bellwether_engine::seam::FlowDocument;
use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

use super::diagram::diagram;
use super::flow::{Kept, kept};
use super::flow_form::{refusal, saved_note, understood};
use super::frame::Visit;
use crate::guard::Posted;
use crate::pieces::{encode, icon};
use crate::problem::Problem as Sorry;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// How many lines around a change are shown.
const AROUND: usize = 3;
/// How many lines of a difference are shown.
const LINES_MAX: usize = 2_000;
/// How many of the latest versions can be compared.
const VERSIONS_MAX: usize = 10_000;

/// What a post left to show.
#[derive(Default)]
struct Said {
    text: Option<String>,
    problems: Vec<Problem>,
    refused: Option<String>,
    checked: bool,
}

pub(crate) async fn page(
    State(web): State<Web>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    match kept(&web, &name).await {
        Ok(kept) => show(&web, &visit, &kept, &Said::default()),
        Err(problem) => visit.problem(&problem),
    }
}

/// Checks, and saves when that was asked for and nothing is wrong.
pub(crate) async fn act(
    State(web): State<Web>,
    Path(name): Path<String>,
    visit: Visit,
    posted: Posted,
) -> Response {
    let kept = match kept(&web, &name).await {
        Ok(kept) => kept,
        Err(problem) => return visit.problem(&problem),
    };
    let text = posted.fields.get("text").unwrap_or_default();
    // Browsers send the line ends of the network; the file keeps its own.
    let text = text.replace("\r\n", "\n");
    let catalog = Catalog {
        connectors: web.app.catalog,
    };
    let (flow, problems) = read_checked(&text, &kept.document.file, &catalog);
    let mut said = Said {
        text: Some(text.clone()),
        problems,
        refused: None,
        checked: true,
    };
    let broken = flow.is_none();
    if posted.fields.get("do") == Some("save") && !broken {
        let document = FlowDocument {
            text,
            ..kept.document.clone()
        };
        let position = document.position;
        let seen = posted.fields.get("seen").and_then(|seen| seen.parse().ok());
        let seen = seen.unwrap_or(kept.version);
        let saved = web.app.flows.save(&name, document, seen, &posted.actor);
        match saved.await {
            Ok(version) => return saved_note(&name, version, position),
            Err(error) => said.refused = Some(refusal(&error)),
        }
    }
    show(&web, &visit, &kept, &said)
}

fn show(web: &Web, visit: &Visit, kept: &Kept, said: &Said) -> Response {
    let text = said.text.as_ref().unwrap_or(&kept.document.text);
    let link = format!("/flows/{}", encode(&kept.name));
    let wrong = said
        .problems
        .iter()
        .any(|one| one.severity == Severity::Error);
    visit.page(
        &format!("{}: its text", words::title(&kept.name)),
        &html! {
            p.under-title { a href=(link) { "Back to the flow" } " · version " (kept.version)
                " runs until a good one is saved." }
            @if let Some(refused) = &said.refused {
                p.banner.bad role="alert" { (icon("cross")) span { (clean(refused)) } }
            }
            @if said.checked && said.problems.is_empty() && said.refused.is_none() {
                p.banner.ok role="status" { (icon("check")) span { "Nothing is wrong with it." } }
            }
            @if !said.problems.is_empty() { (lint(&said.problems, text, wrong)) }
            form method="post" action={ (link) "/text" } {
                (visit.token())
                input type="hidden" name="seen" value=(kept.version);
                label for="text" { "The flow" }
                textarea.code id="text" name="text" rows="30" spellcheck="false" wrap="off"
                    aria-invalid=[wrong.then_some("true")] { "\n" (text) }
                p.meta { "Saving lets new runs begin with this text. Runs that are open keep "
                    "the version they began with." }
                p.pills {
                    button type="submit" name="do" value="check" { "Check" }
                    button.primary type="submit" name="do" value="save" { "Save" }
                }
            }
            h2 { "The version that runs" }
            @if let Ok(flow) = understood(web, &kept.document) { (diagram(&flow)) }
        },
    )
}

/// Every problem with its line, the line itself, and what to write instead.
fn lint(problems: &[Problem], text: &str, wrong: bool) -> Markup {
    html! {
        p.banner.(if wrong { "bad" } else { "warn" }) role="alert" {
            (icon(if wrong { "cross" } else { "alert" }))
            span { @if wrong { "Not saved: " } (problems.len()) " to look at." }
        }
        ol.lint {
            @for problem in problems {
                li {
                    strong { "Line " (problem.line) ", column " (problem.column) ": " }
                    (clean(&problem.message))
                    @if !problem.hint.is_empty() { p { (clean(&problem.hint)) } }
                    @if let Some(line) = text.lines().nth(problem.line.saturating_sub(1)) {
                        pre { (clean(line)) }
                    }
                }
            }
        }
    }
}

/// What changed in a version: its text line by line, and what was filled in.
pub(crate) async fn version(
    State(web): State<Web>,
    visit: Visit,
    Path((name, version)): Path<(String, u64)>,
) -> Response {
    let history = web.app.registry.history("flow", &name, VERSIONS_MAX);
    let history = match history.await {
        Ok(history) => history,
        Err(error) => return visit.problem(&error.into()),
    };
    let of = |wanted: u64| {
        let found = history.iter().find(|document| document.version == wanted)?;
        serde_json::from_value::<FlowDocument>(found.body.clone()).ok()
    };
    let Some(after) = of(version) else {
        return visit.problem(&Sorry::bad(format!("{name} has no version {version}")));
    };
    let before = of(version.saturating_sub(1)).unwrap_or_default();
    let inputs = |document: &FlowDocument| {
        serde_json::to_string_pretty(&document.inputs).unwrap_or_default()
    };
    let position = |document: &FlowDocument| format!("{:?}", document.position).to_lowercase();
    let link = format!("/flows/{}", encode(&name));
    visit.page(
        &format!("{}: version {version}", words::title(&name)),
        &html! {
            p.under-title { a href=(link) { "Back to the flow" } }
            @if position(&before) != position(&after) {
                p { "It was " strong { (position(&before)) } " and is "
                    strong { (position(&after)) } "." }
            }
            h2 { "What was filled in" }
            (difference(&inputs(&before), &inputs(&after)))
            h2 { "Its text" }
            (difference(&before.text, &after.text))
        },
    )
}

fn difference(before: &str, after: &str) -> Markup {
    if before == after {
        return html! { p.meta { "As before." } };
    }
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            lines.push((ChangeTag::Equal, "⋯\n".to_owned()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            lines.push((change.tag(), change.value().to_owned()));
        }
    }
    html! {
        pre.diff {
            @for (tag, line) in lines.iter().take(LINES_MAX) {
                @match tag {
                    ChangeTag::Delete => del { "− " (clean(line)) },
                    ChangeTag::Insert => ins { "+ " (clean(line)) },
                    ChangeTag::Equal => { "  " (clean(line)) },
                }
            }
        }
        @if lines.len() > LINES_MAX {
            p.meta { (lines.len() - LINES_MAX) " more lines are not shown." }
        }
    }
}
