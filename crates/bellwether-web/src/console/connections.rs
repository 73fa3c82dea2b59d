//! Connections: how each is, in a sentence; what its ledger counted; test, read, recount, sweep.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::seam::ConnectionView;
use bellwether_engine::store::{LedgerCounts, Refusals};
use bellwether_model::connector::ConnectorDef;
use maud::{Markup, html};

use super::frame::{Visit, back};
use super::refusals;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, empty, encode, fact, icon};
use crate::problem::Problem;
use crate::text::clean;
use crate::web::Web;
use crate::words;

pub(crate) async fn list(State(web): State<Web>, visit: Visit) -> Response {
    let mut all = Vec::new();
    for view in web.app.connections.list().await {
        match web.app.connections.refusals(&view.name).await {
            Ok(refused) => all.push((view, refused)),
            Err(error) => return visit.problem(&error.into()),
        }
    }
    visit.page(
        "Connections",
        &html! {
            @if all.is_empty() {
                (empty("Nothing is connected yet. Add a connection to the configuration; \
                    these can be connected:"))
                dl.facts.wide {
                    @for def in web.app.catalog { div { dt { (def.title) } dd { (def.needs) } } }
                }
            }
            ul.cards { @for (view, refused) in &all { (card(&visit, view, refused)) } }
        },
    )
}

fn card(visit: &Visit, view: &ConnectionView, refused: &Refusals) -> Markup {
    let (state, sentence) = words::health(&view.health, visit.transport_now);
    html! {
        li.card.row-card {
            div {
                p.card-head {
                    (icon("plug"))
                    a href={ "/connections/" (encode(&view.name)) } {
                        strong { (clean(&view.name)) }
                    }
                    span.meta { (clean(visit.names.provider(&view.name))) }
                }
                p { (clean(&sentence)) }
                p.pills {
                    (state.show())
                    @if view.waiting > 0 { span.meta { (view.waiting) " waiting to be sent" } }
                    @if view.in_flight > 0 { span.meta { (view.in_flight) " being sent" } }
                    @for (name, health) in &view.parts {
                        @if let Some(trouble) = words::part_trouble(name, health) {
                            (trouble.show())
                        }
                    }
                    (refusals::pill(refused))
                }
            }
            (button(visit, &view.name, "test", "Test", ""))
        }
    }
}

/// A part of the link that has a health of its own.
fn part(name: &str, (state, sentence): &(Pill, String)) -> Markup {
    html! {
        div {
            dt { (clean(&words::plain(name))) }
            dd { (state.show()) " " span.meta { (clean(sentence)) } }
        }
    }
}

fn button(visit: &Visit, name: &str, verb: &str, label: &str, class: &str) -> Markup {
    html! {
        form method="post" action={ "/connections/" (encode(name)) "/" (verb) } {
            (visit.token())
            button type="submit" class=(class) { (label) }
        }
    }
}

pub(crate) async fn one(
    State(web): State<Web>,
    visit: Visit,
    Path(name): Path<String>,
) -> Response {
    let all = web.app.connections.list().await;
    let Some(view) = all.into_iter().find(|view| view.name == name) else {
        return visit.problem(&Problem::unknown("connection", &name));
    };
    let ledger = if view.has_source {
        match web.app.views.ledger(&name).await {
            Ok(counts) => Some(counts),
            Err(error) => return visit.problem(&error.into()),
        }
    } else {
        None
    };
    let refused = match web.app.connections.refusals(&name).await {
        Ok(refused) => refused,
        Err(error) => return visit.problem(&error.into()),
    };
    let (state, sentence) = words::health(&view.health, visit.transport_now);
    let def = web
        .app
        .catalog
        .iter()
        .find(|def| def.name == view.connector);
    visit.page(
        &view.name,
        &html! {
            p.under-title { (state.show()) }
            p.lead { (clean(&sentence)) }
            @if let Some(def) = def { p.meta { (def.summary) } }
            div.buttons {
                (button(&visit, &name, "test", "Test the connection", "primary"))
                @if view.has_source {
                    (button(&visit, &name, "read", "Read now", ""))
                    (button(&visit, &name, "recount", "Count what is missing", ""))
                    (button(&visit, &name, "sweep", "Take in what is missing", ""))
                }
            }
            dl.facts.wide {
                div { dt { "Connects to" } dd { (clean(visit.names.provider(&view.name))) } }
                div { dt { "Being sent" } dd { (view.in_flight) } }
                div { dt { "Waiting to be sent" } dd { (view.waiting) } }
                @for (name, health) in &view.parts {
                    (part(name, &words::part(health, visit.transport_now)))
                }
            }
            @if let Some(counts) = &ledger {
                @let mails = def.is_none_or(brings_mails);
                (numbers(&visit, counts, if mails { &MAILS } else { &RECORDS }))
            }
            (refusals::section(&visit, &refused))
        },
    )
}

/// How the things are called that a connection counts.
struct Counted {
    missing: &'static str,
    came: &'static str,
    against: &'static str,
    unmatched: &'static str,
    ignored: &'static str,
    gone: &'static str,
}

const MAILS: Counted = Counted {
    missing: "Missing mails",
    came: "Mails that came in",
    against: "the mailbox itself",
    unmatched: "nobody was notified about these",
    ignored: "drafts and our own mails",
    gone: "deleted in the mailbox",
};
const RECORDS: Counted = Counted {
    missing: "Missing records",
    came: "Records that came in",
    against: "the provider's own list",
    unmatched: "no flow begins with the record itself",
    ignored: "",
    gone: "no longer at the provider",
};

fn brings_mails(def: &&'static ConnectorDef) -> bool {
    let mut triggers = def.triggers.iter();
    triggers.any(|trigger| trigger.nouns.contains(&"mail"))
}

fn numbers(visit: &Visit, counts: &LedgerCounts, words: &Counted) -> Markup {
    let missing = if counts.gaps == 0 {
        Pill::new(
            "ok",
            "check",
            format!("0 of {}", counts.received + counts.gaps),
        )
    } else {
        Pill::new(
            "bad",
            "alert",
            format!("{} of {}", counts.gaps, counts.received + counts.gaps),
        )
    };
    let rows = [
        (words.came, counts.received, "each is in the record"),
        ("Taken by a flow", counts.matched, ""),
        ("Taken by no flow", counts.unmatched, words.unmatched),
        ("Not yet read", counts.pending, "known, read next"),
        (
            "Not readable",
            counts.failed,
            "in three attempts; a dead letter tells of each",
        ),
        ("Nothing for flows", counts.ignored, words.ignored),
        ("Gone before they were read", counts.gone, words.gone),
    ];
    html! {
        section aria-labelledby="ledger" {
            h2 #ledger { "What came in, counted" }
            dl.facts.wide {
                (fact(words.missing, &html! {
                    (missing.show()) " "
                    span.meta {
                        @match counts.counted_at {
                            Some(at) => {
                                "counted against " (words.against) ", "
                                (visit.time(at))
                            },
                            None => { "not counted against " (words.against) " yet" },
                        }
                    }
                }))
                @for (name, n, more) in rows {
                    (fact(name, &html! { (n) " " span.meta { (more) } }))
                }
                @if let Some(cursor) = &counts.cursor {
                    (fact("Read up to", &html! { code { (clean(cursor)) } }))
                }
            }
        }
    }
}

pub(crate) async fn verb(
    State(web): State<Web>,
    Path((name, verb)): Path<(String, String)>,
    _: Posted,
) -> Response {
    let connections = &web.app.connections;
    let counted =
        |word: &str, counted: Result<u64, bellwether_model::failure::Failure>| match counted {
            Ok(n) => Note::with(word, &n.to_string()),
            Err(failure) => Note::with("refused", &failure.to_string()),
        };
    let note = match verb.as_str() {
        "test" => match connections.test(&name).await {
            Ok(identity) => Note::with("works", &identity),
            Err(failure) => Note::with("fails", &failure.to_string()),
        },
        "read" if connections.read_now(&name).await => Note::new("reading"),
        "read" => Note::new("not_reading"),
        "recount" => counted("counted", connections.recount(&name).await),
        "sweep" => counted("swept", connections.sweep(&name).await),
        _ => Note::with("refused", "There is no such button."),
    };
    back(&format!("/connections/{}", encode(&name)), Some(&note))
}
