//! Builds the mails that we send: plain text, our marker, correct threading, nothing that a
//! template could use to break out of a header. How they are sent is in `send`.

use bellwether_model::connector::{Action, Signer};
use bellwether_model::failure::Failure;
use bellwether_model::time::Time;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use serde_json::Value;

use super::marker;
use super::parse::clean;
use super::settings::Setup;
use super::table;

/// More recipients than this are refused: a case is answered to people, not to a list.
const RECIPIENTS_MAX: usize = 50;
/// The longest subject in bytes.
const SUBJECT_MAX: usize = 998;
/// The longest text in bytes.
const TEXT_MAX: usize = 512 * 1024;
/// The most files of a mail, and the largest.
const FILES_MAX: usize = 5;
const FILE_MAX: usize = 5 * 1024 * 1024;
/// The longest value of a further header.
const VALUE_MAX: usize = 1024;
/// More references than this are not repeated; the first and the newest are kept.
const REFERENCES_MAX: usize = 50;
/// Headers that belong to us or to the mail system.
const RESERVED: &[&str] = &[
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "return-path",
    "received",
    "auto-submitted",
    "delivered-to",
    "authentication-results",
    "dkim-signature",
    "mime-version",
];
/// Local parts behind which nobody reads.
const NO_REPLY: &[&str] = &[
    "noreply",
    "donotreply",
    "dontreply",
    "nicht-antworten",
    "nichtantworten",
    "mailer-daemon",
    "mail-daemon",
    "bounce",
    "bounces",
    "noreplies",
];

/// A mail that is ready to be sent.
#[derive(Debug)]
pub(super) struct Composed {
    /// The message as it is transmitted.
    pub(super) raw: Vec<u8>,
    /// The thread that it answers in.
    pub(super) thread: Option<String>,
    /// The Message-ID that we gave it; Gmail may replace it.
    pub(super) message_id: String,
}

/// Builds the mail of a `send` or `reply`.
///
/// # Errors
/// `Reject` for what cannot be sent in this form, naming the argument.
pub(super) fn compose(
    action: &Action<'_>,
    is_reply: bool,
    setup: &Setup,
    signer: &dyn Signer,
    now: Time,
) -> Result<Composed, Failure> {
    let args = action.args;
    let to = recipients(&args["to"])?;
    let subject = header_text("subject", text(args, "subject"))?;
    let subject = clean::line(&subject, SUBJECT_MAX);
    let body = text(args, "text");
    if body.trim().is_empty() {
        return Err(Failure::reject(
            "empty_text",
            "the mail has no text; give `text`",
        ));
    }
    if body.len() > TEXT_MAX {
        let message = format!("the mail's text is longer than {} KB", TEXT_MAX / 1024);
        return Err(Failure::reject("text_too_long", message));
    }
    let domain = setup
        .mailbox
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain);
    let message_id = format!("{}@{domain}", action.effect);
    let hop = args["hop"].as_u64().unwrap_or(0);
    let hop = u8::try_from(hop).unwrap_or(u8::MAX);
    let case = args["case"].as_str().filter(|case| !case.is_empty());
    let marker = marker::value(signer, case, hop, action.effect, &setup.mailbox);
    let mut mail = MessageBuilder::new()
        .from(sender(setup))
        .to(Address::new_list(to))
        .subject(subject)
        .date(Date::new(now.seconds()))
        .message_id(message_id.clone());
    if let Some(token) = reply_token(args)? {
        mail = mail.reply_to(with_token(&setup.mailbox, token));
    }
    if is_reply {
        let (parent, references) = threading(args);
        if let Some(parent) = parent {
            mail = mail.in_reply_to(parent);
        }
        if !references.is_empty() {
            mail = mail.references(MessageId::new_list(references.into_iter()));
        }
    }
    for (name, value) in further(&args["headers"])? {
        mail = mail.header(name, mail_builder::headers::text::Text::new(value));
    }
    let automatic = if is_reply {
        "auto-replied"
    } else {
        "auto-generated"
    };
    let mail = mail
        .header("Auto-Submitted", Raw::new(automatic))
        .header(marker::MARKER, Raw::new(marker))
        .header(marker::EFFECT, Raw::new(action.effect.to_string()))
        .text_body(table::with_text(body, &args["table"]));
    let mail = match table::as_html(body, &args["table"]) {
        Some(html) => mail.html_body(html),
        None => mail,
    };
    let raw = attached(mail, &args["attachments"])?
        .write_to_vec()
        .map_err(|error| Failure::bug("compose", format!("a mail could not be built: {error}")))?;
    let thread = args["thread_id"]
        .as_str()
        .filter(|id| is_reply && !id.is_empty());
    Ok(Composed {
        raw,
        thread: thread.map(ToOwned::to_owned),
        message_id,
    })
}

/// The mail with files that are texts of ours.
fn attached<'a>(
    mut mail: MessageBuilder<'a>,
    files: &'a Value,
) -> Result<MessageBuilder<'a>, Failure> {
    for file in files.as_array().into_iter().flatten().take(FILES_MAX) {
        let (name, content) = (text(file, "name"), text(file, "text"));
        if content.len() > FILE_MAX {
            let message = format!("`{name}` is larger than {} MB", FILE_MAX / 1024 / 1024);
            return Err(Failure::reject("file_too_large", message));
        }
        let name = header_text("attachments", name)?;
        mail = mail.attachment(text(file, "type").to_owned(), name, content.to_owned());
    }
    Ok(mail)
}

fn sender(setup: &Setup) -> Address<'static> {
    let name = clean::line(&setup.sender_name, 200);
    let name = (!name.is_empty()).then_some(name);
    Address::new_address(name, setup.mailbox.clone())
}

fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}

/// Refuses what could end a header and begin another.
fn header_text(name: &str, value: &str) -> Result<String, Failure> {
    if value.contains(['\r', '\n', '\0']) {
        let message = format!("`{name}` holds a line break, which no header may hold");
        return Err(Failure::reject("line_break_in_header", message));
    }
    Ok(value.to_owned())
}

/// Reads `to`: one address or several, each as text or as `{name, address}`.
fn recipients(value: &Value) -> Result<Vec<Address<'static>>, Failure> {
    let one = std::slice::from_ref(value);
    let items = match value {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        _ => one,
    };
    if items.is_empty() || items.len() > RECIPIENTS_MAX {
        let message = format!(
            "`to` needs 1 to {RECIPIENTS_MAX} addresses, it has {}",
            items.len()
        );
        return Err(Failure::reject("bad_recipients", message));
    }
    items.iter().map(recipient).collect()
}

fn recipient(value: &Value) -> Result<Address<'static>, Failure> {
    let (name, address) = match value {
        Value::String(whole) => match whole.rsplit_once('<') {
            Some((name, rest)) => (
                name.trim().trim_matches('"'),
                rest.trim_end_matches(['>', ' ']),
            ),
            None => ("", whole.as_str()),
        },
        other => (text(other, "name"), text(other, "address")),
    };
    let name = header_text("to", name)?;
    let address = header_text("to", address.trim())?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;:\"()[]\\".contains(c);
    let valid = address.len() <= 254
        && address.chars().all(plain)
        && address.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
    if !valid {
        let message = format!("`{}` is not a mail address", clean::line(&address, 100));
        return Err(Failure::reject("bad_recipients", message));
    }
    if is_no_reply(&address) {
        let message = format!("nobody reads {address}; answer the person instead");
        return Err(Failure::reject("no_reply_address", message));
    }
    let name = clean::line(&name, 200);
    Ok(Address::new_address(
        (!name.is_empty()).then_some(name),
        address,
    ))
}

/// Whether nobody reads mail to this address.
pub(super) fn is_no_reply(address: &str) -> bool {
    let local = address
        .split('@')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // `no-reply`, `no_reply`, `no.reply`, `do-not-reply`, also `sap-noreply` and `noreply+123`.
    let base = local.split('+').next().unwrap_or_default();
    let joined: String = base.chars().filter(char::is_ascii_alphanumeric).collect();
    NO_REPLY.contains(&base)
        || ["noreply", "donotreply", "nichtantworten"]
            .iter()
            .any(|word| joined.starts_with(word) || joined.ends_with(word))
}

fn reply_token(args: &Value) -> Result<Option<&str>, Failure> {
    let token = text(args, "reply_token");
    let plain = token.len() <= 64
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain {
        let message = "`reply_token` holds characters that no address may hold";
        return Err(Failure::reject("bad_reply_token", message));
    }
    Ok((!token.is_empty()).then_some(token))
}

/// `mailbox+token@domain`.
fn with_token(mailbox: &str, token: &str) -> String {
    match mailbox.rsplit_once('@') {
        Some((local, domain)) => format!("{local}+{token}@{domain}"),
        None => mailbox.to_owned(),
    }
}

/// In-Reply-To and References (RFC 5322, 3.6.4) from the fields of the mail that is answered.
fn threading(args: &Value) -> (Option<String>, Vec<String>) {
    let id = |value: &Value| {
        let id = value.as_str()?.trim().trim_matches(['<', '>']);
        let plain = id
            .chars()
            .all(|c| c.is_ascii_graphic() && !"<>".contains(c));
        (plain && !id.is_empty() && id.len() <= 512).then(|| id.to_owned())
    };
    let answered = id(&args["rfc_message_id"]);
    let before = id(&args["in_reply_to"]);
    let mut references: Vec<String> = match &args["references"] {
        Value::Array(items) => items.iter().filter_map(id).collect(),
        Value::String(list) => list
            .split_whitespace()
            .filter_map(|one| id(&Value::from(one)))
            .collect(),
        _ => Vec::new(),
    };
    if references.is_empty() {
        references.extend(before.clone());
    }
    let parent = answered.or(before);
    if let Some(parent) = &parent {
        references.retain(|one| one != parent);
        references.push(parent.clone());
    }
    if references.len() > REFERENCES_MAX {
        let surplus = references.len() - REFERENCES_MAX;
        references.drain(1..=surplus);
    }
    (parent, references)
}

/// Further headers that a flow asks for.
fn further(value: &Value) -> Result<Vec<(String, String)>, Failure> {
    let Value::Object(map) = value else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (name, value) in map {
        let lower = name.to_ascii_lowercase();
        let token = !name.is_empty()
            && name.len() <= 76
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let ours = RESERVED.contains(&lower.as_str())
            || lower.starts_with("x-bellwether")
            || lower.starts_with("content-")
            || lower.starts_with("arc-")
            || lower.starts_with("resent-");
        if !token || ours {
            let message = format!("the header `{}` cannot be set here", clean::line(name, 80));
            return Err(Failure::reject("header_not_allowed", message));
        }
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        let text = header_text(name, &text)?;
        if text.len() > VALUE_MAX {
            let message = format!("the header `{name}` is longer than {VALUE_MAX} bytes");
            return Err(Failure::reject("header_too_long", message));
        }
        found.push((name.clone(), text));
    }
    Ok(found)
}
