//! Customers as expressions see them: looked up by their addresses before a turn, because they are
//! too many to be in memory. Where they are kept is the store's business.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bellwether_model::directory::{Customer, Person};
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::scope::Scope;
use super::values::Sort;

/// The customers whom the events of a turn name, by address in small letters.
pub type Customers = BTreeMap<String, Customer>;

/// The same customers as readers of messages, by the name that messages give them.
pub type Guests = BTreeMap<String, Person>;

/// The most addresses of one event that are looked up.
pub const CUSTOMERS_MAX: usize = 50;
/// How deep a payload is looked through for addresses.
const DEEP_MAX: u8 = 6;
/// The longest address.
const ADDRESS_MAX: usize = 256;

/// The addresses that a payload names as such: texts that are nothing else, each once, in small
/// letters.
pub fn addresses_in(payload: &serde_json::Value) -> Vec<String> {
    let mut out = Vec::new();
    gather(payload, DEEP_MAX, &mut out);
    out
}

fn gather(value: &serde_json::Value, deep: u8, out: &mut Vec<String>) {
    use serde_json::Value as Json;
    let Some(deep) = deep.checked_sub(1).filter(|_| out.len() < CUSTOMERS_MAX) else {
        return;
    };
    match value {
        Json::String(text) => {
            if let Some(address) = plain_address(text)
                && !out.contains(&address)
            {
                out.push(address);
            }
        }
        Json::Array(all) => all.iter().for_each(|one| gather(one, deep, out)),
        Json::Object(fields) => fields.values().for_each(|one| gather(one, deep, out)),
        _ => {}
    }
}

/// An address in small letters; None for anything else.
fn plain_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, domain) = text.split_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '/');
    let fits = !name.is_empty()
        && domain.contains('.')
        && text.len() <= ADDRESS_MAX
        && text.chars().all(plain);
    fits.then(|| text.to_lowercase())
}

/// The one customer whom a value means: an address, something with an address, or a list of them.
/// Absent when it means nobody, or several: a mail to many must not go to the first of them.
pub(super) fn customer(value: &Value, scope: &Scope) -> Value {
    let mut addresses = Vec::new();
    said(value, DEEP_MAX, &mut addresses);
    let customers = &scope.world().customers;
    match addresses.as_slice() {
        [only] => customers
            .get(only)
            .map_or_else(|| Value::from(()), as_value),
        _ => Value::from(()),
    }
}

fn said(value: &Value, deep: u8, out: &mut Vec<String>) {
    let Some(deep) = deep.checked_sub(1) else {
        return;
    };
    match Sort::of(value) {
        Sort::Text => out.extend(value.as_str().and_then(plain_address)),
        Sort::List => {
            for one in value.try_iter().into_iter().flatten().take(CUSTOMERS_MAX) {
                said(&one, deep, out);
            }
        }
        Sort::Map | Sort::Person => {
            let found = ["address", "email"].iter().find_map(|key| {
                let found = value.get_attr(key).ok()?;
                plain_address(found.as_str()?)
            });
            out.extend(found);
        }
        _ => {}
    }
    out.dedup();
}

/// The reader whom a value means when it is a customer that a flow looked up; None for any other
/// value, whatever its fields are called.
pub(super) fn reader(value: &Value) -> Option<String> {
    let customer = value.downcast_object_ref::<CustomerValue>()?;
    Some(customer.0.reader_id())
}

fn as_value(customer: &Customer) -> Value {
    Value::from_object(CustomerValue(customer.clone()))
}

/// A customer as an expression sees him.
#[derive(Debug)]
struct CustomerValue(Customer);

impl Object for CustomerValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let text = match key.as_str()? {
            "address" => &self.0.address,
            "name" => &self.0.name,
            "app_id" => &self.0.app_id,
            "language" => &self.0.language,
            "zone" => &self.0.zone,
            "consent" => self.0.consent.word(),
            "reachable" => return Some(Value::from(self.0.is_reachable())),
            _ => return None,
        };
        Some(Value::from(text))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // What is stored of a customer is his address alone.
        Enumerator::Str(&["address"])
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Customer { name, address, .. } = &self.0;
        f.write_str(if name.is_empty() { address } else { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_found_where_a_payload_names_them_and_nowhere_else() {
        let mail = json!({"mail": {
            "from": {"address": "Shop@Example.com", "name": "a@b.c is not me <x>"},
            "to": [{"address": "eva@home.example"}, {"address": "EVA@home.example"}],
            "text": "write to other@home.example soon", "id": 7, "list": "<l.example.com>",
        }});
        let mut found = addresses_in(&mail);
        found.sort();
        assert_eq!(found, ["eva@home.example", "shop@example.com"]);
        let many: Vec<String> = (0..200).map(|n| format!("c{n}@x.example")).collect();
        assert_eq!(addresses_in(&json!(many)).len(), CUSTOMERS_MAX);
    }
}
