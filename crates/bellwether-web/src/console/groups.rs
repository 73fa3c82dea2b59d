//! Groups and teams: who is meant by their names, and a form for what a group holds.

use axum::extract::State;
use axum::response::Response;
use bellwether_model::directory::{Directory, Group};
use maud::{Markup, html};
use serde_json::json;

use super::frame::{Visit, back};
use super::people_list::{person_link, views};
use crate::api;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{columns, empty, encode, icon};
use crate::text::clean;
use crate::web::Web;

/// How many people a card names.
const NAMED_MAX: usize = 12;
/// How many groups and teams the page shows; the API has all of them.
const SHOWN_MAX: usize = 200;

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let directory = web.app.directory.current();
    let teams = directory.team_names();
    visit.page(
        "Groups",
        &html! {
            (views("/people/groups"))
            @if directory.groups.is_empty() {
                (empty("No group yet. A group is a list that flows call by one name: group partners."))
            } @else {
                ul.cards {
                    @for (name, group) in directory.groups.iter().take(SHOWN_MAX) {
                        (card(&visit, &directory, name, group))
                    }
                }
            }
            h2 { "A new group" }
            (form(&visit, None))
            h2 { "Teams" }
            @if teams.is_empty() {
                (empty("Nobody belongs to a team. The column team of an import says who does."))
            } @else { (team_rows(&visit, &directory, &teams)) }
        },
    )
}

fn card(visit: &Visit, directory: &Directory, name: &str, group: &Group) -> Markup {
    let people = directory.in_group(name, visit.now);
    let title = if group.name.is_empty() {
        name
    } else {
        &group.name
    };
    html! {
        li.card {
            p.card-head {
                (icon("person")) strong { (clean(title)) } code { "group " (clean(name)) }
                span.meta { (people.len()) " people now" }
            }
            p {
                @for (n, person) in people.iter().take(NAMED_MAX).enumerate() {
                    @if n > 0 { ", " } (clean(visit.names.full(&person.id)))
                }
                @if people.len() > NAMED_MAX { " and " (people.len() - NAMED_MAX) " more" }
                @if people.is_empty() { "Nobody: what is put to this group goes to the owner." }
            }
            details.raw { summary { "Change" } (form(visit, Some((name, group)))) }
        }
    }
}

fn form(visit: &Visit, known: Option<(&str, &Group)>) -> Markup {
    let (name, members) = known.map_or((String::new(), String::new()), |(name, group)| {
        (name.to_owned(), group.members.join("\n"))
    });
    let id = if name.is_empty() {
        "new".to_owned()
    } else {
        encode(&name)
    };
    html! {
        form.stack method="post" action="/people/groups" {
            (visit.token())
            @if known.is_some() { input type="hidden" name="name" value=(name); } @else {
                label for="name" { "Name" }
                input id="name" name="name" required maxlength="128" autocomplete="off";
            }
            label for={ "members-" (id) } {
                "Members " span.meta { "one on a line: alice · role legal · team brand · group agencies · on duty it-ops" }
            }
            textarea id={ "members-" (id) } name="members" rows="4" { (members) }
            button type="submit" { "Save group" }
        }
    }
}

fn team_rows(visit: &Visit, directory: &Directory, teams: &[&str]) -> Markup {
    html! {
        table.rows {
            (columns(&["Team", "Led by", "People"]))
            tbody {
                @for team in teams.iter().take(SHOWN_MAX) {
                    tr {
                        td.main { (clean(team)) }
                        td data-label="Led by" {
                            @match directory.lead_of(team) {
                                Some(lead) => (person_link(visit, &lead.id)),
                                None => "nobody",
                            }
                        }
                        td data-label="People" {
                            a href={ "/people?team=" (encode(team)) } {
                                (directory.in_team(team).len())
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Saves what a group holds; without members it is taken out.
pub(crate) async fn put(State(web): State<Web>, posted: Posted) -> Response {
    let field = |key: &str| posted.fields.get(key).unwrap_or_default();
    let name = field("name").trim().to_owned();
    let members = field("members").lines().map(str::trim);
    let members: Vec<&str> = members.filter(|line| !line.is_empty()).collect();
    let gone = members.is_empty();
    let changed = api::change(&web, &posted.actor, |now| {
        let before = now.groups.get(&name).cloned().unwrap_or_default();
        let body =
            json!({ "name": before.name, "members": members, "external_id": before.external_id });
        let body = if gone { serde_json::Value::Null } else { body };
        now.changed(&json!({ "groups": { name.as_str(): body } }))
    });
    let note = match changed.await {
        Ok(_) if gone => Note::with("said", &format!("The group {name} is gone.")),
        Ok(_) => Note::with("said", &format!("The group {name} is saved.")),
        Err(error) => Note::with("refused", &error.to_string()),
    };
    back("/people/groups", Some(&note))
}
