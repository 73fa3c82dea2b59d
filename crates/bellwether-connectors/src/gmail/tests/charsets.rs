//! Character sets, broken headers, missing fields, and marks that deceive the eye.

use serde_json::json;

use super::{data, mail, mail_of};
use crate::gmail::parse::{self, Input};
use crate::gmail::tests::RULES;
use crate::gmail::wire::{Body, Header, Part};

#[test]
fn legacy_charsets_become_text() {
    let mut raw = b"From: =?iso-8859-1?Q?J=F6rg_M=FCller?= <j@b.example>\r\n\
        Subject: =?windows-1252?B?gCA0LDIwMC4wMA==?=\r\n\
        Content-Type: text/plain; charset=iso-8859-15\r\n\r\n"
        .to_vec();
    raw.extend(b"Betrag: 4.200 \xa4, gr\xfc\xdfe\r\n");
    let mail = data(mail_of(&raw));
    assert_eq!(mail["from"]["name"], "Jörg Müller");
    assert_eq!(mail["subject"], "€ 4,200.00");
    assert_eq!(mail["text"], "Betrag: 4.200 €, grüße");
}

#[test]
fn raw_utf8_in_headers_is_read_and_wrong_bytes_are_replaced() {
    let mut raw = "From: Jörg <j@b.example>\r\nSubject: Größe"
        .as_bytes()
        .to_vec();
    raw.extend(b" \xff\xfe\r\n\r\nok \xff\r\n");
    let mail = data(mail_of(&raw));
    assert_eq!(mail["from"]["name"], "Jörg");
    assert!(
        mail["subject"]
            .as_str()
            .is_some_and(|text| text.starts_with("Größe"))
    );
    assert!(
        mail["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("ok"))
    );
}

#[test]
fn what_is_missing_is_left_out() {
    let mail = data(mail("X-Nothing: here\n\njust text\n"));
    for absent in [
        "from",
        "to",
        "subject",
        "rfc_message_id",
        "references",
        "auth",
        "new_text",
    ] {
        assert!(
            mail.get(absent).is_none(),
            "{absent} must be absent: {mail}"
        );
    }
    assert_eq!(mail["text"], "just text");
    assert!(!mail.to_string().contains("null"));
}

#[test]
fn broken_headers_leave_the_rest_readable() {
    let mail = data(mail(
        "This line is no header\nFrom: \"A, B\" <a@b.example>, <c@d.example\nTo: ,,;;<>\n\
         Subject: first\nSubject: second\nReferences: not-an-id <x@y> <x@y>\n\ntext\n",
    ));
    assert_eq!(mail["from"]["address"], "a@b.example");
    assert_eq!(mail["from"]["name"], "A, B");
    assert_eq!(mail["text"], "text");
}

#[test]
fn titles_cannot_hide_or_reorder() {
    let mail = data(mail(
        "From: \"Pay\u{202e}lap\u{200b} Support\" <a@b.example>\n\
         Subject: invoice\u{202e}fdp.exe\u{200d} \u{2066}x\n\nok\u{202e} \u{200b}fine\n",
    ));
    assert_eq!(mail["subject"], "invoicefdp.exe x");
    assert_eq!(mail["from"]["name"], "Paylap Support");
    assert_eq!(mail["text"], "ok fine");
}

#[test]
fn html_alone_becomes_text() {
    let mail = data(mail(
        "From: a@b.example\nContent-Type: text/html; charset=utf-8\n\n\
         <html><head><style>p{color:red}</style><script>alert(1)</script></head><body>\
         <p>Please <b>approve</b> <a href=\"https://evil.example\">PO-4711</a>.</p>\
         <table><tr><td>Vendor</td><td>Huber GmbH</td></tr></table></body></html>\n",
    ));
    assert_eq!(mail["html_only"], true);
    let text = mail["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("Please approve PO-4711."), "{text}");
    assert!(
        text.contains("Vendor") && text.contains("Huber GmbH"),
        "{text}"
    );
    assert!(
        !text.contains("alert") && !text.contains("color") && !text.contains("evil"),
        "{text}"
    );
}

#[test]
fn the_text_part_is_preferred_unless_it_is_empty() {
    let both = |plain: &str| {
        data(mail(&format!(
            "From: a@b.example\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\
             Content-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n<p>rich</p>\n--b--\n"
        )))
    };
    assert_eq!(both("plain")["text"], "plain");
    assert_eq!(both("plain")["html_only"], false);
    assert_eq!(both("  ")["text"], "rich");
    assert_eq!(both("  ")["html_only"], true);
}

#[test]
fn a_footer_does_not_hide_the_body() {
    let parts = "--b\nContent-Type: text/html\n\n<p>Please approve</p>\n--b\n\
        Content-Type: text/plain\n\nlist footer\n--b--\n";
    let raw = format!("From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n{parts}");
    let mail = data(mail(&raw));
    assert_eq!(mail["text"], "Please approve\n\nlist footer");
    assert_eq!(mail["html_only"], false);
}

#[test]
fn long_text_is_cut_and_says_so() {
    let mail = data(mail(&format!(
        "From: a@b.example\n\n{}",
        "wörter und mehr\n".repeat(4000)
    )));
    assert_eq!(mail["text_cut"], true);
    assert!(
        mail["text"]
            .as_str()
            .is_some_and(|text| text.len() <= 32 * 1024)
    );
}

fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// A text part as the provider's tree has it, its data in base64.
fn text(media: &str, data: &str) -> Part {
    let kind = format!("{media}; charset=\"ISO-8859-1\"");
    Part {
        part_id: "0".to_owned(),
        mime_type: media.to_owned(),
        headers: vec![header("Content-Type", &kind)],
        body: Some(Body {
            size: 5,
            data: Some(data.to_owned()),
            attachment_id: None,
        }),
        ..Part::default()
    }
}

#[test]
fn the_providers_tree_reads_like_the_raw_mail() {
    let file = Part {
        part_id: "1".to_owned(),
        mime_type: "application/pdf".to_owned(),
        filename: "offer.pdf".to_owned(),
        body: Some(Body {
            size: 20_000_000,
            data: None,
            attachment_id: Some("ANGjdJ".to_owned()),
        }),
        ..Part::default()
    };
    let root = Part {
        mime_type: "multipart/mixed".to_owned(),
        headers: vec![
            header("From", "Jörg <j@b.example>"),
            header("Subject", "=?utf-8?q?Gr=C3=B6=C3=9Fe?="),
            header("In-Reply-To", "<parent@x.example>"),
        ],
        // "Größe" in Latin-1.
        parts: vec![text("text/plain", "R3L232U="), file],
        ..Part::default()
    };
    let mail = data(parse::read(Input::Tree(&root), RULES));
    let sender = json!({"name": "Jörg", "address": "j@b.example"});
    assert_eq!(mail["from"], sender);
    assert_eq!(mail["subject"], "Größe");
    assert_eq!(mail["text"], "Größe");
    assert_eq!(mail["in_reply_to"], "parent@x.example");
    let listed = json!([{
        "name": "offer.pdf", "size": 20_000_000, "type": "application/pdf", "part": "1"
    }]);
    assert_eq!(mail["attachments"], listed);
    let head = data(parse::read(Input::Head(&root), RULES));
    assert_eq!(head["subject"], "Größe");
    assert!(head.get("text").is_none());
}

#[test]
fn the_tree_prefers_text_as_well() {
    let alternatives = |plain: &str| {
        let part = Part {
            mime_type: "multipart/alternative".to_owned(),
            parts: vec![text("text/plain", plain), text("text/html", "PGI-Yg==")],
            ..Part::default()
        };
        let mail = data(parse::read(Input::Tree(&part), RULES));
        (mail["text"].clone(), mail["html_only"].clone())
    };
    assert_eq!(alternatives("YQ=="), (json!("a"), json!(false)));
    assert_eq!(
        alternatives("IA=="),
        (json!("b"), json!(true)),
        "the text is blank"
    );
}
