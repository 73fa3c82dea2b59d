//! People as flows see them: who holds a role, who stands in for whom, when somebody works and
//! where he can be reached. An immutable snapshot with a version; looking things up is pure. Groups
//! and teams, rotas, and what may be wrong with a directory are in files of their own.

mod check;
mod customer;
mod groups;
mod overlay;
mod rota;
pub mod rows;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use check::{Finding, PEOPLE_MAX, is_name};
pub use customer::{Consent, Customer};
pub use groups::{Group, HolidayCalendar, MEMBERS_DEEP_MAX, Team};
pub use overlay::{Difference, PARTS, Refused};
pub use rota::{Moment, Override, Rota, SLOTS_MAX, Shift, Slot};
pub use wishes::{AwaySource, Channel, Channels, PushText};

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
    /// Named lists of people, roles and other groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Group>,
    /// Teams and who leads them. A person says which one he belongs to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, Team>,
    /// Calendars of holidays that people refer to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calendars: BTreeMap<String, HolidayCalendar>,
    /// Who is on duty, by turns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rotas: BTreeMap<String, Rota>,
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
    /// Calendars of holidays that hold for him, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<String>,
    /// The days of his calendars; [`Directory::settle`] fills them in.
    #[serde(skip)]
    pub days_off: Arc<BTreeSet<jiff::civil::Date>>,
    /// When only critical messages may disturb.
    pub quiet: Option<Quiet>,
    /// How he wants to be told.
    #[serde(skip_serializing_if = "Channels::is_usual")]
    pub channels: Channels,
    /// How much of a message his pushes show; the stricter of this and the flow's counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PushText>,
    /// His first day: before it he counts as away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<jiff::civil::Date>,
    /// True for somebody who left: he decides nothing any more, his manager does.
    pub inactive: bool,
    /// His id in the system that keeps him here by SCIM; None when it is not kept that way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What he signs in with there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// One absence, both days included, in the person's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// First day away.
    pub from: jiff::civil::Date,
    /// Last day away.
    pub until: jiff::civil::Date,
    /// Where it is known from.
    #[serde(default, skip_serializing_if = "AwaySource::is_usual")]
    pub source: AwaySource,
}

impl Away {
    /// An absence as the set-up file says it.
    pub fn new(from: jiff::civil::Date, until: jiff::civil::Date) -> Self {
        let source = AwaySource::default();
        Self {
            from,
            until,
            source,
        }
    }

    /// An absence from two days as people write them, such as `2026-03-02`.
    ///
    /// # Errors
    /// Which of them is no day, or that the last is before the first, in a sentence.
    pub fn of_words(from: &str, until: &str, source: AwaySource) -> Result<Self, String> {
        let day = |what: &str, text: &str| {
            let read = text.trim().parse::<jiff::civil::Date>();
            read.map_err(|_| format!("the {what} day must be written as 2026-03-02, not `{text}`"))
        };
        let (from, until) = (day("first", from)?, day("last", until)?);
        if until < from {
            return Err(format!(
                "the last day, {until}, is before the first, {from}"
            ));
        }
        Ok(Self {
            from,
            until,
            source,
        })
    }

    /// Whether it holds on a day.
    pub fn covers(&self, day: jiff::civil::Date) -> bool {
        self.from <= day && day <= self.until
    }
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
        self.is_away_on(now.timestamp().to_zoned(self.time_zone()).date())
    }

    /// Whether he is away on a day, or did not begin yet.
    pub fn is_away_on(&self, day: jiff::civil::Date) -> bool {
        let early = self.start.is_some_and(|start| day < start);
        early || self.away.iter().any(|away| away.covers(day))
    }

    /// Whether a day is one of his holidays, his own or those of his calendars.
    pub fn has_holiday_on(&self, day: jiff::civil::Date) -> bool {
        self.holidays.contains(&day) || self.days_off.contains(&day)
    }

    /// The phones to which something goes: none when he wants mail for it and has an address.
    pub fn phones(&self, urgent: bool) -> &[String] {
        let wish = if urgent {
            self.channels.critical
        } else {
            self.channels.normal
        };
        if wish == Channel::Mail && !self.emails.is_empty() {
            return &[];
        }
        &self.push
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

    /// The person himself, or, when he left, the manager who took over; the manager's manager when
    /// that one left too. None when nobody is there, or they go round in a circle.
    pub fn successor(&self, id: &str) -> Option<&Person> {
        let mut at = self.people.get(id)?;
        for _ in 0..self.people.len() {
            if !at.inactive {
                return Some(at);
            }
            at = self.people.get(at.manager.as_deref()?)?;
        }
        None
    }

    /// Who is on duty in a rota now: whoever's turn it is, else who stands in for him, else the
    /// next one of the rota who is there. None when there is no such rota, or nobody is there.
    pub fn on_duty(&self, rota: &str, now: Time) -> Option<&Person> {
        let rota = groups::named(&self.rotas, rota)?;
        let there = |person: &&Person| !person.inactive && !person.is_away(now);
        let turn = rota.slot(now)?.person;
        let himself = self.people.get(&turn).filter(there);
        if let Some(found) = himself.or_else(|| self.deputy_of(&turn, now)) {
            return Some(found);
        }
        let mut members: Vec<&PersonId> = rota.members.iter().collect();
        members.extend(rota.everybody());
        let at = members.iter().position(|id| **id == turn).unwrap_or(0);
        members.rotate_left(at);
        let mut known = members.into_iter().filter_map(|id| self.people.get(id));
        known.find(there)
    }

    /// Fills in what follows from the rest: ids from keys, days off from calendars. Call it once
    /// after reading a directory.
    pub fn settle(&mut self) {
        let calendars = &self.calendars;
        for (id, person) in &mut self.people {
            person.id.clone_from(id);
            let days = person.calendars.iter();
            let days = days.filter_map(|name| groups::named(calendars, name));
            let days = days.flat_map(|calendar| calendar.days.keys().copied());
            person.days_off = Arc::new(days.collect());
        }
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
