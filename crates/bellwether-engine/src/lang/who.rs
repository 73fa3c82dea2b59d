//! From values to people: persons, ids, addresses, and the plain words that owners type into tables
//! (`role legal`, `manager of sender`). Who may decide is not settled here.

use std::collections::BTreeMap;

use bellwether_model::directory::{Customer, Directory, Person, PersonId};
use minijinja::Value;

use super::ast::Function;
use super::customers;
use super::eval::{Fault, Worked};
use super::scope::{Scope, World};
use super::values::{PersonValue, Sort, person_value};
use crate::store::{Answer, Query};
use crate::yaml::near::nearest;

/// The most people that one expression may mean.
const PEOPLE_MAX: usize = 10_000;
/// How deep `manager of deputy of …` may nest.
const WORDS_DEEP_MAX: u8 = 4;

/// Somebody in the directory, or somebody of whom only the address is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonOrAddress {
    /// In the directory.
    Person(PersonId),
    /// Not in the directory.
    Address(String),
}

pub(crate) fn unknown(words: Vec<String>) -> Box<Fault> {
    let message = format!("the directory does not know {}", words.join(", "));
    Fault::unknown(0, message, words)
}

/// The people of a value, each once, or the words that nobody answers to.
pub(crate) fn people(value: &Value, scope: &Scope) -> Result<Vec<PersonId>, Vec<String>> {
    let (people, missing) = of_the_directory(value, scope);
    if missing.is_empty() {
        return Ok(people);
    }
    Err(missing)
}

/// Whom a message is for, customers included, and the words that nobody answers to.
pub(crate) fn readers(value: &Value, scope: &Scope) -> (Vec<String>, Vec<String>) {
    let mut readers = Vec::new();
    let mut missing = Vec::new();
    collect(value, scope, &mut readers, &mut missing);
    (readers, missing)
}

/// The same without customers, who read messages and do nothing else: each counts as missing.
fn of_the_directory(value: &Value, scope: &Scope) -> (Vec<PersonId>, Vec<String>) {
    let (readers, mut missing) = readers(value, scope);
    let mut people = Vec::with_capacity(readers.len());
    for reader in readers {
        match Customer::address_of(&reader) {
            Some(address) => missing.push(address.to_owned()),
            None => people.push(reader),
        }
    }
    (people, missing)
}

pub(crate) fn people_or_addresses(value: &Value, scope: &Scope) -> Vec<PersonOrAddress> {
    let (people, missing) = of_the_directory(value, scope);
    let people = people.into_iter().map(PersonOrAddress::Person);
    let missing = missing.into_iter().map(PersonOrAddress::Address);
    people.chain(missing).collect()
}

fn collect(value: &Value, scope: &Scope, out: &mut Vec<PersonId>, missing: &mut Vec<String>) {
    if out.len() >= PEOPLE_MAX || missing.len() >= PEOPLE_MAX {
        return;
    }
    let directory = &scope.world().directory;
    match Sort::of(value) {
        Sort::Absent => {}
        Sort::Person => {
            let id = value
                .downcast_object_ref::<PersonValue>()
                .map(|person| person.id.clone());
            match id.and_then(|id| directory.successor(&id)) {
                Some(person) => add(person.id.clone(), out),
                None => missing.push(value.to_string()),
            }
        }
        Sort::List => {
            for element in value.try_iter().into_iter().flatten().take(PEOPLE_MAX) {
                collect(&element, scope, out, missing);
            }
        }
        Sort::Text => {
            let text = value.as_str().unwrap_or_default();
            for words in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
                match in_words(words, scope, WORDS_DEEP_MAX) {
                    Some(ids) if !ids.is_empty() => ids.into_iter().for_each(|id| add(id, out)),
                    _ => missing.push(words.to_owned()),
                }
            }
        }
        // A person in a payload has an address (mail) or an id (our own events). Both are looked up
        // as such and never read as words: whoever writes a mail must not become `role legal`.
        Sort::Map => {
            if let Some(customer) = customers::reader(value) {
                return add(customer, out);
            }
            let text = |key| {
                let found = value.get_attr(key).ok()?;
                found.as_str().map(str::to_owned)
            };
            let address = text("address").or_else(|| text("email"));
            let found = match (&address, text("id").or_else(|| text("uuid"))) {
                (Some(address), _) => directory.by_email(address),
                (None, Some(id)) => directory
                    .person(&id)
                    .or_else(|| directory.by_outside(scope.source(), &id)),
                (None, None) => None,
            };
            match found {
                Some(person) => add(person.id.clone(), out),
                None => missing.push(address.unwrap_or_else(|| scope.display(value))),
            }
        }
        other => missing.push(other.words().to_owned()),
    }
}

fn add(id: PersonId, out: &mut Vec<PersonId>) {
    if !out.contains(&id) {
        out.push(id);
    }
}

/// `role legal`, `group partners`, `team brand`, `lead of team brand`, `on duty it-ops`,
/// `manager of sender`, `deputy of alice`, `person alice`, `alice`, an address, `sender`. None when
/// the words mean nobody.
fn in_words(words: &str, scope: &Scope, deep: u8) -> Option<Vec<PersonId>> {
    let world = scope.world();
    let directory = &world.directory;
    let deep = deep.checked_sub(1)?;
    for (prefix, function, _) in MANY {
        if let Some(name) = prefixed(words, prefix) {
            return Some(ids(&many(function, name, scope)));
        }
    }
    if let Some(of) = prefixed(words, "manager of ") {
        let ids = in_words(of, scope, deep)?;
        let managers = ids.iter().filter_map(|id| manager(id, scope));
        return Some(managers.map(|person| person.id.clone()).collect());
    }
    if let Some(of) = prefixed(words, "deputy of ") {
        let ids = in_words(of, scope, deep)?;
        let deputy = |id: PersonId| Some(directory.deputy_of(&id, world.now)?.id.clone());
        return Some(ids.into_iter().filter_map(deputy).collect());
    }
    let name = prefixed(words, "person ").unwrap_or(words);
    if name.eq_ignore_ascii_case("sender") {
        return Some(vec![sender(scope)?.id.clone()]);
    }
    Some(vec![one(name, scope)?.id.clone()])
}

/// Words that mean many people by one name: how they begin, the function that says the same, and
/// why it may mean nobody. `lead of ` stands after the longer form of the same.
const MANY: [(&str, Function, &str); 6] = [
    ("role ", Function::Role, "nobody holds the role"),
    ("group ", Function::Group, "nobody is in the group"),
    ("team ", Function::Team, "nobody is in the team"),
    ("lead of team ", Function::LeadOf, "nobody leads the team"),
    ("lead of ", Function::LeadOf, "nobody leads the team"),
    (
        "on duty ",
        Function::OnDuty,
        "nobody is on duty in the rota",
    ),
];

/// The people whom such words mean.
fn many<'a>(function: Function, name: &str, scope: &'a Scope) -> Vec<&'a Person> {
    let World { directory, now, .. } = &**scope.world();
    match function {
        Function::Role => directory.in_role(name),
        Function::Group => directory.in_group(name, *now),
        Function::Team => directory.in_team(name),
        Function::LeadOf => directory.lead_of(name).into_iter().collect(),
        Function::OnDuty => directory.on_duty(name, *now).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What is called like that, for suggestions.
pub(crate) fn names_for(function: Function, directory: &Directory) -> Vec<&str> {
    fn keys<T>(all: &BTreeMap<String, T>) -> Vec<&str> {
        all.keys().map(String::as_str).collect()
    }
    match function {
        Function::Role => directory.roles(),
        Function::Group => keys(&directory.groups),
        Function::Team => directory.team_names(),
        Function::LeadOf => keys(&directory.teams),
        Function::OnDuty => keys(&directory.rotas),
        _ => keys(&directory.people),
    }
}

/// The name in plain words and the names that it may be; None for words that need an event.
pub(crate) fn names_meant<'a, 'd>(
    words: &'a str,
    directory: &'d Directory,
) -> Option<(&'a str, Vec<&'d str>)> {
    for (prefix, function, _) in MANY {
        if let Some(name) = prefixed(words, prefix) {
            return Some((name, names_for(function, directory)));
        }
    }
    let of_somebody = ["manager of ", "deputy of "];
    if words.eq_ignore_ascii_case("sender")
        || of_somebody.iter().any(|p| prefixed(words, p).is_some())
    {
        return None;
    }
    let name = prefixed(words, "person ").unwrap_or(words);
    let mut known = names_for(Function::Person, directory);
    known.extend(directory.people.values().map(|person| person.name.as_str()));
    (!name.is_empty()).then_some((name, known))
}

fn ids(people: &[&Person]) -> Vec<PersonId> {
    people.iter().map(|person| person.id.clone()).collect()
}

/// Who leads somebody now: when his manager left, that one's manager.
fn manager<'a>(id: &str, scope: &'a Scope) -> Option<&'a Person> {
    let directory = &scope.world().directory;
    let manager = directory.people.get(id)?.manager.as_deref()?;
    directory.successor(manager)
}

fn prefixed<'a>(words: &'a str, prefix: &str) -> Option<&'a str> {
    let start = words.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| words[prefix.len()..].trim())
}

/// The person who sent the mail that the event brought.
fn sender(scope: &Scope) -> Option<&Person> {
    let from = scope.data().get_attr("mail").ok()?.get_attr("from").ok()?;
    let address = from.get_attr("address").ok()?;
    scope.world().directory.by_email(address.as_str()?)
}

fn one<'a>(name: &str, scope: &'a Scope) -> Option<&'a Person> {
    let directory = &scope.world().directory;
    if name.contains('@') {
        let address = address(name);
        // Owners name people who leave one day: then it is their manager's.
        let left = || {
            directory
                .people
                .values()
                .find(|left| left.has_email(address))
        };
        let known = directory.by_email(address);
        return known.or_else(|| directory.successor(&left()?.id));
    }
    let known = directory
        .successor(name)
        .or_else(|| directory.by_name(name));
    known.or_else(|| directory.by_outside(scope.source(), name))
}

/// The address in `Name <address>`.
fn address(text: &str) -> &str {
    match (text.rfind('<'), text.rfind('>')) {
        (Some(open), Some(close)) if open < close => text[open + 1..close].trim(),
        _ => text.trim(),
    }
}

fn persons(ids: &[PersonId], scope: &Scope) -> Vec<Value> {
    let directory = &scope.world().directory;
    let found = ids.iter().filter_map(|id| directory.person(id));
    found.map(person_value).collect()
}

/// `role( )`, `group( )`, `team( )`, `lead_of( )` and `on_duty( )`.
pub(crate) fn called(function: Function, value: &Value, at: usize, scope: &Scope) -> Worked {
    let row = MANY.iter().find(|(_, known, _)| *known == function);
    let (prefix, _, nobody) = row.copied().unwrap_or(MANY[0]);
    let name = value.as_str().ok_or_else(|| {
        let message = format!(
            "{}( ) takes a name as a text",
            prefix.trim().replace(' ', "_")
        );
        Fault::new(at, message)
    })?;
    let people = many(function, name, scope);
    if people.is_empty() {
        let near = nearest(name, names_for(function, &scope.world().directory));
        let hint = near.filter(|near| !near.eq_ignore_ascii_case(name));
        let hint = hint.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let message = format!("{nobody} {name}{hint}");
        return Err(Fault::unknown(at, message, vec![format!("{prefix}{name}")]));
    }
    Ok(Value::from(
        people.into_iter().map(person_value).collect::<Vec<_>>(),
    ))
}

pub(crate) fn person(value: &Value, at: usize, scope: &Scope) -> Worked {
    if Sort::of(value) == Sort::Person {
        return Ok(value.clone());
    }
    let ids = resolved(value, at, scope)?;
    match ids.as_slice() {
        [] => Ok(super::eval::absent()),
        [id] => Ok(persons(std::slice::from_ref(id), scope)
            .pop()
            .unwrap_or_else(super::eval::absent)),
        _ => Err(Fault::new(
            at,
            "person( ) means one person, but these are several",
        )),
    }
}

fn resolved(value: &Value, at: usize, scope: &Scope) -> Result<Vec<PersonId>, Box<Fault>> {
    people(value, scope).map_err(|words| {
        let message = format!("the directory does not know {}", words.join(", "));
        Fault::unknown(at, message, words)
    })
}

pub(crate) fn deputies(value: &Value, at: usize, scope: &Scope) -> Worked {
    let world = scope.world();
    let ids = resolved(value, at, scope)?;
    let deputies = ids
        .iter()
        .filter_map(|id| world.directory.deputy_of(id, world.now));
    Ok(Value::from(deputies.map(person_value).collect::<Vec<_>>()))
}

pub(crate) fn managers(value: &Value, at: usize, scope: &Scope) -> Worked {
    let ids = resolved(value, at, scope)?;
    let managers = ids.iter().filter_map(|id| manager(id, scope));
    Ok(Value::from(managers.map(person_value).collect::<Vec<_>>()))
}

/// Everybody who uses an asset, as the register knows. The answer comes from the store: the first
/// time it is only asked for.
pub(crate) fn users_of(value: &Value, at: usize, scope: &Scope) -> Worked {
    let asset = match value.as_str() {
        Some(asset) => asset.to_owned(),
        None if Sort::of(value) == Sort::Absent => return Ok(super::eval::absent()),
        None => {
            let sort = Sort::of(value).words();
            let message = format!("users_of( ) takes an asset's id, but this is {sort}");
            return Err(Fault::new(at, message));
        }
    };
    let world = scope.world();
    match world.lookups.answer(&Query::UsersOf { asset }) {
        Some(Answer::People(ids)) => Ok(Value::from(persons(ids, scope))),
        _ => Err(Fault::new(
            at,
            "who uses an asset can be asked in steps, not in `when` or `case`",
        )),
    }
}

/// Those of these people who are not among the others.
pub(crate) fn without(value: &Value, others: &Value, scope: &Scope) -> Value {
    let others = people_or_addresses(others, scope);
    let people = people_or_addresses(value, scope);
    let left = people.into_iter().filter(|who| !others.contains(who));
    let ids: Vec<PersonId> = left
        .filter_map(|who| match who {
            PersonOrAddress::Person(id) => Some(id),
            PersonOrAddress::Address(_) => None,
        })
        .collect();
    Value::from(persons(&ids, scope))
}

/// The names of the people of a value; words that nobody answers to stand as they are.
pub(crate) fn names(value: &Value, scope: &Scope) -> Vec<String> {
    let directory = &scope.world().directory;
    people_or_addresses(value, scope)
        .into_iter()
        .map(|who| match who {
            PersonOrAddress::Person(id) => directory
                .person(&id)
                .map_or(id.clone(), |person| person.name.clone()),
            PersonOrAddress::Address(words) => words,
        })
        .collect()
}
