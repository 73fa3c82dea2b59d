//! Customers on their way into the register, checked, all or none, and out of it again as readers
//! of messages. What flows see of them is in `lang`.

use bellwether_model::directory::{Customer, Person, Refused};

use super::{Engine, Setup};
use crate::lang::{Customers, Guests};
use crate::seam::{Actor, NotChanged};
use crate::store::{
    Answer, CustomerWrite, Member, NAME_MAX, Query, RegisterWrite, StoreError, Verdict,
};

impl Engine {
    /// Customers as readers of messages, by the name that messages give them.
    pub(super) fn guests(setup: &Setup, customers: &Customers) -> Guests {
        let directory = &setup.directory;
        let owner = directory.owner.as_deref();
        let owner = owner.and_then(|id| directory.people.get(id));
        let zone = owner.map_or("UTC", |owner| &owner.zone);
        let guests = customers.values().map(|one| one.as_reader(zone));
        guests.map(|guest| (guest.id.clone(), guest)).collect()
    }

    /// The customer whom a message names as its reader, as the register has him now; without a
    /// phone when it has him no more.
    pub(super) async fn guest_of(
        &self,
        setup: &Setup,
        reader: Option<&str>,
    ) -> Result<Option<Person>, StoreError> {
        let Some(address) = reader.and_then(Customer::address_of) else {
            return Ok(None);
        };
        let address = address.to_owned();
        let query = Query::Customer {
            address: address.clone(),
        };
        let known = match self.store().answer(&[query]).await?.pop() {
            Some(Answer::Customer(Some(customer))) => customer,
            _ => Customer {
                address: address.clone(),
                ..Customer::default()
            },
        };
        let known = Customers::from([(address, known)]);
        Ok(Self::guests(setup, &known)
            .pop_first()
            .map(|(_, guest)| guest))
    }

    /// Writes customers, or takes them out (true): all or none. Durable when it returns.
    ///
    /// # Errors
    /// What is wrong with them, or the store failed.
    pub async fn write_customers(
        &self,
        customers: Vec<(Customer, bool)>,
        actor: &Actor,
    ) -> Result<usize, NotChanged> {
        let wrong: Vec<Refused> = customers.iter().filter_map(|(one, _)| wrong(one)).collect();
        if !wrong.is_empty() {
            return Err(NotChanged::Wrong(wrong));
        }
        let written = customers.len();
        let at = self.transport_now();
        let register = customers.into_iter().map(|(customer, removed)| {
            RegisterWrite::Customer(CustomerWrite {
                customer: Customer {
                    address: customer.address.trim().to_lowercase(),
                    ..customer
                },
                removed,
                by: actor.name.clone(),
                at,
            })
        });
        let member = Member {
            register: register.collect(),
            ..Member::default()
        };
        match self.commit_one(member).await {
            Verdict::Refused(why) | Verdict::Unavailable(why) => Err(NotChanged::Store(why)),
            _ => Ok(written),
        }
    }
}

fn wrong(customer: &Customer) -> Option<Refused> {
    let address = customer.address.trim();
    let is_address = address.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !address.contains(char::is_whitespace)
    });
    let zone = customer.zone.as_str();
    let long = [
        address,
        &customer.name,
        &customer.app_id,
        zone,
        &customer.language,
    ]
    .iter()
    .any(|text| text.chars().count() > NAME_MAX);
    let message = if !is_address {
        format!("`{address}` is no address")
    } else if long {
        format!("{address} has a field with more than {NAME_MAX} characters")
    } else if !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err() {
        format!("{address} has the time zone `{zone}`, which does not exist; such as Europe/Vienna")
    } else if customer.language.len() > 16 {
        format!(
            "{address} has the language `{}`; such as de",
            customer.language
        )
    } else {
        return None;
    };
    Some(Refused {
        about: address.to_owned(),
        message,
    })
}
