//! The people of the stand-in world and the company they work for. Here are names, addresses and
//! who carries a phone; the state of their mailboxes and phones is with the stand-ins.

use serde::{Deserialize, Serialize};

/// How many people (and shared mailboxes) one sandbox serves at most.
pub const PEOPLE_LIMIT: usize = 1_000;

/// One person or shared mailbox of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Short id: the name of the phone and the user id at the push gateway.
    pub id: String,
    /// Full name as mail shows it.
    pub name: String,
    /// Mail address; its mailbox is on the stand-in for Gmail.
    pub address: String,
    /// Whether the person carries a phone with the companion app.
    pub phone: bool,
    /// IANA time zone of the person, when one matters.
    pub zone: Option<String>,
    /// What the person does, in words for the page.
    pub role: String,
}

impl Person {
    fn new(id: &str, name: &str, address: &str, zone: Option<&str>, role: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            address: address.to_owned(),
            phone: zone.is_some(),
            zone: zone.map(str::to_owned),
            role: role.to_owned(),
        }
    }

    /// The device token of the person's phone.
    pub fn device(&self) -> String {
        format!("device-{}", self.id)
    }
}

/// The people of the demonstration company Alpenwerk.
pub fn default_people() -> Vec<Person> {
    let vienna = Some("Europe/Vienna");
    vec![
        Person::new(
            "alice",
            "Alice Arnold",
            "approver@example.com",
            vienna,
            "purchasing lead",
        ),
        Person::new(
            "dora",
            "Dora Dorn",
            "deputy@example.com",
            Some("Europe/Berlin"),
            "Alice's deputy",
        ),
        Person::new(
            "carl",
            "Carl Conrad",
            "cfo@example.com",
            vienna,
            "CFO, Alice's manager",
        ),
        Person::new(
            "lena",
            "Lena Lang",
            "legal@example.com",
            Some("Europe/London"),
            "legal",
        ),
        Person::new("ivan", "Ivan Ilic", "owner@example.com", vienna, "IT"),
        Person::new(
            "approvals",
            "Approvals",
            "approvals@example.com",
            None,
            "watched mailbox",
        ),
        Person::new(
            "requester",
            "J. Berger",
            "requester@example.com",
            None,
            "requester",
        ),
        Person::new("ariba", "Ariba", "ariba@example.com", None, "system sender"),
    ]
}

/// Finds a person by id or mail address; letter case does not matter.
pub(crate) fn find<'a>(people: &'a [Person], key: &str) -> Option<&'a Person> {
    people
        .iter()
        .find(|p| p.id.eq_ignore_ascii_case(key) || p.address.eq_ignore_ascii_case(key))
}
