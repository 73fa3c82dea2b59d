//! What is wrong with a directory, in sentences: names that mean nobody, circles, zones and rotas
//! that cannot be. Nothing is changed here, and nothing is looked up outside.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{Words, named, parse};
use super::{Directory, Person, Rota};

/// The most people of a directory: it is held in memory. Customers have a register of their own.
pub const PEOPLE_MAX: usize = 20_000;
/// The longest name of a person, group, team, calendar or rota, in characters.
const NAME_MAX: usize = 128;

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is about: `alice`, `group partners`, `rota it-ops`.
    pub about: String,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// Whether it is refused. The rest works, in a way that somebody should look at.
    pub is_error: bool,
}

/// Whether a text can be the id of a person or the name of a group, team, calendar or rota.
pub fn is_name(text: &str) -> bool {
    let plain = |sign: char| sign.is_alphanumeric() || "-_.@+ '".contains(sign);
    !text.is_empty()
        && text.chars().count() <= NAME_MAX
        && text.chars().all(plain)
        && text.trim() == text
}

impl Directory {
    /// Everything wrong, errors first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut check = Check {
            directory: self,
            found: Vec::new(),
        };
        check.people();
        check.circles();
        check.groups();
        for (name, rota) in &self.rotas {
            check.rota(name, rota);
        }
        for (name, team) in &self.teams {
            check.name("team", name);
            let about = format!("team {name}");
            if let Some(lead) = &team.lead {
                check.somebody(&about, "is led by", lead);
            }
        }
        for name in self.calendars.keys() {
            check.name("calendar", name);
        }
        if let Some(owner) = &self.owner {
            check.somebody("the directory", "has as its owner", owner);
        }
        let mut found = check.found;
        found.sort_by_key(|finding| !finding.is_error);
        found
    }
}

struct Check<'a> {
    directory: &'a Directory,
    found: Vec<Finding>,
}

impl Check<'_> {
    fn add(&mut self, about: &str, is_error: bool, message: String) {
        self.found.push(Finding {
            about: about.to_owned(),
            message,
            is_error,
        });
    }

    fn name(&mut self, what: &str, name: &str) {
        if !is_name(name) {
            let message = format!(
                "{what} `{name}` cannot be called that: 1 to {NAME_MAX} letters, digits, spaces \
                 and -_.@+'"
            );
            self.add(&format!("{what} {name}"), true, message);
        }
    }

    fn somebody(&mut self, about: &str, what: &str, id: &str) {
        match self.directory.people.get(id) {
            None => {
                let near = nearest(id, self.directory.people.keys().map(String::as_str));
                let message =
                    format!("{about} {what} {id}, whom the directory does not know{near}");
                self.add(about, true, message);
            }
            Some(person) if person.inactive && self.directory.successor(id).is_none() => {
                let message = format!(
                    "{about} {what} {id}, who left without a manager to take over; name somebody else"
                );
                self.add(about, false, message);
            }
            Some(_) => {}
        }
    }

    fn people(&mut self) {
        let people = &self.directory.people;
        if people.len() > PEOPLE_MAX {
            let message = format!(
                "there are {} people, at most {PEOPLE_MAX} fit; customers belong into their own list",
                people.len()
            );
            self.add("the directory", true, message);
        }
        let mut addresses: BTreeMap<String, &str> = BTreeMap::new();
        for (id, person) in people {
            self.name("person", id);
            self.person(id, person);
            for address in &person.emails {
                let address = address.to_ascii_lowercase();
                if !address.contains('@') {
                    self.add(
                        id,
                        true,
                        format!("{id} has `{address}`, which is no address"),
                    );
                } else if let Some(other) = addresses.get(address.as_str()).copied()
                    && other != id
                {
                    let message = format!("{id} and {other} both have the address {address}");
                    self.add(id, true, message);
                }
                addresses.insert(address, id);
            }
        }
    }

    fn person(&mut self, id: &str, person: &Person) {
        if jiff::tz::TimeZone::get(&person.zone).is_err() {
            let message = if person.zone.is_empty() {
                format!("{id} has no time zone: write one such as Europe/Vienna")
            } else {
                let zone = &person.zone;
                format!(
                    "{id} has the time zone `{zone}`, which does not exist; such as Europe/Vienna"
                )
            };
            self.add(id, true, message);
        }
        if let Some(manager) = &person.manager {
            self.somebody(id, "is led by", manager);
        }
        if let Some(deputy) = &person.deputy {
            self.somebody(id, "is stood in for by", deputy);
        }
        for away in &person.away {
            if away.until < away.from {
                let message = format!(
                    "{id} is away until {} but only from {}",
                    away.until, away.from
                );
                self.add(id, true, message);
            }
        }
        for name in &person.calendars {
            if named(&self.directory.calendars, name).is_none() {
                let near = nearest(name, self.directory.calendars.keys().map(String::as_str));
                self.add(
                    id,
                    true,
                    format!("{id} has the calendar {name}, which there is not{near}"),
                );
            }
        }
        if !person.inactive && person.emails.is_empty() && person.push.is_empty() {
            let message = format!("{id} has neither an address nor a phone and can never be told");
            self.add(id, false, message);
        }
        if person.hours.days.iter().any(|day| !(1..=7).contains(day)) {
            let message = format!("{id} works on days that do not exist: 1 is Monday, 7 is Sunday");
            self.add(id, true, message);
        }
    }

    /// Deputies and managers that come back to where they began.
    fn circles(&mut self) {
        for (what, of) in [
            (
                "deputies",
                (|p: &Person| p.deputy.clone()) as fn(&Person) -> Option<String>,
            ),
            ("managers", |p: &Person| p.manager.clone()),
        ] {
            let mut told: BTreeSet<String> = BTreeSet::new();
            for id in self.directory.people.keys() {
                let mut chain = vec![id.clone()];
                while let Some(next) = chain
                    .last()
                    .and_then(|last| self.directory.people.get(last))
                    .and_then(of)
                {
                    if next == *id && !told.contains(id) {
                        told.extend(chain.iter().cloned());
                        let circle = chain.join(" → ");
                        let message = format!(
                            "the {what} {circle} → {id} go round in a circle: end it with somebody else"
                        );
                        self.add(id, true, message);
                    }
                    if chain.contains(&next) {
                        break;
                    }
                    chain.push(next);
                }
            }
        }
    }

    fn groups(&mut self) {
        let groups = &self.directory.groups;
        for (name, group) in groups {
            self.name("group", name);
            let about = format!("group {name}");
            if group.members.is_empty() {
                self.add(&about, false, format!("{about} has no members"));
            }
            for words in &group.members {
                self.member(&about, words);
            }
            if self.reaches(name, name, &mut BTreeSet::new()) {
                self.add(
                    &about,
                    true,
                    format!("{about} is in itself: take it out of its members"),
                );
            }
        }
    }

    fn reaches(&self, from: &str, goal: &str, seen: &mut BTreeSet<String>) -> bool {
        let Some(group) = named(&self.directory.groups, from) else {
            return false;
        };
        group.members.iter().any(|words| match parse(words) {
            Words::Group(next) if next.eq_ignore_ascii_case(goal) => true,
            Words::Group(next) => {
                seen.insert(next.to_lowercase()) && self.reaches(next, goal, seen)
            }
            _ => false,
        })
    }

    fn member(&mut self, about: &str, words: &str) {
        let directory = self.directory;
        let near = |name: &str, all: Vec<&str>| nearest(name, all.into_iter());
        let (is_error, what, near) = match parse(words) {
            Words::Role(name) if directory.in_role(name).is_empty() => {
                (false, "which nobody holds", near(name, directory.roles()))
            }
            Words::Group(name) if named(&directory.groups, name).is_none() => {
                let all = keys(&directory.groups);
                (true, "which there is not", near(name, all))
            }
            Words::Team(name) if directory.in_team(name).is_empty() => (
                false,
                "to which nobody belongs",
                near(name, directory.team_names()),
            ),
            Words::LeadOf(name) if directory.lead_of(name).is_none() => (
                true,
                "which has no lead",
                near(name, directory.team_names()),
            ),
            Words::OnDuty(name) if named(&directory.rotas, name).is_none() => {
                let all = keys(&directory.rotas);
                (true, "which is no rota", near(name, all))
            }
            Words::Person(name) if directory.member(name).is_none() => {
                let all = keys(&directory.people);
                (true, "whom the directory does not know", near(name, all))
            }
            _ => return,
        };
        self.add(
            about,
            is_error,
            format!("{about} has `{words}`, {what}{near}"),
        );
    }

    fn rota(&mut self, name: &str, rota: &Rota) {
        self.name("rota", name);
        let about = format!("rota {name}");
        if jiff::tz::TimeZone::get(&rota.zone).is_err() || rota.zone.is_empty() {
            let zone = &rota.zone;
            let message = format!("{about} has the time zone `{zone}`, which does not exist");
            self.add(&about, true, message);
        }
        if rota.hand_over.is_empty() {
            let message = format!("{about} never changes hands: write `hand_over: Mon 09:00`");
            self.add(&about, true, message);
        }
        let own = !rota.shifts.is_empty() && rota.shifts.iter().all(|s| !s.members.is_empty());
        if rota.members.is_empty() && !own {
            self.add(
                &about,
                true,
                format!("{about} has no members: nobody would be on duty"),
            );
        }
        for id in rota.everybody() {
            self.somebody(&about, "has", id);
        }
        for over in &rota.overrides {
            if over.until <= over.from {
                let message = format!(
                    "{about}: {} stands in until {}, which is not after {}",
                    over.person, over.until, over.from
                );
                self.add(&about, true, message);
            }
        }
        let mut begins: Vec<String> = rota.shifts.iter().map(|s| s.from.to_string()).collect();
        begins.sort_unstable();
        if begins.windows(2).any(|pair| pair[0] == pair[1]) {
            let message = format!("{about} has two shifts that begin at the same moment");
            self.add(&about, true, message);
        }
    }
}

fn keys<T>(all: &BTreeMap<String, T>) -> Vec<&str> {
    all.keys().map(String::as_str).collect()
}

/// `; did you mean …?`, when a known name differs by little.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let name = name.to_lowercase();
    let far = |other: &str| distance(&name, &other.to_lowercase());
    let best = known.map(|other| (far(other), other)).min();
    match best {
        Some((far, other)) if far <= 1 + name.chars().count() / 4 => {
            format!("; did you mean {other}?")
        }
        _ => String::new(),
    }
}

/// How many letters differ.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(NAME_MAX).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (n, sign) in left.chars().take(NAME_MAX).enumerate() {
        let mut above = row[0];
        row[0] = n + 1;
        for (m, other) in right.iter().enumerate() {
            let changed = above + usize::from(sign != *other);
            above = row[m + 1];
            row[m + 1] = changed.min(row[m] + 1).min(above + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(json: serde_json::Value) -> Vec<(bool, String)> {
        let mut directory: Directory = serde_json::from_value(json).unwrap();
        directory.settle();
        let all = directory.findings().into_iter();
        all.map(|finding| (finding.is_error, finding.message))
            .collect()
    }

    #[test]
    fn each_mistake_has_a_sentence_that_says_what_to_write() {
        let json = serde_json::json!({
            "people": {
                "ann": {"zone": "Europe/Vienna", "emails": ["a@x.example"], "deputy": "ben", "manager": "bem"},
                "ben": {"zone": "Europe/Wien", "emails": ["A@x.example"], "deputy": "cid"},
                "cid": {"zone": "UTC", "deputy": "ann", "calendars": ["att"],
                        "away": [{"from": "2026-03-05", "until": "2026-03-01"}]},
            },
            "calendars": {"at": {"days": {"2026-10-26": "Nationalfeiertag"}}},
            "groups": {"a": {"members": ["group b", "role lgeal"]}, "b": {"members": ["group a", "dan"]}},
            "teams": {"brand": {"lead": "zoe"}},
            "rotas": {"it-ops": {"zone": "Europe/Vienna", "hand_over": "Mon 09:00", "members": [],
                "overrides": [{"from": "2026-03-05T10:00", "until": "2026-03-05T10:00", "person": "ann"}]}},
        });
        let all = findings(json);
        let said = |words: &str| all.iter().any(|(_, line)| line.contains(words));
        for words in [
            "ann is led by bem, whom the directory does not know; did you mean ben?",
            "`Europe/Wien`, which does not exist",
            "both have the address a@x.example",
            "ann → ben → cid → ann go round in a circle",
            "calendar att, which there is not; did you mean at?",
            "until 2026-03-01 but only from",
            "cid has neither an address nor a phone",
            "group a is in itself",
            "`role lgeal`, which nobody holds",
            "`dan`, whom the directory does not know",
            "team brand is led by zoe",
            "rota it-ops has no members",
            "which is not after",
        ] {
            assert!(said(words), "{words}: {all:#?}");
        }
        assert!(all.is_sorted_by_key(|(error, _)| !error));
    }

    #[test]
    fn a_sound_directory_has_no_findings() {
        let json = serde_json::json!({
            "people": {"ann": {"zone": "UTC", "emails": ["a@x.example"], "roles": ["legal"]}},
            "groups": {"all": {"members": ["role legal", "A@x.example", "on duty ops"]}},
            "rotas": {"ops": {"zone": "UTC", "hand_over": ["Mon 09:00"], "members": ["ann"]}},
            "owner": "ann",
        });
        assert_eq!(findings(json), []);
    }
}
