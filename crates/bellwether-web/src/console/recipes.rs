//! The recipes that ship, as cards: what each does in the user's words, what it needs, whether it
//! is on. Filling one in is `flow_form`'s business.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::flow::{Catalog, Flow, Position, read};
use bellwether_engine::seam::Recipe;
use bellwether_engine::store::Document;
use maud::{Markup, html};

use super::flows::position_of;
use super::frame::Visit;
use crate::pieces::{Pill, chip, empty, encode, icon};
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// How many sentences of what a recipe does stand on its card.
const SENTENCES_MAX: usize = 3;

/// What a recipe needs besides what every server has.
#[derive(Clone, Debug, Default)]
struct Needs {
    /// Systems that must be connected, as people call them.
    systems: BTreeSet<&'static str>,
    /// Events that somebody's own system must hand in.
    handed_in: bool,
    /// Events that no public document of their provider describes: our convention.
    unverified: bool,
}

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let known = match web.app.registry.list("flow").await {
        Ok(flows) => flows,
        Err(error) => return visit.problem(&error.into()),
    };
    let recipes: Vec<(&Recipe, Flow, Needs)> = web
        .app
        .flows
        .recipes()
        .iter()
        .filter_map(|recipe| {
            let flow = understood(&web, recipe)?;
            let needs = needs(&web, &flow);
            Some((recipe, flow, needs))
        })
        .collect();
    let systems: BTreeSet<&str> = recipes
        .iter()
        .flat_map(|(_, _, needs)| needs.systems.iter().copied())
        .collect();
    let wanted = fields.get("needs").filter(|name| systems.contains(name));
    let shown = recipes
        .iter()
        .filter(|(_, _, needs)| wanted.is_none_or(|name| needs.systems.contains(name)));
    visit.page(
        "Recipes",
        &html! {
            p.lead.under-title {
                "Ready-made flows. Fill one in, look at what it would send, and let it run in "
                "shadow before it acts."
            }
            nav.chips aria-label="What a recipe needs" {
                (chip("/recipes", wanted.is_none(), "All"))
                @for name in &systems {
                    (chip(&format!("/recipes?needs={}", encode(name)), wanted == Some(name), name))
                }
            }
            @if recipes.is_empty() { (empty("This server ships no recipes.")) }
            ul.cards.wide {
                @for (recipe, flow, needs) in shown { (card(recipe, flow, needs, &known)) }
            }
        },
    )
}

fn understood(web: &Web, recipe: &Recipe) -> Option<Flow> {
    let catalog = Catalog {
        connectors: web.app.catalog,
    };
    let document = &recipe.document;
    match read(&document.text, &document.file, &catalog) {
        Ok(flow) => Some(flow),
        Err(problems) => {
            let count = problems.len();
            tracing::error!(recipe.name, count, "a recipe that ships cannot be read");
            None
        }
    }
}

/// Every system whose events start the flow.
fn needs(web: &Web, flow: &Flow) -> Needs {
    let mut out = Needs::default();
    let catalog = Catalog {
        connectors: web.app.catalog,
    };
    let events = flow.when.iter().flat_map(|trigger| &trigger.events);
    for event in events {
        let brings = web.app.catalog.iter().find_map(|def| {
            let trigger = def.triggers.iter().find(|trigger| trigger.event == event)?;
            Some((def.title, trigger.verified))
        });
        if let Some((title, verified)) = brings {
            out.systems.insert(title);
            out.unverified |= !verified;
        } else if catalog.trigger(event).is_none() {
            out.handed_in = true;
        }
    }
    out
}

/// The sentences that a card has room for; the form says all.
fn in_short(about: &str) -> &str {
    let ends = about.match_indices(". ").nth(SENTENCES_MAX - 1);
    ends.map_or(about, |(end, _)| &about[..=end])
}

fn card(recipe: &Recipe, flow: &Flow, needs: &Needs, known: &[Document]) -> Markup {
    let there = known.iter().find(|document| document.name == recipe.name);
    let link = format!("/recipes/{}", encode(recipe.name));
    html! {
        li.card.recipe {
            p.card-head {
                (icon("flow"))
                strong { a.quiet href=(link) { (words::title(recipe.name)) } }
                @if let Some(document) = there {
                    (position_pill(position_of(&document.body)).show())
                }
            }
            p { (clean(in_short(flow.about.trim()))) }
            p.pills {
                @for system in &needs.systems { (Pill::new("plain", "plug", *system).show()) }
                @if needs.handed_in {
                    (Pill::new("plain", "in", "Needs a webhook from your own system").show())
                } @else if needs.systems.is_empty() {
                    (Pill::new("plain", "check", "Works with what happens here").show())
                }
                @if needs.unverified {
                    (Pill::new("warn", "alert", "Some events are our convention").show())
                }
            }
            p { a href=(link) {
                @if there.is_some() { "Change or switch" } @else { "Set up" }
                span.hidden { " " (words::title(recipe.name)) }
            } }
        }
    }
}

/// The position of a flow as people read it.
pub(super) fn position_pill(position: Position) -> Pill {
    match position {
        Position::On => Pill::new("ok", "check", "on"),
        Position::Shadow => {
            let text = "shadow: records what it would do, sends nothing";
            Pill::new("info", "eye", text)
        }
        Position::Off => Pill::new("plain", "stop", "off"),
    }
}
