//! Who stands behind a mail: whom an answer goes to, under which subject, and by what name. Whether
//! they may decide is said elsewhere.

use bellwether_model::event::Event;
use serde_json::Value as Json;

/// Whether the sender is surely who the mail says (DMARC). What is no mail needs no such proof, nor
/// does what left our own mailbox.
pub(super) fn is_proved(event: &Event) -> bool {
    let Some(mail) = event.envelope.data.get("mail") else {
        return true;
    };
    let auth = mail.get("auth").and_then(|auth| auth.get("dmarc"));
    auth.and_then(Json::as_str) == Some("pass") || event.envelope.kind.ends_with(".sent")
}

/// Whom an answer to a mail goes to: Reply-To, else From, else the requester whom the text names;
/// never a no-reply address, never everybody. Where nobody vouches for the sender, nothing else in
/// the mail may lead the answer out of the domain that it claims to come from.
pub(super) fn answer_address(event: &Event) -> Option<String> {
    let mail = event.envelope.data.get("mail")?;
    let sender = mail.get("from").and_then(|from| from.get("address"));
    let home = sender.and_then(Json::as_str).and_then(domain_of);
    let proved = is_proved(event);
    let may = |address: &String| proved || domain_of(address) == home;
    let address = |value: Option<&Json>| {
        let address = value?.get("address")?.as_str()?;
        (!is_no_reply(address)).then(|| address.to_owned())
    };
    address(mail.get("reply_to").and_then(|list| list.get(0)))
        .filter(may)
        .or_else(|| address(mail.get("from")))
        .or_else(|| named_requester(mail.get("text")?.as_str()?).filter(may))
}

fn domain_of(address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    Some(domain.to_ascii_lowercase())
}

/// The mail that a page quotes below a question: sender, subject and text.
pub(crate) fn quoted(event: &Event) -> Option<(String, String, String)> {
    let mail = event.envelope.data.get("mail")?;
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
    let from = mail.get("from");
    let name = text(from.and_then(|from| from.get("name")));
    let address = text(from.and_then(|from| from.get("address")));
    let from = if name.is_empty() {
        address
    } else {
        format!("{name} <{address}>")
    };
    Some((from, text(mail.get("subject")), text(mail.get("text"))))
}

fn is_no_reply(address: &str) -> bool {
    let local = address
        .split('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    ["noreply", "donotreply", "mailerdaemon", "nichtantworten"]
        .iter()
        .any(|word| plain.starts_with(word))
}

/// The mail address on a line such as `Requested by: J. Berger <j.berger@example.com>`.
fn named_requester(text: &str) -> Option<String> {
    const LABELS: [&str; 6] = [
        "requester",
        "requested by",
        "requestor",
        "angefordert von",
        "besteller",
        "antragsteller",
    ];
    text.lines().find_map(|line| {
        let (label, value) = line.split_once(':')?;
        if !LABELS.contains(&label.trim().to_lowercase().as_str()) {
            return None;
        }
        let separators = |c: char| c.is_whitespace() || "<>()[],;\"".contains(c);
        let found = value
            .split(separators)
            .find(|word| word.contains('@') && word.len() > 3)?;
        Some(found.to_owned())
    })
}

/// The subject of an answer.
pub(super) fn subject_of(mail: &Json) -> String {
    let subject = mail
        .get("subject")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let lower = subject.to_ascii_lowercase();
    if lower.starts_with("re:") || lower.starts_with("aw:") {
        subject.to_owned()
    } else {
        format!("Re: {subject}")
    }
}

pub(super) fn sender_name(event: &Event) -> String {
    let from = event
        .envelope
        .data
        .get("mail")
        .and_then(|mail| mail.get("from"));
    let text = |name: &str| from.and_then(|from| from.get(name)).and_then(Json::as_str);
    text("name")
        .or_else(|| text("address"))
        .unwrap_or_default()
        .to_owned()
}
