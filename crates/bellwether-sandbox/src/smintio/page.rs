//! The page of a tenant: its licences with their pictures, its requests, what goes wrong, and
//! buttons for what can happen. Drawn on the server, without a script.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::record::{COMPLETED, COUNTERS, Lpt};
use super::requests::Request;
use super::tenant::Tenant;
use super::{FIRST_TENANT, admin, trouble, week, wire};
use crate::page::frame::{Icon, Page, Tone, pill, time};
use crate::page::{answer, back, foreign, theme};
use crate::world::World;

/// Licences and requests that are listed.
const LICENCES: usize = 40;
const REQUESTS: usize = 20;
/// Days before its end from which a licence is marked.
const SOON_DAYS: i64 = 30;

/// Something that one press does: name, words, deed, body.
type Press = (&'static str, &'static str, &'static str, &'static str);

/// For the tenant.
const LIFE: &[Press] = &[
    ("buy", "Buy a picture", "buy", "{}"),
    (
        "strict",
        "Buy one with strict terms",
        "buy",
        r#"{"restrictive":true,"ai":true,"valid_days":30,"max_downloads":10}"#,
    ),
    ("request", "Ask for a download", "request", "{}"),
    (
        "campaign",
        "Begin the campaign “Open house”",
        "campaign",
        r#"{"name":"Open house"}"#,
    ),
    (
        "part",
        "Complete one picture of it",
        "campaign_finish",
        r#"{"name":"Open house","assets":1}"#,
    ),
    (
        "finish",
        "Complete the whole campaign",
        "campaign_finish",
        r#"{"name":"Open house"}"#,
    ),
    ("hint", "Send a hint", "hint", "{}"),
];

/// For what goes wrong.
const TROUBLES: &[Press] = &[
    (
        "down",
        "The feed goes away",
        "outage",
        r#"{"kind":"unavailable","times":0}"#,
    ),
    (
        "busy",
        "“Too many calls”, 3 times",
        "outage",
        r#"{"kind":"too_many","retry_after":2,"times":3}"#,
    ),
    (
        "away",
        "Maintenance: a page for people",
        "outage",
        r#"{"kind":"maintenance","times":0}"#,
    ),
    (
        "half",
        "Half an answer, once",
        "outage",
        r#"{"kind":"truncated"}"#,
    ),
    ("cursors", "Every cursor is too old", "expire_cursors", "{}"),
    (
        "tokens",
        "Access tokens end now",
        "tokens",
        r#"{"expire_access":true}"#,
    ),
    (
        "consent",
        "The consent is withdrawn",
        "tokens",
        r#"{"lose_consent":true}"#,
    ),
    (
        "cut",
        "The push channel is cut",
        "pusher",
        r#"{"close":4200}"#,
    ),
    ("recover", "All is well again", "recover", "{}"),
];

/// For one licence.
const ON_LICENCE: &[Press] = &[
    ("approve", "Approve", "approve", "{}"),
    ("deliver", "Deliver", "deliver", "{}"),
    ("cancel", "Cancel", "cancel", "{}"),
    ("fail", "Let it fail", "fail", "{}"),
    ("use", "Use it once", "usage", "{}"),
    ("soon", "Ends in 6 days", "expire", r#"{"days":6}"#),
    ("over", "Is over", "expire", "{}"),
    ("renew", "Buy it again", "renew", "{}"),
    ("file", "New file", "update", "{}"),
    ("publish", "Publish", "publish", "{}"),
];

/// For one request.
const ON_REQUEST: &[Press] = &[
    ("yes", "Approve", "approve", "{}"),
    (
        "no",
        "Decline",
        "reject",
        r#"{"reason":"Declined on the page."}"#,
    ),
    ("done", "Deliver", "deliver", "{}"),
];

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/smintio", get(first))
        .route("/smintio/{tenant}", get(one).post(press))
        .with_state(Arc::clone(world))
}

#[derive(Debug, Deserialize)]
struct Asked {
    said: Option<String>,
}

async fn first(
    State(world): State<Arc<World>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    page(&world, FIRST_TENANT, &asked, &headers)
}

async fn one(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    page(&world, &tenant, &asked, &headers)
}

fn page(world: &World, tenant: &str, asked: &Asked, headers: &HeaderMap) -> Response {
    let now = world.clock.now();
    let body = world.smintio.with(tenant, |t| draw(world, t, now));
    let Some(body) = body else {
        let words = format!("there is no tenant {tenant:?} here");
        return crate::admin::refuse(StatusCode::NOT_FOUND, words);
    };
    let here = format!("/smintio/{tenant}");
    let page = Page {
        title: "Licences",
        theme: theme(headers),
        flash: asked.said.as_deref(),
        here: &here,
    };
    answer(world, &page, &body)
}

fn draw(world: &World, tenant: &Tenant, now: Timestamp) -> Markup {
    let zone = world.people.iter().find_map(|p| p.zone.as_deref());
    let zone = zone.unwrap_or("UTC");
    let newest = tenant.ledger.newest(0, LICENCES);
    html! {
        h1 {
            "Licences of " (tenant.id)
            span class="role" { "Smint.io’s stand-in: what the tenant bought, asked for and may use" }
        }
        p class="meta narrow" {
            a href="#requests" { "Requests" } " · " a href="#life" { "What can happen" }
        }
        div class="tenant" {
            section class="card" aria-labelledby="licences" {
                header class="box" {
                    h2 id="licences" { "Licences" }
                    (pill(Tone::Plain, Icon::Dot, &format!("{} in the feed", tenant.ledger.count())))
                }
                @if newest.is_empty() { p class="empty" { "Nothing was bought yet." } }
                ul class="assets" {
                    @for lpt in &newest { (licence(tenant, lpt, now, zone)) }
                }
            }
            div class="stack" {
                (requests(world, tenant, zone))
                (happenings(world, tenant))
            }
        }
    }
}

/// A state with how it looks.
fn state(lpt: &Lpt) -> Markup {
    let (tone, icon, words) = match lpt.state.as_str() {
        "purchase_phase_1" | "purchase_phase_2" => (Tone::Info, Icon::Clock, "being bought"),
        "downloading" | "finalizing" => (Tone::Info, Icon::Swap, "being delivered"),
        COMPLETED => (Tone::Ok, Icon::Check, "completed"),
        "error" => (Tone::Bad, Icon::Cross, "failed"),
        "cancelled" => (Tone::Plain, Icon::Cross, "cancelled"),
        other => (Tone::Warn, Icon::Warn, other),
    };
    pill(tone, icon, words)
}

/// When the first of its terms ends.
fn end(lpt: &Lpt, now: Timestamp, zone: &str) -> Markup {
    let first = lpt.terms.iter().filter_map(|term| term.valid_until).min();
    let Some(until) = first else {
        return html! {};
    };
    let day = time(until, zone, "%-d %B %Y");
    let days = until.duration_since(now).as_hours() / 24;
    if until <= now {
        pill(Tone::Bad, Icon::Warn, &format!("over since {day}"))
    } else if days <= SOON_DAYS {
        pill(
            Tone::Warn,
            Icon::Clock,
            &format!("ends in {days} days, on {day}"),
        )
    } else {
        pill(Tone::Plain, Icon::Clock, &format!("until {day}"))
    }
}

fn uses(lpt: &Lpt) -> Markup {
    html! {
        @for (name, counter) in COUNTERS.iter().zip(&lpt.counters) {
            @if let (Some(current), Some(most @ 1..)) = (counter.current, counter.most) {
                @let tone = if current >= most { Tone::Bad }
                    else if current * 100 >= most * 80 { Tone::Warn } else { Tone::Plain };
                (pill(tone, Icon::Signal, &format!("{current} of {most} {name}")))
            }
        }
    }
}

fn licence(tenant: &Tenant, lpt: &Lpt, now: Timestamp, zone: &str) -> Markup {
    let version = lpt.files.iter().max().copied().unwrap_or(1);
    // The page loads nothing from elsewhere, so the picture is written into it.
    let picture = BASE64_STANDARD.encode(wire::picture(lpt, version));
    let buyer = tenant.buyers.get(lpt.buyer).map_or("somebody", |b| &b.name);
    let uuid = tenant.around("").uuid(lpt.number);
    html! {
        li {
            img src={ "data:image/svg+xml;base64," (picture) } alt="" width="96" height="72";
            div {
                h3 class="flat" { (lpt.name) }
                p class="marks" {
                    (state(lpt)) (end(lpt, now, zone)) (uses(lpt))
                    @if lpt.restrictive == Some(true) {
                        (pill(Tone::Warn, Icon::Warn, "strict terms"))
                    }
                    @if lpt.ai == Some(true) { (pill(Tone::Info, Icon::Dot, "made by AI")) }
                }
                p class="meta" {
                    (lpt.project) " · " (buyer) " · " (lpt.provider) " · "
                    (lpt.license_type.replace('_', " "))
                    " · version " (lpt.version)
                    @if !lpt.files.is_empty() { ", file " (version) }
                }
                details class="behind" {
                    summary { "Let something happen to it" }
                    (presses(tenant, ON_LICENCE, Some(("uuid", &uuid))))
                }
            }
        }
    }
}

/// One form with a button for each press.
fn presses(tenant: &Tenant, all: &[Press], on: Option<(&str, &str)>) -> Markup {
    html! {
        form method="post" action={ "/smintio/" (tenant.id) } class="row" {
            @if let Some((name, value)) = on { input type="hidden" name=(name) value=(value); }
            @for (name, words, ..) in all {
                button class="quiet" name="deed" value=(name) { (words) }
            }
        }
    }
}

fn requests(world: &World, tenant: &Tenant, zone: &str) -> Markup {
    let open = tenant
        .requests
        .all
        .iter()
        .filter(|r| r.state == "New")
        .count();
    html! {
        section class="card" aria-labelledby="requests" {
            header class="box" {
                h2 id="requests" { "Requests" }
                (pill(Tone::Info, Icon::Mail, &format!("{open} open")))
            }
            @if tenant.requests.all.is_empty() { p class="empty" { "Nobody asked for anything." } }
            ul class="assets" {
                @for request in tenant.requests.all.iter().rev().take(REQUESTS) {
                    li class="plain-row" { (asked_for(world, tenant, request, zone)) }
                }
            }
        }
    }
}

fn asked_for(world: &World, tenant: &Tenant, request: &Request, zone: &str) -> Markup {
    let (tone, icon) = match request.state {
        "New" => (Tone::Info, Icon::Clock),
        "Approved" | "Done" => (Tone::Ok, Icon::Check),
        "Declined" => (Tone::Bad, Icon::Cross),
        _ => (Tone::Plain, Icon::Ring),
    };
    let name = |id: &str| match world.person(id) {
        Some(person) => person.name.clone(),
        None => "somebody".to_owned(),
    };
    let kind = request
        .kind
        .trim_start_matches("task-type-")
        .replace('-', " ");
    html! {
        div {
            h3 class="flat" { (request.asset) }
            p class="marks" { (pill(tone, icon, &request.state.to_lowercase())) }
            p class="meta" {
                (kind) " · " (name(&request.requester)) " asked " (name(&request.reviewer)) " · "
                (time(request.updated, zone, "%a %-d %b, %H:%M"))
            }
            @if let Some(reason) = &request.reason { p { "“" (reason) "”" } }
            @if matches!(request.state, "New" | "Approved") {
                (presses(tenant, ON_REQUEST, Some(("task", &request.task))))
            }
        }
    }
}

fn happenings(world: &World, tenant: &Tenant) -> Markup {
    let troubles = trouble::going_on(world, tenant);
    let listening = world.smintio.hub.subscribers(&tenant.channel());
    html! {
        section class="card panel" aria-labelledby="life" {
            header class="box" {
                h2 id="life" { "What can happen" }
                @if troubles.is_empty() { (pill(Tone::Ok, Icon::Check, "all is well")) }
                @else { (pill(Tone::Warn, Icon::Warn, &format!("{} troubles", troubles.len()))) }
            }
            @for trouble in &troubles { p class="fault" { (trouble) } }
            p class="meta pad" {
                (listening) " listening on the push channel · " (tenant.hints.sent) " hints sent"
            }
            div class="pad" {
                h3 { "A week at an agency" }
                form method="post" action={ "/smintio/" (tenant.id) } class="row" {
                    button name="deed" value="next" { "Play the next step" }
                    button class="quiet" name="deed" value="week" { "Play the whole week" }
                }
                h3 { "By hand" }
                (presses(tenant, LIFE, None))
                h3 { "Let something go wrong" }
                (presses(tenant, TROUBLES, None))
            }
        }
        details class="behind pad" {
            summary { "What is public here, and what is our own convention" }
            p class="meta" {
                "Public: sign-in, operations and fields of the feed, the push channel, the portals’ "
                "executor, error codes. Inferred: how states are spelt, limits of paging. Ours: the "
                "paths of the feed’s operations, task mails, webhooks, file contents. Nothing here "
                "was compared with the live service."
            }
        }
    }
}

/// A press on the page.
#[derive(Debug, Deserialize)]
struct Pressed {
    deed: String,
    uuid: Option<String>,
    task: Option<String>,
}

async fn press(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    Form(pressed): Form<Pressed>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let here = format!("/smintio/{tenant}");
    let words = match pressed.deed.as_str() {
        "next" | "week" => play(&world, &tenant, pressed.deed == "next").await,
        _ => act(&world, &tenant, &pressed).await,
    };
    back(&here, &words)
}

async fn play(world: &Arc<World>, tenant: &str, one: bool) -> String {
    let asked = week::Asked {
        seed: 1,
        steps: one.then_some(1),
        again: false,
    };
    let played = admin::play_week(world, tenant, &asked).await;
    let played = played.unwrap_or_default();
    let steps = played["played"].as_array().map_or(0, Vec::len);
    match played["played"][0]["words"].as_str() {
        Some(words) if steps == 1 => format!("The week goes on: {words}."),
        Some(_) => format!("{steps} steps of the week were played."),
        None => "The week is over.".to_owned(),
    }
}

/// What a press asks for: words, deed, body.
fn wanted(pressed: &Pressed) -> Option<(&'static str, &'static str, Value)> {
    let (first, second): (&[Press], &[Press]) = match (&pressed.uuid, &pressed.task) {
        (Some(_), _) => (ON_LICENCE, &[]),
        (None, Some(_)) => (ON_REQUEST, &[]),
        (None, None) => (LIFE, TROUBLES),
    };
    let mut all = first.iter().chain(second);
    let (_, words, deed, body) = all.find(|(name, ..)| *name == pressed.deed)?;
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(uuid) = &pressed.uuid {
        body["uuid"] = json!(uuid);
    }
    if let Some(task) = &pressed.task {
        body["task"] = json!(task);
    }
    Some((words, deed, body))
}

async fn act(world: &Arc<World>, tenant: &str, pressed: &Pressed) -> String {
    let Some((words, deed, body)) = wanted(pressed) else {
        return "There is no such button.".to_owned();
    };
    match admin::perform(world, tenant, deed, body).await {
        Ok(_) => format!("Done: {words}."),
        Err(error) => format!("That does not go: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_button_has_a_body_that_is_an_object_and_a_name_of_its_own() {
        for list in [LIFE, TROUBLES, ON_LICENCE, ON_REQUEST] {
            let names: std::collections::BTreeSet<&str> = list.iter().map(|(n, ..)| *n).collect();
            assert_eq!(names.len(), list.len());
            for (name, _, _, body) in list {
                let body: Value = serde_json::from_str(body).expect("JSON");
                assert!(body.is_object(), "{name}");
            }
        }
    }
}
