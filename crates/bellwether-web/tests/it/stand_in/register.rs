//! The stand-in's register: usages and users of other systems, as the pages and the API see them.

use bellwether_engine::seam::*;
use bellwether_engine::store::*;
use bellwether_model::BoxFuture;
use bellwether_model::time::Time;

use super::fake::{Fake, done, lock};

/// What the register holds, and what was handed in.
#[derive(Debug, Default)]
pub(crate) struct Register {
    pub(crate) usages: Vec<UsageRow>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) said: Vec<UsageSaid>,
    pub(crate) mapped: Vec<(NewMapping, String)>,
}

fn who(connection: &str, id: &str) -> Who {
    Who {
        connection: connection.to_owned(),
        id: id.to_owned(),
    }
}

fn at(text: &str) -> Time {
    Time::parse(text).expect("an instant")
}

/// A register with somebody of each kind in it.
pub(crate) fn sample() -> Register {
    let identity = |number, id: &str, name: &str, seen| Identity {
        number,
        who: who("assets", id),
        name: name.to_owned(),
        person: None,
        proposed: None,
        seen,
        first_seen: Some(at("2026-02-20T08:00:00Z")),
        last_seen: Some(at("2026-03-02T08:30:00Z")),
        mapped: None,
    };
    let long = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";
    let identities = vec![
        Identity {
            proposed: Some((
                "carl".to_owned(),
                "has the same name in the directory".to_owned(),
            )),
            ..identity(3, long, "Carl Conrad", 12)
        },
        identity(2, "agency-user-7", "", 1),
        Identity {
            person: Some("dora".to_owned()),
            mapped: Some(("admin(local)".to_owned(), at("2026-03-01T09:00:00Z"))),
            ..identity(1, "9b2d1c55-0000-4c1e-9a55-7d0000000001", "D. Dorn", 4)
        },
    ];
    let usage = |number, asset: &str, who: Who, person: Option<&str>, how| UsageRow {
        number,
        asset: asset.to_owned(),
        who,
        person: person.map(str::to_owned),
        document: "Campaigns/2026/Spring flyer, final corrected.indd".to_owned(),
        how,
        source: "api".to_owned(),
        since: at("2026-02-20T08:00:00Z"),
        seen_at: at("2026-03-02T08:30:00Z"),
        ended_at: None,
    };
    let here = |id: &str| who("", id);
    let usages = vec![
        usage(4, long, here("alice"), Some("alice"), How::Linked),
        usage(
            3,
            "logo-2026",
            who("assets", "9b2d"),
            Some("dora"),
            How::Derived,
        ),
        usage(
            2,
            "logo-2026",
            who("assets", "agency-user-7"),
            None,
            How::Named,
        ),
        usage(1, "logo-2026", here("carl"), Some("carl"), How::Said),
    ];
    Register {
        usages,
        identities,
        ..Register::default()
    }
}

/// A page of a numbered list, newest first.
fn paged<T>(
    mut found: Vec<T>,
    number: impl Fn(&T) -> u64,
    after: Option<u64>,
    limit: usize,
) -> Page<T> {
    let total = found.len() as u64;
    found.retain(|row| after.is_none_or(|after| number(row) < after));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|row| number(row).to_string());
    Page {
        total,
        items: found,
        next,
    }
}

pub(crate) fn usages(fake: &Fake, query: &UsageQuery) -> Page<UsageRow> {
    let register = lock(&fake.register);
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
    };
    let wanted = |row: &&UsageRow| {
        is(&query.asset, Some(&row.asset))
            && is(&query.person, row.person.as_deref())
            && is(&query.document, Some(&row.document))
            && row.ended_at.is_some() == query.ended
    };
    let found = register.usages.iter().filter(wanted).cloned().collect();
    paged(found, |row| row.number, query.after, query.limit)
}

pub(crate) fn identities(fake: &Fake, query: &IdentityQuery) -> Page<Identity> {
    let register = lock(&fake.register);
    let wanted = |row: &&Identity| {
        query
            .resolved
            .is_none_or(|known| row.person.is_some() == known)
            && query
                .connection
                .as_ref()
                .is_none_or(|c| *c == row.who.connection)
            && query
                .person
                .as_ref()
                .is_none_or(|p| Some(p) == row.person.as_ref())
    };
    let found = register.identities.iter().filter(wanted).cloned().collect();
    paged(found, |row| row.number, query.after, query.limit)
}

impl People for Fake {
    fn record_usages(
        &self,
        usages: Vec<UsageSaid>,
    ) -> BoxFuture<'_, Result<Recorded, IntakeError>> {
        let mut recorded = Recorded::default();
        for (at, said) in usages.into_iter().enumerate() {
            if said.asset.is_empty() {
                recorded.refused.push((at, "it names no asset".to_owned()));
            } else {
                recorded.recorded += 1;
                lock(&self.register).said.push(said);
            }
        }
        done(Ok(recorded))
    }

    fn map_people<'a>(
        &'a self,
        mappings: Vec<NewMapping>,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotMapped>> {
        let stranger = |new: &NewMapping| new.person.as_deref() == Some("stranger");
        if let Some(at) = mappings.iter().position(stranger) {
            let why = "the directory does not know stranger".to_owned();
            return done(Err(NotMapped::Wrong(vec![(at, why)])));
        }
        let mapped = mappings.len();
        let by = mappings.into_iter().map(|new| (new, actor.name.clone()));
        lock(&self.register).mapped.extend(by);
        done(Ok(mapped))
    }

    fn propose_people(&self) -> BoxFuture<'_, Result<usize, IntakeError>> {
        done(Ok(1))
    }
}
