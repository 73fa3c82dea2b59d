//! The directory of the stand-in: the document that the fake registry has, changed in place; and
//! its customers.

use std::sync::Arc;

use bellwether_engine::seam::{Actor, Directories, NotChanged};
use bellwether_engine::store::{CustomerCounts, CustomerQuery, CustomerRow, Document, Page};
use bellwether_model::BoxFuture;
use bellwether_model::directory::{Consent, Customer, Directory};
use serde_json::json;

use super::fake::{Fake, document, done, lock};

impl Directories for Fake {
    fn current(&self) -> Arc<Directory> {
        let documents = lock(&self.documents);
        let found = documents
            .iter()
            .rfind(|document| document.kind == "directory");
        let mut directory = Directory::default();
        if let Some(document) = found {
            directory = serde_json::from_value(document.body.clone()).expect("a directory");
            directory.version = document.version;
        }
        directory.settle();
        Arc::new(directory)
    }

    fn replace<'a>(
        &'a self,
        next: Directory,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<u64, NotChanged>> {
        let mut documents = lock(&self.documents);
        let found = documents
            .iter_mut()
            .rfind(|document| document.kind == "directory");
        let Some(document) = found.filter(|document| document.version == next.version) else {
            return done(Err(NotChanged::Conflict));
        };
        document.body = json!(Directory { version: 0, ..next });
        document.version += 1;
        document.actor.clone_from(&actor.name);
        done(Ok(document.version))
    }

    fn write_customers<'a>(
        &'a self,
        customers: Vec<(Customer, bool)>,
        _: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotChanged>> {
        let mut kept = lock(&self.customers);
        let written = customers.len();
        for (customer, removed) in customers {
            kept.retain(|known| known.address != customer.address);
            if !removed {
                kept.push(customer);
            }
        }
        kept.sort_by(|a, b| a.address.cmp(&b.address));
        done(Ok(written))
    }
}

pub(crate) fn customers(fake: &Fake, query: &CustomerQuery) -> Page<CustomerRow> {
    let begins = query.begins.clone().unwrap_or_default();
    let kept = lock(&fake.customers);
    let fitting = kept.iter().filter(|one| one.address.starts_with(&begins));
    let mut items: Vec<CustomerRow> = fitting
        .map(|customer| CustomerRow {
            customer: customer.clone(),
            by: "admin(local)".to_owned(),
            at: bellwether_model::time::Time::default(),
        })
        .collect();
    let total = items.len() as u64;
    items.retain(|row| {
        query
            .after
            .as_ref()
            .is_none_or(|after| row.customer.address > *after)
    });
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    let next = items
        .last()
        .filter(|_| more)
        .map(|row| row.customer.address.clone());
    Page { total, items, next }
}

pub(crate) fn counts(fake: &Fake) -> CustomerCounts {
    let kept = lock(&fake.customers);
    let count = |fits: fn(&Customer) -> bool| kept.iter().filter(|one| fits(one)).count() as u64;
    CustomerCounts {
        all: kept.len() as u64,
        with_app: count(|one| !one.app_id.is_empty()),
        given: count(|one| one.consent == Consent::Given),
        opted_out: count(|one| one.consent == Consent::OptedOut),
        reachable: count(Customer::is_reachable),
    }
}

/// The directory that names come from.
pub(crate) fn directory() -> Document {
    let quiet = json!({ "from": "21:00", "until": "07:30" });
    let people = json!({
        "alice": { "name": "Alice Arnold", "zone": "Europe/Vienna", "language": "en",
            "emails": ["alice@alpenwerk.example"], "push": ["alice-phone"], "deputy": "dora",
            "manager": "carl", "roles": ["purchasing-lead"], "team": "brand", "quiet": quiet,
            "calendars": ["at"] },
        "dora": { "name": "Dora Dorn", "zone": "Europe/Berlin", "language": "de",
            "emails": ["dora@alpenwerk.example"], "push": ["dora-phone", "dora-tablet"],
            "team": "brand", "roles": ["purchasing"], "manager": "carl", "deputy": "carl",
            "away": [{ "from": "2026-03-02", "until": "2026-03-06", "source": "mailbox" }] },
        "carl": { "name": "Carl Conrad", "zone": "Europe/Vienna", "roles": ["cfo"],
            "emails": ["carl@alpenwerk.example"] },
        "ivan": { "name": "Ivan Ilic", "zone": "Europe/Vienna", "push": ["ivan-phone"],
            "emails": ["ivan@alpenwerk.example"], "roles": ["it"] },
    });
    let groups = json!({
        "approvers": { "name": "Approvers", "members": ["role purchasing-lead", "role cfo"] },
        "night": { "members": ["on duty it-ops", "lead of team brand"] },
    });
    let rota = json!({ "name": "IT operations", "zone": "Europe/Vienna", "hand_over": "Mon 09:00",
        "members": ["ivan", "dora", "alice"], "start": "2026-03-02",
        "overrides": [{ "from": "2026-03-04T18:00", "until": "2026-03-06T08:00",
            "person": "carl" }] });
    let days = json!({ "name": "Austria", "days": { "2026-10-26": "Nationalfeiertag" } });
    document(
        "directory",
        "people",
        json!({ "version": 1, "people": people, "owner": "ivan", "groups": groups,
            "teams": { "brand": { "lead": "alice" } }, "calendars": { "at": days },
            "rotas": { "it-ops": rota } }),
    )
}
