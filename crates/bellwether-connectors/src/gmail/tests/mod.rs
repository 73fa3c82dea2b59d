//! Tests of the reader, the writer and the judgement of refusals; calls over HTTP are tested in
//! `tests/it`. Here is what the files share.

mod any_bytes;
mod charsets;
mod machines;
mod quotas;
mod refusals;
mod replies;
mod trust;
mod writing;

use serde_json::Value;

use super::parse::{self, Input, Mail, Rules};

const RULES: Rules<'static> = Rules {
    mailbox: "approvals@example.com",
    authserv: "mx.google.com",
};

/// Reads a mail written with plain line ends.
fn mail(text: &str) -> Mail {
    mail_of(text.replace('\n', "\r\n").as_bytes())
}

fn mail_of(raw: &[u8]) -> Mail {
    parse::read(Input::Raw(raw), RULES)
}

/// The `mail` of the event's data.
fn data(mail: Mail) -> Value {
    parse::payload(mail)["mail"].clone()
}

/// A mail with these header lines before a plain one.
fn with_header(header: &str) -> Mail {
    mail(&format!(
        "{header}From: Alice <approver@example.com>\nTo: approvals@example.com\nSubject: Re: PO-4711\n\
         Message-ID: <a1@example.com>\n\napprove\n"
    ))
}
