//! The page at the base port: everybody's phone and mailbox and the panel of the stand-ins, drawn
//! on the server. What its forms do is in `deeds.rs`.
//!
//! It works without JavaScript; `live.js` only fetches the card of a person to whom something
//! happened. The page asks the stand-ins over their control surface and keeps no state.

mod control;
mod deeds;
pub(crate) mod frame;
mod mail;
mod panel;
mod phone;

use crate::people::Person;
use crate::world::World;
use crate::{Door, StandIn, admin};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use control::Control;
pub(crate) use deeds::{back, foreign};
use frame::{Page, document};
use mail::{Mailbox, Place};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;

const STYLE: &str = include_str!("style.css");
const LIVE: &str = include_str!("live.js");
/// Nothing from elsewhere is loaded, and nothing in a mail could run.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; frame-ancestors *";

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "people-page",
    door: Door::None,
    targets: &[],
    admin: routes,
    info: |world| {
        let mut info = Map::new();
        info.insert(
            "page".to_owned(),
            Value::String(world.addresses.url("page")),
        );
        info
    },
    reset: |_| {},
};

/// What every handler of the page has.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) world: Arc<World>,
    pub(crate) control: Control,
}

fn routes(world: &Arc<World>) -> Router {
    let desk = Arc::new(Desk {
        world: Arc::clone(world),
        control: Control::new(world),
    });
    Router::new()
        .route("/", get(everybody))
        .route("/people/{id}", get(alone))
        .route("/people/{id}/card", get(fragment))
        .route("/people/{id}/phone", post(deeds::phone))
        .route("/people/{id}/read", post(deeds::read))
        .route("/mail", post(deeds::mail))
        .route("/faults", post(deeds::fault))
        .route("/faults/clear", post(deeds::clear))
        .route("/knobs", post(deeds::knob))
        .route("/theme", post(deeds::theme))
        .route("/stand-ins", get(panel_fragment))
        .route("/style.css", get(style))
        .route("/live.js", get(live))
        .with_state(desk)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn live() -> Response {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        LIVE,
    )
        .into_response()
}

/// What a page may be asked with.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The sentence about what was just done.
    said: Option<String>,
    /// The thread to read.
    thread: Option<String>,
}

async fn everybody(
    State(desk): State<Arc<Desk>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let mut cards = Vec::new();
    for person in &desk.world.people {
        cards.push(card(&desk, person, "/", false).await);
    }
    let body = html! {
        h1 class="sr" { "Phones and mailboxes of everybody" }
        div class="people" { @for card in &cards { (card) } }
        (panel(&desk).await)
    };
    whole(&desk, "Everybody", "/", &asked, &headers, &body)
}

async fn alone(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let Some(person) = desk.world.person(&id) else {
        return nobody(&id);
    };
    let here = format!("/people/{}", person.id);
    let card = card(&desk, person, &here, true).await;
    let mut reading = None;
    if let Some(thread) = asked.thread.as_deref() {
        let back = format!("{here}?thread={}", plain(thread));
        let place = place(&desk.world, person, &back, true);
        let mailbox = Mailbox::read(&desk.control, &person.address).await;
        reading = mailbox.and_then(|mailbox| mail::thread(place, &mailbox, thread));
    }
    let body = html! {
        h1 { (person.name) span class="role" { (person.role) } }
        div class={ "alone" @if reading.is_some() { " split" } } {
            (card)
            @if let Some(reading) = reading { (reading) }
            @else if asked.thread.is_some() { p class="flash" { "There is no such thread." } }
        }
    };
    whole(&desk, &person.name, &here, &asked, &headers, &body)
}

async fn fragment(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(person) = desk.world.person(&id) else {
        return nobody(&id);
    };
    // The page says which of its two forms it wants back.
    let alone = headers.get("x-alone").is_some();
    let back = if alone {
        format!("/people/{}", person.id)
    } else {
        "/".to_owned()
    };
    Html(card(&desk, person, &back, alone).await.into_string()).into_response()
}

async fn panel_fragment(State(desk): State<Arc<Desk>>) -> Html<String> {
    Html(panel(&desk).await.into_string())
}

async fn panel(desk: &Desk) -> Markup {
    panel::draw(&desk.world, &mail::outside(&desk.control).await)
}

/// One person: phone, if there is one, and mailbox.
async fn card(desk: &Desk, person: &Person, back: &str, alone: bool) -> Markup {
    let world = &desk.world;
    let mailbox = Mailbox::read(&desk.control, &person.address).await;
    let phone = world.phones.phone(&person.id);
    let class = if phone.is_some() {
        "card person"
    } else {
        "card person letters"
    };
    let anchor = format!("{back}#card-{}", person.id);
    html! {
        article class=(class) id={ "card-" (person.id) } data-person=(person.id)
            data-address=(person.address) {
            @if !alone {
                header class="box" {
                    h2 { a href={ "/people/" (person.id) } { (person.name) } }
                    span class="meta" { (person.role) }
                }
            }
            div class="sides" {
                @if let Some(phone) = &phone { (phone::draw(world, person, phone, &anchor)) }
                (mail::draw(place(world, person, &anchor, alone), mailbox.as_ref()))
            }
        }
    }
}

fn place<'a>(world: &'a World, person: &'a Person, back: &'a str, alone: bool) -> Place<'a> {
    Place {
        person,
        zone: frame::zone(world, person),
        now: world.clock.now(),
        back,
        alone,
    }
}

fn whole(
    desk: &Desk,
    title: &str,
    here: &str,
    asked: &Asked,
    headers: &HeaderMap,
    body: &Markup,
) -> Response {
    let page = Page {
        title,
        theme: theme(headers),
        flash: asked.said.as_deref(),
        here,
    };
    answer(&desk.world, &page, body)
}

/// A page as it is sent, also for the pages of the stand-ins.
pub(crate) fn answer(world: &World, page: &Page<'_>, body: &Markup) -> Response {
    let html = Html(document(world, page, body));
    (
        [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, "no-store"),
        ],
        html,
    )
        .into_response()
}

/// The look that the reader chose.
pub(crate) fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let value = cookies
        .split(';')
        .find_map(|c| c.trim().strip_prefix("theme="))?;
    ["light", "dark"].into_iter().find(|known| *known == value)
}

/// Letters, digits, dash and underscore of a text; enough for any id in an address.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect()
}

fn nobody(id: &str) -> Response {
    admin::refuse(StatusCode::NOT_FOUND, format!("{id:?} is nobody here"))
}
