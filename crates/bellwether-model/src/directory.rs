//! People as flows see them: who holds a role, who stands in for whom, when somebody works and
//! where he can be reached. An immutable snapshot with a version; looking things up is pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// An opaque id such as `alice`: the only thing about a person that journals keep.
pub type PersonId = String;

/// All people at one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    /// Grows with each change; events and turns record it.
    #[serde(default)]
    pub version: u64,
    /// Everybody, by id.
    #[serde(default)]
    pub people: BTreeMap<PersonId, Person>,
    /// Who is told when nobody else can be found.
    #[serde(default)]
    pub owner: Option<PersonId>,
    /// Which people the users of other systems are. Kept in the register, not in the document.
    #[serde(skip)]
    pub outside: Arc<Outside>,
}

/// The users of other systems whose person is known, by their id there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outside(BTreeMap<String, Vec<(String, PersonId)>>);

impl Outside {
    /// Adds that `user` of `connection` is `person`.
    pub fn add(&mut self, connection: &str, user: &str, person: &str) {
        let known = self.0.entry(user.to_owned()).or_default();
        known.retain(|(other, _)| other != connection);
        known.push((connection.to_owned(), person.to_owned()));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who `user` of `connection` is. What another connection knows counts for UUIDs only, when
    /// nobody says otherwise: shorter ids are given out again and again.
    pub fn person(&self, connection: &str, user: &str) -> Option<&str> {
        self.known(connection, user).map(|(_, person)| person)
    }

    /// The same with the connection that knows it.
    pub fn known(&self, connection: &str, user: &str) -> Option<(&str, &str)> {
        let known = self.0.get(user)?;
        let own = known.iter().find(|(name, _)| name == connection);
        if let Some((name, person)) = own {
            return Some((name, person));
        }
        let (name, first) = known.first()?;
        let agreed = known.iter().all(|(_, person)| person == first);
        (is_uuid(user) && agreed).then_some((name, first))
    }
}

fn is_uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => dashes.contains(&at),
            _ => byte.is_ascii_hexdigit() && !dashes.contains(&at),
        })
}

/// One person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// The id; filled in from the directory's key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: PersonId,
    /// The name that others read.
    pub name: String,
    /// Addresses, the first one is written to.
    pub emails: Vec<String>,
    /// IANA zone name.
    pub zone: String,
    /// `en`, `de`.
    pub language: String,
    /// Who leads him.
    pub manager: Option<PersonId>,
    /// Who stands in for him.
    pub deputy: Option<PersonId>,
    /// Roles that he holds, such as `purchasing-lead`.
    pub roles: Vec<String>,
    /// The team that he belongs to.
    pub team: Option<String>,
    /// Where pushes go: addresses per channel (device tokens, user names).
    pub push: Vec<String>,
    /// Absences.
    pub away: Vec<Away>,
    /// When he works; the default is Monday to Friday, 09:00 to 17:00.
    pub hours: Hours,
    /// Days without work, as `2026-12-25`.
    pub holidays: Vec<jiff::civil::Date>,
    /// When only critical messages may disturb.
    pub quiet: Option<Quiet>,
    /// False for somebody who left: he decides nothing any more.
    pub inactive: bool,
}

/// One absence, both days included, in the person's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// First day away.
    pub from: jiff::civil::Date,
    /// Last day away.
    pub until: jiff::civil::Date,
}

/// Working hours in the person's zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hours {
    /// First minute of work.
    pub from: jiff::civil::Time,
    /// First minute after work.
    pub until: jiff::civil::Time,
    /// Working days, 1 = Monday to 7 = Sunday.
    pub days: Vec<i8>,
}

impl Default for Hours {
    fn default() -> Self {
        Self {
            from: jiff::civil::time(9, 0, 0, 0),
            until: jiff::civil::time(17, 0, 0, 0),
            days: vec![1, 2, 3, 4, 5],
        }
    }
}

/// Quiet hours in the person's zone; may reach over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// When quiet begins.
    pub from: jiff::civil::Time,
    /// When it ends.
    pub until: jiff::civil::Time,
}

impl Person {
    /// The person's zone; UTC when the name is unknown (import and lint refuse such names).
    pub fn time_zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Whether he is away on the day that `now` is in his zone.
    pub fn is_away(&self, now: Time) -> bool {
        let today = now.timestamp().to_zoned(self.time_zone()).date();
        self.away
            .iter()
            .any(|away| away.from <= today && today <= away.until)
    }

    /// Whether one of his addresses is `address`, ignoring case.
    pub fn has_email(&self, address: &str) -> bool {
        self.emails
            .iter()
            .any(|email| email.eq_ignore_ascii_case(address))
    }
}

impl Directory {
    /// An active person by id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(id).filter(|person| !person.inactive)
    }

    /// An active person by any of his addresses.
    pub fn by_email(&self, address: &str) -> Option<&Person> {
        self.people
            .values()
            .find(|person| !person.inactive && person.has_email(address))
    }

    /// An active person by his id in another system.
    pub fn by_outside(&self, connection: &str, user: &str) -> Option<&Person> {
        self.person(self.outside.person(connection, user)?)
    }

    /// The only active person of that name, ignoring case: where two have it, saying it is not
    /// enough.
    pub fn by_name(&self, name: &str) -> Option<&Person> {
        let called = |person: &&Person| !person.inactive && person.name.eq_ignore_ascii_case(name);
        let mut all = self.people.values().filter(called);
        let first = all.next();
        first.filter(|_| all.next().is_none())
    }

    /// The active people who hold a role, in order of id.
    pub fn in_role(&self, role: &str) -> Vec<&Person> {
        let holds = |person: &&Person| {
            !person.inactive
                && person
                    .roles
                    .iter()
                    .any(|held| held.eq_ignore_ascii_case(role))
        };
        self.people.values().filter(holds).collect()
    }

    /// Who stands in for `id` now: his deputy, or the deputy's deputy while those are away. None
    /// when there is nobody, or when the chain comes back to where it began.
    pub fn deputy_of(&self, id: &str, now: Time) -> Option<&Person> {
        let mut at = self.people.get(id)?;
        for _ in 0..self.people.len() {
            let next = self.people.get(at.deputy.as_deref()?)?;
            if next.id == id {
                return None;
            }
            if !next.inactive && !next.is_away(now) {
                return Some(next);
            }
            at = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_another_system_is_who_his_connection_says() {
        let uuid = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";
        let mut outside = Outside::default();
        outside.add("dam", "42", "alice");
        outside.add("dam", uuid, "alice");
        assert_eq!(outside.person("dam", "42"), Some("alice"));
        assert_eq!(
            outside.person("shop", "42"),
            None,
            "a short id of somebody else"
        );
        assert_eq!(outside.person("shop", uuid), Some("alice"));
        outside.add("portal", uuid, "bob");
        assert_eq!(outside.person("shop", uuid), None, "two say two things");
        assert_eq!(outside.person("portal", uuid), Some("bob"));
        outside.add("portal", uuid, "alice");
        assert_eq!(
            (outside.person("shop", uuid), outside.len()),
            (Some("alice"), 3)
        );
    }
}
