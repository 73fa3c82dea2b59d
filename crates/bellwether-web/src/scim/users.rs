//! SCIM users: people of the directory. What the other system does not know (deputy, quiet hours,
//! phones) stays as it is. A user who is deleted or not active has left: nothing of him is lost.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bellwether_model::directory::{Directory, Person, Refused, is_name};
use serde_json::{Value, json};

use super::{ENTERPRISE, Keeper, Refusal, Scim, Sent, USER, page, patch, text, truth};
use crate::api;
use crate::query::Fields;
use crate::web::Web;

/// The most people whose id may begin alike.
const ALIKE_MAX: usize = 10_000;

pub(super) async fn list(
    State(web): State<Web>,
    _: Keeper,
    fields: Fields,
) -> Result<Scim, Refusal> {
    let directory = web.app.directory.current();
    let shown = directory.people.values().filter(|person| is_shown(person));
    page(shown.map(resource).collect(), &fields)
}

pub(super) async fn one(
    State(web): State<Web>,
    _: Keeper,
    Path(id): Path<String>,
) -> Result<Scim, Refusal> {
    let directory = web.app.directory.current();
    Ok(Scim(StatusCode::OK, resource(known(&directory, &id)?)))
}

pub(super) async fn create(State(web): State<Web>, sent: Sent) -> Result<Response, Refusal> {
    let Sent(actor, body) = sent;
    let name = text(&body, "userName").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::bad("invalidValue", "userName is missing"))?;
    let directory = web.app.directory.current();
    if let Some(taken) = directory
        .people
        .values()
        .find(|p| is_shown(p) && is_called(p, name))
    {
        return Err(Refusal::taken(format!(
            "{name} is here already, as {}",
            taken.id
        )));
    }
    let made = api::change(&web, &actor, |now| {
        let id = new_id(now, name).ok_or_else(|| wrong(name, "no id can be made of it".into()))?;
        let person = Person {
            zone: usual_zone(now),
            ..now.people.get(&id).cloned().unwrap_or_default()
        };
        put(now, &id, person, &body)
    });
    let (_, next) = made.await?;
    let person = next.people.values().find(|person| is_called(person, name));
    let person = person.ok_or_else(|| Refusal::unknown("user", name))?;
    let location = [("location", format!("/scim/v2/Users/{}", person.id))];
    Ok((location, Scim(StatusCode::CREATED, resource(person))).into_response())
}

pub(super) async fn replace(
    State(web): State<Web>,
    Path(id): Path<String>,
    Sent(actor, body): Sent,
) -> Result<Scim, Refusal> {
    known(&web.app.directory.current(), &id)?;
    let changed = api::change(&web, &actor, |now| {
        let before = now.people.get(&id).cloned().unwrap_or_default();
        put(now, &id, before, &body)
    });
    let (_, next) = changed.await?;
    Ok(Scim(StatusCode::OK, resource(known(&next, &id)?)))
}

pub(super) async fn patch(
    State(web): State<Web>,
    Path(id): Path<String>,
    Sent(actor, body): Sent,
) -> Result<Scim, Refusal> {
    // Tried once outside, because only here a mistake has its own word.
    patch::apply(&resource(known(&web.app.directory.current(), &id)?), &body)?;
    let changed = api::change(&web, &actor, |now| {
        let before = now.people.get(&id).cloned().unwrap_or_default();
        let next = patch::apply(&resource(&before), &body);
        let next = next.map_err(|refusal| wrong(&id, refusal.detail))?;
        put(now, &id, before, &next)
    });
    let (_, next) = changed.await?;
    Ok(Scim(StatusCode::OK, resource(known(&next, &id)?)))
}

pub(super) async fn delete(
    State(web): State<Web>,
    Keeper(actor): Keeper,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    known(&web.app.directory.current(), &id)?;
    let changed = api::change(&web, &actor, |now| {
        let mut next = now.clone();
        if let Some(person) = next.people.get_mut(&id) {
            person.inactive = true;
            person.external_id = None;
            person.user_name = None;
        }
        Ok(next)
    });
    changed.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who left and is kept by nobody is not shown: to the other system he is deleted.
fn is_shown(person: &Person) -> bool {
    !person.inactive || person.user_name.is_some()
}

fn known<'a>(directory: &'a Directory, id: &str) -> Result<&'a Person, Refusal> {
    let found = directory.people.get(id).filter(|person| is_shown(person));
    found.ok_or_else(|| Refusal::unknown("user", id))
}

fn user_name(person: &Person) -> &str {
    let said = person.user_name.as_deref();
    said.or_else(|| person.emails.first().map(String::as_str))
        .unwrap_or(&person.id)
}

fn is_called(person: &Person, name: &str) -> bool {
    user_name(person).to_lowercase() == name.to_lowercase()
}

fn usual_zone(directory: &Directory) -> String {
    let owner = directory
        .owner
        .as_ref()
        .and_then(|id| directory.people.get(id));
    owner.map_or_else(|| "UTC".to_owned(), |owner| owner.zone.clone())
}

/// An id for a new person: what stands before the @, with a number where somebody has it. Somebody
/// who left and was kept under it comes back.
fn new_id(directory: &Directory, name: &str) -> Option<String> {
    let start = name.split('@').next().unwrap_or_default().to_lowercase();
    let mut start: String = start
        .chars()
        .filter(|sign| is_name(&sign.to_string()))
        .collect();
    start.truncate(
        start
            .char_indices()
            .nth(100)
            .map_or(start.len(), |(at, _)| at),
    );
    if !is_name(&start) {
        return None;
    }
    let free = |id: &String| {
        let found = directory.people.get(id);
        found.is_none_or(|person| person.inactive && person.has_email(name))
    };
    let numbered = (2..ALIKE_MAX).map(|n| format!("{start}-{n}"));
    std::iter::once(start.clone()).chain(numbered).find(free)
}

fn wrong(about: &str, message: String) -> Vec<Refused> {
    let about = about.to_owned();
    vec![Refused { about, message }]
}

/// The directory with a person as a resource describes him.
fn put(
    now: &Directory,
    id: &str,
    mut person: Person,
    said: &Value,
) -> Result<Directory, Vec<Refused>> {
    read(&mut person, said).map_err(|message| wrong(id, message))?;
    if let Some(manager) = manager_of(said) {
        // Users come in any order: who is not here yet is named again with the next change.
        person.manager = manager.filter(|id| now.people.contains_key(id));
    }
    let name = user_name(&person);
    let taken = |other: &&Person| other.id != id && is_shown(other) && is_called(other, name);
    if let Some(other) = now.people.values().find(taken) {
        return Err(wrong(
            id,
            format!("{} has the userName {name} already", other.id),
        ));
    }
    let body = serde_json::to_value(&person).map_err(|error| wrong(id, error.to_string()))?;
    now.changed(&json!({ "people": { id: body } }))
}

/// `None`: not said. `Some(None)`: nobody.
fn manager_of(said: &Value) -> Option<Option<String>> {
    let manager = patch::get(patch::get(said, ENTERPRISE)?, "manager")?;
    let one = manager
        .as_array()
        .and_then(|all| all.first())
        .unwrap_or(manager);
    let id = one.as_str().or_else(|| text(one, "value"));
    Some(id.filter(|id| !id.is_empty()).map(str::to_owned))
}

/// Takes over what a resource says; what it does not speak of stays.
fn read(person: &mut Person, said: &Value) -> Result<(), String> {
    if let Some(name) = text(said, "userName").filter(|name| !name.is_empty()) {
        person.user_name = Some(name.to_owned());
    }
    if let Some(id) = text(said, "externalId") {
        person.external_id = (!id.is_empty()).then(|| id.to_owned());
    }
    if let Some(active) = patch::get(said, "active") {
        person.inactive = !truth(active).ok_or("active must be true or false")?;
    }
    if let Some(name) = name_of(said) {
        person.name = name;
    }
    if let Some(emails) = patch::get(said, "emails").and_then(Value::as_array) {
        person.emails = values(emails, "primary");
    }
    let name = person.user_name.clone().unwrap_or_default();
    if name.contains('@') && !person.has_email(&name) {
        person.emails.push(name);
    }
    if let Some(zone) = text(said, "timezone").filter(|zone| !zone.is_empty()) {
        zone.clone_into(&mut person.zone);
    }
    let language = text(said, "preferredLanguage").or_else(|| text(said, "locale"));
    if let Some(language) = language.filter(|language| !language.is_empty()) {
        let main = language
            .split(['-', '_', ',', ';'])
            .next()
            .unwrap_or_default();
        person.language = main.to_lowercase();
    }
    if let Some(roles) = patch::get(said, "roles").and_then(Value::as_array) {
        person.roles = values(roles, "");
    }
    let enterprise = patch::get(said, ENTERPRISE);
    if let Some(team) = enterprise.and_then(|all| text(all, "department")) {
        person.team = (!team.is_empty()).then(|| team.to_owned());
    }
    Ok(())
}

fn name_of(said: &Value) -> Option<String> {
    let name = patch::get(said, "name");
    let part = |key| {
        name.and_then(|name| text(name, key))
            .filter(|text| !text.is_empty())
    };
    let both = match (part("givenName"), part("familyName")) {
        (Some(given), Some(family)) => Some(format!("{given} {family}")),
        (given, family) => given.or(family).map(str::to_owned),
    };
    let display = text(said, "displayName").filter(|text| !text.is_empty());
    display
        .map(str::to_owned)
        .or(both)
        .or_else(|| part("formatted").map(str::to_owned))
}

/// The values of a list, each once, the one with a mark first.
fn values(all: &[Value], mark: &str) -> Vec<String> {
    let marked = |one: &&Value| patch::get(one, mark).and_then(truth) == Some(true);
    let first = all.iter().filter(|one| marked(one));
    let rest = all.iter().filter(|one| !marked(one));
    let mut out: Vec<String> = Vec::new();
    for one in first.chain(rest) {
        let value = one
            .as_str()
            .or_else(|| text(one, "value"))
            .unwrap_or_default();
        if !value.is_empty() && !out.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            out.push(value.to_owned());
        }
    }
    out
}

/// A person as the other system reads him.
fn resource(person: &Person) -> Value {
    let (given, family) = person.name.rsplit_once(' ').unwrap_or((&person.name, ""));
    let emails = person.emails.iter().enumerate().map(|(n, address)| {
        let kind = if n == 0 { "work" } else { "other" };
        json!({ "value": address, "type": kind, "primary": n == 0 })
    });
    let roles = person.roles.iter().map(|role| json!({ "value": role }));
    let mut enterprise = json!({});
    if let Some(team) = &person.team {
        enterprise["department"] = json!(team);
    }
    if let Some(manager) = &person.manager {
        let to = format!("/scim/v2/Users/{manager}");
        enterprise["manager"] = json!({ "value": manager, "$ref": to });
    }
    let mut out = json!({
        "schemas": [USER, ENTERPRISE],
        "id": person.id,
        "userName": user_name(person),
        "displayName": person.name,
        "name": { "formatted": person.name, "givenName": given, "familyName": family },
        "emails": emails.collect::<Value>(),
        "active": !person.inactive,
        "timezone": person.zone,
        "roles": roles.collect::<Value>(),
        ENTERPRISE: enterprise,
        "meta": { "resourceType": "User", "location": format!("/scim/v2/Users/{}", person.id) },
    });
    if !person.language.is_empty() {
        out["preferredLanguage"] = json!(person.language);
    }
    if let Some(id) = &person.external_id {
        out["externalId"] = json!(id);
    }
    out
}
