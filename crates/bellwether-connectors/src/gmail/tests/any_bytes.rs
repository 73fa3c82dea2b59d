//! Any bytes at all give a mail and a payload within the limit, never a panic.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_model::event::DATA_MAX;
use proptest::prelude::*;

use super::{RULES, data, mail_of};
use crate::gmail::parse::{self, Input};
use crate::gmail::wire::{Body, Header, Part};

/// Lines that mails are made of, so that random mixtures reach deep into the reader.
const LINES: &[&str] = &[
    "From: =?utf-8?q?J=C3=B6rg?= <a@b.example>",
    "From: \"unclosed <a@b.example",
    "To: group: a@x.example, b@x.example;, approvals+tok@example.com",
    "Subject: =?iso-8859-1?b?",
    "Subject: \u{202e}gnp.exe",
    "References: <a> <b> <c",
    "In-Reply-To: <>",
    "Message-ID:",
    "Received: from x by mx.google.com",
    "Authentication-Results: mx.google.com; dmarc=pass (p=\"()\\",
    "X-Bellwether: case=%C3; hop=300; mac=x",
    "X-Bellwether-Effect: 00",
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: multipart/alternative; boundary=\"b\"",
    "Content-Type: text/html; charset=utf-7",
    "Content-Type: message/rfc822",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Disposition: attachment; filename*=utf-8''%F0%28",
    "",
    "--b",
    "--b--",
    "> quoted",
    "On Monday, 2 March 2026, X wrote:",
    "-----Original Message-----",
    "From: a\nSent: b\nTo: c\nSubject: d",
    "<table><tr><td><blockquote>x",
    "=E2=80=",
    "Zm9v",
    "\u{feff}\u{0}\u{7f}",
];

fn holds(raw: &[u8]) {
    let value = parse::payload(mail_of(raw));
    assert!(value.to_string().len() <= DATA_MAX);
    assert!(value["mail"]["mailbox"].is_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_are_read(raw in prop::collection::vec(any::<u8>(), 0..2048)) {
        holds(&raw);
    }

    #[test]
    fn mixtures_of_mail_lines_are_read(
        picks in prop::collection::vec((0..LINES.len(), any::<bool>()), 0..60),
    ) {
        let mut raw = String::new();
        for (at, crlf) in picks {
            raw.push_str(LINES[at]);
            raw.push_str(if crlf { "\r\n" } else { "\n" });
        }
        holds(raw.as_bytes());
    }

    #[test]
    fn any_tree_is_read(
        name in ".{0,20}", value in ".{0,200}", media in ".{0,30}", text in ".{0,400}",
    ) {
        let part = Part {
            headers: vec![Header { name, value }],
            mime_type: media,
            body: Some(Body { size: 9, data: Some(text), attachment_id: None }),
            ..Part::default()
        };
        for input in [Input::Tree(&part), Input::Head(&part)] {
            let value = parse::payload(parse::read(input, RULES));
            prop_assert!(value.to_string().len() <= DATA_MAX);
        }
    }
}

#[test]
fn nothing_at_all_is_marked_as_unreadable() {
    let mail = data(mail_of(b""));
    assert_eq!(mail["unreadable"], true);
    assert!(mail.get("from").is_none() && mail.get("subject").is_none());
}

#[test]
fn five_hundred_levels_of_parts_are_read() {
    let mut raw = String::from("From: a@b.example\r\nSubject: deep\r\n");
    for level in 0..500 {
        raw.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    raw.push_str("Content-Type: text/plain\r\n\r\nat the bottom\r\n");
    for level in (0..500).rev() {
        raw.push_str(&format!("--b{level}--\r\n"));
    }
    let mail = data(mail_of(raw.as_bytes()));
    assert_eq!(mail["text"], "at the bottom");
    assert_eq!(mail["subject"], "deep");
}

#[test]
fn the_most_mails_within_mails_that_fit_are_read() {
    for open in [
        "Content-Type:message/rfc822\n\n",
        "Content-Type: Message/ \n (x) RFC822\n\n",
        "Content-Type:message/global;x=y\n\n",
        "Content-Type:multipart/digest;boundary=b\n\n--b\n\n",
    ] {
        let levels = (2 << 20) / open.len();
        let inner = BASE64_STANDARD.encode(open.repeat(levels * 3 / 4));
        let hidden = format!(
            "Subject: outer\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}"
        );
        let plain = format!("Subject: outer\n{}", open.repeat(levels));
        for raw in [plain, hidden] {
            assert_eq!(data(mail_of(raw.as_bytes()))["subject"], "outer");
        }
    }
}

#[test]
fn a_mail_of_nothing_but_parts_is_not_taken_apart() {
    let head = "From: a@b.example\nSubject: parts\nContent-Type: multipart/mixed; boundary=b\n\n";
    let mail = data(mail_of(
        format!("{head}{}", "--b\nA:b\n\n".repeat(150_000)).as_bytes(),
    ));
    assert_eq!(mail["subject"], "parts");
    assert_eq!(mail["unreadable"], true);
    let list = "From: a@b.example\n\n".to_owned() + &"-- a comment of a script\n".repeat(30_000);
    let mail = data(mail_of(list.as_bytes()));
    assert!(mail.get("unreadable").is_none() && mail["text"].is_string());
}

#[test]
fn a_boundary_that_ends_within_a_mail_within_a_part_is_read() {
    let raw = b"Subject: broken\nContent-Type:multipart;boundary=b5\n\n\
        --b5Content-Type:message/rfc822\n\n5\nContent-Type:message/rfc822\n\n\n--b5--";
    assert_eq!(data(mail_of(raw))["subject"], "broken");
}

#[test]
fn a_mail_within_a_mail_is_listed_by_its_subject() {
    let raw = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\
        attached as message/rfc822\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\n\r\nreject\r\n--b--\r\n";
    let mail = data(mail_of(raw.as_bytes()));
    assert_eq!(mail["text"], "attached as message/rfc822");
    assert_eq!(mail["attachments"][0]["name"], "Größe");
    assert_eq!(mail["attachments"][0]["type"], "message/rfc822");
}

#[test]
fn hostile_html_neither_exhausts_the_stack_nor_the_time() {
    let open = "<div><blockquote><table><tr><td>".repeat(20_000);
    // Cells that claim a thousand million rows each.
    let spans = "<tr><td title='>' RowSpan=1000000000>x</td><td>y</td></tr>".repeat(10_000);
    let began = std::time::Instant::now();
    for html in [
        open.clone(),
        format!("{open}approve"),
        "<".repeat(600_000),
        format!("<table>{spans}</table>"),
    ] {
        let raw = format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{html}");
        holds(raw.as_bytes());
    }
    assert!(began.elapsed().as_secs() < 60, "minutes were the danger");
}

#[test]
fn twenty_megabytes_of_attachment_stay_out_of_the_event() {
    let mut raw = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Type: text/plain\r\n\r\nsee the file\r\n--b\r\n\
        Content-Type: application/pdf; name=scan.pdf\r\n\
        Content-Disposition: attachment; filename=scan.pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    for _ in 0..(20 * 1024 * 1024 / 57) {
        raw.extend([b'A'; 76]);
        raw.extend(b"\r\n");
    }
    raw.extend(b"--b--\r\n");
    let mail = data(mail_of(&raw));
    assert!(mail.to_string().len() < 2048);
    assert_eq!(mail["text"], "see the file");
    assert_eq!(mail["attachments"][0]["name"], "scan.pdf");
    assert_eq!(mail["attachments"][0]["type"], "application/pdf");
    assert_eq!(mail["attachments"][0]["part"], "1");
    assert_eq!(mail["attachments"][0]["size"], (20 * 1024 * 1024 / 57) * 57);
}

#[test]
fn a_payload_is_cut_until_it_fits() {
    let people: Vec<_> = (0..400)
        .map(|at| {
            format!(
                "\"{}\" <person{at}@{}.example>",
                "N".repeat(190),
                "d".repeat(60)
            )
        })
        .collect();
    let ids: Vec<_> = (0..300)
        .map(|at| format!("<{}{at}@x.example>", "r".repeat(300)))
        .collect();
    let people = people.join(",\r\n ");
    let raw = format!(
        "From: a@b.example\r\nTo: {people}\r\nCc: {people}\r\nReferences: {}\r\n\r\n{}",
        ids.join("\r\n "),
        "\"\\".repeat(40_000)
    );
    let value = parse::payload(mail_of(raw.as_bytes()));
    assert!(value.to_string().len() <= DATA_MAX);
    assert_eq!(value["mail"]["text_cut"], true);
    assert_eq!(value["mail"]["lists_cut"], true);
    assert!(
        value["mail"]["to"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    );
    let newest = value["mail"]["references"]
        .as_array()
        .and_then(|list| list.last());
    assert!(
        newest
            .and_then(|id| id.as_str())
            .is_some_and(|id| id.contains("299@"))
    );
}
