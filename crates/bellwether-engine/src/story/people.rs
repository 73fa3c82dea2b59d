//! The people of stories: whom a flow's tests may speak of without introducing them. A story
//! changes them, or adds others, with `people:`.

use std::collections::BTreeMap;

use bellwether_model::directory::{Customer, Directory, Group, Moment, Person, Rota, Team};
use jiff::civil::Weekday;
use serde_json::Value as Json;

/// Whose zone a story's times are in unless they say another.
pub(super) const ZONE: &str = "Europe/Vienna";

/// One line of the default directory.
struct Row {
    id: &'static str,
    name: &'static str,
    zone: &'static str,
    language: &'static str,
    roles: &'static [&'static str],
    manager: &'static str,
    deputy: &'static str,
}

const fn row(id: &'static str, name: &'static str, roles: &'static [&'static str]) -> Row {
    Row {
        id,
        name,
        zone: ZONE,
        language: "en",
        roles,
        manager: "carl",
        deputy: "",
    }
}

/// Everybody. Each is reached at `id@example.com`, and by push.
const ROWS: [Row; 7] = [
    Row {
        deputy: "dora",
        ..row("alice", "Alice Arnold", &["purchasing-lead"])
    },
    Row {
        language: "de",
        ..row("dora", "Dora Decker", &["purchasing"])
    },
    Row {
        zone: "Europe/Berlin",
        manager: "",
        ..row("carl", "Carl Conrad", &["cfo"])
    },
    row("lena", "Lena Lorenz", &["legal"]),
    row("ivan", "Ivan Ilic", &["owner"]),
    row("maria", "Maria Moser", &["marketing"]),
    Row {
        zone: "America/New_York",
        ..row("paul", "Paul Parker", &["procurement"])
    },
];

/// Somebody whom a story introduces: a name, a mail address and a phone.
pub(super) fn somebody(id: &str) -> Person {
    let mut letters = id.chars();
    let name: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    Person {
        id: id.to_owned(),
        name,
        emails: vec![format!("{id}@example.com")],
        zone: ZONE.to_owned(),
        language: "en".to_owned(),
        push: vec![id.to_owned()],
        ..Person::default()
    }
}

/// A customer as a story introduces him: known, with the app, and he agreed to pushes.
///
/// # Errors
/// As for [`changed`].
pub(super) fn customer(id: &str, fields: &Json) -> Result<Customer, String> {
    let mut all = serde_json::json!({
        "address": format!("{id}@example.net"), "name": somebody(id).name, "app_id": id,
        "language": "en", "zone": ZONE, "consent": "given",
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        all[name.as_str()] = value.clone();
    }
    serde_json::from_value(all).map_err(|error| error.to_string())
}

/// The directory that stories begin with.
pub fn directory() -> Directory {
    let optional = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let person = |row: &Row| Person {
        name: row.name.to_owned(),
        zone: row.zone.to_owned(),
        language: row.language.to_owned(),
        roles: row.roles.iter().map(|role| (*role).to_owned()).collect(),
        manager: optional(row.manager),
        deputy: optional(row.deputy),
        ..somebody(row.id)
    };
    let mut directory = Directory {
        version: 1,
        people: ROWS
            .iter()
            .map(|row| (row.id.to_owned(), person(row)))
            .collect(),
        owner: Some("ivan".to_owned()),
        groups: BTreeMap::from([("partners".to_owned(), partners())]),
        teams: BTreeMap::from([("brand".to_owned(), brand())]),
        rotas: BTreeMap::from([("it-ops".to_owned(), it_ops())]),
        ..Directory::default()
    };
    for id in ["maria", "lena"] {
        if let Some(person) = directory.people.get_mut(id) {
            person.team = Some("brand".to_owned());
        }
    }
    directory.settle();
    directory
}

/// The group `partners`.
fn partners() -> Group {
    Group {
        members: vec!["paul".to_owned()],
        ..Group::default()
    }
}

/// The team `brand`: Maria, who leads it, and Lena.
fn brand() -> Team {
    Team {
        lead: Some("maria".to_owned()),
        ..Team::default()
    }
}

/// The rota `it-ops`: Ivan in the week of 2 March 2026, then Dora, and so on; they change on
/// Mondays at nine.
fn it_ops() -> Rota {
    let (day, time) = (Some(Weekday::Monday), jiff::civil::time(9, 0, 0, 0));
    Rota {
        zone: ZONE.to_owned(),
        hand_over: vec![Moment { day, time }],
        members: vec!["ivan".to_owned(), "dora".to_owned()],
        start: Some(jiff::civil::date(2026, 3, 2)),
        ..Rota::default()
    }
}

/// A person as a story changes him: fields of the directory, over those that he has.
///
/// # Errors
/// A field that does not exist, or a value that does not fit, in the words of the reader.
pub(super) fn changed(directory: &Directory, id: &str, fields: &Json) -> Result<Person, String> {
    let known = directory.people.get(id).cloned();
    let mut person = known.unwrap_or_else(|| somebody(id));
    if let Json::Object(fields) = fields {
        let mut all = serde_json::to_value(&person).map_err(|error| error.to_string())?;
        for (name, value) in fields {
            all[name.as_str()] = value.clone();
        }
        person = serde_json::from_value(all).map_err(|error| error.to_string())?;
    }
    id.clone_into(&mut person.id);
    if jiff::tz::TimeZone::get(&person.zone).is_err() {
        return Err(format!("`{}` is not the name of a zone", person.zone));
    }
    Ok(person)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_story_changes_people_and_adds_others() {
        let people = directory();
        let alice = changed(&people, "alice", &json!({ "push": [] })).unwrap();
        assert!(alice.push.is_empty() && alice.deputy.as_deref() == Some("dora"));
        let nina = changed(&people, "nina", &json!({ "roles": ["legal"] })).unwrap();
        assert_eq!(
            (nina.name.as_str(), nina.emails[0].as_str()),
            ("Nina", "nina@example.com")
        );
        let wrong = changed(&people, "alice", &json!({ "rolse": [] })).unwrap_err();
        assert!(wrong.contains("rolse"), "{wrong}");
        assert!(changed(&people, "alice", &json!({ "zone": "Vienna" })).is_err());
    }
}
