//! One case: what came in, every turn in words, every effect with its state, and deciding for
//! somebody. Raw JSON stands behind a fold.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::seam::{Sealed, TurnSaid};
use bellwether_engine::store::{EffectRow, RunDetail, TurnRow};
use bellwether_model::time::Time;
use bellwether_model::veil;
use maud::{Markup, html};
use serde_json::Value;

use super::frame::{Visit, back};
use super::{case_file, journal, road, story};
use crate::api;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{encode, fact, icon};
use crate::problem::Problem;
use crate::query::{Fields, id_of};
use crate::text::{clean, short};
use crate::web::Web;
use crate::words;

pub(crate) async fn page(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Response {
    let read = async {
        let after = api::turns_after(&fields)?;
        let mut detail = read(&web, &id).await?;
        let next = api::page_of_turns(&mut detail.journal, after, TURNS_MAX);
        let sealed = web.app.seals.checked(detail.run.id).await?;
        Ok((detail, Turns { after, next }, sealed.unwrap_or_default()))
    };
    match read.await {
        Ok((detail, turns, sealed)) => {
            visit.page(&headline(&detail), &show(&visit, &detail, &turns, &sealed))
        }
        Err(problem) => visit.problem(&problem),
    }
}

/// Turns on one page.
const TURNS_MAX: usize = 200;

/// Which turns of the case are on the page.
#[derive(Debug)]
struct Turns {
    after: u64,
    next: Option<u64>,
}

async fn read(web: &Web, id: &str) -> Result<RunDetail, Problem> {
    let found = web.app.views.run(id_of("case", id)?).await?;
    found.ok_or_else(|| Problem::unknown("case", id))
}

/// The first notification's title says best what the case is about.
pub(super) fn headline(detail: &RunDetail) -> String {
    let titles = detail.effects.iter().find_map(title);
    titles.unwrap_or_else(|| format!("{}: {}", program(&detail.run.flow), detail.run.key))
}

/// A flow by its name; what a connection remembers by itself belongs to no flow.
fn program(name: &str) -> String {
    match name.strip_prefix("reduce:") {
        Some(connector) => format!("memory of {connector}"),
        None => name.to_owned(),
    }
}

fn title(effect: &EffectRow) -> Option<String> {
    let args: Value = serde_json::from_str(&effect.args).ok()?;
    let mut names = ["title", "subject", "type"].iter();
    let found = names.find_map(|name| story::field(&args, name))?;
    Some(short(&veil::text(found), 120).into_owned())
}

fn show(visit: &Visit, detail: &RunDetail, turns: &Turns, sealed: &Sealed) -> Markup {
    let run = &detail.run;
    html! {
        p.under-title { (words::run(run.status).show()) }
        dl.facts.wide {
            (fact("Flow", &html! {
                a href={ "/cases?flow=" (encode(&run.flow)) } { (clean(&program(&run.flow))) }
            }))
            (fact("Matter", &html! { (clean(&run.key)) }))
            (fact("Began", &visit.time(run.opened_at)))
            (fact("Last change", &visit.time(run.last_turn_at)))
            @for (name, due) in &detail.timers { (fact("Next", &next(visit, name, *due))) }
            (case_file::seals(sealed))
            (fact("Case file", &html! {
                a href={ "/cases/" (run.id) "/file" } download { "download" }
                span.meta { " as JSON, or print this page" }
            }))
        }
        (line_of_time(visit, detail, turns))
        (effects(visit, detail))
        @if run.status == "open" { (decide_form(visit, detail)) }
        details.raw {
            summary { "State as the record has it" }
            pre { (pretty(&detail.state)) }
        }
    }
}

/// What happens by itself, and when.
fn next(visit: &Visit, timer: &str, due: Time) -> Markup {
    let (what, step) = journal::timer_of(timer);
    html! {
        (visit.time(due)) ": " (clean(&what))
        @if let Some(step) = step { " " span.meta { "(step " (clean(step)) ")" } }
    }
}

fn line_of_time(visit: &Visit, detail: &RunDetail, turns: &Turns) -> Markup {
    html! {
        section aria-labelledby="time" {
            h2 #time { "What happened" }
            ol.timeline {
                @if let Some(event) = detail.opened_by.as_ref().filter(|_| turns.after == 0) {
                    li {
                        span.mark { (icon("in")) }
                        div {
                            p {
                                (visit.time(event.received_at)) " · "
                                a href={ "/events/" (event.position) } {
                                    (clean(&story::came_in(event, &visit.names)))
                                }
                            }
                            (raw("What came in", &event.envelope.data))
                        }
                    }
                }
                @for turn in &detail.journal { (one_turn(visit, turn)) }
                @if detail.run.status != "open" && turns.next.is_none() {
                    li {
                        span.mark { (icon("dot")) }
                        div { p { (visit.time(detail.run.last_turn_at)) " · The case closed" } }
                    }
                }
            }
            @if turns.after > 0 || turns.next.is_some() {
                @let place = format!("/cases/{}", detail.run.id);
                nav.pager aria-label="Turns" {
                    @if turns.after > 0 { a href=(place) { "From the beginning" } }
                    @if let Some(after) = turns.next {
                        a href={ (place) "?turns_after=" (after) } { "Later turns" }
                    }
                }
            }
        }
    }
}

fn one_turn(visit: &Visit, turn: &TurnRow) -> Markup {
    let told = journal::turn(&turn.body, &visit.names);
    let at = turn.body.get("at").and_then(when);
    html! {
        li {
            span.mark { (icon("flow")) }
            div {
                p {
                    @if let Some(at) = at { (visit.time(at)) " · " }
                    @match told.event {
                        Some(position) => a href={ "/events/" (position) } { (clean(&told.input)) },
                        None => strong { (clean(&told.input)) },
                    }
                }
                @if !told.output.is_empty() {
                    ul.noted { @for said in &told.output { li { (clean(said)) } } }
                }
                (raw(&format!("Turn {}", turn.version), &turn.body))
            }
        }
    }
}

/// An instant in a journal entry: microseconds, or RFC 3339.
pub(super) fn when(value: &Value) -> Option<Time> {
    value
        .as_i64()
        .map(Time)
        .or_else(|| Time::parse(value.as_str()?).ok())
}

fn raw(name: &str, value: &Value) -> Markup {
    html! { details.raw { summary { (name) ", raw" } pre { (pretty(value)) } } }
}

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(&veil::value(value)).unwrap_or_default();
    clean(&text).into_owned()
}

fn effects(visit: &Visit, detail: &RunDetail) -> Markup {
    html! {
        section aria-labelledby="effects" {
            h2 #effects { "What was sent and changed" }
            @if detail.effects.is_empty() { p.empty { "Nothing was sent." } }
            ul.cards { @for effect in &detail.effects { (one_effect(visit, effect)) } }
        }
    }
}

fn one_effect(visit: &Visit, effect: &EffectRow) -> Markup {
    let channel = api::role(effect.role);
    let provider = visit.names.provider(&effect.lane);
    let state = words::outcome(effect, provider);
    let args: Value = serde_json::from_str(&effect.args).unwrap_or(Value::Null);
    html! {
        li.card id={ "e" (effect.id) } {
            p.card-head {
                (icon(road::channel_icon(channel)))
                strong { (clean(&road::to_whom(channel, effect.person.as_deref(), &visit.names))) }
                span.meta { (visit.time(effect.made_at)) }
            }
            @if let Some(title) = title(effect) { p { (clean(&title)) } }
            @if let Some(now) = update(&args) { p.meta { "Silent update: " (clean(now)) } }
            p.pills {
                (state.show())
                @if let Some(seen) = words::engagement(effect.engagement) { (seen.show()) }
                @if effect.attempt > 1 { span.meta { (effect.attempt) " attempts" } }
            }
            @if let Some(reason) = &effect.reason { p.meta { "Because " (clean(words::because(reason))) "." } }
            @if let Some(failure) = &effect.failure {
                p.meta { "Latest failure: " (clean(&failure.to_string())) }
            }
            (raw("What was given", &args))
        }
    }
}

/// What a silent update of an earlier push shows instead.
fn update(args: &Value) -> Option<&str> {
    let is_update = story::field(args, "kind") == Some("update");
    is_update.then(|| story::field(args, "text"))?
}

/// Decides in somebody's place; the record says who really did it.
fn decide_form(visit: &Visit, detail: &RunDetail) -> Markup {
    let choices: Vec<(String, String)> = detail
        .effects
        .iter()
        .rev()
        .find_map(choices_of)
        .unwrap_or_default();
    let mut asked: Vec<&str> = detail
        .effects
        .iter()
        .filter_map(|effect| effect.person.as_deref())
        .collect();
    asked.dedup();
    let first = asked.first().copied();
    let unknown = asked
        .iter()
        .filter(|id| visit.names.all().all(|(known, _)| known != **id));
    html! {
        details.decide-for {
            summary { "Decide for somebody" }
            p.meta {
                "For when the person called. The record says that it was you: "
                (clean(&words::actor(&visit.actor.name))) "."
            }
            form.stack method="post" action={ "/cases/" (detail.run.id) "/decide" } {
                (visit.token())
                label for="person" { "Who decided" }
                select #person name="person" {
                    @for (id, name) in visit.names.all() {
                        option value=(id) selected[first == Some(id)] { (clean(name)) }
                    }
                    @for id in unknown { option value=(id) { (clean(id)) } }
                }
                label for="comment" { "Comment" }
                textarea #comment name="comment" rows="2" maxlength="2000" {}
                @if choices.is_empty() {
                    label for="choice" { "Choice" }
                    input #choice name="choice" required autocomplete="off";
                    button type="submit" { "Decide" }
                } @else {
                    div.choices {
                        @for (id, label) in &choices {
                            button type="submit" name="choice" value=(id) { (clean(label)) }
                        }
                    }
                }
            }
        }
    }
}

/// The buttons that a notification carried: a list of `{id, label}`, plain or as JSON text.
fn choices_of(effect: &EffectRow) -> Option<Vec<(String, String)>> {
    fn look(value: &Value, depth: usize) -> Option<Vec<(String, String)>> {
        if depth == 0 {
            return None;
        }
        match value {
            Value::Array(list) if !list.is_empty() => {
                let pair = |item: &Value| {
                    let id = item.get("id")?.as_str()?.to_owned();
                    Some((id, item.get("label")?.as_str()?.to_owned()))
                };
                list.iter().map(pair).collect()
            }
            Value::Object(map) => map.values().find_map(|inner| look(inner, depth - 1)),
            Value::String(text) if text.starts_with('[') => {
                look(&serde_json::from_str(text).ok()?, depth - 1)
            }
            _ => None,
        }
    }
    look(&serde_json::from_str(&effect.args).ok()?, 6)
}

pub(crate) async fn decide(
    State(web): State<Web>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let place = format!("/cases/{}", encode(&id));
    let Ok(run) = id_of("case", &id) else {
        return back(
            "/cases",
            Some(&Note::with("refused", "There is no such case.")),
        );
    };
    let text = |key: &str| posted.fields.get(key).unwrap_or_default();
    let (person, choice) = (text("person"), text("choice"));
    let intake = &web.app.intake;
    let said = intake
        .decide_for(run, person, choice, text("comment"), &posted.actor)
        .await;
    let names = web.names().await;
    let note = match said {
        Err(error) => Note::with("refused", &error.to_string()),
        Ok(TurnSaid::Decided { by, choice, .. }) => {
            let text = format!(
                "Decided for {}: {}.",
                names.first(&by),
                words::plain(&choice)
            );
            Note::with("said", &text)
        }
        Ok(TurnSaid::AlreadyDecided { by, choice, .. }) => {
            let name = names.first(&by);
            let text = format!("{name} had decided before: {}.", words::plain(&choice));
            Note::with("unsaid", &text)
        }
        Ok(TurnSaid::Refused { reason, .. }) => Note::with("refused", &reason),
        Ok(TurnSaid::Over { how, .. }) => Note::with(
            "unsaid",
            &format!("It was over before: {}.", words::plain(&how)),
        ),
        Ok(TurnSaid::PassedOn { .. } | TurnSaid::Noted | TurnSaid::Began { .. }) => {
            Note::with("said", "Noted. The case stays open.")
        }
        Ok(TurnSaid::Changed) => Note::with("unsaid", "The matter has changed. Look again."),
        Ok(TurnSaid::SignInRequired) => Note::with(
            "refused",
            "This matter needs the person's own, stronger proof.",
        ),
    };
    back(&place, Some(&note))
}
