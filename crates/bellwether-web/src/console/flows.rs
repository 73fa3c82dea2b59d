//! The flows that are in the registry, each with its version, its text and a way to its cases.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::flow::Position;
use bellwether_engine::store::Document;
use maud::{Markup, html};
use serde_json::Value;

use super::frame::Visit;
use super::recipes::position_pill;
use crate::pieces::{Pill, encode, icon};
use crate::text::clean;
use crate::web::Web;
use crate::words;

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let flows = match web.app.registry.list("flow").await {
        Ok(flows) => flows,
        Err(error) => return visit.problem(&error.into()),
    };
    let broken = match web.app.registry.list("broken_flow").await {
        Ok(broken) => broken,
        Err(error) => return visit.problem(&error.into()),
    };
    visit.page(
        "Flows",
        &html! {
            ul.cards { @for file in &broken { (broken_card(file, &flows)) } }
            @if flows.is_empty() && broken.is_empty() {
                p.empty { "No flow is on. Start from a " a href="/recipes" { "recipe" } "." } }
            ul.cards { @for flow in &flows { (card(&visit, flow)) } }
        },
    )
}

fn card(visit: &Visit, flow: &Document) -> Markup {
    let text = source(&flow.body);
    html! {
        li.card {
            p.card-head {
                (icon("flow"))
                strong { a.quiet href={ "/flows/" (encode(&flow.name)) } {
                    (clean(&words::title(&flow.name)))
                } }
                (position_pill(position_of(&flow.body)).show())
                span.meta { "version " (flow.version) ", by " (clean(&flow.actor)) ", "
                    (visit.time(flow.at)) }
            }
            @if let Some(about) = about(&text) { p { (clean(about)) } }
            p { a href={ "/flows/" (encode(&flow.name)) } { "Picture, versions, tests" } " · "
                a href={ "/cases?flow=" (encode(&flow.name)) } { "Its cases" } }
        }
    }
}

/// A file that cannot be read as a flow, with every mistake, and what goes on meanwhile.
fn broken_card(file: &Document, flows: &[Document]) -> Markup {
    let problems = file.body.get("problems").and_then(Value::as_array);
    let lines = problems.into_iter().flatten().filter_map(Value::as_str);
    let of_file = |flow: &&Document| {
        let from = flow.body.get("file").and_then(Value::as_str);
        from == Some(file.name.as_str())
    };
    html! {
        li.card {
            p.card-head { (icon("flow")) strong { (clean(&file.name)) } }
            p.pills { (Pill::new("bad", "alert", "cannot be read").show()) }
            ul.noted { @for line in lines { li { (clean(line)) } } }
            @match flows.iter().find(of_file) {
                Some(flow) => p {
                    "The file has changed. " strong { (clean(&flow.name)) } ", version "
                    (flow.version) ", goes on as it was until the file is mended and the server "
                    "started again."
                },
                None => p {
                    "Nothing of it runs. Mend the file and start the server again; "
                    code { "bellwether lint" } " checks it before."
                },
            }
        }
    }
}

/// The file's text where the document keeps one, else the document itself.
fn source(body: &Value) -> String {
    let kept = ["source", "text", "yaml"]
        .iter()
        .find_map(|key| body.get(key)?.as_str());
    match kept.or(body.as_str()) {
        Some(text) => text.to_owned(),
        None => serde_json::to_string_pretty(body).unwrap_or_default(),
    }
}

/// The sentence under `about:`, when it stands on one line.
fn about(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("about:"))?;
    let line = line.trim().trim_matches('"');
    (!line.is_empty() && !line.starts_with(['|', '>'])).then_some(line)
}

/// What a document says of whether its flow acts.
pub(super) fn position_of(body: &Value) -> Position {
    let position = body.get("position").cloned().unwrap_or_default();
    serde_json::from_value(position).unwrap_or_default()
}
