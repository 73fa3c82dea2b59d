//! The mails of stories as events: built from the schema and the sample of their type, so that no
//! provider is named here, with what the story says on top.

use bellwether_model::connector::TriggerDef;
use bellwether_model::directory::Directory;
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::time::Time;
use serde_json::{Map, Value as Json, json};

use super::steps::{MailWords, Proof, Token};
use super::world::Sent;
use crate::flow::{Catalog, Flow};

/// The noun that mails come under.
const MAIL: &str = "mail";
/// A token that has the right form and was not made by us.
const FORGED: &str = "0100000000000000000000000000000000000000000000000000000000000000000000000000";

/// The mails of one story.
#[derive(Debug)]
pub(super) struct Post {
    flow: std::sync::Arc<Flow>,
    catalog: Catalog,
    connection: String,
    /// Those that came in, oldest first.
    pub(super) came: Vec<NewEvent>,
    count: usize,
}

/// What a new mail is made of.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    pub(super) words: &'a MailWords,
    pub(super) directory: &'a Directory,
    pub(super) now: Time,
    /// Our mail that it answers, if it answers one.
    pub(super) answers: Option<&'a Sent>,
    /// Everything that we sent, for tokens of other cases.
    pub(super) sent: &'a [Sent],
}

fn text<'a>(mail: &'a Json, name: &str) -> &'a str {
    mail.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn mail_of(event: &NewEvent) -> &Json {
    event.data.get(MAIL).unwrap_or(&Json::Null)
}

impl Post {
    pub(super) fn new(flow: &std::sync::Arc<Flow>, catalog: Catalog, connection: String) -> Self {
        Self {
            flow: flow.clone(),
            catalog,
            connection,
            came: Vec::new(),
            count: 0,
        }
    }

    fn trigger(&self, kind: &str) -> Result<&'static TriggerDef, String> {
        let found = self.catalog.trigger(kind);
        let found = found.filter(|trigger| trigger.nouns.contains(&MAIL));
        found.ok_or_else(|| format!("`{kind}` is no event that brings a mail"))
    }

    /// The mail events that start the flow, else those that there are.
    fn kinds(&self) -> Vec<&'static str> {
        let starts = self.flow.when.iter().flat_map(|trigger| &trigger.events);
        let starts = starts.filter_map(|kind| self.catalog.trigger(kind));
        let all = starts.chain(self.catalog.triggers());
        all.filter(|trigger| trigger.nouns.contains(&MAIL))
            .map(|trigger| trigger.event)
            .collect()
    }

    fn kind(&self, words: &MailWords, suffix: &str) -> Result<&'static TriggerDef, String> {
        if let Some(kind) = &words.event {
            return self.trigger(kind);
        }
        let kinds = self.kinds();
        let with_suffix = kinds.iter().find(|kind| kind.ends_with(suffix));
        match with_suffix.or(kinds.first()) {
            Some(kind) => self.trigger(kind),
            None => Err("no connector here brings mails".to_owned()),
        }
    }

    /// The latest mail whose subject has these words.
    fn earlier(&self, words: &str) -> Result<&NewEvent, String> {
        let has = |event: &&NewEvent| text(mail_of(event), "subject").contains(words);
        let found = self.came.iter().rev().find(has);
        found.ok_or_else(|| format!("no earlier mail has `{words}` in its subject"))
    }

    /// The sender with this address, as he was named before.
    fn met(&self, address: &str) -> Option<Json> {
        let mut senders = self
            .came
            .iter()
            .filter_map(|event| mail_of(event).get("from"));
        senders
            .find(|from| text(from, "address") == address)
            .cloned()
    }

    /// The event of a mail.
    pub(super) fn write(&mut self, writing: &Writing<'_>) -> Result<NewEvent, String> {
        let words = writing.words;
        let trigger = self.kind(
            words,
            if words.event.is_some() {
                ""
            } else {
                ".received"
            },
        )?;
        let sample = (trigger.sample)();
        let address = text(&sample[MAIL], "mailbox").to_owned();
        let mailbox = words.mailbox.clone().unwrap_or_else(|| address.clone());
        self.count += 1;
        let number = self.count;
        let id = format!("m{number}");
        let mut mail = match &words.same_as {
            Some(subject) => mail_of(self.earlier(subject)?).clone(),
            None => {
                let mut mail = bare(trigger, &sample);
                self.fill(&mut mail, writing, &mailbox, number)?;
                mail
            }
        };
        mail["id"] = json!(id);
        mail["at"] = json!(writing.now.to_string());
        if words.same_as.is_some() {
            mail["thread_id"] = json!(format!("t{number}"));
        }
        if mail.get("mailbox").is_some() {
            mail["mailbox"] = json!(mailbox);
        }
        let source = if mailbox == address {
            self.connection.clone()
        } else {
            mailbox
        };
        let aliases = aliases(&source, &mail);
        let data = json!({ MAIL: mail });
        let mut event = NewEvent::new(&source, format!("m:{id}"), trigger.event, writing.now, data);
        event.subject = Some(id);
        event.aliases = aliases;
        self.came.push(event.clone());
        Ok(event)
    }

    fn fill(
        &self,
        mail: &mut Json,
        writing: &Writing<'_>,
        mailbox: &str,
        number: usize,
    ) -> Result<(), String> {
        let Writing { words, answers, .. } = writing;
        let people = |all: &[String]| -> Vec<Json> {
            all.iter()
                .map(|who| person(writing.directory, who))
                .collect()
        };
        let from = words.from.as_deref().unwrap_or("requester@example.com");
        let mut from = person(writing.directory, from);
        if from.get("name").is_none() {
            from = self.met(text(&from, "address")).unwrap_or(from);
        }
        let domain = text(&from, "address")
            .rsplit('@')
            .next()
            .unwrap_or_default();
        put(mail, "auth", proof(words.auth, domain));
        put(mail, "from", from);
        let to = if words.to.is_empty() {
            vec![json!({ "address": mailbox })]
        } else {
            people(&words.to)
        };
        put(mail, "to", Json::from(to));
        for (name, all) in [("cc", &words.cc), ("reply_to", &words.reply_to)] {
            if !all.is_empty() {
                put(mail, name, Json::from(people(all)));
            }
        }
        marks(mail, words);
        if let Some(original) = &words.forwarded_from {
            let mut original = person(writing.directory, original);
            original["unverified"] = json!(true);
            put(mail, "forwarded_from", original);
        }
        put(
            mail,
            "rfc_message_id",
            json!(format!("{number}@mail.example")),
        );
        self.thread(mail, writing, number)?;
        let mut body = words.text.clone();
        if let Some(ours) = answers {
            body.push_str("\n\nOn Monday Bellwether wrote:\n");
            for line in ours.text.lines() {
                body.push_str(&format!("> {line}\n"));
            }
        }
        put(mail, "text", json!(body));
        Ok(())
    }

    /// Which thread the mail is in, what it answers, and with which token.
    fn thread(&self, mail: &mut Json, writing: &Writing<'_>, number: usize) -> Result<(), String> {
        let words = writing.words;
        let mut thread = format!("t{number}");
        let mut subject = String::new();
        let mut answered: Option<String> = None;
        if let Some(earlier) = &words.thread_of {
            let earlier = mail_of(self.earlier(earlier)?);
            text(earlier, "thread_id").clone_into(&mut thread);
            subject = format!("Re: {}", text(earlier, "subject"));
            answered = Some(text(earlier, "rfc_message_id").to_owned());
        }
        if let Some(ours) = writing.answers {
            if let Some(of) = ours.args.get("thread_id").and_then(Json::as_str) {
                of.clone_into(&mut thread);
            }
            subject = format!("Re: {}", ours.title.trim_start_matches("Re: "));
            answered = Some(ours.message_id.clone());
        }
        if let Some(answered) = answered {
            put(mail, "in_reply_to", json!(answered));
            put(mail, "references", json!([answered]));
            put(mail, "new_text", json!(words.text));
        }
        let token_of = |sent: Option<&Sent>| {
            let token = sent?.args.get("reply_token")?.as_str()?;
            Some(token.to_owned())
        };
        let token = match &words.token {
            Token::Own => token_of(writing.answers),
            Token::Absent => None,
            Token::Forged => Some(FORGED.to_owned()),
            Token::Of(subject) => {
                let has = |sent: &&Sent| {
                    sent.title.contains(subject.as_str()) && sent.args.get("reply_token").is_some()
                };
                let found = writing.sent.iter().rev().find(has);
                let message = format!("no mail of ours has `{subject}` in its subject");
                Some(token_of(found).ok_or(message)?)
            }
        };
        if let Some(token) = token {
            put(mail, "reply_token", json!(token));
        }
        put(mail, "thread_id", json!(thread));
        let subject = words.subject.clone().unwrap_or(subject);
        put(mail, "subject", json!(subject));
        Ok(())
    }

    /// The event that somebody read the latest mail in his mailbox.
    pub(super) fn reading(&mut self, addresses: &[String], now: Time) -> Result<NewEvent, String> {
        let trigger = self.kind(&MailWords::default(), ".read")?;
        let his = |value: &Json| {
            let address = value.as_str().or_else(|| value.get("address")?.as_str());
            address.is_some_and(|address| addresses.iter().any(|own| own == address))
        };
        let is_his = |event: &&NewEvent| {
            let mail = mail_of(event);
            let to = mail.get("to").and_then(Json::as_array);
            mail.get("mailbox").is_some_and(his) || to.is_some_and(|to| to.iter().any(his))
        };
        let Some(came) = self.came.iter().rev().find(is_his).cloned() else {
            return Err("no mail came to this person".to_owned());
        };
        self.count += 1;
        let mut mail = mail_of(&came).clone();
        if let Some(Json::Array(labels)) = mail.get_mut("labels") {
            labels.retain(|label| label != "UNREAD");
        }
        let mut event = came;
        event.id = format!("r:{}:{}", event.id, self.count);
        event.kind = trigger.event.to_owned();
        event.time = now;
        event.data = std::sync::Arc::new(json!({ MAIL: mail }));
        Ok(event)
    }
}

/// How a mail was written and what is on it.
fn marks(mail: &mut Json, words: &MailWords) {
    let (auto, replied) = match words.auto.as_deref() {
        Some("replied") => ("auto-replied", true),
        Some("generated") => ("auto-generated", false),
        _ => ("no", false),
    };
    put(mail, "auto_submitted", json!(auto));
    put(mail, "auto_reply", json!(replied || words.dsn));
    put(mail, "dsn", json!(words.dsn));
    put(mail, "html_only", json!(words.html_only));
    put(mail, "bulk", json!(words.list.is_some()));
    if let Some(list) = &words.list {
        put(mail, "list_id", json!(list));
    }
    if !words.labels.is_empty() {
        put(mail, "labels", json!(words.labels));
    }
    let file = |name: &String| json!({ "name": name, "size": 1000, "type": "application/pdf" });
    if !words.attachments.is_empty() {
        put(
            mail,
            "attachments",
            words.attachments.iter().map(file).collect(),
        );
    }
}

/// A mail with nothing but what its schema asks for, as in the sample.
fn bare(trigger: &TriggerDef, sample: &Json) -> Json {
    let schema = (trigger.schema)();
    let schema = &schema["properties"][MAIL];
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut mail = Map::new();
    for name in required.iter().filter_map(Json::as_str) {
        mail.insert(name.to_owned(), sample[MAIL][name].clone());
    }
    mail.insert("labels".to_owned(), json!(["INBOX", "UNREAD"]));
    // Only what this kind of mail really has.
    if let Some(known) = schema["properties"].as_object() {
        mail.retain(|name, _| known.contains_key(name));
    }
    Json::Object(mail)
}

fn put(mail: &mut Json, name: &str, value: Json) {
    mail[name] = value;
}

/// `alice`, `J. Berger <j@example.com>` or an address.
fn person(directory: &Directory, who: &str) -> Json {
    if let Some((name, address)) = who.split_once('<') {
        return json!({ "name": name.trim(), "address": address.trim_end_matches('>').trim() });
    }
    let known = directory
        .people
        .get(who)
        .or_else(|| directory.by_email(who));
    let address = if who.contains('@') {
        Some(who)
    } else {
        known.and_then(|person| person.emails.first().map(String::as_str))
    };
    let address = address.unwrap_or(who);
    match known {
        Some(person) => json!({ "name": person.name, "address": address }),
        None => json!({ "address": address }),
    }
}

fn proof(proof: Proof, domain: &str) -> Json {
    let verdict = match proof {
        Proof::Pass => "pass",
        Proof::Fail => "fail",
        Proof::Absent => return json!({ "authserv": "mx.example.com" }),
    };
    json!({
        "authserv": "mx.example.com", "spf": verdict, "dkim": verdict, "dmarc": verdict,
        "domain": domain,
    })
}

/// The names under which somebody may already wait for the mail: its thread, the mails that it
/// answers, its token.
fn aliases(source: &str, mail: &Json) -> Vec<Alias> {
    let thread = format!("{source}/{}", text(mail, "thread_id"));
    let mut out = vec![Alias::new("thread", thread)];
    let references = mail.get("references").and_then(Json::as_array);
    let references = references.into_iter().flatten().filter_map(Json::as_str);
    let own = [text(mail, "rfc_message_id"), text(mail, "in_reply_to")];
    for id in own.into_iter().chain(references) {
        let alias = Alias::new("message-id", id);
        if !id.is_empty() && !out.contains(&alias) {
            out.push(alias);
        }
    }
    if !text(mail, "reply_token").is_empty() {
        out.push(Alias::new("reply", text(mail, "reply_token")));
    }
    out
}
