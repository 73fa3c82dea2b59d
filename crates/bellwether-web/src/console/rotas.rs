//! Rotas: who is on duty now and next, a strip of the coming week, and a form for changing places.

use axum::extract::State;
use axum::response::Response;
use bellwether_model::directory::{Directory, Rota, Slot};
use bellwether_model::time::{Millis, Time};
use maud::{Markup, html};
use serde_json::json;

use super::frame::{Visit, back};
use super::people_list::{person_link, views};
use crate::api;
use crate::guard::Posted;
use crate::note::Note;
use crate::pieces::{Pill, columns, empty, encode, icon};
use crate::text::{clean, short};
use crate::web::Web;
use crate::when;

/// How many days the strip shows.
const DAYS: usize = 7;
/// How many rotas the page shows; the API has all of them.
const SHOWN_MAX: usize = 50;
/// The width of the strip's drawing.
const WIDTH: i64 = 560;
/// The most stretches that are listed below it.
const LISTED_MAX: usize = 30;
/// The grounds of the people of a strip, by turns. They mean nothing, so they are no colours of
/// states.
const GROUNDS: [&str; 3] = ["var(--sunk)", "var(--card)", "var(--line)"];

pub(crate) async fn page(State(web): State<Web>, visit: Visit) -> Response {
    let directory = web.app.directory.current();
    visit.page(
        "On duty",
        &html! {
            (views("/people/rotas"))
            @if directory.rotas.is_empty() {
                (empty("No rota yet. Write one under rotas: in a file and import it with \
                        bellwether import people FILE.yaml; flows call it by on_duty('it-ops')."))
            }
            datalist id="people" {
                @for (id, name) in visit.names.all().take(2000) {
                    option value=(id) { (clean(name)) }
                }
            }
            @for (name, rota) in directory.rotas.iter().take(SHOWN_MAX) {
                (section(&visit, &directory, name, rota))
            }
        },
    )
}

fn section(visit: &Visit, directory: &Directory, name: &str, rota: &Rota) -> Markup {
    let title = if rota.name.is_empty() {
        name
    } else {
        &rota.name
    };
    let days = days(visit.now, &rota.zone);
    let (from, until) = (days[0], days[DAYS]);
    let slots = rota.slots(from, until);
    let duty = api::duty(directory, name, rota, visit.now);
    let moments: Vec<String> = rota.hand_over.iter().map(ToString::to_string).collect();
    html! {
        h2 { (clean(title)) }
        p.meta {
            code { "on duty " (clean(name)) } " · hands over " (moments.join(", "))
            " · " (rota.zone.replace('_', " "))
        }
        @match &duty {
            Some(duty) => (now_and_next(visit, rota, duty)),
            None => p { (Pill::new("bad", "cross", "nobody").show())
                " Nobody is a member: alerts go to the owner." },
        }
        p { (strip(visit, rota, &days, &slots)) }
        details.raw {
            summary { "The week in words" }
            table.rows {
                (columns(&["From", "Until", "On duty"]))
                tbody {
                    @for slot in slots.iter().take(LISTED_MAX) {
                        tr {
                            td.main { (when::clock(slot.from, visit.now, &rota.zone)) }
                            td data-label="Until" { (when::clock(slot.until, visit.now, &rota.zone)) }
                            td data-label="On duty" {
                                (person_link(visit, &slot.person))
                                @if slot.is_override { " " span.meta { "changed places" } }
                            }
                        }
                    }
                }
            }
        }
        details.raw { summary { "Change places" } (form(visit, name)) }
    }
}

fn now_and_next(visit: &Visit, rota: &Rota, duty: &api::Duty) -> Markup {
    let turn = &duty.slot.person;
    html! {
        p {
            "Now "
            @match &duty.person {
                Some(person) => {
                    strong { (person_link(visit, person)) }
                    @if person != turn { " for " (clean(visit.names.full(turn))) }
                },
                None => {
                    (Pill::new("bad", "cross", "nobody").show()) " everybody is away: the owner is told"
                },
            }
            ", until " (when::clock(duty.slot.until, visit.now, &rota.zone))
            @if let Some(next) = &duty.next {
                ". Then " (clean(visit.names.full(&next.person)))
                @if next.from != duty.slot.until {
                    " from " (when::clock(next.from, visit.now, &rota.zone))
                }
            }
            "."
        }
    }
}

/// The beginnings of today and the days after it, in a zone; one more than there are days.
fn days(now: Time, zone: &str) -> Vec<Time> {
    let midnight = |at: Time| {
        let utc = at.timestamp().in_tz("UTC");
        let start = at
            .timestamp()
            .in_tz(zone)
            .or(utc)
            .and_then(|at| at.start_of_day());
        start.map_or(at, |start| Time::from(start.timestamp()))
    };
    let mut out = vec![midnight(now)];
    for _ in 0..DAYS {
        let last = out[out.len() - 1];
        // A day and a half later is the next day, however long the clock makes this one.
        out.push(midnight(last + Millis::hours(36)));
    }
    out
}

fn strip(visit: &Visit, rota: &Rota, days: &[Time], slots: &[Slot]) -> Markup {
    let (from, until) = (days[0].0, days[DAYS].0);
    let x = |at: Time| (at.0.clamp(from, until) - from) * WIDTH / (until - from).max(1);
    let mut people: Vec<&str> = slots.iter().map(|slot| slot.person.as_str()).collect();
    people.sort_unstable();
    people.dedup();
    let ground = |person: &str| {
        let at = people
            .iter()
            .position(|known| *known == person)
            .unwrap_or(0);
        GROUNDS[at % GROUNDS.len()]
    };
    let day = |at: Time| {
        let zoned = at.timestamp().in_tz(&rota.zone);
        zoned.map_or_else(|_| String::new(), |at| at.strftime("%a %-d").to_string())
    };
    html! {
        svg viewBox={ "0 0 " (WIDTH) " 66" } width="100%" role="img"
            aria-label="Who is on duty in the coming seven days" {
            title { "Who is on duty in the coming seven days; the same in words below" }
            @for pair in days.windows(2) {
                text x=(x(pair[0]) + 4) y="15" font-size="15" fill="var(--muted)" { (day(pair[0])) }
                path d={ "M" (x(pair[0])) " 0V66" } stroke="var(--line)" {}
            }
            @for slot in slots {
                @let (left, right) = (x(slot.from), x(slot.until));
                @let fill = ground(&slot.person);
                g {
                    title { (clean(visit.names.full(&slot.person))) }
                    rect x=(left + 1) y="24" width=((right - left - 2).max(1)) height="32" rx="4"
                        fill=(fill) stroke="var(--edge)"
                        stroke-dasharray=[slot.is_override.then_some("4 3")] {}
                    @if right - left > 56 {
                        text x=(left + 9) y="46" font-size="16" fill="var(--text)" {
                            (clean(&short(visit.names.first(&slot.person),
                                usize::try_from((right - left) / 11).unwrap_or(3))))
                        }
                    }
                }
            }
            path d={ "M" (x(visit.now)) " 20V62" } stroke="var(--accent)" stroke-width="2" {}
        }
    }
}

fn form(visit: &Visit, name: &str) -> Markup {
    let id = encode(name);
    html! {
        form.stack method="post" action="/people/rotas" {
            (visit.token())
            input type="hidden" name="rota" value=(name);
            label for={ "person-" (id) } { (icon("person")) " On duty instead" }
            input id={ "person-" (id) } name="person" list="people" required maxlength="128"
                autocomplete="off" placeholder="id";
            label for={ "from-" (id) } { "From, by the rota's clock" }
            input id={ "from-" (id) } name="from" type="datetime-local" required;
            label for={ "until-" (id) } { "Until" }
            input id={ "until-" (id) } name="until" type="datetime-local" required;
            button type="submit" { "Change places" }
        }
    }
}

/// Puts somebody on duty instead of whoever's turn it is.
pub(crate) async fn put(State(web): State<Web>, posted: Posted) -> Response {
    let field = |key: &str| posted.fields.get(key).unwrap_or_default().trim().to_owned();
    let (name, person) = (field("rota"), field("person"));
    let over = json!({ "from": field("from"), "until": field("until"), "person": person });
    let changed = api::change(&web, &posted.actor, |now| {
        let rota = now.rotas.get(&name).cloned().unwrap_or_default();
        let mut body = json!(rota);
        let mut overrides = json!(rota.overrides);
        if let Some(all) = overrides.as_array_mut() {
            all.push(over.clone());
        }
        body["overrides"] = overrides;
        now.changed(&json!({ "rotas": { name.as_str(): body } }))
    });
    let note = match changed.await {
        Ok(_) => Note::with("said", &format!("{person} is on duty then.")),
        Err(error) => Note::with("refused", &error.to_string()),
    };
    back("/people/rotas", Some(&note))
}
