//! Changing a directory by saying what is to be different: an import, a form, a call. Everything is
//! applied or nothing; what would change is said in sentences. Tables of people are in `rows`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Directory, Finding, Person};

/// The parts of a directory that a change may speak of.
pub const PARTS: [&str; 5] = ["people", "groups", "teams", "calendars", "rotas"];

/// Why something of a change cannot be, with what it is about: `alice`, `group partners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it is about.
    pub about: String,
    /// The sentence.
    pub message: String,
}

/// One thing that differs between two directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about: `alice`, `group partners`.
    pub about: String,
    /// `added`, `changed`, `removed`.
    pub how: &'static str,
    /// The fields that changed: name, before and after, in words.
    pub fields: Vec<(String, String, String)>,
}

impl Directory {
    /// The directory after a change `{people: {alice: {team: brand}}, groups: {old: null}, owner}`:
    /// named fields of people replace theirs, other things are replaced as a whole, null removes.
    /// What was wrong before may stay wrong; what would become wrong is refused.
    ///
    /// # Errors
    /// Everything that cannot be, each with what it is about. Nothing is changed then.
    pub fn changed(&self, change: &Value) -> Result<Self, Vec<Refused>> {
        let mut wrong = Vec::new();
        let mut next = self.clone();
        let Some(change) = change.as_object() else {
            return Err(vec![refused(
                "the change",
                "it must be an object with `people`",
            )]);
        };
        for (part, said) in change {
            let entries = match (part.as_str(), said) {
                ("owner", Value::Null) => {
                    next.owner = None;
                    continue;
                }
                ("owner", Value::String(owner)) => {
                    next.owner = Some(owner.clone());
                    continue;
                }
                ("version", _) => continue,
                (_, Value::Object(entries)) if PARTS.contains(&part.as_str()) => entries,
                _ => {
                    let parts = PARTS.join(", ");
                    let message = format!("`{part}` cannot be: there are {parts} and owner");
                    wrong.push(refused("the change", &message));
                    continue;
                }
            };
            for (name, body) in entries {
                if let Err(message) = next.put(part, name, body) {
                    wrong.push(refused(&about(part, name), &message));
                }
            }
        }
        next.settle();
        let before = self.findings();
        let new = next
            .findings()
            .into_iter()
            .filter(|finding| finding.is_error);
        let new = new.filter(|finding| !before.contains(finding));
        wrong.extend(new.map(|Finding { about, message, .. }| Refused { about, message }));
        if wrong.is_empty() {
            return Ok(next);
        }
        Err(wrong)
    }

    fn put(&mut self, part: &str, name: &str, body: &Value) -> Result<(), String> {
        match part {
            "people" if body.is_null() => {
                self.people.remove(name);
            }
            "people" => {
                let person = overlaid(self.people.get(name), body)?;
                self.people.insert(
                    name.to_owned(),
                    Person {
                        id: name.to_owned(),
                        ..person
                    },
                );
            }
            "groups" => replace(&mut self.groups, name, body)?,
            "teams" => replace(&mut self.teams, name, body)?,
            "calendars" => replace(&mut self.calendars, name, body)?,
            _ => replace(&mut self.rotas, name, body)?,
        }
        Ok(())
    }

    /// What differs from `other`, which is the later one.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut out = Vec::new();
        let (before, after) = (json!(self), json!(other));
        for part in PARTS {
            let empty = Map::new();
            let of = |all: &Value| all.get(part).and_then(Value::as_object).cloned();
            let (before, after) = (of(&before), of(&after));
            let (before, after) = (before.unwrap_or_default(), after.unwrap_or(empty));
            for (name, new) in &after {
                let old = before.get(name);
                if old == Some(new) {
                    continue;
                }
                out.push(Difference {
                    about: about(part, name),
                    how: if old.is_some() { "changed" } else { "added" },
                    fields: old.map(|old| fields(old, new)).unwrap_or_default(),
                });
            }
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                out.push(Difference {
                    about: about(part, name),
                    how: "removed",
                    fields: Vec::new(),
                });
            }
        }
        if self.owner != other.owner {
            let word =
                |owner: &Option<String>| owner.clone().unwrap_or_else(|| "nobody".to_owned());
            out.push(Difference {
                about: "the owner".to_owned(),
                how: "changed",
                fields: vec![("owner".to_owned(), word(&self.owner), word(&other.owner))],
            });
        }
        out
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.about, self.how)?;
        for (n, (field, before, after)) in self.fields.iter().enumerate() {
            let mark = if n == 0 { ": " } else { "; " };
            write!(f, "{mark}{field} {before} → {after}")?;
        }
        Ok(())
    }
}

fn refused(about: &str, message: &str) -> Refused {
    Refused {
        about: about.to_owned(),
        message: message.to_owned(),
    }
}

fn about(part: &str, name: &str) -> String {
    match part {
        "people" => name.to_owned(),
        part => format!("{} {name}", part.strip_suffix('s').unwrap_or(part)),
    }
}

fn overlaid(known: Option<&Person>, body: &Value) -> Result<Person, String> {
    let fields = body.as_object().ok_or("a person must be an object")?;
    let known = known.cloned().unwrap_or_default();
    let mut all = serde_json::to_value(known).map_err(|error| error.to_string())?;
    for (field, value) in fields {
        match value {
            // Nothing at all: what a new person has there.
            Value::Null => {
                if let Some(all) = all.as_object_mut() {
                    all.remove(field);
                }
            }
            value => all[field.as_str()] = value.clone(),
        }
    }
    serde_json::from_value(all).map_err(|error| error.to_string())
}

fn replace<T: DeserializeOwned>(
    all: &mut std::collections::BTreeMap<String, T>,
    name: &str,
    body: &Value,
) -> Result<(), String> {
    if body.is_null() {
        all.remove(name);
        return Ok(());
    }
    let read = T::deserialize(body).map_err(|error| error.to_string())?;
    all.insert(name.to_owned(), read);
    Ok(())
}

fn fields(old: &Value, new: &Value) -> Vec<(String, String, String)> {
    let keys = |value: &Value| {
        let keys = value.as_object().map(|all| all.keys().cloned());
        keys.into_iter().flatten().collect::<Vec<_>>()
    };
    let mut names = keys(new);
    names.extend(keys(old).into_iter().filter(|name| new.get(name).is_none()));
    let changed = names.into_iter().filter_map(|name| {
        let (before, after) = (old.get(&name), new.get(&name));
        (before != after).then(|| (name, words(before), words(after)))
    });
    changed.collect()
}

/// A value as a sentence shows it.
fn words(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) if all.is_empty() => "nothing".to_owned(),
        Some(Value::Array(all)) => {
            let all: Vec<String> = all.iter().map(|one| words(Some(one))).collect();
            all.join(", ")
        }
        Some(Value::Object(all)) => {
            let pairs = all
                .iter()
                .map(|(key, one)| format!("{key} {}", words(Some(one))));
            pairs.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let json = json!({"people": {
            "ann": {"name": "Ann", "zone": "UTC", "emails": ["ann@x.example"], "team": "brand"},
            "ben": {"name": "Ben", "zone": "UTC", "emails": ["ben@x.example"], "manager": "gone"},
        }});
        let mut directory: Directory = serde_json::from_value(json).unwrap();
        directory.settle();
        directory
    }

    #[test]
    fn a_change_is_applied_as_a_whole_and_said_in_sentences() {
        let before = directory();
        let change = json!({
            "people": {"ann": {"team": "sales", "deputy": "ben"}, "cid": {"zone": "UTC", "push": ["cid"]}},
            "groups": {"all": {"members": ["ann", "cid"]}},
            "owner": "ann",
        });
        // Ben's manager was unknown before: that stops nothing.
        let after = before.changed(&change).unwrap();
        assert_eq!(after.people["ann"].emails, ["ann@x.example"]);
        let said: Vec<String> = before
            .differences(&after)
            .iter()
            .map(ToString::to_string)
            .collect();
        let want = [
            "ann: changed: deputy nothing → ben; team brand → sales",
            "cid: added",
            "group all: added",
            "the owner: changed: owner nobody → ann",
        ];
        assert_eq!(said, want);
        let gone = after
            .changed(&json!({"groups": {"all": null}, "people": {"cid": null}}))
            .unwrap();
        assert_eq!(after.differences(&gone).len(), 2);
    }

    #[test]
    fn nothing_is_applied_when_anything_is_wrong() {
        let change = json!({
            "people": {"ann": {"deputy": "bem"}, "ben": {"zoen": "UTC"}, "ben ": {"zone": "UTC"}},
            "groups": {"all": {"members": ["group all"]}},
            "robots": {},
        });
        let wrong = directory().changed(&change).unwrap_err();
        let mut about: Vec<&str> = wrong.iter().map(|one| one.about.as_str()).collect();
        about.sort_unstable();
        let want = ["ann", "ben", "group all", "person ben ", "the change"];
        assert_eq!(about, want, "{wrong:#?}");
        let said = |words: &str| wrong.iter().any(|one| one.message.contains(words));
        assert!(said("did you mean ben?") && said("zoen"), "{wrong:#?}");
    }
}
