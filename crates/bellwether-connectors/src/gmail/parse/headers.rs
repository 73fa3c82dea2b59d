//! What the header of a mail says: people, ids, and whether a machine wrote it. Every field may be
//! missing, repeated or broken. What the receiving server says about it is in `auth_results`.

use mail_parser::{Address, HeaderName, HeaderValue, Message};
use serde::Serialize;

use super::clean;

/// More people than this are not listed for one field.
pub(super) const PEOPLE_MAX: usize = 100;
/// More references than this are not listed; the newest are kept.
pub(super) const REFERENCES_MAX: usize = 50;
/// No value of a header is kept beyond this.
pub(super) const VALUE_MAX: usize = 1024;
/// The longest address that mail servers take.
const ADDRESS_MAX: usize = 254;
const NAME_MAX: usize = 200;
/// Ids longer than this are broken and would never match anything.
const ID_MAX: usize = 512;
/// Fields beyond these limits are not scanned.
const FIELDS_MAX: usize = 500;
const FIELD_MAX: usize = 16 * 1024;

/// A person or machine with an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::gmail) struct Person {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) address: Option<String>,
}

/// Who wrote it, a person or a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// `no`, `auto-generated` or `auto-replied`.
    pub(super) auto_submitted: &'static str,
    pub(super) auto_reply: bool,
    pub(super) bulk: bool,
    pub(super) dsn: bool,
}

/// The fields in their order, unfolded; bytes that are not UTF-8 are replaced, never dropped, so
/// that no field can be made invisible.
pub(super) fn fields(message: &Message<'_>) -> Vec<(String, String)> {
    let headers = message.parts.first().map(|part| part.headers.as_slice());
    headers
        .unwrap_or_default()
        .iter()
        .take(FIELDS_MAX)
        .map(|header| {
            let start = header.offset_start as usize;
            let end = (header.offset_end as usize).min(start.saturating_add(FIELD_MAX));
            let bytes = message.raw_message.get(start..end).unwrap_or_default();
            let value = String::from_utf8_lossy(bytes).replace(['\r', '\n'], " ");
            (header.name().to_owned(), value.trim().to_owned())
        })
        .collect()
}

/// The first field of that name.
pub(super) fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// One line of a name.
pub(super) fn line(text: &str) -> String {
    clean::line(text, NAME_MAX)
}

/// The people in every field of that name, groups opened, at most [`PEOPLE_MAX`].
pub(super) fn people(message: &Message<'_>, name: HeaderName<'static>) -> Vec<Person> {
    if message.parts.is_empty() {
        return Vec::new();
    }
    message
        .header_values(name)
        .filter_map(HeaderValue::as_address)
        .flat_map(Address::iter)
        .filter_map(|one| {
            let address = one.address().map(address).filter(|text| !text.is_empty());
            let name = one.name().map(line).filter(|text| !text.is_empty());
            (address.is_some() || name.is_some()).then_some(Person { name, address })
        })
        .take(PEOPLE_MAX)
        .collect()
}

fn address(text: &str) -> String {
    let line = clean::line(text, ADDRESS_MAX);
    // Domains compare without case; local parts are kept as they came, they may carry a token.
    match line.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => line,
    }
}

/// The newest ids in a field of ids, without angle brackets, at most [`REFERENCES_MAX`].
pub(super) fn ids(message: &Message<'_>, name: HeaderName<'static>) -> Vec<String> {
    if message.parts.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for value in message.header_values(name) {
        match value {
            HeaderValue::Text(id) => found.push(id.to_string()),
            HeaderValue::TextList(ids) => found.extend(ids.iter().map(ToString::to_string)),
            _ => {}
        }
    }
    let mut ids: Vec<String> = Vec::new();
    // From the end, because the newest ids are the ones that somebody waits under.
    for id in found.iter().rev() {
        let id = clean::line(id.trim_matches(['<', '>', ' ']), ID_MAX + 1);
        if !id.is_empty() && id.len() <= ID_MAX && !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() >= REFERENCES_MAX {
            break;
        }
    }
    ids.reverse();
    ids
}

/// What subjects of absence notices begin with. A person's answer to such a notice begins with
/// `Re:` or `AW:` and is not caught.
const ABSENCE: &[&str] = &[
    "automatic reply:",
    "auto reply:",
    "auto-reply:",
    "autoreply:",
    "out of office:",
    "out of the office:",
    "automatische antwort:",
    "abwesenheitsnotiz:",
    "abwesend:",
    "abwesenheit:",
    "réponse automatique",
    "respuesta automática",
    "risposta automatica",
    "automatisch antwoord",
];

/// Whether a subject in small letters begins so, also before what it answers (`Abwesend Re: …`).
fn is_absence(subject: &str, start: &str) -> bool {
    let answers = |rest: &str| {
        let rest = rest.trim_start();
        ["re:", "aw:", "antwort:", "- re:"]
            .iter()
            .any(|prefix| rest.starts_with(prefix))
    };
    let words = start.trim_end_matches(':');
    subject.starts_with(start) || subject.strip_prefix(words).is_some_and(answers)
}

/// Finds out whether a machine wrote the mail, and whether it answers one (RFC 3834, RFC 3464,
/// RFC 8098 and the fields that older programs set).
pub(super) fn machine(fields: &[(String, String)], subject: &str, from: &Person) -> Machine {
    let lower = |name: &str| {
        field(fields, name)
            .unwrap_or_default()
            .trim()
            .to_lowercase()
    };
    let has = |name: &str| field(fields, name).is_some();
    let keyword = lower("auto-submitted");
    let keyword = keyword.split([';', ' ', '(']).next().unwrap_or_default();
    let mut auto_submitted = match keyword {
        "" | "no" => "no",
        "auto-replied" => "auto-replied",
        _ => "auto-generated",
    };
    let precedence = lower("precedence");
    let content_type = lower("content-type");
    let report = content_type.starts_with("multipart/report");
    let disposition = report && content_type.contains("disposition-notification");
    let local = from.address.as_deref().unwrap_or_default();
    let local = local.split('@').next().unwrap_or_default().to_lowercase();
    let dsn = report && !disposition && !content_type.contains("feedback-report")
        || has("x-failed-recipients")
        || content_type.starts_with("message/delivery-status")
        || matches!(local.as_str(), "mailer-daemon" | "mail-daemon");
    let null_sender = field(fields, "return-path").is_some_and(|path| path.trim() == "<>");
    let opening = subject.trim_start().to_lowercase();
    let absent = ABSENCE.iter().any(|start| is_absence(&opening, start));
    let said = |name: &str| has(name) && lower(name) != "no";
    let auto_reply = auto_submitted == "auto-replied"
        || dsn
        || disposition
        || null_sender
        || absent
        || said("x-autoreply")
        || said("x-autorespond")
        || said("x-autoreply-from")
        || said("x-mail-autoreply")
        || lower("x-autogenerated").starts_with("reply")
        || matches!(precedence.as_str(), "auto_reply" | "auto-reply")
        || lower("x-vacation") == "yes"
        || lower("delivered-to") == "autoresponder";
    if auto_reply && auto_submitted == "no" && !dsn {
        auto_submitted = "auto-replied";
    } else if dsn && auto_submitted == "no" {
        auto_submitted = "auto-generated";
    }
    Machine {
        auto_submitted,
        auto_reply,
        bulk: matches!(precedence.as_str(), "bulk" | "list" | "junk")
            || has("list-id")
            || has("list-unsubscribe")
            || has("list-post")
            || has("mailing-list")
            || has("x-mailing-list"),
        dsn,
    }
}

/// The token in an address of ours: `mailbox+token@domain`, in To, Cc or the delivery fields.
pub(super) fn reply_token(
    fields: &[(String, String)],
    people: &[&[Person]],
    mailbox: &str,
) -> Option<String> {
    let (local, domain) = mailbox.rsplit_once('@')?;
    let token = |address: &str| {
        let (have, at) = address.trim().trim_matches(['<', '>']).rsplit_once('@')?;
        let (base, token) = have.trim_matches('"').split_once('+')?;
        let ours = base.eq_ignore_ascii_case(local) && at.eq_ignore_ascii_case(domain);
        let plain = (1..=64).contains(&token.len())
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+=".contains(&byte));
        (ours && plain).then(|| token.to_owned())
    };
    let listed = people
        .iter()
        .flat_map(|list| list.iter())
        .filter_map(|person| person.address.as_deref());
    let delivered = fields
        .iter()
        .filter(|(name, _)| {
            name.eq_ignore_ascii_case("delivered-to") || name.eq_ignore_ascii_case("x-original-to")
        })
        .map(|(_, value)| value.as_str());
    listed.chain(delivered).find_map(token)
}
