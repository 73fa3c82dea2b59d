//! What could not be done, with its reason: tried again as it is, written otherwise, or many at
//! once.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::seam::Amended;
use bellwether_engine::store::{DeadLetterRow, EffectRow, Page};
use maud::{Markup, html};
use serde_json::Value;

use super::frame::{Visit, back};
use crate::api::SETTLED_WORDS;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, chip, empty, next};
use crate::problem::Problem;
use crate::query::{Fields, LIMIT_MAX, id_of};
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// The form that the marks belong to.
const MARKED: &str = "marked";

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let query = match fields.list(&SETTLED_WORDS) {
        Ok(query) => query,
        Err(problem) => return visit.problem(&problem),
    };
    let page = match web.app.views.dead_letters(query.clone()).await {
        Ok(page) => page,
        Err(error) => return visit.problem(&error.into()),
    };
    let chips = [
        (None, "all"),
        (Some("open"), "open"),
        (Some("settled"), "settled"),
    ];
    visit.page("Not delivered", &html! {
        nav.chips aria-label="Filters" {
            @for (word, name) in chips {
                @let filter = word.map_or_else(String::new, |word| format!("?status={word}"));
                (chip(&format!("/not-delivered{filter}"), word == query.status.as_deref(), name))
            }
        }
        (rows(&visit, &page))
        (next("/not-delivered", &query, page.next.as_ref()))
    })
}

/// Where one is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// On its own page.
    Alone,
    /// In a list that has one to try.
    Listed,
    /// Among others that can be marked.
    Among,
}

fn rows(visit: &Visit, page: &Page<DeadLetterRow>) -> Markup {
    if page.items.is_empty() {
        return empty("Everything has been delivered.");
    }
    let open = page.items.iter().filter(|row| row.settled_at.is_none());
    let several = open.count() > 1;
    let shown = if several { Shown::Among } else { Shown::Listed };
    html! {
        p.meta { (page.total) " in all" }
        ul.cards { @for row in &page.items { (one(visit, row, shown)) } }
        @if several {
            form.pick id=(MARKED) method="post" action="/not-delivered/retry" {
                (visit.token())
                button type="submit" { "Try the marked ones again" }
            }
        }
    }
}

fn one(visit: &Visit, row: &DeadLetterRow, shown: Shown) -> Markup {
    let state = if row.settled_at.is_some() {
        Pill::new("plain", "check", "settled")
    } else {
        Pill::new("bad", "alert", "not delivered")
    };
    html! {
        li.card.row-card {
            div {
                p { (clean(&row.reason)) }
                p.pills {
                    (state.show())
                    span.meta { (visit.time(row.at)) " · " (clean(&words::plain(&row.code))) }
                    @if let Some(person) = &row.person {
                        span.meta { "to " (clean(visit.names.full(person))) }
                    }
                    @if let Some(run) = row.run { a href={ "/cases/" (run) } { "case" } }
                    @if let Some(event) = row.event {
                        a href={ "/events/" (event) } { "what came in" }
                    }
                    @if let Some(at) = row.settled_at { span.meta { "settled " (visit.time(at)) } }
                    @if row.settled_at.is_none() && row.effect.is_some() && shown != Shown::Alone {
                        a href={ "/not-delivered/" (row.id) } { "change it" }
                    }
                    @if row.settled_at.is_none() && shown == Shown::Among {
                        label.meta {
                            input type="checkbox" form=(MARKED) name="letter" value=(row.id) checked;
                            " mark"
                        }
                    }
                }
            }
            @if row.settled_at.is_none() {
                form method="post" action={ "/not-delivered/" (row.id) "/retry" } {
                    (visit.token())
                    button type="submit" { "Try again" }
                }
            }
        }
    }
}

/// One that can be written otherwise before it is sent once more.
pub(crate) async fn change(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let read = async {
        let letter = web
            .app
            .views
            .dead_letter(id_of("dead letter", &id)?)
            .await?;
        let letter = letter.ok_or_else(|| Problem::unknown("dead letter", &id))?;
        let run = match letter.run {
            Some(run) => web.app.views.run(run).await?,
            None => None,
        };
        let effects = run.map(|run| run.effects).unwrap_or_default();
        let effect = effects
            .into_iter()
            .find(|one| Some(one.id) == letter.effect);
        Ok::<_, Problem>((letter, effect))
    };
    match read.await {
        Ok((letter, effect)) => visit.page(
            "Change and try again",
            &html! {
                ul.cards { (one(&visit, &letter, Shown::Alone)) }
                @if letter.settled_at.is_none() { (form(&visit, &letter, effect.as_ref())) }
                p { a href="/not-delivered" { "All that was not delivered" } }
            },
        ),
        Err(problem) => visit.problem(&problem),
    }
}

fn form(visit: &Visit, letter: &DeadLetterRow, effect: Option<&EffectRow>) -> Markup {
    let args: Value = effect
        .and_then(|effect| serde_json::from_str(&effect.args).ok())
        .unwrap_or_default();
    let of = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| args[name].as_str());
        found.map(str::to_owned)
    };
    let (title, text) = (of(["subject", "title"]), of(["body", "text"]));
    let to = args["to"][0].as_str();
    let is_question = args["choices"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    if is_question {
        return html! { p { "It asks for a decision, so its words stay as they are: what is decided \
        must be what was asked. Mend what kept it from arriving, then try it again." } };
    }
    if title.is_none() && text.is_none() {
        return html! { p { "It has no words that could be written otherwise." } };
    }
    html! {
        form.stack method="post" action={ "/not-delivered/" (letter.id) "/retry" } {
            (visit.token())
            @if let Some(to) = to {
                label for="to" { "To" }
                input id="to" name="to" type="email" required value=(to) maxlength="254";
            }
            @if let Some(title) = &title {
                label for="title" { "Title" }
                input id="title" name="title" value=(title) maxlength="500";
            }
            @if let Some(text) = &text {
                label for="words" { "Text" }
                textarea id="words" name="text" rows="8" maxlength="20000" { (text) }
            }
            button.primary type="submit" { "Send it like this" }
        }
    }
}

pub(crate) async fn retry(
    State(web): State<Web>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let fields = &posted.fields;
    // A text that was emptied is not the same as one that was not shown.
    let written = |name: &str| {
        fields
            .has(name)
            .then(|| fields.text(name).unwrap_or_default())
    };
    let changes = Amended {
        title: written("title"),
        text: written("text").map(|text| text.replace("\r\n", "\n")),
        to: written("to"),
    };
    let (path, note) = match id_of("dead letter", &id) {
        Err(_) => ("/not-delivered".to_owned(), Note::new("not_retried")),
        Ok(letter) => match web.app.intake.retry(letter, &changes, &posted.actor).await {
            Ok(true) => ("/not-delivered".to_owned(), Note::new("retried")),
            Ok(false) => ("/not-delivered".to_owned(), Note::new("not_retried")),
            Err(error) => (
                format!("/not-delivered/{letter}"),
                Note::with("refused", &error.to_string()),
            ),
        },
    };
    back(&path, Some(&note))
}

/// All that are marked, one after the other; what cannot be tried does not hold up the rest.
pub(crate) async fn retry_marked(State(web): State<Web>, posted: Posted) -> Response {
    let (mut tried, mut settled, mut refused) = (0, 0, Vec::new());
    for id in posted.fields.every("letter").take(LIMIT_MAX) {
        let Ok(letter) = id_of("dead letter", id) else {
            continue;
        };
        let same = Amended::default();
        match web.app.intake.retry(letter, &same, &posted.actor).await {
            Ok(true) => tried += 1,
            Ok(false) => settled += 1,
            Err(error) => refused.push(error.to_string()),
        }
    }
    let note = match (tried, settled, refused.first()) {
        (0, 0, None) => Note::with("unsaid", "Nothing was marked."),
        (_, _, Some(why)) => Note::with("refused", &format!("{tried} are tried again; {why}")),
        (_, 0, None) => Note::with("said", &format!("{tried} are tried again.")),
        (_, _, None) => Note::with(
            "said",
            &format!("{tried} are tried again; {settled} were settled before."),
        ),
    };
    back("/not-delivered", Some(&note))
}
