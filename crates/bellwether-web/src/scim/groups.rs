//! SCIM groups: groups of the directory whose members are people. Members that are said in words
//! (`role legal`) belong to the directory alone and stay.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bellwether_model::directory::{Directory, Group, Refused};
use serde_json::{Value, json};

use super::{GROUP, Keeper, Refusal, Scim, Sent, leave_out, page, patch, text};
use crate::api;
use crate::query::Fields;
use crate::web::Web;

pub(super) async fn list(
    State(web): State<Web>,
    _: Keeper,
    fields: Fields,
) -> Result<Scim, Refusal> {
    let directory = web.app.directory.current();
    let all = directory.groups.iter();
    page(
        all.map(|(id, group)| resource(&directory, id, group))
            .collect(),
        &fields,
    )
}

pub(super) async fn one(
    State(web): State<Web>,
    _: Keeper,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Scim, Refusal> {
    let directory = web.app.directory.current();
    let mut found = resource(&directory, &id, known(&directory, &id)?);
    leave_out(
        &mut found,
        fields.get("excludedAttributes").unwrap_or_default(),
    );
    Ok(Scim(StatusCode::OK, found))
}

pub(super) async fn create(State(web): State<Web>, sent: Sent) -> Result<Response, Refusal> {
    let Sent(actor, body) = sent;
    let name = text(&body, "displayName").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::bad("invalidValue", "displayName is missing"))?;
    let id = id_of(name);
    if id.is_empty() {
        return Err(Refusal::bad(
            "invalidValue",
            "displayName needs a letter or digit",
        ));
    }
    if web.app.directory.current().groups.contains_key(&id) {
        return Err(Refusal::taken(format!("there is a group {id} already")));
    }
    let made = api::change(&web, &actor, |now| put(now, &id, Group::default(), &body));
    let (_, next) = made.await?;
    let location = [("location", format!("/scim/v2/Groups/{id}"))];
    let made = resource(&next, &id, known(&next, &id)?);
    Ok((location, Scim(StatusCode::CREATED, made)).into_response())
}

pub(super) async fn replace(
    State(web): State<Web>,
    Path(id): Path<String>,
    Sent(actor, body): Sent,
) -> Result<Scim, Refusal> {
    known(&web.app.directory.current(), &id)?;
    let changed = api::change(&web, &actor, |now| {
        put(
            now,
            &id,
            now.groups.get(&id).cloned().unwrap_or_default(),
            &body,
        )
    });
    let (_, next) = changed.await?;
    Ok(Scim(
        StatusCode::OK,
        resource(&next, &id, known(&next, &id)?),
    ))
}

pub(super) async fn patch(
    State(web): State<Web>,
    Path(id): Path<String>,
    Sent(actor, body): Sent,
) -> Result<Scim, Refusal> {
    let before = web.app.directory.current();
    patch::apply(&resource(&before, &id, known(&before, &id)?), &body)?;
    let changed = api::change(&web, &actor, |now| {
        let group = now.groups.get(&id).cloned().unwrap_or_default();
        let next = patch::apply(&resource(now, &id, &group), &body);
        let next = next.map_err(|refusal| wrong(&id, refusal.detail))?;
        put(now, &id, group, &next)
    });
    let (_, next) = changed.await?;
    Ok(Scim(
        StatusCode::OK,
        resource(&next, &id, known(&next, &id)?),
    ))
}

pub(super) async fn delete(
    State(web): State<Web>,
    Keeper(actor): Keeper,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    known(&web.app.directory.current(), &id)?;
    let change = json!({ "groups": { id.as_str(): null } });
    api::change(&web, &actor, |now| now.changed(&change)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn known<'a>(directory: &'a Directory, id: &str) -> Result<&'a Group, Refusal> {
    let found = directory.groups.get(id);
    found.ok_or_else(|| Refusal::unknown("group", id))
}

/// What a group is called in words: letters and digits of its name, with dashes between.
fn id_of(name: &str) -> String {
    let mut id = String::new();
    for sign in name.to_lowercase().chars().take(100) {
        if sign.is_alphanumeric() {
            id.push(sign);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    id.trim_end_matches('-').to_owned()
}

fn wrong(about: &str, message: String) -> Vec<Refused> {
    let about = format!("group {about}");
    vec![Refused { about, message }]
}

fn put(
    now: &Directory,
    id: &str,
    mut group: Group,
    said: &Value,
) -> Result<Directory, Vec<Refused>> {
    if let Some(name) = text(said, "displayName").filter(|name| !name.is_empty()) {
        name.clone_into(&mut group.name);
    }
    if let Some(external) = text(said, "externalId") {
        group.external_id = (!external.is_empty()).then(|| external.to_owned());
    }
    let members = patch::get(said, "members").unwrap_or(&Value::Null);
    group
        .members
        .retain(|words| !now.people.contains_key(words));
    for member in members.as_array().into_iter().flatten() {
        let person = member
            .as_str()
            .or_else(|| text(member, "value"))
            .unwrap_or_default();
        if !now.people.contains_key(person) {
            return Err(wrong(
                id,
                format!("there is no user {person} to be a member"),
            ));
        }
        if !group.members.iter().any(|known| known == person) {
            group.members.push(person.to_owned());
        }
    }
    let body = serde_json::to_value(&group).map_err(|error| wrong(id, error.to_string()))?;
    now.changed(&json!({ "groups": { id: body } }))
}

/// A group as the other system reads it.
fn resource(directory: &Directory, id: &str, group: &Group) -> Value {
    let people = group
        .members
        .iter()
        .filter_map(|words| directory.people.get(words));
    let members = people.map(|person| {
        json!({
            "value": person.id, "display": person.name, "type": "User",
            "$ref": format!("/scim/v2/Users/{}", person.id),
        })
    });
    let name = if group.name.is_empty() {
        id
    } else {
        &group.name
    };
    let mut out = json!({
        "schemas": [GROUP],
        "id": id,
        "displayName": name,
        "members": members.collect::<Value>(),
        "meta": { "resourceType": "Group", "location": format!("/scim/v2/Groups/{id}") },
    });
    if let Some(external) = &group.external_id {
        out["externalId"] = json!(external);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_called_by_letters_and_digits() {
        assert_eq!(id_of(" Brand & Legal (EU)"), "brand-legal-eu");
        assert_eq!(id_of("Größe 2"), "größe-2");
        assert_eq!(id_of("***"), "");
    }
}
