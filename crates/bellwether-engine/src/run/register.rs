//! What an event says of people for the register: that somebody uses an asset, and that somebody
//! was named whom nobody knows yet. It is written in the event's own commit. Deciding who somebody
//! is, is a person's business.

use bellwether_model::directory::Directory;
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::id::Id;
use bellwether_model::time::Time;
use serde_json::{Map, Value};

use super::Setup;
use crate::lang::plainly;
use crate::seam::{UsageSaid, UserSaid};
use crate::store::{
    DOCUMENT_MAX, DeadLetterWrite, How, Member, NAME_MAX, Proposal, RegisterWrite, Sighting,
    UsageWrite, Who,
};

/// The type of events that say who uses an asset: `{asset, user, document, time}`, at the top of
/// the payload or in one of its nouns. A connector's own type ends in it, with the nouns that
/// connectors use: `{asset, actor, use: {document, used_at}}`.
pub const ASSET_USED: &str = "asset.used";
/// The nouns in which any event may name users of its system: `{id, name, email}` or a list.
const USERS: [&str; 3] = ["user", "users", "actor"];
/// The most users of one event that are looked at.
const USERS_MAX: usize = 50;

/// Adds to a member what its event says of people.
pub(super) fn said_of_people(setup: &Setup, event: &Event, member: &mut Member) {
    let Some(data) = event.envelope.data.as_object() else {
        return;
    };
    let kind = event.envelope.kind.as_str();
    let says_usage = kind == ASSET_USED
        || kind
            .strip_suffix(ASSET_USED)
            .is_some_and(|connector| connector.ends_with('.'));
    if !says_usage && !USERS.iter().any(|noun| data.contains_key(*noun)) {
        return;
    }
    let directory = &setup.directory;
    let source = event.envelope.source.as_str();
    // What flows say names people of the directory; what a connector makes of its own records names
    // those of its system.
    let ours = event.envelope.cause.is_some() && !setup.links.contains_key(source);
    if ours && !says_usage {
        return;
    }
    if !says_usage {
        let named = USERS.iter().filter_map(|noun| data.get(*noun));
        let each = named.flat_map(|value| {
            value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice)
        });
        for user in each.take(USERS_MAX).filter_map(user_of) {
            let at = event.received_at;
            member
                .register
                .extend(sighted(&user, source, directory, at).1);
        }
        return;
    }
    let said = usage_of(data, &event.envelope)
        .and_then(|said| usage_write(&said, source, directory, event.received_at));
    match said {
        Ok(writes) => member.register.extend(writes),
        Err(why) => member.dead_letters.push(not_registered(event, &why)),
    }
}

fn not_registered(event: &Event, why: &str) -> DeadLetterWrite {
    let at = event.received_at;
    let envelope = &event.envelope;
    let parts: [&[u8]; 3] = [
        b"not_registered",
        envelope.source.as_bytes(),
        envelope.id.as_bytes(),
    ];
    DeadLetterWrite {
        id: Id::derive(at, &parts),
        cell: None,
        effect: None,
        event: (event.position > 0).then_some(event.position),
        code: "not_registered".to_owned(),
        reason: format!("the register did not take this usage: {why}"),
        at,
    }
}

/// The usage in the payload of an [`ASSET_USED`] event.
fn usage_of(data: &Map<String, Value>, envelope: &NewEvent) -> Result<UsageSaid, String> {
    let nouns = data.values().filter_map(Value::as_object);
    let mut places = std::iter::once(data).chain(nouns);
    let body = places
        .find(|place| place.contains_key("asset"))
        .ok_or("it names no asset; send {asset, user, document, time}")?;
    let within = data.get("use").and_then(Value::as_object);
    let either = |key: &str, other: &str| {
        let other = within.and_then(|within| within.get(other));
        body.get(key).or(other)
    };
    let user = body.get("user").or_else(|| data.get("actor"));
    let user = user.and_then(user_of);
    let how = match body.get("how").and_then(Value::as_str) {
        None => How::Said,
        Some(word) => How::of_word(word).ok_or("`how` is none of the words that it may be")?,
    };
    let time = match either("time", "used_at").and_then(Value::as_str) {
        None => envelope.time,
        Some(text) => Time::parse(text).map_err(|_| "`time` is not an RFC 3339 instant")?,
    };
    Ok(UsageSaid {
        asset: body.get("asset").and_then(name_of).unwrap_or_default(),
        user: user.ok_or("it names no user")?,
        document: either("document", "document")
            .and_then(name_of)
            .unwrap_or_default(),
        how,
        since: None,
        at: Some(time),
        ended: body.get("ended") == Some(&Value::Bool(true)),
    })
}

/// A thing by its id or name, or as a plain text.
fn name_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Object(fields) => ["id", "uuid", "path", "name"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str())?,
        other => other.as_str()?,
    };
    Some(text.to_owned())
}

/// A user as an event names him: a text, or an object with id, name and address.
fn user_of(value: &Value) -> Option<UserSaid> {
    let Some(fields) = value.as_object() else {
        let text = value.as_str().filter(|text| !text.is_empty())?;
        return Some(UserSaid {
            id: text.to_owned(),
            ..UserSaid::default()
        });
    };
    let text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| fields.get(*key)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let user = UserSaid {
        connection: String::new(),
        id: text(&["id", "uuid", "user_uuid"]),
        name: text(&["name"]),
        email: text(&["email", "address"]),
    };
    (!user.id.is_empty() || !user.email.is_empty()).then_some(user)
}

/// Who a user is, and what has to be noted about him.
pub(super) fn sighted(
    user: &UserSaid,
    source: &str,
    directory: &Directory,
    at: Time,
) -> (Who, Vec<RegisterWrite>) {
    let here = |person: &str| Who {
        connection: String::new(),
        id: person.to_owned(),
    };
    let by_address = |text: &str| directory.by_email(text).map(|person| person.id.clone());
    let connection = if user.connection.is_empty() {
        source
    } else {
        &user.connection
    };
    let of_address = by_address(&user.email);
    if user.id.is_empty() || user.connection.is_empty() {
        let own = directory.person(&user.id).map(|person| person.id.clone());
        if let Some(person) = own.or_else(|| by_address(&user.id)) {
            return (here(&person), Vec::new());
        }
    }
    if let (true, Some(person)) = (user.id.is_empty(), &of_address) {
        return (here(person), Vec::new());
    }
    let id = if user.id.is_empty() {
        &user.email
    } else {
        &user.id
    };
    let who = Who {
        connection: connection.to_owned(),
        id: id.clone(),
    };
    if let Some((connection, _)) = directory.outside.known(connection, id) {
        // Kept as it is known, so that a mapping which is changed later holds for this too.
        let connection = connection.to_owned();
        return (Who { connection, ..who }, Vec::new());
    }
    if !fits(&who) {
        return (who, Vec::new());
    }
    let mut notes = vec![RegisterWrite::Sighted(Sighting {
        who: who.clone(),
        name: shortened(&plainly(&user.name)),
        at,
    })];
    if let Some(person) = of_address {
        notes.push(RegisterWrite::Proposed(Proposal {
            who: who.clone(),
            person,
            why: "the connection gave this person's address".to_owned(),
        }));
    }
    (who, notes)
}

fn fits(who: &Who) -> bool {
    let short = |text: &str| !text.is_empty() && text.chars().count() <= NAME_MAX;
    short(&who.connection) && short(&who.id)
}

fn shortened(text: &str) -> String {
    text.chars().take(NAME_MAX).collect()
}

/// What is written for a usage: itself, and what has to be noted about its user.
///
/// # Errors
/// Why it is not taken, in a sentence.
pub(super) fn usage_write(
    said: &UsageSaid,
    source: &str,
    directory: &Directory,
    now: Time,
) -> Result<Vec<RegisterWrite>, String> {
    let asset = said.asset.trim();
    if asset.is_empty() {
        return Err("it names no asset".to_owned());
    }
    if asset.chars().count() > NAME_MAX {
        return Err(format!(
            "the asset's id has more than {NAME_MAX} characters"
        ));
    }
    if said.document.chars().count() > DOCUMENT_MAX {
        return Err(format!(
            "the document's name has more than {DOCUMENT_MAX} characters"
        ));
    }
    if said.user.id.is_empty() && said.user.email.is_empty() {
        return Err("it names no user".to_owned());
    }
    // What is said of the future would outlive every correction.
    let at = said.at.unwrap_or(now).min(now);
    let (who, mut writes) = sighted(&said.user, source, directory, now);
    if !who.connection.is_empty() && !fits(&who) {
        return Err(format!("the user's id has more than {NAME_MAX} characters"));
    }
    writes.push(RegisterWrite::Usage(UsageWrite {
        asset: asset.to_owned(),
        who,
        document: said.document.trim().to_owned(),
        how: said.how,
        source: source.to_owned(),
        since: said.since.unwrap_or(at).min(at),
        at,
        ended: said.ended,
    }));
    Ok(writes)
}

#[cfg(test)]
mod tests;
