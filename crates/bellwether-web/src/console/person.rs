//! One person: who would be told now and how, what the directory says, absences with their form,
//! and who changed what. Nothing is decided here.

use axum::extract::{Path, State};
use axum::response::Response;
use bellwether_engine::calendar;
use bellwether_engine::store::Registry;
use bellwether_model::directory::{Away, AwaySource, Channel, Directory, Person, PushText};
use bellwether_model::time::Time;
use maud::{Markup, html};

use super::frame::{Visit, back};
use super::people_list::{link, person_link, reached_by, views};
use crate::api;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, columns, encode, fact};
use crate::problem::Problem;
use crate::text::clean;
use crate::web::Web;
use crate::when;

/// How many versions of the directory are looked at for changes of one person.
const VERSIONS_MAX: usize = 8;
/// How many deputies are followed in a sentence.
const DEPUTIES_MAX: usize = 10;

pub(crate) async fn page(State(web): State<Web>, visit: Visit, Path(id): Path<String>) -> Response {
    let directory = web.app.directory.current();
    let Some(person) = directory.people.get(&id) else {
        return visit.problem(&Problem::unknown("person", &id));
    };
    let changes = changes(&*web.app.registry, &id).await;
    let groups = directory.groups_of(&id, visit.now);
    visit.page(
        if person.name.is_empty() {
            &id
        } else {
            &person.name
        },
        &html! {
            (views(""))
            p.pills { (reached_by(person).show()) (state(person, visit.now).show()) }
            p.lead {
                "If a critical alert came now: " (clean(&told(&visit, &directory, person, true)))
                " A normal one: " (clean(&told(&visit, &directory, person, false)))
            }
            h2 { "Who it is" }
            (facts(&visit, &directory, person, &groups))
            h2 { "Away" }
            (absences(&visit, person))
            @if !changes.is_empty() { h2 { "What changed" } (changed(&visit, &changes)) }
            p { a href={ "/notifications?person=" (encode(&id)) } { "What was sent" } " · "
                a href={ "/people/usages?person=" (encode(&id)) } { "Assets in use" } }
        },
    )
}

fn state(person: &Person, now: Time) -> Pill {
    if person.inactive {
        Pill::new("plain", "stop", "left")
    } else if person.is_away(now) {
        Pill::new("warn", "clock", "away")
    } else if calendar::is_quiet(now, person).is_some() {
        Pill::new("info", "hold", "quiet hours")
    } else {
        Pill::new("ok", "check", "there")
    }
}

/// Who would be told now and how: a sentence that ends in a full stop.
fn told(visit: &Visit, directory: &Directory, person: &Person, urgent: bool) -> String {
    let now = visit.now;
    let mut at = person;
    let mut whom = String::new();
    for _ in 0..DEPUTIES_MAX {
        let next = if at.inactive {
            directory.successor(&at.id)
        } else if at.is_away(now) {
            directory.deputy_of(&at.id, now)
        } else {
            None
        };
        let Some(next) = next.filter(|next| next.id != at.id) else {
            break;
        };
        whom = format!("{}'s ", visit.names.full(&next.id));
        at = next;
    }
    if at.inactive {
        return "nobody but the owner, because he left and no manager takes over.".to_owned();
    }
    let late = if at.is_away(now) { " though away" } else { "" };
    let Some(address) = at.emails.first().filter(|_| at.phones(urgent).is_empty()) else {
        if at.phones(urgent).is_empty() {
            return "not at all, because there is neither a phone nor an address.".to_owned();
        }
        let quiet = calendar::is_quiet(now, at).filter(|_| !urgent);
        return match quiet {
            Some(until) => format!("{whom}phone, {}{late}.", when::clock(until, now, &at.zone)),
            None => format!("{whom}phone, at once{late}."),
        };
    };
    format!("{whom}mailbox {address}, at once{late}.")
}

fn facts(visit: &Visit, directory: &Directory, person: &Person, groups: &[&str]) -> Markup {
    let or_none = |text: String| {
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    };
    let plain = |text: String| html! { (clean(&text)) };
    let somebody = |id: Option<&String>| {
        html! { @match id { Some(id) => (person_link(visit, id)), None => "nobody" } }
    };
    let hours = &person.hours;
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days = hours
        .days
        .iter()
        .filter_map(|day| days.get(usize::try_from(*day).ok()? - 1));
    let days: Vec<&str> = days.copied().collect();
    let lead = person
        .team
        .as_deref()
        .and_then(|team| directory.lead_of(team));
    let quiet = person.quiet.map_or_else(
        || "none".to_owned(),
        |quiet| {
            format!(
                "{} to {}",
                quiet.from.strftime("%H:%M"),
                quiet.until.strftime("%H:%M")
            )
        },
    );
    let privacy = match person.privacy.unwrap_or_default() {
        PushText::Full => "as the flow says",
        PushText::Brief => "the title only",
        PushText::Hidden => "only that something waits",
    };
    let local = when::clock(visit.now, visit.now, &person.zone);
    html! {
        dl.facts.wide {
            (fact("Id", &html! { code { (clean(&person.id)) } }))
            (fact("Addresses", &plain(or_none(person.emails.join(", ")))))
            (fact("Roles", &plain(or_none(person.roles.join(", ")))))
            (fact("Team", &html! {
                (clean(person.team.as_deref().unwrap_or("none")))
                @if let Some(lead) = lead { " · led by " (clean(visit.names.full(&lead.id))) }
            }))
            (fact("Groups", &plain(or_none(groups.join(", ")))))
            (fact("Manager", &somebody(person.manager.as_ref())))
            (fact("Deputy", &somebody(person.deputy.as_ref())))
            (fact("Time zone", &plain(format!("{}, now {local}", person.zone.replace('_', " ")))))
            (fact("Language", &plain(or_none(person.language.clone()))))
            (fact("Works", &plain(format!("{} {} to {}", days.join(", "),
                hours.from.strftime("%H:%M"), hours.until.strftime("%H:%M")))))
            (fact("Quiet hours", &plain(quiet)))
            (fact("Calendars", &plain(or_none(person.calendars.join(", ")))))
            (fact("Prefers", &plain(wishes(person))))
            (fact("Pushes show", &plain(privacy.to_owned())))
            @if let Some(name) = &person.user_name {
                (fact("Kept by SCIM as", &plain(name.clone())))
            }
        }
    }
}

fn wishes(person: &Person) -> String {
    let way = |channel| match channel {
        Channel::Push => "phone",
        Channel::Mail => "mail",
    };
    let (normal, critical) = (way(person.channels.normal), way(person.channels.critical));
    if normal == critical {
        return normal.to_owned();
    }
    format!("{normal} for what is not urgent, {critical} for what is")
}

fn source(source: AwaySource) -> &'static str {
    match source {
        AwaySource::File => "set-up file",
        AwaySource::Himself => "said so himself",
        AwaySource::Csv => "imported list",
        AwaySource::Scim => "SCIM",
        AwaySource::Console => "console",
        AwaySource::Mailbox => "vacation answer of the mailbox",
    }
}

fn absences(visit: &Visit, person: &Person) -> Markup {
    let to = format!("{}/away", link(&person.id));
    html! {
        @if person.away.is_empty() { p.meta { "No absence is known." } } @else {
            table.rows {
                (columns(&["First day", "Last day", "Known from", ""]))
                tbody {
                    @for away in &person.away {
                        tr {
                            td.main { (away.from) }
                            td data-label="Last day" { (away.until) }
                            td data-label="Known from" { (source(away.source)) }
                            td data-label="" {
                                form method="post" action=(to) {
                                    (visit.token())
                                    input type="hidden" name="from" value=(away.from);
                                    input type="hidden" name="until" value=(away.until);
                                    input type="hidden" name="remove" value="yes";
                                    button.link type="submit" { "Take out" }
                                }
                            }
                        }
                    }
                }
            }
        }
        form.stack method="post" action=(to) {
            (visit.token())
            label for="from" { "First day away" }
            input id="from" name="from" type="date" required;
            label for="until" { "Last day away" }
            input id="until" name="until" type="date" required;
            button type="submit" { "Save absence" }
        }
    }
}

/// Puts an absence in, or takes one out.
pub(crate) async fn put_away(
    State(web): State<Web>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let field = |key: &str| posted.fields.get(key).unwrap_or_default();
    let remove = field("remove") == "yes";
    let done = match Away::of_words(field("from"), field("until"), AwaySource::Console) {
        Err(why) => Err(why),
        Ok(new) => {
            let how = |now: &Directory| api::away(now, &id, new, remove);
            let changed = api::change(&web, &posted.actor, how).await;
            changed.map(|_| new).map_err(|error| error.to_string())
        }
    };
    let note = match done {
        Ok(away) if remove => Note::with("said", &format!("No longer away from {}.", away.from)),
        Ok(away) => Note::with(
            "said",
            &format!("Away from {} to {}.", away.from, away.until),
        ),
        Err(why) => Note::with("refused", &why),
    };
    back(&link(&id), Some(&note))
}

/// A change of one person: when, who, what.
struct Change {
    at: Time,
    by: String,
    what: String,
}

/// The latest changes of one person, newest first.
async fn changes(registry: &dyn Registry, id: &str) -> Vec<Change> {
    let versions = registry.history("directory", "people", VERSIONS_MAX).await;
    let versions = versions.unwrap_or_default();
    let only = |body: &serde_json::Value| {
        let person = body
            .get("people")
            .and_then(|people| people.get(id))
            .cloned();
        let people = person.map(|person| (id.to_owned(), person));
        let people: serde_json::Map<_, _> = people.into_iter().collect();
        let body = serde_json::json!({ "people": people });
        serde_json::from_value::<Directory>(body).unwrap_or_default()
    };
    let pairs = versions.iter().zip(versions.iter().skip(1));
    let changed = pairs.filter_map(|(new, old)| {
        let differences = only(&old.body).differences(&only(&new.body));
        let what: Vec<String> = differences
            .iter()
            .map(|one| {
                let fields = one.fields.iter();
                let fields =
                    fields.map(|(name, before, after)| format!("{name} {before} → {after}"));
                let fields: Vec<String> = fields.collect();
                if fields.is_empty() {
                    one.how.to_owned()
                } else {
                    fields.join("; ")
                }
            })
            .collect();
        (!what.is_empty()).then(|| Change {
            at: new.at,
            by: new.actor.clone(),
            what: what.join("; "),
        })
    });
    changed.collect()
}

fn changed(visit: &Visit, changes: &[Change]) -> Markup {
    html! {
        ul.noted {
            @for change in changes {
                li {
                    (crate::pieces::time(change.at, visit.transport_now, visit.names.zone()))
                    " " (clean(&crate::words::actor(&change.by))) ": " (clean(&change.what))
                }
            }
        }
    }
}
