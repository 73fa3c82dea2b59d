//! Reads a mail, from raw bytes or from the provider's tree, into the event's `mail`. Any bytes
//! give a mail or a reason; what is missing is left out. Fetching and the event around it are not
//! here.

pub(in crate::gmail) mod auth_results;
pub(in crate::gmail) mod body;
pub(in crate::gmail) mod clean;
mod fit;
pub(in crate::gmail) mod forward;
pub(in crate::gmail) mod headers;
mod html;
mod nested;
mod quote;

use bellwether_model::id::hex;
use bellwether_model::veil;
use mail_parser::{HeaderName, Message, MessageParser, MimeHeaders};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::auth_results::Auth;
use self::body::{Attachment, Body};
use self::forward::Forwarded;
use self::headers::Person;
use super::marker::Claim;
use super::wire::Part;

/// The new text of a reply is kept up to this many bytes: people decide in words, not in pages.
const NEW_TEXT_MAX: usize = 8 * 1024;

/// From what a mail is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::gmail) enum Input<'a> {
    /// The mail as it was transmitted.
    Raw(&'a [u8]),
    /// The provider's tree with the texts in it.
    Tree(&'a Part),
    /// The header fields alone, because reading more has failed.
    Head(&'a Part),
}

/// What the reading depends on besides the mail.
#[derive(Clone, Copy, Debug)]
pub(in crate::gmail) struct Rules<'a> {
    /// The address of the mailbox.
    pub(in crate::gmail) mailbox: &'a str,
    /// The authserv-id that the mailbox's server writes.
    pub(in crate::gmail) authserv: &'a str,
}

/// A mail as flows see it. Absent things are left out of the JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::gmail) struct Mail {
    pub(in crate::gmail) id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::gmail) thread_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) rfc_message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) in_reply_to: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) from: Option<Person>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) to: Vec<Person>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) cc: Vec<Person>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) reply_to: Vec<Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) text: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(in crate::gmail) text_cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) new_text: Option<String>,
    pub(in crate::gmail) html_only: bool,
    pub(in crate::gmail) at: String,
    pub(in crate::gmail) mailbox: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gmail) attachments: Vec<Attachment>,
    pub(in crate::gmail) auto_submitted: &'static str,
    pub(in crate::gmail) auto_reply: bool,
    pub(in crate::gmail) bulk: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) list_id: Option<String>,
    pub(in crate::gmail) dsn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) forwarded_from: Option<Forwarded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) auth: Option<Auth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) reply_token: Option<String>,
    pub(in crate::gmail) own: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) size: Option<u64>,
    pub(in crate::gmail) link: String,
    /// True when lists had to be shortened so that the event keeps its size.
    #[serde(skip_serializing_if = "is_false")]
    pub(in crate::gmail) lists_cut: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(in crate::gmail) unreadable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) unreadable_reason: Option<String>,
    /// What the mail claims to be of ours; checked by the caller, never shown.
    #[serde(skip)]
    pub(in crate::gmail) claim: Option<Claim>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Reads a mail. Ids, labels and times that only the provider knows are left for the caller.
pub(in crate::gmail) fn read(input: Input<'_>, rules: Rules<'_>) -> Mail {
    match input {
        Input::Raw(raw) => {
            let parser = MessageParser::default();
            let mut problem = None;
            let closed = nested::closed(raw);
            let head = parser.parse_headers(&closed);
            let parts = head.as_ref().and_then(Message::content_type);
            let is_multipart = parts.is_some_and(|media| media.ctype() == "multipart");
            let parsed = if is_multipart && nested::has_too_many_parts(raw) {
                problem = Some("it has more parts than can be read here");
                head
            } else {
                parser.parse(&closed)
            };
            if parsed.is_none() {
                problem = Some("it has no header that can be read");
            }
            let message = parsed.unwrap_or_default();
            let body = body::from_message(&message);
            let mut mail = assemble(&message, body, rules);
            mail.sha256 = Some(hex(&Sha256::digest(raw)));
            mail.size = Some(raw.len() as u64);
            mail.unreadable = problem.is_some();
            mail.unreadable_reason = problem.map(str::to_owned);
            mail
        }
        Input::Tree(root) => {
            let head = head_of(root);
            let message = parse_head(&head);
            assemble(&message, body::from_tree(root), rules)
        }
        Input::Head(root) => {
            let head = head_of(root);
            let message = parse_head(&head);
            assemble(&message, Body::default(), rules)
        }
    }
}

/// The mail as JSON, shortened until the whole payload fits the limit of events.
pub(in crate::gmail) fn payload(mail: Mail) -> serde_json::Value {
    fit::payload(mail)
}

fn parse_head(head: &[u8]) -> Message<'_> {
    MessageParser::default()
        .parse_headers(head)
        .unwrap_or_default()
}

/// The header fields as bytes again, so that one reader serves both ways.
fn head_of(root: &Part) -> Vec<u8> {
    let mut head = String::new();
    for field in &root.headers {
        let named =
            !field.name.is_empty() && field.name.bytes().all(|byte| byte.is_ascii_graphic());
        if named && !field.name.contains(':') {
            head.push_str(&field.name);
            head.push_str(": ");
            head.push_str(&field.value.replace(['\r', '\n'], " "));
            head.push_str("\r\n");
        }
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn assemble(message: &Message<'_>, mut body: Body, rules: Rules<'_>) -> Mail {
    body.text = veil::text(&body.text);
    let fields = headers::fields(message);
    let senders = headers::people(message, HeaderName::From);
    let from = senders.first().cloned();
    let subject = match message.parts.is_empty() {
        true => None,
        false => message.subject(),
    };
    let subject = subject
        .map(|text| veil::text(&clean::line(text, headers::VALUE_MAX)))
        .filter(|text| !text.is_empty());
    let title = subject.as_deref().unwrap_or_default();
    let to = headers::people(message, HeaderName::To);
    let cc = headers::people(message, HeaderName::Cc);
    let ids = |name| headers::ids(message, name);
    let in_reply_to = ids(HeaderName::InReplyTo).into_iter().next();
    let references = ids(HeaderName::References);
    let machine = headers::machine(&fields, title, from.as_ref().unwrap_or(&Person::default()));
    let reply_token = headers::reply_token(&fields, &[&to, &cc], rules.mailbox);
    let is_reply = in_reply_to.is_some() || !references.is_empty() || reply_token.is_some();
    let new_text = is_reply
        .then(|| quote::new_text(&body.text))
        .flatten()
        .map(|text| clean::body(&text, NEW_TEXT_MAX).0);
    Mail {
        rfc_message_id: ids(HeaderName::MessageId).into_iter().next(),
        in_reply_to,
        references,
        reply_to: veiled(headers::people(message, HeaderName::ReplyTo)),
        auth: auth_results::read(&fields, rules.authserv, &domains(&senders)),
        forwarded_from: forward::read(title, &body.text),
        claim: Claim::read(&fields),
        from,
        to: veiled(to),
        cc: veiled(cc),
        subject,
        text_cut: body.cut,
        new_text,
        html_only: body.html_only,
        mailbox: rules.mailbox.to_owned(),
        attachments: body.attachments,
        auto_submitted: machine.auto_submitted,
        auto_reply: machine.auto_reply,
        bulk: machine.bulk,
        list_id: headers::field(&fields, "list-id")
            .map(|value| clean::line(value, headers::VALUE_MAX))
            .filter(|value| !value.is_empty()),
        dsn: machine.dsn,
        reply_token,
        text: Some(body.text).filter(|text| !text.is_empty()),
        ..Mail::default()
    }
}

/// People without the tokens of reply addresses.
fn veiled(people: Vec<Person>) -> Vec<Person> {
    let veiled = |person: Person| Person {
        name: person.name.map(|name| veil::text(&name)),
        address: person.address.map(|address| veil::text(&address)),
    };
    people.into_iter().map(veiled).collect()
}

/// The domain of each sender; one without a domain counts as the empty one.
fn domains(senders: &[Person]) -> Vec<String> {
    senders
        .iter()
        .map(|person| {
            let address = person.address.as_deref().unwrap_or_default();
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            domain.to_ascii_lowercase()
        })
        .collect()
}
