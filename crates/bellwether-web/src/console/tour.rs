//! The first ten minutes: what to look at and to press, one step after the other, each ticked off
//! from the record; and what using it for real takes.

use axum::extract::State;
use axum::response::Response;
use bellwether_engine::store::{ListQuery, RunRow};
use maud::{Markup, html};

use super::frame::Visit;
use crate::pieces::{Pill, icon};
use crate::problem::Problem;
use crate::web::Web;

/// The recipe that the tour begins with.
const FIRST: &str = "approval-mail";
/// The recipe with a list instead of a storm.
const LISTS: &str = "licence-watch";

/// What the record has already.
#[derive(Debug, Default)]
struct Seen {
    /// A question that somebody was asked.
    asked: Option<RunRow>,
    /// A question that was decided.
    decided: Option<RunRow>,
    /// A list of licences.
    listed: bool,
    /// Whether the first recipe is a flow here.
    installed: bool,
    /// Whether there is a form for it.
    ships: bool,
}

/// One step.
struct Step {
    done: bool,
    title: &'static str,
    text: &'static str,
    links: Links,
}

/// Where, and what stands on it.
type Links = Vec<(String, &'static str)>;

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let seen = match seen(&web).await {
        Ok(seen) => seen,
        Err(problem) => return visit.problem(&problem),
    };
    let stand_ins = web.app.web.sandbox_url.as_deref();
    let steps = steps(&seen, stand_ins);
    let next = steps.iter().position(|step| !step.done);
    visit.page(
        "The first ten minutes",
        &html! {
            p.lead.under-title {
                @match stand_ins {
                    Some(_) => "Everything runs on this machine, nothing leaves it. Phones and \
                        mailboxes are stand-ins; the server is the real one.",
                    None => "What there is to see. The phones and mailboxes of the tour are part \
                        of the demo: run bellwether demo.",
                }
            }
            ol.timeline {
                @for (number, step) in steps.iter().enumerate() {
                    (show(step, next == Some(number)))
                }
            }
            (for_real(&web))
        },
    )
}

async fn seen(web: &Web) -> Result<Seen, Problem> {
    let latest = |flow: &str, status: Option<&str>| {
        web.app.views.runs(ListQuery {
            flow: Some(flow.to_owned()),
            status: status.map(str::to_owned),
            limit: 1,
            ..ListQuery::default()
        })
    };
    let asked = latest(FIRST, None).await?.items.pop();
    let decided = latest(FIRST, Some("closed")).await?.items.pop();
    let listed = !latest(LISTS, None).await?.items.is_empty();
    let installed = web.app.registry.get("flow", FIRST).await?.is_some();
    let recipes = web.app.flows.recipes();
    Ok(Seen {
        asked,
        decided,
        listed,
        installed,
        ships: recipes.iter().any(|recipe| recipe.name == FIRST),
    })
}

/// The steps with whatever there is to go to: no link leads nowhere.
fn steps(seen: &Seen, stand_ins: Option<&str>) -> Vec<Step> {
    let mut steps = of_the_first_mail(seen, stand_ins);
    steps.extend(further(seen, stand_ins));
    steps
}

fn step(done: bool, title: &'static str, text: &'static str, links: Links) -> Step {
    Step {
        done,
        title,
        text,
        links,
    }
}

/// A place among the stand-ins.
fn outside(stand_ins: Option<&str>, place: &str, words: &'static str) -> Links {
    let link = stand_ins.map(|url| (format!("{}/{place}", url.trim_end_matches('/')), words));
    link.into_iter().collect()
}

/// From the mail to its answer, and why.
fn of_the_first_mail(seen: &Seen, stand_ins: Option<&str>) -> Vec<Step> {
    let (asked, decided) = (seen.asked.is_some(), seen.decided.is_some());
    let case = seen.decided.as_ref().or(seen.asked.as_ref());
    let of_case = case.map(|run| (format!("/cases/{}", run.id), "The case"));
    let why = case.and_then(|run| run.opened_by);
    let why = why.map(|at| (format!("/events/{at}"), "What came in"));
    vec![
        step(
            asked,
            "A purchase order comes by mail",
            "The mailbox for approvals takes it in; amount and vendor are read from its text.",
            outside(stand_ins, "people/approvals", "The mailbox"),
        ),
        step(
            decided,
            "Press Approve on Alice's phone. Yes, you",
            "What she presses first counts, on whichever device. Press Reject on the same push \
             then: it is refused, and says who decided when.",
            outside(stand_ins, "people/alice", "Alice's phone"),
        ),
        step(
            decided,
            "Read the answer in the mail thread",
            "The sender gets it where he asked, with the name of whoever decided.",
            outside(stand_ins, "people/ariba", "The sender's mailbox"),
        ),
        step(
            false,
            "Look at the whole case",
            "Mail, push, decision and answer on one line of time. Its record is sealed: what is \
             changed afterwards is found.",
            of_case.into_iter().collect(),
        ),
        step(
            false,
            "Ask why somebody was told, or was not",
            "Choose Dora below what came in: the answer is a sentence, from the record.",
            why.into_iter().collect(),
        ),
    ]
}

/// What else there is to try.
fn further(seen: &Seen, stand_ins: Option<&str>) -> Vec<Step> {
    let mut recipes = vec![("/recipes".to_owned(), "All recipes")];
    recipes.extend(
        seen.ships
            .then(|| (format!("/recipes/{FIRST}"), "Approval mails")),
    );
    let text = seen
        .installed
        .then(|| (format!("/flows/{FIRST}/text"), "The text"));
    vec![
        step(
            seen.listed,
            "See a list instead of a storm",
            "Sixty licences that end are one push and one page with sixty rows, in each reader's \
             own morning.",
            vec![(format!("/cases?flow={LISTS}"), "The lists")],
        ),
        step(
            false,
            "Change a recipe and look before it acts",
            "Let approvals above 2,000 EUR go to the CFO, then press the button that tries it on \
             what happened. Nothing is sent.",
            recipes,
        ),
        step(
            false,
            "Break a flow on purpose",
            "Take a word out of its text and save: line, column and what to write instead. What \
             runs goes on.",
            text.into_iter().collect(),
        ),
        step(
            false,
            "Let a provider fail",
            "Below the phones, let pushes fail for a minute and send an order: the question waits, \
             is tried again, and arrives once.",
            outside(stand_ins, "#stand-ins", "The stand-ins"),
        ),
        step(
            false,
            "See what each person would get now",
            "Phone, quiet hours, deputy and days away; and who would be told instead.",
            vec![("/people".to_owned(), "People")],
        ),
    ]
}

fn show(step: &Step, is_next: bool) -> Markup {
    html! {
        li {
            span.mark { (icon(if step.done { "check" } else { "dot" })) }
            div {
                p {
                    strong { (step.title) }
                    @if step.done { " " (Pill::new("ok", "check", "done").show()) }
                    @if is_next { " " (Pill::new("warn", "clock", "next").show()) }
                }
                p { (step.text) }
                @if !step.links.is_empty() {
                    p.pills { @for (link, words) in &step.links { a href=(link) { (words) } } }
                }
            }
        }
    }
}

/// What it takes with real accounts, in the words of each connector.
fn for_real(web: &Web) -> Markup {
    let steps = [
        (
            "/people",
            "People",
            "Five minutes: a CSV file, or SCIM from your directory.",
        ),
        ("/recipes", "Pick recipes", "Each says what it needs."),
        (
            "/flows",
            "A week in shadow",
            "They decide and send nothing; you see what they would have sent.",
        ),
    ];
    html! {
        section aria-labelledby="real" {
            h2 #real { "Use it for real" }
            ol {
                @for def in web.app.catalog {
                    li { a href="/connections" { (def.title) } ": " (def.needs) }
                }
                @for (link, name, takes) in steps {
                    li { a href=(link) { (name) } ": " (takes) }
                }
            }
        }
    }
}
