//! A recipe or a flow as a form: its inputs, whether it acts, what it would send. Preview sends
//! nothing and records nothing; saving makes a new version.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bellwether_engine::flow::{Catalog, Flow, Position, Problem, filled_in, read, unknown_names};
use bellwether_engine::seam::{FlowDocument, NotSaved, Sample, Sampled};
use bellwether_model::directory::Directory;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::backtest;
use super::fields::{self, Offers, WHO_LIST};
use super::frame::{Visit, back};
use super::recipes::position_pill;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{encode, icon, time};
use crate::problem::Problem as Sorry;
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// How many names of people the fields offer.
const OFFERED_MAX: usize = 1_000;
/// How many empty rows "More rows" gives.
const MORE_ROWS: usize = 5;

/// A flow that is filled in: as it is kept, else as it ships.
pub(super) struct Filled {
    pub(super) name: String,
    pub(super) document: FlowDocument,
    /// The version that was seen; 0: it is not kept yet.
    pub(super) seen: u64,
}

/// What a post left to show on the form.
#[derive(Default)]
struct Said {
    values: Option<Map<String, Value>>,
    position: Option<Position>,
    wrong: Vec<(String, Problem)>,
    /// What is wrong with none of the fields.
    refused: Option<String>,
    sample: Option<Sample>,
    more_rows: bool,
}

/// The document of a name: what is kept, else the recipe.
pub(super) async fn filled(web: &Web, name: &str) -> Result<Filled, Sorry> {
    let kept = web.app.registry.get("flow", name).await?;
    if let Some(kept) = kept {
        let document: FlowDocument = serde_json::from_value(kept.body)
            .map_err(|error| Sorry::bad(format!("this flow cannot be read: {error}")))?;
        return Ok(Filled {
            name: name.to_owned(),
            document,
            seen: kept.version,
        });
    }
    let recipes = web.app.flows.recipes();
    match recipes.iter().find(|recipe| recipe.name == name) {
        Some(recipe) => Ok(Filled {
            name: name.to_owned(),
            document: recipe.document.clone(),
            seen: 0,
        }),
        None => Err(Sorry::new(
            StatusCode::NOT_FOUND,
            "no_such_flow",
            format!("there is no flow or recipe {name}"),
        )),
    }
}

/// A document's text as a flow.
pub(super) fn understood(web: &Web, document: &FlowDocument) -> Result<Flow, Vec<Problem>> {
    let catalog = Catalog {
        connectors: web.app.catalog,
    };
    read(&document.text, &document.file, &catalog)
}

pub(crate) async fn page(
    State(web): State<Web>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    match filled(&web, &name).await {
        Ok(filled) => show(&web, &visit, &filled, Said::default()).await,
        Err(problem) => visit.problem(&problem),
    }
}

/// Preview, more rows, or save.
pub(crate) async fn act(
    State(web): State<Web>,
    Path(name): Path<String>,
    visit: Visit,
    posted: Posted,
) -> Response {
    let mut filled = match filled(&web, &name).await {
        Ok(filled) => filled,
        Err(problem) => return visit.problem(&problem),
    };
    let Ok(flow) = understood(&web, &filled.document) else {
        return show(&web, &visit, &filled, Said::default()).await;
    };
    let fields = &posted.fields;
    let values = fields::read(&flow, fields);
    let position = position_said(fields).unwrap_or(filled.document.position);
    let inputs = Value::Object(values.clone());
    let beside = |name: &str| filled.document.files.get(name).cloned();
    let wrong = filled_in(&flow, &inputs, &beside).err().unwrap_or_default();
    let mut said = Said {
        values: Some(values),
        position: Some(position),
        wrong,
        ..Said::default()
    };
    let wish = fields.get("do").unwrap_or("preview");
    if wish == "rows" {
        said.wrong.clear();
        said.more_rows = true;
        return show(&web, &visit, &filled, said).await;
    }
    filled.document.inputs = inputs;
    if !said.wrong.is_empty() {
        return show(&web, &visit, &filled, said).await;
    }
    if wish == "save" {
        filled.document.position = position;
        let seen = fields.get("seen").and_then(|text| text.parse().ok());
        let document = filled.document.clone();
        let seen = seen.unwrap_or(filled.seen);
        let saved = web.app.flows.save(&name, document, seen, &posted.actor);
        match saved.await {
            Ok(version) => return saved_note(&name, version, position),
            Err(error) => said.refused = Some(refusal(&error)),
        }
    } else if wish == "backtest" {
        match backtest::begin(&web, filled.document.clone(), None).await {
            Ok(begun) => return begun,
            Err(problem) => said.refused = Some(problem.message),
        }
    } else {
        match web.app.flows.sample(filled.document.clone()).await {
            Ok(sample) => said.sample = Some(sample),
            Err(problems) => said.refused = Some(sentences(&problems)),
        }
    }
    show(&web, &visit, &filled, said).await
}

pub(super) fn position_said(fields: &Fields) -> Option<Position> {
    match fields.get("position")? {
        "on" => Some(Position::On),
        "shadow" => Some(Position::Shadow),
        "off" => Some(Position::Off),
        _ => None,
    }
}

pub(super) fn saved_note(name: &str, version: u64, position: Position) -> Response {
    let does = match position {
        Position::On => "is on",
        Position::Shadow => "is in shadow: it decides and sends nothing",
        Position::Off => "is off",
    };
    let text = format!("{}, version {version}, {does}.", words::title(name));
    back(
        &format!("/flows/{}", encode(name)),
        Some(&Note::with("said", &text)),
    )
}

pub(super) fn refusal(error: &NotSaved) -> String {
    match error {
        NotSaved::Wrong(problems) => sentences(problems),
        other => other.to_string(),
    }
}

fn sentences(problems: &[Problem]) -> String {
    let one = |problem: &Problem| match problem.hint.as_str() {
        "" => problem.message.clone(),
        hint => format!("{} ({hint})", problem.message),
    };
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}

async fn show(web: &Web, visit: &Visit, filled: &Filled, said: Said) -> Response {
    let title = words::title(&filled.name);
    let flow = match understood(web, &filled.document) {
        Ok(flow) => flow,
        Err(problems) => {
            let link = format!("/flows/{}/text", encode(&filled.name));
            return visit.page(
                &title,
                &html! {
                    p.banner.bad { (icon("cross")) span { (clean(&sentences(&problems))) } }
                    p { a href=(link) { "Mend its text" } }
                },
            );
        }
    };
    let directory = web.app.directory.current();
    let offers = offers(web, &directory, said.more_rows).await;
    let values = said
        .values
        .clone()
        .unwrap_or_else(|| fields::values_of(&flow, &filled.document));
    let inputs = Value::Object(values.clone());
    let doubts = unknown_names(&flow, &inputs, &directory);
    let position = said.position.unwrap_or(match filled.seen {
        0 => Position::Shadow,
        _ => filled.document.position,
    });
    let is_wrong = !said.wrong.is_empty();
    visit.page(
        &title,
        &html! {
            p.lead.under-title { (clean(flow.about.trim())) }
            p.pills {
                @if filled.seen > 0 {
                    (position_pill(filled.document.position).show())
                    a href={ "/flows/" (encode(&filled.name)) } { "Version " (filled.seen) }
                } @else { span.meta { "Not set up yet" } }
            }
            @if is_wrong {
                p.banner.bad role="alert" { (icon("cross")) span {
                    "Nothing was saved: " (said.wrong.len()) " of the fields below need you." } }
            }
            @if let Some(refused) = &said.refused {
                p.banner.bad role="alert" { (icon("cross")) span { (clean(refused)) } }
            }
            @if let Some(sample) = &said.sample { (shown_sample(visit, &directory, sample)) }
            form.filled method="post" action={ "/recipes/" (encode(&filled.name)) } {
                (visit.token())
                input type="hidden" name="seen" value=(filled.seen);
                button.hidden type="submit" name="do" value="preview" tabindex="-1" { "Preview" }
                @for input in &flow.inputs {
                    @let value = values.get(&input.name).unwrap_or(&Value::Null);
                    @let wrong = wrong_of(&said.wrong, &input.name);
                    (fields::field(input, value, &wrong, &offers))
                }
                (others(&flow, &said.wrong))
                @if !doubts.is_empty() { (shown_doubts(&doubts)) }
                (switch(position))
                p.pills {
                    button type="submit" name="do" value="preview" { "Preview" }
                    button type="submit" name="do" value="backtest" { "Try it on the last 30 days" }
                    button.primary type="submit" name="do" value="save" { "Save" }
                }
                datalist id=(WHO_LIST) {
                    @for word in &offers.who { option value=(clean(word)) {} }
                }
            }
        },
    )
}

fn wrong_of(wrong: &[(String, Problem)], name: &str) -> Vec<Problem> {
    let of = wrong.iter().filter(|(of, _)| of == name);
    of.map(|(_, problem)| problem.clone()).collect()
}

/// What is wrong with inputs that the form has no field for.
fn others(flow: &Flow, wrong: &[(String, Problem)]) -> Markup {
    let has_field = |name: &str| flow.inputs.iter().any(|input| input.name == name);
    html! {
        @for (_, problem) in wrong.iter().filter(|(name, _)| !has_field(name)) {
            p.wrong { (clean(&problem.message)) }
        }
    }
}

fn shown_doubts(doubts: &[Problem]) -> Markup {
    html! {
        div.banner.warn { (icon("alert")) ul.plain {
            @for problem in doubts.iter().take(12) {
                li { (clean(&problem.message))
                    @if !problem.hint.is_empty() { " · " (clean(&problem.hint)) } }
            }
        } }
    }
}

/// Off, shadow or on.
pub(super) fn switch(position: Position) -> Markup {
    let all = [
        (Position::Off, "off", "Off", "starts nothing"),
        (
            Position::Shadow,
            "shadow",
            "Shadow",
            "decides, sends nothing",
        ),
        (Position::On, "on", "On", "acts"),
    ];
    html! {
        fieldset.switch {
            legend { "What it does" }
            @for (value, word, name, text) in all {
                label {
                    input type="radio" name="position" value=(word) checked[value == position];
                    span { strong { (name) } " " span.meta { (text) } }
                }
            }
        }
    }
}

fn shown_sample(visit: &Visit, directory: &Directory, sample: &Sample) -> Markup {
    let zone = visit.names.zone();
    html! {
        section.sample aria-label="Preview" {
            h2 { "What it would send" }
            p.meta {
                "If this came in, " (time(sample.at, sample.at, zone)) ": "
                strong { (clean(&sample.came)) } " (the first of its tests). Nothing is sent."
            }
            @if sample.sent.is_empty() {
                p.empty { "Nothing, within a week: with these inputs the flow has nothing to say "
                    "about it." }
            }
            ul.cards { @for sent in &sample.sent { (bubble(directory, sent)) } }
        }
    }
}

fn bubble(directory: &Directory, sent: &Sampled) -> Markup {
    let (sign, how) = match sent.what {
        "push" => ("phone", "Push to"),
        "mail" => ("mail", "Mail to"),
        "reply" => ("back", "Answer to"),
        "http" => ("plug", "Request to"),
        _ => ("alert", "Reaches nobody"),
    };
    let person = directory.people.get(&sent.who);
    let name = person.map_or(sent.who.as_str(), |person| person.name.as_str());
    html! {
        li.card {
            p.meta { (icon(sign)) " " (how) " " (clean(name)) " · " (later(sent.after)) }
            p { strong { (clean(&sent.title)) } }
            p { (clean(&sent.text)) }
        }
    }
}

fn later(after: i64) -> String {
    let minutes = after / 60;
    match minutes {
        ..=0 => "at once".to_owned(),
        1..=119 => format!("after {minutes} min"),
        120..=2879 => format!("after {} h", minutes / 60),
        _ => format!("after {} days", minutes / 1440),
    }
}

async fn offers(web: &Web, directory: &Directory, more_rows: bool) -> Offers {
    let connections = web.app.connections.list().await;
    let connections = connections.into_iter();
    let mut who: Vec<String> = directory.people.keys().cloned().collect();
    let roles = directory.roles().into_iter();
    let mut roles: Vec<String> = roles.map(|role| format!("role {role}")).collect();
    let groups = directory.groups.keys().map(|name| format!("group {name}"));
    let rotas = directory.rotas.keys().map(|name| format!("on duty {name}"));
    let teams = directory.team_names().into_iter();
    let teams = teams.map(|name| format!("team {name}"));
    let rest: Vec<String> = groups.chain(rotas).chain(teams).collect();
    // Roles and groups first: they are few, and mostly meant.
    who.truncate(OFFERED_MAX);
    roles.extend(rest);
    roles.extend(who);
    Offers {
        empty_rows: if more_rows { MORE_ROWS } else { 1 },
        connections: connections
            .map(|view| (view.name, view.connector))
            .collect(),
        who: roles,
    }
}
