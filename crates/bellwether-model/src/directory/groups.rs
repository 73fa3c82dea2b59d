//! Groups, teams and calendars of holidays: names that stand for many people or days. Words that
//! need an event (`manager of sender`) are not known here.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Directory, Person, PersonId};
use crate::time::Time;

/// How deep groups may hold groups. More is a mistake, and circles end here.
pub const MEMBERS_DEEP_MAX: u8 = 8;

/// A named list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// The name that people read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its members in words: `alice`, `role legal`, `group agencies`, `team brand`,
    /// `lead of team brand`, `on duty it-ops`.
    pub members: Vec<String>,
    /// Its id in the system that keeps it here by SCIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// A team. Its members say so themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// The name that people read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Who leads it.
    pub lead: Option<PersonId>,
}

/// Holidays of a country or a site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HolidayCalendar {
    /// The name that people read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Days without work, with what they are called.
    pub days: BTreeMap<Date, String>,
}

/// A thing by its name, ignoring case.
pub(super) fn named<'a, T>(all: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let exact = all.get(name);
    exact.or_else(|| {
        let mut all = all.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, one)| one)
    })
}

/// What words of a member mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words<'a> {
    Role(&'a str),
    Group(&'a str),
    Team(&'a str),
    LeadOf(&'a str),
    OnDuty(&'a str),
    Person(&'a str),
}

/// The words of a member, taken apart.
pub(super) fn parse(words: &str) -> Words<'_> {
    let words = words.trim();
    let after = |prefix: &str| {
        let start = words.get(..prefix.len())?;
        let fits = start.eq_ignore_ascii_case(prefix);
        fits.then(|| words[prefix.len()..].trim())
    };
    if let Some(name) = after("role ") {
        Words::Role(name)
    } else if let Some(name) = after("group ") {
        Words::Group(name)
    } else if let Some(name) = after("lead of team ").or_else(|| after("lead of ")) {
        Words::LeadOf(name)
    } else if let Some(name) = after("team ") {
        Words::Team(name)
    } else if let Some(name) = after("on duty ") {
        Words::OnDuty(name)
    } else {
        Words::Person(after("person ").unwrap_or(words))
    }
}

impl Directory {
    /// The active people of a group, each once, in the order of its members. Empty when there is
    /// no such group or nobody is in it.
    pub fn in_group(&self, name: &str, now: Time) -> Vec<&Person> {
        let mut out = Vec::new();
        self.gather(name, now, MEMBERS_DEEP_MAX, &mut out);
        out
    }

    fn gather<'a>(&'a self, name: &str, now: Time, deep: u8, out: &mut Vec<&'a Person>) {
        let (Some(group), Some(deep)) = (named(&self.groups, name), deep.checked_sub(1)) else {
            return;
        };
        let mut add = |people: Vec<&'a Person>| {
            for person in people {
                if !out.iter().any(|known| known.id == person.id) {
                    out.push(person);
                }
            }
        };
        for words in &group.members {
            match parse(words) {
                Words::Role(role) => add(self.in_role(role)),
                Words::Team(team) => add(self.in_team(team)),
                Words::LeadOf(team) => add(self.lead_of(team).into_iter().collect()),
                Words::OnDuty(rota) => add(self.on_duty(rota, now).into_iter().collect()),
                Words::Person(name) => add(self.member(name).into_iter().collect()),
                Words::Group(_) => {}
            }
        }
        for words in &group.members {
            if let Words::Group(inner) = parse(words) {
                self.gather(inner, now, deep, out);
            }
        }
    }

    /// A member who is named by id, address or name; who left is his manager's business.
    pub(super) fn member(&self, name: &str) -> Option<&Person> {
        let by_id = self.successor(name);
        by_id
            .or_else(|| self.by_email(name))
            .or_else(|| self.by_name(name))
    }

    /// The active people of a team, in order of id.
    pub fn in_team(&self, name: &str) -> Vec<&Person> {
        let belongs = |person: &&Person| {
            let team = person.team.as_deref();
            !person.inactive && team.is_some_and(|team| team.eq_ignore_ascii_case(name))
        };
        self.people.values().filter(belongs).collect()
    }

    /// Who leads a team; when he left, his manager.
    pub fn lead_of(&self, team: &str) -> Option<&Person> {
        self.successor(named(&self.teams, team)?.lead.as_deref()?)
    }

    /// The groups that a person is in, by name.
    pub fn groups_of(&self, person: &str, now: Time) -> Vec<&str> {
        let names = self.groups.keys().map(String::as_str);
        let holds = |name: &&str| self.in_group(name, now).iter().any(|p| p.id == person);
        names.filter(holds).collect()
    }

    /// Every role that somebody holds, in order, each once.
    pub fn roles(&self) -> Vec<&str> {
        let held = self.people.values().filter(|person| !person.inactive);
        let mut roles: Vec<&str> = held
            .flat_map(|person| person.roles.iter().map(String::as_str))
            .collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Every team that there is or that somebody says he belongs to, in order, each once.
    pub fn team_names(&self) -> Vec<&str> {
        let said = self.people.values().filter_map(|p| p.team.as_deref());
        let mut names: Vec<&str> = self.teams.keys().map(String::as_str).chain(said).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let json = serde_json::json!({
            "people": {
                "ann": {"roles": ["legal"], "team": "Brand", "manager": "cid"},
                "ben": {"roles": ["legal"], "inactive": true, "manager": "dee"},
                "cid": {"team": "brand", "emails": ["cid@example.com"]},
                "dee": {"inactive": true, "manager": "cid"},
                "eve": {"inactive": true, "manager": "eve"},
            },
            "groups": {
                "all": {"members": ["role legal", "group more", "ben"]},
                "more": {"members": ["group all", "CID@example.com", "lead of team brand"]},
                "none": {"members": ["eve", "nobody"]},
            },
            "teams": {"brand": {"lead": "dee"}},
        });
        let mut directory: Directory = serde_json::from_value(json).unwrap();
        directory.settle();
        directory
    }

    fn ids(people: &[&Person]) -> Vec<String> {
        people.iter().map(|person| person.id.clone()).collect()
    }

    #[test]
    fn a_group_is_everybody_once_and_circles_end() {
        let directory = directory();
        // Ben left, and so did his manager: it is Cid's now.
        assert_eq!(ids(&directory.in_group("ALL", Time(0))), ["ann", "cid"]);
        assert_eq!(ids(&directory.in_group("more", Time(0))), ["cid", "ann"]);
        assert!(directory.in_group("none", Time(0)).is_empty());
        assert!(directory.in_group("nothing", Time(0)).is_empty());
        assert_eq!(directory.groups_of("ann", Time(0)), ["all", "more"]);
    }

    #[test]
    fn a_team_has_members_and_a_lead_who_may_have_left() {
        let directory = directory();
        assert_eq!(ids(&directory.in_team("brand")), ["ann", "cid"]);
        assert_eq!(directory.lead_of("brand").unwrap().id, "cid");
        assert!(directory.lead_of("sales").is_none());
        assert!(directory.successor("eve").is_none(), "she leads herself");
        assert_eq!(directory.successor("ann").unwrap().id, "ann");
    }
}
