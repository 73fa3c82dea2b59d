//! Everybody in the directory: who can be reached, who is away, and what is wrong with it. One
//! person, groups, rotas and customers have pages of their own; users of other systems too.

use axum::extract::State;
use axum::response::Response;
use bellwether_model::directory::{Directory, Person};
use maud::{Markup, html};

use super::frame::Visit;
use crate::pieces::{Pill, chip, columns, empty, encode, icon};
use crate::problem::Problem;
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;
use crate::when;

/// How many people one page shows.
const PAGE: usize = 100;
/// How many findings the page shows; the API has all of them.
const FINDINGS_MAX: usize = 20;

/// The pages about people.
const VIEWS: [(&str, &str); 7] = [
    ("/people", "everybody"),
    ("/people/groups", "groups"),
    ("/people/rotas", "on duty"),
    ("/people/customers", "customers"),
    ("/people/unknown", "not known yet"),
    ("/people/unknown?status=known", "known elsewhere"),
    ("/people/usages", "who uses what"),
];

/// The links between them.
pub(super) fn views(here: &str) -> Markup {
    html! {
        nav.chips aria-label="Views" {
            @for (path, name) in VIEWS { (chip(path, path == here, name)) }
        }
    }
}

/// The address of a person's page.
pub(super) fn link(id: &str) -> String {
    format!("/people/person/{}", encode(id))
}

/// A person as a link with his name.
pub(super) fn person_link(visit: &Visit, id: &str) -> Markup {
    html! {
        a.quiet.with-icon href=(link(id)) { (icon("person")) (clean(visit.names.full(id))) }
    }
}

pub(crate) async fn page(State(web): State<Web>, visit: Visit, fields: Fields) -> Response {
    let read = || {
        fields.only(&["show", "team", "role", "after"])?;
        match fields.get("show") {
            None | Some("unreachable" | "away" | "left") => Ok(fields.get("show")),
            Some(_) => Err(Problem::bad("show may be unreachable, away or left")),
        }
    };
    let show = match read() {
        Ok(show) => show,
        Err(problem) => return visit.problem(&problem),
    };
    let directory = web.app.directory.current();
    let wanted = |person: &&Person| {
        let state = match show {
            Some("unreachable") => !person.inactive && person.push.is_empty(),
            Some("away") => !person.inactive && person.is_away(visit.now),
            Some("left") => person.inactive,
            _ => !person.inactive,
        };
        let is = |has: &str, key: &str| {
            let wanted = fields.get(key);
            wanted.is_none_or(|wanted| has.eq_ignore_ascii_case(wanted))
        };
        let held = fields.get("role").is_none() || person.roles.iter().any(|role| is(role, "role"));
        state && held && is(person.team.as_deref().unwrap_or_default(), "team")
    };
    let after = fields.get("after").unwrap_or_default();
    let found: Vec<&Person> = directory.people.values().filter(wanted).collect();
    let rest = found.iter().filter(|person| person.id.as_str() > after);
    let shown: Vec<&Person> = rest.take(PAGE).copied().collect();
    let more = shown
        .last()
        .filter(|last| found.last().is_some_and(|end| end.id != last.id));
    visit.page(
        "People",
        &html! {
            (views(if show.is_none() { "/people" } else { "" }))
            @if directory.people.is_empty() {
                (empty("Nobody yet. Import a list with bellwether import people FILE.csv \
                        (bellwether export people prints a filled example), or connect SCIM."))
            } @else {
                (tiles(&directory, &visit))
                (findings(&directory))
                @if let Some(word) = show { (shown_only(word)) }
                @if shown.is_empty() { (empty("Nobody like that.")) } @else {
                    (rows(&visit, &directory, &shown))
                }
                @if let Some(last) = more {
                    nav.pager aria-label="Pages" {
                        a href={ "/people?" (pairs(&fields)) "after=" (encode(&last.id)) } { "More" }
                    }
                }
            }
        },
    )
}

fn pairs(fields: &Fields) -> String {
    let given = ["show", "team", "role"].into_iter();
    let given = given.filter_map(|key| Some((key, fields.get(key)?)));
    given
        .map(|(key, value)| format!("{key}={}&", encode(value)))
        .collect()
}

fn shown_only(word: &str) -> Markup {
    let text = match word {
        "unreachable" => "Without a phone. What is put to them goes to them as mail.",
        "away" => "Away today. What is put to them goes to who stands in for them.",
        _ => "They left. What was put to them is their manager's.",
    };
    html! { p.meta { (text) " " a href="/people" { "Show everybody" } } }
}

fn tiles(directory: &Directory, visit: &Visit) -> Markup {
    let active: Vec<&Person> = directory.people.values().filter(|p| !p.inactive).collect();
    let reached = active
        .iter()
        .filter(|person| !person.push.is_empty())
        .count();
    let away = active
        .iter()
        .filter(|person| person.is_away(visit.now))
        .count();
    let left = directory.people.len() - active.len();
    let tile = |path: &str, tone: &str, sign: &str, name: &str, number: String, more: String| {
        html! {
            a.tile.(tone) href=(path) {
                span.tile-name { (icon(sign)) (name) }
                span.number { (number) }
                span.meta { (more) }
            }
        }
    };
    let missing = active.len() - reached;
    let tone = if missing == 0 { "ok" } else { "warn" };
    let without = match missing {
        0 => "everybody".to_owned(),
        n => format!("{n} without a phone"),
    };
    html! {
        div.tiles {
            (tile("/people?show=unreachable", tone, "phone", "Reachable by push",
                format!("{reached}/{}", active.len()), without))
            (tile("/people?show=away", "plain", "clock", "Away today", away.to_string(),
                "their deputies are asked".to_owned()))
            (tile("/people?show=left", "plain", "person", "Left", left.to_string(),
                "their managers decide".to_owned()))
        }
    }
}

fn findings(directory: &Directory) -> Markup {
    let all = directory.findings();
    html! {
        @if !all.is_empty() {
            details.raw open[all.len() <= 3] {
                summary { (all.len()) " things to look at in the directory" }
                ul.noted {
                    @for finding in all.iter().take(FINDINGS_MAX) {
                        li { (clean(&finding.message)) }
                    }
                    @if all.len() > FINDINGS_MAX { li { "and more: see /api/directory" } }
                }
            }
        }
    }
}

fn rows(visit: &Visit, directory: &Directory, shown: &[&Person]) -> Markup {
    html! {
        table.rows {
            (columns(&["Name", "Reached by", "Roles", "Team", "Deputy", "There"]))
            tbody {
                @for person in shown {
                    tr {
                        td.main {
                            (person_link(visit, &person.id))
                            @if directory.owner.as_ref() == Some(&person.id) {
                                " " span.meta { "owner" }
                            }
                        }
                        td data-label="Reached by" { (reached_by(person).show()) }
                        td data-label="Roles" { (clean(&person.roles.join(", "))) }
                        td data-label="Team" { (clean(person.team.as_deref().unwrap_or("–"))) }
                        td data-label="Deputy" {
                            @match &person.deputy {
                                Some(id) => (clean(visit.names.full(id))),
                                None => "–",
                            }
                        }
                        td data-label="There" { (there(visit, person)) }
                    }
                }
            }
        }
    }
}

/// How somebody is reached, in a word.
pub(super) fn reached_by(person: &Person) -> Pill {
    match (person.push.len(), person.emails.is_empty()) {
        (1, _) => Pill::new("ok", "phone", "phone"),
        (n @ 2.., _) => Pill::new("ok", "phone", format!("{n} phones")),
        (0, false) => Pill::new("warn", "mail", "mail only"),
        (0, true) => Pill::new("bad", "cross", "not at all"),
    }
}

fn there(visit: &Visit, person: &Person) -> Markup {
    let clock = when::clock(visit.now, visit.now, &person.zone);
    html! {
        @if person.inactive {
            (Pill::new("plain", "stop", "left").show())
        } @else if person.is_away(visit.now) {
            (Pill::new("warn", "clock", "away").show())
        } @else {
            span.meta { (clock) " " (person.zone.rsplit('/').next().unwrap_or_default().replace('_', " ")) }
        }
    }
}
