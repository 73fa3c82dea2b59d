//! Who is who: usages handed in, users of other systems given a person, and proposals from names
//! and mails. What events say of people is in `register`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::directory::{Directory, Outside};
use bellwether_model::event::Event;
use serde_json::Value;

use super::Engine;
use super::register::usage_write;
use crate::seam::{Actor, IntakeError, NewMapping, NotMapped, People, Recorded, UsageSaid};
use crate::store::{
    EventQuery, Identity, IdentityQuery, Mapping, Member, NAME_MAX, Proposal, RegisterWrite,
    StoreError, Verdict, Who,
};

/// What usages come from that a caller hands in.
const HANDED_IN: &str = "api";
/// The most users of other systems that are known to flows.
const KNOWN_MAX: usize = 100_000;
/// The most unresolved users that proposals are looked for.
const UNRESOLVED_MAX: usize = 5_000;
/// How many of the latest mails of each kind are looked through for proposals.
const MAILS_MAX: usize = 500;
/// How much of a mail is looked through, in characters: a greeting stands at its beginning.
const MAIL_HEAD: usize = 4_000;
/// Rows read at once.
const PAGE: usize = 1_000;

impl People for Engine {
    fn record_usages(
        &self,
        usages: Vec<UsageSaid>,
    ) -> BoxFuture<'_, Result<Recorded, IntakeError>> {
        Box::pin(async move {
            let setup = self.setup();
            let mut recorded = Recorded::default();
            let mut writes = Vec::new();
            for (at, said) in usages.iter().enumerate() {
                match usage_write(said, HANDED_IN, &setup.directory, self.now()) {
                    Ok(some) => {
                        recorded.recorded += 1;
                        recorded.unresolved += usize::from(is_unresolved(&some, &setup.directory));
                        writes.extend(some);
                    }
                    Err(why) => recorded.refused.push((at, why)),
                }
            }
            self.write_register(writes).await?;
            Ok(recorded)
        })
    }

    fn map_people<'a>(
        &'a self,
        mappings: Vec<NewMapping>,
        actor: &'a Actor,
    ) -> BoxFuture<'a, Result<usize, NotMapped>> {
        Box::pin(async move {
            let directory = Arc::clone(&self.setup().directory);
            let mut wrong = Vec::new();
            let mut writes = Vec::new();
            for (at, new) in mappings.iter().enumerate() {
                match person_of(new, &directory) {
                    Ok(person) => writes.push(RegisterWrite::Known(Mapping {
                        who: Who {
                            connection: new.connection.clone(),
                            id: new.id.clone(),
                        },
                        name: new.name.clone(),
                        person,
                        by: actor.name.clone(),
                        at: self.transport_now(),
                    })),
                    Err(why) => wrong.push((at, why)),
                }
            }
            if !wrong.is_empty() {
                return Err(NotMapped::Wrong(wrong));
            }
            let mapped = writes.len();
            let store = |error: String| NotMapped::Store(error);
            let written = self.write_register(writes).await;
            written.map_err(|error| store(error.to_string()))?;
            let read = self.read_identities().await;
            read.map_err(|error| store(error.to_string()))?;
            Ok(mapped)
        })
    }

    fn propose_people(&self) -> BoxFuture<'_, Result<usize, IntakeError>> {
        Box::pin(async move {
            let store = |error: StoreError| IntakeError::Store(error.to_string());
            let unresolved = self.unresolved().await.map_err(store)?;
            let directory = Arc::clone(&self.setup().directory);
            let mails = self.mails().await.map_err(store)?;
            let hints = Hints::of(&mails, &directory);
            let found: Vec<RegisterWrite> = unresolved
                .iter()
                .filter_map(|user| {
                    let (person, why) = hints.person_of(user, &directory)?;
                    Some(RegisterWrite::Proposed(Proposal {
                        who: user.who.clone(),
                        person,
                        why: why.to_owned(),
                    }))
                })
                .collect();
            let proposed = found.len();
            self.write_register(found).await?;
            Ok(proposed)
        })
    }
}

/// Whether these writes name somebody whose person is not known.
fn is_unresolved(writes: &[RegisterWrite], directory: &Directory) -> bool {
    writes.iter().any(|write| match write {
        RegisterWrite::Usage(usage) => {
            let Who { connection, id } = &usage.who;
            !connection.is_empty() && directory.outside.person(connection, id).is_none()
        }
        _ => false,
    })
}

/// The person whom a mapping means.
fn person_of(new: &NewMapping, directory: &Directory) -> Result<Option<String>, String> {
    for (what, text) in [("connection", &new.connection), ("id", &new.id)] {
        if text.trim().is_empty() || text.chars().count() > NAME_MAX {
            return Err(format!("`{what}` must have 1 to {NAME_MAX} characters"));
        }
    }
    if new.name.chars().count() > NAME_MAX {
        return Err(format!("`name` has more than {NAME_MAX} characters"));
    }
    let Some(person) = &new.person else {
        return Ok(None);
    };
    let known = directory
        .person(person)
        .or_else(|| directory.by_email(person));
    let known = known.ok_or_else(|| {
        format!("the directory does not know {person}; give a person's id or address")
    })?;
    Ok(Some(known.id.clone()))
}

impl Engine {
    /// Reads which people the users of other systems are, and lets flows know. Call it once when
    /// everything is set up; after that the engine does it with each change.
    ///
    /// # Errors
    /// The store failed; flows know what they knew before.
    pub async fn read_identities(&self) -> Result<(), StoreError> {
        let mut outside = Outside::default();
        let query = IdentityQuery {
            resolved: Some(true),
            limit: PAGE,
            ..IdentityQuery::default()
        };
        for identity in self.identities(query, KNOWN_MAX).await? {
            if let Some(person) = &identity.person {
                outside.add(&identity.who.connection, &identity.who.id, person);
            }
        }
        if outside.len() >= KNOWN_MAX {
            tracing::warn!(
                KNOWN_MAX,
                "more users of other systems have a person than flows know: the oldest are left out"
            );
        }
        let mut setup = (*self.setup()).clone();
        let mut directory = (*setup.directory).clone();
        directory.outside = Arc::new(outside);
        setup.directory = Arc::new(directory);
        self.set_up(setup);
        Ok(())
    }

    async fn identities(
        &self,
        mut query: IdentityQuery,
        most: usize,
    ) -> Result<Vec<Identity>, StoreError> {
        let mut all = Vec::new();
        loop {
            let page = self.inner.parts.views.identities(query.clone()).await?;
            all.extend(page.items);
            query.after = page.next.and_then(|next| next.parse().ok());
            if query.after.is_none() || all.len() >= most {
                return Ok(all);
            }
        }
    }

    async fn unresolved(&self) -> Result<Vec<Identity>, StoreError> {
        let query = IdentityQuery {
            resolved: Some(false),
            limit: PAGE,
            ..IdentityQuery::default()
        };
        self.identities(query, UNRESOLVED_MAX).await
    }

    async fn write_register(&self, register: Vec<RegisterWrite>) -> Result<(), IntakeError> {
        if register.is_empty() {
            return Ok(());
        }
        let member = Member {
            register,
            ..Member::default()
        };
        match self.commit_one(member).await {
            Verdict::Refused(why) => Err(IntakeError::TooLarge(why)),
            Verdict::Unavailable(why) => Err(IntakeError::Store(why)),
            _ => Ok(()),
        }
    }

    /// The latest mails, of every kind that connections bring.
    async fn mails(&self) -> Result<Vec<Event>, StoreError> {
        let setup = self.setup();
        let triggers = setup.links.values().flat_map(|link| link.def.triggers);
        let kinds: BTreeSet<&str> = triggers
            .filter(|trigger| trigger.nouns.contains(&"mail"))
            .map(|trigger| trigger.event)
            .collect();
        let mut mails = Vec::new();
        for kind in kinds {
            let query = EventQuery {
                kind: Some(kind.to_owned()),
                newest: true,
                limit: MAILS_MAX,
                ..EventQuery::default()
            };
            mails.extend(self.inner.parts.views.events(query).await?.items);
        }
        Ok(mails)
    }
}

/// What recent mails say about names and ids: each with the people that it may mean.
#[derive(Debug, Default)]
struct Hints {
    written: BTreeMap<String, BTreeSet<String>>,
    greeted: BTreeMap<String, BTreeSet<String>>,
    named: BTreeMap<String, BTreeSet<String>>,
}

const SAME_NAME: &str = "has the same name in the directory";
const WRITES_SO: &str = "writes mails under this name";
const IS_GREETED: &str = "is greeted by this name in mails that he alone got";
const IS_NAMED: &str = "got a mail in which this id stands";

/// How mails greet somebody, in the languages of the product.
const GREETINGS: [&str; 10] = [
    "hello",
    "hi",
    "dear",
    "hallo",
    "liebe",
    "lieber",
    "guten tag",
    "servus",
    "sehr geehrte frau",
    "sehr geehrter herr",
];

impl Hints {
    /// Only mails whose sender is proved count: a proposal is shown to somebody who may believe it.
    fn of(mails: &[Event], directory: &Directory) -> Self {
        let mut hints = Self::default();
        for mail in mails
            .iter()
            .filter_map(|event| event.envelope.data.get("mail"))
        {
            let proved = mail.pointer("/auth/dmarc").and_then(Value::as_str) == Some("pass");
            if proved {
                hints.read(mail, directory);
            }
        }
        hints
    }

    fn read(&mut self, mail: &Value, directory: &Directory) {
        let text = |value: &Value, key: &str| {
            let found = value.get(key).and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let known = |value: &Value| {
            let person = directory.by_email(&text(value, "address"))?;
            Some(person.id.clone())
        };
        if let Some(from) = mail.get("from")
            && let Some(person) = known(from)
        {
            let name = text(from, "name").to_lowercase();
            self.written.entry(name).or_default().insert(person);
        }
        let to = mail.get("to").and_then(Value::as_array);
        let to: Vec<&Value> = to.into_iter().flatten().collect();
        let [only] = to.as_slice() else { return };
        let Some(person) = known(only) else { return };
        let head: String = text(mail, "text").chars().take(MAIL_HEAD).collect();
        let head = head.to_lowercase();
        for line in head.lines().take(40) {
            if let Some(name) = greeted(line) {
                let people = self.greeted.entry(name.to_owned()).or_default();
                people.insert(person.clone());
            }
        }
        for word in head.split(|c: char| !c.is_ascii_hexdigit() && c != '-') {
            if word.len() == 36 {
                let people = self.named.entry(word.to_owned()).or_default();
                people.insert(person.clone());
            }
        }
    }

    /// The one person whom a user may be, and why. Where two may be meant, nobody is.
    fn person_of(&self, user: &Identity, directory: &Directory) -> Option<(String, &'static str)> {
        let only = |people: Option<&BTreeSet<String>>| {
            let people = people?;
            let first = people.first()?;
            (people.len() == 1).then(|| first.clone())
        };
        let id = user.who.id.to_lowercase();
        if let Some(person) = only(self.named.get(&id)) {
            return Some((person, IS_NAMED));
        }
        let name = user.name.trim();
        if name.is_empty() {
            return None;
        }
        if let Some(person) = directory.by_name(name) {
            return Some((person.id.clone(), SAME_NAME));
        }
        let name = name.to_lowercase();
        let written = only(self.written.get(&name)).map(|person| (person, WRITES_SO));
        written.or_else(|| Some((only(self.greeted.get(&name))?, IS_GREETED)))
    }
}

/// The name in a line that greets somebody, such as `Hello Carla Maier,`.
fn greeted(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = GREETINGS.iter().rev().find_map(|word| {
        let rest = line.strip_prefix(word)?;
        rest.starts_with(' ').then_some(rest)
    })?;
    let name = rest
        .split([',', '!', ':'])
        .next()
        .unwrap_or_default()
        .trim();
    // A full name has two words at least: a first name alone means too many.
    name.contains(' ').then_some(name)
}

#[cfg(test)]
mod tests;
